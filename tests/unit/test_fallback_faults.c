/* links: server/fallback.c server/passage.c server/fallback_head.c server/conduit.c server/website.c server/origins.c tunnel/http.c tunnel/h1.c tunnel/h1_again.c tunnel/h1_output.c tunnel/h1_client.c tunnel/h1_server.c tunnel/h2*.c tunnel/course.c tunnel/loop.c tunnel/log.c tunnel/counters.c tunnel/websocket_handshake.c tunnel/websocket_key.c framing/base64.c tunnel/address.c framing/http1.c framing/http1_head.c framing/http1_format.c framing/cursor.c framing/varint.c framing/error.c tests/lib/passing.c tests/lib/stream_mem.c */
/* libs: -lev -lnghttp2 -lcrypto -lhttp_parser */
/* Requests that pass on to a website, where something is wrong: with it, with them, with how many there are. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "framing/error.h"
#include "server/origins.h"
#include "tests/lib/passing.h"
#include "tunnel/counters.h"
#include "tunnel/log.h"

/* ---- what goes wrong ---- */

static void test_refused(void **state)
{
	uint64_t before = counted(fallback_failed);

	(void)state;
	passing_begin(8);
	passing.connecting = REFUSES;
	passing_visit();
	passing_say(passing.visitor[0], PASSING_GET);
	passing_own(passing.visitor[0], "502 Bad Gateway", "Date");
	passing.connecting = CONNECTS;		/* and back */
	passing_say(passing.visitor[0], PASSING_GET);
	passing_say(passing.site[1], PASSING_OK);
	assert_string_equal(passing_heard(passing.visitor[0]), PASSING_OK);
	assert_int_equal(passing_stats().failures, 1);
	assert_int_equal(counted(fallback_failed) - before, 1);
	passing_finish();
}

static void test_times(void **state)
{
	(void)state;
	passing_begin(8);
	passing.connecting = SILENT;
	passing_visit();
	passing_say(passing.visitor[0], PASSING_GET);
	passing_settle(4900000);
	assert_int_equal(passing.visitor[0]->n, 0);
	passing_settle(200000);
	passing_own(passing.visitor[0], "504 Gateway Timeout", "Date");
	passing.connecting = CONNECTS;
	passing_say(passing.visitor[0], PASSING_GET);
	passing_settle(59 * LOOP_SECOND);
	assert_int_equal(passing.visitor[0]->n, 0);
	passing_settle(2 * LOOP_SECOND);
	passing_own(passing.visitor[0], "504 Gateway Timeout", "Date");
	assert_true(passing.site[1]->eof);
	assert_int_equal(passing_stats().in_flight, 0);
	passing_finish();
}

static void test_line(void **state)
{
	(void)state;
	passing_begin(2);
	for (int i = 0; i < 4; i++) {
		passing_visit();
		passing_say(passing.visitor[i], PASSING_GET);
	}
	assert_int_equal(passing.sites, 2);
	assert_int_equal(passing_stats().website.waiting, 2);
	passing_say(passing.site[1], PASSING_OK);		/* who waits longest is next */
	assert_string_equal(passing_heard(passing.visitor[1]), PASSING_OK);
	assert_int_equal(passing.sites, 2);
	passing_say(passing.site[1], PASSING_OK);
	assert_string_equal(passing_heard(passing.visitor[2]), PASSING_OK);
	passing_visit();
	passing_say(passing.visitor[4], PASSING_GET);
	passing_settle(10 * LOOP_SECOND);
	passing_own(passing.visitor[4], "503 Service Unavailable", "\r\nRetry-After: 5\r\n");
	assert_int_equal(passing.visitor[3]->n, 0);	/* it has a connection */
	passing_say(passing.site[1], PASSING_OK);
	assert_string_equal(passing_heard(passing.visitor[3]), PASSING_OK);
	/* Idle ones make place for one that must be new. */
	passing_say(passing.visitor[3], "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n");
	assert_int_equal(passing.sites, 3);
	assert_true(passing.site[1]->eof);
	passing_finish();
}

static void test_long_line(void **state)
{
	(void)state;
	passing_begin(1);
	for (int i = 0; i < WEBSITE_LINE + 2; i++) {
		passing_visit();
		passing_say(passing.visitor[i], PASSING_GET);
	}
	assert_int_equal(passing_stats().website.waiting, WEBSITE_LINE);
	passing_own(passing.visitor[WEBSITE_LINE + 1], "503 Service Unavailable", "\r\nRetry-After: 5\r\n");
	for (int i = 0; i < WEBSITE_LINE; i++)
		assert_int_equal(passing.visitor[i]->n, 0);
	passing_leave(passing.visitor[5]);
	passing_settle(1000);
	assert_int_equal(passing_stats().website.waiting, WEBSITE_LINE - 1);
	passing_finish();
}

