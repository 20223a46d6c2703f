/* links: tunnel/address.c */
/* Addresses: every form of host and port, and texts that are none. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>
#include <sys/un.h>
#include <unistd.h>

#include "framing/error.h"
#include "tunnel/address.h"

static void expect_split(const char *text, const char *host, int first, int last)
{
	struct address_hostport hp;

	if (address_split(text, true, &hp) != 0)
		fail_msg("\"%s\" was refused", text);
	assert_string_equal(hp.host, host);
	assert_int_equal(hp.has_port, first >= 0);
	assert_int_equal(hp.first, first < 0 ? 0 : first);
	assert_int_equal(hp.last, last < 0 ? 0 : last);
}

static void test_split(void **state)
{
	struct address_hostport hp;

	(void)state;
	expect_split("127.0.0.1:5004", "127.0.0.1", 5004, 5004);
	expect_split("[::1]:5004", "::1", 5004, 5004);
	expect_split("[::1]", "::1", -1, -1);
	expect_split("::1", "::1", -1, -1);
	expect_split("2001:db8::7", "2001:db8::7", -1, -1);
	expect_split("media.example:443", "media.example", 443, 443);
	expect_split("media.example", "media.example", -1, -1);
	expect_split("h:5004-5013", "h", 5004, 5013);
	expect_split("[::]:0", "::", 0, 0);
	expect_split("h:65535", "h", 65535, 65535);
	expect_split("h:7-7", "h", 7, 7);
	expect_split("[fe80::1%lo]:9", "fe80::1%lo", 9, 9);
	assert_int_equal(address_split("h:5004-5013", false, &hp), ERROR_CONFIG);
	assert_int_equal(address_split("h:5004", false, &hp), 0);
}

static void test_not_split(void **state)
{
	static const char *const bad[] = {
		"", ":", ":80", "h:", "h:x", "h:-1", "h:65536", "h:123456", "h:99999999999", "h:5013-5004", "h:1-", "h:1-2-3",
		"h:80x", "h: 80", "h :80", " h:80", "[::1", "[::1]80", "[::1]:", "[h]:80", "[]:80", "[127.0.0.1]:80", "::1:x", "a:b:c",
		"h/p:80", "u@h:80", "h\n:80", "h\x7f:80", "\xc3\xa4:80", "http://h:80", "1:2:3", "[fe80::1%nosuchif]:9", "h:+1", "h:0x1",
	};
	struct address_hostport hp;
	char longest[300];

	(void)state;
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		if (address_split(bad[i], true, &hp) != ERROR_CONFIG)
			fail_msg("\"%s\" was accepted as host \"%s\"", bad[i], hp.host);
	memset(longest, 'x', sizeof longest);
	longest[256] = '\0';
	assert_int_equal(address_split(longest, true, &hp), ERROR_CONFIG);
	longest[255] = '\0';
	assert_int_equal(address_split(longest, true, &hp), 0);
	assert_int_equal(strlen(hp.host), 255);
}

static void test_literal(void **state)
{
	static const char *const names[] = { "", "localhost", "127.1", "1", "127.0.0.256", "::g", "fe80::1%nosuchif", "1.2.3.4.5",
					     "127.0.0.1 ", "[::1]" };
	struct address a, b;
	char text[ADDRESS_TEXT];

	(void)state;
	assert_true(address_literal("127.0.0.1", 5004, &a));
	assert_int_equal(a.sa.ss_family, AF_INET);
	assert_int_equal(a.len, sizeof(struct sockaddr_in));
	assert_int_equal(address_port(&a), 5004);
	assert_string_equal(address_text(&a, text), "127.0.0.1:5004");
	assert_true(address_literal("2001:DB8:0:0::1", 80, &b));
	assert_int_equal(b.len, sizeof(struct sockaddr_in6));
	assert_string_equal(address_text(&b, text), "[2001:db8::1]:80");
	assert_false(address_equal(&a, &b));
	assert_true(address_literal("fe80::1%lo", 1, &b));
	assert_string_equal(address_text(&b, text), "[fe80::1%lo]:1");
	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		if (address_literal(names[i], 1, &a))
			fail_msg("\"%s\" was taken for an address", names[i]);
	assert_string_equal(address_text(&a, text), "");
	assert_int_equal(address_port(&a), 0);
}

static void test_equal(void **state)
{
	struct address a, b;

	(void)state;
	assert_true(address_literal("::1", 1, &a) && address_literal("0:0::1", 1, &b));
	assert_true(address_equal(&a, &b));
	address_set_port(&b, 2);
	assert_int_equal(address_port(&b), 2);
	assert_false(address_equal(&a, &b));
	assert_true(address_literal("10.0.0.1", 1, &a) && address_literal("10.0.0.1", 1, &b));
	memset(&((struct sockaddr_in *)&b.sa)->sin_zero, 7, 8); /* padding does not count */
	assert_true(address_equal(&a, &b));
	assert_true(address_literal("fe80::1%lo", 1, &a) && address_literal("fe80::1", 1, &b));
	assert_false(address_equal(&a, &b));
}

