/* Origins: which may be configured, which are let in, and what is said to them. */
/* links: server/rest_cors.c */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "server/rest_cors.h"

static char error[512];

static struct rest_cors *make(const char *origin)
{
	const char *const list[] = { origin, NULL };

	return rest_cors_new(list, error, sizeof error);
}

static bool allows(const struct rest_cors *c, const char *origin)
{
	return rest_cors_allows(c, (struct span){ (const uint8_t *)origin, strlen(origin) });
}

static void good_ones(void **state)
{
	static const char *const good[] = {
		"https://app.example", "http://localhost", "http://localhost:8080", "https://app.example:8443", "http://127.0.0.1:3000", "http://[::1]:3000",
		"https://[2001:db8::1]", "https://a_b.example", "https://xn--bcher-kva.example", "https://app.example:80", "chrome-extension://abcdefghijklmnop",
		"capacitor://localhost", "http://app.example:443", "https://a",
	};

	(void)state;
	for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
		struct rest_cors *c = make(good[i]);

		if (!c)
			fail_msg("%s: %s", good[i], error);
		assert_true(allows(c, good[i]));
		assert_false(allows(c, "https://evil.example"));
		rest_cors_free(c);
	}
}

static void bad_ones(void **state)
{
	static const char *const bad[] = {
		"", "app.example", "https://", "https:///", "https://app.example/", "https://app.example/x", "https://App.example", "HTTPS://app.example",
		"https://app.example:", "https://app.example:443", "http://app.example:80", "https://app.example:0443", "https://app.example:65536",
		"https://app.example:8x", "https://:8443", "https://user@app.example", "https://app.example ", " https://app.example", "https://a,https://b",
		"https://[::1", "https://::1]", "https://[]", "https://\xc3\xbcmlaut.example", "//app.example", "https:app.example", "https://a?b", "://a",
		"https://app.example\r\nX: y",
	};

	(void)state;
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		struct rest_cors *c = make(bad[i]);

		if (c)
			fail_msg("%s was taken", bad[i]);
		assert_non_null(strstr(error, "an origin is like https://app.example"));
	}
	assert_null(make("*"));
	assert_non_null(strstr(error, "would let any page"));
	assert_null(make("https://*.example"));
	assert_non_null(strstr(error, "would let any page"));
	assert_null(make("null"));
	assert_non_null(strstr(error, "sandboxed frame"));
}

static void exact_ones_only(void **state)
{
	static const char *const others[] = {
		"", "null", "*", "https://app.example:443", "https://app.example.", "https://app.example.evil.example", "https://evil.example/https://app.example",
		"http://app.example", "https://APP.example", "https://app.exampl", "https://app.example:8443", "https://sub.app.example", "https://app.example/",
	};
	const char *const list[] = { "https://app.example", "https://b.example", NULL }, *const none[] = { NULL };
	struct rest_cors *c = rest_cors_new(list, error, sizeof error);

	(void)state;
	assert_true(allows(c, "https://app.example") && allows(c, "https://b.example"));
	for (size_t i = 0; i < sizeof others / sizeof *others; i++)
		assert_false(allows(c, others[i]));
	rest_cors_free(c);
	assert_false(allows(NULL, "https://app.example"));
	c = rest_cors_new(none, error, sizeof error);
	assert_false(allows(c, "https://app.example") || allows(c, ""));
	rest_cors_free(c);
	rest_cors_free(NULL);
}

static void lines(void **state)
{
	char out[REST_CORS_LINES], longest[256];

	(void)state;
	rest_cors_lines("https://app.example", false, true, out);
	assert_string_equal(out, "Access-Control-Allow-Origin: https://app.example\r\nAccess-Control-Expose-Headers: Retry-After\r\n");
	rest_cors_lines("https://app.example", true, false, out);
	assert_non_null(strstr(out, "\r\nAccess-Control-Allow-Methods: PUT, POST, GET, DELETE\r\n"));
	assert_non_null(strstr(out, "\r\nAccess-Control-Max-Age: 7200\r\n"));
	assert_null(strstr(out, "Credentials"));
	assert_null(strstr(out, "Private"));
	memset(longest, 'a', sizeof longest - 1);
	longest[sizeof longest - 1] = 0;
	rest_cors_lines(longest, true, true, out);
	assert_non_null(strstr(out, "\r\nAccess-Control-Allow-Private-Network: true\r\n"));
	assert_string_equal(out + strlen(out) - 2, "\r\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(good_ones),
		cmocka_unit_test(bad_ones),
		cmocka_unit_test(exact_ones_only),
		cmocka_unit_test(lines),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
