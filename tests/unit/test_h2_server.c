/* links: tunnel/h2*.c tunnel/http.c tunnel/h1.c tunnel/h1_again.c tunnel/h1_output.c tunnel/h1_client.c tunnel/h1_server.c tunnel/course.c tunnel/loop.c tunnel/log.c framing/http1.c framing/http1_head.c framing/http1_format.c framing/cursor.c framing/varint.c framing/error.c tests/lib/talk2.c tests/lib/raw.c tests/lib/stream_mem.c */
/* libs: -lev -lhttp_parser -lnghttp2 */
/* The HTTP/2 engine as server against frames written by hand: heads of all kinds, bodies in pieces, windows, priorities,
 * and the time limits. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "framing/error.h"
#include "tests/lib/talk2.h"

enum { DATA, HEADERS, PRIORITY, RST_STREAM, SETTINGS, PUSH_PROMISE, PING, GOAWAY, WINDOW_UPDATE, CONTINUATION };
#define END_STREAM 1
#define END_HEADERS 4
#define WHOLE (END_STREAM | END_HEADERS)
#define GET ":method", "GET", ":scheme", "https", ":path", "/", ":authority", "a"
#define POST ":method", "POST", ":scheme", "https", ":path", "/p?q", ":authority", "a"
#define SECONDS 1000000

#define fields(...) ((const char *const[]){ __VA_ARGS__, NULL })

static void expect_status(uint32_t stream, const char *status)
{
	const uint8_t *f = talk2_find(HEADERS, stream, 0);

	assert_non_null(f);
	if (!strcmp(status, "200"))
		assert_int_equal(f[9], 0x88);	/* in the static table */
	if (!strcmp(status, "404"))
		assert_int_equal(f[9], 0x8d);
}

static void expect_reset(uint32_t stream, uint32_t code)
{
	const uint8_t *f = talk2_find(RST_STREAM, stream, 0);

	assert_non_null(f);
	assert_int_equal(talk2_u32(f + 9), code);
}

static void test_settings(void **state)
{
	static const struct { uint16_t id; uint32_t value; } expected[] = {
		{ 3, 100 }, { 4, 1 << 18 }, { 6, 16384 }, { 8, 1 }, { 9, 1 },
	};
	const uint8_t *f;

	(void)state;
	talk2_set_up_server(NULL, NULL);
	talk2_settle();
	f = talk2_find(SETTINGS, 0, 0);
	assert_non_null(f);
	assert_int_equal(talk2_length(f), 6 * 5);
	for (size_t i = 0; i < 5; i++) {
		assert_int_equal(f[9 + 6 * i] << 8 | f[10 + 6 * i], expected[i].id);
		assert_int_equal(talk2_u32(f + 11 + 6 * i), expected[i].value);
	}
	f = talk2_find(WINDOW_UPDATE, 0, 0);
	assert_non_null(f);
	assert_int_equal(talk2_u32(f + 9), (1 << 24) - 65535);
	assert_int_equal(talk2_find(SETTINGS, 0, 1)[4], 1);	/* ours are acknowledged */
	talk2_tear_down();
}

