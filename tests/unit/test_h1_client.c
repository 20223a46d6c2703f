/* links: tunnel/h1.c tunnel/h1_again.c tunnel/course.c tunnel/h1_output.c tunnel/h1_client.c tunnel/h1_server.c tunnel/loop.c tunnel/log.c framing/http1.c framing/http1_head.c framing/http1_format.c framing/cursor.c framing/varint.c framing/error.c tests/lib/talk.c tests/lib/raw.c tests/lib/stream_mem.c */
/* libs: -lev -lhttp_parser */
/* The HTTP/1.1 engine as client against bytes written by hand: what it writes, and answers of every kind, split,
 * trickled and cut at every byte, early, and unasked for. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "framing/error.h"
#include "tests/lib/talk.h"

static void test_wire_request(void **state)
{
	(void)state;
	talk_set_up_client(NULL);
	talk.client.head.lines = "A: b\r\n";
	talk_ask(&talk.client);
	talk_run(0);
	assert_string_equal(raw.in, "POST /x?y HTTP/1.1\r\nHost: h\r\nA: b\r\nContent-Length: 0\r\n\r\n");
	talk_say("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
	assert_int_equal(talk.client.closed, 1);
	raw.n = 0;
	talk.client.head.streamed = true;
	talk.client.total = 20;
	talk.client.portion = 10;
	talk_ask(&talk.client);
	talk_settle();
	assert_memory_equal(raw.in, "POST /x?y HTTP/1.1\r\nHost: h\r\nA: b\r\nTransfer-Encoding: chunked\r\n\r\n000a\r\n", 71);
	assert_memory_equal(raw.in + 81, "\r\n000a\r\n", 8);
	assert_string_equal(raw.in + 99, "\r\n0\r\n\r\n");
	talk_say("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
	raw.n = 0;
	talk.client.head = (struct exchange_head){ .method = "GET", .target = "/", .host = "h", .lines = "" };
	talk.client.total = 0;
	talk_ask(&talk.client);
	talk_settle();
	assert_string_equal(raw.in, "GET / HTTP/1.1\r\nHost: h\r\n\r\n");
	talk_tear_down();
}

/* A streamed body may begin with its head alone, go on without bytes, and end without bytes. */
static void test_empty_sends(void **state)
{
	size_t cap;

	(void)state;
	talk_set_up_client(NULL);
	talk.client.hold = true;
	talk_ask(&talk.client);
	talk.client.head.streamed = true;
	assert_int_equal(exchange_send(talk.client.x, &talk.client.head, 0, false), 0);
	talk_settle();
	assert_int_equal(raw.n, strlen("POST /x?y HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"));
	raw.n = 0;
	assert_int_equal(exchange_send(talk.client.x, NULL, 0, false), 0);
	memcpy(exchange_room(talk.client.x, 2, &cap), "ab", 2);
	assert_int_equal(exchange_send(talk.client.x, NULL, 2, false), 0);
	assert_int_equal(exchange_send(talk.client.x, NULL, 0, true), 0);
	assert_null(exchange_room(talk.client.x, 1, &cap));
	talk_settle();
	assert_string_equal(raw.in, "0002\r\nab\r\n0\r\n\r\n");
	talk_tear_down();
}

/* The end of a body comes while what was before it is still being written. */
static void test_end_behind_pending_output(void **state)
{
	struct stream_mem_options o = stream_mem_plain;
	size_t cap;

	(void)state;
	o.buffer = 100;
	talk_set_up_client(&o);
	talk.client.head.streamed = true;
	talk.client.end_late = true;
	talk.client.total = 5000;
	talk.client.portion = 16384;
	stream_want(raw.stream, false, false);
	talk_ask(&talk.client);
	assert_int_equal(talk.client.sent, 5000);
	assert_null(exchange_room(talk.client.x, 1, &cap));
	assert_int_equal(exchange_send(talk.client.x, NULL, 0, true), 0);
	stream_want(raw.stream, true, false);
	talk_settle();
	assert_int_equal(talk.client.writables, 0);
	assert_string_equal(raw.in + raw.n - 7, "\r\n0\r\n\r\n");
	talk_tear_down();
}

