/*
 * Trusted proxies: addresses that are believed what they say of others, and who asked
 * according to them.
 */
#ifndef SERVER_TRUSTED_H
#define SERVER_TRUSTED_H

#include <stdbool.h>
#include <stddef.h>

#include "framing/http1.h"
#include "tunnel/address.h"

/* Which header tells it. */
enum trusted_header {
	TRUSTED_AUTO,		/* X-Forwarded-For, or Forwarded when there is none */
	TRUSTED_X_FOR,
	TRUSTED_FORWARDED,
	TRUSTED_NONE,
};

struct trusted;

struct trusted *trusted_new(enum trusted_header);
void trusted_free(struct trusted *);	/* NULL is fine */
/* "10.0.0.0/8", "::1", "unix"; false when it is nothing like that. */
bool trusted_add(struct trusted *, const char *text);
bool trusted_is_empty(const struct trusted *);
bool trusted_has(const struct trusted *, const struct address *);

/* Who asked, according to the head of a request that came from a trusted proxy: from the right, the first address that is not
 * trusted, or the last that could be believed. local: addresses of this machine are trusted, too. True: *client is set; false: it is
 * the proxy itself, for all that is known. */
bool trusted_client(const struct trusted *, bool local, const struct http1_head *, struct address *client);

#endif
