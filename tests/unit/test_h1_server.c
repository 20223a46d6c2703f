/* links: tunnel/h1.c tunnel/h1_again.c tunnel/course.c tunnel/h1_output.c tunnel/h1_client.c tunnel/h1_server.c tunnel/loop.c tunnel/log.c framing/http1.c framing/http1_head.c framing/http1_format.c framing/cursor.c framing/varint.c framing/error.c tests/lib/talk.c tests/lib/raw.c tests/lib/stream_mem.c */
/* libs: -lev -lhttp_parser */
/* The HTTP/1.1 engine as server against bytes written by hand: requests split and cut at every byte, pipelined,
 * paused, of old versions and malformed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "framing/error.h"
#include "tests/lib/talk.h"

static void test_requests_split(void **state)
{
	static const char *const requests[] = {
		TALK_REQUEST, "GET / HTTP/1.1\r\nHost: h\r\n\r\n", "\r\nGET / HTTP/1.1\r\n\r\n",
		"POST http://h/p?q HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n2\r\nbc\r\n0\r\n\r\n",
	};

	(void)state;
	for (size_t i = 0; i < sizeof requests / sizeof *requests; i++) {
		size_t n = strlen(requests[i]);
		uint64_t body = *requests[i] == 'P' ? 3 : 0;

		for (size_t at = 0; at <= n; at++) {
			talk_set_up_server(NULL, NULL);
			raw_write(requests[i], at);
			talk_run(5);
			raw_write(requests[i] + at, n - at);
			talk_settle();
			assert_int_equal(talk.server.requests, 1);
			assert_int_equal(talk.server.got, body);
			assert_int_equal(talk.server.closed, 1);
			assert_int_equal(talk.server.error, 0);
			assert_int_equal(talk.server.over, 0);
			assert_string_equal(raw.in, TALK_OK_EMPTY);
			talk_tear_down();
		}
		for (size_t at = 0; at < n; at++) {	/* and cut there */
			talk_set_up_server(NULL, NULL);
			talk.server.hold = true;
			raw_write(requests[i], at);
			talk_run(5);
			if (at % 2)
				stream_mem_cut(raw.stream);
			else
				stream_mem_finish(raw.stream);
			talk_settle();
			assert_int_equal(talk.server.closed, talk.server.requests);
			assert_int_equal(talk.server.over, 1);
			assert_int_equal(talk.server.over_error, at == 0 || (at == 2 && *requests[i] == '\r') ? 0 : ERROR_RESET);
			talk_tear_down();
		}
	}
}

static void test_pipelined_wait(void **state)
{
	(void)state;
	talk_set_up_server(NULL, NULL);
	talk.server.hold = true;
	talk_say(TALK_REQUEST TALK_REQUEST TALK_REQUEST);
	assert_int_equal(talk.server.requests, 1);
	assert_int_equal(talk.server.got, 3);
	assert_int_equal(talk.server.ends, 1);
	talk.server.hold = false;
	talk_pump(&talk.server);
	talk_settle();
	assert_int_equal(talk.server.requests, 3);
	assert_int_equal(talk.server.got, 9);
	assert_int_equal(talk.server.closed, 3);
	assert_string_equal(raw.in, TALK_OK_EMPTY TALK_OK_EMPTY TALK_OK_EMPTY);
	talk_tear_down();
}

static void test_pause(void **state)
{
	(void)state;
	for (int when = AT_HEAD; when <= AT_END; when++) {
		talk_set_up_server(NULL, NULL);
		talk.server.when = (enum moment)when;
		talk.server.what = DO_PAUSE;
		talk_say("POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n"
			"1\r\na\r\n2\r\nbc\r\n1\r\nd\r\n0\r\n\r\n" TALK_REQUEST);
		if (when < AT_END) {
			assert_int_equal(talk.server.got, when == AT_HEAD ? 0 : 1);
			assert_int_equal(talk.server.ends, 0);
			assert_int_equal(talk.server.requests, 1);
			talk_say(TALK_REQUEST);	/* nobody reads it */
			talk.server.paused = false;
			exchange_pause(talk.server.x, false);
			assert_int_equal(talk.server.got, when == AT_HEAD ? 0 : 1);
		} else {
			talk_say(TALK_REQUEST);
		}
		talk_settle();
		assert_int_equal(talk.server.requests, 3);
		assert_int_equal(talk.server.got, 10);
		assert_int_equal(talk.server.ends, 3);
		assert_int_equal(talk.server.closed, 3);
		talk_tear_down();
	}
}

