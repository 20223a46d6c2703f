// links: tests/sim/relay.c tests/sim/relay_way.c tests/sim/relay_flow.c tests/sim/relay_dress.c tests/sim/relay_rig.c tests/lib/stream_mem.c framing/*.c tunnel/h1*.c tunnel/course.c tunnel/loop.c tunnel/log.c tunnel/counters.c
/* libs: -lwslay -lev -lhttp_parser -lnghttp2 -lm */
/*
 * The relay does what its switches say: the real HTTP engines on both sides, bodies in pieces,
 * and when each piece came.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "framing/error.h"
#include "tests/sim/relay_rig.h"

static void passes(void **state)
{
	struct rig *r = rig_new();
	struct call *c = rig_run_one(r, 10 * LOOP_SECOND);
	struct relay_counts n;

	(void)state;
	assert_true(arrivals_prompt(&r->got[0], &r->up));
	assert_true(arrivals_prompt(&c->in, &r->answer));
	assert_int_equal(c->status, 200);
	assert_int_equal(arrivals_when(&c->in, 1) - r->got[0].end_at, DELAY);
	assert_true(c->idle && c->keep);
	rig_call_again(c);		/* on the same connection */
	rig_run(r, 10 * LOOP_SECOND);
	assert_true(arrivals_prompt(&r->got[1], &r->up));
	relay_counts(r->relay, &n);
	assert_int_equal(n.exchanges, 2);
	assert_int_equal(n.made, 1);
	assert_int_equal(n.peak, 1);
	rig_free(r);
}

static void passes_both_at_once(void **state)
{
	struct rig *r = rig_new();
	struct call *c;

	(void)state;
	r->early = true;
	c = rig_run_one(r, 10 * LOOP_SECOND);
	assert_true(arrivals_prompt(&r->got[0], &r->up));
	assert_true(arrivals_prompt(&c->in, &r->answer));
	assert_true(arrivals_when(&c->in, 1) < r->got[0].end_at);
	rig_free(r);
}

static void complete_bodies_keep_their_length(void **state)
{
	struct rig *r = rig_new();
	struct call *c;

	(void)state;
	r->up.streamed = r->answer.streamed = false;
	c = rig_run_one(r, LOOP_SECOND);
	assert_int_equal(r->got_length[0], 500);
	assert_int_equal(arrivals_total(&r->got[0]), 500);
	assert_int_equal(arrivals_total(&c->in), 500);
	assert_true(c->idle);
	rig_free(r);
}

static void holds(void **state)
{
	struct rig *r = rig_new();
	struct call *c;

	(void)state;
	r->b.hold_up = r->b.hold_down = true;
	c = rig_run_one(r, 10 * LOOP_SECOND);
	assert_true(arrivals_whole(&r->got[0], &r->up));
	assert_int_equal(r->got_length[0], 500);	/* it is known by then */
	assert_true(arrivals_whole(&c->in, &r->answer));
	assert_true(arrivals_when(&c->in, 1) - r->got[0].end_at >= 800 * LOOP_MS);
	rig_free(r);
}

static void holds_but_for_a_type(void **state)
{
	struct rig *r = rig_new();
	struct call *c;

	(void)state;
	r->b.hold_down = true;
	r->b.free_type = "text/event-stream";
	c = rig_run_one(r, 10 * LOOP_SECOND);
	assert_true(arrivals_whole(&c->in, &r->answer));
	r->type = "Content-Type: text/event-stream\r\n";
	rig_call_again(c);
	rig_run(r, 10 * LOOP_SECOND);
	assert_true(arrivals_prompt(&c->in, &r->answer));
	rig_free(r);
}

static void holds_what_is_first(void **state)
{
	struct rig *r = rig_new();
	struct call *c;

	(void)state;
	r->b.first_up = 250;
	r->b.first_down = 150;
	c = rig_run_one(r, 10 * LOOP_SECOND);
	assert_int_equal(arrivals_when(&r->got[0], 1), arrivals_when(&r->got[0], 300));
	assert_int_equal(arrivals_when(&r->got[0], 400) - arrivals_when(&r->got[0], 300), r->up.gap_us);
	assert_int_equal(arrivals_when(&c->in, 1), arrivals_when(&c->in, 200));
	assert_int_equal(arrivals_when(&c->in, 300) - arrivals_when(&c->in, 200), r->up.gap_us);
	rig_free(r);
}

