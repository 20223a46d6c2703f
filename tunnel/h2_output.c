/*
 * The functions through which carriers and the router use an exchange, and the frames that
 * are made of its body: filled in by the owner, in one piece, and copied from there into the
 * connection's output buffer, a frame at a time, as windows and priorities allow.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "framing/error.h"
#include "tunnel/h2_internal.h"

static struct h2_stream *stream_of(struct exchange *x)
{
	return (struct h2_stream *)x;
}

/* Buffers of the usual size are used again. */
static uint8_t *buffer_take(struct h2 *h, size_t cap)
{
	uint8_t *p = NULL;

	for (size_t i = 0; i < H2_SPARE && cap == EXCHANGE_ROOM && !p; i++) {
		p = h->spare[i];
		h->spare[i] = NULL;
	}
	if (!p)
		p = malloc(cap);
	if (!p)
		abort();
	return p;
}

void h2_output_free(struct h2_stream *s)
{
	struct h2 *h = s->h2;

	free(s->block);
	s->block = NULL;
	for (size_t i = 0; i < H2_SPARE && s->out && s->out_cap == EXCHANGE_ROOM; i++)
		if (!h->spare[i]) {
			h->spare[i] = s->out;
			s->out = NULL;
		}
	loop_free_later(h->loop, s->out);
	s->out = NULL;
	s->out_cap = s->out_len = 0;
}

static void reserve(struct h2_stream *s, size_t want)
{
	if (want <= s->out_cap)
		return;
	free(s->out);
	s->out_cap = want < EXCHANGE_ROOM ? EXCHANGE_ROOM : want;
	s->out = buffer_take(s->h2, s->out_cap);
}

bool h2_output_is_writable(const struct h2_stream *s)
{
	return !s->over && s->course.out != COURSE_COMPLETE && s->out_len == 0 && s->h2->state == H2_OPEN &&
	       !s->h2->write_error && !h2_is_blocked(s->h2);
}

static uint8_t *output_room(struct exchange *x, size_t want, size_t *cap)
{
	struct h2_stream *s = stream_of(x);

	assert(want <= EXCHANGE_ROOM_INNER);
	if (!h2_output_is_writable(s)) {
		s->waits = true;
		return NULL;
	}
	reserve(s, want ? want : 1);
	s->out_pos = 0;
	*cap = s->out_cap;
	return s->out;
}

/* Heads */

static int block_of(struct h2_stream *s, const struct exchange_head *head, size_t n)
{
	struct h2 *h = s->h2;

	if (!h->role->server && head->protocol) {
		if (h->settings && !nghttp2_session_get_remote_settings(h->session, NGHTTP2_SETTINGS_ENABLE_CONNECT_PROTOCOL))
			return ERROR_UNSUPPORTED;
		s->connect = true;
	}
	if (!h->role->server)
		s->is_head = !strcmp(head->method, "HEAD");
	s->block = h->role->server ? h2_head_response(head, n) : h2_head_request(h, head, n);
	if (h->role->server && (s->is_head || head->status == 204 || head->status == 304))
		s->bodyless = true;
	return s->block ? 0 : ERROR_LIMIT;
}

static ssize_t read_body(nghttp2_session *session, int32_t id, uint8_t *buf, size_t cap, uint32_t *flags,
			 nghttp2_data_source *source, void *ctx)
{
	struct h2_stream *s = nghttp2_session_get_stream_user_data(session, id);
	size_t n;

	(void)buf, (void)source, (void)ctx;
	if (!s)
		return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
	n = s->out_len < cap ? s->out_len : cap;
	if (n == s->out_len && s->course.out == COURSE_COMPLETE)
		*flags |= NGHTTP2_DATA_FLAG_EOF;
	else if (n == 0)
		return NGHTTP2_ERR_DEFERRED;
	*flags |= NGHTTP2_DATA_FLAG_NO_COPY;
	return (ssize_t)n;
}

