/* links: framing/proxy_protocol.c framing/cursor.c framing/varint.c */
/* Headers of the PROXY protocol: both versions, every truncation, and what is none. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <string.h>

#include "framing/error.h"
#include "framing/proxy_protocol.h"

#define SIGNATURE "\r\n\r\n\0\r\nQUIT\n"

static struct proxy_protocol got;

static void expect_source(enum proxy_protocol_source source, const char *ip, unsigned port)
{
	uint8_t want[16];

	assert_int_equal(got.source, source);
	if (source != PROXY_PROTOCOL_IPV4 && source != PROXY_PROTOCOL_IPV6)
		return;
	assert_int_equal(inet_pton(source == PROXY_PROTOCOL_IPV4 ? AF_INET : AF_INET6, ip, want), 1);
	assert_memory_equal(got.ip, want, source == PROXY_PROTOCOL_IPV4 ? 4 : 16);
	assert_int_equal(got.port, port);
}

/* A header of n bytes, then others that are left alone; each part of it alone asks for more. */
static void whole(const void *p, size_t n, enum proxy_protocol_source source, const char *ip, unsigned port)
{
	uint8_t with[PROXY_PROTOCOL_MAX + 3];

	memcpy(with, p, n);
	memcpy(with + n, "GET", 3);
	for (size_t i = 0; i < n; i++)
		if (proxy_protocol_get(with, i, &got) != 0)
			fail_msg("the first %zu bytes are no beginning", i);
	assert_int_equal(proxy_protocol_get(with, n, &got), n);
	expect_source(source, ip, port);
	assert_int_equal(proxy_protocol_get(with, n + 3, &got), n);
	expect_source(source, ip, port);
}

static void line(const char *text, enum proxy_protocol_source source, const char *ip, unsigned port)
{
	whole(text, strlen(text), source, ip, port);
	assert_int_equal(got.version, 1);
}

static void test_v1(void **state)
{
	(void)state;
	line("PROXY TCP4 192.0.2.1 198.51.100.1 56324 443\r\n", PROXY_PROTOCOL_IPV4, "192.0.2.1", 56324);
	line("PROXY TCP4 255.255.255.255 255.255.255.255 65535 65535\r\n", PROXY_PROTOCOL_IPV4, "255.255.255.255", 65535);
	line("PROXY TCP4 0.0.0.0 0.0.0.0 0 0\r\n", PROXY_PROTOCOL_IPV4, "0.0.0.0", 0);
	line("PROXY TCP6 2001:db8::7 ::1 1 443\r\n", PROXY_PROTOCOL_IPV6, "2001:db8::7", 1);
	line("PROXY TCP6 ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 65535 65535\r\n",
	     PROXY_PROTOCOL_IPV6, "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", 65535);
	line("PROXY UNKNOWN\r\n", PROXY_PROTOCOL_UNKNOWN, NULL, 0);
	line("PROXY UNKNOWN ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 65535 65535\r\n",
	     PROXY_PROTOCOL_UNKNOWN, NULL, 0); /* the longest there is: 107 bytes */
	line("PROXY UNKNOWN anything but an end\r\n", PROXY_PROTOCOL_UNKNOWN, NULL, 0);
}

static void test_not_v1(void **state)
{
	static const char *const bad[] = {
		"PROXY \r\n", "PROXY  TCP4 1.2.3.4 1.2.3.4 1 2\r\n", "PROXY TCP4\r\n", "PROXY TCP4 1.2.3.4\r\n",
		"PROXY TCP4 1.2.3.4 1.2.3.4 1\r\n", "PROXY TCP4 1.2.3.4 1.2.3.4 1 2 \r\n", "PROXY TCP4 1.2.3.4 1.2.3.4 1 2 3\r\n",
		"PROXY TCP4 1.2.3.4 1.2.3.4 1 65536\r\n", "PROXY TCP4 1.2.3.4 1.2.3.4 65536 1\r\n", "PROXY TCP4 1.2.3.4 1.2.3.4 01 2\r\n",
		"PROXY TCP4 1.2.3.4 1.2.3.4 -1 2\r\n", "PROXY TCP4 1.2.3.4 1.2.3.4 1 2\n", "PROXY TCP4 1.2.3.4 1.2.3 1 2\r\n",
		"PROXY TCP4 1.2.3.04 1.2.3.4 1 2\r\n", "PROXY TCP4 ::1 ::1 1 2\r\n", "PROXY TCP6 1.2.3.4 1.2.3.4 1 2\r\n",
		"PROXY TCP6 ::g ::1 1 2\r\n", "PROXY UDP4 1.2.3.4 1.2.3.4 1 2\r\n", "PROXY tcp4 1.2.3.4 1.2.3.4 1 2\r\n",
		"PROXY TCP4 1.2.3.4 1.2.3.4 1 99999999999\r\n", "PROXY TCP4 1.2.3.4 1.2.3.4  1 2\r\n", "PROXY UNKNOWNX\r\n", "PROXY\r\n",
		"proxy TCP4 1.2.3.4 1.2.3.4 1 2\r\n", "PROXYTCP4", "GET / HTTP/1.1\r\n", "PRI * HTTP/2.0\r\n", "\x16\x03\x01", " PROXY",
	};
	char text[128];

	(void)state;
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		if (proxy_protocol_get((const uint8_t *)bad[i], strlen(bad[i]), &got) != ERROR_MALFORMED)
			fail_msg("taken: %s", bad[i]);
	/* A NUL in it ends no text; and one that does not end within 107 bytes is none. */
	assert_int_equal(proxy_protocol_get((const uint8_t *)"PROXY UNKNOWN\0\r\n", 16, &got), ERROR_MALFORMED);
	memset(text, 'x', sizeof text);
	memcpy(text, "PROXY UNKNOWN ", 14);
	assert_int_equal(proxy_protocol_get((const uint8_t *)text, 106, &got), 0);
	assert_int_equal(proxy_protocol_get((const uint8_t *)text, 107, &got), ERROR_MALFORMED);
	memcpy(text + 105, "\r\n", 2);
	assert_int_equal(proxy_protocol_get((const uint8_t *)text, 128, &got), 107);
	memcpy(text + 105, "x\r\n", 3);
	assert_int_equal(proxy_protocol_get((const uint8_t *)text, 128, &got), ERROR_MALFORMED);
}

