/*
 * The client's side of HTTP/2 connections: begins exchanges, takes answers, and asks by PING whether
 * the connection lives while exchanges wait in silence.
 */
#include <stdlib.h>

#include "framing/error.h"
#include "tunnel/h2_internal.h"

#define SILENCE (20 * LOOP_SECOND)
#define UNANSWERED (500 * LOOP_MS)	/* something was sent, and nothing came since */
#define HANGS LOOP_SECOND	/* nothing behind a PING: it is not to be counted on */
#define PONG (10 * LOOP_SECOND)	/* the longest wait for anything behind a PING */

static void client_head(struct h2 *h, int32_t id, bool ended)
{
	struct h2_stream *s = nghttp2_session_get_stream_user_data(h->session, id);
	struct http1_head *head;
	int rc;

	if (!s || s->over)
		return;
	head = h2_head_take(h, false, ended);
	if (head && head->status >= 100 && head->status < 200) {
		free(head);	/* interim */
		return;
	}
	s->head = head;
	if (!head) {
		h2_stream_over(s, ERROR_LIMIT);
		return;
	}
	if (s->connect && head->status / 100 == 2) {	/* RFC 8441: the peer speaks the other protocol now */
		head->upgrade = true;
		head->chunked = false;
	}
	h->answered = head->status != 200;
	course_in(&h->course, &s->course, COURSE_OPEN);
	rc = s->x.events->head(s->x.ctx, head);
	if (rc != 0)
		h2_stream_over(s, rc);
}

static int64_t ping_at(const struct h2 *h)
{
	return h->course.asked ? h->course.asked + UNANSWERED : h->course.heard + SILENCE;
}

static void mind_pong(struct h2 *h)
{
	if (!h->pinged || h->course.heard < h->pinged)
		return;
	h->pinged = 0;
	h->http.hanging = false;
}

static void overdue(struct h2 *h)
{
	int64_t now = loop_now(h->loop);

	if (h->count == 0)
		return;
	mind_pong(h);
	if (h->pinged && now >= h->pinged + PONG) {
		h2_fail(h, ERROR_TIMEOUT);
	} else if (h->pinged && now >= h->pinged + HANGS && !h->http.hanging) {
		h->http.hanging = h->idle_due = true;
	} else if (!h->pinged && now >= ping_at(h)) {
		h->pinged = now;
		h->ping_due = true;
	}
}

static int64_t overdue_at(const struct h2 *h)
{
	if (!h->pinged)
		return ping_at(h);
	return h->pinged + (h->http.hanging ? PONG : HANGS);
}

static void settled(struct h2 *h)
{
	mind_pong(h);
	if (h->count == 0 && h->http.leaving && !h->goaway)
		h2_fail(h, 0);	/* nothing will ever begin on it */
	else if (h->count)
		timer_sooner(&h->timer, overdue_at(h));
	else
		timer_stop(&h->timer);
}

static unsigned room(const struct http *http)
{
	const struct h2 *h = (const struct h2 *)(const void *)http;
	uint32_t max;

	if (h->state != H2_OPEN || h->goaway || h->write_error || !nghttp2_session_check_request_allowed(h->session))
		return 0;
	max = nghttp2_session_get_remote_settings(h->session, NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS);
	if (max > H2_STREAMS_MAX)
		max = H2_STREAMS_MAX;
	return h->count < max ? max - h->count : 0;
}

static struct exchange *begin(struct http *http, const struct exchange_events *events, void *ctx)
{
	struct h2 *h = h2_of(http);
	struct h2_stream *s;

	if (room(http) == 0)
		return NULL;
	s = h2_stream_new(h, 0);
	s->x.events = events;
	s->x.ctx = ctx;
	h->answered = false;
	if (h->count == 1) {	/* the silence begins now */
		h->pinged = 0;
		timer_set(&h->timer, loop_now(h->loop) + SILENCE);
	}
	timer_sooner(&h->timer, loop_now(h->loop) + UNANSWERED);
	return &s->x;
}

static void drain(struct http *http)
{
	(void)http;
}

static const struct http_ops ops = { begin, room, h2_close, drain, h2_course, h2_was_answered };

static const struct h2_role client_role = { .ops = &ops, .head = client_head, .settled = settled, .overdue = overdue };

struct http *h2_client(struct loop *l, struct stream *stream, const struct http_events *events, void *ctx)
{
	static const nghttp2_settings_entry settings[] = {
		{ NGHTTP2_SETTINGS_ENABLE_PUSH, 0 },
		{ NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, H2_WINDOW },
		{ NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, HTTP1_HEAD_MAX },
	};
	struct h2 *h = h2_new(l, stream, &client_role, events, ctx);

	if (nghttp2_submit_settings(h->session, NGHTTP2_FLAG_NONE, settings, sizeof settings / sizeof *settings) != 0)
		abort();
	return &h->http;
}