static void test_heads(void **state)
{
	struct speaker *p = talk2.take;

	(void)state;
	talk2_set_up_server(NULL, NULL);
	talk2_headers(WHOLE, 1, fields(GET, "cookie", "a=1", "x", "y", "cookie", "b=2", "cookie", "c=3"));
	talk2_headers(END_HEADERS, 3, fields(POST, "content-length", "3", "host", "b"));
	talk2_frame(DATA, END_STREAM, 3, "abc", 3);
	talk2_headers(END_HEADERS, 5, fields(":method", "POST", ":scheme", "https", ":path", "/z", "host", "b"));
	talk2_frame(DATA, 0, 5, "a", 1);
	talk2_frame(DATA, END_STREAM, 5, "bc", 2);
	talk2_headers(END_HEADERS, 7, fields(":method", "CONNECT", ":protocol", "websocket", ":scheme", "https", ":path", "/ws",
					     ":authority", "a"));
	talk2_headers(WHOLE, 9, fields(":method", "CONNECT", ":authority", "a:1"));
	talk2_settle();
	assert_int_equal(talk2.taken, 5);
	assert_string_equal(p[0].method, "GET");
	assert_string_equal(p[0].host, "a");
	assert_string_equal(p[0].cookie, "a=1; b=2; c=3");
	assert_int_equal(p[0].length, -1);
	assert_false(p[0].chunked);
	assert_int_equal(p[0].ends, 1);
	assert_string_equal(p[1].target, "/p?q");
	assert_string_equal(p[1].host, "a");	/* :authority goes before Host */
	assert_int_equal(p[1].length, 3);
	assert_false(p[1].chunked);
	assert_int_equal(p[1].got, 3);
	assert_string_equal(p[2].host, "b");
	assert_int_equal(p[2].length, -1);
	assert_true(p[2].chunked);
	assert_int_equal(p[2].got, 3);
	assert_string_equal(p[3].protocol, "websocket");
	assert_string_equal(p[3].target, "/ws");
	assert_string_equal(p[4].target, "a:1");
	for (int i = 0; i < 5; i++)
		expect_status((uint32_t)i * 2 + 1, "200");
	assert_int_equal(talk2.server_over, 0);
	talk2_tear_down();
}

/* The same at every place where bytes may be split, or the connection be cut. */
static void test_split(void **state)
{
	char bytes[512];
	size_t n = 0, block;

	(void)state;
	block = talk2_block(bytes + 9, fields(POST, "content-length", "3"));
	memcpy(bytes, (const char[9]){ 0, 0, (char)block, HEADERS, END_HEADERS, 0, 0, 0, 1 }, 9);
	n = 9 + block;
	memcpy(bytes + n, "\0\0\3\0\1\0\0\0\1abc", 12);
	n += 12;
	for (size_t at = 0; at <= n; at++) {
		talk2_set_up_server(NULL, NULL);
		raw_write(bytes, at);
		talk2_run(5);
		raw_write(bytes + at, n - at);
		talk2_settle();
		assert_int_equal(talk2.taken, 1);
		assert_int_equal(talk2.take[0].got, 3);
		assert_int_equal(talk2.take[0].ends, 1);
		assert_int_equal(talk2.take[0].error, 0);
		assert_int_equal(talk2.take[0].closed, 1);
		talk2_tear_down();
	}
	for (size_t at = 0; at < n; at++) {
		talk2_set_up_server(NULL, NULL);
		talk2.answer.hold = true;
		raw_write(bytes, at);
		talk2_run(5);
		stream_mem_finish(raw.stream);
		talk2_settle();
		assert_int_equal(talk2.taken, at < 9 + block ? 0 : 1);
		assert_int_equal(talk2.take[0].closed, talk2.taken);
		assert_int_equal(talk2.server_over, 1);
		assert_int_equal(talk2.server_error, talk2.taken ? ERROR_RESET : 0);
		talk2_tear_down();
	}
}

/* Head and first data of an answer are there together. */
static void test_answer(void **state)
{
	const uint8_t *f;

	(void)state;
	talk2_set_up_server(NULL, NULL);
	talk2.answer.total = 5;
	talk2.answer.head.lines = "X-Large-Name: Value \r\nConnection: close\r\nKeep-Alive: 1\r\nTransfer-Encoding: chunked\r\nUpgrade: x\r\n";
	talk2_headers(WHOLE, 1, fields(GET));
	talk2_settle();
	f = talk2_find(HEADERS, 1, 0);
	assert_non_null(f);
	assert_true(f + 9 + talk2_length(f) == talk2_find(DATA, 1, 0));
	f = talk2_find(DATA, 1, 0);
	assert_int_equal(talk2_length(f), 5);
	assert_int_equal(f[4], END_STREAM);
	f = talk2_find(HEADERS, 1, 0);
	assert_true(talk2_length(f) < 24);	/* :status, one header, content-length: nothing else */
	talk2_tear_down();
}

