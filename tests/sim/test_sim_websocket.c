// links: client/ladder*.c client/fleet*.c client/survey*.c tests/sim/climb.c tests/sim/world.c tests/sim/world_flow.c tests/sim/proxy.c tests/sim/relay.c tests/sim/relay_way.c tests/sim/relay_flow.c tests/sim/relay_dress.c tests/lib/stream_mem.c framing/*.c tunnel/*.c
/* libs: -lwslay -lev -lhttp_parser -lnghttp2 -lssl -lcrypto -lconfuse -lcares -lm */
/*
 * Simulations of paths where WebSockets pass and other bodies do not, or where they only seem to: a call goes on
 * meanwhile, and what carries it is left only for what is proven.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/sim/climb.h"

#define SOON (15 * LOOP_SECOND)	/* survey, connections, marks, 5 s of rest, a mark */
#define CUT (3 * LOOP_SECOND)

static const struct relay_behaviour only = { .hold_up = true, .hold_down = true, .upgrade = RELAY_PASS };

/* ---- they pass ---- */

static const struct {
	const char *name, *first;	/* what carries meanwhile */
	struct relay_behaviour b;
} passing[] = {
	{ "everything else held", "poll", { .hold_up = true, .hold_down = true, .upgrade = RELAY_PASS } },
	{ "requests held", "push", { .hold_up = true, .upgrade = RELAY_PASS } },
	{ "one way at a time", "split", { .half_duplex = true, .upgrade = RELAY_PASS } },
	{ "chunked refused", "push", { .refuse_chunked = true, .upgrade = RELAY_PASS } },
	{ "everything else trickles", "poll", { .trickle_up = true, .trickle_down = true, .upgrade = RELAY_PASS } },
	{ "it is cut, but later", "poll", { .hold_up = true, .hold_down = true, .upgrade = RELAY_PASS, .cut_upgraded_us = 60 * LOOP_SECOND } },
};

static void reaches_it(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof passing / sizeof *passing; i++) {
		struct climb *c = climb_new(&(struct climb_options){ 0 }, &passing[i].b);
		int64_t first = climb_reach(c, passing[i].first, 5 * LOOP_SECOND), took = climb_reach(c, "websocket", SOON);
		unsigned up, down;

		print_message("%-26s %s after %d ms, then a WebSocket after %d ms\n", passing[i].name, passing[i].first,
			      (int)(first / LOOP_MS), (int)(took / LOOP_MS));
		assert_true(first >= 0 && took >= 5 * LOOP_SECOND);	/* it was left alone */
		c->call->far.slowest_us = c->call->near.slowest_us = 0;
		up = c->call->far.received, down = c->call->near.received;
		climb_call(c, 30 * LOOP_SECOND);
		assert_string_equal(climb_rung(c), "websocket");
		assert_in_range(c->call->far.received - up, 1490, 1510);
		assert_in_range(c->call->near.received - down, 1490, 1510);
		assert_true(c->call->far.slowest_us <= 2 * c->round_trip_us && c->call->near.slowest_us <= 2 * c->round_trip_us);
		assert_true(c->changes <= 4);
		world_run(c->w, 600 * LOOP_SECOND);			/* in silence, too */
		assert_string_equal(climb_rung(c), "websocket");
		climb_hang_up(c);
		climb_free(c);
	}
}

/* What duplex can do no probe of another rung is needed for. */
static void is_not_needed(void **state)
{
	static const struct relay_behaviour clean = { .upgrade = RELAY_PASS };
	struct climb *c = climb_new(&(struct climb_options){ 0 }, &clean);

	(void)state;
	assert_true(climb_reach(c, "duplex", SOON) >= 0);
	climb_call(c, 60 * LOOP_SECOND);
	assert_int_equal(c->w->modes[MODE_WEBSOCKET], 0);
	climb_hang_up(c);
	climb_free(c);
}

/* ---- they only seem to ---- */

