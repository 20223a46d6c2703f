/*
 * Digest. Called by auth_digest.c; calls the challenge parser and OpenSSL's hashes.
 */
#include "client/digest.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/evp.h>

#include "framing/error.h"

#define HEX_MAX (2 * 32 + 1)

struct digest_algorithm {
	const char *name;	/* in challenges */
	const char *hash;	/* OpenSSL's name */
	bool session;		/* "-sess": nonces are hashed into the key */
	int strength;
};

static const struct digest_algorithm algorithms[] = {
	{ "MD5", "MD5", false, 1 },
	{ "MD5-sess", "MD5", true, 2 },
	{ "SHA-256", "SHA256", false, 3 },
	{ "SHA-256-sess", "SHA256", true, 4 },
	{ "SHA-512-256", "SHA512-256", false, 5 },
	{ "SHA-512-256-sess", "SHA512-256", true, 6 },
	{ .name = NULL },
};

/* ---- the challenge ---- */

/* False: missing or too long. */
static bool text(const struct challenge *c, const char *name, char out[DIGEST_TEXT_MAX])
{
	ssize_t n = challenge_value(c, name, out, DIGEST_TEXT_MAX);

	if (n < 0)
		out[0] = 0;
	for (ssize_t i = 0; i < n; i++)
		if ((unsigned char)out[i] < ' ' && out[i] != '\t') /* would break the line of the answer */
			return false;
	return n >= 0;
}

static bool is_true(const struct challenge *c, const char *name)
{
	char value[8];

	return challenge_value(c, name, value, sizeof value) >= 0 && strcasecmp(value, "true") == 0;
}

/* A library that is configured strictly may have no MD5. */
static bool is_there(const struct digest_algorithm *a)
{
	EVP_MD *md = EVP_MD_fetch(NULL, a->hash, NULL);

	EVP_MD_free(md);
	return md;
}

static const struct digest_algorithm *algorithm_of(const struct challenge *c, bool *given)
{
	char name[32];
	ssize_t n = challenge_value(c, "algorithm", name, sizeof name);

	*given = n != ERROR_EOF;
	if (!*given)
		return algorithms;
	for (const struct digest_algorithm *a = algorithms; n > 0 && a->name; a++)
		if (strcasecmp(a->name, name) == 0)
			return a;
	return NULL;
}

/* True without qop, too. */
static bool knows_qop(const struct challenge *c, bool *given)
{
	char list[64];
	ssize_t n = challenge_value(c, "qop", list, sizeof list);

	*given = n != ERROR_EOF;
	return !*given || (n >= 0 && http1_has_token((struct span){ (const uint8_t *)list, (size_t)n }, "auth"));
}

int digest_read(const struct challenge *c, struct digest_challenge *d)
{
	char charset[16];

	memset(d, 0, sizeof *d);
	d->algorithm = algorithm_of(c, &d->algorithm_given);
	if (!d->algorithm || !is_there(d->algorithm) || !knows_qop(c, &d->qop))
		return ERROR_UNSUPPORTED;
	if (!text(c, "realm", d->realm) || !text(c, "nonce", d->nonce) || !d->nonce[0])
		return ERROR_MALFORMED;
	d->has_opaque = text(c, "opaque", d->opaque);
	d->stale = is_true(c, "stale");
	d->userhash = is_true(c, "userhash");
	d->utf8 = challenge_value(c, "charset", charset, sizeof charset) >= 0 && strcasecmp(charset, "UTF-8") == 0;
	return 0;
}

int digest_strength(const struct digest_challenge *d)
{
	return d->algorithm->strength;
}

/* ---- hashes ---- */

/* The hash of the parts with colons in between, in hex. parts end with NULL. */
static void hash(const struct digest_algorithm *a, char hex[HEX_MAX], const char *const *parts)
{
	EVP_MD *md = EVP_MD_fetch(NULL, a->hash, NULL);
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	uint8_t octets[EVP_MAX_MD_SIZE];
	unsigned n = 0;

	if (!md || !ctx || !EVP_DigestInit_ex2(ctx, md, NULL))
		abort();
	for (size_t i = 0; parts[i]; i++)
		if ((i && !EVP_DigestUpdate(ctx, ":", 1)) || !EVP_DigestUpdate(ctx, parts[i], strlen(parts[i])))
			abort();
	if (!EVP_DigestFinal_ex(ctx, octets, &n) || 2 * n >= HEX_MAX)
		abort();
	for (unsigned i = 0; i < n; i++)
		sprintf(hex + 2 * i, "%02x", octets[i]);
	explicit_bzero(octets, sizeof octets);
	EVP_MD_CTX_free(ctx);
	EVP_MD_free(md);
}

