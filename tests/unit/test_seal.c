// links: tunnel/seal.c tunnel/counters.c tunnel/loop.c tunnel/log.c framing/capsule.c framing/cursor.c framing/varint.c framing/error.c
/* libs: -lev -lcrypto */
/* Seals without a network: what is closed can be opened, by the other end, in its place, and nothing else can. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "framing/capsule.h"
#include "framing/error.h"
#include "tunnel/seal.h"

#define HOUR (3600 * LOOP_SECOND)
#define TARGET "/culvert/v1/AAAAAAAAAAAAAAAAAAAAAA?c=0&x=1&m=poll&hold=0&k=1&s=7&e=0000000000000001"

static struct seal *helper, *server;
static struct seal_bond out, in;	/* of one body, at its two ends */
static uint8_t capsule[SEAL_HEAD + SEAL_PLAIN_MAX + SEAL_TAG], plain[SEAL_VALUE_MAX];

static void fill(uint8_t *p, size_t n, uint8_t seed)
{
	for (size_t i = 0; i < n; i++)
		p[i] = (uint8_t)(seed + 7 * i + (i >> 8));
}

static void bind(struct seal_bond *b, const char *target)
{
	seal_bind(b, (struct span){ (const uint8_t *)target, strlen(target) });
}

static int set_up(void **state)
{
	struct seal_secrets s;

	(void)state;
	fill(s.up, sizeof s.up, 1);
	fill(s.down, sizeof s.down, 2);
	fill(s.binding, sizeof s.binding, 3);
	helper = seal_new(SEAL_HELPER, &s);
	server = seal_new(SEAL_SERVER, &s);
	bind(&out, TARGET);
	bind(&in, TARGET);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	seal_release(helper);
	seal_release(server);
	return 0;
}

/* A capsule of n bytes: its length. */
static size_t close_at(struct seal *s, struct seal_bond *b, int64_t now, size_t n)
{
	size_t len;

	fill(capsule + SEAL_HEAD, n, (uint8_t)n);
	len = seal_close(s, b, now, capsule, n);
	assert_true(len == 0 || len == SEAL_HEAD + n + SEAL_TAG);
	return len;
}

/* The capsule's value, as the other end takes it from the wire. */
static ssize_t open_it(struct seal *s, struct seal_bond *b, const uint8_t *p, size_t n)
{
	uint64_t type;
	size_t len;
	ssize_t head = capsule_head_get(p, n, SEAL_VALUE_MAX, &type, &len);

	assert_true(head > 0);
	assert_int_equal(type, CAPSULE_SEALED);
	assert_int_equal((size_t)head + len, n);
	return seal_open(s, b, p + head, len, plain);
}

static void there(struct seal *from, struct seal *to, int64_t now, size_t n)
{
	uint8_t *want = malloc(n + 1);
	size_t len = close_at(from, &out, now, n);

	fill(want, n, (uint8_t)n);
	assert_true(len > 0);
	if (n >= 16)
		assert_null(memmem(capsule, len, want, 16));
	assert_int_equal(open_it(to, &in, capsule, len), n);
	assert_memory_equal(plain, want, n);
	free(want);
}

static void test_lengths(void **state)
{
	static const size_t n[] = { 0, 1, 15, 16, 17, 160, 1200, 16384, 65536, SEAL_PLAIN_MAX };

	(void)state;
	for (size_t i = 0; i < sizeof n / sizeof *n; i++)
		there(helper, server, 0, n[i]);
	bind(&out, TARGET);
	bind(&in, TARGET);
	for (size_t i = 0; i < sizeof n / sizeof *n; i++)
		there(server, helper, 0, n[i]);
	assert_memory_equal(seal_binding(helper), seal_binding(server), SEAL_BINDING);
}

/* HKDF-Expand, its one block (RFC 5869 section 2.3), by another function of the library. */
static void expand(const uint8_t *secret, const char *info, uint8_t *to, size_t n)
{
	uint8_t block[64], mac[32];
	size_t len = strlen(info);

	memcpy(block, info, len);
	block[len] = 1;
	assert_non_null(HMAC(EVP_sha256(), secret, 32, block, len + 1, mac, NULL));
	memcpy(to, mac, n);
}

static void be32(uint8_t *p, uint32_t v)
{
	for (int i = 3; i >= 0; i--, v >>= 8)
		p[i] = (uint8_t)v;
}

