// links: tests/sim/world.c tests/sim/world_flow.c tests/sim/proxy.c tests/sim/relay*.c tests/lib/stream_mem.c framing/*.c tunnel/*.c
/* libs: -lwslay -lev -lhttp_parser -lnghttp2 -lssl -lcrypto -lconfuse -lcares -lm */
/*
 * Simulations of carriers that join one that is proven: how soon they are, that the server takes to them, how many
 * there may be, and what happens when they cannot be proven.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "framing/capsule.h"
#include "framing/error.h"
#include "tests/sim/world.h"
#include "tunnel/carrier_internal.h"
#include "tunnel/log.h"

#define DELAY (10 * LOOP_MS)
#define DIAL (40 * LOOP_MS)
#define MOST 16

static const struct relay_options options = { .delay_us = DELAY, .dial_us = DIAL };
static const char *const streaming[] = { "duplex", "websocket", "split", "split+fill", "push", "push+sse", "push+pad" };

struct companion {
	struct carrier *carrier;
	int64_t proven_us;	/* 0: not yet */
	int error;		/* 0: it did not fail */
};

struct run {
	struct world *w;
	struct lane *lane;
	struct companion companion[MOST];
	unsigned companions;
};

static void on_proven(void *ctx, struct carrier *c)
{
	struct companion *k = ctx;

	k->proven_us = loop_now(c->session->loop);
}

static void on_failed(void *ctx, struct carrier *c, int error, const char *why)
{
	struct companion *k = ctx;

	(void)why;
	k->error = error;
	k->carrier = NULL;
	carrier_free(c);
}

static const struct relay_behaviour passes = { .upgrade = RELAY_PASS };
static const struct carrier_events events = { on_proven, on_failed, NULL };

static void begin(struct run *r, const char *rung, unsigned limit)
{
	memset(r, 0, sizeof *r);
	log_setup(LOG_LEVEL_ERROR, false);
	r->w = world_new(7, false);
	r->lane = world_relay_lane(r->w, rung, &options, limit);
	relay_set(r->lane->relay, &passes);
	assert_true(world_connect(r->w, 5 * LOOP_SECOND));
	r->w->no_auto_finish = true;
	r->w->class = CLASS_AUDIO;	/* what is on its way when a carrier goes is sent again */
	world_run(r->w, 5 * LOOP_SECOND);	/* no connection stands free */
}

static struct companion *join(struct run *r)
{
	struct companion *k = &r->companion[r->companions++];

	k->carrier = carrier_open_beside(r->w->helper, r->lane->rung, &r->w->path, r->lane->pool, &events, k);
	return k;
}

static void end(struct run *r)
{
	for (unsigned i = 0; i < r->companions; i++)
		if (r->companion[i].carrier)
			carrier_free(r->companion[i].carrier);
	world_free(r->w);
}

/* What the server knows of it. */
static struct carrier *at_server(const struct run *r, const struct carrier *c)
{
	return session_find_carrier(r->w->server[0].session, c->id);
}

static void talk(struct run *r, struct datagram_flow *d, int64_t us)
{
	for (int64_t t = 0; t < us; t += 20 * LOOP_MS) {
		world_send(&d->near, 172);
		world_send(&d->far, 172);
		world_run(r->w, 20 * LOOP_MS);
	}
}

/* A connection and one round trip; the first one may then go. */
static void joins(void **state)
{
	(void)state;
	for (unsigned i = 0; i < sizeof streaming / sizeof *streaming; i++) {
		struct run r;
		struct companion *k;
		struct datagram_flow *d;
		int64_t begun, took;

		begin(&r, streaming[i], 6);
		d = world_datagram(r.w);
		talk(&r, d, LOOP_SECOND);
		begun = loop_now(r.w->loop);
		k = join(&r);
		assert_non_null(k->carrier);
		talk(&r, d, 400 * LOOP_MS);
		took = k->proven_us - begun;
		print_message("%s: proven after %d ms\n", streaming[i], (int)(took / LOOP_MS));
		/* push has a connection ready; a WebSocket has to be agreed to first */
		assert_in_range(took, 2 * DELAY, DIAL + (strcmp(streaming[i], "websocket") ? 2 : 4) * DELAY + 5 * LOOP_MS);
		assert_int_equal(r.w->modes[MODE_HELLO], 1);
		assert_int_equal(at_server(&r, k->carrier)->state, CARRIER_PROVEN);
		carrier_free(r.lane->carrier);
		r.lane->carrier = NULL;
		talk(&r, d, LOOP_SECOND);
		assert_true(d->far.received >= d->near.next - 3);
		assert_true(d->near.received >= d->far.next - 3);
		end(&r);
	}
}

