// links: client/ladder*.c client/fleet*.c client/survey*.c tests/sim/climb.c tests/sim/world.c tests/sim/world_flow.c tests/sim/proxy.c tests/sim/relay.c tests/sim/relay_way.c tests/sim/relay_flow.c tests/sim/relay_dress.c tests/lib/stream_mem.c framing/*.c tunnel/*.c
/* libs: -lwslay -lev -lhttp_parser -lnghttp2 -lssl -lcrypto -lconfuse -lcares -lm */
/* valgrind: left to the sanitizers, it would take an hour */
/*
 * Simulations of several carriers in one session: how soon they come and when they go, what becomes of
 * one that is cut or stalls, of all of them, on few connections, and of what they cost in a day.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/sim/climb.h"
#include "tunnel/carrier_internal.h"
#include "tunnel/h1.h"
#include "tunnel/log.h"

#define DIAL (4 * 25 * LOOP_MS)	/* climb.c's */
#define DAY (24 * 3600 * LOOP_SECOND)

static const struct relay_behaviour clean, held = { .hold_up = true, .hold_down = true }, held_up = { .hold_up = true },
	half = { .half_duplex = true };

static const struct {
	const struct relay_behaviour *path;
	const char *rung;
	unsigned carriers;	/* of ten connections */
} rungs_to_have[] = { { &clean, "duplex", 8 }, { &half, "split", 4 }, { &held_up, "push", 4 }, { &held, "poll", 1 } };

static struct climb *begin(const struct climb_options *o, const struct relay_behaviour *path, const char *rung)
{
	struct climb_options options = *o;
	struct climb *c;

	log_setup(LOG_LEVEL_ERROR, false);
	options.by_hand = true;
	c = climb_new(&options, path);
	assert_true(climb_reach(c, rung, 10 * LOOP_SECOND) >= 0);
	climb_call(c, 2 * LOOP_SECOND);
	return c;
}

static unsigned standing(const struct climb *c)
{
	struct carrier *carriers[SESSION_CARRIERS_MAX];
	unsigned n = session_carriers(c->w->helper, carriers, SESSION_CARRIERS_MAX), proven = 0;

	for (unsigned i = 0; i < n; i++)
		proven += carrier_is_proven(carriers[i]);
	return proven;
}

/* Until so many stand: how long that took. */
static int64_t reach(struct climb *c, unsigned n, int64_t most)
{
	int64_t t = 0;

	while (t < most && standing(c) != n) {
		climb_call(c, CLIMB_PACKET);
		t += CLIMB_PACKET;
	}
	return standing(c) == n ? t : most + 1;
}

static void no_gaps_yet(struct climb *c)
{
	c->call->near.gap_us = c->call->far.gap_us = 0;
}

static int64_t gap(const struct climb *c)
{
	return c->call->near.gap_us > c->call->far.gap_us ? c->call->near.gap_us : c->call->far.gap_us;
}

static void come_and_go(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof rungs_to_have / sizeof *rungs_to_have; i++) {
		struct climb *c = begin(&(struct climb_options){ 0 }, rungs_to_have[i].path, rungs_to_have[i].rung);
		struct relay_counts n;
		struct ladder_status status;
		int64_t took;

		assert_int_equal(standing(c), 1);
		relay_reset_peak(c->relay);
		ladder_want(c->ladder, 8);
		took = reach(c, rungs_to_have[i].carriers, 2 * LOOP_SECOND);
		print_message("%s: %u carriers after %d ms\n", rungs_to_have[i].rung, standing(c), (int)(took / LOOP_MS));
		assert_true(took <= DIAL + 3 * c->round_trip_us);
		ladder_status(c->ladder, &status);
		assert_int_equal(status.carriers_wanted, 8);
		assert_int_equal(status.carriers_most, rungs_to_have[i].carriers);
		assert_int_equal(status.carriers_why[0] != 0, rungs_to_have[i].carriers < 8);
		no_gaps_yet(c);
		climb_call(c, 20 * LOOP_SECOND);
		assert_int_equal(standing(c), rungs_to_have[i].carriers);
		ladder_want(c->ladder, 1);
		climb_call(c, 9 * LOOP_SECOND);
		assert_int_equal(standing(c), rungs_to_have[i].carriers);
		climb_call(c, 2 * LOOP_SECOND);
		assert_int_equal(standing(c), 1);
		climb_call(c, 6 * LOOP_SECOND);
		relay_counts(c->relay, &n);
		assert_true(n.peak <= POOL_LIMIT_DEFAULT);
		if (i == 0)
			assert_in_range(n.open, 1, 2);
		assert_string_equal(climb_rung(c), rungs_to_have[i].rung);
		print_message("  gap %d ms, peak %u\n", (int)(gap(c) / LOOP_MS), n.peak);
		assert_true(gap(c) <= c->round_trip_us + 2 * CLIMB_PACKET);
		climb_hang_up(c);
		climb_free(c);
	}
}

