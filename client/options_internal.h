/* What the files that read the helper's options share; nobody else includes it. */
#ifndef CLIENT_OPTIONS_INTERNAL_H
#define CLIENT_OPTIONS_INTERNAL_H

#include "client/options.h"

/* The sentence "--name: why", or with the place in the file; false. i: which one of a list. */
bool options_bad(const struct config *, const char *name, size_t i, char *error, size_t size, const char *why);
/* options_local.c: local ports, and who may use them. */
bool options_read_local(struct options *, char *error, size_t size);

#endif
