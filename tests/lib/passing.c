/*
 * The far ends of passages: what they say and hear, and connections to the website that come about, are refused or hang. Called by the
 * tests of the fallback.
 */
#include "tests/lib/passing.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "framing/error.h"
#include "tunnel/h1.h"
#include "tunnel/h2.h"
#include "tunnel/stream_tcp.h"

struct passing passing;

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

void passing_leave(struct end *e)
{
	stream_close(e->stream);
	e->stream = NULL;
}

void passing_settle(int64_t us)
{
	loop_advance(passing.loop, loop_now(passing.loop) + us);
}

void passing_say(struct end *e, const char *text)
{
	assert_int_equal(stream_write(e->stream, (const uint8_t *)text, strlen(text)), strlen(text));
	passing_settle(1000);
}

/* What came since the last look. */
const char *passing_heard(struct end *e)
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
	loop_free_later(passing.loop, c);
}

struct stream *stream_tcp_connect(struct loop *l, const struct sockaddr *sa, socklen_t len, const struct stream_events *events, void *ctx)
{
	struct connect *c;
	struct stream *a, *b;

	assert_int_equal(sa->sa_family, AF_INET);
	assert_true(len > 0 && passing.sites < PASSING_ENDS);
	stream_mem_pair(l, &a, &b, passing.wires);
	stream_attach(a, events, ctx);
	passing.site[passing.sites++] = end_new(b);
	if (passing.connecting == SILENT)
		return a;
	c = calloc(1, sizeof *c);
	c->stream = a;
	c->error = passing.connecting == REFUSES ? ERROR_REFUSED : 0;
	later_init(&c->later, connect_done, c);
	loop_later(l, &c->later);
	return a;
}

/* ---- the visitors' connections ---- */

static void on_request(void *ctx, struct exchange *x, const struct http1_head *head)
{
	(void)ctx;
	fallback_request(passing.fallback, x, head, &passing.from, passing.bodiless);
}

static void on_closed(void *ctx, int why)
{
	(void)ctx, (void)why;
}

static void on_idle(void *ctx)
{
	(void)ctx;
}

static const struct http_events http_events = { .request = on_request, .closed = on_closed };

struct end *passing_visit(void)
{
	struct stream *a, *b;

	assert_true(passing.visitors < PASSING_ENDS);
	stream_mem_pair(passing.loop, &a, &b, passing.wires);
	h1_server(passing.loop, a, &http_limits_default, &http_events, NULL);
	return passing.visitor[passing.visitors++] = end_new(b);
}

struct http *passing_visit_h2(void (*over)(void *ctx, int error))
{
	static struct http_events visitor_events;
	struct stream *a, *b;

	visitor_events = (struct http_events){ .idle = on_idle, .closed = over ? over : on_closed };

	stream_mem_pair(passing.loop, &a, &b, passing.wires);
	h2_server(passing.loop, a, &http_limits_default, &http_events, NULL);
	return h2_client(passing.loop, b, &visitor_events, NULL);
}

void passing_begin(size_t max)
{
	passing.loop = loop_new_virtual(1000, 1700000000);
	passing.visitors = passing.sites = 0;
	passing.wires = NULL;
	passing.connecting = CONNECTS;
	passing.bodiless = false;
	passing.from = (struct fallback_visitor){ .peer = "192.0.2.1:5004", .tls = true };
	passing.fallback = fallback_new(passing.loop, "http://127.0.0.1:8081", max, passing.error, sizeof passing.error);
	assert_non_null(passing.fallback);
}

void passing_finish(void)
{
	while (passing.visitors)
		end_free(passing.visitor[--passing.visitors]);
	passing_settle(1000);
	fallback_free(passing.fallback);
	passing_settle(1000);
	while (passing.sites) {
		assert_true(passing.site[passing.sites - 1]->eof || passing.site[passing.sites - 1]->cut || !passing.site[passing.sites - 1]->stream);
		end_free(passing.site[--passing.sites]);
	}
	passing_settle(1000);
	loop_free(passing.loop);
}

struct fallback_stats passing_stats(void)
{
	struct fallback_stats s;

	fallback_stats(passing.fallback, &s);
	return s;
}

/* An answer of ours; retry: what is among its lines. */
void passing_own(struct end *v, const char *status, const char *retry)
{
	const char *text = passing_heard(v);
	size_t n = strlen(status);

	assert_memory_equal(text, "HTTP/1.1 ", 9);
	assert_memory_equal(text + 9, status, n);
	assert_non_null(strstr(text, "\r\nContent-Type: text/plain; charset=utf-8\r\n"));
	assert_int_equal(!!strstr(text, retry), 1);
	text = strstr(text, "\r\n\r\n") + 4;
	assert_memory_equal(text, status + 4, n - 4);
	assert_string_equal(text + n - 4, "\n");
}