/* ---- the path hurts ---- */

static struct stream *nth_stream(struct climb *c, unsigned n)
{
	struct link *l = c->w->connections.next;

	while (n--) {
		assert_ptr_not_equal(l->next, &c->w->connections);
		l = l->next;
	}
	return http_stream(list_entry(l, struct connection, link)->http);
}

/* One of eight is cut, or what goes over it waits; the first one is the ladder's. */
static void one_is_hurt(void **state)
{
	(void)state;
	for (unsigned stalled = 0; stalled < 2; stalled++)
		for (unsigned which = 0; which < 8; which++) {
			struct climb *c = begin(&(struct climb_options){ .only = "duplex" }, &clean, "duplex");
			struct stream *s;
			struct ladder_status status;

			ladder_want(c->ladder, 8);
			assert_true(reach(c, 8, LOOP_SECOND) <= LOOP_SECOND);
			climb_call(c, 5 * LOOP_SECOND);
			no_gaps_yet(c);
			s = nth_stream(c, which);
			if (stalled) {
				stream_mem_stall(s, true);
				stream_mem_stall(stream_mem_peer(s), true);
			} else {
				stream_mem_cut(s);
			}
			climb_call(c, 10 * LOOP_SECOND);
			ladder_status(c->ladder, &status);
			print_message("%s %u: gap %d ms, %u stand, %u replaced, %u failed, %u stalls\n", stalled ? "stalled" : "cut", which,
				      (int)(gap(c) / LOOP_MS), standing(c), status.carriers_replaced, status.carriers_failed, status.stalls);
			assert_int_equal(standing(c), 8);
			assert_true(gap(c) <= 2 * c->round_trip_us);
			assert_int_equal(c->changes, 1);	/* the ladder has nothing to do with it */
			assert_int_equal(c->troubles, 0);
			climb_hang_up(c);
			climb_free(c);
		}
}

/* All at once, as when the proxy is started anew. */
static void all_are_cut(void **state)
{
	(void)state;
	for (size_t i = 0; i < 3; i++) {
		struct climb *c = begin(&(struct climb_options){ 0 }, rungs_to_have[i].path, rungs_to_have[i].rung);
		unsigned n = rungs_to_have[i].carriers, changes = c->changes;

		ladder_want(c->ladder, 8);
		assert_true(reach(c, n, LOOP_SECOND) <= LOOP_SECOND);
		climb_call(c, 5 * LOOP_SECOND);
		no_gaps_yet(c);
		relay_cut(c->relay);
		climb_call(c, 3 * LOOP_SECOND);
		print_message("%s: gap %d ms, %u stand\n", rungs_to_have[i].rung, (int)(gap(c) / LOOP_MS), standing(c));
		assert_int_equal(standing(c), n);
		assert_true(gap(c) <= DIAL + 4 * c->round_trip_us);
		assert_int_equal(c->changes, changes);
		climb_hang_up(c);
		climb_free(c);
	}
}

