/* links: framing/request.c framing/target.c framing/base64.c */
/* Request targets: what is formatted is parsed again; everything else is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "framing/error.h"
#include "framing/request.h"

#define SID "AAECAwQFBgcICQoLDA0ODw"

static int parse(const char *target, struct request *r, struct span *path)
{
	return request_parse(r, "/culvert", (struct span){ (const uint8_t *)target, strlen(target) }, path);
}

/* Field by field: what lies between them is nobody's. */
static void same(const struct request *a, const struct request *b)
{
	assert_string_equal(a->sid, b->sid);
	assert_int_equal(a->carrier, b->carrier);
	assert_int_equal(a->x, b->x);
	assert_int_equal(a->mode, b->mode);
	assert_int_equal(a->hold_ms, b->hold_ms);
	assert_int_equal(a->keep, b->keep);
	assert_int_equal(a->end, b->end);
	assert_int_equal(a->keepalive_ms, b->keepalive_ms);
	assert_int_equal(a->pad, b->pad);
	assert_int_equal(a->event_stream, b->event_stream);
	assert_int_equal(a->answer, b->answer);
	assert_int_equal(a->marks, b->marks);
	assert_int_equal(a->gap_ms, b->gap_ms);
	assert_int_equal(a->size, b->size);
	assert_int_equal(a->has_epoch, b->has_epoch);
	assert_int_equal(a->epoch, b->epoch);
}

static void round_trip(void **state)
{
	struct request in = { .carrier = 65535, .x = REQUEST_X_MAX, .mode = MODE_POLL, .hold_ms = 20000, .keep = 2,
			      .has_epoch = true, .epoch = 0x00ab000000000001 }, out;
	char target[REQUEST_TARGET_MAX];
	uint8_t random[16];
	struct span path;

	(void)state;
	for (uint8_t i = 0; i < 16; i++)
		random[i] = i;
	request_sid(in.sid, random);
	assert_string_equal(in.sid, SID);
	assert_true(request_put(&in, "/culvert", target, sizeof target) > 0);
	assert_string_equal(target, "/culvert/v1/" SID "?c=65535&x=9007199254740991&m=poll&hold=20000&k=2"
				    "&e=00ab000000000001");
	assert_int_equal(parse(target, &out, &path), 0);
	same(&in, &out);
	assert_int_equal(path.n, strlen(target));
	in.end = true;
	assert_true(request_put(&in, "/culvert", target, sizeof target) > 0);
	assert_non_null(strstr(target, "&k=2&end=1&"));
	assert_int_equal(parse(target, &out, &path), 0);
	same(&in, &out);
	assert_int_equal(request_put(&in, "/culvert", target, 40), ERROR_LIMIT);
}

static void put_is(const struct request *in, const char *query)
{
	struct request out, full = *in;
	char target[REQUEST_TARGET_MAX], want[REQUEST_TARGET_MAX];
	struct span path;

	memcpy(full.sid, SID, sizeof full.sid);
	full.keep = 1;
	full.has_epoch = true;
	full.epoch = 1;
	snprintf(want, sizeof want, "/culvert/v1/" SID "?c=0&x=0&%s&e=0000000000000001", query);
	assert_int_equal(request_put(&full, "/culvert", target, sizeof target), strlen(want));
	assert_string_equal(target, want);
	assert_int_equal(parse(target, &out, &path), 0);
	same(&full, &out);
	assert_int_equal(request_put(&full, "/culvert", target, strlen(want)), ERROR_LIMIT);
	assert_int_equal(request_put(&full, "/culvert", target, strlen(want) + 1), strlen(want));
}

