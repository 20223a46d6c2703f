// links: tests/lib/rest_rig.c server/rest*.c server/sessions.c framing/*.c tunnel/*.c
/* Answers that go on: prelude and marks, both forms, where they begin, what ends them, readers that are slow or gone. */
/* libs: -lev -lssl -lcrypto -lhttp_parser -lwslay -lnghttp2 -lcares -lconfuse -ljansson -lm */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "framing/capsule.h"
#include "framing/websocket.h"
#include "server/rest_stream.h"
#include "tests/lib/rest_rig.h"
#include "tunnel/log.h"

#define AT RIG_BASE "/v1/" RIG_SID "/signal/sig"
#define SSE "Accept: text/event-stream\n"
#define RECORDS "Accept: application/octet-stream\n"

static struct rig rig;

static int setup(void **state)
{
	struct rest_config config = rest_config_default;
	struct rig_call *c;

	(void)state;
	config.expire_s = 30;
	config.limits.window = 4096;
	rig_init(&rig, &config, 2);
	c = rig_ask(&rig, "PUT", AT, NULL, NULL, 0);
	assert_int_equal(c->status, 201);
	rig_drop(c);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	rig_fini(&rig);
	return 0;
}

static struct rig_call *get(const char *query, const char *lines)
{
	char target[256];

	snprintf(target, sizeof target, AT "%s", query);
	return rig_ask(&rig, "GET", target, lines, NULL, 0);
}

/* What came since the last look. */
static const char *news(struct rig_call *c)
{
	static char out[16384];

	snprintf(out, sizeof out, "%.*s", (int)c->answer.n, (const char *)c->answer.p);
	c->answer.n = 0;
	return out;
}

static void says(struct rig_call *c, const char *want)
{
	const char *have = news(c);

	if (strcmp(have, want) != 0)
		fail_msg("'%s', not '%s'", have, want);
}

static void text(const char *s)
{
	rig_send(&rig, WEBSOCKET_TEXT, s, strlen(s));
	rig_run(&rig, 0);
}

/* An SSE stream that has said its first words. */
static struct rig_call *stream(const char *query, const char *lines)
{
	struct rig_call *c = get(query, lines);
	const char *have = news(c);

	assert_int_equal(c->status, 200);
	assert_true(strlen(have) > REST_STREAM_PRELUDE && have[0] == ':');
	assert_non_null(strstr(have, " \nretry: 1000\n\nevent: mark\ndata: {\"n\":1,\"ms\":0}\n\n"));
	assert_false(c->answered);
	return c;
}

static struct rig_call *marked(const char *query)
{
	struct rig_call *c = stream(query, SSE);

	rig_run(&rig, 200 * LOOP_MS);
	says(c, "event: mark\ndata: {\"n\":2,\"ms\":200}\n\n");
	return c;
}

static void alive(bool expected)
{
	assert_int_equal(sessions_count(rig.sessions), expected);
}

static void marks_come_apart_and_then_keepalives(void **state)
{
	struct rig_call *c = stream("", SSE);

	(void)state;
	assert_non_null(strstr(c->lines, "Content-Type: text/event-stream\r\n"));
	assert_non_null(strstr(c->lines, "Cache-Control: no-store, no-transform\r\n"));
	assert_non_null(strstr(c->lines, "X-Accel-Buffering: no\r\n"));
	rig_run(&rig, 199 * LOOP_MS);
	says(c, "");
	rig_run(&rig, LOOP_MS);
	says(c, "event: mark\ndata: {\"n\":2,\"ms\":200}\n\n");
	rig_run(&rig, 7999 * LOOP_MS);
	says(c, "");
	rig_run(&rig, LOOP_MS);
	says(c, ":\n\n");
	rig_run(&rig, 16 * LOOP_SECOND);
	says(c, ":\n\n:\n\n");
	rig_drop(c);
	c = marked("?keepalive=1");
	rig_run(&rig, 3 * LOOP_SECOND);
	says(c, ":\n\n:\n\n:\n\n");
	rig_drop(c);
}

static void messages_are_events(void **state)
{
	struct rig_call *c = marked("");

	(void)state;
	text("one");
	says(c, "id: 1\nevent: text\ndata: one\n\n");
	text("two\n\nlines\n");
	says(c, "id: 2\nevent: text\ndata: two\ndata: \ndata: lines\ndata: \n\n");
	text("");
	says(c, "id: 3\nevent: text\ndata: \n\n");
	text("a\r\nb\rc");
	says(c, "id: 4\nevent: json\ndata: \"a\\u000d\\u000ab\\u000dc\"\n\n");
	rig_send(&rig, WEBSOCKET_BINARY, "\0\1\2", 3);
	rig_run(&rig, 0);
	says(c, "id: 5\nevent: binary\ndata: AAEC\n\n");
	rig_send_close(&rig, 4001, "so");
	rig_run(&rig, 0);
	says(c, "id: 6\nevent: close\ndata: [4001,\"so\"]\n\nevent: end\ndata: closed\n\n");
	assert_true(c->answered);
	rig_drop(c);
	alive(true);	/* until the client says that it knows */
	c = get("?after=6", SSE);
	assert_true(c->answered && c->status == 200);
	rig_drop(c);
	alive(false);
}

