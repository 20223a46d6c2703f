/*
 * Takers: users of one pool, over peers that answer when told and dials that take 10 ms; the last user is a modest one.
 */
#ifndef TESTS_LIB_TAKERS_H
#define TESTS_LIB_TAKERS_H

#include "tunnel/pool.h"

#define MS(n) ((n) * LOOP_MS)
#define TAKERS 4
#define TAKEN_MAX 8

struct who {
	struct pool_user user;
	unsigned wants;		/* exchanges, one after the other */
	struct exchange *taken[TAKEN_MAX];
	unsigned n, told, failed, turn, closed;
};

extern struct takers {
	struct loop *loop;
	struct pool *pool;
	struct cuts cuts;
	unsigned accept_max;	/* connections at a time; one more is refused, */
	bool queueing;		/* or waits */
	unsigned lost;		/* first packets of the next dials: sent again after 1 s */
	int started, dial_error; /* dials; what they come to, 0: a connection */
	unsigned turns;
	struct who who[TAKERS];
} takers;

int takers_set_up(void **state);
int takers_tear_down(void **state);
void takers_begin(unsigned limit);
void takers_run(int64_t us);
/* User i takes so many exchanges, as soon as it can. */
void takers_want(unsigned i, unsigned n);
/* Of the i-th connection made. */
void takers_answer(unsigned i);

#endif
