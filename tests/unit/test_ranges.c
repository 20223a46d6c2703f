/* links: framing/ranges.c */
/* Ranges: merging, eviction at the cap, dropping; against a plain model. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "framing/ranges.h"

static void assert_range(const struct ranges *s, size_t i, uint64_t first, uint64_t last)
{
	assert_true(i < s->n);
	assert_true(s->r[i].first == first && s->r[i].last == last);
}

static void ranges_merge(void **state)
{
	struct ranges s;

	(void)state;
	ranges_init(&s);
	assert_true(ranges_add(&s, 10, 19, false));
	assert_true(ranges_add(&s, 30, 39, false));
	assert_int_equal(s.n, 2);
	assert_true(ranges_add(&s, 20, 20, false)); /* touches the first */
	assert_int_equal(s.n, 2);
	assert_range(&s, 0, 10, 20);
	assert_true(ranges_add(&s, 29, 29, false)); /* touches the second */
	assert_range(&s, 1, 29, 39);
	assert_true(ranges_add(&s, 12, 15, false)); /* inside */
	assert_range(&s, 0, 10, 20);
	assert_true(ranges_add(&s, 21, 28, false)); /* fills the hole */
	assert_int_equal(s.n, 1);
	assert_range(&s, 0, 10, 39);
	assert_true(ranges_add(&s, 0, 100, false)); /* covers all */
	assert_int_equal(s.n, 1);
	assert_range(&s, 0, 0, 100);
	assert_true(ranges_add(&s, 102, 102, false)); /* neither overlaps nor touches */
	assert_int_equal(s.n, 2);
}

static void fill(struct ranges *s)
{
	ranges_init(s);
	for (uint64_t i = 0; i < RANGES_MAX; i++)
		assert_true(ranges_add(s, 100 + 10 * i, 105 + 10 * i, false));
	assert_int_equal(s->n, RANGES_MAX);
}

static void a_full_set_refuses(void **state)
{
	struct ranges s, before;

	(void)state;
	fill(&s);
	before = s;
	assert_false(ranges_add(&s, 1000, 1000, false));
	assert_false(ranges_add(&s, 0, 0, false));
	assert_false(ranges_add(&s, 107, 108, false));
	assert_memory_equal(&s, &before, sizeof s);
	assert_true(ranges_add(&s, 106, 106, false)); /* it merges */
	assert_true(ranges_add(&s, 107, 109, false)); /* and again, with two */
	assert_int_equal(s.n, RANGES_MAX - 1);
}

static void a_full_set_forgets_the_lowest(void **state)
{
	struct ranges s;

	(void)state;
	fill(&s);
	assert_true(ranges_add(&s, 1000, 1000, true));
	assert_int_equal(s.n, RANGES_MAX);
	assert_range(&s, 0, 110, 115);
	assert_range(&s, RANGES_MAX - 1, 1000, 1000);
	assert_true(ranges_add(&s, 117, 118, true)); /* in the middle */
	assert_range(&s, 0, 117, 118);
	assert_range(&s, 1, 120, 125);
	assert_true(ranges_add(&s, 5, 6, true)); /* the lowest itself */
	assert_int_equal(s.n, RANGES_MAX);
	assert_range(&s, 0, 117, 118);
}

static void dropping_cuts(void **state)
{
	struct ranges s;

	(void)state;
	ranges_init(&s);
	ranges_drop(&s, 5);
	assert_int_equal(s.n, 0);
	ranges_add(&s, 10, 19, false);
	ranges_add(&s, 30, 39, false);
	ranges_drop(&s, 9);
	assert_int_equal(s.n, 2);
	ranges_drop(&s, 12);
	assert_range(&s, 0, 13, 19);
	ranges_drop(&s, 19);
	assert_int_equal(s.n, 1);
	ranges_drop(&s, 25);
	assert_range(&s, 0, 30, 39);
	ranges_drop(&s, 38);
	assert_range(&s, 0, 39, 39);
	ranges_drop(&s, UINT64_MAX);
	assert_int_equal(s.n, 0);
}

static void the_largest_numbers_fit(void **state)
{
	struct ranges s;

	(void)state;
	ranges_init(&s);
	assert_true(ranges_add(&s, UINT64_MAX, UINT64_MAX, false));
	assert_true(ranges_add(&s, 0, 0, false));
	assert_int_equal(s.n, 2);
	assert_true(ranges_add(&s, UINT64_MAX - 1, UINT64_MAX - 1, false));
	assert_int_equal(s.n, 2);
	assert_true(ranges_has(&s, UINT64_MAX) && ranges_has(&s, 0) && !ranges_has(&s, 1));
}

static void it_agrees_with_a_model(void **state)
{
	uint8_t model[300];
	uint32_t seed = 3;

	(void)state;
	for (int round = 0; round < 200; round++) {
		struct ranges s;

		ranges_init(&s);
		memset(model, 0, sizeof model);
		for (int i = 0; i < 40; i++) {
			unsigned first, last;

			seed = seed * 1664525u + 1013904223u;
			first = (seed >> 8) % 280;
			last = first + (seed >> 20) % 12;
			if ((seed >> 28) == 0) {
				ranges_drop(&s, first);
				memset(model, 0, first + 1);
			} else if (ranges_add(&s, first, last, false)) {
				memset(model + first, 1, last - first + 1);
			}
			for (unsigned n = 0; n < sizeof model; n++)
				assert_int_equal(ranges_has(&s, n), model[n]);
			for (size_t r = 1; r < s.n; r++)
				assert_true(s.r[r].first > s.r[r - 1].last + 1);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ranges_merge),
		cmocka_unit_test(a_full_set_refuses),
		cmocka_unit_test(a_full_set_forgets_the_lowest),
		cmocka_unit_test(dropping_cuts),
		cmocka_unit_test(the_largest_numbers_fit),
		cmocka_unit_test(it_agrees_with_a_model),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
