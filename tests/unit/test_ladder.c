/* links: client/ladder.c client/ladder_explore.c client/survey_rung.c tunnel/loop.c framing/error.c */
/* libs: -lev */
/* The ladder over fake carriers and surveys, in virtual time: what follows what, and when. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/ladder.h"
#include "client/survey.h"
#include "framing/error.h"
#include "tunnel/log.h"

/* ---- fakes ---- */

struct method {
	int unused;
};
static const struct method post, stream;

const struct rung rungs[] = {
	{ .name = "duplex", .up = &stream }, { .name = "split", .up = &stream }, { .name = "split+fill", .up = &stream },
	{ .name = "push", .up = &post }, { .name = "push+sse", .up = &post }, { .name = "push+pad", .up = &post },
	{ .name = "poll", .up = &post }, { .name = NULL },
};

const struct rung *rung_find(const char *name)
{
	for (const struct rung *r = rungs; r->name; r++)
		if (strcmp(r->name, name) == 0)
			return r;
	abort();
}

struct session {
	bool ended, probes;
	unsigned channels;
};

struct carrier {
	const struct rung *rung;
	const struct carrier_events *events;
	void *ctx;
	uint64_t records;
	bool open, retired;
	char why[32];		/* goes with the carrier */
};

#define CARRIERS 64

static struct session session;
static struct carrier carriers[CARRIERS];
static unsigned opened;
static bool refuse_open;
static unsigned limit = 6;

static void (*survey_done)(void *ctx, const struct survey_findings *);
static void *survey_ctx;
static enum survey_scope survey_scope;
static unsigned surveys;
static struct pool *const pool = (struct pool *)(uintptr_t)8;

bool session_is_ended(const struct session *s) { return s->ended; }
bool session_has_probes(const struct session *s) { return s->probes; }
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
unsigned pool_limit(const struct pool *p) { (void)p; return limit; }
const char *finding_name(enum finding f) { (void)f; return "x"; }

struct carrier *carrier_open(struct session *s, const struct rung *rung, const struct carrier_path *path, struct pool *p,
			     const struct carrier_events *events, void *ctx)
{
	(void)path;
	assert_ptr_equal(s, &session);
	assert_ptr_equal(p, pool);
	assert_true(opened < CARRIERS);
	if (refuse_open)
		return NULL;
	carriers[opened] = (struct carrier){ .rung = rung, .events = events, .ctx = ctx, .open = true };
	return &carriers[opened++];
}

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
	*out = (struct carrier_stats){ .rung = c->rung->name, .records_in = c->records, .rtt_us = 20 * LOOP_MS };
}

struct survey *survey_start(const struct survey_setup *setup, enum survey_scope scope, const struct survey_findings *known,
			    void (*done)(void *ctx, const struct survey_findings *), void *ctx)
{
	(void)known;
	assert_ptr_equal(setup->pool, pool);
	assert_null(survey_done);
	survey_done = done;
	survey_ctx = ctx;
	survey_scope = scope;
	surveys++;
	return (struct survey *)(uintptr_t)8;
}

void survey_cancel(struct survey *v)
{
	if (v)
		survey_done = NULL;
}

/* ---- the ladder under test ---- */

static struct loop *loop;
static struct ladder *ladder;
static struct ladder_config config;
static struct verdict verdict;
static unsigned proven, troubles;
static const struct rung *before_rung;
static int64_t trouble_wait;
static char trouble_why[64];

static void on_proven(void *ctx, struct carrier *c, const struct rung *before)
{
	assert_ptr_equal(ctx, &config);
	assert_ptr_equal(c, ladder_carrier(ladder));
	before_rung = before;
	proven++;
}

static void on_trouble(void *ctx, const struct rung *failed, int error, const char *why, int64_t wait)
{
	(void)ctx, (void)failed, (void)error;
	troubles++;
	trouble_wait = wait;
	snprintf(trouble_why, sizeof trouble_why, "%s", why);
}

static const struct ladder_events events = { on_proven, on_trouble };

static int set_up(void **state)
{
	(void)state;
	loop = loop_new_virtual(LOOP_SECOND, 1700000000);
	memset(carriers, 0, sizeof carriers);
	opened = surveys = proven = troubles = 0;
	refuse_open = false;
	limit = 6;
	survey_done = NULL;
	session = (struct session){ .probes = true, .channels = 1 };
	verdict = (struct verdict){ 0 };
	config = (struct ladder_config){ .pool = pool, .verdict = &verdict };
	return 0;
}

