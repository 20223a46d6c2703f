/* Whom a client trusts beyond the system's store, from files: only for tls_context.c, which puts it to work. */
#ifndef TUNNEL_TLS_TRUST_H
#define TUNNEL_TLS_TRUST_H

#include <openssl/types.h>
#include <stddef.h>

#include "tunnel/certificate.h"

struct tls_trust;

#define TLS_TRUST_FILES_MAX 4096	/* of a directory */

/* Puts the certificates of cafile and cadir into the store and notes whose are whose. A cafile without a
 * certificate, and a cadir that cannot be read, are errors: a sentence, and nothing to free; a file of cadir
 * that cannot be used is a warning with its name. */
int tls_trust_load(X509_STORE *, const struct tls_trust *, struct certificate_anchors *, char *error, size_t size);
void tls_trust_forget(struct certificate_anchors *);
/* The cause of the last failure of OpenSSL in a few words. */
const char *tls_trust_cause(void);

#endif
