// links: client/auth.c client/auth_*.c client/digest.c framing/challenge.c framing/ntlm_challenge.c framing/cursor.c framing/varint.c framing/http1_head.c framing/base64.c framing/error.c tunnel/loop.c tunnel/log.c
/* libs: -lev -lcrypto -lgssapi_krb5 */
/* Name and password for SOCKS5: by one connection until they were accepted, and never again once they were not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "client/auth.h"
#include "framing/error.h"

static struct loop *loop;
static struct auth *auth;
static struct auth_dialogue *a, *b;
static const char *user, *password;
static unsigned called;

static void on_ready(void *ctx)
{
	(void)ctx;
	called++;
}

static void make(const char *name, const char *word)
{
	struct proxy p = { .kind = PROXY_SOCKS5, .host = "proxy.example", .port = 1080, .shown = "socks5://proxy.example:1080" };
	struct auth_config config = { .loop = loop, .proxy = &p, .password = word, .allowed = 1u << AUTH_BASIC };

	snprintf(p.user, sizeof p.user, "%s", name);
	auth = auth_new(&config);
	a = auth_begin(auth, on_ready, &a);
	b = auth_begin(auth, on_ready, &b);
}

static int set_up(void **state)
{
	(void)state;
	loop = loop_new_virtual(1000 * LOOP_SECOND, 1700000000);
	called = 0;
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	auth_end(a);
	auth_end(b);
	auth_free(auth);
	loop_free(loop);
	return 0;
}

static void test_accepted(void **state)
{
	(void)state;
	make("jane", "secret");
	assert_int_equal(auth_login(a, &user, &password), 0);
	assert_string_equal(user, "jane");
	assert_string_equal(password, "secret");
	assert_int_equal(auth_login(b, &user, &password), ERROR_AGAIN);
	assert_non_null(strstr(auth_why(b), "socks5://proxy.example:1080 has not answered another connection"));
	assert_int_equal(auth_login_answered(a, true), 0);
	auth_end(a);
	a = NULL;
	assert_int_equal(called, 0);	/* not from within */
	loop_advance(loop, loop_now(loop) + 1);
	assert_int_equal(called, 1);
	assert_int_equal(auth_login(b, &user, &password), 0);
	a = auth_begin(auth, on_ready, &a);
	assert_int_equal(auth_login(a, &user, &password), 0);	/* both at once now */
}

static void test_rejected(void **state)
{
	(void)state;
	make("jane", "wrong");
	assert_int_equal(auth_login(a, &user, &password), 0);
	assert_int_equal(auth_login(b, &user, &password), ERROR_AGAIN);
	assert_int_equal(auth_login_answered(a, false), ERROR_PROXY_AUTH);
	assert_non_null(strstr(auth_why(a), "rejected the user name or password (user 'jane')"));
	assert_null(strstr(auth_why(a), "wrong"));
	auth_end(a);
	a = NULL;
	loop_advance(loop, loop_now(loop) + 1);
	assert_int_equal(called, 1);
	assert_int_equal(auth_login(b, &user, &password), ERROR_PROXY_AUTH);
	assert_non_null(strstr(auth_why(b), "is not asked with them again"));
	auth_forget(auth);	/* others were given */
	assert_int_equal(auth_login(b, &user, &password), 0);
}

/* Who was asked goes away: the next one may. */
static void test_gone(void **state)
{
	(void)state;
	make("jane", "secret");
	assert_int_equal(auth_login(a, &user, &password), 0);
	assert_int_equal(auth_login(b, &user, &password), ERROR_AGAIN);
	auth_end(a);
	a = NULL;
	loop_advance(loop, loop_now(loop) + 1);
	assert_int_equal(called, 1);
	assert_int_equal(auth_login(b, &user, &password), 0);
}

/* A proxy that is restarted in the middle of it has rejected nothing; one that only ever closes has. */
static void test_cut(void **state)
{
	(void)state;
	make("jane", "secret");
	assert_int_equal(auth_login(a, &user, &password), 0);
	assert_int_equal(auth_login_answered(a, true), 0);
	for (int i = 0; i < 5; i++) {
		assert_int_equal(auth_login(a, &user, &password), 0);
		assert_int_equal(auth_login(b, &user, &password), 0);
		assert_int_equal(auth_login_cut(a), ERROR_PROXY);
		assert_int_equal(auth_login_cut(b), ERROR_PROXY);	/* both at once are one */
		assert_int_equal(auth_login(a, &user, &password), 0);
		assert_int_equal(auth_login(b, &user, &password), ERROR_AGAIN);
		assert_int_equal(auth_login_cut(a), ERROR_PROXY);
		assert_non_null(strstr(auth_why(a), "closed the connection instead of answering the name and password"));
		assert_int_equal(auth_login(a, &user, &password), 0);
		assert_int_equal(auth_login_answered(a, true), 0);
	}
	for (int i = 0; i < 2; i++) {
		assert_int_equal(auth_login(a, &user, &password), 0);
		assert_int_equal(auth_login_cut(a), ERROR_PROXY);
	}
	assert_int_equal(auth_login(a, &user, &password), 0);
	assert_int_equal(auth_login_cut(a), ERROR_PROXY_AUTH);
	assert_int_equal(auth_login(a, &user, &password), ERROR_PROXY_AUTH);
}

static void test_cut_at_first(void **state)
{
	(void)state;
	make("jane", "wrong");
	assert_int_equal(auth_login(a, &user, &password), 0);
	assert_int_equal(auth_login_cut(a), ERROR_PROXY_AUTH);
	assert_int_equal(auth_login(b, &user, &password), ERROR_PROXY_AUTH);
}

/* A PAC file of who knows whom may name a proxy: it must not get a password as it is. */
static void test_not_allowed(void **state)
{
	struct proxy p = { .kind = PROXY_SOCKS5, .host = "proxy.example", .port = 1080, .user = "jane", .shown = "socks5://proxy.example:1080" };
	struct auth_config config = { .loop = loop, .proxy = &p, .password = "secret", .allowed = 1u << AUTH_DIGEST | 1u << AUTH_NTLM };

	(void)state;
	auth = auth_new(&config);
	a = auth_begin(auth, on_ready, &a);
	b = auth_begin(auth, on_ready, &b);
	assert_int_equal(auth_login(a, &user, &password), ERROR_PROXY_AUTH);
	assert_non_null(strstr(auth_why(a), "not allowed"));
}

static void test_none(void **state)
{
	(void)state;
	make("jane", NULL);
	assert_int_equal(auth_login(a, &user, &password), ERROR_PROXY_AUTH);
	assert_non_null(strstr(auth_why(a), "wants a name and password"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_accepted, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_rejected, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_gone, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_cut, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_cut_at_first, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_not_allowed, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_none, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
