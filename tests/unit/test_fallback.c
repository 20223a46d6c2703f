/* links: server/fallback.c server/passage.c server/fallback_head.c server/conduit.c server/website.c server/origins.c tunnel/http.c tunnel/h1.c tunnel/h1_again.c tunnel/h1_output.c tunnel/h1_client.c tunnel/h1_server.c tunnel/h2*.c tunnel/course.c tunnel/loop.c tunnel/log.c tunnel/counters.c tunnel/websocket_handshake.c tunnel/websocket_key.c framing/base64.c tunnel/address.c framing/http1.c framing/http1_head.c framing/http1_format.c framing/cursor.c framing/varint.c framing/error.c tests/lib/passing.c tests/lib/stream_mem.c */
/* libs: -lev -lnghttp2 -lcrypto -lhttp_parser */
/* Requests that pass on to a website, and its answers back: bodies both ways, room for them, other protocols. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "tests/lib/passing.h"
#include "tunnel/log.h"

/* ---- there and back ---- */

static void test_get(void **state)
{
	struct end *v;

	(void)state;
	passing_begin(8);
	v = passing_visit();
	for (int i = 0; i < 3; i++) {
		passing_say(v, PASSING_GET);
		assert_int_equal(passing.sites, 1);	/* kept */
		assert_string_equal(passing_heard(passing.site[0]), "GET /page HTTP/1.1\r\nHost: www.example.org\r\n" PASSING_ADDED "\r\n");
		assert_int_equal(passing_stats().in_flight, 1);
		passing_say(passing.site[0], "HTTP/1.1 200 OK\r\nServer: s\r\nKeep-Alive: timeout=5\r\nConnection: keep-alive\r\nContent-Length: 2\r\nVary: a\r\n\r\nok");
		assert_string_equal(passing_heard(v), "HTTP/1.1 200 OK\r\nServer: s\r\nVary: a\r\nContent-Length: 2\r\n\r\nok");
		assert_int_equal(passing_stats().in_flight, 0);
		assert_int_equal(passing_stats().website.idle, 1);
	}
	passing_settle(3900000);
	assert_false(passing.site[0]->eof);
	passing_settle(200000);
	assert_true(passing.site[0]->eof);	/* before the website does it */
	assert_int_equal(passing_stats().website.connections, 0);
	assert_int_equal(passing_stats().requests, 3);
	assert_int_equal(passing_stats().failures, 0);
	passing_finish();
}