/* Everything is held for 20 s, then it passes again: poll carries, the others leave with their rung and come back with it. */
static void down_and_up(void **state)
{
	(void)state;
	for (size_t i = 0; i < 3; i++) {
		struct climb *c = begin(&(struct climb_options){ 0 }, rungs_to_have[i].path, rungs_to_have[i].rung);
		unsigned n = rungs_to_have[i].carriers, from = c->changes;
		struct relay_counts counts;
		int64_t took;

		ladder_want(c->ladder, 8);
		assert_true(reach(c, n, LOOP_SECOND) <= LOOP_SECOND);
		climb_call(c, 5 * LOOP_SECOND);
		no_gaps_yet(c);
		relay_reset_peak(c->relay);
		climb_set(c, &held);
		took = climb_reach(c, "poll", 10 * LOOP_SECOND);
		print_message("%s: left after %d ms, gap %d ms\n", rungs_to_have[i].rung, (int)(took / LOOP_MS), (int)(gap(c) / LOOP_MS));
		assert_in_range(took, 0, 2 * LOOP_SECOND);
		assert_true(gap(c) <= LOOP_SECOND);
		climb_call(c, 20 * LOOP_SECOND);
		assert_int_equal(standing(c), 1);
		climb_set(c, rungs_to_have[i].path);
		took = climb_reach(c, rungs_to_have[i].rung, 10 * LOOP_SECOND);
		if (took < 0)
			climb_tell(c, from);
		assert_true(took >= 0);
		assert_true(reach(c, n, LOOP_SECOND) <= LOOP_SECOND);
		climb_call(c, 10 * LOOP_SECOND);
		assert_int_equal(standing(c), n);
		relay_counts(c->relay, &counts);
		print_message("  back after %d ms, peak %u\n", (int)(took / LOOP_MS), counts.peak);
		assert_true(counts.peak <= POOL_LIMIT_DEFAULT);
		climb_hang_up(c);
		climb_free(c);
	}
}

/* Nothing passes at all for a few seconds: the same carriers afterwards, and no other rung. */
static void silence(void **state)
{
	(void)state;
	for (int seconds = 1; seconds <= 5; seconds += 2) {
		struct climb *c = begin(&(struct climb_options){ 0 }, &clean, "duplex");
		unsigned changes = c->changes;

		ladder_want(c->ladder, 8);
		assert_true(reach(c, 8, LOOP_SECOND) <= LOOP_SECOND);
		climb_set(c, &(struct relay_behaviour){ .dead = true });
		climb_call(c, seconds * LOOP_SECOND);
		climb_set(c, &clean);
		climb_call(c, 10 * LOOP_SECOND);
		print_message("%d s: %u stand\n", seconds, standing(c));
		assert_int_equal(standing(c), 8);
		assert_string_equal(climb_rung(c), "duplex");
		assert_true(c->changes - changes <= 2);
		climb_hang_up(c);
		climb_free(c);
	}
}

static void another_network(void **state)
{
	struct climb *c = begin(&(struct climb_options){ 0 }, &clean, "duplex");
	uint32_t before;

	(void)state;
	ladder_want(c->ladder, 8);
	assert_true(reach(c, 8, LOOP_SECOND) <= LOOP_SECOND);
	climb_call(c, 5 * LOOP_SECOND);
	before = c->w->helper->next_carrier;
	no_gaps_yet(c);
	pool_forget(c->pool);
	ladder_network_changed(c->ladder);
	climb_call(c, 3 * LOOP_SECOND);
	print_message("gap %d ms, %u stand\n", (int)(gap(c) / LOOP_MS), standing(c));
	assert_int_equal(standing(c), 8);
	for (unsigned i = 0; i < c->w->helper->carriers; i++)
		assert_true(c->w->helper->carrier[i]->id >= before);
	assert_true(gap(c) <= 2 * c->round_trip_us);
	climb_hang_up(c);
	climb_free(c);
}

/* What stood on the old network hears nothing any more, the server's ends neither: nothing waits for those, streams included. */
static void the_old_network_is_gone(void **state)
{
	(void)state;
	for (unsigned n = 1; n <= 8; n += 7) {
		struct climb *c = begin(&(struct climb_options){ 0 }, &clean, "duplex");

		ladder_want(c->ladder, n);
		assert_true(reach(c, n, LOOP_SECOND) <= LOOP_SECOND);
		for (int i = 0; i < 3; i++) {
			int64_t longest = 0;

			climb_call(c, 5 * LOOP_SECOND);
			world_stall(c->w, true);
			pool_forget(c->pool);
			ladder_network_changed(c->ladder);
			no_gaps_yet(c);
			for (int64_t t = 0; t < 20 * LOOP_SECOND; t += 100 * LOOP_MS) {
				uint64_t up = c->signalling->far.received, down = c->signalling->near.received;
				int64_t waits = 0;

				climb_call(c, 100 * LOOP_MS);
				while (waits < 60 * LOOP_SECOND && (c->signalling->far.received == up || c->signalling->near.received == down)) {
					climb_call(c, CLIMB_PACKET);
					waits += CLIMB_PACKET;
				}
				longest = waits > longest ? waits : longest;
			}
			print_message("%u wanted: gap %d ms, of the stream %d ms, %u stand\n", n, (int)(gap(c) / LOOP_MS),
				      (int)(longest / LOOP_MS), standing(c));
			assert_int_equal(standing(c), n);
			assert_true(gap(c) <= LOOP_SECOND);
			assert_true(longest <= 2 * LOOP_SECOND);
		}
		climb_hang_up(c);
		climb_free(c);
	}
}

