/* links: framing/cursor.c framing/varint.c */
/* Cursors: every field there and back, and the sticky error on both sides. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "framing/cursor.h"

static size_t write_all(uint8_t *buf, size_t cap, bool *full)
{
	struct writer w;

	writer_init(&w, buf, cap);
	writer_u8(&w, 0x12);
	writer_u16(&w, 0x3456);
	writer_u32(&w, 0x789abcde);
	writer_u64(&w, UINT64_C(0xf0e1d2c3b4a59687));
	writer_varint(&w, 15293);
	writer_block(&w, "abc", 3);
	writer_bytes(&w, "rest", 4);
	*full = w.full;
	return writer_len(&w);
}

static const uint8_t golden[] = {
	0x12, 0x34, 0x56, 0x78, 0x9a, 0xbc, 0xde, 0xf0, 0xe1, 0xd2, 0xc3, 0xb4, 0xa5, 0x96,
	0x87, 0x7b, 0xbd, 0x03, 'a',  'b',  'c',  'r',	'e',  's',  't',
};

static void fields_are_written_in_network_order(void **state)
{
	uint8_t buf[64];
	bool full;

	(void)state;
	assert_int_equal(write_all(buf, sizeof buf, &full), sizeof golden);
	assert_false(full);
	assert_memory_equal(buf, golden, sizeof golden);
}

static void fields_are_read_back(void **state)
{
	struct cursor c;
	struct span s;

	(void)state;
	cursor_init(&c, golden, sizeof golden);
	assert_int_equal(cursor_u8(&c), 0x12);
	assert_int_equal(cursor_u16(&c), 0x3456);
	assert_int_equal(cursor_u32(&c), 0x789abcde);
	assert_true(cursor_u64(&c) == UINT64_C(0xf0e1d2c3b4a59687));
	assert_int_equal(cursor_varint(&c), 15293);
	s = cursor_block(&c, 3);
	assert_int_equal(s.n, 3);
	assert_memory_equal(s.p, "abc", 3);
	s = cursor_bytes(&c, 1);
	assert_int_equal(*s.p, 'r');
	assert_int_equal(cursor_left(&c), 3);
	s = cursor_rest(&c);
	assert_memory_equal(s.p, "est", 3);
	assert_int_equal(cursor_left(&c), 0);
	assert_false(c.bad);
}

static void every_truncation_is_bad_and_stays_bad(void **state)
{
	(void)state;
	for (size_t n = 0; n < sizeof golden - 4; n++) {
		uint8_t *p = malloc(n + !n);
		struct cursor c;

		memcpy(p, golden, n);
		cursor_init(&c, p, n);
		cursor_u8(&c);
		cursor_u16(&c);
		cursor_u32(&c);
		cursor_u64(&c);
		cursor_varint(&c);
		cursor_block(&c, 100);
		assert_true(c.bad);
		assert_int_equal(cursor_left(&c), 0);
		assert_int_equal(cursor_u8(&c), 0);
		assert_int_equal(cursor_u64(&c), 0);
		assert_int_equal(cursor_varint(&c), 0);
		assert_int_equal(cursor_bytes(&c, 0).n, 0);
		assert_null(cursor_rest(&c).p);
		assert_true(c.bad);
		free(p);
	}
}

static void a_block_above_its_maximum_is_bad(void **state)
{
	static const uint8_t block[] = { 4, 'a', 'b', 'c', 'd' };
	static const uint8_t huge[] = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 'a' };
	struct cursor c;

	(void)state;
	cursor_init(&c, block, sizeof block);
	assert_int_equal(cursor_block(&c, 4).n, 4);
	cursor_init(&c, block, sizeof block);
	assert_int_equal(cursor_block(&c, 3).n, 0);
	assert_true(c.bad);
	cursor_init(&c, huge, sizeof huge);
	assert_int_equal(cursor_block(&c, SIZE_MAX).n, 0);
	assert_true(c.bad);
}

static void nothing_at_all_can_be_read(void **state)
{
	struct cursor c;

	(void)state;
	cursor_init(&c, NULL, 0);
	assert_int_equal(cursor_rest(&c).n, 0);
	assert_false(c.bad);
	cursor_u8(&c);
	assert_true(c.bad);
}

static void a_full_writer_never_passes_its_end(void **state)
{
	(void)state;
	for (size_t cap = 0; cap < sizeof golden; cap++) {
		uint8_t *p = malloc(cap + !cap);
		bool full;
		size_t n = write_all(p, cap, &full);

		assert_true(full);
		assert_true(n <= cap);
		assert_memory_equal(p, golden, n);
		free(p);
	}
}

static void after_an_error_nothing_is_written(void **state)
{
	uint8_t buf[4] = { 0 };
	struct writer w;

	(void)state;
	writer_init(&w, buf, sizeof buf);
	writer_u64(&w, 1);
	writer_u8(&w, 0xff);
	assert_true(w.full);
	assert_int_equal(writer_len(&w), 0);
	assert_int_equal(writer_left(&w), 4);
	assert_int_equal(buf[0], 0);
	writer_init(&w, buf, sizeof buf);
	writer_varint(&w, UINT64_MAX);
	assert_true(w.full);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(fields_are_written_in_network_order),
		cmocka_unit_test(fields_are_read_back),
		cmocka_unit_test(every_truncation_is_bad_and_stays_bad),
		cmocka_unit_test(a_block_above_its_maximum_is_bad),
		cmocka_unit_test(nothing_at_all_can_be_read),
		cmocka_unit_test(a_full_writer_never_passes_its_end),
		cmocka_unit_test(after_an_error_nothing_is_written),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
