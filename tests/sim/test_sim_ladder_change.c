// links: client/ladder*.c client/fleet*.c client/survey*.c tests/sim/climb.c tests/sim/world.c tests/sim/world_flow.c tests/sim/proxy.c tests/sim/relay.c tests/sim/relay_way.c tests/sim/relay_flow.c tests/sim/relay_dress.c tests/lib/stream_mem.c framing/*.c tunnel/*.c
/* libs: -lwslay -lev -lhttp_parser -lnghttp2 -lssl -lcrypto -lconfuse -lcares -lm */
/* valgrind: left to the sanitizers, it would take an hour */
/*
 * Simulations of the ladder on paths that change in the middle of a call: it follows soon, loses
 * nothing when it climbs, and does not flap.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/lib/seeds.h"
#include "tests/sim/climb.h"

#define SOON (5 * LOOP_SECOND)

static const struct relay_behaviour clean, held = { .hold_up = true, .hold_down = true },
	held_up = { .hold_up = true }, held_down = { .hold_down = true }, trickling = { .trickle_up = true, .trickle_down = true },
	half = { .half_duplex = true };

static void fail_with(const struct climb *c, const char *what)
{
	print_message("%s:\n", what);
	climb_tell(c, 0);
	fail();
}

/* Datagrams of the last second came, nearly all, both ways. */
static bool flows(struct climb *c)
{
	unsigned up = c->call->far.received, down = c->call->near.received;

	climb_call(c, LOOP_SECOND);
	return c->call->far.received - up >= 48 && c->call->near.received - down >= 48;
}

/* The time until both directions flow again, a second of good flow not counted; -1: not within SOON. */
static int64_t flows_after(struct climb *c)
{
	for (int64_t t = 0; t <= SOON; t += 200 * LOOP_MS) {
		unsigned up = c->call->far.received, down = c->call->near.received;

		climb_call(c, 200 * LOOP_MS);
		if (c->call->far.received - up >= 9 && c->call->near.received - down >= 9 && flows(c))
			return t;
	}
	return -1;
}

/* ---- there and back ---- */

static int64_t longest(int64_t a, int64_t b)
{
	return a > b ? a : b;
}

/* The longest of all rounds. */
struct times {
	int64_t flow_us, down_us, first_us, best_us, gap_us;
};

/* The path gets worse: it flows again soon, and soon the ladder is where it must be. */
static void gets_worse(struct climb *c, const struct relay_behaviour *b, const char *worse, const char *name, struct times *t)
{
	int64_t flow, took;

	climb_set(c, b);
	flow = flows_after(c);
	took = climb_reach(c, worse, SOON);
	if (flow < 0 || took < 0)
		fail_with(c, name);
	t->flow_us = longest(t->flow_us, flow);
	t->down_us = longest(t->down_us, took);
}

/* It gets better: soon there is a better rung, not much later the best, and no gap on the way. A survey during which the path
 * changed finds half of it. */
static void gets_better(struct climb *c, const char *best, const char *worse, const char *name, int64_t soon, struct times *t)
{
	int64_t first = 200 * LOOP_MS, took;

	climb_set(c, &clean);
	climb_call(c, first);	/* what was held comes out */
	c->call->near.gap_us = c->call->far.gap_us = 0;
	while (strcmp(climb_rung(c), worse) == 0 && first <= soon) {
		climb_call(c, CLIMB_PACKET);
		first += CLIMB_PACKET;
	}
	took = climb_reach(c, best, 2 * SOON);
	if (took < 0 || first > soon)
		fail_with(c, name);
	climb_call(c, 2 * LOOP_SECOND);
	t->first_us = longest(t->first_us, first);
	t->best_us = longest(t->best_us, first + took);
	t->gap_us = longest(t->gap_us, longest(c->call->near.gap_us, c->call->far.gap_us));
}

static void follows(const struct relay_behaviour *b, const char *best, const char *worse, int64_t soon, const char *name)
{
	struct climb *c = climb_new(&(struct climb_options){ 0 }, &clean);
	struct times t = { 0 };

	assert_true(climb_reach(c, best, SOON) >= 0);
	for (unsigned i = 0; i < 10; i++) {
		climb_call(c, 12 * LOOP_SECOND);
		gets_worse(c, b, worse, name, &t);
		climb_call(c, 12 * LOOP_SECOND + i * 340 * LOOP_MS);	/* any moment between two looks */
		gets_better(c, best, worse, name, soon, &t);
	}
	print_message("%-28s flows again after %d ms, on %s after %d ms more; better after %d ms, best after %d ms, longest gap %d ms\n",
		      name, (int)(t.flow_us / LOOP_MS), worse, (int)(t.down_us / LOOP_MS), (int)(t.first_us / LOOP_MS),
		      (int)(t.best_us / LOOP_MS), (int)(t.gap_us / LOOP_MS));
	assert_true(t.gap_us <= c->round_trip_us + CLIMB_PACKET);
	climb_hang_up(c);
	climb_free(c);
}

