/*
 * Which engine a connection gets: what ALPN agreed to, or, for a server's connection without
 * TLS, what its first bytes say. Until these are there the connection is nobody's, and
 * a newcomer stands in for its engine towards the owner; it stays between the two, for the
 * owner knows it by then.
 */
#include "tunnel/http.h"

#include <stdlib.h>
#include <string.h>

#include "framing/error.h"
#include "tunnel/h1.h"
#include "tunnel/h2.h"

#define PREFACE "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" /* RFC 9113 3.4 */
#define PREFACE_LEN (sizeof PREFACE - 1)

struct newcomer {
	struct http http;	/* first */
	struct loop *loop;
	const struct http_limits *limits;
	const struct http_events *events;
	struct timer timer;
	struct http *engine;	/* NULL: it is not known yet */
	uint8_t first[PREFACE_LEN];
	size_t got;
	bool over;
};

static struct newcomer *newcomer_of(struct http *http)
{
	return (struct newcomer *)http;
}

/* The connection is over; before or after there was an engine. */
static void newcomer_end(struct newcomer *n, int error)
{
	if (n->over)
		return;
	n->over = true;
	timer_stop(&n->timer);
	if (!n->engine)
		stream_close(n->http.stream);
	loop_free_later(n->loop, n);
	n->events->closed(n->http.ctx, error);
}

static void on_request(void *ctx, struct exchange *x, const struct http1_head *head)
{
	struct newcomer *n = ctx;

	n->events->request(n->http.ctx, x, head);
}

static void on_over(void *ctx, struct exchange *x)
{
	struct newcomer *n = ctx;

	if (n->events->over)
		n->events->over(n->http.ctx, x);
}

static void on_closed(void *ctx, int error)
{
	newcomer_end(ctx, error);
}

static const struct http_events engine_events = { .request = on_request, .closed = on_closed, .over = on_over };

static void begin(struct newcomer *n, bool h2)
{
	timer_stop(&n->timer);
	if (h2) {
		n->engine = h2_server(n->loop, n->http.stream, n->limits, &engine_events, n);
		h2_first(n->engine, n->first, n->got);
		return;
	}
	n->engine = h1_server(n->loop, n->http.stream, n->limits, &engine_events, n);
	h1_first(n->engine, n->first, n->got);
}

static void on_readable(void *ctx)
{
	struct newcomer *n = ctx;
	ssize_t got = stream_read(n->http.stream, n->first + n->got, sizeof n->first - n->got);

	if (got == ERROR_AGAIN)
		return;
	if (got <= 0) {
		newcomer_end(n, got < 0 ? (int)got : n->got ? ERROR_RESET : 0);
		return;
	}
	n->got += (size_t)got;
	if (memcmp(n->first, PREFACE, n->got) != 0)
		begin(n, false);
	else if (n->got == PREFACE_LEN)
		begin(n, true);
}

static void on_failed(void *ctx, int error)
{
	newcomer_end(ctx, error);
}

static void on_timer(void *ctx)
{
	newcomer_end(ctx, ERROR_TIMEOUT);
}

static void nothing(void *ctx)
{
	(void)ctx;
}

static const struct stream_events stream_events = { nothing, on_readable, nothing, on_failed };

static struct exchange *no_exchange(struct http *http, const struct exchange_events *events, void *ctx)
{
	(void)http, (void)events, (void)ctx;
	return NULL;
}

static unsigned no_room(const struct http *http)
{
	(void)http;
	return 0;
}

static void newcomer_close(struct http *http)
{
	struct newcomer *n = newcomer_of(http);

	if (n->engine)
		http_close(n->engine);
	else
		newcomer_end(n, ERROR_CLOSED);
}

static void newcomer_drain(struct http *http)
{
	struct newcomer *n = newcomer_of(http);

	if (n->engine)
		http_drain(n->engine);
	else
		timer_sooner(&n->timer, loop_now(n->loop));
}

static struct course *no_course(struct http *http)
{
	(void)http;
	return NULL;
}

static bool no_answer(const struct http *http)
{
	(void)http;
	return false;
}

static const struct http_ops newcomer_ops = { no_exchange, no_room, newcomer_close, newcomer_drain, no_course, no_answer };

static struct http *newcomer_new(struct loop *l, struct stream *s, const struct http_limits *limits, const struct http_events *events,
				void *ctx)
{
	struct newcomer *n = calloc(1, sizeof *n);

	if (!n)
		abort();
	n->http = (struct http){ .ops = &newcomer_ops, .stream = s, .ctx = ctx };
	n->loop = l;
	n->limits = limits;
	n->events = events;
	timer_init(&n->timer, l, on_timer, n);
	timer_in(&n->timer, limits->head_us);
	stream_attach(s, &stream_events, n);
	stream_want(s, true, false);
	return &n->http;
}

/* The one that the connection's engine knows. */
static struct exchange *innermost(struct exchange *x)
{
	while (x->inner)
		x = x->inner;
	return x;
}

size_t http_room_beside_media(struct exchange *x)
{
	return http_has_windows(x) ? h2_windows_room(innermost(x)) : SIZE_MAX;
}

void http_media_went(struct exchange *x, size_t n, int64_t trip_us)
{
	if (http_has_windows(x))
		h2_windows_media(innermost(x), n, trip_us);
}

struct http *http_server(struct loop *l, struct stream *s, const struct http_limits *limits, const struct http_events *events, void *ctx)
{
	struct stream_info info;

	stream_info(s, &info);
	if (strcmp(info.alpn, HTTP_ALPN_2) == 0)
		return h2_server(l, s, limits, events, ctx);
	if (!*info.alpn && !*info.tls)
		return newcomer_new(l, s, limits, events, ctx);
	return h1_server(l, s, limits, events, ctx);
}

struct http *http_client(struct loop *l, struct stream *s, const struct http_events *events, void *ctx)
{
	struct stream_info info;

	stream_info(s, &info);
	if (strcmp(info.alpn, HTTP_ALPN_2) == 0)
		return h2_client(l, s, events, ctx);
	return h1_client(l, s, events, ctx);
}
