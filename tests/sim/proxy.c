/* The scripted proxy. One `way` for each connection of the helper; a STORE way has one
 * `errand` at a time: an exchange on its way to the server and back. */
#include "tests/sim/proxy.h"

#include <stdlib.h>
#include <string.h>

#include "framing/error.h"
#include "framing/http1.h"
#include "tunnel/http.h"
#include "tunnel/list.h"

struct bytes {
	uint8_t *p;
	size_t n, cap, sent;
};

struct errand;

struct way {
	struct link link;
	struct proxy *proxy;
	struct stream *client;	/* STORE: our end of the helper's connection. PIPE: the helper's end */
	struct http1 *parser;	/* STORE: of requests */
	struct bytes request, answer;
	bool busy, complete, closing;
	struct timer start;
	enum proxy_fault fault;
};

/* One trip of a request to the server. way is NULL when nobody waits for the answer. */
struct errand {
	struct link link;
	struct proxy *proxy;
	struct way *way;
	struct stream *server;
	struct http1 *parser;	/* of the answer */
	struct bytes request, answer;
	struct timer start;
};

struct dial {
	struct link link;
	struct proxy *proxy;
	struct timer timer;
	void (*done)(void *, struct stream *, int, const char *);
	void *ctx;
};

struct proxy {
	struct loop *loop;
	struct proxy_options o;
	struct pool_dialler dialler;
	struct link ways, errands, dials;
	void (*accept)(void *, struct stream *);
	void *ctx;
	unsigned connections, open, exchanges;
};

static void append(struct bytes *b, const uint8_t *p, size_t n)
{
	if (b->n + n > b->cap) {
		b->cap = (b->n + n) * 2;
		b->p = realloc(b->p, b->cap);
	}
	memcpy(b->p + b->n, p, n);
	b->n += n;
}

static void clear(struct bytes *b)
{
	free(b->p);
	memset(b, 0, sizeof *b);
}

/* ---- ways ---- */

static void way_free(struct way *w)
{
	for (struct link *l = w->proxy->errands.next; l != &w->proxy->errands; l = l->next) {
		struct errand *e = list_entry(l, struct errand, link);

		if (e->way == w)
			e->way = NULL;
	}
	w->proxy->open--;
	link_remove(&w->link);
	timer_stop(&w->start);
	if (w->client)
		stream_close(w->client);
	http1_free(w->parser);
	clear(&w->request);
	clear(&w->answer);
	loop_free_later(w->proxy->loop, w);
}

static void way_push(struct way *w)
{
	while (w->answer.sent < w->answer.n) {
		ssize_t n = stream_write(w->client, w->answer.p + w->answer.sent, w->answer.n - w->answer.sent);

		if (n == ERROR_AGAIN) {
			stream_want(w->client, true, true);
			return;
		}
		if (n < 0) {
			way_free(w);
			return;
		}
		w->answer.sent += (size_t)n;
	}
	if (!w->answer.n)
		return;
	clear(&w->answer);
	w->busy = w->complete = false;
	if (w->closing || w->proxy->o.one_exchange) {
		way_free(w);
		return;
	}
	http1_next(w->parser, false, false);
	stream_want(w->client, true, false);
}

static void way_answer_own(struct way *w, const char *text)
{
	append(&w->answer, (const uint8_t *)text, strlen(text));
	w->closing = true;
	way_push(w);
}

/* ---- errands ---- */

static void errand_free(struct errand *e)
{
	link_remove(&e->link);
	timer_stop(&e->start);
	if (e->server)
		stream_close(e->server);
	http1_free(e->parser);
	clear(&e->request);
	clear(&e->answer);
	loop_free_later(e->proxy->loop, e);
}

/* The whole answer is here, or the server closed. */
static void errand_done(struct errand *e, bool whole)
{
	struct way *w = e->way;

	e->way = NULL;
	if (w && (!whole || w->fault == FAULT_LOSE_ANSWER)) {
		way_free(w);
	} else if (w) {
		size_t n = w->fault == FAULT_TRUNCATE ? e->answer.n - 7 : e->answer.n;

		if (e->answer.n > 8)
			e->answer.p[7] = '0';	/* it speaks HTTP/1.0 */
		w->closing = w->fault == FAULT_TRUNCATE;
		append(&w->answer, e->answer.p, n);
		way_push(w);
	}
	errand_free(e);
}

static int on_answer_head(void *ctx, const struct http1_head *h)
{
	(void)ctx, (void)h;
	return 0;
}

static int on_answer_body(void *ctx, const uint8_t *p, size_t n)
{
	(void)ctx, (void)p, (void)n;
	return 0;
}

