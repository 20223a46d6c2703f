/*
 * MACs, by libcrypto. Called for credentials and tickets. Each sum copies the key's state, so nothing is shared between sums.
 */
#include "tunnel/mac.h"

#include <stdlib.h>

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/params.h>

struct mac_key {
	EVP_MAC_CTX *ctx;
};

struct mac_key *mac_key_new(const void *key, size_t n)
{
	char digest[] = "SHA256";
	OSSL_PARAM params[] = { OSSL_PARAM_construct_utf8_string("digest", digest, 0), OSSL_PARAM_construct_end() };
	EVP_MAC *hmac = EVP_MAC_fetch(NULL, "HMAC", NULL);
	struct mac_key *k = calloc(1, sizeof *k);

	if (!k || !hmac)
		abort();
	k->ctx = EVP_MAC_CTX_new(hmac);
	EVP_MAC_free(hmac);
	if (!k->ctx || !EVP_MAC_init(k->ctx, key, n, params))
		abort();
	return k;
}

void mac_key_free(struct mac_key *k)
{
	if (!k)
		return;
	EVP_MAC_CTX_free(k->ctx);	/* wipes the key */
	free(k);
}

void mac_sum(const struct mac_key *k, const struct span *parts, size_t n, uint8_t out[MAC_BYTES])
{
	EVP_MAC_CTX *ctx = EVP_MAC_CTX_dup(k->ctx);
	size_t len;

	if (!ctx)
		abort();
	for (size_t i = 0; i < n; i++)
		if (!EVP_MAC_update(ctx, parts[i].p, parts[i].n))
			abort();
	if (!EVP_MAC_final(ctx, out, &len, MAC_BYTES) || len != MAC_BYTES)
		abort();
	EVP_MAC_CTX_free(ctx);
}

void mac_sha1(const void *key, size_t n, struct span text, uint8_t out[MAC_SHA1_BYTES])
{
	char digest[] = "SHA1";
	OSSL_PARAM params[] = { OSSL_PARAM_construct_utf8_string("digest", digest, 0), OSSL_PARAM_construct_end() };
	size_t len;

	if (!EVP_Q_mac(NULL, "HMAC", NULL, NULL, params, key, n, text.p, text.n, out, MAC_SHA1_BYTES, &len) || len != MAC_SHA1_BYTES)
		abort();
}

bool mac_equal(const uint8_t a[MAC_BYTES], const uint8_t b[MAC_BYTES])
{
	return CRYPTO_memcmp(a, b, MAC_BYTES) == 0;
}
