// links: tests/sim/world.c tests/sim/world_flow.c tests/sim/proxy.c tests/sim/relay.c tests/sim/relay_way.c tests/sim/relay_flow.c tests/sim/relay_dress.c tests/lib/stream_mem.c framing/*.c tunnel/*.c
/* libs: -lwslay -lev -lhttp_parser -lnghttp2 -lssl -lcrypto -lconfuse -lcares -lm */
/*
 * Simulations of what sessions promise: idleness, restarts, credit, half-close, resets,
 * caps, and a second carrier taking over.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "framing/capsule.h"
#include "tests/sim/world.h"
#include "tunnel/session_internal.h"
#include "tunnel/counters.h"

static const struct proxy_options pipe_10ms = { .kind = PROXY_PIPE, .delay_us = 10 * LOOP_MS, .dial_us = 40 * LOOP_MS };
static const struct proxy_options store_10ms = { .kind = PROXY_STORE, .delay_us = 10 * LOOP_MS, .dial_us = 40 * LOOP_MS,
						 .max_connections = 2, .one_exchange = true };

static struct world *world_with(const char *rung, const struct proxy_options *o)
{
	struct world *w = world_new(11, false);

	world_lane(w, rung, o, 4);
	assert_true(world_connect(w, 5 * LOOP_SECOND));
	return w;
}

/* Ten idle minutes: a poll each 20 s, or one streamed answer with its PADs and nothing else. */
static void idle(void **state)
{
	(void)state;
	for (const struct rung *r = rungs; r->name; r++) {
		struct world *w = world_with(r->name, strcmp(r->name, "poll") ? &pipe_10ms : &store_10ms);
		unsigned requests;
		uint64_t records;

		world_run(w, 30 * LOOP_SECOND);
		requests = w->requests;
		records = counted(records_out);
		world_run(w, 600 * LOOP_SECOND);
		requests = w->requests - requests;
		records = counted(records_out) - records;
		print_message("%s: %u exchanges, %u records in ten idle minutes\n", r->name, requests, (unsigned)records);
		if (strcmp(r->name, "poll") == 0) {
			assert_in_range(requests, 25, 31);
			assert_in_range(records, 50, 62);	/* one each way */
		} else if (r->up == r->down) {
			assert_int_equal(requests, 1);		/* it is replaced each ten minutes */
			assert_in_range(records, 140, 240);	/* a PING each 8 s, its PONG, a receipt */
		} else {
			assert_int_equal(requests, 1);
			assert_int_equal(records, 0);		/* top-level PADs only */
		}
		assert_true(session_is_open(w->helper));
		assert_int_equal(w->lane[0].failed, 0);
		world_free(w);
	}
}

static void restart(void **state)
{
	(void)state;
	for (const struct rung *r = rungs; r->name; r++) {
		struct world *w = world_with(r->name, &pipe_10ms);
		struct stream_flow *f = world_stream(w, 5000, 5000);
		struct datagram_flow *d = world_datagram(w);

		w->no_auto_finish = true;
		world_call(w, d, 10, 20 * LOOP_MS, 172);
		world_restart(w);
		world_run(w, 30 * LOOP_SECOND);
		assert_true(w->helper_ended);
		assert_int_equal(w->helper_code, CODE_EPOCH);
		assert_true(f->near.closed && d->near.closed);
		assert_int_equal(d->near.code, CODE_SESSION_LOST);
		world_free(w);
	}
}

static void half_close(void **state)
{
	(void)state;
	for (const struct rung *r = rungs; r->name; r++) {
		struct world *w = world_with(r->name, &pipe_10ms);
		struct stream_flow *f = world_stream(w, 1000, 0);

		f->far.total = 400000;	/* the server goes on long after the helper has ended its half */
		f->far.finish_sent = true;
		for (unsigned i = 0; i < 20; i++) {
			world_run(w, LOOP_SECOND);
			assert_int_equal(f->near.closed, false);
		}
		assert_true(f->far.finish_seen);
		assert_false(f->near.finish_seen);
		channel_finish(f->far.channel);
		world_run(w, 5 * LOOP_SECOND);
		assert_true(world_stream_done(f));
		world_free(w);
	}
}