static int on_answer_end(void *ctx)
{
	(void)ctx;
	return 0;
}

static const struct http1_events answer_events = { on_answer_head, on_answer_body, on_answer_end };

static void errand_readable(void *ctx)
{
	struct errand *e = ctx;
	uint8_t buf[4096];
	ssize_t n;

	while ((n = stream_read(e->server, buf, sizeof buf)) > 0) {
		ssize_t used = http1_feed(e->parser, buf, (size_t)n);

		if (used < 0) {
			errand_done(e, false);
			return;
		}
		append(&e->answer, buf, (size_t)used);
		if (!http1_busy(e->parser) && e->answer.n) {
			errand_done(e, true);
			return;
		}
	}
	if (n != ERROR_AGAIN)
		errand_done(e, n == 0 && http1_eof(e->parser) == 0 && e->answer.n);
}

static void errand_writable(void *ctx)
{
	struct errand *e = ctx;

	while (e->request.sent < e->request.n) {
		ssize_t n = stream_write(e->server, e->request.p + e->request.sent, e->request.n - e->request.sent);

		if (n < 0) {
			if (n != ERROR_AGAIN)
				errand_done(e, false);
			return;
		}
		e->request.sent += (size_t)n;
	}
	stream_want(e->server, true, false);
}

static void errand_failed(void *ctx, int error)
{
	(void)error;
	errand_done(ctx, false);
}

static void nothing(void *ctx)
{
	(void)ctx;
}

static const struct stream_events errand_events = { nothing, errand_readable, errand_writable, errand_failed };

static void errand_start(void *ctx)
{
	struct errand *e = ctx;
	struct stream *far;

	stream_mem_pair(e->proxy->loop, &e->server, &far, NULL);
	stream_attach(e->server, &errand_events, e);
	stream_want(e->server, true, true);
	e->proxy->accept(e->proxy->ctx, far);
}

static void errand_new(struct proxy *p, struct way *w, const struct bytes *request, int64_t delay_us)
{
	struct errand *e = calloc(1, sizeof *e);

	e->proxy = p;
	e->way = w;
	e->parser = http1_new(HTTP1_RESPONSES, &answer_events, e);
	append(&e->request, request->p, request->n);
	list_append(&p->errands, &e->link);
	timer_init(&e->start, p->loop, errand_start, e);
	timer_in(&e->start, delay_us);
}

/* ---- requests of the helper ---- */

static int on_request_head(void *ctx, const struct http1_head *h)
{
	struct way *w = ctx;

	w->closing |= h->chunked;
	return 0;
}

static int on_request_end(void *ctx)
{
	struct way *w = ctx;

	w->complete = true;
	return 0;
}

static const struct http1_events request_events = { on_request_head, on_answer_body, on_request_end };

static void way_complete(struct way *w)
{
	struct proxy *p = w->proxy;

	w->busy = true;
	w->fault = p->o.fault ? p->o.fault(p->o.ctx, p->exchanges) : FAULT_NONE;
	p->exchanges++;
	switch (w->fault) {
	case FAULT_LOSE_REQUEST:
		way_free(w);
		return;
	case FAULT_502:
		way_answer_own(w, "HTTP/1.0 502 Bad Gateway\r\nContent-Type: text/html\r\n\r\n<html>no</html>");
		return;
	case FAULT_HTML:
		way_answer_own(w, "HTTP/1.0 200 OK\r\nContent-Type: text/html\r\n\r\n<html>accept our terms</html>");
		return;
	case FAULT_EMPTY:
		way_answer_own(w, "HTTP/1.0 200 OK\r\n\r\n");
		return;
	case FAULT_TWICE:
		errand_new(p, NULL, &w->request, 0);
		errand_new(p, w, &w->request, 5 * LOOP_MS);
		break;
	case FAULT_REPLAY:
		errand_new(p, NULL, &w->request, LOOP_SECOND);
		errand_new(p, w, &w->request, 0);
		break;
	case FAULT_DELAY:
		errand_new(p, w, &w->request, 300 * LOOP_MS);
		break;
	default:
		errand_new(p, w, &w->request, 0);
	}
	clear(&w->request);
}

static void way_readable(void *ctx)
{
	struct way *w = ctx;
	uint8_t buf[4096];
	ssize_t n;

	while ((n = stream_read(w->client, buf, sizeof buf)) > 0) {
		ssize_t used = http1_feed(w->parser, buf, (size_t)n);

		if (used < n || w->busy) {	/* nonsense, or pipelining */
			way_free(w);
			return;
		}
		append(&w->request, buf, (size_t)used);
		if (w->closing && !w->busy) {
			way_answer_own(w, "HTTP/1.0 411 Length Required\r\n\r\n");
			return;
		}
		if (w->complete) {
			w->complete = false;
			way_complete(w);
			return;
		}
	}
	if (n != ERROR_AGAIN)
		way_free(w);
}