/* ---- limits ---- */

static void on_few(unsigned limit, enum relay_over over, bool own, size_t i)
{
	static const unsigned most[3][5] = { { 0, 0, 1, 2, 3 }, { 0, 0, 1, 1, 1 }, { 0, 0, 1, 1, 2 } };
	struct relay_behaviour b = *rungs_to_have[i].path;
	struct climb *c;
	struct relay_counts n;

	b.max_connections = own ? 0 : limit;
	b.over = over;
	log_setup(LOG_LEVEL_ERROR, false);
	c = climb_new(&(struct climb_options){ .limit = own ? limit : 0, .by_hand = true }, &b);
	climb_call(c, 10 * LOOP_SECOND);
	ladder_want(c->ladder, 8);
	climb_call(c, 10 * LOOP_SECOND);
	relay_counts(c->relay, &n);
	print_message("%s, limit %u%s: %u stand on %s, peak %u, %u refused, %u waited\n", rungs_to_have[i].rung, limit, own ? "" : " at the proxy",
		      standing(c), climb_rung(c), n.peak, n.refused, n.waited);
	if (limit > 2 || i != 1)
		assert_string_equal(climb_rung(c), rungs_to_have[i].rung);
	assert_in_range(standing(c), 1, most[i][limit]);
	if (own)
		assert_true(n.peak <= limit);
	if (own && i < 2)	/* with push posts may have what is left */
		assert_int_equal(standing(c), most[i][limit]);
	assert_true(n.refused + n.waited <= 16);
	no_gaps_yet(c);
	climb_call(c, 60 * LOOP_SECOND);
	assert_true(gap(c) <= 3 * c->round_trip_us);
	climb_hang_up(c);
	climb_free(c);
}

static void few_connections(void **state)
{
	(void)state;
	for (unsigned limit = 2; limit <= 4; limit++)
		for (size_t i = 0; i < 3; i++) {
			on_few(limit, RELAY_REFUSE, true, i);
			on_few(limit, RELAY_REFUSE, false, i);
			on_few(limit, RELAY_QUEUE, false, i);
		}
}

/* Whoever wants one has one. */
static void one_allowed(void **state)
{
	struct climb *c = begin(&(struct climb_options){ .carriers = 1 }, &clean, "duplex");

	(void)state;
	ladder_want(c->ladder, 8);
	climb_call(c, 10 * LOOP_SECOND);
	assert_int_equal(standing(c), 1);
	climb_hang_up(c);
	climb_free(c);
}

/* More than two are accepted and never served: what stands goes on, the others are hardly tried. */
static void others_are_mute(void **state)
{
	struct relay_behaviour mute = { .max_connections = 3, .over = RELAY_MUTE };
	struct climb *c = begin(&(struct climb_options){ 0 }, &clean, "duplex");
	struct relay_counts before, n;

	(void)state;
	climb_set(c, &mute);
	relay_counts(c->relay, &before);
	ladder_want(c->ladder, 8);
	no_gaps_yet(c);
	climb_call(c, 60 * LOOP_SECOND);
	relay_counts(c->relay, &n);
	print_message("%u stand, %u tried, gap %d ms\n", standing(c), n.made - before.made, (int)(gap(c) / LOOP_MS));
	assert_true(standing(c) >= 1);
	assert_true(n.made - before.made <= 40);
	assert_true(gap(c) <= 2 * c->round_trip_us);
	assert_int_equal(c->troubles, 0);
	assert_string_equal(climb_rung(c), "duplex");
	climb_set(c, &clean);
	assert_true(reach(c, 8, 90 * LOOP_SECOND) <= 90 * LOOP_SECOND);
	climb_hang_up(c);
	climb_free(c);
}

