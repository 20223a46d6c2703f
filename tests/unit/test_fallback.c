/* links: server/fallback.c server/passage.c server/fallback_head.c server/conduit.c server/website.c server/origins.c tunnel/http.c tunnel/h1.c tunnel/h1_again.c tunnel/h1_output.c tunnel/h1_client.c tunnel/h1_server.c tunnel/h2*.c tunnel/course.c tunnel/loop.c tunnel/log.c tunnel/counters.c tunnel/websocket_key.c framing/base64.c tunnel/address.c framing/http1.c framing/http1_head.c framing/http1_format.c framing/cursor.c framing/varint.c framing/error.c tests/lib/stream_mem.c */
/* libs: -lev -lnghttp2 -lcrypto -lhttp_parser */
/* Requests that pass on to a website: visitor and website by hand, in virtual time, what is between them for real. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "framing/error.h"
#include "server/fallback.h"
#include "server/origins.h"
#include "tests/lib/stream_mem.h"
#include "tunnel/counters.h"
#include "tunnel/h1.h"
#include "tunnel/log.h"
#include "tunnel/stream_tcp.h"

#define ENDS 32
#define GET "GET /page HTTP/1.1\r\nHost: www.example.org\r\n\r\n"
#define OK "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
#define PASSED_ON                                                                                                             \
	"X-Forwarded-For: 192.0.2.1\r\nX-Forwarded-Proto: https\r\nX-Forwarded-Host: www.example.org\r\n"                      \
	"Forwarded: for=192.0.2.1;host=\"www.example.org\";proto=https\r\nVia: 1.1 culvert\r\n"

/* A far end by hand: a visitor's, or the website's of one connection. */
struct end {
	struct stream *stream;
	char in[70000];
	size_t n, total;
	bool eof, cut, deaf;
};

static struct loop *loop;
static struct fallback *fallback;
static struct end *visitor[ENDS], *site[ENDS];
static unsigned visitors, sites;
static const struct stream_mem_options *wires;	/* of connections that begin */
static enum { CONNECTS, REFUSES, SILENT } connecting;
static char error[256];

/* ---- the ends ---- */

static void end_readable(void *ctx)
{
	struct end *e = ctx;
	ssize_t n;

	if (e->n > sizeof e->in / 2)
		e->n = 0;
	n = stream_read(e->stream, (uint8_t *)e->in + e->n, sizeof e->in - 1 - e->n);
	if (n > 0) {
		e->n += (size_t)n;
		e->total += (size_t)n;
		e->in[e->n] = 0;
		return;
	}
	e->eof = n == 0;
	e->cut = n < 0;
	stream_want(e->stream, false, false);
}

static void end_failed(void *ctx, int why)
{
	struct end *e = ctx;

	(void)why;
	e->cut = true;
}

static void ignore(void *ctx)
{
	(void)ctx;
}

static const struct stream_events end_events = { ignore, end_readable, ignore, end_failed };

static struct end *end_new(struct stream *s)
{
	struct end *e = calloc(1, sizeof *e);

	e->stream = s;
	stream_attach(s, &end_events, e);
	stream_want(s, true, false);
	return e;
}

static void end_free(struct end *e)
{
	if (e->stream)
		stream_close(e->stream);
	free(e);
}

static void leave(struct end *e)
{
	stream_close(e->stream);
	e->stream = NULL;
}

static void settle(int64_t us)
{
	loop_advance(loop, loop_now(loop) + us);
}

static void say(struct end *e, const char *text)
{
	assert_int_equal(stream_write(e->stream, (const uint8_t *)text, strlen(text)), strlen(text));
	settle(1000);
}

/* What came since the last look. */
static const char *heard(struct end *e)
{
	e->n = 0;
	return e->in;
}

/* ---- the connections of the website ---- */

struct connect {
	struct later later;
	struct timer timer;
	struct stream *stream;
	int error;
};

static void connect_done(void *ctx)
{
	struct connect *c = ctx;
	struct stream *s = c->stream;

	if (c->error)
		s->events->failed(s->ctx, c->error);
	else
		s->events->ready(s->ctx);
	loop_free_later(loop, c);
}

struct stream *stream_tcp_connect(struct loop *l, const struct sockaddr *sa, socklen_t len, const struct stream_events *events, void *ctx)
{
	struct connect *c;
	struct stream *a, *b;

