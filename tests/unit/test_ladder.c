/* links: client/ladder.c client/ladder_explore.c client/fleet*.c client/survey_rung.c tunnel/loop.c framing/error.c tests/lib/steps.c */
/* libs: -lev */
/* The ladder over fake carriers and surveys, in virtual time: what follows what, and when. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "framing/error.h"
#include "tests/lib/steps.h"

static void poll_first_then_the_best_that_was_measured(void **state)
{
	(void)state;
	steps_begin();
	assert_int_equal(steps.opened, 1);
	steps_prove(steps_on("poll"));
	assert_null(steps.before_rung);
	assert_int_equal(steps.survey_scope, SURVEY_ALL);
	steps_found(steps_passing(true, true, true));
	assert_ptr_equal(ladder_carrier(steps.ladder), steps_on("poll"));	/* carries until the other is proven */
	steps_prove(steps_on("duplex"));
	assert_string_equal(steps.before_rung->name, "poll");
	assert_true(steps.carriers[0].retired);
	assert_int_equal(steps_open_count(), 1);
	assert_string_equal(steps.verdict.rung->name, "duplex");
	steps_pass(3600 * LOOP_SECOND);
	assert_int_equal(steps.surveys, 1);	/* nothing to climb to */
}

static void what_is_said_of_poll(void **state)
{
	struct ladder_status status;

	(void)state;
	steps_begin();
	steps_prove(steps_on("poll"));
	ladder_status(steps.ladder, &status);
	assert_string_equal(status.why, "it passes everywhere; better ones are being measured");
	steps_found(steps_all_held);
	ladder_status(steps.ladder, &status);
	assert_string_equal(status.why, "measured: nothing better passes here");
}

static void the_rung_follows_the_findings(void **state)
{
	struct survey_findings f;

	(void)state;
	assert_string_equal(survey_rung(&(struct survey_findings){ FINDING_HELD, FINDING_PASSES, 0, FINDING_PASSES, 0, 0 }, 6)->name, "split");
	assert_string_equal(survey_rung(&(struct survey_findings){ FINDING_HELD, FINDING_PASSES, 0, FINDING_PASSES, 0, 0 }, 2)->name, "push");
	f = steps_passing(false, false, true);
	assert_string_equal(survey_rung(&f, 6)->name, "push");
	f.up_fill = FINDING_PASSES;
	assert_string_equal(survey_rung(&f, 6)->name, "split+fill");
	f = steps_all_held;
	assert_string_equal(survey_rung(&f, 6)->name, "poll");
	f.down_pad = FINDING_PASSES;
	assert_string_equal(survey_rung(&f, 6)->name, "push+pad");
	f.down_sse = FINDING_PASSES;
	assert_string_equal(survey_rung(&f, 6)->name, "push+sse");
	assert_null(survey_rung(&(struct survey_findings){ 0 }, 6));
	steps_begin();
}

static void what_is_known_races_poll(void **state)
{
	(void)state;
	steps.verdict.rung = rung_find("split");
	steps_begin();
	assert_int_equal(steps_open_count(), 2);
	steps_prove(steps_on("poll"));
	assert_string_equal(steps.verdict.rung->name, "split");	/* poll being first says nothing */
	steps_prove(steps_on("split"));
	assert_int_equal(steps_open_count(), 1);
	assert_non_null(steps_on("split"));
	assert_int_equal(steps.proven, 2);
}

static void a_known_rung_that_wins_needs_no_poll(void **state)
{
	(void)state;
	steps.verdict.rung = rung_find("duplex");
	steps_begin();
	steps_prove(steps_on("duplex"));
	steps_prove(steps_on("poll"));
	assert_int_equal(steps.proven, 1);
	assert_int_equal(steps_open_count(), 1);
	assert_non_null(steps_on("duplex"));
}

static void an_unproven_rung_is_let_be_ever_longer(void **state)
{
	(void)state;
	steps_on_poll_knowing(steps_passing(true, true, true));
	steps_fail(steps_on("duplex"), true);
	assert_null(steps_on("split"));	/* the findings were wrong: measure again */
	steps_pass(0);
	assert_int_equal(steps.surveys, 1);
	steps_flow(100);
	steps_pass(5001 * LOOP_MS);
	assert_int_equal(steps.surveys, 2);
	assert_ptr_equal(ladder_carrier(steps.ladder), steps_on("poll"));
}

