// links: client/ladder*.c client/fleet*.c client/survey*.c tests/sim/climb.c tests/sim/world.c tests/sim/world_flow.c tests/sim/proxy.c tests/sim/relay.c tests/sim/relay_way.c tests/sim/relay_flow.c tests/sim/relay_dress.c tests/lib/stream_mem.c framing/*.c tunnel/*.c
/* libs: -lwslay -lev -lhttp_parser -lnghttp2 -lssl -lcrypto -lconfuse -lcares -lm */
/* valgrind: left to the sanitizers, it would take an hour */
/*
 * Simulations of outages: nothing passes for a while, then everything as before. What ends then was not
 * cut by the path, which must not be kept to a short life for it afterwards.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/lib/seeds.h"
#include "tests/sim/climb.h"

#define LIMIT 6	/* connections; with more, more are kept ready */

static const struct relay_behaviour clean, held = { .hold_up = true, .hold_down = true }, held_up = { .hold_up = true };

static const struct relay_behaviour dead = { .dead = true }, pages = { .page_each = 1 };

/* cut: all connections are reset at its beginning. */
static void outage(const struct relay_behaviour *usual, const char *rung, const struct relay_behaviour *bad, bool cut, int seconds, int young)
{
	struct climb *c = climb_new(&(struct climb_options){ .limit = LIMIT }, usual);
	const struct cut *s = &c->verdict.cuts.seen;
	struct relay_counts from, to;

	assert_true(climb_reach(c, rung, 10 * LOOP_SECOND) >= 0);
	climb_call(c, young * LOOP_SECOND);
	if (cut)
		relay_cut(c->relay);
	climb_set(c, bad);
	climb_call(c, seconds * LOOP_SECOND);
	climb_set(c, usual);
	climb_call(c, 20 * LOOP_SECOND);
	relay_counts(c->relay, &from);
	climb_call(c, 60 * LOOP_SECOND);
	relay_counts(c->relay, &to);
	if (s->age_us || s->answer_us || s->bytes || (s->idle_us && s->idle_us < 10 * LOOP_SECOND) || to.made - from.made > 8 ||
	    (seconds >= 40 && pool_limit(c->pool) != LIMIT))
		fail_msg("%s for %d s, %d s of %s%s: kept age %.1f, idle %.1f, answer %.1f s, %u bytes, limit %u; %u connections a minute", rung,
			 young, seconds, bad == &dead ? "silence" : "pages", cut ? " behind a cut" : "", (double)s->age_us / 1e6,
			 (double)s->idle_us / 1e6, (double)s->answer_us / 1e6, (unsigned)s->bytes, pool_limit(c->pool), to.made - from.made);
	assert_string_equal(climb_rung(c), rung);
	climb_hang_up(c);
	climb_free(c);
}

static void teaches_nothing(const struct relay_behaviour *bad, bool cut)
{
	static const int seconds[] = { 15, 40, 100 };

	for (unsigned i = 0; i < 3; i++)
		for (int young = 8; young <= 60; young += 52) {
			if (!seeds_case(i + (young > 8)))
				continue;
			outage(&clean, "duplex", bad, cut, seconds[i], young);
			outage(&held_up, "push", bad, cut, seconds[i], young);
			outage(&held, "poll", bad, cut, seconds[i], young);
		}
}

static void silence(void **state)
{
	(void)state;
	teaches_nothing(&dead, false);
}

static void resets_and_silence(void **state)
{
	(void)state;
	teaches_nothing(&dead, true);
}

/* A reverse proxy stands, the server behind it does not. */
static void pages_instead(void **state)
{
	(void)state;
	teaches_nothing(&pages, false);
	teaches_nothing(&pages, true);
}

/* Asleep, or away, for longer than the server keeps a carrier without exchanges, and shorter than a session: that goes on. */
static void back_again(void **state)
{
	static const struct relay_behaviour *const usual[] = { &clean, &held_up, &held };

	(void)state;
	for (unsigned k = 0; k < 3; k++)
		for (int seconds = 20; seconds < 200; seconds += seeds_all() ? 20 : 80) {
			struct climb *c = climb_new(&(struct climb_options){ 0 }, usual[k]);

			climb_call(c, 10 * LOOP_SECOND);
			climb_set(c, &dead);
			world_run(c->w, seconds * LOOP_SECOND);
			relay_cut(c->relay);
			climb_set(c, usual[k]);
			pool_forget(c->pool);
			ladder_network_changed(c->ladder);
			climb_call(c, 10 * LOOP_SECOND);
			if (c->w->helper_ended)
				fail_msg("kind %u, %d s: the session is lost", k, seconds);
			climb_hang_up(c);
			climb_free(c);
		}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(back_again),
		cmocka_unit_test(silence),
		cmocka_unit_test(resets_and_silence),
		cmocka_unit_test(pages_instead),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
