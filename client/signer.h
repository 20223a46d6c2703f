/*
 * Signer: who the helper is, and what time it is at the server. Requests are signed
 * with the server's time as far as it is known (PROTOCOL.md section 2.2).
 */
#ifndef CLIENT_SIGNER_H
#define CLIENT_SIGNER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tunnel/credential.h"
#include "tunnel/loop.h"

struct signer {
	const struct loop *loop;
	struct credentials *credentials;
	int64_t offset;		/* seconds to add to our clock */
};

/* The credentials belong to the signer. */
void signer_init(struct signer *, const struct loop *, struct credentials *);
void signer_fini(struct signer *);
/* Other credentials from now on; the old ones are freed. */
void signer_replace(struct signer *, struct credentials *);
/* The value of the Authorization header; its length. binding: as credentials_sign. */
size_t signer_sign(const struct signer *, char *out, size_t cap, const char *method, const char *target, struct span binding);
/* Takes the server's time (Unix seconds, 0: not known) when ours is more than 60 s off; true if so. */
bool signer_correct(struct signer *, int64_t date);

#endif
