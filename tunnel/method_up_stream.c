/*
 * Up stream: a POST held open, answered only at its end, ended after a few idle
 * seconds. Up method of the helper, and the mode `up` at the server.
 */
#include "framing/error.h"
#include "tunnel/carrier_internal.h"

#define IDLE (6 * LOOP_SECOND)		/* PROTOCOL.md section 3: within 8 s */
#define ANSWER (15 * LOOP_SECOND)	/* longest wait for the answer after the end */

/* ---- helper ---- */

static void helper_timer(struct leg *leg)
{
	struct loop *loop = leg->carrier->session->loop;
	int64_t idle = leg->last_out_us + IDLE;

	if (leg->out_ended) {
		leg_fail(leg, ERROR_TIMEOUT);
	} else if (loop_now(loop) >= idle) {
		carrier_helper_of(leg)->up = NULL;
		leg_end(leg);
		timer_in(&leg->timer, ANSWER);
	} else {
		timer_set(&leg->timer, idle);
	}
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

static bool send(struct carrier_helper *h, unsigned flags)
{
	struct leg *leg = h->up;

	if (leg)
		return leg_stream(leg, NULL, flags);
	if (!outbox_has(h->base.session, &h->base, flags))
		return false;
	leg = carrier_helper_leg(h, &helper_leg, 0);
	if (!leg)
		return false;
	h->up = leg;
	timer_in(&leg->timer, IDLE);
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
