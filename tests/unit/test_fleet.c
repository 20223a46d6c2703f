/* links: client/ladder.c client/ladder_explore.c client/fleet*.c client/survey_rung.c tunnel/loop.c framing/error.c tests/lib/steps.c */
/* libs: -lev */
/* A ladder and its fleet over fake carriers, in virtual time: how many are opened, which go, which takes whose place. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "framing/error.h"
#include "tests/lib/steps.h"

/* On a rung, with what is found to pass there. */
static struct carrier *on_rung(const char *rung, bool duplex, bool up, bool down)
{
	steps_on_poll_knowing(steps_passing(duplex, up, down));
	steps_prove(steps_on(rung));
	assert_ptr_equal(ladder_carrier(steps.ladder), steps_on(rung));
	return steps_on(rung);
}

/* Those beside the one in use that are open; proves them. */
static unsigned beside(bool prove)
{
	unsigned n = 0;

	for (unsigned i = 0; i < steps.opened; i++) {
		struct carrier *c = &steps.carriers[i];

		if (!c->open || !c->beside || c == ladder_carrier(steps.ladder))
			continue;
		n++;
		if (prove && !c->proven)
			steps_prove(c);
	}
	return n;
}

static struct carrier *newest(void)
{
	for (unsigned i = steps.opened; i-- > 0;)
		if (steps.carriers[i].open && steps.carriers[i].beside)
			return &steps.carriers[i];
	return NULL;
}

static void stall(struct carrier *c, bool stalled)
{
	c->stalled = c->silent = stalled;
	c->events->stalled(c->ctx, c, stalled);
	steps_pass(0);
}

static void want(unsigned n)
{
	ladder_want(steps.ladder, n);
	steps_pass(0);
}

static void as_many_as_wanted(void **state)
{
	(void)state;
	on_rung("duplex", true, true, true);
	assert_int_equal(beside(false), 0);
	want(4);
	assert_int_equal(beside(true), 3);
	want(8);
	assert_int_equal(beside(true), 7);
	want(200);
	assert_int_equal(beside(true), 7);
	assert_int_equal(steps.proven, 2);	/* nobody is told of them */
}

static void as_many_as_the_rung_allows(void **state)
{
	(void)state;
	on_rung("split", false, true, true);
	want(8);
	assert_int_equal(beside(true), 3);
}

static void poll_is_alone(void **state)
{
	(void)state;
	steps_begin();
	steps_prove(steps_on("poll"));
	steps_found(steps_all_held);
	want(8);
	steps_pass(LOOP_SECOND);
	assert_int_equal(beside(false), 0);
}

static void as_many_as_there_are_connections(void **state)
{
	struct ladder_status status;

	(void)state;
	on_rung("duplex", true, true, true);
	steps.limit = 4;
	want(8);
	assert_int_equal(beside(true), 2);	/* one is left to others */
	ladder_status(steps.ladder, &status);
	assert_int_equal(status.carriers_most, 3);
	assert_string_equal(status.carriers_why, "no more connections");
	steps.limit = 2;	/* learned meanwhile */
	steps_pass(251 * LOOP_MS);
	assert_int_equal(beside(false), 0);
	steps.limit = 10;
	steps.used = 9;		/* others have them at the moment */
	want(8);
	steps_pass(LOOP_SECOND);
	assert_int_equal(beside(false), 0);
	steps.used = 7;
	steps_pass(251 * LOOP_MS);
	assert_int_equal(beside(false), 2);
}

static void as_many_as_configured(void **state)
{
	(void)state;
	steps.config.carriers = 2;
	on_rung("duplex", true, true, true);
	want(8);
	assert_int_equal(beside(true), 1);
}

static void fewer_after_a_while_the_newest_first(void **state)
{
	struct carrier *first;

	(void)state;
	first = on_rung("duplex", true, true, true);
	want(4);
	assert_int_equal(beside(true), 3);
	steps_pass(LOOP_SECOND);
	want(8);
	assert_int_equal(beside(true), 7);
	want(4);
	steps_pass(9 * LOOP_SECOND);
	assert_int_equal(beside(false), 7);
	want(8);		/* they are still there */
	want(4);
	steps_pass(9 * LOOP_SECOND);
	assert_int_equal(beside(false), 7);
	steps_pass(2 * LOOP_SECOND);
	assert_int_equal(beside(false), 3);
	assert_true(newest()->retired == false && newest() < &steps.carriers[6]);
	assert_ptr_equal(ladder_carrier(steps.ladder), first);
}

static void one_that_fails_comes_again(void **state)
{
	unsigned opened;

	(void)state;
	on_rung("duplex", true, true, true);
	want(2);
	beside(true);
	steps_pass(10 * LOOP_SECOND);
	opened = steps.opened;
	steps_fail(newest(), true);	/* it had served: at once */
	assert_int_equal(steps.opened, opened + 1);
	steps_fail(newest(), false);	/* that one was never proven: with a pause */
	assert_int_equal(beside(false), 0);
	steps_pass(LOOP_SECOND);
	assert_int_equal(beside(true), 1);
	assert_int_equal(steps.troubles, 0);
	assert_string_equal(carrier_rung(ladder_carrier(steps.ladder))->name, "duplex");
}