/* What comes in one piece goes in one, and what comes late goes at once. */
static void test_answers(void **state)
{
	static const struct {
		const char *request, *answer, *expected;
	} cases[] = {
		{ PASSING_GET, "HTTP/1.1 206 P\r\nContent-Range: bytes 0-0/9\r\nContent-Length: 1\r\n\r\nx",
		  "HTTP/1.1 206 Partial Content\r\nContent-Range: bytes 0-0/9\r\nContent-Length: 1\r\n\r\nx" },
		{ PASSING_GET, "HTTP/1.1 302 F\r\nLocation: /x\r\nContent-Length: 0\r\n\r\n",
		  "HTTP/1.1 302 Found\r\nLocation: /x\r\nContent-Length: 0\r\n\r\n" },
		{ PASSING_GET, "HTTP/1.1 304 N\r\nETag: \"a\"\r\n\r\n", "HTTP/1.1 304 Not Modified\r\nETag: \"a\"\r\n\r\n" },
		{ PASSING_GET, "HTTP/1.1 304 N\r\nContent-Length: 77\r\n\r\n", "HTTP/1.1 304 Not Modified\r\nContent-Length: 77\r\n\r\n" },
		{ PASSING_GET, "HTTP/1.1 204 N\r\n\r\n", "HTTP/1.1 204 No Content\r\n\r\n" },
		{ "HEAD /page HTTP/1.1\r\nHost: h\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 123456789012\r\n\r\n",
		  "HTTP/1.1 200 OK\r\nContent-Length: 123456789012\r\n\r\n" },
		{ "HEAD /page HTTP/1.1\r\nHost: h\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
		  "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n" },
		{ PASSING_GET, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: T\r\n\r\n2\r\nab\r\n1\r\nc\r\n0\r\nT: 1\r\n\r\n",
		  "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0002\r\nab\r\n0001\r\nc\r\n0\r\n\r\n" },
		{ PASSING_GET, "HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" PASSING_OK, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok" },
		{ "GET / HTTP/1.0\r\n\r\n", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n0\r\n\r\n",
		  "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nab" },
		{ "OPTIONS * HTTP/1.1\r\nHost: h\r\n\r\n", PASSING_OK, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		passing_begin(8);
		passing_visit();
		passing_say(passing.visitor[0], cases[i].request);
		assert_non_null(strstr(passing_heard(passing.site[0]), " HTTP/1.1\r\nHost: "));
		passing_say(passing.site[0], cases[i].answer);
		assert_string_equal(passing_heard(passing.visitor[0]), cases[i].expected);
		assert_int_equal(passing_stats().in_flight, 0);
		passing_finish();
	}
}

static void test_until_close(void **state)
{
	(void)state;
	passing_begin(8);
	passing_visit();
	passing_say(passing.visitor[0], PASSING_GET);
	passing_say(passing.site[0], "HTTP/1.0 200 OK\r\n\r\n");
	assert_string_equal(passing_heard(passing.visitor[0]), "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
	passing_say(passing.site[0], "abc");
	assert_string_equal(passing_heard(passing.visitor[0]), "0003\r\nabc\r\n");
	passing_leave(passing.site[0]);
	passing_settle(1000);
	assert_string_equal(passing_heard(passing.visitor[0]), "0\r\n\r\n");
	assert_int_equal(passing_stats().failures, 0);
	passing_finish();
}

/* Events come one by one over hours. */
static void test_events(void **state)
{
	(void)state;
	passing_begin(8);
	passing_visit();
	passing_say(passing.visitor[0], PASSING_GET);
	passing_say(passing.site[0], "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n");
	assert_non_null(strstr(passing_heard(passing.visitor[0]), "text/event-stream"));
	for (int i = 0; i < 20; i++) {
		passing_settle(500 * LOOP_SECOND);
		passing_say(passing.site[0], "3\r\nd:\n\r\n");
		assert_string_equal(passing_heard(passing.visitor[0]), "0003\r\nd:\n\r\n");
	}
	passing_settle(601 * LOOP_SECOND);	/* and then nothing */
	assert_true(passing.visitor[0]->eof && passing.site[0]->eof);
	assert_int_equal(passing_stats().failures, 1);
	passing_finish();
}

/* ---- bodies of requests ---- */

static void test_post(void **state)
{
	(void)state;
	passing_begin(8);
	passing_visit();
	passing_say(passing.visitor[0], PASSING_GET);
	passing_say(passing.site[0], PASSING_OK);
	passing_heard(passing.site[0]);
	/* It cannot be repeated: a connection of its own. */
	passing_say(passing.visitor[0], "POST /form HTTP/1.1\r\nHost: www.example.org\r\nContent-Length: 5\r\nCookie: a=b\r\n\r\nhello");
	assert_int_equal(passing.sites, 2);
	assert_string_equal(passing_heard(passing.site[1]), "POST /form HTTP/1.1\r\nHost: www.example.org\r\nCookie: a=b\r\n" PASSING_ADDED "Content-Length: 5\r\n\r\nhello");
	passing_say(passing.site[1], PASSING_OK);
	passing_say(passing.visitor[0], "POST /form HTTP/1.1\r\nHost: www.example.org\r\nContent-Length: 6\r\n\r\nhel");
	assert_string_equal(passing_heard(passing.site[2]), "POST /form HTTP/1.1\r\nHost: www.example.org\r\n" PASSING_ADDED "Content-Length: 6\r\n\r\nhel");
	passing_say(passing.visitor[0], "lo!");
	assert_string_equal(passing_heard(passing.site[2]), "lo!");
	passing_say(passing.site[2], PASSING_OK);
	passing_say(passing.visitor[0], "PUT /form HTTP/1.1\r\nHost: www.example.org\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n");
	assert_string_equal(passing_heard(passing.site[3]), "PUT /form HTTP/1.1\r\nHost: www.example.org\r\n" PASSING_ADDED "Transfer-Encoding: chunked\r\n\r\n0003\r\nabc\r\n");
	passing_say(passing.visitor[0], "1\r\nd\r\n0\r\nX: y\r\n\r\n");
	assert_string_equal(passing_heard(passing.site[3]), "0001\r\nd\r\n0\r\n\r\n");
	passing_say(passing.site[3], PASSING_OK);
	passing_say(passing.visitor[0], "DELETE /form HTTP/1.1\r\nHost: www.example.org\r\n\r\n");
	assert_non_null(strstr(passing_heard(passing.site[3]), "Content-Length: 0\r\n\r\n"));
	passing_finish();
}

static void test_expect(void **state)
{
	(void)state;
	passing_begin(8);
	passing_visit();
	passing_say(passing.visitor[0], "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n");
	assert_string_equal(passing_heard(passing.visitor[0]), "HTTP/1.1 100 Continue\r\n\r\n");
	assert_null(strstr(passing_heard(passing.site[0]), "Expect"));
	passing_say(passing.visitor[0], "ab");
	assert_string_equal(passing_heard(passing.site[0]), "ab");
	passing_say(passing.site[0], PASSING_OK);
	assert_string_equal(passing_heard(passing.visitor[0]), PASSING_OK);
	passing_finish();
}

/* Much goes both ways while hardly anything fits in between. */
static void test_back_pressure(void **state)
{
	static const struct stream_mem_options narrow = { .buffer = 3000, .cut_after = { -1, -1 }, .stall_after = { -1, -1 }, .chunk = 700, .write_chunk = 900 };
	static char block[2000];
	size_t up = 0, down = 0, total = 300000;
	char head[128];

	(void)state;
	passing_begin(8);
	memset(block, 'x', sizeof block);
	passing.wires = &narrow;
	passing_visit();
	snprintf(head, sizeof head, "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: %zu\r\n\r\n", total);
	passing_say(passing.visitor[0], head);
	snprintf(head, sizeof head, "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n\r\n", total);
	passing_say(passing.site[0], head);
	passing_heard(passing.visitor[0]);
	passing.visitor[0]->total = passing.site[0]->total = 0;
	/* One that reads nothing stops the other one, and little is kept. */
	stream_want(passing.site[0]->stream, false, false);
	for (int i = 0; i < 500; i++) {
		ssize_t n = stream_write(passing.visitor[0]->stream, (const uint8_t *)block, sizeof block);

		up += n > 0 ? (size_t)n : 0;
		passing_settle(100);
	}
	assert_true(up > 3000 && up < 80000);
	stream_want(passing.site[0]->stream, true, false);
	for (int i = 0; i < 4000 && (up < total || down < total); i++) {
		size_t left = total - up;
		ssize_t n = left ? stream_write(passing.visitor[0]->stream, (const uint8_t *)block, left < sizeof block ? left : sizeof block) : 0;

		up += n > 0 ? (size_t)n : 0;
		left = total - down;
		n = left ? stream_write(passing.site[0]->stream, (const uint8_t *)block, left < sizeof block ? left : sizeof block) : 0;
		down += n > 0 ? (size_t)n : 0;
		passing_settle(100);
	}
	passing_settle(LOOP_SECOND);
	assert_int_equal(passing.site[0]->total, total);
	assert_int_equal(passing.visitor[0]->total, total);
	assert_int_equal(passing_stats().in_flight, 0);
	assert_int_equal(passing_stats().failures, 0);
	passing_finish();
}

/* Answered before it was told: the answer counts, what follows of the request is read over. */
static void test_early_answer(void **state)
{
	(void)state;
	passing_begin(8);
	passing_visit();
	passing_say(passing.visitor[0], "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 10\r\n\r\nabc");
	passing_say(passing.site[0], "HTTP/1.1 413 Too\r\nContent-Length: 3\r\nConnection: close\r\n\r\nbig");
	assert_string_equal(passing_heard(passing.visitor[0]), "HTTP/1.1 413 Content Too Large\r\nContent-Length: 3\r\n\r\nbig");
	passing_say(passing.visitor[0], "defghij" PASSING_GET);
	assert_int_equal(passing.sites, 2);
	assert_memory_equal(passing_heard(passing.site[1]), "GET /page ", 10);
	assert_int_equal(passing_stats().failures, 0);
	passing_finish();
}

static void test_bodiless(void **state)
{
	(void)state;
	passing_begin(8);
	passing.bodiless = true;
	passing_visit();
	passing_say(passing.visitor[0], "POST /x HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nabc");
	assert_non_null(strstr(passing_heard(passing.site[0]), "Content-Length: 0\r\n\r\n"));
	assert_null(strstr(passing.site[0]->in, "abc"));
	passing_say(passing.site[0], PASSING_OK);
	assert_string_equal(passing_heard(passing.visitor[0]), PASSING_OK);
	passing_finish();
}

/* ---- another protocol ---- */

#define WEBSOCKET "GET /ws HTTP/1.1\r\nHost: h\r\nConnection: keep-alive, Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: k\r\n\r\n"

static void test_upgrade(void **state)
{
	(void)state;
	passing_begin(8);
	passing_visit();
	passing_say(passing.visitor[0], WEBSOCKET);
	assert_non_null(strstr(passing_heard(passing.site[0]), "Sec-WebSocket-Key: k\r\n"));
	assert_non_null(strstr(passing.site[0]->in, "\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"));
	passing_say(passing.visitor[0], "early");
	assert_int_equal(passing.site[0]->n, 0);	/* until it is agreed to */
	passing_say(passing.site[0], "HTTP/1.1 101 S\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: a\r\n\r\nhi");
	assert_memory_equal(passing_heard(passing.visitor[0]), "HTTP/1.1 101 Switching Protocols\r\nSec-WebSocket-Accept: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\nhi", 104);
	assert_string_equal(passing_heard(passing.site[0]), "early");
	passing_say(passing.visitor[0], "there");
	assert_string_equal(passing_heard(passing.site[0]), "there");
	passing_say(passing.site[0], "back");
	assert_string_equal(passing_heard(passing.visitor[0]), "back");
	passing_leave(passing.site[0]);
	passing_settle(1000);
	assert_true(passing.visitor[0]->eof);
	assert_int_equal(passing_stats().in_flight, 0);
	passing_finish();
}

static void test_upgrade_refused(void **state)
{
	(void)state;
	passing_begin(8);
	passing_visit();
	passing_say(passing.visitor[0], WEBSOCKET);
	passing_say(passing.site[0], "HTTP/1.1 400 B\r\nContent-Length: 2\r\n\r\nno");
	assert_string_equal(passing_heard(passing.visitor[0]), "HTTP/1.1 400 Bad Request\r\nContent-Length: 2\r\n\r\nno");
	passing_heard(passing.site[0]);
	passing_say(passing.visitor[0], PASSING_GET);
	assert_int_equal(passing.sites, 1);
	assert_memory_equal(passing_heard(passing.site[0]), "GET /page ", 10);
	passing_say(passing.site[0], "HTTP/1.1 101 S\r\n\r\n");	/* nobody asked */
	assert_memory_equal(passing_heard(passing.visitor[0]), "HTTP/1.1 502 ", 13);
	/* Other protocols are not offered. */
	passing_say(passing.visitor[0], "GET / HTTP/1.1\r\nHost: h\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: x\r\n\r\n");
	assert_null(strstr(passing_heard(passing.site[1]), "2"	"c"));
	assert_null(strstr(passing.site[1]->in, "ettings"));
	passing_say(passing.site[1], PASSING_OK);
	passing_finish();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_get),
		cmocka_unit_test(test_answers),
		cmocka_unit_test(test_until_close),
		cmocka_unit_test(test_events),
		cmocka_unit_test(test_post),
		cmocka_unit_test(test_expect),
		cmocka_unit_test(test_back_pressure),
		cmocka_unit_test(test_early_answer),
		cmocka_unit_test(test_bodiless),
		cmocka_unit_test(test_upgrade),
		cmocka_unit_test(test_upgrade_refused),
	};

	log_setup(LOG_LEVEL_ERROR, false);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
