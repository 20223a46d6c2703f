/*
 * Steer. Called by session.c around each flush, by the inbox for what arrives; decides
 * with what the ledgers, redundancy and the bound of bytes in flight know.
 */
#include "tunnel/steer.h"

#include <string.h>

#include "tunnel/counters.h"
#include "tunnel/http.h"
#include "tunnel/leg.h"
#include "tunnel/log.h"
#include "tunnel/session_internal.h"

#define NONE UINT32_MAX
#define TURN_FIRST (600 * LOOP_MS)	/* of receipts, while none came */
#define TURN_STEP 64			/* part of it by which it follows */
#define MARGIN (10 * LOOP_MS)		/* behind nine in ten a record is overdue, */
#define LATE (30 * LOOP_MS)		/* and so much later it was lost, or stalled */
#define FULL (25 * LOOP_MS)		/* standing queue that leaves no room for copies */
#define WAITING (20 * LOOP_MS)		/* the same of urgent packets here */
#define SLOWER (10 * LOOP_MS)		/* a carrier's round trip above the least, and half as much again: another path */
#define DOUBT (3 * LOOP_SECOND)	/* a carrier is avoided for so long when its records were given up */
#define CALM (10 * LOOP_SECOND)
#define QUICK (10 * LOOP_MS)		/* a round trip in which TCP repairs a loss by itself soon enough */
#define BLOCKED LOOP_SECOND		/* or so many turns of receipts: streams wait no longer for room on a carrier */
#define BLOCKED_TURNS 4
#define FAR (100 * LOOP_MS)		/* and one in which nothing that waits for a receipt is in time */
#define WANTED_CLEAN 2			/* one that waits for the first loss */
#define WANTED_BEGINNING 4
#define WANTED_LOSSY 8

static void due(void *ctx);
static void tell(void *ctx);

void steer_init(struct session *s)
{
	s->steer.lead = s->steer.bulk = s->steer.heard_from = NONE;
	s->steer.wanted = 1;
	timer_init(&s->steer.timer, s->loop, due, s);
	later_init(&s->steer.tell, tell, s);
}

void steer_fini(struct session *s)
{
	timer_stop(&s->steer.timer);
	later_cancel(s->loop, &s->steer.tell);
}

/* ---- what is known ---- */

/* From when on a record without its receipt is overdue. While the bound is filled the queue that it aims at comes and goes. */
static int64_t patience(const struct session *s, const struct carrier *c)
{
	int64_t margin = c->ledger.srtt_us / 8;

	if (!s->steer.turn_us)
		return TURN_FIRST;
	if (margin < MARGIN)
		margin = MARGIN;
	if (s->redundancy.waited || (s->inflight.limited_us && loop_now(s->loop) - s->inflight.limited_us < LOOP_SECOND))
		margin += inflight_target_us(&s->inflight);
	return s->steer.turn_us + margin;
}

int64_t steer_overdue_us(const struct session *s, const struct carrier *c)
{
	int64_t oldest = c->standing ? ledger_oldest_us(&c->ledger) : 0;
	int64_t late = loop_now(s->loop) - oldest - patience(s, c);

	return oldest && late > 0 ? late : 0;
}

/* How much later than others: TCP repairs a loss in one round trip at the soonest, and a queue does not grow by so much from one record
 * to the next. */
static int64_t late_us(const struct session *s)
{
	int64_t trip = s->inflight.base_us * 4 / 5;

	return trip > LATE ? trip : LATE;
}

void steer_turned(struct session *s, int64_t turn_us)
{
	struct steer *t = &s->steer;
	int64_t step;

	if (!t->turn_us) {
		t->turn_us = turn_us > 0 ? turn_us : 1;
		return;
	}
	if (turn_us > t->turn_us + late_us(s) && turn_us > t->last_turn_us + late_us(s) && !s->redundancy.guarded &&
	    redundancy_has_media(&s->redundancy, loop_now(s->loop)))
		redundancy_evidence(&s->redundancy, loop_now(s->loop));
	t->last_turn_us = turn_us;
	step = t->turn_us / TURN_STEP;
	if (step < LOOP_MS / 5)
		step = LOOP_MS / 5;
	if (turn_us > t->turn_us)
		t->turn_us += turn_us - t->turn_us < 9 * step ? turn_us - t->turn_us : 9 * step;
	else
		t->turn_us -= t->turn_us - turn_us < step ? t->turn_us - turn_us : step;
}

