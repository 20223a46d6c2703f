/*
 * Seals: keys of both directions, generation by generation, and the protection of
 * single capsules. Made by seal_handshake.c, used by sealed.c. All cryptography is
 * OpenSSL's; PROTOCOL.md section 8 says what is computed and why it is enough.
 */
#include "tunnel/seal.h"

#include <assert.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/kdf.h>
#include <openssl/params.h>
#include <stdlib.h>
#include <string.h>

#include "framing/capsule.h"
#include "framing/error.h"
#include "framing/varint.h"
#include "tunnel/counters.h"

#define KEY 16
#define IV 12
#define GENERATIONS (UINT32_C(1) << 14)	/* what two bytes of a varint hold */
#define NUMBER_MAX ((UINT32_C(1) << 30) - 1) /* four bytes */

const struct seal_limits seal_limits_default = {
	.capsules = UINT32_C(1) << 22, .age_us = 3600 * LOOP_SECOND, .refused = UINT64_C(1) << 33,
};

/* A key schedule and its iv; ctx NULL: none. */
struct key {
	EVP_CIPHER_CTX *ctx;
	uint8_t iv[IV];
};

struct seal {
	unsigned references;
	struct seal_limits limits;
	uint8_t binding[SEAL_BINDING];
	struct {
		uint8_t secret[SEAL_SECRET];	/* of the next generation */
		struct key key;
		uint32_t generation, number;	/* of the next capsule */
		int64_t since_us;		/* the first capsule of this generation */
	} out;
	struct {
		uint8_t secret[SEAL_SECRET];	/* of the next generation; once there is a key for it, of the one behind */
		struct key previous, current, next;
		uint32_t generation;		/* of current */
	} in;
	uint64_t closed, opened, refused;
	struct loop *loop;			/* for lost */
	struct later tell;
	void (*lost)(void *ctx);
	void *ctx;
	bool is_lost;
};

/* ---- keys ---- */

/* HKDF-Expand (RFC 5869) with SHA-256. */
static void expand(const uint8_t *secret, const char *info, uint8_t *out, size_t n)
{
	EVP_KDF *kdf = EVP_KDF_fetch(NULL, "HKDF", NULL);
	EVP_KDF_CTX *ctx = EVP_KDF_CTX_new(kdf);
	int mode = EVP_KDF_HKDF_MODE_EXPAND_ONLY;
	char digest[] = "SHA256";
	OSSL_PARAM params[] = {
		OSSL_PARAM_construct_int(OSSL_KDF_PARAM_MODE, &mode),
		OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, digest, 0),
		OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_KEY, (void *)(uintptr_t)secret, SEAL_SECRET),
		OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_INFO, (void *)(uintptr_t)info, strlen(info)),
		OSSL_PARAM_construct_end(),
	};

	if (EVP_KDF_derive(ctx, out, n, params) <= 0)
		abort();
	EVP_KDF_CTX_free(ctx);
	EVP_KDF_free(kdf);
}

/* The key of the generation that secret belongs to; secret becomes the next one's. */
static void key_init(struct key *k, uint8_t *secret, bool to_close)
{
	uint8_t bytes[KEY];

	expand(secret, "culvert seal key", bytes, sizeof bytes);
	expand(secret, "culvert seal iv", k->iv, sizeof k->iv);
	expand(secret, "culvert seal next", secret, SEAL_SECRET);
	k->ctx = EVP_CIPHER_CTX_new();
	if (!k->ctx || !EVP_CipherInit_ex(k->ctx, EVP_aes_128_gcm(), NULL, bytes, NULL, to_close))
		abort();
	OPENSSL_cleanse(bytes, sizeof bytes);
}

static void key_fini(struct key *k)
{
	EVP_CIPHER_CTX_free(k->ctx);	/* wipes the key */
	OPENSSL_cleanse(k, sizeof *k);
}

/* ---- life ---- */

static void tell_lost(void *ctx)
{
	struct seal *s = ctx;

	if (s->lost)
		s->lost(s->ctx);
}

struct seal *seal_new(enum seal_role role, const struct seal_secrets *secrets)
{
	struct seal *s = calloc(1, sizeof *s);
	bool helper = role == SEAL_HELPER;

