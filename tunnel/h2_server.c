/*
 * The server's side of HTTP/2 connections: hands requests to the router, watches the time
 * limits, and says goodbye in two steps, so that no request that is under way is lost.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "framing/error.h"
#include "tunnel/h2_internal.h"

#define NEVER INT64_MAX
#define PARTING LOOP_SECOND	/* between the two GOAWAYs: more than a round trip */

static const struct http1_head nothing = { .request = true, .minor = 1, .length = -1, .h2 = true };

/* ---- requests ---- */

static void server_head(struct h2 *h, int32_t id, bool ended)
{
	struct h2_stream *s = h2_stream_new(h, id);
	struct http1_head *head = h2_head_take(h, true, ended);

	nghttp2_session_set_stream_user_data(h->session, id, s);
	h->fresh = false;
	s->prioritize = true;
	h2_touch(s);
	if (!head) {
		head = malloc(sizeof *head);
		if (!head)
			abort();
		*head = nothing;
	}
	s->head = head;
	s->is_head = http1_is(head->method, "HEAD");
	s->connect = head->protocol.n > 0;
	course_in(&h->course, &s->course, COURSE_OPEN);
	h->events->request(h->http.ctx, &s->x, s->head);
	if (!s->x.events)
		h2_stream_over(s, ERROR_CLOSED);
}

/* ---- time limits ---- */

static int64_t sooner(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

static int64_t stream_deadline(const struct h2_stream *s)
{
	int64_t at = NEVER, body = s->h2->limits->body_us;

	if (s->over)
		return NEVER;
	if (s->connect && s->course.out == COURSE_OPEN)	/* it may be silent in one direction */
		at = (s->in_last > s->out_last ? s->in_last : s->out_last) + s->h2->limits->idle_us;
	else if (s->course.in == COURSE_OPEN && !s->paused && !s->held_end)
		at = s->in_last + body;
	if (s->out_len > 0)
		at = sooner(at, s->out_last + body);
	return at;
}

static int64_t deadline(const struct h2 *h)
{
	int64_t at = NEVER;

	if (h2_is_blocked(h))
		at = h->out_last + h->limits->body_us;
	if (h->head_since)
		at = sooner(at, h->head_since + h->limits->head_us);
	if (h->drain_at)
		at = sooner(at, h->drain_at);
	if (h->count == 0)
		at = sooner(at, h->since + (h->fresh ? h->limits->head_us : h->limits->idle_us));
	return at;
}

/* Exchanges that stand still end; the connection goes on. The next time that one will be due. */
static int64_t end_streams(struct h2 *h)
{
	int64_t now = loop_now(h->loop), next = NEVER;

	for (struct link *l = h->streams.next; l != &h->streams; l = l->next) {
		struct h2_stream *s = list_entry(l, struct h2_stream, link);
		int64_t at = stream_deadline(s);

		if (at <= now)
			h2_stream_over(s, ERROR_TIMEOUT);
		else
			next = sooner(next, at);
	}
	return next;
}

static void overdue(struct h2 *h)
{
	int64_t now = loop_now(h->loop), at = end_streams(h);

	if (h->drain_at && h->drain_at <= now) {
		h->drain_at = 0;
		h->part_due = true;
	}
	if (deadline(h) <= now)
		h2_fail(h, h->count == 0 && !h->fresh && !h->head_since ? 0 : ERROR_TIMEOUT);
	at = sooner(at, deadline(h));
	if (at != NEVER)
		timer_set(&h->timer, at);
}

/* When progress has moved a deadline away, the timer is armed anew as it fires. */
static void settled(struct h2 *h)
{
	int64_t at = deadline(h);

	if (h->draining && h->count == 0 && !h->drain_at && !h->part_due && !h2_is_blocked(h)) {
		h2_fail(h, 0);
		return;
	}
	if (h->count > 0)	/* no exchange can be due before that */
		at = sooner(at, loop_now(h->loop) + h->limits->body_us);
	if (at != NEVER)
		timer_sooner(&h->timer, at);
}

/* ---- the connection ---- */

static void drain(struct http *http)
{
	struct h2 *h = h2_of(http);

	if (h->draining)
		return;
	h->draining = true;
	if (h->count > 0) {
		h->notice_due = true;
		h->drain_at = loop_now(h->loop) + PARTING;
	}
	loop_later(h->loop, &h->later);
}

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

static const struct http_ops ops = { no_exchange, no_room, h2_close, drain, h2_course, h2_was_answered };

static const struct h2_role server_role = {
	.server = true, .ops = &ops, .head = server_head, .settled = settled, .overdue = overdue,
};

struct http *h2_server(struct loop *l, struct stream *stream, const struct http_limits *limits, const struct http_events *events,
		       void *ctx)
{
	static const nghttp2_settings_entry settings[] = {
		{ NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, H2_STREAMS_MAX },
		{ NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, H2_WINDOW_FIRST },
		{ NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, HTTP1_HEAD_MAX },
		{ NGHTTP2_SETTINGS_ENABLE_CONNECT_PROTOCOL, 1 },
		{ NGHTTP2_SETTINGS_NO_RFC7540_PRIORITIES, 1 },
	};
	struct h2 *h = h2_new(l, stream, &server_role, events, ctx);

	h->limits = limits;
	h2_limits_init(h);
	if (nghttp2_submit_settings(h->session, NGHTTP2_FLAG_NONE, settings, sizeof settings / sizeof *settings) != 0)
		abort();
	return &h->http;
}

void h2_first(struct http *http, const uint8_t *p, size_t n)
{
	struct h2 *h = h2_of(http);

	assert(n <= H2_INPUT);
	memcpy(h->input, p, n);
	h->in_len = n;
	course_heard(&h->course, n, loop_now(h->loop));
}
