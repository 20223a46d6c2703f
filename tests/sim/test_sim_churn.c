// links: client/ladder*.c client/fleet*.c client/survey*.c tests/sim/climb.c tests/sim/world.c tests/sim/world_flow.c tests/sim/proxy.c tests/sim/relay.c tests/sim/relay_way.c tests/sim/relay_flow.c tests/sim/relay_dress.c tests/lib/stream_mem.c framing/*.c tunnel/*.c
/* libs: -lwslay -lev -lhttp_parser -lnghttp2 -lssl -lcrypto -lconfuse -lcares -lm */
/* valgrind: left to the sanitizers, it would take an hour */
/*
 * Simulations of everything at once: a call over a path that turns into any other kind at any moment, is cut,
 * falls silent, belongs to another network. No byte of what is reliable is lost, and carriers, connections and
 * probes stay few.
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
#include "tunnel/session_internal.h"

#define STEPS 150
#define CARRIERS_A_SECOND 1
#define CONNECTIONS_A_SECOND 8

static const struct relay_behaviour kinds[] = {
	{ 0 }, { 0 }, { 0 },
	{ .hold_up = true }, { .hold_down = true }, { .hold_up = true, .hold_down = true }, { .half_duplex = true },
	{ .first_up = 8192, .first_down = 8192 }, { .step_up = 4096, .step_down = 4096 }, { .hold_down = true, .free_type = "text/event-stream" },
	{ .refuse_chunked = true }, { .body_limit = 20000 }, { .one_exchange = true },
	{ .max_connections = 2 }, { .max_connections = 2, .over = RELAY_QUEUE }, { .max_connections = 3, .over = RELAY_MUTE },
	{ .cut_age_us = 3 * LOOP_SECOND }, { .cut_bytes = 300000 }, { .cut_idle_down_us = 2 * LOOP_SECOND }, { .max_hold_us = 3 * LOOP_SECOND },
	{ .hold_up = true, .hold_down = true, .max_hold_us = 3 * LOOP_SECOND }, { .replay_each = 3 }, { .repeat_each = 2 }, { .page_each = 4 },
	{ .dead = true }, { .page_each = 1 },
};

static uint64_t random_state;

static unsigned pick(unsigned n)
{
	random_state = random_state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return (unsigned)(random_state >> 33) % n;
}

static void step(struct climb *c)
{
	switch (pick(12)) {
	case 0:
		relay_cut(c->relay);
		break;
	case 1:
		pool_forget(c->pool);
		ladder_network_changed(c->ladder);
		break;
	case 2:
		ladder_wake(c->ladder);
		break;
	case 3:
		pool_renew(c->pool);
		break;
	case 4:
		pool_excuse(c->pool);
		break;
	default:
		climb_set(c, &kinds[pick(sizeof kinds / sizeof *kinds)]);
	}
	climb_call(c, (int64_t)pick(3000) * LOOP_MS);
}

static void churn(uint64_t seed)
{
	struct climb *c = climb_new(&(struct climb_options){ .seed = seed, .limit = 2 + (unsigned)seed % 6 }, NULL);
	int64_t began = loop_now(c->w->loop), seconds;
	struct relay_counts counts;

	random_state = seed * 7919;
	assert_true(climb_reach(c, "duplex", 10 * LOOP_SECOND) >= 0);
	for (unsigned i = 0; i < STEPS && !c->w->helper_ended; i++)
		step(c);
	seconds = (loop_now(c->w->loop) - began) / LOOP_SECOND;
	relay_counts(c->relay, &counts);
	if (c->w->helper->next_carrier > CARRIERS_A_SECOND * seconds || counts.made > CONNECTIONS_A_SECOND * seconds || counts.peak > 24)
		fail_msg("seed %llu: %u carriers, %u connections (%u at once) in %d s", (unsigned long long)seed,
			 c->w->helper->next_carrier, counts.made, counts.peak, (int)seconds);
	climb_set(c, &(struct relay_behaviour){ 0 });
	climb_call(c, 60 * LOOP_SECOND);
	if (!c->w->helper_ended) {
		if (!ladder_carrier(c->ladder))
			fail_msg("seed %llu: nothing carries", (unsigned long long)seed);
		climb_hang_up(c);
	}
	climb_free(c);
}

/* Everything is freed at any moment, whatever is under way. */
static void dropped(uint64_t seed)
{
	struct climb *c = climb_new(&(struct climb_options){ .seed = seed, .limit = 2 + (unsigned)seed % 6 }, NULL);

	random_state = seed * 104729;
	for (unsigned i = pick(12); i > 0; i--)
		step(c);
	world_run(c->w, (int64_t)pick(300000));
	climb_free(c);
}

static uint64_t first_seed = 1, last_seed;

static void nothing_is_lost(void **state)
{
	(void)state;
	for (uint64_t seed = first_seed; seed <= last_seed; seed++)
		churn(seed);
}

static void freed_at_any_moment(void **state)
{
	(void)state;
	for (uint64_t seed = 5 * first_seed; seed <= 5 * last_seed; seed++)
		dropped(seed);
}

/* With a number: that seed alone; with two, those between. */
int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(nothing_is_lost), cmocka_unit_test(freed_at_any_moment) };

	last_seed = seeds_of(40);
	if (argc > 1)
		first_seed = last_seed = strtoull(argv[1], NULL, 10);
	if (argc > 2)
		last_seed = strtoull(argv[2], NULL, 10);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
