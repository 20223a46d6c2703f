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
#include "tunnel/loop.h"

#define SEAL_SECRET 32		/* bytes exported for each direction */
#define SEAL_BINDING 32		/* bytes that a credential within is bound to */
#define SEAL_HEAD 11		/* bytes in front of the protected ones: type, length, generation, number */
#define SEAL_TAG 16
#define SEAL_PLAIN_MAX 82208	/* protected bytes of one capsule */
#define SEAL_VALUE_MAX (SEAL_PLAIN_MAX + 2 * 8 + SEAL_TAG) /* bytes of a SEALED capsule's value */

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

/* What the capsules of one body are bound to: the request target, the body's first capsule, their place behind it. Each
 * direction of an exchange has its own. */
struct seal_bond {
	uint8_t digest[32];	/* SHA-256 of path and query as in the request target */
	uint32_t generation, number; /* of the first capsule */
	uint32_t index;		/* of the next one */
};
void seal_bind(struct seal_bond *, struct span path_query);

/* Protects n bytes at p + SEAL_HEAD in place; SEAL_TAG bytes behind them are written, too. Returns the length of the whole
 * SEALED capsule, which begins at p; 0: the keys are used up. Allocates nothing but once in a generation. */
size_t seal_close(struct seal *, struct seal_bond *, int64_t now_us, uint8_t *p, size_t n);
/* Opens the value of a SEALED capsule to out (room for n bytes): bytes, or ERROR_MALFORMED (too short, too long),
 * ERROR_AUTH (forged, damaged, of another exchange), ERROR_LIMIT (too many of these): nothing of out may be used. */
ssize_t seal_open(struct seal *, struct seal_bond *, const uint8_t *p, size_t n, uint8_t *out);

/* Helper: the server has said that it does not know this seal (any more), or its keys are used up. lost is called once, at
 * the end of the turn; lost = NULL: nobody wants to know any more. */
void seal_on_lost(struct seal *, struct loop *, void (*lost)(void *ctx), void *ctx);
void seal_lose(struct seal *);
bool seal_is_lost(const struct seal *);
/* For tests: capsules protected, opened and refused so far. */
void seal_counts(const struct seal *, uint64_t *closed, uint64_t *opened, uint64_t *refused);

/* When keys go: defaults of PROTOCOL.md; tests have lower ones. */
struct seal_limits {
	uint32_t capsules;	/* sent with one key */
	int64_t age_us;		/* of a key that is sent with */
	uint64_t refused;	/* capsules that could not be opened, until none is opened any more */
};
extern const struct seal_limits seal_limits_default;	/* 2^22, 1 h, 2^33 */
void seal_limit(struct seal *, const struct seal_limits *);

#endif
