/* links: framing/socks5_server.c framing/cursor.c framing/varint.c framing/error.c */
/* SOCKS5 as a server: golden bytes, messages that come in pieces, and what is none. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "framing/error.h"
#include "framing/socks5_server.h"

#define BYTES(...) (const uint8_t[]){ __VA_ARGS__ }, sizeof((const uint8_t[]){ __VA_ARGS__ })

static void greetings_say_what_the_client_can(void **state)
{
	bool open, password;

	(void)state;
	assert_int_equal(socks5_methods_get(BYTES(5, 1, 0), &open, &password), 3);
	assert_true(open && !password);
	assert_int_equal(socks5_methods_get(BYTES(5, 3, 1, 2, 9, 5, 1), &open, &password), 5); /* the request follows */
	assert_true(!open && password);
	assert_int_equal(socks5_methods_get(BYTES(5, 2, 0), &open, &password), 0);
	assert_int_equal(socks5_methods_get(BYTES(5), &open, &password), 0);
	assert_int_equal(socks5_methods_get(BYTES(5, 0), &open, &password), ERROR_MALFORMED);
	assert_int_equal(socks5_methods_get(BYTES(4, 1, 0), &open, &password), ERROR_MALFORMED);
	assert_int_equal(socks5_methods_get(BYTES('G', 'E', 'T'), &open, &password), ERROR_MALFORMED);
}

static void logins_are_read(void **state)
{
	char user[256], password[256];
	uint8_t longest[513] = { 1, 255 };

	(void)state;
	assert_int_equal(socks5_credentials_get(BYTES(1, 1, 'a', 2, 'p', 'w', 5), user, password), 6);
	assert_string_equal(user, "a");
	assert_string_equal(password, "pw");
	assert_int_equal(socks5_credentials_get(BYTES(1, 0, 0), user, password), 3);
	assert_int_equal(socks5_credentials_get(BYTES(1, 1, 'a', 2, 'p'), user, password), 0);
	assert_int_equal(socks5_credentials_get(BYTES(1, 2, 'a', 0, 1, 'p'), user, password), ERROR_MALFORMED);
	assert_int_equal(socks5_credentials_get(BYTES(5, 1, 'a', 1, 'p'), user, password), ERROR_MALFORMED);
	memset(longest + 2, 'u', 255);
	longest[257] = 255;
	memset(longest + 258, 'p', 255);
	assert_int_equal(socks5_credentials_get(longest, sizeof longest, user, password), 513);
	assert_int_equal(strlen(user), 255);
	assert_int_equal(strlen(password), 255);
}

static void requests_are_read(void **state)
{
	static const uint8_t named[] = { 5, 1, 0, 3, 9, 'l', 'o', 'c', 'a', 'l', 'h', 'o', 's', 't', 0x1f, 0x90, 'x' };
	struct socks5_request r;

	(void)state;
	assert_int_equal(socks5_request_get(BYTES(5, 1, 0, 1, 127, 0, 0, 1, 0, 80), &r), 10);
	assert_int_equal(r.command, SOCKS5_CONNECT);
	assert_string_equal(r.host, "127.0.0.1");
	assert_true(r.literal);
	assert_int_equal(r.port, 80);
	assert_int_equal(socks5_request_get(BYTES(5, 3, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 0), &r), 22);
	assert_string_equal(r.host, "::1");
	assert_int_equal(r.port, 256);
	assert_int_equal(socks5_request_get(named, sizeof named, &r), (ssize_t)sizeof named - 1);
	assert_string_equal(r.host, "localhost");
	assert_false(r.literal);
	assert_int_equal(r.port, 8080);
	for (size_t n = 0; n < sizeof named - 1; n++)
		assert_int_equal(socks5_request_get(named, n, &r), 0);
	assert_int_equal(socks5_request_get(BYTES(5, 1, 0, 2, 1), &r), ERROR_MALFORMED);
	assert_int_equal(socks5_request_get(BYTES(5, 1, 1, 1), &r), ERROR_MALFORMED);
	assert_int_equal(socks5_request_get(BYTES(5, 1, 0, 3, 0, 0, 80), &r), ERROR_MALFORMED);
	assert_int_equal(socks5_request_get(BYTES(5, 1, 0, 3, 3, 'a', ':', 'b', 0, 80), &r), ERROR_MALFORMED);
	assert_int_equal(socks5_request_get(BYTES(5, 1, 0, 3, 3, 'a', 0, 'b', 0, 80), &r), ERROR_MALFORMED);
	assert_int_equal(socks5_request_get(BYTES(5, 1, 0, 3, 3, 'a', '\n', 'b', 0, 80), &r), ERROR_MALFORMED);
}