	assert_int_equal(sa->sa_family, AF_INET);
	assert_true(len > 0 && sites < ENDS);
	stream_mem_pair(l, &a, &b, wires);
	stream_attach(a, events, ctx);
	site[sites++] = end_new(b);
	if (connecting == SILENT)
		return a;
	c = calloc(1, sizeof *c);
	c->stream = a;
	c->error = connecting == REFUSES ? ERROR_REFUSED : 0;
	later_init(&c->later, connect_done, c);
	loop_later(l, &c->later);
	return a;
}

/* ---- the visitors' connections ---- */

static struct fallback_visitor from;
static bool bodiless;

static void on_request(void *ctx, struct exchange *x, const struct http1_head *head)
{
	(void)ctx;
	fallback_request(fallback, x, head, &from, bodiless);
}

static void on_closed(void *ctx, int why)
{
	(void)ctx, (void)why;
}

static const struct http_events http_events = { .request = on_request, .closed = on_closed };

static struct end *visit(void)
{
	struct stream *a, *b;

	assert_true(visitors < ENDS);
	stream_mem_pair(loop, &a, &b, wires);
	h1_server(loop, a, &http_limits_default, &http_events, NULL);
	return visitor[visitors++] = end_new(b);
}

static void begin(size_t max)
{
	loop = loop_new_virtual(1000, 1700000000);
	visitors = sites = 0;
	wires = NULL;
	connecting = CONNECTS;
	bodiless = false;
	from = (struct fallback_visitor){ .peer = "192.0.2.1:5004", .tls = true };
	fallback = fallback_new(loop, "http://127.0.0.1:8081", max, error, sizeof error);
	assert_non_null(fallback);
}

static void finish(void)
{
	while (visitors)
		end_free(visitor[--visitors]);
	settle(1000);
	fallback_free(fallback);
	settle(1000);
	while (sites) {
		assert_true(site[sites - 1]->eof || site[sites - 1]->cut || !site[sites - 1]->stream);
		end_free(site[--sites]);
	}
	settle(1000);
	loop_free(loop);
}

static struct fallback_stats stats(void)
{
	struct fallback_stats s;

	fallback_stats(fallback, &s);
	return s;
}

/* ---- there and back ---- */

static void test_get(void **state)
{
	struct end *v;

	(void)state;
	begin(8);
	v = visit();
	for (int i = 0; i < 3; i++) {
		say(v, GET);
		assert_int_equal(sites, 1);	/* kept */
		assert_string_equal(heard(site[0]), "GET /page HTTP/1.1\r\nHost: www.example.org\r\n" PASSED_ON "\r\n");
		assert_int_equal(stats().in_flight, 1);
		say(site[0], "HTTP/1.1 200 OK\r\nServer: s\r\nKeep-Alive: timeout=5\r\nConnection: keep-alive\r\nContent-Length: 2\r\nVary: a\r\n\r\nok");
		assert_string_equal(heard(v), "HTTP/1.1 200 OK\r\nServer: s\r\nVary: a\r\nContent-Length: 2\r\n\r\nok");
		assert_int_equal(stats().in_flight, 0);
		assert_int_equal(stats().website.idle, 1);
	}
	settle(3900000);
	assert_false(site[0]->eof);
	settle(200000);
	assert_true(site[0]->eof);	/* before the website does it */
	assert_int_equal(stats().website.connections, 0);
	assert_int_equal(stats().requests, 3);
	assert_int_equal(stats().failures, 0);
	finish();
}

