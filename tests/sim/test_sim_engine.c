// links: client/ladder*.c client/survey*.c client/fleet*.c tests/sim/engine*.c tests/sim/media.c tests/sim/lossy*.c tests/sim/splice.c tests/sim/world.c tests/sim/world_flow.c tests/sim/proxy.c tests/sim/relay.c tests/sim/relay_way.c tests/sim/relay_flow.c tests/sim/relay_dress.c tests/lib/stream_mem.c framing/*.c tunnel/*.c
/* libs: -lev -lhttp_parser -lssl -lcrypto -lconfuse -lcares -lm */
/*
 * Simulations of the real-time engine: calls over paths that lose packets. One carrier without second
 * copies: as late as one TCP connection was measured to be.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/sim/engine.h"

#define SEEDS 3
#define LATER (35 * LOOP_MS)	/* than the base: late */
#define BEYOND (150 * LOOP_MS)
#define BASE (25 * LOOP_MS)

static void one_carrier(void **state)
{
	struct engine_case c = { .way = { .delay_us = BASE, .loss = 0.02 } };
	struct engine_result r;

	(void)state;
	engine_measure(&r, &c, true, SEEDS);
	engine_tell("2 %", &r, BASE);
	assert_float_equal(engine_late(&r, BASE + LATER), 4.5, 1);
	assert_true(engine_late(&r, BEYOND) < 0.5);
	engine_result_fini(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_carrier),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
