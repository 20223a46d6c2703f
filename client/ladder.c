/*
 * The ladder's carriers. At most five at a time: the one in use, those that are to be
 * better, and poll as the way back. What is told by carriers is told at the end of the
 * turn, so that they may be freed here. Made by attachment.c for each session.
 */
#include "client/ladder.h"

#include <stdio.h>
#include <stdlib.h>

#include "client/ladder_internal.h"
#include "framing/error.h"
#include "tunnel/log.h"

#define DELAY_FIRST (250 * LOOP_MS)
#define DELAY_MAX (10 * LOOP_SECOND)
#define QUICK_US (5 * LOOP_SECOND)	/* a carrier that was in use for a shorter time failed quickly */
#define QUICK_MAX 2
#define SETTLE_US (2 * LOOP_SECOND)	/* after the beginning no connection is kept ready for it */

int64_t ladder_delay(struct loop *loop, unsigned n)
{
	int64_t d = DELAY_FIRST;

	if (n == 0)
		return 0;
	while (--n && d < DELAY_MAX)
		d *= 2;
	if (d > DELAY_MAX)
		d = DELAY_MAX;
	return d * 3 / 4 + (int64_t)(loop_random_u64(loop) % (uint64_t)(d / 2));
}

const struct rung *ladder_safe_rung(const struct ladder *l)
{
	return l->config->only ? l->config->only : rung_find("poll");
}

static bool is_better(const struct rung *a, const struct rung *b)
{
	return a < b;	/* both in rungs[], best first */
}

/* ---- attempts ---- */

struct attempt *ladder_attempt_on(struct ladder *l, const struct rung *rung)
{
	for (size_t i = 0; i < LADDER_ATTEMPTS; i++)
		if (l->attempt[i].carrier && l->attempt[i].rung == rung && !l->attempt[i].doomed)
			return &l->attempt[i];
	return NULL;
}

static bool any_attempt(const struct ladder *l)
{
	for (size_t i = 0; i < LADDER_ATTEMPTS; i++)
		if (l->attempt[i].carrier)
			return true;
	return false;
}

/* Leaves the attempt's carrier to itself, which ends in order. */
static void retire(struct attempt *a)
{
	if (a->ladder->active == a)
		a->ladder->active = NULL;
	if (a->proven_us >= 0)
		carrier_retire(a->carrier);
	else
		carrier_free(a->carrier);
	a->carrier = NULL;
}

static const struct carrier_events carrier_events;

struct attempt *ladder_open(struct ladder *l, const struct rung *rung)
{
	struct attempt *a = l->attempt;

	while (a < l->attempt + LADDER_ATTEMPTS && a->carrier)
		a++;
	if (a == l->attempt + LADDER_ATTEMPTS)
		return NULL;
	*a = (struct attempt){ .ladder = l, .rung = rung, .reason = l->reason, .opened_us = loop_now(l->loop), .proven_us = -1 };
	log_debug("ladder", session_tag(l->session), "opening %s", rung->name);
	a->carrier = carrier_open(l->session, rung, l->config->path, l->config->pool, &carrier_events, a);
	if (a->carrier && l->config->only)
		carrier_trust_soon(a->carrier);
	return a->carrier ? a : NULL;
}

/* What carries must be left as soon as anything else is proven. */
static bool is_failing(const struct attempt *a)
{
	return a->doomed || a->stalled;
}

/* The session has as many carriers as it may, some of which are leaving. */
static void no_room(struct ladder *l)
{
	if (!session_is_ended(l->session))
		timer_in(&l->begin, ladder_delay(l->loop, ++l->tries));
}

/* Nothing carries well: the safe rung, and the one that is known to work here. */
static void on_begin(void *ctx)
{
	struct ladder *l = ctx;
	const struct rung *safe = ladder_safe_rung(l), *known = l->config->only ? NULL : l->config->verdict->rung;

	if (session_is_ended(l->session) || (l->active && !is_failing(l->active)))
		return;
	if (!ladder_attempt_on(l, safe) && !ladder_open(l, safe))
		no_room(l);
	if (known && known != safe && explore_may_try(l, known) && !ladder_attempt_on(l, known)) {
		l->reason = "known from before";
		ladder_open(l, known);
	}
}

/* ---- what becomes of them ---- */