static const struct {
	const char *name;
	struct relay_behaviour b;
} seeming[] = {
	{ "no Upgrade", { .hold_up = true, .hold_down = true } },
	{ "101 and nothing behind it", { .hold_up = true, .hold_down = true, .upgrade = RELAY_LIE } },
	{ "cut after 3 s of silence", { .hold_up = true, .hold_down = true, .upgrade = RELAY_PASS, .cut_upgraded_us = CUT } },
};

static void stays_where_it_is(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof seeming / sizeof *seeming; i++) {
		struct climb *c = climb_new(&(struct climb_options){ 0 }, &seeming[i].b);
		unsigned tries, up, down;

		assert_true(climb_connect(c, 5 * LOOP_SECOND));
		climb_call(c, 5 * LOOP_SECOND);
		up = c->call->far.received, down = c->call->near.received;
		c->call->far.slowest_us = c->call->near.slowest_us = 0;
		climb_call(c, 300 * LOOP_SECOND);
		tries = c->w->modes[MODE_WEBSOCKET];
		print_message("%-26s %u tries in 300 s; slowest packet up %d ms, down %d ms\n", seeming[i].name, tries,
			      (int)(c->call->far.slowest_us / LOOP_MS), (int)(c->call->near.slowest_us / LOOP_MS));
		assert_string_equal(climb_rung(c), "poll");
		assert_int_equal(c->changes, 1);
		assert_in_range(tries, 3, 9);		/* 3 s, 6 s ... 2 min */
		assert_in_range(c->call->far.received - up, 14900, 15010);
		assert_in_range(c->call->near.received - down, 14900, 15010);
		assert_true(c->call->far.slowest_us <= 3 * c->round_trip_us && c->call->near.slowest_us <= 4 * c->round_trip_us);
		assert_int_equal(c->verdict.cuts.seen.idle_us, 0);	/* nothing else is cut here */
		climb_hang_up(c);
		climb_free(c);
	}
}

/* It does not keep the ladder from what is found meanwhile. */
static void others_are_climbed_beside_it(void **state)
{
	static const struct relay_behaviour lie = { .upgrade = RELAY_LIE };
	struct climb *c = climb_new(&(struct climb_options){ 0 }, &seeming[2].b);
	int64_t took;

	(void)state;
	assert_true(climb_connect(c, 5 * LOOP_SECOND));
	for (unsigned i = 0; i < 500 && !c->w->modes[MODE_WEBSOCKET]; i++)
		climb_call(c, CLIMB_PACKET);
	assert_int_equal(c->w->modes[MODE_WEBSOCKET], 1);
	climb_call(c, LOOP_SECOND);
	climb_set(c, &lie);		/* all else passes now */
	took = climb_reach(c, "duplex", 5 * LOOP_SECOND);
	print_message("duplex %d ms after it passes\n", (int)(took / LOOP_MS));
	assert_true(took >= 0);
	climb_hang_up(c);
	climb_free(c);
}

/* ---- it changes ---- */

static void it_is_left(void **state)
{
	static const struct relay_behaviour held = { .hold_up = true, .hold_down = true, .upgrade = RELAY_LIE },
		clean = { .upgrade = RELAY_PASS };
	struct climb *c = climb_new(&(struct climb_options){ 0 }, &only);
	int64_t took;

	(void)state;
	assert_true(climb_reach(c, "websocket", SOON) >= 0);
	climb_call(c, 5 * LOOP_SECOND);
	climb_set(c, &held);
	took = climb_reach(c, "poll", 5 * LOOP_SECOND);
	print_message("poll %d ms after nothing passes a WebSocket any more\n", (int)(took / LOOP_MS));
	assert_true(took >= 0);
	climb_call(c, 5 * LOOP_SECOND);
	climb_set(c, &only);
	took = climb_reach(c, "websocket", 30 * LOOP_SECOND);
	print_message("a WebSocket %d ms after it passes again\n", (int)(took / LOOP_MS));
	assert_true(took >= 0);
	climb_set(c, &clean);
	took = climb_reach(c, "duplex", 60 * LOOP_SECOND);
	print_message("duplex %d ms after it passes\n", (int)(took / LOOP_MS));
	assert_true(took >= 0);
	climb_hang_up(c);
	climb_free(c);
}