static int send_body(nghttp2_session *session, nghttp2_frame *frame, const uint8_t *frame_head, size_t n,
		     nghttp2_data_source *source, void *ctx)
{
	struct h2_stream *s = nghttp2_session_get_stream_user_data(session, frame->hd.stream_id);
	struct h2 *h = ctx;

	(void)source;
	if (!s)
		return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
	if (h->out_len >= H2_OUTPUT_FULL)
		return NGHTTP2_ERR_WOULDBLOCK;
	assert(n <= s->out_len && H2_FRAME_HEAD + n <= H2_OUTPUT - h->out_len);
	memcpy(h->output + h->out_len, frame_head, H2_FRAME_HEAD);
	memcpy(h->output + h->out_len + H2_FRAME_HEAD, s->out + s->out_pos, n);
	h->out_len += H2_FRAME_HEAD + n;
	s->out_pos += n;
	s->out_len -= n;
	s->out_last = loop_now(h->loop);
	s->out_ended = frame->hd.flags & NGHTTP2_FLAG_END_STREAM;
	h2_limits_sent(h);
	if (s->out_len == 0 && s->waits)
		h2_news(s);
	return 0;
}

void h2_output_callbacks(nghttp2_session_callbacks *c)
{
	nghttp2_session_callbacks_set_send_data_callback(c, send_body);
}

void h2_output_submit(struct h2_stream *s)
{
	static const nghttp2_data_provider body = { .read_callback = read_body };
	struct h2 *h = s->h2;
	bool empty = s->out_len == 0 && s->course.out == COURSE_COMPLETE;
	const nghttp2_data_provider *provider = empty ? NULL : &body;
	struct h2_block *b = s->block;
	int rc;

	if (!h->role->server && s->connect) {
		if (!h->settings)
			return;
		if (!nghttp2_session_get_remote_settings(h->session, NGHTTP2_SETTINGS_ENABLE_CONNECT_PROTOCOL)) {
			h2_stream_over(s, ERROR_UNSUPPORTED);
			return;
		}
	}
	s->block = NULL;
	s->out_ended = empty;
	if (h->role->server)
		rc = nghttp2_submit_response(h->session, s->id, b->field, b->count, provider);
	else
		rc = s->id = nghttp2_submit_request(h->session, NULL, b->field, b->count, provider, s);
	free(b);
	if (rc < 0) {
		s->id = h->role->server ? s->id : 0;
		h2_stream_over(s, ERROR_RESET);
	}
}

/* The functions of an exchange */

static int output_send(struct exchange *x, const struct exchange_head *head, size_t n, bool end)
{
	struct h2_stream *s = stream_of(x);
	struct h2 *h = s->h2;
	int rc = 0;

	if (h->state != H2_OPEN || s->over || h->write_error)
		return s->over && s->error ? s->error : h->write_error ? h->write_error : h->error ? h->error : ERROR_CLOSED;
	assert(s->course.out == (head ? COURSE_NONE : COURSE_OPEN) && n <= s->out_cap && ((n == 0 && !head) || s->out_len == 0));
	assert(!head || head->streamed || end);
	if (head)
		rc = block_of(s, head, n);
	if (rc != 0) {
		h2_stream_over(s, rc);
		return rc;
	}
	if (n > 0 && !s->bodyless)
		s->out_len = n;		/* the end may be said while what was sent before still waits */
	h2_windows_sent(s, n);
	s->out_last = loop_now(h->loop);
	s->resume = true;
	course_out(&h->course, &s->course, end ? COURSE_COMPLETE : COURSE_OPEN);
	if (!link_in_list(&s->touched))
		list_append(&h->touched, &s->touched);
	h2_pump(h);	/* within nghttp2: on the way out */
	s->waits |= s->out_len > 0 || h2_is_blocked(h);
	return h->write_error;
}

static void output_pause(struct exchange *x, bool on)
{
	struct h2_stream *s = stream_of(x);

	if (s->paused == on)
		return;
	s->paused = on;
	s->in_last = loop_now(s->h2->loop);
	if (!on)
		h2_news(s);
}

static void output_abort(struct exchange *x)
{
	struct h2_stream *s = stream_of(x);

	x->events = NULL;
	h2_stream_over(s, ERROR_CLOSED);
}

void h2_tune(struct h2 *h)
{
	stream_tune(h->http.stream, (h->sparse ? STREAM_SPARSE : 0) | (h->mixed ? STREAM_MIXED : 0));
}

static void output_sparse(struct exchange *x, bool on)
{
	struct h2_stream *s = stream_of(x);
	struct h2 *h = s->h2;

	if (s->sparse == on)
		return;
	s->sparse = on;
	h->sparse += on ? 1 : -1u;
	if (h->sparse == on)
		h2_tune(h);
}

const struct exchange_ops h2_output_ops = { output_room, output_send, output_pause, output_abort, output_sparse, NULL };
