/*
 * Seal: what the two ends of a session agreed on by a handshake within bodies
 * (seal_handshake.h), and the protection of body bytes with it (PROTOCOL.md, "Sealed
 * sessions"): AES-128-GCM, keys for each direction, bound to the exchange that
 * carries them. Reference counted: exchanges outlive sessions.
 */
#ifndef TUNNEL_SEAL_H
#define TUNNEL_SEAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "framing/cursor.h"

#define SEAL_SECRET 32		/* bytes exported for each direction */
#define SEAL_BINDING 32		/* bytes that a credential within is bound to */
#define SEAL_HEAD 32		/* the most bytes in front of the protected ones */
#define SEAL_TAG 16
#define SEAL_PLAIN_MAX 81984	/* protected bytes of one capsule */

enum seal_role { SEAL_HELPER, SEAL_SERVER };

/* Exported from the handshake (RFC 5705). */
struct seal_secrets {
	uint8_t up[SEAL_SECRET], down[SEAL_SECRET], binding[SEAL_BINDING];
};

struct seal;

/* One reference is the caller's. */
struct seal *seal_new(enum seal_role, const struct seal_secrets *);
struct seal *seal_keep(struct seal *);
void seal_release(struct seal *);	/* NULL is fine; keys are wiped with the last one */
const uint8_t *seal_binding(const struct seal *);

/* What the capsules of one exchange are bound to. */
struct seal_bond {
	uint8_t digest[32];	/* SHA-256 of path and query as in the request target */
};
void seal_bind(struct seal_bond *, struct span path_query);

/* Protects n bytes at p + SEAL_HEAD in place; SEAL_TAG bytes behind them are written, too. Returns the length of the whole
 * SEALED capsule, which begins at *start (p .. p + SEAL_HEAD); 0: the keys are used up. Allocates nothing. */
size_t seal_close(struct seal *, const struct seal_bond *, uint8_t *p, size_t n, uint8_t **start);
/* Opens the value of a SEALED capsule to out (room for n bytes; may be p): bytes, or ERROR_MALFORMED (too short, too long),
 * ERROR_AUTH (forged, damaged, of another exchange): nothing of it may be used. */
ssize_t seal_open(struct seal *, const struct seal_bond *, const uint8_t *p, size_t n, uint8_t *out);

/* Helper: the server has said that it does not know this seal (any more). lost is called once, from seal_lose. */
void seal_on_lost(struct seal *, void (*lost)(void *ctx), void *ctx);
void seal_lose(struct seal *);
/* For status: capsules protected, opened and refused so far. */
void seal_counts(const struct seal *, uint64_t *closed, uint64_t *opened, uint64_t *refused);

#endif