static void test_heads_too_large(void **state)
{
	char big[9000];
	const char *many[4 * 70];
	size_t n = 0;

	(void)state;
	memset(big, 'x', sizeof big - 1);
	big[sizeof big - 1] = 0;
	talk2_set_up_server(NULL, NULL);
	for (const char *const *p = fields(GET); *p; p++)
		many[n++] = *p;
	for (int i = 0; i < 64; i++) {
		many[n++] = "x";
		many[n++] = "y";
	}
	many[n] = NULL;
	talk2_headers(WHOLE, 1, many);
	{
		char block[32768];
		size_t len = talk2_block(block, fields(GET, "x", big, "y", big, "z", "z"));

		talk2_frame(HEADERS, END_STREAM, 3, block, 10000);
		talk2_frame(CONTINUATION, END_HEADERS, 3, block + 10000, len - 10000);
	}
	talk2_headers(WHOLE, 5, fields(GET));
	talk2_settle();
	assert_int_equal(talk2.taken, 3);
	assert_string_equal(talk2.take[0].method, "");	/* shown as one that nobody can read */
	assert_string_equal(talk2.take[1].method, "");
	assert_string_equal(talk2.take[2].method, "GET");
	for (uint32_t i = 1; i <= 5; i += 2)
		expect_status(i, "200");
	talk2_tear_down();
}

/* Browsers send each cookie by itself, and they are many. */
static void test_cookies(void **state)
{
	char cookie[101];
	const char *many[8 + 2 * 150 + 3];
	size_t n = 0;

	(void)state;
	memset(cookie, 'c', 100);
	cookie[100] = 0;
	for (const char *const *p = fields(GET); *p; p++)
		many[n++] = *p;
	for (int i = 0; i < 120; i++) {
		many[n++] = "cookie";
		many[n++] = cookie;
	}
	many[n] = NULL;
	talk2_set_up_server(NULL, NULL);
	talk2_headers(WHOLE, 1, many);
	talk2_settle();
	assert_string_equal(talk2.take[0].method, "GET");
	assert_int_equal(talk2.take[0].cookies, 120 * 102 - 2);
	many[n++] = "x";	/* and where another header stands between */
	many[n++] = "y";
	many[n++] = "cookie";
	many[n++] = "d";
	many[n] = NULL;
	/* shorter ones: all of it is copied then */
	for (size_t i = 8 + 2 * 60; i < n - 4; i++)
		many[i] = i % 2 ? "z" : "cookie";
	talk2_headers(WHOLE, 3, many);
	talk2_settle();
	assert_string_equal(talk2.take[1].method, "GET");
	assert_int_equal(talk2.take[1].cookies, 60 * 102 - 2 + 60 * 3 + 3);
	talk2_tear_down();
}

