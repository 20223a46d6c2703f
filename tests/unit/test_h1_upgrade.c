/* links: tunnel/h1.c tunnel/h1_again.c tunnel/course.c tunnel/h1_output.c tunnel/h1_client.c tunnel/h1_server.c tunnel/loop.c tunnel/log.c framing/http1.c framing/http1_head.c framing/http1_format.c framing/cursor.c framing/varint.c framing/error.c tests/lib/talk.c tests/lib/raw.c tests/lib/stream_mem.c */
/* libs: -lev -lhttp_parser */
/* The HTTP/1.1 engine where another protocol is asked for by Upgrade: agreed to, refused, with bytes right behind the heads,
 * ended by either side, and cut. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "framing/error.h"
#include "tests/lib/talk.h"

#define ASK "GET /w HTTP/1.1\r\nHost: h\r\nX: y\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"
#define AGREE "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"

static const struct exchange_head asks = { .method = "GET", .target = "/w", .host = "h", .lines = "X: y\r\n",
					   .protocol = "websocket", .streamed = true };
static const struct exchange_head agrees = { .status = 101, .lines = "", .protocol = "websocket", .streamed = true };

/* ---- client ---- */

static void client_asks(void)
{
	size_t cap;

	talk_set_up_client(NULL);
	talk.client.head = asks;
	talk.client.hold = talk.client.lax = true;
	talk_ask(&talk.client);
	assert_int_equal(exchange_send(talk.client.x, &asks, 0, false), 0);
	assert_null(exchange_room(talk.client.x, 1, &cap));	/* nothing may follow the head yet */
	talk_settle();
	assert_string_equal(raw.in, ASK);
	raw.n = 0;
}

static void say(struct party *p, const char *text, bool end)
{
	size_t cap, n = strlen(text);
	uint8_t *at = exchange_room(p->x, n, &cap);

	assert_non_null(at);
	memcpy(at, text, n);
	assert_int_equal(exchange_send(p->x, NULL, n, end), 0);
	talk_settle();
}

static void test_client_is_granted(void **state)
{
	static const char answer[] = AGREE "early";

	(void)state;
	for (size_t at = 0; at < sizeof answer - 1; at++) {
		client_asks();
		raw_write(answer, at);
		talk_run(5);
		raw_write(answer + at, sizeof answer - 1 - at);
		talk_settle();
		assert_int_equal(talk.client.heads, 1);
		assert_int_equal(talk.client.status, 101);
		assert_string_equal(talk.client.text, "early");
		assert_int_equal(talk.client.ends, 0);
		say(&talk.client, "ours", false);
		assert_string_equal(raw.in, "ours");
		talk_say("HTTP/1.1 200 OK\r\n\r\n");	/* is nothing but bytes now */
		assert_int_equal(talk.client.got, 5 + 19);
		assert_int_equal(talk.client.closed, 0);
		say(&talk.client, "!", true);
		assert_string_equal(raw.in, "ours!");
		assert_true(raw.eof);
		assert_int_equal(talk.client.closed, 1);
		assert_int_equal(talk.client.error, 0);
		assert_int_equal(talk.client.over, 1);
		memset(talk.client.text, 0, sizeof talk.client.text);
		talk_tear_down();
	}
}

