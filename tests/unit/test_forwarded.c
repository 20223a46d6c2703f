/* links: framing/forwarded.c framing/http1_head.c */
/* Forwarded and X-Forwarded-For, from the right: addresses in every form, what is hidden, and what is malformed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#include "framing/forwarded.h"

static struct http1_head head;

static void header(const char *name, const char *value)
{
	head.header[head.count++] = (struct http1_header){ { (const uint8_t *)name, strlen(name) }, { (const uint8_t *)value, strlen(value) } };
}

/* What the walk finds, nearest first, as one text. */
static const char *walked(enum forwarded_header which)
{
	static char out[2048];
	struct forwarded_node node;
	struct forwarded f;
	char ip[64];

	*out = 0;
	forwarded_begin(&f, &head, which);
	while (forwarded_next(&f, &node)) {
		size_t n = strlen(out);

		if (node.kind == FORWARDED_ADDRESS)
			snprintf(out + n, sizeof out - n, "%s%s|%u", n ? " " : "",
				 inet_ntop(node.ip_len == 4 ? AF_INET : AF_INET6, node.ip, ip, sizeof ip), (unsigned)node.port);
		else
			snprintf(out + n, sizeof out - n, "%s%s", n ? " " : "", node.kind == FORWARDED_HIDDEN ? "hidden" : "bad");
	}
	head.count = 0;
	return out;
}

static void x_for(const char *value, const char *want)
{
	header("x-forwarded-for", value);
	assert_true(forwarded_given(&head, FORWARDED_X_FOR));
	assert_false(forwarded_given(&head, FORWARDED_RFC7239));
	assert_string_equal(walked(FORWARDED_X_FOR), want);
}

static void rfc(const char *value, const char *want)
{
	header("Forwarded", value);
	assert_false(forwarded_given(&head, FORWARDED_X_FOR));
	assert_true(forwarded_given(&head, FORWARDED_RFC7239));
	assert_string_equal(walked(FORWARDED_RFC7239), want);
}

static void test_x_for(void **state)
{
	(void)state;
	x_for("203.0.113.9", "203.0.113.9|0");
	x_for("203.0.113.9, 10.0.0.1,127.0.0.1", "127.0.0.1|0 10.0.0.1|0 203.0.113.9|0");
	x_for("203.0.113.9:4711", "203.0.113.9|4711");
	x_for("2001:db8::7", "2001:db8::7|0");
	x_for("[2001:db8::7]", "2001:db8::7|0");
	x_for("[2001:db8::7]:99 , ::1", "::1|0 2001:db8::7|99");
	x_for("::ffff:10.0.0.1", "::ffff:10.0.0.1|0");
	x_for("\"[2001:db8::7]:99\"", "2001:db8::7|99");
	x_for("unknown, 10.0.0.1", "10.0.0.1|0 hidden");
	x_for("_hidden, Unknown", "hidden hidden");
	x_for(" , ,203.0.113.9,,\t,", "203.0.113.9|0");
	x_for("", "");
	x_for(" ,", "");
	x_for("me, 10.0.0.1", "10.0.0.1|0 bad");
	x_for("1.2.3.4 5.6.7.8, 10.0.0.1", "10.0.0.1|0 bad");
	x_for("fe80::1%eth0", "bad");
	x_for("<script>,127.0.0.1", "127.0.0.1|0 bad");
}

/* Several lines are one list, whatever stands between them. */
static void test_lines(void **state)
{
	(void)state;
	header("X-Forwarded-For", "1.1.1.1, 2.2.2.2");
	header("Host", "x");
	header("X-FORWARDED-FOR", "");
	header("Forwarded", "for=9.9.9.9");
	header("X-Forwarded-For", "3.3.3.3");
	assert_string_equal(walked(FORWARDED_X_FOR), "3.3.3.3|0 2.2.2.2|0 1.1.1.1|0");
	header("Host", "x");
	assert_false(forwarded_given(&head, FORWARDED_X_FOR));
	assert_string_equal(walked(FORWARDED_X_FOR), "");
}

