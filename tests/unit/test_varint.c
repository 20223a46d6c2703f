/* links: framing/varint.c */
/* Varints: the vectors of RFC 9000 appendix A.1, all lengths, every truncation. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "framing/varint.h"

static const struct {
	uint64_t value;
	size_t len;
	uint8_t bytes[8];
} vectors[] = {
	{ 151288809941952652, 8, { 0xc2, 0x19, 0x7c, 0x5e, 0xff, 0x14, 0xe8, 0x8c } },
	{ 494878333, 4, { 0x9d, 0x7f, 0x3e, 0x7d } },
	{ 15293, 2, { 0x7b, 0xbd } },
	{ 37, 1, { 0x25 } },
	{ 0, 1, { 0x00 } },
	{ 63, 1, { 0x3f } },
	{ 64, 2, { 0x40, 0x40 } },
	{ 16383, 2, { 0x7f, 0xff } },
	{ 16384, 4, { 0x80, 0x00, 0x40, 0x00 } },
	{ 1073741823, 4, { 0xbf, 0xff, 0xff, 0xff } },
	{ 1073741824, 8, { 0xc0, 0x00, 0x00, 0x00, 0x40, 0x00, 0x00, 0x00 } },
	{ VARINT_MAX, 8, { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff } },
};
#define COUNT (sizeof vectors / sizeof *vectors)

static void vectors_encode(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT; i++) {
		uint8_t buf[8] = { 0 };

		assert_int_equal(varint_len(vectors[i].value), vectors[i].len);
		assert_int_equal(varint_put(buf, vectors[i].value), vectors[i].len);
		assert_memory_equal(buf, vectors[i].bytes, vectors[i].len);
	}
}

static void vectors_decode(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT; i++) {
		uint64_t v = 0;

		assert_int_equal(varint_get(vectors[i].bytes, 8, &v), vectors[i].len);
		assert_true(v == vectors[i].value);
	}
}

static void truncations_need_more(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT; i++)
		for (size_t n = 0; n < vectors[i].len; n++) {
			uint8_t *p = malloc(n + !n);
			uint64_t v;

			memcpy(p, vectors[i].bytes, n);
			assert_int_equal(varint_get(p, n, &v), 0);
			free(p);
		}
}

static void longer_encodings_are_legal(void **state)
{
	static const uint8_t two[] = { 0x40, 0x25 }, four[] = { 0x80, 0, 0, 0x25 }, eight[] = { 0xc0, 0, 0, 0, 0, 0, 0, 0x25 };
	uint64_t v = 0;

	(void)state;
	assert_int_equal(varint_get(two, sizeof two, &v), 2);
	assert_true(v == 37);
	assert_int_equal(varint_get(four, sizeof four, &v), 4);
	assert_true(v == 37);
	assert_int_equal(varint_get(eight, sizeof eight, &v), 8);
	assert_true(v == 37);
}

static void four_bytes_can_be_filled_in(void **state)
{
	static const uint32_t values[] = { 0, 1, 63, 64, 16384, (1u << 30) - 1 };

	(void)state;
	for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
		uint8_t buf[4];
		uint64_t v = 0;

		varint_put4(buf, values[i]);
		assert_int_equal(varint_get(buf, 4, &v), 4);
		assert_true(v == values[i]);
	}
}

static void too_large_values_have_no_encoding(void **state)
{
	uint8_t buf[8] = { 0 };

	(void)state;
	assert_int_equal(varint_len(VARINT_MAX + 1), 0);
	assert_int_equal(varint_len(UINT64_MAX), 0);
	assert_int_equal(varint_put(buf, UINT64_MAX), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(vectors_encode),
		cmocka_unit_test(vectors_decode),
		cmocka_unit_test(truncations_need_more),
		cmocka_unit_test(longer_encodings_are_legal),
		cmocka_unit_test(four_bytes_can_be_filled_in),
		cmocka_unit_test(too_large_values_have_no_encoding),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