/* command and version, family, what follows. */
static size_t v2(uint8_t *p, uint8_t command, uint8_t family, const void *rest, size_t n)
{
	memcpy(p, SIGNATURE, 12);
	p[12] = command;
	p[13] = family;
	p[14] = (uint8_t)(n >> 8);
	p[15] = (uint8_t)n;
	memcpy(p + 16, rest, n);
	return 16 + n;
}

static void test_v2(void **state)
{
	static const uint8_t four[] = { 192, 0, 2, 1, 198, 51, 100, 1, 0xdc, 0x04, 1, 0xbb, /* and a TLV */ 4, 0, 2, 'x', 'y' };
	uint8_t six[36] = { 0x20, 1, 0x0d, 0xb8 }, p[512], path[216] = "/run/x";
	size_t n;

	(void)state;
	six[15] = 7;
	six[32] = 1;
	n = v2(p, 0x21, 0x11, four, 12);
	whole(p, n, PROXY_PROTOCOL_IPV4, "192.0.2.1", 56324);
	assert_int_equal(got.version, 2);
	n = v2(p, 0x21, 0x11, four, sizeof four);
	whole(p, n, PROXY_PROTOCOL_IPV4, "192.0.2.1", 56324);
	n = v2(p, 0x21, 0x21, six, sizeof six);
	whole(p, n, PROXY_PROTOCOL_IPV6, "2001:db8::7", 256);
	n = v2(p, 0x20, 0x00, "", 0);
	whole(p, n, PROXY_PROTOCOL_LOCAL, NULL, 0);
	n = v2(p, 0x20, 0x11, four, 12);	/* whatever it says beside that */
	whole(p, n, PROXY_PROTOCOL_LOCAL, NULL, 0);
	n = v2(p, 0x20, 0xff, "", 0);
	whole(p, n, PROXY_PROTOCOL_LOCAL, NULL, 0);
	n = v2(p, 0x21, 0x00, "", 0);
	whole(p, n, PROXY_PROTOCOL_UNKNOWN, NULL, 0);
	n = v2(p, 0x21, 0x00, four, sizeof four);
	whole(p, n, PROXY_PROTOCOL_UNKNOWN, NULL, 0);
	n = v2(p, 0x21, 0x31, path, sizeof path); /* AF_UNIX */
	whole(p, n, PROXY_PROTOCOL_UNKNOWN, NULL, 0);
	n = v2(p, 0x21, 0x12, four, 12);	/* over UDP */
	whole(p, n, PROXY_PROTOCOL_UNKNOWN, NULL, 0);
}

static void refused(uint8_t command, uint8_t family, size_t n)
{
	uint8_t rest[64] = { 0 }, p[80];
	size_t len = v2(p, command, family, rest, n);

	if (proxy_protocol_get(p, len, &got) != ERROR_MALFORMED)
		fail_msg("taken: %02x %02x with %zu bytes", command, family, n);
}

static void test_not_v2(void **state)
{
	static uint8_t rest[PROXY_PROTOCOL_MAX], p[PROXY_PROTOCOL_MAX + 16];
	size_t n;

	(void)state;
	refused(0x11, 0x11, 12);	/* version 1 */
	refused(0x31, 0x11, 12);
	refused(0x22, 0x11, 12);	/* no such command */
	refused(0x21, 0x11, 11);	/* too short for its addresses */
	refused(0x21, 0x21, 35);
	refused(0x21, 0x11, 0);
	refused(0x21, 0x41, 12);	/* no such family, no such protocol */
	refused(0x21, 0x13, 12);
	n = v2(p, 0x20, 0, rest, PROXY_PROTOCOL_MAX - 16);
	assert_int_equal(proxy_protocol_get(p, n, &got), n);
	assert_int_equal(proxy_protocol_get(p, n - 1, &got), 0);
	p[15]++;
	assert_int_equal(proxy_protocol_get(p, 16, &got), ERROR_LIMIT);
	/* Another version is told by its first byte behind the signature. */
	p[12] = 0x31;
	assert_int_equal(proxy_protocol_get(p, 13, &got), ERROR_MALFORMED);
	p[11] = 'x';
	assert_int_equal(proxy_protocol_get(p, 11, &got), 0);
	assert_int_equal(proxy_protocol_get(p, 12, &got), ERROR_MALFORMED);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_v1), cmocka_unit_test(test_not_v1), cmocka_unit_test(test_v2), cmocka_unit_test(test_not_v2),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
