// links: tests/lib/rest_rig.c server/rest*.c server/sessions.c framing/*.c tunnel/*.c
/* The REST server: methods, their repeats and their errors, waiting, ends. */
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
#include "server/rest_cors.h"
#include "tests/lib/rest_rig.h"
#include "tunnel/log.h"

#define AT RIG_BASE "/v1/" RIG_SID "/signal/sig"
#define JSON "Content-Type: application/json\n"

static struct rig rig;
static char last[4096];	/* message that the target got */
static int got_count;

static void got(void *ctx, int opcode, const uint8_t *p, size_t n)
{
	(void)ctx;
	got_count++;
	snprintf(last, sizeof last, "%d:%.*s", opcode, (int)n, (const char *)p);
}

static int setup(void **state)
{
	(void)state;
	rig_init(&rig, &rest_config_default, 2);
	rig.target.got = got;
	got_count = 0;
	last[0] = 0;
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	rig_fini(&rig);
	return 0;
}

static const char *text(const struct rig_call *c)
{
	static char out[8192];

	snprintf(out, sizeof out, "%.*s", (int)c->answer.n, (const char *)c->answer.p);
	return out;
}

/* Asks, and is answered at once with this status and these words. */
static void expect(const char *method, const char *target, const char *lines, const char *body, int status, const char *words)
{
	struct rig_call *c = rig_ask(&rig, method, target, lines, body, body ? strlen(body) : 0);

	assert_true(c->answered);
	if (c->status != status || !strstr(text(c), words))
		fail_msg("%s %s: %d %s, not %d %s", method, target, c->status, text(c), status, words);
	rig_drop(c);
}

static void post(const char *body, int status, const char *words)
{
	expect("POST", AT, JSON, body, status, words);
}

static void begin(void)
{
	expect("PUT", AT, NULL, NULL, 201, "\"state\":\"open\"");
}

static void a_session_is_made_once(void **state)
{
	(void)state;
	begin();
	expect("PUT", AT, NULL, NULL, 200, "\"hold\":20,\"expires\":330,\"message_max\":1048576,\"window\":1048576,\"messages_max\":4096");
	assert_int_equal(sessions_count(rig.sessions), 1);
	expect("PUT", RIG_BASE "/v1/" RIG_SID "/signal/other", NULL, NULL, 409, "\"code\":\"conflict\"");
	expect("GET", RIG_BASE "/v1/BAAAAAAAAAAAAAAAAAAAAA/signal/sig", NULL, NULL, 404, "\"code\":\"session\"");
	expect("PUT", RIG_BASE "/v1/BAAAAAAAAAAAAAAAAAAAAA/signal/sig", NULL, NULL, 201, "open");
	expect("PUT", RIG_BASE "/v1/CAAAAAAAAAAAAAAAAAAAAA/signal/sig", NULL, NULL, 503, "\"code\":\"busy\"");
}

static void opening_is_waited_for(void **state)
{
	struct rig_call *a, *b;

	(void)state;
	rig.defer = true;
	a = rig_ask(&rig, "PUT", AT, JSON, "{\"protocols\":[\"janus-protocol\",\"b\"]}", 36);
	b = rig_ask(&rig, "PUT", AT, JSON, "{}", 2);
	assert_false(a->answered || b->answered);
	assert_string_equal(channel_params(rig.target.channel)->protocols, "janus-protocol,b");
	rig_accept(&rig, "b");
	assert_int_equal(a->status, 201);
	assert_non_null(strstr(text(a), "\"protocol\":\"b\""));
	assert_int_equal(b->status, 200);
	rig_drop(a);
	rig_drop(b);
}

static void a_target_that_fails_is_told(void **state)
{
	struct rig_call *c;

	(void)state;
	rig.refuse = CODE_UNKNOWN_SERVICE;
	expect("PUT", AT, NULL, NULL, 404, "\"code\":\"service\"");
	expect("PUT", AT, NULL, NULL, 410, "\"code\":\"gone\"");
	rig.refuse = 0;
	rig.defer = true;
	c = rig_ask(&rig, "PUT", RIG_BASE "/v1/BAAAAAAAAAAAAAAAAAAAAA/signal/sig", NULL, NULL, 0);
	channel_close(rig.target.channel, CODE_TIMEOUT, "it did not answer");
	rig.target.channel = NULL;
	rig_run(&rig, 0);
	assert_int_equal(c->status, 504);
	assert_non_null(strstr(text(c), "it did not answer"));
	rig_drop(c);
	assert_int_equal(sessions_count(rig.sessions), 0);
}

