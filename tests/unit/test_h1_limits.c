/* links: tunnel/h1.c tunnel/h1_again.c tunnel/course.c tunnel/h1_output.c tunnel/h1_client.c tunnel/h1_server.c tunnel/loop.c tunnel/log.c framing/http1.c framing/http1_head.c framing/http1_format.c framing/cursor.c framing/varint.c framing/error.c tests/lib/talk.c tests/lib/raw.c tests/lib/stream_mem.c */
/* libs: -lev -lhttp_parser */
/* The HTTP/1.1 engine as server: its deadlines, and the ways to end a connection in order. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "framing/error.h"
#include "tests/lib/talk.h"

static void wait_s(int64_t seconds)
{
	talk_run(seconds * LOOP_SECOND);
}

static void test_limits(void **state)
{
	struct http_limits l = { .head_us = 10 * LOOP_SECOND, .idle_us = 100 * LOOP_SECOND, .body_us = 40 * LOOP_SECOND };

	(void)state;
	/* A connection that says nothing. */
	talk_set_up_server(&l, NULL);
	wait_s(9);
	assert_int_equal(talk.server.over, 0);
	wait_s(1);
	assert_int_equal(talk.server.over_error, ERROR_TIMEOUT);
	talk_tear_down();
	/* A head that trickles, on a fresh connection and on an old one. */
	talk_set_up_server(&l, NULL);
	for (int i = 0; i < 12 && talk.server.h; i++) {
		raw_write(&"GET / HTTP/1.1\r\n"[i], 1);
		wait_s(1);
		assert_int_equal(talk.server.over, i >= 9);
	}
	talk_tear_down();
	talk_set_up_server(&l, NULL);
	raw_put(TALK_REQUEST);
	wait_s(90);
	assert_int_equal(talk.server.over, 0);
	for (int i = 0; i < 12 && talk.server.h; i++) {
		raw_write(&"GET / HTTP/1.1\r\n"[i], 1);
		wait_s(1);
		assert_int_equal(talk.server.over, i >= 9);
	}
	assert_int_equal(talk.server.over_error, ERROR_TIMEOUT);
	talk_tear_down();
	/* Idle. */
	talk_set_up_server(&l, NULL);
	raw_put(TALK_REQUEST);
	wait_s(99);
	assert_int_equal(talk.server.over, 0);
	wait_s(1);
	assert_int_equal(talk.server.over, 1);
	assert_int_equal(talk.server.over_error, 0);
	talk_tear_down();
	/* A body that stops; not while it is us who do not read. */
	talk_set_up_server(&l, NULL);
	talk.server.hold = true;
	raw_put("POST / HTTP/1.1\r\nContent-Length: 3\r\n\r\n");
	wait_s(39);
	raw_write("a", 1);
	wait_s(39);
	exchange_pause(talk.server.x, true);
	wait_s(1000);
	assert_int_equal(talk.server.over, 0);
	exchange_pause(talk.server.x, false);
	wait_s(39);
	assert_int_equal(talk.server.over, 0);
	wait_s(1);
	assert_int_equal(talk.server.error, ERROR_TIMEOUT);
	assert_int_equal(talk.server.closed, 1);
	talk_tear_down();
	/* An answer may be held as long as the application likes. */
	talk_set_up_server(&l, NULL);
	talk.server.hold = true;
	raw_put(TALK_REQUEST);
	wait_s(1000);
	assert_int_equal(talk.server.over, 0);
	talk_tear_down();
}

/* An answer that nobody reads ends. */
static void test_limit_of_output(void **state)
{
	struct stream_mem_options o = stream_mem_plain;

	(void)state;
	o.buffer = 1000;
	talk_set_up_server(NULL, &o);
	talk.server.total = 10000;
	talk.server.portion = 10000;
	stream_want(raw.stream, false, false);
	talk_say(TALK_REQUEST);
	wait_s(58);
	assert_int_equal(talk.server.over, 0);
	wait_s(1);
	assert_int_equal(talk.server.error, ERROR_TIMEOUT);
	talk_tear_down();
}

/* The answer is complete before the request is: the rest is waited for. */
static void test_answer_before_request_end(void **state)
{
	(void)state;
	talk_set_up_server(NULL, NULL);
	talk_say("POST / HTTP/1.1\r\nContent-Length: 6\r\n\r\nabc");
	assert_string_equal(raw.in, TALK_OK_EMPTY);
	assert_int_equal(talk.server.closed, 0);
	talk_say("abc" TALK_REQUEST);
	assert_int_equal(talk.server.closed, 2);
	assert_int_equal(talk.server.error, 0);
	assert_int_equal(talk.server.got, 9);
	talk_say("POST / HTTP/1.1\r\nContent-Length: 6\r\n\r\nabc");
	wait_s(60);
	assert_int_equal(talk.server.error, ERROR_TIMEOUT);
	talk_tear_down();
	talk_set_up_server(NULL, NULL);
	talk_say("POST / HTTP/1.1\r\nContent-Length: 6\r\n\r\nabc");
	exchange_abort(talk.server.x);
	talk.server.x = NULL;
	assert_int_equal(talk.server.over, 0);
	talk_settle();
	assert_int_equal(talk.server.over, 1);
	assert_int_equal(talk.server.closed, 0);
	assert_true(raw.eof);
	talk_tear_down();
}

static void test_drain(void **state)
{
	(void)state;
	talk_set_up_server(NULL, NULL);
	talk_say(TALK_REQUEST);
	http_drain(talk.server.h);
	talk_settle();
	assert_int_equal(talk.server.over, 1);
	assert_int_equal(talk.server.over_error, 0);
	talk_tear_down();
	talk_set_up_server(NULL, NULL);
	talk.server.hold = true;
	talk_say(TALK_REQUEST);
	http_drain(talk.server.h);
	talk_settle();
	assert_int_equal(talk.server.over, 0);
	talk.server.hold = false;
	talk_pump(&talk.server);
	talk_settle();
	assert_string_equal(raw.in, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
	assert_int_equal(talk.server.error, 0);
	assert_int_equal(talk.server.over_error, 0);
	talk_tear_down();
	talk_set_up_server(NULL, NULL);	/* half a head: that request is still taken */
	talk_say("GET / HT");
	http_drain(talk.server.h);
	talk_run(1);
	assert_int_equal(talk.server.over, 0);
	talk_tear_down();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_limit_of_output),
		cmocka_unit_test(test_answer_before_request_end),
		cmocka_unit_test(test_drain),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