/* One address uses half of the connections, and waits behind others then. */
static void test_crowd(void **state)
{
	static const uint8_t one[SEALS_ORIGIN] = { 2, 192, 0, 2, 1 }, other[SEALS_ORIGIN] = { 2, 192, 0, 2, 2 };

	(void)state;
	passing_begin(4);
	passing.from.origin = one;
	for (int i = 0; i < 4; i++) {
		passing_visit();
		passing_say(passing.visitor[i], PASSING_GET);
	}
	assert_int_equal(passing.sites, 2);
	assert_int_equal(passing_stats().website.waiting, 2);
	passing.from.origin = other;
	passing_visit();
	passing_say(passing.visitor[4], PASSING_GET);
	assert_int_equal(passing.sites, 3);
	assert_int_equal(passing_stats().website.waiting, 2);
	passing_say(passing.site[2], PASSING_OK);
	assert_string_equal(passing_heard(passing.visitor[4]), PASSING_OK);
	assert_int_equal(passing_stats().website.waiting, 2);	/* though one is idle */
	passing_say(passing.site[0], PASSING_OK);
	assert_int_equal(passing_stats().website.waiting, 1);
	assert_int_equal(passing_stats().website.idle, 1);
	passing_leave(passing.visitor[1]);
	passing_settle(1000);
	assert_int_equal(passing_stats().website.waiting, 0);
	passing_finish();
}

/* So many requests are on the way at most, half of them from one address. */
static void test_many(void **state)
{
	static const uint8_t one[SEALS_ORIGIN] = { 2, 192, 0, 2, 1 };

	(void)state;
	passing_begin(1);
	passing.from.origin = one;
	for (int i = 0; i < 7; i++) {
		passing_visit();
		passing_say(passing.visitor[i], PASSING_GET);
	}
	passing_own(passing.visitor[6], "503 Service Unavailable", "\r\nRetry-After: 5\r\n");
	for (int i = 0; i < 6; i++)
		assert_int_equal(passing.visitor[i]->n, 0);
	passing.from.origin = NULL;
	passing_say(passing.visitor[6], PASSING_GET);
	assert_int_equal(passing_stats().website.waiting, 6);
	passing_finish();
}

/* The website closes an idle connection as we use it: once more, unless that may do something twice. */
static void test_again(void **state)
{
	(void)state;
	passing_begin(8);
	passing_visit();
	passing_say(passing.visitor[0], PASSING_GET);
	passing_say(passing.site[0], PASSING_OK);
	passing_heard(passing.visitor[0]);
	passing_say(passing.visitor[0], PASSING_GET);
	passing_leave(passing.site[0]);
	passing_settle(1000);
	assert_int_equal(passing.sites, 2);
	assert_memory_equal(passing_heard(passing.site[1]), "GET /page ", 10);
	passing_leave(passing.site[1]);
	passing_settle(1000);
	assert_int_equal(passing.sites, 2);	/* not for ever */
	passing_own(passing.visitor[0], "502 Bad Gateway", "Date");
	passing_say(passing.visitor[0], "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\n\r\nx");
	passing_leave(passing.site[2]);
	passing_settle(1000);
	passing_own(passing.visitor[0], "502 Bad Gateway", "Date");
	assert_int_equal(passing.sites, 3);
	assert_int_equal(passing_stats().failures, 2);
	passing_finish();
}

static void test_cuts(void **state)
{
	(void)state;
	passing_begin(8);
	passing_visit();
	passing_say(passing.visitor[0], PASSING_GET);
	passing_say(passing.site[0], "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf");
	assert_false(passing.visitor[0]->eof);
	passing_leave(passing.site[0]);
	passing_settle(1000);
	assert_true(passing.visitor[0]->eof);	/* and cannot take it for whole */
	assert_int_equal(passing_stats().failures, 1);
	passing_visit();
	passing_say(passing.visitor[1], PASSING_GET);
	passing_leave(passing.visitor[1]);
	passing_settle(1000);
	assert_true(passing.site[1]->eof);
	passing_visit();
	passing_say(passing.visitor[2], "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 9\r\n\r\nhalf");
	passing_leave(passing.visitor[2]);
	passing_settle(1000);
	assert_true(passing.site[2]->eof);
	assert_int_equal(passing_stats().in_flight, 0);
	assert_int_equal(passing_stats().failures, 1);
	passing_finish();
}

static void test_nonsense(void **state)
{
	static const char *const answers[] = {
		"SSH-2.0-x\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
		"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", "HTTP/1.1 200 OK\r\nA : b\r\n\r\n",
	};

	(void)state;
	for (size_t i = 0; i < sizeof answers / sizeof *answers; i++) {
		passing_begin(8);
		passing_visit();
		passing_say(passing.visitor[0], PASSING_GET);
		passing_say(passing.site[0], answers[i]);
		passing_own(passing.visitor[0], "502 Bad Gateway", "Date");
		passing_finish();
	}
}

