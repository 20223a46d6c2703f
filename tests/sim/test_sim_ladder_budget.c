// links: client/ladder*.c client/fleet*.c client/survey*.c tests/sim/climb.c tests/sim/world.c tests/sim/world_flow.c tests/sim/proxy.c tests/sim/relay.c tests/sim/relay_way.c tests/sim/relay_flow.c tests/sim/relay_dress.c tests/lib/stream_mem.c framing/*.c tunnel/*.c
/* libs: -lwslay -lev -lhttp_parser -lnghttp2 -lssl -lcrypto -lconfuse -lcares -lm */
/* valgrind: left to the sanitizers, it would take an hour */
/*
 * Simulations of what the ladder costs: connections, probes included, and exchanges in a day
 * without a call.
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

#define DAY (24 * 3600 * LOOP_SECOND)

static const struct relay_behaviour clean, held = { .hold_up = true, .hold_down = true }, held_up = { .hold_up = true },
	half = { .half_duplex = true }, old = { .hold_up = true, .hold_down = true, .http10 = true, .one_exchange = true };

/* ---- connections ---- */

static void keeps_budget(const struct relay_behaviour *path, unsigned limit, const char *name)
{
	struct climb *c = climb_new(&(struct climb_options){ .limit = limit }, path);
	struct relay_counts n;

	climb_call(c, 60 * LOOP_SECOND);
	relay_cut(c->relay);
	climb_call(c, 60 * LOOP_SECOND);
	relay_counts(c->relay, &n);
	print_message("%-16s limit %u: peak %u, %-7s up %u down %u of %u, slowest up %d ms\n", name, limit, n.peak, climb_rung(c),
		      c->call->far.received, c->call->near.received, c->call->near.next, (int)(c->call->far.slowest_us / LOOP_MS));
	assert_true(n.peak <= (limit < POOL_LIMIT_MIN ? POOL_LIMIT_MIN : limit));
	assert_true(c->call->far.received >= c->call->near.next * 9 / 10);
	assert_true(c->call->near.received >= c->call->near.next * 9 / 10);
	climb_hang_up(c);
	relay_counts(c->relay, &n);
	assert_true(n.peak <= (limit < POOL_LIMIT_MIN ? POOL_LIMIT_MIN : limit));
	climb_free(c);
}

static void its_own_limit(void **state)
{
	(void)state;
	for (unsigned limit = 1; limit <= 6; limit++) {
		if (!seeds_case(limit + 2))
			continue;
		keeps_budget(&clean, limit, "clean");
		keeps_budget(&half, limit, "half duplex");
		keeps_budget(&held_up, limit, "requests held");
		if (limit >= 2)
			keeps_budget(&held, limit, "everything held");
	}
}

/* A proxy that allows fewer: learned soon, and hardly ever tried again. */
static void learns_budget(const struct relay_behaviour *path, unsigned limit, enum relay_over over, const char *name)
{
	static const char *const words[] = { "refuses", "queues", "mutes", "answers 503" };
	struct relay_behaviour b = *path;
	struct climb *c;
	struct relay_counts n;
	unsigned up, down, sent;

	b.max_connections = limit;
	b.over = over;
	b.nonce_uses = over == RELAY_CROWD ? UINT32_MAX : 0;
	c = climb_new(&(struct climb_options){ 0 }, &b);
	climb_call(c, 20 * LOOP_SECOND);
	up = c->call->far.received;
	down = c->call->near.received;
	sent = c->call->near.next;
	climb_call(c, 280 * LOOP_SECOND);
	relay_counts(c->relay, &n);
	up = c->call->far.received - up;
	down = c->call->near.received - down;
	sent = c->call->near.next - sent;
	print_message("%-16s %s above %u: %-7s tried %u times more, up %u down %u of %u\n", name, words[over], limit, climb_rung(c),
		      n.refused + n.waited, up, down, sent);
	assert_true(n.refused + n.waited <= 24);
	assert_true(up >= sent * 95 / 100);
	assert_true(down >= sent * 95 / 100);
	climb_hang_up(c);
	climb_free(c);
}

static void a_proxys_limit(void **state)
{
	(void)state;
	for (unsigned limit = 2; limit <= 6; limit++)
		for (int over = RELAY_REFUSE; over <= RELAY_QUEUE; over++) {
			if (!seeds_case(limit + (unsigned)over))
				continue;
			learns_budget(&clean, limit, (enum relay_over)over, "clean");
			learns_budget(&held_up, limit, (enum relay_over)over, "requests held");
			learns_budget(&held, limit, (enum relay_over)over, "everything held");
		}
	for (unsigned limit = 2; limit <= 6; limit++) {
		if (!seeds_case(limit))
			continue;
		learns_budget(&clean, limit, RELAY_CROWD, "clean");
		learns_budget(&held_up, limit, RELAY_CROWD, "requests held");
		learns_budget(&held, limit, RELAY_CROWD, "everything held");
		learns_budget(&old, limit, RELAY_CROWD, "HTTP/1.0");
	}
}