static const struct {
	const char *bytes, *body;
	bool eof, keep;
} responses[] = {
	{ "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", "hello", false, true },
	{ "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", "", false, true },
	{ "HTTP/1.1 204 No Content\r\n\r\n", "", false, true },
	{ "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhe\r\n0003\r\nllo\r\n0\r\n\r\n", "hello", false, true },
	{ "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5;x=y\r\nhello\r\n0\r\nT: v\r\n\r\n", "hello", false, true },
	{ "HTTP/1.1 102 P\r\n\r\nHTTP/1.1 100 Continue\r\nA: b\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", "hello",
	  false, true },
	{ "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 5\r\n\r\nhello", "hello", false, false },
	{ "HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\nhello", "hello", false, false },
	{ "HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 5\r\n\r\nhello", "hello", false, true },
	{ "HTTP/1.0 200 OK\r\n\r\nhello", "hello", true, false },
	{ "HTTP/1.1 200 OK\r\n\r\nhello", "hello", true, false },
	{ "HTTP/1.0 200 OK\r\n\r\n", "", true, false },
};

static void check_response(size_t i)
{
	assert_int_equal(talk.client.heads, 1);
	assert_int_equal(talk.client.ends, 1);
	assert_int_equal(talk.client.closed, 1);
	assert_int_equal(talk.client.error, 0);
	assert_int_equal(talk.client.got, strlen(responses[i].body));
	assert_memory_equal(talk.client.text, responses[i].body, talk.client.got);
	assert_int_equal(talk.client.idles, responses[i].keep);
	assert_int_equal(talk.client.over, !responses[i].keep);
	assert_int_equal(talk.client.over_error, 0);
}

static void test_responses_split(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof responses / sizeof *responses; i++) {
		size_t n = strlen(responses[i].bytes);

		for (size_t at = 0; at <= n; at++) {
			talk_set_up_client(NULL);
			talk_ask(&talk.client);
			raw_write(responses[i].bytes, at);
			talk_settle();
			raw_write(responses[i].bytes + at, n - at);
			if (responses[i].eof)
				stream_mem_finish(raw.stream);
			talk_settle();
			check_response(i);
			talk_tear_down();
		}
	}
}

/* Every byte on its own, and paused in front of every one. */
static void test_responses_trickle(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof responses / sizeof *responses; i++) {
		talk_set_up_client(NULL);
		talk_ask(&talk.client);
		for (const char *s = responses[i].bytes; *s; s++) {
			if (talk.client.x)
				exchange_pause(talk.client.x, true);
			raw_write(s, 1);
			talk_settle();
			if (talk.client.x)
				exchange_pause(talk.client.x, false);
			talk_settle();
		}
		if (responses[i].eof)
			stream_mem_finish(raw.stream);
		talk_settle();
		check_response(i);
		talk_tear_down();
	}
}

/* Ended at every byte: in order only behind the end of the message. */
static void test_responses_cut(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof responses / sizeof *responses; i++) {
		size_t n = strlen(responses[i].bytes);

		for (size_t at = 0; at < 2 * n; at++) {
			bool until_close = responses[i].eof && at % n >= strlen(responses[i].bytes) - strlen(responses[i].body);

			talk_set_up_client(NULL);
			talk_ask(&talk.client);
			raw_write(responses[i].bytes, at % n);
			talk_settle();
			if (at < n)
				stream_mem_finish(raw.stream);
			else
				stream_mem_cut(raw.stream);
			talk_settle();
			assert_int_equal(talk.client.closed, 1);
			assert_int_equal(talk.client.over, 1);
			assert_int_equal(talk.client.error, until_close && at < n ? 0 : ERROR_RESET);
			assert_int_equal(talk.client.ends, until_close && at < n);
			talk_tear_down();
		}
	}
}

