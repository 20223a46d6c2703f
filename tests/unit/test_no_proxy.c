/* links: client/no_proxy.c client/proxy_env.c client/proxy.c client/authority.c tunnel/address.c framing/error.c */
/* NO_PROXY and the variables that name proxies: a table of what curl does, and what goes beyond. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "client/no_proxy.h"
#include "client/proxy_env.h"
#include "framing/error.h"

static const struct row {
	const char *list, *host;
	bool matches;
} rows[] = {
	{ "", "h.example", false },
	{ "*", "h.example", true },
	{ "*", "192.0.2.1", true },
	{ "*", "::1", true },
	{ "a, *", "h.example", true },
	{ "h.example", "h.example", true },
	{ "H.EXAMPLE", "h.example", true },
	{ "example", "h.example", true },
	{ ".example", "h.example", true },
	{ ".h.example", "h.example", true },	/* itself, too */
	{ "*.example", "h.example", true },
	{ "*.example", "example", true },
	{ "xample", "h.example", false },	/* only on the borders of labels */
	{ "h.exampl", "h.example", false },
	{ "x.h.example", "h.example", false },
	{ "h.example", "other.example", false },
	{ "h.example", "noth.example", false },
	{ "a,b c\th.example", "h.example", true },
	{ ",, ,h.example,,", "h.example", true },
	{ "a,b", "h.example", false },
	{ "h.example.", "h.example", true },
	{ "h.example", "h.example.", true },
	{ ".example.", "h.example.", true },
	{ ".", "h.example", false },
	{ "*.", "h.example", false },
	{ "192.0.2.1", "192.0.2.1", true },
	{ "192.0.2.1", "192.0.2.10", false },
	{ "2.1", "192.0.2.1", false },		/* an address has no labels */
	{ ".2.1", "192.0.2.1", false },
	{ "192.0.2.0/24", "192.0.2.200", true },
	{ "192.0.2.0/24", "192.0.3.1", false },
	{ "10.0.0.0/8", "10.255.1.2", true },
	{ "192.0.2.128/25", "192.0.2.127", false },
	{ "192.0.2.128/25", "192.0.2.129", true },
	{ "192.0.2.1/32", "192.0.2.1", true },
	{ "192.0.2.0/33", "192.0.2.0", false },
	{ "192.0.2.0/x", "192.0.2.0", false },
	{ "192.0.2.0/", "192.0.2.0", false },
	{ "0.0.0.0/0", "192.0.2.1", false },	/* curl's: that address */
	{ "192.0.2.0/24", "h.example", false },
	{ "::1", "::1", true },
	{ "[::1]", "::1", true },
	{ "::1", "[::1]", true },
	{ "2001:db8::/32", "2001:db8:1::5", true },
	{ "2001:db8::/32", "2001:db9::5", false },
	{ "[2001:db8::]/32", "2001:db8:1::5", true },
	{ "2001:DB8:0:0::5", "2001:db8::5", true },
	{ "fe80::/129", "fe80::1", false },
	{ "2001:db8::/32", "192.0.2.1", false },
	{ "192.0.2.0/24", "2001:db8::1", false },
	{ "h.example:443", "h.example", true },
	{ "h.example:8443", "h.example", false },
	{ ".example:443", "h.example", true },
	{ "h.example:x", "h.example", false },
	{ "h.example:443x", "h.example", false },
	{ "192.0.2.1:443", "192.0.2.1", true },
	{ "192.0.2.1:80", "192.0.2.1", false },
	{ "[::1]:443", "::1", true },
	{ "[::1]:80", "::1", false },
	{ "[::1", "::1", false },
};

static void test_rows(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		if (no_proxy_matches(rows[i].list, rows[i].host, 443) != rows[i].matches)
			fail_msg("'%s' and %s", rows[i].list, rows[i].host);
}

