/*
 * An attachment. Made by helper.c; calls session_* and the ladder. What ends it
 * comes from deep within an exchange, so it is taken apart at the end of the turn.
 */
#include "client/attachment.h"

#include <stdio.h>
#include <stdlib.h>

#include "framing/capsule.h"
#include "tunnel/log.h"

#define DRAIN_US (30 * LOOP_SECOND)	/* for channels to end after GOAWAY */
#define DRAIN_LOOK_US (500 * LOOP_MS)
#define BYE_US (200 * LOOP_MS)		/* for BYE to be sent */
#define GOOD_US (5 * LOOP_SECOND)

struct attachment {
	const struct attachment_setup *setup;
	const struct attachment_events *events;
	void *ctx;
	struct session *session;
	struct ladder *ladder;
	struct ladder_config ladder_config;
	struct carrier_path path;
	struct later end;
	struct timer drain;
	int64_t drain_until;
	int64_t proven_at;	/* first time; 0: never */
	bool corrected;		/* the clock, which is done once */
	uint64_t code;
	char reason[MESSAGE_TEXT_MAX + 1];
};

static size_t on_sign(void *ctx, char *out, size_t cap, const char *method, const char *target)
{
	struct attachment *a = ctx;

	return signer_sign(a->setup->signer, out, cap, method, target);
}

static bool on_clock(void *ctx, int64_t date)
{
	struct attachment *a = ctx;

	if (a->corrected || !signer_correct(a->setup->signer, date))
		return false;
	a->corrected = true;
	return true;
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

static const struct session_events session_events = {
	.welcome = on_welcome,
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
	a->path.ctx = a;
	a->ladder_config = setup->ladder;
	a->ladder_config.path = &a->path;
	later_init(&a->end, on_end, a);
	timer_init(&a->drain, setup->loop, on_drain, a);
	a->session = session_new(setup->loop, SESSION_HELPER, &setup->session, setup->packets, NULL, &session_events, a);
	a->ladder = ladder_new(setup->loop, a->session, &a->ladder_config, &ladder_events, a);
	log_debug("session", session_tag(a->session), "begins");
	return a;
}

void attachment_free(struct attachment *a)
{
	if (!a)
		return;
	timer_stop(&a->drain);
	later_cancel(a->setup->loop, &a->end);
	ladder_free(a->ladder);
	session_free(a->session);
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

bool attachment_was_good(const struct attachment *a)
{
	return a->proven_at && loop_now(a->setup->loop) - a->proven_at >= GOOD_US;
}
