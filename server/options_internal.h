/* What the files that read culvertd's options share; nobody else includes it. */
#ifndef SERVER_OPTIONS_INTERNAL_H
#define SERVER_OPTIONS_INTERNAL_H

#include "server/options.h"

/* The sentence "where: ..."; ERROR_CONFIG. */
int options_wrong(char *error, size_t size, const char *where, const char *fmt, ...) __attribute__((format(printf, 4, 5)));

/* options_policy.c: where helpers may go beside the services. 0 or ERROR_CONFIG. */
int options_read_policies(struct options *, char *error, size_t size);
/* options_listen.c: where connections come in, and from which proxies. 0 or ERROR_CONFIG. */
int options_read_listens(struct options *, char *error, size_t size);
int options_read_trusted(struct options *, char *error, size_t size);

#endif
