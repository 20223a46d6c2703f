// links: tests/lib/challenges.c tests/lib/ntlm.c tests/lib/turns.c client/auth.c client/auth_*.c client/digest.c framing/challenge.c framing/ntlm_challenge.c framing/cursor.c framing/varint.c framing/http1_head.c framing/base64.c framing/error.c tunnel/loop.c tunnel/log.c
/* libs: -lev -lcrypto -lgssapi_krb5 */
/* Dialogues bound to a connection: NTLM against an acceptor that verifies, falling from Kerberos to what else there is, and who may try. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/auth.h"
#include "framing/error.h"
#include "tests/lib/challenges.h"
#include "tests/lib/ntlm.h"
#include "tests/lib/turns.h"

#define ALL 0x1eu
#define NTLM (1u << AUTH_NTLM)
#define NEGOTIATE (1u << AUTH_NEGOTIATE)

static struct loop *loop;
static struct auth *auth;
static struct talker a, b;
static struct ntlm *proxy;
static unsigned proofs;		/* that the proxy was shown */

static void make(const char *user, const char *password, unsigned allowed)
{
	struct proxy p = { .host = "localhost", .port = 3128, .shown = "localhost:3128" };
	struct auth_config config = { .loop = loop, .proxy = &p, .password = password, .allowed = allowed };

	snprintf(p.user, sizeof p.user, "%s", user);
	auth_free(auth);
	auth = auth_new(&config);
}

static int setup(void **state)
{
	(void)state;
	loop = loop_new();
	memset(&a, 0, sizeof a);
	memset(&b, 0, sizeof b);
	proofs = 0;
	setenv("KRB5_CONFIG", "/dev/null", 1);
	setenv("KRB5CCNAME", "FILE:/nonexistent/cache", 1);
	make("ZOO\\alice", "secret", ALL);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	talker_end(&a);
	talker_end(&b);
	auth_free(auth);
	auth = NULL;
	ntlm_free(proxy);
	proxy = NULL;
	loop_free(loop);
	return 0;
}

static int users_setup(void **state)
{
	(void)state;
	ntlm_users("ZOO:alice:secret\n");
	return 0;
}

static int users_teardown(void **state)
{
	(void)state;
	ntlm_done();
	return 0;
}

/* The line, waiting for the thread. */
static ssize_t line(struct talker *t)
{
	for (int i = 0; talker_line(t) == ERROR_AGAIN; i++) {
		unsigned before = t->ready;

		assert_in_range(i, 0, 100);
		while (t->ready == before) {
			assert_in_range(i++, 0, 1000);
			turns_run(loop, 20000);
		}
	}
	return t->n;
}

static void says(const struct talker *t, const char *what)
{
	if (!strstr(auth_why(t->dialogue), what))
		fail_msg("expected '%s' in: %s", what, auth_why(t->dialogue));
	assert_null(strstr(auth_why(t->dialogue), "secret"));
}

/* The proxy's side of the dialogue on a new connection, up to its end: 1 accepted, 0 it wants another beginning. scheme: "NTLM". */
static int proxy_judges(struct talker *t, const char *scheme)
{
	char answer[12000], challenge[12100];
	bool on_new;
	int rc;

	ntlm_free(proxy);
	proxy = ntlm_new(strcmp(scheme, "Negotiate") == 0);
	for (unsigned step = 1;; step++) {
		const char *token = strstr(t->line, scheme) + strlen(scheme) + 1;
		char text[12000];

		snprintf(text, sizeof text, "%.*s", (int)strcspn(token, "\r"), token);
		proofs += step == 2;
		rc = ntlm_take(proxy, text, answer, sizeof answer);
		if (rc != 0)
			break;
		snprintf(challenge, sizeof challenge, "%s %s", scheme, answer);
		assert_int_equal(TALKER_CHALLENGED(t, &on_new, challenge), 0);
		assert_false(on_new);
		assert_true(line(t) > 0);
	}
	if (rc == 1)
		talker_accepted(t);
	return rc == 1;
}

