/*
 * The fleet. One function, `mend`, looks at what there is and at what should be, a few times a second
 * while there is more than one carrier and when something happened: it drops what is too much, marks what does not
 * deliver, ends what was replaced, opens what is missing. Made by ladder.c; what carriers tell comes at
 * the end of the turn, or leads to a timer, so carriers may be freed here.
 */
#include "client/fleet.h"

#include <stdlib.h>

#include "client/ladder.h"
#include "tunnel/log.h"

#define TICK (250 * LOOP_MS)
#define TICK_ASKED (20 * LOOP_MS)
#define LINGER (10 * LOOP_SECOND)	/* fewer are wanted for so long before one retires */
#define OPEN_MAX (10 * LOOP_SECOND)	/* for a carrier to be proven, waiting for a connection included */
#define ALIVE (400 * LOOP_MS)		/* something came since then: it delivers */
#define SUSPECT 300			/* ms that its oldest record is overdue */
#define ANSWER (50 * LOOP_MS)		/* and two round trips, for those that were asked */
#define OVERDUE (1000)			/* ms, or */
#define OVERDUE_TRIPS 6			/* round trips: its oldest record is not going to arrive in time */
#define REPLACE_MAX (10 * LOOP_SECOND)	/* for another one to stand in the place of one that does not deliver */
#define QUICK (5 * LOOP_SECOND)		/* one that lived for less has failed */
#define FAILURES_MAX 3			/* in a row: fewer do, */
#define FEW_FOR (60 * LOOP_SECOND)	/* for so long */
#define ASKED_MAX (3 * LOOP_SECOND)
#define SPARE 1				/* connection left to renew by overlap, and to probes */
#define SPARE_POSTS 2			/* ... and to posts */
#define OTHERS_MOST 4			/* carriers on rungs with more exchanges than one each */
#define NUMBERS_FIRST 256		/* carriers opened in a session; numbers are finite (PROTOCOL.md section 2.1) */
#define NUMBERS_EACH (4 * LOOP_SECOND)	/* and one more for each of these */

struct companion {
	struct fleet *fleet;
	struct carrier *carrier; /* NULL: free */
	int64_t opened_us, proven_us; /* proven_us: -1: not yet */
	int64_t bad_us;		/* since when it does not deliver; 0: it does */
	bool leaving;		/* another one is to stand in its place */
	bool doomed;
};

struct fleet {
	struct loop *loop;
	struct session *session;
	struct fleet_config config;
	const struct fleet_events *events;
	void *ctx;
	struct carrier *lead;	/* in use; NULL: none */
	struct companion companion[SESSION_CARRIERS_MAX];
	struct pool_user user;	/* learns of room, asks for nothing */
	struct timer timer;
	unsigned wanted;
	int64_t sunk_us;	/* when fewer became wanted */
	int64_t asked_us;	/* 0: nobody was, or one answered */
	bool silent;		/* which was told */
	bool doomed;
	unsigned failures;	/* in a row */
	int64_t not_before;	/* the next one */
	unsigned few;		/* as many as did stand, until */
	int64_t few_until;
	int64_t begun_us;
	unsigned opened, replaced, failed;
};

static const struct carrier_events carrier_events;

#define EACH(f, k) \
	for (struct companion *k = (f)->companion; k < (f)->companion + SESSION_CARRIERS_MAX; k++) \
		if (k->carrier)

static int64_t now_of(const struct fleet *f)
{
	return loop_now(f->loop);
}

static void mend_soon(struct fleet *f)
{
	timer_sooner(&f->timer, now_of(f));
}

/* ---- how many ---- */

static bool is_post(const struct rung *r)
{
	return r->up == rung_find("poll")->up;
}

static unsigned rung_most(const struct rung *r)
{
	if (r->down == rung_find("poll")->down)
		return 1;	/* which has as many exchanges as it needs */
	return r->up == r->down ? FLEET_MOST : OTHERS_MOST;
}

