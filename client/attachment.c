/*
 * An attachment. Made by helper.c; calls session_* and the ladder. What ends it
 * comes from deep within an exchange, so it is taken apart at the end of the turn.
 */
#include "client/attachment.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "framing/capsule.h"
#include "tunnel/log.h"
#include "tunnel/sealer.h"

#define DRAIN_US (30 * LOOP_SECOND)	/* for channels to end after GOAWAY */
#define DRAIN_LOOK_US (500 * LOOP_MS)
#define BYE_US (200 * LOOP_MS)		/* for BYE to be sent */
#define GOOD_US (5 * LOOP_SECOND)
#define SEAL_SHORT_US (15 * LOOP_SECOND) /* a seal that is lost sooner: perhaps somebody else says so, and goes on with it */
#define SEAL_WAIT_US (250 * LOOP_MS)	/* then before the next but one; doubled each time */
#define SEAL_DOUBLINGS 5
#define CLOCK_AGAIN_US (10 * LOOP_SECOND)
#define SEAL_AGAIN_US LOOP_SECOND	/* about when the sealer tries again, for trouble */

struct attachment {
	const struct attachment_setup *setup;
	const struct attachment_events *events;
	void *ctx;
	struct session *session;
	struct ladder *ladder;
	struct ladder_config ladder_config;
	struct carrier_path path;
	struct sealer *sealer;	/* a seal is being made */
	bool unsealed;		/* trouble was told: none came about yet */
	struct later end;
	struct timer drain;
	int64_t drain_until;
	int64_t proven_at;	/* first time; 0: never */
	int64_t sealed_at;	/* last */
	unsigned seals_short;	/* in a row, that were lost soon */
	int64_t clock_not_before; /* when the clock may be corrected again */
	uint64_t code;
	char reason[MESSAGE_TEXT_MAX + 1];
};

static size_t on_sign(void *ctx, char *out, size_t cap, const char *method, const char *target)
{
	const struct attachment *a = ctx;
	struct span binding = { NULL, 0 };

	if (a->path.seal)
		binding = (struct span){ seal_binding(a->path.seal), SEAL_BINDING };
	return signer_sign(a->setup->signer, out, cap, method, target, binding);
}

static bool on_clock(void *ctx, int64_t date)
{
	struct attachment *a = ctx;

	if (loop_now(a->setup->loop) < a->clock_not_before || !signer_correct(a->setup->signer, date))
		return false;
	a->clock_not_before = loop_now(a->setup->loop) + CLOCK_AGAIN_US;
	return true;
}

/* ---- sealing ---- */

static const struct sealer_events sealer_events;

static void make_seal(struct attachment *a, int64_t wait_us)
{
	struct sealer_config config = {
		.pool = a->setup->ladder.pool,
		.path = &a->path,
		.trust = a->setup->seal_trust,
		.trust_ctx = a->setup->seal_ctx,
		.host = a->setup->seal_host,
		.wait_us = wait_us,
	};

	a->path.sealing = true;
	memcpy(config.sid, session_sid(a->session), sizeof config.sid);
	a->sealer = sealer_new(a->setup->loop, &config, &sealer_events, a);
	log_debug("session", session_tag(a->session), "a seal is being made");
}

static void drop_seal(struct attachment *a)
{
	if (!a->path.seal)
		return;
	seal_on_lost(a->path.seal, a->setup->loop, NULL, NULL);
	seal_release(a->path.seal);
	a->path.seal = NULL;
}

/* The server does not know it any more, or its keys are used up. */
static void on_lost(void *ctx)
{
	struct attachment *a = ctx;
	unsigned n;

	if (loop_now(a->setup->loop) - a->sealed_at >= SEAL_SHORT_US)
		a->seals_short = 0;
	n = a->seals_short++;
	log_limited(LOG_LEVEL_INFO, "session", session_tag(a->session), "its seal is not known to the server any more, or used up: another one is made");
	drop_seal(a);
	make_seal(a, n ? SEAL_WAIT_US << (n - 1 < SEAL_DOUBLINGS ? n - 1 : SEAL_DOUBLINGS) : 0);
}

static void on_sealed(void *ctx, struct seal *seal, uint32_t number)
{
	struct attachment *a = ctx;

	sealer_free(a->sealer);
	a->sealer = NULL;
	a->sealed_at = loop_now(a->setup->loop);
	a->path.seal = seal;
	a->path.seal_number = number;
	seal_on_lost(seal, a->setup->loop, on_lost, a);
	log_debug("session", session_tag(a->session), "sealed");
	pool_wake(a->setup->ladder.pool);
	if (a->unsealed && ladder_carrier(a->ladder))	/* it waited, and goes on */
		a->events->proven(a->ctx, a, ladder_carrier(a->ladder), NULL);
	a->unsealed = false;
}

static void on_seal_failed(void *ctx, int error, const char *why)
{
	struct attachment *a = ctx;
	const struct ladder_config *l = &a->setup->ladder;

	a->unsealed = true;
	a->events->trouble(a->ctx, a, l->only ? l->only : rung_find("poll"), error, why, SEAL_AGAIN_US);
}

static const struct sealer_events sealer_events = { on_sealed, on_seal_failed };

