/*
 * A reverse proxy. To its clients it is a server of either version; to the server it is nghttp2 alone, so that what
 * our own client would do better does not count.
 */
#include "tests/sim/gateway.h"

#include <nghttp2/nghttp2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "framing/error.h"
#include "tunnel/http.h"

#define WINDOW NGHTTP2_INITIAL_CONNECTION_WINDOW_SIZE
#define FIELDS 32

enum gateway_manner gateway_manner;

struct bytes {
	uint8_t *p;
	size_t n, cap;
};

struct client {			/* a connection */
	struct link link;
	struct gateway *gateway;
	struct http *http;
};

struct passage {
	struct gateway *gateway;
	struct link link;
	struct exchange *x;	/* NULL: the client left */
	int32_t id;
	struct bytes up, down;
	size_t kept;		/* of its window */
	bool up_ended, down_ended, answered, begun, gone;
	char status[8];
};

struct gateway {
	struct loop *loop;
	nghttp2_session *session;
	enum gateway_manner manner;
	struct stream *back;
	struct bytes out;
	struct link clients, passages;
	struct later later;
	size_t kept;		/* of the connection's window */
};

static void add(struct bytes *b, const uint8_t *p, size_t n)
{
	if (b->n + n > b->cap) {
		b->cap = 2 * (b->n + n);
		b->p = realloc(b->p, b->cap);
		if (!b->p)
			abort();
	}
	memcpy(b->p + b->n, p, n);
	b->n += n;
}

/* The first n of them; to: NULL: nowhere. */
static void take(struct bytes *b, uint8_t *to, size_t n)
{
	if (n == 0)
		return;
	if (to)
		memcpy(to, b->p, n);
	b->n -= n;
	memmove(b->p, b->p + n, b->n);
}

/* ---- the clients ---- */

static int on_body(void *ctx, const uint8_t *p, size_t n)
{
	struct passage *g = ctx;

	add(&g->up, p, n);
	loop_later(g->gateway->loop, &g->gateway->later);
	return 0;
}

static void on_end(void *ctx)
{
	struct passage *g = ctx;

	g->up_ended = true;
	loop_later(g->gateway->loop, &g->gateway->later);
}

static void on_room(void *ctx)
{
	loop_later(((struct passage *)ctx)->gateway->loop, &((struct passage *)ctx)->gateway->later);
}

static void on_closed(void *ctx, int error)
{
	struct passage *g = ctx;

	(void)error;
	g->x = NULL;
	loop_later(g->gateway->loop, &g->gateway->later);
}

static const struct exchange_events events = { NULL, on_body, on_end, on_room, on_closed };

static ssize_t read_up(nghttp2_session *session, int32_t id, uint8_t *buf, size_t cap, uint32_t *flags, nghttp2_data_source *source, void *ctx)
{
	struct passage *g = source->ptr;
	size_t n = g->up.n < cap ? g->up.n : cap;

	(void)session, (void)id, (void)ctx;
	take(&g->up, buf, n);
	if (g->up.n == 0 && g->up_ended)
		*flags |= NGHTTP2_DATA_FLAG_EOF;
	else if (n == 0)
		return NGHTTP2_ERR_DEFERRED;
	return (ssize_t)n;
}

static nghttp2_nv field(struct span name, struct span value)
{
	return (nghttp2_nv){ (uint8_t *)(uintptr_t)name.p, (uint8_t *)(uintptr_t)value.p, name.n, value.n, NGHTTP2_NV_FLAG_NONE };
}

static struct span text(const char *s)
{
	return (struct span){ (const uint8_t *)s, strlen(s) };
}

static bool is_of_one_hop(struct span name)
{
	return http1_is(name, "host") || http1_is(name, "connection") || http1_is(name, "transfer-encoding") || http1_is(name, "te");
}

static void on_request(void *ctx, struct exchange *x, const struct http1_head *head)
{
	struct gateway *w = ((struct client *)ctx)->gateway;
	struct passage *g = calloc(1, sizeof *g);
	nghttp2_nv nv[FIELDS];
	nghttp2_data_provider up = { .source = { .ptr = g }, .read_callback = read_up };
	char *lower[HTTP1_HEADERS_MAX];
	size_t n = 0, lowers = 0;

	if (!g)
		abort();
	g->gateway = w;
	g->x = x;
	x->events = &events;
	x->ctx = g;
	list_append(&w->passages, &g->link);
	nv[n++] = field(text(":method"), head->method);
	nv[n++] = field(text(":scheme"), text("https"));
	nv[n++] = field(text(":authority"), text("test"));
	nv[n++] = field(text(":path"), head->target);
	for (size_t i = 0; i < head->count && n < FIELDS; i++) {
		struct span name = head->header[i].name;

		if (is_of_one_hop(name))
			continue;
		lower[lowers] = strndup((const char *)name.p, name.n);
		for (char *c = lower[lowers]; *c; c++)
			*c |= *c >= 'A' && *c <= 'Z' ? 0x20 : 0;
		nv[n++] = field(text(lower[lowers++]), head->header[i].value);
	}
	g->id = nghttp2_submit_request(w->session, NULL, nv, n, &up, g);
	if (g->id < 0)
		abort();
	while (lowers > 0)
		free(lower[--lowers]);
	loop_later(w->loop, &w->later);
}