/* The examples of RFC 7239, and more. */
static void test_rfc7239(void **state)
{
	(void)state;
	rfc("for=\"_gazonk\"", "hidden");
	rfc("For=\"[2001:db8:cafe::17]:4711\"", "2001:db8:cafe::17|4711");
	rfc("for=192.0.2.60;proto=http;by=203.0.113.43", "192.0.2.60|0");
	rfc("for=192.0.2.43, for=198.51.100.17", "198.51.100.17|0 192.0.2.43|0");
	rfc("for=192.0.2.43, for=\"[2001:db8:cafe::17]\", for=unknown", "hidden 2001:db8:cafe::17|0 192.0.2.43|0");
	rfc("for=_hidden, for=_SEVKISEK", "hidden hidden");
	rfc("for=192.0.2.43,for=\"[2001:db8:cafe::17]\",for=unknown", "hidden 2001:db8:cafe::17|0 192.0.2.43|0");
	rfc("proto=https;by=\"_a,b;c=\\\"d\";FOR=\"192.0.2.1:_port\"", "192.0.2.1|0");
	rfc("for=\"192.0.2.1:4711\"; host=x", "192.0.2.1|4711");
	rfc("for=\"1\\92.0.2.1\"", "192.0.2.1|0");
	rfc("proto=https", "hidden");
	rfc("for=192.0.2.1;", "192.0.2.1|0");
	rfc("host=\"a, b\";for=192.0.2.1", "192.0.2.1|0");
}

static void test_rfc7239_malformed(void **state)
{
	static const char *const bad[] = {
		"for=", "for", "=1.2.3.4", "for=\"\"", "for=\"[2001:db8::7\"", "for=\"2001:db8::7\"", "for=[::1]x", "for=\"[::1]80\"",
		"for=\"[1.2.3.4]\"", "for=\"[]\"", "for=1.2.3.4:", "for=1.2.3.4:65536", "for=1.2.3.4:123456", "for=1.2.3.4:x", "for=1.2.3.4:_",
		"for=1.2.3.256", "for=_", "for=_a b", "for=_a/b", "for=example.com", "for=1.2.3.4;for=1.2.3.4", "for=\"1.2.3.4\"x",
		"for=x\"1.2.3.4\"", "for=\"1.2.3.4\\\"", "for=1.2.3.4;x", "for=\"[v1.a]\"",
		"for=11111111111111111111111111111111111111111111111111111111111111111111111111", "for=\"1.2.3.4", "for=\\1.2.3.4",
	};
	char with[200], want[80];

	(void)state;
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		header("Forwarded", bad[i]);
		snprintf(want, sizeof want, "%s", walked(FORWARDED_RFC7239));
		if (strcmp(want, "bad"))
			fail_msg("%s: %s", bad[i], want);
		/* What the proxy itself added is found all the same. */
		snprintf(with, sizeof with, "%s, for=\"[2001:db8::7]:1\"", bad[i]);
		header("Forwarded", with);
		if (strncmp(walked(FORWARDED_RFC7239), "2001:db8::7|1 bad", 17))
			fail_msg("%s hides what follows it", bad[i]);
	}
}

/* Quotes, backslashes and commas of a visitor do not reach into what stands right of them. */
static void test_forgery(void **state)
{
	(void)state;
	rfc("for=\"x, for=203.0.113.9", "203.0.113.9|0 bad");
	rfc("for=\"x, for=\"[2001:db8::7]\"", "2001:db8::7|0 bad");
	rfc("for=\"x\\, for=\"203.0.113.9\";proto=https", "203.0.113.9|0 bad");
	rfc("\\, for=203.0.113.9", "203.0.113.9|0 bad");
	rfc("for=\"\\\\\\\", for=203.0.113.9", "203.0.113.9|0 bad");
	x_for("\"1.1.1.1, 203.0.113.9", "203.0.113.9|0 bad");
	header("Forwarded", "for=\"1.1.1.1");
	header("Forwarded", "for=\"203.0.113.9\"");
	assert_string_equal(walked(FORWARDED_RFC7239), "203.0.113.9|0 bad");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_x_for), cmocka_unit_test(test_lines), cmocka_unit_test(test_rfc7239),
		cmocka_unit_test(test_rfc7239_malformed), cmocka_unit_test(test_forgery),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
