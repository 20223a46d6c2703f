/* links: framing/socks5.c framing/cursor.c framing/varint.c framing/error.c */
/* The SOCKS5 codec: golden messages, every truncation, everything that is too long, every reply. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "framing/error.h"
#include "framing/socks5.h"

static uint8_t buf[SOCKS5_MESSAGE_MAX];

static void expect(ssize_t n, const void *want, size_t size)
{
	assert_int_equal(n, size);
	assert_memory_equal(buf, want, size);
}

static void test_greeting(void **state)
{
	(void)state;
	expect(socks5_greeting_put(buf, sizeof buf, false), "\5\1\0", 3);
	expect(socks5_greeting_put(buf, sizeof buf, true), "\5\2\0\2", 4);
	assert_int_equal(socks5_greeting_put(buf, 3, true), ERROR_LIMIT);
}

static void test_login(void **state)
{
	char longest[257];

	(void)state;
	expect(socks5_login_put(buf, sizeof buf, "jane", "secret"), "\1\4jane\6secret", 13);
	memset(longest, 'x', 256);
	longest[256] = 0;
	assert_int_equal(socks5_login_put(buf, sizeof buf, longest, "secret"), ERROR_LIMIT);
	assert_int_equal(socks5_login_put(buf, sizeof buf, "jane", longest), ERROR_LIMIT);
	longest[255] = 0;
	assert_int_equal(socks5_login_put(buf, sizeof buf, longest, longest), SOCKS5_MESSAGE_MAX);
	assert_int_equal(socks5_login_put(buf, sizeof buf - 1, longest, longest), ERROR_LIMIT);
	assert_int_equal(socks5_login_put(buf, sizeof buf, "", "secret"), ERROR_LIMIT);
	assert_int_equal(socks5_login_put(buf, sizeof buf, "jane", ""), ERROR_LIMIT);
}

static void test_connect(void **state)
{
	char longest[257];

	(void)state;
	expect(socks5_connect_put(buf, sizeof buf, "192.0.2.1", 443), "\5\1\0\1\xc0\0\2\1\1\xbb", 10);
	expect(socks5_connect_put(buf, sizeof buf, "2001:db8::1", 8443),
	       "\5\1\0\4\x20\1\xd\xb8\0\0\0\0\0\0\0\0\0\0\0\1\x20\xfb", 22);
	expect(socks5_connect_put(buf, sizeof buf, "a.test", 80), "\5\1\0\3\6a.test\0\x50", 13);
	memset(longest, 'x', 256);
	longest[256] = 0;
	assert_int_equal(socks5_connect_put(buf, sizeof buf, longest, 80), ERROR_LIMIT);
	assert_int_equal(socks5_connect_put(buf, sizeof buf, "", 80), ERROR_LIMIT);
	longest[255] = 0;
	assert_int_equal(socks5_connect_put(buf, sizeof buf, longest, 80), 4 + 1 + 255 + 2);
	assert_int_equal(socks5_connect_put(buf, 9, "192.0.2.1", 443), ERROR_LIMIT);
}

static void test_method(void **state)
{
	uint8_t method = 7;

	(void)state;
	assert_int_equal(socks5_method_get((const uint8_t *)"\5\2rest", 6, &method), 2);
	assert_int_equal(method, SOCKS5_PASSWORD);
	assert_int_equal(socks5_method_get((const uint8_t *)"\5\xff", 2, &method), 2);
	assert_int_equal(method, SOCKS5_NONE);
	method = 7;
	assert_int_equal(socks5_method_get((const uint8_t *)"\5", 1, &method), 0);
	assert_int_equal(socks5_method_get((const uint8_t *)"", 0, &method), 0);
	assert_int_equal(method, 7);
	assert_int_equal(socks5_method_get((const uint8_t *)"H", 1, &method), ERROR_MALFORMED);
	assert_int_equal(socks5_method_get((const uint8_t *)"\4\0", 2, &method), ERROR_MALFORMED);
}

static void test_login_answer(void **state)
{
	bool accepted = false;

	(void)state;
	assert_int_equal(socks5_login_get((const uint8_t *)"\1\0", 2, &accepted), 2);
	assert_true(accepted);
	assert_int_equal(socks5_login_get((const uint8_t *)"\1\1", 2, &accepted), 2);
	assert_false(accepted);
	assert_int_equal(socks5_login_get((const uint8_t *)"\5\0", 2, &accepted), 2);
	assert_true(accepted);
	assert_int_equal(socks5_login_get((const uint8_t *)"\1", 1, &accepted), 0);
	assert_int_equal(socks5_login_get((const uint8_t *)"", 0, &accepted), 0);
	assert_int_equal(socks5_login_get((const uint8_t *)"\2\0", 2, &accepted), ERROR_MALFORMED);
}

static void reply(const char *bytes, size_t n, uint8_t want)
{
	uint8_t code;

	for (size_t i = 0; i < n; i++) {
		code = 99;
		assert_int_equal(socks5_reply_get((const uint8_t *)bytes, i, &code), 0);
		assert_int_equal(code, 99);
	}
	assert_int_equal(socks5_reply_get((const uint8_t *)bytes, n, &code), n);
	assert_int_equal(code, want);
}

static void test_reply(void **state)
{
	uint8_t code;

	(void)state;
	reply("\5\0\0\1\x7f\0\0\1\x12\x34", 10, 0);
	reply("\5\2\0\4\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 22, 2);
	reply("\5\5\0\3\6a.test\0\x50", 13, 5);
	reply("\5\1\0\3\0\0\0", 7, 1);
	assert_int_equal(socks5_reply_get((const uint8_t *)"\5\0\0\1\x7f\0\0\1\x12\x34" "rest", 14, &code), 10);
	assert_int_equal(socks5_reply_get((const uint8_t *)"\4\0\0\1", 4, &code), ERROR_MALFORMED);
	assert_int_equal(socks5_reply_get((const uint8_t *)"\5\0\1\1", 4, &code), ERROR_MALFORMED);
	assert_int_equal(socks5_reply_get((const uint8_t *)"\5\0\0\2", 4, &code), ERROR_MALFORMED);
}

static void test_texts(void **state)
{
	(void)state;
	for (unsigned a = 0; a < 256; a++)
		for (unsigned b = a + 1; b < 10; b++)
			assert_string_not_equal(socks5_reply_text((uint8_t)a), socks5_reply_text((uint8_t)b));
	assert_string_equal(socks5_reply_text(9), socks5_reply_text(255));
	assert_non_null(strstr(socks5_reply_text(2), "rules"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_greeting),
		cmocka_unit_test(test_login),
		cmocka_unit_test(test_connect),
		cmocka_unit_test(test_method),
		cmocka_unit_test(test_login_answer),
		cmocka_unit_test(test_reply),
		cmocka_unit_test(test_texts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
