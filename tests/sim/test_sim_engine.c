// links: client/ladder*.c client/survey*.c client/fleet*.c tests/sim/engine*.c tests/sim/media.c tests/sim/lossy*.c tests/sim/splice.c tests/sim/world.c tests/sim/world_flow.c tests/sim/proxy.c tests/sim/relay.c tests/sim/relay_way.c tests/sim/relay_flow.c tests/sim/relay_dress.c tests/lib/stream_mem.c framing/*.c tunnel/*.c
/* libs: -lwslay -lev -lhttp_parser -lnghttp2 -lssl -lcrypto -lconfuse -lcares -lm */
/*
 * Simulations of the real-time engine: calls over paths that lose packets. Each case runs with the
 * engine as it is by default and with one carrier and no second copies, and the latter must miss the
 * bound that the former keeps.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/sim/engine.h"

#define SEEDS 6
#define LATER (35 * LOOP_MS)	/* than the base: late */
#define BEYOND (150 * LOOP_MS)
#define BASE (25 * LOOP_MS)

/* At most; 0: not asked for. */
struct bounds {
	double late, beyond;	/* % */
	double p99;		/* ms above the base */
	double bytes;		/* times those of one carrier */
};

/* single is to miss it. */
static void hold(const char *name, const struct engine_case *c, const struct bounds *b)
{
	int64_t base = (c->changes ? c->then : c->way).delay_us + c->behind.delay_us;
	struct engine_result one, all;

	engine_measure(&one, c, true, SEEDS);
	engine_measure(&all, c, false, SEEDS);
	print_message("%s\n", name);
	engine_tell("  single", &one, base);
	engine_tell("  engine", &all, base);
	print_message("  bytes %.2f x\n", all.kilobytes / one.kilobytes);
	assert_true(engine_late(&all, base + LATER) <= b->late);
	assert_true(engine_late(&one, base + LATER) > b->late);
	if (b->beyond > 0)
		assert_true(engine_late(&all, BEYOND) <= b->beyond);
	if (b->p99 > 0)
		assert_true(engine_percentile(&all, 99) <= (double)base / 1e3 + b->p99);
	assert_true(all.kilobytes <= b->bytes * one.kilobytes);
	assert_true(one.carriers == 1);
	if (!c->rung || strcmp(c->rung, "poll") != 0)	/* which has one with many exchanges */
		assert_true(all.carriers > 1);
	engine_result_fini(&one);
	engine_result_fini(&all);
}

static void the_table(void **state)
{
	static const struct row {
		const char *name;
		int64_t delay_ms;
		double loss, begin, end;
		uint64_t rate;
		unsigned calls;
		struct bounds bounds;
	} rows[] = {
		{ "25 ms, 1 %", 25, 0.01, 0, 0, 0, 1, { 0.1, 0.02, 25, 2.5 } },
		{ "25 ms, 2 %", 25, 0.02, 0, 0, 0, 1, { 0.2, 0.05, 25, 2.5 } },
		{ "25 ms, 5 %", 25, 0.05, 0, 0, 0, 1, { 0.6, 0.3, 0, 2.5 } },
		{ "25 ms, bursts 2 %", 25, 0, 0.0068, 0.333, 0, 1, { 1.5, 0.2, 0, 2.5 } },
		{ "75 ms, 2 %", 75, 0.02, 0, 0, 0, 1, { 0.5, 0.3, 0, 2.5 } },
		{ "25 ms, 2 %, ten calls", 25, 0.02, 0, 0, 0, 10, { 0.6, 0.2, 0, 2.5 } },
		{ "300 kbit/s, 1 %", 25, 0.01, 0, 0, 37500, 1, { 2, 2, 0, 2.5 } },
	};

	(void)state;
	for (unsigned i = 0; i < sizeof rows / sizeof *rows; i++) {
		const struct row *row = &rows[i];
		struct engine_case c = { .calls = row->calls };

		c.way = (struct lossy_way){ .delay_us = row->delay_ms * LOOP_MS, .loss = row->loss, .burst_begin = row->begin,
					    .burst_end = row->end, .rate = row->rate, .buffer = row->rate ? 100000 : 0 };
		hold(row->name, &c, &row->bounds);
	}
}