/* RFC 9113 8.2, 8.3: one stream is reset, the connection goes on. */
static void test_malformed(void **state)
{
	static const char *const cases[][12] = {
		{ GET, "Upper", "x" },
		{ GET, "connection", "close" },
		{ GET, "transfer-encoding", "chunked" },
		{ GET, "te", "gzip" },
		{ GET, ":path", "/" },
		{ GET, "x", "a\rb" },
		{ GET, "x y", "a" },
		{ ":method", "GET", ":scheme", "https", ":authority", "a" },
		{ ":method", "GET", "x", "y", ":scheme", "https", ":path", "/" },
		{ GET, ":status", "200" },
		{ GET, ":protocol", "websocket" },
		{ ":method", "CONNECT", ":protocol", "websocket", ":authority", "a" },
		{ ":method", "CONNECT", ":path", "/", ":authority", "a" },
		{ GET, "content-length", "-1" },
	};

	(void)state;
	talk2_set_up_server(NULL, NULL);
	talk2_headers(WHOLE, 1, fields(GET));
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		uint32_t id = (uint32_t)i * 2 + 3;

		talk2_headers(WHOLE, id, cases[i]);
		talk2_settle();
		assert_int_equal(talk2.taken, 1);
		assert_non_null(talk2_find(RST_STREAM, id, 0));
	}
	talk2_headers(END_HEADERS, 101, fields(POST, "content-length", "3"));
	talk2_frame(DATA, END_STREAM, 101, "ab", 2);
	talk2_settle();
	expect_reset(101, 1);
	assert_int_equal(talk2.take[1].error, ERROR_RESET);
	talk2_headers(WHOLE, 103, fields(GET));
	talk2_settle();
	expect_status(103, "200");
	assert_int_equal(talk2.server_over, 0);
	talk2_tear_down();
}

static void test_not_http2(void **state)
{
	(void)state;
	talk2_set_up_server(NULL, NULL);
	talk2_tear_down();
	talk2_set_up_server(NULL, NULL);
	talk2_frame(DATA, 0, 0, "a", 1);	/* belongs to no stream */
	talk2_settle();
	assert_int_equal(talk2.server_over, 1);
	assert_int_equal(talk2.server_error, ERROR_MALFORMED);
	assert_int_equal(talk2_u32(talk2_find(GOAWAY, 0, 0) + 13), 1);
	talk2_tear_down();
}

/* A peer with small windows gets what fits, and the rest when it says so. */
static void test_windows(void **state)
{
	(void)state;
	talk2_set_up_server(NULL, NULL);
	talk2_frame(SETTINGS, 0, 0, "\0\4\0\0\0\12", 6);	/* 10 bytes of each stream */
	talk2.answer.total = 30;
	talk2_headers(WHOLE, 1, fields(GET));
	talk2_headers(WHOLE, 3, fields(GET));
	talk2_settle();
	assert_int_equal(talk2_length(talk2_find(DATA, 1, 0)), 10);
	assert_null(talk2_find(DATA, 1, 1));
	assert_int_equal(talk2_length(talk2_find(DATA, 3, 0)), 10);
	talk2_frame(WINDOW_UPDATE, 0, 3, "\0\0\0\24", 4);
	talk2_settle();
	assert_int_equal(talk2.take[1].closed, 1);
	assert_int_equal(talk2.take[1].error, 0);
	assert_int_equal(talk2.take[0].closed, 0);
	talk2_run(61 * SECONDS);	/* nobody reads it */
	assert_int_equal(talk2.take[0].closed, 1);
	assert_int_equal(talk2.take[0].error, ERROR_TIMEOUT);
	expect_reset(1, 8);
	assert_int_equal(talk2.server_over, 0);
	talk2_tear_down();
}

/* Equal ones in turn, urgent ones first; what is on its way already is not taken back. */
static void test_priorities(void **state)
{
	struct stream_mem_options o = stream_mem_plain;
	int last = 0, turns = 0;

	(void)state;
	o.buffer = 1 << 20;
	talk2_set_up_server(NULL, &o);
	talk2_frame(SETTINGS, 0, 0, "\0\4\0\17\377\377", 6);
	talk2.answer.total = 64000;	/* the connection's window is 65,535 */
	talk2.answer.portion = 64000;
	talk2_headers(WHOLE, 1, fields(GET));
	talk2_settle();
	talk2_headers(WHOLE, 3, fields(GET, "priority", "u=5"));
	talk2_headers(WHOLE, 5, fields(GET, "priority", "u=5, i"));
	talk2_headers(WHOLE, 7, fields(GET, "priority", "u=1"));
	talk2_settle();
	raw.n = 0;
	talk2_frame(WINDOW_UPDATE, 0, 0, "\0\3\350\0", 4);
	talk2_settle();
	for (int i = 0;; i++) {
		const uint8_t *f = talk2_find(DATA, -1, i);
		int id;

		if (!f)
			break;
		id = (int)talk2_u32(f + 5);
		turns += i > 0 && id != last;
		last = id;
		if (i == 0)
			assert_int_equal(id, 7);
		if (talk2_find(DATA, 7, 3) && f < talk2_find(DATA, 7, 3))
			assert_true(id == 7 || i == 0);
	}
	assert_int_equal(talk2.take[3].closed, 1);
	assert_true(turns > 5);
	talk2_tear_down();
}

