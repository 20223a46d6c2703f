/*
 * What the path can do: when to survey it, and what to make of the findings. A
 * whole survey at the beginning, then glances at the one thing that keeps the
 * ladder from climbing: every few seconds while something flows, ever more rarely
 * while nothing does.
 */
#include <stdio.h>
#include <string.h>

#include "client/ladder_internal.h"
#include "tunnel/log.h"

#define EXPLORE_BUSY (2 * LOOP_SECOND)		/* from the beginning of one look to that of the next */
#define EXPLORE_LEAST (500 * LOOP_MS)		/* between looks */
#define EXPLORE_TIGHT (8 * LOOP_SECOND)		/* the same where a look takes one of few turns from what flows */
#define EXPLORE_CONTENT (30 * LOOP_SECOND)	/* the same where a better rung would gain next to nothing */
#define EXPLORE_IDLE (5 * LOOP_SECOND)		/* doubled each time nothing flowed */
#define EXPLORE_IDLE_FLOWS (20 * LOOP_SECOND)	/* at most, while there are channels */
#define EXPLORE_IDLE_MAX (600 * LOOP_SECOND)
#define EXPLORE_RARE 4			/* times as long where a better rung would gain little */
#define GLANCES 8			/* short ones between whole surveys */
#define RESTLESS_MAX 4			/* surveys in a row that found something new, then it is noise */
#define BUSY_RECORDS 10
#define BUSY_RATE 10			/* a second; polls that are not held, each 250 ms, are fewer */
#define INSIST_US (200 * LOOP_MS)	/* then a probe takes its turn for a connection */
#define FRESH_US (5 * LOOP_SECOND)	/* findings older than this do not open carriers */
#define PENALTY_FIRST (3 * LOOP_SECOND)
#define WAIT_US (3 * LOOP_SECOND)		/* for a rung that was left: the next best is not taken meanwhile */
#define PENALTY_MAX (120 * LOOP_SECOND)
#define PENALTY_FORGET (300 * LOOP_SECOND)
#define BESIDE_CONNECTIONS (POOL_LIMIT_MIN + 1) /* one of which is held while the rest do */
#define TENURE_US (10 * LOOP_SECOND)	/* in use for longer, a rung was not a mistake */

/* ---- penalties ---- */

/* No probe tells whether it passes. */
static bool is_blind(const struct rung *rung)
{
	return rung->rest;
}

static struct penalty *penalty_of(struct ladder *l, const struct rung *rung)
{
	return &l->penalty[rung - rungs];
}

bool explore_is_penalised(const struct ladder *l, const struct rung *rung)
{
	return loop_now(l->loop) < l->penalty[rung - rungs].until_us;
}

void explore_penalise(struct ladder *l, const struct rung *rung, bool left)
{
	struct penalty *p = penalty_of(l, rung);
	int64_t now = loop_now(l->loop), wait = PENALTY_FIRST;
	bool served = l->active && l->active->rung == rung && now - l->since_us >= TENURE_US;

	if (served || now - p->last_us > PENALTY_FORGET)
		p->times = 0;
	for (unsigned i = 0; i < p->times && wait < PENALTY_MAX; i++)
		wait *= 2;
	p->times++;
	p->left = left;
	p->last_us = now;
	p->until_us = now + (wait < PENALTY_MAX ? wait : PENALTY_MAX);
	if (left || !is_blind(rung)) {
		memset(&l->found, 0, sizeof l->found);	/* it said something else */
		l->idle_wait_us = EXPLORE_BUSY;
	}
	log_debug("ladder", session_tag(l->session), "%s is let be for %lld s", rung->name,
		  (long long)((p->until_us - now) / LOOP_SECOND));
}

/* ---- choosing ---- */

/* Takes a rung that is let be out of the findings. */
static void mask(struct survey_findings *f, const struct rung *r)
{
	if (strcmp(r->name, "duplex") == 0)
		f->duplex = FINDING_HELD;
	else if (strcmp(r->name, "split") == 0)
		f->up = FINDING_HELD;
	else if (strcmp(r->name, "split+fill") == 0)
		f->up_fill = FINDING_HELD;
	else if (strcmp(r->name, "push") == 0)
		f->down = FINDING_HELD;
	else if (strcmp(r->name, "push+sse") == 0)
		f->down_sse = FINDING_HELD;
	else
		f->down_pad = FINDING_HELD;
}

/* Of HTTP/2 one bears all that a rung needs. */
static unsigned connections(const struct ladder *l)
{
	return pool_is_multiplexed(l->config->pool) ? SURVEY_ENOUGH : pool_limit(l->config->pool);
}

/* It was left a moment ago, and may be back in another one. */
static bool is_awaited(const struct ladder *l, const struct rung *rung)
{
	const struct penalty *p = &l->penalty[rung - rungs];

	return p->left && explore_is_penalised(l, rung) && p->until_us - loop_now(l->loop) <= WAIT_US;
}

