/*
 * Local: the other end of a channel is in this process. A session of the server that no helper has: it has one message channel, opened
 * on behalf of somebody who speaks something else to us (REST). Egresses, limits and status see a channel as any other; what carriers
 * would do, take what it has to send and acknowledge it, is done here at the end of the turn.
 */
#ifndef TUNNEL_LOCAL_H
#define TUNNEL_LOCAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tunnel/session.h"

struct local;

/* From the end of a turn, never from within a call. The callee may call any function here. */
struct local_events {
	/* The target is there; protocol: the subprotocol that it chose, or NULL. */
	void (*opened)(void *ctx, const char *protocol);
	/* Bytes of the target: how many were taken; after fewer than n the callee calls local_resume. */
	size_t (*bytes)(void *ctx, const uint8_t *p, size_t n);
	/* There is room again after local_write took less than all. */
	void (*writable)(void *ctx);
	/* No bytes will come any more. */
	void (*finish)(void *ctx);
	/* It was refused, cut, or the session is over (SESSION_LOST): last call. reason: a sentence, there only during the call. */
	void (*closed)(void *ctx, uint64_t code, const char *reason);
};

/* Opens the one channel of a new session (role server) to a service. protocols: subprotocols asked for, commas between them, or NULL. What becomes of
 * it is told by events. */
struct local *local_open(struct session *, const char *service, const char *protocols, const struct local_events *, void *ctx);
/* Bytes towards the target: how many were taken. */
size_t local_write(struct local *, const uint8_t *p, size_t n);
/* Nothing more will be written; the other half goes on. */
void local_finish(struct local *);
/* Bytes of the target are taken again. */
void local_resume(struct local *);
/* Ends the channel; closed is not called. */
void local_close(struct local *, uint64_t code, const char *reason);

/* Somebody waits at the session (1), or does so no more (-1): it does not expire meanwhile. 0: somebody asked; its time begins anew. */
void local_attend(struct session *, int by);

#endif