void steer_heard(struct session *s, struct carrier *c, uint32_t lateness_ms)
{
	struct steer *t = &s->steer;
	int64_t now = loop_now(s->loop);

	if (t->heard_from != c->id && t->heard_from != NONE)
		t->spread_in_us = now;
	t->heard_from = c->id;
	t->heard_us = now;
	if (lateness_ms > t->last_ms && (lateness_ms - t->last_ms) * LOOP_MS > late_us(s) && redundancy_has_media(&s->redundancy, now))
		redundancy_evidence(&s->redundancy, now);
	t->last_ms = lateness_ms;
}

bool steer_is_spread(const struct session *s)
{
	return s->steer.spread || (s->steer.spread_in_us && loop_now(s->loop) - s->steer.spread_in_us < LOOP_SECOND);
}

/* Under that exchange; under the next one, if that has not begun. NULL: it is not known. */
static const struct http *connection_of(const struct carrier *c, uint64_t number)
{
	for (const struct link *l = c->legs.next; l != &c->legs; l = l->next) {
		const struct leg *leg = list_entry(l, const struct leg, link);

		if (leg->number == number)
			return leg->x ? leg->x->http : NULL;
	}
	return c->ops->next ? c->ops->next(c) : NULL;
}

uint64_t steer_fate(const struct carrier *c, uint64_t leg)
{
	const struct http *http = c->standing ? NULL : connection_of(c, leg);

	if (c->standing)
		return c->id;
	return (http && http->multiplexed ? (uintptr_t)http : leg) | UINT64_C(1) << 63;
}

/* ---- how many carriers ---- */

static unsigned wanted(const struct session *s)
{
	const struct redundancy *r = &s->redundancy;
	int64_t base = s->inflight.base_us;

	if (!redundancy_has_media(r, loop_now(s->loop)))
		return 1;
	if (!redundancy_has_use(r, loop_now(s->loop)))
		return WANTED_CLEAN;
	if (r->state == REDUNDANCY_LOSSY || r->pressed)
		return base && base < QUICK ? WANTED_BEGINNING : WANTED_LOSSY;
	return r->state == REDUNDANCY_BEGINNING ? WANTED_BEGINNING : WANTED_CLEAN;
}

static void tell(void *ctx)
{
	struct session *s = ctx;

	if (s->state == SESSION_OPEN && s->events->carriers)
		s->events->carriers(s->ctx, s->steer.wanted);
}

static void want_carriers(struct session *s)
{
	unsigned n = wanted(s);

	if (n == s->steer.wanted || s->role != SESSION_HELPER)
		return;
	s->steer.wanted = n;
	loop_later(s->loop, &s->steer.tell);
}

/* ---- who takes what ---- */

static bool is_usable(const struct carrier *c)
{
	return c->state == CARRIER_PROVEN && !c->aside;
}

/* While nothing was late for a while the helper's lead is the server's, so that TCP's acknowledgements ride on what goes the other way. */
static uint32_t lead(const struct session *s)
{
	int64_t now = loop_now(s->loop), suspect = s->redundancy.suspect_us;
	bool calm = !steer_is_spread(s) && (!suspect || now - suspect > CALM);

	return calm && now - s->steer.heard_us < LOOP_SECOND ? s->steer.heard_from : s->steer.lead;
}

/* Its records were given up a moment ago, and it may look well only because none waits. */
static bool is_doubted(const struct session *s, const struct carrier *c)
{
	return c->standing && c->ledger.doubted_us && loop_now(s->loop) - c->ledger.doubted_us < DOUBT;
}

/* The lower the better; what is no use for media at all is last. */
static uint8_t rank(const struct session *s, const struct carrier *c, int64_t least_rtt)
{
	if (c->state != CARRIER_PROVEN)
		return 6;
	if (c->aside)
		return 5;
	if (steer_overdue_us(s, c) || (!s->steer.spread && is_doubted(s, c)))
		return 4;
	if (!c->standing && (s->steer.spread || !c->ops->reaches || !c->ops->reaches(c)))
		return 3;
	if (c->ledger.srtt_us > least_rtt * 3 / 2 + SLOWER)
		return 2;
	return c->id == s->steer.bulk && (s->role == SESSION_SERVER || c->id != lead(s));
}

static int64_t least_rtt(const struct session *s)
{
	int64_t least = INT64_MAX / 4;	/* rank multiplies it */

	for (unsigned i = 0; i < s->carriers; i++)
		if (is_usable(s->carrier[i]) && s->carrier[i]->ledger.srtt_us && s->carrier[i]->ledger.srtt_us < least)
			least = s->carrier[i]->ledger.srtt_us;
	return least;
}

