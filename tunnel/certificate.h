/* Certificates: why one is not accepted, in words; and what was shown. */
#ifndef TUNNEL_CERTIFICATE_H
#define TUNNEL_CERTIFICATE_H

#include <openssl/types.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* For a verification that failed: names the cause, who issued the certificate or for whom it
 * is, and what can be done. host: whom we wanted to reach. */
void certificate_explain(X509_STORE_CTX *, const char *host, char *out, size_t size);

#define CERTIFICATE_NAME_MAX 128	/* bytes of a name */
#define CERTIFICATE_CHAIN_MAX 6

struct stack_st_X509;

/* What a server, or a box in between, has shown: the leaf first, then those that signed as far as they are known. */
struct certificate_seen {
	unsigned n;		/* 0: nothing yet */
	struct certificate_names {
		char subject[CERTIFICATE_NAME_MAX], issuer[CERTIFICATE_NAME_MAX], organization[CERTIFICATE_NAME_MAX]; /* of the issuer, "" */
	} chain[CERTIFICATE_CHAIN_MAX];
	bool verified;
	bool itself;		/* the leaf is trusted by itself, nobody's signature is needed */
	bool given;		/* what the trust ends at is in the file that the user named */
	bool logged;		/* it is in public logs (RFC 6962), as those of public authorities are, and nobody else's */
	char since[32], until[32];
	uint8_t fingerprint[32]; /* SHA-256 of the leaf */
};

/* For the end of a verification, or for the error that ends it. given: the certificates of that file, or NULL. */
void certificate_look(X509_STORE_CTX *, const struct stack_st_X509 *given, bool ok, struct certificate_seen *);

#endif
