/* links: tunnel/h1.c tunnel/h1_output.c tunnel/h1_client.c tunnel/h1_server.c tunnel/loop.c tunnel/log.c framing/http1.c framing/http1_head.c framing/http1_format.c framing/cursor.c framing/varint.c framing/error.c tests/lib/stream_mem.c */
/* libs: -lev -lhttp_parser */
/*
 * The HTTP/1.1 engine over a stream in memory: both roles against each other and against
 * bytes written by hand, split and cut everywhere, with full buffers, and with every
 * call made from every event.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "framing/error.h"
#include "tests/lib/stream_mem.h"
#include "tunnel/h1.h"

#define SETTLED 1000000	/* us: long enough for everything to settle, shorter than all limits */

enum moment { AT_NEVER, AT_HEAD, AT_BODY, AT_END, AT_WRITABLE, AT_CLOSED, MOMENTS };
enum action { DO_NOTHING, DO_ABORT, DO_CLOSE, DO_PAUSE, DO_FAIL, DO_DRAIN, ACTIONS };

/* One side: the connection and what is done with its exchanges. */
struct party {
	struct h1 *h;
	struct exchange *x;
	bool server;

	/* what it sends */
	struct exchange_head head;
	uint64_t total, sent;
	size_t portion;
	bool ended, hold, end_late;
	int send_error;

	/* what it got */
	int requests, heads, ends, writables, closed, idles, over;
	int status, error, over_error, minor;
	uint64_t got, got_now;
	bool lax;		/* does not compare the body */
	char text[512];		/* of the body, when lax */
	bool paused;

	enum moment when;
	enum action what;
	int fail_code;
};

static struct loop *loop;
static struct party client, server;
static struct stream *raw;	/* the other end, when a test writes bytes itself */
static char raw_in[262144];
static size_t raw_n;
static bool raw_eof;
static int raw_error;

static uint8_t pattern(bool from_server, uint64_t i)
{
	return (uint8_t)(i * 131 + (i >> 8) + (from_server ? 77 : 0));
}

/* Sends as much as there is room for. */
static void pump(struct party *p)
{
	bool first = p->sent == 0 && !p->ended;

	while (p->x && !p->ended && !p->hold) {
		size_t cap, n = p->total - p->sent < p->portion ? (size_t)(p->total - p->sent) : p->portion;
		bool end = p->sent + n == p->total && !p->end_late;
		uint8_t *at = exchange_room(p->x, n, &cap);

		if (!at)
			return;
		assert_true(cap >= n);
		for (size_t i = 0; i < n; i++)
			at[i] = pattern(p->server, p->sent + i);
		p->sent += n;
		p->ended = end;
		p->send_error = exchange_send(p->x, first ? &p->head : NULL, n, end);
		if (p->send_error)
			return;
		first = false;
		if (n == 0)
			return;
	}
}

static int act(struct party *p, enum moment m)
{
	if (p->when != m)
		return 0;
	p->when = AT_NEVER;
	switch (p->what) {
	case DO_ABORT:
		if (p->x)
			exchange_abort(p->x);
		p->x = NULL;
		break;
	case DO_CLOSE:
		h1_close(p->h);
		break;
	case DO_PAUSE:
		if (p->x)
			exchange_pause(p->x, true);
		p->paused = p->x != NULL;
		break;
	case DO_DRAIN:
		if (p->server)
			h1_drain(p->h);
		break;
	case DO_FAIL:
		return ERROR_HTTP;
	default:
		break;
	}
	return 0;
}

static int on_head(void *ctx, const struct http1_head *head)
{
	struct party *p = ctx;

	p->heads++;
	p->status = head->status;
	p->minor = head->minor;
	return act(p, AT_HEAD);
}

static int on_body(void *ctx, const uint8_t *b, size_t n)
{
	struct party *p = ctx;

	assert_false(p->paused);
	assert_true(n > 0);
	for (size_t i = 0; i < n && !p->lax; i++)
		assert_int_equal(b[i], pattern(!p->server, p->got_now + i));
	if (p->lax && p->got_now + n < sizeof p->text)
		memcpy(p->text + p->got_now, b, n);
	p->got += n;
	p->got_now += n;
	return act(p, AT_BODY);
}

static void on_end(void *ctx)
{
	struct party *p = ctx;

	assert_false(p->paused);
	p->ends++;
	act(p, AT_END);
}

static void on_writable(void *ctx)
{
	struct party *p = ctx;

	p->writables++;
	if (p->x)
		pump(p);
	act(p, AT_WRITABLE);
}

static void on_exchange_closed(void *ctx, int error)
{
	struct party *p = ctx;

	assert_non_null(p->x);
	p->closed++;
	p->error = error;
	p->x = NULL;
	p->paused = false;
	act(p, AT_CLOSED);
}

static const struct exchange_events exchange_events = { on_head, on_body, on_end, on_writable, on_exchange_closed };

static void begin(struct party *p)
{
	p->sent = p->got_now = 0;
	p->ended = false;
	p->paused = false;
}

static void on_request(void *ctx, struct exchange *x, const struct http1_head *head)
{
	struct party *p = ctx;

	assert_null(p->x);
	begin(p);
	p->x = x;
	x->events = &exchange_events;
	x->ctx = p;
	p->requests++;
	p->minor = head->minor;
	if (act(p, AT_HEAD))
		exchange_abort(x), p->x = NULL;
	if (p->x)
		pump(p);
}