static void on_over(void *ctx, int error)
{
	struct client *c = ctx;

	(void)error;
	link_remove(&c->link);
	loop_free_later(c->gateway->loop, c);
}

static const struct http_events front = { .request = on_request, .closed = on_over };

static void gateway_accept(void *ctx, struct stream *s)
{
	struct client *c = calloc(1, sizeof *c);

	if (!c)
		abort();
	c->gateway = ctx;
	list_append(&c->gateway->clients, &c->link);
	c->http = http_server(c->gateway->loop, s, &http_limits_default, &front, c);
}

/* ---- the server ---- */

static int on_header(nghttp2_session *session, const nghttp2_frame *frame, const uint8_t *name, size_t name_n, const uint8_t *value,
		     size_t value_n, uint8_t flags, void *ctx)
{
	struct passage *g = nghttp2_session_get_stream_user_data(session, frame->hd.stream_id);

	(void)flags, (void)ctx;
	if (g && name_n == 7 && memcmp(name, ":status", 7) == 0)
		snprintf(g->status, sizeof g->status, "%.*s", (int)value_n, value);
	return 0;
}

static const size_t used[] = {
	[GATEWAY_SOON] = 4096, [GATEWAY_LAST] = WINDOW - 512, [GATEWAY_ALMOST] = WINDOW / 8 * 7,
};

/* The connection's window is given back for what came, that of an exchange for what its client takes: by halves, but where all goes soon. */
static int on_data(nghttp2_session *session, uint8_t flags, int32_t id, const uint8_t *p, size_t n, void *ctx)
{
	struct passage *g = nghttp2_session_get_stream_user_data(session, id);
	struct gateway *w = ctx;

	(void)flags;
	if (g)
		add(&g->down, p, n);
	if (w->manner == GATEWAY_HALF) {
		nghttp2_session_consume_connection(session, n);
		return 0;
	}
	w->kept += n;	/* what comes for an exchange that is over is not among it: for tests in which none is */
	if (w->kept < used[w->manner])
		return 0;
	nghttp2_submit_window_update(session, NGHTTP2_FLAG_NONE, 0, (int32_t)w->kept);
	w->kept = 0;
	return 0;
}

static int on_frame(nghttp2_session *session, const nghttp2_frame *frame, void *ctx)
{
	struct passage *g = nghttp2_session_get_stream_user_data(session, frame->hd.stream_id);

	(void)ctx;
	if (!g)
		return 0;
	g->answered |= frame->hd.type == NGHTTP2_HEADERS;
	if (frame->hd.type == NGHTTP2_DATA || frame->hd.type == NGHTTP2_HEADERS)
		g->down_ended |= frame->hd.flags & NGHTTP2_FLAG_END_STREAM;
	return 0;
}

static int on_stream_close(nghttp2_session *session, int32_t id, uint32_t code, void *ctx)
{
	struct passage *g = nghttp2_session_get_stream_user_data(session, id);

	(void)code, (void)ctx;
	if (g)
		g->gone = true;
	return 0;
}

static void begin_session(struct gateway *w)
{
	nghttp2_session_callbacks *c;
	nghttp2_option *o;

	if (nghttp2_session_callbacks_new(&c) != 0 || nghttp2_option_new(&o) != 0)
		abort();
	nghttp2_session_callbacks_set_on_header_callback(c, on_header);
	nghttp2_session_callbacks_set_on_data_chunk_recv_callback(c, on_data);
	nghttp2_session_callbacks_set_on_frame_recv_callback(c, on_frame);
	nghttp2_session_callbacks_set_on_stream_close_callback(c, on_stream_close);
	nghttp2_option_set_no_auto_window_update(o, 1);
	if (nghttp2_session_client_new2(&w->session, c, w, o) != 0 ||
	    nghttp2_submit_settings(w->session, NGHTTP2_FLAG_NONE, NULL, 0) != 0)
		abort();
	nghttp2_session_callbacks_del(c);
	nghttp2_option_del(o);
}