/* Of two of the same rank: in turn while spreading, else the lead, else the newer one. At the server always the newer one, since the
 * older ones may be about to go, of which only the helper knows. */
static bool is_before(const struct session *s, const struct carrier *a, const struct carrier *b)
{
	if (s->steer.spread && a->media_turn != b->media_turn)
		return a->media_turn < b->media_turn;
	if (!s->steer.spread && s->role == SESSION_HELPER && (a->id == lead(s) || b->id == lead(s)))
		return a->id == lead(s);
	return a->id > b->id;
}

unsigned steer_order(struct session *s, struct carrier **out)
{
	int64_t least = s->carriers > 1 ? least_rtt(s) : 0;
	unsigned n = 0;

	for (unsigned i = 0; i < s->carriers; i++) {
		struct carrier *c = s->carrier[i];
		unsigned at = n++;

		c->rank = rank(s, c, least);
		for (; at > 0 && (c->rank < out[at - 1]->rank || (c->rank == out[at - 1]->rank && is_before(s, c, out[at - 1]))); at--)
			out[at] = out[at - 1];
		out[at] = c;
	}
	return n;
}

void steer_turn(const struct session *s, const struct carrier *c, struct carrier **order, unsigned n)
{
	if (!s->steer.spread || c->media_turn != s->media_turn)
		return;
	for (unsigned i = 0; i + 1 < n; i++) {
		struct carrier *next = order[i + 1];

		if (order[i] != c || next->rank != c->rank)
			continue;
		order[i + 1] = order[i];
		order[i] = next;
	}
}

/* What it was given does not go: nobody may be there any more. */
static int64_t blocked_until(const struct carrier *c)
{
	int64_t most = BLOCKED_TURNS * c->session->steer.turn_us;

	return c->blocked_us + (most > BLOCKED ? most : BLOCKED);
}

static bool delivers(const struct carrier *c)
{
	if (c->blocked_us && loop_now(c->session->loop) >= blocked_until(c))
		return false;
	return is_usable(c) && c->standing && c->ledger.backoff == 0;
}

/* Streams stay on their carrier for as long as it delivers. Exchanges that do not stand are all fates of their own, and at the server
 * those of a carrier may have ended for good: nothing waits for one of them. */
static struct carrier *choose_bulk(struct session *s, struct carrier **order, unsigned n)
{
	struct carrier *now = s->steer.bulk == NONE ? NULL : session_find_carrier(s, s->steer.bulk), *best = NULL;

	if (now && delivers(now) && !(n > 1 && now == order[0]))
		return now;
	for (unsigned i = 1; i < n && !(best && s->role == SESSION_SERVER); i++)
		if (delivers(order[i]) && !steer_overdue_us(s, order[i]))
			best = order[i];
	return best;
}

/* Some go, or went a moment ago: their carrier is still full of them. */
static bool has_streams(struct session *s)
{
	int64_t now = loop_now(s->loop);

	if (!list_empty(&s->streams))
		s->steer.streams_us = now;
	return s->steer.streams_us && now - s->steer.streams_us < LOOP_SECOND;
}

static bool goes_twice(const struct session *s)
{
	return redundancy_is_on(&s->redundancy) && redundancy_has_use(&s->redundancy, loop_now(s->loop));
}

/* Sockets are tuned for few packets, each of them urgent, while these are sent twice. */
static void tune(struct session *s)
{
	bool sparse = goes_twice(s);

	for (unsigned i = 0; i < s->carriers; i++)
		for (struct link *l = s->carrier[i]->legs.next; l != &s->carrier[i]->legs; l = l->next) {
			struct leg *leg = list_entry(l, struct leg, link);

			if (leg->x && leg->sparse != sparse) {
				leg->sparse = sparse;
				exchange_sparse(leg->x, leg->sparse);
			}
		}
}

static enum redundancy_full how_full(struct session *s)
{
	int64_t most = s->inflight.base_us / 4, waits = scheduler_oldest_us(&s->scheduler, SCHEDULER_URGENT);
	int64_t queue = round_trip_queue_us(&s->round_trip, loop_now(s->loop));

	if (most < FULL)
		most = FULL;
	if (waits != INT64_MAX && loop_now(s->loop) - waits > WAITING)
		return REDUNDANCY_JAMMED;
	return queue > 2 * most ? REDUNDANCY_JAMMED : queue > most ? REDUNDANCY_FULL : REDUNDANCY_ROOM;
}