static void pass(int64_t us)
{
	loop_advance(loop, loop_now(loop) + us);
}

static void begin(void)
{
	ladder = ladder_new(loop, &session, &config, &events, &config);
	pass(0);
}

static int tear_down(void **state)
{
	(void)state;
	ladder_free(ladder);
	ladder = NULL;
	loop_free(loop);
	for (unsigned i = 0; i < opened; i++)
		assert_false(carriers[i].open);
	assert_null(survey_done);
	return 0;
}

static struct carrier *on(const char *rung)
{
	for (unsigned i = 0; i < opened; i++)
		if (carriers[i].open && strcmp(carriers[i].rung->name, rung) == 0)
			return &carriers[i];
	return NULL;
}

static unsigned open_count(void)
{
	unsigned n = 0;

	for (unsigned i = 0; i < opened; i++)
		n += carriers[i].open;
	return n;
}

static void prove(struct carrier *c)
{
	assert_non_null(c);
	c->events->proven(c->ctx, c);
	pass(0);
}

static void fail_(struct carrier *c, bool answered)
{
	assert_non_null(c);
	c->records = answered;
	snprintf(c->why, sizeof c->why, "because");
	c->events->failed(c->ctx, c, ERROR_TIMEOUT, c->why);
	pass(0);
}

static void found(struct survey_findings f)
{
	void (*done)(void *, const struct survey_findings *) = survey_done;

	assert_non_null(done);
	survey_done = NULL;
	done(survey_ctx, &f);
	pass(0);
}

static const struct survey_findings all_held = { FINDING_HELD, FINDING_HELD, FINDING_HELD, FINDING_HELD, FINDING_HELD, FINDING_HELD };

static struct survey_findings passing(bool duplex, bool up, bool down)
{
	struct survey_findings f = all_held;

	f.duplex = duplex ? FINDING_PASSES : FINDING_HELD;
	f.up = up ? FINDING_PASSES : FINDING_HELD;
	f.down = down ? FINDING_PASSES : FINDING_HELD;
	return f;
}

static void flow(unsigned records)
{
	ladder_carrier(ladder)->records += records;
}

static void on_poll_knowing(struct survey_findings f)
{
	begin();
	prove(on("poll"));
	found(f);
}

/* ---- tests ---- */

static void poll_first_then_the_best_that_was_measured(void **state)
{
	(void)state;
	begin();
	assert_int_equal(opened, 1);
	prove(on("poll"));
	assert_null(before_rung);
	assert_int_equal(survey_scope, SURVEY_ALL);
	found(passing(true, true, true));
	assert_ptr_equal(ladder_carrier(ladder), on("poll"));	/* carries until the other is proven */
	prove(on("duplex"));
	assert_string_equal(before_rung->name, "poll");
	assert_true(carriers[0].retired);
	assert_int_equal(open_count(), 1);
	assert_string_equal(verdict.rung->name, "duplex");
	pass(3600 * LOOP_SECOND);
	assert_int_equal(surveys, 1);	/* nothing to climb to */
}

static void what_is_said_of_poll(void **state)
{
	struct ladder_status status;

	(void)state;
	begin();
	prove(on("poll"));
	ladder_status(ladder, &status);
	assert_string_equal(status.why, "it passes everywhere; better ones are being measured");
	found(all_held);
	ladder_status(ladder, &status);
	assert_string_equal(status.why, "measured: nothing better passes here");
}

static void the_rung_follows_the_findings(void **state)
{
	struct survey_findings f;

	(void)state;
	assert_string_equal(survey_rung(&(struct survey_findings){ FINDING_HELD, FINDING_PASSES, 0, FINDING_PASSES, 0, 0 }, 6)->name, "split");
	assert_string_equal(survey_rung(&(struct survey_findings){ FINDING_HELD, FINDING_PASSES, 0, FINDING_PASSES, 0, 0 }, 2)->name, "push");
	f = passing(false, false, true);
	assert_string_equal(survey_rung(&f, 6)->name, "push");
	f.up_fill = FINDING_PASSES;
	assert_string_equal(survey_rung(&f, 6)->name, "split+fill");
	f = all_held;
	assert_string_equal(survey_rung(&f, 6)->name, "poll");
	f.down_pad = FINDING_PASSES;
	assert_string_equal(survey_rung(&f, 6)->name, "push+pad");
	f.down_sse = FINDING_PASSES;
	assert_string_equal(survey_rung(&f, 6)->name, "push+sse");
	assert_null(survey_rung(&(struct survey_findings){ 0 }, 6));
	begin();
}