static void test_ntlm(void **state)
{
	bool on_new;

	(void)state;
	talker_begin(&a, auth);
	assert_int_equal(line(&a), 0);
	assert_int_equal(TALKER_CHALLENGED(&a, &on_new, "NTLM", "Basic realm=x"), 0);
	assert_true(on_new);
	assert_true(line(&a) > 0);
	assert_memory_equal(a.line, "Proxy-Authorization: NTLM TlRMTVNTUAAB", 38);
	assert_int_equal(proxy_judges(&a, "NTLM"), 1);
	assert_string_equal(ntlm_who(proxy), "ZOO\\alice");
	assert_int_equal(auth_scheme(auth), AUTH_NTLM);
	assert_true(auth_is_bound(auth));
	/* Nothing more on this connection; on another one at once. */
	assert_int_equal(line(&a), 0);
	talker_begin(&b, auth);
	assert_true(line(&b) > 0);
	assert_int_equal(proxy_judges(&b, "NTLM"), 1);
	/* The proxy wants it again on the same one. */
	assert_int_equal(TALKER_CHALLENGED(&a, &on_new, "NTLM"), 0);
	assert_true(line(&a) > 0);
	assert_int_equal(proxy_judges(&a, "NTLM"), 1);
}

static void test_ntlm_inside_of_negotiate(void **state)
{
	(void)state;
	talker_begin(&a, auth);
	line(&a);
	assert_int_equal(TALKER_CHALLENGED(&a, NULL, "Negotiate"), 0);
	assert_true(line(&a) > 0);
	assert_int_equal(auth_scheme(auth), AUTH_NEGOTIATE);
	assert_int_equal(proxy_judges(&a, "Negotiate"), 1);
	assert_string_equal(ntlm_who(proxy), "ZOO\\alice");
}

static void rejected_twice(const char *scheme)
{
	make("ZOO\\alice", "not it", ALL);
	for (int i = 0; i < 10; i++) {
		talker_begin(&a, auth);
		while (line(&a) >= 0) {
			if (a.n > 0)
				assert_int_equal(proxy_judges(&a, scheme), 0);
			if (TALKER_CHALLENGED(&a, NULL, scheme) < 0)
				break;
		}
		says(&a, "rejected the user name or password (user 'ZOO\\alice', by ");
		says(&a, scheme);
		talker_end(&a);
	}
	assert_int_equal(proofs, 2);
}

static void test_wrong_password(void **state)
{
	(void)state;
	rejected_twice("NTLM");
	proofs = 0;
	rejected_twice("Negotiate");
}

/* One that says so within the dialogue: a token behind the proof. */
static void test_a_token_behind_the_proof_is_a_rejection(void **state)
{
	bool on_new;
	char answer[12000], challenge[12100];
	unsigned lines = 0;

	(void)state;
	for (int i = 0; i < 10; i++) {
		talker_begin(&a, auth);
		while (line(&a) >= 0) {
			lines += a.n > 0;
			if (a.n > 0 && !strstr(a.line, "TlRMTVNTUAAD")) {
				ntlm_free(proxy);
				proxy = ntlm_new(false);
				a.line[a.n - 2] = 0;
				ntlm_take(proxy, a.line + strlen("Proxy-Authorization: NTLM "), answer, sizeof answer);
			}
			snprintf(challenge, sizeof challenge, "NTLM %s", a.n > 0 ? answer : "");
			if (TALKER_CHALLENGED(&a, &on_new, challenge) < 0)
				break;
		}
		talker_end(&a);
	}
	assert_int_equal(lines, 4);
}

static void test_one_dialogue_at_a_time(void **state)
{
	(void)state;
	talker_begin(&a, auth);
	talker_begin(&b, auth);
	TALKER_CHALLENGED(&a, NULL, "NTLM");
	TALKER_CHALLENGED(&b, NULL, "NTLM");
	assert_true(line(&a) > 0);
	assert_int_equal(talker_line(&b), ERROR_AGAIN);
	says(&b, "another connection's credentials");
	assert_int_equal(proxy_judges(&a, "NTLM"), 1);
	assert_true(line(&b) > 0);
	assert_int_equal(proxy_judges(&b, "NTLM"), 1);
}

