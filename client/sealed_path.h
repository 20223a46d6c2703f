/*
 * Sealed path: how the doctor's requests look, with a seal of its own for one session where what is sent
 * must be sealed; what an attachment does for the helper. Embedded.
 */
#ifndef CLIENT_SEALED_PATH_H
#define CLIENT_SEALED_PATH_H

#include "client/signer.h"
#include "tunnel/carrier.h"
#include "tunnel/seal.h"

struct sealer;
struct tls_context;

/* Of one run; all of it outlives the path. */
struct sealed_setup {
	struct loop *loop;
	struct pool *pool;
	const struct carrier_path *path; /* sign and clock are filled in */
	struct signer *signer;
	struct tls_context *tls;	/* of seals; NULL: nothing is sealed */
	const char *host;		/* whose certificate it must be */
};

struct sealed_path {
	const struct sealed_setup *setup;
	struct carrier_path path;	/* for carriers and probes */
	struct sealer *sealer;		/* while it is made */
	struct later later;
	/* It may be used; or why not, and then it is tried again and may still come. */
	void (*ready)(void *ctx);
	void (*failed)(void *ctx, int error, const char *why);
	void *ctx;
};

/* ready comes in a later turn. sid: of the session. failed may be NULL. */
void sealed_path_begin(struct sealed_path *, const struct sealed_setup *, const char *sid, void (*ready)(void *ctx),
		       void (*failed)(void *ctx, int error, const char *why), void *ctx);
/* Gives up what is under way and the seal; zeroed memory is fine. Before the session, after its carriers and probes. */
void sealed_path_end(struct sealed_path *);

#endif
