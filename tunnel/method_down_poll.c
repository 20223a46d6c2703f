/*
 * Down poll: answers held until there is something to say; every poll carries data
 * both ways. Down method of the helper, its legs (the posts of up post are polls that are
 * not held), and the mode `poll` at the server.
 */
#include "framing/error.h"
#include "tunnel/carrier_internal.h"

#define ASK_IDLE (250 * LOOP_MS)	/* between polls that are not held, while nothing happens */

/* ---- helper ---- */

static void helper_timer(struct leg *leg)
{
	leg_fail(leg, ERROR_TIMEOUT);
}

static void helper_end(struct leg *leg)
{
	(void)leg;
}

/* A proxy's own time-out: shorter holds from now on. */
static void poll_refused(struct leg *leg)
{
	int64_t age = loop_now(leg->carrier->session->loop) - leg->born_us;

	if (leg->status != 408 && (leg->status < 502 || leg->status > 504))
		return;
	if (age < CUTS_AGE_MIN || age > leg->hold_ms * LOOP_MS)
		return;
	leg->given_up = true;
	pool_note_idle(leg->x, age);
}

static void post_closed(struct leg *leg, int error)
{
	struct carrier_helper *h = carrier_helper_of(leg);

	h->posts--;
	h->posted_us = loop_now(h->base.session->loop);
	carrier_helper_ended(h, leg, error);
}

static void poll_closed(struct leg *leg, int error)
{
	carrier_helper_of(leg)->polls--;
	carrier_helper_ended(carrier_helper_of(leg), leg, error);
}

const struct leg_ops method_post_leg = {
	.mode = MODE_POLL, .end = helper_end, .timer = helper_timer, .closed = post_closed,
};
const struct leg_ops method_poll_leg = {
	.mode = MODE_POLL, .refused = poll_refused, .end = helper_end, .timer = helper_timer, .closed = poll_closed,
};

/* One parked poll when idle; two while data flows and the connections allow it. */
static unsigned wanted(const struct carrier_helper *h)
{
	unsigned keep = carrier_helper_keep(h);

	return carrier_helper_is_busy(h) || keep < 1 ? keep : 1;
}

/* No connection would be left to send on, were one held: asks again and again, one at a time. */
static void ask(struct carrier_helper *h)
{
	int64_t at = h->posted_us + (carrier_helper_is_busy(h) ? 0 : ASK_IDLE);
	struct leg *leg;

	if (h->posts > 0 || h->polls > 0)
		return;
	if (h->posted_us && at > loop_now(h->base.session->loop)) {
		timer_sooner(&h->retry, at);
		return;
	}
	leg = carrier_helper_leg(h, &method_post_leg, 0);
	if (leg)
		leg_complete(leg, carrier_helper_head(h, leg, false), OUTBOX_FORCE);
}

static void stand(struct carrier_helper *h)
{
	int64_t now = loop_now(h->base.session->loop);

	if (now < h->poll_not_before) {
		timer_sooner(&h->retry, h->poll_not_before);
		return;
	}
	if (carrier_helper_keep(h) == 0) {
		ask(h);
		return;
	}
	while (h->polls < wanted(h)) {
		struct leg *leg = carrier_helper_leg(h, &method_poll_leg, h->hold_ms);

		if (!leg)
			return;
		leg_complete(leg, carrier_helper_head(h, leg, false), OUTBOX_FORCE);
	}
}

const struct method method_down_poll = { "poll", stand, NULL };

/* ---- server ---- */

static void answer(struct leg *leg)
{
	if (leg_complete(leg, leg_answer_head(leg->carrier->session->loop, false, false), OUTBOX_FORCE)) {
		leg->waiting = false;
		timer_stop(&leg->timer);
	} else if (!ledger_ready(&leg->carrier->ledger)) {
		leg_fail(leg, ERROR_LIMIT);	/* a helper that sends no receipts */
	}
}

/* Holding more than the helper's connections bear, the oldest are answered at once. */
static void release_oldest(struct carrier *c, unsigned keep)
{
	struct link *next;
	unsigned held = 0;

	for (struct link *l = c->legs.next; l != &c->legs; l = l->next)
		held += list_entry(l, struct leg, link)->waiting;
	for (struct link *l = c->legs.next; held > keep; l = next) {
		struct leg *leg = list_entry(l, struct leg, link);

		next = l->next;
		if (leg->waiting) {
			answer(leg);
			held--;
		}
	}
}

static void server_end(struct leg *leg)
{
	struct carrier *c = leg->carrier;
	struct session *s = c->session;

	if (s->state == SESSION_ENDED)
		return;
	leg->waiting = true;
	if (leg->hold_ms == 0) {
		answer(leg);
		return;
	}
	c->state = CARRIER_PROVEN;
	timer_in(&leg->timer, leg->hold_ms * LOOP_MS);
	release_oldest(c, leg->keep);
	if (outbox_has(s, c, 0))
		session_kick(s);
}

static void server_writable(struct leg *leg)
{
	if (leg->waiting && leg->hold_ms == 0)
		answer(leg);
}

static void server_timer(struct leg *leg)
{
	answer(leg);
}

static void server_closed(struct leg *leg, int error)
{
	(void)leg, (void)error;
}

const struct mode mode_poll = {
	{ .mode = MODE_POLL, .end = server_end, .writable = server_writable, .timer = server_timer,
	  .closed = server_closed }, NULL,
};
