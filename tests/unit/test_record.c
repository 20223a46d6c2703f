/* links: framing/record.c framing/capsule.c framing/cursor.c framing/varint.c */
/* Records: golden bytes, portions of every size, malformed and foreign bodies. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "framing/capsule.h"
#include "framing/error.h"
#include "framing/record.h"

/* What came out of a reader, as text: "[number:clock type(value) ... ]". */
struct log {
	char text[4096];
	size_t len;
	unsigned capsules;
	int fail_at;		/* the capsule whose callback fails, -1: none */
	const uint8_t *lo, *hi; /* the portion, to see what was handed out in place */
	unsigned in_place;
};

static void note(struct log *l, const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	l->len += (size_t)vsnprintf(l->text + l->len, sizeof l->text - l->len, format, ap);
	va_end(ap);
	assert_true(l->len < sizeof l->text);
}

static int on_begin(void *ctx, uint64_t number, uint32_t clock_ms)
{
	note(ctx, "[%llu:%u", (unsigned long long)number, clock_ms);
	return 0;
}

static int on_capsule(void *ctx, uint64_t type, struct span value)
{
	struct log *l = ctx;
	unsigned sum = 0;

	for (size_t i = 0; i < value.n; i++) /* touches every byte */
		sum = sum * 31 + value.p[i];
	note(l, " %llu(%zu,%u)", (unsigned long long)type, value.n, sum);
	if (value.p >= l->lo && value.p < l->hi)
		l->in_place++;
	return (int)l->capsules++ == l->fail_at ? ERROR_LIMIT : 0;
}

static int on_end(void *ctx)
{
	note(ctx, "]");
	return 0;
}

static const struct record_events events = { on_begin, on_capsule, on_end };

/* Feeds the body in portions of step bytes, each in a buffer of its exact size. */
static int read_body(struct log *l, const uint8_t *p, size_t n, size_t step, bool strict, bool *whole)
{
	struct record_reader r;
	int rc = 0;

	memset(l, 0, sizeof *l);
	l->fail_at = -1;
	record_reader_init(&r, &events, l, strict);
	for (size_t i = 0; i < n && rc == 0; i += step) {
		size_t len = n - i < step ? n - i : step;
		uint8_t *portion = malloc(len);

		memcpy(portion, p + i, len);
		l->lo = portion;
		l->hi = portion + len;
		rc = record_reader_feed(&r, portion, len);
		free(portion);
	}
	if (whole)
		*whole = record_reader_whole(&r);
	record_reader_fini(&r);
	return rc;
}

static const uint8_t body[] = {
	0x02, 0x02, 0xff, 0xff,				/* PAD */
	0x01, 0x80, 0x00, 0x00, 0x0f,			/* RECORD of 15 */
	0x07, 0x00, 0x00, 0x01, 0x00,			/* number 7, clock 256 */
	0x00, 0x03, 'a', 'b', 'c',			/* DATAGRAM */
	0x02, 0x01, 0x00,				/* PAD within */
	0x04, 0x00,					/* PING without value */
	0x40, 0x99, 0x40, 0x01, 'x',			/* unknown at the top: skipped */
	0x02, 0x00,					/* empty PAD */
	0x40, 0x01, 0x06, 0x40, 0x08, 0, 0, 0, 0,	/* RECORD without capsules, long varints */
	0x01, 0x09, 0x09, 0, 0, 0, 1, 0x40, 0x99, 0x01, 'y', /* an unknown capsule in a record */
};
static const char body_log[] = "[7:256 0(3,96354) 2(1,0) 4(0,0)][8:0][9:1 153(1,121)]";

static void the_builder_writes_golden_bytes(void **state)
{
	static const uint8_t golden[] = { 0x01, 0x80, 0x00, 0x00, 0x0b, 0x40, 0x40, 0x01, 0x02, 0x03,
					  0x04, 0x00, 0x03, 'a',  'b',	'c' };
	struct record_builder b;
	uint8_t buf[64];

	(void)state;
	record_begin(&b, buf, sizeof buf, 64, 0x01020304);
	capsule_head_put(&b.w, CAPSULE_DATAGRAM, 3);
	writer_bytes(&b.w, "abc", 3);
	assert_int_equal(record_finish(&b), sizeof golden);
	assert_memory_equal(buf, golden, sizeof golden);
	assert_int_equal(b.head, 11);
}

