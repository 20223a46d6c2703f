/*
 * The HTTP/1.1 engine: what both roles have in common. A stream's events and
 * work queued by exchange_* calls come in here, are carried as far as they go
 * (parser, exchange events, next exchange), and on the way out the interest in
 * the stream is recomputed, or the connection is torn down.
 *
 * Body bytes that are parsed while delivery is paused stay in the input buffer,
 * moved together where they lie; nothing is read until they are delivered.
 */
#include <stdlib.h>
#include <string.h>

#include "framing/error.h"
#include "tunnel/h1_internal.h"
#include "tunnel/log.h"

void h1_fail(struct h1 *h, int error)
{
	if (h->state >= H1_CLOSING)
		return;
	h->state = H1_CLOSING;
	h->error = error;
	loop_later(h->loop, &h->later);
}

/* Input */

static int give_body(struct h1 *h, const uint8_t *p, size_t n)
{
	int rc;

	if (!h->x.events)
		return ERROR_CLOSED;
	if (h->again)
		return 0;
	rc = h->x.events->body(h->x.ctx, p, n);
	return h->state == H1_BUSY ? rc : ERROR_CLOSED;
}

static int give_end(struct h1 *h)
{
	h1_in(h, COURSE_COMPLETE);
	if (!h->x.events)
		return ERROR_CLOSED;
	if (h->again)
		return 0;
	h->x.events->end(h->x.ctx);
	return h->state == H1_BUSY ? 0 : ERROR_CLOSED;
}

int h1_on_body(void *ctx, const uint8_t *p, size_t n)
{
	struct h1 *h = ctx;

	if (!h->paused)
		return give_body(h, p, n);
	if (h->held_n == 0)
		h->held = (size_t)(p - h->input);
	memmove(h->input + h->held + h->held_n, p, n);
	h->held_n += n;
	return 0;
}

int h1_on_end(void *ctx)
{
	struct h1 *h = ctx;

	if (h->raw)
		return 0;	/* no message ends here */
	if (!h->paused && !h->asked)
		return give_end(h);
	h->held_end = true;
	return 0;
}

static bool holding(const struct h1 *h)
{
	return h->held_n > 0 || h->held_end;
}

static void give_held(struct h1 *h)
{
	size_t n = h->held_n;
	int rc = 0;

	if (h->paused || h->asked || h->state != H1_BUSY)
		return;		/* while a protocol is asked for, the answer says whether the request has ended */
	h->held_n = 0;
	if (n > 0)
		rc = give_body(h, h->input + h->held, n);
	if (rc == 0 && h->held_end && !h->paused) {
		h->held_end = false;
		rc = give_end(h);
	}
	if (rc != 0)
		h1_fail(h, rc);
}

/* Unparsed bytes to the front of the buffer, unless held ones lie there. */
static void compact(struct h1 *h)
{
	if (h->held_n > 0 || h->in_start == 0)
		return;
	memmove(h->input, h->input + h->in_start, h->in_end - h->in_start);
	h->in_end -= h->in_start;
	h->in_start = 0;
}

/* Whether the parser is in a message that may be read on. */
static bool may_parse(const struct h1 *h)
{
	if (h->role->parses == HTTP1_REQUESTS && h->state == H1_IDLE)
		return true;
	if (h->state != H1_BUSY || h->messages.in == COURSE_COMPLETE || h->paused || holding(h))
		return false;
	return h->role->parses == HTTP1_REQUESTS || h->messages.out != COURSE_NONE;
}

/* Bytes used, or a code. */
static ssize_t take(struct h1 *h, const uint8_t *p, size_t n)
{
	int rc;

	if (!h->raw)
		return http1_feed(h->parser, p, n);
	rc = give_body(h, p, n);
	return rc ? rc : (ssize_t)n;
}

static void parse(struct h1 *h)
{
	ssize_t n;

	while (h->in_start < h->in_end && may_parse(h)) {
		n = take(h, h->input + h->in_start, h->in_end - h->in_start);
		if (h->state >= H1_CLOSING)
			return;
		if (n < 0) {
			h->role->malformed(h, (int)n);
			return;
		}
		h->in_start += (size_t)n;
	}
	if (h->in_start < h->in_end && !h->paused && !holding(h))
		h->role->stray(h);
	compact(h);
}

bool h1_wants_read(const struct h1 *h)
{
	if (h->state != H1_IDLE && h->state != H1_BUSY)
		return false;
	if (holding(h) || (h->messages.in == COURSE_COMPLETE ? h->raw : h->paused))
		return false;
	return h->in_end < H1_INPUT;
}

