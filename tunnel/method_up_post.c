/*
 * Up post: short POSTs with a Content-Length, as many at a time as the connections
 * allow. With a polling down method each post is a poll, so that every exchange carries
 * data both ways. Also HELLO, which is such a post, and its mode at the server.
 */
#include "framing/capsule.h"
#include "framing/error.h"
#include "tunnel/carrier_internal.h"

/* ---- helper ---- */

static bool send(struct carrier_helper *h, unsigned flags)
{
	struct leg *leg;

	if (!outbox_has(h->base.session, &h->base, flags))
		return false;
	leg = carrier_helper_leg(h, h->streamed_down ? &method_post_leg : &method_poll_leg,
				 h->streamed_down ? 0 : h->hold_ms);
	if (!leg)
		return false;
	return leg_complete(leg, carrier_helper_head(h, leg, false), flags | OUTBOX_FORCE);
}

const struct method method_up_post = { "post", NULL, send };

/* ---- server: hello ---- */

static void hello_end(struct leg *leg)
{
	struct session *s = leg->carrier->session;

	if (s->state == SESSION_OPEN)
		leg_complete(leg, leg_answer_head(s->loop, false), OUTBOX_HELLO);
	else if (s->state == SESSION_NEW)
		leg_fail(leg, ERROR_MALFORMED);
	/* else: the owner is told that the session ended, and it is answered then */
}

static void no_timer(struct leg *leg)
{
	(void)leg;
}

static void hello_closed(struct leg *leg, int error)
{
	(void)leg, (void)error;
}

const struct mode mode_hello = {
	{ .mode = MODE_HELLO, .end = hello_end, .timer = no_timer, .closed = hello_closed }, NULL,
};