static void the_builder_keeps_its_limits(void **state)
{
	uint8_t *buf = malloc(200000);
	struct record_builder b;
	size_t n;

	(void)state;
	record_begin(&b, buf, 200000, (UINT64_C(1) << 62) - 1, 0);
	assert_int_equal(b.head, RECORD_HEAD_MAX);
	while (writer_left(&b.w) >= 2)
		capsule_head_put(&b.w, CAPSULE_PAD, 0);
	n = record_finish(&b);
	assert_true(n <= CAPSULE_TOP_MAX && n > CAPSULE_TOP_MAX - 2);
	free(buf);
	buf = malloc(RECORD_HEAD_MAX + 1);
	record_begin(&b, buf, RECORD_HEAD_MAX + 1, (UINT64_C(1) << 62) - 1, 0);
	assert_int_equal(writer_left(&b.w), 1);
	assert_int_equal(record_finish(&b), RECORD_HEAD_MAX);
	free(buf);
}

static void portions_of_any_size_give_the_same(void **state)
{
	(void)state;
	for (size_t step = 1; step <= sizeof body; step++)
		for (int strict = 0; strict < 2; strict++) {
			struct log l;
			bool whole;

			assert_int_equal(read_body(&l, body, sizeof body, step, strict, &whole), 0);
			assert_string_equal(l.text, body_log);
			assert_true(whole);
			if (step == sizeof body)
				assert_int_equal(l.in_place, l.capsules); /* nothing was copied */
		}
}

static void a_whole_portion_needs_no_buffer(void **state)
{
	struct record_reader r;
	struct log l = { .fail_at = -1 };

	(void)state;
	record_reader_init(&r, &events, &l, true);
	assert_int_equal(record_reader_feed(&r, body, sizeof body), 0);
	assert_null(r.buf);
	assert_int_equal(record_reader_feed(&r, NULL, 0), 0);
	record_reader_fini(&r);
	record_reader_fini(&r);
}

/* After every prefix: what came out is a prefix, and whole says whether the body may end there. */
static void truncations_hand_out_only_what_is_complete(void **state)
{
	static const size_t ends[] = { 0, 4, 24, 29, 31, 40, 51 };

	(void)state;
	assert_int_equal(sizeof body, 51);
	for (size_t n = 0; n <= sizeof body; n++)
		for (size_t step = 1; step <= n + 1; step += n / 3 + 1) {
			bool whole, expected = false;
			struct log l;

			for (size_t i = 0; i < sizeof ends / sizeof *ends; i++)
				expected |= n == ends[i];
			assert_int_equal(read_body(&l, body, n, step, true, &whole), 0);
			assert_int_equal(whole, expected);
			assert_memory_equal(l.text, body_log, l.len);
		}
}

static void malformed(const uint8_t *p, size_t n, int code)
{
	for (size_t step = 1; step <= n; step++) {
		struct log l;

		assert_int_equal(read_body(&l, p, n, step, true, NULL), code);
	}
}

#define BYTES(...) (const uint8_t[]){ __VA_ARGS__ }, sizeof(const uint8_t[]){ __VA_ARGS__ }

static void malformed_bodies_end_the_reading(void **state)
{
	(void)state;
	/* Too short for number and clock. */
	malformed(BYTES(0x01, 0x00), ERROR_MALFORMED);
	malformed(BYTES(0x01, 0x04, 0, 0, 0, 0, 0), ERROR_MALFORMED);
	malformed(BYTES(0x01, 0x05, 0x40, 0, 0, 0, 0, 0), ERROR_MALFORMED);
	malformed(BYTES(0x01, 0x08, 0xc0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0), ERROR_MALFORMED);
	/* A capsule that crosses the end of its record: by its value, by its header. */
	malformed(BYTES(0x01, 0x08, 0, 0, 0, 0, 0, 0x00, 0x02, 'a', 'b'), ERROR_MALFORMED);
	malformed(BYTES(0x01, 0x06, 0, 0, 0, 0, 0, 0x00, 0x00), ERROR_MALFORMED);
	malformed(BYTES(0x01, 0x07, 0, 0, 0, 0, 0, 0x00, 0x40, 0x00), ERROR_MALFORMED);
	/* A record in a record. */
	malformed(BYTES(0x01, 0x0c, 0, 0, 0, 0, 0, 0x01, 0x05, 0, 0, 0, 0, 0), ERROR_MALFORMED);
	malformed(BYTES(0x01, 0x0d, 0, 0, 0, 0, 0, 0x40, 0x01, 0x05, 0, 0, 0, 0, 0), ERROR_MALFORMED);
	/* Above the limits: 81,921 and 65,537 at the top, 66,049 and 65,537 within. */
	malformed(BYTES(0x01, 0x80, 0x01, 0x40, 0x01), ERROR_MALFORMED);
	malformed(BYTES(0x02, 0x80, 0x01, 0x00, 0x01), ERROR_MALFORMED);
	malformed(BYTES(0x02, 0x00, 0x33, 0x80, 0x01, 0x40, 0x01), ERROR_MALFORMED);
	malformed(BYTES(0x01, 0x80, 0x01, 0x40, 0x00, 0, 0, 0, 0, 0, 0x00, 0x80, 0x01, 0x02, 0x01), ERROR_MALFORMED);
	malformed(BYTES(0x01, 0x80, 0x01, 0x40, 0x00, 0, 0, 0, 0, 0, 0x02, 0x80, 0x01, 0x00, 0x01), ERROR_MALFORMED);
}

