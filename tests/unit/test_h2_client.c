/* links: tunnel/h2*.c tunnel/http.c tunnel/h1.c tunnel/h1_again.c tunnel/h1_output.c tunnel/h1_client.c tunnel/h1_server.c tunnel/course.c tunnel/loop.c tunnel/log.c framing/http1.c framing/http1_head.c framing/http1_format.c framing/cursor.c framing/varint.c framing/error.c tests/lib/talk2.c tests/lib/raw.c tests/lib/stream_mem.c */
/* libs: -lev -lhttp_parser -lnghttp2 */
/* The HTTP/2 engine as client against frames written by hand: answers of all kinds, refusals, GOAWAY, the peer's limits. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "framing/error.h"
#include "tests/lib/talk2.h"

enum { DATA, HEADERS, PRIORITY, RST_STREAM, SETTINGS, PUSH_PROMISE, PING, GOAWAY, WINDOW_UPDATE, CONTINUATION };
#define END_STREAM 1
#define END_HEADERS 4
#define WHOLE (END_STREAM | END_HEADERS)
#define SECONDS 1000000

#define fields(...) ((const char *const[]){ __VA_ARGS__, NULL })
#define OK fields(":status", "200")

static const struct speaker plain = { .total = 3, .lax = true };
static const struct speaker open_one = { .total = 3, .lax = true, .end_late = true, .head.streamed = true };

static void set_up(const char *settings, size_t n)
{
	talk2_set_up_client(NULL);
	talk2_frame(SETTINGS, 0, 0, settings, n);
	talk2_frame(SETTINGS, 1, 0, NULL, 0);
	talk2_settle();
}

static void test_preface(void **state)
{
	const uint8_t *f;
	int window = 0;

	(void)state;
	set_up("", 0);
	assert_memory_equal(raw.in, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 24);
	f = talk2_find(SETTINGS, 0, 0);
	assert_ptr_equal(f, raw.in + 24);
	for (size_t i = 0; i < talk2_length(f); i += 6) {
		if (f[10 + i] == 2)	/* no pushes */
			assert_int_equal(talk2_u32(f + 11 + i), 0);
		if (f[10 + i] == 4)
			window = (int)talk2_u32(f + 11 + i);
	}
	assert_int_equal(window, 1 << 20);
	assert_int_equal(talk2_u32(talk2_find(WINDOW_UPDATE, 0, 0) + 9), (1 << 24) - 65535);
	talk2_tear_down();
}

/* The request is in the first bytes: nobody waits for the peer's settings. */
static void test_request_at_once(void **state)
{
	const uint8_t *f;

	(void)state;
	talk2_set_up_client(NULL);
	talk2_ask(&(struct speaker){ .total = 3, .lax = true, .head.priority = "u=1, i" });
	talk2_run(10);
	f = talk2_find(HEADERS, 1, 0);
	assert_non_null(f);
	assert_true(f + 9 + talk2_length(f) == talk2_find(DATA, 1, 0));
	talk2_frame(SETTINGS, 0, 0, "", 0);
	talk2_headers(END_HEADERS, 1, fields(":status", "100"));
	talk2_headers(END_HEADERS, 1, fields(":status", "103", "link", "x"));
	talk2_headers(END_HEADERS, 1, fields(":status", "200", "content-length", "3"));
	talk2_frame(DATA, 0, 1, "ab", 2);
	talk2_frame(DATA, 0, 1, "c", 1);
	talk2_headers(WHOLE, 1, fields("trailer", "x"));
	talk2_settle();
	assert_int_equal(talk2.ask[0].heads, 1);
	assert_int_equal(talk2.ask[0].status, 200);
	assert_int_equal(talk2.ask[0].length, 3);
	assert_int_equal(talk2.ask[0].got, 3);
	assert_int_equal(talk2.ask[0].ends, 1);
	assert_int_equal(talk2.ask[0].error, 0);
	assert_int_equal(talk2.ask[0].closed, 1);
	talk2_tear_down();
}

static void test_peers_limit(void **state)
{
	(void)state;
	set_up("\0\3\0\0\0\2", 6);
	assert_int_equal(http_room(talk2.client), 2);
	talk2_ask(&plain);
	talk2_ask(&plain);
	assert_int_equal(http_room(talk2.client), 0);
	assert_null(talk2_ask(&plain));
	talk2.idles = 0;
	talk2_frame(SETTINGS, 0, 0, "\0\3\0\0\0\5", 6);
	talk2_settle();
	assert_int_equal(talk2.idles, 1);
	assert_int_equal(http_room(talk2.client), 3);
	talk2_headers(WHOLE, 1, OK);
	talk2_settle();
	assert_int_equal(talk2.idles, 2);
	assert_int_equal(http_room(talk2.client), 4);
	talk2_tear_down();
}