static void what_is_known_races_poll(void **state)
{
	(void)state;
	verdict.rung = rung_find("split");
	begin();
	assert_int_equal(open_count(), 2);
	prove(on("poll"));
	assert_string_equal(verdict.rung->name, "split");	/* poll being first says nothing */
	prove(on("split"));
	assert_int_equal(open_count(), 1);
	assert_non_null(on("split"));
	assert_int_equal(proven, 2);
}

static void a_known_rung_that_wins_needs_no_poll(void **state)
{
	(void)state;
	verdict.rung = rung_find("duplex");
	begin();
	prove(on("duplex"));
	prove(on("poll"));
	assert_int_equal(proven, 1);
	assert_int_equal(open_count(), 1);
	assert_non_null(on("duplex"));
}

static void an_unproven_rung_is_let_be_ever_longer(void **state)
{
	(void)state;
	on_poll_knowing(passing(true, true, true));
	fail_(on("duplex"), true);
	assert_null(on("split"));	/* the findings were wrong: measure again */
	pass(0);
	assert_int_equal(surveys, 1);
	flow(100);
	pass(5001 * LOOP_MS);
	assert_int_equal(surveys, 2);
	assert_ptr_equal(ladder_carrier(ladder), on("poll"));
}

static void a_rung_let_be_makes_room_for_the_next_best(void **state)
{
	(void)state;
	on_poll_knowing(passing(true, true, true));
	fail_(on("duplex"), true);
	flow(100);
	ladder_wake(ladder);
	pass(2501 * LOOP_MS);
	assert_int_equal(surveys, 2);
	found(passing(true, true, true));	/* within the 3 s */
	if (survey_done)
		found(passing(true, true, true));
	assert_null(on("duplex"));
	prove(on("split"));
	assert_ptr_equal(ladder_carrier(ladder), on("split"));
}

static void a_stall_is_left_by_way_of_poll(void **state)
{
	struct carrier *duplex;

	(void)state;
	on_poll_knowing(passing(true, true, true));
	duplex = on("duplex");
	prove(duplex);
	pass(20 * LOOP_SECOND);
	duplex->events->stalled(duplex->ctx, duplex, true);
	assert_ptr_equal(ladder_carrier(ladder), duplex);	/* make before break */
	prove(on("poll"));
	assert_true(duplex->retired);
	assert_ptr_equal(ladder_carrier(ladder), on("poll"));
	flow(100);
	pass(2501 * LOOP_MS);
	assert_int_equal(survey_scope, SURVEY_DOWN);	/* a glance within 5 s */
	found(passing(false, false, true));
	assert_int_equal(survey_scope, SURVEY_ALL);
	pass(600 * LOOP_MS);		/* it takes its time */
	found(passing(true, true, true));
	assert_non_null(on("duplex"));			/* it had served 20 s: 3 s are enough */
}

static void what_recovers_is_kept(void **state)
{
	struct carrier *duplex;

	(void)state;
	on_poll_knowing(passing(true, true, true));
	duplex = on("duplex");
	prove(duplex);
	duplex->events->stalled(duplex->ctx, duplex, true);
	duplex->events->stalled(duplex->ctx, duplex, false);
	prove(on("poll"));
	assert_ptr_equal(ladder_carrier(ladder), duplex);
	assert_int_equal(open_count(), 1);
}

static void stalls_that_follow_each_other_wait_longer(void **state)
{
	int64_t last = 0, wait = 0;

	(void)state;
	on_poll_knowing(passing(true, true, true));
	for (unsigned i = 0; i < 4; i++) {
		struct carrier *duplex = on("duplex");
		int64_t from;

		prove(duplex);
		duplex->events->stalled(duplex->ctx, duplex, true);
		prove(on("poll"));
		from = loop_now(loop);
		while (!on("duplex") && loop_now(loop) - from < 100 * LOOP_SECOND) {
			flow(100);
			pass(100 * LOOP_MS);
			if (survey_done)
				found(passing(true, false, true));	/* split would do: not here, up held */
			if (on("push"))
				fail_(on("push"), true);
		}
		wait = loop_now(loop) - from;
		assert_true(wait >= last);
		last = wait;
	}
	assert_true(wait >= 20 * LOOP_SECOND);
}

