/*
 * Down stream: a response held open. Down method of the helper, and the mode `down`
 * at the server.
 */
#include "framing/error.h"
#include "tunnel/carrier_internal.h"

/* ---- helper ---- */

static void stand(struct carrier_helper *h);

/* Armed for the time at which it is dead, or at which it should be replaced. */
static void watch(struct leg *leg)
{
	int64_t dead = carrier_helper_dead_at(leg), worn = carrier_helper_worn_at(leg);

	timer_set(&leg->timer, dead < worn ? dead : worn);
}

static void helper_timer(struct leg *leg)
{
	if (loop_now(leg->carrier->session->loop) >= carrier_helper_dead_at(leg)) {
		carrier_helper_dead(leg);
		return;
	}
	stand(carrier_helper_of(leg));
	watch(leg);
}

static void helper_head(struct leg *leg)
{
	carrier_helper_down_open(carrier_helper_of(leg));
}

static void helper_end(struct leg *leg)
{
	carrier_helper_down_ended(leg);
}

static void helper_closed(struct leg *leg, int error)
{
	struct carrier_helper *h = carrier_helper_of(leg);

	if (h->down == leg)
		h->down = NULL;
	carrier_helper_ended(h, leg, error);
}

static const struct leg_ops helper_leg = {
	.mode = MODE_DOWN, .head = helper_head, .end = helper_end, .timer = helper_timer, .closed = helper_closed,
};

/* The server ends the older answer when the newer one begins. */
static void stand(struct carrier_helper *h)
{
	struct leg *leg;
	size_t cap;

	if (h->down && (!carrier_helper_is_worn(h->down) || h->base.state != CARRIER_PROVEN))
		return;
	leg = carrier_helper_leg(h, &helper_leg, 0);
	if (!leg) {
		carrier_helper_yield(h);
		return;
	}
	carrier_helper_replaced(h->down);
	h->down = leg;
	if (!exchange_room(leg->x, 0, &cap))
		return;	/* cannot be: the exchange is fresh */
	leg->head_sent = leg->out_ended = true;
	exchange_send(leg->x, carrier_helper_head(h, leg, false), 0, true);
	watch(leg);
	carrier_proof_standing(h);
}

const struct method method_down_stream = { "stream", stand, NULL };

/* ---- server ---- */

static void server_end(struct leg *leg)
{
	(void)leg;
}

const struct mode mode_down = {
	{ .mode = MODE_DOWN, .end = server_end, .timer = carrier_server_keepalive, .closed = carrier_server_stream_closed },
	carrier_server_stream,
};
