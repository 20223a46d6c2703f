/* links: client/digest.c framing/challenge.c framing/cursor.c framing/varint.c framing/http1_head.c */
/* libs: -lcrypto */
/* Digest: the examples of RFC 7616, RFC 2617 and RFC 2069, sessions, quoting, and challenges that cannot be answered. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "client/digest.h"
#include "framing/error.h"

static int read_challenge(const char *text, struct digest_challenge *d)
{
	struct http1_head head = { .count = 1 };
	struct challenge c;

	head.header[0].name = (struct span){ (const uint8_t *)"Proxy-Authenticate", 18 };
	head.header[0].value = (struct span){ (const uint8_t *)text, strlen(text) };
	assert_int_equal(challenge_parse(&head, "Proxy-Authenticate", &c, 1), 1);
	return digest_read(&c, d);
}

static const char *answer(const char *challenge, const struct digest_request *r)
{
	static char out[4096];
	struct digest_challenge d;
	ssize_t n;

	assert_int_equal(read_challenge(challenge, &d), 0);
	n = digest_put(&d, r, out, sizeof out);
	assert_int_equal(n, strlen(out));
	return out;
}

static void has(const char *line, const char *what)
{
	if (!strstr(line, what))
		fail_msg("no %s in: %s", what, line);
}

static const struct digest_request mufasa = { "Mufasa", "Circle of Life", "GET", "/dir/index.html",
					      "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ", 1 };

#define MUFASA "realm=\"http-auth@example.org\", qop=\"auth, auth-int\", nonce=\"7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v\", " \
	"opaque=\"FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS\""

static void test_rfc7616(void **state)
{
	const char *line;

	(void)state;
	line = answer("Digest " MUFASA ", algorithm=MD5", &mufasa);
	assert_string_equal(line, "username=\"Mufasa\", realm=\"http-auth@example.org\", "
			    "nonce=\"7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v\", uri=\"/dir/index.html\", "
			    "response=\"8ca523f5e9506fed4657c9700eebdbec\", algorithm=MD5, "
			    "cnonce=\"f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ\", qop=auth, nc=00000001, "
			    "opaque=\"FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS\"");
	line = answer("digest " MUFASA ", algorithm=sha-256", &mufasa);
	has(line, "response=\"753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1\"");
	has(line, "algorithm=SHA-256,");
}

/* Section 3.9.2: hashed and extended names. The response printed there does not follow from its other values; this one was
 * computed with Python's hashlib, which agrees on the hash of the name. */
static void test_user_names(void **state)
{
	static const char user[] = "J\xc3\xa4s\xc3\xb8n Doe";
	const struct digest_request r = { user, "Secret, or not?", "GET", "/doe.json",
					  "NTg6RKcb9boFIAS3KrFK9BGeh+niz/sm", 1 };
	static const char challenge[] = "Digest realm=\"api@example.org\", qop=\"auth\", algorithm=SHA-512-256, "
					"nonce=\"5TsQWLVdgBdmrQ0XsxbDODV+57QdFR34I9HAbC/RVvkK\", "
					"opaque=\"HRPCssKJSGjCrkzDg8OhwpzCiGPChXYjwrI2QmXDnsOS\", charset=UTF-8";
	char hashed[1024];
	const char *line;

	(void)state;
	snprintf(hashed, sizeof hashed, "%s, userhash=true", challenge);
	line = answer(hashed, &r);
	has(line, "username=\"793263caabb707a56211940d90411ea4a575adeccb7e360aeb624ed06ece9b0b\"");
	has(line, "userhash=true");
	has(line, "response=\"7a4e1192babbba02e91182d2895bfdbf7adafc6e48d4e517ca301974843d840c\"");
	line = answer(challenge, &r);
	has(line, "username*=UTF-8''J%C3%A4s%C3%B8n%20Doe, ");
	assert_null(strstr(line, "userhash"));
	line = answer("Digest realm=a, nonce=b", &r);
	has(line, "username=\"J\xc3\xa4s\xc3\xb8n Doe\", ");
}

static void test_rfc2617(void **state)
{
	const struct digest_request r = { "Mufasa", "Circle Of Life", "GET", "/dir/index.html", "0a4f113b", 1 };
	const char *line = answer("Digest realm=\"testrealm@host.com\", qop=\"auth,auth-int\", "
				  "nonce=\"dcd98b7102dd2f0e8b11d0f600bfb0c093\", opaque=\"5ccc069c403ebaf9f0171e9517f40e41\"", &r);

	(void)state;
	has(line, "response=\"6629fae49393a05397450978507c4ef1\"");
	assert_null(strstr(line, "algorithm"));
}

/* Without qop (the errata's value for the example of RFC 2069). */
static void test_rfc2069(void **state)
{
	const struct digest_request r = { "Mufasa", "CircleOfLife", "GET", "/dir/index.html", "unused", 1 };
	const char *line = answer("Digest realm=\"testrealm@host.com\", nonce=\"dcd98b7102dd2f0e8b11d0f600bfb0c093\", "
				  "opaque=\"5ccc069c403ebaf9f0171e9517f40e41\"", &r);

	(void)state;
	has(line, "response=\"1949323746fe6a43ef61f9606e7febea\"");
	assert_null(strstr(line, "qop"));
	assert_null(strstr(line, "nc="));
	assert_null(strstr(line, "cnonce"));
}

