// links: client/ladder*.c client/fleet*.c client/survey*.c tests/sim/climb.c tests/sim/world.c tests/sim/world_flow.c tests/sim/proxy.c tests/sim/relay.c tests/sim/relay_way.c tests/sim/relay_flow.c tests/sim/relay_dress.c tests/lib/stream_mem.c framing/*.c tunnel/*.c
/* libs: -lwslay -lev -lhttp_parser -lnghttp2 -lssl -lcrypto -lconfuse -lcares -lm */
/*
 * Simulations of the ladder: which rung it finds on each kind of path and how soon, how soon the
 * first packet is through, and what an earlier run's verdict is good for.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/sim/climb.h"

#define SOON (5 * LOOP_SECOND)

/* ---- kinds of paths ---- */

struct kind {
	const char *name, *rung;
	struct relay_behaviour b;
	unsigned limit;
};

static const struct kind kinds[] = {
	{ "clean", "duplex", { 0 }, 0 },
	{ "one way at a time", "split", { .half_duplex = true }, 0 },
	{ "requests held", "push", { .hold_up = true }, 0 },
	{ "requests and octets held", "push+sse", { .hold_up = true, .hold_down = true, .free_type = "text/event-stream" }, 0 },
	{ "requests held, answers in steps", "push+pad", { .hold_up = true, .step_down = 4096 }, 0 },
	{ "first 16 KiB of requests held", "split+fill", { .first_up = 16384, .half_duplex = true }, 0 },
	{ "everything held", "poll", { .hold_up = true, .hold_down = true }, 0 },
	{ "everything trickles", "poll", { .trickle_up = true, .trickle_down = true }, 0 },
	{ "chunked refused", "push", { .refuse_chunked = true }, 0 },
	{ "HTTP/1.0", "poll", { .http10 = true, .one_exchange = true, .hold_up = true, .hold_down = true, .max_connections = 2 }, 2 },
};

#define KINDS (sizeof kinds / sizeof *kinds)

static void finds(const struct kind *k, int64_t delay_us)
{
	struct climb *c = climb_new(&(struct climb_options){ .limit = k->limit, .delay_us = delay_us }, &k->b);
	int64_t took = climb_reach(c, k->rung, SOON);

	print_message("%-32s %3d ms: %-10s after %5d ms\n", k->name, (int)(c->round_trip_us / LOOP_MS), climb_rung(c), (int)(took / LOOP_MS));
	climb_call(c, 20 * LOOP_SECOND);
	if (took < 0 || strcmp(climb_rung(c), k->rung) != 0) {
		print_message("%s: %s instead of %s\n", k->name, climb_rung(c), k->rung);
		climb_tell(c, 0);
	}
	assert_true(took >= 0);
	assert_string_equal(climb_rung(c), k->rung);	/* and it stays there */
	assert_true(c->changes <= 3);
	climb_hang_up(c);
	climb_free(c);
}

static void finds_the_rung(void **state)
{
	(void)state;
	for (size_t i = 0; i < KINDS; i++)
		finds(&kinds[i], 25 * LOOP_MS);
}

static void finds_it_far_away(void **state)
{
	(void)state;
	for (size_t i = 0; i < KINDS; i++)
		finds(&kinds[i], 5 * LOOP_MS);
	finds(&kinds[0], 100 * LOOP_MS);
	finds(&kinds[2], 100 * LOOP_MS);
	finds(&kinds[6], 100 * LOOP_MS);
}