/* In a call on few connections the path is measured, too: it leaves poll soon, for whatever was found at that moment. */
static void climbs_on_few(const struct relay_behaviour *path, unsigned limit, enum relay_over over, bool own)
{
	struct relay_behaviour b = held;
	struct climb *c;
	int64_t took;

	b.max_connections = own ? 0 : limit;
	b.over = over;
	c = climb_new(&(struct climb_options){ .limit = own ? limit : 0 }, &b);
	climb_call(c, 30 * LOOP_SECOND);
	assert_string_equal(climb_rung(c), "poll");
	b = *path;
	b.max_connections = own ? 0 : limit;
	b.over = over;
	climb_set(c, &b);
	climb_call(c, 200 * LOOP_MS);	/* what was held comes out */
	c->call->far.slowest_us = 0;
	for (took = 200 * LOOP_MS; took < 60 * LOOP_SECOND && strcmp(climb_rung(c), "poll") == 0; took += 100 * LOOP_MS)
		climb_call(c, 100 * LOOP_MS);
	print_message("%u connections%s: %s after %d ms, slowest up %d ms meanwhile\n", limit, own ? "" : " at the proxy", climb_rung(c),
		      (int)(took / LOOP_MS), (int)(c->call->far.slowest_us / LOOP_MS));
	assert_in_range(took, 0, 5 * LOOP_SECOND);
	assert_true(c->call->far.slowest_us <= 4 * c->round_trip_us);
	climb_hang_up(c);
	climb_free(c);
}

static void few_connections(void **state)
{
	(void)state;
	for (unsigned limit = 2; limit <= 4; limit++) {
		climbs_on_few(&clean, limit, RELAY_REFUSE, true);
		climbs_on_few(&clean, limit, RELAY_REFUSE, false);
		climbs_on_few(&clean, limit, RELAY_QUEUE, false);
		climbs_on_few(&held_up, limit, RELAY_REFUSE, true);
		climbs_on_few(&held_up, limit, RELAY_REFUSE, false);
		climbs_on_few(&held_up, limit, RELAY_QUEUE, false);
	}
}

/* With two connections, what goes up never waits for an answer that is held. */
static void no_wait_for_a_hold(void **state)
{
	(void)state;
	for (int over = RELAY_REFUSE; over <= RELAY_QUEUE; over++) {
		struct relay_behaviour b = held;
		struct climb *c;
		struct datagram_flow *d;

		b.max_connections = 2;
		b.over = (enum relay_over)over;
		c = climb_new(&(struct climb_options){ .limit = over == RELAY_REFUSE ? 2 : 0 }, &b);
		climb_call(c, 30 * LOOP_SECOND);
		world_run(c->w, 60 * LOOP_SECOND);	/* a poll is held, if any */
		d = world_datagram(c->w);
		world_send(&d->near, 172);
		world_run(c->w, 2 * LOOP_SECOND);
		d->far.slowest_us = 0;
		for (unsigned i = 0; i < 20; i++) {	/* now and then one, after silence */
			world_send(&d->near, 172);
			world_run(c->w, (int64_t)(1 + i) * LOOP_SECOND);
		}
		print_message("two connections, over %d: slowest up %d ms of %d ms a round trip, %u of 20\n", over,
			      (int)(d->far.slowest_us / LOOP_MS), (int)(c->round_trip_us / LOOP_MS), d->far.received - 1);
		assert_int_equal(d->far.received, 21);
		assert_true(d->far.slowest_us <= 4 * c->round_trip_us);	/* a connection, too, may have to be made */
		climb_hang_up(c);
		climb_free(c);
	}
}

/* ---- succession ---- */

static void on_next_proven(void *ctx, struct carrier *c, const struct rung *before)
{
	(void)c, (void)before;
	++*(unsigned *)ctx;
}

static void on_next_trouble(void *ctx, const struct rung *failed, int error, const char *why, int64_t retry_us)
{
	(void)ctx, (void)error, (void)retry_us;
	print_message("%s: %s\n", failed->name, why);
}