static bool on_must_seal(void *ctx)
{
	struct attachment *a = ctx;

	if (!a->path.sealing && a->setup->must_seal && a->setup->must_seal(a->setup->seal_ctx))
		make_seal(a, 0);
	return a->path.sealing;
}

/* ---- the end ---- */

static void end_later(struct attachment *a, uint64_t code, const char *reason)
{
	a->code = code;
	snprintf(a->reason, sizeof a->reason, "%s", reason && reason[0] ? reason : capsule_code_text(code));
	loop_later(a->setup->loop, &a->end);
}

static void on_end(void *ctx)
{
	struct attachment *a = ctx;

	a->events->ended(a->ctx, a, a->code, a->reason);
	attachment_free(a);
}

/* After GOAWAY: looks whether the channels are gone; says goodbye; ends. */
static void on_drain(void *ctx)
{
	struct attachment *a = ctx;
	struct session_stats stats;

	session_stats(a->session, &stats);
	if (session_is_ended(a->session)) {
		end_later(a, CODE_NONE, "moved to another session");
	} else if (stats.channels > 0 && loop_now(a->setup->loop) < a->drain_until) {
		timer_in(&a->drain, DRAIN_LOOK_US);
	} else {
		/* What is left is told that it may go on in another session. */
		session_bye(a->session, stats.channels ? CODE_SESSION_LOST : CODE_NONE, "moved to another session");
		timer_in(&a->drain, BYE_US);
	}
}

/* ---- events of the session ---- */

static void on_welcome(void *ctx)
{
	struct attachment *a = ctx;

	a->events->welcome(a->ctx, a);
}

static void on_goaway(void *ctx, uint64_t code, uint32_t delay_ms)
{
	struct attachment *a = ctx;

	if (timer_armed(&a->drain))
		return;
	a->drain_until = loop_now(a->setup->loop) + delay_ms * LOOP_MS + DRAIN_US;
	timer_in(&a->drain, delay_ms * LOOP_MS + DRAIN_LOOK_US);
	a->events->goaway(a->ctx, a, code, delay_ms);
}

static void on_ended(void *ctx, uint64_t code, const char *reason)
{
	struct attachment *a = ctx;

	timer_stop(&a->drain);
	end_later(a, code, reason);
}

static void on_carriers(void *ctx, unsigned wanted)
{
	const struct attachment *a = ctx;

	ladder_want(a->ladder, wanted);
}

static const struct session_events session_events = {
	.welcome = on_welcome,
	.carriers = on_carriers,
	.goaway = on_goaway,
	.ended = on_ended,
};

/* ---- events of the ladder ---- */

static void on_proven(void *ctx, struct carrier *c, const struct rung *before)
{
	struct attachment *a = ctx;

	if (!a->proven_at)
		a->proven_at = loop_now(a->setup->loop);
	a->events->proven(a->ctx, a, c, before);
}

static void on_trouble(void *ctx, const struct rung *failed, int error, const char *why, int64_t retry_us)
{
	struct attachment *a = ctx;

	a->events->trouble(a->ctx, a, failed, error, why, retry_us);
}

static const struct ladder_events ladder_events = {
	.proven = on_proven,
	.trouble = on_trouble,
};

/* ---- for the helper ---- */

struct attachment *attachment_new(const struct attachment_setup *setup, const struct attachment_events *events, void *ctx)
{
	struct attachment *a = calloc(1, sizeof *a);

	if (!a)
		abort();
	a->setup = setup;
	a->events = events;
	a->ctx = ctx;
	a->path = setup->path;
	a->path.sign = on_sign;
	a->path.clock = on_clock;
	a->path.must_seal = on_must_seal;
	a->path.ctx = a;
	a->ladder_config = setup->ladder;
	a->ladder_config.path = &a->path;
	later_init(&a->end, on_end, a);
	timer_init(&a->drain, setup->loop, on_drain, a);
	a->session = session_new(setup->loop, SESSION_HELPER, &setup->session, setup->packets, NULL, &session_events, a);
	a->ladder = ladder_new(setup->loop, a->session, &a->ladder_config, &ladder_events, a);
	log_debug("session", session_tag(a->session), "begins");
	(void)on_must_seal(a);
	return a;
}

void attachment_free(struct attachment *a)
{
	if (!a)
		return;
	timer_stop(&a->drain);
	later_cancel(a->setup->loop, &a->end);
	sealer_free(a->sealer);
	ladder_free(a->ladder);
	session_free(a->session);
	drop_seal(a);
	loop_free_later(a->setup->loop, a);
}

bool attachment_bye(struct attachment *a, uint64_t code, const char *reason)
{
	bool heard = ladder_carrier(a->ladder) != NULL;

	timer_stop(&a->drain);
	session_bye(a->session, code, reason);
	return heard;
}

struct session *attachment_session(const struct attachment *a)
{
	return a->session;
}

struct ladder *attachment_ladder(const struct attachment *a)
{
	return a->ladder;
}

bool attachment_is_sealed(const struct attachment *a)
{
	return a->path.sealing;
}

bool attachment_was_good(const struct attachment *a)
{
	return a->proven_at && loop_now(a->setup->loop) - a->proven_at >= GOOD_US;
}
