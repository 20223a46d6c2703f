/* links: client/pac_result.c client/proxy.c client/authority.c tunnel/address.c framing/error.c */
/* What PAC scripts answer, well-formed and not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/pac_result.h"
#include "framing/error.h"

static const struct {
	const char *text, *shown; /* NULL: an error */
	unsigned skipped;
} rows[] = {
	{ "DIRECT", "direct", 0 },
	{ "", "direct", 0 },
	{ " ; ;", "direct", 0 },
	{ "PROXY a:3128", "a:3128", 0 },
	{ "PROXY a", "a:80", 0 },
	{ "proxy a:3128;direct", "a:3128|direct", 0 },
	{ "PROXY a:1; DIRECT; SOCKS5 b:2; HTTPS c:3", "a:1|direct|socks5://b:2|https://c:3", 0 },
	{ "HTTP a; HTTPS b; SOCKS c; SOCKS5 d", "a:80|https://b:443|socks5://c:1080|socks5://d:1080", 0 },
	{ "\tPROXY \t a:1 \r\n; PROXY a:1;;", "a:1", 0 },
	{ "PROXY [2001:db8::1]:3128; PROXY 192.0.2.1", "[2001:db8::1]:3128|192.0.2.1:80", 0 },
	{ "PROXY a:1; SOCKS4 b:2; QUIC c:3; DIRECT", "a:1|direct", 2 },
	{ "PROXY; DIRECT", "direct", 1 },
	{ "DIRECT now; PROXY a:1", "a:1", 1 },
	{ "PROXY a:1 b:2; PROXY c:3", "c:3", 1 },
	{ "PROXY a:0; PROXY a:99999; PROXY a:x; DIRECT", "direct", 3 },
	{ "PROXY me:pw@a:1; PROXY http://a:1; PROXY a/b; DIRECT", "direct", 3 },
	{ "PROXY a:1\r\nX: y; DIRECT", "direct", 1 },
	{ "PROXY a:1;PROXY a:2;PROXY a:3;PROXY a:4;PROXY a:5;PROXY a:6;PROXY a:7;PROXY a:8;PROXY a:9;PROXY a:1",
	  "a:1|a:2|a:3|a:4|a:5|a:6|a:7|a:8", 1 },
	{ "SOCKS4 a:1", NULL, 1 },
	{ "undefined", NULL, 1 },
	{ "null", NULL, 1 },
	{ "a:3128", NULL, 1 },
	{ "PROXYa:1", NULL, 1 },
};

static void test_rows(void **state)
{
	struct proxy_list l;
	unsigned skipped;

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		char text[1000] = "", one[300];
		int rc = pac_result_parse(rows[i].text, strlen(rows[i].text), &l, &skipped);

		for (unsigned k = 0; rc == 0 && k < l.n; k++) {
			strcat(text, k ? "|" : "");
			strcat(text, proxy_chain_text(&l.chain[k], one, sizeof one));
		}
		if (rc != (rows[i].shown ? 0 : ERROR_MALFORMED) || strcmp(text, rows[i].shown ? rows[i].shown : "") != 0)
			fail_msg("'%s': %d '%s'", rows[i].text, rc, text);
		assert_int_equal(skipped, rows[i].skipped);
	}
}

/* No more than n characters are looked at, and no more than the cap. */
static void test_lengths(void **state)
{
	static const char text[] = "PROXY aa:12; DIRECT";
	char *big = malloc(100000);
	struct proxy_list l;
	unsigned skipped;

	(void)state;
	for (size_t n = 0; n < strlen(text); n++) {
		char *part = malloc(n + 1);

		memcpy(part, text, n);
		(void)pac_result_parse(part, n, &l, &skipped);
		assert_true(l.n <= 1 + (n >= 18));
		free(part);
	}
	memset(big, 'x', 100000);
	assert_int_equal(pac_result_parse(big, 100000, &l, &skipped), ERROR_MALFORMED);
	memset(big, ' ', 100000);
	memcpy(big + PAC_RESULT_MAX, "PROXY a:1", 9);
	assert_int_equal(pac_result_parse(big, 100000, &l, &skipped), 0);
	assert_int_equal(l.chain[0].n, 0);
	assert_int_equal(pac_result_parse("PROXY a:1\0; DIRECT", 18, &l, &skipped), 0);
	assert_int_equal(l.n, 1);
	assert_int_equal(l.chain[0].n, 0);
	free(big);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_rows), cmocka_unit_test(test_lengths) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
