// links: tests/sim/world.c tests/sim/world_flow.c tests/sim/proxy.c tests/sim/relay.c tests/sim/relay_way.c tests/sim/relay_flow.c tests/sim/relay_dress.c tests/lib/stream_mem.c framing/*.c tunnel/*.c
/* libs: -lwslay -lev -lhttp_parser -lnghttp2 -lssl -lcrypto -lconfuse -lcares -lm */
/*
 * Probes over proxies of known behaviour: what they find is what the proxy does.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "framing/error.h"
#include "tests/sim/world.h"
#include "tunnel/probe.h"

#define DELAY (20 * LOOP_MS)
#define ROUND_TRIP (2 * DELAY)

/* A session that is connected by polls, and the newest result. */
struct rig {
	struct world *w;
	struct probe_result result;
	unsigned results;
};

static const struct probe_plan both_ways = {
	.up_streamed = true, .up_marks = 3, .up_gap_us = 150 * LOOP_MS, .up_size = 64,
	.answer = ANSWER_EARLY, .down_marks = 3, .down_gap_ms = 150, .down_size = 64, .patience_us = 2 * LOOP_SECOND,
};
static const struct probe_plan down_only = {
	.answer = ANSWER_STREAMED, .down_marks = 3, .down_gap_ms = 150, .down_size = 64, .patience_us = 2 * LOOP_SECOND,
};

static void rig_connect(struct rig *rig)
{
	if (!world_connect(rig->w, 5 * LOOP_SECOND))
		fail_msg("no session: %s", rig->w->lane[0].why);
	assert_true(session_has_probes(rig->w->helper));
	world_run(rig->w, LOOP_SECOND);	/* the connections that it wants stand, a poll is parked */
}

static struct rig *rig_new(unsigned limit)
{
	static const struct relay_options o = { .delay_us = DELAY, .dial_us = 3 * DELAY };
	struct rig *rig = calloc(1, sizeof *rig);

	rig->w = world_new(1, false);
	world_relay_lane(rig->w, "poll", &o, limit);
	rig_connect(rig);
	return rig;
}

static struct rig *rig_proxy(const struct proxy_options *o)
{
	struct rig *rig = calloc(1, sizeof *rig);

	rig->w = world_new(1, false);
	world_lane(rig->w, "poll", o, 6);
	rig_connect(rig);
	return rig;
}

static void rig_free(struct rig *rig)
{
	world_free(rig->w);
	free(rig);
}

static void set(struct rig *rig, const struct relay_behaviour *b)
{
	relay_set(rig->w->lane[0].relay, b);
}

static void done(void *ctx, const struct probe_result *r)
{
	struct rig *rig = ctx;

	rig->result = *r;
	rig->results++;
}

static struct probe *start(struct rig *rig, const struct probe_plan *plan, bool modest)
{
	return probe_start(rig->w->helper, &rig->w->path, rig->w->lane[0].pool, modest, plan, done, rig);
}

static const struct probe_result *probe(struct rig *rig, const struct probe_plan *plan)
{
	unsigned before = rig->results;

	start(rig, plan, false);
	assert_int_equal(rig->results, before);
	for (unsigned i = 0; i < 4000 && rig->results == before; i++)
		world_run(rig->w, 5 * LOOP_MS);
	assert_int_equal(rig->results, before + 1);
	return &rig->result;
}

static void expect(struct rig *rig, const char *what, const struct probe_plan *plan, enum finding up, enum finding down,
		   enum finding duplex)
{
	const struct probe_result *r = probe(rig, plan);

	if (probe_up(plan, r) != up || probe_down(plan, r) != down || probe_duplex(plan, r) != duplex)
		fail_msg("%s: up %s, down %s, duplex %s; status %d, error %d %s", what, finding_name(probe_up(plan, r)),
			 finding_name(probe_down(plan, r)), finding_name(probe_duplex(plan, r)), r->status, r->error,
			 r->why);
}