static void reset(void **state)
{
	(void)state;
	for (const struct rung *r = rungs; r->name; r++) {
		struct world *w = world_with(r->name, &pipe_10ms);
		struct stream_flow *f = world_stream(w, 3000000, 3000000), *g = world_stream(w, 50000, 50000);
		struct session_stats stats;

		f->far.close_after = 100000;
		world_run(w, 10 * LOOP_SECOND);
		assert_true(f->near.closed);
		assert_int_equal(f->near.code, CODE_LOCAL_RESET);
		assert_true(world_stream_done(g));
		session_stats(w->helper, &stats);
		assert_int_equal(stats.channels, 0);
		session_stats(w->server[0].session, &stats);
		assert_int_equal(stats.channels, 0);
		world_free(w);
	}
}

/* A reader that stops takes no more than its window, and holds up nobody else. */
static void slow_reader(void **state)
{
	(void)state;
	for (const struct rung *r = rungs; r->name; r++) {
		struct world *w = world_with(r->name, &pipe_10ms);
		struct stream_flow *f = world_stream(w, 5000000, 0), *g = world_stream(w, 200000, 200000);

		f->far.take = 1000;
		world_run(w, 20 * LOOP_SECOND);
		assert_int_equal(f->far.received, 1000);
		assert_true(f->near.sent <= 1000 + 2 * (uint64_t)w->config.channel_window);
		assert_true(world_stream_done(g));
		world_stream_resume(&f->far, UINT64_MAX);
		world_run(w, 60 * LOOP_SECOND);
		assert_true(world_stream_done(f));
		assert_true(world_stream_right(f));
		world_free(w);
	}
}

static void refusal(void **state)
{
	struct world *w = world_with("duplex", &pipe_10ms);
	struct stream_flow *f;
	struct datagram_flow *d;
	struct session_stats stats;

	(void)state;
	w->refuse = CODE_UNKNOWN_SERVICE;
	f = world_stream(w, 1000, 0);
	d = world_datagram(w);
	world_run(w, LOOP_SECOND);
	assert_true(f->near.closed && d->near.closed);
	assert_int_equal(f->near.code, CODE_UNKNOWN_SERVICE);
	assert_int_equal(d->near.code, CODE_UNKNOWN_SERVICE);
	session_stats(w->server[0].session, &stats);
	assert_int_equal(stats.channels, 0);
	world_free(w);
}

/* A second carrier takes over while the first still works: nothing is lost in between. */
static void take_over(void **state)
{
	struct world *w = world_with("poll", &store_10ms);
	struct stream_flow *f = world_stream(w, 400000, 400000);
	struct datagram_flow *d = world_datagram(w);

	(void)state;
	world_call(w, d, 100, 20 * LOOP_MS, 172);
	world_lane(w, "split", &pipe_10ms, 4);
	world_call(w, d, 100, 20 * LOOP_MS, 172);
	assert_int_equal(w->lane[1].proven, 1);
	carrier_free(w->lane[0].carrier);
	w->lane[0].carrier = NULL;
	world_call(w, d, 100, 20 * LOOP_MS, 172);
	world_run(w, 10 * LOOP_SECOND);
	assert_true(world_stream_done(f));
	assert_true(world_stream_right(f));
	assert_int_equal(d->far.repeated + d->near.repeated + d->far.wrong + d->near.wrong, 0);
	assert_true(d->far.received >= 295);	/* at most what was on the polls under way */
	assert_true(d->near.received >= 285);
	world_free(w);
}

/* An expired server session answers GONE, and a tombstone stays. */
static void expiry(void **state)
{
	struct world *w = world_with("poll", &store_10ms);
	struct carrier *c = w->lane[0].carrier;

	(void)state;
	carrier_free(c);
	w->lane[0].carrier = NULL;
	world_run(w, 40 * LOOP_SECOND);
	assert_non_null(w->server[0].session);
	world_run(w, 20 * LOOP_SECOND);
	assert_null(w->server[0].session);
	assert_true(w->server[0].ended);
	world_lane(w, "duplex", &pipe_10ms, 4);
	world_run(w, 2 * LOOP_SECOND);
	assert_true(w->helper_ended);
	assert_int_equal(w->helper_code, CODE_ENDED);
	world_free(w);
}

