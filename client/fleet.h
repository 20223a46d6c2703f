/*
 * Fleet: the carriers beside the one in use, on the same rung and path, so that a session has as many as it wants.
 * They come and go in the background. What becomes of the carrier in use is the ladder's business, who owns the fleet:
 * it takes one from here when its own is lost, and gives one that does not deliver.
 */
#ifndef CLIENT_FLEET_H
#define CLIENT_FLEET_H

#include <stdbool.h>
#include <stdint.h>

#include "tunnel/carrier.h"

#define FLEET_MOST 8	/* carriers of a session, the one in use included */

struct fleet;

struct fleet_config {
	const struct carrier_path *path;
	struct pool *pool;
	unsigned most;		/* 1 to 8; 0: 8 */
};

/* Not from within a call of fleet_*. */
struct fleet_events {
	/* One does not deliver, and nothing came on any other either: all are asked now, the one in use too. */
	void (*silent)(void *ctx);
	/* One of those that were asked has answered. */
	void (*answered)(void *ctx);
};

/* config is copied; what it points to outlives the fleet. */
struct fleet *fleet_new(struct loop *, struct session *, const struct fleet_config *, const struct fleet_events *, void *ctx);
/* Ends its carriers. NULL is fine. */
void fleet_free(struct fleet *);

/* So many carriers are wanted, the one in use included. More come at once, fewer are kept for 10 s. */
void fleet_want(struct fleet *, unsigned carriers);
/* This one is in use now. Those on another rung, or of another network, retire. NULL: nothing carries, and all end. */
void fleet_follow(struct fleet *, struct carrier *lead);
/* The network changed: none is opened until the ladder has a carrier there, and those that stand retire then. */
void fleet_doom(struct fleet *);

/* Hands one over that is proven, for the ladder to use: the oldest. delivering: only one on which something came a moment
 * ago; else the best there is. NULL: none. carrier_adopt and fleet_follow are what follows. */
struct carrier *fleet_take(struct fleet *, bool delivering);
/* Takes over one that is proven and does not deliver: it ends when another stands in its place. */
void fleet_give(struct fleet *, struct carrier *);
/* Asks each for a sign of life. */
void fleet_ask(struct fleet *);

/* Records that went over them, in and out. */
uint64_t fleet_records(const struct fleet *);

/* For status. */
struct fleet_status {
	unsigned wanted, most;	/* by the session; that can be had, with the one in use */
	unsigned standing, opening, leaving;
	unsigned opened, replaced, failed; /* ever */
	const char *why;	/* why there are not as many as wanted; "" */
};
void fleet_status(const struct fleet *, struct fleet_status *);

#endif
