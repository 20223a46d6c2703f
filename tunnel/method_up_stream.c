/*
 * Up stream: a POST held open, answered only at its end, ended after a few idle
 * seconds. Up method of the helper, and the mode `up` at the server.
 */
#include "framing/error.h"
#include "tunnel/carrier_internal.h"

#define IDLE (6 * LOOP_SECOND)		/* PROTOCOL.md section 3: within 8 s */
#define ANSWER (15 * LOOP_SECOND)	/* longest wait for the answer after the end */

/* ---- helper ---- */

static int64_t idle_at(const struct leg *leg)
{
	int64_t idle = leg->keepalive_ms * LOOP_MS * 3 / 2, worn = carrier_helper_worn_at(leg);

	idle = leg->last_out_us + (idle < IDLE ? idle : IDLE);
	return idle < worn ? idle : worn;
}

static void end(struct leg *leg)
{
	struct carrier_helper *h = carrier_helper_of(leg);

	if (h->up == leg)
		h->up = NULL;
	leg_end(leg);
	timer_in(&leg->timer, ANSWER);
}

void method_up_stream_end(struct carrier_helper *h)
{
	carrier_helper_replaced(h->up);
	end(h->up);
}

static void helper_timer(struct leg *leg)
{
	if (leg->out_ended)
		leg_fail(leg, ERROR_TIMEOUT);
	else if (loop_now(leg->carrier->session->loop) >= idle_at(leg))
		end(leg);
	else
		timer_set(&leg->timer, idle_at(leg));
}

static void helper_end(struct leg *leg)
{
	(void)leg;
}

static void helper_closed(struct leg *leg, int error)
{
	struct carrier_helper *h = carrier_helper_of(leg);

	if (h->up == leg)
		h->up = NULL;
	carrier_helper_ended(h, leg, error);
}

static const struct leg_ops helper_leg = {
	.mode = MODE_UP, .end = helper_end, .timer = helper_timer, .closed = helper_closed,
};

static struct leg *begin(struct carrier_helper *h)
{
	struct leg *leg = carrier_helper_leg(h, &helper_leg, 0);

	if (!leg)
		return NULL;
	h->up = leg;
	timer_set(&leg->timer, idle_at(leg));
	if (h->rung->fill)
		leg_fill(leg, carrier_helper_head(h, leg, true), h->rung->fill);
	return leg;
}

/* The newer one begins, then the older one ends. Where there is no connection for both the older one goes first
 * (of HTTP/2 it would leave none behind). */
static struct leg *renew(struct carrier_helper *h, struct leg *old)
{
	struct leg *leg = begin(h);

	if (!leg && (!pool_is_full(h->user.pool) || pool_is_multiplexed(h->user.pool)))
		return old;	/* a connection is coming */
	carrier_helper_replaced(old);
	end(old);
	return leg;
}

static bool send(struct carrier_helper *h, unsigned flags)
{
	struct leg *leg = h->up;

	if (!outbox_has(h->base.session, &h->base, flags))
		return false;
	if (leg && h->base.state == CARRIER_PROVEN && carrier_helper_is_worn(leg))
		leg = renew(h, leg);
	else if (!leg)
		leg = begin(h);
	if (!leg)
		return false;
	if (leg->head_sent)
		return leg_stream(leg, NULL, flags);
	return leg_stream(leg, carrier_helper_head(h, leg, true), flags | OUTBOX_FORCE);
}

const struct method method_up_stream = { "stream", NULL, send };

/* ---- server ---- */

static void server_end(struct leg *leg)
{
	leg_complete(leg, leg_answer_head(leg->carrier->session->loop, false, false), OUTBOX_FORCE | OUTBOX_OWN);
}

static void server_writable(struct leg *leg)
{
	if (leg->in_ended && !leg->out_ended)
		server_end(leg);
}

static void server_timer(struct leg *leg)
{
	(void)leg;	/* silence within a body is watched by the HTTP engine */
}

static void server_closed(struct leg *leg, int error)
{
	(void)leg, (void)error;
}

const struct mode mode_up = {
	{ .mode = MODE_UP, .end = server_end, .writable = server_writable, .timer = server_timer,
	  .closed = server_closed }, NULL,
};
