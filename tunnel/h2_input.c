/*
 * What nghttp2 tells of frames that came. Heads and bodies are handed on from here; everything
 * else is noted. Nothing here calls nghttp2, but for what it keeps of ours at a stream.
 *
 * The connection's window is given back at once, so that no exchange holds up another;
 * an exchange's window when its owner has taken the bytes. What comes while it is paused is kept,
 * which its window bounds.
 */
#include <stdlib.h>
#include <string.h>

#include "framing/error.h"
#include "tunnel/h2_internal.h"
#include "tunnel/log.h"

#define REQUESTS_TURN 8	/* of a connection, in one turn of the loop */

static struct h2_stream *stream_at(struct h2 *h, int32_t id)
{
	struct h2_stream *s = nghttp2_session_get_stream_user_data(h->session, id);

	return h->state == H2_OPEN && s && !s->over ? s : NULL;
}

/* What its owner takes no more. */
static bool is_deaf(const struct h2_stream *s)
{
	return s->over || !s->x.events || s->h2->state != H2_OPEN;
}

static void give_body(struct h2_stream *s, const uint8_t *p, size_t n)
{
	int rc = s->x.events->body(s->x.ctx, p, n);

	if (rc != 0)
		h2_stream_over(s, rc);
	s->handed += n;
	if (s->handed >= H2_HANDED)
		h2_touch(s);
}

static void give_end(struct h2_stream *s)
{
	course_in(&s->h2->course, &s->course, COURSE_COMPLETE);
	s->h2->answered = true;
	s->x.events->end(s->x.ctx);
	if (!s->h2->role->server && s->course.out != COURSE_COMPLETE)
		h2_stream_over(s, ERROR_RESET);	/* an answer that did not wait for the request's end, and its owner leaves it at that */
	else if (s->gone)
		h2_stream_over(s, 0);
}

static void hold(struct h2_stream *s, const uint8_t *p, size_t n)
{
	size_t cap = s->hold_cap ? s->hold_cap : 4096;

	if (s->h2->held + n > H2_HELD_MAX) {
		log_limited(LOG_LEVEL_INFO, "http", "", "too much waits on one HTTP/2 connection: an exchange is dropped");
		h2_stream_over(s, ERROR_LIMIT);
		return;
	}
	while (cap < s->held + n)
		cap *= 2;
	if (cap != s->hold_cap) {
		s->hold = realloc(s->hold, cap);
		if (!s->hold)
			abort();
		s->hold_cap = cap;
	}
	memcpy(s->hold + s->held, p, n);
	s->held += n;
	s->h2->held += n;
}

void h2_input_free(struct h2_stream *s)
{
	s->h2->held -= s->held;
	s->held = s->hold_cap = 0;
	free(s->hold);
	s->hold = NULL;
	loop_free_later(s->h2->loop, s->head);
	s->head = NULL;
}

void h2_input_release(struct h2_stream *s)
{
	uint8_t *p = s->hold;
	size_t n = s->held;

	s->hold = NULL;
	s->h2->held -= n;
	s->held = s->hold_cap = 0;
	if (n > 0 && !is_deaf(s))
		give_body(s, p, n);
	free(p);
	if (s->held_end && !s->paused && !is_deaf(s)) {
		s->held_end = false;
		give_end(s);
	}
}

void h2_input_end(struct h2_stream *s)
{
	if (is_deaf(s))
		return;
	if (s->paused || s->held)
		s->held_end = true;
	else
		give_end(s);
}

/* nghttp2's callbacks */

static int on_begin_headers(nghttp2_session *session, const nghttp2_frame *frame, void *ctx)
{
	struct h2 *h = ctx;
	struct h2_stream *s = stream_at(h, frame->hd.stream_id);
	bool trailer = h->role->server ? frame->headers.cat != NGHTTP2_HCAT_REQUEST : s && s->head;

	(void)session;
	h->head_since = loop_now(h->loop);
	h2_head_begin(h, trailer);
	h->requests += !trailer;
	return 0;
}

/* A turn of the loop serves only some requests of each connection, so that none has to wait long for its own. */
static bool falls_asleep(struct h2 *h)
{
	h->asleep = h->role->server && h->requests > REQUESTS_TURN;
	return h->asleep;
}

static int on_header(nghttp2_session *session, const nghttp2_frame *frame, const uint8_t *name, size_t name_n,
		     const uint8_t *value, size_t value_n, uint8_t flags, void *ctx)
{
	struct h2 *h = ctx;

	(void)session, (void)frame, (void)flags;
	if (h2_head_add(h, (struct span){ name, name_n }, (struct span){ value, value_n }))
		return falls_asleep(h) ? NGHTTP2_ERR_PAUSE : 0;
	h->head_since = 0;
	h2_limits_huge(h);
	return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
}

/* RFC 9113 8.2.1: octets that no name or value may have. */
static int on_invalid_header(nghttp2_session *session, const nghttp2_frame *frame, const uint8_t *name, size_t name_n,
			     const uint8_t *value, size_t value_n, uint8_t flags, void *ctx)
{
	struct h2 *h = ctx;

	(void)session, (void)frame, (void)name, (void)name_n, (void)value, (void)value_n, (void)flags;
	h->head_since = 0;
	h2_limits_reset(h);
	return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
}

/* How many exchanges at a time the server takes. None: what is under way goes on; at the beginning there is nothing that would. */
static void mind_room(struct h2 *h)
{
	uint32_t max = nghttp2_session_get_remote_settings(h->session, NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS);

	h->http.few = max < H2_FEW;
	h->http.leaving |= max == 0;
	if (max == 0 && !h->settings)
		h2_fail(h, ERROR_AGAIN);
}

