/* REST and pages of other origins (REST.md 6): which may ask, and the header lines that say so. */
#ifndef SERVER_REST_CORS_H
#define SERVER_REST_CORS_H

#include <stdbool.h>
#include <stddef.h>

#include "framing/cursor.h"

#define REST_CORS_LINES 640	/* bytes of header lines */

struct rest_cors;

/* origins: "https://app.example", NULL-terminated. NULL and a sentence when one is none. */
struct rest_cors *rest_cors_new(const char *const *origins, char *error, size_t size);
void rest_cors_free(struct rest_cors *);	/* NULL is fine */
bool rest_cors_allows(const struct rest_cors *, struct span origin);
/* The lines of every answer to an allowed origin, but for Vary, which all answers have; those of a preflight's besides. private_network: a page of a
 * public address asks whether it may ask one in here (Private Network Access). */
void rest_cors_lines(const char *origin, bool preflight, bool private_network, char out[REST_CORS_LINES]);

#endif
