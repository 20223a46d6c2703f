// links: tests/sim/world.c tests/sim/world_flow.c tests/sim/proxy.c tests/sim/relay*.c tests/lib/stream_mem.c framing/*.c tunnel/*.c
/* libs: -lwslay -lev -lhttp_parser -lnghttp2 -lssl -lcrypto -lconfuse -lcares -lm */
/*
 * Simulations of a path that begins to hold back in the middle of a call, and of carriers that leave:
 * what is noticed and when, which carrier is used meanwhile, that nothing is lost on the way.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/sim/world.h"
#include "tunnel/carrier_internal.h"
#include "tunnel/log.h"

#define EVERY (20 * LOOP_MS)

static const struct relay_options options = { .delay_us = 10 * LOOP_MS, .dial_us = 40 * LOOP_MS };
static const char *const streaming[] = { "duplex", "split", "push" };
static const struct relay_behaviour holding[] = {
	{ .hold_up = true, .hold_down = true },
	{ .hold_down = true },
	{ .hold_up = true },
};

struct run {
	struct world *w;
	struct lane *poll, *lane;
	struct stream_flow *f;
	struct datagram_flow *d;
	unsigned packets;
};

static void begin(struct run *r, const char *rung)
{
	memset(r, 0, sizeof *r);
	log_setup(LOG_LEVEL_ERROR, false);
	r->w = world_new(23, false);
	r->poll = world_relay_lane(r->w, "poll", &options, 4);
	assert_true(world_connect(r->w, 5 * LOOP_SECOND));
	r->lane = world_relay_lane(r->w, rung, &options, 4);
	assert_true(world_connect(r->w, 5 * LOOP_SECOND));
	r->w->no_auto_finish = true;
	r->f = world_stream(r->w, 3000, 3000);
	r->d = world_datagram(r->w);
	world_run(r->w, 500 * LOOP_MS);
}

static void step(struct run *r)
{
	if (r->packets % 10 == 0) {
		world_stream_feed(&r->f->near, 500);
		world_stream_feed(&r->f->far, 500);
	}
	world_send(&r->d->near, 172);
	world_send(&r->d->far, 172);
	r->packets++;
	world_run(r->w, EVERY);
}

static void talk(struct run *r, int64_t us)
{
	for (int64_t t = 0; t < us; t += EVERY)
		step(r);
}

/* Talks until it is so: how long that took. */
static int64_t talk_until(struct run *r, bool stalled, int64_t most)
{
	int64_t t = 0;

	for (; t < most && r->lane->stalled != stalled; t += EVERY)
		step(r);
	return t;
}

static void holding_begins_and_ends(void **state)
{
	static const struct relay_behaviour plain;

	(void)state;
	for (unsigned i = 0; i < 3; i++)
		for (unsigned k = 0; k < 3; k++) {
			struct run r;
			int64_t noticed, gap_up, gap_down, over;

			if (i == 2 && k == 2)
				continue;	/* push has complete requests only */
			begin(&r, streaming[i]);
			talk(&r, 5 * LOOP_SECOND);
			assert_int_equal(r.lane->stalls, 0);
			r.d->near.gap_us = r.d->far.gap_us = 0;
			relay_set(r.lane->relay, &holding[k]);
			noticed = talk_until(&r, true, 5 * LOOP_SECOND);
			talk(&r, 2 * LOOP_SECOND);
			gap_up = r.d->far.gap_us;
			gap_down = r.d->near.gap_us;
			r.d->near.gap_us = r.d->far.gap_us = 0;
			talk(&r, 2 * LOOP_SECOND);	/* goes well by poll */
			relay_set(r.lane->relay, &plain);
			over = talk_until(&r, false, 10 * LOOP_SECOND);
			print_message("%s, held %s%s: noticed after %d ms, gap up %d ms, down %d ms, then %d and %d; over after %d ms\n",
				      streaming[i], holding[k].hold_up ? "up " : "", holding[k].hold_down ? "down" : "",
				      (int)(noticed / LOOP_MS), (int)(gap_up / LOOP_MS), (int)(gap_down / LOOP_MS),
				      (int)(r.d->far.gap_us / LOOP_MS), (int)(r.d->near.gap_us / LOOP_MS),
				      (int)(over / LOOP_MS));
			assert_true(noticed <= 1500 * LOOP_MS);
			assert_true(gap_up <= 900 * LOOP_MS && gap_down <= 900 * LOOP_MS);
			assert_true(r.d->far.gap_us <= 60 * LOOP_MS && r.d->near.gap_us <= 60 * LOOP_MS);
			assert_true(over <= 2500 * LOOP_MS);
			talk(&r, 2 * LOOP_SECOND);
			world_end(r.w, r.f, r.d);
		}
}

