// links: tests/sim/world.c tests/sim/world_flow.c tests/sim/proxy.c tests/sim/relay.c tests/sim/relay_way.c tests/sim/relay_flow.c tests/sim/relay_dress.c tests/lib/stream_mem.c framing/*.c tunnel/*.c
/* libs: -lwslay -lev -lhttp_parser -lnghttp2 -lssl -lcrypto -lconfuse -lcares -lm */
/*
 * Simulations of each rung on clean paths and on connections that are cut at every
 * byte: streams lose nothing, datagrams come once or not at all.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "framing/capsule.h"
#include "tests/lib/seeds.h"
#include "tests/sim/world.h"
#include "tunnel/counters.h"

static const struct proxy_options pipe_10ms = { .kind = PROXY_PIPE, .delay_us = 10 * LOOP_MS, .dial_us = 40 * LOOP_MS };
static const struct proxy_options store_10ms = { .kind = PROXY_STORE, .delay_us = 10 * LOOP_MS, .dial_us = 40 * LOOP_MS,
						 .max_connections = 2, .one_exchange = true };

static void run_until_done(struct world *w, const struct stream_flow *f, int64_t us)
{
	for (int64_t t = 0; t < us && !world_stream_done(f) && !w->helper_ended; t += 50 * LOOP_MS)
		world_run(w, 50 * LOOP_MS);
}

static void clean(const char *rung, const struct proxy_options *o, unsigned limit)
{
	struct world *w = world_new(1, false);
	struct stream_flow *f;
	struct datagram_flow *d;

	world_lane(w, rung, o, limit);
	assert_true(world_connect(w, 5 * LOOP_SECOND));
	f = world_stream(w, 300000, 500000);
	d = world_datagram(w);
	world_call(w, d, 200, 20 * LOOP_MS, 172);
	run_until_done(w, f, 30 * LOOP_SECOND);
	world_run(w, 500 * LOOP_MS);	/* the last packets */
	assert_true(world_stream_right(f));
	assert_true(world_stream_done(f));
	assert_int_equal(d->near.wrong + d->far.wrong + d->near.repeated + d->far.repeated, 0);
	assert_int_equal(d->far.received, 200);
	assert_true(d->near.received >= 190);	/* the server's end exists only when OPEN came */
	assert_int_equal(w->lane[0].failed, 0);
	world_free(w);
}

static void clean_rungs(void **state)
{
	(void)state;
	for (const struct rung *r = rungs; r->name; r++)
		clean(r->name, &pipe_10ms, 6);
	clean("poll", &store_10ms, 2);
	clean("poll", &store_10ms, 6);
}

/* ---- cuts at every byte ---- */

struct cut_plan {
	int64_t after;
	unsigned direction, connections;
};

static void script_cut(void *ctx, unsigned connection, struct stream_mem_options *o)
{
	const struct cut_plan *c = ctx;

	if (connection < c->connections)
		o->cut_after[c->direction] = c->after;
}

/* Connections behind the first are cut too: an exchange may use any of them. */
static void cut_at(const char *rung, int64_t after, unsigned direction, unsigned connections)
{
	struct cut_plan cut = { after, direction, connections };
	struct proxy_options o = { .kind = PROXY_PIPE, .delay_us = LOOP_MS, .dial_us = 2 * LOOP_MS,
				   .script = script_cut, .ctx = &cut };
	struct world *w = world_new((uint64_t)after + 1, false);
	struct stream_flow *f;

	world_lane(w, rung, &o, 4);
	if (!world_connect(w, 60 * LOOP_SECOND)) {
		print_message("%s cut after %d in direction %u: not connected: %s\n", rung, (int)after, direction,
			      w->lane[0].why);
		fail();
	}
	f = world_stream(w, 2000, 3000);
	run_until_done(w, f, 60 * LOOP_SECOND);
	if (!world_stream_done(f) || !world_stream_right(f)) {
		print_message("%s cut after %d in direction %u: up %d of %d, down %d of %d, closed %d %d\n", rung,
			      (int)after, direction, (int)f->far.received, (int)f->near.total, (int)f->near.received,
			      (int)f->far.total, f->near.closed, f->far.closed);
		fail();
	}
	world_free(w);
}

static void cut_everywhere(void **state)
{
	uint64_t cut = counted(exchanges_failed), runs = 0;
	int64_t step = seeds_all() ? 1 : 11;

	(void)state;
	for (const struct rung *r = rungs; r->name; r++)
		for (unsigned direction = 0; direction < 2; direction++)
			for (int64_t after = 0; after < 4600; after += (after < 1500 ? 1 : 7) * step)
				cut_at(r->name, after, direction, 3), runs++;
	cut = counted(exchanges_failed) - cut;
	print_message("%d runs, %d exchanges cut\n", (int)runs, (int)cut);
	assert_true(cut > runs / 2);	/* the cuts did hit exchanges */
}

/* ---- repeated cuts under load ---- */

static void cut_often(void **state)
{
	(void)state;
	for (const struct rung *r = rungs; r->name; r++) {
		struct world *w = world_new(7, false);
		struct stream_flow *f;
		struct datagram_flow *d;

		world_lane(w, r->name, &pipe_10ms, 6);
		assert_true(world_connect(w, 5 * LOOP_SECOND));
		f = world_stream(w, 2000000, 2000000);
		d = world_datagram(w);
		for (unsigned i = 0; i < 10; i++) {
			world_call(w, d, 50, 20 * LOOP_MS, 172);
			world_cut(w);
		}
		run_until_done(w, f, 60 * LOOP_SECOND);
		assert_true(world_stream_right(f));
		assert_true(world_stream_done(f));
		assert_int_equal(d->near.wrong + d->far.wrong + d->near.repeated + d->far.repeated, 0);
		/* only what was in flight at a cut, and what came while nothing stood, is gone */
		assert_true(d->far.received > 400);
		assert_true(d->near.received > 400);
		world_free(w);
	}
}

/* A stall is longer than any deadline: what was caught in it is not delivered. */
static void stall(void **state)
{
	(void)state;
	for (const struct rung *r = rungs; r->name; r++) {
		struct world *w = world_new(3, false);
		struct stream_flow *f;
		struct datagram_flow *d;
		unsigned before;

		world_lane(w, r->name, &pipe_10ms, 6);
		assert_true(world_connect(w, 5 * LOOP_SECOND));
		f = world_stream(w, 100000, 100000);
		d = world_datagram(w);
		world_call(w, d, 50, 20 * LOOP_MS, 172);
		world_stall(w, true);
		before = d->far.received;
		world_call(w, d, 150, 20 * LOOP_MS, 172);	/* 3 s */
		world_stall(w, false);
		world_call(w, d, 50, 20 * LOOP_MS, 172);
		run_until_done(w, f, 30 * LOOP_SECOND);
		assert_true(world_stream_right(f));
		assert_true(world_stream_done(f));
		assert_int_equal(d->far.wrong + d->far.repeated, 0);
		/* RTP-less packets have 1 s: never later than the floor (10 ms and what a poll takes) + 1 s */
		assert_true(d->far.slowest_us <= 1200 * LOOP_MS);
		assert_true(d->near.slowest_us <= 1200 * LOOP_MS);
		assert_true(d->far.received > before);
		world_free(w);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(clean_rungs),
		cmocka_unit_test(cut_everywhere),
		cmocka_unit_test(cut_often),
		cmocka_unit_test(stall),
	};

	int failed = cmocka_run_group_tests_name("HTTP/1.1", tests, NULL, NULL);

	world_http2 = true;
	return failed + cmocka_run_group_tests_name("HTTP/2", tests, NULL, NULL);
}