/* More exchanges were begun than the peer turns out to take: they wait. */
static void test_late_limit(void **state)
{
	(void)state;
	talk2_set_up_client(NULL);
	talk2_ask(&plain);
	talk2_ask(&plain);
	talk2_frame(SETTINGS, 0, 0, "\0\3\0\0\0\1", 6);
	talk2_settle();
	talk2_headers(WHOLE, 1, OK);
	talk2_frame(RST_STREAM, 0, 3, "\0\0\0\7", 4);
	talk2_settle();
	assert_int_equal(talk2.ask[0].error, 0);
	assert_int_equal(talk2.ask[1].error, ERROR_AGAIN);
	assert_non_null(talk2_ask(&plain));
	talk2_tear_down();
}

static void test_goaway(void **state)
{
	(void)state;
	set_up("", 0);
	for (int i = 0; i < 3; i++)
		talk2_ask(&plain);
	talk2_settle();
	talk2_frame(GOAWAY, 0, 0, "\0\0\0\3\0\0\0\0", 8);
	talk2_settle();
	assert_int_equal(http_room(talk2.client), 0);
	assert_null(talk2_ask(&plain));
	assert_int_equal(talk2.ask[2].closed, 1);	/* was not processed */
	assert_int_equal(talk2.ask[2].error, ERROR_AGAIN);
	assert_int_equal(talk2.client_over, 0);
	talk2_headers(WHOLE, 1, OK);
	talk2_settle();
	assert_int_equal(talk2.ask[0].error, 0);
	assert_int_equal(talk2.client_over, 0);
	talk2_headers(WHOLE, 3, OK);
	talk2_settle();
	assert_int_equal(talk2.ask[1].error, 0);
	assert_int_equal(talk2.client_over, 1);
	assert_int_equal(talk2.client_error, 0);
	talk2_tear_down();
}

static void test_goaway_in_two_steps(void **state)
{
	(void)state;
	set_up("", 0);
	talk2_ask(&plain);
	talk2_settle();
	talk2_frame(GOAWAY, 0, 0, "\x7f\377\377\377\0\0\0\0", 8);
	talk2_settle();
	assert_int_equal(http_room(talk2.client), 0);
	assert_int_equal(talk2.ask[0].closed, 0);
	talk2_frame(GOAWAY, 0, 0, "\0\0\0\1\0\0\0\0", 8);
	talk2_headers(WHOLE, 1, OK);
	talk2_settle();
	assert_int_equal(talk2.ask[0].error, 0);
	assert_int_equal(talk2.client_error, 0);
	assert_int_equal(talk2.client_over, 1);
	talk2_tear_down();
}

static void test_goaway_error(void **state)
{
	(void)state;
	set_up("", 0);
	talk2_ask(&plain);
	talk2_settle();
	talk2_frame(GOAWAY, 0, 0, "\0\0\0\0\0\0\0\13", 8);
	talk2_settle();
	assert_int_equal(talk2.ask[0].error, ERROR_AGAIN);
	assert_int_equal(talk2.client_over, 1);
	assert_int_equal(talk2.client_error, ERROR_RESET);
	talk2_tear_down();
}

static void test_resets(void **state)
{
	(void)state;
	set_up("", 0);
	for (int i = 0; i < 4; i++)
		talk2_ask(i == 3 ? &open_one : &plain);
	talk2_settle();
	talk2_frame(RST_STREAM, 0, 1, "\0\0\0\10", 4);
	talk2_headers(END_HEADERS, 3, OK);
	talk2_frame(DATA, 0, 3, "ab", 2);
	talk2_frame(RST_STREAM, 0, 3, "\0\0\0\2", 4);
	talk2_headers(END_HEADERS, 5, fields(":status", "200", "content-length", "5"));
	talk2_frame(DATA, END_STREAM, 5, "ab", 2);	/* shorter than it says */
	talk2_headers(END_HEADERS, 7, OK);
	talk2_frame(DATA, 0, 7, "ab", 2);
	talk2_settle();
	assert_int_equal(talk2.ask[0].error, ERROR_RESET);
	assert_int_equal(talk2.ask[0].closed, 1);
	assert_int_equal(talk2.ask[1].error, ERROR_RESET);
	assert_int_equal(talk2.ask[1].got, 2);
	assert_int_equal(talk2.ask[1].ends, 0);
	assert_int_equal(talk2.ask[2].error, ERROR_RESET);
	assert_int_equal(talk2.ask[2].ends, 0);
	assert_int_equal(talk2.ask[3].closed, 0);
	assert_int_equal(talk2.client_over, 0);
	talk2_tear_down();
}

