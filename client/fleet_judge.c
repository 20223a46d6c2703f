/*
 * Which carriers of a fleet deliver. Those that stand by are silent, and an outage silences all: so when one does
 * not deliver the others are asked, and it is replaced only if something comes on one of them. Called by fleet.c.
 */
#include "client/fleet_internal.h"
#include "tunnel/log.h"

#define ALIVE (400 * LOOP_MS)		/* something came since then: it delivers */
#define SUSPECT 300			/* ms that its oldest record is overdue */
#define ANSWER (50 * LOOP_MS)		/* and two round trips, for those that were asked */
#define OVERDUE (1000)			/* ms, or */
#define OVERDUE_TRIPS 6			/* round trips: its oldest record is not going to arrive in time */
#define ASKED_MAX (3 * LOOP_SECOND)

static bool is_delivering(const struct fleet *f, const struct carrier *c)
{
	struct carrier_stats stats;

	carrier_stats(c, &stats);
	return stats.proven && !stats.stalled && fleet_now(f) - stats.heard_us <= ALIVE;
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
	if (f->silent || (!silent && fleet_now(f) - f->asked_us < 2 * (int64_t)stats.rtt_us + ANSWER))
		return;
	f->silent = true;
	f->events->silent(f->ctx);
}

void fleet_judge(struct fleet *f)
{
	bool doubted = false, silent = true;

	EACH(f, k) {
		int64_t heard = others_heard(f, k);
		bool recent = fleet_now(f) - heard <= ALIVE;

		if (k->proven_us < 0 || k->doomed)
			continue;
		if (!is_bad(k->carrier)) {
			k->bad_us = 0;
			k->leaving = false;
		} else if (!k->bad_us) {
			k->bad_us = fleet_now(f);
		}
		if (k->bad_us && !k->leaving && heard > k->bad_us) {
			log_debug("fleet", session_tag(f->session), "one of its carriers does not deliver: it is replaced");
			k->leaving = true;
			f->replaced++;
		}
		if (k->leaving || !is_suspect(k->carrier) || (recent && !k->bad_us))
			continue;
		silent &= !recent;
		doubted = true;
	}
	if (doubted)
		doubt(f, silent);
}

static bool has_answered(const struct fleet *f, const struct carrier *c)
{
	struct carrier_stats stats;

	carrier_stats(c, &stats);
	return stats.proven && !stats.stalled && stats.heard_us > f->asked_us;
}

void fleet_look_for_answers(struct fleet *f)
{
	bool answered = f->lead && has_answered(f, f->lead);

	if (!f->asked_us)
		return;
	EACH(f, k)
		answered |= !k->doomed && has_answered(f, k->carrier);
	if (answered || fleet_now(f) - f->asked_us >= ASKED_MAX)
		f->asked_us = 0;
	if (answered)
		f->events->answered(f->ctx);
}

void fleet_ask(struct fleet *f)
{
	EACH(f, k) {
		if (k->proven_us < 0 || k->doomed)
			continue;
		carrier_ask(k->carrier);
		f->asked_us = fleet_now(f);
		fleet_mend_soon(f);
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
