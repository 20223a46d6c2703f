// links: client/ladder*.c client/survey*.c client/fleet*.c tests/sim/engine*.c tests/sim/gateway.c tests/sim/media.c tests/sim/lossy*.c tests/sim/splice.c tests/sim/world.c tests/sim/world_flow.c tests/sim/proxy.c tests/sim/relay.c tests/sim/relay_way.c tests/sim/relay_flow.c tests/sim/relay_dress.c tests/lib/stream_mem.c framing/*.c tunnel/*.c
/* libs: -lwslay -lev -lhttp_parser -lnghttp2 -lssl -lcrypto -lconfuse -lcares -lm */
/*
 * Simulations of a call beside a download through HTTP/2's windows of 64 KB, which both share: 10 Mbit/s, 100 ms
 * there and back.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/sim/gateway.h"

#define BASE (50 * LOOP_MS)
#define RATE 1250000		/* bytes/s */
#define WINDOW 65535
#define STALL (600 * LOOP_MS)

#define STALLS 3			/* each 5 s */
#define CALM (30 * LOOP_SECOND)	/* and then there is none */

static bool stalls;

struct figures {
	double p50, p99, late, most, lost;	/* of the call, ms and %; late: than the path and 100 ms */
	double kbps, least_kbps;		/* of the download; in the least of its seconds, but the first two */
};

/* The slowest of them but the first two, kbit/s. */
static double run_seconds(struct engine *e, struct stream_flow *f, int64_t seconds)
{
	uint64_t least = UINT64_MAX;

	for (int64_t i = 0; i < seconds; i++) {
		uint64_t before = f->near.received;

		if (stalls && i % 5 == 4 && i / 5 < STALLS)
			for (unsigned way = 0; way < 2; way++) {
				lossy_way(e->behind, way)->stall_from_us = engine_now(e);
				lossy_way(e->behind, way)->stall_until_us = engine_now(e) + STALL;
			}
		engine_run(e, LOOP_SECOND);
		if (i >= 2 && f->near.received - before < least)
			least = f->near.received - before;
	}
	return (double)least * 8 / 1000;
}

static struct engine *begin(enum gateway_manner manner, bool http2)
{
	struct lossy_way near = { .delay_us = LOOP_MS / 10 }, far = { .delay_us = BASE, .rate = RATE, .buffer = RATE / 10 };
	struct engine_options o = { .link.way = { near, near }, .behind.way = { far, far }, .link.unsent = 4096, .behind.unsent = 4096,
				    .between = &gateway };

	world_http2 = http2;
	gateway_manner = manner;
	return engine_new(&o);
}

/* A call of so long, which begins before the download. */
static struct figures beside_download(enum gateway_manner manner, bool http2, int64_t us)
{
	struct figures r = { 0 };
	struct tally t = { 0 };
	struct engine *e;
	struct media *m;
	struct stream_flow *f;
	int64_t from;

	e = begin(manner, http2);
	m = media_new(e->w, e->party[0].session, &(struct media_options){ 0 });
	engine_run(e, 5 * LOOP_SECOND);
	from = engine_now(e) + (stalls ? CALM : 0);
	f = world_stream(e->w, 0, 100000000);
	r.least_kbps = run_seconds(e, f, us / LOOP_SECOND);
	tally_add(&t, &m->down, from, engine_now(e) - LOOP_SECOND);
	tally_add(&t, &m->up, from, engine_now(e) - LOOP_SECOND);
	r.p50 = tally_percentile(&t, 50);
	r.p99 = tally_percentile(&t, 99);
	r.most = tally_percentile(&t, 100);
	r.late = tally_late(&t, BASE + 100 * LOOP_MS);
	r.lost = tally_lost(&t);
	r.kbps = (double)f->near.received * 8e3 / (double)us;
	assert_true(world_stream_right(f) && pool_is_multiplexed(e->party[0].pool) == http2);
	tally_fini(&t);
	media_free(m);
	engine_free(e);
	world_http2 = false;
	return r;
}

/* Each manner: what the windows allow (by halves: half a window in each round trip, while something is left of it; where they come back
 * late: as much as the same download has without a reserve), and what the call has of it. */
static void shared_windows(void **state)
{
	static const struct {
		enum gateway_manner manner;
		const char *name;
		double kbps, late, most; /* ms */
	} cases[] = {
		{ GATEWAY_HALF, "by halves", WINDOW / 2 * 8 / 100.0, 0, 110 },
		{ GATEWAY_SOON, "soon", WINDOW * 8 / 100.0, 0, 110 },
		{ GATEWAY_ALMOST, "behind 7/8", 2333, 0, 130 },
		{ GATEWAY_LAST, "behind all of it", 2201, 4, 250 },	/* nothing can be left to the call there */
	};

	(void)state;
	for (unsigned i = 0; i < 2 * sizeof cases / sizeof *cases; i++) {
		struct figures r = beside_download(cases[i / 2].manner, i % 2, 40 * LOOP_SECOND);

		print_message("given back %s, HTTP/%s: audio p50 %.1f, p99 %.1f, most %.1f ms, late %.2f %%, lost %.2f %%; download %.0f kbit/s, "
			      "at least %.0f in a second\n", cases[i / 2].name, i % 2 ? "2" : "1.1", r.p50, r.p99, r.most, r.late, r.lost, r.kbps,
			      r.least_kbps);
		assert_true(r.p50 <= 55 && r.lost <= 0);
		assert_true(r.late <= cases[i / 2].late && r.most <= cases[i / 2].most);
		assert_true(r.kbps >= 0.8 * cases[i / 2].kbps);
		assert_true(r.least_kbps >= 0.2 * cases[i / 2].kbps);
	}
}

