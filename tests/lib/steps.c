/* Fakes around a ladder, and what a test does with it. */
#include "tests/lib/steps.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "framing/error.h"
#include "tunnel/log.h"

/* ---- fakes ---- */

struct method {
	int unused;
};
static const struct method both, post, stream, answer, held;

const struct rung rungs[] = {
	{ .name = "duplex", .up = &both, .down = &both, .connections = 1 },
	{ .name = "websocket", .up = &both, .down = &both, .connections = 1, .rest = true },
	{ .name = "split", .up = &stream, .down = &answer, .connections = 2 },
	{ .name = "split+fill", .up = &stream, .down = &answer, .connections = 2 },
	{ .name = "push", .up = &post, .down = &answer, .connections = 1 },
	{ .name = "push+sse", .up = &post, .down = &answer, .connections = 1 },
	{ .name = "push+pad", .up = &post, .down = &answer, .connections = 1 },
	{ .name = "poll", .up = &post, .down = &held, .connections = 1 },
	{ .name = NULL },
};

const struct rung *rung_find(const char *name)
{
	for (const struct rung *r = rungs; r->name; r++)
		if (strcmp(r->name, name) == 0)
			return r;
	abort();
}

struct steps steps = { .limit = 10 };
static struct pool *const pool = (struct pool *)(uintptr_t)8;

bool session_is_ended(const struct session *s) { steps.looks++; return s->ended; }
bool session_has_probes(const struct session *s) { return s->probes; }
void session_path_changed(struct session *s) { (void)s; }
const char *session_tag(const struct session *s) { (void)s; return "test"; }
void session_stats(const struct session *s, struct session_stats *out) { *out = (struct session_stats){ .channels = s->channels }; }
bool log_enabled(enum log_level level) { (void)level; return false; }
void log_write(enum log_level level, struct log_limit *l, const char *area, const char *who, const char *fmt, ...)
{
	(void)level, (void)l, (void)area, (void)who, (void)fmt;
}
void pool_join(struct pool *p, struct pool_user *u, bool modest, const struct pool_events *e, void *ctx)
{
	(void)modest, (void)e, (void)ctx;
	u->pool = p;
}
void pool_leave(struct pool_user *u) { u->pool = NULL; }
void pool_ahead(struct pool_user *u, unsigned spare) { u->spare = spare; }
unsigned pool_others(const struct pool_user *u) { (void)u; return steps.used; }
void pool_claim(struct pool_user *u, bool on) { u->claims = on; }
unsigned pool_limit(const struct pool *p) { (void)p; return steps.limit; }
bool pool_is_multiplexed(const struct pool *p) { (void)p; return steps.multiplexed; }
bool pool_is_single(const struct pool *p) { (void)p; return steps.single; }
const char *finding_name(enum finding f) { (void)f; return "x"; }

static struct carrier *open_carrier(struct session *s, const struct rung *rung, struct pool *p, const struct carrier_events *events,
				    void *ctx, bool beside)
{
	assert_ptr_equal(s, &steps.session);
	assert_ptr_equal(p, pool);
	assert_true(steps.opened < STEPS_CARRIERS);
	if (steps.refuse_open)
		return NULL;
	steps.carriers[steps.opened] = (struct carrier){ .rung = rung, .events = events, .ctx = ctx, .open = true, .beside = beside };
	return &steps.carriers[steps.opened++];
}

struct carrier *carrier_open(struct session *s, const struct rung *rung, const struct carrier_path *path, struct pool *p,
			     const struct carrier_events *events, void *ctx)
{
	(void)path;
	return open_carrier(s, rung, p, events, ctx, false);
}

struct carrier *carrier_open_beside(struct session *s, const struct rung *rung, const struct carrier_path *path, struct pool *p,
				    const struct carrier_events *events, void *ctx)
{
	(void)path;
	return open_carrier(s, rung, p, events, ctx, true);
}

void carrier_adopt(struct carrier *c, const struct carrier_events *events, void *ctx)
{
	assert_true(c->open);
	c->events = events;
	c->ctx = ctx;
}

void carrier_trust_soon(struct carrier *c) { (void)c; }
void carrier_ask(struct carrier *c) { c->asked = true; }
const struct rung *carrier_rung(const struct carrier *c) { return c->rung; }
bool carrier_is_proven(const struct carrier *c) { return c->open && c->proven; }

void carrier_free(struct carrier *c)
{
	assert_true(c->open);
	memset(c->why, 'x', sizeof c->why);
	c->open = false;
}

void carrier_retire(struct carrier *c)
{
	carrier_free(c);
	c->retired = true;
}

