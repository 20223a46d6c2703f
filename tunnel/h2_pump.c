/*
 * Where nghttp2 is changed and gives its output: what exchange_* calls and timers have
 * noted goes in, frames come out and go to the stream. Called by h2.c and h2_output.c.
 *
 * What the stream does not take stays in the output buffer; nghttp2 is asked for more only behind
 * that, so that what waits waits at its exchange, by priority.
 */
#include <assert.h>
#include <string.h>

#include "framing/error.h"
#include "tunnel/h2_internal.h"

/* RFC 9113 7, and 8.1 for a request of which the answer does not want the rest. */
static uint32_t reset_code(const struct h2_stream *s)
{
	if (s->h2->role->server && s->out_ended)
		return NGHTTP2_NO_ERROR;
	return s->error == ERROR_MALFORMED ? NGHTTP2_PROTOCOL_ERROR : s->error == ERROR_LIMIT ? NGHTTP2_ENHANCE_YOUR_CALM : NGHTTP2_CANCEL;
}

/* nghttp2 forgets it. */
static void forget(struct h2_stream *s)
{
	struct h2 *h = s->h2;

	if (s->id == 0 || s->gone)
		return;
	nghttp2_session_set_stream_user_data(h->session, s->id, NULL);
	nghttp2_submit_rst_stream(h->session, NGHTTP2_FLAG_NONE, s->id, reset_code(s));
	s->gone = true;
}

static void give_back(struct h2_stream *s)
{
	struct h2 *h = s->h2;

	if (!s->wide && h->role->server)
		nghttp2_session_set_local_window_size(h->session, NGHTTP2_FLAG_NONE, s->id, H2_WINDOW);
	s->wide = true;
	nghttp2_session_consume_stream(h->session, s->id, s->handed);
	s->handed = 0;
}

/* RFC 9218 4.1: u=0 to 7, among other things. */
static uint32_t urgency(struct span wish)
{
	for (size_t i = 0; i + 3 <= wish.n; i++)
		if ((i == 0 || wish.p[i - 1] == ' ' || wish.p[i - 1] == ',') && wish.p[i] == 'u' && wish.p[i + 1] == '=' &&
		    wish.p[i + 2] >= '0' && wish.p[i + 2] <= '7')
			return wish.p[i + 2] - '0';
	return NGHTTP2_EXTPRI_DEFAULT_URGENCY;
}

/* Bodies that never end are no use one behind the other: all of an urgency go in turn, whatever their requests say. */
static void prioritize(struct h2_stream *s)
{
	const nghttp2_extpri p = { .urgency = urgency(http1_find(s->head, "priority")), .inc = 1 };

	nghttp2_session_change_extpri_stream_priority(s->h2->session, s->id, &p, 0);
}

static void apply(struct h2_stream *s)
{
	if (s->over) {
		forget(s);
		return;
	}
	if (s->gone)
		return;
	if (s->prioritize)
		prioritize(s);
	s->prioritize = false;
	if (s->block)
		h2_output_submit(s);
	else if (s->resume)
		nghttp2_session_resume_data(s->h2->session, s->id);
	s->resume = false;
	if (s->handed >= H2_HANDED)
		give_back(s);
}

static void apply_connection(struct h2 *h)
{
	static const uint8_t mark[8] = "culvert";

	if (h->unconsumed)
		nghttp2_session_consume_connection(h->session, h->unconsumed);
	h->unconsumed = 0;
	if (h->ping_due)
		nghttp2_submit_ping(h->session, NGHTTP2_FLAG_NONE, mark);
	if (h->notice_due)
		nghttp2_submit_shutdown_notice(h->session);
	if (h->part_due)
		nghttp2_submit_goaway(h->session, NGHTTP2_FLAG_NONE, nghttp2_session_get_last_proc_stream_id(h->session),
				      NGHTTP2_NO_ERROR, NULL, 0);
	h->ping_due = h->notice_due = h->part_due = false;
	if (h->calm)
		nghttp2_session_terminate_session(h->session, NGHTTP2_ENHANCE_YOUR_CALM);
}

/* Frames into the buffer: 0, or a code. */
static int fill(struct h2 *h)
{
	while (h->out_len < H2_OUTPUT_FULL) {
		const uint8_t *p;
		ssize_t n = nghttp2_session_mem_send(h->session, &p);

		if (n < 0)
			return ERROR_SYSTEM;
		if (n == 0)
			break;
		assert((size_t)n <= H2_OUTPUT - h->out_len);
		memcpy(h->output + h->out_len, p, (size_t)n);
		h->out_len += (size_t)n;
	}
	return 0;
}

static int flush(struct h2 *h)
{
	while (h->out_pos < h->out_len) {
		ssize_t n = stream_write(h->http.stream, h->output + h->out_pos, h->out_len - h->out_pos);

		if (n == ERROR_AGAIN)
			return 0;
		if (n < 0)
			return (int)n;
		h->out_pos += (size_t)n;
		course_said(&h->course, (size_t)n, loop_now(h->loop));
		h->out_last = loop_now(h->loop);
	}
	h->out_pos = h->out_len = 0;
	return 0;
}

static void write_failed(struct h2 *h, int error)
{
	h->out_pos = h->out_len = 0;
	h->write_error = error;
	loop_later(h->loop, &h->later);
}

bool h2_is_blocked(const struct h2 *h)
{
	return h->out_len > 0;
}

/* The stream takes no more, or does so again. */
static void block(struct h2 *h, bool on)
{
	h->blocked = on;
	for (struct link *l = h->streams.next; !on && l != &h->streams; l = l->next) {
		struct h2_stream *s = list_entry(l, struct h2_stream, link);

		if (s->waits)
			h2_news(s);
	}
	if (h->depth == 0)
		loop_later(h->loop, &h->later);
}

void h2_pump(struct h2 *h)
{
	int rc = 0;

	if (h->inside || h->state != H2_OPEN || h->write_error)
		return;
	h->inside = true;
	while (!list_empty(&h->touched)) {
		struct h2_stream *s = list_entry(h->touched.next, struct h2_stream, touched);

		link_remove(&s->touched);
		apply(s);
	}
	apply_connection(h);
	while (rc == 0) {
		rc = flush(h);
		if (rc != 0 || h2_is_blocked(h))
			break;
		rc = fill(h);
		if (h->out_len == 0)
			break;
	}
	h->inside = false;
	if (rc != 0)
		write_failed(h, rc);
	else if (h->blocked != h2_is_blocked(h))
		block(h, !h->blocked);
}

void h2_goodbye(struct h2 *h)
{
	uint32_t code = h->error == ERROR_MALFORMED ? NGHTTP2_PROTOCOL_ERROR :
			h->error == ERROR_LIMIT ? NGHTTP2_ENHANCE_YOUR_CALM : NGHTTP2_NO_ERROR;

	if (h->inside || h->write_error || h2_is_blocked(h))
		return;
	h->inside = true;
	nghttp2_session_terminate_session(h->session, code);
	if (fill(h) == 0)
		(void)flush(h);
	h->inside = false;
}