/* That the budget of connections allows. */
static unsigned room(const struct fleet *f, const struct rung *r)
{
	unsigned limit = pool_limit(f->config.pool), spare = is_post(r) ? SPARE_POSTS : SPARE;
	unsigned n = limit > spare ? (limit - spare) / r->connections : 0;

	return n ? n : 1;
}

/* The most that can be had, whatever is wanted. */
static unsigned ceiling(const struct fleet *f, const char **why)
{
	const struct rung *r = f->lead ? carrier_rung(f->lead) : NULL;
	unsigned n;

	*why = "";
	if (!r || f->doomed)
		return 1;
	n = rung_most(r);
	if (n < f->wanted)
		*why = "no more on this rung";
	if (f->config.most < n) {
		n = f->config.most;
		*why = "no more are allowed (carriers)";
	}
	if (room(f, r) < n) {
		n = room(f, r);
		*why = "no more connections";
	}
	if (now_of(f) < f->few_until && f->few < n) {
		n = f->few;
		*why = "others failed a moment ago";
	}
	return n;
}

static bool is_good(const struct companion *k)
{
	return !k->leaving && !k->doomed;
}

static unsigned count_good(struct fleet *f, bool proven)
{
	unsigned n = 0;

	EACH(f, k)
		n += is_good(k) && (!proven || k->proven_us >= 0);
	return n;
}

/* ---- going ---- */

static void drop(struct companion *k)
{
	struct carrier *c = k->carrier;

	k->carrier = NULL;
	if (k->proven_us >= 0 && !k->bad_us)
		carrier_retire(c);
	else
		carrier_free(c);
}

/* The one to go first: not proven, else the newest. */
static struct companion *first_to_go(struct fleet *f)
{
	struct companion *first = NULL;

	EACH(f, k) {
		if (!is_good(k))
			continue;
		if (!first || (k->proven_us < 0) > (first->proven_us < 0) ||
		    ((k->proven_us < 0) == (first->proven_us < 0) && k->opened_us >= first->opened_us))
			first = k;
	}
	return first;
}

static void shrink(struct fleet *f)
{
	const char *why;
	unsigned most = ceiling(f, &why), wanted = f->wanted < most ? f->wanted : most;
	unsigned n = 1 + count_good(f, false);

	if (now_of(f) - f->sunk_us < LINGER)
		wanted = most;
	for (; n > wanted; n--)
		drop(first_to_go(f));
}

/* ---- judging ---- */

static bool is_delivering(const struct fleet *f, const struct carrier *c)
{
	struct carrier_stats stats;

	carrier_stats(c, &stats);
	return stats.proven && !stats.stalled && now_of(f) - stats.heard_us <= ALIVE;
}

static bool is_bad(const struct carrier *c)
{
	struct carrier_stats stats;
	uint32_t late;

	carrier_stats(c, &stats);
	late = OVERDUE_TRIPS * (stats.rtt_us / 1000);
	return stats.stalled || stats.overdue_ms > (late > OVERDUE ? late : OVERDUE);
}

static bool is_suspect(const struct carrier *c)
{
	struct carrier_stats stats;

	carrier_stats(c, &stats);
	return stats.stalled || stats.overdue_ms > SUSPECT;
}

/* When something last came on another than this one. */
static int64_t others_heard(struct fleet *f, const struct companion *one)
{
	struct carrier_stats stats;
	int64_t newest;

	carrier_stats(f->lead, &stats);
	newest = stats.heard_us;
	EACH(f, k) {
		carrier_stats(k->carrier, &stats);
		if (k != one && stats.proven && stats.heard_us > newest)
			newest = stats.heard_us;
	}
	return newest;
}

