// links: tests/sim/world.c tests/sim/world_flow.c tests/sim/proxy.c tests/sim/relay.c tests/sim/relay_way.c tests/sim/relay_flow.c tests/sim/relay_dress.c tests/lib/stream_mem.c framing/*.c tunnel/*.c
/* libs: -lwslay -lev -lhttp_parser -lnghttp2 -lssl -lcrypto -lconfuse -lcares -lm */
/*
 * Simulations at the limits: credit that comes back, queues without a carrier, a full
 * ledger, carrier numbers that run out, polls answered with nothing.
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
#include "tunnel/counters.h"
#include "tunnel/session_internal.h"

static const struct proxy_options pipe_10ms = { .kind = PROXY_PIPE, .delay_us = 10 * LOOP_MS, .dial_us = 40 * LOOP_MS };
static const struct proxy_options store_10ms = { .kind = PROXY_STORE, .delay_us = 10 * LOOP_MS, .dial_us = 40 * LOOP_MS,
						 .max_connections = 2, .one_exchange = true };

static struct world *world_with(const char *rung, const struct proxy_options *o)
{
	struct world *w = world_new(11, false);

	w->config.session_window = 1 << 20;
	w->config.channel_window = 1 << 18;
	w->helper->config = w->config;
	world_lane(w, rung, o, 4);
	assert_true(world_connect(w, 5 * LOOP_SECOND));
	return w;
}

/* What was sent on a channel that was refused costs the others no credit. */
static void refused_credit(void **state)
{
	struct world *w = world_with("duplex", &pipe_10ms);
	struct stream_flow *f;

	(void)state;
	w->refuse = CODE_UNKNOWN_SERVICE;
	for (int i = 0; i < 12; i++) {
		f = world_stream(w, 1 << 20, 0);
		world_run(w, 2 * LOOP_SECOND);
		assert_true(f->near.closed);
		assert_int_equal(w->helper->sent, 0);
		assert_int_equal(w->helper->buffered, 0);
	}
	w->refuse = 0;
	f = world_stream(w, 1000, 0);
	world_run(w, 10 * LOOP_SECOND);
	assert_int_equal(f->far.received, 1000);
	world_free(w);
}

/* Streams that are reset in the middle give the session's credit back, at both ends. */
static void reset_credit(void **state)
{
	struct world *w = world_with("duplex", &pipe_10ms);
	struct stream_flow *f;

	(void)state;
	for (int i = 0; i < 14; i++) {
		f = world_stream(w, 1 << 20, 1 << 20);
		f->far.take = 50000;
		f->near.take = 50000;
		world_run(w, LOOP_SECOND);
		channel_close(i % 2 ? f->near.channel : f->far.channel, CODE_LOCAL_RESET, "the test");
		(i % 2 ? &f->near : &f->far)->channel = NULL;
		world_run(w, 3 * LOOP_SECOND);
		assert_true((i % 2 ? &f->far : &f->near)->closed);
	}
	assert_int_equal(w->helper->channel_count, 0);
	assert_int_equal(w->helper->received, w->helper->consumed);
	assert_int_equal(w->server[0].session->received, w->server[0].session->consumed);
	assert_int_equal(w->helper->buffered + w->server[0].session->buffered, 0);
	f = world_stream(w, 2000000, 2000000);
	world_run(w, 20 * LOOP_SECOND);
	assert_true(world_stream_done(f));
	world_free(w);
}

/* Without a carrier packets past their deadline go, and do not wait for one. */
static void queue_without_carrier(void **state)
{
	struct world *w = world_with("duplex", &pipe_10ms);
	struct datagram_flow *d = world_datagram(w);
	struct session_stats stats;

	(void)state;
	world_run(w, LOOP_SECOND);
	carrier_free(w->lane[0].carrier);
	w->lane[0].carrier = NULL;
	for (unsigned i = 0; i < 2000; i++) {
		world_send(&d->far, 172);
		world_run(w, 20 * LOOP_MS);
	}
	session_stats(w->server[0].session, &stats);
	assert_true(stats.queued_packets <= 60);	/* 1 s of them */
	world_free(w);
}