/* A new session on the same connections while a call goes on in the old one, as behind GOAWAY. */
static void succeeds(const struct relay_behaviour *b, unsigned limit, int permille)
{
	static const struct session_events session_events = { 0 };
	static const struct ladder_events ladder_events = { on_next_proven, on_next_trouble };
	struct climb *c = climb_new(&(struct climb_options){ .limit = limit }, b);
	unsigned proven = 0, sent, up, down;
	struct session *s;
	struct ladder *l;
	int64_t t;

	climb_call(c, 20 * LOOP_SECOND);
	s = session_new(c->w->loop, SESSION_HELPER, &session_config_default, c->w->pool, NULL, &session_events, NULL);
	l = ladder_new(c->w->loop, s, &c->config, &ladder_events, &proven);
	for (t = 0; t < 20 * LOOP_SECOND && !proven; t += CLIMB_PACKET)
		climb_call(c, CLIMB_PACKET);
	sent = c->call->near.next;
	up = c->call->far.received;
	down = c->call->near.received;
	climb_call(c, 20 * LOOP_SECOND);
	sent = c->call->near.next - sent;
	up = c->call->far.received - up;
	down = c->call->near.received - down;
	print_message("limit %u: a successor beside %s after %d ms, %u and %u of %u came\n", limit, climb_rung(c), (int)(t / LOOP_MS), up, down, sent);
	assert_true(proven && session_is_open(s) && ladder_carrier(l));
	assert_true(t <= 3 * LOOP_SECOND);
	assert_true(up * 1000 >= sent * (unsigned)permille && down * 1000 >= sent * (unsigned)permille);
	ladder_free(l);
	session_free(s);
	climb_hang_up(c);
	climb_free(c);
}

static void a_successor(void **state)
{
	static const struct relay_behaviour two = { .hold_up = true, .hold_down = true, .max_connections = 2 },
		queue = { .hold_up = true, .hold_down = true, .max_connections = 2, .over = RELAY_QUEUE };

	(void)state;
	for (unsigned limit = 2; limit <= 6; limit += 2) {
		succeeds(&clean, limit, 980);
		succeeds(&held_up, limit, limit == 2 ? 850 : 950);
		succeeds(&held, limit, limit == 2 ? 850 : 900);
	}
	succeeds(&two, 6, 850);
	succeeds(&queue, 6, 850);
}

/* ---- a day ---- */

static void a_day(const struct relay_behaviour *b, const char *rung, unsigned most)
{
	struct climb *c = climb_new(&(struct climb_options){ 0 }, b);
	struct datagram_flow *d;
	unsigned probes, requests;

	assert_true(climb_connect(c, 5 * LOOP_SECOND));
	world_run(c->w, 20 * LOOP_SECOND);
	assert_string_equal(climb_rung(c), rung);
	probes = c->w->modes[MODE_PROBE];
	requests = c->w->requests;
	world_run(c->w, DAY);
	probes = c->w->modes[MODE_PROBE] - probes;
	requests = c->w->requests - requests;
	print_message("a day on %-6s %5u exchanges, %u of them probes, %u changes\n", rung, requests, probes, c->changes);
	assert_false(c->w->helper_ended);
	assert_string_equal(climb_rung(c), rung);
	assert_true(probes <= 700);
	assert_true(requests - probes <= most);
	assert_true(c->changes <= 3);
	d = world_datagram(c->w);
	world_send(&d->near, 172);
	world_run(c->w, 5 * c->round_trip_us);
	assert_int_equal(d->far.received, 1);
	climb_call(c, 10 * LOOP_SECOND);
	assert_true(c->call->far.received >= c->call->near.next - 15);
	assert_true(c->call->near.received >= c->call->near.next - 25);
	climb_hang_up(c);
	climb_free(c);
}

static void days(void **state)
{
	(void)state;
	a_day(&clean, "duplex", 200);
	a_day(&half, "split", 400);
	a_day(&held_up, "push", 200);
	a_day(&held, "poll", 5000);
}

/* A call begins after an idle day on a path that has become better or worse meanwhile. */
static void a_day_that_changes(void **state)
{
	struct climb *c = climb_new(&(struct climb_options){ 0 }, &held);

	(void)state;
	assert_true(climb_connect(c, 5 * LOOP_SECOND));
	world_run(c->w, 8 * 3600 * LOOP_SECOND);
	climb_set(c, &clean);
	world_run(c->w, 30 * LOOP_SECOND);
	ladder_wake(c->ladder);		/* as the helper does when a flow begins */
	assert_true(climb_reach(c, "duplex", 5 * LOOP_SECOND) >= 0);
	climb_hang_up(c);
	climb_set(c, &held);
	world_run(c->w, 3600 * LOOP_SECOND);
	climb_free(c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(its_own_limit),
		cmocka_unit_test(a_proxys_limit),
		cmocka_unit_test(few_connections),
		cmocka_unit_test(no_wait_for_a_hold),
		cmocka_unit_test(a_successor),
		cmocka_unit_test(days),
		cmocka_unit_test(a_day_that_changes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