static void parameters_of_modes(void **state)
{
	(void)state;
	put_is(&(struct request){ .mode = MODE_DOWN }, "m=down");
	put_is(&(struct request){ .mode = MODE_DOWN, .keepalive_ms = 200, .pad = 6144, .event_stream = true },
	       "m=down&ka=200&pad=6144&sse=1");
	put_is(&(struct request){ .mode = MODE_DUPLEX, .keepalive_ms = 60000 }, "m=duplex&ka=60000");
	put_is(&(struct request){ .mode = MODE_WEBSOCKET, .keepalive_ms = 300, .rest = true }, "m=websocket&ka=300&rest=1");
	put_is(&(struct request){ .mode = MODE_PROBE }, "m=probe");
	put_is(&(struct request){ .mode = MODE_SEAL, .seal = 7 }, "m=seal&s=7");
	put_is(&(struct request){ .mode = MODE_PROBE, .pad = 4096, .event_stream = true, .answer = ANSWER_EARLY,
				  .hold_ms = 60000, .marks = 32, .gap_ms = 600000, .size = 65000 },
	       "m=probe&pad=4096&sse=1&a=2&hold=60000&n=32&gap=600000&size=65000");
}

/* What does not belong to a mode is not written. */
static void foreign_parameters(void **state)
{
	struct request r = { .sid = SID, .mode = MODE_UP, .keepalive_ms = 500, .pad = 1, .event_stream = true, .marks = 1,
			     .gap_ms = 1, .size = 1, .answer = ANSWER_EARLY, .hold_ms = 1, .keep = 2 };
	char target[REQUEST_TARGET_MAX];

	(void)state;
	assert_true(request_put(&r, "", target, sizeof target) > 0);
	assert_string_equal(target, "/v1/" SID "?c=0&x=0&m=up");
}

static void absolute_form(void **state)
{
	struct request r;
	struct span path;

	(void)state;
	assert_int_equal(parse("http://host:80/culvert/v1/" SID "?m=hello&c=0&x=1", &r, &path), 0);
	assert_int_equal(r.mode, MODE_HELLO);
	assert_int_equal(r.keep, 1);
	assert_int_equal(path.p[0], '/');
}