#define HASH(a, hex, ...) hash(a, hex, (const char *const[]){ __VA_ARGS__, NULL })

static void response(const struct digest_challenge *d, const struct digest_request *r, const char *nc, char out[HEX_MAX])
{
	char key[HEX_MAX], inner[HEX_MAX], request[HEX_MAX];

	HASH(d->algorithm, key, r->user, d->realm, r->password);
	if (d->algorithm->session) {
		memcpy(inner, key, sizeof inner);
		HASH(d->algorithm, key, inner, d->nonce, r->cnonce);
		explicit_bzero(inner, sizeof inner);
	}
	HASH(d->algorithm, request, r->method, r->uri);
	if (d->qop)
		HASH(d->algorithm, out, key, d->nonce, nc, r->cnonce, "auth", request);
	else
		HASH(d->algorithm, out, key, d->nonce, request);
	explicit_bzero(key, sizeof key);
}

/* ---- the credentials ---- */

struct line {
	char *out;
	size_t n, cap;
	bool full;
};

static void add(struct line *l, char c)
{
	if (l->n + 1 < l->cap)
		l->out[l->n++] = c;
	else
		l->full = true;
}

static void add_text(struct line *l, const char *s)
{
	for (; *s; s++)
		add(l, *s);
}

static void add_plain(struct line *l, const char *name, const char *value)
{
	if (l->n)
		add_text(l, ", ");
	add_text(l, name);
	add(l, '=');
	add_text(l, value);
}

static void add_quoted(struct line *l, const char *name, const char *value)
{
	add_plain(l, name, "\"");
	for (; *value; value++) {
		if (*value == '"' || *value == '\\')
			add(l, '\\');
		add(l, *value);
	}
	add(l, '"');
}

static bool is_ascii(const char *s)
{
	while (*s && (unsigned char)*s < 0x80)
		s++;
	return !*s;
}

/* username*=UTF-8''J%C3%A4 (RFC 8187). */
static void add_extended(struct line *l, const char *name, const char *value)
{
	static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789!#$&+-.^_`|~";

	add_plain(l, name, "UTF-8''");
	for (; *value; value++) {
		char hex[4];

		if (strchr(plain, *value)) {
			add(l, *value);
			continue;
		}
		snprintf(hex, sizeof hex, "%%%02X", (unsigned char)*value);
		add_text(l, hex);
	}
}

static void add_user(struct line *l, const struct digest_challenge *d, const char *user)
{
	char hex[HEX_MAX];

	if (d->userhash) {
		HASH(d->algorithm, hex, user, d->realm);
		add_quoted(l, "username", hex);
	} else if (d->utf8 && !is_ascii(user)) {
		add_extended(l, "username*", user);
	} else {
		add_quoted(l, "username", user);
	}
}

ssize_t digest_put(const struct digest_challenge *d, const struct digest_request *r, char *out, size_t cap)
{
	struct line l = { .out = out, .cap = cap };
	char hex[HEX_MAX], nc[9];

	snprintf(nc, sizeof nc, "%08x", r->nc);
	response(d, r, nc, hex);
	add_user(&l, d, r->user);
	add_quoted(&l, "realm", d->realm);
	add_quoted(&l, "nonce", d->nonce);
	add_quoted(&l, "uri", r->uri);
	add_quoted(&l, "response", hex);
	if (d->algorithm_given)
		add_plain(&l, "algorithm", d->algorithm->name);
	if (d->qop || d->algorithm->session)
		add_quoted(&l, "cnonce", r->cnonce);
	if (d->qop) {
		add_plain(&l, "qop", "auth");
		add_plain(&l, "nc", nc);
	}
	if (d->has_opaque)
		add_quoted(&l, "opaque", d->opaque);
	if (d->userhash)
		add_plain(&l, "userhash", "true");
	if (l.full || cap == 0)
		return ERROR_LIMIT;
	out[l.n] = 0;
	return (ssize_t)l.n;
}