/* The best rung by the findings that is not let be; NULL: nothing better than what is in use. */
static const struct rung *choose(const struct ladder *l, struct survey_findings f)
{
	for (unsigned i = 0; i < LADDER_RUNGS; i++) {
		const struct rung *r = survey_rung(&f, connections(l));

		if (!r || r >= l->active->rung)
			return NULL;
		if (is_awaited(l, r) || (r > rung_find("websocket") && is_awaited(l, rung_find("websocket"))))
			return NULL;
		if (!explore_is_penalised(l, r))
			return r;
		mask(&f, r);
	}
	return NULL;
}

static bool is_climbing(const struct ladder *l)
{
	for (size_t i = 0; i < LADDER_ATTEMPTS; i++) {
		const struct attempt *a = &l->attempt[i];

		if (a->carrier && a != l->active && a->proven_us < 0 && !is_blind(a->rung))
			return true;
	}
	return false;
}

bool explore_has_connections(const struct ladder *l, const struct rung *rung)
{
	return !is_blind(rung) || pool_limit(l->config->pool) >= BESIDE_CONNECTIONS;
}

bool explore_may_try(const struct ladder *l, const struct rung *rung)
{
	return !explore_is_penalised(l, rung) && explore_has_connections(l, rung);
}

/* A rung that no probe tells of is tried as it is, beside what carries, where the one above it does not pass. It takes its time
 * to be proven, and nothing waits for it. */
static void climb_beside(struct ladder *l)
{
	const struct rung *r = rung_find("websocket"), *above = rungs;

	if (l->active->rung <= r || !explore_may_try(l, r) || ladder_attempt_on(l, r) || l->config->path->sealing)
		return;
	if (l->found.duplex == FINDING_PASSES && !explore_is_penalised(l, above))
		return;
	if (l->penalty[r - rungs].times > 0 && !l->busy)
		return;		/* once in vain, again only for what flows */
	l->reason = "tried: it passes here, after a silence, too";
	ladder_open(l, r);
}

static bool climb(struct ladder *l)
{
	const struct rung *r = loop_now(l->loop) - l->explored_us < FRESH_US ? choose(l, l->found) : NULL;

	if (!r)
		return false;
	l->reason = "measured: it passes here";
	return ladder_open(l, r) != NULL;
}

/* A server that answers no probes: each rung is tried as it is, and let be for ever longer when it is not proven. */
static void climb_blind(struct ladder *l)
{
	l->looked = true;
	l->explored_us = loop_now(l->loop);
	l->found.duplex = l->found.up = l->found.down = FINDING_PASSES;
	if (!climb(l))
		explore_soon(l, EXPLORE_IDLE);
}

/* ---- looking ---- */

/* More went through since the last look than polls and keepalives of an idle session. */
static bool is_busy(struct ladder *l)
{
	struct carrier_stats stats;
	uint64_t before = l->traffic;
	int64_t now = loop_now(l->loop), since = now - l->traffic_us;

	carrier_stats(l->active->carrier, &stats);
	l->traffic = stats.records_in + stats.records_out + fleet_records(l->fleet);
	l->traffic_us = now;
	return l->traffic > before + BUSY_RECORDS + (uint64_t)(since / LOOP_SECOND) * BUSY_RATE;
}

/* A whole survey of a path that holds everything takes long itself: it may have opened meanwhile. */
static int64_t pause_in_a_call(const struct ladder *l)
{
	bool tight = pool_is_single(l->config->pool) && pool_limit(l->config->pool) <= POOL_FEW;
	int64_t every = is_blind(l->active->rung) ? EXPLORE_CONTENT : tight ? EXPLORE_TIGHT : EXPLORE_BUSY;
	int64_t left = l->look_us + every - loop_now(l->loop);

	return left > EXPLORE_LEAST ? left : EXPLORE_LEAST;
}

static int64_t pause_after_look(struct ladder *l)
{
	struct session_stats stats;
	int64_t most, wait;
	bool rare = l->active->rung->up != rung_find("poll")->up; /* split: duplex gains one connection, not time */

	if (l->fresh) {
		l->fresh = false;
		return pause_in_a_call(l);
	}
	session_stats(l->session, &stats);
	most = stats.channels ? EXPLORE_IDLE_FLOWS : EXPLORE_IDLE_MAX;
	l->busy = is_busy(l);
	if (l->busy) {
		l->idle_wait_us = EXPLORE_IDLE;
		return pause_in_a_call(l);
	}
	wait = l->idle_wait_us < most ? l->idle_wait_us : most;
	l->idle_wait_us = wait * 2 < EXPLORE_IDLE_MAX ? wait * 2 : EXPLORE_IDLE_MAX;
	return wait * (rare ? EXPLORE_RARE : 1);
}

/* The one thing that must change before a better rung can be had. */
static enum survey_scope scope(const struct ladder *l)
{
	const struct rung *r = l->active->rung;