/* ---- long ---- */

/* A path that ends connections at 30 s. Once that is known no packet waits for it, and not all are renewed in one second. */
static void cut_at_30_s(void **state)
{
	(void)state;
	for (size_t i = 0; i < 3; i++) {
		struct relay_behaviour b = *rungs_to_have[i].path;
		struct climb *c;
		struct relay_counts from, to;
		unsigned most = 0;

		b.cut_age_us = 30 * LOOP_SECOND;
		c = begin(&(struct climb_options){ 0 }, &b, rungs_to_have[i].rung);
		ladder_want(c->ladder, 8);
		climb_call(c, 28 * LOOP_SECOND);
		no_gaps_yet(c);
		climb_call(c, 5 * LOOP_SECOND);
		print_message("%s: gap %d ms at the first cut", rungs_to_have[i].rung, (int)(gap(c) / LOOP_MS));
		climb_call(c, 30 * LOOP_SECOND);
		no_gaps_yet(c);
		for (int s = 0; s < 120; s++) {
			relay_counts(c->relay, &from);
			climb_call(c, LOOP_SECOND);
			relay_counts(c->relay, &to);
			if (to.made - from.made > most)
				most = to.made - from.made;
		}
		print_message(", %d ms later; at most %u connections a second, peak %u\n", (int)(gap(c) / LOOP_MS), most, to.peak);
		assert_int_equal(standing(c), rungs_to_have[i].carriers);
		assert_true(gap(c) <= c->round_trip_us + 2 * CLIMB_PACKET);
		assert_true(to.peak <= POOL_LIMIT_DEFAULT);
		if (i == 0)
			assert_in_range(most, 1, 4);
		climb_hang_up(c);
		climb_free(c);
	}
}

/* Nothing flows and one is wanted. */
static void idle_day(void **state)
{
	struct climb *c = begin(&(struct climb_options){ 0 }, &clean, "duplex");
	struct relay_counts from, to;

	(void)state;
	relay_counts(c->relay, &from);
	for (int h = 0; h < 24; h++) {
		world_run(c->w, DAY / 24);
		assert_int_equal(standing(c), 1);
	}
	relay_counts(c->relay, &to);
	print_message("%u connections, %u exchanges a day\n", to.made - from.made, to.exchanges - from.exchanges);
	assert_true(to.made - from.made <= 200);
	assert_true(to.exchanges - from.exchanges <= 200);
	climb_hang_up(c);
	climb_free(c);
}

/* The session changes its mind four times a minute, all day: numbers of carriers last for days of it. */
static void changing_mind(void **state)
{
	struct climb *c = begin(&(struct climb_options){ .only = "duplex" }, &clean, "duplex");
	unsigned had = 0;

	(void)state;
	for (int i = 0; i < 24 * 60 * 2; i++) {
		ladder_want(c->ladder, 8);
		world_run(c->w, 15 * LOOP_SECOND);
		had += standing(c) == 8;
		ladder_want(c->ladder, 1);
		world_run(c->w, 15 * LOOP_SECOND);
		assert_int_equal(standing(c), 1);
	}
	print_message("%u numbers, eight stood %u of %u times\n", c->w->helper->next_carrier, had, 24 * 60 * 2);
	assert_true(c->w->helper->next_carrier < REQUEST_CARRIER_MAX / 2);
	assert_true(had >= 24 * 60);
	assert_false(c->w->helper_ended);
	climb_hang_up(c);
	climb_free(c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(come_and_go),
		cmocka_unit_test(one_is_hurt),
		cmocka_unit_test(all_are_cut),
		cmocka_unit_test(down_and_up),
		cmocka_unit_test(silence),
		cmocka_unit_test(another_network),
		cmocka_unit_test(the_old_network_is_gone),
		cmocka_unit_test(few_connections),
		cmocka_unit_test(one_allowed),
		cmocka_unit_test(others_are_mute),
		cmocka_unit_test(cut_at_30_s),
		cmocka_unit_test(idle_day),
		cmocka_unit_test(changing_mind),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