/* What still comes for an exchange that its owner has dropped is nobody's, and no new request. */
static void test_dropped(void **state)
{
	(void)state;
	talk2_set_up_server(NULL, NULL);
	talk2.answer.when = AT_BODY;
	talk2.answer.what = DO_ABORT;
	talk2.answer.hold = true;
	talk2_headers(END_HEADERS, 1, fields(POST));
	talk2_frame(DATA, 0, 1, "abc", 3);
	talk2_frame(DATA, 0, 1, "def", 3);
	talk2_headers(WHOLE, 1, fields("trailer", "x"));
	talk2_settle();
	assert_int_equal(talk2.taken, 1);
	assert_int_equal(talk2.take[0].got, 3);
	expect_reset(1, 8);
	talk2.answer.when = AT_END;	/* answered, and no more of the request is wanted: 8.1 */
	talk2.answer.hold = false;
	talk2_headers(END_HEADERS, 3, fields(POST));
	talk2_settle();
	exchange_abort(talk2.take[1].x);
	talk2.take[1].x = NULL;
	talk2_settle();
	assert_int_equal(talk2_find(DATA, 3, 0) ? talk2_find(DATA, 3, 0)[4] : talk2_find(HEADERS, 3, 0)[4] & END_STREAM, END_STREAM);
	expect_reset(3, 0);
	assert_int_equal(talk2.server_over, 0);
	talk2_tear_down();
}

static void test_time_limits(void **state)
{
	(void)state;
	talk2_set_up_server(NULL, NULL);	/* a new one that asks nothing */
	talk2_run(9 * SECONDS);
	assert_int_equal(talk2.server_over, 0);
	talk2_run(2 * SECONDS);
	assert_int_equal(talk2.server_over, 1);
	assert_int_equal(talk2.server_error, ERROR_TIMEOUT);
	talk2_tear_down();

	talk2_set_up_server(NULL, NULL);	/* idle */
	talk2_headers(WHOLE, 1, fields(GET));
	talk2_run(119 * SECONDS);
	assert_int_equal(talk2.server_over, 0);
	talk2_run(2 * SECONDS);
	assert_int_equal(talk2.server_over, 1);
	assert_int_equal(talk2.server_error, 0);
	assert_int_equal(talk2_u32(talk2_find(GOAWAY, 0, 0) + 13), 0);
	talk2_tear_down();

	talk2_set_up_server(NULL, NULL);	/* half a head */
	talk2_headers(WHOLE, 1, fields(GET));
	talk2_settle();
	talk2_headers(0, 3, fields(GET));
	talk2_run(11 * SECONDS);
	assert_int_equal(talk2.server_over, 1);
	assert_int_equal(talk2.server_error, ERROR_TIMEOUT);
	talk2_tear_down();

	talk2_set_up_server(NULL, NULL);	/* half a body */
	talk2.answer.hold = true;
	talk2_headers(END_HEADERS, 1, fields(POST));
	for (int i = 0; i < 5; i++) {
		talk2_run(40 * SECONDS);
		talk2_frame(DATA, 0, 1, "a", 1);
	}
	assert_int_equal(talk2.take[0].closed, 0);
	talk2_run(61 * SECONDS);
	assert_int_equal(talk2.take[0].got, 5);
	assert_int_equal(talk2.take[0].closed, 1);
	assert_int_equal(talk2.take[0].error, ERROR_TIMEOUT);
	assert_int_equal(talk2.server_over, 0);
	talk2_tear_down();
}

