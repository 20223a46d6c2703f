/* links: framing/window.c */
/* Window: against a plain model, at its edges; expansion of RFC 9000 A.3. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "framing/window.h"

static void a_number_is_new_once(void **state)
{
	struct window w;

	(void)state;
	window_init(&w);
	assert_false(window_seen(&w, 0));
	assert_true(window_mark(&w, 0));
	assert_true(window_seen(&w, 0));
	assert_false(window_mark(&w, 0));
	assert_true(window_mark(&w, 5));
	assert_true(window_mark(&w, 3));
	assert_false(window_mark(&w, 3));
	assert_false(window_seen(&w, 4));
	assert_int_equal(w.next, 6);
}

static void it_is_exact_for_its_span_and_no_more(void **state)
{
	struct window w;

	(void)state;
	window_init(&w);
	assert_true(window_mark(&w, 10000));
	assert_false(window_seen(&w, 10001 - WINDOW_SPAN));
	assert_true(window_seen(&w, 10000 - WINDOW_SPAN));
	assert_false(window_mark(&w, 10000 - WINDOW_SPAN));
	assert_true(window_mark(&w, 10001 - WINDOW_SPAN));
	assert_false(window_mark(&w, 10001 - WINDOW_SPAN));
}

static void a_jump_forgets_exactly_what_falls_out(void **state)
{
	static const uint64_t jumps[] = { 1, 2, 63, 64, 65, 127, 128, 129, WINDOW_SPAN - 1, WINDOW_SPAN, WINDOW_SPAN + 1, 100000 };

	(void)state;
	for (size_t i = 0; i < sizeof jumps / sizeof *jumps; i++)
		for (uint64_t base = 0; base < 130; base += 13) {
			struct window w;
			uint64_t newest = base + WINDOW_SPAN - 1 + jumps[i];

			window_init(&w);
			for (uint64_t n = base; n < base + WINDOW_SPAN; n++)
				assert_true(window_mark(&w, n));
			assert_true(window_mark(&w, newest));
			for (uint64_t n = base; n < newest; n++)
				if (newest - n >= WINDOW_SPAN)
					assert_true(window_seen(&w, n));
				else
					assert_int_equal(window_seen(&w, n), n < base + WINDOW_SPAN);
		}
}

static uint32_t random_next(uint32_t *seed)
{
	*seed = *seed * 1664525u + 1013904223u;
	return *seed >> 8;
}

static void it_agrees_with_a_model(void **state)
{
	enum { NUMBERS = 40000 };
	uint8_t *seen = calloc(1, NUMBERS);
	uint32_t seed = 7;
	uint64_t top = 0, next = 0;
	struct window w;

	(void)state;
	window_init(&w);
	for (int i = 0; i < 30000; i++) {
		uint64_t n;
		bool fresh;

		top += random_next(&seed) % 3;
		if (random_next(&seed) % 4096 == 0)
			top += random_next(&seed) % 5000;
		if (top >= NUMBERS)
			break;
		n = top - random_next(&seed) % (top < 6000 ? top + 1 : 6000);
		fresh = !seen[n] && (next <= n || next - n <= WINDOW_SPAN);
		assert_int_equal(window_mark(&w, n), fresh);
		seen[n] = 1;
		if (n >= next)
			next = n + 1;
	}
	assert_true(next > 10000);
	free(seen);
}

static void numbers_expand_to_the_closest(void **state)
{
	(void)state;
	/* RFC 9000 appendix A.3: largest 0xa82f30ea, 0x9b32 in 16 bits. */
	assert_true(window_expand(0xa82f30eb, 0x9b32, 16) == 0xa82f9b32);
	assert_true(window_expand(0, 0, 16) == 0);
	assert_true(window_expand(0, 65535, 16) == 65535);
	assert_true(window_expand(65536, 65535, 16) == 65535);
	assert_true(window_expand(65536, 1, 16) == 65537);
	assert_true(window_expand(65535, 2, 16) == 65538);
	assert_true(window_expand(65537, 0xfffe, 16) == 65534);
	assert_true(window_expand(256, 0x80, 8) == 384);
	assert_true(window_expand(256, 0x81, 8) == 129);
	assert_true(window_expand(UINT64_C(1) << 32, 0xffffffff, 32) == 0xffffffff);
	assert_true(window_expand((UINT64_C(1) << 24) - 1, 5, 24) == (1 << 24) + 5);
	/* Never above what a number may be. */
	assert_true(window_expand((UINT64_C(1) << 62) - 1, 1, 16) < UINT64_C(1) << 62);
}

static void every_low_part_expands_back(void **state)
{
	static const unsigned widths[] = { 8, 16, 24, 32 };

	(void)state;
	for (size_t i = 0; i < sizeof widths / sizeof *widths; i++) {
		const uint64_t span = UINT64_C(1) << widths[i];
		const uint64_t step = span / 256 + (span > 256);

		for (uint64_t n = span; n < span * 4; n += step)
			for (uint64_t d = 0; d < span / 2 - 1; d += span / 16 - 1) {
				assert_true(window_expand(n + d, n & (span - 1), widths[i]) == n);
				assert_true(window_expand(n - d, n & (span - 1), widths[i]) == n);
			}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_number_is_new_once),
		cmocka_unit_test(it_is_exact_for_its_span_and_no_more),
		cmocka_unit_test(a_jump_forgets_exactly_what_falls_out),
		cmocka_unit_test(it_agrees_with_a_model),
		cmocka_unit_test(numbers_expand_to_the_closest),
		cmocka_unit_test(every_low_part_expands_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