/* What PROTOCOL.md says, computed by itself: the second capsule of a body, of the second generation. */
static void test_as_written(void **state)
{
	uint8_t secret[32], key[16], iv[12], aad[52], want[100 + 16];
	EVP_CIPHER_CTX *c = EVP_CIPHER_CTX_new();
	size_t len;
	int n;

	(void)state;
	close_at(helper, &out, 0, 5);
	len = close_at(helper, &out, HOUR, 100);
	assert_int_equal(len, 127);
	/* type, length in four bytes, generation in two, number in four */
	assert_memory_equal(capsule, "\x19\x80\x00\x00\x7a\x40\x01\x80\x00\x00\x00", SEAL_HEAD);
	fill(secret, sizeof secret, 1);
	expand(secret, "culvert seal next", secret, sizeof secret);
	expand(secret, "culvert seal key", key, sizeof key);
	expand(secret, "culvert seal iv", iv, sizeof iv);
	assert_int_equal(EVP_Digest(TARGET, strlen(TARGET), aad, NULL, EVP_sha256(), NULL), 1);
	be32(aad + 32, 0);	/* the first capsule's generation and number */
	be32(aad + 36, 0);
	be32(aad + 40, 1);	/* the place */
	be32(aad + 44, 1);
	be32(aad + 48, 0);
	fill(plain, 100, 100);
	assert_true(EVP_EncryptInit_ex(c, EVP_aes_128_gcm(), NULL, key, iv) && EVP_EncryptUpdate(c, NULL, &n, aad, 52) &&
		    EVP_EncryptUpdate(c, want, &n, plain, 100) && EVP_EncryptFinal_ex(c, want + 100, &n) &&
		    EVP_CIPHER_CTX_ctrl(c, EVP_CTRL_AEAD_GET_TAG, 16, want + 100));
	assert_memory_equal(capsule + SEAL_HEAD, want, sizeof want);
	EVP_CIPHER_CTX_free(c);
}

static void expect_refused(struct seal *s, const struct seal_bond *b, const uint8_t *p, size_t n)
{
	struct seal_bond copy = *b;

	assert_int_equal(open_it(s, &copy, p, n), ERROR_AUTH);
	assert_int_equal(copy.index, b->index);
}

static void test_each_bit(void **state)
{
	size_t len = close_at(helper, &out, 0, 40);
	uint64_t closed, opened, refused;

	(void)state;
	for (size_t bit = 0; bit < 8 * (len - 5); bit++) {
		struct seal_bond b = in;
		ssize_t n;

		capsule[5 + bit / 8] ^= (uint8_t)(1 << bit % 8);
		n = seal_open(server, &b, capsule + 5, len - 5, plain);
		assert_true(n == ERROR_AUTH || n == ERROR_MALFORMED);
		capsule[5 + bit / 8] ^= (uint8_t)(1 << bit % 8);
	}
	for (size_t n = 0; n < len - 5; n++)
		assert_true(seal_open(server, &(struct seal_bond){ 0 }, capsule + 5, n, plain) < 0);
	assert_int_equal(open_it(server, &in, capsule, len), 40);
	seal_counts(server, &closed, &opened, &refused);
	assert_int_equal(opened, 1);
	assert_int_equal(refused, 9 * (len - 5));
	seal_counts(helper, &closed, &opened, &refused);
	assert_int_equal(closed, 1);
}

/* Another exchange, the other direction, another session. */
static void test_elsewhere(void **state)
{
	struct seal_secrets other = { { 9 }, { 9 }, { 9 } };
	struct seal *stranger = seal_new(SEAL_SERVER, &other);
	size_t len = close_at(helper, &out, 0, 40);
	struct seal_bond b;

	(void)state;
	bind(&b, TARGET "0");
	expect_refused(server, &b, capsule, len);
	bind(&b, "");
	expect_refused(server, &b, capsule, len);
	expect_refused(helper, &in, capsule, len);	/* its own, sent back */
	expect_refused(stranger, &in, capsule, len);
	assert_int_equal(open_it(server, &in, capsule, len), 40);
	seal_release(stranger);
}

/* Within a body: left out, twice, in another order, from another body of the same exchange. */
static void test_order_within_a_body(void **state)
{
	uint8_t kept[4][SEAL_HEAD + 10 + SEAL_TAG];
	struct seal_bond b, again;

	(void)state;
	for (int i = 0; i < 3; i++) {
		close_at(helper, &out, 0, 10);
		memcpy(kept[i], capsule, sizeof kept[i]);
	}
	bind(&again, TARGET);	/* another answer to the same request */
	close_at(helper, &again, 0, 10);
	close_at(helper, &again, 0, 10);
	memcpy(kept[3], capsule, sizeof kept[3]);
	expect_refused(server, &in, kept[1], sizeof kept[1]);	/* it does not begin with the first */
	assert_int_equal(open_it(server, &in, kept[0], sizeof kept[0]), 10);
	expect_refused(server, &in, kept[0], sizeof kept[0]);
	expect_refused(server, &in, kept[2], sizeof kept[2]);
	expect_refused(server, &in, kept[3], sizeof kept[3]);
	assert_int_equal(open_it(server, &in, kept[1], sizeof kept[1]), 10);
	assert_int_equal(open_it(server, &in, kept[2], sizeof kept[2]), 10);
	bind(&b, TARGET);	/* the whole body once more: as it was */
	for (int i = 0; i < 3; i++)
		assert_int_equal(open_it(server, &b, kept[i], sizeof kept[i]), 10);
}