/* ---- what it notes ---- */

static void near_ms(int64_t us, int64_t ms)
{
	assert_in_range(us, ms * LOOP_MS, ms * LOOP_MS + 2 * LOOP_MS);
}

static void everything_is_noted(void **state)
{
	struct proxy_options pipe = { .kind = PROXY_PIPE, .delay_us = DELAY, .dial_us = 3 * DELAY };
	struct rig *rig = rig_proxy(&pipe);
	const struct probe_result *r = probe(rig, &both_ways);

	(void)state;
	assert_int_equal(r->error, 0);
	assert_int_equal(r->status, 200);
	assert_string_equal(r->why, "");
	assert_string_equal(r->page, "");
	assert_int_equal(r->up_sent, 3);
	assert_int_equal(r->up_seen, 3);
	assert_int_equal(r->down_seen, 3);
	assert_true(r->up_intact && r->down_intact && r->reported);
	assert_int_equal(r->x, r->number);
	assert_int_equal(r->copies, 1);
	assert_int_equal(r->version, 11);
	assert_int_equal(r->framing, FRAMING_CHUNKED);
	assert_true(r->body >= 3 * 64);
	assert_int_equal(r->answer_version, 11);
	assert_false(r->answer_close);
	assert_non_null(strstr(r->answer_server, "culvertd"));
	near_ms(r->head_us, 40);
	for (unsigned i = 0; i < 3; i++) {
		near_ms(r->up_sent_us[i], 150 * i);
		near_ms(r->up_told_us[i], 150 * i + 40);
		near_ms(r->down_seen_us[i], 450 + 40 + 150 * i);
	}
	assert_int_equal(r->up_seen_ms[2] - r->up_seen_ms[0], 300);
	assert_int_equal(r->down_sent_ms[2] - r->down_sent_ms[0], 300);
	near_ms(r->up_end_us, 450);
	near_ms(r->end_us, 450 + 40 + 300);
	assert_int_equal(r->up_told_us[3], -1);
	rig_free(rig);
}

static void complete_bodies_are_whole(void **state)
{
	struct probe_plan plan = { .up_marks = 3, .up_fill = 1000, .up_size = 60000, .down_marks = 3, .down_size = 20000,
				   .hold_ms = 700, .pad = 6144, .patience_us = LOOP_SECOND };
	struct proxy_options store = { .kind = PROXY_STORE, .delay_us = DELAY, .one_exchange = true };
	struct rig *rig = rig_proxy(&store);
	const struct probe_result *r = probe(rig, &plan);

	(void)state;
	assert_int_equal(r->error, 0);
	assert_int_equal(r->up_sent, 1);	/* a second one does not fit */
	assert_int_equal(r->up_seen, 1);
	assert_int_equal(r->down_seen, 3);
	assert_true(r->up_intact && r->down_intact);
	assert_int_equal(r->framing, FRAMING_LENGTH);
	assert_true(r->body > 61000);
	assert_int_equal(r->answer_version, 10);
	assert_true(r->answer_close);
	near_ms(r->end_us, 740);
	assert_int_equal(probe_up(&plan, r), FINDING_PASSES);
	assert_int_equal(probe_down(&plan, r), FINDING_PASSES);
	rig_free(rig);
}

/* An exchange with nothing in it, and the largest of everything. */
static void extremes(void **state)
{
	struct probe_plan large = { .up_streamed = true, .up_marks = PROBE_MARKS, .up_gap_us = LOOP_MS, .up_fill = 65536,
				    .up_size = 65000, .answer = ANSWER_STREAMED, .down_marks = PROBE_MARKS, .down_gap_ms = 1,
				    .down_size = 65000, .pad = 6144, .patience_us = 10 * LOOP_SECOND };
	struct probe_plan empty = { .patience_us = LOOP_SECOND };
	struct rig *rig = rig_new(6);
	const struct probe_result *r = probe(rig, &empty);

	(void)state;
	assert_int_equal(r->error, 0);
	near_ms(r->end_us, 40);
	r = probe(rig, &large);
	assert_int_equal(r->error, 0);
	assert_int_equal(r->up_seen, PROBE_MARKS);
	assert_int_equal(r->down_seen, PROBE_MARKS);
	assert_true(r->up_intact && r->down_intact);
	assert_true(r->body > 32 * 65000 + 65536);
	rig_free(rig);
}

