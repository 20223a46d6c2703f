/* links: framing/utf8.c */
/* UTF-8: every character there is, every sequence of up to three octets against a plain decoder, four octets by their limits, portions. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "framing/utf8.h"

static size_t encode(uint8_t *out, uint32_t c)
{
	if (c < 0x80) {
		out[0] = (uint8_t)c;
		return 1;
	}
	if (c < 0x800) {
		out[0] = (uint8_t)(0xc0 | c >> 6);
		out[1] = (uint8_t)(0x80 | (c & 0x3f));
		return 2;
	}
	if (c < 0x10000) {
		out[0] = (uint8_t)(0xe0 | c >> 12);
		out[1] = (uint8_t)(0x80 | (c >> 6 & 0x3f));
		out[2] = (uint8_t)(0x80 | (c & 0x3f));
		return 3;
	}
	out[0] = (uint8_t)(0xf0 | c >> 18);
	out[1] = (uint8_t)(0x80 | (c >> 12 & 0x3f));
	out[2] = (uint8_t)(0x80 | (c >> 6 & 0x3f));
	out[3] = (uint8_t)(0x80 | (c & 0x3f));
	return 4;
}

/* Plainly: the character at p, encoded again, must give the same octets; octets of it, or 0. */
static size_t decode(const uint8_t *p, size_t n)
{
	size_t len = p[0] < 0x80 ? 1 : (p[0] & 0xe0) == 0xc0 ? 2 : (p[0] & 0xf0) == 0xe0 ? 3 : (p[0] & 0xf8) == 0xf0 ? 4 : 0;
	uint32_t c = len == 1 ? p[0] : len == 0 ? 0 : p[0] & (0x7fu >> len);
	uint8_t again[4];

	if (len == 0 || len > n)
		return 0;
	for (size_t i = 1; i < len; i++)
		c = c << 6 | (p[i] & 0x3f);
	if (c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff))
		return 0;
	return encode(again, c) == len && memcmp(again, p, len) == 0 ? len : 0;
}

static bool plainly_ok(const uint8_t *p, size_t n)
{
	size_t len;

	for (size_t i = 0; i < n; i += len)
		if ((len = decode(p + i, n - i)) == 0)
			return false;
	return true;
}

static void every_character_is_one(void **state)
{
	uint8_t p[4];

	(void)state;
	for (uint32_t c = 0; c <= 0x1fffff; c++) {
		size_t n = encode(p, c);

		if (utf8_ok(p, n) != (c <= 0x10ffff && (c < 0xd800 || c > 0xdfff)))
			fail_msg("U+%X", c);
		if (n > 1 && utf8_ok(p, n - 1))
			fail_msg("U+%X without its end", c);
	}
}

static void short_sequences_are_as_a_plain_decoder_says(void **state)
{
	(void)state;
	for (uint32_t v = 0; v < 1u << 24; v++) {
		uint8_t p[3] = { (uint8_t)v, (uint8_t)(v >> 8), (uint8_t)(v >> 16) };
		size_t n = v < 1u << 8 ? 1 : v < 1u << 16 ? 2 : 3;

		if (utf8_ok(p, n) != plainly_ok(p, n))
			fail_msg("%02x %02x %02x", p[0], p[1], p[2]);
	}
}

static void four_octets_are_as_a_plain_decoder_says(void **state)
{
	static const uint8_t edge[] = { 0x00, 0x7f, 0x80, 0x8f, 0x90, 0x9f, 0xa0, 0xbf, 0xc0, 0xc2, 0xe0, 0xff };

	(void)state;
	for (unsigned first = 0xe0; first <= 0xff; first++)
		for (unsigned second = 0; second <= 0xff; second++)
			for (size_t i = 0; i < sizeof edge; i++)
				for (size_t k = 0; k < sizeof edge; k++) {
					uint8_t p[4] = { (uint8_t)first, (uint8_t)second, edge[i], edge[k] };

					assert_int_equal(utf8_ok(p, 4), plainly_ok(p, 4));
				}
}

/* What can become no text is known with its first wrong octet. */
static void a_wrong_octet_is_seen_at_once(void **state)
{
	static const struct {
		const char *p;
		size_t good;
	} bad[] = {
		{ "\x80", 0 }, { "abc\xff", 3 }, { "\xc0\x80", 0 }, { "\xc1\xbf", 0 }, { "\xc3\x28", 1 }, { "\xe0\x9f\xbf", 1 },
		{ "\xed\xa0\x80", 1 }, { "\xe2\x82\x41", 2 }, { "\xf0\x8f\xbf\xbf", 1 }, { "\xf4\x90\x80\x80", 1 }, { "\xf5\x80", 0 },
		{ "\xf0\x90\x80\xc0", 3 }, { "\xce\xba\xe1\xbd\xb9\xcf\x83\xce\xbc\xce\xb5\xed\xa0\x80" "edited", 12 },
		{ "12345678\xfe", 8 }, { "1234567890123456\xc2\xc2", 17 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		struct utf8 u = { 0 };

		for (size_t k = 0; k < bad[i].good; k++)
			assert_true(utf8_feed(&u, (const uint8_t *)bad[i].p + k, 1));
		assert_false(utf8_feed(&u, (const uint8_t *)bad[i].p + bad[i].good, 1));
	}
}

static void portions_make_no_difference(void **state)
{
	static const char text[] = "plain ASCII for a while, \xce\xba\xe1\xbd\xb9\xcf\x83\xce\xbc\xce\xb5 \xf0\x9f\x98\x80 and again plain ASCII";
	size_t n = sizeof text - 1;

	(void)state;
	for (size_t a = 0; a <= n; a++)
		for (size_t b = a; b <= n; b++) {
			struct utf8 u = { 0 };

			assert_true(utf8_feed(&u, (const uint8_t *)text, a));
			assert_true(utf8_feed(&u, (const uint8_t *)text + a, b - a));
			assert_int_equal(utf8_whole(&u), b == n || ((uint8_t)text[b] & 0xc0) != 0x80);
			assert_true(utf8_feed(&u, (const uint8_t *)text + b, n - b));
			assert_true(utf8_whole(&u));
		}
	assert_true(utf8_ok(NULL, 0));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_character_is_one),
		cmocka_unit_test(short_sequences_are_as_a_plain_decoder_says),
		cmocka_unit_test(four_octets_are_as_a_plain_decoder_says),
		cmocka_unit_test(a_wrong_octet_is_seen_at_once),
		cmocka_unit_test(portions_make_no_difference),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
