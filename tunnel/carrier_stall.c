/*
 * Stalls of a helper's streaming carriers: a path that passed everything at once begins to hold
 * it back. Looked at four times a second while there is traffic, and until it is over.
 * Told to the owner; the session meanwhile prefers another carrier.
 */
#include "tunnel/carrier_internal.h"
#include "tunnel/log.h"

#define TICK (250 * LOOP_MS)
#define TICK_IDLE LOOP_SECOND			/* while it is stalled, and nothing is to be sent */
#define ACTIVE (2500 * LOOP_MS)			/* behind the last data: it is looked at */
#define BACKOFF 2				/* probe time-outs in a row */
#define SLOW_TIMES 3				/* the least smoothed round trip, and */
#define SLOW (200 * LOOP_MS)
#define LATE_TIMES 4				/* the least smoothed round trip, or */
#define LATE (300 * LOOP_MS)
#define SLOW_FOR (1500 * LOOP_MS)
#define GOOD_FOR LOOP_SECOND
#define REGULAR 5				/* records in the last 2 s */
#define ANSWER (600 * LOOP_MS)			/* or four round trips, for a SEEN */
#define SILENT (500 * LOOP_MS)
#define ASK_EVERY LOOP_SECOND			/* while it is stalled: whether it is over */
#define ASK_RARE (5 * LOOP_SECOND)
#define RARE_AFTER (30 * LOOP_SECOND)

static int64_t now_of(const struct carrier_helper *h)
{
	return loop_now(h->base.session->loop);
}

/* By a MARK: it is answered on the streamed answer, while receipts may come on anything. */
static void ask(struct carrier_helper *h)
{
	h->stall.asked_us = now_of(h);
	if (!h->stall.waiting_us)
		h->stall.waiting_us = now_of(h);
	h->base.marks_due = 1;
	session_kick(h->base.session);
}

static bool is_silent(struct carrier_helper *h)
{
	int64_t most = 4 * h->base.ledger.srtt_us;

	if (!h->down || h->down->last_in_us > h->stall.waiting_us)
		h->stall.waiting_us = 0;
	return h->stall.waiting_us && now_of(h) - h->stall.waiting_us > (most > ANSWER ? most : ANSWER);
}

/* Everything arrives, but far later than it did. */
static bool is_slow(const struct carrier_helper *h)
{
	const struct arrivals *a = &h->base.arrivals;
	int64_t least = h->stall.least_us, late = LATE_TIMES * least > LATE ? LATE_TIMES * least : LATE;

	if (!least)
		return false;
	return h->base.ledger.srtt_us > SLOW_TIMES * least + SLOW ||
	       (now_of(h) - a->newest_us < SLOW_FOR && a->latest_ms * LOOP_MS > late);
}

static bool is_bad(struct carrier_helper *h)
{
	const struct ledger *l = &h->base.ledger;
	int64_t now = now_of(h);

	if (l->srtt_us && (!h->stall.least_us || l->srtt_us < h->stall.least_us))
		h->stall.least_us = l->srtt_us;
	if (!is_slow(h))
		h->stall.slow_us = 0;
	else if (!h->stall.slow_us)
		h->stall.slow_us = now;
	return l->backoff >= BACKOFF || ledger_is_stuck(l, now) || is_silent(h) ||
	       (h->stall.slow_us && now - h->stall.slow_us >= SLOW_FOR);
}

/* True when that is news. */
static bool decide(struct carrier_helper *h)
{
	int64_t now = now_of(h);

	if (is_bad(h)) {
		h->stall.good_us = 0;
		if (h->base.stalled)
			return false;
		h->stall.since_us = now;
		h->base.stalled = true;
		return true;
	}
	if (!h->base.stalled)
		return false;
	if (!h->stall.good_us)
		h->stall.good_us = now;
	if (now - h->stall.good_us < GOOD_FOR)
		return false;
	h->base.stalled = false;
	return true;
}

/* Data came regularly, and then nothing: asks. */
static void mind_silence(struct carrier_helper *h)
{
	int64_t most = 2 * h->base.ledger.srtt_us;
	unsigned recent = 0;

	h->stall.recent[h->stall.slot++ % STALL_SLOTS] = h->stall.heard;
	h->stall.heard = 0;
	for (unsigned i = 0; i < STALL_SLOTS; i++)
		recent += h->stall.recent[i];
	if (most < SILENT)
		most = SILENT;
	if (recent >= REGULAR && h->down && now_of(h) - h->down->last_in_us >= most && !h->stall.waiting_us)
		ask(h);
}

void carrier_stall_tick(void *ctx)
{
	struct carrier_helper *h = ctx;
	int64_t now = now_of(h);
	bool active = now - h->stall.active_us < ACTIVE, news;

	if (h->base.state != CARRIER_PROVEN)
		return;
	mind_silence(h);
	news = decide(h);
	if (h->base.stalled &&
	    now - h->stall.asked_us >= (now - h->stall.since_us < RARE_AFTER ? ASK_EVERY : ASK_RARE))
		ask(h);
	if (active || h->base.stalled)
		timer_in(&h->stall.tick, active ? TICK : TICK_IDLE);
	if (!news)
		return;
	log_debug("carrier", h->base.session->tag, "%u: %s %s", h->base.id, h->rung->name,
		  h->base.stalled ? "does not deliver" : "delivers again");
	session_kick(h->base.session);
	if (h->events->stalled)
		h->events->stalled(h->ctx, &h->base, h->base.stalled);	/* it may be gone now */
}

void carrier_ask(struct carrier *c)
{
	struct carrier_helper *h = (struct carrier_helper *)c;

	if (c->state != CARRIER_PROVEN || !h->streamed_down)
		return;
	ask(h);
	carrier_stall_active(h);
}

void carrier_stall_active(struct carrier_helper *h)
{
	if (h->base.state != CARRIER_PROVEN || !h->streamed_down)
		return;
	h->stall.active_us = now_of(h);
	if (!timer_armed(&h->stall.tick))
		timer_in(&h->stall.tick, TICK);
}

void carrier_stall_heard(struct carrier *c, bool accountable)
{
	struct carrier_helper *h = (struct carrier_helper *)c;

	if (!accountable)
		return;
	h->stall.heard++;
	carrier_stall_active(h);
}
