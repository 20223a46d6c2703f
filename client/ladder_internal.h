/*
 * The inside of the ladder, shared by ladder.c (carriers that come and go),
 * ladder_explore.c (what the path can do) and nothing else.
 */
#ifndef CLIENT_LADDER_INTERNAL_H
#define CLIENT_LADDER_INTERNAL_H

#include "client/fleet.h"
#include "client/ladder.h"
#include "client/survey.h"
#include "tunnel/pool.h"

#define LADDER_ATTEMPTS 5
#define LADDER_RUNGS 16
#define LADDER_WHY 512

/* A carrier of the ladder. Free when carrier is NULL. */
struct attempt {
	struct ladder *ladder;
	struct carrier *carrier;
	const struct rung *rung;
	const char *reason;	/* why it is made; NULL: measured */
	int64_t opened_us;
	int64_t proven_us;	/* -1: not yet */
	bool stalled;
	bool doomed;		/* any other takes over from it (the network changed) */
};

/* A rung that was tried in vain, or that had to be left. */
struct penalty {
	int64_t until_us, last_us;
	unsigned times;
	bool left;		/* it carried before: nothing lesser is taken for so short a time */
};

struct ladder {
	struct loop *loop;
	struct session *session;
	const struct ladder_config *config;
	const struct ladder_events *events;
	void *ctx;

	struct attempt attempt[LADDER_ATTEMPTS];
	struct attempt *active;	/* proven, in use; NULL: none */
	struct fleet *fleet;	/* those beside it on the same rung */
	struct timer begin;	/* the next attempt when nothing carries */
	unsigned tries;		/* failures in a row of attempts while nothing carried */
	unsigned quick;		/* carriers in a row that were in use for a short time */
	bool looked;		/* a survey of this path was finished */

	struct pool_user ahead;	/* keeps the second connection ready at the beginning */
	struct timer settle;
	struct later few;	/* looks whether there are connections for all attempts, still */

	/* explore */
	struct survey *survey;
	struct survey_findings found;
	struct timer explore;
	int64_t look_us, explored_us; /* the beginning and the end of the last survey */
	int64_t idle_wait_us;	/* until the next one when nothing flows */
	bool fresh;		/* the last survey found something new: the path may be changing still */
	unsigned restless;	/* how many in a row did */
	unsigned glances;	/* short surveys since the last whole one */
	bool busy;		/* something flowed between the last two looks */
	uint64_t traffic;	/* records seen at the last look, */
	int64_t traffic_us;	/* and when that was */
	struct penalty penalty[LADDER_RUNGS];

	/* status */
	char why[200];
	const char *reason;	/* why the attempt under way is made */
	int64_t begun_us, connected_us, rung_us, since_us;
	unsigned changes, stalls;
};

/* ladder.c */
struct attempt *ladder_open(struct ladder *, const struct rung *);
struct attempt *ladder_attempt_on(struct ladder *, const struct rung *);
const struct rung *ladder_safe_rung(const struct ladder *);
void ladder_learn(struct ladder *, const struct rung *);	/* keeps it for the next time */

/* ladder_explore.c */
void explore_init(struct ladder *);
void explore_fini(struct ladder *);
/* Something was proven, changed or failed: decides when to look at the path next. */
void explore_soon(struct ladder *, int64_t wait_us);
void explore_plan(struct ladder *);
/* The same after a rung that was not in use has failed. */
void explore_failed(struct ladder *, const struct rung *);
/* The rung was tried in vain, or had to be left. */
void explore_penalise(struct ladder *, const struct rung *, bool left);
bool explore_is_penalised(const struct ladder *, const struct rung *);
/* What takes seconds to be proven holds no connection of two. */
bool explore_has_connections(const struct ladder *, const struct rung *);
/* And it is not let be. */
bool explore_may_try(const struct ladder *, const struct rung *);
void explore_forget(struct ladder *);

#endif
