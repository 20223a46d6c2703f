/* Echo: the stamp's bytes, its round trip, and what is left alone. */
/* links: framing/echo.c framing/cursor.c framing/varint.c */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "framing/echo.h"

static const uint8_t golden[] = {
	'C', 'E', 'c', 'h', 0, 0, 1, 2, 0xfe, 0xdc, 0xba, 0x98, 0, 0, 0, 0, 'x', 'y',
};

static void has_the_layout_of_the_protocol(void **state)
{
	uint8_t p[sizeof golden] = { [ECHO_STAMP] = 'x', 'y' };
	struct echo_stamp stamp = { .sequence = 0x102, .sent_us = 0xfedcba98 };

	(void)state;
	echo_put(p, &stamp);
	assert_memory_equal(p, golden, sizeof golden);
	echo_serve(p, sizeof p, 0x01020304);
	assert_memory_equal(p, golden, 12);
	assert_memory_equal(p + 12, "\x01\x02\x03\x04xy", 6);
	assert_true(echo_get(p, sizeof p, &stamp));
	assert_int_equal(stamp.sequence, 0x102);
	assert_int_equal(stamp.sent_us, 0xfedcba98);
	assert_int_equal(stamp.served_us, 0x01020304);
	assert_true(echo_get(p, ECHO_STAMP, &stamp));
}

static void leaves_others_alone(void **state)
{
	uint8_t p[sizeof golden];
	struct echo_stamp stamp;

	(void)state;
	for (size_t n = 0; n < ECHO_STAMP; n++) {
		uint8_t *exact = malloc(n ? n : 1);	/* so that a sanitizer sees a byte too many */

		memcpy(exact, golden, n);
		assert_false(echo_get(exact, n, &stamp));
		echo_serve(exact, n, 0x01020304);
		assert_memory_equal(exact, golden, n);
		free(exact);
	}
	for (unsigned bit = 0; bit < 32; bit++) {
		memcpy(p, golden, sizeof p);
		p[bit / 8] ^= (uint8_t)(1 << bit % 8);
		assert_false(echo_get(p, sizeof p, &stamp));
		echo_serve(p, sizeof p, 0x01020304);
		assert_memory_equal(p + 4, golden + 4, sizeof p - 4);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(has_the_layout_of_the_protocol),
		cmocka_unit_test(leaves_others_alone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
