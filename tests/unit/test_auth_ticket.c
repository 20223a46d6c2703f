// links: tests/lib/challenges.c tests/lib/turns.c client/auth.c client/auth_basic.c client/auth_digest.c client/auth_gate.c client/auth_ring.c client/auth_text.c client/auth_token.c client/auth_worker.c client/digest.c framing/challenge.c framing/cursor.c framing/varint.c framing/http1_head.c framing/base64.c framing/error.c tunnel/loop.c tunnel/log.c
/* libs: -lev -lcrypto */
/* Tickets, by a library that says what the test wants: which ones are tried, renewed, refused, and what happens when it does not answer. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "client/auth_gss.h"
#include "client/auth_internal.h"
#include "framing/error.h"
#include "tests/lib/challenges.h"
#include "tests/lib/turns.h"

#define ALL 0x1eu

/* ---- the library ---- */

struct auth_gss {
	enum auth_gss_kind kind;
	int steps;
};

static enum auth_gss_end ends;		/* of the first step with a ticket */
static int64_t expires;
static const char *principal;
static atomic_int tokens, alive, inside;
static pthread_mutex_t gate = PTHREAD_MUTEX_INITIALIZER;
static bool gated;

struct auth_gss_login {
	int unused;
};

static struct auth_gss_login the_login;

struct auth_gss_login *auth_gss_login_new(const char *user, const char *password)
{
	assert_string_equal(user, "alice");
	assert_string_equal(password, "secret");
	return &the_login;
}

void auth_gss_login_release(struct auth_gss_login *l)
{
	(void)l;
}

struct auth_gss *auth_gss_new(enum auth_gss_kind kind, const char *host, const char *user, struct auth_gss_login *login)
{
	struct auth_gss *g = calloc(1, sizeof *g);

	(void)user;
	assert_string_equal(host, "proxy.example");
	assert_true((kind == AUTH_GSS_TICKET) == !login);
	g->kind = kind;
	atomic_fetch_add(&alive, 1);
	return g;
}

void auth_gss_free(struct auth_gss *g)
{
	if (g)
		atomic_fetch_sub(&alive, 1);
	free(g);
}

enum auth_gss_end auth_gss_step(struct auth_gss *g, const uint8_t *in, size_t n, struct auth_gss_result *out)
{
	(void)in;
	(void)n;
	memset(out, 0, sizeof *out);
	if (gated) {
		atomic_store(&inside, 1);
		pthread_mutex_lock(&gate);
		pthread_mutex_unlock(&gate);
	}
	if (g->kind == AUTH_GSS_TICKET && ends != AUTH_GSS_OK) {
		snprintf(out->why, sizeof out->why, "the ticket of %s has expired: run kinit", principal);
		return ends;
	}
	if (g->kind == AUTH_GSS_TICKET) {
		snprintf(out->principal, sizeof out->principal, "%s", principal);
		out->expires = expires;
	}
	out->token = malloc(16);
	out->n = (size_t)snprintf((char *)out->token, 16, "%s%d", g->kind == AUTH_GSS_TICKET ? "krb" : "ntlm", g->steps++);
	atomic_fetch_add(&tokens, 1);
	return AUTH_GSS_OK;
}

/* ---- the rig ---- */

static struct loop *loop;
static struct auth *auth;
static struct talker a, b;

static void make(const char *user, const char *password)
{
	struct proxy p = { .host = "proxy.example", .port = 3128, .shown = "proxy.example:3128" };
	struct auth_config config = { .loop = loop, .proxy = &p, .password = password, .allowed = ALL };

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
	ends = AUTH_GSS_OK;
	expires = 1000000;
	principal = "alice@ZOO.TEST";
	gated = false;
	atomic_store(&tokens, 0);
	atomic_store(&inside, 0);
	make("", NULL);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	talker_end(&a);
	talker_end(&b);
	auth_free(auth);
	auth = NULL;
	loop_free(loop);
	for (int i = 0; i < 5000 && atomic_load(&alive); i++)
		usleep(1000);
	assert_int_equal(atomic_load(&alive), 0);
	return 0;
}