static void bye(void **state)
{
	(void)state;
	for (const struct rung *r = rungs; r->name; r++) {
		struct world *w = world_with(r->name, &pipe_10ms);

		world_run(w, 50 * LOOP_MS);	/* what is under way arrives */
		w->requests = 0;
		session_bye(w->helper, CODE_SHUTDOWN, "the helper stops");
		world_run(w, 300 * LOOP_MS);
		if (w->requests > 2)	/* it says so, and asks for nothing more */
			fail_msg("%s: %u requests after the end", r->name, w->requests);
		assert_null(w->server[0].session);
		assert_true(w->server[0].ended);
		world_free(w);

		w = world_with(r->name, &pipe_10ms);
		world_stream(w, 0, 0);
		world_run(w, LOOP_SECOND);
		session_bye(w->server[0].session, CODE_SHUTDOWN, "the server stops");
		world_run(w, 300 * LOOP_MS);
		assert_true(w->helper_ended);
		assert_int_equal(w->helper_code, CODE_SHUTDOWN);
		world_free(w);
	}
}

/* The server's words are shown to people: terminals must not obey them. */
static void reasons_are_harmless(void **state)
{
	struct world *w = world_with("duplex", &pipe_10ms);

	(void)state;
	session_bye(w->server[0].session, CODE_SHUTDOWN, "a\033[2J\r\n\xc2\x9b" "c\x9d\x7f gr\xc3\xbc\xc3\x9f" "e \xe2\x82\xac");
	world_run(w, 300 * LOOP_MS);
	assert_true(w->helper_ended);
	assert_string_equal(w->helper->ended_reason, "a?[2J????c?? gr\xc3\xbc\xc3\x9f" "e \xe2\x82\xac");
	world_free(w);
}

/* After GOAWAY no new channels are opened here, and the old ones go on to their end. */
static void goaway(void **state)
{
	(void)state;
	for (const struct rung *r = rungs; r->name; r++) {
		struct world *w = world_with(r->name, &pipe_10ms);
		struct stream_flow *f = world_stream(w, 200000, 200000);
		struct datagram_flow *d = world_datagram(w);
		struct channel_params params = { .kind = KIND_STREAM, .service = "stream-5" };

		world_call(w, d, 5, 20 * LOOP_MS, 172);
		session_goaway(w->server[0].session, CODE_SHUTDOWN, 1000);
		world_call(w, d, 50, 20 * LOOP_MS, 172);
		assert_false(session_is_open(w->helper));
		assert_false(session_is_ended(w->helper));
		assert_null(channel_open(w->helper, &params, NULL, NULL));
		world_run(w, 5 * LOOP_SECOND);
		assert_true(world_stream_done(f));
		assert_int_equal(d->far.received, 55);
		world_free(w);
	}
}

/* Buffering in either direction is found out by the marks, and the carrier fails as timed out. */
static void buffering_is_noticed(void **state)
{
	static const char *const streaming[] = { "duplex", "split", "push" };

	(void)state;
	for (unsigned i = 0; i < 3; i++) {
		struct world *w = world_new(5, false);

		world_lane(w, streaming[i], &store_10ms, 4);
		world_run(w, 4 * LOOP_SECOND);
		assert_int_equal(w->lane[0].proven, 0);
		assert_true(w->lane[0].failed > 0);
		world_free(w);
	}
}

/* Many channels opened and closed: ids are never reused, the peer's limit moves on. */
static void many_channels(void **state)
{
	struct world *w = world_with("duplex", &pipe_10ms);

	(void)state;
	for (unsigned round = 0; round < 300; round++) {
		for (unsigned i = 0; i < 8; i++)
			world_stream(w, 100, 100);
		world_run(w, LOOP_SECOND);
		for (unsigned i = 0; i < 8; i++) {
			assert_true(world_stream_done(&w->stream[i]));
			w->stream[i].used = false;
		}
	}
	world_free(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(idle),
		cmocka_unit_test(restart),
		cmocka_unit_test(half_close),
		cmocka_unit_test(reset),
		cmocka_unit_test(slow_reader),
		cmocka_unit_test(refusal),
		cmocka_unit_test(take_over),
		cmocka_unit_test(expiry),
		cmocka_unit_test(bye),
		cmocka_unit_test(reasons_are_harmless),
		cmocka_unit_test(goaway),
		cmocka_unit_test(buffering_is_noticed),
		cmocka_unit_test(many_channels),
	};

	int failed = cmocka_run_group_tests_name("HTTP/1.1", tests, NULL, NULL);

	world_http2 = true;
	return failed + cmocka_run_group_tests_name("HTTP/2", tests, NULL, NULL);
}