static void test_http_1_0(void **state)
{
	(void)state;
	talk_set_up_server(NULL, NULL);
	talk.server.head.streamed = true;
	talk.server.total = 3;
	talk_say("POST / HTTP/1.0\r\nContent-Length: 3\r\n\r\nabc");
	raw.in[raw.n - 3] = '\0';
	assert_string_equal(raw.in, "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n");
	assert_true(raw.eof);
	assert_int_equal(talk.server.error, 0);
	assert_int_equal(talk.server.over_error, 0);
	assert_int_equal(talk.server.over, 1);
	talk_tear_down();
	talk_set_up_server(NULL, NULL);
	talk_say("POST / HTTP/1.0\r\nContent-Length: 3\r\n\r\nabc");
	assert_string_equal(raw.in, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
	assert_true(raw.eof);
	talk_tear_down();
	talk_set_up_server(NULL, NULL);
	talk_say("POST / HTTP/1.0\r\nConnection: Keep-Alive\r\nContent-Length: 3\r\n\r\nabc");
	assert_string_equal(raw.in, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: keep-alive\r\n\r\n");
	assert_false(raw.eof);
	talk_tear_down();
}

static void test_bodyless(void **state)
{
	(void)state;
	talk_set_up_server(NULL, NULL);
	talk.server.total = 5;
	talk_say("HEAD / HTTP/1.1\r\nHost: h\r\n\r\n");
	assert_string_equal(raw.in, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n");
	raw.n = 0;
	talk.server.head.streamed = true;
	talk_say("HEAD / HTTP/1.1\r\nHost: h\r\n\r\n");
	assert_string_equal(raw.in, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
	raw.n = 0;
	talk.server.head = (struct exchange_head){ .status = 204, .lines = "" };
	talk_say(TALK_REQUEST);
	assert_string_equal(raw.in, "HTTP/1.1 204 No Content\r\n\r\n");
	assert_int_equal(talk.server.closed, 3);
	talk_tear_down();
}

/* The router's answer, and the end of the connection. */
static void assert_answered_and_closed(void)
{
	assert_int_equal(talk.server.requests, 1);
	assert_memory_equal(raw.in, "HTTP/1.1 200 OK\r\n", 17);
	assert_non_null(strstr((const char *)raw.in, "\r\nConnection: close\r\n"));
	assert_true(raw.eof);
	assert_int_equal(talk.server.over, 1);
}

static void test_malformed_requests(void **state)
{
	static const char *const bad[] = {
		"\x16\x03\x01\x02", "GET / HTTP/2.0\r\n\r\n", "GET /\r\n\r\n", "G\r\n",
		"POST / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
		"POST / HTTP/1.1\r\nTransfer-Encoding: gzip\r\n\r\n",
	};

	(void)state;
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		talk_set_up_server(NULL, NULL);
		talk_say(bad[i]);
		assert_answered_and_closed();
		talk_tear_down();
	}
	/* In a body there is nobody to tell. */
	talk_set_up_server(NULL, NULL);
	talk.server.hold = true;
	talk_say("POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n");
	assert_int_equal(talk.server.error, ERROR_MALFORMED);
	assert_int_equal(raw.n, 0);
	talk_tear_down();
	/* A head without end. */
	talk_set_up_server(NULL, NULL);
	talk_say("GET / HTTP/1.1\r\n");
	for (int i = 0; i < 70000 && talk.server.h; i += 100) {
		char line[101];

		memset(line, 'x', 100);
		memcpy(line, "a:", 2);
		memcpy(line + 98, "\r\n", 3);
		raw_write(line, 100);
		talk_run(1);
	}
	talk_settle();
	assert_answered_and_closed();
	talk_tear_down();
	/* Refused, but the refusal cannot be written: not for ever. */
	{
		struct stream_mem_options o = stream_mem_plain;

		o.buffer = 20;
		talk_set_up_server(NULL, &o);
		stream_want(raw.stream, false, false);
		talk_say("G\r\n");
		assert_int_equal(talk.server.over, 0);
		talk_run(60 * LOOP_SECOND);
		assert_int_equal(talk.server.over_error, ERROR_TIMEOUT);
		talk_tear_down();
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_requests_split),
		cmocka_unit_test(test_pipelined_wait),
		cmocka_unit_test(test_pause),
		cmocka_unit_test(test_http_1_0),
		cmocka_unit_test(test_bodyless),
		cmocka_unit_test(test_malformed_requests),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