static void on_idle(void *ctx)
{
	struct party *p = ctx;

	p->idles++;
}

static void on_over(void *ctx, int error)
{
	struct party *p = ctx;

	assert_null(p->x);
	p->over++;
	p->over_error = error;
	p->h = NULL;
}

static const struct h1_events h1_events = { on_request, on_idle, on_over };

static void ask(struct party *p)
{
	begin(p);
	p->x = h1_exchange(p->h, &exchange_events, p);
	assert_non_null(p->x);
	pump(p);
}

static void settle(void)
{
	loop_advance(loop, loop_now(loop) + SETTLED);
}

static void set_up(void)
{
	loop = loop_new_virtual(1000, 1700000000);
	client = (struct party){ .portion = 1000, .head = { .method = "POST", .target = "/x?y", .host = "h", .lines = "" } };
	server = (struct party){ .portion = 1000, .server = true, .head = { .status = 200, .lines = "" } };
	raw = NULL;
	raw_n = 0;
	raw_eof = false;
	raw_error = 0;
}

static void set_up_pair(const struct stream_mem_options *o)
{
	struct stream *a, *b;

	set_up();
	stream_mem_pair(loop, &a, &b, o);
	client.h = h1_client(loop, a, &h1_events, &client);
	server.h = h1_server(loop, b, &h1_limits_default, &h1_events, &server);
}

/* Closes what stands; after it each connection must have ended exactly once. */
static void tear_down(void)
{
	if (client.h) {
		h1_close(client.h);
		assert_null(client.h);
	}
	if (server.h) {
		h1_close(server.h);
		assert_null(server.h);
	}
	if (raw)
		stream_close(raw);
	loop_advance(loop, loop_now(loop));
	loop_free(loop);
}

/* The other end of the wire, by hand. */

static void raw_readable(void *ctx)
{
	ssize_t n;

	(void)ctx;
	assert_true(raw_n < sizeof raw_in - 1);
	n = stream_read(raw, (uint8_t *)raw_in + raw_n, sizeof raw_in - 1 - raw_n);
	assert_true(n != ERROR_AGAIN);
	if (n > 0) {
		raw_n += (size_t)n;
		raw_in[raw_n] = '\0';
		return;
	}
	raw_eof = n == 0;
	raw_error = (int)n;
	stream_want(raw, false, false);
}

static void raw_failed(void *ctx, int error)
{
	(void)ctx;
	raw_error = error;
}

static const struct stream_events raw_events = { NULL, raw_readable, NULL, raw_failed };

static void raw_write(const char *s, size_t n)
{
	if (n > 0)
		assert_int_equal(stream_write(raw, (const uint8_t *)s, n), n);
}

static void raw_put(const char *s)
{
	raw_write(s, strlen(s));
}

static void raw_say(const char *s)
{
	raw_put(s);
	settle();
}

static void raw_attach(void)
{
	raw_in[0] = '\0';
	stream_attach(raw, &raw_events, NULL);
	stream_want(raw, true, false);
}

static void set_up_client(const struct stream_mem_options *o)
{
	struct stream *a;

	set_up();
	stream_mem_pair(loop, &a, &raw, o);
	raw_attach();
	client.h = h1_client(loop, a, &h1_events, &client);
	client.lax = true;
}

static void set_up_server(const struct h1_limits *limits, const struct stream_mem_options *o)
{
	struct stream *a;

	set_up();
	stream_mem_pair(loop, &a, &raw, o);
	raw_attach();
	server.h = h1_server(loop, a, limits ? limits : &h1_limits_default, &h1_events, &server);
	server.lax = true;
}

/* Both roles */

static void test_complete(void **state)
{
	(void)state;
	set_up_pair(NULL);
	client.total = 300;
	server.total = 700;
	for (int i = 1; i <= 3; i++) {
		ask(&client);
		assert_null(h1_exchange(client.h, &exchange_events, &client));
		settle();
		assert_int_equal(client.closed, i);
		assert_int_equal(client.error, 0);
		assert_int_equal(client.status, 200);
		assert_int_equal(client.idles, i);
		assert_int_equal(client.got, 700 * i);
		assert_int_equal(server.got, 300 * i);
		assert_int_equal(server.closed, i);
		assert_int_equal(server.ends, i);
		assert_int_equal(server.idles, 0);
	}
	assert_non_null(h1_stream(client.h));
	tear_down();
	assert_int_equal(client.over_error, ERROR_CLOSED);
	assert_int_equal(client.over, 1);
	assert_int_equal(server.over, 1);
}