static void no_connection_means_back_off(void **state)
{
	(void)state;
	begin();
	for (unsigned i = 0; i < 8; i++) {
		fail_(on("poll"), false);
		assert_string_equal(trouble_why, "because");
		pass(trouble_wait);
	}
	assert_int_equal(troubles, 8);
	assert_in_range(trouble_wait, 7 * LOOP_SECOND, 13 * LOOP_SECOND);
	assert_int_equal(surveys, 0);
}

static void a_lost_carrier_begins_at_once(void **state)
{
	(void)state;
	on_poll_knowing(passing(true, true, true));
	prove(on("duplex"));
	pass(20 * LOOP_SECOND);
	fail_(on("duplex"), true);
	assert_int_equal(trouble_wait, 0);
	assert_non_null(on("poll"));
	assert_non_null(on("duplex"));	/* known from before: beside it */
}

static void glances_are_rare_when_nothing_flows(void **state)
{
	(void)state;
	session.channels = 0;
	on_poll_knowing(all_held);
	for (int64_t t = 0; t < 86400; t++) {
		pass(LOOP_SECOND);
		if (survey_done)
			found(all_held);
	}
	assert_in_range(surveys, 100, 200);
	ladder_wake(ladder);	/* a call */
	pass(0);
	assert_non_null(survey_done);
	found(passing(false, false, true));
}

static void glances_come_in_time_when_something_flows(void **state)
{
	unsigned before;

	(void)state;
	on_poll_knowing(all_held);
	flow(200);
	pass(10 * LOOP_SECOND);
	found(all_held);
	before = surveys;
	for (unsigned i = 0; i < 400; i++) {
		flow(10);
		pass(100 * LOOP_MS);
		if (survey_done)
			found(all_held);
	}
	assert_in_range(surveys - before, 14, 17);
}

static void a_prescribed_rung_is_never_left(void **state)
{
	(void)state;
	config.only = rung_find("push");
	begin();
	assert_int_equal(open_count(), 1);
	prove(on("push"));
	on("push")->events->stalled(on("push")->ctx, on("push"), true);
	pass(60 * LOOP_SECOND);
	fail_(on("push"), true);
	pass(trouble_wait);
	assert_non_null(on("push"));
	assert_int_equal(surveys, 0);
}

static void a_changed_network_replaces_what_stands(void **state)
{
	struct carrier *old;

	(void)state;
	on_poll_knowing(passing(true, true, true));
	old = on("duplex");
	prove(old);
	verdict = (struct verdict){ 0 };
	ladder_network_changed(ladder);
	pass(0);
	assert_ptr_equal(ladder_carrier(ladder), old);
	prove(on("poll"));
	assert_true(old->retired);
	assert_int_equal(surveys, 2);
	found(all_held);
	assert_ptr_equal(ladder_carrier(ladder), on("poll"));
}

/* Where nothing can be had on the new network at first, it is tried again though the old carrier still stands. */
static void the_new_network_is_tried_again(void **state)
{
	struct carrier *old;

	(void)state;
	begin();
	prove(on("poll"));
	found(passing(true, true, true));
	old = on("duplex");
	prove(old);
	verdict = (struct verdict){ 0 };
	ladder_network_changed(ladder);
	for (unsigned i = 0; i < 5; i++) {
		fail_(on("poll"), false);
		assert_true(old->open);
		pass(i == 0 ? 0 : 10 * LOOP_SECOND);
		assert_non_null(on("poll"));
	}
	assert_int_equal(troubles, 0);
	prove(on("poll"));
	assert_true(old->retired);
	assert_int_equal(surveys, 2);
}

/* What dies with its network says nothing against its rung. */
static void the_old_network_is_no_failure(void **state)
{
	(void)state;
	begin();
	prove(on("poll"));
	found(passing(true, true, true));
	prove(on("duplex"));
	for (unsigned i = 0; i < 4; i++) {
		ladder_network_changed(ladder);
		pass(LOOP_SECOND);
		fail_(ladder_carrier(ladder), false);
		assert_null(ladder_carrier(ladder));
		assert_int_equal(trouble_wait, 0);
		prove(on("duplex"));
	}
}