/* A ledger that no receipt empties stops what is sent on it, and nothing else. */
static void full_ledger(void **state)
{
	(void)state;
	for (const struct rung *r = rungs; r->name; r++) {
		struct world *w = world_with(r->name, &pipe_10ms);
		struct datagram_flow *d = world_datagram(w);
		struct ledger *l = &w->lane[0].carrier->ledger;

		world_run(w, 10 * LOOP_SECOND);
		while (ledger_ready(l))
			ledger_commit(l, 999999, loop_now(w->loop) + 30 * LOOP_SECOND, true, 100);
		world_send(&d->near, 100);
		world_run(w, 20 * LOOP_SECOND);
		world_free(w);
	}
}

static void carrier_numbers_run_out(void **state)
{
	struct world *w = world_with("poll", &store_10ms);

	(void)state;
	w->helper->next_carrier = REQUEST_CARRIER_MAX + 1;
	assert_null(carrier_open(w->helper, rung_find("poll"), &w->path, w->lane[0].pool, NULL, NULL));
	world_run(w, LOOP_SECOND);
	assert_true(w->helper_ended);
	world_free(w);
}

static void note_failure(void *ctx, struct carrier *c, int error, const char *why)
{
	(void)error, (void)why;
	++*(unsigned *)ctx;
	carrier_free(c);
}

static void note_nothing(void *ctx, struct carrier *c)
{
	(void)ctx, (void)c;
}

/* The server has forgotten a carrier, or has as many as it may: that one does not work, the session does. */
static void a_carrier_too_many(void **state)
{
	static const struct carrier_events events = { .proven = note_nothing, .failed = note_failure };
	struct world *w = world_with("poll", &pipe_10ms);
	struct datagram_flow *d = world_datagram(w);
	unsigned failed = 0;

	(void)state;
	world_run(w, LOOP_SECOND);
	window_mark(&w->server[0].session->peer_carriers, 7);
	w->helper->next_carrier = 7;
	assert_non_null(carrier_open(w->helper, rung_find("poll"), &w->path, w->lane[0].pool, &events, &failed));
	world_run(w, LOOP_SECOND);
	assert_int_equal(failed, 1);
	assert_false(w->helper_ended);
	world_send(&d->near, 100);
	world_run(w, LOOP_SECOND);
	assert_int_equal(d->far.received, 1);
	world_free(w);
}

/* All streams of a session share one send buffer. */
static void shared_send_buffer(void **state)
{
	struct world *w = world_with("duplex", &pipe_10ms);
	struct stream_flow *f[10];

	(void)state;
	w->helper->config.session_send_buffer = 300000;
	for (unsigned i = 0; i < 10; i++) {
		f[i] = world_stream(w, 400000, 0);
		f[i]->far.take = 0;
	}
	world_run(w, 5 * LOOP_SECOND);
	assert_true(w->helper->buffered <= 300000 + 10 * 16384);
	for (unsigned i = 0; i < 10; i++)
		world_stream_resume(&f[i]->far, UINT64_MAX);
	world_run(w, 30 * LOOP_SECOND);
	for (unsigned i = 0; i < 10; i++)
		assert_int_equal(f[i]->far.received, 400000);
	assert_int_equal(w->helper->buffered, 0);
	world_free(w);
}

/* A box that answers each poll at once with an empty record of the server's is not asked in a tight loop. */
static void empty_answers(void **state)
{
	struct world *w = world_with("poll", &pipe_10ms);
	struct session *s;
	unsigned requests;

	(void)state;
	world_run(w, 5 * LOOP_SECOND);
	requests = w->requests;
	s = w->server[0].session;
	for (unsigned i = 0; i < 2000; i++) {	/* 10 s: a record with a receipt is always due at the server */
		s->carrier[0]->arrivals.owed_us = 1;
		s->carrier[0]->arrivals.news = true;
		loop_later(w->loop, &s->flush);
		world_run(w, 5 * LOOP_MS);
	}
	assert_true(w->requests - requests < 60);
	world_free(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(refused_credit),
		cmocka_unit_test(reset_credit),
		cmocka_unit_test(queue_without_carrier),
		cmocka_unit_test(full_ledger),
		cmocka_unit_test(carrier_numbers_run_out),
		cmocka_unit_test(a_carrier_too_many),
		cmocka_unit_test(shared_send_buffer),
		cmocka_unit_test(empty_answers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
