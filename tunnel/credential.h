/*
 * Credentials: token files, and the Authorization header of PROTOCOL.md section
 * 2.2. The token is never logged and never leaves the process.
 */
#ifndef TUNNEL_CREDENTIAL_H
#define TUNNEL_CREDENTIAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "framing/cursor.h"
#include "tunnel/mac.h"

#define CREDENTIAL_NAME_MAX 64
#define CREDENTIAL_HEADER_MAX 192	/* bytes of the header's value with its NUL */
#define CREDENTIAL_STRONG 32		/* characters of a token that may sign JWTs (RFC 7518 section 3.2) */
#define CREDENTIAL_WINDOW 120		/* seconds of clock difference allowed */

/* Lines of a token file; a name may have several tokens (rotation). */
struct credentials;

/* Reads a file of name:token lines. NULL and a sentence with file:line in error. Warns (log) when the
 * file can be read by others. */
struct credentials *credentials_load(const char *file, char *error, size_t size);
void credentials_free(struct credentials *);
size_t credentials_count(const struct credentials *);
/* Another one each time that they are loaded. */
uint64_t credentials_serial(const struct credentials *);
/* The name of the first line: the identity of a helper. */
const char *credentials_first(const struct credentials *);

/* Writes the value of the Authorization header for one request of the first identity. path and
 * query as sent. binding: seal_binding of the seal that the request travels in, n = 0: in none. Returns its length. */
size_t credentials_sign(const struct credentials *, char *out, size_t cap, const char *method, const char *target,
			struct span binding, int64_t unix_seconds);
/* Checks a header value; the canonical name of the identity (it lives as long as the credentials),
 * or NULL. *skew is set to ts - now where the header could be read. Constant time over the MAC. */
const char *credentials_verify(const struct credentials *, struct span value, struct span method, struct span target,
			       struct span binding, int64_t unix_seconds, int64_t *skew);
/* Checks a name with its token, as a bearer has it: the canonical name, or NULL. Constant time over the token. */
const char *credentials_bearer(const struct credentials *, struct span name, struct span token);
/* Is mac the HMAC-SHA256 of text under a token of that name, the token itself being the key (a JWT's HS256)? The canonical name, or NULL. Constant
 * time over the MAC; a name that is not known takes as long. Who sees such a MAC can try tokens as fast as he likes: short ones do not count. */
const char *credentials_signed(const struct credentials *, struct span name, struct span text, const uint8_t mac[MAC_BYTES]);
/* Makes one, with the first token of that name that is long enough; false: there is none. */
bool credentials_sum(const struct credentials *, const char *name, struct span text, uint8_t mac[MAC_BYTES]);
/* The canonical name, or NULL: nobody is called that (any more). */
const char *credentials_named(const struct credentials *, struct span name);
/* A fresh "name:token" line (token: 32 random bytes, base64url); 0 or ERROR_CONFIG for a bad name. */
int credentials_generate(const char *name, char *out, size_t cap);

#endif
