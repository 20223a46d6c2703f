// links: client/ladder*.c client/survey*.c client/fleet*.c tests/sim/engine*.c tests/sim/media.c tests/sim/lossy*.c tests/sim/splice.c tests/sim/world.c tests/sim/world_flow.c tests/sim/proxy.c tests/sim/relay.c tests/sim/relay_way.c tests/sim/relay_flow.c tests/sim/relay_dress.c tests/lib/stream_mem.c framing/*.c tunnel/*.c
/* libs: -lwslay -lev -lhttp_parser -lnghttp2 -lssl -lcrypto -lconfuse -lcares -lm */
/*
 * Simulations of the real-time engine where something goes on for ever: keepalives without a call, and a
 * connection that hangs in the middle of a download and a call.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "framing/capsule.h"
#include "tests/sim/engine.h"
#include "tests/sim/world_flow.h"
#include "tunnel/session_internal.h"

#define BASE (25 * LOOP_MS)

/* ---- keepalives ---- */

struct echo {
	struct world *w;
	struct channel *near, *far;
};

static void say(struct world *w, struct channel *ch)
{
	static const uint8_t stun[20] = { 0, 1, 0, 0, 0x21, 0x12, 0xa4, 0x42 };
	struct packet *p = ch ? packet_get(w->pool, sizeof stun) : NULL;

	if (!p)
		return;
	memcpy(p->data, stun, sizeof stun);
	p->len = sizeof stun;
	p->born_us = loop_now(w->loop);
	channel_send(ch, p);
}

static void near_datagram(void *ctx, const uint8_t *p, size_t n)
{
	(void)ctx, (void)p, (void)n;
}

static void far_datagram(void *ctx, const uint8_t *p, size_t n)
{
	struct echo *echo = ctx;

	(void)p, (void)n;
	say(echo->w, echo->far);
}

static void opened(void *ctx)
{
	(void)ctx;
}

static void near_closed(void *ctx, uint64_t code, const char *reason)
{
	(void)code, (void)reason;
	((struct echo *)ctx)->near = NULL;
}

static void far_closed(void *ctx, uint64_t code, const char *reason)
{
	(void)code, (void)reason;
	((struct echo *)ctx)->far = NULL;
}

static const struct endpoint_ops near_ops = { near_datagram, NULL, NULL, NULL, opened, near_closed };
static const struct endpoint_ops far_ops = { far_datagram, NULL, NULL, NULL, opened, far_closed };
static struct echo echo;

static uint64_t accept_echo(struct world *w, struct channel *ch, struct channel_params *params,
			    const struct endpoint_ops **ops, void **endpoint, const char **sentence)
{
	(void)w, (void)params, (void)sentence;
	echo.far = ch;
	*ops = &far_ops;
	*endpoint = &echo;
	return CODE_NONE;
}

/* A phone that only keeps its binding alive. */
static void keepalives(void **state)
{
	struct engine *e = engine_new(&(struct engine_options){ .link.way = { { .delay_us = BASE }, { .delay_us = BASE } } });
	struct channel_params params = { .kind = KIND_DATAGRAM, .service = "echo" };
	struct lossy_counts before, after;

	(void)state;
	echo = (struct echo){ .w = e->w };
	e->w->open = accept_echo;
	echo.near = channel_open(e->w->helper, &params, &near_ops, &echo);
	assert_non_null(echo.near);
	engine_run(e, 60 * LOOP_SECOND);
	lossy_counts(e->lossy, &before);
	for (unsigned i = 0; i < 40; i++) {
		say(e->w, echo.near);
		engine_run(e, 15 * LOOP_SECOND);
	}
	lossy_counts(e->lossy, &after);
	assert_int_equal(engine_carriers(&e->party[0]), 1);
	assert_in_range(after.peak, 1, 2);
	print_message("keepalives for ten minutes: %u connections more, %u at a time\n", after.dialled - before.dialled, after.peak);
	engine_free(e);
}

/* ---- a connection hangs ---- */

/* A download and a call at 1.25 MB/s; nothing comes any more on one of the connections, which nobody is told of. */
static unsigned hang(unsigned which)
{
	static const struct lossy_way way = { .delay_us = BASE, .rate = 1250000, .buffer = 100000 };
	struct engine *e = engine_new(&(struct engine_options){ .link.way = { way, way } });
	struct media *m = media_new(e->w, e->w->helper, &(struct media_options){ .kind = MEDIA_AUDIO });
	struct stream_flow *f = world_stream(e->w, 1000, 200000000);
	struct stream *connection[16];
	struct tally down = { 0 };
	uint64_t got;
	int64_t begun;
	unsigned n;

	engine_run(e, 15 * LOOP_SECOND);
	n = lossy_streams(e->lossy, connection, 16);
	assert_in_range(n, 2, 16);
	begun = engine_now(e);
	lossy_hold(connection[which], true);
	engine_run(e, 2 * LOOP_SECOND);
	got = f->near.received;
	engine_run(e, 4 * LOOP_SECOND);
	tally_add(&down, &m->down, begun, engine_now(e) - LOOP_SECOND);
	print_message("connection %u of %u hangs: then %u KB/s, of the call %.2f %% later than 150 ms\n", which, n,
		      (unsigned)((f->near.received - got) / 4000), tally_late(&down, 150 * LOOP_MS));
	assert_true(f->near.received - got > 4 * 1000000);
	assert_true(tally_late(&down, 150 * LOOP_MS) <= 1);
	assert_true(world_stream_right(f));
	assert_int_equal(m->up.wrong + m->down.wrong + m->up.repeated + m->down.repeated, 0);
	media_stop(m);
	engine_free(e);
	media_free(m);
	tally_fini(&down);
	return n;
}

static void a_connection_hangs(void **state)
{
	unsigned n = 1;

	(void)state;
	for (unsigned i = 0; i < n; i++)
		n = hang(i);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(keepalives),
		cmocka_unit_test(a_connection_hangs),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
