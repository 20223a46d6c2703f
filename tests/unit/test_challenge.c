/* links: framing/challenge.c framing/cursor.c framing/varint.c framing/http1_head.c */
/* Challenges: lists within lists, quoted strings, what is malformed and what must survive it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "framing/challenge.h"
#include "framing/error.h"

static struct span span_of(const char *s)
{
	return (struct span){ (const uint8_t *)s, strlen(s) };
}

static void put_header(struct http1_head *head, const char *name, const char *value)
{
	head->header[head->count++] = (struct http1_header){ span_of(name), span_of(value) };
}

static void put(char *out, size_t size, struct span s)
{
	size_t n = strlen(out);

	snprintf(out + n, size - n, "%.*s", (int)s.n, s.n ? (const char *)s.p : "");
}

/* "Scheme[name=value,...]" or "Scheme<token>" for each. */
static const char *shown(const struct challenge *c, size_t count)
{
	static char out[2000];

	out[0] = 0;
	for (size_t i = 0; i < count; i++) {
		put(out, sizeof out, span_of(i ? " " : ""));
		put(out, sizeof out, c[i].scheme);
		if (c[i].token.n) {
			put(out, sizeof out, span_of("<"));
			put(out, sizeof out, c[i].token);
			put(out, sizeof out, span_of(">"));
		}
		for (size_t k = 0; k < c[i].count; k++) {
			put(out, sizeof out, span_of(k ? "," : "["));
			put(out, sizeof out, c[i].param[k].name);
			put(out, sizeof out, span_of("="));
			put(out, sizeof out, c[i].param[k].value);
		}
		put(out, sizeof out, span_of(c[i].count ? "]" : ""));
	}
	return out;
}

static const struct {
	const char *header, *expected;
} vectors[] = {
	{ "Basic", "Basic" },
	{ "Negotiate", "Negotiate" },
	{ "Basic realm=\"simple\"", "Basic[realm=simple]" },
	{ "Basic realm=\"a b, Digest x=y\", charset=\"UTF-8\"", "Basic[realm=a b, Digest x=y,charset=UTF-8]" },
	{ "Basic realm=\"a \\\"b\\\" c\\\\\"", "Basic[realm=a \\\"b\\\" c\\\\]" },
	{ "Negotiate, NTLM, Basic realm=\"x\"", "Negotiate NTLM Basic[realm=x]" },
	{ "NTLM TlRMTVNTUAACAAAA==", "NTLM<TlRMTVNTUAACAAAA==>" },
	{ "Negotiate oYG2MIGzoAMKAQGhCw+/=, Basic realm=x", "Negotiate<oYG2MIGzoAMKAQGhCw+/=> Basic[realm=x]" },
	{ "Newauth realm=\"apps\", type=1, title=\"Login to \\\"apps\\\"\", Basic realm=\"simple\"",
	  "Newauth[realm=apps,type=1,title=Login to \\\"apps\\\"] Basic[realm=simple]" },
	{ "Digest realm = \"a\" ,\tnonce=\"n\",qop=\"auth,auth-int\"", "Digest[realm=a,nonce=n,qop=auth,auth-int]" },
	{ ", ,Basic , ,realm=\"x\",,NTLM,", "Basic[realm=x] NTLM" },
	{ "Basic realm=\"\"", "Basic[realm=]" },
	{ "a b", "a<b>" },
	{ "a b=", "a<b=>" },
	{ "a b=c", "a[b=c]" },
	/* Malformed parts, and what is behind them. */
	{ "Basic realm=two words, NTLM", "Basic NTLM" },
	{ "Basic realm=, NTLM", "Basic<realm=> NTLM" },
	{ "Digest realm=\"a\" junk, nonce=\"n\", NTLM", "Digest[nonce=n] NTLM" },
	{ "Digest realm=\"a\"nonce=\"n\", qop=auth", "Digest[qop=auth]" },
	{ "@, Basic realm=x", "Basic[realm=x]" },
	{ "Ba@sic realm=\"a, Evil\", NTLM", "NTLM" },
	{ "=x, NTLM", "NTLM" },
	{ "realm=\"nobody's\", NTLM", "NTLM" },
	{ "\"Basic\", NTLM", "NTLM" },
	{ "Basic realm=\"no end, NTLM", "Basic" },
	{ "Basic realm=\"end in escape\\", "Basic" },
	{ "NTLM abc def, Basic", "NTLM Basic" },
	{ "NTLM =, Basic", "Basic" },
	{ "", "" },
	{ ",", "" },
	{ "  ", "" },
};

static void test_vectors(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof vectors / sizeof *vectors; i++) {
		struct http1_head head = { .count = 0 };
		struct challenge c[CHALLENGE_MAX];
		size_t n;

		put_header(&head, "pRoXy-aUtHeNtIcAtE", vectors[i].header);
		n = challenge_parse(&head, "Proxy-Authenticate", c, CHALLENGE_MAX);
		if (strcmp(shown(c, n), vectors[i].expected) != 0)
			fail_msg("%s: %s, not %s", vectors[i].header, shown(c, n), vectors[i].expected);
	}
}

