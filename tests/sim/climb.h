/*
 * A world whose helper climbs: its carriers are the ladder's, on one pool of connections
 * over a relay that a test changes as it likes. A call runs both ways meanwhile.
 */
#ifndef TESTS_SIM_CLIMB_H
#define TESTS_SIM_CLIMB_H

#include "client/ladder.h"
#include "tests/sim/relay.h"
#include "tests/sim/world.h"

#define CLIMB_PACKET (20 * LOOP_MS)	/* one each way */
#define CLIMB_CHANGES 256

struct climb_options {
	uint64_t seed;		/* 0: 1 */
	int64_t delay_us;	/* one way; 0: 25 ms */
	unsigned limit;		/* of the pool; 0: its default */
	const char *only;	/* --rung */
	struct verdict known;	/* from an earlier run */
	unsigned carriers;	/* of a session at most; 0: its default */
	bool by_hand;		/* as many carriers are wanted as ladder_want says, not as the session does */
};

struct climb_change {
	int64_t at_us;
	const struct rung *rung;
};

struct climb {
	struct world *w;
	struct relay *relay;
	struct relay_behaviour b;	/* as set last; change it and call climb_set */
	struct pool *pool;
	struct verdict verdict;
	struct ladder_config config;
	struct ladder *ladder;
	int64_t round_trip_us;
	struct climb_change change[CLIMB_CHANGES]; /* carriers that took over, the first one too */
	unsigned changes, troubles;
	char why[300];			/* of the last trouble */
	struct datagram_flow *call;	/* NULL until climb_call */
	struct stream_flow *signalling;
};

/* Begins on a path of this behaviour; NULL: a clean one. */
struct climb *climb_new(const struct climb_options *, const struct relay_behaviour *);
void climb_free(struct climb *);
void climb_set(struct climb *, const struct relay_behaviour *);
/* Runs until the session is open, or so long. */
bool climb_connect(struct climb *, int64_t us);
/* A call of so long: a datagram each way each 20 ms, and a few bytes of signalling each way each 100 ms. */
void climb_call(struct climb *, int64_t us);
/* A call until the ladder is on that rung: the time it took, -1: it did not get there in so long. */
int64_t climb_reach(struct climb *, const char *rung, int64_t within_us);
/* Finishes the signalling on a clean path and checks that no byte of it was lost or altered, and no datagram altered or repeated. */
void climb_hang_up(struct climb *);
/* The rung in use, "" for none. */
const char *climb_rung(const struct climb *);
/* One line per change since the n-th, for failures. */
void climb_tell(const struct climb *, unsigned from);

#endif