	if (!s)
		abort();
	s->references = 1;
	s->limits = seal_limits_default;
	memcpy(s->binding, secrets->binding, sizeof s->binding);
	memcpy(s->out.secret, helper ? secrets->up : secrets->down, SEAL_SECRET);
	memcpy(s->in.secret, helper ? secrets->down : secrets->up, SEAL_SECRET);
	key_init(&s->out.key, s->out.secret, true);
	key_init(&s->in.current, s->in.secret, false);
	later_init(&s->tell, tell_lost, s);
	return s;
}

struct seal *seal_keep(struct seal *s)
{
	s->references++;
	return s;
}

void seal_release(struct seal *s)
{
	if (!s || --s->references > 0)
		return;
	if (s->loop)
		later_cancel(s->loop, &s->tell);
	key_fini(&s->out.key);
	key_fini(&s->in.previous);
	key_fini(&s->in.current);
	key_fini(&s->in.next);
	OPENSSL_cleanse(s, sizeof *s);
	free(s);
}

const uint8_t *seal_binding(const struct seal *s)
{
	return s->binding;
}

void seal_limit(struct seal *s, const struct seal_limits *limits)
{
	s->limits = *limits;
}

void seal_on_lost(struct seal *s, struct loop *loop, void (*lost)(void *ctx), void *ctx)
{
	if (s->loop)
		later_cancel(s->loop, &s->tell);
	s->loop = loop;
	s->lost = lost;
	s->ctx = ctx;
}

void seal_lose(struct seal *s)
{
	if (s->is_lost)
		return;
	s->is_lost = true;
	count(seals_lost);
	if (s->lost)
		loop_later(s->loop, &s->tell);
}

bool seal_is_lost(const struct seal *s)
{
	return s->is_lost;
}

void seal_counts(const struct seal *s, uint64_t *closed, uint64_t *opened, uint64_t *refused)
{
	*closed = s->closed;
	*opened = s->opened;
	*refused = s->refused;
}

/* ---- one capsule ---- */

void seal_bind(struct seal_bond *b, struct span path_query)
{
	*b = (struct seal_bond){ 0 };
	if (!EVP_Digest(path_query.p, path_query.n, b->digest, NULL, EVP_sha256(), NULL))
		abort();
}

#define AAD (32 + 5 * 4)

/* The nonce for a number, and what is authenticated beside the bytes themselves. */
static void prepare(const struct key *k, const struct seal_bond *b, uint32_t generation, uint32_t number, uint8_t *nonce,
		    uint8_t *aad)
{
	bool first = b->index == 0;
	struct writer w;

	memcpy(nonce, k->iv, IV);
	for (unsigned i = 0; i < 4; i++)
		nonce[IV - 1 - i] ^= (uint8_t)(number >> 8 * i);
	writer_init(&w, aad, AAD);
	writer_bytes(&w, b->digest, sizeof b->digest);
	writer_u32(&w, first ? generation : b->generation);
	writer_u32(&w, first ? number : b->number);
	writer_u32(&w, b->index);
	writer_u32(&w, generation);
	writer_u32(&w, number);
	assert(writer_len(&w) == AAD);
}

static void advance(struct seal_bond *b, uint32_t generation, uint32_t number)
{
	if (b->index++ > 0)
		return;
	b->generation = generation;
	b->number = number;
}

/* Goes on to the next key when this one has had its time; false when there is none. */
static bool renew(struct seal *s, int64_t now_us)
{
	if (s->out.number == 0)
		s->out.since_us = now_us;
	if (s->out.number < s->limits.capsules && now_us - s->out.since_us < s->limits.age_us)
		return true;
	if (s->out.generation + 1 == GENERATIONS)
		return false;
	key_fini(&s->out.key);
	key_init(&s->out.key, s->out.secret, true);
	s->out.generation++;
	s->out.number = 0;
	s->out.since_us = now_us;
	return true;
}

