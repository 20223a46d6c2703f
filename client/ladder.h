/*
 * Ladder: keeps a carrier of a session alive, on the best rung that the path can
 * pass. It begins on the safe rung (poll) and, when one is known to work here, on that
 * one as well: whichever stands first carries. Then it surveys the path and climbs;
 * it goes on surveying for as long as the session lives, and steps down when what
 * carries does not deliver. The next carrier is proven before the last one is retired.
 *
 *   what happened                                 what follows
 *   no connection, or HELLO was not answered      the same again, with back-off
 *   a better rung is found to pass                a carrier on it; when proven it takes over
 *   that carrier was not proven                   it is let be: 3 s, doubled each time
 *   the carrier in use stalls                     poll beside it; takes over if that is proven first
 *   the carrier in use failed                     poll, and the same rung again beside it
 *   it stalls or fails, and others on the same
 *   rung deliver (fleet.h)                        one of those takes its place
 *   it was given up twice within 5 s each         it is let be, as above
 *   the network changed                           what stands is replaced; the path is measured anew
 *
 * With one rung prescribed there is no survey: that rung, again and again.
 */
#ifndef CLIENT_LADDER_H
#define CLIENT_LADDER_H

#include <stdint.h>

#include "client/verdict.h"
#include "tunnel/carrier.h"
#include "tunnel/loop.h"

struct ladder;

struct ladder_config {
	const struct rung *only; /* NULL: all rungs */
	const struct carrier_path *path;
	struct pool *pool;	/* shared by the ladders of a process, as the verdict */
	struct verdict *verdict;
	unsigned carriers;	/* of a session at most, 1 to 8; 0: 8 */
	void (*learned)(void *ctx);	/* the verdict was renewed; may be NULL */
	void *learned_ctx;
};

struct ladder_events {
	/* A carrier took over; before: the rung that carried until now, NULL: none did. */
	void (*proven)(void *ctx, struct carrier *, const struct rung *before);
	/* Nothing carries, and an attempt failed; the next one begins in retry_us. why is valid during the call. */
	void (*trouble)(void *ctx, const struct rung *failed, int error, const char *why, int64_t retry_us);
};

/* Begins at once, in the next turn. config belongs to the caller and outlives the ladder. */
struct ladder *ladder_new(struct loop *, struct session *, const struct ladder_config *, const struct ladder_events *,
			  void *ctx);
/* Ends its carriers. Before session_free. NULL is fine. */
void ladder_free(struct ladder *);
/* The carrier in use, else NULL. */
struct carrier *ladder_carrier(const struct ladder *);
/* So many carriers of the rung in use are wanted (session_events.carriers); as many as can be had come. */
void ladder_want(struct ladder *, unsigned carriers);
/* A flow begins: if the last look at the path is old, looks again. */
void ladder_wake(struct ladder *);
/* What was learned holds no more (the verdict may have been replaced, the pool has forgotten). */
void ladder_network_changed(struct ladder *);

/* For status; times are the loop's, 0: not (yet). */
struct ladder_status {
	const struct rung *rung;	/* in use; NULL: none */
	char why[200];
	int64_t begun_us, connected_us;	/* the ladder; the first proof */
	int64_t rung_us, since_us;	/* the present rung was first proven; was last taken */
	unsigned changes, stalls;
	const char *duplex, *up, *down;	/* findings */
	int64_t next_probe_us;
	unsigned carriers_wanted, carriers_most; /* by the session; that can be had on this path */
	unsigned carriers_replaced, carriers_failed;
	const char *carriers_why;	/* why not as many as wanted, "" */
};
void ladder_status(const struct ladder *, struct ladder_status *);

/* The n-th wait of a row of failures (n from 0): 0, 250, 500 ms ... 10 s, +-25 %. */
int64_t ladder_delay(struct loop *, unsigned n);

#endif
