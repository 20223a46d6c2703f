/* links: server/fallback.c server/passage.c server/fallback_head.c server/conduit.c server/website.c server/origins.c tunnel/http.c tunnel/h1.c tunnel/h1_again.c tunnel/h1_output.c tunnel/h1_client.c tunnel/h1_server.c tunnel/h2*.c tunnel/course.c tunnel/loop.c tunnel/log.c tunnel/counters.c tunnel/websocket_handshake.c tunnel/websocket_key.c framing/base64.c tunnel/address.c framing/http1.c framing/http1_head.c framing/http1_format.c framing/cursor.c framing/varint.c framing/error.c tests/lib/passing.c tests/lib/stream_mem.c */
/* libs: -lev -lnghttp2 -lcrypto -lhttp_parser */
/* Visitors and a website that do anything at any moment: nothing may break, and nothing may be left. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "tests/lib/passing.h"
#include "tunnel/log.h"

#define ROUNDS 400
#define STEPS 60
#define ASKERS 12

static uint32_t seed;

static unsigned any(unsigned n)
{
	seed = seed * 1664525 + 1013904223;
	return (seed >> 8) % n;
}

/* An exchange of a visitor by HTTP/2. */
static struct asker {
	struct exchange *x;
	bool ended;
} asker[ASKERS];

static int on_head(void *ctx, const struct http1_head *head)
{
	(void)ctx, (void)head;
	return any(20) ? 0 : -1;
}

static int on_body(void *ctx, const uint8_t *p, size_t n)
{
	(void)ctx, (void)p, (void)n;
	return any(50) ? 0 : -1;
}

static void on_end(void *ctx)
{
	(void)ctx;
}

static void on_closed(void *ctx, int error)
{
	(void)error;
	((struct asker *)ctx)->x = NULL;
}

static const struct exchange_events events = { on_head, on_body, on_end, on_end, on_closed };

static void ask(struct asker *a, struct http *h)
{
	static const char *const methods[] = { "GET", "POST", "HEAD", "PUT", "OPTIONS" };
	struct exchange_head head = { .method = methods[any(5)], .target = "/x", .host = "h", .lines = "", .streamed = true };
	size_t cap;

	if (!http_room(h))
		return;
	if (!any(3)) {
		head.method = "GET";
		head.protocol = "websocket";
	} else if (!any(3)) {
		head.length = 1 + any(3000);
	} else if (!any(3)) {
		head.streamed = false;
	}
	a->x = http_exchange(h, &events, a);
	a->ended = !head.streamed;
	if (exchange_room(a->x, 1, &cap))
		(void)exchange_send(a->x, &head, 0, a->ended);
	else
		exchange_abort(a->x), a->x = NULL;
}

static void visit(struct http *h)
{
	struct asker *a = &asker[any(ASKERS)];
	size_t n = any(3) ? any(3000) : 0, cap;

	if (!a->x) {
		ask(a, h);
		return;
	}
	switch (any(6)) {
	case 0:
		exchange_abort(a->x);
		a->x = NULL;
		break;
	case 1:
		exchange_pause(a->x, any(2));
		break;
	default:
		if (a->ended || !exchange_room(a->x, n + 1, &cap))
			break;
		a->ended = !any(3);
		memset(exchange_room(a->x, n + 1, &cap), 'v', n);
		(void)exchange_send(a->x, NULL, n, a->ended);
	}
}

static void put(struct end *e, const char *text)
{
	if (e->stream && !e->cut)
		(void)stream_write(e->stream, (const uint8_t *)text, strlen(text));
}

/* A piece of what a website, or a visitor by HTTP/1.1, might say. */
static void answer(struct end *e)
{
	static const char *const pieces[] = {
		PASSING_OK, PASSING_OK, "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n", "hello", "0123456789", "HTTP/1.1 304 N\r\n\r\n",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", "3\r\nabc\r\n", "0\r\n\r\n", "HTTP/1.1 100 C\r\n\r\n",
		"HTTP/1.1 101 S\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n", "HTTP/1.1 101 S\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\nhi",
		"HTTP/1.0 200 OK\r\n\r\nuntil close", "HTTP/1.1 204 N\r\nConnection: close\r\n\r\n", "HTTP/1.1 413 L\r\nContent-Length: 0\r\n\r\n",
	};

	if (!any(15) && e->stream)
		passing_leave(e);
	else
		put(e, pieces[any(sizeof pieces / sizeof *pieces)]);
}

static void request(struct end *e)
{
	static const char *const pieces[] = {
		PASSING_GET, PASSING_GET, "HEAD / HTTP/1.1\r\nHost: h\r\n\r\n", "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\n", "hello", "he",
		"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n", "3\r\nabc\r\n", "0\r\n\r\n", "GET / HTTP/1.0\r\n\r\n",
		"GET /ws HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n", "CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\n\r\n",
		"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n",
	};

	if (!any(20) && e->stream)
		passing_leave(e);
	else
		put(e, pieces[any(sizeof pieces / sizeof *pieces)]);
}

static void step(struct http *h)
{
	static const int64_t waits[] = { 0, 0, 10, 1000, 1000, LOOP_SECOND, 6 * LOOP_SECOND, 61 * LOOP_SECOND };

	switch (any(10)) {
	case 0:
		passing.connecting = (enum passing_connecting)any(3) & (any(2) ? 3 : 0);
		break;
	case 1:
	case 2:
	case 3:
		if (passing.sites)
			answer(passing.site[passing.sites - 1 - any(passing.sites < 4 ? passing.sites : 4)]);
		break;
	case 4:
	case 5:
		request(passing.visitor[any(passing.visitors)]);
		break;
	case 6:
		passing_settle(waits[any(sizeof waits / sizeof *waits)]);
		break;
	default:
		visit(h);
	}
	if (any(2))
		passing_settle(any(2000));
}

static bool is_over;	/* the visitor's connection */

static void on_over(void *ctx, int error)
{
	(void)ctx, (void)error;
	is_over = true;
}

static void test_anything(void **state)
{
	(void)state;
	for (unsigned round = 0; round < ROUNDS; round++) {
		struct http *h;

		seed = round + 1;
		is_over = false;
		passing_begin(1 + any(4));
		for (int i = 0; i < 3; i++)
			passing_visit();
		h = passing_visit_h2(on_over);
		passing_settle(any(2) * 1000);
		for (int i = 0; i < STEPS && !is_over && passing.sites < PASSING_ENDS - 8; i++)
			step(h);
		if (!is_over)
			http_close(h);
		for (unsigned i = 0; i < passing.visitors; i++)
			if (passing.visitor[i]->stream)
				passing_leave(passing.visitor[i]);
		passing_settle(700 * LOOP_SECOND);	/* the longest silence */
		assert_int_equal(passing_stats().in_flight, 0);
		assert_int_equal(passing_stats().website.connections, 0);
		passing_finish();
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_anything),
	};

	log_setup(LOG_LEVEL_ERROR, false);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
