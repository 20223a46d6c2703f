// links: tests/sim/world.c tests/sim/world_flow.c tests/sim/proxy.c tests/sim/relay*.c tests/lib/stream_mem.c framing/*.c tunnel/*.c
/* libs: -lwslay -lev -lhttp_parser -lnghttp2 -lssl -lcrypto -lconfuse -lcares -lm */
/*
 * Simulations of calls by polls through proxies that hold every body: how long packets wait, with few
 * and many connections, kept or not. What a path forces is waited for, and nothing else.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/sim/world.h"
#include "tunnel/log.h"

#define EVERY (20 * LOOP_MS)

/* mean, most: of the delay of packets down, ms; there is at least one way's delay. */
struct expect {
	bool one_exchange;
	int64_t delay_us, dial_us;
	unsigned limit;
	int64_t mean, most;
};

static void call(struct world *w, struct datagram_flow *d, bool up, unsigned packets)
{
	for (unsigned i = 0; i < packets; i++) {
		if (up)
			world_send(&d->near, 172);
		world_send(&d->far, 172);
		world_run(w, EVERY);
	}
}

static void measure(const struct expect *e, bool up)
{
	struct relay_behaviour b = { .hold_up = true, .hold_down = true, .one_exchange = e->one_exchange,
				     .max_connections = e->limit };
	struct world *w = world_new(5, false);
	struct lane *lane = world_relay_lane(w, "poll", &(struct relay_options){ e->delay_us, e->dial_us }, e->limit);
	struct relay_counts counts;
	struct datagram_flow *d;

	log_setup(LOG_LEVEL_ERROR, false);
	relay_set(lane->relay, &b);
	assert_true(world_connect(w, 5 * LOOP_SECOND));
	d = world_datagram(w);
	world_send(&d->near, 172);
	world_run(w, LOOP_SECOND);
	call(w, d, up, 100);
	d->near.received = 0;
	d->near.sum_us = d->near.slowest_us = 0;
	call(w, d, up, 1000);
	relay_counts(lane->relay, &counts);
	print_message("delay %d ms, dial %d ms, %u connections%s, %s: mean %d ms, most %d ms\n", (int)(e->delay_us / LOOP_MS),
		      (int)(e->dial_us / LOOP_MS), e->limit, e->one_exchange ? " of one exchange" : "",
		      up ? "both ways" : "down only", (int)(d->near.sum_us / d->near.received / LOOP_MS),
		      (int)(d->near.slowest_us / LOOP_MS));
	assert_in_range(d->near.received, 985, 1010);
	assert_true(d->near.sum_us / d->near.received <= e->mean * LOOP_MS);
	assert_true(d->near.slowest_us <= e->most * LOOP_MS);
	assert_true(counts.peak <= e->limit);
	assert_int_equal(lane->failed, 0);
	world_free(w);
}

static void waits_for_nothing_else(void **state)
{
	static const struct expect cases[] = {
		{ false, 20 * LOOP_MS, 80 * LOOP_MS, 2, 50, 60 },
		{ false, 20 * LOOP_MS, 80 * LOOP_MS, 6, 20, 20 },
		{ false, 50 * LOOP_MS, 200 * LOOP_MS, 6, 65, 90 },
		{ false, 50 * LOOP_MS, 200 * LOOP_MS, 10, 50, 50 },
		{ true, 20 * LOOP_MS, 80 * LOOP_MS, 2, 70, 110 },	/* an exchange takes 120 ms */
		{ true, 20 * LOOP_MS, 80 * LOOP_MS, 3, 50, 90 },
		{ true, 20 * LOOP_MS, 80 * LOOP_MS, 6, 35, 60 },
		{ true, 20 * LOOP_MS, 80 * LOOP_MS, 10, 20, 20 },
		{ true, 50 * LOOP_MS, 200 * LOOP_MS, 2, 150, 260 },	/* ... 300 ms */
		{ true, 50 * LOOP_MS, 200 * LOOP_MS, 6, 110, 220 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		measure(&cases[i], true);
		measure(&cases[i], false);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(waits_for_nothing_else),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
