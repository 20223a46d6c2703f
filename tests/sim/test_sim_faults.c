// links: tests/sim/world.c tests/sim/world_flow.c tests/sim/proxy.c tests/sim/relay.c tests/sim/relay_way.c tests/sim/relay_flow.c tests/sim/relay_dress.c tests/lib/stream_mem.c framing/*.c tunnel/*.c
/* libs: -lwslay -lev -lhttp_parser -lnghttp2 -lssl -lcrypto -lconfuse -lcares -lm */
/*
 * Simulations of proxies that lose, repeat, delay, truncate and replay exchanges, with
 * one, two and three carriers on different rungs and every record on a random one.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "framing/capsule.h"
#include "tests/sim/world.h"

#define SEEDS 6

struct script {
	struct world *w;
	unsigned every;			/* one exchange in this many is hurt */
	enum proxy_fault only;		/* FAULT_NONE: any */
};

static enum proxy_fault fault(void *ctx, unsigned exchange)
{
	struct script *s = ctx;

	(void)exchange;
	if (!s->w || !s->every || loop_random_u64(s->w->loop) % s->every)
		return FAULT_NONE;
	return s->only ? s->only : (enum proxy_fault)(1 + loop_random_u64(s->w->loop) % (FAULT_COUNT - 1));
}

/* Every pipe connection dies after some random number of bytes in a random direction. */
static void random_cut(void *ctx, unsigned connection, struct stream_mem_options *o)
{
	struct script *s = ctx;

	(void)connection;
	if (s->w && s->every)
		o->cut_after[loop_random_u64(s->w->loop) & 1] = 3000 + (int64_t)(loop_random_u64(s->w->loop) % 60000);
	o->chunk = 1 + loop_random_u64(s->w->loop) % 3000;
}

static void check(struct world *w, struct stream_flow **f, unsigned n, struct datagram_flow *d, const char *what)
{
	for (unsigned t = 0; t < 2400 && !w->helper_ended; t++) {
		bool all = true;

		for (unsigned i = 0; i < n; i++)
			all &= world_stream_done(f[i]);
		if (all)
			break;
		world_run(w, 100 * LOOP_MS);
	}
	for (unsigned i = 0; i < n; i++) {
		if (!world_stream_done(f[i]) || !world_stream_right(f[i]))
			print_message("%s: stream %u: up %d of %d, down %d of %d, closed %d %d code %d %d wrong %d %d\n",
				      what, i, (int)f[i]->far.received, (int)f[i]->near.total, (int)f[i]->near.received,
				      (int)f[i]->far.total, f[i]->near.closed, f[i]->far.closed, (int)f[i]->near.code,
				      (int)f[i]->far.code, f[i]->near.wrong, f[i]->far.wrong);
		assert_true(world_stream_right(f[i]));
		assert_true(world_stream_done(f[i]));
	}
	assert_false(w->helper_ended);
	assert_int_equal(d->near.wrong + d->far.wrong, 0);
	assert_int_equal(d->near.repeated + d->far.repeated, 0);
	assert_true(d->far.received > 0);
}

/* A single kind of fault on a polling carrier through a store-and-forward proxy. */
static void each_fault(void **state)
{
	(void)state;
	for (enum proxy_fault kind = FAULT_LOSE_REQUEST; kind < FAULT_COUNT; kind++)
		for (uint64_t seed = 1; seed <= SEEDS; seed++) {
			struct script script = { .every = 5, .only = kind };
			struct proxy_options o = { .kind = PROXY_STORE, .delay_us = 10 * LOOP_MS, .dial_us = 20 * LOOP_MS,
						   .max_connections = seed % 2 ? 2 : 0, .one_exchange = seed % 3,
						   .fault = fault, .ctx = &script };
			struct world *w = world_new(seed, false);
			struct stream_flow *f[2];
			struct datagram_flow *d;
			char what[40];

			world_lane(w, "poll", &o, 4);
			assert_true(world_connect(w, 20 * LOOP_SECOND));
			script.w = w;
			f[0] = world_stream(w, 60000, 90000);
			f[1] = world_stream(w, 10, 200000);
			d = world_datagram(w);
			world_call(w, d, 100, 20 * LOOP_MS, 172);
			snprintf(what, sizeof what, "fault %d, seed %d", (int)kind, (int)seed);
			check(w, f, 2, d, what);
			world_free(w);
		}
}

/* n carriers on different rungs, every fault, records sprayed at random among them. */
static void sprayed(unsigned n, uint64_t seed)
{
	static const char *const pipe_rungs[] = { "duplex", "websocket", "split", "push" };
	struct script script = { .every = 6 };
	struct proxy_options store = { .kind = PROXY_STORE, .delay_us = 15 * LOOP_MS, .dial_us = 20 * LOOP_MS,
				       .fault = fault, .ctx = &script };
	struct proxy_options pipe = { .kind = PROXY_PIPE, .delay_us = 8 * LOOP_MS, .dial_us = 20 * LOOP_MS,
				      .script = random_cut, .ctx = &script };
	struct world *w = world_new(seed, true);
	struct stream_flow *f[3];
	struct datagram_flow *d;
	char what[40];

	script.w = w;
	script.every = 0;
	for (unsigned i = 0; i < n; i++)
		if ((i + seed) % 3 == 2)
			world_lane(w, "poll", &store, 4);
		else
			world_lane(w, pipe_rungs[(i + seed / 3) % 4], &pipe, 4);
	assert_true(world_connect(w, 60 * LOOP_SECOND));
	script.every = 6;
	f[0] = world_stream(w, 150000, 100000);
	f[1] = world_stream(w, 1, 120000);
	f[2] = world_stream(w, 50000, 0);
	d = world_datagram(w);
	world_call(w, d, 150, 20 * LOOP_MS, 172);
	snprintf(what, sizeof what, "%u carriers, seed %d", n, (int)seed);
	check(w, f, 3, d, what);
	world_free(w);
}

static void one_carrier(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= 4 * SEEDS; seed++)
		sprayed(1, seed);
}

static void two_carriers(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= 4 * SEEDS; seed++)
		sprayed(2, seed);
}

static void three_carriers(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= 4 * SEEDS; seed++)
		sprayed(3, seed);
}

/* A box that answers everything by itself for a while is not asked as fast as it answers; behind it all goes on. */
static void own_answers(void **state)
{
	(void)state;
	for (enum proxy_fault kind = FAULT_502; kind < FAULT_COUNT; kind++) {
		struct script script = { .only = kind };
		struct proxy_options store = { .kind = PROXY_STORE, .delay_us = 5 * LOOP_MS, .dial_us = 20 * LOOP_MS,
					       .fault = fault, .ctx = &script };
		struct world *w = script.w = world_new(1, false);
		struct lane *lane = world_lane(w, "poll", &store, 4);
		struct stream_flow *f;
		struct datagram_flow *d;
		unsigned before;

		assert_true(world_connect(w, 20 * LOOP_SECOND));
		f = world_stream(w, 50000, 50000);
		d = world_datagram(w);
		before = proxy_exchanges(lane->proxy);
		script.every = 1;
		world_run(w, 10 * LOOP_SECOND);
		assert_in_range(proxy_exchanges(lane->proxy) - before, 1, 200);
		script.every = 0;
		world_call(w, d, 50, 20 * LOOP_MS, 172);
		check(w, &f, 1, d, "after answers of its own");
		world_free(w);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_fault),
		cmocka_unit_test(one_carrier),
		cmocka_unit_test(two_carriers),
		cmocka_unit_test(three_carriers),
		cmocka_unit_test(own_answers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