/* What is slow from the beginning, or a little slower now and then, is no stall; idleness needs no timer. */
static void no_false_alarm(void **state)
{
	static const struct relay_behaviour lazy = { .max_hold_us = 600 * LOOP_SECOND };

	(void)state;
	for (unsigned i = 0; i < 3; i++) {
		struct carrier_helper *h;
		struct run r;

		begin(&r, streaming[i]);
		relay_set(r.lane->relay, &lazy);
		h = (struct carrier_helper *)r.lane->carrier;
		for (unsigned k = 0; k < 5; k++) {
			talk(&r, 3 * LOOP_SECOND);
			assert_true(timer_armed(&h->stall.tick));
			world_run(r.w, 300 * LOOP_MS);	/* everybody is silent for a moment */
			talk(&r, 200 * LOOP_MS);
			world_run(r.w, 20 * LOOP_SECOND);
			assert_false(timer_armed(&h->stall.tick));
		}
		assert_int_equal(r.lane->stalls, 0);
		assert_int_equal(r.lane->failed, 0);
		world_end(r.w, r.f, r.d);
	}
}

/* ---- leaving ---- */

/* One after the other takes over in the middle of a call: nothing is missing, and the old ones go. */
static void taking_turns(void **state)
{
	static const char *const next[] = { "duplex", "poll", "split", "push", "duplex", "push+sse", "split", "poll", "push" };
	struct carrier *carriers[SESSION_CARRIERS_MAX];
	struct run r;

	(void)state;
	begin(&r, "duplex");
	talk(&r, 2 * LOOP_SECOND);
	carrier_retire(r.poll->carrier);
	r.poll->carrier = r.lane->carrier;	/* the one in use */
	r.d->near.gap_us = r.d->far.gap_us = 0;
	for (unsigned i = 0; i < sizeof next / sizeof *next; i++) {
		r.lane->rung = rung_find(next[i]);
		r.lane->proven = 0;
		r.lane->carrier = carrier_open(r.w->helper, r.lane->rung, &r.w->path, r.lane->pool, &world_lane_events, r.lane);
		for (unsigned k = 0; k < 100 && !r.lane->proven; k++)
			step(&r);
		assert_int_equal(r.lane->proven, 1);
		carrier_retire(r.poll->carrier);
		r.poll->carrier = r.lane->carrier;
		talk(&r, 2 * LOOP_SECOND);
		assert_int_equal(session_carriers(r.w->helper, carriers, SESSION_CARRIERS_MAX), 1);
		assert_ptr_equal(carriers[0], r.lane->carrier);
	}
	r.poll->carrier = NULL;
	print_message("taking turns: gap up %d ms, down %d ms; %u and %u of %u\n", (int)(r.d->far.gap_us / LOOP_MS),
		      (int)(r.d->near.gap_us / LOOP_MS), r.d->far.received, r.d->near.received, r.packets);
	assert_true(r.d->far.gap_us <= 40 * LOOP_MS && r.d->near.gap_us <= 40 * LOOP_MS);
	assert_int_equal(r.d->far.received, r.packets);
	assert_int_equal(r.d->near.received, r.packets);
	assert_int_equal(r.lane->failed + r.poll->failed, 0);
	world_end(r.w, r.f, r.d);
}

/* The session may go while a carrier is leaving, and one that was never proven leaves at once. */
static void leaving_is_cut_short(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 3; i++) {
		struct carrier *carriers[SESSION_CARRIERS_MAX], *c;
		struct run r;

		begin(&r, streaming[i]);
		talk(&r, LOOP_SECOND);
		c = carrier_open(r.w->helper, r.lane->rung, &r.w->path, r.lane->pool, &world_lane_events, r.lane);
		carrier_retire(c);
		assert_int_equal(session_carriers(r.w->helper, carriers, SESSION_CARRIERS_MAX), 2);
		carrier_retire(r.lane->carrier);
		r.lane->carrier = NULL;
		world_run(r.w, 5 * LOOP_MS);
		assert_int_equal(session_carriers(r.w->helper, carriers, SESSION_CARRIERS_MAX), 2);
		world_free(r.w);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(holding_begins_and_ends),
		cmocka_unit_test(no_false_alarm),
		cmocka_unit_test(taking_turns),
		cmocka_unit_test(leaving_is_cut_short),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
