/* links: client/proxy.c client/authority.c tunnel/address.c */
/* Proxies by name: what people and environments write, and what comes out. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "client/proxy.h"

/* strict: as on the command line, without passwords; else as in the environment. */
static const struct row {
	const char *url;
	bool strict;
	const char *shown, *user, *password; /* or shown NULL and user: what the complaint says */
} rows[] = {
	{ "http://p:3128", true, "p:3128", "", "" },
	{ "HTTP://P:3128/", true, "P:3128", "", "" },
	{ "p:3128", true, "p:3128", "", "" },
	{ "[2001:db8::1]:3128", true, "[2001:db8::1]:3128", "", "" },
	{ "https://p", true, "https://p:443", "", "" },
	{ "https://p:8443", true, "https://p:8443", "", "" },
	{ "socks5://p", true, "socks5://p:1080", "", "" },
	{ "socks5h://me@p:1", true, "socks5://p:1", "me", "" },
	{ "http://CORP%5Cme@p:1", true, "p:1", "CORP\\me", "" },
	{ "p", false, "p:1080", "", "" },
	{ "http://p", false, "p:1080", "", "" },
	{ "http://p:8080/ignored?x#y", false, "p:8080", "", "" },
	{ "http://p:8080?x", false, "p:8080", "", "" },
	{ "http://me:pass@p:1", false, "p:1", "me", "pass" },
	{ "http://me:p%40ss%3Aword@p:1", false, "p:1", "me", "p@ss:word" },
	{ "http://me:@p:1", false, "p:1", "me", "" },
	{ "http://:@p:1", false, "p:1", "", "" },
	{ "", true, NULL, "must be http://", NULL },
	{ "http://", true, NULL, "must be http://", NULL },
	{ "http://p", true, NULL, "port is missing", NULL },
	{ "p", true, NULL, "port is missing", NULL },
	{ "http://p:3128/x", true, NULL, "has a path", NULL },
	{ "http://me:s3cret@p:1", true, NULL, "--proxy-password-file", NULL },
	{ "http://@p:1", true, NULL, "user name is empty", NULL },
	{ "http://a%00@p:1", true, NULL, "user name is malformed", NULL },
	{ "http://a:%zz@p:1", false, NULL, "password is malformed", NULL },
	{ "http://p:0", false, NULL, "port 0", NULL },
	{ "http://p:99999", false, NULL, "not a host name", NULL },
	{ "http://p:1:2", false, NULL, "not a host name", NULL },
	{ "socks4://p:1", true, NULL, "SOCKS4", NULL },
	{ "socks4a://p:1", false, NULL, "SOCKS4", NULL },
	{ "socks://p:1", false, NULL, "SOCKS4", NULL },
	{ "s://p:1", false, NULL, "must be http://", NULL },
	{ "://p:1", false, NULL, "must be http://", NULL },
};

static void test_rows(void **state)
{
	struct proxy p;

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		const struct row *r = &rows[i];
		const char *why = proxy_parse(r->url, r->strict, !r->strict, &p);

		if (!r->shown && r->user[0] && (!why || !strstr(why, r->user)))
			fail_msg("%s: '%s'", r->url, why ? why : "accepted");
		if (why && strstr(why, "s3cret"))
			fail_msg("%s: %s", r->url, why);
		if (!r->shown)
			continue;
		if (why)
			fail_msg("%s: %s", r->url, why);
		assert_string_equal(p.shown, r->shown);
		assert_string_equal(p.user, r->user);
		assert_string_equal(p.password, r->password);
	}
}

/* The last @ ends the user, as in curl. */
static void test_at(void **state)
{
	struct proxy p;

	(void)state;
	assert_null(proxy_parse("http://me@corp:odd@p:1", false, true, &p));
	assert_string_equal(p.user, "me@corp");
	assert_string_equal(p.password, "odd");
	assert_string_equal(p.host, "p");
}

static void test_long(void **state)
{
	char url[2000] = "http://";
	struct proxy p;

	(void)state;
	memset(url + 7, 'a', 300);
	strcpy(url + 307, "@p:1");
	assert_non_null(proxy_parse(url, false, true, &p));
	memcpy(url + 7, "me:", 3);
	memset(url + 10, 'b', 600);
	strcpy(url + 610, "@p:1");
	assert_non_null(proxy_parse(url, false, true, &p));
	assert_string_equal(p.password, "");
	memset(url + 7, 'h', 400);
	strcpy(url + 407, ":1");
	assert_non_null(proxy_parse(url, false, true, &p));
}

static void parse(struct proxy *p, const char *url)
{
	const char *why = proxy_parse(url, false, true, p);

	if (why)
		fail_msg("%s: %s", url, why);
}

static void test_equal(void **state)
{
	struct proxy_list a = { .n = 2 }, b = { .n = 2 };
	char text[40];

	(void)state;
	a.chain[0].n = b.chain[0].n = 2;
	parse(&a.chain[0].hop[0], "a:1");
	parse(&b.chain[0].hop[0], "http://A:1");
	parse(&a.chain[0].hop[1], "socks5://x@b:2");
	parse(&b.chain[0].hop[1], "socks5h://x:other@b:2");
	assert_true(proxy_list_equal(&a, &b));
	assert_string_equal(proxy_chain_text(&a.chain[0], text, sizeof text), "a:1 > socks5://b:2");
	assert_string_equal(proxy_chain_text(&a.chain[1], text, sizeof text), "direct");
	assert_string_equal(proxy_chain_text(&a.chain[0], text, 6), "a:1 >");
	strcpy(b.from, "HTTPS_PROXY");
	assert_false(proxy_list_equal(&a, &b));
	b.from[0] = 0;
	parse(&b.chain[0].hop[1], "http://x@b:2");
	assert_false(proxy_list_equal(&a, &b));
	parse(&b.chain[0].hop[1], "socks5://y@b:2");
	assert_false(proxy_chain_equal(&a.chain[0], &b.chain[0]));
	assert_false(proxy_chain_equal(&a.chain[0], &a.chain[1]));
	b.n = 1;
	assert_false(proxy_list_equal(&a, &b));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rows), cmocka_unit_test(test_at),
		cmocka_unit_test(test_long), cmocka_unit_test(test_equal),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