static void it_begins_where_the_reader_was(void **state)
{
	struct rig_call *c;

	(void)state;
	text("one");
	text("two");
	text("three");
	c = stream("", SSE);
	rig_run(&rig, 200 * LOOP_MS);
	rig_drop(c);
	c = get("?after=1", SSE "Last-Event-ID: 2\n");	/* the header wins */
	assert_non_null(strstr(news(c), "id: 3\nevent: text\ndata: three\n\n"));
	rig_drop(c);
	c = get("?after=0", SSE);	/* what was forgotten does not come back */
	assert_null(strstr(news(c), "id: 2\n"));
	rig_drop(c);
	c = get("", SSE "Last-Event-ID: x\n");
	assert_int_equal(c->status, 400);
	rig_drop(c);
	c = get("", SSE "Last-Event-ID: 4\n");
	assert_int_equal(c->status, 409);
	rig_drop(c);
	c = get("", "Accept: text/html, text/event-stream;q=0.5\n");
	assert_int_equal(c->status, 200);
	assert_false(c->answered);
	rig_drop(c);
	c = get("", RECORDS);	/* without ?stream=1: once */
	assert_true(c->answered);
	rig_drop(c);
}

/* The record at *p: its type; *p moves behind it. */
static unsigned record(const uint8_t **p, char out[4096])
{
	size_t n = (size_t)(*p)[1] << 16 | (size_t)(*p)[2] << 8 | (*p)[3];
	unsigned type = **p;

	memcpy(out, *p + 4, n);
	out[n] = 0;
	*p += 4 + n;
	return type;
}

static void records_say_the_same(void **state)
{
	struct rig_call *c;
	const uint8_t *p;
	char out[4096];

	(void)state;
	text("zero");
	c = get("?stream=1&after=1", RECORDS);
	assert_non_null(strstr(c->lines, "Content-Type: application/octet-stream\r\n"));
	p = c->answer.p;
	assert_int_equal(record(&p, out), 16);
	assert_string_equal(out, "{\"taken\":0,\"seq\":2,\"state\":\"open\"}");
	assert_int_equal(record(&p, out), 0);
	assert_int_equal(record(&p, out), 17);
	assert_string_equal(out, "{\"n\":1,\"ms\":0}");
	assert_ptr_equal(p, c->answer.p + c->answer.n);
	c->answer.n = 0;
	rig_run(&rig, 9 * LOOP_SECOND);
	text("one");
	rig_send_close(&rig, 1000, "");
	rig_run(&rig, 0);
	p = c->answer.p;
	assert_int_equal(record(&p, out), 17);
	assert_int_equal(record(&p, out), 0);
	assert_int_equal(record(&p, out), 1);
	assert_string_equal(out, "one");
	assert_int_equal(record(&p, out), 8);
	assert_ptr_equal(p, c->answer.p + c->answer.n);
	assert_true(c->answered);
	rig_drop(c);
}

/* Messages that the client got elsewhere meanwhile: a head says where it goes on. */
static void records_that_jump_say_so(void **state)
{
	struct rig_call *c = get("?stream=1", RECORDS), *other;
	const uint8_t *p;
	char out[4096];

	(void)state;
	c->answer.n = 0;
	c->stuck = true;
	text("one");
	text("two");	/* behind the one that is stuck */
	text("three");
	other = rig_ask(&rig, "POST", AT, "Content-Type: application/json\n", "{\"after\":2}", 11);
	assert_true(other->answered && other->status == 200);
	rig_drop(other);
	rig_unstick(c);
	p = c->answer.p;
	assert_int_equal(record(&p, out), 1);
	assert_string_equal(out, "one");
	assert_int_equal(record(&p, out), 16);
	assert_string_equal(out, "{\"taken\":0,\"seq\":3,\"state\":\"open\"}");
	assert_int_equal(record(&p, out), 1);
	assert_string_equal(out, "three");
	rig_drop(c);
}

static void it_ends_in_time_and_goes_on_elsewhere(void **state)
{
	struct rig_call *c = marked("?for=3");

	(void)state;
	rig_run(&rig, 3 * LOOP_SECOND);
	says(c, "event: end\ndata: time\n\n");
	assert_true(c->answered);
	text("between");
	rig_drop(c);
	c = get("", SSE);
	assert_non_null(strstr(news(c), "id: 1\nevent: text\ndata: between\n\n"));
	rig_drop(c);
	c = marked("");
	rig_run(&rig, 599 * LOOP_SECOND);
	assert_false(c->answered);
	rig_run(&rig, LOOP_SECOND);
	assert_true(c->answered);
	rig_drop(c);
}

