/* links: tunnel/round_trip.c */
/* The round trip of a path: the least of it, what waits above it, and whose queue that is. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "tunnel/loop.h"
#include "tunnel/round_trip.h"

#define MS(n) ((n) * LOOP_MS)

/* The least counts for half a minute at least and for a whole one at most. */
static void least(void **state)
{
	struct round_trip r = { 0 };

	(void)state;
	round_trip_note(&r, MS(60), MS(1000));
	round_trip_note(&r, MS(50), MS(1100));
	round_trip_note(&r, MS(80), MS(1200));
	assert_int_equal(r.least_us, MS(50));
	for (int64_t t = MS(2000); t < MS(31000); t += MS(100))
		round_trip_note(&r, MS(90), t);
	assert_int_equal(r.least_us, MS(50));
	for (int64_t t = MS(31000); t <= MS(61100); t += MS(100))
		round_trip_note(&r, MS(90), t);
	assert_int_equal(r.least_us, MS(90));	/* the path is a longer one now */
}

/* One late sample is no queue; when all of two moments are late there is one; it is over with the first that is not. */
static void queue(void **state)
{
	struct round_trip r = { 0 };
	int64_t t = MS(1000);

	(void)state;
	assert_int_equal(round_trip_queue_us(&r, t), 0);
	for (; t < MS(1200); t += MS(10))
		round_trip_note(&r, t == MS(1100) ? MS(150) : MS(50), t);
	assert_int_equal(round_trip_queue_us(&r, t), 0);
	for (; t < MS(1400); t += MS(10))
		round_trip_note(&r, MS(120), t);
	assert_int_equal(round_trip_queue_us(&r, t), MS(70));
	round_trip_note(&r, MS(55), t);
	assert_int_equal(round_trip_queue_us(&r, t), MS(5));
	assert_int_equal(round_trip_queue_us(&r, t + MS(200)), 0);	/* nothing is known */
}

/* The other end saw the record come 5 ms late, and its receipt took 95 ms more than usual: that queue is on the way back. */
static void ours(void **state)
{
	struct round_trip r = { 0 };

	(void)state;
	round_trip_note(&r, MS(50), MS(1000));
	round_trip_note(&r, MS(150), MS(1100));
	assert_int_equal(round_trip_ours(&r, MS(150), 5), MS(55));
	assert_int_equal(round_trip_ours(&r, MS(150), 0), MS(50));
	assert_int_equal(round_trip_ours(&r, MS(150), -1), MS(150));
	assert_int_equal(round_trip_ours(&r, MS(150), 60000), MS(60050));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(least),
		cmocka_unit_test(queue),
		cmocka_unit_test(ours),
	};

	return cmocka_run_group_tests_name("round trip", tests, NULL, NULL);
}