/* ---- between them ---- */

static void passage_free(struct passage *g)
{
	if (g->x)
		exchange_abort(g->x);
	if (g->gateway->session && !g->gone) {
		nghttp2_session_set_stream_user_data(g->gateway->session, g->id, NULL);
		nghttp2_submit_rst_stream(g->gateway->session, NGHTTP2_FLAG_NONE, g->id, NGHTTP2_CANCEL);
	}
	link_remove(&g->link);
	free(g->up.p);
	free(g->down.p);
	loop_free_later(g->gateway->loop, g);
}

static void give_back(struct passage *g, size_t n)
{
	nghttp2_session *session = g->gateway->session;

	if (g->gone)
		return;
	if (g->gateway->manner != GATEWAY_SOON) {
		nghttp2_session_consume_stream(session, g->id, n);
	} else if ((g->kept += n) >= used[GATEWAY_SOON]) {
		nghttp2_submit_window_update(session, NGHTTP2_FLAG_NONE, g->id, (int32_t)g->kept);
		g->kept = 0;
	}
}

static void answer(struct passage *g)
{
	const struct exchange_head head = { .status = atoi(g->status), .lines = "", .streamed = true };
	size_t cap, n;
	uint8_t *p;

	while (g->x && (g->down.n > 0 || !g->begun) && (p = exchange_room(g->x, 1, &cap))) {
		n = g->down.n < cap ? g->down.n : cap;
		take(&g->down, p, n);
		give_back(g, n);
		exchange_send(g->x, g->begun ? NULL : &head, n, false);
		g->begun = true;
	}
	if (g->x && g->down_ended && g->down.n == 0 && exchange_room(g->x, 1, &cap)) {
		exchange_send(g->x, NULL, 0, true);
		g->down_ended = false;
	}
}

static void flush(struct gateway *w)
{
	const uint8_t *p;
	ssize_t n;

	while ((n = nghttp2_session_mem_send(w->session, &p)) > 0)
		add(&w->out, p, (size_t)n);
	while (w->out.n > 0 && (n = stream_write(w->back, w->out.p, w->out.n)) > 0)
		take(&w->out, NULL, (size_t)n);
	stream_want(w->back, true, w->out.n > 0);
}

static void pump(void *ctx)
{
	struct gateway *w = ctx;
	struct link *next;

	for (struct link *l = w->passages.next; l != &w->passages; l = next) {
		struct passage *g = list_entry(l, struct passage, link);

		next = l->next;
		if (!g->gone && (g->up.n > 0 || g->up_ended))
			nghttp2_session_resume_data(w->session, g->id);
		if (g->answered)
			answer(g);
		if (!g->x || (g->gone && g->down.n == 0 && !g->down_ended))
			passage_free(g);
	}
	flush(w);
}

static void on_readable(void *ctx)
{
	struct gateway *w = ctx;
	uint8_t buf[16384];
	ssize_t n;

	while ((n = stream_read(w->back, buf, sizeof buf)) > 0)
		if (nghttp2_session_mem_recv(w->session, buf, (size_t)n) != n)
			abort();
	if (n == 0)
		abort();	/* nobody ends it */
	pump(w);
}

static void on_failed(void *ctx, int error)
{
	(void)ctx, (void)error;
	abort();
}

static const struct stream_events back = { pump, on_readable, pump, on_failed };

static void *gateway_new(struct loop *loop, struct lossy *behind, void (*accept)(void *ctx, struct stream *), void *ctx)
{
	struct gateway *w = calloc(1, sizeof *w);
	struct stream *far;

	if (!w)
		abort();
	w->loop = loop;
	w->manner = gateway_manner;
	list_init(&w->clients);
	list_init(&w->passages);
	later_init(&w->later, pump, w);
	begin_session(w);
	lossy_pair(behind, &w->back, &far);
	stream_attach(w->back, &back, w);
	accept(ctx, far);
	flush(w);
	return w;
}

static void gateway_free(void *ctx)
{
	struct gateway *w = ctx;

	while (!list_empty(&w->passages))
		passage_free(list_entry(w->passages.next, struct passage, link));
	while (!list_empty(&w->clients))
		http_close(list_entry(w->clients.next, struct client, link)->http);
	later_cancel(w->loop, &w->later);
	nghttp2_session_del(w->session);
	stream_close(w->back);
	free(w->out.p);
	loop_free_later(w->loop, w);
}

const struct engine_between gateway = { gateway_new, gateway_accept, gateway_free };
