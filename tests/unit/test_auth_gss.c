// links: client/auth_gss.c framing/ntlm_challenge.c tests/lib/ntlm.c framing/base64.c
/* libs: -lgssapi_krb5 */
/* GSSAPI alone: NTLM's proof against an acceptor that verifies it, and what is said when there is nothing to prove with. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "client/auth_gss.h"
#include "framing/base64.h"
#include "tests/lib/ntlm.h"

static struct auth_gss_result result;

/* The whole dialogue: as ntlm_take at its end; steps: tokens of ours. */
static int talk(enum auth_gss_kind kind, const char *user, const char *password, unsigned *steps, char *who, size_t size)
{
	struct auth_gss_login *login = auth_gss_login_new(user, password);
	struct auth_gss *g = auth_gss_new(kind, "proxy.example", user, login);
	struct ntlm *n = ntlm_new(kind == AUTH_GSS_SPNEGO_NTLM);
	char text[12000], answer[12000];
	uint8_t in[8192];
	ssize_t len = 0;
	int rc = 0;

	auth_gss_login_release(login);
	for (*steps = 0; rc == 0; ++*steps) {
		enum auth_gss_end end = auth_gss_step(g, in, (size_t)len, &result);

		if (end != AUTH_GSS_OK)
			fail_msg("step %u: %s", *steps, result.why);
		base64_encode(text, result.token, result.n, false);
		free(result.token);
		rc = ntlm_take(n, text, answer, sizeof answer);
		len = base64_decode(in, sizeof in, answer, strlen(answer), false);
		assert_true(len >= 0);
	}
	snprintf(who, size, "%s", ntlm_who(n));
	ntlm_free(n);
	auth_gss_free(g);
	return rc;
}

static void proves(enum auth_gss_kind kind, const char *user, unsigned tokens)
{
	char who[300];
	unsigned steps;

	assert_int_equal(talk(kind, user, "Pa$$w\xc3\xb6rd", &steps, who, sizeof who), 1);
	assert_int_equal(steps, tokens);
	assert_string_equal(who, "ZOO\\alice");
	assert_string_equal(result.principal, "");
	assert_int_equal(result.expires, 0);
	assert_int_equal(talk(kind, user, "wrong", &steps, who, sizeof who), -1);
	assert_int_equal(steps, tokens);
}

static void test_ntlm(void **state)
{
	(void)state;
	ntlm_users("ZOO:alice:Pa$$w\xc3\xb6rd\n");
	proves(AUTH_GSS_NTLM, "ZOO\\alice", 2);
	proves(AUTH_GSS_NTLM, "alice@ZOO", 2);
	proves(AUTH_GSS_SPNEGO_NTLM, "ZOO\\alice", 2);
	ntlm_done();
}

static enum auth_gss_end first(enum auth_gss_kind kind, const char *host, const char *user)
{
	struct auth_gss_login *login = kind == AUTH_GSS_TICKET ? NULL : auth_gss_login_new(user, "secret");
	struct auth_gss *g = auth_gss_new(kind, host, user, login);
	enum auth_gss_end end = auth_gss_step(g, NULL, 0, &result);

	free(result.token);
	auth_gss_free(g);
	auth_gss_login_release(login);
	return end;
}

static void says(const char *what)
{
	if (!strstr(result.why, what))
		fail_msg("expected '%s' in: %s", what, result.why);
}

static void test_no_ticket(void **state)
{
	char config[] = "/tmp/test_auth_gss.XXXXXX";
	static const char text[] = "[libdefaults]\n default_realm = ZOO.TEST\n dns_lookup_kdc = false\n";
	int fd = mkstemp(config);

	(void)state;
	assert_int_equal(write(fd, text, sizeof text - 1), sizeof text - 1);
	close(fd);
	setenv("KRB5_CONFIG", config, 1);
	setenv("KRB5CCNAME", "FILE:/nonexistent/cache", 1);
	assert_int_equal(first(AUTH_GSS_TICKET, "localhost", "alice"), AUTH_GSS_NO_TICKET);
	says("there is no Kerberos ticket (");
	says("/nonexistent/cache");
	says("run kinit alice@ZOO.TEST");
	assert_int_equal(first(AUTH_GSS_TICKET, "localhost", NULL), AUTH_GSS_NO_TICKET);
	assert_string_equal(result.why + strlen(result.why) - 9, "run kinit");
	assert_int_equal(first(AUTH_GSS_TICKET, "localhost", "CORP\\alice"), AUTH_GSS_NO_TICKET);
	assert_string_equal(result.why + strlen(result.why) - 9, "run kinit");
	unlink(config);
}

static void test_nonsense(void **state)
{
	struct auth_gss_login *login = auth_gss_login_new("ZOO\\alice", "secret");
	struct auth_gss *g = auth_gss_new(AUTH_GSS_NTLM, "proxy.example", NULL, login);

	(void)state;
	auth_gss_login_release(login);
	assert_int_equal(auth_gss_step(g, NULL, 0, &result), AUTH_GSS_OK);
	assert_true(result.n > 0);
	free(result.token);
	assert_int_equal(auth_gss_step(g, (const uint8_t *)"nonsense", 8, &result), AUTH_GSS_FAILED);
	assert_null(result.token);
	says("no answer to the proxy's message");
	auth_gss_free(g);
	auth_gss_free(NULL);
}

/* Challenges as of Windows NT: nothing behind the challenge itself, or only a name. */
static void test_short_challenge(void **state)
{
	static const uint8_t old[] = "NTLMSSP\0\2\0\0\0\4\0\4\0\x20\0\0\0\6\x82\x01\0CHALLENG\0\0\0\0\0\0\0\0CORPmore";
	static const size_t sizes[] = { 40, 44, 48 };

	(void)state;
	for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
		struct auth_gss_login *login = auth_gss_login_new("ZOO\\alice", "secret");
		struct auth_gss *g = auth_gss_new(AUTH_GSS_NTLM, "proxy.example", NULL, login);

		assert_int_equal(auth_gss_step(g, NULL, 0, &result), AUTH_GSS_OK);
		free(result.token);
		if (auth_gss_step(g, old, sizes[i], &result) != AUTH_GSS_OK)
			fail_msg("%zu octets: %s", sizes[i], result.why);
		assert_memory_equal(result.token, "NTLMSSP\0\3\0\0\0", 12);
		free(result.token);
		auth_gss_free(g);
		auth_gss_login_release(login);
	}
}

/* The library reads its list of mechanisms once: in a process of its own. */
static void test_ntlm_is_not_installed(void **state)
{
	pid_t pid = fork();
	int status;

	(void)state;
	if (pid == 0) {
		setenv("GSS_MECH_CONFIG", "/dev/null", 1);
		_exit(first(AUTH_GSS_NTLM, "proxy.example", "ZOO\\alice") == AUTH_GSS_ABSENT &&
		      strcmp(result.why, "not available here: install gss-ntlmssp") == 0 ? 0 : 1);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_ntlm_is_not_installed), /* before the library is used here */
		cmocka_unit_test(test_ntlm),
		cmocka_unit_test(test_short_challenge),
		cmocka_unit_test(test_no_ticket),
		cmocka_unit_test(test_nonsense),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