/* Who asks for much again and again gets no more than a share of it; what costs nothing is answered as before. */
static void a_share_of_filler(void **state)
{
	static const struct probe_plan greedy[] = {
		{ .answer = ANSWER_STREAMED, .down_marks = PROBE_MARKS, .down_size = 65000, .patience_us = 10 * LOOP_SECOND },
		{ .answer = ANSWER_STREAMED, .down_marks = PROBE_MARKS, .pad = 6144, .patience_us = 10 * LOOP_SECOND },
		{ .up_streamed = true, .answer = ANSWER_EARLY, .up_marks = PROBE_MARKS, .up_gap_us = 50 * LOOP_MS, .pad = 6144,
		  .patience_us = 10 * LOOP_SECOND },
	};

	(void)state;
	for (unsigned k = 0; k < 3; k++) {
		struct rig *rig = rig_new(6);
		int64_t began = loop_now(rig->w->loop);
		uint64_t bytes = 0;
		unsigned n = k == 0 ? 20 : 110;

		for (unsigned i = 0; i < n; i++) {
			bytes += probe(rig, &greedy[k])->bytes_in;
			assert_true(k == 2 || rig->result.error == 0);	/* the answer to one too many may come before its end */
			assert_true(i > 6 || rig->result.down_seen + rig->result.up_seen == PROBE_MARKS);
		}
		assert_in_range(bytes, 15 << 20, 17 << 20);
		assert_true(rig->result.down_seen + rig->result.up_seen < 8);
		expect(rig, "no filler", &(struct probe_plan){ .answer = ANSWER_STREAMED, .down_marks = 3, .down_gap_ms = 150,
			.patience_us = LOOP_SECOND }, FINDING_PASSES, FINDING_PASSES, FINDING_UNKNOWN);
		world_run(rig->w, began + 601 * LOOP_SECOND - loop_now(rig->w->loop));
		assert_int_equal(probe(rig, &greedy[k])->down_seen + rig->result.up_seen, PROBE_MARKS);
		rig_free(rig);
	}
}

/* ---- what it finds ---- */

static void findings(void **state)
{
	static const struct {
		const char *what;
		struct relay_behaviour b;
		enum finding up, down, duplex;
	} cases[] = {
		{ "clean", { 0 }, FINDING_PASSES, FINDING_PASSES, FINDING_PASSES },
		{ "half duplex", { .half_duplex = true }, FINDING_PASSES, FINDING_PASSES, FINDING_HELD },
		{ "up held", { .hold_up = true }, FINDING_HELD, FINDING_PASSES, FINDING_HELD },
		{ "down held", { .hold_down = true }, FINDING_PASSES, FINDING_HELD, FINDING_HELD },
		{ "both held", { .hold_up = true, .hold_down = true }, FINDING_HELD, FINDING_HELD, FINDING_HELD },
		{ "first up", { .first_up = 16384 }, FINDING_HELD, FINDING_PASSES, FINDING_HELD },
		{ "first down", { .first_down = 16384 }, FINDING_PASSES, FINDING_HELD, FINDING_HELD },
		{ "steps down", { .step_down = 4096 }, FINDING_PASSES, FINDING_HELD, FINDING_HELD },
		{ "trickle up", { .trickle_up = true }, FINDING_HELD, FINDING_PASSES, FINDING_HELD },
		{ "trickle down", { .trickle_down = true }, FINDING_PASSES, FINDING_HELD, FINDING_HELD },
		{ "411", { .refuse_chunked = true }, FINDING_REFUSED, FINDING_REFUSED, FINDING_REFUSED },
		{ "413", { .body_limit = 50 }, FINDING_REFUSED, FINDING_REFUSED, FINDING_REFUSED },
		{ "page", { .page_each = 1 }, FINDING_UNKNOWN, FINDING_UNKNOWN, FINDING_UNKNOWN },
		{ "up damaged", { .damage_up_each = 1 }, FINDING_DAMAGED, FINDING_PASSES, FINDING_DAMAGED },
		{ "dead", { .dead = true }, FINDING_UNKNOWN, FINDING_UNKNOWN, FINDING_UNKNOWN },
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct rig *rig = rig_new(6);

		set(rig, &cases[i].b);
		expect(rig, cases[i].what, &both_ways, cases[i].up, cases[i].down, cases[i].duplex);
		rig_free(rig);
	}
}

