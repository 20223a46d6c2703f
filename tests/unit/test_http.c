/* links: tunnel/http.c tunnel/h2*.c tunnel/h1.c tunnel/h1_again.c tunnel/course.c tunnel/h1_output.c tunnel/h1_client.c tunnel/h1_server.c tunnel/loop.c tunnel/log.c framing/http1.c framing/http1_head.c framing/http1_format.c framing/cursor.c framing/varint.c framing/error.c tests/lib/raw.c tests/lib/stream_mem.c */
/* libs: -lev -lhttp_parser -lnghttp2 */
/* Which version a connection speaks: by what was agreed to, or by its first bytes, however they come; and connections that never say. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "framing/error.h"
#include "tests/lib/raw.h"
#include "tests/lib/stream_mem.h"
#include "tunnel/http.h"

#define REQUEST "GET /x HTTP/1.1\r\nHost: h\r\n\r\n"
#define PREFACE "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
#define SETTINGS "\0\0\0\4\0\0\0\0\0"
/* GET https h /x on stream 1. */
static const uint8_t headers[] = { 0, 0, 9, 1, 5, 0, 0, 0, 1, 0x82, 0x87, 0x01, 1, 'h', 0x04, 2, '/', 'x' };

static struct {
	struct loop *loop;
	struct http *http;
	char target[16];
	bool h2;
	int requests, overs, closed, error;
	bool drop;		/* the request */
} t;

static int take(void *ctx, const uint8_t *p, size_t n)
{
	(void)ctx, (void)p, (void)n;
	return 0;
}

static void nothing(void *ctx)
{
	(void)ctx;
}

static void exchange_over(void *ctx, int error)
{
	(void)ctx, (void)error;
}

static const struct exchange_events exchange_events = { NULL, take, nothing, nothing, exchange_over };

static void on_request(void *ctx, struct exchange *x, const struct http1_head *head)
{
	static const struct exchange_head answer = { .status = 200, .lines = "" };

	assert_ptr_equal(ctx, &t);
	x->events = &exchange_events;
	x->ctx = &t;
	x->visitor = &t;
	t.requests++;
	t.h2 = head->h2;
	snprintf(t.target, sizeof t.target, "%.*s", (int)head->target.n, (const char *)head->target.p);
	if (t.drop)
		exchange_abort(x);
	else
		assert_int_equal(exchange_send(x, &answer, 0, true), 0);
}

static void on_over(void *ctx, struct exchange *x)
{
	assert_ptr_equal(ctx, &t);
	assert_ptr_equal(x->visitor, &t);
	t.overs++;
}

static void on_closed(void *ctx, int error)
{
	assert_ptr_equal(ctx, &t);
	t.closed++;
	t.error = error;
	t.http = NULL;
}

static void idle(void *ctx)
{
	(void)ctx;
}

static const struct http_events events = { .request = on_request, .idle = idle, .closed = on_closed, .over = on_over };

static void run(int64_t us)
{
	loop_advance(t.loop, loop_now(t.loop) + us);
}

static void accept(const char *alpn)
{
	struct stream_mem_options o = stream_mem_plain;
	struct stream *a, *b;

	o.alpn = alpn;
	stream_mem_pair(t.loop, &a, &b, &o);
	raw_attach(b);
	t.http = http_server(t.loop, a, &http_limits_default, &events, &t);
	assert_ptr_equal(http_stream(t.http), a);
}

static int set_up(void **state)
{
	(void)state;
	memset(&t, 0, sizeof t);
	t.loop = loop_new_virtual(1000, 1700000000);
	raw_reset();
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	if (t.http)
		http_close(t.http);
	assert_null(t.http);
	assert_int_equal(t.closed, 1);
	raw_close();
	run(LOOP_SECOND);
	loop_free(t.loop);
	return 0;
}

static void say(const char *p, size_t n, size_t at_once)
{
	for (size_t i = 0; i < n; i += at_once) {
		raw_write(p + i, n - i < at_once ? n - i : at_once);
		run(1000);
	}
}

static void expect(bool h2)
{
	assert_int_equal(t.requests, 1);
	assert_int_equal(t.overs, 1);
	assert_string_equal(t.target, "/x");
	assert_int_equal(t.h2, h2);
	assert_int_equal(t.closed, 0);
}

