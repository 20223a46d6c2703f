// links: tests/sim/world.c tests/sim/world_flow.c tests/sim/proxy.c tests/sim/relay*.c tests/lib/stream_mem.c framing/*.c tunnel/*.c
/* libs: -lwslay -lev -lhttp_parser -lnghttp2 -lssl -lcrypto -lconfuse -lcares -lm */
/* valgrind: left to the sanitizers, it would take an hour */
/*
 * Simulations of paths that cut connections by age, by bytes and by silence: once a cut was
 * learned nothing is missing any more, calls and streams go on as if there were none, and the
 * budget of connections is kept at any instant.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/lib/seeds.h"
#include "tests/sim/world.h"
#include "tunnel/log.h"

#define DELAY (10 * LOOP_MS)
#define DIAL (40 * LOOP_MS)
#define TRIP (2 * DELAY)
#define EVERY (20 * LOOP_MS)	/* a packet each way */
#define PIECE 10000		/* bytes of the streams, each way, each 10 packets */

static const struct relay_options options = { .delay_us = DELAY, .dial_us = DIAL };

/* day: exchanges that an idle day may cost on streaming rungs, and by polls of 20 s. */
static const struct {
	const char *name;
	struct relay_behaviour behaviour;
	unsigned day, day_of_polls;
} paths[] = {
	{ "cut at 10 s", { .cut_age_us = 10 * LOOP_SECOND }, 11500, 14500 },
	{ "cut at 1 MB", { .cut_bytes = 1000000 }, 160, 4500 },
	{ "cut at 5 s of silence", { .cut_idle_us = 5 * LOOP_SECOND }, 160, 23000 },
	{ "cut at 5 s of silence up", { .cut_idle_up_us = 5 * LOOP_SECOND }, 22500, 23000 },
	{ "cut at 5 s of silence down", { .cut_idle_down_us = 5 * LOOP_SECOND }, 160, 23000 },
	{ "no hold above 5 s", { .max_hold_us = 5 * LOOP_SECOND }, 160, 23000 },
	{ "all of it", { .cut_age_us = 10 * LOOP_SECOND, .cut_bytes = 1000000, .cut_idle_us = 5 * LOOP_SECOND }, 11500, 23000 },
};
static const char *const rung_names[] = { "duplex", "split", "split+fill", "push", "push+sse", "push+pad", "poll" };

#define PATHS (sizeof paths / sizeof *paths)
#define RUNGS (sizeof rung_names / sizeof *rung_names)

struct run {
	struct world *w;
	struct lane *lane;
	struct stream_flow *f;
	struct datagram_flow *d;
	unsigned packets;
	int64_t gap_up, gap_down; /* the longest since the first cut was learned */
};

static void begin(struct run *r, const char *rung, const struct relay_behaviour *b, unsigned limit)
{
	memset(r, 0, sizeof *r);
	log_setup(LOG_LEVEL_ERROR, false);
	r->w = world_new(17, false);
	r->lane = world_relay_lane(r->w, rung, &options, limit);
	relay_set(r->lane->relay, b);
	assert_true(world_connect(r->w, 10 * LOOP_SECOND));
	r->w->no_auto_finish = true;
	r->f = world_stream(r->w, PIECE, PIECE);
	r->d = world_datagram(r->w);
}

static void talk(struct run *r, int64_t us, bool streams)
{
	for (int64_t t = 0; t < us; t += EVERY) {
		bool known = r->lane->cuts.learned_us != 0;

		if (streams && r->packets % 10 == 0) {
			world_stream_feed(&r->f->near, PIECE);
			world_stream_feed(&r->f->far, PIECE);
		}
		world_send(&r->d->near, 172);
		world_send(&r->d->far, 172);
		r->packets++;
		world_run(r->w, EVERY);
		if (!known)	/* the one that taught it cost what it cost, and a moment more */
			r->d->near.gap_us = r->d->far.gap_us = 0;
	}
}

static void report(const struct run *r, const char *path, unsigned limit)
{
	struct relay_counts counts;

	relay_counts(r->lane->relay, &counts);
	print_message("%-10s limit %u, %-26s: %3u cuts, gap up %3d ms, down %3d ms, late up %3d, down %3d ms, lost %u %u of %u, "
		      "peak %u, %u exchanges, failed %u\n", r->lane->rung->name, limit, path, counts.cut,
		      (int)(r->d->far.gap_us / LOOP_MS), (int)(r->d->near.gap_us / LOOP_MS),
		      (int)(r->d->far.slowest_us / LOOP_MS), (int)(r->d->near.slowest_us / LOOP_MS),
		      r->packets - r->d->far.received, r->packets - r->d->near.received, r->packets, counts.peak,
		      counts.exchanges, r->lane->failed);
}

