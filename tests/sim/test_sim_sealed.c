// links: tests/sim/sealing.c tests/sim/world.c tests/sim/world_flow.c tests/sim/proxy.c tests/sim/relay.c tests/sim/relay_way.c tests/sim/relay_flow.c tests/sim/relay_dress.c
// links: tests/lib/stream_mem.c tests/lib/certs.c server/front.c server/seals.c server/seals_visit.c server/cover.c server/fallback.c server/passage.c server/fallback_head.c server/conduit.c server/website.c server/origins.c framing/*.c tunnel/*.c
/* libs: -lwslay -lev -lhttp_parser -lnghttp2 -lssl -lcrypto -lconfuse -lcares -lm */
/*
 * Simulations of sealed sessions: through proxies that lose, repeat, delay, truncate and replay exchanges, with one to three
 * carriers on different rungs; when the server forgets the seal in the middle; and when the handshake itself is hurt.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "framing/error.h"
#include "tests/lib/seeds.h"
#include "tests/sim/sealing.h"
#include "tunnel/counters.h"

#define SEEDS 3

struct script {
	struct world *w;
	unsigned every;			/* one exchange in this many is hurt; 0: none */
	enum proxy_fault only;		/* FAULT_NONE: any */
};

static enum proxy_fault fault(void *ctx, unsigned exchange)
{
	struct script *s = ctx;

	(void)exchange;
	if (!s->every || loop_random_u64(s->w->loop) % s->every)
		return FAULT_NONE;
	return s->only ? s->only : (enum proxy_fault)(1 + loop_random_u64(s->w->loop) % (FAULT_COUNT - 1));
}

static void random_cut(void *ctx, unsigned connection, struct stream_mem_options *o)
{
	struct script *s = ctx;

	(void)connection;
	if (s->every)
		o->cut_after[loop_random_u64(s->w->loop) & 1] = 3000 + (int64_t)(loop_random_u64(s->w->loop) % 60000);
	o->chunk = 1 + loop_random_u64(s->w->loop) % 3000;
}

/* Everything arrives, once, and nothing was ever asked for in the clear. */
static void check(struct sealing *s, struct stream_flow *f, struct datagram_flow *d)
{
	struct world *w = s->w;

	for (unsigned t = 0; t < 2400 && !w->helper_ended && !world_stream_done(f); t++)
		world_run(w, 100 * LOOP_MS);
	if (!world_stream_done(f))
		print_message("stream: up %d of %d, down %d of %d\n", (int)f->far.received, (int)f->near.total,
			      (int)f->near.received, (int)f->far.total);
	assert_true(world_stream_right(f));
	assert_true(world_stream_done(f));
	assert_false(w->helper_ended);
	assert_int_equal(d->near.wrong + d->far.wrong, 0);
	assert_int_equal(d->near.repeated + d->far.repeated, 0);
	assert_true(d->far.received > 0);
	assert_int_equal(counted(unsealed_refused), 0);
	assert_int_equal(counted(auth_failed), 0);
}

static const struct proxy_options store = { .kind = PROXY_STORE, .delay_us = 10 * LOOP_MS, .dial_us = 20 * LOOP_MS, .fault = fault };
static const struct proxy_options tunnel = { .kind = PROXY_PIPE, .delay_us = 8 * LOOP_MS, .dial_us = 20 * LOOP_MS,
					     .script = random_cut };

/* A single kind of fault, on one exchange per connection, two at a time. */
static void each_fault(void **state)
{
	(void)state;
	for (enum proxy_fault kind = FAULT_LOSE_REQUEST; kind < FAULT_COUNT; kind++)
		for (uint64_t seed = 1; seed <= seeds_of(SEEDS); seed++) {
			struct script script = { .only = kind };
			struct proxy_options o = store;
			struct stream_flow *f;
			struct datagram_flow *d;
			struct sealing s;

			script.w = world_new(seed, false);
			o.max_connections = seed % 2 ? 2 : 0;
			o.one_exchange = seed % 3;
			o.ctx = &script;
			sealing_begin(&s, script.w);
			world_lane(s.w, "poll", &o, 4);
			sealing_start(&s);
			assert_true(world_connect(s.w, 20 * LOOP_SECOND));
			assert_int_equal(s.made, 1);
			script.every = 5;
			f = world_stream(s.w, 60000, 90000);
			d = world_datagram(s.w);
			world_call(s.w, d, 100, 20 * LOOP_MS, 172);
			check(&s, f, d);
			assert_int_equal(s.made, 1);
			sealing_free(&s);
		}
}

