/* links: framing/base64.c */
/* Base64: the vectors of RFC 4648 section 10, strictness, caps. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "framing/base64.h"
#include "framing/error.h"

static const struct {
	const char *plain, *text, *url;
} vectors[] = {
	{ "", "", "" },
	{ "f", "Zg==", "Zg" },
	{ "fo", "Zm8=", "Zm8" },
	{ "foo", "Zm9v", "Zm9v" },
	{ "foob", "Zm9vYg==", "Zm9vYg" },
	{ "fooba", "Zm9vYmE=", "Zm9vYmE" },
	{ "foobar", "Zm9vYmFy", "Zm9vYmFy" },
	{ "\xfb\xff\xbf", "+/+/", "-_-_" },
};
#define COUNT (sizeof vectors / sizeof *vectors)

static void check(const char *plain, const char *text, bool url)
{
	size_t n = strlen(plain), len = strlen(text);
	uint8_t back[16];
	char out[16];

	assert_int_equal(base64_len(n, url), len);
	base64_encode(out, (const uint8_t *)plain, n, url);
	assert_string_equal(out, text);
	assert_int_equal(base64_decode(back, sizeof back, text, len, url), n);
	assert_memory_equal(back, plain, n);
	assert_int_equal(base64_decode(back, n, text, len, url), n);
	if (n > 0)
		assert_int_equal(base64_decode(back, n - 1, text, len, url), ERROR_MALFORMED);
}

static void vectors_there_and_back(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT; i++) {
		check(vectors[i].plain, vectors[i].text, false);
		check(vectors[i].plain, vectors[i].url, true);
	}
}

static void other_spellings_are_malformed(void **state)
{
	static const char *const plain[] = { "Z",    "Zg",   "Zg=",	 "Zg===", "Zh==",	"Zm9=", "=",	 "==",	"====", "Zg==Zg==",
					     "Zm 9v", "Zm9v\n", "Zm9v=", "Zm-v",  "Zm_v", "Z===", " Zm9v", "Zm=v", "Zm9v====" };
	static const char *const url[] = { "Z", "Zg==", "Zh", "Zm9", "Zm8=", "Zm+v", "Zm/v", "Zm9vY", " Zg", "Zg " };
	uint8_t out[32];

	(void)state;
	for (size_t i = 0; i < sizeof plain / sizeof *plain; i++)
		assert_int_equal(base64_decode(out, sizeof out, plain[i], strlen(plain[i]), false), ERROR_MALFORMED);
	for (size_t i = 0; i < sizeof url / sizeof *url; i++)
		assert_int_equal(base64_decode(out, sizeof out, url[i], strlen(url[i]), true), ERROR_MALFORMED);
}

static void only_the_alphabet_is_accepted(void **state)
{
	(void)state;
	for (int url = 0; url < 2; url++) {
		int good = 0;

		for (int c = 0; c < 256; c++) {
			char text[4] = { 'A', (char)c, 'A', 'A' };
			uint8_t out[3];

			good += base64_decode(out, 3, text, 4, url) == 3;
		}
		assert_int_equal(good, 64);
	}
}

static void a_decoding_is_the_only_one(void **state)
{
	(void)state;
	/* What decodes encodes back to the same text. */
	for (unsigned a = 0; a < 256; a++)
		for (unsigned b = 0; b < 256; b++) {
			char text[2] = { (char)a, (char)b }, again[4];
			uint8_t out[1];

			if (base64_decode(out, 1, text, 2, true) != 1)
				continue;
			base64_encode(again, out, 1, true);
			assert_memory_equal(again, text, 2);
		}
}

static void all_lengths_round_trip(void **state)
{
	(void)state;
	for (size_t n = 0; n < 70; n++)
		for (int url = 0; url < 2; url++) {
			uint8_t in[70], out[70];
			size_t len = base64_len(n, url);
			char *text = malloc(len + 1);

			for (size_t i = 0; i < n; i++)
				in[i] = (uint8_t)(i * 37 + n);
			base64_encode(text, in, n, url);
			assert_int_equal(strlen(text), len);
			assert_int_equal(base64_decode(out, sizeof out, text, len, url), n);
			assert_memory_equal(in, out, n);
			free(text);
		}
	assert_int_equal(base64_len(16, true), 22);
	assert_int_equal(base64_len(32, true), 43);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(vectors_there_and_back),
		cmocka_unit_test(other_spellings_are_malformed),
		cmocka_unit_test(only_the_alphabet_is_accepted),
		cmocka_unit_test(a_decoding_is_the_only_one),
		cmocka_unit_test(all_lengths_round_trip),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