static ssize_t line(struct talker *t)
{
	while (talker_line(t) == ERROR_AGAIN) {
		unsigned before = t->ready;

		for (int i = 0; t->ready == before; i++) {
			assert_in_range(i, 0, 500);
			turns_run(loop, 10000);
		}
	}
	return t->n;
}

static void says(const struct talker *t, const char *what)
{
	if (!strstr(auth_why(t->dialogue), what))
		fail_msg("expected '%s' in: %s", what, auth_why(t->dialogue));
}

#define KRB "Proxy-Authorization: Negotiate a3JiMA==\r\n"	/* "krb0" */

static void test_ticket(void **state)
{
	(void)state;
	talker_begin(&a, auth);
	assert_int_equal(line(&a), 0);
	assert_int_equal(TALKER_CHALLENGED(&a, NULL, "Negotiate", "NTLM"), 0);
	line(&a);
	assert_string_equal(a.line, KRB);
	talker_accepted(&a);
	assert_string_equal(auth_user(auth), "alice@ZOO.TEST");
	assert_int_equal(line(&a), 0);
	talker_begin(&b, auth);
	line(&b);
	assert_string_equal(b.line, KRB);
}

static void test_expired_and_renewed(void **state)
{
	(void)state;
	talker_begin(&a, auth);
	TALKER_CHALLENGED(&a, NULL, "Negotiate");
	line(&a);
	talker_accepted(&a);
	ends = AUTH_GSS_NO_TICKET;
	talker_begin(&b, auth);
	assert_int_equal(line(&b), 0); /* the proxy is asked what else it takes */
	assert_int_equal(TALKER_CHALLENGED(&b, NULL, "Negotiate"), ERROR_PROXY_AUTH);
	says(&b, "the proxy proxy.example:3128 wants credentials (it offers: Negotiate): Negotiate: the ticket of alice@ZOO.TEST has "
		 "expired: run kinit");
	talker_end(&b);
	ends = AUTH_GSS_OK;
	talker_begin(&b, auth);
	assert_int_equal(line(&b), 0);
	assert_int_equal(TALKER_CHALLENGED(&b, NULL, "Negotiate"), 0);
	assert_true(line(&b) > 0);
}

static unsigned attempts(unsigned dialogues)
{
	unsigned n = 0;

	for (unsigned i = 0; i < dialogues; i++) {
		talker_begin(&a, auth);
		while (line(&a) >= 0) {
			n += a.n > 0;
			if (TALKER_CHALLENGED(&a, NULL, "Negotiate") < 0)
				break;
		}
		says(&a, "the proxy does not accept the ticket of alice@ZOO.TEST");
		talker_end(&a);
	}
	return n;
}

static void test_refused_ticket(void **state)
{
	(void)state;
	assert_int_equal(attempts(5), 2);
	expires += 3600;	/* another one */
	assert_int_equal(attempts(5), 2);
	expires += 1;		/* the same, a second later or earlier by rounding */
	assert_int_equal(attempts(5), 0);
	auth_forget(auth);
	assert_int_equal(attempts(5), 2);
}

static void test_refused_ticket_and_a_password(void **state)
{
	(void)state;
	make("alice", "secret");
	talker_begin(&a, auth);
	line(&a);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(TALKER_CHALLENGED(&a, NULL, "Negotiate", "Basic realm=x"), 0);
		line(&a);
		assert_string_equal(a.line, KRB);
	}
	assert_int_equal(TALKER_CHALLENGED(&a, NULL, "Negotiate", "Basic realm=x"), 0);
	assert_true(line(&a) > 0);
	assert_int_equal(auth_scheme(auth), AUTH_BASIC);
	talker_accepted(&a);
	talker_begin(&b, auth);
	assert_true(line(&b) > 0);
	assert_int_equal(auth_scheme(auth), AUTH_BASIC);
}