static void on_settled(void *ctx)
{
	struct ladder *l = ctx;

	pool_ahead(&l->ahead, 0);
}

void ladder_learn(struct ladder *l, const struct rung *rung)
{
	struct verdict *v = l->config->verdict;

	if (rung == ladder_safe_rung(l) && v->rung && !l->looked)
		return;	/* poll being first says nothing against what is known */
	v->rung = rung;
	v->when = loop_wall(l->loop);
	if (l->config->learned)
		l->config->learned(l->config->learned_ctx);
}

static void say_why(struct ladder *l, const struct attempt *a, const struct rung *before, bool was_stalled)
{
	const struct rung *rung = a->rung;

	if (l->config->only)
		snprintf(l->why, sizeof l->why, "the only one allowed (--rung)");
	else if (before && is_better(before, rung))
		snprintf(l->why, sizeof l->why, "%s %s", before->name, was_stalled ? "stalled" : "failed");
	else if (rung == ladder_safe_rung(l))
		snprintf(l->why, sizeof l->why, "it passes everywhere; better ones are being measured");
	else
		snprintf(l->why, sizeof l->why, "%s", a->reason ? a->reason : "measured");
}

static void take_over(struct ladder *l, struct attempt *a)
{
	struct attempt *last = l->active;
	const struct rung *before = last ? last->rung : NULL;
	bool stalled = last && last->stalled;

	if (stalled && is_better(before, a->rung))
		explore_penalise(l, before, true);
	l->active = a;
	l->since_us = loop_now(l->loop);
	l->rung_us = a->proven_us;
	l->traffic = 0;		/* counted for each carrier anew */
	l->traffic_us = l->since_us;
	l->changes += l->connected_us != 0;
	if (!l->connected_us)
		l->connected_us = l->since_us;
	l->tries = 0;
	say_why(l, a, last && last->doomed ? NULL : before, stalled);
	if (last && (before != a->rung || last->doomed))
		session_path_changed(l->session);
	if (last)
		retire(last);
	fleet_follow(l->fleet, a->carrier);
	ladder_learn(l, a->rung);
	l->events->proven(l->ctx, a->carrier, before);
	explore_plan(l);
}

/* An attempt is over that was for nothing; a look at the path may have been due meanwhile. */
static void look_on(struct ladder *l)
{
	if (!timer_armed(&l->explore))
		explore_plan(l);
}

static void on_proven(void *ctx, struct carrier *c)
{
	struct attempt *a = ctx;
	struct ladder *l = a->ladder;
	const struct attempt *now = l->active;

	(void)c;
	a->proven_us = loop_now(l->loop);
	if (!now || is_failing(now) || is_better(a->rung, now->rung)) {
		take_over(l, a);
		return;
	}
	retire(a);	/* the race was lost, or what stalled recovered */
	look_on(l);
}

/* ---- those beside it ---- */

/* One that stands on the same rung takes the place of the attempt's carrier, which is gone or does not deliver. */
static bool promote(struct ladder *l, struct attempt *a)
{
	struct carrier *next = fleet_take(l->fleet, a->carrier != NULL), *last = a->carrier;
	struct carrier_stats stats;

	if (!next)
		return false;
	carrier_stats(next, &stats);
	log_debug("ladder", session_tag(l->session), "another carrier on %s takes its place", a->rung->name);
	a->carrier = next;
	a->stalled = stats.stalled;
	carrier_adopt(next, &carrier_events, a);
	fleet_follow(l->fleet, next);
	if (last)
		fleet_give(l->fleet, last);
	return true;
}

/* What stalls may come back: poll is proven beside it, and whichever delivers first is used. */
static void open_beside_stalled(struct ladder *l)
{
	const struct rung *safe = ladder_safe_rung(l);

	if (l->config->only || l->active->rung == safe || ladder_attempt_on(l, safe))
		return;
	if (!ladder_open(l, safe))
		no_room(l);
}

static void on_silent(void *ctx)
{
	struct ladder *l = ctx;

	if (!l->active || l->active->stalled)
		return;
	l->active->stalled = true;	/* until it is heard of */
	open_beside_stalled(l);
}

