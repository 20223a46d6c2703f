/*
 * Steer: which carrier of a session gets what. Media goes to the carrier that will
 * deliver it first: one of them while the path is clean, all in turn while packets are
 * sent twice (each time over another fate). Streams have one carrier, not that of
 * media where there are two. What is known comes from receipts alone, since behind a
 * proxy nothing else reaches to the other end.
 */
#ifndef TUNNEL_STEER_H
#define TUNNEL_STEER_H

#include <stdbool.h>
#include <stdint.h>

#include "tunnel/loop.h"

struct session;
struct carrier;

enum steer_takes {
	TAKES_MEDIA = 1,	/* datagrams, and copies of them */
	TAKES_STREAMS = 2,
	TAKES_ALL = 3,
};

#define STEER_RECORD 1380	/* bytes of a record while spreading: with what is around it, one segment, so that one loss is one record */

struct steer {
	int64_t turn_us;	/* nine in ten receipts come sooner behind their record; 0: none came yet */
	uint32_t lead, bulk;	/* ids of the carriers: of media while clean; of streams. 0xffffffff: none */
	int64_t streams_us;	/* when streams last had something to send */
	bool spread;		/* media goes over all in turn */
	uint32_t heard_from;	/* the carrier that the last datagrams came on, */
	int64_t heard_us;	/* when they did, */
	int64_t spread_in_us;	/* and when that changed: the peer spreads */
	uint32_t last_ms;	/* lateness of the newest record with datagrams */
	int64_t last_turn_us;	/* of the newest receipt */
	unsigned wanted;	/* carriers */
	struct timer timer;
	struct later tell;
};

void steer_init(struct session *);
void steer_fini(struct session *);

/* Before records are sent: sets what each carrier takes, and the order in which they are asked for the next record: how many. */
unsigned steer_begin(struct session *, struct carrier **order);
/* That order anew: carriers came or went. */
unsigned steer_order(struct session *, struct carrier **order);
/* This one took a record: whose turn it is next. */
void steer_turn(const struct session *, const struct carrier *, struct carrier **order, unsigned n);
/* Behind it: when to look again. */
void steer_watch(struct session *);

/* A receipt came so long behind its record. */
void steer_turned(struct session *, int64_t turn_us);
/* A record with datagrams came, so much later than the path's least. */
void steer_heard(struct session *, struct carrier *, uint32_t lateness_ms);
/* One of the ends sends media over several carriers. */
bool steer_is_spread(const struct session *);
/* The luck that a record on this exchange of the carrier shares. */
uint64_t steer_fate(const struct carrier *, uint64_t leg);
/* How long the oldest record of the carrier is overdue, us; 0: it is not. */
int64_t steer_overdue_us(const struct session *, const struct carrier *);

#endif
