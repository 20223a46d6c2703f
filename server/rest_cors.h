/* REST and pages of other origins (REST.md 6): which may ask, and the header lines that say so. */
#ifndef SERVER_REST_CORS_H
#define SERVER_REST_CORS_H

#include <stdbool.h>
#include <stddef.h>

#include "framing/cursor.h"

struct rest_cors;

/* origins: "https://app.example", NULL-terminated. NULL and a sentence when one is none. */
struct rest_cors *rest_cors_new(const char *const *origins, char *error, size_t size);
void rest_cors_free(struct rest_cors *);	/* NULL is fine */
bool rest_cors_allows(const struct rest_cors *, struct span origin);
/* The lines of every answer to an allowed origin; those of a preflight's besides. */
void rest_cors_lines(struct span origin, bool preflight, char *out, size_t size);

#endif
