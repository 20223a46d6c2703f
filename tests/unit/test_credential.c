/* links: tunnel/credential.c tunnel/mac.c tunnel/log.c tunnel/daemon.c framing/base64.c */
/* libs: -lcrypto */
/* Token files and the Authorization header: golden MACs made with another implementation of
 * HMAC, every truncation and every bit of a header, files that are wrong. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "framing/error.h"
#include "tunnel/credential.h"

#define NOW 1700000000
#define TARGET "/culvert/v1/AAAAAAAAAAAAAAAAAAAAAA?c=1&x=2&m=poll"
#define MAC "Fw4XUkZNFtSg0DbHhcYJqEeLWTyvRMggeFBBowgPNGE"
#define MAC_GET_X "NyrtG8hp2QP7s81m0gsiNVv-qHAwtFukEllKvQRgjwY"
#define MAC_BOUND "UwZh7zKkgLLNIbcX5VhSGtPKgW6rcwuKSQV0ak7D5I4" /* the binding is 0, 1, ... 31 */
#define TOKENS "# tokens\n\nanna:0123456789abcdef-token\r\nbob:another-token-of-bob\nanna:rotated-token-of-anna"

static char file[64], error[256];
static const struct span none;

static struct span span(const char *s)
{
	return (struct span){ (const uint8_t *)s, strlen(s) };
}

static void write_file(const char *text, size_t n)
{
	int fd;

	snprintf(file, sizeof file, "/tmp/culvert-tokens-XXXXXX");
	fd = mkstemp(file);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, n), n);
	close(fd);
}

static struct credentials *load(const char *text)
{
	struct credentials *c;

	*error = '\0';
	write_file(text, strlen(text));
	c = credentials_load(file, error, sizeof error);
	unlink(file);
	return c;
}

static const char *verify(const struct credentials *c, const char *header, const char *method, const char *target,
			  int64_t now, int64_t *skew)
{
	*skew = 12345;
	return credentials_verify(c, span(header), span(method), span(target), none, now, skew);
}

static void test_golden(void **state)
{
	struct credentials *c = load(TOKENS);
	char header[CREDENTIAL_HEADER_MAX];
	int64_t skew;
	size_t n;

	(void)state;
	assert_non_null(c);
	assert_int_equal(credentials_count(c), 3);
	assert_string_equal(credentials_first(c), "anna");
	n = credentials_sign(c, header, sizeof header, "POST", TARGET, none, NOW);
	assert_string_equal(header, "Culvert id=anna, ts=1700000000, mac=" MAC);
	assert_int_equal(n, strlen(header));
	assert_ptr_equal(verify(c, header, "POST", TARGET, NOW, &skew), credentials_first(c));
	assert_int_equal(skew, 0);
	credentials_sign(c, header, sizeof header, "GET", "/x", none, NOW);
	assert_string_equal(header, "Culvert id=anna, ts=1700000000, mac=" MAC_GET_X);
	assert_int_equal(credentials_sign(c, header, 20, "GET", "/x", none, NOW), 0);
	credentials_free(c);
}

/* In a seal: the MAC covers what its handshake came to, and is good nowhere else. */
static void test_binding(void **state)
{
	struct credentials *c = load(TOKENS);
	char header[CREDENTIAL_HEADER_MAX];
	uint8_t octets[32];
	struct span binding = { octets, sizeof octets };
	int64_t skew;

	(void)state;
	for (unsigned i = 0; i < sizeof octets; i++)
		octets[i] = (uint8_t)i;
	credentials_sign(c, header, sizeof header, "POST", TARGET, binding, NOW);
	assert_string_equal(header, "Culvert id=anna, ts=1700000000, mac=" MAC_BOUND);
	assert_ptr_equal(credentials_verify(c, span(header), span("POST"), span(TARGET), binding, NOW, &skew),
			 credentials_first(c));
	assert_null(verify(c, header, "POST", TARGET, NOW, &skew));
	octets[31] ^= 1;
	assert_null(credentials_verify(c, span(header), span("POST"), span(TARGET), binding, NOW, &skew));
	credentials_sign(c, header, sizeof header, "POST", TARGET, none, NOW);
	assert_null(credentials_verify(c, span(header), span("POST"), span(TARGET), binding, NOW, &skew));
	credentials_free(c);
}