static void passes_in_steps(void **state)
{
	struct rig *r = rig_new();
	struct call *c;

	(void)state;
	r->b.step_up = r->b.step_down = 128;
	c = rig_run_one(r, 10 * LOOP_SECOND);
	assert_int_equal(r->got[0].total[0], 128);
	assert_int_equal(r->got[0].total[1], 256);
	assert_int_equal(r->got[0].total[2], 384);
	assert_int_equal(r->got[0].total[3], 500);	/* at its end */
	assert_int_equal(arrivals_when(&c->in, 128) - r->got[0].end_at, 200 * LOOP_MS + DELAY);
	assert_int_equal(arrivals_total(&c->in), 500);
	rig_free(r);
}

static void trickles(void **state)
{
	struct rig *r = rig_new();
	struct call *c;

	(void)state;
	r->b.trickle_up = r->b.trickle_down = true;
	r->up.gap_us = r->answer.gap_us = 5 * LOOP_SECOND;
	c = rig_run_one(r, 60 * LOOP_SECOND);
	assert_int_equal(r->got[0].total[0], 1);
	assert_int_equal(r->got[0].total[1], 2);
	assert_int_equal(r->got[0].at[1] - r->got[0].at[0], 10 * LOOP_SECOND);
	assert_int_equal(arrivals_when(&r->got[0], 10), r->got[0].end_at);
	assert_int_equal(arrivals_total(&r->got[0]), 500);
	assert_int_equal(c->in.total[0], 1);
	assert_int_equal(arrivals_total(&c->in), 500);
	rig_free(r);
}

static void changes_in_mid_run(void **state)
{
	struct rig *r = rig_new();
	int64_t at;

	(void)state;
	r->up.pieces = r->answer.pieces = 20;
	r->early = true;
	r->b.hold_up = r->b.hold_down = true;
	rig_run_one(r, LOOP_SECOND);
	assert_int_equal(r->got[0].n, 0);
	memset(&r->b, 0, sizeof r->b);
	at = loop_now(r->loop);
	relay_set(r->relay, &r->b);
	rig_run(r, LOOP_SECOND);
	assert_int_equal(arrivals_when(&r->got[0], 1), at);
	assert_true(arrivals_total(&r->call[0].in) >= 500);
	r->b.hold_up = r->b.hold_down = true;
	relay_set(r->relay, &r->b);
	rig_run(r, 100 * LOOP_MS);	/* what was on its way */
	at = (int64_t)arrivals_total(&r->call[0].in);
	rig_run(r, LOOP_SECOND);
	assert_int_equal(arrivals_total(&r->call[0].in), at);
	rig_run(r, 10 * LOOP_SECOND);
	assert_int_equal(arrivals_total(&r->call[0].in), 2000);
	assert_int_equal(arrivals_total(&r->got[0]), 2000);
	rig_free(r);
}

static void answers_behind_the_request(void **state)
{
	struct rig *r = rig_new();
	struct call *c;

	(void)state;
	r->early = true;
	r->b.half_duplex = true;
	c = rig_run_one(r, 10 * LOOP_SECOND);
	assert_true(arrivals_prompt(&r->got[0], &r->up));
	assert_int_equal(arrivals_when(&c->in, 1), r->got[0].end_at + DELAY);
	rig_free(r);
}

static void refuses_chunked(void **state)
{
	struct rig *r = rig_new();
	struct call *c;

	(void)state;
	r->b.refuse_chunked = true;
	c = rig_run_one(r, 5 * LOOP_SECOND);
	assert_int_equal(c->status, 411);
	assert_int_equal(r->requests, 0);
	r->up.streamed = false;
	c = rig_call(r, 1);
	rig_run(r, 5 * LOOP_SECOND);
	assert_int_equal(c->status, 200);
	rig_free(r);
}

static void limits_bodies(void **state)
{
	struct rig *r = rig_new();
	struct call *c;

	(void)state;
	r->b.body_limit = 350;
	c = rig_run_one(r, 5 * LOOP_SECOND);
	assert_int_equal(c->status, 413);
	assert_true(c->connection_over);
	r->up.pieces = 3;
	c = rig_call(r, 1);
	rig_run(r, 5 * LOOP_SECOND);
	assert_int_equal(c->status, 200);
	rig_free(r);
}

static void ends_behind_each_answer(void **state)
{
	struct rig *r = rig_new();
	struct call *c;

	(void)state;
	r->b.one_exchange = true;
	c = rig_run_one(r, 5 * LOOP_SECOND);
	assert_int_equal(c->status, 200);
	assert_false(c->keep);
	assert_int_equal(c->error, 0);
	assert_true(c->connection_over);
	rig_free(r);
}