static void datagrams_have_a_head(void **state)
{
	struct socks5_request r;
	uint8_t head[SOCKS5_UDP_HEAD_MAX];

	(void)state;
	assert_int_equal(socks5_udp_get(BYTES(0, 0, 0, 1, 10, 0, 0, 1, 0x0d, 0x96, 'd'), &r), 10);
	assert_string_equal(r.host, "10.0.0.1");
	assert_int_equal(r.port, 3478);
	assert_int_equal(socks5_udp_put(head, &r), 10);
	assert_memory_equal(head, ((const uint8_t[]){ 0, 0, 0, 1, 10, 0, 0, 1, 0x0d, 0x96 }), 10);
	assert_int_equal(socks5_udp_get(BYTES(0, 0, 0, 3, 1, 'a', 0, 9), &r), 8);
	assert_int_equal(socks5_udp_put(head, &r), 8);
	assert_int_equal(socks5_udp_get(BYTES(0, 0, 0, 4, 0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 0), &r), 22);
	assert_int_equal(socks5_udp_put(head, &r), 22);
	assert_int_equal(head[4], 0xfd);
	assert_int_equal(socks5_udp_get(BYTES(0, 0, 1, 1, 10, 0, 0, 1, 0x0d, 0x96, 'd'), &r), ERROR_MALFORMED); /* a fragment */
	assert_int_equal(socks5_udp_get(BYTES(0, 1, 0, 1, 10, 0, 0, 1, 0x0d, 0x96, 'd'), &r), ERROR_MALFORMED);
	assert_int_equal(socks5_udp_get(BYTES(0, 0, 0, 1, 10, 0, 0, 1, 0, 0, 'd'), &r), ERROR_MALFORMED);
	assert_int_equal(socks5_udp_get(BYTES(0, 0, 0, 1, 10, 0, 0), &r), ERROR_MALFORMED);
	assert_int_equal(socks5_udp_get(NULL, 0, &r), ERROR_MALFORMED);
}

static void answers_are_written(void **state)
{
	uint8_t p[SOCKS5_REPLY_MAX];

	(void)state;
	assert_int_equal(socks5_method_put(p, SOCKS5_NONE), 2);
	assert_memory_equal(p, ((const uint8_t[]){ 5, 255 }), 2);
	assert_int_equal(socks5_accepted_put(p, false), 2);
	assert_memory_equal(p, ((const uint8_t[]){ 1, 1 }), 2);
	assert_int_equal(socks5_reply_put(p, SOCKS5_REFUSED, NULL, 0, 99), 10);
	assert_memory_equal(p, ((const uint8_t[]){ 5, 5, 0, 1, 0, 0, 0, 0, 0, 0 }), 10);
	assert_int_equal(socks5_reply_put(p, SOCKS5_SUCCEEDED, (const uint8_t[]){ 127, 0, 0, 1 }, 4, 256), 10);
	assert_memory_equal(p, ((const uint8_t[]){ 5, 0, 0, 1, 127, 0, 0, 1, 1, 0 }), 10);
	assert_int_equal(socks5_reply_put(p, SOCKS5_SUCCEEDED, (const uint8_t[16]){ [15] = 1 }, 16, 256), 22);
	assert_int_equal(p[3], 4);
	assert_int_equal(p[19], 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(greetings_say_what_the_client_can),
		cmocka_unit_test(logins_are_read),
		cmocka_unit_test(requests_are_read),
		cmocka_unit_test(datagrams_have_a_head),
		cmocka_unit_test(answers_are_written),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