static void messages_go_to_the_target_in_order_and_once(void **state)
{
	(void)state;
	begin();
	post("{\"seq\":1,\"messages\":[\"a\"]}", 200, "\"taken\":1,\"seq\":1,\"state\":\"open\",\"messages\":[]");
	assert_string_equal(last, "1:a");
	post("{\"seq\":1,\"messages\":[\"a\"]}", 200, "\"taken\":1");
	assert_int_equal(got_count, 1);
	post("{\"seq\":3,\"messages\":[\"c\"]}", 200, "\"taken\":1");
	assert_int_equal(got_count, 1);
	post("{\"seq\":3,\"messages\":[\"C\"]}", 409, "conflict");
	post("{\"seq\":2,\"messages\":[{\"binary\":\"AAEC\"}]}", 200, "\"taken\":3");
	assert_int_equal(got_count, 3);
	assert_string_equal(last, "1:c");
	post("{\"seq\":4,\"messages\":[{\"close\":[3000,\"bye\"]}]}", 200, "\"taken\":4");
	assert_int_equal(rig.target.close_code, 3000);
	assert_true(rig.target.finished);
	post("{\"seq\":5,\"messages\":[\"x\"]}", 409, "conflict");
}

static void messages_come_until_they_are_known(void **state)
{
	(void)state;
	begin();
	rig_send(&rig, WEBSOCKET_TEXT, "h\"\n", 3);
	rig_send(&rig, WEBSOCKET_BINARY, "\0\1\2", 3);
	rig_run(&rig, 0);
	expect("GET", AT "?after=0", NULL, NULL, 200, "\"seq\":1,\"state\":\"open\",\"messages\":[\"h\\\"\\u000a\",{\"binary\":\"AAEC\"}]");
	post("{\"after\":1}", 200, "\"seq\":2,\"state\":\"open\",\"messages\":[{\"binary\":\"AAEC\"}]");
	post("{}", 200, "\"seq\":2");	/* an old one, late */
	expect("GET", AT "?after=2", NULL, NULL, 204, "");
	expect("GET", AT "?after=3", NULL, NULL, 409, "conflict");
	rig_send_close(&rig, 1001, "later");
	rig_run(&rig, 0);
	expect("GET", AT "?after=2", NULL, NULL, 200, "\"state\":\"closed\",\"messages\":[{\"close\":[1001,\"later\"]}]");
	assert_int_equal(rig.target.close_code, 1001);
	post("{\"after\":3}", 200, "\"seq\":4,\"state\":\"closed\",\"messages\":[]");
	post("{\"after\":3}", 410, "gone");
	assert_int_equal(sessions_count(rig.sessions), 0);
}

static void a_target_that_dies_is_1006(void **state)
{
	(void)state;
	begin();
	channel_close(rig.target.channel, CODE_LOCAL_RESET, "cut");
	rig_run(&rig, 0);
	expect("GET", AT, NULL, NULL, 200, "{\"close\":[1006,\"cut\"]}");
}

static void the_newer_wait_wins(void **state)
{
	struct rig_call *a, *b, *c;

	(void)state;
	begin();
	a = rig_ask(&rig, "GET", AT "?wait=20", NULL, NULL, 0);
	assert_false(a->answered);
	b = rig_ask(&rig, "POST", AT, JSON, "{\"wait\":20}", 11);
	assert_int_equal(a->status, 204);
	rig_run(&rig, 19 * LOOP_SECOND);
	assert_false(b->answered);
	c = rig_ask(&rig, "POST", AT, JSON, "{\"wait\":99}", 11);
	assert_int_equal(b->status, 200);
	rig_send(&rig, WEBSOCKET_TEXT, "now", 3);
	rig_run(&rig, 0);
	assert_non_null(strstr(text(c), "\"now\""));
	rig_drop(a);
	rig_drop(b);
	rig_drop(c);
	a = rig_ask(&rig, "GET", AT "?after=1&wait=3600", NULL, NULL, 0);
	rig_run(&rig, 20 * LOOP_SECOND - 1);
	assert_false(a->answered);
	rig_run(&rig, 1);
	assert_int_equal(a->status, 204);
	rig_drop(a);
}

