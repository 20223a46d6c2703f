/* The rate of failures: so many at once, then one each so often, each address by itself, however many there are. */
/* links: server/rest_rate.c */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "server/rest_rate.h"
#include "tunnel/loop.h"

static void bursts_and_pauses(void **state)
{
	static const uint8_t one[SEALS_ORIGIN] = { 2, 192, 0, 2, 1 }, other[SEALS_ORIGIN] = { 2, 192, 0, 2, 2 };
	struct rest_rate *r = rest_rate_new(7);
	int64_t now = 5 * LOOP_SECOND;

	(void)state;
	for (int i = 0; i < REST_RATE_BURST; i++)
		assert_int_equal(rest_rate_count(r, one, now), 0);
	assert_int_equal(rest_rate_count(r, one, now), REST_RATE_EVERY_S);
	assert_int_equal(rest_rate_count(r, other, now), 0);
	now += REST_RATE_EVERY_S * LOOP_SECOND;	/* what was refused cost nothing */
	assert_int_equal(rest_rate_count(r, one, now), 0);
	assert_int_equal(rest_rate_count(r, one, now), REST_RATE_EVERY_S);
	now += REST_RATE_BURST * REST_RATE_EVERY_S * LOOP_SECOND;
	for (int i = 0; i < REST_RATE_BURST; i++)
		assert_int_equal(rest_rate_count(r, one, now), 0);
	assert_int_equal(rest_rate_count(r, one, now), REST_RATE_EVERY_S);
	rest_rate_free(r);
}

/* A million others do not let go one that goes on, and it takes no memory. */
static void many_addresses(void **state)
{
	static const uint8_t one[SEALS_ORIGIN] = { 2, 192, 0, 2, 1 };
	uint8_t key[SEALS_ORIGIN] = { 10 };
	struct rest_rate *r = rest_rate_new(7);
	unsigned refused = 0;

	(void)state;
	for (uint32_t i = 0; i < 1000000; i++) {
		memcpy(key + 1, &i, sizeof i);
		rest_rate_count(r, key, LOOP_SECOND);
		if (i % 1000 == 0)
			refused += rest_rate_count(r, one, LOOP_SECOND) > 0;
	}
	assert_int_equal(refused, 1000 - REST_RATE_BURST);
	rest_rate_free(r);
	rest_rate_free(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(bursts_and_pauses),
		cmocka_unit_test(many_addresses),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