/* Computed with Python's hashlib. */
static void test_sessions_and_connect(void **state)
{
	struct digest_request r = { "alice", "wonder", "CONNECT", "calls.example:443", "MDAwMQ==", 0x1a };
	const char *line;

	(void)state;
	line = answer("Digest realm=\"p\", nonce=\"n1\", qop=\"auth\", algorithm=MD5-sess", &r);
	has(line, "nc=0000001a");
	has(line, "uri=\"calls.example:443\"");
	has(line, "response=\"2158635b84d98d83ad659f9b8bc9001f\"");
	line = answer("Digest realm=\"p\", nonce=\"n1\", qop=\"auth\", algorithm=SHA-256-sess", &r);
	has(line, "response=\"d6032475d850cb7079e441b7b7a9aea6ddd6fb75518eadfb5149f1f186bcb0e4\"");
	line = answer("Digest realm=\"p\", nonce=\"n1\", algorithm=MD5-sess", &r); /* the server needs the cnonce */
	has(line, "cnonce=\"MDAwMQ==\"");
	assert_null(strstr(line, "qop"));
}

static void test_quoting(void **state)
{
	const struct digest_request r = { "CORP\\al\"ice", "x", "GET", "/", "c", 1 };
	const char *line = answer("Digest realm=\"a \\\"b\\\" \\\\ c\", nonce=\"n\\o\", qop=auth, opaque=\"\"", &r);

	(void)state;
	has(line, "username=\"CORP\\\\al\\\"ice\"");
	has(line, "realm=\"a \\\"b\\\" \\\\ c\"");
	has(line, "nonce=\"no\"");
	has(line, "opaque=\"\"");
}

static void test_what_cannot_be_answered(void **state)
{
	struct digest_challenge d;
	char text[3000] = "Digest realm=r, nonce=\"";

	(void)state;
	assert_int_equal(read_challenge("Digest realm=r, nonce=n, algorithm=SHA-3", &d), ERROR_UNSUPPORTED);
	assert_int_equal(read_challenge("Digest realm=r, nonce=n, algorithm=\"\"", &d), ERROR_UNSUPPORTED);
	assert_int_equal(read_challenge("Digest realm=r, nonce=n, qop=auth-int", &d), ERROR_UNSUPPORTED);
	assert_int_equal(read_challenge("Digest realm=r, nonce=n, qop=\"\"", &d), ERROR_UNSUPPORTED);
	assert_int_equal(read_challenge("Digest realm=r", &d), ERROR_MALFORMED);
	assert_int_equal(read_challenge("Digest nonce=n", &d), ERROR_MALFORMED);
	assert_int_equal(read_challenge("Digest realm=r, nonce=\"\"", &d), ERROR_MALFORMED);
	assert_int_equal(read_challenge("Digest realm=\"a\rb\", nonce=n", &d), ERROR_MALFORMED);
	memset(text + strlen(text), 'n', DIGEST_TEXT_MAX);
	strcat(text, "\"");
	assert_int_equal(read_challenge(text, &d), ERROR_MALFORMED);
}

static void test_flags_and_strength(void **state)
{
	static const char *const weakest_first[] = { "MD5", "MD5-SESS", "SHA-256", "SHA-256-sess", "SHA-512-256" };
	struct digest_challenge d;
	char text[200];
	int last = 0;

	(void)state;
	assert_int_equal(read_challenge("Digest realm=r, nonce=n, stale=TRUE, qop=\"auth-int , AUTH\"", &d), 0);
	assert_true(d.stale && d.qop && !d.userhash && !d.utf8 && !d.has_opaque);
	assert_int_equal(read_challenge("Digest realm=r, nonce=n, stale=\"false\", userhash=\"true\", charset=utf-8", &d), 0);
	assert_true(!d.stale && !d.qop && d.userhash && d.utf8);
	for (size_t i = 0; i < sizeof weakest_first / sizeof *weakest_first; i++) {
		snprintf(text, sizeof text, "Digest realm=r, nonce=n, algorithm=\"%s\"", weakest_first[i]);
		assert_int_equal(read_challenge(text, &d), 0);
		assert_true(digest_strength(&d) > last);
		last = digest_strength(&d);
	}
}

static void test_no_room(void **state)
{
	struct digest_challenge d;
	char out[1024];
	ssize_t n;

	(void)state;
	assert_int_equal(read_challenge("Digest " MUFASA, &d), 0);
	n = digest_put(&d, &mufasa, out, sizeof out);
	assert_true(n > 0);
	assert_int_equal(digest_put(&d, &mufasa, out, (size_t)n + 1), n);
	for (size_t cap = 0; cap <= (size_t)n; cap++)
		assert_int_equal(digest_put(&d, &mufasa, out, cap), ERROR_LIMIT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rfc7616),
		cmocka_unit_test(test_user_names),
		cmocka_unit_test(test_rfc2617),
		cmocka_unit_test(test_rfc2069),
		cmocka_unit_test(test_sessions_and_connect),
		cmocka_unit_test(test_quoting),
		cmocka_unit_test(test_what_cannot_be_answered),
		cmocka_unit_test(test_flags_and_strength),
		cmocka_unit_test(test_no_room),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
