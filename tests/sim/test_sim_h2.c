// links: tests/sim/world.c tests/sim/world_flow.c tests/sim/proxy.c tests/sim/relay.c tests/sim/relay_way.c tests/sim/relay_flow.c tests/sim/relay_dress.c tests/lib/stream_mem.c framing/*.c tunnel/*.c
/* libs: -lwslay -lev -lhttp_parser -lnghttp2 -lssl -lcrypto -lconfuse -lcares -lm */
/*
 * Simulations of what is different over HTTP/2: how many connections a rung has, that what is worn or told
 * to go is replaced on another connection while it still works, and that several carriers have one each.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/lib/stream_mem.h"
#include "tests/sim/world.h"
#include "tunnel/leg.h"
#include "tunnel/session_internal.h"
#include "tunnel/steer.h"

#define GAP (60 * LOOP_MS)	/* between two packets that come each 20 ms: none was late */

static const struct proxy_options pipe_10ms = { .kind = PROXY_PIPE, .delay_us = 10 * LOOP_MS, .dial_us = 40 * LOOP_MS, .http2 = true };

static struct world *world_with(const char *rung)
{
	struct world *w = world_new(11, false);

	world_lane(w, rung, &pipe_10ms, 8);
	assert_true(world_connect(w, 5 * LOOP_SECOND));
	return w;
}

static void call(struct world *w, struct datagram_flow *d, unsigned seconds)
{
	world_call(w, d, 50 * seconds, 20 * LOOP_MS, 172);
}

static void connections(void **state)
{
	(void)state;
	for (const struct rung *r = rungs; r->name; r++) {
		struct world *w = world_with(r->name);
		struct datagram_flow *d = world_datagram(w);
		struct stream_flow *f = world_stream(w, 300000, 300000);
		bool posts = r->up == rung_find("poll")->up;
		unsigned used = 0;

		call(w, d, 10);
		assert_true(world_stream_done(f) && world_stream_right(f));
		used = pool_open_count(w->lane[0].pool) - pool_free_count(w->lane[0].pool);
		if (posts ? used > 4 || proxy_connections(w->lane[0].proxy) > 12 : used != 1 || proxy_connections(w->lane[0].proxy) > 2)
			fail_msg("%s: %u connections in use, %u made", r->name, used, proxy_connections(w->lane[0].proxy));
		assert_true(d->far.received >= 495 && d->near.received >= 490);
		assert_int_equal(w->lane[0].failed, 0);
		world_free(w);
	}
}

/* Their age is known to be limited: each is replaced before, on another one, and no packet is late for it. */
static void worn(void **state)
{
	(void)state;
	for (const struct rung *r = rungs; r->name; r++) {
		struct world *w = world_with(r->name);
		struct datagram_flow *d = world_datagram(w);
		unsigned made, requests;

		w->lane[0].cuts.seen.age_us = 20 * LOOP_SECOND;
		w->lane[0].cuts.learned_us = loop_now(w->loop);
		call(w, d, 2);
		made = proxy_connections(w->lane[0].proxy);
		requests = w->requests;
		d->near.gap_us = d->far.gap_us = 0;
		call(w, d, 58);
		made = proxy_connections(w->lane[0].proxy) - made;
		if (made < 3 || (r->down != rung_find("poll")->down && made > 20))
			fail_msg("%s: %u connections within three lives", r->name, made);
		if (d->near.gap_us > GAP || d->far.gap_us > GAP)
			fail_msg("%s: %d ms without a packet down, %d ms up", r->name, (int)(d->near.gap_us / LOOP_MS),
				 (int)(d->far.gap_us / LOOP_MS));
		assert_true(w->requests > requests);
		assert_int_equal(w->lane[0].failed, 0);
		world_free(w);
	}
}

/* The server's end says GOAWAY. */
static void drained(void **state)
{
	(void)state;
	for (const struct rung *r = rungs; r->name; r++) {
		struct world *w = world_with(r->name);
		struct datagram_flow *d = world_datagram(w);
		struct stream_flow *f = world_stream(w, 2000000, 2000000);
		unsigned made = proxy_connections(w->lane[0].proxy);

		call(w, d, 3);
		d->near.gap_us = d->far.gap_us = 0;
		for (struct link *l = w->connections.next; l != &w->connections; l = l->next)
			http_drain(list_entry(l, struct connection, link)->http);
		call(w, d, 10);
		assert_true(proxy_connections(w->lane[0].proxy) > made);
		if (d->near.gap_us > 200 * LOOP_MS || d->far.gap_us > 200 * LOOP_MS)
			fail_msg("%s: %d ms without a packet down, %d ms up", r->name, (int)(d->near.gap_us / LOOP_MS),
				 (int)(d->far.gap_us / LOOP_MS));
		world_run(w, 20 * LOOP_SECOND);
		assert_true(world_stream_done(f) && world_stream_right(f));
		assert_int_equal(w->lane[0].failed, 0);
		world_free(w);
	}
}