static void test_wire_request(void **state)
{
	(void)state;
	set_up_client(NULL);
	client.head.lines = "A: b\r\n";
	ask(&client);
	loop_advance(loop, loop_now(loop));
	assert_string_equal(raw_in, "POST /x?y HTTP/1.1\r\nHost: h\r\nA: b\r\nContent-Length: 0\r\n\r\n");
	raw_say("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
	assert_int_equal(client.closed, 1);
	raw_n = 0;
	client.head.streamed = true;
	client.total = 20;
	client.portion = 10;
	ask(&client);
	settle();
	assert_memory_equal(raw_in, "POST /x?y HTTP/1.1\r\nHost: h\r\nA: b\r\nTransfer-Encoding: chunked\r\n\r\n000a\r\n", 71);
	assert_memory_equal(raw_in + 81, "\r\n000a\r\n", 8);
	assert_string_equal(raw_in + 99, "\r\n0\r\n\r\n");
	raw_say("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
	raw_n = 0;
	client.head = (struct exchange_head){ .method = "GET", .target = "/", .host = "h", .lines = "" };
	client.total = 0;
	ask(&client);
	settle();
	assert_string_equal(raw_in, "GET / HTTP/1.1\r\nHost: h\r\n\r\n");
	tear_down();
}

/* A streamed body may begin with its head alone, go on without bytes, and end without bytes. */
static void test_empty_sends(void **state)
{
	size_t cap;

	(void)state;
	set_up_client(NULL);
	client.hold = true;
	ask(&client);
	client.head.streamed = true;
	assert_int_equal(exchange_send(client.x, &client.head, 0, false), 0);
	settle();
	assert_int_equal(raw_n, strlen("POST /x?y HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"));
	raw_n = 0;
	assert_int_equal(exchange_send(client.x, NULL, 0, false), 0);
	memcpy(exchange_room(client.x, 2, &cap), "ab", 2);
	assert_int_equal(exchange_send(client.x, NULL, 2, false), 0);
	assert_int_equal(exchange_send(client.x, NULL, 0, true), 0);
	assert_null(exchange_room(client.x, 1, &cap));
	settle();
	assert_string_equal(raw_in, "0002\r\nab\r\n0\r\n\r\n");
	tear_down();
}

/* A portion of more than 65,535 bytes, head in front, in one chunk. */
static void test_big_portion(void **state)
{
	struct stream_mem_options o = stream_mem_plain;

	(void)state;
	o.buffer = 1 << 20;
	set_up_pair(&o);
	client.head.streamed = server.head.streamed = true;
	client.portion = server.portion = EXCHANGE_ROOM_MAX;
	client.total = server.total = 3 * EXCHANGE_ROOM_MAX + 5;
	ask(&client);
	settle();
	assert_int_equal(server.got, client.total);
	assert_int_equal(client.got, server.total);
	assert_int_equal(client.error, 0);
	client.head.streamed = server.head.streamed = false;
	client.total = server.total = 65536;
	ask(&client);
	settle();
	assert_int_equal(client.closed, 2);
	assert_int_equal(client.error, 0);
	tear_down();
}

static void test_duplex_back_pressure(void **state)
{
	(void)state;
	for (size_t chunk = 1; chunk < 3000; chunk = chunk * 3 + 1) {
		struct stream_mem_options o = stream_mem_plain;

		o.delay_us = 50;
		o.buffer = 1000;
		o.chunk = chunk;
		o.write_chunk = chunk + 2;
		set_up_pair(&o);
		client.head.streamed = server.head.streamed = true;
		client.total = 50000;
		server.total = 70001;
		client.portion = 1777;
		server.portion = 5000;
		for (int i = 1; i <= 2; i++) {
			server.hold = true;	/* the response must not be over before the request */
			ask(&client);
			loop_advance(loop, loop_now(loop) + 1000);
			server.hold = false;
			server.end_late = true;
			pump(&server);
			settle();
			assert_int_equal(client.got_now, server.total);
			assert_int_equal(server.got_now, client.total);
			assert_int_equal(server.ends, i);
			server.ended = true;
			exchange_send(server.x, NULL, 0, true);
			settle();
			assert_int_equal(client.closed, i);
			assert_int_equal(client.error, 0);
			assert_int_equal(server.error, 0);
			assert_true(client.writables > 0 && server.writables > 0);
			server.end_late = false;
		}
		tear_down();
	}
}

/* The end of a body comes while what was before it is still being written. */
static void test_end_behind_pending_output(void **state)
{
	struct stream_mem_options o = stream_mem_plain;
	size_t cap;

	(void)state;
	o.buffer = 100;
	set_up_client(&o);
	client.head.streamed = true;
	client.end_late = true;
	client.total = 5000;
	client.portion = 16384;
	stream_want(raw, false, false);
	ask(&client);
	assert_int_equal(client.sent, 5000);
	assert_null(exchange_room(client.x, 1, &cap));
	assert_int_equal(exchange_send(client.x, NULL, 0, true), 0);
	stream_want(raw, true, false);
	settle();
	assert_int_equal(client.writables, 0);
	assert_string_equal(raw_in + raw_n - 7, "\r\n0\r\n\r\n");
	tear_down();
}

/* Responses */

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
	assert_int_equal(client.heads, 1);
	assert_int_equal(client.ends, 1);
	assert_int_equal(client.closed, 1);
	assert_int_equal(client.error, 0);
	assert_int_equal(client.got, strlen(responses[i].body));
	assert_memory_equal(client.text, responses[i].body, client.got);
	assert_int_equal(client.idles, responses[i].keep);
	assert_int_equal(client.over, !responses[i].keep);
	assert_int_equal(client.over_error, 0);
}

static void test_responses_split(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof responses / sizeof *responses; i++) {
		size_t n = strlen(responses[i].bytes);

		for (size_t at = 0; at <= n; at++) {
			set_up_client(NULL);
			ask(&client);
			raw_write(responses[i].bytes, at);
			settle();
			raw_write(responses[i].bytes + at, n - at);
			if (responses[i].eof)
				stream_mem_finish(raw);
			settle();
			check_response(i);
			tear_down();
		}
	}
}

