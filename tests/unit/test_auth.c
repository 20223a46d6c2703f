// links: tests/lib/auth_desk.c tests/lib/challenges.c client/auth.c client/auth_*.c client/digest.c framing/challenge.c framing/ntlm_challenge.c framing/cursor.c framing/varint.c framing/http1_head.c framing/base64.c framing/error.c tunnel/loop.c tunnel/log.c
/* libs: -lev -lcrypto -lgssapi_krb5 */
/* Which scheme, who may try it, and that a wrong password is tried twice at most over all connections. */
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

static void test_nothing_is_wanted(void **state)
{
	(void)state;
	talker_begin(&a, auth);
	assert_int_equal(talker_line(&a), 0);
	assert_string_equal(a.line, "");
	talker_accepted(&a);
	assert_int_equal(talker_line(&a), 0);
	assert_int_equal(auth_scheme(auth), AUTH_NONE);
	assert_string_equal(auth_scheme_name(auth_scheme(auth)), "none");
	assert_string_equal(auth_user(auth), "alice");
	assert_false(auth_is_bound(auth));
}

static void test_basic(void **state)
{
	bool on_new = false;

	(void)state;
	talker_begin(&a, auth);
	talker_line(&a);
	assert_int_equal(TALKER_CHALLENGED(&a, &on_new, "Basic realm=\"x\""), 0);
	assert_true(on_new);
	talker_line(&a);
	assert_string_equal(a.line, "Proxy-Authorization: Basic YWxpY2U6c2VjcmV0\r\n");
	talker_accepted(&a);
	assert_int_equal(auth_scheme(auth), AUTH_BASIC);
	assert_string_equal(auth_scheme_name(AUTH_BASIC), "Basic");
	/* At once from now on, on any connection and for each request. */
	talker_begin(&b, auth);
	assert_true(talker_line(&b) > 0);
	talker_accepted(&b);
	assert_true(talker_line_for(&b, "POST", "http://calls.example/culvert") > 0);
	assert_true(talker_line(&a) > 0);
}

static void test_strongest_first(void **state)
{
	(void)state;
	talker_begin(&a, auth);
	talker_line(&a);
	TALKER_CHALLENGED(&a, NULL, "Basic realm=x, " NONCE("n1") ", algorithm=MD5", NONCE("n2") ", algorithm=SHA-256",
			  NONCE("n3") ", algorithm=MD5", "Other");
	assert_true(talker_line(&a) > 0);
	assert_string_equal(talker_value(&a, "algorithm"), "SHA-256");
	assert_string_equal(talker_value(&a, "nonce"), "n2");
	assert_string_equal(talker_value(&a, "uri"), "calls.example:443");
	assert_int_equal(auth_scheme(auth), AUTH_DIGEST);
}

static void test_what_cannot_be_answered_is_passed_over(void **state)
{
	(void)state;
	talker_begin(&a, auth);
	talker_line(&a);
	assert_int_equal(TALKER_CHALLENGED(&a, NULL, NONCE("n") ", algorithm=NEW", "Basic realm=x"), 0);
	assert_true(talker_line(&a) > 0);
	assert_int_equal(auth_scheme(auth), AUTH_BASIC);
}

static void test_basic_only_where_allowed(void **state)
{
	(void)state;
	auth_free(auth);
	auth = desk_auth("alice", "secret", ALL & ~BASIC);
	talker_begin(&a, auth);
	talker_line(&a);
	assert_int_equal(TALKER_CHALLENGED(&a, NULL, "Basic realm=x"), ERROR_PROXY_AUTH);
	desk_says(&a, "wants credentials (it offers: Basic): Basic: not allowed here");
	desk_says(&a, "--proxy-auth");
	assert_int_equal(talker_line(&a), ERROR_PROXY_AUTH);
}

