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

/* Certificates of authorities that are trusted, by where they come from; NULL: none. */
struct certificate_anchors {
	struct stack_st_X509 *file, *folder;	/* --cafile, --ca-dir */
	struct stack_st_X509 *local;		/* in the system's store because somebody put it there, not the distribution */
};

enum certificate_anchor {
	ANCHOR_NONE,	/* nothing that is trusted */
	ANCHOR_SYSTEM,	/* the distribution's part of the system's store */
	ANCHOR_LOCAL,	/* the system's store, but somebody added it to this machine's */
	ANCHOR_FILE,	/* --cafile */
	ANCHOR_FOLDER,	/* --ca-dir */
};

/* What a server, or a box in between, has shown: the leaf first, then those that signed as far as they are known. */
struct certificate_seen {
	unsigned n;		/* 0: nothing yet */
	struct certificate_names {
		char subject[CERTIFICATE_NAME_MAX], issuer[CERTIFICATE_NAME_MAX], organization[CERTIFICATE_NAME_MAX]; /* of the issuer, "" */
		uint8_t pin[32];	/* SHA-256 of its public key */
	} chain[CERTIFICATE_CHAIN_MAX];
	bool verified;
	bool itself;		/* the leaf is trusted by itself, nobody's signature is needed */
	enum certificate_anchor anchor; /* where that comes from at which the trust ends */
	uint8_t anchor_pin[32];
	bool pinned;		/* a pin was asked for and found */
	bool logged;		/* it is in public logs (RFC 6962), as those of public authorities are, and nobody else's */
	char since[32], until[32];
	uint8_t fingerprint[32]; /* SHA-256 of the leaf */
};

/* For the end of a verification, or for the error that ends it. */
void certificate_look(X509_STORE_CTX *, const struct certificate_anchors *, bool ok, struct certificate_seen *);
/* "in the system's trust store", "which --cafile trusts" ... */
const char *certificate_anchor_text(enum certificate_anchor);

/* Pins. Has the verified chain one of them? */
bool certificate_fits(X509_STORE_CTX *, const uint8_t (*pins)[32], size_t n);
/* Why not: who signed what was seen, its pin, and what to do. sealing: it was in the handshake of a seal, behind all boxes that
 * intercept TLS. */
void certificate_unpinned(const struct certificate_seen *, const char *host, bool sealing, char *out, size_t size);

#endif