static void sessions_expire_but_not_while_somebody_waits(void **state)
{
	struct rig_call *c;

	(void)state;
	begin();
	for (int i = 0; i < 20; i++) {
		c = rig_ask(&rig, "GET", AT "?wait=20", NULL, NULL, 0);
		rig_run(&rig, 20 * LOOP_SECOND);
		assert_int_equal(c->status, 204);
		rig_drop(c);
	}
	c = rig_ask(&rig, "GET", AT "?wait=20", NULL, NULL, 0);
	rig_drop(c);		/* it vanished */
	rig_run(&rig, 329 * LOOP_SECOND);
	assert_int_equal(sessions_count(rig.sessions), 1);
	rig_run(&rig, LOOP_SECOND);
	assert_int_equal(sessions_count(rig.sessions), 0);
	assert_true(rig.target.closed);
	post("{}", 410, "gone");
	rig_run(&rig, 600 * LOOP_SECOND);
	post("{}", 404, "session");
}

static void deleted_is_deleted(void **state)
{
	struct rig_call *c;

	(void)state;
	expect("DELETE", AT, NULL, NULL, 404, "session");
	begin();
	c = rig_ask(&rig, "GET", AT "?wait=20", NULL, NULL, 0);
	expect("DELETE", AT, NULL, NULL, 204, "");
	assert_int_equal(c->status, 410);
	rig_drop(c);
	expect("DELETE", AT, NULL, NULL, 204, "");
	expect("PUT", AT, NULL, NULL, 410, "gone");
	assert_true(rig.target.closed);
}

static void the_stop_is_told(void **state)
{
	struct rig_call *c;

	(void)state;
	begin();
	c = rig_ask(&rig, "GET", AT "?wait=20", NULL, NULL, 0);
	sessions_bye(rig.sessions, CODE_SHUTDOWN, "stop");
	rig_run(&rig, 0);
	assert_int_equal(c->status, 503);
	rig_drop(c);
	expect("PUT", RIG_BASE "/v1/BAAAAAAAAAAAAAAAAAAAAA/signal/sig", NULL, NULL, 503, "busy");
}

#define BIG (900 << 10)
#define MANY 4000

static void windows_stop_both_sides(void **state)
{
	char *big = malloc(BIG), *body = malloc(BIG + 1000);
	struct rig_call *held;
	uint64_t before;

	(void)state;
	memset(big, 'x', BIG);
	big[(BIG) - 1] = 0;
	begin();
	rig.target.appetite = 0;
	snprintf(body, BIG + 1000, "{\"seq\":1,\"messages\":[\"%s\"]}", big);
	post(body, 200, "\"taken\":1");		/* it is on its way */
	snprintf(body, BIG + 1000, "{\"seq\":2,\"messages\":[\"%s\"]}", big);
	held = rig_ask(&rig, "POST", AT, JSON, body, strlen(body));
	rig_run(&rig, 4 * LOOP_SECOND);
	assert_false(held->answered);		/* nothing more should come */
	rig_run(&rig, 2 * LOOP_SECOND);
	assert_non_null(strstr(text(held), "\"taken\":2"));
	rig_drop(held);
	held = rig_ask(&rig, "POST", AT, JSON, body, strlen(body));
	snprintf(body, BIG + 1000, "{\"seq\":3,\"messages\":[\"%s\"]}", big);
	post(body, 429, "\"code\":\"window\"");
	rig.target.appetite = SIZE_MAX;
	channel_resume(rig.target.channel);
	rig_run(&rig, LOOP_SECOND);
	assert_non_null(strstr(text(held), "\"taken\":2")); /* there is room again */
	rig_drop(held);
	post(body, 200, "\"taken\":3");
	assert_int_equal(got_count, 3);
	for (int i = 0; i < MANY; i++)
		rig_send(&rig, WEBSOCKET_TEXT, big, 1000);
	rig_run(&rig, 0);
	before = rig.target.waiting.n;
	assert_in_range(before, 1000000, MANY * 1004 - 2 * (1 << 20) * 9 / 10);
	for (unsigned after = 0; after < MANY;) {
		char target[200];
		struct rig_call *c;
		unsigned seq = 0;

		snprintf(target, sizeof target, AT "?after=%u&wait=1", after);
		c = rig_ask(&rig, "GET", target, NULL, NULL, 0);
		assert_int_equal(c->status, 200);
		assert_int_equal(sscanf(text(c), "{\"taken\":3,\"seq\":%u,", &seq), 1);
		assert_int_equal(seq, after + 1);
		after += (unsigned)(c->answer.n / 1003);
		if (after > MANY)
			after = MANY;
		rig_drop(c);
	}
	free(big);
	free(body);
}