static void first_bytes(void **state)
{
	for (size_t at_once = 1; at_once < 60; at_once++) {
		set_up(state);
		accept(NULL);
		say(REQUEST, sizeof REQUEST - 1, at_once);
		expect(false);
		assert_int_equal(memcmp(raw.in, "HTTP/1.1 200", 12), 0);
		tear_down(state);

		set_up(state);
		accept(NULL);
		say(PREFACE, sizeof PREFACE - 1, at_once);
		say(SETTINGS, sizeof SETTINGS - 1, at_once);
		say((const char *)headers, sizeof headers, at_once);
		expect(true);
		tear_down(state);
	}
	set_up(state);
	accept(NULL);
}

/* It begins as that of HTTP/2 does. */
static void nearly(void **state)
{
	static const char *const begin[] = { "P", "PRI", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r" };

	for (size_t i = 0; i < sizeof begin / sizeof *begin; i++) {
		set_up(state);
		accept(NULL);
		raw_put(begin[i]);
		run(1000);
		assert_int_equal(t.requests, 0);
		raw_put("x y z\r\n\r\n");
		run(LOOP_SECOND);
		assert_memory_equal(raw.in, "HTTP/1.1 ", 9);	/* the answer to what is no request */
		tear_down(state);
	}
	set_up(state);
	accept(NULL);
	raw_put("POST /x HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n");	/* its first letter is the same */
	run(1000);
	expect(false);
}

static void agreed(void **state)
{
	accept(HTTP_ALPN_11);
	raw_put(REQUEST);
	run(1000);
	expect(false);
	tear_down(state);
	set_up(state);
	accept(HTTP_ALPN_2);
	say(PREFACE, sizeof PREFACE - 1, 24);
	say(SETTINGS, sizeof SETTINGS - 1, 9);
	say((const char *)headers, sizeof headers, sizeof headers);
	expect(true);
}

static void says_nothing(void **state)
{
	(void)state;
	accept(NULL);
	raw_put("PRI * H");
	run(9900 * LOOP_MS);
	assert_int_equal(t.closed, 0);
	run(200 * LOOP_MS);
	assert_int_equal(t.closed, 1);
	assert_int_equal(t.error, ERROR_TIMEOUT);
}

static void goes_away(void **state)
{
	accept(NULL);
	stream_mem_finish(raw.stream);
	run(1000);
	assert_int_equal(t.closed, 1);
	assert_int_equal(t.error, 0);
	tear_down(state);
	set_up(state);
	accept(NULL);
	raw_put("PRI");
	stream_mem_finish(raw.stream);
	run(1000);
	assert_int_equal(t.error, ERROR_RESET);
	tear_down(state);
	set_up(state);
	accept(NULL);
	stream_mem_cut(raw.stream);
	run(1000);
	assert_int_equal(t.closed, 1);
	assert_int_equal(t.error, ERROR_RESET);
}

static void drained(void **state)
{
	accept(NULL);
	http_drain(t.http);
	assert_int_equal(t.closed, 0);	/* not from within */
	run(1000);
	assert_int_equal(t.closed, 1);
	tear_down(state);
	set_up(state);
	accept(NULL);
	raw_put(REQUEST);
	run(1000);
	http_drain(t.http);
	run(1000);
	assert_int_equal(t.closed, 1);
	assert_int_equal(t.error, 0);
}

static void dropped(void **state)
{
	(void)state;
	t.drop = true;
	accept(NULL);
	raw_put(REQUEST);
	run(1000);
	assert_int_equal(t.overs, 1);
	assert_int_equal(t.closed, 1);
}

static void client(void **state)
{
	struct stream_mem_options o = stream_mem_plain;
	struct stream *a, *b;

	(void)state;
	stream_mem_pair(t.loop, &a, &b, &o);
	raw_attach(b);
	t.http = http_client(t.loop, a, &events, &t);
	assert_false(t.http->multiplexed);
	assert_int_equal(http_room(t.http), 1);
	http_close(t.http);
	raw_close();
	o.alpn = HTTP_ALPN_2;
	stream_mem_pair(t.loop, &a, &b, &o);
	raw_attach(b);
	t.closed = 0;
	t.http = http_client(t.loop, a, &events, &t);
	assert_true(t.http->multiplexed);
	assert_true(http_room(t.http) > 1);
	run(1000);
	assert_memory_equal(raw.in, PREFACE, sizeof PREFACE - 1);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
	const struct CMUnitTest tests[] = { cmocka_unit_test_teardown(first_bytes, tear_down),
					   cmocka_unit_test_teardown(nearly, tear_down), T(agreed), T(says_nothing), T(goes_away), T(drained), T(dropped), T(client) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