/* n carriers on different rungs, every fault, records sprayed at random among them. */
static void sprayed(unsigned n, uint64_t seed, bool forget)
{
	static const char *const by_tunnels[] = { "duplex", "split", "push" };
	struct script script = { .every = 0 };
	struct proxy_options by_store = store, by_tunnel = tunnel;
	struct stream_flow *f;
	struct datagram_flow *d;
	struct sealing s;

	script.w = world_new(seed, true);
	by_store.ctx = by_tunnel.ctx = &script;
	sealing_begin(&s, script.w);
	for (unsigned i = 0; i < n; i++)
		if ((i + seed) % 3 == 2)
			world_lane(s.w, "poll", &by_store, 4);
		else
			world_lane(s.w, by_tunnels[(i + seed / 3) % 3], &by_tunnel, 4);
	sealing_start(&s);
	assert_true(world_connect(s.w, 60 * LOOP_SECOND));
	script.every = forget ? 0 : 6;
	f = world_stream(s.w, 150000, 100000);
	d = world_datagram(s.w);
	world_call(s.w, d, 75, 20 * LOOP_MS, 172);
	if (forget) {
		unsigned made = s.made;

		sealing_forget(&s);
		world_cut(s.w);
		world_call(s.w, d, 75, 20 * LOOP_MS, 172);
		check(&s, f, d);
		assert_true(s.lost == 1 && s.made == made + 1);
	} else {
		check(&s, f, d);
		assert_int_equal(s.lost, 0);
	}
	sealing_free(&s);
}

static void one_to_three_carriers(void **state)
{
	(void)state;
	for (unsigned n = 1; n <= 3; n++)
		for (uint64_t seed = 1; seed <= seeds_of(3 * SEEDS); seed++)
			sprayed(n, seed, false);
}

static void the_seal_is_lost(void **state)
{
	(void)state;
	for (unsigned n = 1; n <= 3; n++)
		for (uint64_t seed = 1; seed <= seeds_of(3 * SEEDS); seed++)
			sprayed(n, seed, true);
}

/* The server forgets the seal in a call that goes by short requests: a gap, nothing else. */
static void lost_in_a_call(void **state)
{
	struct script script = { .every = 0 };
	struct proxy_options o = store;
	struct datagram_flow *d;
	struct stream_flow *f;
	struct sealing s;

	(void)state;
	script.w = world_new(5, false);
	o.ctx = &script;
	o.one_exchange = true;
	sealing_begin(&s, script.w);
	world_lane(s.w, "poll", &o, 6);
	sealing_start(&s);
	assert_true(world_connect(s.w, 20 * LOOP_SECOND));
	f = world_stream(s.w, 20000, 20000);
	d = world_datagram(s.w);
	world_call(s.w, d, 150, 20 * LOOP_MS, 172);
	d->near.gap_us = d->far.gap_us = 0;
	sealing_forget(&s);
	world_call(s.w, d, 150, 20 * LOOP_MS, 172);
	assert_int_equal(s.lost, 1);
	assert_int_equal(s.made, 2);
	assert_in_range(d->far.gap_us, 0, LOOP_SECOND);
	assert_in_range(d->near.gap_us, 0, LOOP_SECOND);
	assert_int_equal(s.w->lane[0].failed, 0);
	check(&s, f, d);
	sealing_free(&s);
}

/* The exchanges of the handshake themselves are hurt. */
static void hurt_handshakes(void **state)
{
	(void)state;
	for (enum proxy_fault kind = FAULT_NONE; kind < FAULT_COUNT; kind++)
		for (uint64_t seed = 1; seed <= seeds_of(SEEDS); seed++) {
			struct script script = { .every = 2, .only = kind };
			struct proxy_options o = store;
			struct sealing s;

			script.w = world_new(seed, false);
			o.ctx = &script;
			sealing_begin(&s, script.w);
			world_lane(s.w, "poll", &o, 4);
			sealing_start(&s);
			for (unsigned t = 0; t < 600 && !s.made; t++)
				world_run(s.w, 100 * LOOP_MS);
			assert_int_equal(s.made, 1);
			script.every = 0;
			assert_true(world_connect(s.w, 30 * LOOP_SECOND));
			sealing_free(&s);
		}
}

/* A proxy that understands HTTP does to the bodies what it likes; what it altered, or took from elsewhere, is counted and of no effect. */
static void tampered(const char *rung, const struct relay_behaviour *b, bool refused)
{
	const struct relay_options o = { .delay_us = 15 * LOOP_MS, .dial_us = 30 * LOOP_MS };
	uint64_t before = counted(sealed_refused);
	struct lane *lane;
	struct stream_flow *f;
	struct datagram_flow *d;
	struct sealing s;

	sealing_begin(&s, world_new(7, false));
	lane = world_relay_lane(s.w, rung, &o, 6);
	sealing_start(&s);
	assert_true(world_connect(s.w, 20 * LOOP_SECOND));
	relay_set(lane->relay, b);
	f = world_stream(s.w, 60000, 90000);
	d = world_datagram(s.w);
	world_call(s.w, d, 200, 20 * LOOP_MS, 172);
	relay_set(lane->relay, &(struct relay_behaviour){ 0 });
	check(&s, f, d);
	if (refused)
		assert_true(counted(sealed_refused) > before);
	else
		assert_int_equal(counted(sealed_refused), before);
	sealing_free(&s);
}