static void test_sentences(void **state)
{
	(void)state;
	auth_free(auth);
	auth = desk_auth("", NULL, ALL);
	talker_begin(&a, auth);
	talker_line(&a);
	assert_int_equal(TALKER_CHALLENGED(&a, NULL, NONCE("n"), "Basic realm=x, digest realm=y"), ERROR_PROXY_AUTH);
	desk_says(&a, "the proxy proxy.example:3128 wants credentials (it offers: Digest, Basic): give a name and password by "
		 "--proxy-user NAME and --proxy-password-file FILE");
	assert_int_equal(TALKER_CHALLENGED(&a, NULL, "Bearer, Hawk x=y"), ERROR_PROXY_AUTH);
	desk_says(&a, "(it offers: Bearer, Hawk): none of a kind that is supported");
	assert_int_equal(talker_challenged(&a, NULL, (const char *const[]){ NULL }), ERROR_PROXY_AUTH);
	desk_says(&a, "(it offers: nothing)");
	talker_end(&a);
	auth_free(auth);
	auth = desk_auth("bob", NULL, ALL);
	talker_begin(&a, auth);
	assert_int_equal(TALKER_CHALLENGED(&a, NULL, "Basic realm=x"), ERROR_PROXY_AUTH);
	desk_says(&a, "give the password of user 'bob' by --proxy-password-file FILE");
}

static void test_two_attempts_in_all(void **state)
{
	unsigned attempts = 0;

	(void)state;
	for (int i = 0; i < 20; i++) {
		talker_begin(&a, auth);
		while (talker_line(&a) >= 0) {
			attempts += a.n > 0;
			if (TALKER_CHALLENGED(&a, NULL, "Basic realm=x") < 0)
				break;
		}
		desk_says(&a, "rejected the user name or password (user 'alice', by Basic)");
		talker_end(&a);
		loop_advance(loop, loop_now(loop) + 100 * LOOP_SECOND);
	}
	assert_int_equal(attempts, 2);
	/* Somebody says that it is right now: once more, whatever comes. */
	for (int i = 0; i < 3; i++) {
		auth_forget(auth);
		for (int k = 0; k < 3; k++) {
			talker_begin(&a, auth);
			while (talker_line(&a) >= 0) {
				attempts += a.n > 0;
				if (TALKER_CHALLENGED(&a, NULL, "Basic realm=x") < 0)
					break;
			}
			talker_end(&a);
		}
		assert_int_equal(attempts, 3 + i);
	}
	auth_forget(auth);
	talker_begin(&a, auth);
	talker_line(&a);
	TALKER_CHALLENGED(&a, NULL, "Basic realm=x");
	assert_true(talker_line(&a) > 0);
	talker_accepted(&a);
}

static void test_after_a_stop_requests_go_without(void **state)
{
	(void)state;
	talker_begin(&a, auth);
	while (talker_line(&a) >= 0 && TALKER_CHALLENGED(&a, NULL, "Basic realm=x") == 0)
		;
	talker_end(&a);
	/* The proxy may have come to want nothing. */
	talker_begin(&a, auth);
	assert_int_equal(talker_line(&a), 0);
	talker_accepted(&a);
	assert_int_equal(talker_line(&a), 0);
	assert_int_equal(TALKER_CHALLENGED(&a, NULL, "Basic realm=x"), ERROR_PROXY_AUTH);
}

static void test_connections_on_which_the_proxy_ends(void **state)
{
	unsigned attempts = 0;

	(void)state;
	for (int i = 0; i < 20; i++) { /* each 407 ends the connection */
		talker_begin(&a, auth);
		attempts += talker_line(&a) > 0;
		TALKER_CHALLENGED(&a, NULL, NONCE("n"), "Basic realm=x");
		talker_end(&a);
	}
	assert_int_equal(attempts, 2);
}