/* What a rung can do about it. */
static void remedies(void **state)
{
	struct rig *rig = rig_new(6);
	struct probe_plan plan = down_only;

	(void)state;
	set(rig, &(struct relay_behaviour){ .refuse_chunked = true });
	expect(rig, "without chunks", &plan, FINDING_PASSES, FINDING_PASSES, FINDING_UNKNOWN);
	set(rig, &(struct relay_behaviour){ .step_down = 4096 });
	expect(rig, "unpadded", &plan, FINDING_PASSES, FINDING_HELD, FINDING_UNKNOWN);
	plan.pad = 4096;
	expect(rig, "padded", &plan, FINDING_PASSES, FINDING_PASSES, FINDING_UNKNOWN);
	set(rig, &(struct relay_behaviour){ .hold_down = true, .free_type = "text/event-stream" });
	expect(rig, "octet-stream", &plan, FINDING_PASSES, FINDING_HELD, FINDING_UNKNOWN);
	plan.event_stream = true;
	expect(rig, "event-stream", &plan, FINDING_PASSES, FINDING_PASSES, FINDING_UNKNOWN);
	set(rig, &(struct relay_behaviour){ .first_up = 16384 });
	plan = both_ways;
	expect(rig, "not filled", &plan, FINDING_HELD, FINDING_PASSES, FINDING_HELD);
	plan.up_fill = 16384;
	expect(rig, "filled", &plan, FINDING_PASSES, FINDING_PASSES, FINDING_PASSES);
	rig_free(rig);
}

static void damage_down(void **state)
{
	struct probe_plan plan = { .down_marks = 1, .down_size = 1000, .patience_us = LOOP_SECOND };
	struct rig *rig = rig_new(6);

	(void)state;
	expect(rig, "as it was", &plan, FINDING_PASSES, FINDING_PASSES, FINDING_UNKNOWN);
	set(rig, &(struct relay_behaviour){ .damage_down_each = 1 });
	expect(rig, "altered", &plan, FINDING_PASSES, FINDING_DAMAGED, FINDING_DAMAGED);
	assert_int_equal(rig->result.down_seen, 1);
	rig_free(rig);
}

static enum proxy_fault fault;

static enum proxy_fault with_fault(void *ctx, unsigned exchange)
{
	(void)ctx, (void)exchange;
	return fault;
}