/* On what was found a call goes both ways with the delay that the rung has. */
static void carries_a_call(const struct kind *k)
{
	struct climb *c = climb_new(&(struct climb_options){ .limit = k->limit }, &k->b);
	unsigned up, down;

	assert_true(climb_reach(c, k->rung, SOON) >= 0);
	climb_call(c, 2 * LOOP_SECOND);
	up = c->call->far.received;
	down = c->call->near.received;
	c->call->far.slowest_us = c->call->near.slowest_us = 0;
	climb_call(c, 10 * LOOP_SECOND);
	print_message("%-32s %-10s up %u of 500, slowest %d ms; down %u of 500, slowest %d ms\n", k->name, k->rung,
		      c->call->far.received - up, (int)(c->call->far.slowest_us / LOOP_MS), c->call->near.received - down,
		      (int)(c->call->near.slowest_us / LOOP_MS));
	assert_in_range(c->call->far.received - up, 490, 510);
	assert_in_range(c->call->near.received - down, 490, 510);
	assert_true(c->call->far.slowest_us <= 3 * c->round_trip_us);
	assert_true(c->call->near.slowest_us <= 4 * c->round_trip_us);
	climb_hang_up(c);
	climb_free(c);
}

static void carries_calls(void **state)
{
	(void)state;
	for (size_t i = 0; i < KINDS; i++)
		if (!kinds[i].b.one_exchange)
			carries_a_call(&kinds[i]);
}

/* ---- the first packet ---- */

static void send_first(void *ctx)
{
	struct climb *c = ctx;

	c->call = world_datagram(c->w);
	world_send(&c->call->near, 172);
}

static int64_t arrival(struct climb *c, const struct port *p)
{
	for (int64_t t = 0; p->received == 0 && t < SOON; t += LOOP_MS)
		world_run(c->w, LOOP_MS);
	assert_int_equal(p->received, 1);
	return p->last_us;
}

/* Round trips from the first connection's standing to the first datagram's arrival, and to that of the answer to it. */
static void first_packet(const struct kind *k, int64_t delay_us, int64_t allowed)
{
	struct climb *c = climb_new(&(struct climb_options){ .limit = k->limit, .delay_us = delay_us }, &k->b);
	struct relay_counts n = { 0 };
	int64_t stands, up, down;

	c->w->welcome = send_first;
	c->w->welcome_ctx = c;
	while (relay_counts(c->relay, &n), n.made == 0)
		world_run(c->w, LOOP_MS);
	stands = loop_now(c->w->loop);
	assert_true(climb_connect(c, SOON));
	up = arrival(c, &c->call->far) - stands;
	world_send(&c->call->far, 172);
	down = arrival(c, &c->call->near) - stands;
	print_message("%-32s %3d ms: first packet up after %d.%d round trips, the answer to it after %d.%d\n", k->name,
		      (int)(c->round_trip_us / LOOP_MS), (int)(up / c->round_trip_us), (int)(up * 10 / c->round_trip_us % 10),
		      (int)(down / c->round_trip_us), (int)(down * 10 / c->round_trip_us % 10));
	assert_true(up <= allowed * c->round_trip_us);
	assert_true(down <= allowed * c->round_trip_us);
	climb_free(c);
}

static void first_packets(void **state)
{
	(void)state;
	for (size_t i = 0; i < KINDS; i++) {
		bool streams = !kinds[i].b.hold_up && !kinds[i].b.trickle_up;

		first_packet(&kinds[i], 10 * LOOP_MS, streams ? 3 : 5);
		first_packet(&kinds[i], 50 * LOOP_MS, streams ? 3 : 5);
		first_packet(&kinds[i], 150 * LOOP_MS, streams ? 3 : 5);
	}
}

/* While the path is measured the call goes on: no packet of its first seconds waits for a probe. */
static void first_seconds(void **state)
{
	(void)state;
	for (size_t i = 0; i < KINDS; i++)
		for (int64_t delay_us = 10 * LOOP_MS; delay_us <= 50 * LOOP_MS; delay_us += 40 * LOOP_MS) {
			struct climb *c = climb_new(&(struct climb_options){ .limit = kinds[i].limit, .delay_us = delay_us }, &kinds[i].b);

			climb_call(c, 5 * LOOP_SECOND);
			print_message("%-32s %3d ms: slowest in the first 5 s up %d ms, down %d ms\n", kinds[i].name,
				      (int)(c->round_trip_us / LOOP_MS), (int)(c->call->far.slowest_us / LOOP_MS),
				      (int)(c->call->near.slowest_us / LOOP_MS));
			/* a connection may have to be made for the first one behind HELLO */
			assert_true(c->call->far.slowest_us <= 5 * c->round_trip_us);
			assert_true(c->call->near.slowest_us <= 5 * c->round_trip_us);
			climb_hang_up(c);
			climb_free(c);
		}
}

