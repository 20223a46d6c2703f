/*
 * Up post: short POSTs with a Content-Length, as many at a time as the connections
 * allow. With a polling down method each post is a poll, so that every exchange carries
 * data both ways. Also HELLO, which is such a post, and its mode at the server.
 */
#include "framing/capsule.h"
#include "framing/error.h"
#include "tunnel/carrier_internal.h"

/* ---- helper ---- */

#define PARKED (200 * LOOP_MS)	/* and four round trips: a poll that was not answered by then is held */

/* Held polls have all connections, since others came or the limit sank: the oldest is given up. Not before the newest can only be
 * held, too: until then an answer may be under way, which frees a connection as well. */
static void give_one_up(struct carrier_helper *h)
{
	int64_t now = loop_now(h->base.session->loop), at;
	struct leg *oldest = NULL, *newest = NULL;

	if (h->pausing || pool_open_count(h->user.pool) < pool_limit(h->user.pool) || pool_is_dialling(h->user.pool))
		return;	/* one may come */
	for (struct link *l = h->base.legs.next; l != &h->base.legs; l = l->next) {
		struct leg *leg = list_entry(l, struct leg, link);

		if (leg->ops != &method_poll_leg)
			return;
		oldest = oldest ? oldest : leg;
		newest = leg;
	}
	if (!oldest)
		return;
	at = newest->born_us + 4 * h->base.ledger.srtt_us + PARKED;
	if (at > now) {
		timer_sooner(&h->retry, at);
		return;
	}
	h->polls--;
	leg_drop(oldest);
}

static bool send(struct carrier_helper *h, unsigned flags)
{
	bool hold = !h->streamed_down && carrier_helper_keep(h) > 0;
	struct leg *leg;

	if (!outbox_has(h->base.session, &h->base, flags))
		return false;
	if (!h->streamed_down && !hold && h->posts > 0)
		return false;	/* the next one takes it along */
	leg = carrier_helper_leg(h, hold ? &method_poll_leg : &method_post_leg, hold ? h->hold_ms : 0);
	if (!leg && !h->streamed_down && !hold)
		give_one_up(h);
	return leg && leg_complete(leg, carrier_helper_head(h, leg, false), flags | OUTBOX_FORCE);
}

const struct method method_up_post = { "post", NULL, send };

/* ---- server: hello ---- */

static void hello_end(struct leg *leg)
{
	struct session *s = leg->carrier->session;

	if (s->state == SESSION_OPEN)
		leg_complete(leg, leg_answer_head(s->loop, false, false), OUTBOX_HELLO);
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
