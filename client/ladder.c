/*
 * The ladder. One carrier at a time and one timer: the carrier fails, the verdict
 * says which rung is next and whether to wait, the timer opens it. Made by
 * helper.c for each session; calls carrier_*.
 *
 * A time-out, a reset or a foreign answer may mean that the rung does not pass, that
 * the network is down, or that the server is not there behind its reverse proxy.
 * Nothing was learned about the rung before the carrier's HELLO was answered: that
 * exchange is the same on every rung.
 */
#include "client/ladder.h"

#include <stdio.h>
#include <stdlib.h>

#include "framing/error.h"
#include "tunnel/log.h"

#define DELAY_FIRST (250 * LOOP_MS)
#define DELAY_MAX (10 * LOOP_SECOND)
#define QUICK_US (5 * LOOP_SECOND)	/* a proven carrier that lived shorter failed quickly */
#define QUICK_MAX 2
#define DOUBTS_MAX 3			/* foreign answers (502 ...) on the rung that worked last */
#define WHY_MAX 512

struct ladder {
	struct loop *loop;
	struct session *session;
	const struct ladder_config *config;
	const struct ladder_events *events;
	void *ctx;

	const struct rung *rung;	/* of the carrier, or of the next one */
	struct carrier *carrier;	/* NULL: the timer is armed */
	struct timer timer;
	int64_t proven_at;		/* -1: the carrier is not proven */
	unsigned tries;			/* failed connections in a row */
	unsigned rounds;		/* ends of the ladder reached in a row */
	unsigned quick;			/* quick failures in a row */
	unsigned doubts;		/* foreign answers in a row */
	struct ladder_status status;
};

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

/* The next rung; the first one, and a wait, behind the last. */
static int64_t next_rung(struct ladder *l)
{
	l->quick = l->doubts = 0;
	if (!l->config->only && l->rung[1].name) {
		l->rung++;
		return 0;
	}
	if (!l->config->only)
		l->rung = rungs;
	return ladder_delay(l->loop, ++l->rounds);
}

static bool is_about_rung(bool answered, int error)
{
	if (!answered)
		return false;
	switch (error) {
	case ERROR_HTTP:
	case ERROR_MALFORMED:
	case ERROR_TIMEOUT:
	case ERROR_RESET:
	case ERROR_EOF:
	case ERROR_UNSUPPORTED:
	case ERROR_LIMIT:
		return true;
	default:
		return false;
	}
}

/* Chooses the next rung; returns how long to wait for it. answered: the server has said something. */
static int64_t verdict(struct ladder *l, int error, bool answered)
{
	if (l->proven_at >= 0) {
		if (loop_now(l->loop) - l->proven_at >= QUICK_US) {
			l->quick = l->rounds = 0;
			return 0;
		}
		return ++l->quick < QUICK_MAX ? 0 : next_rung(l);
	}
	if (!is_about_rung(answered, error))
		return ladder_delay(l->loop, l->tries++);
	/* What worked a moment ago is more likely out of order than impossible. */
	if (error == ERROR_HTTP && l->rung == *l->config->proven && l->doubts < DOUBTS_MAX)
		return ladder_delay(l->loop, l->doubts++);
	return next_rung(l);
}

static void failed(struct ladder *l, int error, const char *why, bool answered)
{
	const struct rung *rung = l->rung;
	int64_t wait = verdict(l, error, answered);

	timer_in(&l->timer, wait);
	snprintf(l->status.why, sizeof l->status.why, "%s failed: %.150s", rung->name, why);
	l->events->trouble(l->ctx, rung, l->rung, error, why, wait);
}

static void on_proven(void *ctx, struct carrier *c)
{
	struct ladder *l = ctx;

	l->proven_at = loop_now(l->loop);
	if (!l->status.connected_us)
		l->status.connected_us = l->proven_at;
	else if (l->rung != *l->config->proven)
		l->status.changes++;
	l->status.since_us = l->status.rung_us = l->proven_at;
	if (l->config->only)
		snprintf(l->status.why, sizeof l->status.why, "no other one is allowed");
	else if (!l->status.why[0])
		snprintf(l->status.why, sizeof l->status.why, "the first one that was tried passes");
	l->tries = l->doubts = 0;
	*l->config->proven = l->rung;
	l->events->proven(l->ctx, c);
}

static void on_failed(void *ctx, struct carrier *c, int error, const char *why)
{
	struct ladder *l = ctx;
	char text[WHY_MAX];	/* why may go with the carrier */
	struct carrier_stats stats;

	carrier_stats(c, &stats);
	snprintf(text, sizeof text, "%s", why && why[0] ? why : error_text(error));
	l->carrier = NULL;
	carrier_free(c);
	if (!session_is_ended(l->session))
		failed(l, error, text, stats.records_in > 0);
}

static const struct carrier_events carrier_events = {
	.proven = on_proven,
	.failed = on_failed,
};

static void on_timer(void *ctx)
{
	struct ladder *l = ctx;

	if (session_is_ended(l->session))
		return;
	l->proven_at = -1;
	log_debug("ladder", session_tag(l->session), "trying %s", l->rung->name);
	l->carrier = carrier_open(l->session, l->rung, l->config->path, l->config->pool, &carrier_events, l);
	if (!l->carrier)
		failed(l, ERROR_SYSTEM, "no place for one more carrier", false);
}

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
	l->rung = config->only ? config->only : *config->proven ? *config->proven : rungs;
	l->status = (struct ladder_status){ .begun_us = loop_now(loop), .duplex = "unknown", .up = "unknown", .down = "unknown" };
	timer_init(&l->timer, loop, on_timer, l);
	timer_in(&l->timer, 0);
	return l;
}

void ladder_free(struct ladder *l)
{
	if (!l)
		return;
	timer_stop(&l->timer);
	if (l->carrier)
		carrier_free(l->carrier);
	loop_free_later(l->loop, l);
}

struct carrier *ladder_carrier(const struct ladder *l)
{
	return l->carrier && l->proven_at >= 0 ? l->carrier : NULL;
}

void ladder_status(const struct ladder *l, struct ladder_status *out)
{
	*out = l->status;
	out->rung = ladder_carrier(l) ? l->rung : NULL;
}