/* All are asked whether it is the path. Where something came a moment ago, the answers are waited for. */
static void doubt(struct fleet *f, bool silent)
{
	struct carrier_stats stats;

	carrier_stats(f->lead, &stats);
	if (!f->asked_us) {
		carrier_ask(f->lead);
		fleet_ask(f);
		f->silent = false;
	}
	if (f->silent || (!silent && now_of(f) - f->asked_us < 2 * (int64_t)stats.rtt_us + ANSWER))
		return;
	f->silent = true;
	f->events->silent(f->ctx);
}

/* What does not deliver is replaced, when something came on another since. */
static void judge(struct fleet *f)
{
	bool doubted = false, silent = true;

	EACH(f, k) {
		int64_t heard = others_heard(f, k);

		if (k->proven_us < 0 || k->doomed)
			continue;
		if (!is_bad(k->carrier)) {
			k->bad_us = 0;
			k->leaving = false;
		} else if (!k->bad_us) {
			k->bad_us = now_of(f);
		}
		if (k->bad_us && !k->leaving && heard > k->bad_us) {
			log_debug("fleet", session_tag(f->session), "one of its carriers does not deliver: it is replaced");
			k->leaving = true;
			f->replaced++;
		}
		if (k->leaving || !is_suspect(k->carrier))
			continue;
		silent &= now_of(f) - heard > ALIVE;
		doubted = true;
	}
	if (doubted)
		doubt(f, silent);
}

static void end_replaced(struct fleet *f)
{
	const char *why;
	unsigned most = ceiling(f, &why), wanted = f->wanted < most ? f->wanted : most;
	bool stand = 1 + count_good(f, true) >= wanted;

	EACH(f, k)
		if (k->leaving && (stand || now_of(f) - k->bad_us >= REPLACE_MAX))
			drop(k);
}

static void note_failure(struct fleet *f)
{
	f->failed++;
	if (now_of(f) < f->not_before)
		return;		/* together with one that was counted */
	f->not_before = now_of(f) + ladder_delay(f->loop, ++f->failures);
	if (f->failures < FAILURES_MAX)
		return;
	f->failures = 0;
	f->few = 1 + count_good(f, true);
	f->few_until = now_of(f) + FEW_FOR;
	log_debug("fleet", session_tag(f->session), "%u carriers do for now: others fail", f->few);
}

static void give_up_waiting(struct fleet *f)
{
	EACH(f, k) {
		if (k->proven_us >= 0 || now_of(f) - k->opened_us < OPEN_MAX)
			continue;
		drop(k);
		note_failure(f);
	}
}

/* ---- opening ---- */

/* Connections that nobody has, waits for, or is about to ask for. */
static unsigned places(struct fleet *f, const struct rung *r)
{
	unsigned limit = pool_limit(f->config.pool), used = pool_others(&f->user);

	EACH(f, k)
		used += k->opened_us == now_of(f) ? r->connections : 0;
	return limit > used ? limit - used : 0;
}

static bool may_open(struct fleet *f)
{
	const struct rung *r = carrier_rung(f->lead);
	bool replaces = false;

	EACH(f, k)
		replaces |= k->leaving;
	if (now_of(f) < f->not_before || f->opened >= NUMBERS_FIRST + (uint64_t)((now_of(f) - f->begun_us) / NUMBERS_EACH))
		return false;
	return places(f, r) >= r->connections + (replaces ? 0 : SPARE);
}

static bool open_one(struct fleet *f)
{
	struct companion *k = f->companion;

	while (k < f->companion + SESSION_CARRIERS_MAX && k->carrier)
		k++;
	if (k == f->companion + SESSION_CARRIERS_MAX)
		return false;
	*k = (struct companion){ .fleet = f, .opened_us = now_of(f), .proven_us = -1 };
	k->carrier = carrier_open_beside(f->session, carrier_rung(f->lead), f->config.path, f->config.pool, &carrier_events, k);
	f->opened += k->carrier != NULL;
	return k->carrier;
}

/* ---- mending ---- */