static void test_refused_requests(void **state)
{
	static const struct {
		const char *request, *status;
	} cases[] = {
		{ "GET / HTTP/1.1\r\n\r\n", "400 Bad Request" },
		{ "GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n", "400 Bad Request" },
		{ "GET / HTTP/1.1\r\nHost: a/b\r\n\r\n", "400 Bad Request" },
		{ "GET x HTTP/1.1\r\nHost: a\r\n\r\n", "400 Bad Request" },
		{ "CONNECT a:1 HTTP/1.1\r\nHost: a\r\n\r\n", "405 Method Not Allowed" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		passing_begin(8);
		passing_visit();
		passing_say(passing.visitor[0], cases[i].request);
		if (passing.visitor[0]->n)
			passing_own(passing.visitor[0], cases[i].status, "Date");
		else
			fail_msg("%s: no answer", cases[i].request);
		assert_int_equal(passing.sites, 0);
		passing_finish();
	}
}

/* Heads are as long as they may be, both ways. */
static void test_long_heads(void **state)
{
	static char text[20000], value[15001];

	(void)state;
	passing_begin(8);
	memset(value, 'v', sizeof value - 1);
	passing_visit();
	snprintf(text, sizeof text, "GET / HTTP/1.1\r\nHost: h\r\nCookie: %s\r\n\r\n", value);
	passing_say(passing.visitor[0], text);
	assert_non_null(strstr(passing_heard(passing.site[0]), value));
	snprintf(text, sizeof text, "HTTP/1.1 200 OK\r\nSet-Cookie: %s\r\nContent-Length: 2\r\n\r\nok", value);
	passing_say(passing.site[0], text);
	assert_string_equal(passing_heard(passing.visitor[0]), text);
	passing_say(passing.visitor[0], PASSING_GET);		/* and short ones again */
	passing_heard(passing.site[0]);
	passing_say(passing.site[0], PASSING_OK);
	assert_string_equal(passing_heard(passing.visitor[0]), PASSING_OK);
	passing_finish();
}

/* Another website is configured while requests are in flight at the old one. */
static void test_replaced(void **state)
{
	struct fallback *old;

	(void)state;
	passing_begin(8);
	passing_visit();
	passing_say(passing.visitor[0], PASSING_GET);
	old = passing.fallback;
	passing.fallback = fallback_new(passing.loop, "http://[::1]:80/", 8, passing.error, sizeof passing.error);
	assert_non_null(passing.fallback);
	fallback_free(old);
	passing_settle(1000);
	passing_say(passing.site[0], PASSING_OK);
	assert_string_equal(passing_heard(passing.visitor[0]), PASSING_OK);
	passing_settle(1000);
	assert_true(passing.site[0]->eof);
	passing_finish();
}

static void test_urls(void **state)
{
	static const char *const bad[] = { "", "https://127.0.0.1", "http://", "http://name", "http://127.0.0.1/x", "http://127.0.0.1:0",
					   "http://127.0.0.1:1-2", "unix:", "unix:x", "127.0.0.1:80", "http://127.0.0.1:x" };
	static const char *const good[] = { "http://127.0.0.1", "http://127.0.0.1:8081/", "http://[::1]:8081", "http://localhost:8081",
					    "unix:/run/website.sock" };

	(void)state;
	passing.loop = loop_new_virtual(1000, 1700000000);
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		assert_null(fallback_new(passing.loop, bad[i], 1, passing.error, sizeof passing.error));
		assert_memory_equal(passing.error, "must be like http://127.0.0.1:8081 ", 35);
	}
	for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
		passing.fallback = fallback_new(passing.loop, good[i], 1, passing.error, sizeof passing.error);
		if (!passing.fallback)
			fail_msg("%s: %s", good[i], passing.error);
		assert_string_equal(fallback_url(passing.fallback), good[i]);
		fallback_free(passing.fallback);
	}
	loop_free(passing.loop);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_times),
		cmocka_unit_test(test_line),
		cmocka_unit_test(test_long_line),
		cmocka_unit_test(test_crowd),
		cmocka_unit_test(test_many),
		cmocka_unit_test(test_again),
		cmocka_unit_test(test_cuts),
		cmocka_unit_test(test_nonsense),
		cmocka_unit_test(test_refused_requests),
		cmocka_unit_test(test_long_heads),
		cmocka_unit_test(test_replaced),
		cmocka_unit_test(test_urls),
	};

	log_setup(LOG_LEVEL_ERROR, false);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