static void new_body(void)
{
	bind(&out, TARGET);
	bind(&in, TARGET);
}

/* Bodies overtake each other, across one change of keys but not across two. */
static void test_change_of_keys(void **state)
{
	uint8_t old[SEAL_HEAD + 10 + SEAL_TAG];
	size_t len;

	(void)state;
	close_at(helper, &out, 0, 10);
	memcpy(old, capsule, sizeof old);
	new_body();
	there(helper, server, HOUR - 1, 20);
	assert_int_equal(capsule[6], 0);
	there(helper, server, HOUR, 20);	/* in the middle of a body */
	assert_int_equal(capsule[6], 1);
	new_body();
	assert_int_equal(open_it(server, &in, old, sizeof old), 10);
	new_body();
	there(helper, server, 2 * HOUR - 1, 20);
	assert_int_equal(capsule[6], 1);
	there(helper, server, 9 * HOUR, 20);	/* one at a time, however long it was silent */
	assert_int_equal(capsule[6], 2);
	bind(&in, TARGET);
	expect_refused(server, &in, old, sizeof old);
	/* Two ahead is not looked for; one ahead is, and a forged one changes nothing. */
	new_body();
	close_at(helper, &out, 10 * HOUR, 10);
	capsule[20] ^= 1;
	expect_refused(server, &in, capsule, sizeof old);
	expect_refused(server, &in, capsule, sizeof old);
	capsule[20] ^= 1;
	memcpy(old, capsule, sizeof old);
	bind(&out, TARGET);
	len = close_at(helper, &out, 11 * HOUR, 10);
	expect_refused(server, &in, capsule, len);
	assert_int_equal(open_it(server, &in, old, sizeof old), 10);
	bind(&in, TARGET);
	assert_int_equal(open_it(server, &in, capsule, len), 10);
}

static void test_capsules_of_a_key(void **state)
{
	struct seal_limits few = { .capsules = 3, .age_us = HOUR, .refused = 2 };

	(void)state;
	seal_limit(helper, &few);
	for (unsigned i = 0; i < 10; i++) {
		new_body();
		there(helper, server, 0, i);
		assert_int_equal(capsule[6], i / 3);
		assert_int_equal(capsule[10], i % 3);
	}
}

static unsigned losses;

static void on_lost(void *ctx)
{
	assert_ptr_equal(ctx, &losses);
	losses++;
}

/* All keys had their time: nothing more is closed, and the owner hears it once, later. */
static void test_used_up(void **state)
{
	struct loop *loop = loop_new_virtual(0, 0);
	int64_t now = 0;
	size_t len;

	(void)state;
	losses = 0;
	seal_on_lost(helper, loop, on_lost, &losses);
	do {
		bind(&out, TARGET);
		len = close_at(helper, &out, now, 1);
		now += HOUR;
	} while (len);
	assert_int_equal(now, 16385 * HOUR);
	assert_int_equal(losses, 0);
	assert_true(seal_is_lost(helper));
	seal_lose(helper);
	loop_advance(loop, LOOP_SECOND);
	assert_int_equal(losses, 1);
	seal_lose(helper);
	loop_advance(loop, 2 * LOOP_SECOND);
	assert_int_equal(losses, 1);
	seal_release(seal_keep(helper));
	seal_on_lost(helper, loop, NULL, NULL);
	seal_release(helper);
	helper = NULL;
	loop_free(loop);
}

static void test_too_many_forged(void **state)
{
	struct seal_limits few = { .capsules = 3, .age_us = HOUR, .refused = 2 };
	size_t len = close_at(helper, &out, 0, 10);

	(void)state;
	seal_limit(server, &few);
	assert_int_equal(open_it(server, &in, capsule, len), 10);
	bind(&in, TARGET);
	capsule[len - 1] ^= 1;
	expect_refused(server, &in, capsule, len);
	expect_refused(server, &in, capsule, len);
	capsule[len - 1] ^= 1;
	assert_int_equal(open_it(server, &in, capsule, len), ERROR_LIMIT);
}

int main(void)
{
#define SEAL_TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		SEAL_TEST(test_lengths),
		SEAL_TEST(test_as_written),
		SEAL_TEST(test_each_bit),
		SEAL_TEST(test_elsewhere),
		SEAL_TEST(test_order_within_a_body),
		SEAL_TEST(test_change_of_keys),
		SEAL_TEST(test_capsules_of_a_key),
		SEAL_TEST(test_used_up),
		SEAL_TEST(test_too_many_forged),
	};

	alarm(600);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