/* Every byte on its own, and paused in front of every one. */
static void test_responses_trickle(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof responses / sizeof *responses; i++) {
		set_up_client(NULL);
		ask(&client);
		for (const char *s = responses[i].bytes; *s; s++) {
			if (client.x)
				exchange_pause(client.x, true);
			raw_write(s, 1);
			settle();
			if (client.x)
				exchange_pause(client.x, false);
			settle();
		}
		if (responses[i].eof)
			stream_mem_finish(raw);
		settle();
		check_response(i);
		tear_down();
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

			set_up_client(NULL);
			ask(&client);
			raw_write(responses[i].bytes, at % n);
			settle();
			if (at < n)
				stream_mem_finish(raw);
			else
				stream_mem_cut(raw);
			settle();
			assert_int_equal(client.closed, 1);
			assert_int_equal(client.over, 1);
			assert_int_equal(client.error, until_close && at < n ? 0 : ERROR_RESET);
			assert_int_equal(client.ends, until_close && at < n);
			tear_down();
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
		set_up_client(NULL);
		ask(&client);
		raw_say(bad[i]);
		assert_int_equal(client.closed, 1);
		assert_int_equal(client.error, ERROR_MALFORMED);
		assert_int_equal(client.over_error, ERROR_MALFORMED);
		tear_down();
	}
}

static void test_101_ends_the_connection(void **state)
{
	(void)state;
	set_up_client(NULL);
	ask(&client);
	raw_say("HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\nopaque");
	assert_int_equal(client.status, 101);
	assert_int_equal(client.ends, 1);
	assert_int_equal(client.got, 0);
	assert_int_equal(client.over, 1);
	tear_down();
}

/* The request is not over when the answer is. */
static void test_early_answer(void **state)
{
	(void)state;
	set_up_client(NULL);
	client.head.streamed = true;
	client.end_late = true;
	client.total = 10;
	ask(&client);
	raw_say("HTTP/1.1 403 Forbidden\r\nContent-Length: 4\r\n\r\nsays");
	assert_int_equal(client.status, 403);
	assert_int_equal(client.ends, 1);
	assert_int_equal(client.closed, 1);
	assert_int_equal(client.error, ERROR_RESET);
	assert_int_equal(client.over_error, ERROR_RESET);
	assert_int_equal(client.idles, 0);
	tear_down();
}

/* The peer answered and hung up while we were still writing: the answer is heard. */
static void test_answer_before_write_error(void **state)
{
	struct stream_mem_options o = stream_mem_plain;

	(void)state;
	o.buffer = 1000;
	set_up_client(&o);
	client.head.streamed = true;
	client.total = 100000;
	stream_want(raw, false, false);
	ask(&client);
	settle();
	assert_true(client.sent < client.total);
	raw_put("HTTP/1.1 407 Proxy Authentication Required\r\n\r\nwho are you");
	stream_close(raw);
	raw = NULL;
	pump(&client);
	settle();
	assert_int_equal(client.status, 407);
	assert_int_equal(client.closed, 1);
	assert_int_equal(client.error, ERROR_RESET);
	tear_down();
	/* The same noticed by a write in exchange_send. */
	set_up_client(NULL);
	client.head.streamed = true;
	client.hold = true;
	ask(&client);
	assert_int_equal(exchange_send(client.x, &client.head, 0, false), 0);
	raw_put("HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 4\r\n\r\nwho?");
	stream_close(raw);
	raw = NULL;
	client.ended = true;
	assert_int_equal(exchange_send(client.x, NULL, 0, true), ERROR_RESET);
	assert_int_equal(client.closed, 0);	/* never from within the call */
	settle();
	assert_int_equal(client.status, 407);
	assert_int_equal(client.ends, 1);
	assert_int_equal(client.closed, 1);
	assert_int_equal(client.error, ERROR_RESET);
	tear_down();
}

static void test_idle_client(void **state)
{
	(void)state;
	set_up_client(NULL);
	raw_say("HTTP/1.1 408 Request Timeout\r\n\r\n");
	assert_int_equal(client.over, 1);
	assert_int_equal(client.over_error, 0);
	tear_down();
	set_up_client(NULL);
	stream_mem_finish(raw);
	settle();
	assert_int_equal(client.over, 1);
	assert_int_equal(client.over_error, 0);
	tear_down();
	/* An answer to a question not asked yet. */
	set_up_client(NULL);
	client.hold = true;
	ask(&client);
	raw_say("HTTP/1.1 408 Request Timeout\r\n\r\n");
	assert_int_equal(client.heads, 0);
	assert_int_equal(client.error, ERROR_RESET);
	tear_down();
	/* More than was asked for. */
	set_up_client(NULL);
	ask(&client);
	raw_say("HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n1HTTP/1.1 200 OK\r\n");
	assert_int_equal(client.error, 0);
	assert_int_equal(client.idles, 0);
	assert_int_equal(client.over, 1);
	tear_down();
	set_up_client(NULL);
	ask(&client);
	stream_mem_fail(stream_mem_peer(raw), ERROR_TLS);
	settle();
	assert_int_equal(client.error, ERROR_TLS);
	assert_int_equal(client.over_error, ERROR_TLS);
	tear_down();
}