/* The path stands still for longer than anybody waits for a window, some times: the call has its part of it behind that. */
static void behind_stalls(void **state)
{
	struct figures r;

	(void)state;
	stalls = true;
	r = beside_download(GATEWAY_HALF, true, 60 * LOOP_SECOND);
	stalls = false;
	print_message("behind stalls: audio p50 %.1f, p99 %.1f, most %.1f ms; download %.0f kbit/s\n", r.p50, r.p99, r.most, r.kbps);
	assert_true(r.p50 <= 55 && r.most <= 110 && r.lost <= 0);
	assert_true(r.kbps >= 0.6 * WINDOW / 2 * 8 / 100.0);
}

/* A download of that session. */
static struct stream_flow *download(struct engine *e, unsigned party)
{
	struct stream_flow *f;

	e->w->helper = e->party[party].session;
	f = world_stream(e->w, 0, 100000000);
	e->w->helper = e->party[0].session;
	return f;
}

/* Two sessions download, one of them beside its call: each has its part of the one connection. */
static void two_downloads(void **state)
{
	struct engine *e = begin(GATEWAY_HALF, true);
	struct media *m = media_new(e->w, e->party[0].session, &(struct media_options){ 0 });
	struct stream_flow *a, *b;
	struct tally t = { 0 };
	int64_t from;
	double share, late;

	(void)state;
	engine_add(e);
	engine_run(e, 5 * LOOP_SECOND);
	from = engine_now(e);
	a = download(e, 0);
	b = download(e, 1);
	engine_run(e, 40 * LOOP_SECOND);
	tally_add(&t, &m->down, from, engine_now(e) - LOOP_SECOND);
	late = tally_late(&t, BASE + 100 * LOOP_MS);
	share = (double)a->near.received / (double)b->near.received;
	print_message("two downloads: %.0f and %.0f kbit/s; late %.2f %%\n", (double)a->near.received * 8 / 4e4,
		      (double)b->near.received * 8 / 4e4, late);
	assert_true(share > 0.5 && share < 2);
	assert_true((double)(a->near.received + b->near.received) * 8 / 4e4 >= 0.8 * WINDOW / 2 * 8 / 100.0);
	assert_true(late <= 0);
	tally_fini(&t);
	media_free(m);
	engine_free(e);
	world_http2 = false;
}

/* One of two sessions reads nothing any more in the middle of its download: the other one's call does not notice. */
static void one_that_does_not_read(void **state)
{
	struct engine *e = begin(GATEWAY_HALF, true);
	struct media *m = media_new(e->w, e->party[0].session, &(struct media_options){ 0 });
	struct stream *s[2 * SESSION_CARRIERS_MAX];
	unsigned first, n;
	struct stream_flow *f;
	struct tally t = { 0 };
	uint64_t before;
	int64_t from;

	(void)state;
	engine_run(e, 5 * LOOP_SECOND);
	first = lossy_streams(e->lossy, s, 2 * SESSION_CARRIERS_MAX);
	engine_add(e);
	f = download(e, 1);
	engine_run(e, 5 * LOOP_SECOND);
	n = lossy_streams(e->lossy, s, 2 * SESSION_CARRIERS_MAX);
	assert_true(n > first && f->near.received > 500000);
	from = engine_now(e);
	for (unsigned i = first; i < n; i++)
		lossy_hold(s[i], true);
	before = f->near.received;
	engine_run(e, 8 * LOOP_SECOND);
	tally_add(&t, &m->down, from, engine_now(e) - LOOP_SECOND);
	tally_add(&t, &m->up, from, engine_now(e) - LOOP_SECOND);
	print_message("beside one that does not read: p50 %.1f, p99 %.1f, most %.1f ms\n", tally_percentile(&t, 50), tally_percentile(&t, 99),
		      tally_percentile(&t, 100));
	assert_true(f->near.received == before);
	assert_true(tally_percentile(&t, 100) <= 110 && tally_lost(&t) <= 0);
	for (unsigned i = first; i < n; i++)
		lossy_hold(s[i], false);
	engine_run(e, 5 * LOOP_SECOND);
	assert_true(f->near.received > before + 500000 && world_stream_right(f));
	tally_fini(&t);
	media_free(m);
	engine_free(e);
	world_http2 = false;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(shared_windows),
		cmocka_unit_test(behind_stalls),
		cmocka_unit_test(two_downloads),
		cmocka_unit_test(one_that_does_not_read),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
