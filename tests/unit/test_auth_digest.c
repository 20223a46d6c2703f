// links: tests/lib/auth_desk.c tests/lib/challenges.c client/auth.c client/auth_*.c client/digest.c framing/challenge.c framing/ntlm_challenge.c framing/cursor.c framing/varint.c framing/http1_head.c framing/base64.c framing/error.c tunnel/loop.c tunnel/log.c
/* libs: -lev -lcrypto -lgssapi_krb5 */
/* Digest in dialogues: counts of a nonce over connections, nonces that are stale, and those that come with answers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "client/auth.h"
#include "framing/error.h"
#include "tests/lib/auth_desk.h"

static void test_digest_counts_by_nonce(void **state)
{
	(void)state;
	desk_prove(NONCE("n1"));
	talker_begin(&a, auth);
	talker_begin(&b, auth);
	talker_line(&a);
	assert_string_equal(talker_value(&a, "nc"), "00000002");
	talker_line(&b);
	assert_string_equal(talker_value(&b, "nc"), "00000003");
	talker_accepted(&a);
	talker_line(&a);
	assert_string_equal(talker_value(&a, "nc"), "00000004");
	/* The proxy is through with that nonce: each goes on with its own. */
	assert_int_equal(TALKER_CHALLENGED(&a, NULL, STALE("n2")), 0);
	assert_int_equal(TALKER_CHALLENGED(&b, NULL, STALE("n3")), 0);
	talker_line(&b);
	assert_string_equal(talker_value(&b, "nonce"), "n3");
	assert_string_equal(talker_value(&b, "nc"), "00000001");
	talker_accepted(&b);
	talker_line(&b);
	assert_string_equal(talker_value(&b, "nc"), "00000002");
	talker_begin(&c, auth);
	talker_line(&c);
	assert_string_equal(talker_value(&c, "nonce"), "n3");
	assert_string_equal(talker_value(&c, "nc"), "00000003");
}

static void test_digest_stale_is_no_rejection(void **state)
{
	char text[100];

	(void)state;
	desk_prove(NONCE("n"));
	talker_begin(&a, auth);
	for (int i = 0; i < 20; i++) {
		assert_true(talker_line(&a) > 0);
		snprintf(text, sizeof text, STALE("s%d"), i);
		assert_int_equal(TALKER_CHALLENGED(&a, NULL, text), 0);
		assert_true(talker_line(&a) > 0);
		assert_string_equal(talker_value(&a, "nc"), "00000001");
		talker_accepted(&a);
	}
	/* A proxy that forgets to say so: the nonce had served. */
	talker_line(&a);
	assert_int_equal(TALKER_CHALLENGED(&a, NULL, NONCE("fresh")), 0);
	assert_true(talker_line(&a) > 0);
	talker_begin(&b, auth);
	assert_true(talker_line(&b) > 0); /* still proven */
}

static void test_digest_wrong_password(void **state)
{
	char text[100];
	unsigned attempts = 0;

	(void)state;
	talker_begin(&a, auth);
	for (int i = 0; i < 20 && talker_line(&a) >= 0; i++) {
		attempts += a.n > 0;
		snprintf(text, sizeof text, NONCE("n%d"), i);
		if (TALKER_CHALLENGED(&a, NULL, text) < 0)
			break;
	}
	assert_int_equal(attempts, 2);
	desk_says(&a, "by Digest");
}

static void test_digest_stale_for_ever(void **state)
{
	char text[100];
	int i = 0;

	(void)state;
	talker_begin(&a, auth);
	for (; i < 100 && talker_line(&a) >= 0; i++) {
		snprintf(text, sizeof text, STALE("n%d"), i);
		if (TALKER_CHALLENGED(&a, NULL, text) < 0)
			break;
	}
	assert_in_range(i, 3, 20);
}

static void test_digest_nextnonce(void **state)
{
	struct http1_head head;

	(void)state;
	talker_begin(&a, auth);
	TALKER_CHALLENGED(&a, NULL, NONCE("n1"));
	talker_line(&a);
	CHALLENGES(&head, 200, "Proxy-Authentication-Info: nextnonce=\"n2\", qop=auth");
	auth_accepted(a.dialogue, &head);
	talker_line(&a);
	assert_string_equal(talker_value(&a, "nonce"), "n2");
	assert_string_equal(talker_value(&a, "nc"), "00000001");
	CHALLENGES(&head, 200, "Proxy-Authentication-Info: nextnonce=\"\"", "Proxy-Authentication-Info: nextnonce=\"n2\"");
	auth_accepted(a.dialogue, &head);
	talker_line(&a);
	assert_string_equal(talker_value(&a, "nonce"), "n2");
	assert_string_equal(talker_value(&a, "nc"), "00000002");
}

static void test_digest_same_nonce_again(void **state)
{
	(void)state;
	desk_prove(NONCE("n1"));
	talker_begin(&a, auth);
	talker_line(&a);
	assert_int_equal(TALKER_CHALLENGED(&a, NULL, NONCE("n1")), 0);
	talker_line(&a);
	assert_string_equal(talker_value(&a, "nc"), "00000003");
	assert_int_equal(TALKER_CHALLENGED(&a, NULL, NONCE("n1")), ERROR_PROXY_AUTH);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_digest_counts_by_nonce),
		TEST(test_digest_stale_is_no_rejection),
		TEST(test_digest_wrong_password),
		TEST(test_digest_stale_for_ever),
		TEST(test_digest_nextnonce),
		TEST(test_digest_same_nonce_again),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
