// links: tests/sim/world.c tests/sim/world_flow.c tests/sim/proxy.c tests/sim/relay.c tests/sim/relay_way.c tests/sim/relay_flow.c tests/sim/relay_dress.c tests/lib/stream_mem.c framing/*.c tunnel/*.c
/* libs: -lwslay -lev -lhttp_parser -lnghttp2 -lssl -lcrypto -lconfuse -lcares -lm */
/*
 * Each rung through a proxy that understands HTTP: those whose needs it meets carry, those that it
 * breaks are not proven, and nothing is lost.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/sim/world.h"

static const struct relay_options relay_10ms = { .delay_us = 10 * LOOP_MS, .dial_us = 40 * LOOP_MS };

static struct world *begin(const char *rung, const struct relay_behaviour *b, unsigned limit)
{
	struct world *w = world_new(5, false);

	relay_set(world_relay_lane(w, rung, &relay_10ms, limit)->relay, b);
	return w;
}

static void carries(const char *rung, const struct relay_behaviour *b, unsigned limit)
{
	struct world *w = begin(rung, b, limit);
	struct stream_flow *f;
	struct datagram_flow *d;

	if (!world_connect(w, 5 * LOOP_SECOND)) {
		print_message("%s: %s\n", rung, w->lane[0].why);
		fail();
	}
	f = world_stream(w, 100000, 200000);
	d = world_datagram(w);
	world_call(w, d, 300, 20 * LOOP_MS, 172);
	world_run(w, 10 * LOOP_SECOND);
	assert_true(world_stream_right(f));
	assert_true(world_stream_done(f));
	assert_int_equal(d->far.wrong + d->near.wrong + d->far.repeated + d->near.repeated, 0);
	assert_int_equal(d->far.received, 300);
	assert_true(d->near.received >= 290);
	assert_int_equal(w->lane[0].failed, 0);
	world_free(w);
}

static void is_not_proven(const char *rung, const struct relay_behaviour *b)
{
	struct world *w = begin(rung, b, 6);

	assert_false(world_connect(w, 10 * LOOP_SECOND));
	assert_int_equal(w->lane[0].proven, 0);
	assert_true(w->lane[0].failed > 0);
	world_free(w);
}

static void clean_path(void **state)
{
	static const struct relay_behaviour clean = { .upgrade = RELAY_PASS };

	(void)state;
	for (const struct rung *r = rungs; r->name; r++)
		carries(r->name, &clean, 6);
}

static void paths_that_hold(void **state)
{
	struct relay_behaviour up = { .hold_up = true }, down = { .hold_down = true };
	struct relay_behaviour both = { .hold_up = true, .hold_down = true }, half = { .half_duplex = true };
	struct relay_behaviour trickle = { .trickle_up = true, .trickle_down = true };

	(void)state;
	is_not_proven("duplex", &up);
	is_not_proven("split", &up);
	carries("push", &up, 6);
	is_not_proven("duplex", &down);
	is_not_proven("split", &down);
	is_not_proven("push", &down);
	carries("poll", &both, 2);
	is_not_proven("duplex", &half);
	carries("split", &half, 3);
	for (const struct rung *r = rungs; strcmp(r->name, "poll") != 0; r++)
		is_not_proven(r->name, &trickle);
	carries("poll", &trickle, 6);
}

static void old_proxies(void **state)
{
	struct relay_behaviour old = { .hold_up = true, .hold_down = true, .http10 = true, .one_exchange = true,
				       .max_connections = 2 };
	struct relay_behaviour no_chunks = { .refuse_chunked = true };

	(void)state;
	carries("poll", &old, 2);
	is_not_proven("duplex", &no_chunks);
	is_not_proven("split", &no_chunks);
	carries("push", &no_chunks, 6);
}

/* What is done to bodies is not done to another protocol, if that passes. */
static void upgrades(void **state)
{
	struct relay_behaviour held = { .hold_up = true, .hold_down = true, .upgrade = RELAY_PASS }, lie = { .upgrade = RELAY_LIE };
	struct relay_behaviour damaged = { .upgrade = RELAY_PASS, .damage_up_each = 2, .damage_down_each = 3 };

	(void)state;
	carries("websocket", &held, 6);
	is_not_proven("websocket", &lie);
	is_not_proven("websocket", &damaged);
}

/* A repeated request is harmless whatever it holds. */
static void repeated_requests(void **state)
{
	struct relay_behaviour b = { .repeat_each = 3 };

	(void)state;
	carries("push", &b, 6);
	carries("poll", &b, 6);
}