static void the_newer_wins(void **state)
{
	struct rig_call *a = marked(""), *b = marked("?keepalive=60"), *poll;

	(void)state;
	says(a, "event: end\ndata: superseded\n\n");
	assert_true(a->answered);
	poll = get("?wait=20", NULL);
	says(b, "event: end\ndata: superseded\n\n");
	rig_drop(a);
	a = marked("");
	assert_true(poll->answered && poll->status == 204);
	text("x");
	says(a, "id: 1\nevent: text\ndata: x\n\n");
	rig_drop(poll);
	rig_drop(a);
	rig_drop(b);
	alive(true);
}

static void who_has_a_stream_can_send_quietly(void **state)
{
	struct rig_call *c = marked(""), *p;

	(void)state;
	text("one");
	text("two");
	news(c);
	p = rig_ask(&rig, "POST", AT, "Content-Type: application/json\n", "{\"after\":1,\"wait\":9,\"quiet\":true}", 33);
	assert_true(p->answered && !c->answered);
	says(p, "{\"taken\":0,\"seq\":2,\"state\":\"open\",\"messages\":[]}\n");
	rig_drop(p);
	text("three");
	says(c, "id: 3\nevent: text\ndata: three\n\n");
	rig_drop(c);
}

static void the_end_of_the_session_ends_it(void **state)
{
	struct rig_call *c = marked(""), *d = rig_ask(&rig, "DELETE", AT, NULL, NULL, 0);

	(void)state;
	assert_int_equal(d->status, 204);
	says(c, "event: end\ndata: gone\n\n");
	assert_true(c->answered);
	rig_drop(c);
	rig_drop(d);
	c = get("", SSE);
	assert_int_equal(c->status, 410);
	rig_drop(c);
}

static void while_it_is_read_nothing_expires(void **state)
{
	struct rig_call *c = marked("");

	(void)state;
	rig_run(&rig, 500 * LOOP_SECOND);
	alive(true);
	rig_drop(c);
	rig_run(&rig, 29 * LOOP_SECOND);
	alive(true);
	rig_run(&rig, 2 * LOOP_SECOND);
	alive(false);
}

static void a_reader_who_takes_nothing_is_left(void **state)
{
	struct rig_call *c = marked("");

	(void)state;
	c->stuck = true;
	rig_run(&rig, 8 * LOOP_SECOND);	/* a keepalive that does not go */
	rig_run(&rig, 59 * LOOP_SECOND);
	assert_false(c->aborted);
	rig_run(&rig, 2 * LOOP_SECOND);
	assert_true(c->aborted);
	rig_run(&rig, 31 * LOOP_SECOND);
	alive(false);
	rig_drop(c);
}

/* Nothing is taken from the target beyond the window while nobody reads; all of it comes then. */
static void a_slow_reader_stops_the_target(void **state)
{
	struct rig_call *c = marked("?keepalive=60"), *p;
	char want[64], body[64], message[512];
	unsigned n = 0, acknowledged = 0;

	(void)state;
	c->stuck = true;
	memset(message, 'm', sizeof message);
	for (unsigned i = 0; i < 600; i++)	/* 300 KB into a window of 4 */
		rig_send(&rig, WEBSOCKET_TEXT, message, sizeof message);
	rig_run(&rig, 0);
	assert_true(rig.target.waiting.n > 100 << 10);
	rig_unstick(c);
	while (n < 600) {
		unsigned before = n;

		snprintf(want, sizeof want, "id: %u\n", n + 1);
		rest_text_put(&c->answer, "", 1);
		while (strstr((const char *)c->answer.p, want))
			snprintf(want, sizeof want, "id: %u\n", ++n + 1);
		c->answer.n = 0;
		assert_true(n > before && n - acknowledged <= 16);
		acknowledged = n;
		snprintf(body, sizeof body, "{\"after\":%u}", n);
		p = rig_ask(&rig, "POST", AT, "Content-Type: application/json\n", body, strlen(body));
		assert_int_equal(p->status, 200);
		rig_drop(p);
	}
	rig_drop(c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(marks_come_apart_and_then_keepalives, setup, teardown),
		cmocka_unit_test_setup_teardown(messages_are_events, setup, teardown),
		cmocka_unit_test_setup_teardown(it_begins_where_the_reader_was, setup, teardown),
		cmocka_unit_test_setup_teardown(records_say_the_same, setup, teardown),
		cmocka_unit_test_setup_teardown(records_that_jump_say_so, setup, teardown),
		cmocka_unit_test_setup_teardown(it_ends_in_time_and_goes_on_elsewhere, setup, teardown),
		cmocka_unit_test_setup_teardown(the_newer_wins, setup, teardown),
		cmocka_unit_test_setup_teardown(who_has_a_stream_can_send_quietly, setup, teardown),
		cmocka_unit_test_setup_teardown(the_end_of_the_session_ends_it, setup, teardown),
		cmocka_unit_test_setup_teardown(while_it_is_read_nothing_expires, setup, teardown),
		cmocka_unit_test_setup_teardown(a_reader_who_takes_nothing_is_left, setup, teardown),
		cmocka_unit_test_setup_teardown(a_slow_reader_stops_the_target, setup, teardown),
	};

	log_setup(LOG_LEVEL_ERROR, false);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
