/* links: client/environment.c */
/* Passwords of the environment: kept for us, gone for everybody else. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "client/environment.h"

static void test_taken(void **state)
{
	static const struct { const char *name, *value, *left; } cases[] = {
		{ "HTTPS_PROXY", "http://me:Geheim1@proxy.corp:3128", "http://me:*******@proxy.corp:3128" },
		{ "https_proxy", "me:p@proxy.corp", "me:*@proxy.corp" },
		{ "ALL_PROXY", "socks5://me:a:b@c@[::1]:1080/", "socks5://me:*****@[::1]:1080/" },
		{ "all_proxy", "http://me:a/b?c#d@proxy", "http://me:*******@proxy" },
		{ "http_proxy", "http://me@proxy:80", "http://me@proxy:80" },
		{ "HTTP_PROXY", "http://proxy:80/x:y", "http://proxy:80/x:y" },
		{ "ftp_proxy", "", "" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
		setenv(cases[i].name, cases[i].value, 1);
	unsetenv("FTP_PROXY");
	setenv("NO_PROXY", "a:b@c", 1);
	environment_take();
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		assert_string_equal(getenv(cases[i].name), cases[i].left);
		assert_string_equal(environment_get(cases[i].name), cases[i].value);
	}
	assert_string_equal(environment_get("NO_PROXY"), "a:b@c");
	assert_null(environment_get("FTP_PROXY"));
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_taken) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
