/*
 * The server's side of HTTP/1.1 connections: hands requests to the router,
 * watches the time limits. Bytes of a next
 * request wait in the input buffer until the exchange before it is over.
 */
#include <assert.h>
#include <string.h>

#include "framing/error.h"
#include "tunnel/h1_internal.h"

#define NEVER INT64_MAX

static int on_head(void *ctx, const struct http1_head *head)
{
	struct h1 *h = ctx;

	h1_begin(h);
	h1_in(h, COURSE_OPEN);
	h->keep = head->keep_alive;
	h->old = head->minor == 0;
	h->resumed = h->old && h->keep;
	h->bodyless = http1_is(head->method, "HEAD");
	h->asked = head->protocol.n > 0;
	h->events->request(h->http.ctx, &h->x, head);
	if (!h->x.events)
		h1_fail(h, ERROR_CLOSED);
	return h->state == H1_BUSY ? 0 : ERROR_CLOSED;
}

/* Pipelined: they wait. */
static void server_stray(struct h1 *h)
{
	(void)h;
}

/* What is no request at all gets the router's answer too, as one without method and target;
 * nothing behind it can be understood, so the connection ends with that answer. */
static void server_malformed(struct h1 *h, int error)
{
	static const struct http1_head nothing = { .request = true, .minor = 1, .length = -1 };

	if (h->state != H1_IDLE) {
		h1_fail(h, error);
		return;
	}
	h1_begin(h);
	h1_in(h, COURSE_COMPLETE);
	h->keep = h->old = h->resumed = h->bodyless = false;
	h->events->request(h->http.ctx, &h->x, &nothing);
	if (!h->x.events)
		h1_fail(h, error);
}

static void server_eof(struct h1 *h)
{
	bool between = h->state == H1_IDLE && http1_eof(h->parser) == 0;

	h1_fail(h, between ? 0 : ERROR_RESET);
}


/* When the peer's silence ends the connection. */
static int64_t deadline(const struct h1 *h)
{
	int64_t at = NEVER;

	if (h->state == H1_IDLE)
		return h->since + (h->fresh || http1_busy(h->parser) ? h->limits.head_us : h->limits.idle_us);
	if (h->raw)	/* it may be silent in one direction */
		at = (h->course.in_last > h->course.out_last ? h->course.in_last : h->course.out_last) + h->limits.idle_us;
	else if (h->state == H1_BUSY && h->messages.in == COURSE_OPEN && !h->paused)
		at = h->course.in_last + h->limits.body_us;
	if (h->out_len > 0 && h->course.out_last + h->limits.body_us < at)
		at = h->course.out_last + h->limits.body_us;
	return at;
}

static void watch(struct h1 *h)
{
	int64_t at = deadline(h);

	/* When progress has moved the deadline away, the timer is armed anew as it fires. */
	if (at != NEVER)
		timer_sooner(&h->timer, at);
}

static void on_timer(void *ctx)
{
	struct h1 *h = ctx;
	bool idle = h->state == H1_IDLE && !h->fresh && !http1_busy(h->parser);

	h1_enter(h);
	if (deadline(h) <= loop_now(h->loop))
		h1_fail(h, idle ? 0 : ERROR_TIMEOUT);
	h1_leave(h);
}

static void server_settled(struct h1 *h)
{
	if (h->state == H1_IDLE && h->draining && !http1_busy(h->parser))
		h1_fail(h, 0);
	if (h->state < H1_CLOSING)
		watch(h);
}

static const struct http1_events parser_events = { on_head, h1_on_body, h1_on_end };

static const struct h1_role server_role = {
	.parses = HTTP1_REQUESTS,
	.parser = &parser_events,
	.stray = server_stray,
	.malformed = server_malformed,
	.eof = server_eof,
	.write_failed = h1_fail,
	.settled = server_settled,
};

struct http *h1_server(struct loop *l, struct stream *s, const struct http_limits *limits, const struct http_events *events,
		       void *ctx)
{
	struct h1 *h = h1_new(l, s, &server_role, events, ctx);

	h->limits = *limits;
	timer_init(&h->timer, l, on_timer, h);
	watch(h);
	h1_interest(h);
	return &h->http;
}

void h1_first(struct http *http, const uint8_t *p, size_t n)
{
	struct h1 *h = (struct h1 *)http;

	assert(h->in_end == 0 && n <= H1_INPUT);
	memcpy(h->input, p, n);
	h->in_end = n;
	loop_later(h->loop, &h->later);
}
