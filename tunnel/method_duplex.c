/*
 * Duplex: one exchange, both bodies held open. Up and down method of the helper,
 * and the mode at the server. A WebSocket lives as it does (method_websocket.c).
 */
#include "framing/error.h"
#include "tunnel/method_duplex.h"

/* ---- helper ---- */

/* Liveness both ways: PING up when silent, dead when nothing came for 1.5 keepalives. */
static void watch(struct leg *leg)
{
	int64_t at = carrier_helper_dead_at(leg), worn = carrier_helper_worn_at(leg);
	int64_t now = loop_now(leg->carrier->session->loop), keepalive = leg->keepalive_ms * LOOP_MS;
	int64_t ping = leg->last_out_us + keepalive;

	if (worn < at)
		at = worn;
	if (ping <= now)	/* it is due already, and goes when there is room */
		ping = now + keepalive;
	timer_set(&leg->timer, ping < at && !leg->out_ended ? ping : at);
}

void method_duplex_timer(struct leg *leg)
{
	struct carrier_helper *h = carrier_helper_of(leg);
	int64_t now = loop_now(h->base.session->loop), keepalive = leg->keepalive_ms * LOOP_MS;

	if (now >= carrier_helper_dead_at(leg)) {
		carrier_helper_dead(leg);
		return;
	}
	h->rung->down->stand(h);
	if (now >= leg->last_out_us + keepalive && !leg->out_ended && h->up == leg) {
		h->base.ping_due = true;
		session_kick(h->base.session);
	}
	watch(leg);
}

/* The newer one works: what stood before ends its body, and the server its answer. */
static void take_over(struct carrier_helper *h, struct leg *leg)
{
	struct leg *old = h->up;

	if (h->down != leg || old == leg)
		return;
	h->up = leg;
	if (old)
		leg_end(old);
	session_kick(h->base.session);
}

void method_duplex_head(struct leg *leg)
{
	take_over(carrier_helper_of(leg), leg);
	carrier_helper_down_open(carrier_helper_of(leg));
}

void method_duplex_end(struct leg *leg)
{
	struct carrier_helper *h = carrier_helper_of(leg);

	carrier_helper_down_ended(leg);
	if (h->up == leg && h->down != leg)
		take_over(h, h->down);
	leg_end(leg);	/* the server ended its answer: we end our body, the exchange is over */
}

void method_duplex_closed(struct leg *leg, int error)
{
	struct carrier_helper *h = carrier_helper_of(leg);

	if (h->down == leg)
		h->down = h->up == leg ? NULL : h->up;	/* the newer one failed: the older one may do still */
	if (h->up == leg)
		h->up = h->down == leg ? NULL : h->down;
	carrier_helper_ended(h, leg, error);
}

static const struct leg_ops helper_leg = {
	.mode = MODE_DUPLEX, .head = method_duplex_head, .end = method_duplex_end, .timer = method_duplex_timer,
	.closed = method_duplex_closed,
};

struct leg *method_duplex_begin(struct carrier_helper *h, const struct leg_ops *ops)
{
	struct leg *leg;

	if (h->down && (!carrier_helper_is_worn(h->down) || h->base.state != CARRIER_PROVEN))
		return NULL;
	leg = carrier_helper_leg(h, ops, 0);
	if (!leg)
		return NULL;
	carrier_helper_replaced(h->down);
	h->down = leg;
	if (!h->up)
		h->up = leg;
	return leg;
}

void method_duplex_begun(struct leg *leg)
{
	struct carrier_helper *h = carrier_helper_of(leg);

	watch(leg);
	carrier_proof_standing(h);
	session_kick(h->base.session);
}

static void stand(struct carrier_helper *h)
{
	struct leg *leg = method_duplex_begin(h, &helper_leg);

	if (!leg)
		return;
	leg_pad(leg, carrier_helper_head(h, leg, true));
	method_duplex_begun(leg);
}

bool method_duplex_send(struct carrier_helper *h, unsigned flags)
{
	return h->up && !h->up->in_ended && leg_stream(h->up, NULL, flags);
}

const struct method method_duplex = { "duplex", stand, method_duplex_send };

/* ---- server ---- */

void method_duplex_server_end(struct leg *leg)
{
	leg_end(leg);
	carrier_server_stream_ended((struct carrier_server *)leg->carrier, leg);
}

const struct mode mode_duplex = {
	{ .mode = MODE_DUPLEX, .end = method_duplex_server_end, .timer = carrier_server_keepalive,
	  .closed = carrier_server_stream_closed },
	carrier_server_stream,
};