static void test_of_socket(void **state)
{
	struct address a, b;
	int fd = socket(AF_INET, SOCK_DGRAM, 0);

	(void)state;
	assert_true(address_literal("127.0.0.1", 0, &a));
	assert_int_equal(bind(fd, (struct sockaddr *)&a.sa, a.len), 0);
	assert_int_equal(address_of_socket(fd, &b), 0);
	assert_true(address_port(&b) > 0);
	address_set_port(&a, address_port(&b));
	assert_true(address_equal(&a, &b));
	close(fd);
	assert_int_equal(address_of_socket(fd, &b), ERROR_SYSTEM);
	assert_int_equal(b.len, 0);
}

static void test_source(void **state)
{
	struct address to, from, want;

	(void)state;
	assert_true(address_literal("127.0.0.1", 443, &to));
	assert_int_equal(address_source(&to, &from), 0);
	assert_true(address_literal("127.0.0.1", 0, &want));
	assert_true(address_equal(&from, &want));
	assert_true(address_literal("255.255.255.255", 443, &to));	/* not without asking for broadcasts */
	assert_int_equal(address_source(&to, &from), ERROR_UNREACHABLE);
}

static void test_unix(void **state)
{
	struct address a, b = { .sa.ss_family = AF_UNIX, .len = sizeof(sa_family_t) };
	char text[ADDRESS_TEXT], longest[200];

	(void)state;
	assert_true(address_unix("/run/x.sock", &a));
	assert_string_equal(address_text(&a, text), "unix:/run/x.sock");
	assert_string_equal(address_host_text(&a, text), "unix:/run/x.sock");
	assert_string_equal(address_text(&b, text), "unix");	/* without a name */
	memcpy((char *)&b.sa + offsetof(struct sockaddr_un, sun_path), "\0name", 5);
	b.len = offsetof(struct sockaddr_un, sun_path) + 5;
	assert_string_equal(address_text(&b, text), "unix:@name");
	assert_true(address_is_local(&a) && address_is_local(&b));
	assert_false(address_equal(&a, &b));
	assert_int_equal(address_port(&a), 0);
	assert_false(address_unix("", &a) || address_unix("x.sock", &a));
	memset(longest, '/', sizeof longest);
	longest[108] = '\0';
	assert_false(address_unix(longest, &a));
	longest[107] = '\0';
	assert_true(address_unix(longest, &a));
	assert_int_equal(strlen(address_text(&a, text)), 5 + 107);
}

static void test_ip(void **state)
{
	static const uint8_t four[] = { 203, 0, 113, 9 }, mapped[16] = { [10] = 0xff, [11] = 0xff, [12] = 203, [14] = 113, [15] = 9 },
			     six[16] = { 0x20, 1, [15] = 7 };
	static const char *const local[] = { "127.0.0.1", "127.255.0.1", "::1" }, *const far[] = { "128.0.0.1", "0.0.0.0", "::", "::2" };
	char text[ADDRESS_TEXT];
	struct address a;

	(void)state;
	address_of_ip(four, 4, 80, &a);
	assert_string_equal(address_text(&a, text), "203.0.113.9:80");
	assert_string_equal(address_host_text(&a, text), "203.0.113.9");
	address_of_ip(mapped, 16, 80, &a);
	assert_string_equal(address_text(&a, text), "203.0.113.9:80");
	address_of_ip(six, 16, 80, &a);
	assert_string_equal(address_text(&a, text), "[2001::7]:80");
	assert_string_equal(address_host_text(&a, text), "2001::7");
	assert_true(address_literal("::ffff:10.0.0.1", 5, &a));
	address_unmap(&a);
	assert_string_equal(address_text(&a, text), "10.0.0.1:5");
	for (size_t i = 0; i < sizeof local / sizeof *local; i++)
		assert_true(address_literal(local[i], 1, &a) && address_is_local(&a));
	for (size_t i = 0; i < sizeof far / sizeof *far; i++)
		assert_true(address_literal(far[i], 1, &a) && !address_is_local(&a));
	memset(&a, 0, sizeof a);
	assert_false(address_is_local(&a));
	assert_string_equal(address_host_text(&a, text), "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_split),
		cmocka_unit_test(test_not_split),
		cmocka_unit_test(test_literal),
		cmocka_unit_test(test_equal),
		cmocka_unit_test(test_of_socket),
		cmocka_unit_test(test_source),
		cmocka_unit_test(test_unix),
		cmocka_unit_test(test_ip),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