static void a_call(const char *rung, unsigned path, unsigned limit, enum relay_over over, int64_t bound)
{
	struct relay_behaviour b = paths[path].behaviour;
	struct relay_counts counts;
	struct run r;

	b.max_connections = over == RELAY_REFUSE ? limit : 2;
	b.over = over;
	begin(&r, rung, &b, limit);
	world_run(r.w, LOOP_SECOND);
	talk(&r, 90 * LOOP_SECOND, true);
	report(&r, paths[path].name, limit);
	relay_counts(r.lane->relay, &counts);
	assert_true(counts.peak <= limit);
	assert_true(r.d->far.gap_us <= bound);
	assert_true(r.d->near.gap_us <= bound);
	assert_true(r.d->far.received + 10 >= r.packets && r.d->near.received + 10 >= r.packets);	/* before it was learned */
	assert_int_equal(r.lane->failed, 0);
	world_end(r.w, r.f, r.d);
}

static void calls(void **state)
{
	(void)state;
	for (unsigned i = 0; i < RUNGS; i++)
		for (unsigned k = 0; k < PATHS; k++)
			if (seeds_case(i + k))
				a_call(rung_names[i], k, 6, RELAY_REFUSE, TRIP + 50 * LOOP_MS);
}

/* Two connections: what is replaced has to go first, and packets wait for less than two exchanges. */
static void calls_on_two(void **state)
{
	(void)state;
	for (unsigned i = 0; i < RUNGS; i++)
		for (unsigned k = 0; k < PATHS; k++)
			if (seeds_case(i + k))
				a_call(rung_names[i], k, 2, RELAY_REFUSE, 2 * (TRIP + DIAL) + EVERY);
}

static void calls_on_two_that_queue(void **state)
{
	(void)state;
	for (unsigned i = 0; i < RUNGS; i++)
		for (unsigned k = 0; k < PATHS; k++)
			if (seeds_case(i + k))
				a_call(rung_names[i], k, 6, RELAY_QUEUE, 2 * (TRIP + DIAL) + EVERY);
}

/* ---- idleness ---- */

/* A day in which nothing is said: what it costs, and that a call finds its way at the end of it. */
static void a_day(const char *rung, unsigned path)
{
	struct relay_counts before, after;
	struct run r;

	begin(&r, rung, &paths[path].behaviour, 6);
	talk(&r, 2 * LOOP_SECOND, true);
	world_run(r.w, 60 * LOOP_SECOND);
	relay_counts(r.lane->relay, &before);
	world_run(r.w, 24 * 3600 * LOOP_SECOND);
	relay_counts(r.lane->relay, &after);
	r.packets = r.d->near.received = r.d->far.received = 0;
	r.d->near.slowest_us = r.d->far.slowest_us = 0;
	talk(&r, 2 * LOOP_SECOND, true);
	print_message("%-10s %-26s: a day costs %5u exchanges, %5u cuts; keepalive %4d ms; then %u up, %u down of %u, late up %3d, down %3d ms, failed %u\n",
		      rung, paths[path].name, after.exchanges - before.exchanges, after.cut - before.cut,
		      (int)(cuts_keepalive_us(&r.lane->cuts, 8 * LOOP_SECOND) / LOOP_MS), r.d->far.received,
		      r.d->near.received, r.packets, (int)(r.d->far.slowest_us / LOOP_MS),
		      (int)(r.d->near.slowest_us / LOOP_MS), r.lane->failed);
	assert_true(after.exchanges - before.exchanges <= (strcmp(rung, "poll") ? paths[path].day : paths[path].day_of_polls));
	assert_true(after.cut - before.cut <= 12);	/* what was learned is tried again now and then */
	assert_int_equal(r.lane->failed, 0);
	assert_true(r.d->far.received + 2 >= r.packets && r.d->near.received + 2 >= r.packets);
	assert_true(r.d->far.slowest_us <= DELAY + TRIP + DIAL && r.d->near.slowest_us <= DELAY + TRIP + DIAL);
	world_end(r.w, r.f, r.d);
}

static void days(void **state)
{
	(void)state;
	for (unsigned i = 0; i < RUNGS; i++)
		for (unsigned k = 0; k < PATHS; k++)
			if (seeds_case(i + k))
				a_day(rung_names[i], k);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(calls),
		cmocka_unit_test(calls_on_two),
		cmocka_unit_test(calls_on_two_that_queue),
		cmocka_unit_test(days),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