/* Fewer connections than the helper hopes for: what goes up does not wait for a held answer, and few attempts are made in vain. */
static void few_connections(void **state)
{
	unsigned in_vain = 0;

	(void)state;
	for (const struct rung *r = rungs; r->name; r++)
		for (unsigned limit = 2; limit <= 5; limit++)
			for (int over = RELAY_REFUSE; over <= RELAY_QUEUE; over++) {
				struct relay_behaviour b = { .max_connections = limit, .over = (enum relay_over)over, .upgrade = RELAY_PASS };
				struct world *w = begin(r->name, &b, 6);
				struct datagram_flow *d;
				struct relay_counts n;

				assert_true(world_connect(w, 5 * LOOP_SECOND));
				d = world_datagram(w);
				world_call(w, d, 500, 20 * LOOP_MS, 172);
				d->near.slowest_us = d->far.slowest_us = 0;
				world_call(w, d, 1500, 20 * LOOP_MS, 172);
				world_run(w, LOOP_SECOND);
				relay_counts(w->lane[0].relay, &n);
				if (d->far.slowest_us > 100 * LOOP_MS || d->far.received < 1980)
					print_message("%s, %u connections, over %d: up %u, slowest %d ms; down %u, slowest %d ms; %u in vain, peak %u\n",
						      r->name, limit, over, d->far.received, (int)(d->far.slowest_us / LOOP_MS),
						      d->near.received, (int)(d->near.slowest_us / LOOP_MS), n.refused + n.waited, n.peak);
				assert_true(d->far.received >= 1980);
				assert_true(d->near.received >= 1970);
				assert_true(d->far.slowest_us <= 100 * LOOP_MS);
				assert_true(n.refused + n.waited <= 6);
				assert_true(n.peak <= 6);
				in_vain += n.refused + n.waited;
				world_free(w);
			}
	assert_true(in_vain > 0);	/* the limit was met */
}

/* A proxy whose word changes in mid-call. Complete requests go again as they are: nothing of them is lost. A streamed one is
 * begun anew, and what it held of datagrams is gone. */
static void the_word_changes(const char *rung, const struct relay_behaviour *b, unsigned limit, unsigned lost_each)
{
	struct world *w = begin(rung, b, limit);
	struct stream_flow *f;
	struct datagram_flow *d;
	struct relay_counts n;

	if (!world_connect(w, 5 * LOOP_SECOND)) {
		print_message("%s: %s\n", rung, w->lane[0].why);
		fail();
	}
	f = world_stream(w, 100000, 200000);
	d = world_datagram(w);
	world_call(w, d, 300, 20 * LOOP_MS, 172);
	world_run(w, 10 * LOOP_SECOND);
	relay_counts(w->lane[0].relay, &n);
	assert_true(n.unauthorized > 1);
	assert_true(world_stream_right(f));
	assert_true(world_stream_done(f));
	assert_int_equal(d->far.wrong + d->near.wrong + d->far.repeated + d->near.repeated, 0);
	assert_in_range(d->far.received, 300 - lost_each * n.unauthorized, 300);
	assert_in_range(d->near.received, 290 - lost_each * n.unauthorized, 300);
	assert_true(d->far.gap_us < 500 * LOOP_MS && d->near.gap_us < 500 * LOOP_MS);
	assert_int_equal(w->lane[0].failed, 0);
	world_free(w);
}

static void words_that_change(void **state)
{
	struct relay_behaviour often = { .nonce_uses = 7 }, old = { .nonce_uses = 20, .hold_up = true, .hold_down = true, .one_exchange = true };
	struct relay_behaviour aged = { .nonce_uses = 5, .cut_age_us = 2 * LOOP_SECOND };

	(void)state;
	the_word_changes("poll", &often, 6, 0);
	the_word_changes("push", &often, 6, 0);
	the_word_changes("poll", &old, 2, 10);	/* the connection ends with the refusal, and what it asked with is lost */
	the_word_changes("split", &aged, 6, 10);
	the_word_changes("duplex", &aged, 6, 10);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(clean_path),
		cmocka_unit_test(paths_that_hold),
		cmocka_unit_test(old_proxies),
		cmocka_unit_test(words_that_change),
		cmocka_unit_test(upgrades),
		cmocka_unit_test(repeated_requests),
		cmocka_unit_test(few_connections),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
