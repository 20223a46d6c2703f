// links: tests/sim/media.c tests/sim/world.c tests/sim/world_flow.c tests/sim/proxy.c tests/sim/relay*.c tests/lib/stream_mem.c framing/*.c tunnel/*.c
/* libs: -lwslay -lev -lhttp_parser -lnghttp2 -lssl -lcrypto -lconfuse -lcares -lm */
/*
 * Simulations of what waits in a session: more video than the path carries beside calls and a transfer, a
 * flood by one of many, and a path that carries nothing for a while. One carrier over a pipe whose small
 * buffer pushes back, so that everything waits here.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "tests/sim/media.h"
#include "tunnel/session_internal.h"

#define DELAY (10 * LOOP_MS)
#define WINDOW 10000		/* bytes under way: 8 Mbit/s */
#define RATE (WINDOW * LOOP_SECOND / DELAY)
#define AUDIO_DEADLINE (200 * LOOP_MS)
#define VIDEO_DEADLINE (400 * LOOP_MS)
#define PORTION (20 * LOOP_MS)	/* the longest that a record takes that is under way */

static void narrow(void *ctx, unsigned connection, struct stream_mem_options *o)
{
	(void)ctx;
	(void)connection;
	o->buffer = WINDOW;
}

static struct world *begin(void)
{
	static const struct proxy_options pipe = { .kind = PROXY_PIPE, .delay_us = DELAY, .dial_us = 2 * DELAY, .script = narrow };
	struct world *w = world_new(5, false);

	w->no_auto_finish = true;
	world_lane(w, "duplex", &pipe, 4);
	assert_true(world_connect(w, 5 * LOOP_SECOND));
	return w;
}

static struct media *media(struct world *w, enum media_kind kind, unsigned kbps)
{
	return media_new(w, w->helper, &(struct media_options){ .kind = kind, .kbps = kbps, .redundancy = REDUNDANCY_NEVER });
}

/* Of the packets of both directions that were born from..until. */
static struct tally tally_of(const struct media *m, int64_t from_us, int64_t until_us)
{
	struct tally t = { 0 };

	tally_add(&t, &m->up, from_us, until_us);
	tally_add(&t, &m->down, from_us, until_us);
	return t;
}

static double percentile(const struct media *m, double p, int64_t from_us, int64_t until_us)
{
	struct tally t = tally_of(m, from_us, until_us);
	double ms = tally_percentile(&t, p);

	tally_fini(&t);
	return ms;
}

static double lost(const struct media *m, int64_t from_us, int64_t until_us)
{
	struct tally t = tally_of(m, from_us, until_us);
	double share = tally_lost(&t);

	tally_fini(&t);
	return share;
}

/* None came later than that. */
static void expect_in_time(const struct media *m, int64_t us)
{
	assert_true(percentile(m, 100, 0, INT64_MAX) <= (double)us / LOOP_MS);
}

static void expect_frames(const struct media_way *way, int64_t from_us, int64_t until_us, double least)
{
	double whole, torn;

	media_frames(way, from_us, until_us, &whole, &torn);
	assert_true(whole >= least);
	assert_true(torn <= 0.2);
}

static uint64_t dropped(struct session *s, enum traffic class)
{
	struct session_stats stats;

	session_stats(s, &stats);
	return stats.class[class].full + stats.class[class].deadline + stats.class[class].frame;
}

static uint64_t waiting(struct session *s, enum traffic class)
{
	struct session_stats stats;

	session_stats(s, &stats);
	return stats.class[class].packets;
}

/* 12 Mbit/s on 8, a call and a transfer: the call as if it were alone, video in time and in whole frames, and the transfer goes on. */
static void above_the_path(bool up)
{
	const struct media_options options = { .kind = MEDIA_VIDEO, .kbps = 12000, .silent_up = !up, .silent_down = up };
	struct world *w = begin();
	struct media *audio = media(w, MEDIA_AUDIO, 0), *video = media_new(w, w->helper, &options);
	struct stream_flow *f = world_stream(w, up ? 100000000 : 0, up ? 0 : 100000000);
	struct end *taker = up ? &f->far : &f->near;
	struct session *sender = up ? w->helper : w->server[0].session;
	int64_t from, until;
	uint64_t before;

	world_run(w, 5 * LOOP_SECOND);
	from = loop_now(w->loop);
	before = taker->received;
	world_run(w, 20 * LOOP_SECOND);
	until = loop_now(w->loop) - LOOP_SECOND;	/* what was born later may be on its way */
	assert_true(percentile(audio, 99, from, until) <= (double)(DELAY + PORTION) / LOOP_MS);
	assert_true(lost(audio, 0, until) == 0);
	expect_in_time(video, VIDEO_DEADLINE + DELAY + PORTION);
	expect_frames(up ? &video->up : &video->down, from, until, 45);
	assert_true(taker->received - before >= 20 * RATE / 20);
	assert_true(dropped(sender, TRAFFIC_VIDEO) > 0);
	assert_int_equal(dropped(sender, TRAFFIC_AUDIO), 0);
	media_free(audio);
	media_free(video);
	world_free(w);
}