static void test_several_headers(void **state)
{
	struct http1_head head = { .count = 0 };
	struct challenge c[CHALLENGE_MAX];

	(void)state;
	put_header(&head, "Proxy-Authenticate", "Negotiate");
	put_header(&head, "WWW-Authenticate", "Basic realm=origin");
	put_header(&head, "Proxy-Authenticate", "realm=stray, Basic realm=\"p\"");
	put_header(&head, "proxy-authenticate", "NTLM");
	assert_int_equal(challenge_parse(&head, "Proxy-Authenticate", c, CHALLENGE_MAX), 3);
	assert_string_equal(shown(c, 3), "Negotiate Basic[realm=p] NTLM");
	assert_true(challenge_is(&c[0], "negotiate"));
	assert_false(challenge_is(&c[0], "negotiat"));
	assert_int_equal(challenge_parse(&head, "Proxy-Authenticate", c, 2), 2);
	assert_string_equal(shown(c, 2), "Negotiate Basic[realm=p]");
	assert_int_equal(challenge_parse(&head, "Proxy-Authenticate", c, 0), 0);
}

static void test_too_many(void **state)
{
	struct http1_head head = { .count = 0 };
	struct challenge c[2];
	char text[2000] = "Digest a=0";

	(void)state;
	for (int i = 1; i < 40; i++)
		sprintf(text + strlen(text), ", p%d=%d", i, i);
	strcat(text, ", Basic realm=x, NTLM, other=y");
	put_header(&head, "Proxy-Authenticate", text);
	assert_int_equal(challenge_parse(&head, "Proxy-Authenticate", c, 2), 2);
	assert_int_equal(c[0].count, CHALLENGE_PARAMS_MAX);
	assert_true(challenge_is(&c[1], "Basic"));
	assert_int_equal(c[1].count, 1);
}

static void test_value(void **state)
{
	struct http1_head head = { .count = 0 };
	struct challenge c;
	char out[8];

	(void)state;
	put_header(&head, "Proxy-Authenticate", "Digest realm=\"a\\\"\\\\b\", nonce=plain, Nonce=second, empty=\"\"");
	assert_int_equal(challenge_parse(&head, "Proxy-Authenticate", &c, 1), 1);
	assert_int_equal(challenge_value(&c, "REALM", out, sizeof out), 4);
	assert_string_equal(out, "a\"\\b");
	assert_int_equal(challenge_value(&c, "nonce", out, sizeof out), 5);
	assert_string_equal(out, "plain");
	assert_int_equal(challenge_value(&c, "nonce", out, 6), 5);
	assert_int_equal(challenge_value(&c, "nonce", out, 5), ERROR_LIMIT);
	assert_int_equal(challenge_value(&c, "empty", out, 1), 0);
	assert_int_equal(challenge_value(&c, "opaque", out, sizeof out), ERROR_EOF);
}

static void test_info(void **state)
{
	struct http1_head head = { .count = 0 };
	struct challenge c;
	char out[32];

	(void)state;
	put_header(&head, "Proxy-Authentication-Info", "nextnonce=\"next, please\", (bad), qop=auth,");
	put_header(&head, "Proxy-Authentication-Info", "nc=00000001");
	challenge_info(&head, "Proxy-Authentication-Info", &c);
	assert_int_equal(c.count, 3);
	assert_int_equal(challenge_value(&c, "nextnonce", out, sizeof out), 12);
	assert_string_equal(out, "next, please");
	assert_int_equal(challenge_value(&c, "nc", out, sizeof out), 8);
	challenge_info(&head, "Authentication-Info", &c);
	assert_int_equal(c.count, 0);
}

static void test_truncations(void **state)
{
	static const char text[] = "Digest realm=\"a\\\"b\", nonce=\"n\" , qop=\"auth\", Negotiate abc==, Basic realm=x";

	(void)state;
	for (size_t n = 0; n < sizeof text; n++) {
		uint8_t *copy = malloc(n + !n); /* its exact size: the sanitizer sees every over-read */
		struct http1_head head = { .count = 1 };
		struct challenge c[CHALLENGE_MAX];
		char out[64];
		size_t count;

		memcpy(copy, text, n);
		head.header[0] = (struct http1_header){ span_of("Proxy-Authenticate"), { copy, n } };
		count = challenge_parse(&head, "Proxy-Authenticate", c, CHALLENGE_MAX);
		assert_true(count <= 3);
		for (size_t i = 0; i < count; i++)
			challenge_value(&c[i], "realm", out, sizeof out);
		free(copy);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_vectors),	   cmocka_unit_test(test_several_headers),
		cmocka_unit_test(test_too_many),   cmocka_unit_test(test_value),
		cmocka_unit_test(test_info),	   cmocka_unit_test(test_truncations),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