/* One delivers, the carrier in use or another: what was begun to leave the rung is not needed. */
static void on_answered(void *ctx)
{
	struct ladder *l = ctx;
	struct carrier_stats stats;

	if (!l->active || !l->active->stalled)
		return;
	carrier_stats(l->active->carrier, &stats);
	l->active->stalled = stats.stalled;
	if (stats.stalled && !promote(l, l->active))
		return;
	for (size_t i = 0; i < LADDER_ATTEMPTS; i++) {
		struct attempt *a = &l->attempt[i];

		if (a->carrier && a != l->active && a->proven_us < 0 && a->rung == ladder_safe_rung(l)) {
			carrier_free(a->carrier);
			a->carrier = NULL;
		}
	}
	look_on(l);
}

static const struct fleet_events fleet_events = { on_silent, on_answered };

/* Nothing carries and nothing is under way: again, now or later. */
static void begin_again(struct ladder *l, const struct rung *rung, int error, const char *why, bool worked)
{
	int64_t wait = worked ? 0 : ladder_delay(l->loop, l->tries++);

	timer_in(&l->begin, wait);
	l->events->trouble(l->ctx, rung, error, why, wait);
}

/* The carrier in use is gone. */
static void lost(struct ladder *l, const struct rung *rung, bool doomed, int error, const char *why)
{
	bool quick = !doomed && loop_now(l->loop) - l->since_us < QUICK_US;

	fleet_follow(l->fleet, NULL);
	l->quick = quick ? l->quick + 1 : 0;
	if (l->quick >= QUICK_MAX && rung != ladder_safe_rung(l))
		explore_penalise(l, rung, true);
	begin_again(l, rung, error, why, !quick || l->quick < QUICK_MAX);
}

static void on_failed(void *ctx, struct carrier *c, int error, const char *why)
{
	struct attempt *a = ctx;
	struct ladder *l = a->ladder;
	bool was_active = l->active == a, was_proven = a->proven_us >= 0;
	struct carrier_stats stats;
	char text[LADDER_WHY];	/* why may go with the carrier */

	carrier_stats(c, &stats);
	snprintf(text, sizeof text, "%s", why && why[0] ? why : error_text(error));
	a->carrier = NULL;
	carrier_free(c);
	if (session_is_ended(l->session)) {
		l->active = was_active ? NULL : l->active;
		fleet_follow(l->fleet, NULL);
		return;
	}
	log_debug("ladder", session_tag(l->session), "%s failed: %s", a->rung->name, text);
	if (was_active && promote(l, a)) {
		if (a->stalled)
			open_beside_stalled(l);
		return;
	}
	if (was_active)
		l->active = NULL;
	if (was_active && was_proven)
		lost(l, a->rung, a->doomed, error, text);
	else if (a->rung != ladder_safe_rung(l) && (stats.records_in > 0 || (l->active && !l->active->doomed)))
		explore_penalise(l, a->rung, false);	/* else perhaps nothing at all can be reached */
	if (!l->active && !was_active && !any_attempt(l) && !timer_armed(&l->begin))
		begin_again(l, a->rung, error, text, false);
	if (l->active && is_failing(l->active) && a->rung == ladder_safe_rung(l) && !timer_armed(&l->begin))
		timer_in(&l->begin, ladder_delay(l->loop, l->tries++));
	if (l->active)
		explore_failed(l, a->rung);
}

/* One beside it that delivers takes its place; else it is asked which one does, and the way back is opened meanwhile. */
static void on_stalled(void *ctx, struct carrier *c, bool stalled)
{
	struct attempt *a = ctx;
	struct ladder *l = a->ladder;

	(void)c;
	a->stalled = stalled;
	l->stalls += stalled;
	log_debug("ladder", session_tag(l->session), "%s %s", a->rung->name, stalled ? "stalls" : "delivers again");
	if (a != l->active || !stalled || promote(l, a))
		return;
	fleet_ask(l->fleet);
	open_beside_stalled(l);
}

static const struct carrier_events carrier_events = { on_proven, on_failed, on_stalled };

/* ---- the pool user that keeps a connection ready ---- */

/* What was tried beside what carries is not, now that fewer connections can be had. */
static void on_few(void *ctx)
{
	struct ladder *l = ctx;

	for (size_t i = 0; i < LADDER_ATTEMPTS && !l->config->only; i++) {
		struct attempt *a = &l->attempt[i];

		if (!a->carrier || a == l->active || a->proven_us >= 0 || explore_has_connections(l, a->rung))
			continue;
		log_debug("ladder", session_tag(l->session), "%s is given up: too few connections", a->rung->name);
		carrier_free(a->carrier);
		a->carrier = NULL;
		look_on(l);
	}
}