static void test_response_nonsense(void **state)
{
	static const char *const bad[] = {
		"SSH-2.0-OpenSSH\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", "\r\n\r\n\r\n", "HTTP/2.0 200\r\n\r\n",
	};

	(void)state;
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		talk_set_up_client(NULL);
		talk_ask(&talk.client);
		talk_say(bad[i]);
		assert_int_equal(talk.client.closed, 1);
		assert_int_equal(talk.client.error, ERROR_MALFORMED);
		assert_int_equal(talk.client.over_error, ERROR_MALFORMED);
		talk_tear_down();
	}
}

static void test_101_ends_the_connection(void **state)
{
	(void)state;
	talk_set_up_client(NULL);
	talk_ask(&talk.client);
	talk_say("HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\nopaque");
	assert_int_equal(talk.client.status, 101);
	assert_int_equal(talk.client.ends, 1);
	assert_int_equal(talk.client.got, 0);
	assert_int_equal(talk.client.over, 1);
	talk_tear_down();
}

/* Interim answers while the request goes out are no answers: it goes on, however many come; after them alone comes none. */
static void test_interim_answers(void **state)
{
	static const char *const interim = "HTTP/1.1 103 Early Hints\r\nLink: </x>; rel=preload\r\nContent-Length: 5\r\n\r\n";

	(void)state;
	for (int whole = 0; whole < 2; whole++) {
		talk_set_up_client(NULL);
		talk.client.head.streamed = true;
		talk.client.hold = true;
		talk_ask(&talk.client);
		assert_int_equal(exchange_send(talk.client.x, &talk.client.head, 0, false), 0);
		talk_say("HTTP/1.1 100 Continue\r\n\r\n");
		for (int i = 0; i < 1000; i++)	/* more bytes than one head may have */
			talk_say(interim);
		assert_int_equal(talk.client.heads + talk.client.ends + talk.client.closed, 0);
		talk.client.ended = true;
		assert_int_equal(exchange_send(talk.client.x, NULL, 0, true), 0);
		talk_settle();
		assert_int_equal(talk.client.closed, 0);
		if (whole)
			talk_say("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
		else
			stream_mem_finish(raw.stream);
		talk_settle();
		assert_int_equal(talk.client.heads, whole);
		assert_int_equal(talk.client.closed, 1);
		assert_int_equal(talk.client.error, whole ? 0 : ERROR_RESET);
		assert_int_equal(talk.client.idles, whole);
		talk_tear_down();
	}
}

/* An exchange asks its connection for it; the next one has to ask again. */
static void test_sparse(void **state)
{
	(void)state;
	talk_set_up_client(NULL);
	talk.client.hold = true;
	talk_ask(&talk.client);
	exchange_sparse(talk.client.x, true);
	assert_true(stream_mem_sparse(stream_mem_peer(raw.stream)));
	talk.client.hold = false;
	talk_pump(&talk.client);
	talk_settle();
	assert_true(stream_mem_sparse(stream_mem_peer(raw.stream)));
	talk_say(TALK_OK_EMPTY);
	assert_int_equal(talk.client.idles, 1);
	assert_false(stream_mem_sparse(stream_mem_peer(raw.stream)));
	talk_tear_down();
}

/* The request is not over when the answer is. */
static void test_early_answer(void **state)
{
	(void)state;
	talk_set_up_client(NULL);
	talk.client.head.streamed = true;
	talk.client.end_late = true;
	talk.client.total = 10;
	talk_ask(&talk.client);
	talk_say("HTTP/1.1 403 Forbidden\r\nContent-Length: 4\r\n\r\nsays");
	assert_int_equal(talk.client.status, 403);
	assert_int_equal(talk.client.ends, 1);
	assert_int_equal(talk.client.closed, 1);
	assert_int_equal(talk.client.error, ERROR_RESET);
	assert_int_equal(talk.client.over_error, ERROR_RESET);
	assert_int_equal(talk.client.idles, 0);
	talk_tear_down();
}

/* The peer answered and hung up while we were still writing: the answer is heard. */
static void test_answer_before_write_error(void **state)
{
	struct stream_mem_options o = stream_mem_plain;

	(void)state;
	o.buffer = 1000;
	talk_set_up_client(&o);
	talk.client.head.streamed = true;
	talk.client.total = 100000;
	stream_want(raw.stream, false, false);
	talk_ask(&talk.client);
	talk_settle();
	assert_true(talk.client.sent < talk.client.total);
	raw_put("HTTP/1.1 407 Proxy Authentication Required\r\n\r\nwho are you");
	stream_close(raw.stream);
	raw.stream = NULL;
	talk_pump(&talk.client);
	talk_settle();
	assert_int_equal(talk.client.status, 407);
	assert_int_equal(talk.client.closed, 1);
	assert_int_equal(talk.client.error, ERROR_RESET);
	talk_tear_down();
	/* The same noticed by a write in exchange_send. */
	talk_set_up_client(NULL);
	talk.client.head.streamed = true;
	talk.client.hold = true;
	talk_ask(&talk.client);
	assert_int_equal(exchange_send(talk.client.x, &talk.client.head, 0, false), 0);
	raw_put("HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 4\r\n\r\nwho?");
	stream_close(raw.stream);
	raw.stream = NULL;
	talk.client.ended = true;
	assert_int_equal(exchange_send(talk.client.x, NULL, 0, true), ERROR_RESET);
	assert_int_equal(talk.client.closed, 0);	/* never from within the call */
	talk_settle();
	assert_int_equal(talk.client.status, 407);
	assert_int_equal(talk.client.ends, 1);
	assert_int_equal(talk.client.closed, 1);
	assert_int_equal(talk.client.error, ERROR_RESET);
	talk_tear_down();
}

static void test_idle_client(void **state)
{
	(void)state;
	talk_set_up_client(NULL);
	talk_say("HTTP/1.1 408 Request Timeout\r\n\r\n");
	assert_int_equal(talk.client.over, 1);
	assert_int_equal(talk.client.over_error, 0);
	talk_tear_down();
	talk_set_up_client(NULL);
	stream_mem_finish(raw.stream);
	talk_settle();
	assert_int_equal(talk.client.over, 1);
	assert_int_equal(talk.client.over_error, 0);
	talk_tear_down();
	/* An answer to a question not asked yet. */
	talk_set_up_client(NULL);
	talk.client.hold = true;
	talk_ask(&talk.client);
	talk_say("HTTP/1.1 408 Request Timeout\r\n\r\n");
	assert_int_equal(talk.client.heads, 0);
	assert_int_equal(talk.client.error, ERROR_RESET);
	talk_tear_down();
	/* More than was asked for. */
	talk_set_up_client(NULL);
	talk_ask(&talk.client);
	talk_say("HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n1HTTP/1.1 200 OK\r\n");
	assert_int_equal(talk.client.error, 0);
	assert_int_equal(talk.client.idles, 0);
	assert_int_equal(talk.client.over, 1);
	talk_tear_down();
	talk_set_up_client(NULL);
	talk_ask(&talk.client);
	stream_mem_fail(stream_mem_peer(raw.stream), ERROR_TLS);
	talk_settle();
	assert_int_equal(talk.client.error, ERROR_TLS);
	assert_int_equal(talk.client.over_error, ERROR_TLS);
	talk_tear_down();
}

static void test_head_request(void **state)
{
	(void)state;
	talk_set_up_client(NULL);
	talk.client.head.method = "HEAD";
	talk_ask(&talk.client);
	talk_say("HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n");
	assert_int_equal(talk.client.closed, 1);
	assert_int_equal(talk.client.error, 0);
	assert_int_equal(talk.client.idles, 1);
	talk_tear_down();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_wire_request),
		cmocka_unit_test(test_empty_sends),
		cmocka_unit_test(test_end_behind_pending_output),
		cmocka_unit_test(test_responses_split),
		cmocka_unit_test(test_responses_trickle),
		cmocka_unit_test(test_responses_cut),
		cmocka_unit_test(test_response_nonsense),
		cmocka_unit_test(test_101_ends_the_connection),
		cmocka_unit_test(test_interim_answers),
		cmocka_unit_test(test_sparse),
		cmocka_unit_test(test_early_answer),
		cmocka_unit_test(test_answer_before_write_error),
		cmocka_unit_test(test_idle_client),
		cmocka_unit_test(test_head_request),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
