/*
 * Seals of this process, by sid and number: handshakes under way, and what came of
 * them. A seal belongs to nobody until an exchange within it was authenticated; it is
 * forgotten when its session has ended and it is not used any more.
 */
#ifndef SERVER_SEALS_H
#define SERVER_SEALS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "framing/request.h"
#include "tunnel/exchange.h"
#include "tunnel/loop.h"
#include "tunnel/seal.h"

#define SEALS_ORIGIN 9	/* bytes that name where a connection comes from: family, then an IPv4 address or an IPv6 /64 */

struct seals;
struct tls_context;

/* At a cap the new handshake is refused. */
struct seals_limits {
	size_t handshakes;		/* under way, or done and not used yet */
	size_t handshakes_per_origin;
	size_t seals;			/* in use */
	int64_t handshake_us;		/* for a handshake to be done, and for the request of one of its exchanges to come */
	int64_t unused_us;		/* from there to the first exchange that is authenticated */
	int64_t idle_us;		/* without an exchange, when there is no session */
};
extern const struct seals_limits seals_limits_default;	/* 256, 32, 2,048, 15 s, 60 s, 330 s */

/* lives: is there such a session? */
struct seals *seals_new(struct loop *, const struct seals_limits *, bool (*lives)(void *ctx, const char *identity, const char *sid),
			void *ctx);
void seals_free(struct seals *);	/* after the connections; NULL is fine */
/* The certificate for handshakes that begin from now on; takes over the caller's reference. */
void seals_set_tls(struct seals *, struct tls_context *);

/* Who asks for a handshake. */
struct seals_visitor {
	const uint8_t *origin;	/* SEALS_ORIGIN bytes */
	const char *peer;	/* for the log */
	/* The exchange is not what it should be: it is the callee's again, its request may still be coming. */
	void (*refused)(void *ctx, struct exchange *);
	void *ctx;
};

/* Takes an exchange of the mode `seal` over. False at a cap. */
bool seals_accept(struct seals *, const struct request *, struct exchange *, const struct seals_visitor *);
/* The finished seal of that sid and number, for the time of the call; NULL: there is none. */
struct seal *seals_find(struct seals *, const char *sid, uint32_t number);
/* A request within it begins to be opened, which may take memory; and it was opened, or not. False: as many do as may before one of
 * them was authenticated. */
bool seals_enter(struct seals *, const char *sid, uint32_t number);
void seals_leave(struct seals *, const char *sid, uint32_t number);
/* An exchange within it was authenticated. */
void seals_prove(struct seals *, const char *sid, uint32_t number, const char *identity);

size_t seals_count(const struct seals *);	/* in use */
size_t seals_pending(const struct seals *);	/* under way, or not used yet */

#endif