static void test_one_at_a_time(void **state)
{
	struct talker *all[] = { &a, &b, &c };

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		talker_begin(all[i], auth);
		talker_line(all[i]);
	}
	for (size_t i = 0; i < 3; i++)
		assert_int_equal(TALKER_CHALLENGED(all[i], NULL, "Basic realm=x"), 0);
	assert_true(talker_line(&a) > 0);
	assert_int_equal(talker_line(&b), ERROR_AGAIN);
	assert_int_equal(talker_line(&c), ERROR_AGAIN);
	desk_says(&b, "has not answered another connection's credentials");
	loop_advance(loop, loop_now(loop) + 20 * LOOP_SECOND);
	assert_int_equal(b.ready + c.ready, 0);
	talker_accepted(&a);
	assert_int_equal(b.ready + c.ready, 0);	/* never from within */
	desk_turn();
	assert_int_equal(b.ready, 1);
	assert_int_equal(c.ready, 1);
	assert_true(talker_line(&b) > 0);
	assert_true(talker_line(&c) > 0);
}

static void test_those_who_wait_hear_of_a_rejection(void **state)
{
	(void)state;
	talker_begin(&a, auth);
	talker_begin(&b, auth);
	TALKER_CHALLENGED(&a, NULL, "Basic realm=x");
	TALKER_CHALLENGED(&b, NULL, "Basic realm=x");
	assert_true(talker_line(&a) > 0);
	assert_int_equal(talker_line(&b), ERROR_AGAIN);
	assert_int_equal(TALKER_CHALLENGED(&a, NULL, "Basic realm=x"), 0);
	desk_turn();
	assert_int_equal(b.ready, 0); /* the retry is of the same dialogue */
	assert_true(talker_line(&a) > 0);
	assert_int_equal(TALKER_CHALLENGED(&a, NULL, "Basic realm=x"), ERROR_PROXY_AUTH);
	desk_turn();
	assert_int_equal(b.ready, 1);
	assert_int_equal(talker_line(&b), ERROR_PROXY_AUTH);
	desk_says(&b, "rejected the user name or password");
}

static void test_a_lost_connection_is_no_rejection(void **state)
{
	(void)state;
	desk_prove("Basic realm=x");
	for (int i = 0; i < 5; i++) {
		talker_begin(&a, auth);
		assert_true(talker_line(&a) > 0);
		talker_end(&a);
	}
	/* Neither is one while nothing is proven; the next one tries then. */
	auth_free(auth);
	auth = desk_auth("alice", "secret", BASIC | DIGEST);
	talker_begin(&a, auth);
	talker_begin(&b, auth);
	assert_int_equal(talker_line(&a), 0);
	assert_int_equal(TALKER_CHALLENGED(&a, NULL, "Basic realm=x"), 0);
	assert_true(talker_line(&a) > 0);
	assert_int_equal(talker_line(&b), ERROR_AGAIN);
	talker_end(&a);
	desk_turn();
	assert_int_equal(b.ready, 1);
	assert_true(talker_line(&b) > 0);
	talker_accepted(&b);
}

static void test_rejections_of_one_round_count_once(void **state)
{
	struct talker *all[] = { &a, &b, &c };

	(void)state;
	desk_prove("Basic realm=x");
	for (size_t i = 0; i < 3; i++) {
		talker_begin(all[i], auth);
		assert_true(talker_line(all[i]) > 0);
	}
	for (size_t i = 0; i < 3; i++)
		assert_int_equal(TALKER_CHALLENGED(all[i], NULL, "Basic realm=x"), 0);
	assert_true(talker_line(&a) > 0);
	assert_int_equal(talker_line(&b), ERROR_AGAIN);
	talker_accepted(&a);
	desk_turn();
	assert_true(talker_line(&b) > 0);
}

static void test_patience_with_what_was_proven(void **state)
{
	(void)state;
	desk_prove("Basic realm=x");
	talker_begin(&a, auth);
	talker_begin(&b, auth);
	talker_line(&a);
	assert_int_equal(TALKER_CHALLENGED(&a, NULL, "Basic realm=x"), 0);
	assert_true(talker_line(&a) > 0); /* a poll whose answer is held */
	assert_int_equal(talker_line(&b), ERROR_AGAIN);
	loop_advance(loop, loop_now(loop) + 2 * LOOP_SECOND);
	assert_int_equal(b.ready, 1);
	assert_true(talker_line(&b) > 0);
}