/* What is not urgent waits here: nothing of it goes twice. */
static bool others_wait(struct session *s)
{
	int64_t waits = scheduler_oldest_us(&s->scheduler, SCHEDULER_ALL & ~SCHEDULER_URGENT);

	return waits != INT64_MAX && loop_now(s->loop) - waits > WAITING;
}

unsigned steer_begin(struct session *s, struct carrier **order)
{
	uint32_t lead_before = s->steer.lead, bulk_before = s->steer.bulk;
	bool spread_before = s->steer.spread;
	struct carrier *bulk;
	unsigned n;

	redundancy_far(&s->redundancy, s->inflight.base_us > FAR);
	if (s->inflight.base_us && s->inflight.base_us < QUICK)
		redundancy_begun(&s->redundancy);
	redundancy_update(&s->redundancy, how_full(s), others_wait(s), loop_now(s->loop));
	want_carriers(s);
	n = steer_order(s, order);
	s->steer.lead = n && is_usable(order[0]) ? order[0]->id : NONE;
	s->steer.spread = goes_twice(s) && n > 1 && is_usable(order[1]) && order[1]->standing;
	bulk = n > 1 && order[0]->standing && has_streams(s) ? choose_bulk(s, order, n) : NULL;
	s->steer.bulk = bulk ? bulk->id : NONE;
	for (unsigned i = 0; i < s->carriers; i++) {
		struct carrier *c = s->carrier[i];

		c->takes = !bulk || s->pick ? TAKES_ALL : c == bulk ? TAKES_STREAMS : TAKES_MEDIA;
	}
	if (bulk && n == 2 && s->steer.spread)
		bulk->takes = TAKES_ALL;	/* else there were no second fate */
	tune(s);
	if (s->steer.lead == lead_before && s->steer.bulk == bulk_before && s->steer.spread == spread_before)
		return n;
	return steer_order(s, order);
}

/* ---- time ---- */

static void overdue(void *ctx, const struct ledger_item *item)
{
	struct session *s = ctx;

	redundancy_overdue(&s->redundancy, item->offset);
}

static void due(void *ctx)
{
	struct session *s = ctx;
	int64_t now = loop_now(s->loop);

	for (unsigned i = 0; i < s->carriers; i++)
		ledger_tell_overdue(&s->carrier[i]->ledger, now - patience(s, s->carrier[i]), overdue, s);
	session_kick(s);
}

static void sooner(int64_t *at, int64_t when)
{
	if (when < *at)
		*at = when;
}

/* When what waits for the bound may go on without another receipt. */
static int64_t room_us(struct session *s, int64_t now)
{
	int64_t at = INT64_MAX, room;

	if (!list_empty(&s->streams) && (room = inflight_room_us(&s->inflight, INFLIGHT_STREAM, now)) > now)
		sooner(&at, room);
	if (scheduler_has(&s->scheduler, SCHEDULER_ALL & ~SCHEDULER_URGENT) &&
	    (room = inflight_room_us(&s->inflight, INFLIGHT_VIDEO, now)) > now)
		sooner(&at, room);
	if (scheduler_has(&s->scheduler, SCHEDULER_URGENT) && (room = inflight_room_us(&s->inflight, INFLIGHT_URGENT, now)) > now)
		sooner(&at, room);
	return at;
}

/* Not while nothing is kept: a timer that has nothing to do is not armed. */
void steer_watch(struct session *s)
{
	const struct carrier *bulk = s->steer.bulk == NONE ? NULL : session_find_carrier(s, s->steer.bulk);
	int64_t now = loop_now(s->loop), at = INT64_MAX, copy = redundancy_due_us(&s->redundancy, now);

	if (s->state != SESSION_OPEN)
		return;
	if (copy > now)
		sooner(&at, copy);
	for (unsigned i = 0; redundancy_holds(&s->redundancy) && i < s->carriers; i++) {
		int64_t sent = ledger_next_overdue_us(&s->carrier[i]->ledger);

		if (sent)
			sooner(&at, sent + patience(s, s->carrier[i]));
	}
	if (bulk && bulk->blocked_us && blocked_until(bulk) > now)
		sooner(&at, blocked_until(bulk));
	sooner(&at, room_us(s, now));
	if (s->role == SESSION_HELPER && s->steer.wanted > 1) {
		sooner(&at, redundancy_until_us(&s->redundancy));
		sooner(&at, redundancy_pause_us(&s->redundancy));
	}
	if (at == INT64_MAX)
		timer_stop(&s->steer.timer);
	else
		timer_set(&s->steer.timer, at > now ? at : now + LOOP_MS);
}