/* The peer ends what is spoken: who has not ended it by then, or does so now, was cut. */
static void raw_eof(struct h1 *h)
{
	int rc;

	parse(h);	/* what waited */
	if (h->state != H1_BUSY)
		return;
	rc = h->in_start < h->in_end ? ERROR_RESET : give_end(h);
	if (rc != 0 || h->messages.out != COURSE_COMPLETE)
		h1_fail(h, rc ? rc : ERROR_RESET);
}

static void input_init(struct h1 *h)
{
	if (!h->input)
		h->input = malloc(H1_INPUT);
	if (!h->input)
		abort();
}

bool h1_read(struct h1 *h)
{
	ssize_t n;

	input_init(h);
	n = stream_read(h->http.stream, h->input + h->in_end, H1_INPUT - h->in_end);

	if (n > 0) {
		/* The time for a head runs from its first byte. */
		if (h->state == H1_IDLE && !h->fresh && !http1_busy(h->parser))
			h->since = loop_now(h->loop);
		course_heard(&h->course, (size_t)n, loop_now(h->loop));
		h->in_end += (size_t)n;
		return true;
	}
	if (n == 0 && h->raw)
		raw_eof(h);
	else if (n == 0)
		h->role->eof(h);
	else if (n != ERROR_AGAIN)
		h1_fail(h, (int)n);
	return false;
}

/* The course of an exchange */

void h1_switch(struct h1 *h)
{
	h->asked = false;
	h->raw = true;
	h->keep = h->held_end = false;
	h1_in(h, COURSE_OPEN);
	course_out(&h->course, &h->messages, COURSE_OPEN);
	loop_later(h->loop, &h->later);	/* to what came behind the head */
}

void h1_rest(struct h1 *h)
{
	h->resting = false;
	if (h->in_end == 0 && h->held_n == 0) {
		free(h->input);
		h->input = NULL;
	}
	if (h->out_len == 0) {
		free(h->output);
		h->output = NULL;
	}
	stream_rest(h->http.stream);
	if (h->raw && h->role->parses == HTTP1_RESPONSES) {
		http1_free(h->parser);	/* no message follows */
		h->parser = NULL;
	}
}

void h1_sparse(struct h1 *h, bool on)
{
	h->sparse = on;
	stream_tune(h->http.stream, on ? STREAM_SPARSE : 0);
}

void h1_begin(struct h1 *h)
{
	h->x = (struct exchange){ .ops = &h1_output_ops, .http = &h->http };
	h->state = H1_BUSY;
	course_begin(&h->course, &h->messages, loop_now(h->loop));
	h->resting = h->paused = h->chunked = h->bodyless = h->old = h->refused = h->resumed = h->again = h->asked = h->raw = false;
	h->keep = true;
}

/* The owner's part of it, too. */
static void tell_over(struct h1 *h)
{
	if (h->x.visitor && h->events->over)
		h->events->over(h->http.ctx, &h->x);
	h->x.visitor = NULL;
}

/* Ends the exchange if both messages are through. True: more may be parsed. */
static bool finish(struct h1 *h)
{
	const struct exchange_events *events = h->x.events;
	int rc;

	if (h->raw && h->messages.out == COURSE_COMPLETE)
		h1_in(h, COURSE_COMPLETE);	/* there is no half of it */
	if (h->state != H1_BUSY || h->messages.in != COURSE_COMPLETE || h->messages.out != COURSE_COMPLETE || h->out_len > 0 || h->write_error)
		return false;
	if (h->again) {
		rc = h1_repeat(h);
		if (rc != 0)
			h->role->write_failed(h, rc);
		return false;
	}
	course_end(&h->course, &h->messages, loop_now(h->loop));
	h->x.events = NULL;
	if (events)
		events->closed(h->x.ctx, 0);
	tell_over(h);
	if (h->state != H1_BUSY)
		return false;
	if (!h->keep) {
		h1_fail(h, 0);
		return false;
	}
	http1_next(h->parser, false, false);
	if (h->sparse)
		h1_sparse(h, false);
	h->state = H1_IDLE;
	h->since = loop_now(h->loop);
	h->fresh = false;
	if (h->role->parses == HTTP1_RESPONSES)
		h->events->idle(h->http.ctx);
	return true;
}

void h1_proceed(struct h1 *h)
{
	do {
		give_held(h);
		parse(h);
	} while (finish(h));
}

