/*
 * The fleet. One function, `mend`, looks at what there is and at what should be, a few times a second
 * while there is more than one carrier and when something happened: it drops what is too much, marks what does not
 * deliver, ends what was replaced, opens what is missing. Made by ladder.c; what carriers tell comes at
 * the end of the turn, or leads to a timer, so carriers may be freed here.
 */
#include "client/fleet_internal.h"

#include <stdlib.h>

#include "client/ladder.h"
#include "tunnel/log.h"

#define TICK (250 * LOOP_MS)
#define TICK_ASKED (20 * LOOP_MS)
#define LINGER (10 * LOOP_SECOND)	/* fewer are wanted for so long before one retires */
#define OPEN_MAX (10 * LOOP_SECOND)	/* for a carrier to be proven, waiting for a connection included */
#define REPLACE_MAX (10 * LOOP_SECOND)	/* for another one to stand in the place of one that does not deliver */
#define QUICK (5 * LOOP_SECOND)		/* one that lived for less has failed */
#define FAILURES_MAX 3			/* in a row: fewer do, */
#define FEW_FOR (60 * LOOP_SECOND)	/* for so long */
#define OPENING_MAX 3			/* at a time: eight handshakes at once fill a slow path for a second */
#define NUMBERS_FIRST 256		/* carriers opened in a session; numbers are finite (PROTOCOL.md section 2.1) */
#define NUMBERS_EACH (4 * LOOP_SECOND)	/* and one more for each of these */

static const struct carrier_events carrier_events;

void fleet_mend_soon(struct fleet *f)
{
	timer_sooner(&f->timer, fleet_now(f));
}

static unsigned count_good(struct fleet *f, bool proven)
{
	unsigned n = 0;

	EACH(f, k)
		n += companion_is_good(k) && (!proven || k->proven_us >= 0);
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
		if (!companion_is_good(k))
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
	unsigned most = fleet_now(f) - f->sunk_us < LINGER ? fleet_ceiling(f, &why) : fleet_target(f);

	for (unsigned n = 1 + count_good(f, false); n > most; n--)
		drop(first_to_go(f));
}

static void end_replaced(struct fleet *f)
{
	bool stand = 1 + count_good(f, true) >= fleet_target(f);

	EACH(f, k)
		if (k->leaving && (stand || fleet_now(f) - k->bad_us >= REPLACE_MAX))
			drop(k);
}

/* Several in a row: those do that are there, coming ones included. */
static void note_failure(struct fleet *f)
{
	unsigned left = 1 + count_good(f, false);

	f->failed++;
	if (fleet_now(f) < f->few_until && left < f->few)
		f->few = left;
	if (fleet_now(f) < f->not_before)
		return;		/* together with one that was counted */
	f->not_before = fleet_now(f) + ladder_delay(f->loop, ++f->failures);
	if (f->failures < FAILURES_MAX)
		return;
	f->failures = 0;
	f->few = left;
	f->few_until = fleet_now(f) + FEW_FOR;
	log_debug("fleet", session_tag(f->session), "%u carriers do for now: others fail", f->few);
}

static void give_up_waiting(struct fleet *f)
{
	EACH(f, k) {
		if (k->proven_us >= 0 || fleet_now(f) - k->opened_us < OPEN_MAX)
			continue;
		drop(k);
		note_failure(f);
	}
}

/* ---- opening ---- */

/* Carriers that may have been opened by now. */
static uint64_t numbers(const struct fleet *f)
{
	return NUMBERS_FIRST + (uint64_t)((fleet_now(f) - f->begun_us) / NUMBERS_EACH);
}

static bool may_open(struct fleet *f)
{
	unsigned opening = count_good(f, false) - count_good(f, true);
	bool replaces = false;

	EACH(f, k)
		replaces |= k->leaving;
	if (opening >= OPENING_MAX || fleet_now(f) < f->not_before || f->opened >= numbers(f))
		return false;
	return fleet_has_room(f, replaces);
}

static bool open_one(struct fleet *f)
{
	struct companion *k = f->companion;

	while (k < f->companion + SESSION_CARRIERS_MAX && k->carrier)
		k++;
	if (k == f->companion + SESSION_CARRIERS_MAX)
		return false;
	*k = (struct companion){ .fleet = f, .opened_us = fleet_now(f), .proven_us = -1 };
	k->carrier = carrier_open_beside(f->session, carrier_rung(f->lead), f->config.path, f->config.pool, &carrier_events, k);
	f->opened += k->carrier != NULL;
	return k->carrier;
}

/* ---- mending ---- */

/* Nothing is looked at while there is one carrier, and no other wanted or to be had. */
static void plan(struct fleet *f)
{
	const char *why;
	bool any = f->wanted > 1 && fleet_ceiling(f, &why) > 1;

	EACH(f, k)
		any = true;
	if (any)
		timer_sooner(&f->timer, fleet_now(f) + (f->asked_us ? TICK_ASKED : TICK));
}

static void mend(void *ctx)
{
	struct fleet *f = ctx;

	if (session_is_ended(f->session))
		return;
	fleet_look_for_answers(f);
	if (!f->lead || f->doomed)
		return;
	fleet_judge(f);
	give_up_waiting(f);
	end_replaced(f);
	shrink(f);
	while (1 + count_good(f, false) < fleet_target(f) && may_open(f) && open_one(f))
		;
	plan(f);
}

/* ---- what carriers tell ---- */

static void on_proven(void *ctx, struct carrier *c)
{
	struct companion *k = ctx;

	(void)c;
	k->proven_us = fleet_now(k->fleet);
	k->fleet->failures = 0;
	fleet_mend_soon(k->fleet);
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
	if (k->proven_us < 0 || fleet_now(f) - k->proven_us < QUICK)
		note_failure(f);
	fleet_mend_soon(f);
}

static void on_stalled(void *ctx, struct carrier *c, bool stalled)
{
	struct companion *k = ctx;

	(void)c, (void)stalled;
	fleet_mend_soon(k->fleet);
}

static const struct carrier_events carrier_events = { on_proven, on_failed, on_stalled };

/* ---- for the ladder ---- */

static void on_room(void *ctx)
{
	struct fleet *f = ctx;
	const char *why;
	unsigned n = 1 + count_good(f, false), most = fleet_ceiling(f, &why);

	if (f->lead && (n > most || (n < most && n < f->wanted && fleet_now(f) >= f->not_before)))
		fleet_mend_soon(f);
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
		f->sunk_us = fleet_now(f);
	f->wanted = carriers ? carriers : 1;
	fleet_mend_soon(f);
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
		fleet_mend_soon(f);
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

void fleet_give(struct fleet *f, struct carrier *c)
{
	struct companion *k = f->companion;

	while (k < f->companion + SESSION_CARRIERS_MAX && k->carrier)
		k++;
	if (k == f->companion + SESSION_CARRIERS_MAX) {	/* cannot be: there are no more carriers than places */
		carrier_free(c);
		return;
	}
	*k = (struct companion){ .fleet = f, .carrier = c, .proven_us = fleet_now(f),
				 .bad_us = fleet_now(f), .leaving = true };
	carrier_adopt(c, &carrier_events, k);
	f->replaced++;
	fleet_mend_soon(f);
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
	out->most = fleet_ceiling(f, &out->why);
	if (out->most >= f->wanted)
		out->why = "";
	for (const struct companion *k = f->companion; k < f->companion + SESSION_CARRIERS_MAX; k++) {
		if (!k->carrier)
			continue;
		out->leaving += k->leaving || k->doomed;
		out->opening += k->proven_us < 0;
		out->standing += companion_is_good(k) && k->proven_us >= 0;
	}
}
