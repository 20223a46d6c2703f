// links: client/ladder*.c client/survey*.c client/fleet*.c tests/sim/engine*.c tests/sim/media.c tests/sim/lossy*.c tests/sim/splice.c tests/sim/world.c tests/sim/world_flow.c tests/sim/proxy.c tests/sim/relay.c tests/sim/relay_way.c tests/sim/relay_flow.c tests/sim/relay_dress.c tests/lib/stream_mem.c framing/*.c tunnel/*.c
/* libs: -lwslay -lev -lhttp_parser -lnghttp2 -lssl -lcrypto -lconfuse -lcares -lm */
/*
 * Simulations of the real-time engine where the path queues or stands still: calls beside a
 * transfer, more video than passes, stalls of one connection and of all.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/sim/engine.h"

#define BASE (25 * LOOP_MS)
#define ROUND (2 * BASE)
#define TRANSFER 5000000
#define BYTES_2MBIT 250000
#define AUDIO_WIRE 15000	/* bytes/s of a call in one direction with everything around it; more than that while copies go */

static double most(double a, double b)
{
	return a > b ? a : b;
}

/* ---- a transfer through a deep buffer ---- */

struct transfer {
	double p50, p99, late, lost;	/* of the call meanwhile, ms and % */
	double share;			/* of what the call leaves, % */
	size_t waiting;			/* most on the path */
};

/* 5 MB beside a call, through 2 Mbit/s with a buffer of 1 MB. */
static struct transfer transfer(bool up, bool single, enum lossy_congestion congestion)
{
	struct lossy_way way = { .delay_us = BASE, .rate = BYTES_2MBIT, .buffer = 1 << 20 };
	struct engine_options o = { .link.way = { way, way }, .link.congestion = congestion, .carriers = single ? 1 : 0 };
	struct engine *e = engine_new(&o);
	struct media *m = media_new(e->w, e->party[0].session,
				    &(struct media_options){ .redundancy = single ? REDUNDANCY_NEVER : REDUNDANCY_AUTO });
	struct transfer r = { 0 };
	struct stream_flow *f;
	struct lossy_counts c;
	struct tally t = { 0 };
	int64_t from, until, took;

	engine_run(e, 5 * LOOP_SECOND);
	from = engine_now(e);
	f = world_stream(e->w, up ? TRANSFER : 0, up ? 0 : TRANSFER);
	while ((up ? f->far : f->near).received < TRANSFER && engine_now(e) < from + 120 * LOOP_SECOND)
		engine_run(e, 100 * LOOP_MS);
	until = engine_now(e);
	took = until - from;
	engine_run(e, 3 * LOOP_SECOND);
	tally_add(&t, up ? &m->up : &m->down, from, until);
	lossy_counts(e->lossy, &c);
	r.p50 = tally_percentile(&t, 50);
	r.p99 = tally_percentile(&t, 99);
	r.late = tally_late(&t, BASE + 35 * LOOP_MS);
	r.lost = tally_lost(&t);
	r.share = 100 * TRANSFER / ((double)took / 1e6 * (BYTES_2MBIT - AUDIO_WIRE));
	r.waiting = c.way[!up].most_waiting;
	assert_true(world_stream_right(f));
	tally_fini(&t);
	media_free(m);
	engine_free(e);
	return r;
}

static void beside_a_transfer(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 4; i++) {
		struct transfer r = transfer(i & 1, false, i & 2 ? LOSSY_RENO : LOSSY_BBR);

		print_message("5 MB %s, %s: audio p50 %.1f, p99 %.1f ms, late %.2f %%, lost %.2f %%; transfer %.0f %% of the rest; at most "
			      "%zu bytes on the path\n", i & 1 ? "up" : "down", i & 2 ? "Reno" : "BBR", r.p50, r.p99, r.late, r.lost,
			      r.share, r.waiting);
		assert_true(r.p99 <= 25 + 60);
		assert_true(r.lost <= 0.1);
		assert_true(r.share >= 80);
	}
}

/* ---- more video than passes ---- */

/* 1.5 Mbit/s of video and a call over 1 Mbit/s with a deep buffer: the call does not notice, and the video that comes is in
 * time and whole. */
