/*
 * Digest access authentication (RFC 7616, and RFC 2069 where a proxy names no qop): one
 * challenge, and the credentials for one request. Pure but for OpenSSL's hashes.
 */
#ifndef CLIENT_DIGEST_H
#define CLIENT_DIGEST_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "framing/challenge.h"

#define DIGEST_TEXT_MAX 1024	/* with NUL, of a realm, nonce or opaque */

struct digest_algorithm;

struct digest_challenge {
	const struct digest_algorithm *algorithm;
	bool algorithm_given;	/* else it is MD5, and not named in the answer */
	bool qop;		/* qop=auth is offered; without it as RFC 2069 */
	bool stale, userhash, utf8;
	bool has_opaque;
	char realm[DIGEST_TEXT_MAX], nonce[DIGEST_TEXT_MAX], opaque[DIGEST_TEXT_MAX];
};

/* What differs from request to request. */
struct digest_request {
	const char *user, *password;	/* UTF-8 */
	const char *method, *uri;	/* as in the request line */
	const char *cnonce;
	uint32_t nc;			/* requests with this nonce so far and this one */
};

/* 0; ERROR_MALFORMED: no realm or nonce, or they are too long; ERROR_UNSUPPORTED: an algorithm or qop that is not known here. */
int digest_read(const struct challenge *, struct digest_challenge *);
/* The higher, the better. */
int digest_strength(const struct digest_challenge *);
/* "username=..., response=..." with a NUL behind it: its length, or ERROR_LIMIT. */
ssize_t digest_put(const struct digest_challenge *, const struct digest_request *, char *out, size_t cap);

#endif
