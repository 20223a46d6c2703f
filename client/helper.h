/*
 * Helper: the whole of culvert behind its command line: local ports on one side,
 * sessions with the server on the other.
 */
#ifndef CLIENT_HELPER_H
#define CLIENT_HELPER_H

#include <stddef.h>

#include "client/options.h"
#include "tunnel/loop.h"

struct helper;

/* Reads the files that the options name. NULL and a sentence in error. The options outlive it. */
struct helper *helper_new(struct loop *, const struct options *, char *error, size_t size);
/* Binds all local ports and prints their ready lines; 0, or ERROR_SYSTEM and a sentence. */
int helper_bind(struct helper *, char *error, size_t size);
/* Begins the first session, and never gives up from now on. */
void helper_start(struct helper *);
/* Reads tokens, CA certificates and the proxy password again: all of them, or none. */
void helper_reload(struct helper *);
/* Says goodbye to the server; the loop is left within 300 ms. Again: at once. */
void helper_stop(struct helper *);
/* NULL is fine. */
void helper_free(struct helper *);

#endif