static void speaks_http10(void **state)
{
	struct rig *r = rig_new();
	struct call *c;

	(void)state;
	r->b.http10 = true;
	assert_int_equal(rig_run_one(r, 5 * LOOP_SECOND)->status, 411);
	r->up.streamed = false;
	c = rig_call(r, 1);
	rig_run(r, 5 * LOOP_SECOND);
	assert_int_equal(c->status, 200);
	assert_int_equal(c->minor, 0);
	assert_int_equal(r->got_minor[0], 0);
	assert_true(arrivals_prompt(&c->in, &r->answer));	/* until the connection ends */
	assert_true(c->closed && c->error == 0 && c->connection_over);
	r->up.streamed = r->b.hold_up = r->b.hold_down = true;
	relay_set(r->relay, &r->b);
	c = rig_call(r, 2);
	rig_run(r, 5 * LOOP_SECOND);
	assert_int_equal(c->status, 200);
	assert_true(arrivals_whole(&c->in, &r->answer));
	rig_free(r);
}

static void refuses_connections(void **state)
{
	struct rig *r = rig_new();
	struct relay_counts n;

	(void)state;
	r->b.max_connections = 2;
	rig_run_one(r, 0);
	rig_call(r, 1);
	rig_call(r, 2);
	rig_run(r, 500 * LOOP_MS);
	relay_counts(r->relay, &n);
	assert_int_equal(n.open, 2);
	assert_int_equal(n.peak, 3);	/* what was tried */
	assert_int_equal(n.refused, 1);
	assert_true(r->call[2].refused);
	rig_run(r, 10 * LOOP_SECOND);
	http_close(r->call[0].http);
	r->call[0].http = NULL;
	rig_run(r, LOOP_SECOND);
	assert_true(rig_call(r, 3) != NULL);
	rig_run(r, 10 * LOOP_SECOND);
	assert_int_equal(r->call[3].status, 200);
	rig_free(r);
}

static void lets_connections_wait(void **state)
{
	(void)state;
	for (int mute = 0; mute < 2; mute++) {
		struct rig *r = rig_new();
		struct relay_counts n;

		r->b.max_connections = 1;
		r->b.over = mute ? RELAY_MUTE : RELAY_QUEUE;
		r->b.one_exchange = true;
		rig_run_one(r, 0);
		rig_call(r, 1);
		rig_run(r, LOOP_SECOND);
		assert_int_equal(r->call[1].dialled, mute);
		assert_int_equal(r->requests, 1);
		rig_run(r, 10 * LOOP_SECOND);
		assert_int_equal(r->call[0].status, 200);
		assert_int_equal(r->call[1].status, 200);
		assert_true(arrivals_prompt(&r->call[1].in, &r->answer));
		relay_counts(r->relay, &n);
		assert_int_equal(n.waited, 1);
		assert_int_equal(n.peak, 2);
		rig_free(r);
	}
}

static int64_t cut_after(const struct relay_behaviour *b, struct script up, bool early)
{
	struct rig *r = rig_new();
	struct call *c;
	struct relay_counts n;
	int64_t at, began = loop_now(r->loop) + 3 * DELAY;

	r->b = *b;
	r->up = r->answer = up;
	r->early = early;
	c = rig_run_one(r, 60 * LOOP_SECOND);
	relay_counts(r->relay, &n);
	at = c->closed && c->error == ERROR_RESET && n.cut == 1 ? c->over_at - began : -1;
	rig_free(r);
	return at;
}

static void cuts(void **state)
{
	struct script steady = { true, 50, 100, 200 * LOOP_MS }, rare = { true, 3, 100, 5 * LOOP_SECOND };
	int64_t at;

	(void)state;
	assert_int_equal(cut_after(&(struct relay_behaviour){ .cut_age_us = 4 * LOOP_SECOND }, steady, true), 4 * LOOP_SECOND);
	at = cut_after(&(struct relay_behaviour){ .cut_bytes = 2000 }, steady, true);
	assert_true(at > 3 * LOOP_SECOND && at < 4 * LOOP_SECOND);
	assert_int_equal(cut_after(&(struct relay_behaviour){ .cut_idle_us = LOOP_SECOND }, steady, false), -1);
	at = cut_after(&(struct relay_behaviour){ .cut_idle_us = 4 * LOOP_SECOND }, rare, false);
	assert_true(at > 4 * LOOP_SECOND && at <= 4 * LOOP_SECOND + 2 * DELAY);
	/* down is silent while up flows */
	assert_int_equal(cut_after(&(struct relay_behaviour){ .cut_idle_down_us = 2 * LOOP_SECOND }, steady, false), 2 * LOOP_SECOND);
	at = cut_after(&(struct relay_behaviour){ .cut_idle_up_us = 2 * LOOP_SECOND }, steady, false);
	assert_true(at > 11 * LOOP_SECOND && at < 13 * LOOP_SECOND);
}