static void a_rung_let_be_makes_room_for_the_next_best(void **state)
{
	(void)state;
	steps_on_poll_knowing(steps_passing(true, true, true));
	steps_fail(steps_on("duplex"), true);
	steps_flow(100);
	ladder_wake(steps.ladder);
	steps_pass(2501 * LOOP_MS);
	assert_int_equal(steps.surveys, 2);
	steps_found(steps_passing(true, true, true));	/* within the 3 s */
	if (steps.survey_done)
		steps_found(steps_passing(true, true, true));
	assert_null(steps_on("duplex"));
	steps_prove(steps_on("split"));
	assert_ptr_equal(ladder_carrier(steps.ladder), steps_on("split"));
}

static void a_stall_is_left_by_way_of_poll(void **state)
{
	struct carrier *duplex;

	(void)state;
	steps_on_poll_knowing(steps_passing(true, true, true));
	duplex = steps_on("duplex");
	steps_prove(duplex);
	steps_pass(20 * LOOP_SECOND);
	duplex->events->stalled(duplex->ctx, duplex, true);
	assert_ptr_equal(ladder_carrier(steps.ladder), duplex);	/* make before break */
	steps_prove(steps_on("poll"));
	assert_true(duplex->retired);
	assert_ptr_equal(ladder_carrier(steps.ladder), steps_on("poll"));
	steps_flow(100);
	steps_pass(2501 * LOOP_MS);
	assert_int_equal(steps.survey_scope, SURVEY_DOWN);	/* a glance within 5 s */
	steps_found(steps_passing(false, false, true));
	assert_int_equal(steps.survey_scope, SURVEY_ALL);
	steps_pass(600 * LOOP_MS);		/* it takes its time */
	steps_found(steps_passing(true, true, true));
	assert_non_null(steps_on("duplex"));			/* it had served 20 s: 3 s are enough */
}

static void what_recovers_is_kept(void **state)
{
	struct carrier *duplex;

	(void)state;
	steps_on_poll_knowing(steps_passing(true, true, true));
	duplex = steps_on("duplex");
	steps_prove(duplex);
	duplex->events->stalled(duplex->ctx, duplex, true);
	duplex->events->stalled(duplex->ctx, duplex, false);
	steps_prove(steps_on("poll"));
	assert_ptr_equal(ladder_carrier(steps.ladder), duplex);
	assert_int_equal(steps_open_count(), 1);
}

static void stalls_that_follow_each_other_wait_longer(void **state)
{
	int64_t last = 0, wait = 0;

	(void)state;
	steps_on_poll_knowing(steps_passing(true, true, true));
	for (unsigned i = 0; i < 4; i++) {
		struct carrier *duplex = steps_on("duplex");
		int64_t from;

		steps_prove(duplex);
		duplex->events->stalled(duplex->ctx, duplex, true);
		steps_prove(steps_on("poll"));
		from = loop_now(steps.loop);
		while (!steps_on("duplex") && loop_now(steps.loop) - from < 100 * LOOP_SECOND) {
			steps_flow(100);
			steps_pass(100 * LOOP_MS);
			if (steps.survey_done)
				steps_found(steps_passing(true, false, true));	/* split would do: not here, up held */
			if (steps_on("push"))
				steps_fail(steps_on("push"), true);
		}
		wait = loop_now(steps.loop) - from;
		assert_true(wait >= last);
		last = wait;
	}
	assert_true(wait >= 20 * LOOP_SECOND);
}

static void no_connection_means_back_off(void **state)
{
	(void)state;
	steps_begin();
	for (unsigned i = 0; i < 8; i++) {
		steps_fail(steps_on("poll"), false);
		assert_string_equal(steps.trouble_why, "because");
		steps_pass(steps.trouble_wait);
	}
	assert_int_equal(steps.troubles, 8);
	assert_in_range(steps.trouble_wait, 7 * LOOP_SECOND, 13 * LOOP_SECOND);
	assert_int_equal(steps.surveys, 0);
}

static void a_lost_carrier_begins_at_once(void **state)
{
	(void)state;
	steps_on_poll_knowing(steps_passing(true, true, true));
	steps_prove(steps_on("duplex"));
	steps_pass(20 * LOOP_SECOND);
	steps_fail(steps_on("duplex"), true);
	assert_int_equal(steps.trouble_wait, 0);
	assert_non_null(steps_on("poll"));
	assert_non_null(steps_on("duplex"));	/* known from before: beside it */
}