static void foreign_bodies_are_not_ours(void **state)
{
	struct log l;
	bool whole;

	(void)state;
	malformed((const uint8_t *)"<!DOCTYPE html>", 15, ERROR_HTTP);
	malformed(BYTES(0x00, 0x01, 'a'), ERROR_HTTP);
	malformed(BYTES(0x40, 0x03, 0x01), ERROR_HTTP);
	malformed(BYTES('H'), 0); /* half of a type: not yet */
	/* Only the first is looked at, and only when strict. */
	assert_int_equal(read_body(&l, BYTES(0x02, 0x00, 0x3c, 0x01, 'a'), 1, true, &whole), 0);
	assert_true(whole);
	assert_int_equal(read_body(&l, BYTES(0x3c, 0x01, 'a'), 1, false, &whole), 0);
	assert_true(whole);
}

static void a_callback_ends_the_reading(void **state)
{
	struct log l = { .fail_at = 1 };
	struct record_reader r;

	(void)state;
	record_reader_init(&r, &events, &l, true);
	assert_int_equal(record_reader_feed(&r, body, sizeof body), ERROR_LIMIT);
	assert_int_equal(l.capsules, 2);
	record_reader_fini(&r);
}

static void the_largest_capsules_pass(void **state)
{
	static const size_t steps[] = { 1, 777, 4096, 65536, 200000 };
	uint8_t *buf = malloc(200000);
	size_t n;

	(void)state;
	for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
		struct record_builder b;
		struct log l;
		bool whole;

		record_begin(&b, buf, 200000, 1, 2);
		capsule_head_put(&b.w, CAPSULE_STREAM, CAPSULE_MAX);
		memset(b.w.p, 'z', CAPSULE_MAX);
		b.w.p += CAPSULE_MAX;
		n = record_finish(&b);
		memcpy(buf + n, "\x02\x80\x01\x00\x00", 5); /* a PAD of 65,536 */
		n += 5;
		memset(buf + n, 0, CAPSULE_PAD_MAX);
		n += CAPSULE_PAD_MAX;
		assert_int_equal(read_body(&l, buf, n, steps[i], true, &whole), 0);
		assert_true(whole);
		assert_int_equal(l.capsules, 1);
		assert_non_null(strstr(l.text, " 19(66048,"));
	}
	free(buf);
}

/* Any bytes: no over-read, and the same in portions as at once. */
static void bit_flips_read_the_same_in_any_portions(void **state)
{
	(void)state;
	for (size_t bit = 0; bit < 8 * sizeof body; bit++) {
		uint8_t copy[sizeof body];
		struct log a, b;
		bool whole_a, whole_b;
		int rc;

		memcpy(copy, body, sizeof body);
		copy[bit / 8] ^= (uint8_t)(1 << bit % 8);
		rc = read_body(&a, copy, sizeof copy, sizeof copy, false, &whole_a);
		assert_true(rc == 0 || rc == ERROR_MALFORMED);
		for (size_t step = 1; step < 8; step += 3) {
			assert_int_equal(read_body(&b, copy, sizeof copy, step, false, &whole_b), rc);
			assert_string_equal(a.text, b.text);
			if (rc == 0)
				assert_int_equal(whole_a, whole_b);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_builder_writes_golden_bytes),
		cmocka_unit_test(the_builder_keeps_its_limits),
		cmocka_unit_test(portions_of_any_size_give_the_same),
		cmocka_unit_test(a_whole_portion_needs_no_buffer),
		cmocka_unit_test(truncations_hand_out_only_what_is_complete),
		cmocka_unit_test(malformed_bodies_end_the_reading),
		cmocka_unit_test(foreign_bodies_are_not_ours),
		cmocka_unit_test(a_callback_ends_the_reading),
		cmocka_unit_test(the_largest_capsules_pass),
		cmocka_unit_test(bit_flips_read_the_same_in_any_portions),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
