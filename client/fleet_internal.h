/*
 * The inside of the fleet, shared by fleet.c (carriers that come and go), fleet_size.c (how many there may be),
 * fleet_judge.c (which of them deliver) and nothing else.
 */
#ifndef CLIENT_FLEET_INTERNAL_H
#define CLIENT_FLEET_INTERNAL_H

#include "client/fleet.h"
#include "tunnel/pool.h"

struct companion {
	struct fleet *fleet;
	struct carrier *carrier; /* NULL: free */
	int64_t opened_us, proven_us; /* proven_us: -1: not yet */
	int64_t bad_us;		/* since when it does not deliver; 0: it does */
	bool leaving;		/* another one is to stand in its place */
	bool doomed;
};

struct fleet {
	struct loop *loop;
	struct session *session;
	struct fleet_config config;
	const struct fleet_events *events;
	void *ctx;
	struct carrier *lead;	/* in use; NULL: none */
	struct companion companion[SESSION_CARRIERS_MAX];
	struct pool_user user;	/* learns of room, asks for nothing */
	struct timer timer;
	unsigned wanted;
	int64_t sunk_us;	/* when fewer became wanted */
	int64_t asked_us;	/* 0: nobody was, or one answered */
	bool silent;		/* which was told */
	bool doomed;
	unsigned failures;	/* in a row */
	int64_t not_before;	/* the next one */
	unsigned few;		/* as many as did stand, until */
	int64_t few_until;
	int64_t begun_us;
	unsigned opened, replaced, failed;
};

#define EACH(f, k) \
	for (struct companion *k = (f)->companion; k < (f)->companion + SESSION_CARRIERS_MAX; k++) \
		if (k->carrier)

static inline int64_t fleet_now(const struct fleet *f)
{
	return loop_now(f->loop);
}

/* Neither about to be replaced nor of another network. */
static inline bool companion_is_good(const struct companion *k)
{
	return !k->leaving && !k->doomed;
}

/* fleet.c */
void fleet_mend_soon(struct fleet *);

/* fleet_size.c */
/* The most that can be had, the one in use included, whatever is wanted; *why: what limits it, "" for nothing. */
unsigned fleet_ceiling(const struct fleet *, const char **why);
/* That there should be now. */
unsigned fleet_target(const struct fleet *);
/* There are connections for one more. replaces: in the place of another that still holds its own. */
bool fleet_has_room(struct fleet *, bool replaces);

/* fleet_judge.c */
/* Marks what does not deliver while others do; asks when that is not known. */
void fleet_judge(struct fleet *);
void fleet_look_for_answers(struct fleet *);

#endif
