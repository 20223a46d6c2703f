/*
 * Sealer: at the helper, the exchanges of the mode `seal` that give a session its
 * seal. Uses the pool like a carrier; repeats what gets no answer.
 */
#ifndef TUNNEL_SEALER_H
#define TUNNEL_SEALER_H

#include "tunnel/carrier.h"
#include "tunnel/seal_handshake.h"

struct sealer;

struct sealer_config {
	struct pool *pool;
	const struct carrier_path *path; /* base, host, user agent */
	/* Whom to trust now (tls_context_client_seal): asked for each handshake, since files may be read again meanwhile. */
	struct tls_context *(*trust)(void *ctx);
	void *trust_ctx;
	const char *host;		/* whose certificate it must be */
	char sid[REQUEST_SID_LEN + 1];
	int64_t wait_us;	/* before it begins; 0: at once */
};

struct sealer_events {
	/* The callee's reference, and the seal's number in requests. Last call. */
	void (*sealed)(void *ctx, struct seal *, uint32_t number);
	/* It goes on by itself, later and later, unless it is freed. why is a sentence. */
	void (*failed)(void *ctx, int error, const char *why);
};

struct sealer *sealer_new(struct loop *, const struct sealer_config *, const struct sealer_events *, void *ctx);
void sealer_free(struct sealer *);	/* also from within its events; NULL is fine */

#endif