static void test_forms(void **state)
{
	static const char *const good[] = {
		"Culvert id=anna, ts=1700000000, mac=" MAC,
		"culvert  mac=" MAC ",ts=1700000000,id=anna",
		"CULVERT\tID=anna ,\tTS=1700000000 , MAC=" MAC ",",
		"Culvert id=anna, ts=1700000000, extra=1, mac=" MAC,
	};
	static const char *const bad[] = {
		"", "Culvert", "Culvert ", "Culvert id", "Culvert =", "Culvert ,,,", "Basic YTpi",
		"Culvertid=anna, ts=1700000000, mac=" MAC,
		"Culvert id=anna, ts=1700000000, mac=" MAC "A",
		"Culvert id=anna, ts=1700000000, mac=" MAC "=",
		"Culvert id=anna, ts=1700000000, junk, mac=" MAC,
		"Culvert id=anna, id=anna, ts=1700000000, mac=" MAC,
		"Culvert id=anna, ts=1700000000, ts=1700000000, mac=" MAC,
		"Culvert id=anna, ts=+1700000000, mac=" MAC,
		"Culvert id=anna, ts=, mac=" MAC,
		"Culvert id=anna, ts=1700000000000000, mac=" MAC,
		"Culvert id=an na, ts=1700000000, mac=" MAC,
		"Culvert id=, ts=1700000000, mac=" MAC,
		"Culvert ts=1700000000, mac=" MAC,
		"Culvert id=anna, mac=" MAC,
		"Culvert id=anna, ts=1700000000",
	};
	struct credentials *c = load(TOKENS);
	int64_t skew;

	(void)state;
	for (size_t i = 0; i < sizeof good / sizeof *good; i++)
		assert_non_null(verify(c, good[i], "POST", TARGET, NOW, &skew));
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		assert_null(verify(c, bad[i], "POST", TARGET, NOW, &skew));
		assert_int_equal(skew, 12345);
	}
	assert_null(credentials_verify(c, (struct span){ NULL, 0 }, span("POST"), span(TARGET), none, NOW, &skew));
	assert_null(credentials_verify(c, span(good[0]), (struct span){ NULL, 0 }, (struct span){ NULL, 0 }, none, NOW, &skew));
	credentials_free(c);
}

/* Everything that is signed counts; the absolute form counts from its path. */
static void test_what_is_signed(void **state)
{
	static const char header[] = "Culvert id=anna, ts=1700000000, mac=" MAC;
	struct credentials *c = load(TOKENS);
	int64_t skew;

	(void)state;
	assert_non_null(verify(c, header, "POST", "http://server.example:8080" TARGET, NOW, &skew));
	assert_null(verify(c, header, "GET", TARGET, NOW, &skew));
	assert_null(verify(c, header, "POST", TARGET "x", NOW, &skew));
	assert_null(verify(c, header, "POST", "/culvert/v1/AAAAAAAAAAAAAAAAAAAAAA", NOW, &skew));
	assert_null(verify(c, header, "POST", "", NOW, &skew));
	assert_null(verify(c, header, "POST", "http://nothing", NOW, &skew));
	assert_null(verify(c, header, "POST", "*", NOW, &skew));
	assert_null(verify(c, "Culvert id=bob, ts=1700000000, mac=" MAC, "POST", TARGET, NOW, &skew));
	assert_null(verify(c, "Culvert id=eve, ts=1700000000, mac=" MAC, "POST", TARGET, NOW, &skew));
	assert_null(verify(c, "Culvert id=anna, ts=1700000001, mac=" MAC, "POST", TARGET, NOW, &skew));
	assert_int_equal(skew, 1);
	credentials_free(c);
}

static void test_clock(void **state)
{
	static const char header[] = "Culvert id=anna, ts=1700000000, mac=" MAC;
	struct credentials *c = load(TOKENS);
	int64_t skew;

	(void)state;
	assert_non_null(verify(c, header, "POST", TARGET, NOW + CREDENTIAL_WINDOW, &skew));
	assert_int_equal(skew, -CREDENTIAL_WINDOW);
	assert_non_null(verify(c, header, "POST", TARGET, NOW - CREDENTIAL_WINDOW, &skew));
	assert_null(verify(c, header, "POST", TARGET, NOW + CREDENTIAL_WINDOW + 1, &skew));
	assert_int_equal(skew, -CREDENTIAL_WINDOW - 1);
	assert_null(verify(c, header, "POST", TARGET, NOW - CREDENTIAL_WINDOW - 1, &skew));
	assert_int_equal(skew, CREDENTIAL_WINDOW + 1);
	credentials_free(c);
}