/* Three in a row: the others do for a minute. All that fail in one moment are one. */
static void fewer_do_when_others_fail(void **state)
{
	struct ladder_status status;

	(void)state;
	on_rung("duplex", true, true, true);
	want(2);
	beside(true);
	want(4);
	assert_int_equal(beside(false), 3);
	for (int i = 0; i < 3; i++) {
		steps_fail(newest(), false);
		steps_fail(newest(), false);
		assert_int_equal(beside(false), 1);
		steps_pass(3 * LOOP_SECOND);
		if (i < 2)
			assert_int_equal(beside(false), 3);
	}
	steps_pass(50 * LOOP_SECOND);
	assert_int_equal(beside(false), 1);
	ladder_status(steps.ladder, &status);
	assert_int_equal(status.carriers_most, 2);
	assert_string_equal(status.carriers_why, "others failed a moment ago");
	steps_pass(10 * LOOP_SECOND);
	assert_int_equal(beside(true), 3);
}

static void one_that_is_never_proven_is_given_up(void **state)
{
	struct carrier *c;

	(void)state;
	on_rung("duplex", true, true, true);
	want(2);
	c = newest();
	steps_pass(9 * LOOP_SECOND);
	assert_true(c->open);
	steps_pass(2 * LOOP_SECOND);
	assert_false(c->open);
}

/* ---- stalls ---- */

static void one_that_stalls_is_replaced(void **state)
{
	struct carrier *old;

	(void)state;
	on_rung("duplex", true, true, true);
	want(3);
	beside(true);
	old = newest();
	stall(old, true);
	steps_pass(300 * LOOP_MS);
	assert_true(old->open);		/* until another stands */
	assert_int_equal(beside(false), 3);
	assert_int_equal(beside(true), 3);
	steps_pass(0);
	assert_false(old->open);
	assert_int_equal(beside(false), 2);
	assert_int_equal(steps.surveys, 1);
	assert_null(steps_on("poll"));
}

static void one_that_is_overdue_is_replaced(void **state)
{
	struct carrier *old;

	(void)state;
	on_rung("duplex", true, true, true);
	want(2);
	beside(true);
	old = newest();
	old->overdue_ms = 900;
	steps_pass(LOOP_SECOND);
	assert_int_equal(beside(false), 1);
	old->overdue_ms = 1100;
	steps_pass(600 * LOOP_MS);
	assert_int_equal(beside(true), 2);
	steps_pass(0);
	assert_false(old->open);
}

static void one_that_recovers_stays(void **state)
{
	struct carrier *old;

	(void)state;
	on_rung("duplex", true, true, true);
	want(2);
	beside(true);
	old = newest();
	stall(old, true);
	steps_pass(300 * LOOP_MS);
	assert_int_equal(beside(false), 2);
	stall(old, false);
	steps_pass(LOOP_SECOND);
	assert_true(old->open);
	steps_pass(10 * LOOP_SECOND);
	assert_int_equal(beside(false), 1);
	assert_true(old->open);
}

static void another_takes_the_place_of_the_first(void **state)
{
	struct carrier *first, *second, *third;

	(void)state;
	first = on_rung("duplex", true, true, true);
	want(2);
	beside(true);
	second = newest();
	steps_pass(LOOP_SECOND);
	stall(first, true);
	assert_ptr_equal(ladder_carrier(steps.ladder), second);
	assert_null(steps_on("poll"));
	assert_true(first->open);
	steps_pass(300 * LOOP_MS);
	third = newest();
	steps_prove(third);
	assert_false(first->open);
	assert_int_equal(beside(false), 1);
	assert_int_equal(steps.proven, 2);
	/* And the one that took its place is the ladder's as the first was. */
	steps_fail(second, true);
	assert_ptr_equal(ladder_carrier(steps.ladder), third);
	assert_int_equal(steps.troubles, 0);
	assert_null(steps_on("poll"));
}

/* Those that stand by are silent: they are asked, and poll is the way out if none answers. */
static void silent_ones_are_asked(void **state)
{
	struct carrier *first, *second;

	(void)state;
	first = on_rung("duplex", true, true, true);
	want(2);
	beside(true);
	second = newest();
	second->silent = true;
	steps_pass(LOOP_SECOND);
	stall(first, true);
	assert_ptr_equal(ladder_carrier(steps.ladder), first);
	assert_true(second->asked);
	assert_non_null(steps_on("poll"));
	second->silent = false;		/* the answer */
	steps_pass(30 * LOOP_MS);
	assert_ptr_equal(ladder_carrier(steps.ladder), second);
	assert_null(steps_on("poll"));
}