/* Events of the stream and the loop */

static void teardown(struct h1 *h)
{
	const struct exchange_events *events = h->x.events;

	h->state = H1_DEAD;
	h->x.events = NULL;
	timer_stop(&h->timer);
	if (events) {
		log_debug("http", "", "exchange cut: %s", error_text(h->error ? h->error : ERROR_CLOSED));
		events->closed(h->x.ctx, h->error ? h->error : ERROR_CLOSED);
	}
	tell_over(h);
	later_cancel(h->loop, &h->later);
	stream_close(h->http.stream);
	if (h->dress)
		h->dress->ops->release(h->dress);
	free(h->kept);
	http1_free(h->parser);
	loop_free_later(h->loop, h->input);
	loop_free_later(h->loop, h->output);
	loop_free_later(h->loop, h);
	h->events->closed(h->http.ctx, h->error);
}

void h1_interest(struct h1 *h)
{
	if (h->state < H1_CLOSING)
		stream_want(h->http.stream, h1_wants_read(h), h->out_len > 0);
}

void h1_enter(struct h1 *h)
{
	h->depth++;
}

void h1_leave(struct h1 *h)
{
	if (--h->depth > 0 || h->state == H1_DEAD)
		return;
	h->role->settled(h);
	if (h->state == H1_CLOSING) {
		teardown(h);
		return;
	}
	if (h->resting)
		h1_rest(h);
	h1_interest(h);
}

static void on_readable(void *ctx)
{
	struct h1 *h = ctx;

	h1_enter(h);
	if (h1_wants_read(h))
		h1_read(h);
	h1_proceed(h);
	h1_leave(h);
}

static void on_writable(void *ctx)
{
	struct h1 *h = ctx;
	bool waited = h->out_len > 0;
	int rc;

	h1_enter(h);
	rc = h1_output_flush(h);
	if (rc != 0)
		h->role->write_failed(h, rc);
	else if (waited && h->out_len == 0 && h->state == H1_BUSY && h->messages.out != COURSE_COMPLETE && h->x.events)
		h->x.events->writable(h->x.ctx);
	h1_proceed(h);
	h1_leave(h);
}

static void on_failed(void *ctx, int error)
{
	struct h1 *h = ctx;

	h1_enter(h);
	h1_fail(h, error);
	h1_leave(h);
}

static void on_ready(void *ctx)
{
	(void)ctx;	/* it was, when it came here */
}

static const struct stream_events stream_events = { on_ready, on_readable, on_writable, on_failed };

static void on_later(void *ctx)
{
	struct h1 *h = ctx;

	h1_enter(h);
	h1_proceed(h);
	h1_leave(h);
}

/* The functions of a connection */

static struct h1 *h1_from(struct http *http)
{
	return (struct h1 *)http;
}

static struct exchange *do_exchange(struct http *http, const struct exchange_events *events, void *ctx)
{
	return h1_ask(h1_from(http), events, ctx);
}

static unsigned do_room(const struct http *http)
{
	return ((const struct h1 *)http)->state == H1_IDLE;
}

static void do_close(struct http *http)
{
	struct h1 *h = h1_from(http);

	h1_enter(h);
	h1_fail(h, ERROR_CLOSED);
	h1_leave(h);
}

static void do_drain(struct http *http)
{
	struct h1 *h = h1_from(http);

	h->draining = true;
	loop_later(h->loop, &h->later);
}

static struct course *do_course(struct http *http)
{
	return &h1_from(http)->course;
}

static bool do_was_answered(const struct http *http)
{
	const struct h1 *h = (const struct h1 *)http;

	return h->refused || h->messages.in == COURSE_COMPLETE;
}

static const struct http_ops ops = { do_exchange, do_room, do_close, do_drain, do_course, do_was_answered };

struct h1 *h1_new(struct loop *l, struct stream *s, const struct h1_role *role, const struct http_events *events, void *ctx)
{
	struct h1 *h = calloc(1, sizeof *h);

	if (!h)
		abort();
	h->loop = l;
	h->http = (struct http){ .ops = &ops, .stream = s, .ctx = ctx };
	h->role = role;
	h->events = events;
	h->dress = s->dress;
	s->dress = NULL;
	h->parser = http1_new(role->parses, role->parser, h);
	input_init(h);
	h1_output_init(h);
	later_init(&h->later, on_later, h);
	h->since = loop_now(l);
	course_init(&h->course, h->since);
	h->fresh = true;
	stream_attach(s, &stream_events, h);
	return h;
}