void carrier_stats(const struct carrier *c, struct carrier_stats *out)
{
	*out = (struct carrier_stats){ .rung = c->rung->name, .records_in = c->records, .rtt_us = 20 * LOOP_MS,
				       .proven = c->proven, .stalled = c->stalled, .overdue_ms = c->overdue_ms,
				       .heard_us = c->silent ? 0 : loop_now(steps.loop) };
}

struct survey *survey_start(const struct survey_setup *setup, enum survey_scope scope, const struct survey_findings *known,
			    void (*done)(void *ctx, const struct survey_findings *), void *ctx)
{
	(void)known;
	assert_ptr_equal(setup->pool, pool);
	assert_null(steps.survey_done);
	steps.survey_done = done;
	steps.survey_ctx = ctx;
	steps.survey_scope = scope;
	steps.surveys++;
	return (struct survey *)(uintptr_t)8;
}

void survey_cancel(struct survey *v)
{
	if (v)
		steps.survey_done = NULL;
}

/* ---- the ladder under test ---- */

static void on_proven(void *ctx, struct carrier *c, const struct rung *before)
{
	assert_ptr_equal(ctx, &steps.config);
	assert_ptr_equal(c, ladder_carrier(steps.ladder));
	steps.before_rung = before;
	steps.proven++;
}

static void on_trouble(void *ctx, const struct rung *failed, int error, const char *why, int64_t wait)
{
	(void)ctx, (void)failed, (void)error;
	steps.troubles++;
	steps.trouble_wait = wait;
	snprintf(steps.trouble_why, sizeof steps.trouble_why, "%s", why);
}

static const struct ladder_events events = { on_proven, on_trouble };

int steps_set_up(void **state)
{
	(void)state;
	steps.loop = loop_new_virtual(LOOP_SECOND, 1700000000);
	memset(steps.carriers, 0, sizeof steps.carriers);
	steps.opened = steps.surveys = steps.proven = steps.troubles = 0;
	steps.refuse_open = false;
	steps.limit = 10;
	steps.used = 0;
	steps.survey_done = NULL;
	steps.session = (struct session){ .probes = true, .channels = 1 };
	steps.verdict = (struct verdict){ 0 };
	steps.path = (struct carrier_path){ .sealing = true };
	steps.config = (struct ladder_config){ .pool = pool, .path = &steps.path, .verdict = &steps.verdict };
	return 0;
}

void steps_pass(int64_t us)
{
	loop_advance(steps.loop, loop_now(steps.loop) + us);
}

void steps_begin(void)
{
	steps.ladder = ladder_new(steps.loop, &steps.session, &steps.config, &events, &steps.config);
	steps_pass(0);
}

int steps_tear_down(void **state)
{
	(void)state;
	ladder_free(steps.ladder);
	steps.ladder = NULL;
	loop_free(steps.loop);
	for (unsigned i = 0; i < steps.opened; i++)
		assert_false(steps.carriers[i].open);
	assert_null(steps.survey_done);
	return 0;
}

struct carrier *steps_on(const char *rung)
{
	for (unsigned i = 0; i < steps.opened; i++)
		if (steps.carriers[i].open && strcmp(steps.carriers[i].rung->name, rung) == 0)
			return &steps.carriers[i];
	return NULL;
}

unsigned steps_open_count(void)
{
	unsigned n = 0;

	for (unsigned i = 0; i < steps.opened; i++)
		n += steps.carriers[i].open;
	return n;
}

void steps_prove(struct carrier *c)
{
	assert_non_null(c);
	c->proven = true;
	c->events->proven(c->ctx, c);
	steps_pass(0);
}

void steps_fail(struct carrier *c, bool answered)
{
	assert_non_null(c);
	c->records = answered;
	snprintf(c->why, sizeof c->why, "because");
	c->events->failed(c->ctx, c, ERROR_TIMEOUT, c->why);
	steps_pass(0);
}

void steps_found(struct survey_findings f)
{
	void (*done)(void *, const struct survey_findings *) = steps.survey_done;

	assert_non_null(done);
	steps.survey_done = NULL;
	done(steps.survey_ctx, &f);
	steps_pass(0);
}

const struct survey_findings steps_all_held = { FINDING_HELD, FINDING_HELD, FINDING_HELD, FINDING_HELD, FINDING_HELD, FINDING_HELD };

struct survey_findings steps_passing(bool duplex, bool up, bool down)
{
	struct survey_findings f = steps_all_held;

	f.duplex = duplex ? FINDING_PASSES : FINDING_HELD;
	f.up = up ? FINDING_PASSES : FINDING_HELD;
	f.down = down ? FINDING_PASSES : FINDING_HELD;
	return f;
}

void steps_flow(unsigned records)
{
	ladder_carrier(steps.ladder)->records += records;
}

void steps_on_poll_knowing(struct survey_findings f)
{
	steps_begin();
	steps_prove(steps_on("poll"));
	steps_found(f);
}
