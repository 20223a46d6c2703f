/*
 * The proxy's password, from where nobody else sees it: a file (--proxy-password-file),
 * a descriptor that the caller left open (CULVERT_PROXY_PASSWORD_FD), or systemd
 * (LoadCredential=proxy-password:...). Never from the command line.
 */
#ifndef CLIENT_SECRET_H
#define CLIENT_SECRET_H

#include <stddef.h>

#include "client/options.h"
#include "client/proxy.h"

#define SECRET_FD "CULVERT_PROXY_PASSWORD_FD"	/* environment: number of a descriptor */
#define SECRET_CREDENTIAL "proxy-password"	/* file in $CREDENTIALS_DIRECTORY */

/* The first line of the first of them that there is: 1, or 0 and "" when there is none (a URL of the environment may still have one).
 * ERROR_SYSTEM or ERROR_CONFIG: error says why. What came by descriptor is read once, the variable is removed, and later
 * calls give the same. The caller wipes out. */
int secret_read(const struct options *, char out[PROXY_PASSWORD_MAX], char *error, size_t size);
/* Wipes what came by descriptor. */
void secret_forget(void);

#endif