/* A proxy that takes whole messages; what it holds, and what it answers by itself. */
static void stored(void **state)
{
	struct proxy_options store = { .kind = PROXY_STORE, .delay_us = DELAY, .dial_us = DELAY, .fault = with_fault };
	struct probe_plan plan = { .hold_ms = 100, .patience_us = LOOP_SECOND };
	struct rig *rig;

	(void)state;
	fault = FAULT_NONE;
	rig = rig_proxy(&store);
	expect(rig, "stored", &plan, FINDING_PASSES, FINDING_PASSES, FINDING_UNKNOWN);
	expect(rig, "chunked", &both_ways, FINDING_REFUSED, FINDING_REFUSED, FINDING_REFUSED);
	assert_int_equal(rig->result.status, 411);
	fault = FAULT_502;
	expect(rig, "502", &plan, FINDING_REFUSED, FINDING_REFUSED, FINDING_REFUSED);
	assert_int_equal(rig->result.error, ERROR_HTTP);
	assert_string_equal(rig->result.page, "<html>no</html>");
	assert_non_null(strstr(rig->result.why, "502"));
	fault = FAULT_HTML;
	expect(rig, "page", &plan, FINDING_UNKNOWN, FINDING_UNKNOWN, FINDING_UNKNOWN);
	assert_string_equal(rig->result.page, "<html>accept our terms</html>");
	fault = FAULT_LOSE_ANSWER;
	expect(rig, "lost", &plan, FINDING_REFUSED, FINDING_REFUSED, FINDING_REFUSED);
	assert_int_equal(rig->result.status, 0);
	rig_free(rig);
}

/* A refusal in the middle of a request ends the connection, and says nothing of how long those live. */
static void refusals_are_no_cuts(void **state)
{
	static const struct relay_behaviour refusing[] = {
		{ .refuse_chunked = true }, { .body_limit = 100 }, { .page_each = 1 },
	};
	struct probe_plan empty = { .patience_us = LOOP_SECOND }, up = both_ways;

	(void)state;
	up.answer = ANSWER_COMPLETE;
	for (unsigned k = 0; k < 3; k++) {
		struct rig *rig = rig_new(6);
		const struct cuts *cuts = &rig->w->lane[0].cuts;

		for (unsigned i = 0; i < 10; i++) {
			for (unsigned j = 0; j < 8; j++) {	/* the connection that is taken next gets old */
				probe(rig, &empty);
				world_run(rig->w, 500 * LOOP_MS);
			}
			set(rig, &refusing[k]);
			probe(rig, k == 1 ? &up : &both_ways);
			assert_true(rig->result.error < 0);
			set(rig, &(struct relay_behaviour){ 0 });
		}
		if (cuts->count)
			fail_msg("%u: %u cuts, age %.1f s; %d %s", k, cuts->count, (double)cuts->seen.age_us / 1e6, rig->result.status, rig->result.why);
		rig_free(rig);
	}
}

static void repeats_are_counted(void **state)
{
	struct proxy_options store = { .kind = PROXY_STORE, .delay_us = DELAY, .dial_us = DELAY, .fault = with_fault };
	struct probe_plan plan = { .patience_us = LOOP_SECOND };
	struct rig *rig;

	(void)state;
	fault = FAULT_NONE;
	rig = rig_proxy(&store);
	assert_int_equal(probe(rig, &plan)->copies, 1);
	fault = FAULT_TWICE;
	assert_int_equal(probe(rig, &plan)->copies, 2);
	assert_int_equal(rig->result.error, 0);
	rig_free(rig);
}

static void replays_are_seen(void **state)
{
	struct probe_plan plan = { .patience_us = LOOP_SECOND, .down_marks = 1 };
	struct rig *rig = rig_new(6);
	uint64_t first = 0;

	(void)state;
	set(rig, &(struct relay_behaviour){ .replay_each = 2 });
	for (unsigned i = 0; i < 4 && (i == 0 || rig->result.x == rig->result.number); i++) {
		first = rig->result.number;
		probe(rig, &plan);
	}
	assert_true(rig->result.reported);
	assert_int_equal(rig->result.x, first);
	assert_int_equal(rig->result.down_seen, 0);
	assert_int_equal(probe_down(&plan, &rig->result), FINDING_UNKNOWN);
	rig_free(rig);
}

static void old_proxies_are_told(void **state)
{
	struct rig *rig = rig_new(6);

	(void)state;
	set(rig, &(struct relay_behaviour){ .http10 = true });
	probe(rig, &down_only);
	assert_int_equal(rig->result.version, 10);
	assert_true(rig->result.answer_close);
	assert_int_equal(probe_down(&down_only, &rig->result), FINDING_PASSES);
	rig_free(rig);
}