/* RFC 9113 8.1: a complete answer, and NO_ERROR, for the rest of the request is of no interest. */
static void test_early_end(void **state)
{
	struct speaker *p;

	(void)state;
	set_up("\0\4\0\0\0\2", 6);	/* the request's end has to wait */
	p = talk2_ask(&plain);
	talk2_settle();
	talk2_headers(END_HEADERS, 1, OK);
	talk2_frame(DATA, END_STREAM, 1, "abc", 3);
	talk2_frame(RST_STREAM, 0, 1, "\0\0\0\0", 4);
	talk2_settle();
	assert_int_equal(p->ends, 1);
	assert_int_equal(p->closed, 1);
	assert_int_equal(p->error, 0);
	p = talk2_ask(&plain);	/* held, while its owner is paused */
	p->when = AT_HEAD;
	p->what = DO_PAUSE;
	talk2_settle();
	talk2_headers(END_HEADERS, 3, OK);
	talk2_frame(DATA, END_STREAM, 3, "abc", 3);
	talk2_frame(RST_STREAM, 0, 3, "\0\0\0\0", 4);
	talk2_settle();
	assert_int_equal(p->got, 0);
	assert_int_equal(p->closed, 0);
	p->paused = false;
	exchange_pause(p->x, false);
	talk2_settle();
	assert_int_equal(p->got, 3);
	assert_int_equal(p->ends, 1);
	assert_int_equal(p->closed, 1);
	assert_int_equal(p->error, 0);
	talk2_tear_down();
}

static void test_extended_connect_unknown(void **state)
{
	const struct speaker ask = { .lax = true, .end_late = true,
				     .head = { .method = "GET", .protocol = "websocket", .streamed = true } };

	(void)state;
	talk2_set_up_client(NULL);
	talk2_ask(&ask);
	talk2_run(10);
	assert_null(talk2_find(HEADERS, 1, 0));	/* it waits for the peer's settings */
	talk2_frame(SETTINGS, 0, 0, "", 0);
	talk2_settle();
	assert_null(talk2_find(HEADERS, 1, 0));
	assert_int_equal(talk2.ask[0].closed, 1);
	assert_int_equal(talk2.ask[0].error, ERROR_UNSUPPORTED);
	talk2_ask(&ask);
	assert_int_equal(talk2.ask[1].send_error, ERROR_UNSUPPORTED);
	talk2_settle();
	assert_int_equal(talk2.ask[1].closed, 1);
	assert_int_equal(talk2.ask[1].error, ERROR_UNSUPPORTED);
	assert_int_equal(talk2.client_over, 0);
	talk2_tear_down();
}

/* Neither a push nor nonsense. */
static void test_violations(void **state)
{
	(void)state;
	set_up("", 0);
	talk2_ask(&plain);
	talk2_settle();
	talk2_frame(PUSH_PROMISE, END_HEADERS, 1, "\0\0\0\2", 4);
	talk2_settle();
	assert_int_equal(talk2.client_over, 1);
	assert_int_equal(talk2.client_error, ERROR_MALFORMED);
	assert_int_equal(talk2.ask[0].closed, 1);
	talk2_tear_down();
	talk2_set_up_client(NULL);
	talk2_ask(&plain);
	raw_put("HTTP/1.1 400 Bad Request\r\n\r\n");
	talk2_settle();
	assert_int_equal(talk2.client_over, 1);
	assert_int_equal(talk2.ask[0].closed, 1);
	talk2_tear_down();
	set_up("", 0);
	talk2_ask(&plain);
	talk2_settle();
	stream_mem_finish(raw.stream);
	talk2_settle();
	assert_int_equal(talk2.client_error, ERROR_RESET);
	talk2_tear_down();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_preface),
		cmocka_unit_test(test_request_at_once),
		cmocka_unit_test(test_peers_limit),
		cmocka_unit_test(test_late_limit),
		cmocka_unit_test(test_goaway),
		cmocka_unit_test(test_goaway_in_two_steps),
		cmocka_unit_test(test_goaway_error),
		cmocka_unit_test(test_resets),
		cmocka_unit_test(test_early_end),
		cmocka_unit_test(test_extended_connect_unknown),
		cmocka_unit_test(test_violations),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