static void when_all_stall_it_is_the_path(void **state)
{
	struct carrier *first, *second;

	(void)state;
	first = on_rung("duplex", true, true, true);
	want(2);
	beside(true);
	second = newest();
	first->silent = true;		/* stands by */
	steps_pass(LOOP_SECOND);
	stall(second, true);
	assert_true(first->asked);
	assert_non_null(steps_on("poll"));	/* at once */
	assert_int_equal(beside(false), 1);	/* nothing is replaced */
	steps_prove(steps_on("poll"));
	assert_string_equal(carrier_rung(ladder_carrier(steps.ladder))->name, "poll");
	assert_true(first->retired);
	assert_false(second->open);
	assert_int_equal(beside(false), 0);
}

static void when_the_first_answers_it_is_not(void **state)
{
	struct carrier *first, *second;

	(void)state;
	first = on_rung("duplex", true, true, true);
	want(2);
	beside(true);
	second = newest();
	first->silent = true;
	steps_pass(LOOP_SECOND);
	stall(second, true);
	first->silent = false;
	steps_pass(30 * LOOP_MS);
	assert_null(steps_on("poll"));
	assert_ptr_equal(ladder_carrier(steps.ladder), first);
	steps_pass(300 * LOOP_MS);
	steps_prove(newest());
	assert_false(second->open);
}

/* ---- the ladder moves ---- */

static void one_takes_over_when_the_first_is_lost(void **state)
{
	struct carrier *first, *second;

	(void)state;
	first = on_rung("duplex", true, true, true);
	want(3);
	beside(true);
	second = newest() - 1;	/* the oldest */
	steps_fail(first, true);
	assert_ptr_equal(ladder_carrier(steps.ladder), second);
	assert_int_equal(steps.troubles, 0);
	assert_null(steps_on("poll"));
	assert_int_equal(beside(true), 2);
}

static void none_is_left(void **state)
{
	struct carrier *first;

	(void)state;
	first = on_rung("duplex", true, true, true);
	want(3);			/* none of which is proven */
	assert_int_equal(beside(false), 2);
	steps_fail(first, true);
	assert_int_equal(beside(false), 0);
	assert_int_equal(steps.troubles, 1);
	assert_non_null(steps_on("poll"));
}

static void they_leave_with_their_rung(void **state)
{
	struct carrier *old;

	(void)state;
	steps_on_poll_knowing(steps_passing(false, false, true));
	steps_prove(steps_on("push"));
	want(3);
	assert_int_equal(beside(true), 2);
	old = newest();
	steps_flow(100);
	steps_pass(3 * LOOP_SECOND);
	steps_found(steps_passing(true, true, true));
	if (steps.survey_done)
		steps_found(steps_passing(true, true, true));
	assert_int_equal(beside(false), 2);	/* until the better one is proven */
	steps_prove(steps_on("duplex"));
	assert_true(old->retired);
	assert_int_equal(beside(true), 2);
	assert_string_equal(newest()->rung->name, "duplex");
}

static void another_network(void **state)
{
	struct carrier *first, *second, *next;

	(void)state;
	first = on_rung("duplex", true, true, true);
	want(2);
	beside(true);
	second = newest();
	ladder_network_changed(steps.ladder);
	steps_pass(LOOP_SECOND);
	assert_true(first->open && second->open);
	assert_int_equal(beside(false), 1);	/* none for a network that is gone */
	next = &steps.carriers[steps.opened - 1];
	assert_string_equal(next->rung->name, "duplex");
	steps_prove(next);
	assert_true(first->retired && second->retired);
	assert_ptr_equal(ladder_carrier(steps.ladder), next);
	assert_int_equal(beside(true), 1);
}

static void nobody_wakes_up_for_one(void **state)
{
	(void)state;
	on_rung("duplex", true, true, true);
	want(4);
	beside(true);
	want(1);
	steps_pass(11 * LOOP_SECOND);
	assert_int_equal(beside(false), 0);
	steps.looks = 0;
	steps_pass(24 * 3600 * LOOP_SECOND);
	assert_int_equal(steps.looks, 0);
}

static void the_end_of_all(void **state)
{
	(void)state;
	on_rung("duplex", true, true, true);
	want(8);
	newest()->silent = true;
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, steps_set_up, steps_tear_down)
	const struct CMUnitTest tests[] = {
		T(as_many_as_wanted),
		T(as_many_as_the_rung_allows),
		T(poll_is_alone),
		T(as_many_as_there_are_connections),
		T(as_many_as_configured),
		T(fewer_after_a_while_the_newest_first),
		T(one_that_fails_comes_again),
		T(fewer_do_when_others_fail),
		T(one_that_is_never_proven_is_given_up),
		T(one_that_stalls_is_replaced),
		T(one_that_is_overdue_is_replaced),
		T(one_that_recovers_stays),
		T(another_takes_the_place_of_the_first),
		T(silent_ones_are_asked),
		T(when_all_stall_it_is_the_path),
		T(when_the_first_answers_it_is_not),
		T(one_takes_over_when_the_first_is_lost),
		T(none_is_left),
		T(they_leave_with_their_rung),
		T(another_network),
		T(nobody_wakes_up_for_one),
		T(the_end_of_all),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
