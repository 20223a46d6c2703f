/*
 * Calls. Made by rest.c for each request; tells rest.c when all of it is there, and sends what that answers.
 */
#include "server/rest_call.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "framing/error.h"
#include "server/rest_internal.h"
#include "server/rest_cors.h"
#include "server/rest_problem.h"
#include "server/rest_stream.h"

#define DISCARD_MAX (256 * 1024)

static int on_body(void *ctx, const uint8_t *p, size_t n)
{
	struct rest_call *c = ctx;

	if (c->answered) {
		c->discarded += n;
		return c->discarded > DISCARD_MAX ? ERROR_LIMIT : 0;
	}
	if (c->body.n + n > REST_BODY_MAX || !rest_take_room(c->rest, n)) {
		bool busy = c->body.n + n <= REST_BODY_MAX;

		rest_problem(c, busy ? 503 : 413, busy ? "busy" : "too-big",
			     busy ? "the server has too many requests at a time: try again" : "the body is too long: send fewer messages at a time",
			     busy ? "Retry-After: 2\r\n" : "");
		return 0;
	}
	rest_text_put(&c->body, p, n);
	return 0;
}

static void on_end(void *ctx)
{
	struct rest_call *c = ctx;

	c->complete = true;
	if (!c->answered)
		rest_ready(c);
}

static void forget_body(struct rest_call *c)
{
	rest_give_room(c->rest, c->body.n);
	rest_text_fini(&c->body);
}

/* Sends on as far as there is room. */
static void send_on(struct rest_call *c)
{
	struct exchange_head head = { .status = c->status, .lines = c->lines };
	bool whole = c->answer.n <= EXCHANGE_ROOM;
	size_t left, cap;
	uint8_t *p;

	if (!whole) {
		head.streamed = true;
		head.length = c->answer.n;
	}
	while (c->sent < c->answer.n || !c->begun) {
		left = c->answer.n - c->sent;
		p = exchange_room(c->x, left > 0 && left < EXCHANGE_ROOM ? left : left ? EXCHANGE_ROOM : 1, &cap);
		if (!p)
			return;
		if (left > cap)
			left = cap;
		if (left)
			memcpy(p, c->answer.p + c->sent, left);
		c->sent += left;
		if (exchange_send(c->x, c->begun ? NULL : &head, left, c->sent == c->answer.n) < 0)
			return;
		c->begun = true;
	}
	rest_text_fini(&c->answer);
	c->sent = 0;
}

static void on_writable(void *ctx)
{
	struct rest_call *c = ctx;

	if (c->stream)
		rest_stream_writable(c->stream);
	else if (c->answered)
		send_on(c);
}

static void on_closed(void *ctx, int error)
{
	struct rest_call *c = ctx;

	(void)error;
	if (!c->answered)
		rest_tally_count(&c->rest->tally, c->method, 0);
	if (c->session)
		rest_session_leave(c->session, &c->waiter);
	timer_stop(&c->timer);
	rest_stream_free(c->stream);
	forget_body(c);
	rest_text_fini(&c->answer);
	free(c->origin);
	free(c->lines);
	loop_free_later(c->visitor->front->loop, c);
}

static const struct exchange_events events = { .body = on_body, .end = on_end, .writable = on_writable, .closed = on_closed };

struct rest_call *rest_call_new(struct rest *rest, struct front_visitor *v, struct exchange *x)
{
	struct rest_call *c = calloc(1, sizeof *c);

	if (!c)
		abort();
	c->rest = rest;
	c->visitor = v;
	c->x = x;
	x->events = &events;
	x->ctx = c;
	return c;
}

/* Nothing else answers it from now on. */
static void begin(struct rest_call *c, int status, const char *type, const char *lines)
{
	char all[REST_CALL_LINES], cors[REST_CORS_LINES] = "";

	c->answered = true;
	c->status = status;
	rest_tally_count(&c->rest->tally, c->method, status);
	timer_stop(&c->timer);
	forget_body(c);
	if (c->origin)
		rest_cors_lines(c->origin, c->method == REST_OPTIONS, c->private_network, cors);
	snprintf(all, sizeof all, "%s%s%sVary: Origin\r\n%s%s", *type ? "Content-Type: " : "", type, *type ? "\r\n" : "", cors, lines);
	c->lines = strdup(all);	/* it may stay for long */
	if (!c->lines)
		abort();
}

void rest_call_answer(struct rest_call *c, int status, const char *type, const char *lines)
{
	char all[REST_CALL_LINES / 2];

	if (c->answered)
		return;
	snprintf(all, sizeof all, "Cache-Control: no-store\r\n%s", lines);
	begin(c, status, c->answer.n ? type : "", all);
	send_on(c);
}

void rest_call_begin(struct rest_call *c, const char *type, const char *lines)
{
	begin(c, 200, type, lines);
}

void rest_call_park(struct rest_call *c)
{
	forget_body(c);
	exchange_rest(c->x);
}

void rest_call_drop(struct rest_call *c)
{
	struct exchange *x = c->x;

	on_closed(c, ERROR_TIMEOUT);
	exchange_abort(x);
}