static void test_without_a_ticket_the_next_one(void **state)
{
	(void)state;
	talker_begin(&a, auth);
	line(&a);
	assert_int_equal(TALKER_CHALLENGED(&a, NULL, "Negotiate", "NTLM", "Digest realm=p, nonce=n, qop=auth", "Basic realm=x"), 0);
	assert_true(line(&a) > 0);
	assert_int_equal(auth_scheme(auth), AUTH_NTLM);
	talker_end(&a);
	/* A connection that the proxy ended meanwhile: no new 407 is needed. */
	talker_begin(&a, auth);
	assert_true(line(&a) > 0);
	assert_int_equal(auth_scheme(auth), AUTH_NTLM);
	talker_end(&a);
	make("alice", "secret", ALL & ~NTLM);
	talker_begin(&a, auth);
	assert_int_equal(TALKER_CHALLENGED(&a, NULL, "Negotiate", "Digest realm=p, nonce=n, qop=auth"), 0);
	assert_true(line(&a) > 0);
	assert_int_equal(auth_scheme(auth), AUTH_DIGEST);
}

static void test_no_ticket_and_nothing_else(void **state)
{
	(void)state;
	make("", NULL, ALL);
	talker_begin(&a, auth);
	line(&a);
	assert_int_equal(TALKER_CHALLENGED(&a, NULL, "Negotiate"), 0);
	assert_int_equal(line(&a), ERROR_PROXY_AUTH);
	says(&a, "the proxy localhost:3128 wants credentials (it offers: Negotiate): Negotiate: there is no Kerberos ticket (");
	says(&a, "run kinit");
	talker_end(&a);
	/* Not for ever: the next one looks again. */
	talker_begin(&a, auth);
	assert_int_equal(line(&a), 0);
	assert_int_equal(TALKER_CHALLENGED(&a, NULL, "Negotiate", "NTLM"), 0);
	assert_int_equal(line(&a), ERROR_PROXY_AUTH);
	says(&a, "; give a name and password by --proxy-user NAME");
}

static void test_a_proxy_that_goes_on_elsewhere(void **state)
{
	(void)state;
	talker_begin(&a, auth);
	TALKER_CHALLENGED(&a, NULL, "NTLM", "Basic realm=x");
	assert_true(line(&a) > 0);
	assert_int_equal(TALKER_CHALLENGED(&a, NULL, "NTLM", "Basic realm=x"), 0); /* to the first message */
	assert_true(line(&a) > 0);
	assert_int_equal(auth_scheme(auth), AUTH_BASIC);
	talker_end(&a);
	make("ZOO\\alice", "secret", ALL);
	talker_begin(&a, auth);
	TALKER_CHALLENGED(&a, NULL, "NTLM");
	assert_true(line(&a) > 0);
	assert_int_equal(TALKER_CHALLENGED(&a, NULL, "NTLM"), ERROR_PROXY_AUTH);
	says(&a, "does not go on with it on the same connection");
}

static void test_nonsense_of_the_proxy(void **state)
{
	static const char *const bad[] = { "NTLM AAAA", "NTLM AAA", "NTLM TlRMTVNTUAACAAAA" };

	(void)state;
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		make("ZOO\\alice", "secret", ALL);
		talker_begin(&a, auth);
		TALKER_CHALLENGED(&a, NULL, "NTLM");
		assert_true(line(&a) > 0);
		if (TALKER_CHALLENGED(&a, NULL, bad[i]) == 0)
			assert_int_equal(line(&a), ERROR_PROXY_AUTH);
		talker_end(&a);
	}
}

static void test_end_in_the_middle(void **state)
{
	(void)state;
	talker_begin(&a, auth);
	TALKER_CHALLENGED(&a, NULL, "NTLM");
	assert_int_equal(talker_line(&a), ERROR_AGAIN);
	talker_end(&a);
	talker_begin(&a, auth);
	assert_int_equal(talker_line(&a), ERROR_AGAIN);
	talker_end(&a);
	auth_free(auth);
	auth = NULL;
	turns_run(loop, 50000);
	assert_int_equal(a.ready, 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_ntlm),
		TEST(test_ntlm_inside_of_negotiate),
		TEST(test_wrong_password),
		TEST(test_a_token_behind_the_proof_is_a_rejection),
		TEST(test_one_dialogue_at_a_time),
		TEST(test_without_a_ticket_the_next_one),
		TEST(test_no_ticket_and_nothing_else),
		TEST(test_a_proxy_that_goes_on_elsewhere),
		TEST(test_nonsense_of_the_proxy),
		TEST(test_end_in_the_middle),
	};

	return cmocka_run_group_tests(tests, users_setup, users_teardown);
}
