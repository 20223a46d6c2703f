/* Certificates: why one is not accepted, in words. */
#ifndef TUNNEL_CERTIFICATE_H
#define TUNNEL_CERTIFICATE_H

#include <openssl/types.h>
#include <stddef.h>

/* For a verification that failed: names the cause, who issued the certificate or for whom it
 * is, and what can be done. host: whom we wanted to reach. */
void certificate_explain(X509_STORE_CTX *, const char *host, char *out, size_t size);

#endif