static void video_above_the_path(void **state)
{
	(void)state;
	above_the_path(true);
	above_the_path(false);
}

/* One of several channels sends ten times what the path carries: neither calls nor the others of its kind suffer. */
static void one_floods(void **state)
{
	struct world *w = begin();
	struct media *call[3], *quiet = media(w, MEDIA_VIDEO, 500), *flood = media(w, MEDIA_VIDEO, 80000);
	int64_t from, until;

	(void)state;
	for (unsigned i = 0; i < 3; i++)
		call[i] = media(w, MEDIA_AUDIO, 0);
	world_run(w, 5 * LOOP_SECOND);
	from = loop_now(w->loop);
	world_run(w, 20 * LOOP_SECOND);
	until = loop_now(w->loop) - LOOP_SECOND;
	for (unsigned i = 0; i < 3; i++) {
		assert_true(percentile(call[i], 99, from, until) <= (double)(DELAY + PORTION) / LOOP_MS);
		assert_true(lost(call[i], 0, until) == 0);
		media_free(call[i]);
	}
	assert_true(percentile(quiet, 99, from, until) <= (double)(DELAY + 2 * PORTION) / LOOP_MS);
	assert_true(lost(quiet, 0, until) == 0);
	expect_in_time(flood, VIDEO_DEADLINE + DELAY + PORTION);
	media_free(quiet);
	media_free(flood);
	world_free(w);
}

/* How many packets of a direction came that were born from..until. */
static unsigned came(const struct media_way *way, int64_t from_us, int64_t until_us)
{
	unsigned n = 0;

	for (unsigned i = 0; i < way->n; i++)
		n += way->packet[i].born_us >= from_us && way->packet[i].born_us < until_us &&
		     way->packet[i].took_us != MEDIA_LOST;
	return n;
}

static void expect_young(struct session *s)
{
	assert_true(waiting(s, TRAFFIC_AUDIO) <= 11);
	assert_true(waiting(s, TRAFFIC_VIDEO) <= 13 * 6);	/* frames of 6 packets */
}

/* Nothing goes for 10 s: no more waits than is young enough to be of use; then the fresh goes, and none of what is too old. */
static void nothing_goes(void **state)
{
	struct world *w = begin();
	struct media *audio = media(w, MEDIA_AUDIO, 0), *video = media(w, MEDIA_VIDEO, 1500);
	int64_t stalled, again;

	(void)state;
	world_run(w, 5 * LOOP_SECOND);
	world_stall(w, true);
	stalled = loop_now(w->loop);
	for (unsigned i = 0; i < 100; i++) {
		world_run(w, 100 * LOOP_MS);
		world_stall(w, true);	/* new connections, too */
		expect_young(w->helper);
		expect_young(w->server[0].session);
	}
	world_stall(w, false);
	again = loop_now(w->loop);
	world_run(w, 5 * LOOP_SECOND);
	expect_in_time(audio, AUDIO_DEADLINE + DELAY + PORTION);
	expect_in_time(video, VIDEO_DEADLINE + DELAY + PORTION);
	assert_int_equal(came(&audio->up, stalled, again - AUDIO_DEADLINE), 0);
	assert_int_equal(came(&video->down, stalled, again - VIDEO_DEADLINE), 0);
	assert_true(came(&audio->up, again, again + LOOP_SECOND) >= 45);
	assert_true(came(&audio->down, again, again + LOOP_SECOND) >= 45);
	expect_frames(&video->up, again, again + 4 * LOOP_SECOND, 95);
	expect_frames(&video->down, again, again + 4 * LOOP_SECOND, 95);
	media_free(audio);
	media_free(video);
	world_free(w);
}

/* ... and nobody sends any more: what waits goes when its time is over, for its memory is everybody's. */
static void nobody_asks(void **state)
{
	struct world *w = begin();
	struct media *audio = media(w, MEDIA_AUDIO, 0), *video = media(w, MEDIA_VIDEO, 1500);

	(void)state;
	world_run(w, LOOP_SECOND);
	world_stall(w, true);
	world_run(w, LOOP_SECOND);
	media_stop(audio);
	media_stop(video);
	assert_true(waiting(w->helper, TRAFFIC_VIDEO) > 0 && waiting(w->server[0].session, TRAFFIC_AUDIO) > 0);
	world_run(w, 2 * LOOP_SECOND);
	assert_int_equal(w->helper->scheduler.packets + w->server[0].session->scheduler.packets, 0);
	media_free(audio);
	media_free(video);
	world_free(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(video_above_the_path), cmocka_unit_test(one_floods), cmocka_unit_test(nothing_goes),
		cmocka_unit_test(nobody_asks),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