/* What nghttp2 lets pass, in numbers that nobody needs. */
static void test_floods(void **state)
{
	static const struct { int type, flags; uint32_t stream; const char *p; size_t n; int harmless; } floods[] = {
		{ SETTINGS, 0, 0, "", 0, 100 },
		{ PING, 0, 0, "12345678", 8, 100 },
		{ WINDOW_UPDATE, 0, 0, "\0\0\0\1", 4, 1000 },
		{ DATA, 0, 1, "", 0, 1000 },
		{ PRIORITY, 0, 1, "\0\0\0\0\1", 5, 1000 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof floods / sizeof *floods; i++) {
		const uint8_t *f;
		int n = 0;

		talk2_set_up_server(NULL, NULL);
		talk2.answer.hold = true;
		talk2_headers(END_HEADERS, 1, fields(POST));
		talk2_settle();
		for (; n < 5000 && !talk2.server_over; n++) {
			talk2_frame(floods[i].type, floods[i].flags, floods[i].stream, floods[i].p, floods[i].n);
			talk2_run(10);
			raw.n = n < 100 ? 0 : raw.n;
		}
		if (!talk2.server_over)
			print_message("flood of %d\n", floods[i].type);
		assert_int_equal(talk2.server_over, 1);
		assert_int_equal(talk2.server_error, ERROR_LIMIT);
		assert_true(n > floods[i].harmless);
		f = talk2_find(GOAWAY, 0, 0);
		assert_non_null(f);
		assert_int_equal(talk2_u32(f + 13), 11);
		assert_int_equal(talk2.take[0].closed, 1);
		talk2_tear_down();
	}
}

static void test_rapid_reset(void **state)
{
	uint32_t id = 1;

	(void)state;
	talk2_set_up_server(NULL, NULL);
	talk2.answer.hold = true;
	for (; id < 2000 && !talk2.server_over; id += 2) {
		talk2_headers(WHOLE, id, fields(GET));
		talk2_frame(RST_STREAM, 0, id, "\0\0\0\10", 4);
		talk2_run(10);
		talk2.taken = 0;	/* they are all over */
		talk2.overs = 0;
	}
	assert_true(id > 300 && id < 600);
	assert_int_equal(talk2.server_over, 1);
	assert_int_equal(talk2.server_error, ERROR_LIMIT);
	talk2_tear_down();
}

/* Behind a proxy many visitors leave in the middle of something. */
static void test_resets_of_many(void **state)
{
	uint32_t id = 1;

	(void)state;
	talk2_set_up_server(&http_limits_proxy, NULL);
	talk2.answer.hold = true;
	for (; id < 4000 && !talk2.server_over; id += 2) {
		talk2_headers(WHOLE, id, fields(GET));
		talk2_frame(RST_STREAM, 0, id, "\0\0\0\10", 4);
		talk2_run(10000);
		talk2.taken = 0;
		talk2.overs = 0;
	}
	assert_int_equal(talk2.server_over, 0);
	talk2_tear_down();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_settings),
		cmocka_unit_test(test_resets_of_many),
		cmocka_unit_test(test_heads),
		cmocka_unit_test(test_split),
		cmocka_unit_test(test_answer),
		cmocka_unit_test(test_heads_too_large),
		cmocka_unit_test(test_cookies),
		cmocka_unit_test(test_malformed),
		cmocka_unit_test(test_not_http2),
		cmocka_unit_test(test_windows),
		cmocka_unit_test(test_priorities),
		cmocka_unit_test(test_dropped),
		cmocka_unit_test(test_time_limits),
		cmocka_unit_test(test_floods),
		cmocka_unit_test(test_rapid_reset),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
