/*
 * The client's side of HTTP/1.1 connections: begins exchanges, reads responses.
 * An answer that is complete before the request is cannot be told from one that
 * cut it, so the exchange fails and the connection is not used again. When
 * writing fails, what the peer had said before is read to the end first: it may
 * be the reason.
 */
#include "framing/error.h"
#include "tunnel/h1_internal.h"

static int on_head(void *ctx, const struct http1_head *head)
{
	struct h1 *h = ctx;
	int rc;

	if (!h->x.events)
		return ERROR_CLOSED;
	h1_in(h, COURSE_OPEN);
	h->refused = head->status != (h->asked ? 101 : 200);
	h->keep = head->keep_alive && !head->upgrade;
	if (h->asked && head->status == 101)
		h1_switch(h);
	h->asked = false;
	rc = h->dress ? h1_look_at_answer(h, head) : 0;
	if (rc != 0 || h->again)
		return rc;
	rc = h->x.events->head(h->x.ctx, head);
	return h->state == H1_BUSY ? rc : ERROR_CLOSED;
}

static void client_stray(struct h1 *h)
{
	if (h->messages.in == COURSE_COMPLETE && h->state == H1_BUSY)
		h->keep = false;
	else
		h1_fail(h, h->state == H1_IDLE ? 0 : ERROR_RESET);
	h->in_start = h->in_end;
}

static void client_eof(struct h1 *h)
{
	if (h->state == H1_IDLE) {
		h1_fail(h, 0);
		return;
	}
	h->keep = false;
	if (h->messages.out == COURSE_NONE || http1_eof(h->parser) != 0 || h->messages.in != COURSE_COMPLETE)
		h1_fail(h, ERROR_RESET);
}

static void client_write_failed(struct h1 *h, int error)
{
	h->write_error = error;
	h->out_len = 0;
	loop_later(h->loop, &h->later);
}

static void client_settled(struct h1 *h)
{
	while (h->write_error && h->state == H1_BUSY) {
		h1_enter(h);
		if (!h1_wants_read(h) || !h1_read(h))
			h1_fail(h, h->write_error);
		h1_proceed(h);
		h->depth--;
	}
	if (h->state == H1_BUSY && h->messages.in == COURSE_COMPLETE && (h->messages.out != COURSE_COMPLETE || h->out_len > 0))
		h1_fail(h, ERROR_RESET);
}

static const struct http1_events parser_events = { on_head, h1_on_body, h1_on_end };

static const struct h1_role client_role = {
	.parses = HTTP1_RESPONSES,
	.parser = &parser_events,
	.stray = client_stray,
	.malformed = h1_fail,
	.eof = client_eof,
	.write_failed = client_write_failed,
	.settled = client_settled,
};

struct http *h1_client(struct loop *l, struct stream *s, const struct http_events *events, void *ctx)
{
	struct h1 *h = h1_new(l, s, &client_role, events, ctx);

	h1_interest(h);
	return &h->http;
}

struct exchange *h1_ask(struct h1 *h, const struct exchange_events *events, void *ctx)
{
	if (h->state != H1_IDLE)
		return NULL;
	h1_begin(h);
	h->x.events = events;
	h->x.ctx = ctx;
	return &h->x;
}
