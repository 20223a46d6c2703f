/* The ladder in its world. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/sim/climb.h"
#include "tunnel/cuts.h"

#define DELAY (25 * LOOP_MS)
#define PACKET_SIZE 172
#define SIGNALLING_EACH 5	/* packets */
#define SIGNALLING_SIZE 300

static void on_proven(void *ctx, struct carrier *carrier, const struct rung *before)
{
	struct climb *c = ctx;

	(void)before;
	if (c->changes < CLIMB_CHANGES)
		c->change[c->changes] = (struct climb_change){ loop_now(c->w->loop), carrier_rung(carrier) };
	c->changes++;
}

static void on_trouble(void *ctx, const struct rung *failed, int error, const char *why, int64_t retry_us)
{
	struct climb *c = ctx;

	(void)error, (void)retry_us;
	c->troubles++;
	snprintf(c->why, sizeof c->why, "%s: %s", failed->name, why);
}

static void on_carriers(void *ctx, unsigned wanted)
{
	const struct climb *c = ctx;

	ladder_want(c->ladder, wanted);
}

static const struct ladder_events ladder_events = { .proven = on_proven, .trouble = on_trouble };

struct climb *climb_new(const struct climb_options *o, const struct relay_behaviour *b)
{
	struct climb *c = calloc(1, sizeof *c);
	struct relay_options path = { .delay_us = o->delay_us ? o->delay_us : DELAY };

	if (!c)
		abort();
	path.dial_us = 4 * path.delay_us;	/* TCP and CONNECT or TLS */
	c->round_trip_us = 2 * path.delay_us;
	c->w = world_new(o->seed ? o->seed : 1, false);
	c->w->no_auto_finish = true;
	c->verdict = o->known;
	c->relay = relay_new(c->w->loop, &path, world_accept, c->w);
	if (b)
		climb_set(c, b);
	c->pool = pool_new(c->w->loop, relay_dialler(c->relay), o->limit ? o->limit : POOL_LIMIT_DEFAULT, &c->verdict.cuts);
	c->config = (struct ladder_config){ .only = o->only ? rung_find(o->only) : NULL, .path = &c->w->path,
					    .pool = c->pool, .verdict = &c->verdict, .carriers = o->carriers };
	c->w->carriers = o->by_hand ? NULL : on_carriers;
	c->w->carriers_ctx = c;
	c->ladder = ladder_new(c->w->loop, c->w->helper, &c->config, &ladder_events, c);
	return c;
}

void climb_free(struct climb *c)
{
	ladder_free(c->ladder);
	session_free(c->w->helper);
	c->w->helper = NULL;
	pool_free(c->pool);
	relay_free(c->relay);
	world_free(c->w);
	free(c);
}

void climb_set(struct climb *c, const struct relay_behaviour *b)
{
	c->b = *b;
	relay_set(c->relay, b);
}

const char *climb_rung(const struct climb *c)
{
	struct carrier *carrier = ladder_carrier(c->ladder);

	return carrier ? carrier_rung(carrier)->name : "";
}

void climb_tell(const struct climb *c, unsigned from)
{
	for (unsigned i = from; i < c->changes && i < CLIMB_CHANGES; i++)
		print_message("  %8.3f s: %s\n", (double)(c->change[i].at_us - LOOP_SECOND) / 1e6, c->change[i].rung->name);
	if (c->troubles)
		print_message("  %u troubles, the last: %s\n", c->troubles, c->why);
}

bool climb_connect(struct climb *c, int64_t us)
{
	for (int64_t t = 0; t < us && !session_is_open(c->w->helper); t += LOOP_MS)
		world_run(c->w, LOOP_MS);
	return session_is_open(c->w->helper);
}

/* ---- the call ---- */

static void begin_call(struct climb *c)
{
	c->call = world_datagram(c->w);
	c->signalling = world_stream(c->w, 0, 0);
}

static void one_packet(struct climb *c)
{
	if (!c->call && session_is_open(c->w->helper))
		begin_call(c);
	if (c->call) {
		world_send(&c->call->near, PACKET_SIZE);
		world_send(&c->call->far, PACKET_SIZE);
		if (c->call->near.next % SIGNALLING_EACH == 0) {
			world_stream_feed(&c->signalling->near, SIGNALLING_SIZE);
			world_stream_feed(&c->signalling->far, SIGNALLING_SIZE);
		}
	}
	world_run(c->w, CLIMB_PACKET);
}

void climb_call(struct climb *c, int64_t us)
{
	for (int64_t t = 0; t < us; t += CLIMB_PACKET)
		one_packet(c);
}

int64_t climb_reach(struct climb *c, const char *rung, int64_t within_us)
{
	int64_t t;

	for (t = 0; t <= within_us && strcmp(climb_rung(c), rung) != 0; t += CLIMB_PACKET)
		one_packet(c);
	return t <= within_us ? t : -1;
}

void climb_hang_up(struct climb *c)
{
	const struct datagram_flow *d = c->call;
	const struct stream_flow *f = c->signalling;

	climb_set(c, &(struct relay_behaviour){ .upgrade = RELAY_PASS });
	c->w->no_auto_finish = false;
	world_stream_feed(&c->signalling->near, 0);
	world_stream_feed(&c->signalling->far, 0);
	for (int i = 0; i < 300 && !world_stream_done(f); i++)
		world_run(c->w, 100 * LOOP_MS);
	assert_false(c->w->helper_ended);
	assert_true(world_stream_right(f));
	if (!world_stream_done(f))
		print_message("signalling: up %d of %d, down %d of %d\n", (int)f->far.received, (int)f->near.total,
			      (int)f->near.received, (int)f->far.total);
	assert_true(world_stream_done(f));
	assert_int_equal(d->near.wrong + d->far.wrong + d->near.repeated + d->far.repeated, 0);
}
