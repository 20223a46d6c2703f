/*
 * Down poll: answers held until there is something to say; every poll carries data
 * both ways. Down method of the helper, its legs (the posts of up post are polls that are
 * not held), and the mode `poll` at the server.
 */
#include "framing/error.h"
#include "tunnel/carrier_internal.h"

#define PARKED_BUSY 2			/* polls that wait at the server, at least, while data flows */
#define PARK_MORE (100 * LOOP_MS)	/* between two steps */
#define PARK_LESS LOOP_SECOND
#define QUIET (2 * LOOP_SECOND)		/* answers farther apart are no rate */
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

static int64_t smoothed(int64_t old_us, int64_t sample_us)
{
	return old_us ? (7 * old_us + sample_us) / 8 : sample_us;
}

/* An answer with something in it: one that waits is missing now. */
static void note_answer(struct carrier_helper *h)
{
	int64_t now = loop_now(h->base.session->loop), since = now - h->park.heard_us;

	h->park.every_us = since < QUIET ? smoothed(h->park.every_us, since) : 0;
	h->park.heard_us = now;
	if (!h->park.freed_us)
		h->park.freed_us = now;
}

static void note_replaced(struct carrier_helper *h)
{
	if (h->park.freed_us)
		h->park.gap_us = smoothed(h->park.gap_us, loop_now(h->base.session->loop) - h->park.freed_us);
	h->park.freed_us = 0;
}

static void poll_closed(struct leg *leg, int error)
{
	struct carrier_helper *h = carrier_helper_of(leg);

	h->polls--;
	if (leg->heard)
		note_answer(h);
	carrier_helper_ended(h, leg, error);
}

const struct leg_ops method_post_leg = {
	.mode = MODE_POLL, .end = helper_end, .timer = helper_timer, .closed = post_closed,
};
const struct leg_ops method_poll_leg = {
	.mode = MODE_POLL, .refused = poll_refused, .end = helper_end, .timer = helper_timer, .closed = poll_closed,
};

/* As many as answers come while one of them is replaced, and one that waits: so that each packet finds a poll. Of the
 * connections one is left to send on and one to probes. */
static unsigned needed(const struct carrier_helper *h)
{
	int64_t turn = h->base.ledger.srtt_us + h->park.gap_us, n;
	unsigned most = pool_limit(h->user.pool);

	if (!carrier_helper_is_busy(h))
		return 1;
	if (!h->park.every_us)
		return PARKED_BUSY;
	most = most > PARKED_BUSY + 2 ? most - 2 : PARKED_BUSY;
	if (most > KEEP_MAX || pool_is_multiplexed(h->user.pool))
		most = KEEP_MAX;
	n = (turn + h->park.every_us - 1) / h->park.every_us + 1;
	return n < most ? (unsigned)n : most;
}

/* Follows by one at a time: up soon, down later. */
static unsigned wanted(struct carrier_helper *h)
{
	int64_t now = loop_now(h->base.session->loop);
	unsigned keep = carrier_helper_keep(h), n = needed(h);

	if (!carrier_helper_is_busy(h)) {
		h->park.parked = 1;
		h->park.every_us = 0;
	} else if (h->park.parked < PARKED_BUSY) {
		h->park.parked = PARKED_BUSY;
		h->park.changed_us = now;
	} else if (n > h->park.parked && now - h->park.changed_us >= PARK_MORE) {
		h->park.parked++;
		h->park.changed_us = now;
	} else if (n >= h->park.parked) {
		if (n == h->park.parked)
			h->park.changed_us = now;
	} else if (now - h->park.changed_us >= PARK_LESS) {
		h->park.parked--;
		h->park.changed_us = now;
	}
	if (h->park.parked > keep)
		h->park.parked = keep;
	return h->park.parked;
}

unsigned method_down_poll_spare(const struct carrier_helper *h)
{
	unsigned n = needed(h), next = (h->park.parked > PARKED_BUSY ? h->park.parked : PARKED_BUSY) + 1;

	if (!carrier_helper_is_busy(h))
		return pool_peak(h->user.pool) < POOL_LIMIT_MIN ? 1 : 0;	/* to find out that a second one can be had */
	if (pool_is_multiplexed(h->user.pool))
		return 1;
	if (n > next && !pool_is_single(h->user.pool))
		n = next;	/* dials are dear to some proxies: not all at once when a call begins */
	return n > h->polls ? n - h->polls + 1 : 1;
}

unsigned method_down_poll_keep(const struct carrier_helper *h)
{
	unsigned keep = carrier_helper_keep(h), parked = h->park.parked > PARKED_BUSY ? h->park.parked : PARKED_BUSY;

	return keep == 0 ? 1 : keep < parked ? keep : parked;
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
		note_replaced(h);
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
	for (struct link *l = c->legs.next; held > keep && l != &c->legs; l = next) {
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
