/* links: server/trusted.c framing/forwarded.c framing/http1_head.c tunnel/address.c tunnel/cidr.c tunnel/log.c framing/error.c */
/* Trusted proxies: networks of every prefix, and who asked according to them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "server/trusted.h"
#include "tunnel/log.h"

static struct trusted *trusted;
static struct http1_head head;

static int setup(void **state)
{
	(void)state;
	trusted = trusted_new(TRUSTED_AUTO);
	head.count = 0;
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	trusted_free(trusted);
	return 0;
}

static bool has(const char *text)
{
	struct address a;

	assert_true(address_literal(text, 4711, &a));
	return trusted_has(trusted, &a);
}

static void test_networks(void **state)
{
	static const char *const bad[] = { "", "10.0.0.0/", "10.0.0.0/33", "10.0.0.0/8x", "10.0.0/8", "::/129", "10.0.0.0/-1", "10.0.0.0/+8",
					   "10.0.0.0/0008", "example.org", "Unix", "unix/8", "[::1]", "1.2.3.4:80", "/8", "10.0.0.0 /8" };
	struct address a;

	(void)state;
	assert_true(trusted_is_empty(trusted));
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		if (trusted_add(trusted, bad[i]))
			fail_msg("taken: '%s'", bad[i]);
	assert_true(trusted_is_empty(trusted));
	assert_true(trusted_add(trusted, "10.1.2.3/8") && trusted_add(trusted, "192.0.2.4/31") && trusted_add(trusted, "198.51.100.7"));
	assert_false(trusted_is_empty(trusted));
	assert_true(has("10.0.0.0") && has("10.255.255.255") && has("192.0.2.4") && has("192.0.2.5") && has("198.51.100.7"));
	assert_false(has("9.255.255.255") || has("11.0.0.0") || has("192.0.2.3") || has("192.0.2.6") || has("198.51.100.6"));
	assert_true(trusted_add(trusted, "2001:db8::/33") && trusted_add(trusted, "::1/128"));
	assert_true(has("2001:db8:7fff::1") && has("::1"));
	assert_false(has("2001:db8:8000::1") || has("::2") || has("::"));
	assert_true(address_unix("/run/x", &a));
	assert_false(trusted_has(trusted, &a));
	assert_true(trusted_add(trusted, "unix"));
	assert_true(trusted_has(trusted, &a));
	memset(&a, 0, sizeof a);	/* no address at all */
	assert_false(trusted_has(trusted, &a));
}

static void test_all(void **state)
{
	(void)state;
	assert_true(trusted_add(trusted, "0.0.0.0/0"));
	assert_true(has("1.2.3.4"));
	assert_false(has("::1"));
}

static void header(const char *name, const char *value)
{
	head.header[head.count++] = (struct http1_header){ { (const uint8_t *)name, strlen(name) }, { (const uint8_t *)value, strlen(value) } };
}

/* Who asked; "" when it is the proxy itself. */
static const char *client(bool local)
{
	static char text[ADDRESS_TEXT];
	struct address a;

	*text = 0;
	if (trusted_client(trusted, local, &head, &a))
		address_text(&a, text);
	head.count = 0;
	return text;
}

static const char *by_x_for(const char *value)
{
	header("X-Forwarded-For", value);
	return client(false);
}

static void test_client(void **state)
{
	(void)state;
	assert_true(trusted_add(trusted, "10.0.0.0/8"));
	assert_string_equal(client(false), "");
	assert_string_equal(by_x_for("203.0.113.9"), "203.0.113.9:0");
	assert_string_equal(by_x_for("198.51.100.1, 203.0.113.9"), "203.0.113.9:0");
	assert_string_equal(by_x_for("198.51.100.1, 203.0.113.9:80, 10.0.0.1, 10.9.9.9"), "203.0.113.9:80");
	assert_string_equal(by_x_for("[2001:db8::7]:99, 10.0.0.1"), "[2001:db8::7]:99");
	assert_string_equal(by_x_for("::ffff:203.0.113.9, ::ffff:10.0.0.1"), "203.0.113.9:0"); /* as some write IPv4 */
	/* All trusted: the farthest. Nothing to believe: the nearest. */
	assert_string_equal(by_x_for("10.0.0.2, 10.0.0.1"), "10.0.0.2:0");
	assert_string_equal(by_x_for("203.0.113.9, unknown, 10.0.0.1"), "10.0.0.1:0");
	assert_string_equal(by_x_for("203.0.113.9, rubbish, 10.0.0.1"), "10.0.0.1:0");
	assert_string_equal(by_x_for("203.0.113.9, rubbish"), "");
	assert_string_equal(by_x_for("_x"), "");
	assert_string_equal(by_x_for(""), "");
	/* This machine is a proxy only where it says so. */
	assert_string_equal(by_x_for("203.0.113.9, 127.0.0.1"), "127.0.0.1:0");
	header("X-Forwarded-For", "198.51.100.1, 203.0.113.9, ::1, 127.0.0.1");
	assert_string_equal(client(true), "203.0.113.9:0");
}

static void test_which(void **state)
{
	static const struct {
		enum trusted_header header;
		const char *both, *only_x_for, *only_forwarded;
	} want[] = {
		{ TRUSTED_AUTO, "1.1.1.1:0", "1.1.1.1:0", "2.2.2.2:0" },
		{ TRUSTED_X_FOR, "1.1.1.1:0", "1.1.1.1:0", "" },
		{ TRUSTED_FORWARDED, "2.2.2.2:0", "", "2.2.2.2:0" },
		{ TRUSTED_NONE, "", "", "" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof want / sizeof *want; i++) {
		trusted_free(trusted);
		trusted = trusted_new(want[i].header);
		header("X-Forwarded-For", "1.1.1.1");
		header("Forwarded", "for=2.2.2.2");
		assert_string_equal(client(false), want[i].both);
		header("X-Forwarded-For", "1.1.1.1");
		assert_string_equal(client(false), want[i].only_x_for);
		header("Forwarded", "for=2.2.2.2");
		assert_string_equal(client(false), want[i].only_forwarded);
	}
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = { T(test_networks), T(test_all), T(test_client), T(test_which) };

	log_setup(LOG_LEVEL_ERROR, false);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