static void follows_the_path(void **state)
{
	(void)state;
	follows(&held, "duplex", "poll", SOON, "everything held");
	follows(&trickling, "duplex", "poll", SOON, "everything trickles");
	follows(&held_up, "duplex", "push", SOON, "requests held");
	follows(&held_down, "duplex", "poll", SOON, "answers held");
	follows(&half, "duplex", "split", SOON, "one way at a time");
}

/* ---- no flapping ---- */

static unsigned changes_in(const struct relay_behaviour *a, const struct relay_behaviour *b, int64_t each_us, const char *name)
{
	struct climb *c = climb_new(&(struct climb_options){ 0 }, a);
	unsigned changes;

	climb_call(c, 10 * LOOP_SECOND);
	changes = c->changes;
	for (int64_t t = 0; t < 600 * LOOP_SECOND; t += each_us) {
		climb_set(c, t / each_us % 2 ? a : b);
		climb_call(c, each_us);
	}
	changes = c->changes - changes;
	print_message("%-28s %u changes of rung in 10 minutes\n", name, changes);
	if (a == b && changes > 2)
		climb_tell(c, 0);
	climb_hang_up(c);
	climb_free(c);
	return changes;
}

static void a_steady_path(void **state)
{
	static const struct relay_behaviour fill = { .first_up = 16384 }, steps = { .hold_up = true, .step_down = 4096 },
		cut = { .cut_age_us = 60 * LOOP_SECOND };

	(void)state;
	assert_true(changes_in(&clean, &clean, 30 * LOOP_SECOND, "clean") <= 2);
	assert_true(changes_in(&held, &held, 30 * LOOP_SECOND, "everything held") <= 2);
	assert_true(changes_in(&held_up, &held_up, 30 * LOOP_SECOND, "requests held") <= 2);
	assert_true(changes_in(&half, &half, 30 * LOOP_SECOND, "one way at a time") <= 2);
	assert_true(changes_in(&fill, &fill, 30 * LOOP_SECOND, "first 16 KiB held") <= 2);
	assert_true(changes_in(&steps, &steps, 30 * LOOP_SECOND, "steps") <= 2);
	assert_true(changes_in(&cut, &cut, 30 * LOOP_SECOND, "cut each minute") <= 4);
}

/* 20 changes of the path: one step each, and now and then one on the way. */
static void a_path_that_changes(void **state)
{
	(void)state;
	assert_in_range(changes_in(&clean, &held, 30 * LOOP_SECOND, "held now and then"), 10, 44);
	assert_in_range(changes_in(&clean, &held_up, 30 * LOOP_SECOND, "requests held now and then"), 10, 60);
}

/* What changes too fast to be followed is not followed for ever. */
static void a_path_that_flaps(void **state)
{
	(void)state;
	assert_in_range(changes_in(&clean, &held, 3 * LOOP_SECOND, "flaps each 3 s"), 0, 120);
}

/* ---- outages, cuts, another network ---- */

static void an_outage_changes_nothing(void **state)
{
	struct relay_behaviour dead = { .dead = true };
	struct climb *c = climb_new(&(struct climb_options){ 0 }, &clean);

	(void)state;
	assert_true(climb_reach(c, "duplex", SOON) >= 0);
	climb_call(c, 20 * LOOP_SECOND);
	for (unsigned i = 0; i < 3; i++) {
		climb_set(c, &dead);
		climb_call(c, 4 * LOOP_SECOND);
		climb_set(c, &clean);
		if (flows_after(c) < 0)
			fail_with(c, "an outage of 4 s");
		if (climb_reach(c, "duplex", SOON) < 0)
			fail_with(c, "after an outage of 4 s");
		climb_call(c, 20 * LOOP_SECOND);
	}
	climb_hang_up(c);
	climb_free(c);
}