static void test_rotation(void **state)
{
	struct credentials *server = load(TOKENS), *helper = load("anna:rotated-token-of-anna\n");
	struct credentials *other = load("bob:another-token-of-bob"), *wrong = load("anna:another-token-of-bob");
	char header[CREDENTIAL_HEADER_MAX];
	int64_t skew;

	(void)state;
	credentials_sign(helper, header, sizeof header, "POST", TARGET, none, NOW);
	assert_ptr_equal(verify(server, header, "POST", TARGET, NOW, &skew), credentials_first(server));
	credentials_sign(other, header, sizeof header, "POST", TARGET, none, NOW);
	assert_string_equal(verify(server, header, "POST", TARGET, NOW, &skew), "bob");
	credentials_sign(wrong, header, sizeof header, "POST", TARGET, none, NOW);
	assert_null(verify(server, header, "POST", TARGET, NOW, &skew));
	credentials_free(server);
	credentials_free(helper);
	credentials_free(other);
	credentials_free(wrong);
	credentials_free(NULL);
}

/* A changed bit either makes the header unreadable, or another claim, or means the same (case). */
static void test_mutations(void **state)
{
	static const char header[] = "Culvert id=anna, ts=1700000000, mac=" MAC;
	struct credentials *c = load(TOKENS);
	size_t n = strlen(header);
	int64_t skew;

	(void)state;
	for (size_t i = 0; i < n; i++) {
		char *cut = malloc(i + 1);	/* exact, so that sanitizers see a read behind it */

		memcpy(cut, header, i);
		assert_null(credentials_verify(c, (struct span){ (uint8_t *)cut, i }, span("POST"), span(TARGET), none, NOW,
					       &skew));
		for (int bit = 0; bit < 8; bit++) {
			char *copy = strdup(header);
			struct span value = { (uint8_t *)copy, n };

			copy[i] = (char)(copy[i] ^ (1 << bit));
			if (credentials_verify(c, value, span("POST"), span(TARGET), none, NOW, &skew))
				assert_int_equal(copy[i] ^ header[i], copy[i] == '\t' ? 0x29 : 0x20);
			free(copy);
		}
		free(cut);
	}
	credentials_free(c);
}

static void fails(const char *text, const char *why)
{
	char expected[400];

	assert_null(load(text));
	snprintf(expected, sizeof expected, "%s:%s", file, why);
	assert_string_equal(error, expected);
}

static void test_bad_files(void **state)
{
	char longest[400];

	(void)state;
	fails("", " holds no name:token line");
	fails("# only a comment\n", " holds no name:token line");
	fails("# one\nanna\n", "2: expected name:token");
	fails(":0123456789abcdef", "1: the name must be 1 to 64 characters of A-Z a-z 0-9 . _ -");
	fails("an na:0123456789abcdef", "1: the name must be 1 to 64 characters of A-Z a-z 0-9 . _ -");
	fails("anna:0123456789abcde", "1: the token must be 16 to 256 characters long");
	fails("anna:0123456789abc:def", "1: the token must be printable ASCII without spaces and ':'");
	fails("anna:0123456789abc def", "1: the token must be printable ASCII without spaces and ':'");
	fails("anna:0123456789abc\x01 def", "1: the token must be printable ASCII without spaces and ':'");
	memset(longest, 'x', sizeof longest);
	memcpy(longest, "a:", 2);
	longest[258] = '\0';
	credentials_free(load(longest));
	assert_string_equal(error, "");
	longest[258] = 'x';
	longest[259] = '\0';
	fails(longest, "1: the token must be 16 to 256 characters long");
	assert_null(credentials_load("/nonexistent/tokens", error, sizeof error));
	assert_string_equal(error, "/nonexistent/tokens: No such file or directory");
	assert_null(credentials_load("alice:0123456789abcdef", error, sizeof error));
	assert_string_equal(error, "that is the name:token line itself, not the name of a file: write it into a file that only you "
				   "can read, and name that");
	assert_null(credentials_load("alice:short", error, sizeof error));
	assert_string_equal(error, "alice:short: No such file or directory");
	assert_null(credentials_load("/tmp", error, sizeof error));
	assert_string_equal(error, "/tmp: Is a directory");
	assert_null(credentials_load("/dev/zero", error, sizeof error));
	assert_string_equal(error, "/dev/zero: File too large");
}

