/* links: framing/mask.c */
/* Masking: against its definition, for every length, offset and place in memory that may matter; in place; undone by itself. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "framing/mask.h"

static const uint8_t key[MASK_KEY] = { 0x9a, 0x01, 0xff, 0x3c };

static void every_octet_has_its_octet_of_the_key(void **state)
{
	(void)state;
	for (size_t n = 0; n < 140; n++)
		for (uint64_t at = 0; at < 9; at++)
			for (size_t skew = 0; skew < 3; skew++) {
				uint8_t *in = malloc(n + skew + 1), *out = malloc(n + skew + 1);

				for (size_t i = 0; i < n; i++)
					in[skew + i] = (uint8_t)(i * 7 + n);
				mask_copy(out + skew, in + skew, n, key, at);
				for (size_t i = 0; i < n; i++)
					assert_int_equal(out[skew + i], in[skew + i] ^ key[(at + i) % 4]);
				mask_copy(out + skew, out + skew, n, key, at);
				assert_memory_equal(out + skew, in + skew, n);
				free(in);
				free(out);
			}
}

static void pieces_give_what_the_whole_gives(void **state)
{
	uint8_t in[300], whole[sizeof in], out[sizeof in];

	(void)state;
	for (size_t i = 0; i < sizeof in; i++)
		in[i] = (uint8_t)(i * 13);
	mask_copy(whole, in, sizeof in, key, (uint64_t)1 << 40);
	for (size_t step = 1; step < sizeof in; step++) {
		for (size_t i = 0; i < sizeof in; i += step)
			mask_copy(out + i, in + i, sizeof in - i < step ? sizeof in - i : step, key, ((uint64_t)1 << 40) + i);
		assert_memory_equal(out, whole, sizeof in);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_octet_has_its_octet_of_the_key),
		cmocka_unit_test(pieces_give_what_the_whole_gives),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