static void count_learned(void *ctx)
{
	++*(unsigned *)ctx;
}

static void what_is_learned_is_told(void **state)
{
	unsigned learned = 0;

	(void)state;
	config.learned = count_learned;
	config.learned_ctx = &learned;
	verdict.rung = rung_find("push");	/* wrong */
	begin();
	prove(on("poll"));
	assert_int_equal(learned, 0);
	assert_ptr_equal(verdict.rung, rung_find("push"));
	fail_(on("push"), true);
	found(all_held);
	assert_int_equal(learned, 1);
	assert_ptr_equal(verdict.rung, rung_find("poll"));
}

static void a_server_without_probes_is_climbed_blind(void **state)
{
	(void)state;
	session.probes = false;
	begin();
	prove(on("poll"));
	fail_(on("duplex"), true);
	fail_(on("split"), true);
	prove(on("push"));
	assert_ptr_equal(ladder_carrier(ladder), on("push"));
	assert_int_equal(surveys, 0);
}

/* A rung that probes find to pass and carriers do not: poll having served for long is no merit of it. */
static void what_never_works_is_tried_ever_more_rarely(void **state)
{
	unsigned before;

	(void)state;
	on_poll_knowing(all_held);
	flow(200);
	pass(30 * LOOP_SECOND);
	before = opened;
	for (unsigned i = 0; i < 6000 && opened < CARRIERS - 2; i++) {
		flow(20);
		pass(100 * LOOP_MS);
		if (survey_done)
			found(passing(false, false, true));
		if (on("push"))
			fail_(on("push"), true);
	}
	assert_in_range(opened - before, 5, 12);	/* 3, 6, 12 ... 120 s, for 600 s */
}

/* Its HELLO is refused at once, again and again, while poll works. */
static void a_refused_hello_is_no_reason_to_hurry(void **state)
{
	unsigned before;

	(void)state;
	on_poll_knowing(passing(true, true, true));
	before = opened;
	for (unsigned i = 0; i < 10 && on("duplex"); i++)
		fail_(on("duplex"), false);
	assert_in_range(opened - before, 0, 1);
	session.probes = false;
	before = opened;
	for (unsigned i = 0; i < 100 && opened < CARRIERS - 4; i++) {
		pass(10 * LOOP_MS);
		for (unsigned r = 0; r < 6; r++)
			if (on(rungs[r].name))
				fail_(on(rungs[r].name), false);
	}
	assert_in_range(opened - before, 0, 12);
	assert_ptr_equal(ladder_carrier(ladder), on("poll"));
}

/* No room for one more carrier of the session: later there is. */
static void a_carrier_that_could_not_be_opened(void **state)
{
	(void)state;
	refuse_open = true;
	begin();
	assert_int_equal(opened, 0);
	pass(5 * LOOP_SECOND);
	refuse_open = false;
	pass(15 * LOOP_SECOND);
	prove(on("poll"));
}

static void the_end_in_the_middle_of_everything(void **state)
{
	(void)state;
	begin();
	prove(on("poll"));
	assert_non_null(survey_done);	/* tear_down frees it now */
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		T(poll_first_then_the_best_that_was_measured),
		T(what_is_said_of_poll),
		T(the_rung_follows_the_findings),
		T(what_is_known_races_poll),
		T(a_known_rung_that_wins_needs_no_poll),
		T(an_unproven_rung_is_let_be_ever_longer),
		T(a_rung_let_be_makes_room_for_the_next_best),
		T(a_stall_is_left_by_way_of_poll),
		T(what_recovers_is_kept),
		T(stalls_that_follow_each_other_wait_longer),
		T(no_connection_means_back_off),
		T(a_lost_carrier_begins_at_once),
		T(glances_are_rare_when_nothing_flows),
		T(glances_come_in_time_when_something_flows),
		T(a_prescribed_rung_is_never_left),
		T(a_changed_network_replaces_what_stands),
		T(the_new_network_is_tried_again),
		T(the_old_network_is_no_failure),
		T(what_is_learned_is_told),
		T(a_server_without_probes_is_climbed_blind),
		T(what_never_works_is_tried_ever_more_rarely),
		T(a_refused_hello_is_no_reason_to_hurry),
		T(a_carrier_that_could_not_be_opened),
		T(the_end_in_the_middle_of_everything),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
