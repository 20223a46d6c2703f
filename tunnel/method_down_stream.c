/*
 * Down stream: a response held open. Down method of the helper, and the mode `down`
 * at the server.
 */
#include "framing/error.h"
#include "tunnel/carrier_internal.h"

/* ---- helper ---- */

static void helper_timer(struct leg *leg)
{
	struct session *s = leg->carrier->session;
	int64_t dead = leg->last_in_us + s->config.keepalive_ms * LOOP_MS * 3 / 2;

	if (loop_now(s->loop) >= dead)
		leg_fail(leg, ERROR_TIMEOUT);
	else
		timer_set(&leg->timer, dead);
}

static void helper_head(struct leg *leg)
{
	carrier_helper_down_open(carrier_helper_of(leg));
}

static void helper_end(struct leg *leg)
{
	(void)leg;
}

static void helper_closed(struct leg *leg, int error)
{
	struct carrier_helper *h = carrier_helper_of(leg);

	h->down = NULL;
	carrier_helper_ended(h, leg, error);
}

static const struct leg_ops helper_leg = {
	.mode = MODE_DOWN, .head = helper_head, .end = helper_end, .timer = helper_timer, .closed = helper_closed,
};

static void stand(struct carrier_helper *h)
{
	struct leg *leg;
	size_t cap;

	if (h->down)
		return;
	leg = carrier_helper_leg(h, &helper_leg, 0);
	if (!leg)
		return;
	h->down = leg;
	if (!exchange_room(leg->x, 0, &cap))
		return;	/* cannot be: the exchange is fresh */
	leg->head_sent = leg->out_ended = true;
	exchange_send(leg->x, carrier_helper_head(h, leg, false), 0, true);
	timer_in(&leg->timer, h->base.session->config.keepalive_ms * LOOP_MS * 3 / 2);
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