/* No loss: it costs next to nothing, neither bytes nor time. */
static void clean_path(void **state)
{
	struct engine_case c = { .way.delay_us = BASE };
	struct engine_result one, all;

	(void)state;
	engine_measure(&one, &c, true, 1);
	engine_measure(&all, &c, false, 1);
	engine_tell("single", &one, BASE);
	engine_tell("engine", &all, BASE);
	assert_true(all.kilobytes <= 1.1 * one.kilobytes);
	assert_true(engine_percentile(&all, 50) <= engine_percentile(&one, 50));
	assert_true(engine_percentile(&all, 100) <= engine_percentile(&one, 100) + 1);
	assert_true(engine_late(&all, MEDIA_LOST - 1) <= 0);
	assert_false(all.redundancy.on);
	engine_result_fini(&one);
	engine_result_fini(&all);
}

/* It begins in the middle of a call that went well: all that is late until second copies are there counts. */
static void loss_begins(void **state)
{
	struct engine_case c = { .way.delay_us = BASE, .then = { .delay_us = BASE, .loss = 0.02 }, .changes = true };

	(void)state;
	hold("30 s clean, then 2 %", &c, &(struct bounds){ 0.6, 0.1, 25, 2.5 });
}

static void one_way(void **state)
{
	struct engine_case c = { .way = { .delay_us = BASE, .loss = 0.02 }, .media.silent_down = true };

	(void)state;
	hold("one way, 2 %", &c, &(struct bounds){ 0.4, 0.1, 25, 2.5 });
}

static void by_turns(void **state)
{
	struct engine_case c = { .way = { .delay_us = BASE, .loss = 0.02 }, .media.talk_us = 1200 * LOOP_MS,
				 .media.pause_us = 1000 * LOOP_MS };

	(void)state;
	hold("by turns, 2 %", &c, &(struct bounds){ 0.6, 0.2, 25, 2.5 });
}

/* A kernel that cannot be tuned for sparse connections. */
static void untuned(void **state)
{
	struct engine_case c = { .way = { .delay_us = BASE, .loss = 0.02 }, .untuned = true };

	(void)state;
	hold("untuned, 2 %", &c, &(struct bounds){ 0.6, 0.3, 30, 2.5 });
}

/* A proxy in the middle: loss before it, and behind it. What a connection repairs behind the proxy its sender here cannot see. */
static void through_a_proxy(void **state)
{
	struct lossy_way clean = { .delay_us = BASE / 2 }, lossy = { .delay_us = BASE / 2, .loss = 0.02 };
	struct engine_case before = { .way = lossy, .behind = clean }, behind = { .way = clean, .behind = lossy };

	(void)state;
	hold("proxy behind 2 %", &before, &(struct bounds){ 0.3, 0.1, 25, 2.5 });
	hold("proxy before 2 %", &behind, &(struct bounds){ 0.3, 0.1, 25, 2.5 });
}

/* Where the path needs more connections for a carrier, or one carrier has many. */
static void other_rungs(void **state)
{
	static const struct {
		const char *rung;
		struct bounds bounds;
	} rows[] = { { "split", { 0.6, 0.3, 0, 2.5 } }, { "push", { 0.6, 0.2, 0, 2.5 } }, { "poll", { 0.4, 0.2, 0, 2.5 } } };

	(void)state;
	for (unsigned i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct engine_case c = { .way = { .delay_us = BASE, .loss = 0.02 }, .rung = rows[i].rung };

		hold(rows[i].rung, &c, &rows[i].bounds);
	}
}

static void bursts_in_time(void **state)
{
	struct engine_case c = { .way = { .delay_us = BASE, .burst_us = 40 * LOOP_MS, .between_us = 2000 * LOOP_MS } };

	(void)state;
	hold("bursts of 40 ms, 2 %", &c, &(struct bounds){ 2.6, 0.5, 0, 2.5 });
}