static void way_writable(void *ctx)
{
	struct way *w = ctx;

	stream_want(w->client, true, false);
	way_push(w);
}

static void way_failed(void *ctx, int error)
{
	(void)error;
	way_free(ctx);
}

static const struct stream_events way_events = { nothing, way_readable, way_writable, way_failed };

/* ---- dialling ---- */

static struct way *way_new(struct proxy *p)
{
	struct way *w = calloc(1, sizeof *w);

	w->proxy = p;
	list_append(&p->ways, &w->link);
	p->open++;
	p->connections++;
	return w;
}

static struct stream *connect_store(struct proxy *p)
{
	struct stream_mem_options o = stream_mem_plain;
	struct way *w = way_new(p);
	struct stream *near;

	o.delay_us = p->o.delay_us;
	stream_mem_pair(p->loop, &near, &w->client, &o);
	w->parser = http1_new(HTTP1_REQUESTS, &request_events, w);
	stream_attach(w->client, &way_events, w);
	stream_want(w->client, true, false);
	near->plain = p->o.plain;
	return near;
}

/* The ends belong to helper and server; the way is a note to cut them by, while it is safe. */
static struct stream *connect_pipe(struct proxy *p)
{
	struct stream_mem_options o = stream_mem_plain;
	struct stream *near, *far;

	o.delay_us = p->o.delay_us;
	if (p->o.script)
		p->o.script(p->o.ctx, p->connections, &o);
	p->connections++;
	o.alpn = p->o.http2 ? HTTP_ALPN_2 : NULL;
	stream_mem_pair(p->loop, &near, &far, &o);
	p->accept(p->ctx, far);
	return near;
}

static void dial_free(struct dial *d)
{
	timer_stop(&d->timer);
	link_remove(&d->link);
	loop_free_later(d->proxy->loop, d);
}

static void dial_done(void *ctx)
{
	struct dial *d = ctx;
	struct proxy *p = d->proxy;
	void (*done)(void *, struct stream *, int, const char *) = d->done;
	void *done_ctx = d->ctx;

	dial_free(d);
	if (p->o.max_connections && p->open >= p->o.max_connections)
		done(done_ctx, NULL, ERROR_PROXY, "the proxy allows no more connections");
	else
		done(done_ctx, p->o.kind == PROXY_PIPE ? connect_pipe(p) : connect_store(p), 0, "");
}

static struct dial *dial_start(void *ctx, enum dial_versions versions,
			       void (*done)(void *, struct stream *, int, const char *), void *done_ctx)
{
	struct proxy *p = ctx;
	struct dial *d = calloc(1, sizeof *d);

	(void)versions;
	d->proxy = p;
	d->done = done;
	d->ctx = done_ctx;
	list_append(&p->dials, &d->link);
	timer_init(&d->timer, p->loop, dial_done, d);
	timer_in(&d->timer, p->o.dial_us);
	return d;
}

/* ---- the proxy ---- */

struct proxy *proxy_new(struct loop *loop, const struct proxy_options *o, void (*accept)(void *, struct stream *), void *ctx)
{
	struct proxy *p = calloc(1, sizeof *p);

	p->loop = loop;
	p->o = *o;
	p->accept = accept;
	p->ctx = ctx;
	p->dialler = (struct pool_dialler){ .start = dial_start, .cancel = dial_free, .ctx = p };
	list_init(&p->ways);
	list_init(&p->errands);
	list_init(&p->dials);
	return p;
}

void proxy_free(struct proxy *p)
{
	while (!list_empty(&p->dials))
		dial_free(list_entry(p->dials.next, struct dial, link));
	while (!list_empty(&p->errands))
		errand_free(list_entry(p->errands.next, struct errand, link));
	while (!list_empty(&p->ways))
		way_free(list_entry(p->ways.next, struct way, link));
	loop_free_later(p->loop, p);
}

const struct pool_dialler *proxy_dialler(struct proxy *p)
{
	return &p->dialler;
}

void proxy_cut(struct proxy *p)
{
	while (!list_empty(&p->ways))
		way_free(list_entry(p->ways.next, struct way, link));
}

unsigned proxy_connections(const struct proxy *p)
{
	return p->connections;
}

unsigned proxy_exchanges(const struct proxy *p)
{
	return p->exchanges;
}