/* Eight at once take no longer, and sixteen is the most. */
static void many_join(void **state)
{
	struct run r;
	int64_t begun;

	(void)state;
	begin(&r, "duplex", 16);
	begun = loop_now(r.w->loop);
	for (unsigned i = 0; i < 7; i++)
		assert_non_null(join(&r)->carrier);
	world_run(r.w, LOOP_SECOND);
	for (unsigned i = 0; i < 7; i++) {
		assert_in_range(r.companion[i].proven_us - begun, DIAL, DIAL + 2 * DELAY + 5 * LOOP_MS);
		assert_int_equal(at_server(&r, r.companion[i].carrier)->state, CARRIER_PROVEN);
	}
	for (unsigned i = 7; i < 15; i++)
		assert_non_null(join(&r)->carrier);
	assert_null(join(&r)->carrier);
	world_run(r.w, 10 * LOOP_SECOND);
	for (unsigned i = 0; i < 15; i++)
		assert_true(r.companion[i].proven_us > 0 && !r.companion[i].error);
	assert_int_equal(r.w->server[0].session->carriers, 16);
	assert_int_equal(r.lane->failed, 0);
	end(&r);
}

/* The budget is used up: it waits, and is let in when another goes. */
static void waits_for_a_place(void **state)
{
	struct run r;

	(void)state;
	begin(&r, "duplex", 3);
	for (unsigned i = 0; i < 3; i++)
		join(&r);
	world_run(r.w, 5 * LOOP_SECOND);
	assert_true(r.companion[0].proven_us && r.companion[1].proven_us && !r.companion[2].proven_us);
	assert_int_equal(r.companion[2].error, 0);
	carrier_free(r.companion[0].carrier);
	r.companion[0].carrier = NULL;
	world_run(r.w, LOOP_SECOND);
	assert_true(r.companion[2].proven_us);
	end(&r);
}

/* What holds answers back now is told by that one alone. */
static void not_proven(void **state)
{
	(void)state;
	for (unsigned i = 0; i < sizeof streaming / sizeof *streaming; i++) {
		struct run r;
		struct companion *k;

		begin(&r, streaming[i], 6);
		relay_set(r.lane->relay, &(struct relay_behaviour){ .first_down = 10000, .upgrade = RELAY_LIE });
		k = join(&r);
		world_run(r.w, 3 * LOOP_SECOND);
		assert_int_equal(k->proven_us, 0);
		assert_int_equal(k->error, ERROR_TIMEOUT);
		assert_int_equal(r.lane->failed, 0);
		end(&r);
	}
}

static void refused_at_once(void **state)
{
	struct run r;

	(void)state;
	begin(&r, "poll", 6);
	assert_null(join(&r)->carrier);		/* it has as many exchanges as it needs */
	end(&r);
	begin(&r, "duplex", 6);
	r.w->helper->next_carrier = REQUEST_CARRIER_MAX - 999;
	assert_null(join(&r)->carrier);
	assert_false(session_is_ended(r.w->helper));
	assert_non_null(carrier_open(r.w->helper, r.lane->rung, &r.w->path, r.lane->pool, &events, join(&r)));
	r.companion[1].carrier = session_find_carrier(r.w->helper, REQUEST_CARRIER_MAX - 999);
	world_run(r.w, LOOP_SECOND);
	assert_true(r.companion[1].proven_us);
	end(&r);
	begin(&r, "duplex", 6);
	session_bye(r.w->helper, CODE_NONE, "over");
	assert_null(join(&r)->carrier);
	end(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(joins),
		cmocka_unit_test(many_join),
		cmocka_unit_test(waits_for_a_place),
		cmocka_unit_test(not_proven),
		cmocka_unit_test(refused_at_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
