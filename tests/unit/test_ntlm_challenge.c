// links: framing/ntlm_challenge.c
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "framing/ntlm_challenge.h"

/* What ntlm_fake_auth of Squid 5.7 sends: the name's offset is nonsense, and the name begins where the next field should. */
static const uint8_t squid[] = {
	'N', 'T', 'L', 'M', 'S', 'S', 'P', 0, 2, 0, 0, 0, 9, 0, 9, 0, 0xae, 0xaa, 0xaa, 0xaa, 0x07, 0x82, 0x08, 0xa2,
	0x69, 0x25, 0x6a, 0x0c, 0x21, 0xf6, 0xca, 0x41, 0, 0, 0, 0, 0, 0, 0x3a, 0, 'W', 'O', 'R', 'K', 'G', 'R', 'O', 'U', 'P',
};

static void makes_it_whole(void **state)
{
	uint8_t out[NTLM_CHALLENGE_MAX];

	(void)state;
	assert_int_equal(ntlm_challenge_complete(squid, sizeof squid, out), 56);
	assert_memory_equal(out, squid, 12);
	assert_memory_equal(out + 12, ((uint8_t[]){ 0, 0, 0, 0, 56, 0, 0, 0 }), 8);
	assert_memory_equal(out + 20, squid + 20, 12); /* flags and challenge */
	assert_memory_equal(out + 32, ((uint8_t[16]){ [12] = 56 }), 16);
}

static void keeps_a_name_that_is_there(void **state)
{
	uint8_t in[sizeof squid], out[NTLM_CHALLENGE_MAX];

	(void)state;
	memcpy(in, squid, sizeof in);
	memcpy(in + 16, ((uint8_t[]){ 40, 0, 0, 0 }), 4);
	assert_int_equal(ntlm_challenge_complete(in, sizeof in, out), 56 + 9);
	assert_memory_equal(out + 12, ((uint8_t[]){ 9, 0, 9, 0, 56, 0, 0, 0 }), 8);
	assert_memory_equal(out + 40, ((uint8_t[]){ 0, 0, 0, 0, 65, 0, 0, 0 }), 8);
	assert_memory_equal(out + 56, "WORKGROUP", 9);
	in[12] = 10; /* one more than there is */
	assert_int_equal(ntlm_challenge_complete(in, sizeof in, out), 56);
}

static void leaves_others_alone(void **state)
{
	uint8_t in[sizeof squid], out[NTLM_CHALLENGE_MAX];

	(void)state;
	memcpy(in, squid, sizeof in);
	in[22] |= 0x80; /* with target information */
	assert_int_equal(ntlm_challenge_complete(in, sizeof in, out), 0);
	memcpy(in, squid, sizeof in);
	in[8] = 1; /* no challenge */
	assert_int_equal(ntlm_challenge_complete(in, sizeof in, out), 0);
	for (size_t n = 0; n < 32; n++) {
		uint8_t *some = malloc(n + 1);

		memcpy(some, squid, n);
		assert_int_equal(ntlm_challenge_complete(some, n, out), 0);
		free(some);
	}
}

static void bounds_its_length(void **state)
{
	uint8_t out[NTLM_CHALLENGE_MAX], *in = calloc(1, 70000);

	(void)state;
	memcpy(in, squid, sizeof squid);
	memcpy(in + 12, ((uint8_t[]){ 0xff, 0xff, 0xff, 0xff, 40, 0, 0, 0 }), 8);
	assert_int_equal(ntlm_challenge_complete(in, 70000, out), 0);
	assert_int_equal(ntlm_challenge_complete(in, NTLM_CHALLENGE_MAX - 56, out), 56);
	memcpy(in + 12, ((uint8_t[]){ 0xa0, 0x0f, 0xa0, 0x0f, 32, 0, 0, 0 }), 8); /* 4000 bytes */
	assert_int_equal(ntlm_challenge_complete(in, 4032, out), 4056);
	free(in);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(makes_it_whole),
		cmocka_unit_test(keeps_a_name_that_is_there),
		cmocka_unit_test(leaves_others_alone),
		cmocka_unit_test(bounds_its_length),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