static void who_may_not_is_told_why(void **state)
{
	const char *const list[] = { "https://app.example", NULL };
	char error[256], lines[128];

	(void)state;
	rest_set_cors(rig.rest, rest_cors_new(list, error, sizeof error));
	expect("PUT", AT, "Authorization: Bearer AAAA\n", NULL, 401, "\"code\":\"credential\"");
	expect("PUT", AT, "Authorization: Basic bGFwdG9w\n", NULL, 401, "\"code\":\"credential\"");
	snprintf(lines, sizeof lines, "Origin: https://evil.example\n");
	expect("PUT", AT, lines, NULL, 403, "\"code\":\"origin\"");
	expect("OPTIONS", AT, "Origin: https://app.example\nAuthorization: \n", NULL, 204, "");
	expect("OPTIONS", AT, lines, NULL, 403, "origin");
	expect("PATCH", AT, NULL, NULL, 405, "method");
	expect("POST", AT, "Content-Type: text/plain\n", "{}", 415, "type");
	expect("POST", AT, NULL, "{}", 415, "type");
	expect("PUT", AT, NULL, "{}", 415, "type");
	expect("GET", AT "?after=x", NULL, NULL, 400, "malformed");
	expect("GET", RIG_BASE "/v1/short/signal/sig", NULL, NULL, 400, "malformed");
	begin();
	post("{\"seq\":0,\"messages\":[\"x\"]}", 400, "seq");
	post("{\"messages\":[\"x\"]}", 400, "seq");
	post("[]", 400, "JSON object");
	post("{\"seq\":1,\"messages\":[{\"close\":[1005,\"x\"]}]}", 400, "close");
	post("{\"seq\":1,\"messages\":[\"\xff\"]}", 400, "UTF-8");
	assert_null(rest_cors_new((const char *const[]){ "*", NULL }, error, sizeof error));
	assert_non_null(strstr(error, "one by one"));
}

static void records_say_the_same(void **state)
{
	static const uint8_t body[] = { 16, 0, 0, 9, '{', '"', 's', 'e', 'q', '"', ':', '1', '}', 0, 0, 0, 1, 'p', 3, 0, 0, 1, 'a', 1, 0, 0, 1, 'b',
					2, 0, 0, 1, 0, 8, 0, 0, 3, 0x0b, 0xb8, 'x' };
	static const uint8_t tail[] = { 1, 0, 0, 2, 'h', 'i', 8, 0, 0, 2, 3, 0xe8 };
	struct rig_call *c;

	(void)state;
	begin();
	c = rig_ask(&rig, "POST", AT, "Content-Type: application/octet-stream\n", body, sizeof body);
	assert_int_equal(c->status, 200);
	assert_int_equal(c->answer.p[0], 16);
	rig_drop(c);
	rig_send(&rig, WEBSOCKET_TEXT, "hi", 2);
	rig_send_close(&rig, 1000, "");
	rig_run(&rig, 0);
	c = rig_ask(&rig, "POST", AT, "Content-Type: application/octet-stream\n", body, sizeof body);
	assert_int_equal(c->status, 200);
	assert_true(c->answer.n > sizeof tail);
	assert_memory_equal(c->answer.p + c->answer.n - sizeof tail, tail, sizeof tail);
	assert_int_equal(got_count, 2);
	assert_int_equal(rig.target.close_code, 3000);
	rig_drop(c);
	for (size_t n = 1; n < sizeof body; n++) {	/* every cut of it is refused, or says less */
		c = rig_ask(&rig, "POST", AT, "Content-Type: application/octet-stream\n", body, n);
		assert_true(c->status == 400 || c->status == 200);
		rig_drop(c);
	}
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(a_session_is_made_once),
		TEST(opening_is_waited_for),
		TEST(a_target_that_fails_is_told),
		TEST(messages_go_to_the_target_in_order_and_once),
		TEST(messages_come_until_they_are_known),
		TEST(a_target_that_dies_is_1006),
		TEST(the_newer_wait_wins),
		TEST(sessions_expire_but_not_while_somebody_waits),
		TEST(deleted_is_deleted),
		TEST(the_stop_is_told),
		TEST(windows_stop_both_sides),
		TEST(who_may_not_is_told_why),
		TEST(records_say_the_same),
	};

	log_setup(LOG_LEVEL_ERROR, false);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