static bool has_answered(const struct fleet *f, const struct carrier *c)
{
	struct carrier_stats stats;

	carrier_stats(c, &stats);
	return stats.proven && !stats.stalled && stats.heard_us > f->asked_us;
}

static void look_for_answers(struct fleet *f)
{
	bool answered = f->lead && has_answered(f, f->lead);

	if (!f->asked_us)
		return;
	EACH(f, k)
		answered |= !k->doomed && has_answered(f, k->carrier);
	if (answered || now_of(f) - f->asked_us >= ASKED_MAX)
		f->asked_us = 0;
	if (answered)
		f->events->answered(f->ctx);
}

/* Nothing is looked at while there is one carrier, and no other wanted or to be had. */
static void plan(struct fleet *f)
{
	const char *why;
	bool any = f->wanted > 1 && ceiling(f, &why) > 1;

	EACH(f, k)
		any = true;
	if (any)
		timer_sooner(&f->timer, now_of(f) + (f->asked_us ? TICK_ASKED : TICK));
}

static void mend(void *ctx)
{
	struct fleet *f = ctx;
	const char *why;
	unsigned most;

	if (session_is_ended(f->session))
		return;
	look_for_answers(f);
	if (!f->lead || f->doomed)
		return;
	judge(f);
	give_up_waiting(f);
	end_replaced(f);
	shrink(f);
	most = ceiling(f, &why);
	if (f->wanted < most)
		most = f->wanted;
	while (1 + count_good(f, false) < most && may_open(f) && open_one(f))
		;
	plan(f);
}

/* ---- what carriers tell ---- */

static void on_proven(void *ctx, struct carrier *c)
{
	struct companion *k = ctx;

	(void)c;
	k->proven_us = now_of(k->fleet);
	k->fleet->failures = 0;
	mend_soon(k->fleet);
}

static void on_failed(void *ctx, struct carrier *c, int error, const char *why)
{
	struct companion *k = ctx;
	struct fleet *f = k->fleet;

	(void)error;
	log_debug("fleet", session_tag(f->session), "one of its carriers failed: %s", why ? why : "");
	k->carrier = NULL;
	carrier_free(c);
	if (session_is_ended(f->session))
		return;
	if (k->proven_us < 0 || now_of(f) - k->proven_us < QUICK)
		note_failure(f);
	mend_soon(f);
}

static void on_stalled(void *ctx, struct carrier *c, bool stalled)
{
	struct companion *k = ctx;

	(void)c, (void)stalled;
	mend_soon(k->fleet);
}

static const struct carrier_events carrier_events = { on_proven, on_failed, on_stalled };

/* ---- for the ladder ---- */

static void on_room(void *ctx)
{
	struct fleet *f = ctx;
	const char *why;
	unsigned n = 1 + count_good(f, false), most = ceiling(f, &why);

	if (f->lead && (n > most || (n < most && n < f->wanted && now_of(f) >= f->not_before)))
		mend_soon(f);
}

static void on_no_dial(void *ctx, int error, const char *why)
{
	(void)ctx, (void)error, (void)why;
}

static const struct pool_events pool_events = { on_room, on_no_dial };

struct fleet *fleet_new(struct loop *loop, struct session *s, const struct fleet_config *config,
			const struct fleet_events *events, void *ctx)
{
	struct fleet *f = calloc(1, sizeof *f);

	if (!f)
		abort();
	f->loop = loop;
	f->session = s;
	f->config = *config;
	if (f->config.most == 0 || f->config.most > FLEET_MOST)
		f->config.most = FLEET_MOST;
	f->events = events;
	f->ctx = ctx;
	f->wanted = 1;
	f->begun_us = loop_now(loop);
	timer_init(&f->timer, loop, mend, f);
	pool_join(config->pool, &f->user, false, &pool_events, f);
	return f;
}