static void test_no_ticket_but_a_password(void **state)
{
	(void)state;
	make("alice", "secret");
	ends = AUTH_GSS_NO_TICKET;
	talker_begin(&a, auth);
	TALKER_CHALLENGED(&a, NULL, "Negotiate", "Basic realm=x");
	line(&a);
	assert_string_equal(a.line, "Proxy-Authorization: Negotiate bnRsbTA=\r\n"); /* "ntlm0" */
	/* The proxy takes Kerberos only. */
	assert_int_equal(TALKER_CHALLENGED(&a, NULL, "Negotiate", "Basic realm=x"), 0);
	assert_true(line(&a) > 0);
	assert_int_equal(auth_scheme(auth), AUTH_BASIC);
	talker_accepted(&a);
	talker_end(&a);
	/* NTLM itself is better. */
	make("alice", "secret");
	talker_begin(&b, auth);
	TALKER_CHALLENGED(&b, NULL, "Negotiate", "NTLM");
	line(&b);
	assert_string_equal(b.line, "Proxy-Authorization: NTLM bnRsbTA=\r\n");
}

static void test_each_request(void **state)
{
	int before;

	(void)state;
	talker_begin(&a, auth);
	TALKER_CHALLENGED(&a, NULL, "Negotiate");
	line(&a);
	talker_accepted(&a);
	assert_int_equal(line(&a), 0);
	assert_int_equal(TALKER_CHALLENGED(&a, NULL, "Negotiate"), 0);
	for (int i = 0; i < 3; i++) {
		line(&a);
		assert_string_equal(a.line, KRB);
		talker_accepted(&a);
	}
	/* ... and is computed ahead. */
	before = atomic_load(&tokens);
	turns_run(loop, 50000);
	assert_int_equal(talker_line(&a), strlen(KRB));
	assert_in_range(atomic_load(&tokens), before, before + 1);
}

/* The thread is in the middle of a step. */
static void await_inside(void)
{
	for (int i = 0; i < 5000 && !atomic_load(&inside); i++)
		usleep(1000);
}

static void test_stuck(void **state)
{
	(void)state;
	make("alice", "secret");
	auth->step_us = 50000;
	pthread_mutex_lock(&gate);
	gated = true;
	talker_begin(&a, auth);
	TALKER_CHALLENGED(&a, NULL, "Negotiate", "Digest realm=p, nonce=n, qop=auth");
	assert_int_equal(talker_line(&a), ERROR_AGAIN);
	says(&a, "Kerberos has not answered yet");
	await_inside();
	assert_true(line(&a) > 0);	/* falls to Digest; NTLM inside would wait behind it */
	assert_int_equal(auth_scheme(auth), AUTH_DIGEST);
	talker_accepted(&a);
	pthread_mutex_unlock(&gate);
	assert_int_equal(atomic_load(&inside), 1);
	turns_run(loop, 20000);
	assert_true(line(&a) > 0);
}

static void test_stuck_and_nothing_else(void **state)
{
	(void)state;
	auth->step_us = 50000;
	pthread_mutex_lock(&gate);
	gated = true;
	talker_begin(&a, auth);
	TALKER_CHALLENGED(&a, NULL, "Negotiate");
	assert_int_equal(talker_line(&a), ERROR_AGAIN);
	await_inside();
	assert_int_equal(line(&a), ERROR_PROXY_AUTH);
	says(&a, "Kerberos has not answered in time");
	talker_end(&a);
	auth_free(auth);	/* while it is stuck */
	auth = NULL;
	pthread_mutex_unlock(&gate);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_ticket),
		TEST(test_expired_and_renewed),
		TEST(test_refused_ticket),
		TEST(test_refused_ticket_and_a_password),
		TEST(test_no_ticket_but_a_password),
		TEST(test_each_request),
		TEST(test_stuck),
		TEST(test_stuck_and_nothing_else),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
