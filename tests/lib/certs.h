/* Certificates and keys for tests, made on the spot with OpenSSL, in PEM files below a temporary directory. */
#ifndef TESTS_LIB_CERTS_H
#define TESTS_LIB_CERTS_H

#include <openssl/types.h>
#include <stdbool.h>

struct cert {
	X509 *x509;
	EVP_PKEY *key;
	char file[128], keyfile[128];
};

/* A fresh directory, and its end with the files in it. */
const char *certs_dir(void);
void certs_remove(void);

/* DIR/name.pem and DIR/name.key: for cn, alternative names san ("DNS:a.test,IP:::1"; NULL: none), valid from and to so many
 * seconds from now, signed by issuer (NULL: by itself). */
void cert_make(struct cert *, const char *name, const char *cn, const char *san, long from, long to,
	       const struct cert *issuer, bool ca);
/* Appends the certificate of `more` to the file of `to`: a chain. */
void cert_append(const struct cert *to, const struct cert *more);
void cert_free(struct cert *);

#endif