/* Second copies end 30 s behind the last loss, and with them what they cost. */
static void loss_ends(void **state)
{
	struct lossy_way bad = { .delay_us = BASE, .loss = 0.02 }, good = { .delay_us = BASE };
	struct engine *e = engine_new(&(struct engine_options){ .link.way = { bad, bad } });
	struct media *m = media_new(e->w, e->party[0].session, &(struct media_options){ 0 });
	struct redundancy_stats helper, server;
	uint64_t while_on, while_off;
	unsigned carriers;

	(void)state;
	engine_run(e, 20 * LOOP_SECOND);
	engine_redundancy(e->party[0].session, &helper);
	engine_redundancy(engine_server(e, 0), &server);
	assert_true(helper.on && server.on);
	carriers = engine_carriers(&e->party[0]);
	*lossy_way(e->lossy, LOSSY_UP) = *lossy_way(e->lossy, LOSSY_DOWN) = good;
	while_on = engine_bytes(e);
	engine_run(e, 20 * LOOP_SECOND);
	while_on = engine_bytes(e) - while_on;
	engine_redundancy(e->party[0].session, &helper);
	engine_redundancy(engine_server(e, 0), &server);
	assert_true(helper.on && server.on);
	engine_run(e, 25 * LOOP_SECOND);
	engine_redundancy(e->party[0].session, &helper);
	engine_redundancy(engine_server(e, 0), &server);
	assert_false(helper.on || server.on);
	while_off = engine_bytes(e);
	engine_run(e, 20 * LOOP_SECOND);
	while_off = engine_bytes(e) - while_off;
	print_message("20 s: %u kB with copies (%u carriers), %u kB without (%u)\n", (unsigned)(while_on / 1000), carriers,
		      (unsigned)(while_off / 1000), engine_carriers(&e->party[0]));
	assert_true(while_off * 3 < while_on * 2);
	assert_true(engine_carriers(&e->party[0]) < carriers);
	media_free(m);
	engine_free(e);
}

/* Two helpers share the path and do not harm each other. */
static void two_sessions(void **state)
{
	struct lossy_way way = { .delay_us = BASE, .loss = 0.02 };
	struct engine *e = engine_new(&(struct engine_options){ .link.way = { way, way }, .seed = 5 });
	struct media *m[2];
	int64_t from;

	(void)state;
	engine_add(e);
	from = engine_now(e);
	for (unsigned i = 0; i < 2; i++)
		m[i] = media_new(e->w, e->party[i].session, &(struct media_options){ 0 });
	engine_run(e, 120 * LOOP_SECOND);
	for (unsigned i = 0; i < 2; i++)
		media_stop(m[i]);
	engine_run(e, LOOP_SECOND);
	for (unsigned i = 0; i < 2; i++) {
		struct tally t = { 0 };

		tally_add(&t, &m[i]->up, from, INT64_MAX);
		tally_add(&t, &m[i]->down, from, INT64_MAX);
		print_message("session %u: late %.3f %%, p99 %.1f ms\n", i, tally_late(&t, BASE + LATER), tally_percentile(&t, 99));
		assert_true(t.n > 11000 && tally_late(&t, BASE + LATER) <= 0.3);
		tally_fini(&t);
		media_free(m[i]);
	}
	engine_free(e);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_table),
		cmocka_unit_test(clean_path),
		cmocka_unit_test(loss_begins),
		cmocka_unit_test(one_way),
		cmocka_unit_test(by_turns),
		cmocka_unit_test(untuned),
		cmocka_unit_test(through_a_proxy),
		cmocka_unit_test(other_rungs),
		cmocka_unit_test(bursts_in_time),
		cmocka_unit_test(loss_ends),
		cmocka_unit_test(two_sessions),
	};

	const struct CMUnitTest both[] = {
		cmocka_unit_test(clean_path), cmocka_unit_test(loss_begins), cmocka_unit_test(through_a_proxy), cmocka_unit_test(other_rungs),
	};
	int failed = cmocka_run_group_tests_name("HTTP/1.1", tests, NULL, NULL);

	world_http2 = true;
	return failed + cmocka_run_group_tests_name("HTTP/2", both, NULL, NULL);
}
