/* links: server/rest_turn.c server/rest_text.c tunnel/mac.c tunnel/daemon.c tunnel/log.c framing/base64.c framing/error.c */
/* libs: -lcrypto */
/* TURN credentials: as coturn computes them, and what is said about wrong files and URIs. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "server/rest_turn.h"

static char file[64], error[512];
static const char *const uris[] = { "turn:127.0.0.1:3478?transport=udp", "turns:turn.example.org" };

static int setup(void **state)
{
	int fd;

	(void)state;
	snprintf(file, sizeof file, "/tmp/turn-secret.XXXXXX");
	fd = mkstemp(file);
	assert_true(fd >= 0);
	close(fd);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	unlink(file);
	return 0;
}

static void secret_is(const char *text)
{
	FILE *f = fopen(file, "w");

	assert_non_null(f);
	fputs(text, f);
	fclose(f);
}

/* openssl: printf 1700086400:alice | openssl dgst -sha1 -hmac north-star -binary | base64 */
static void they_are_what_the_turn_server_computes(void **state)
{
	struct turn_credentials *t;
	struct rest_text out = { 0 };

	(void)state;
	secret_is("north-star\r\nsecond line\n");
	t = turn_credentials_new(file, uris, 2, 86400, error, sizeof error);
	if (!t)
		fail_msg("%s", error);
	turn_credentials_put(t, "alice", 1700000000, &out);
	rest_text_put(&out, "", 1);
	assert_string_equal((const char *)out.p, "{\"username\":\"1700086400:alice\",\"password\":\"tDKbgpzIauE91UWiWUGLUkkmjS0=\",\"ttl\":86400,"
						 "\"uris\":[\"turn:127.0.0.1:3478?transport=udp\",\"turns:turn.example.org\"]}\n");
	rest_text_fini(&out);
	turn_credentials_free(t);
}

static void wrong(const char *f, const char *const *list, size_t n, const char *says)
{
	struct turn_credentials *t = turn_credentials_new(f, list, n, 60, error, sizeof error);

	assert_null(t);
	if (!strstr(error, says))
		fail_msg("says: %s", error);
}

static void mistakes_are_named(void **state)
{
	const char *const bad[] = { "turn:a b" }, *const other[] = { "stun:a" }, *const quote[] = { "turn:\"" };

	(void)state;
	secret_is("short\n");
	wrong(file, uris, 2, "static-auth-secret");
	secret_is("");
	wrong(file, uris, 2, "static-auth-secret");
	wrong("/nonexistent/secret", uris, 2, "/nonexistent/secret: No such file");
	wrong(file, uris, 0, "1 to 32");
	wrong(file, bad, 1, "not 'turn:a b'");
	wrong(file, other, 1, "not 'stun:a'");
	wrong(file, quote, 1, "not 'turn:\"'");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(they_are_what_the_turn_server_computes, setup, teardown),
		cmocka_unit_test_setup_teardown(mistakes_are_named, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