static void refused(void **state)
{
	static const struct {
		const char *target;
		int error;
	} cases[] = {
		{ "", ERROR_UNSUPPORTED },
		{ "/", ERROR_UNSUPPORTED },
		{ "*", ERROR_UNSUPPORTED },
		{ "http://host", ERROR_UNSUPPORTED },
		{ "/culvert", ERROR_UNSUPPORTED },
		{ "/culvertx/v1/" SID "?c=0&x=1&m=hello", ERROR_UNSUPPORTED },
		{ "/culvert/v2/" SID "?c=0&x=1&m=hello", ERROR_UNSUPPORTED },
		{ "/culvert/v1/" SID "A?c=0&x=1&m=hello", ERROR_MALFORMED },
		{ "/culvert/v1/AAECAwQFBgcICQoLDA0OD?c=0&x=1&m=hello", ERROR_MALFORMED },
		{ "/culvert/v1/AAECAwQFBgcICQoLDA0OD$?c=0&x=1&m=hello", ERROR_MALFORMED },
		{ "/culvert/v1/" SID, ERROR_MALFORMED },
		{ "/culvert/v1/" SID "?c=0&x=1", ERROR_MALFORMED },
		{ "/culvert/v1/" SID "?c=0&m=hello", ERROR_MALFORMED },
		{ "/culvert/v1/" SID "?x=1&m=hello", ERROR_MALFORMED },
		{ "/culvert/v1/" SID "?c=0&c=0&x=1&m=hello", ERROR_MALFORMED },
		{ "/culvert/v1/" SID "?c=65536&x=1&m=hello", ERROR_MALFORMED },
		{ "/culvert/v1/" SID "?c=-1&x=1&m=hello", ERROR_MALFORMED },
		{ "/culvert/v1/" SID "?c=&x=1&m=hello", ERROR_MALFORMED },
		{ "/culvert/v1/" SID "?c=0&x=9007199254740992&m=hello", ERROR_MALFORMED },
		{ "/culvert/v1/" SID "?c=0&x=99999999999999999999&m=hello", ERROR_MALFORMED },
		{ "/culvert/v1/" SID "?c=0&x=1&m=chunk", ERROR_MALFORMED },
		{ "/culvert/v1/" SID "?c=0&x=1&m=poll", ERROR_MALFORMED },
		{ "/culvert/v1/" SID "?c=0&x=1&m=poll&e=1", ERROR_MALFORMED },
		{ "/culvert/v1/" SID "?c=0&x=1&m=poll&e=00AB000000000001", ERROR_MALFORMED },
		{ "/culvert/v1/" SID "?c=0&x=1&m=hello&hold=60001", ERROR_MALFORMED },
		{ "/culvert/v1/" SID "?c=0&x=1&m=hello&k=0", ERROR_MALFORMED },
		{ "/culvert/v1/" SID "?c=0&x=1&m=hello&k=17", ERROR_MALFORMED },
		{ "/culvert/v1/" SID "?c=0&x=1&m=hello&ka=199", ERROR_MALFORMED },
		{ "/culvert/v1/" SID "?c=0&x=1&m=hello&ka=60001", ERROR_MALFORMED },
		{ "/culvert/v1/" SID "?c=0&x=1&m=hello&ka=500&ka=500", ERROR_MALFORMED },
		{ "/culvert/v1/" SID "?c=0&x=1&m=hello&pad=6145", ERROR_MALFORMED },
		{ "/culvert/v1/" SID "?c=0&x=1&m=hello&pad=", ERROR_MALFORMED },
		{ "/culvert/v1/" SID "?c=0&x=1&m=hello&sse=2", ERROR_MALFORMED },
		{ "/culvert/v1/" SID "?c=0&x=1&m=hello&sse=yes", ERROR_MALFORMED },
		{ "/culvert/v1/" SID "?c=0&x=1&m=hello&n=33", ERROR_MALFORMED },
		{ "/culvert/v1/" SID "?c=0&x=1&m=hello&gap=600001", ERROR_MALFORMED },
		{ "/culvert/v1/" SID "?c=0&x=1&m=hello&size=65001", ERROR_MALFORMED },
		{ "/culvert/v1/" SID "?c=0&x=1&m=hello&a=3", ERROR_MALFORMED },
		{ "/culvert/v1/" SID "?c=0&x=1&m=hello&a=-1", ERROR_MALFORMED },
		{ "/culvert/v1/" SID "?c=0&x=1&m=probe", ERROR_MALFORMED },
		{ "/culvert/v1/" SID "?c=0&x=1&m=seal", ERROR_MALFORMED },
		{ "/culvert/v1/" SID "?c=0&x=1&m=seal&s=0", ERROR_MALFORMED },
		{ "/culvert/v1/" SID "?c=0&x=1&m=seal&s=1", 0 },
		{ "/culvert/v1/" SID "?c=0&x=1&m=hello&s=4294967295", 0 },
		{ "/culvert/v1/" SID "?c=0&x=1&m=hello&s=4294967296", ERROR_MALFORMED },
		{ "/culvert/v1/" SID "?c=0&x=1&m=hello&ka=200&pad=0&sse=0&n=0&gap=0&size=0&a=0", 0 },
		{ "/culvert/v1/" SID "?c=0&x=1&m=hello&new=thing&&flag", 0 },
	};
	struct request r;
	struct span path;

	(void)state;
	assert_int_equal(request_parse(&r, "/culvert", (struct span){ NULL, 0 }, &path), ERROR_UNSUPPORTED);
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
		if (parse(cases[i].target, &r, &path) != cases[i].error)
			fail_msg("%s", cases[i].target);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(round_trip),
		cmocka_unit_test(parameters_of_modes),
		cmocka_unit_test(foreign_parameters),
		cmocka_unit_test(absolute_form),
		cmocka_unit_test(refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
