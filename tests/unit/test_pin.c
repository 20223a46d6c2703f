/* links: tunnel/pin.c framing/base64.c framing/error.c */
/* Pins as text: what is written is read again, curl's form too, and nothing else. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "tunnel/pin.h"

/* RFC 7469, 2.4: the first of its examples. */
#define EXAMPLE "d6qzRu9zOECb90Uez27xWltNsj0e1Md7GkYYkVoZWmM="

static void test_round(void **state)
{
	uint8_t pin[PIN_SIZE], again[PIN_SIZE];
	char text[PIN_TEXT];

	(void)state;
	assert_true(pin_parse("sha256/" EXAMPLE, pin));
	assert_int_equal(pin[0], 0x77);
	assert_int_equal(pin[31], 0x63);
	pin_text(pin, text);
	assert_string_equal(text, "sha256/" EXAMPLE);
	assert_int_equal(strlen(text), PIN_TEXT - 1);
	assert_true(pin_parse("sha256//" EXAMPLE, again));
	assert_memory_equal(pin, again, sizeof pin);
	memset(pin, 0xff, sizeof pin);	/* its text begins with a slash of its own */
	pin_text(pin, text);
	assert_int_equal(text[7], '/');
	assert_true(pin_parse(text, again));
	assert_memory_equal(pin, again, sizeof pin);
}

static void test_refused(void **state)
{
	static const char *const bad[] = {
		"", "sha256/", EXAMPLE, "sha1/" EXAMPLE, "SHA256/" EXAMPLE, "sha256/" EXAMPLE " ", " sha256/" EXAMPLE,
		"sha256/d6qzRu9zOECb90Uez27xWltNsj0e1Md7GkYYkVoZWmM", "sha256///" EXAMPLE, "sha256/AAAA", "sha256/" EXAMPLE EXAMPLE,
		"sha256/d6qzRu9zOECb90Uez27xWltNsj0e1Md7GkYYkVoZWm==", "sha256/d6qzRu9zOECb90Uez27xWltNsj0e1Md7GkYYkVoZWm-=",
	};
	uint8_t pin[PIN_SIZE] = { 7 };
	char cut[PIN_TEXT + 2];

	(void)state;
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		assert_false(pin_parse(bad[i], pin));
	for (size_t n = 0; n < strlen("sha256/" EXAMPLE); n++) {
		snprintf(cut, sizeof cut, "%.*s", (int)n, "sha256/" EXAMPLE);
		assert_false(pin_parse(cut, pin));
	}
	assert_int_equal(pin[0], 7);	/* untouched */
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_round), cmocka_unit_test(test_refused) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