/* What comes in one piece goes in one, and what comes late goes at once. */
static void test_answers(void **state)
{
	static const struct {
		const char *request, *answer, *expected;
	} cases[] = {
		{ GET, "HTTP/1.1 206 P\r\nContent-Range: bytes 0-0/9\r\nContent-Length: 1\r\n\r\nx",
		  "HTTP/1.1 206 Partial Content\r\nContent-Range: bytes 0-0/9\r\nContent-Length: 1\r\n\r\nx" },
		{ GET, "HTTP/1.1 302 F\r\nLocation: /x\r\nContent-Length: 0\r\n\r\n",
		  "HTTP/1.1 302 Found\r\nLocation: /x\r\nContent-Length: 0\r\n\r\n" },
		{ GET, "HTTP/1.1 304 N\r\nETag: \"a\"\r\n\r\n", "HTTP/1.1 304 Not Modified\r\nETag: \"a\"\r\n\r\n" },
		{ GET, "HTTP/1.1 304 N\r\nContent-Length: 77\r\n\r\n", "HTTP/1.1 304 Not Modified\r\nContent-Length: 77\r\n\r\n" },
		{ GET, "HTTP/1.1 204 N\r\n\r\n", "HTTP/1.1 204 No Content\r\n\r\n" },
		{ "HEAD /page HTTP/1.1\r\nHost: h\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 123456789012\r\n\r\n",
		  "HTTP/1.1 200 OK\r\nContent-Length: 123456789012\r\n\r\n" },
		{ "HEAD /page HTTP/1.1\r\nHost: h\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
		  "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n" },
		{ GET, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: T\r\n\r\n2\r\nab\r\n1\r\nc\r\n0\r\nT: 1\r\n\r\n",
		  "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0002\r\nab\r\n0001\r\nc\r\n0\r\n\r\n" },
		{ GET, "HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" OK, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok" },
		{ "GET / HTTP/1.0\r\n\r\n", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n0\r\n\r\n",
		  "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nab" },
		{ "OPTIONS * HTTP/1.1\r\nHost: h\r\n\r\n", OK, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		begin(8);
		visit();
		say(visitor[0], cases[i].request);
		assert_non_null(strstr(heard(site[0]), " HTTP/1.1\r\nHost: "));
		say(site[0], cases[i].answer);
		assert_string_equal(heard(visitor[0]), cases[i].expected);
		assert_int_equal(stats().in_flight, 0);
		finish();
	}
}

static void test_until_close(void **state)
{
	(void)state;
	begin(8);
	visit();
	say(visitor[0], GET);
	say(site[0], "HTTP/1.0 200 OK\r\n\r\n");
	assert_string_equal(heard(visitor[0]), "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
	say(site[0], "abc");
	assert_string_equal(heard(visitor[0]), "0003\r\nabc\r\n");
	leave(site[0]);
	settle(1000);
	assert_string_equal(heard(visitor[0]), "0\r\n\r\n");
	assert_int_equal(stats().failures, 0);
	finish();
}

/* Events come one by one over hours. */
static void test_events(void **state)
{
	(void)state;
	begin(8);
	visit();
	say(visitor[0], GET);
	say(site[0], "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n");
	assert_non_null(strstr(heard(visitor[0]), "text/event-stream"));
	for (int i = 0; i < 20; i++) {
		settle(500 * LOOP_SECOND);
		say(site[0], "3\r\nd:\n\r\n");
		assert_string_equal(heard(visitor[0]), "0003\r\nd:\n\r\n");
	}
	settle(601 * LOOP_SECOND);	/* and then nothing */
	assert_true(visitor[0]->eof && site[0]->eof);
	assert_int_equal(stats().failures, 1);
	finish();
}

/* ---- bodies of requests ---- */

static void test_post(void **state)
{
	(void)state;
	begin(8);
	visit();
	say(visitor[0], GET);
	say(site[0], OK);
	heard(site[0]);
	/* It cannot be repeated: a connection of its own. */
	say(visitor[0], "POST /form HTTP/1.1\r\nHost: www.example.org\r\nContent-Length: 5\r\nCookie: a=b\r\n\r\nhello");
	assert_int_equal(sites, 2);
	assert_string_equal(heard(site[1]), "POST /form HTTP/1.1\r\nHost: www.example.org\r\nCookie: a=b\r\n" PASSED_ON "Content-Length: 5\r\n\r\nhello");
	say(site[1], OK);
	say(visitor[0], "POST /form HTTP/1.1\r\nHost: www.example.org\r\nContent-Length: 6\r\n\r\nhel");
	assert_string_equal(heard(site[2]), "POST /form HTTP/1.1\r\nHost: www.example.org\r\n" PASSED_ON "Content-Length: 6\r\n\r\nhel");
	say(visitor[0], "lo!");
	assert_string_equal(heard(site[2]), "lo!");
	say(site[2], OK);
	say(visitor[0], "PUT /form HTTP/1.1\r\nHost: www.example.org\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n");
	assert_string_equal(heard(site[3]), "PUT /form HTTP/1.1\r\nHost: www.example.org\r\n" PASSED_ON "Transfer-Encoding: chunked\r\n\r\n0003\r\nabc\r\n");
	say(visitor[0], "1\r\nd\r\n0\r\nX: y\r\n\r\n");
	assert_string_equal(heard(site[3]), "0001\r\nd\r\n0\r\n\r\n");
	say(site[3], OK);
	say(visitor[0], "DELETE /form HTTP/1.1\r\nHost: www.example.org\r\n\r\n");
	assert_non_null(strstr(heard(site[3]), "Content-Length: 0\r\n\r\n"));
	finish();
}

static void test_expect(void **state)
{
	(void)state;
	begin(8);
	visit();
	say(visitor[0], "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n");
	assert_string_equal(heard(visitor[0]), "HTTP/1.1 100 Continue\r\n\r\n");
	assert_null(strstr(heard(site[0]), "Expect"));
	say(visitor[0], "ab");
	assert_string_equal(heard(site[0]), "ab");
	say(site[0], OK);
	assert_string_equal(heard(visitor[0]), OK);
	finish();
}

/* Much goes both ways while hardly anything fits in between. */
static void test_back_pressure(void **state)
{
	static const struct stream_mem_options narrow = { .buffer = 3000, .cut_after = { -1, -1 }, .stall_after = { -1, -1 }, .chunk = 700, .write_chunk = 900 };
	static char block[2000];
	size_t up = 0, down = 0, total = 300000;
	char head[128];

	(void)state;
	begin(8);
	memset(block, 'x', sizeof block);
	wires = &narrow;
	visit();
	snprintf(head, sizeof head, "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: %zu\r\n\r\n", total);
	say(visitor[0], head);
	snprintf(head, sizeof head, "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n\r\n", total);
	say(site[0], head);
	heard(visitor[0]);
	visitor[0]->total = site[0]->total = 0;
	/* One that reads nothing stops the other one, and little is kept. */
	stream_want(site[0]->stream, false, false);
	for (int i = 0; i < 500; i++) {
		ssize_t n = stream_write(visitor[0]->stream, (const uint8_t *)block, sizeof block);

		up += n > 0 ? (size_t)n : 0;
		settle(100);
	}
	assert_true(up > 3000 && up < 80000);
	stream_want(site[0]->stream, true, false);
	for (int i = 0; i < 4000 && (up < total || down < total); i++) {
		size_t left = total - up;
		ssize_t n = left ? stream_write(visitor[0]->stream, (const uint8_t *)block, left < sizeof block ? left : sizeof block) : 0;

		up += n > 0 ? (size_t)n : 0;
		left = total - down;
		n = left ? stream_write(site[0]->stream, (const uint8_t *)block, left < sizeof block ? left : sizeof block) : 0;
		down += n > 0 ? (size_t)n : 0;
		settle(100);
	}
	settle(LOOP_SECOND);
	assert_int_equal(site[0]->total, total);
	assert_int_equal(visitor[0]->total, total);
	assert_int_equal(stats().in_flight, 0);
	assert_int_equal(stats().failures, 0);
	finish();
}

/* Answered before it was told: the answer counts, what follows of the request is read over. */
static void test_early_answer(void **state)
{
	(void)state;
	begin(8);
	visit();
	say(visitor[0], "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 10\r\n\r\nabc");
	say(site[0], "HTTP/1.1 413 Too\r\nContent-Length: 3\r\nConnection: close\r\n\r\nbig");
	assert_string_equal(heard(visitor[0]), "HTTP/1.1 413 Content Too Large\r\nContent-Length: 3\r\n\r\nbig");
	say(visitor[0], "defghij" GET);
	assert_int_equal(sites, 2);
	assert_memory_equal(heard(site[1]), "GET /page ", 10);
	assert_int_equal(stats().failures, 0);
	finish();
}

static void test_bodiless(void **state)
{
	(void)state;
	begin(8);
	bodiless = true;
	visit();
	say(visitor[0], "POST /x HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nabc");
	assert_non_null(strstr(heard(site[0]), "Content-Length: 0\r\n\r\n"));
	assert_null(strstr(site[0]->in, "abc"));
	say(site[0], OK);
	assert_string_equal(heard(visitor[0]), OK);
	finish();
}

/* ---- another protocol ---- */

#define WEBSOCKET "GET /ws HTTP/1.1\r\nHost: h\r\nConnection: keep-alive, Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: k\r\n\r\n"

static void test_upgrade(void **state)
{
	(void)state;
	begin(8);
	visit();
	say(visitor[0], WEBSOCKET);
	assert_non_null(strstr(heard(site[0]), "Sec-WebSocket-Key: k\r\n"));
	assert_non_null(strstr(site[0]->in, "\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"));
	say(visitor[0], "early");
	assert_int_equal(site[0]->n, 0);	/* until it is agreed to */
	say(site[0], "HTTP/1.1 101 S\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: a\r\n\r\nhi");
	assert_memory_equal(heard(visitor[0]), "HTTP/1.1 101 Switching Protocols\r\nSec-WebSocket-Accept: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\nhi", 104);
	assert_string_equal(heard(site[0]), "early");
	say(visitor[0], "there");
	assert_string_equal(heard(site[0]), "there");
	say(site[0], "back");
	assert_string_equal(heard(visitor[0]), "back");
	leave(site[0]);
	settle(1000);
	assert_true(visitor[0]->eof);
	assert_int_equal(stats().in_flight, 0);
	finish();
}

static void test_upgrade_refused(void **state)
{
	(void)state;
	begin(8);
	visit();
	say(visitor[0], WEBSOCKET);
	say(site[0], "HTTP/1.1 400 B\r\nContent-Length: 2\r\n\r\nno");
	assert_string_equal(heard(visitor[0]), "HTTP/1.1 400 Bad Request\r\nContent-Length: 2\r\n\r\nno");
	heard(site[0]);
	say(visitor[0], GET);
	assert_int_equal(sites, 1);
	assert_memory_equal(heard(site[0]), "GET /page ", 10);
	say(site[0], "HTTP/1.1 101 S\r\n\r\n");	/* nobody asked */
	assert_memory_equal(heard(visitor[0]), "HTTP/1.1 502 ", 13);
	/* Other protocols are not offered. */
	say(visitor[0], "GET / HTTP/1.1\r\nHost: h\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: x\r\n\r\n");
	assert_null(strstr(heard(site[1]), "2"	"c"));
	assert_null(strstr(site[1]->in, "ettings"));
	say(site[1], OK);
	finish();
}

/* ---- what goes wrong ---- */

/* An answer of ours; retry: what is among its lines. */
static void own(struct end *v, const char *status, const char *retry)
{
	const char *text = heard(v);
	size_t n = strlen(status);

	assert_memory_equal(text, "HTTP/1.1 ", 9);
	assert_memory_equal(text + 9, status, n);
	assert_non_null(strstr(text, "\r\nContent-Type: text/plain; charset=utf-8\r\n"));
	assert_int_equal(!!strstr(text, retry), 1);
	text = strstr(text, "\r\n\r\n") + 4;
	assert_memory_equal(text, status + 4, n - 4);
	assert_string_equal(text + n - 4, "\n");
}

static void test_refused(void **state)
{
	uint64_t before = counted(fallback_failed);

	(void)state;
	begin(8);
	connecting = REFUSES;
	visit();
	say(visitor[0], GET);
	own(visitor[0], "502 Bad Gateway", "Date");
	connecting = CONNECTS;		/* and back */
	say(visitor[0], GET);
	say(site[1], OK);
	assert_string_equal(heard(visitor[0]), OK);
	assert_int_equal(stats().failures, 1);
	assert_int_equal(counted(fallback_failed) - before, 1);
	finish();
}

static void test_times(void **state)
{
	(void)state;
	begin(8);
	connecting = SILENT;
	visit();
	say(visitor[0], GET);
	settle(4900000);
	assert_int_equal(visitor[0]->n, 0);
	settle(200000);
	own(visitor[0], "504 Gateway Timeout", "Date");
	connecting = CONNECTS;
	say(visitor[0], GET);
	settle(59 * LOOP_SECOND);
	assert_int_equal(visitor[0]->n, 0);
	settle(2 * LOOP_SECOND);
	own(visitor[0], "504 Gateway Timeout", "Date");
	assert_true(site[1]->eof);
	assert_int_equal(stats().in_flight, 0);
	finish();
}

static void test_line(void **state)
{
	(void)state;
	begin(2);
	for (int i = 0; i < 4; i++) {
		visit();
		say(visitor[i], GET);
	}
	assert_int_equal(sites, 2);
	assert_int_equal(stats().website.waiting, 2);
	say(site[1], OK);		/* who waits longest is next */
	assert_string_equal(heard(visitor[1]), OK);
	assert_int_equal(sites, 2);
	say(site[1], OK);
	assert_string_equal(heard(visitor[2]), OK);
	visit();
	say(visitor[4], GET);
	settle(10 * LOOP_SECOND);
	own(visitor[4], "503 Service Unavailable", "\r\nRetry-After: 5\r\n");
	assert_int_equal(visitor[3]->n, 0);	/* it has a connection */
	say(site[1], OK);
	assert_string_equal(heard(visitor[3]), OK);
	/* Idle ones make place for one that must be new. */
	say(visitor[3], "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n");
	assert_int_equal(sites, 3);
	assert_true(site[1]->eof);
	finish();
}

static void test_long_line(void **state)
{
	(void)state;
	begin(1);
	for (int i = 0; i < WEBSITE_LINE + 2; i++) {
		visit();
		say(visitor[i], GET);
	}
	assert_int_equal(stats().website.waiting, WEBSITE_LINE);
	own(visitor[WEBSITE_LINE + 1], "503 Service Unavailable", "\r\nRetry-After: 5\r\n");
	for (int i = 0; i < WEBSITE_LINE; i++)
		assert_int_equal(visitor[i]->n, 0);
	leave(visitor[5]);
	settle(1000);
	assert_int_equal(stats().website.waiting, WEBSITE_LINE - 1);
	finish();
}

/* One address uses half of the connections, and waits behind others then. */
static void test_crowd(void **state)
{
	static const uint8_t one[SEALS_ORIGIN] = { 2, 192, 0, 2, 1 }, other[SEALS_ORIGIN] = { 2, 192, 0, 2, 2 };

	(void)state;
	begin(4);
	from.origin = one;
	for (int i = 0; i < 4; i++) {
		visit();
		say(visitor[i], GET);
	}
	assert_int_equal(sites, 2);
	assert_int_equal(stats().website.waiting, 2);
	from.origin = other;
	visit();
	say(visitor[4], GET);
	assert_int_equal(sites, 3);
	assert_int_equal(stats().website.waiting, 2);
	say(site[2], OK);
	assert_string_equal(heard(visitor[4]), OK);
	assert_int_equal(stats().website.waiting, 2);	/* though one is idle */
	say(site[0], OK);
	assert_int_equal(stats().website.waiting, 1);
	assert_int_equal(stats().website.idle, 1);
	leave(visitor[1]);
	settle(1000);
	assert_int_equal(stats().website.waiting, 0);
	finish();
}

/* So many requests are on the way at most, half of them from one address. */
static void test_many(void **state)
{
	static const uint8_t one[SEALS_ORIGIN] = { 2, 192, 0, 2, 1 };

	(void)state;
	begin(1);
	from.origin = one;
	for (int i = 0; i < 7; i++) {
		visit();
		say(visitor[i], GET);
	}
	own(visitor[6], "503 Service Unavailable", "\r\nRetry-After: 5\r\n");
	for (int i = 0; i < 6; i++)
		assert_int_equal(visitor[i]->n, 0);
	from.origin = NULL;
	say(visitor[6], GET);
	assert_int_equal(stats().website.waiting, 6);
	finish();
}

/* The website closes an idle connection as we use it: once more, unless that may do something twice. */
static void test_again(void **state)
{
	(void)state;
	begin(8);
	visit();
	say(visitor[0], GET);
	say(site[0], OK);
	heard(visitor[0]);
	say(visitor[0], GET);
	leave(site[0]);
	settle(1000);
	assert_int_equal(sites, 2);
	assert_memory_equal(heard(site[1]), "GET /page ", 10);
	leave(site[1]);
	settle(1000);
	assert_int_equal(sites, 2);	/* not for ever */
	own(visitor[0], "502 Bad Gateway", "Date");
	say(visitor[0], "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\n\r\nx");
	leave(site[2]);
	settle(1000);
	own(visitor[0], "502 Bad Gateway", "Date");
	assert_int_equal(sites, 3);
	assert_int_equal(stats().failures, 2);
	finish();
}

static void test_cuts(void **state)
{
	(void)state;
	begin(8);
	visit();
	say(visitor[0], GET);
	say(site[0], "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf");
	assert_false(visitor[0]->eof);
	leave(site[0]);
	settle(1000);
	assert_true(visitor[0]->eof);	/* and cannot take it for whole */
	assert_int_equal(stats().failures, 1);
	visit();
	say(visitor[1], GET);
	leave(visitor[1]);
	settle(1000);
	assert_true(site[1]->eof);
	visit();
	say(visitor[2], "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 9\r\n\r\nhalf");
	leave(visitor[2]);
	settle(1000);
	assert_true(site[2]->eof);
	assert_int_equal(stats().in_flight, 0);
	assert_int_equal(stats().failures, 1);
	finish();
}

static void test_nonsense(void **state)
{
	static const char *const answers[] = {
		"SSH-2.0-x\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
		"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", "HTTP/1.1 200 OK\r\nA : b\r\n\r\n",
	};

	(void)state;
	for (size_t i = 0; i < sizeof answers / sizeof *answers; i++) {
		begin(8);
		visit();
		say(visitor[0], GET);
		say(site[0], answers[i]);
		own(visitor[0], "502 Bad Gateway", "Date");
		finish();
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
		begin(8);
		visit();
		say(visitor[0], cases[i].request);
		if (visitor[0]->n)
			own(visitor[0], cases[i].status, "Date");
		else
			fail_msg("%s: no answer", cases[i].request);
		assert_int_equal(sites, 0);
		finish();
	}
}

/* Heads are as long as they may be, both ways. */
static void test_long_heads(void **state)
{
	static char text[20000], value[15001];

	(void)state;
	begin(8);
	memset(value, 'v', sizeof value - 1);
	visit();
	snprintf(text, sizeof text, "GET / HTTP/1.1\r\nHost: h\r\nCookie: %s\r\n\r\n", value);
	say(visitor[0], text);
	assert_non_null(strstr(heard(site[0]), value));
	snprintf(text, sizeof text, "HTTP/1.1 200 OK\r\nSet-Cookie: %s\r\nContent-Length: 2\r\n\r\nok", value);
	say(site[0], text);
	assert_string_equal(heard(visitor[0]), text);
	say(visitor[0], GET);		/* and short ones again */
	heard(site[0]);
	say(site[0], OK);
	assert_string_equal(heard(visitor[0]), OK);
	finish();
}

/* Another website is configured while requests are in flight at the old one. */
static void test_replaced(void **state)
{
	struct fallback *old;

	(void)state;
	begin(8);
	visit();
	say(visitor[0], GET);
	old = fallback;
	fallback = fallback_new(loop, "http://[::1]:80/", 8, error, sizeof error);
	assert_non_null(fallback);
	fallback_free(old);
	settle(1000);
	say(site[0], OK);
	assert_string_equal(heard(visitor[0]), OK);
	settle(1000);
	assert_true(site[0]->eof);
	finish();
}

static void test_urls(void **state)
{
	static const char *const bad[] = { "", "https://127.0.0.1", "http://", "http://name", "http://127.0.0.1/x", "http://127.0.0.1:0",
					   "http://127.0.0.1:1-2", "unix:", "unix:x", "127.0.0.1:80", "http://127.0.0.1:x" };
	static const char *const good[] = { "http://127.0.0.1", "http://127.0.0.1:8081/", "http://[::1]:8081", "http://localhost:8081",
					    "unix:/run/website.sock" };

	(void)state;
	loop = loop_new_virtual(1000, 1700000000);
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		assert_null(fallback_new(loop, bad[i], 1, error, sizeof error));
		assert_memory_equal(error, "must be like http://127.0.0.1:8081 ", 35);
	}
	for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
		fallback = fallback_new(loop, good[i], 1, error, sizeof error);
		if (!fallback)
			fail_msg("%s: %s", good[i], error);
		assert_string_equal(fallback_url(fallback), good[i]);
		fallback_free(fallback);
	}
	loop_free(loop);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_get), cmocka_unit_test(test_answers), cmocka_unit_test(test_until_close),
		cmocka_unit_test(test_events), cmocka_unit_test(test_post), cmocka_unit_test(test_expect),
		cmocka_unit_test(test_back_pressure), cmocka_unit_test(test_early_answer), cmocka_unit_test(test_bodiless),
		cmocka_unit_test(test_upgrade), cmocka_unit_test(test_upgrade_refused), cmocka_unit_test(test_refused),
		cmocka_unit_test(test_times), cmocka_unit_test(test_line), cmocka_unit_test(test_long_line), cmocka_unit_test(test_crowd), cmocka_unit_test(test_many), cmocka_unit_test(test_again),
		cmocka_unit_test(test_cuts), cmocka_unit_test(test_nonsense), cmocka_unit_test(test_refused_requests),
		cmocka_unit_test(test_long_heads), cmocka_unit_test(test_replaced), cmocka_unit_test(test_urls),
	};

	log_setup(LOG_LEVEL_ERROR, false);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
