/* links: framing/request.c framing/base64.c */
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
	assert_memory_equal(&in, &out, sizeof in);
	assert_int_equal(path.n, strlen(target));
	assert_int_equal(request_put(&in, "/culvert", target, 40), ERROR_LIMIT);
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
		cmocka_unit_test(absolute_form),
		cmocka_unit_test(refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