static void test_the_proxy_changes_its_mind(void **state)
{
	(void)state;
	desk_prove("Basic realm=x");
	talker_begin(&a, auth);
	talker_line(&a);
	assert_int_equal(TALKER_CHALLENGED(&a, NULL, NONCE("n")), 0);
	assert_true(talker_line(&a) > 0);
	assert_int_equal(auth_scheme(auth), AUTH_DIGEST);
	talker_accepted(&a);
	talker_begin(&b, auth);
	assert_true(talker_line(&b) > 0);
	assert_string_equal(talker_value(&b, "nc"), "00000002");
}

static void test_no_room(void **state)
{
	char line[64] = "x";

	(void)state;
	talker_begin(&a, auth);
	TALKER_CHALLENGED(&a, NULL, NONCE("n"));
	assert_int_equal(auth_line(a.dialogue, "CONNECT", "h:1", line, sizeof line), ERROR_PROXY_AUTH);
	desk_says(&a, "too long");
	assert_string_equal(line, "");
}


/* Some proxies close when the password is wrong. What was accepted before is not rejected like that: the proxy is restarted. */
static void test_closed_instead_of_an_answer(void **state)
{
	(void)state;
	talker_begin(&a, auth);
	assert_int_equal(talker_line(&a), 0);
	assert_int_equal(auth_cut(a.dialogue), 0);
	assert_int_equal(TALKER_CHALLENGED(&a, NULL, "Basic realm=x"), 0);
	assert_true(talker_line(&a) > 0);
	assert_int_equal(auth_cut(a.dialogue), 0);
	talker_end(&a);
	talker_begin(&b, auth);
	assert_true(talker_line(&b) > 0);
	assert_int_equal(auth_cut(b.dialogue), ERROR_PROXY_AUTH);
	desk_says(&b, "rejected the user name or password");
	talker_end(&b);
	talker_begin(&c, auth);
	assert_int_equal(talker_line(&c), 0);
	talker_end(&c);
	auth_free(auth);
	auth = desk_auth("alice", "secret", BASIC | DIGEST);
	desk_prove("Basic realm=x");
	for (int i = 0; i < 5; i++) {
		talker_begin(&a, auth);
		assert_true(talker_line(&a) > 0);
		assert_int_equal(auth_cut(a.dialogue), 0);
		talker_end(&a);
	}
}

/* Whoever is accepted opens the gate for all, and not only who tries at the moment. */
static void test_an_answer_that_comes_late(void **state)
{
	(void)state;
	desk_prove("Basic realm=x");
	talker_begin(&a, auth);
	talker_begin(&b, auth);
	talker_begin(&c, auth);
	assert_true(talker_line(&a) > 0);
	assert_int_equal(TALKER_CHALLENGED(&a, NULL, "Basic realm=x"), 0);
	assert_true(talker_line(&a) > 0);
	assert_int_equal(talker_line(&b), ERROR_AGAIN);
	loop_advance(loop, loop_now(loop) + 2 * LOOP_SECOND);
	assert_int_equal(b.ready, 1);
	assert_true(talker_line(&b) > 0);
	assert_int_equal(talker_line(&c), ERROR_AGAIN);
	talker_accepted(&a);
	desk_turn();
	assert_int_equal(c.ready, 1);
	assert_true(talker_line(&c) > 0);
}

/* Proxies that ask one directory: each attempt counts there. */
static unsigned attempts_at(struct auth *at)
{
	unsigned n = 0;

	for (int i = 0; i < 5; i++) {
		talker_begin(&c, at);
		while (talker_line(&c) >= 0) {
			n += c.n > 0;
			if (TALKER_CHALLENGED(&c, NULL, "Basic realm=x") < 0)
				break;
		}
		talker_end(&c);
		desk_turn();
	}
	return n;
}

