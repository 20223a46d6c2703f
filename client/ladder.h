/*
 * Ladder: keeps one carrier of a session alive, on the best rung that the path can
 * pass. It starts with the rung that worked last (or the first), goes on to the next one
 * when a rung's marks do not come back, stays on a rung while no connection can
 * be made at all, and never gives up. Pure logic over carrier_open and timers.
 *
 *   what failed                                   what follows
 *   no connection (resolve, proxy, trust ...)     the same rung, with back-off
 *   HELLO was not answered with WELCOME           the same rung, with back-off
 *   the carrier, before it was proven             the next rung, at once (foreign answers on
 *                                                 the rung that worked last: after 3 tries)
 *   a proven carrier                              the same rung, at once
 *   two proven carriers within 5 s each           the next rung, at once
 *   the last rung                                 the first one, with back-off
 */
#ifndef CLIENT_LADDER_H
#define CLIENT_LADDER_H

#include <stdint.h>

#include "tunnel/carrier.h"
#include "tunnel/loop.h"

struct ladder;

struct ladder_config {
	const struct rung *only; /* NULL: all rungs */
	const struct carrier_path *path;
	struct pool *pool;
	/* The rung proven last, NULL at first; shared by the ladders of a process. */
	const struct rung **proven;
};

struct ladder_events {
	/* Marks came back in time. */
	void (*proven)(void *ctx, struct carrier *);
	/* An attempt failed; the next one, on rung `next`, begins in retry_us. why is valid during the call. */
	void (*trouble)(void *ctx, const struct rung *failed, const struct rung *next, int error, const char *why,
			int64_t retry_us);
};

/* For status. Times are the loop's, 0: not yet. */
struct ladder_status {
	const struct rung *rung; /* NULL: none is proven */
	char why[200];		/* why this one, or what was in the way */
	int64_t begun_us, since_us, connected_us, rung_us; /* since: this rung. connected: the first one. rung: the best one */
	unsigned changes, stalls;
	const char *duplex, *up, *down; /* findings of probes, "unknown" */
	int64_t next_probe_us;	/* 0: none */
};

/* Begins at once, in the next turn. config belongs to the caller and outlives the ladder. */
struct ladder *ladder_new(struct loop *, struct session *, const struct ladder_config *, const struct ladder_events *,
			  void *ctx);
/* Ends its carrier. Before session_free. NULL is fine. */
void ladder_free(struct ladder *);
/* The carrier if it is proven, else NULL. */
struct carrier *ladder_carrier(const struct ladder *);

void ladder_status(const struct ladder *, struct ladder_status *out);

/* The n-th wait of a row of failures (n from 0): 0, 250, 500 ms ... 10 s, +-25 %. */
int64_t ladder_delay(struct loop *, unsigned n);

#endif