static void glances_are_rare_when_nothing_flows(void **state)
{
	(void)state;
	steps.session.channels = 0;
	steps_on_poll_knowing(steps_all_held);
	for (int64_t t = 0; t < 86400; t++) {
		steps_pass(LOOP_SECOND);
		if (steps.survey_done)
			steps_found(steps_all_held);
	}
	assert_in_range(steps.surveys, 100, 200);
	ladder_wake(steps.ladder);	/* a call */
	steps_pass(0);
	assert_non_null(steps.survey_done);
	steps_found(steps_passing(false, false, true));
}

/* Findings that differ each time are noise: no reason to look every few seconds for ever. */
static void noise_wakes_nobody(void **state)
{
	(void)state;
	steps.session.channels = 0;
	steps_on_poll_knowing(steps_all_held);
	for (int64_t t = 0; t < 86400; t++) {
		steps_pass(LOOP_SECOND);
		if (steps.survey_done)
			steps_found(steps_passing(false, steps.surveys % 2, false));
	}
	assert_in_range(steps.surveys, 100, 400);
}

/* So many looks in 40 s of a call. */
static unsigned looks_in_a_call(void)
{
	unsigned before;

	steps_on_poll_knowing(steps_all_held);
	steps_flow(200);
	steps_pass(10 * LOOP_SECOND);
	steps_found(steps_all_held);
	before = steps.surveys;
	for (unsigned i = 0; i < 400; i++) {
		steps_flow(10);
		steps_pass(100 * LOOP_MS);
		if (steps.survey_done)
			steps_found(steps_all_held);
	}
	return steps.surveys - before;
}

static void glances_come_in_time_when_something_flows(void **state)
{
	(void)state;
	assert_in_range(looks_in_a_call(), 18, 21);
}

/* Where each exchange needs one of two connections for itself, a look takes its turn from packets. */
static void glances_are_rarer_where_it_is_tight(void **state)
{
	(void)state;
	steps.single = true;
	steps.limit = 2;
	assert_in_range(looks_in_a_call(), 4, 6);
}

static void a_prescribed_rung_is_never_left(void **state)
{
	(void)state;
	steps.config.only = rung_find("push");
	steps_begin();
	assert_int_equal(steps_open_count(), 1);
	steps_prove(steps_on("push"));
	steps_on("push")->events->stalled(steps_on("push")->ctx, steps_on("push"), true);
	steps_pass(60 * LOOP_SECOND);
	steps_fail(steps_on("push"), true);
	steps_pass(steps.trouble_wait);
	assert_non_null(steps_on("push"));
	assert_int_equal(steps.surveys, 0);
}

static void a_changed_network_replaces_what_stands(void **state)
{
	struct carrier *old;

	(void)state;
	steps_on_poll_knowing(steps_passing(true, true, true));
	old = steps_on("duplex");
	steps_prove(old);
	steps.verdict = (struct verdict){ 0 };
	ladder_network_changed(steps.ladder);
	steps_pass(0);
	assert_ptr_equal(ladder_carrier(steps.ladder), old);
	steps_prove(steps_on("poll"));
	assert_true(old->retired);
	assert_int_equal(steps.surveys, 2);
	steps_found(steps_all_held);
	assert_ptr_equal(ladder_carrier(steps.ladder), steps_on("poll"));
}

/* Where nothing can be had on the new network at first, it is tried again though the old carrier still stands. */
static void the_new_network_is_tried_again(void **state)
{
	struct carrier *old;

	(void)state;
	steps_begin();
	steps_prove(steps_on("poll"));
	steps_found(steps_passing(true, true, true));
	old = steps_on("duplex");
	steps_prove(old);
	steps.verdict = (struct verdict){ 0 };
	ladder_network_changed(steps.ladder);
	for (unsigned i = 0; i < 5; i++) {
		steps_fail(steps_on("poll"), false);
		assert_true(old->open);
		steps_pass(i == 0 ? 0 : 10 * LOOP_SECOND);
		assert_non_null(steps_on("poll"));
	}
	assert_int_equal(steps.troubles, 0);
	steps_prove(steps_on("poll"));
	assert_true(old->retired);
	assert_int_equal(steps.surveys, 2);
}

