/*
 * Attachment: one session of the helper, with the ladder that keeps a carrier
 * under it. There is one that takes new channels; others, told to go away,
 * live on until their channels are gone.
 */
#ifndef CLIENT_ATTACHMENT_H
#define CLIENT_ATTACHMENT_H

#include "client/ladder.h"
#include "client/signer.h"
#include "framing/packet.h"
#include "tunnel/session.h"

struct attachment;

/* What all attachments of a helper share; outlives them. */
struct attachment_setup {
	struct loop *loop;
	struct packet_pool *packets;
	struct session_config session;
	struct carrier_path path; /* sign, clock and ctx are filled in here */
	struct ladder_config ladder; /* path is filled in here */
	struct signer *signer;
	/* Sealing: whether what is sent must be sealed now (once it was, it goes on to be); what is trusted then; whose certificate
	 * it must be. NULL: never. */
	bool (*must_seal)(void *ctx);
	struct tls_context *(*seal_trust)(void *ctx);
	void *seal_ctx;
	const char *seal_host;
};

/* None of them is called from within a call of attachment_*. */
struct attachment_events {
	/* Channels may be opened. */
	void (*welcome)(void *ctx, struct attachment *);
	/* The session takes no new channels any more; another may begin after the delay. */
	void (*goaway)(void *ctx, struct attachment *, uint64_t code, uint32_t delay_ms);
	/* It is over, and freed when the call returns. */
	void (*ended)(void *ctx, struct attachment *, uint64_t code, const char *reason);
	/* As ladder_events; or no seal comes about. */
	void (*proven)(void *ctx, struct attachment *, struct carrier *, const struct rung *before);
	void (*trouble)(void *ctx, struct attachment *, const struct rung *failed, int error, const char *why,
			int64_t retry_us);
};

struct attachment *attachment_new(const struct attachment_setup *, const struct attachment_events *, void *ctx);
/* Ends it without a word to the server or to its owner. */
void attachment_free(struct attachment *);
/* Says goodbye to the server, which needs some 100 ms, before attachment_free. False: there is nobody to hear it. */
bool attachment_bye(struct attachment *, uint64_t code, const char *reason);

struct session *attachment_session(const struct attachment *);
struct ladder *attachment_ladder(const struct attachment *);
/* Everything is sealed, or waits for its seal. */
bool attachment_is_sealed(const struct attachment *);
/* True when it was of use: a carrier was proven at least 5 s ago. */
bool attachment_was_good(const struct attachment *);

#endif