static void in_between(void **state)
{
	(void)state;
	tampered("poll", &(struct relay_behaviour){ .repeat_each = 3 }, false);
	tampered("push", &(struct relay_behaviour){ .repeat_each = 3 }, false);
	tampered("poll", &(struct relay_behaviour){ .hold_up = true, .hold_down = true, .one_exchange = true, .max_connections = 2 }, false);
	tampered("duplex", &(struct relay_behaviour){ .step_up = 4096, .step_down = 4096 }, false);
	tampered("split", &(struct relay_behaviour){ .cut_bytes = 20000 }, false);
	tampered("poll", &(struct relay_behaviour){ .page_each = 9 }, true);
	tampered("poll", &(struct relay_behaviour){ .replay_each = 7 }, true);
	tampered("poll", &(struct relay_behaviour){ .damage_up_each = 9 }, true);
	tampered("poll", &(struct relay_behaviour){ .damage_down_each = 9 }, true);
	tampered("push", &(struct relay_behaviour){ .damage_up_each = 9 }, true);
	tampered("split", &(struct relay_behaviour){ .damage_down_each = 2, .cut_bytes = 20000 }, true);
}

/* A sealer that nothing comes of: an error and a sentence, and it goes on until something does. */
static void told(enum proxy_fault kind, bool distrust, int error, const char *why)
{
	struct script script = { .every = 1, .only = kind };
	struct proxy_options o = store;
	struct sealing s;
	unsigned failed;

	script.w = world_new(1, false);
	script.every = kind != FAULT_NONE;
	o.ctx = &script;
	sealing_begin(&s, script.w);
	world_lane(s.w, "poll", &o, 4);
	if (distrust)
		sealing_distrust(&s);
	sealing_start(&s);
	world_run(s.w, 40 * LOOP_SECOND);
	assert_int_equal(s.made, 0);
	assert_true(s.failed >= 1);
	assert_int_equal(s.error, error);
	if (!strstr(s.why, why))
		fail_msg("'%s' is not in: %s", why, s.why);
	failed = s.failed;
	world_run(s.w, 60 * LOOP_SECOND);
	assert_in_range(s.failed - failed, 1, 20);	/* neither gives up nor spins */
	script.every = 0;
	world_run(s.w, 30 * LOOP_SECOND);
	assert_int_equal(s.made, !distrust);
	sealing_free(&s);
}

static void what_is_told(void **state)
{
	(void)state;
	told(FAULT_NONE, true, ERROR_CERTIFICATE, "not trusted");
	told(FAULT_502, false, ERROR_HTTP, "the answer was HTTP status 502");
	told(FAULT_HTML, false, ERROR_HTTP, "not in Culvert's format");
	told(FAULT_LOSE_REQUEST, false, ERROR_RESET, "sealing: ");
	told(FAULT_LOSE_ANSWER, false, ERROR_RESET, "sealing: ");
	told(FAULT_TRUNCATE, false, ERROR_RESET, "sealing: ");
}

/* Whatever a carrier believes, nothing goes unsealed where there is no TLS. */
static void never_in_the_clear(void **state)
{
	struct script script = { .every = 0 };
	struct proxy_options o = store;
	struct sealing s;

	(void)state;
	script.w = world_new(1, false);
	o.ctx = &script;
	o.plain = true;
	sealing_begin(&s, script.w);
	s.w->path.sealing = false;
	world_lane(s.w, "poll", &o, 4);
	world_run(s.w, 10 * LOOP_SECOND);
	assert_int_equal(s.w->requests, 0);
	assert_int_equal(proxy_exchanges(s.w->lane[0].proxy), 0);
	s.w->path.sealing = true;
	sealing_start(&s);
	assert_true(world_connect(s.w, 30 * LOOP_SECOND));
	assert_int_equal(counted(unsealed_refused), 0);
	sealing_free(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_fault),
		cmocka_unit_test(one_to_three_carriers),
		cmocka_unit_test(the_seal_is_lost),
		cmocka_unit_test(lost_in_a_call),
		cmocka_unit_test(in_between),
		cmocka_unit_test(hurt_handshakes),
		cmocka_unit_test(what_is_told),
		cmocka_unit_test(never_in_the_clear),
	};

	return cmocka_run_group_tests(tests, sealing_set_up, sealing_tear_down);
}