/* An entry that is too long is no end of the list. */
static void test_long(void **state)
{
	char list[1000];

	(void)state;
	memset(list, 'a', 900);
	strcpy(list + 900, ",h.example");
	assert_true(no_proxy_matches(list, "h.example", 443));
}

/* ---- the environment ---- */

static const char *const *env;	/* name, value, ..., NULL */

static char *get(const char *name)
{
	for (const char *const *e = env; *e; e += 2)
		if (strcmp(e[0], name) == 0)
			return (char *)e[1];
	return NULL;
}

static const struct {
	const char *env[9];
	bool plain;
	int rc;
	const char *shown, *from;
} cases[] = {
	{ { NULL }, false, 0, "", "" },
	{ { "https_proxy", "http://p:1" }, false, 1, "p:1", "https_proxy" },
	{ { "HTTPS_PROXY", "http://p:1" }, false, 1, "p:1", "HTTPS_PROXY" },
	{ { "HTTPS_PROXY", "http://p:1", "https_proxy", "q:2" }, false, 1, "q:2", "https_proxy" },
	{ { "HTTPS_PROXY", "http://p:1", "https_proxy", "" }, false, 1, "p:1", "HTTPS_PROXY" },
	{ { "ALL_PROXY", "socks5h://s" }, false, 1, "socks5://s:1080", "ALL_PROXY" },
	{ { "all_proxy", "s", "HTTPS_PROXY", "https://p" }, false, 1, "https://p:443", "HTTPS_PROXY" },
	{ { "http_proxy", "p:1" }, false, 0, "", "" },
	{ { "http_proxy", "p:1" }, true, 1, "p:1", "http_proxy" },
	{ { "HTTP_PROXY", "p:1" }, true, 0, "", "" },	/* a header of a CGI request */
	{ { "https_proxy", "p:1" }, true, 0, "", "" },
	{ { "https_proxy", "p:1", "NO_PROXY", "x,.example" }, false, 1, "direct", "NO_PROXY" },
	{ { "https_proxy", "p:1", "NO_PROXY", "x", "no_proxy", "example" }, false, 1, "direct", "no_proxy" },
	{ { "https_proxy", "p:1", "NO_PROXY", "example", "no_proxy", "x" }, false, 1, "p:1", "https_proxy" },
	{ { "https_proxy", "p:1", "NO_PROXY", "other" }, false, 1, "p:1", "https_proxy" },
	{ { "https_proxy", "socks4://me:s3cret@p:1" }, false, ERROR_CONFIG, "https_proxy is a SOCKS4", "" },
	{ { "https_proxy", "http://me:s3cret@p:port" }, false, ERROR_CONFIG, "https_proxy not a host name", "" },
};

static void test_environment(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		char error[200] = "", text[300];
		struct proxy_list l;
		int rc;

		env = cases[i].env;
		rc = proxy_env_find(get, cases[i].plain, "h.example", 443, &l, error, sizeof error);
		if (rc != cases[i].rc)
			fail_msg("case %zu: %d %s", i, rc, error);
		assert_null(strstr(error, "s3cret"));
		if (rc < 0)
			assert_ptr_equal(strstr(error, cases[i].shown), error);
		if (rc <= 0)
			continue;
		assert_int_equal(l.n, 1);
		assert_string_equal(proxy_chain_text(&l.chain[0], text, sizeof text), cases[i].shown);
		assert_string_equal(l.from, cases[i].from);
	}
}

static void test_password(void **state)
{
	static const char *const with[] = { "https_proxy", "http://me:p%40ss@p:1", NULL };
	struct proxy_list l;
	char error[200];

	(void)state;
	env = with;
	assert_int_equal(proxy_env_find(get, false, "h", 443, &l, error, sizeof error), 1);
	assert_string_equal(l.chain[0].hop[0].user, "me");
	assert_string_equal(l.chain[0].hop[0].password, "p@ss");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rows), cmocka_unit_test(test_long),
		cmocka_unit_test(test_environment), cmocka_unit_test(test_password),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