static void test_head_request(void **state)
{
	(void)state;
	set_up_client(NULL);
	client.head.method = "HEAD";
	ask(&client);
	raw_say("HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n");
	assert_int_equal(client.closed, 1);
	assert_int_equal(client.error, 0);
	assert_int_equal(client.idles, 1);
	tear_down();
}

/* Requests */

#define REQUEST "POST /p?q HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nabc"
#define OK_EMPTY "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"

static void test_requests_split(void **state)
{
	static const char *const requests[] = {
		REQUEST, "GET / HTTP/1.1\r\nHost: h\r\n\r\n", "\r\nGET / HTTP/1.1\r\n\r\n",
		"POST http://h/p?q HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n2\r\nbc\r\n0\r\n\r\n",
	};

	(void)state;
	for (size_t i = 0; i < sizeof requests / sizeof *requests; i++) {
		size_t n = strlen(requests[i]);
		uint64_t body = *requests[i] == 'P' ? 3 : 0;

		for (size_t at = 0; at <= n; at++) {
			set_up_server(NULL, NULL);
			raw_write(requests[i], at);
			loop_advance(loop, loop_now(loop) + 5);
			raw_write(requests[i] + at, n - at);
			settle();
			assert_int_equal(server.requests, 1);
			assert_int_equal(server.got, body);
			assert_int_equal(server.closed, 1);
			assert_int_equal(server.error, 0);
			assert_int_equal(server.over, 0);
			assert_string_equal(raw_in, OK_EMPTY);
			tear_down();
		}
		for (size_t at = 0; at < n; at++) {	/* and cut there */
			set_up_server(NULL, NULL);
			server.hold = true;
			raw_write(requests[i], at);
			loop_advance(loop, loop_now(loop) + 5);
			if (at % 2)
				stream_mem_cut(raw);
			else
				stream_mem_finish(raw);
			settle();
			assert_int_equal(server.closed, server.requests);
			assert_int_equal(server.over, 1);
			assert_int_equal(server.over_error, at == 0 || (at == 2 && *requests[i] == '\r') ? 0 : ERROR_RESET);
			tear_down();
		}
	}
}

static void test_pipelined_wait(void **state)
{
	(void)state;
	set_up_server(NULL, NULL);
	server.hold = true;
	raw_say(REQUEST REQUEST REQUEST);
	assert_int_equal(server.requests, 1);
	assert_int_equal(server.got, 3);
	assert_int_equal(server.ends, 1);
	server.hold = false;
	pump(&server);
	settle();
	assert_int_equal(server.requests, 3);
	assert_int_equal(server.got, 9);
	assert_int_equal(server.closed, 3);
	assert_string_equal(raw_in, OK_EMPTY OK_EMPTY OK_EMPTY);
	tear_down();
}

static void test_pause(void **state)
{
	(void)state;
	for (int when = AT_HEAD; when <= AT_END; when++) {
		set_up_server(NULL, NULL);
		server.when = (enum moment)when;
		server.what = DO_PAUSE;
		raw_say("POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n"
			"1\r\na\r\n2\r\nbc\r\n1\r\nd\r\n0\r\n\r\n" REQUEST);
		if (when < AT_END) {
			assert_int_equal(server.got, when == AT_HEAD ? 0 : 1);
			assert_int_equal(server.ends, 0);
			assert_int_equal(server.requests, 1);
			raw_say(REQUEST);	/* nobody reads it */
			server.paused = false;
			exchange_pause(server.x, false);
			assert_int_equal(server.got, when == AT_HEAD ? 0 : 1);
		} else {
			raw_say(REQUEST);
		}
		settle();
		assert_int_equal(server.requests, 3);
		assert_int_equal(server.got, 10);
		assert_int_equal(server.ends, 3);
		assert_int_equal(server.closed, 3);
		tear_down();
	}
}

/* Paused, the window of the stream fills up and the sender waits. */
static void test_pause_long_body(void **state)
{
	struct stream_mem_options o = stream_mem_plain;
	uint64_t sent;

	(void)state;
	o.buffer = 3000;
	set_up_pair(&o);
	client.head.streamed = true;
	client.total = 100000;
	server.hold = true;
	server.when = AT_BODY;
	server.what = DO_PAUSE;
	ask(&client);
	settle();
	sent = client.sent;
	assert_true(sent < 30000);
	for (int i = 0; i < 20; i++) {
		settle();
		server.paused = false;
		server.when = AT_BODY;
		exchange_pause(server.x, false);
	}
	assert_true(client.sent > sent);
	settle();
	server.when = AT_NEVER;
	server.paused = false;
	exchange_pause(server.x, false);
	settle();
	assert_int_equal(server.got, 100000);
	assert_int_equal(server.ends, 1);
	tear_down();
}