/* An ordinary answer, of whatever status, is one: the connection goes on. */
static void test_client_is_refused(void **state)
{
	static const struct {
		const char *answer;
		int status;
	} cases[] = {
		{ "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nno", 200 },
		{ "HTTP/1.1 404 Not Found\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nno\r\n0\r\n\r\n", 404 },
		{ "HTTP/1.1 426 Upgrade Required\r\nContent-Length: 2\r\n\r\nno", 426 },
		{ "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 400 Bad Request\r\nContent-Length: 2\r\n\r\nno", 400 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		client_asks();
		talk_say(cases[i].answer);
		assert_int_equal(talk.client.status, cases[i].status);
		assert_string_equal(talk.client.text, "no");
		assert_int_equal(talk.client.ends, 1);
		assert_int_equal(talk.client.closed, 1);
		assert_int_equal(talk.client.error, 0);
		assert_int_equal(talk.client.idles, 1);
		memset(talk.client.text, 0, sizeof talk.client.text);
		talk_tear_down();
	}
}

static void test_client_is_left(void **state)
{
	(void)state;
	for (int how = 0; how < 4; how++) {
		client_asks();
		if (how >= 2)
			talk_say(AGREE "x");
		if (how % 2)
			stream_mem_cut(raw.stream);
		else
			stream_mem_finish(raw.stream);
		talk_settle();
		assert_int_equal(talk.client.ends, how == 2);
		assert_int_equal(talk.client.closed, 1);
		assert_int_equal(talk.client.error, ERROR_RESET);	/* it had not ended itself */
		assert_int_equal(talk.client.over, 1);
		memset(talk.client.text, 0, sizeof talk.client.text);
		talk_tear_down();
	}
}

/* ---- server ---- */

static bool at_once;

static void take(struct exchange *x, const struct http1_head *head)
{
	struct party *p = &talk.server;

	assert_true(http1_is(head->protocol, "websocket"));
	talk_take(p, x, head->minor);
	if (at_once)
		assert_int_equal(exchange_send(x, &agrees, 0, false), 0);
}

static void server_is_asked(const char *bytes)
{
	talk_set_up_server(NULL, NULL);
	talk.server.taken = take;
	talk.server.hold = talk.server.lax = true;
	talk_say(bytes);
	assert_int_equal(talk.server.requests, 1);
	assert_int_equal(talk.server.ends, 0);
}

static void test_server_grants(void **state)
{
	(void)state;
	for (int i = 0; i < 2; i++) {
		at_once = i;
		server_is_asked(ASK "early");
		if (!at_once) {
			assert_int_equal(talk.server.got, 0);	/* it is not known yet what these bytes are */
			assert_int_equal(exchange_send(talk.server.x, &agrees, 0, false), 0);
			talk_settle();
		}
		assert_string_equal(raw.in, AGREE);
		assert_string_equal(talk.server.text, "early");
		raw.n = 0;
		say(&talk.server, "ours", false);
		talk_say("\r\n");
		assert_int_equal(talk.server.got, 7);
		say(&talk.server, "!", true);
		assert_string_equal(raw.in, "ours!");
		assert_true(raw.eof);
		assert_int_equal(talk.server.closed, 1);
		assert_int_equal(talk.server.error, 0);
		memset(talk.server.text, 0, sizeof talk.server.text);
		talk_tear_down();
	}
}

static void test_server_is_paused(void **state)
{
	(void)state;
	at_once = true;
	server_is_asked(ASK);
	exchange_pause(talk.server.x, true);
	talk_say("later");
	assert_int_equal(talk.server.got, 0);
	exchange_pause(talk.server.x, false);
	talk_settle();
	assert_string_equal(talk.server.text, "later");
	stream_mem_finish(raw.stream);
	talk_settle();
	assert_int_equal(talk.server.ends, 1);
	assert_int_equal(talk.server.error, ERROR_RESET);
	memset(talk.server.text, 0, sizeof talk.server.text);
	talk_tear_down();
}

static void test_server_refuses(void **state)
{
	(void)state;
	at_once = false;
	server_is_asked(ASK TALK_REQUEST);
	talk.server.taken = NULL;
	talk.server.hold = false;
	talk_pump(&talk.server);
	talk_settle();
	assert_int_equal(talk.server.requests, 2);	/* the other one is a request still */
	assert_int_equal(talk.server.ends, 2);
	assert_int_equal(talk.server.closed, 2);
	assert_int_equal(talk.server.got, 3);
	assert_string_equal(raw.in, TALK_OK_EMPTY TALK_OK_EMPTY);
	talk_tear_down();
}

static void nothing_asked(struct exchange *x, const struct http1_head *head)
{
	assert_int_equal(head->protocol.n, 0);
	talk_take(&talk.server, x, head->minor);
}

/* Requests of old clients and those with a body ask for nothing (RFC 9110 7.8), nor does one line without the other. */
static void test_nothing_is_asked(void **state)
{
	static const char *const requests[] = {
		"GET /w HTTP/1.0\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n",
		"POST /w HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nContent-Length: 0\r\n\r\n",
		"GET /w HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nContent-Length: 1\r\n\r\nx",
		"GET /w HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\n\r\n",
		"GET /w HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\n\r\n",
	};

	(void)state;
	for (size_t i = 0; i < sizeof requests / sizeof *requests; i++) {
		talk_set_up_server(NULL, NULL);
		talk.server.taken = nothing_asked;
		talk.server.lax = true;
		talk_say(requests[i]);
		assert_int_equal(talk.server.requests, 1);
		assert_int_equal(talk.server.ends, 1);
		assert_int_equal(talk.server.closed, 1);
		talk_tear_down();
	}
}

static void test_silence_is_limited(void **state)
{
	(void)state;
	at_once = true;
	server_is_asked(ASK);
	talk_run(100 * LOOP_SECOND);
	say(&talk.server, "x", false);
	talk_run(100 * LOOP_SECOND);
	assert_int_equal(talk.server.closed, 0);	/* one direction may be silent */
	talk_run(30 * LOOP_SECOND);
	assert_int_equal(talk.server.closed, 1);
	assert_int_equal(talk.server.error, ERROR_TIMEOUT);
	talk_tear_down();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_client_is_granted),
		cmocka_unit_test(test_client_is_refused),
		cmocka_unit_test(test_client_is_left),
		cmocka_unit_test(test_server_grants),
		cmocka_unit_test(test_server_is_paused),
		cmocka_unit_test(test_server_refuses),
		cmocka_unit_test(test_nothing_is_asked),
		cmocka_unit_test(test_silence_is_limited),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