static void test_several_proxies(void **state)
{
	struct auth *other[3];

	(void)state;
	for (int i = 0; i < 3; i++) {
		other[i] = desk_auth("alice", "secret", BASIC | DIGEST);
		auth_join(i ? other[i - 1] : auth, other[i]);
		auth_join(other[i], auth);
	}
	assert_int_equal(attempts_at(auth), 2);
	assert_int_equal(attempts_at(other[0]), 1);
	assert_int_equal(attempts_at(other[1]), 0);
	talker_begin(&a, other[1]);
	talker_line(&a);
	assert_int_equal(TALKER_CHALLENGED(&a, NULL, "Basic realm=x"), ERROR_PROXY_AUTH);
	desk_says(&a, "Basic: other proxies rejected the password, so it is not tried here");
	talker_end(&a);
	/* Once more in all when somebody says that it is right now. */
	auth_forget(auth);
	for (int i = 0; i < 3; i++)
		auth_forget(other[i]);
	assert_int_equal(attempts_at(other[1]), 1);
	assert_int_equal(attempts_at(auth), 0);
	assert_int_equal(attempts_at(other[0]), 0);
	assert_int_equal(attempts_at(other[2]), 0);
	/* One that accepts it shows that it is the others that are wrong. */
	auth_forget(auth);
	for (int i = 0; i < 3; i++)
		auth_forget(other[i]);
	talker_begin(&a, other[2]);
	talker_line(&a);
	assert_int_equal(TALKER_CHALLENGED(&a, NULL, "Basic realm=x"), 0);
	assert_true(talker_line(&a) > 0);
	talker_accepted(&a);
	talker_end(&a);
	assert_in_range(attempts_at(auth), 1, 2);
	assert_in_range(attempts_at(other[0]), 1, 2);
	for (int i = 0; i < 3; i++)
		auth_free(other[i]);
	desk_turn();
	auth_forget(auth);
	assert_int_equal(attempts_at(auth), 1);
}

/* A connection may live longer than what a reload replaces. */
static void test_freed_before_dialogue(void **state)
{
	(void)state;
	desk_prove(NONCE("n1"));
	talker_begin(&a, auth);
	talker_begin(&b, auth);
	assert_true(talker_line(&a) > 0);
	talker_accepted(&a);
	auth_free(auth);
	auth = NULL;
	desk_turn();
	assert_true(talker_line(&a) > 0);
	assert_non_null(strstr(a.line, "username=\"alice\""));
	assert_int_equal(TALKER_CHALLENGED(&a, NULL, STALE("n2")), 0);
	assert_true(talker_line(&a) > 0);
	talker_accepted(&a);
	talker_end(&a);
	desk_turn();
	assert_true(talker_line(&b) > 0);
	talker_end(&b);
	desk_turn();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_nothing_is_wanted),
		TEST(test_basic),
		TEST(test_strongest_first),
		TEST(test_what_cannot_be_answered_is_passed_over),
		TEST(test_basic_only_where_allowed),
		TEST(test_sentences),
		TEST(test_two_attempts_in_all),
		TEST(test_after_a_stop_requests_go_without),
		TEST(test_connections_on_which_the_proxy_ends),
		TEST(test_one_at_a_time),
		TEST(test_those_who_wait_hear_of_a_rejection),
		TEST(test_a_lost_connection_is_no_rejection),
		TEST(test_rejections_of_one_round_count_once),
		TEST(test_patience_with_what_was_proven),
		TEST(test_the_proxy_changes_its_mind),
		TEST(test_no_room),
		TEST(test_freed_before_dialogue),
		TEST(test_closed_instead_of_an_answer),
		TEST(test_several_proxies),
		TEST(test_an_answer_that_comes_late),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
