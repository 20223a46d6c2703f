/*
 * Duplex: one exchange, both bodies held open. Up and down method of the helper,
 * and the mode at the server.
 */
#include "framing/error.h"
#include "tunnel/carrier_internal.h"

/* ---- helper ---- */

/* Liveness both ways: PING up when silent, dead when nothing came for 1.5 keepalives. */
static void helper_timer(struct leg *leg)
{
	struct session *s = leg->carrier->session;
	int64_t keepalive = s->config.keepalive_ms * LOOP_MS, now = loop_now(s->loop);
	int64_t dead = leg->last_in_us + keepalive * 3 / 2, ping = leg->last_out_us + keepalive;

	if (now >= dead) {
		leg_fail(leg, ERROR_TIMEOUT);
		return;
	}
	if (now >= ping) {
		leg->carrier->ping_due = true;
		session_kick(s);
		ping = now + keepalive;
	}
	timer_set(&leg->timer, dead < ping ? dead : ping);
}

static void helper_head(struct leg *leg)
{
	carrier_helper_down_open(carrier_helper_of(leg));
}

static void helper_end(struct leg *leg)
{
	leg_end(leg);	/* the server ended its answer: we end our body, the exchange is over */
}

static void helper_closed(struct leg *leg, int error)
{
	struct carrier_helper *h = carrier_helper_of(leg);

	h->up = h->down = NULL;
	carrier_helper_ended(h, leg, error);
}

static const struct leg_ops helper_leg = {
	.mode = MODE_DUPLEX, .head = helper_head, .end = helper_end, .timer = helper_timer, .closed = helper_closed,
};

static void stand(struct carrier_helper *h)
{
	struct leg *leg;

	if (h->up)
		return;
	leg = carrier_helper_leg(h, &helper_leg, 0);
	if (!leg)
		return;
	h->up = h->down = leg;
	leg_pad(leg, carrier_helper_head(h, leg, true));
	timer_in(&leg->timer, h->base.session->config.keepalive_ms * LOOP_MS);
	session_kick(h->base.session);
}

static bool send(struct carrier_helper *h, unsigned flags)
{
	return h->up && !h->up->in_ended && leg_stream(h->up, NULL, flags);
}

const struct method method_duplex = { "duplex", stand, send };

/* ---- server ---- */

static void server_end(struct leg *leg)
{
	leg_end(leg);
}

const struct mode mode_duplex = {
	{ .mode = MODE_DUPLEX, .end = server_end, .timer = carrier_server_keepalive, .closed = carrier_server_stream_closed },
	carrier_server_stream,
};
