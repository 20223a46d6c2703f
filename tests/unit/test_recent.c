// links: tunnel/recent.c
/* What grew in the last seconds: while something goes, after a pause, long after. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "tunnel/recent.h"

#define SECOND INT64_C(1000000)
#define BEGIN (100 * SECOND)

/* A packet of audio each 20 ms; every tenth is dropped, each has a second copy. */
static void go(struct recent *r, struct recent_figures *totals, int64_t *now, int64_t until)
{
	for (; *now < until; *now += 20000) {
		if (recent_is_due(r, *now))
			recent_note(r, totals, *now);
		if (++totals->packets % 10 == 0)
			totals->dropped[TRAFFIC_AUDIO]++;
		else
			totals->sent[TRAFFIC_AUDIO]++;
		totals->bytes += 160;
		totals->again++;
		totals->again_bytes += 150;
		totals->receipted += 400;
	}
}

static void test_nothing(void **state)
{
	struct recent r = { .at_us = { 0 } };
	struct recent_figures totals = { .packets = 0 }, out;

	(void)state;
	assert_true(recent_is_due(&r, BEGIN));
	assert_int_equal(recent_growth(&r, &totals, BEGIN, &out), 0);
	assert_int_equal(out.packets, 0);
}

static void test_flow(void **state)
{
	struct recent r = { .at_us = { 0 } };
	struct recent_figures totals = { .packets = 0 }, out;
	int64_t now = BEGIN, window;

	(void)state;
	go(&r, &totals, &now, BEGIN + SECOND);
	assert_int_equal(recent_growth(&r, &totals, now, &out), SECOND);
	assert_int_equal(out.packets, 50);
	for (int64_t until = BEGIN + 2 * SECOND; until < BEGIN + 60 * SECOND; until += SECOND / 2) {
		go(&r, &totals, &now, until);
		window = recent_growth(&r, &totals, now, &out);
		assert_in_range(window, until - BEGIN < 5 * SECOND ? SECOND : 5 * SECOND, 10 * SECOND);
		assert_int_equal(out.packets, window / 20000);
		assert_int_equal(out.bytes, out.packets * 160);
		assert_int_equal(out.again, out.packets);
		assert_int_equal(out.again_bytes, out.packets * 150);
		assert_int_equal(out.receipted, out.packets * 400);
		assert_int_equal(out.sent[TRAFFIC_AUDIO] + out.dropped[TRAFFIC_AUDIO], out.packets);
		assert_in_range(out.dropped[TRAFFIC_AUDIO], out.packets / 10 - 1, out.packets / 10 + 1);
		assert_int_equal(out.sent[TRAFFIC_VIDEO], 0);
	}
}

/* What was before a pause is not of the last seconds. */
static void test_pause(void **state)
{
	struct recent r = { .at_us = { 0 } };
	struct recent_figures totals = { .packets = 0 }, out;
	int64_t now = BEGIN, end = BEGIN + 23 * SECOND;

	(void)state;
	go(&r, &totals, &now, end);
	assert_true(recent_growth(&r, &totals, end + 4 * SECOND, &out) > 0);
	assert_int_equal(recent_growth(&r, &totals, end + 11 * SECOND, &out), 0);
	assert_int_equal(out.packets, 0);
	now = end + 600 * SECOND;
	go(&r, &totals, &now, end + 601 * SECOND);
	assert_int_equal(recent_growth(&r, &totals, now, &out), SECOND);
	assert_int_equal(out.packets, 50);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_nothing),
		cmocka_unit_test(test_flow),
		cmocka_unit_test(test_pause),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