static void ahead_available(void *ctx)
{
	struct ladder *l = ctx;

	loop_later(l->loop, &l->few);
}

static void ahead_failed(void *ctx, int error, const char *why)
{
	(void)ctx, (void)error, (void)why;
}

static const struct pool_events ahead_events = { ahead_available, ahead_failed };

/* ---- life ---- */

struct ladder *ladder_new(struct loop *loop, struct session *s, const struct ladder_config *config,
			  const struct ladder_events *events, void *ctx)
{
	struct ladder *l = calloc(1, sizeof *l);

	if (!l)
		abort();
	l->loop = loop;
	l->session = s;
	l->config = config;
	l->events = events;
	l->ctx = ctx;
	l->begun_us = loop_now(loop);
	l->fleet = fleet_new(loop, s, &(struct fleet_config){ .path = config->path, .pool = config->pool, .most = config->carriers },
			     &fleet_events, l);
	timer_init(&l->begin, loop, on_begin, l);
	timer_init(&l->settle, loop, on_settled, l);
	later_init(&l->few, on_few, l);
	explore_init(l);
	pool_join(config->pool, &l->ahead, false, &ahead_events, l);
	pool_ahead(&l->ahead, 1);
	timer_in(&l->settle, SETTLE_US);
	timer_in(&l->begin, 0);
	return l;
}

void ladder_free(struct ladder *l)
{
	if (!l)
		return;
	timer_stop(&l->begin);
	timer_stop(&l->settle);
	later_cancel(l->loop, &l->few);
	explore_fini(l);
	pool_leave(&l->ahead);
	fleet_free(l->fleet);
	for (size_t i = 0; i < LADDER_ATTEMPTS; i++)
		if (l->attempt[i].carrier)
			carrier_free(l->attempt[i].carrier);
	loop_free_later(l->loop, l);
}

void ladder_want(struct ladder *l, unsigned carriers)
{
	fleet_want(l->fleet, carriers);
}

void ladder_network_changed(struct ladder *l)
{
	const struct rung *known = l->config->verdict->rung;

	if (session_is_ended(l->session))
		return;
	log_debug("ladder", session_tag(l->session), "the network changed: beginning anew");
	explore_forget(l);
	fleet_doom(l->fleet);
	l->tries = l->quick = 0;
	for (size_t i = 0; i < LADDER_ATTEMPTS; i++) {
		struct attempt *a = &l->attempt[i];

		if (a->carrier && a != l->active) {
			carrier_free(a->carrier);
			a->carrier = NULL;
		}
	}
	if (l->active)
		l->active->doomed = true;
	l->reason = "known from before";
	ladder_open(l, ladder_safe_rung(l));
	if (!l->config->only && known && known != ladder_safe_rung(l) && explore_may_try(l, known))
		ladder_open(l, known);
	pool_ahead(&l->ahead, 1);
	timer_in(&l->settle, SETTLE_US);
}

/* ---- questions ---- */

struct carrier *ladder_carrier(const struct ladder *l)
{
	return l->active ? l->active->carrier : NULL;
}

void ladder_status(const struct ladder *l, struct ladder_status *out)
{
	struct fleet_status fleet;

	fleet_status(l->fleet, &fleet);
	*out = (struct ladder_status){
		.rung = l->active ? l->active->rung : NULL,
		.begun_us = l->begun_us,
		.connected_us = l->connected_us,
		.rung_us = l->rung_us,
		.since_us = l->since_us,
		.changes = l->changes,
		.stalls = l->stalls,
		.duplex = finding_name(l->found.duplex),
		.up = finding_name(l->found.up),
		.down = finding_name(l->found.down),
		.next_probe_us = timer_armed(&l->explore) ? l->explore.at : 0,
		.carriers_wanted = fleet.wanted,
		.carriers_most = fleet.most,
		.carriers_replaced = fleet.replaced,
		.carriers_failed = fleet.failed,
		.carriers_why = fleet.why,
	};
	snprintf(out->why, sizeof out->why, "%s", l->active ? l->why : "");
}