static void test_generate(void **state)
{
	char line[128], again[128], header[CREDENTIAL_HEADER_MAX];
	struct credentials *c;
	int64_t skew;

	(void)state;
	assert_int_equal(credentials_generate("new.name_1-x", line, sizeof line), 0);
	assert_int_equal(credentials_generate("new.name_1-x", again, sizeof again), 0);
	assert_string_not_equal(line, again);
	assert_int_equal(strlen(line), strlen("new.name_1-x:") + 43);
	c = load(line);
	assert_non_null(c);
	credentials_sign(c, header, sizeof header, "POST", TARGET, none, NOW);
	assert_string_equal(verify(c, header, "POST", TARGET, NOW, &skew), "new.name_1-x");
	credentials_free(c);
	assert_int_equal(credentials_generate("", line, sizeof line), ERROR_CONFIG);
	assert_int_equal(credentials_generate("a b", line, sizeof line), ERROR_CONFIG);
	assert_int_equal(credentials_generate("a", line, 10), ERROR_LIMIT);
}

/* The token itself as a key: what another implementation of HMAC makes of it. */
static void test_signed(void **state)
{
	static const uint8_t first[MAC_BYTES] = { 0xe8, 0x8d, 0x1d, 0x79, 0x24, 0x3f, 0xe2, 0x56, 0xe7, 0x02, 0xf0, 0x8a, 0x71, 0x47, 0xba, 0xf0, 0x7f, 0x72, 0x0a, 0x6e, 0x36, 0x36, 0x5e, 0xc4, 0x02, 0x04, 0x22, 0x18, 0x9d, 0x73, 0x4c, 0x23 },
			     rotated[MAC_BYTES] = { 0x1e, 0xf7, 0x66, 0x45, 0x9c, 0x38, 0xbb, 0x1e, 0x0a, 0xf8, 0x44, 0x11, 0xf0, 0xd4, 0x17, 0x1c, 0x67, 0x2c, 0xf6, 0x5b, 0xf0, 0x3c, 0x1a, 0xb8, 0x9a, 0xa6, 0xa9, 0xa3, 0x82, 0x1f, 0xb3, 0x69 },
			     weak[MAC_BYTES] = { 0x26, 0x29, 0x52, 0xa1, 0xbe, 0x43, 0x6b, 0x14, 0x0a, 0x76, 0xb5, 0x39, 0xfb, 0x05, 0xba, 0xe9, 0x5b, 0x0f, 0xae, 0xfc, 0x03, 0x38, 0xb3, 0x3e, 0x9b, 0x8a, 0xcb, 0x5c, 0x4f, 0x25, 0x43, 0x9f };
	const struct span text = span("eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhbm5hIn0");
	struct credentials *c = load("anna:0123456789abcdef0123456789abcdef\nbob:another-token-of-bob-0123456789abcdef\nanna:rotated-token-of-anna-0123456789\ncarla:a-short-token-of-carla-12345678\n");
	uint8_t mac[MAC_BYTES];

	(void)state;
	assert_true(credentials_sum(c, "anna", text, mac));
	assert_memory_equal(mac, first, MAC_BYTES);
	assert_false(credentials_sum(c, "ann", text, mac));
	assert_string_equal(credentials_signed(c, span("anna"), text, first), "anna");
	assert_string_equal(credentials_signed(c, span("anna"), text, rotated), "anna");
	assert_null(credentials_signed(c, span("bob"), text, first));
	assert_null(credentials_signed(c, span("nobody"), text, first));
	assert_null(credentials_signed(c, span("carla"), text, weak));	/* right, and too easy to find */
	assert_false(credentials_sum(c, "carla", text, mac));
	assert_string_equal(credentials_bearer(c, span("carla"), span("a-short-token-of-carla-12345678")), "carla");
	assert_null(credentials_signed(c, span("ann"), text, first));
	assert_null(credentials_signed(c, span("anna"), span("eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhbm5hIn1"), first));
	for (size_t i = 0; i < 8 * MAC_BYTES; i++) {
		memcpy(mac, first, sizeof mac);
		mac[i / 8] ^= (uint8_t)(1 << i % 8);
		assert_null(credentials_signed(c, span("anna"), text, mac));
	}
	assert_string_equal(credentials_bearer(c, span("anna"), span("rotated-token-of-anna-0123456789")), "anna");
	assert_null(credentials_bearer(c, span("anna"), span("another-token-of-bob-0123456789abcdef")));
	assert_null(credentials_bearer(c, span("anna"), span("")));
	assert_string_equal(credentials_named(c, span("bob")), "bob");
	assert_null(credentials_named(c, span("bo")));
	credentials_free(c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_golden),
		cmocka_unit_test(test_binding),
		cmocka_unit_test(test_forms),
		cmocka_unit_test(test_what_is_signed),
		cmocka_unit_test(test_clock),
		cmocka_unit_test(test_rotation),
		cmocka_unit_test(test_mutations),
		cmocka_unit_test(test_bad_files),
		cmocka_unit_test(test_generate),
		cmocka_unit_test(test_signed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