static void on_settings(struct h2 *h)
{
	if (!h->role->server)
		mind_room(h);
	h->settings = true;
	h->http.no_switch = !h->role->server && !nghttp2_session_get_remote_settings(h->session, NGHTTP2_SETTINGS_ENABLE_CONNECT_PROTOCOL);
	h->idle_due = !h->role->server;
	for (struct link *l = h->streams.next; l != &h->streams; l = l->next)
		h2_touch(list_entry(l, struct h2_stream, link));	/* some wait for it */
}

static void on_goaway(struct h2 *h, uint32_t code)
{
	h->goaway = h->http.leaving = true;
	h->goaway_code = code;
	if (code != NGHTTP2_NO_ERROR)
		log_debug("http", "", "the peer ends the HTTP/2 connection: %s", nghttp2_http2_strerror(code));
}

static void on_message_end(struct h2 *h, int32_t id)
{
	struct h2_stream *s = stream_at(h, id);

	if (s && s->head)
		h2_input_end(s);
}

static int on_frame(nghttp2_session *session, const nghttp2_frame *frame, void *ctx)
{
	struct h2 *h = ctx;
	bool ended = frame->hd.flags & NGHTTP2_FLAG_END_STREAM;

	(void)session;
	if (h->state != H2_OPEN)
		return 0;
	switch (frame->hd.type) {
	case NGHTTP2_HEADERS:
		h->head_since = 0;
		if (h->incoming && !h->incoming->trailer)
			h->role->head(h, frame->hd.stream_id, ended);
		/* fall through */
	case NGHTTP2_DATA:
		if (frame->hd.type == NGHTTP2_DATA)
			h2_limits_data(h, &frame->data, stream_at(h, frame->hd.stream_id) != NULL);
		if (ended)
			on_message_end(h, frame->hd.stream_id);
		break;
	case NGHTTP2_SETTINGS:
		if (!(frame->hd.flags & NGHTTP2_FLAG_ACK))
			on_settings(h);
		h2_windows_opened(h);
		break;
	case NGHTTP2_WINDOW_UPDATE:
		h2_windows_opened(h);
		break;
	case NGHTTP2_GOAWAY:
		on_goaway(h, frame->goaway.error_code);
		break;
	case NGHTTP2_PUSH_PROMISE:
		h2_fail(h, ERROR_MALFORMED);	/* sent before it knew that we take none */
		break;
	case NGHTTP2_RST_STREAM:
		h2_limits_reset(h);
		break;
	}
	return 0;
}

static int on_begin_frame(nghttp2_session *session, const nghttp2_frame_hd *hd, void *ctx)
{
	struct h2 *h = ctx;

	(void)session;
	if (hd->type == NGHTTP2_DATA)
		return 0;	/* when it is there in full */
	h2_limits_frame(h, hd, stream_at(h, hd->stream_id) != NULL);
	if (hd->type == NGHTTP2_PRIORITY && hd->stream_id == 0)
		h2_fail(h, ERROR_MALFORMED);	/* RFC 9113 6.3; nghttp2 looks at none */
	return 0;
}

static int on_data(nghttp2_session *session, uint8_t flags, int32_t id, const uint8_t *p, size_t n, void *ctx)
{
	struct h2 *h = ctx;
	struct h2_stream *s = stream_at(h, id);

	(void)session, (void)flags;
	h->unconsumed += n;
	if (!s || is_deaf(s) || n == 0)
		return 0;
	s->in_last = loop_now(h->loop);
	h2_limits_useful(h, n);
	if (s->paused || s->held)
		hold(s, p, n);
	else
		give_body(s, p, n);
	return 0;
}

/* What nghttp2's end of a stream means to its owner. */
static int end_of(const struct h2_stream *s, uint32_t code)
{
	bool answered = s->course.in == COURSE_COMPLETE || s->held_end;

	if (code == NGHTTP2_NO_ERROR && answered && (s->course.out == COURSE_COMPLETE || !s->h2->role->server))
		return 0;
	/* Refused, or never sent because of a GOAWAY: nobody did anything about it. */
	if (code == NGHTTP2_REFUSED_STREAM || (s->h2->goaway && !s->head))
		return ERROR_AGAIN;
	return ERROR_RESET;
}

static int on_stream_close(nghttp2_session *session, int32_t id, uint32_t code, void *ctx)
{
	struct h2_stream *s = nghttp2_session_get_stream_user_data(session, id);
	int error;

	(void)ctx;
	if (!s)
		return 0;
	s->gone = true;
	error = end_of(s, code);
	if (error == 0 && s->held_end)
		h2_news(s);	/* over when that was delivered */
	else
		h2_stream_over(s, error);
	return 0;
}

static int on_invalid_frame(nghttp2_session *session, const nghttp2_frame *frame, int error, void *ctx)
{
	struct h2 *h = ctx;

	(void)session;
	h->head_since = 0;
	h2_limits_reset(h);
	log_debug("http", "", "a bad frame of type %d: %s", frame->hd.type, nghttp2_strerror(error));
	return 0;
}

void h2_input_callbacks(nghttp2_session_callbacks *c)
{
	nghttp2_session_callbacks_set_on_begin_headers_callback(c, on_begin_headers);
	nghttp2_session_callbacks_set_on_header_callback(c, on_header);
	nghttp2_session_callbacks_set_on_invalid_header_callback(c, on_invalid_header);
	nghttp2_session_callbacks_set_on_frame_recv_callback(c, on_frame);
	nghttp2_session_callbacks_set_on_begin_frame_callback(c, on_begin_frame);
	nghttp2_session_callbacks_set_on_data_chunk_recv_callback(c, on_data);
	nghttp2_session_callbacks_set_on_stream_close_callback(c, on_stream_close);
	nghttp2_session_callbacks_set_on_invalid_frame_recv_callback(c, on_invalid_frame);
}