static void too_much(bool up)
{
	struct lossy_way way = { .delay_us = BASE, .rate = 125000, .buffer = 1 << 20 };
	struct engine *e = engine_new(&(struct engine_options){ .link.way = { way, way } });
	struct media *audio = media_new(e->w, e->party[0].session, &(struct media_options){ 0 });
	struct tally a = { 0 }, v = { 0 };
	struct media *video;
	struct media_way *way_of_video;
	double whole, torn;
	int64_t from;

	engine_run(e, 2 * LOOP_SECOND);
	video = media_new(e->w, e->party[0].session,
			  &(struct media_options){ .kind = MEDIA_VIDEO, .silent_up = !up, .silent_down = up });
	engine_run(e, 3 * LOOP_SECOND);
	from = engine_now(e);
	engine_run(e, 30 * LOOP_SECOND);
	media_stop(audio);
	media_stop(video);
	engine_run(e, 3 * LOOP_SECOND);
	way_of_video = up ? &video->up : &video->down;
	tally_add(&a, up ? &audio->up : &audio->down, from, INT64_MAX);
	tally_add(&v, way_of_video, from, INT64_MAX);
	media_frames(way_of_video, from, INT64_MAX, &whole, &torn);
	print_message("%s: audio p50 %.1f, p99 %.1f ms, lost %.2f %%; video p50 %.1f, most %.1f ms, lost %.1f %%; frames: whole %.1f %%, "
		      "torn %.1f %%\n", up ? "up" : "down", tally_percentile(&a, 50), tally_percentile(&a, 99), tally_lost(&a),
		      tally_percentile(&v, 50), tally_percentile(&v, 100), tally_lost(&v), whole, torn);
	assert_true(tally_percentile(&a, 50) <= 25 + 25);
	assert_true(tally_percentile(&a, 99) <= 25 + 45);
	assert_true(tally_lost(&a) <= 0.1);
	assert_true(tally_percentile(&v, 100) <= 25 + 400 + 60);
	assert_true(whole >= 40);
	assert_true(torn <= 8);
	tally_fini(&a);
	tally_fini(&v);
	media_free(audio);
	media_free(video);
	engine_free(e);
}

static void too_much_video(void **state)
{
	(void)state;
	too_much(true);
	too_much(false);
}

/* ---- stalls ---- */

/* The connection that a call is on. */
static struct stream *busiest(struct engine *e)
{
	struct stream *s[SESSION_CARRIERS_MAX], *found = NULL;
	uint64_t before[SESSION_CARRIERS_MAX], best = 0;
	unsigned n = lossy_streams(e->lossy, s, SESSION_CARRIERS_MAX);

	for (unsigned i = 0; i < n; i++)
		before[i] = lossy_bytes(s[i]);
	engine_run(e, 500 * LOOP_MS);
	for (unsigned i = 0; i < n; i++)
		if (lossy_bytes(s[i]) - before[i] > best) {
			best = lossy_bytes(s[i]) - before[i];
			found = s[i];
		}
	return found;
}

/* One of two connections stands still for a second: what was on it is sent again as soon as that can be known, and what
 * comes then does not notice. */
static void one_connection_stalls(void **state)
{
	double slowest[2];

	(void)state;
	for (unsigned single = 0; single < 2; single++) {
		struct lossy_way way = { .delay_us = BASE };
		struct engine *e = engine_new(&(struct engine_options){ .link.way = { way, way }, .carriers = single ? 1 : 2 });
		struct media *m = media_new(e->w, e->party[0].session, &(struct media_options){ 0 });
		struct tally during = { 0 }, detected = { 0 };

		engine_run(e, 15 * LOOP_SECOND);
		for (unsigned i = 0; i < 5; i++) {
			struct stream *s = busiest(e);
			int64_t from = engine_now(e);

			assert_non_null(s);
			lossy_hold(s, true);
			engine_run(e, LOOP_SECOND);
			lossy_hold(s, false);
			engine_run(e, 6 * LOOP_SECOND);
			tally_add(&during, &m->up, from - BASE, from + LOOP_SECOND);
			tally_add(&during, &m->down, from - BASE, from + LOOP_SECOND);
			tally_add(&detected, &m->up, from + 2 * ROUND, from + LOOP_SECOND);
			tally_add(&detected, &m->down, from + 2 * ROUND, from + LOOP_SECOND);
		}
		slowest[single] = most(tally_percentile(&during, 100), tally_lost(&during) > 0 ? 1000 : 0);
		print_message("%u connections: slowest %.1f ms (lost %.2f %%), two round trips into the stall %.1f ms\n", single ? 1 : 2,
			      tally_percentile(&during, 100), tally_lost(&during), tally_percentile(&detected, 100));
		if (!single) {
			assert_true(tally_percentile(&detected, 100) <= (BASE + ROUND + 20 * LOOP_MS) / 1000.0);
			assert_true(tally_lost(&detected) <= 0);
		}
		tally_fini(&during);
		tally_fini(&detected);
		media_free(m);
		engine_free(e);
	}
	assert_true(slowest[0] <= (BASE + 2 * ROUND + 40 * LOOP_MS) / 1000.0);
	assert_true(slowest[1] > slowest[0]);
}