size_t seal_close(struct seal *s, struct seal_bond *b, int64_t now_us, uint8_t *p, size_t n)
{
	EVP_CIPHER_CTX *ctx;
	uint8_t nonce[IV], aad[AAD];
	int len;

	assert(n <= SEAL_PLAIN_MAX && s->limits.capsules <= NUMBER_MAX);
	if (!renew(s, now_us)) {
		seal_lose(s);
		return 0;
	}
	ctx = s->out.key.ctx;
	*p = CAPSULE_SEALED;
	varint_put4(p + 1, (uint32_t)(SEAL_HEAD - 5 + n + SEAL_TAG));
	p[5] = (uint8_t)(0x40 | s->out.generation >> 8);
	p[6] = (uint8_t)s->out.generation;
	varint_put4(p + 7, s->out.number);
	prepare(&s->out.key, b, s->out.generation, s->out.number, nonce, aad);
	p += SEAL_HEAD;
	if (!EVP_EncryptInit_ex(ctx, NULL, NULL, NULL, nonce) || !EVP_EncryptUpdate(ctx, NULL, &len, aad, AAD) ||
	    (n > 0 && !EVP_EncryptUpdate(ctx, p, &len, p, (int)n)) || !EVP_EncryptFinal_ex(ctx, p + n, &len) ||
	    !EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_GET_TAG, SEAL_TAG, p + n))
		abort();
	advance(b, s->out.generation, s->out.number++);
	s->closed++;
	return SEAL_HEAD + n + SEAL_TAG;
}

/* The key of a generation: the one in use, the one before, or the next; NULL for all others. */
static const struct key *key_for(struct seal *s, uint64_t generation)
{
	if (generation == s->in.generation)
		return &s->in.current;
	if (generation + 1 == s->in.generation)
		return &s->in.previous;
	if (generation != (uint64_t)s->in.generation + 1 || generation >= GENERATIONS)
		return NULL;
	if (!s->in.next.ctx)
		key_init(&s->in.next, s->in.secret, false);
	return &s->in.next;
}

/* The sender uses the next key: the one before the last goes. */
static void follow(struct seal *s)
{
	key_fini(&s->in.previous);
	s->in.previous = s->in.current;
	s->in.current = s->in.next;
	OPENSSL_cleanse(&s->in.next, sizeof s->in.next);
	s->in.generation++;
}

static bool open_with(const struct key *k, const uint8_t *nonce, const uint8_t *aad, struct span body, const uint8_t *tag,
		      uint8_t *out)
{
	int len;

	if (!EVP_DecryptInit_ex(k->ctx, NULL, NULL, NULL, nonce) || !EVP_DecryptUpdate(k->ctx, NULL, &len, aad, AAD) ||
	    (body.n > 0 && !EVP_DecryptUpdate(k->ctx, out, &len, body.p, (int)body.n)) ||
	    !EVP_CIPHER_CTX_ctrl(k->ctx, EVP_CTRL_AEAD_SET_TAG, SEAL_TAG, (void *)(uintptr_t)tag))
		abort();
	return EVP_DecryptFinal_ex(k->ctx, out + body.n, &len) > 0;
}

static ssize_t refuse(struct seal *s, int error)
{
	s->refused++;
	return error;
}

ssize_t seal_open(struct seal *s, struct seal_bond *b, const uint8_t *p, size_t n, uint8_t *out)
{
	struct cursor c;
	uint64_t generation, number;
	uint8_t nonce[IV], aad[AAD];
	const struct key *k;
	struct span body;

	cursor_init(&c, p, n);
	generation = cursor_varint(&c);
	number = cursor_varint(&c);
	body = cursor_rest(&c);
	if (c.bad || body.n < SEAL_TAG || body.n - SEAL_TAG > SEAL_PLAIN_MAX || number > NUMBER_MAX)
		return refuse(s, ERROR_MALFORMED);
	if (s->refused >= s->limits.refused)
		return refuse(s, ERROR_LIMIT);
	k = key_for(s, generation);
	if (!k || !k->ctx)
		return refuse(s, ERROR_AUTH);
	body.n -= SEAL_TAG;
	prepare(k, b, (uint32_t)generation, (uint32_t)number, nonce, aad);
	if (!open_with(k, nonce, aad, body, body.p + body.n, out))
		return refuse(s, ERROR_AUTH);
	if (generation > s->in.generation)
		follow(s);
	advance(b, (uint32_t)generation, (uint32_t)number);
	s->opened++;
	return (ssize_t)body.n;
}
