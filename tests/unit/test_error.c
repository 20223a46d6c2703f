/* links: framing/error.c */
/* The texts of error codes: one for each code, none for others. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "framing/error.h"

static void each_code_has_its_own_text(void **state)
{
	(void)state;
	for (int a = ERROR_DENIED; a <= 0; a++) {
		assert_string_not_equal(error_text(a), "unknown error");
		for (int b = ERROR_DENIED; b < a; b++)
			assert_string_not_equal(error_text(a), error_text(b));
	}
}

static void other_numbers_are_unknown(void **state)
{
	(void)state;
	assert_string_equal(error_text(1), "unknown error");
	assert_string_equal(error_text(ERROR_DENIED - 1), "unknown error");
	assert_string_equal(error_text(-2147483647 - 1), "unknown error");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_code_has_its_own_text),
		cmocka_unit_test(other_numbers_are_unknown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