/* ---- its life ---- */

static void gives_up(void **state)
{
	struct probe_plan plan = { .patience_us = 300 * LOOP_MS, .hold_ms = 1000 };
	struct rig *rig = rig_new(6);
	int64_t before;

	(void)state;
	set(rig, &(struct relay_behaviour){ .dead = true });
	before = loop_now(rig->w->loop);
	probe(rig, &plan);
	assert_int_equal(rig->result.error, ERROR_TIMEOUT);
	assert_string_equal(rig->result.why, "no answer came in time");
	assert_in_range(loop_now(rig->w->loop) - before, 1300 * LOOP_MS, 1310 * LOOP_MS);
	rig_free(rig);
}

/* A modest one never takes the last connection. */
static void waits_for_a_connection(void **state)
{
	struct probe_plan plan = { .patience_us = LOOP_SECOND };
	static const struct relay_behaviour one = { .max_connections = 1 }, any = { 0 };
	struct rig *rig = rig_new(2);
	int64_t before = loop_now(rig->w->loop);

	(void)state;
	set(rig, &one);	/* a held poll has it */
	world_run(rig->w, 6 * LOOP_SECOND);	/* the free one is given up */
	start(rig, &plan, true);
	world_run(rig->w, 14 * LOOP_SECOND);
	assert_int_equal(rig->results, 0);
	world_run(rig->w, 2 * LOOP_SECOND);
	assert_int_equal(rig->results, 1);
	assert_int_equal(rig->result.error, ERROR_TIMEOUT);
	assert_int_equal(rig->result.number, 0);
	assert_int_equal(probe_down(&plan, &rig->result), FINDING_UNKNOWN);
	assert_true(loop_now(rig->w->loop) > before);
	set(rig, &any);
	assert_int_equal(probe(rig, &plan)->error, 0);
	rig_free(rig);
}

static void cancelled_in_any_state(void **state)
{
	struct rig *rig = rig_new(6);
	struct pool *pool = rig->w->lane[0].pool;

	(void)state;
	for (int64_t at = -1; at < 900; at += 7) {
		struct probe *p = start(rig, &both_ways, false);

		if (at >= 0)
			world_run(rig->w, at * LOOP_MS);
		if (rig->results)	/* it was over before */
			break;
		probe_cancel(p);
		world_run(rig->w, 500 * LOOP_MS);
		assert_true(pool_free_count(pool) > 0 || pool_open_count(pool) < 6);
	}
	assert_int_equal(rig->results, 1);
	assert_int_equal(rig->result.error, 0);
	rig_free(rig);
}

static void told_when_the_server_forgot(void **state)
{
	struct probe_plan plan = { .patience_us = LOOP_SECOND };
	struct rig *rig = rig_new(6);

	(void)state;
	world_restart(rig->w);
	probe(rig, &plan);
	assert_int_equal(rig->result.error, ERROR_GONE);
	assert_int_equal(probe_down(&plan, &rig->result), FINDING_UNKNOWN);
	rig_free(rig);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(everything_is_noted),
		cmocka_unit_test(complete_bodies_are_whole),
		cmocka_unit_test(extremes), cmocka_unit_test(a_share_of_filler),
		cmocka_unit_test(findings),
		cmocka_unit_test(remedies),
		cmocka_unit_test(damage_down),
		cmocka_unit_test(stored),
		cmocka_unit_test(refusals_are_no_cuts), cmocka_unit_test(repeats_are_counted),
		cmocka_unit_test(replays_are_seen),
		cmocka_unit_test(old_proxies_are_told),
		cmocka_unit_test(gives_up),
		cmocka_unit_test(waits_for_a_connection),
		cmocka_unit_test(cancelled_in_any_state),
		cmocka_unit_test(told_when_the_server_forgot),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
