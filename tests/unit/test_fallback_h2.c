/* links: server/fallback.c server/passage.c server/fallback_head.c server/conduit.c server/website.c server/origins.c tunnel/http.c tunnel/h1.c tunnel/h1_again.c tunnel/h1_output.c tunnel/h1_client.c tunnel/h1_server.c tunnel/h2*.c tunnel/course.c tunnel/loop.c tunnel/log.c tunnel/counters.c tunnel/websocket_handshake.c tunnel/websocket_key.c framing/base64.c tunnel/address.c framing/http1.c framing/http1_head.c framing/http1_format.c framing/cursor.c framing/varint.c framing/error.c tests/lib/passing.c tests/lib/stream_mem.c */
/* libs: -lev -lnghttp2 -lcrypto -lhttp_parser */
/* Visitors by HTTP/2, whose WebSockets (RFC 8441) go on to a website by HTTP/1.1. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "tests/lib/passing.h"
#include "tunnel/log.h"

#define AGREED "HTTP/1.1 101 S\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: a\r\n\r\n"

/* What one visitor asks and hears. */
struct asker {
	struct exchange *x;
	int status, ends, closed, error;
	char in[256];
	size_t n;
};

static int on_head(void *ctx, const struct http1_head *head)
{
	struct asker *a = ctx;

	a->status = head->status;
	return 0;
}

static int on_body(void *ctx, const uint8_t *p, size_t n)
{
	struct asker *a = ctx;

	assert_true(a->n + n < sizeof a->in);
	memcpy(a->in + a->n, p, n);
	a->n += n;
	return 0;
}

static void on_end(void *ctx)
{
	((struct asker *)ctx)->ends++;
}

static void on_writable(void *ctx)
{
	(void)ctx;
}

static void on_closed(void *ctx, int error)
{
	struct asker *a = ctx;

	a->closed++;
	a->error = error;
	a->x = NULL;
}

static const struct exchange_events events = { on_head, on_body, on_end, on_writable, on_closed };

static void ask(struct asker *a, struct http *h)
{
	static const struct exchange_head head = { .method = "GET", .target = "/ws", .host = "h", .lines = "", .streamed = true,
						   .protocol = "websocket" };
	size_t cap;

	memset(a, 0, sizeof *a);
	a->x = http_exchange(h, &events, a);
	assert_non_null(exchange_room(a->x, 1, &cap));
	assert_int_equal(exchange_send(a->x, &head, 0, false), 0);
}

static void say(struct asker *a, const char *text, bool end)
{
	size_t cap;
	uint8_t *p = exchange_room(a->x, strlen(text) + 1, &cap);

	assert_non_null(p);
	memcpy(p, text, strlen(text));
	assert_int_equal(exchange_send(a->x, NULL, strlen(text), end), 0);
	passing_settle(1000);
}

/* What comes before the website agreed waits until it does. */
static void test_early(void **state)
{
	struct asker a;
	struct http *h;

	(void)state;
	passing_begin(8);
	h = passing_visit_h2(NULL);
	passing_settle(1000);
	ask(&a, h);
	say(&a, "early", false);
	assert_int_equal(passing.sites, 1);
	assert_non_null(strstr(passing_heard(passing.site[0]), "\r\nUpgrade: websocket\r\n\r\n"));
	assert_null(strstr(passing.site[0]->in, "early"));
	passing_say(passing.site[0], AGREED "hi");
	assert_string_equal(passing_heard(passing.site[0]), "early");
	assert_int_equal(a.status, 200);
	assert_int_equal(a.n, 2);
	assert_memory_equal(a.in, "hi", 2);
	http_close(h);
	passing_finish();
}

/* A visitor that has said its last already. */
static void test_ended(void **state)
{
	struct asker a;
	struct http *h;

	(void)state;
	for (int i = 0; i < 2; i++) {
		passing_begin(8);
		h = passing_visit_h2(NULL);
		passing_settle(1000);
		ask(&a, h);
		say(&a, i ? "last" : "", true);
		assert_int_equal(passing.sites, 1);
		assert_non_null(strstr(passing_heard(passing.site[0]), "\r\nUpgrade: websocket\r\n\r\n"));
		passing_say(passing.site[0], AGREED);
		assert_int_equal(a.status, 200);
		passing_settle(10 * LOOP_SECOND);
		assert_int_equal(a.closed, 1);
		assert_int_equal(passing_stats().in_flight, 0);
		http_close(h);
		passing_finish();
	}
}

/* Only the website says something, for long. */
static void test_listener(void **state)
{
	struct asker a;
	struct http *h;

	(void)state;
	passing_begin(8);
	h = passing_visit_h2(NULL);
	passing_settle(1000);
	ask(&a, h);
	passing_settle(1000);
	passing_say(passing.site[0], AGREED);
	for (int i = 0; i < 10; i++) {
		passing_settle(100 * LOOP_SECOND);
		passing_say(passing.site[0], "hi");
	}
	assert_int_equal(a.n, 20);
	assert_int_equal(a.closed, 0);
	passing_settle(121 * LOOP_SECOND);
	assert_int_equal(a.closed, 1);
	http_close(h);
	passing_finish();
}

#define UPLOADS 10
#define SIZE 3000000

/* Large files at the same time to a website that does not take them for a while: each arrives whole. */
static void test_uploads(void **state)
{
	static const struct exchange_head head = { .method = "PUT", .target = "/file", .host = "h", .lines = "", .streamed = true, .length = SIZE };
	static struct asker a[UPLOADS];
	size_t sent[UPLOADS] = { 0 }, cap;
	struct http *h;
	uint8_t *p;

	(void)state;
	passing_begin(64);
	h = passing_visit_h2(NULL);
	passing_settle(1000);
	for (int i = 0; i < UPLOADS; i++) {
		memset(&a[i], 0, sizeof a[i]);
		a[i].x = http_exchange(h, &events, &a[i]);
		assert_non_null(exchange_room(a[i].x, 1, &cap));
		assert_int_equal(exchange_send(a[i].x, &head, 0, false), 0);
	}
	passing_settle(1000);
	assert_int_equal(passing.sites, UPLOADS);
	for (int round = 0; round < 3000; round++) {
		for (int i = 0; i < UPLOADS; i++) {
			if (passing.site[i]->stream)
				stream_want(passing.site[i]->stream, round >= 500, false);
			if (!a[i].x || sent[i] == SIZE || !(p = exchange_room(a[i].x, 1, &cap)))
				continue;
			cap = cap < SIZE - sent[i] ? cap : SIZE - sent[i];
			memset(p, 'u', cap);
			sent[i] += cap;
			assert_int_equal(exchange_send(a[i].x, NULL, cap, sent[i] == SIZE), 0);
		}
		passing_settle(1000);
	}
	for (int i = 0; i < UPLOADS; i++) {
		assert_int_equal(a[i].closed, 0);
		assert_true(passing.site[i]->total > SIZE);
	}
	http_close(h);
	passing_finish();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_early),
		cmocka_unit_test(test_ended),
		cmocka_unit_test(test_listener),
		cmocka_unit_test(test_uploads),
	};

	log_setup(LOG_LEVEL_ERROR, false);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