/* It was the best here at the last visit: proven again, beside poll. */
static void it_is_remembered(void **state)
{
	struct climb_options o = { .known = { .rung = rung_find("websocket") } };
	struct climb *c = climb_new(&o, &only);

	(void)state;
	assert_true(climb_reach(c, "websocket", 7 * LOOP_SECOND) >= 0);
	assert_ptr_equal(c->verdict.rung, rung_find("websocket"));
	climb_hang_up(c);
	climb_free(c);
}

/* ... unless it would hold one of two connections for seconds, be that known or learned meanwhile. */
static void two_connections(void **state)
{
	static const struct relay_behaviour two = { .hold_up = true, .hold_down = true, .upgrade = RELAY_LIE, .max_connections = 2 };
	static const unsigned limits[] = { 2, 0 };

	(void)state;
	for (size_t i = 0; i < sizeof limits / sizeof *limits; i++) {
		struct climb *c = climb_new(&(struct climb_options){ .limit = limits[i], .known = { .rung = rung_find("websocket") } }, &two);

		assert_true(climb_connect(c, 5 * LOOP_SECOND));
		climb_call(c, 20 * LOOP_SECOND);
		assert_string_equal(climb_rung(c), "poll");
		assert_in_range(c->call->far.received, 995, 1000);
		assert_in_range(c->call->near.received, 990, 1000);
		assert_true(c->call->far.slowest_us <= 2 * c->round_trip_us && c->call->near.slowest_us <= 2 * c->round_trip_us);
		climb_hang_up(c);
		climb_free(c);
	}
}

/* Nothing flows: what does not pass is not asked for again and again, and what passes costs less than polls. */
static void an_idle_day(void **state)
{
	(void)state;
	for (size_t i = 0; i <= sizeof seeming / sizeof *seeming; i++) {
		bool passes = i == sizeof seeming / sizeof *seeming;
		struct climb *c = climb_new(&(struct climb_options){ 0 }, passes ? &only : &seeming[i].b);
		struct relay_counts n;

		assert_true(climb_connect(c, 5 * LOOP_SECOND));
		world_run(c->w, 24 * 3600 * LOOP_SECOND);
		relay_counts(c->relay, &n);
		print_message("%-26s %u exchanges, %u connections, %u WebSockets in a day\n", passes ? "it passes" : seeming[i].name,
			      n.exchanges, n.made, c->w->modes[MODE_WEBSOCKET]);
		assert_string_equal(climb_rung(c), passes ? "websocket" : "poll");
		assert_true(c->w->modes[MODE_WEBSOCKET] <= (passes ? 200 : 1));	/* renewed each ten minutes */
		assert_true(n.exchanges < (passes ? 400 : 5000));
		climb_free(c);
	}
}

/* With nothing else allowed nothing is waited for. */
static void it_is_prescribed(void **state)
{
	struct climb *c = climb_new(&(struct climb_options){ .only = "websocket" }, &only);

	(void)state;
	assert_true(climb_reach(c, "websocket", 2 * LOOP_SECOND) >= 0);
	climb_call(c, 10 * LOOP_SECOND);
	assert_true(c->w->modes[MODE_WEBSOCKET] >= 2);	/* several carriers */
	climb_hang_up(c);
	climb_free(c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reaches_it),
		cmocka_unit_test(is_not_needed),
		cmocka_unit_test(stays_where_it_is),
		cmocka_unit_test(others_are_climbed_beside_it),
		cmocka_unit_test(it_is_left),
		cmocka_unit_test(it_is_remembered),
		cmocka_unit_test(two_connections),
		cmocka_unit_test(an_idle_day),
		cmocka_unit_test(it_is_prescribed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