static void test_http_1_0(void **state)
{
	(void)state;
	set_up_server(NULL, NULL);
	server.head.streamed = true;
	server.total = 3;
	raw_say("POST / HTTP/1.0\r\nContent-Length: 3\r\n\r\nabc");
	raw_in[raw_n - 3] = '\0';
	assert_string_equal(raw_in, "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n");
	assert_true(raw_eof);
	assert_int_equal(server.error, 0);
	assert_int_equal(server.over_error, 0);
	assert_int_equal(server.over, 1);
	tear_down();
	set_up_server(NULL, NULL);
	raw_say("POST / HTTP/1.0\r\nContent-Length: 3\r\n\r\nabc");
	assert_string_equal(raw_in, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
	assert_true(raw_eof);
	tear_down();
	set_up_server(NULL, NULL);
	raw_say("POST / HTTP/1.0\r\nConnection: Keep-Alive\r\nContent-Length: 3\r\n\r\nabc");
	assert_string_equal(raw_in, "HTTP/1.1 200 OK\r\nConnection: keep-alive\r\nContent-Length: 0\r\n\r\n");
	assert_false(raw_eof);
	tear_down();
}

static void test_bodyless(void **state)
{
	(void)state;
	set_up_server(NULL, NULL);
	server.total = 5;
	raw_say("HEAD / HTTP/1.1\r\nHost: h\r\n\r\n");
	assert_string_equal(raw_in, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n");
	raw_n = 0;
	server.head.streamed = true;
	raw_say("HEAD / HTTP/1.1\r\nHost: h\r\n\r\n");
	assert_string_equal(raw_in, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
	raw_n = 0;
	server.head = (struct exchange_head){ .status = 204, .lines = "" };
	raw_say(REQUEST);
	assert_string_equal(raw_in, "HTTP/1.1 204 No Content\r\n\r\n");
	assert_int_equal(server.closed, 3);
	tear_down();
}

static void test_malformed_requests(void **state)
{
	static const char refusal[] = "HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
	static const char *const bad[] = {
		"\x16\x03\x01\x02", "GET / HTTP/2.0\r\n\r\n", "GET /\r\n\r\n", "G\r\n",
		"POST / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
		"POST / HTTP/1.1\r\nTransfer-Encoding: gzip\r\n\r\n",
	};

	(void)state;
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		set_up_server(NULL, NULL);
		raw_say(bad[i]);
		assert_int_equal(server.requests, 0);
		assert_string_equal(raw_in, refusal);
		assert_true(raw_eof);
		assert_int_equal(server.over_error, ERROR_MALFORMED);
		tear_down();
	}
	/* In a body there is nobody to tell. */
	set_up_server(NULL, NULL);
	server.hold = true;
	raw_say("POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n");
	assert_int_equal(server.error, ERROR_MALFORMED);
	assert_int_equal(raw_n, 0);
	tear_down();
	/* A head without end. */
	set_up_server(NULL, NULL);
	raw_say("GET / HTTP/1.1\r\n");
	for (int i = 0; i < 70000 && server.h; i += 100) {
		char line[101];

		memset(line, 'x', 100);
		memcpy(line, "a:", 2);
		memcpy(line + 98, "\r\n", 3);
		raw_write(line, 100);
		loop_advance(loop, loop_now(loop) + 1);
	}
	settle();
	assert_string_equal(raw_in, refusal);
	tear_down();
	/* Refused, but the refusal cannot be written: not for ever. */
	{
		struct stream_mem_options o = stream_mem_plain;

		o.buffer = 20;
		set_up_server(NULL, &o);
		stream_want(raw, false, false);
		raw_say("G\r\n");
		assert_int_equal(server.over, 0);
		loop_advance(loop, loop_now(loop) + 60 * LOOP_SECOND);
		assert_int_equal(server.over_error, ERROR_TIMEOUT);
		tear_down();
	}
}

static void wait_s(int64_t seconds)
{
	loop_advance(loop, loop_now(loop) + seconds * LOOP_SECOND);
}

static void test_limits(void **state)
{
	struct h1_limits l = { .head_us = 10 * LOOP_SECOND, .idle_us = 100 * LOOP_SECOND, .body_us = 40 * LOOP_SECOND };

	(void)state;
	/* A connection that says nothing. */
	set_up_server(&l, NULL);
	wait_s(9);
	assert_int_equal(server.over, 0);
	wait_s(1);
	assert_int_equal(server.over_error, ERROR_TIMEOUT);
	tear_down();
	/* A head that trickles, on a fresh connection and on an old one. */
	set_up_server(&l, NULL);
	for (int i = 0; i < 12 && server.h; i++) {
		raw_write(&"GET / HTTP/1.1\r\n"[i], 1);
		wait_s(1);
		assert_int_equal(server.over, i >= 9);
	}
	tear_down();
	set_up_server(&l, NULL);
	raw_put(REQUEST);
	wait_s(90);
	assert_int_equal(server.over, 0);
	for (int i = 0; i < 12 && server.h; i++) {
		raw_write(&"GET / HTTP/1.1\r\n"[i], 1);
		wait_s(1);
		assert_int_equal(server.over, i >= 9);
	}
	assert_int_equal(server.over_error, ERROR_TIMEOUT);
	tear_down();
	/* Idle. */
	set_up_server(&l, NULL);
	raw_put(REQUEST);
	wait_s(99);
	assert_int_equal(server.over, 0);
	wait_s(1);
	assert_int_equal(server.over, 1);
	assert_int_equal(server.over_error, 0);
	tear_down();
	/* A body that stops; not while it is us who do not read. */
	set_up_server(&l, NULL);
	server.hold = true;
	raw_put("POST / HTTP/1.1\r\nContent-Length: 3\r\n\r\n");
	wait_s(39);
	raw_write("a", 1);
	wait_s(39);
	exchange_pause(server.x, true);
	wait_s(1000);
	assert_int_equal(server.over, 0);
	exchange_pause(server.x, false);
	wait_s(39);
	assert_int_equal(server.over, 0);
	wait_s(1);
	assert_int_equal(server.error, ERROR_TIMEOUT);
	assert_int_equal(server.closed, 1);
	tear_down();
	/* An answer may be held as long as the application likes. */
	set_up_server(&l, NULL);
	server.hold = true;
	raw_put(REQUEST);
	wait_s(1000);
	assert_int_equal(server.over, 0);
	tear_down();
}

/* An answer that nobody reads ends. */
static void test_limit_of_output(void **state)
{
	struct stream_mem_options o = stream_mem_plain;

	(void)state;
	o.buffer = 1000;
	set_up_server(NULL, &o);
	server.total = 10000;
	server.portion = 10000;
	stream_want(raw, false, false);
	raw_say(REQUEST);
	wait_s(58);
	assert_int_equal(server.over, 0);
	wait_s(1);
	assert_int_equal(server.error, ERROR_TIMEOUT);
	tear_down();
}

/* The answer is complete before the request is: the rest is waited for. */
static void test_answer_before_request_end(void **state)
{
	(void)state;
	set_up_server(NULL, NULL);
	raw_say("POST / HTTP/1.1\r\nContent-Length: 6\r\n\r\nabc");
	assert_string_equal(raw_in, OK_EMPTY);
	assert_int_equal(server.closed, 0);
	raw_say("abc" REQUEST);
	assert_int_equal(server.closed, 2);
	assert_int_equal(server.error, 0);
	assert_int_equal(server.got, 9);
	raw_say("POST / HTTP/1.1\r\nContent-Length: 6\r\n\r\nabc");
	wait_s(60);
	assert_int_equal(server.error, ERROR_TIMEOUT);
	tear_down();
	set_up_server(NULL, NULL);
	raw_say("POST / HTTP/1.1\r\nContent-Length: 6\r\n\r\nabc");
	exchange_abort(server.x);
	server.x = NULL;
	assert_int_equal(server.over, 0);
	settle();
	assert_int_equal(server.over, 1);
	assert_int_equal(server.closed, 0);
	assert_true(raw_eof);
	tear_down();
}

static void test_drain(void **state)
{
	(void)state;
	set_up_server(NULL, NULL);
	raw_say(REQUEST);
	h1_drain(server.h);
	settle();
	assert_int_equal(server.over, 1);
	assert_int_equal(server.over_error, 0);
	tear_down();
	set_up_server(NULL, NULL);
	server.hold = true;
	raw_say(REQUEST);
	h1_drain(server.h);
	settle();
	assert_int_equal(server.over, 0);
	server.hold = false;
	pump(&server);
	settle();
	assert_string_equal(raw_in, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
	assert_int_equal(server.error, 0);
	assert_int_equal(server.over_error, 0);
	tear_down();
	set_up_server(NULL, NULL);	/* half a head: that request is still taken */
	raw_say("GET / HT");
	h1_drain(server.h);
	loop_advance(loop, loop_now(loop) + 1);
	assert_int_equal(server.over, 0);
	tear_down();
}

/* An exchange dropped when both messages are complete leaves the connection whole. */
static void test_abort_of_a_complete_exchange(void **state)
{
	(void)state;
	set_up_pair(NULL);
	client.when = AT_END;
	client.what = DO_ABORT;
	ask(&client);
	settle();
	assert_int_equal(client.closed, 0);
	assert_int_equal(client.idles, 1);
	assert_int_equal(client.over, 0);
	ask(&client);
	settle();
	assert_int_equal(client.closed, 1);
	tear_down();
}

/* Cut behind every byte of either direction: exactly one end for everything. */
static void test_cut_everywhere(void **state)
{
	static const struct {
		bool up, down;	/* streamed */
	} modes[] = { { false, false }, { true, false }, { false, true }, { true, true } };

	(void)state;
	for (size_t m = 0; m < sizeof modes / sizeof *modes; m++) {
		for (int64_t at = 0; at < 420; at++) {
			struct stream_mem_options o = stream_mem_plain;

			o.delay_us = 10;
			if (at % 3 == 2)
				o.stall_after[at & 1] = at / 2;
			else
				o.cut_after[at & 1] = at / 2;
			set_up_pair(&o);
			client.head.streamed = modes[m].up;
			server.head.streamed = modes[m].down;
			client.total = server.total = 60;
			client.portion = server.portion = 60;
			if (modes[m].up)
				client.portion = 20;
			if (modes[m].down)
				server.portion = 20;
			ask(&client);
			settle();
			if (at % 3 != 2 && o.cut_after[at & 1] < (at & 1 ? 90 : 100)) {
				assert_int_equal(client.over, 1);
				assert_int_equal(server.over, 1);
				assert_int_equal(client.closed, 1);
				assert_true(client.error != 0);
			}
			assert_int_equal(server.closed + (server.x != NULL), server.requests);
			tear_down();
			assert_int_equal(client.closed, 1);
			assert_int_equal(client.over, 1);
			assert_int_equal(server.over, 1);
			assert_int_equal(server.closed, server.requests);
			assert_true(client.ends <= 1 && server.ends <= 1);
		}
	}
}

/* Every call from every event, on either side. */
static void test_calls_from_events(void **state)
{
	(void)state;
	for (int k = 0; k < 2 * MOMENTS * ACTIONS * 2; k++) {
		struct stream_mem_options o = stream_mem_plain;
		struct party *p = k & 1 ? &server : &client;

		o.buffer = 2000;
		o.delay_us = 10;
		set_up_pair(&o);
		p->when = (enum moment)(k / 2 % MOMENTS);
		p->what = (enum action)(k / 2 / MOMENTS % ACTIONS);
		client.head.streamed = server.head.streamed = k >= 2 * MOMENTS * ACTIONS;
		client.total = server.total = 10000;
		client.portion = server.portion = 10000;
		ask(&client);
		settle();
		if (p->paused) {
			p->paused = false;
			exchange_pause(p->x, false);
			settle();
		}
		tear_down();
		assert_int_equal(client.over, 1);
		assert_int_equal(server.over, 1);
		assert_true(client.closed + server.closed >= 1);
		assert_true(client.closed <= 1 && server.closed <= 1);
	}
}

static struct loop *dice;	/* only for its chance */

static uint64_t chance(uint64_t n)
{
	return loop_random_u64(dice) % n;
}

static void poke(struct party *p)
{
	switch (chance(12)) {
	case 0:
		if (p->x)
			exchange_pause(p->x, p->paused = !p->paused);
		break;
	case 1:
		if (p->x && chance(8) == 0) {
			exchange_abort(p->x);
			p->x = NULL;
		}
		break;
	case 2:
		if (p->h && chance(30) == 0)
			h1_close(p->h);
		break;
	case 3:
		p->when = (enum moment)chance(MOMENTS);
		p->what = chance(10) ? DO_PAUSE : (enum action)chance(ACTIONS);
		break;
	case 4:
		p->hold = chance(3) == 0;
		break;
	default:
		if (p->x)
			pump(p);
	}
}

static void ask_by_chance(void)
{
	struct party *sides[] = { &client, &server };

	for (int i = 0; i < 2; i++) {
		sides[i]->head.streamed = chance(2);
		sides[i]->total = chance(30000);
		sides[i]->portion = sides[i]->head.streamed ? 1 + chance(20000) : 30000;
	}
	ask(&client);
}

/* Whatever is done in whatever order, bodies are prefixes of what was sent and ends come once. */
static void test_random(void **state)
{
	int in_order = 0, cut = 0;

	(void)state;
	dice = loop_new_virtual(0, 0);
	for (uint64_t seed = 0; seed < 1000; seed++) {
		struct stream_mem_options o = stream_mem_plain;

		loop_seed(dice, seed);
		o.delay_us = (int64_t)chance(100);
		o.buffer = 1 + chance(20000);
		o.chunk = chance(3000);
		o.write_chunk = chance(3000);
		if (chance(3) == 0)
			o.cut_after[chance(2)] = (int64_t)chance(60000);
		set_up_pair(&o);
		for (int step = 0; step < 300 && (client.h || server.h); step++) {
			if (client.h && !client.x && client.idles == client.closed && chance(2))
				ask_by_chance();
			poke(&client);
			poke(&server);
			loop_advance(loop, loop_now(loop) + (int64_t)chance(2000));
		}
		in_order += client.idles;
		cut += client.closed - client.idles;
		tear_down();
		assert_int_equal(client.over, 1);
		assert_int_equal(server.over, 1);
	}
	loop_free(dice);
	assert_true(in_order > 1000 && cut > 100);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_complete),
		cmocka_unit_test(test_wire_request),
		cmocka_unit_test(test_empty_sends),
		cmocka_unit_test(test_big_portion),
		cmocka_unit_test(test_duplex_back_pressure),
		cmocka_unit_test(test_end_behind_pending_output),
		cmocka_unit_test(test_responses_split),
		cmocka_unit_test(test_responses_trickle),
		cmocka_unit_test(test_responses_cut),
		cmocka_unit_test(test_response_nonsense),
		cmocka_unit_test(test_101_ends_the_connection),
		cmocka_unit_test(test_early_answer),
		cmocka_unit_test(test_answer_before_write_error),
		cmocka_unit_test(test_idle_client),
		cmocka_unit_test(test_head_request),
		cmocka_unit_test(test_requests_split),
		cmocka_unit_test(test_pipelined_wait),
		cmocka_unit_test(test_pause),
		cmocka_unit_test(test_pause_long_body),
		cmocka_unit_test(test_http_1_0),
		cmocka_unit_test(test_bodyless),
		cmocka_unit_test(test_malformed_requests),
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_limit_of_output),
		cmocka_unit_test(test_answer_before_request_end),
		cmocka_unit_test(test_drain),
		cmocka_unit_test(test_abort_of_a_complete_exchange),
		cmocka_unit_test(test_cut_everywhere),
		cmocka_unit_test(test_calls_from_events),
		cmocka_unit_test(test_random),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