static void ends_idle_connections_in_order(void **state)
{
	struct rig *r = rig_new();
	struct call *c;

	(void)state;
	r->b.cut_idle_us = 3 * LOOP_SECOND;
	c = rig_run_one(r, 10 * LOOP_SECOND);
	assert_int_equal(c->error, 0);
	assert_true(c->connection_over);
	assert_true(c->over_at - c->in.end_at >= 2900 * LOOP_MS);
	rig_free(r);
}

static void does_not_wait_for_ever(void **state)
{
	struct rig *r = rig_new();
	struct call *c;

	(void)state;
	r->b.max_hold_us = 3 * LOOP_SECOND;
	r->hold_us = 8 * LOOP_SECOND;
	c = rig_run_one(r, 20 * LOOP_SECOND);
	assert_int_equal(c->status, 504);
	r->hold_us = 0;
	r->answer.gap_us = 8 * LOOP_SECOND;
	c = rig_call(r, 1);
	rig_run(r, 20 * LOOP_SECOND);
	assert_int_equal(c->status, 200);
	assert_int_equal(c->error, ERROR_RESET);
	rig_free(r);
}

static void replays(void **state)
{
	struct rig *r = rig_new();
	struct call *c;

	(void)state;
	r->up.streamed = r->answer.streamed = false;
	r->b.replay_each = 2;
	c = rig_run_one(r, LOOP_SECOND);
	for (unsigned i = 0; i < 3; i++) {
		rig_call_again(c);
		rig_run(r, LOOP_SECOND);
		assert_int_equal(c->status, 200);
		assert_int_equal(arrivals_total(&c->in), 500);
	}
	assert_int_equal(r->requests, 2);
	rig_free(r);
}

static void repeats(void **state)
{
	struct rig *r = rig_new();
	struct call *c;

	(void)state;
	r->b.repeat_each = 1;
	c = rig_run_one(r, 10 * LOOP_SECOND);
	assert_int_equal(r->requests, 2);
	assert_int_equal(arrivals_total(&r->got[1]), 500);
	assert_true(arrivals_prompt(&c->in, &r->answer));
	rig_free(r);
}

static void shows_a_page(void **state)
{
	struct rig *r = rig_new();
	struct call *c;

	(void)state;
	r->up.streamed = false;
	r->b.page_each = 1;
	c = rig_run_one(r, LOOP_SECOND);
	assert_int_equal(c->status, 200);
	assert_int_equal(c->in.last, '>');
	assert_int_equal(r->requests, 0);
	rig_free(r);
}

static void damages(void **state)
{
	struct rig *r = rig_new();
	struct call *c;

	(void)state;
	r->b.damage_up_each = 1;
	r->b.damage_down_each = 2;
	c = rig_run_one(r, 10 * LOOP_SECOND);
	assert_int_equal(r->got[0].last, 'x' ^ 0x20);
	assert_int_equal(c->in.last, 'x');
	rig_call_again(c);
	rig_run(r, 10 * LOOP_SECOND);
	assert_int_equal(c->in.last, 'x' ^ 0x20);
	rig_free(r);
}

static void is_dead(void **state)
{
	struct rig *r = rig_new();
	struct call *c;

	(void)state;
	c = rig_run_one(r, 500 * LOOP_MS);
	r->b.dead = true;
	relay_set(r->relay, &r->b);
	rig_run(r, 5 * LOOP_SECOND);
	assert_int_equal(c->status, 0);
	r->b.dead = false;
	relay_set(r->relay, &r->b);
	rig_run(r, 5 * LOOP_SECOND);
	assert_int_equal(arrivals_total(&c->in), 500);
	assert_int_equal(arrivals_total(&r->got[0]), 500);
	rig_free(r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(passes),
		cmocka_unit_test(passes_both_at_once),
		cmocka_unit_test(complete_bodies_keep_their_length),
		cmocka_unit_test(holds),
		cmocka_unit_test(holds_but_for_a_type),
		cmocka_unit_test(holds_what_is_first),
		cmocka_unit_test(passes_in_steps),
		cmocka_unit_test(trickles),
		cmocka_unit_test(changes_in_mid_run),
		cmocka_unit_test(answers_behind_the_request),
		cmocka_unit_test(refuses_chunked),
		cmocka_unit_test(limits_bodies),
		cmocka_unit_test(ends_behind_each_answer),
		cmocka_unit_test(speaks_http10),
		cmocka_unit_test(refuses_connections),
		cmocka_unit_test(lets_connections_wait),
		cmocka_unit_test(cuts),
		cmocka_unit_test(ends_idle_connections_in_order),
		cmocka_unit_test(does_not_wait_for_ever),
		cmocka_unit_test(replays),
		cmocka_unit_test(repeats),
		cmocka_unit_test(shows_a_page),
		cmocka_unit_test(damages),
		cmocka_unit_test(is_dead),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
