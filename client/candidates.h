/*
 * Candidates: several ways to the same server, in order of preference, behind one
 * dialler. A dial begins with the way that worked last; when that fails, or has
 * nothing to say for a while, the others are tried, and the first that stands is
 * used from then on. The better ones are tried again now and then.
 */
#ifndef CLIENT_CANDIDATES_H
#define CLIENT_CANDIDATES_H

#include <stdbool.h>

#include "tunnel/loop.h"
#include "tunnel/pool.h"

#define CANDIDATES_MAX 16
#define CANDIDATES_PATIENCE_US (2500 * LOOP_MS)	/* for one way, before the next is tried beside it */
#define CANDIDATES_BACK_US (30 * LOOP_SECOND)	/* a better way is tried again, later and later: */
#define CANDIDATES_BACK_MAX_US (600 * LOOP_SECOND)
#define CANDIDATES_BAD_US (300 * LOOP_SECOND)	/* one that leads nowhere is not tried; each time twice as long, */
#define CANDIDATES_BAD_MAX_US (3600 * LOOP_SECOND)

struct candidates;

struct candidate {
	const struct pool_dialler *dialler;	/* outlives its dials */
	bool fallback;		/* only where the one before it is denied or leads nowhere */
	char text[600];		/* for people */
};

struct candidates_events {
	/* Another one is in use from now on. Called before the first connection on it is handed over; whoever cancels its
	 * dials from within gets that connection with the next. */
	void (*moved)(void *ctx);
	/* Do connections stand on the one in use? Then a dial that fails is no reason to leave it. */
	bool (*stands)(void *ctx);
};

struct candidates *candidates_new(struct loop *, const struct candidates_events *, void *ctx);
/* Dials under way are cancelled. NULL is fine. */
void candidates_free(struct candidates *);
/* Other ways (n >= 1, copied): dials from now on use them, those under way as well if there were none before. current: the one to begin with. */
void candidates_set(struct candidates *, const struct candidate *, unsigned n, unsigned current);
/* Its dials wait until there are candidates. Lives as long. */
const struct pool_dialler *candidates_dialler(struct candidates *);
unsigned candidates_current(const struct candidates *);
/* Why it is this one: the sentence of the way that it stands for; "" when it is no fallback. */
const char *candidates_why(const struct candidates *);
/* The network changed: the first one again, nothing is bad. moved is not called. */
void candidates_forget(struct candidates *);
/* Connections on the one in use stand, but lead nowhere: the next one from now on, if there is one (then moved is called). */
bool candidates_bad(struct candidates *);

#endif