/* A server that wants to be rid of each connection soon after it was made is not asked for one after the other. */
static void drained_at_once(void **state)
{
	(void)state;
	for (const struct rung *r = rungs; r->up != rung_find("poll")->up; r++) {	/* whose exchanges stand */
		struct world *w = world_with(r->name);
		struct datagram_flow *d = world_datagram(w);
		unsigned made = proxy_connections(w->lane[0].proxy);

		for (unsigned i = 0; i < 20 * 10; i++) {
			for (struct link *l = w->connections.next; l != &w->connections; l = l->next)
				http_drain(list_entry(l, struct connection, link)->http);
			world_call(w, d, 5, 20 * LOOP_MS, 172);
		}
		made = proxy_connections(w->lane[0].proxy) - made;
		if (made > 8)
			fail_msg("%s: %u connections in 20 s", r->name, made);
		assert_true(d->far.received >= 980 && d->near.received >= 980);
		assert_int_equal(w->lane[0].failed, 0);
		world_free(w);
	}
}

/* Connections die without a word. What comes by posts goes on others soon, as it would with HTTP/1.1. */
static void silenced(void **state)
{
	(void)state;
	for (const struct rung *r = rung_find("push"); r->name; r++) {
		struct world *w = world_with(r->name);
		struct datagram_flow *d = world_datagram(w);

		call(w, d, 5);
		d->near.gap_us = d->far.gap_us = 0;
		for (struct link *l = w->connections.next; l != &w->connections; l = l->next) {
			struct stream *s = http_stream(list_entry(l, struct connection, link)->http);

			stream_mem_stall(s, true);
			stream_mem_stall(stream_mem_peer(s), true);
		}
		call(w, d, 60);
		print_message("%-12s %d ms without a packet down, %d ms up\n", r->name, (int)(d->near.gap_us / LOOP_MS), (int)(d->far.gap_us / LOOP_MS));
		assert_true(d->far.gap_us < 2 * LOOP_SECOND);
		assert_true(r->down != rung_find("poll")->down || d->near.gap_us < 2 * LOOP_SECOND);
		assert_int_equal(w->lane[0].failed, 0);
		world_free(w);
	}
}

/* Exchanges that share a connection share its luck. */
static void fates(void **state)
{
	struct world *w = world_with("push");
	struct datagram_flow *d = world_datagram(w);
	struct carrier *c = w->lane[0].carrier;
	const struct http *next;
	uint64_t fate;

	(void)state;
	call(w, d, 1);
	next = c->ops->next(c);
	assert_non_null(next);
	assert_true(next->multiplexed);
	fate = steer_fate(c, w->helper->next_x);
	assert_true(fate == steer_fate(c, w->helper->next_x + 1));	/* whatever its number */
	for (struct link *l = c->legs.next; l != &c->legs; l = l->next) {
		const struct leg *leg = list_entry(l, const struct leg, link);

		assert_int_equal(steer_fate(c, leg->number) == fate, leg->x->http == next);
	}
	world_free(w);
}

/* A box that reads each body whole may be slow: exchanges do not grow without bound, what waits goes together. */
static void few_at_a_time(void **state)
{
	static const char *const posting[] = { "push", "poll" };

	(void)state;
	for (unsigned i = 0; i < sizeof posting / sizeof *posting; i++) {
		struct world *w = world_with(posting[i]);
		struct datagram_flow *d = world_datagram(w);
		unsigned most = 0;

		for (unsigned n = 0; n < 200; n++) {
			world_call(w, d, 10, LOOP_MS, 172);	/* a thousand packets a second */
			if (w->lane[0].carrier->leg_count > most)
				most = w->lane[0].carrier->leg_count;
		}
		world_run(w, LOOP_SECOND);
		assert_in_range(most, 3, 13);
		assert_true(d->far.received >= 1990 && d->near.received >= 1900);
		assert_int_equal(w->lane[0].failed, 0);
		world_free(w);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(connections),
		cmocka_unit_test(worn),
		cmocka_unit_test(drained), cmocka_unit_test(drained_at_once), cmocka_unit_test(silenced),
		cmocka_unit_test(fates),
		cmocka_unit_test(few_at_a_time),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