/* Nothing passes for ten seconds. What waits is bounded, nothing comes that is older than its deadline, and what is fresh
 * comes in time at once. */
static void everything_stalls(void **state)
{
	static const int64_t deadline[2] = { 200 * LOOP_MS, 400 * LOOP_MS };
	struct lossy_way way = { .delay_us = BASE, .rate = 1250000 };
	struct engine *e = engine_new(&(struct engine_options){ .link.way = { way, way } });
	struct media *m[2];
	struct stream_flow *f;
	uint64_t packets, bytes, worst = 0;
	struct lossy_counts c;
	int64_t from, until;

	(void)state;
	for (unsigned i = 0; i < 2; i++)
		m[i] = media_new(e->w, e->party[0].session, &(struct media_options){ .kind = i ? MEDIA_VIDEO : MEDIA_AUDIO });
	engine_run(e, 10 * LOOP_SECOND);
	f = world_stream(e->w, 0, 20000000);
	engine_run(e, 2 * LOOP_SECOND);
	from = engine_now(e);
	until = from + 10 * LOOP_SECOND;
	for (unsigned i = 0; i < 2; i++) {
		lossy_way(e->lossy, i)->stall_from_us = from;
		lossy_way(e->lossy, i)->stall_until_us = until;
	}
	while (engine_now(e) < until) {
		engine_run(e, 100 * LOOP_MS);
		engine_waiting(e, &packets, &bytes);
		worst = bytes > worst ? bytes : worst;
	}
	lossy_counts(e->lossy, &c);
	engine_run(e, 20 * LOOP_SECOND);
	print_message("10 s of nothing: %u kB of datagrams wait at most, %u kB on the path up, %u kB down\n", (unsigned)(worst / 1000),
		      (unsigned)(c.way[0].most_waiting / 1000), (unsigned)(c.way[1].most_waiting / 1000));
	assert_true(worst <= 2 * (1500000 / 8 * 4 / 10 + 8600 / 5) * 3 / 2);
	for (unsigned i = 0; i < 4; i++) {
		struct media_way *w = i & 2 ? &m[i & 1]->down : &m[i & 1]->up;
		struct tally t = { 0 }, after = { 0 };

		tally_add(&t, w, from, until);
		tally_add(&after, w, until + LOOP_SECOND, INT64_MAX);
		print_message("%s %s: slowest %.0f ms, later p99 %.1f ms, lost %.2f %%\n", i & 1 ? "video" : "audio", i & 2 ? "down" : "up",
			      tally_percentile(&t, 100), tally_percentile(&after, 99), tally_lost(&after));
		assert_true(tally_percentile(&t, 100) <= (double)(BASE + deadline[i & 1] + 60 * LOOP_MS) / 1e3);
		assert_true(tally_percentile(&after, 99) <= (double)(BASE + 60 * LOOP_MS) / 1e3);
		assert_true(tally_lost(&after) <= 0.5);
		tally_fini(&t);
		tally_fini(&after);
	}
	assert_true(world_stream_right(f));
	for (unsigned i = 0; i < 2; i++)
		media_free(m[i]);
	engine_free(e);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(beside_a_transfer),
		cmocka_unit_test(too_much_video),
		cmocka_unit_test(one_connection_stalls),
		cmocka_unit_test(everything_stalls),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