static void cuts_of_everything(void **state)
{
	static const struct relay_behaviour *const paths[] = { &clean, &held, &held_up, &half };

	(void)state;
	for (size_t i = 0; i < 4; i++) {
		struct climb *c = climb_new(&(struct climb_options){ 0 }, paths[i]);

		climb_call(c, 15 * LOOP_SECOND);
		for (unsigned n = 0; n < 5; n++) {
			relay_cut(c->relay);
			if (flows_after(c) < 0)
				fail_with(c, "everything cut");
			climb_call(c, 15 * LOOP_SECOND);
		}
		climb_hang_up(c);
		climb_free(c);
	}
}

static void another_network(void **state)
{
	struct climb *c = climb_new(&(struct climb_options){ 0 }, &clean);

	(void)state;
	assert_true(climb_reach(c, "duplex", SOON) >= 0);
	climb_call(c, 5 * LOOP_SECOND);
	climb_set(c, &held);
	relay_cut(c->relay);
	pool_forget(c->pool);
	memset(&c->verdict, 0, sizeof c->verdict);
	ladder_network_changed(c->ladder);
	if (flows_after(c) < 0)
		fail_with(c, "another network");
	climb_call(c, 20 * LOOP_SECOND);
	assert_string_equal(climb_rung(c), "poll");
	climb_set(c, &clean);
	pool_forget(c->pool);
	ladder_network_changed(c->ladder);
	if (climb_reach(c, "duplex", SOON) < 0)
		fail_with(c, "a better network");
	climb_hang_up(c);
	climb_free(c);
}

/* ---- anything at all ---- */

static uint64_t draw(struct climb *c, uint64_t n)
{
	return loop_random_u64(c->w->loop) % n;
}

static void random_behaviour(struct climb *c, struct relay_behaviour *b)
{
	static const struct relay_behaviour some[] = {
		{ 0 }, { .hold_up = true }, { .hold_down = true }, { .hold_up = true, .hold_down = true }, { .half_duplex = true },
		{ .first_up = 16384 }, { .step_down = 4096 }, { .trickle_up = true }, { .trickle_down = true }, { .refuse_chunked = true },
		{ .http10 = true, .one_exchange = true }, { .cut_age_us = 7 * LOOP_SECOND }, { .cut_bytes = 100000 },
		{ .cut_idle_us = 3 * LOOP_SECOND }, { .cut_idle_down_us = 3 * LOOP_SECOND }, { .max_hold_us = 5 * LOOP_SECOND },
		{ .repeat_each = 3 }, { .page_each = 7 }, { .replay_each = 9 }, { .dead = true }, { .body_limit = 100000 },
	};

	*b = some[draw(c, sizeof some / sizeof *some)];
	if (draw(c, 3) == 0) {
		b->max_connections = 2 + (unsigned)draw(c, 4);
		b->over = (enum relay_over)draw(c, 3);
	}
}

static void anything(uint64_t seed)
{
	struct climb *c = climb_new(&(struct climb_options){ .seed = seed, .limit = 2 + (unsigned)seed % 5 }, &clean);
	unsigned limit = 2 + (unsigned)seed % 5, networks = 1;
	struct relay_counts n;

	climb_call(c, 5 * LOOP_SECOND);
	for (unsigned i = 0; i < 30; i++) {
		struct relay_behaviour b;

		random_behaviour(c, &b);
		climb_set(c, &b);
		if (draw(c, 6) == 0)
			relay_cut(c->relay);
		if (draw(c, 12) == 0) {
			pool_forget(c->pool);
			ladder_network_changed(c->ladder);
			networks = 2;	/* what still carries on the old one takes no place on the new one */
		}
		climb_call(c, (int64_t)(1 + draw(c, 12)) * LOOP_SECOND);
		assert_false(c->w->helper_ended);
	}
	climb_set(c, &clean);
	if (flows_after(c) < 0) {
		print_message("seed %d\n", (int)seed);
		fail_with(c, "it does not flow again");
	}
	relay_counts(c->relay, &n);
	assert_true(n.peak <= networks * limit);
	climb_hang_up(c);
	climb_free(c);
}

static void many_seeds(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= seeds_of(24); seed++)
		anything(seed);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(follows_the_path),
		cmocka_unit_test(a_steady_path),
		cmocka_unit_test(a_path_that_changes),
		cmocka_unit_test(a_path_that_flaps),
		cmocka_unit_test(an_outage_changes_nothing),
		cmocka_unit_test(cuts_of_everything),
		cmocka_unit_test(another_network),
		cmocka_unit_test(many_seeds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