	if (!l->looked || l->glances >= GLANCES)
		return SURVEY_ALL;
	if (r == rung_find("poll"))
		return SURVEY_DOWN;
	return r == rung_find("push") ? SURVEY_UP : SURVEY_ALL;
}

static void look(struct ladder *l, enum survey_scope what);

static void say_findings(const struct ladder *l, const struct survey_findings *f)
{
	log_limited(LOG_LEVEL_INFO, "ladder", session_tag(l->session),
		    "measured: both ways at once %s, streamed requests %s, streamed answers %s: the best rung is %s",
		    finding_name(f->duplex), finding_name(f->up), finding_name(f->down),
		    survey_rung(f, connections(l))->name);
}

static void on_survey(void *ctx, const struct survey_findings *found)
{
	struct ladder *l = ctx;
	bool short_one = l->glances > 0;

	l->survey = NULL;
	pool_claim(&l->ahead, false);
	l->explored_us = loop_now(l->loop);
	if (!l->active) {
		l->found = *found;
		return;
	}
	if (short_one) {
		bool opened = l->active->rung == rung_find("poll") ? found->down == FINDING_PASSES
								   : found->up == FINDING_PASSES;

		if (opened && choose(l, *found)) {
			look(l, SURVEY_ALL);
			return;
		}
	} else if (survey_rung(found, connections(l))) {
		if (!l->looked || memcmp(&l->found, found, sizeof *found) != 0)
			say_findings(l, found);
		l->looked = true;
		if (survey_rung(found, connections(l)) == l->active->rung) {
			snprintf(l->why, sizeof l->why, "measured: nothing better passes here");
			ladder_learn(l, l->active->rung);
		}
	}
	l->restless = memcmp(&l->found, found, sizeof *found) != 0 ? l->restless + 1 : 0;
	l->fresh = l->restless > 0 && l->restless <= RESTLESS_MAX;
	l->found = *found;
	explore_plan(l);
}

static void look(struct ladder *l, enum survey_scope what)
{
	struct carrier_stats stats;
	struct survey_setup setup = { .loop = l->loop, .session = l->session, .path = l->config->path, .pool = l->config->pool };

	carrier_stats(l->active->carrier, &stats);
	setup.rtt_us = stats.rtt_us;
	if (l->active->rung == rung_find("poll") || pool_limit(l->config->pool) > POOL_LIMIT_MIN)
		setup.insist_us = INSIST_US;	/* poll holds one less while others wait; else one is left for posts */
	l->look_us = loop_now(l->loop);
	l->glances = what == SURVEY_ALL ? 0 : l->glances + 1;
	pool_claim(&l->ahead, true);	/* between its probes nothing is held in their place */
	l->survey = survey_start(&setup, what, &l->found, on_survey, l);
}

static void on_explore(void *ctx)
{
	struct ladder *l = ctx;

	if (session_is_ended(l->session) || !l->active || l->survey || is_climbing(l))
		return;
	if (session_has_probes(l->session))
		look(l, scope(l));
	else
		climb_blind(l);
}

void explore_soon(struct ladder *l, int64_t wait_us)
{
	timer_in(&l->explore, wait_us);
}

void explore_plan(struct ladder *l)
{
	if (l->config->only || !l->active || l->active->doomed || l->survey || is_climbing(l))
		return;
	if (l->looked)
		climb_beside(l);
	if (l->active->rung == rungs)
		timer_stop(&l->explore);
	else if (!session_has_probes(l->session))
		climb_blind(l);
	else if (!l->looked)
		explore_soon(l, l->explored_us ? EXPLORE_BUSY : 0);
	else if (!climb(l))
		explore_soon(l, pause_after_look(l));
}

void explore_failed(struct ladder *l, const struct rung *rung)
{
	if (!is_blind(rung) || !timer_armed(&l->explore))	/* it says nothing of what probes look at */
		explore_plan(l);
}

void ladder_wake(struct ladder *l)
{
	if (!timer_armed(&l->explore))
		return;
	l->idle_wait_us = EXPLORE_IDLE;
	if (loop_now(l->loop) - l->explored_us >= EXPLORE_BUSY)
		explore_soon(l, 0);
	else
		timer_sooner(&l->explore, l->explored_us + EXPLORE_BUSY);
}

void explore_forget(struct ladder *l)
{
	survey_cancel(l->survey);
	l->survey = NULL;
	pool_claim(&l->ahead, false);
	timer_stop(&l->explore);
	memset(&l->found, 0, sizeof l->found);
	memset(l->penalty, 0, sizeof l->penalty);
	l->looked = false;
	l->glances = 0;
	l->explored_us = 0;
	l->idle_wait_us = EXPLORE_IDLE;
}

void explore_init(struct ladder *l)
{
	timer_init(&l->explore, l->loop, on_explore, l);
	l->idle_wait_us = EXPLORE_IDLE;
}

void explore_fini(struct ladder *l)
{
	timer_stop(&l->explore);
	survey_cancel(l->survey);
	l->survey = NULL;
}
