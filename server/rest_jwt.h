/*
 * JWT: JSON Web Tokens of pages (RFC 7519) as REST.md 6 takes them: HS256 (RFC 7515) and nothing else, keyed with the token of the identity in
 * `sub`. Pure but for allocation; the signature is the caller's to check.
 */
#ifndef SERVER_REST_JWT_H
#define SERVER_REST_JWT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "framing/cursor.h"
#include "tunnel/credential.h"

#define REST_JWT_MAX 4096	/* characters */
#define REST_JWT_FAR 86400	/* seconds: the longest that one is good for */
#define REST_JWT_SKEW 30	/* seconds that the clock of who makes it may be fast: of nbf, and of exp beyond REST_JWT_FAR */
#define REST_JWT_SERVICES 64	/* in svc */

struct json_t;

struct rest_jwt {
	struct span text;	/* what is signed; in what was read */
	uint8_t mac[MAC_BYTES];	/* the signature */
	char subject[CREDENTIAL_NAME_MAX + 1];
	struct json_t *claims;
};

/* Is it one, and no base64url of name:token? */
bool rest_jwt_is(struct span);
/* Takes it apart: 0, or ERROR_MALFORMED and a sentence. The claims are believed by nobody before the signature was found to be right. */
int rest_jwt_read(struct rest_jwt *, struct span, const char **why);
void rest_jwt_fini(struct rest_jwt *);
/* Of one that is signed right: NULL when it is good now (exp, nbf, aud), else a sentence. */
const char *rest_jwt_refusal(const struct rest_jwt *, int64_t unix_seconds);
/* Of one that is good: seconds since 1970 when it ends. */
int64_t rest_jwt_expires(const struct rest_jwt *);
/* Does it allow the service? */
bool rest_jwt_allows(const struct rest_jwt *, const char *service);

/* Writes what is to be signed: its length, 0 when there is no room. service: NULL for all. */
size_t rest_jwt_write(char *out, size_t cap, const char *subject, const char *service, int64_t unix_seconds, int64_t expires_seconds);

#endif