/* What dies with its network says nothing against its rung. */
static void the_old_network_is_no_failure(void **state)
{
	(void)state;
	steps_begin();
	steps_prove(steps_on("poll"));
	steps_found(steps_passing(true, true, true));
	steps_prove(steps_on("duplex"));
	for (unsigned i = 0; i < 4; i++) {
		ladder_network_changed(steps.ladder);
		steps_pass(LOOP_SECOND);
		steps_fail(ladder_carrier(steps.ladder), false);
		assert_null(ladder_carrier(steps.ladder));
		assert_int_equal(steps.trouble_wait, 0);
		steps_prove(steps_on("duplex"));
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
	steps.config.learned = count_learned;
	steps.config.learned_ctx = &learned;
	steps.verdict.rung = rung_find("push");	/* wrong */
	steps_begin();
	steps_prove(steps_on("poll"));
	assert_int_equal(learned, 0);
	assert_ptr_equal(steps.verdict.rung, rung_find("push"));
	steps_fail(steps_on("push"), true);
	steps_found(steps_all_held);
	assert_int_equal(learned, 1);
	assert_ptr_equal(steps.verdict.rung, rung_find("poll"));
}

static void a_server_without_probes_is_climbed_blind(void **state)
{
	(void)state;
	steps.session.probes = false;
	steps_begin();
	steps_prove(steps_on("poll"));
	steps_fail(steps_on("duplex"), true);
	steps_fail(steps_on("split"), true);
	steps_prove(steps_on("push"));
	assert_ptr_equal(ladder_carrier(steps.ladder), steps_on("push"));
	assert_int_equal(steps.surveys, 0);
}

/* A rung that probes find to pass and carriers do not: poll having served for long is no merit of it. */
static void what_never_works_is_tried_ever_more_rarely(void **state)
{
	unsigned before;

	(void)state;
	steps_on_poll_knowing(steps_all_held);
	steps_flow(200);
	steps_pass(30 * LOOP_SECOND);
	before = steps.opened;
	for (unsigned i = 0; i < 6000 && steps.opened < STEPS_CARRIERS - 2; i++) {
		steps_flow(20);
		steps_pass(100 * LOOP_MS);
		if (steps.survey_done)
			steps_found(steps_passing(false, false, true));
		if (steps_on("push"))
			steps_fail(steps_on("push"), true);
	}
	assert_in_range(steps.opened - before, 5, 12);	/* 3, 6, 12 ... 120 s, for 600 s */
}

/* Its HELLO is refused at once, again and again, while poll works. */
static void a_refused_hello_is_no_reason_to_hurry(void **state)
{
	unsigned before;

	(void)state;
	steps_on_poll_knowing(steps_passing(true, true, true));
	before = steps.opened;
	for (unsigned i = 0; i < 10 && steps_on("duplex"); i++)
		steps_fail(steps_on("duplex"), false);
	assert_in_range(steps.opened - before, 0, 1);
	steps.session.probes = false;
	before = steps.opened;
	for (unsigned i = 0; i < 100 && steps.opened < STEPS_CARRIERS - 4; i++) {
		steps_pass(10 * LOOP_MS);
		for (unsigned r = 0; r < 6; r++)
			if (steps_on(rungs[r].name))
				steps_fail(steps_on(rungs[r].name), false);
	}
	assert_in_range(steps.opened - before, 0, 12);
	assert_ptr_equal(ladder_carrier(steps.ladder), steps_on("poll"));
}

/* ---- WebSockets, of which no probe tells ---- */

static void a_websocket_is_tried_beside_what_carries(void **state)
{
	struct carrier *websocket;

	(void)state;
	steps.path.sealing = false;
	steps_on_poll_knowing(steps_all_held);
	websocket = steps_on("websocket");
	assert_non_null(websocket);
	steps_flow(200);
	steps_pass(2501 * LOOP_MS);
	assert_int_equal(steps.surveys, 2);			/* nothing waits for it */
	steps_found(steps_passing(false, false, true));
	if (steps.survey_done)
		steps_found(steps_passing(false, false, true));
	steps_prove(steps_on("push"));
	assert_ptr_equal(ladder_carrier(steps.ladder), steps_on("push"));
	assert_ptr_equal(steps_on("websocket"), websocket);	/* it goes on */
	steps_prove(websocket);
	assert_ptr_equal(ladder_carrier(steps.ladder), websocket);
	assert_null(steps_on("push"));
	assert_string_equal(steps.verdict.rung->name, "websocket");
}

static void a_websocket_gives_way_to_duplex(void **state)
{
	struct carrier *websocket;

	(void)state;
	steps.path.sealing = false;
	steps_on_poll_knowing(steps_all_held);
	websocket = steps_on("websocket");
	steps_flow(200);
	steps_pass(2501 * LOOP_MS);
	steps_found(steps_passing(false, false, true));
	if (steps.survey_done)
		steps_found(steps_passing(true, true, true));
	steps_prove(steps_on("duplex"));
	steps_prove(websocket);					/* too late */
	assert_string_equal(carrier_rung(ladder_carrier(steps.ladder))->name, "duplex");
	assert_true(websocket->retired);
}

static void a_websocket_in_vain_is_tried_for_what_flows(void **state)
{
	unsigned before, surveys;

	(void)state;
	steps.path.sealing = false;
	steps_on_poll_knowing(steps_all_held);
	surveys = steps.surveys;
	steps_fail(steps_on("websocket"), true);
	before = steps.opened;
	for (unsigned i = 0; i < 200; i++) {			/* nothing flows */
		steps_pass(LOOP_SECOND);
		if (steps.survey_done)
			steps_found(steps_all_held);
	}
	assert_int_equal(steps.opened, before);
	assert_true(steps.surveys > surveys);			/* but the path is looked at as before */
	for (unsigned i = 0; i < 6000; i++) {
		steps_flow(20);
		steps_pass(100 * LOOP_MS);
		if (steps.survey_done)
			steps_found(steps_all_held);
		if (steps_on("websocket"))
			steps_fail(steps_on("websocket"), true);
	}
	assert_in_range(steps.opened - before, 5, 12);		/* 6, 12 ... 120 s, for 600 s */
	assert_ptr_equal(ladder_carrier(steps.ladder), steps_on("poll"));
}

static void a_websocket_is_not_tried_where_all_is_sealed(void **state)
{
	(void)state;
	steps_on_poll_knowing(steps_all_held);			/* what is sealed */
	assert_null(steps_on("websocket"));
}

static void a_websocket_is_not_tried_on_two_connections(void **state)
{
	(void)state;
	steps.path.sealing = false;
	steps.limit = 2;
	steps_on_poll_knowing(steps_all_held);
	assert_null(steps_on("websocket"));
}

static void a_websocket_is_not_tried_where_duplex_passes(void **state)
{
	(void)state;
	steps.path.sealing = false;
	steps_on_poll_knowing(steps_passing(true, true, true));
	assert_null(steps_on("websocket"));
	steps_fail(steps_on("duplex"), true);			/* unless it only seems to */
	assert_non_null(steps_on("websocket"));
}

/* No room for one more carrier of the session: later there is. */
static void a_carrier_that_could_not_be_opened(void **state)
{
	(void)state;
	steps.refuse_open = true;
	steps_begin();
	assert_int_equal(steps.opened, 0);
	steps_pass(5 * LOOP_SECOND);
	steps.refuse_open = false;
	steps_pass(15 * LOOP_SECOND);
	steps_prove(steps_on("poll"));
}

static void the_end_in_the_middle_of_everything(void **state)
{
	(void)state;
	steps_begin();
	steps_prove(steps_on("poll"));
	assert_non_null(steps.survey_done);	/* tear_down frees it now */
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, steps_set_up, steps_tear_down)
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
		T(noise_wakes_nobody),
		T(glances_come_in_time_when_something_flows),
		T(glances_are_rarer_where_it_is_tight),
		T(a_prescribed_rung_is_never_left),
		T(a_changed_network_replaces_what_stands),
		T(the_new_network_is_tried_again),
		T(the_old_network_is_no_failure),
		T(a_websocket_is_tried_beside_what_carries), T(a_websocket_gives_way_to_duplex), T(a_websocket_in_vain_is_tried_for_what_flows),
		T(a_websocket_is_not_tried_where_all_is_sealed), T(a_websocket_is_not_tried_on_two_connections),
		T(a_websocket_is_not_tried_where_duplex_passes),
		T(what_is_learned_is_told),
		T(a_server_without_probes_is_climbed_blind),
		T(what_never_works_is_tried_ever_more_rarely),
		T(a_refused_hello_is_no_reason_to_hurry),
		T(a_carrier_that_could_not_be_opened),
		T(the_end_in_the_middle_of_everything),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