void fleet_free(struct fleet *f)
{
	if (!f)
		return;
	timer_stop(&f->timer);
	pool_leave(&f->user);
	EACH(f, k)
		carrier_free(k->carrier);
	loop_free_later(f->loop, f);
}

void fleet_want(struct fleet *f, unsigned carriers)
{
	if (carriers < f->wanted)
		f->sunk_us = now_of(f);
	f->wanted = carriers ? carriers : 1;
	mend_soon(f);
}

void fleet_follow(struct fleet *f, struct carrier *lead)
{
	f->lead = lead;
	EACH(f, k)
		if (!lead || k->doomed || carrier_rung(k->carrier) != carrier_rung(lead))
			drop(k);
	f->doomed = false;
	f->asked_us = 0;
	if (lead)
		mend_soon(f);
	else
		timer_stop(&f->timer);
}

void fleet_doom(struct fleet *f)
{
	f->doomed = true;
	f->asked_us = 0;
	f->failures = 0;
	f->few_until = 0;
	EACH(f, k) {
		k->doomed = true;
		if (k->proven_us < 0)
			drop(k);
	}
}

/* Delivering before others, then the oldest. */
static bool is_fitter(const struct fleet *f, const struct companion *a, const struct companion *b)
{
	bool x = is_delivering(f, a->carrier), y = is_delivering(f, b->carrier);

	return x != y ? x : is_bad(a->carrier) != is_bad(b->carrier) ? is_bad(b->carrier) : a->opened_us < b->opened_us;
}

struct carrier *fleet_take(struct fleet *f, bool delivering)
{
	struct companion *best = NULL;
	struct carrier *c;

	if (f->doomed)
		return NULL;
	EACH(f, k) {
		if (k->proven_us < 0 || !carrier_is_proven(k->carrier) || (delivering && !is_delivering(f, k->carrier)))
			continue;
		if (!best || is_fitter(f, k, best))
			best = k;
	}
	if (!best)
		return NULL;
	c = best->carrier;
	best->carrier = NULL;
	return c;
}

void fleet_give(struct fleet *f, struct carrier *c)
{
	struct companion *k = f->companion;

	while (k < f->companion + SESSION_CARRIERS_MAX && k->carrier)
		k++;
	if (k == f->companion + SESSION_CARRIERS_MAX) {	/* cannot be: there are no more carriers than places */
		carrier_free(c);
		return;
	}
	*k = (struct companion){ .fleet = f, .carrier = c, .proven_us = now_of(f),
				 .bad_us = now_of(f), .leaving = true };
	carrier_adopt(c, &carrier_events, k);
	f->replaced++;
	mend_soon(f);
}

void fleet_ask(struct fleet *f)
{
	EACH(f, k) {
		if (k->proven_us < 0 || k->doomed)
			continue;
		carrier_ask(k->carrier);
		f->asked_us = now_of(f);
		mend_soon(f);
	}
}

uint64_t fleet_records(const struct fleet *f)
{
	struct carrier_stats stats;
	uint64_t n = 0;

	for (unsigned i = 0; i < SESSION_CARRIERS_MAX; i++) {
		if (!f->companion[i].carrier)
			continue;
		carrier_stats(f->companion[i].carrier, &stats);
		n += stats.records_in + stats.records_out;
	}
	return n;
}

void fleet_status(const struct fleet *f, struct fleet_status *out)
{
	*out = (struct fleet_status){ .wanted = f->wanted, .opened = f->opened, .replaced = f->replaced, .failed = f->failed };
	out->most = ceiling(f, &out->why);
	if (out->most >= f->wanted)
		out->why = "";
	for (const struct companion *k = f->companion; k < f->companion + SESSION_CARRIERS_MAX; k++) {
		if (!k->carrier)
			continue;
		out->leaving += k->leaving || k->doomed;
		out->opening += k->proven_us < 0;
		out->standing += is_good(k) && k->proven_us >= 0;
	}
}