/* ---- verdicts ---- */

static int64_t time_to(const char *known, const char *rung, const struct relay_behaviour *b, struct verdict *after)
{
	struct climb *c = climb_new(&(struct climb_options){ .known = { .rung = known ? rung_find(known) : NULL, .when = 1699990000 } }, b);
	int64_t took = climb_reach(c, rung, SOON);

	if (took < 0)
		climb_tell(c, 0);
	assert_true(took >= 0);
	climb_call(c, 20 * LOOP_SECOND);
	assert_string_equal(climb_rung(c), rung);
	*after = c->verdict;
	climb_hang_up(c);
	climb_free(c);
	return took;
}

static void a_verdict_saves_time(void **state)
{
	(void)state;
	for (size_t i = 0; i < KINDS; i++) {
		struct verdict v;
		int64_t without, with;

		if (kinds[i].limit || strcmp(kinds[i].rung, "poll") == 0)
			continue;
		without = time_to(NULL, kinds[i].rung, &kinds[i].b, &v);
		assert_string_equal(v.rung->name, kinds[i].rung);
		assert_true(v.when >= 1700000000);
		with = time_to(kinds[i].rung, kinds[i].rung, &kinds[i].b, &v);
		print_message("%-32s %-10s %5d ms, with a verdict %4d ms\n", kinds[i].name, kinds[i].rung, (int)(without / LOOP_MS),
			      (int)(with / LOOP_MS));
		assert_true(with < without);
		/* a connection (2 round trips), HELLO, marks, and the one behind HELLO's connection */
		assert_true(with <= 500 * LOOP_MS);
	}
}

static void a_wrong_verdict_does_no_harm(void **state)
{
	(void)state;
	for (size_t i = 0; i < KINDS; i++) {
		for (const struct rung *known = rungs; known->name; known++) {
			struct verdict v;

			if (kinds[i].limit || strcmp(known->name, kinds[i].rung) == 0)
				continue;
			print_message("%s, known as %s\n", kinds[i].name, known->name);
			time_to(known->name, kinds[i].rung, &kinds[i].b, &v);
			assert_string_equal(v.rung->name, kinds[i].rung);
		}
	}
}

/* The rung that was known makes nothing later: the first packet is as soon as without it. */
static void a_wrong_verdict_delays_nothing(void **state)
{
	struct relay_behaviour held = { .hold_up = true, .hold_down = true };
	struct climb *c = climb_new(&(struct climb_options){ .known = { .rung = rungs } }, &held);

	(void)state;
	climb_call(c, 10 * LOOP_SECOND);
	/* the first connection, HELLO and the next exchange; then nothing but what opens the channel is late */
	assert_true(c->call->far.received >= c->call->near.next - 25);
	climb_hang_up(c);
	climb_free(c);
}

static void one_rung_prescribed(void **state)
{
	struct climb *c = climb_new(&(struct climb_options){ .only = "push" }, NULL);

	(void)state;
	climb_call(c, 20 * LOOP_SECOND);
	assert_string_equal(climb_rung(c), "push");
	assert_int_equal(c->changes, 1);
	assert_int_equal(c->w->modes[MODE_PROBE], 0);
	climb_hang_up(c);
	climb_free(c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(finds_the_rung),
		cmocka_unit_test(finds_it_far_away),
		cmocka_unit_test(carries_calls),
		cmocka_unit_test(first_packets),
		cmocka_unit_test(first_seconds),
		cmocka_unit_test(a_verdict_saves_time),
		cmocka_unit_test(a_wrong_verdict_does_no_harm),
		cmocka_unit_test(a_wrong_verdict_delays_nothing),
		cmocka_unit_test(one_rung_prescribed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
