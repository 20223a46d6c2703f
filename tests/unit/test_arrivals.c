/* links: tunnel/arrivals.c framing/window.c framing/ranges.c */
/* Arrivals: repeats, receipts and lateness above the floor of the last minute. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "tunnel/arrivals.h"
#include "tunnel/loop.h"

static void lateness(void **state)
{
	struct arrivals a;
	int64_t t = 0;

	(void)state;
	arrivals_init(&a, 0);
	/* clocks that differ by anything, also across the wrap of 32 bits */
	assert_int_equal(arrivals_lateness(&a, 0xfffffff0, 40, t), 0);
	assert_int_equal(arrivals_lateness(&a, 0xfffffff0 + 20, 40 + 20 + 15, t), 15);
	assert_int_equal(arrivals_lateness(&a, 0xfffffff0 + 40, 40 + 40 - 10, t), 0);	/* a new floor */
	assert_int_equal(arrivals_lateness(&a, 0xfffffff0 + 60, 40 + 60, t), 10);
	/* the path became 200 ms slower for good: the floor follows within a minute */
	for (unsigned i = 0; i < 80; i++) {
		t += LOOP_SECOND;
		arrivals_lateness(&a, 1000 * i, 1000 * i + 100 + 240, t);
	}
	assert_int_equal(arrivals_lateness(&a, 80000, 80000 + 340, t), 0);
}

static void receipts(void **state)
{
	struct message_receipt m;
	struct arrivals a;

	(void)state;
	arrivals_init(&a, 0);
	assert_false(arrivals_receipt(&a, 3, 0, &m));
	arrivals_note(&a, 0, 100);
	arrivals_note(&a, 1, 200);
	arrivals_note(&a, 5, 300);
	assert_true(arrivals_seen(&a, 1));
	assert_false(arrivals_seen(&a, 2));
	assert_true(a.news);
	arrivals_owe(&a, 1, 300);
	arrivals_owe(&a, 1, 400);
	assert_int_equal(a.owed_us, 300);
	assert_int_equal(arrivals_due_us(&a), 300 + 100 * LOOP_MS);
	arrivals_owe(&a, 2, 500);
	assert_int_equal(arrivals_due_us(&a), 300 + 25 * LOOP_MS);
	assert_true(arrivals_receipt(&a, 3, 1300, &m));
	assert_int_equal(m.carrier, 3);
	assert_int_equal(m.delay_us, 1000);
	assert_int_equal(m.ranges.n, 2);
	arrivals_told(&a);
	assert_false(a.news);
	assert_int_equal(a.owed_us, 0);
	assert_int_equal(arrivals_due_us(&a), 0);
	arrivals_note(&a, 6, 1400);
	arrivals_again(&a);
	arrivals_told(&a);
	assert_true(a.news);
	arrivals_told(&a);
	assert_false(a.news);
	arrivals_told(&a);
	assert_false(a.news);
}

/* Old holes are not reported for ever; the newest range is. */
static void stale(void **state)
{
	struct message_receipt m;
	struct arrivals a;
	int64_t t = 0;

	(void)state;
	arrivals_init(&a, 0);
	for (uint64_t n = 0; n < 40; n += 2)
		arrivals_note(&a, n, t);
	for (uint64_t n = 40; n < 400; n++)
		arrivals_note(&a, n, t += 50 * LOOP_MS);
	assert_true(arrivals_receipt(&a, 0, t, &m));
	assert_int_equal(m.ranges.n, 1);
	assert_int_equal(m.ranges.r[0].last, 399);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lateness),
		cmocka_unit_test(receipts),
		cmocka_unit_test(stale),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
