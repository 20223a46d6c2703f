/*
 * Pool: the connections of one helper to one server over one path, within one
 * budget that carriers, probes and racing share. A connection has one user at a time;
 * of HTTP/2 that one gets several exchanges on it, so that several users still have
 * several connections. It dials through a function given
 * by its owner, keeps idle connections for a few seconds, opens them ahead of need,
 * learns a lower limit when the path refuses one more (or lets it wait) while others
 * stand, and learns how long connections live there.
 */
#ifndef TUNNEL_POOL_H
#define TUNNEL_POOL_H

#include "tunnel/cuts.h"
#include "tunnel/exchange.h"
#include "tunnel/list.h"
#include "tunnel/loop.h"
#include "tunnel/stream.h"

#define POOL_LIMIT_DEFAULT 10
#define POOL_LIMIT_MIN 2
#define POOL_FEW 3		/* at a time: each of them matters */
#define POOL_LIMIT_MAX 16

struct pool;
struct dial;	/* one attempt to get a ready stream to the server */

/* The versions of HTTP that a stream may agree to (ALPN). */
enum dial_versions {
	DIAL_ANY,		/* as configured */
	DIAL_11,		/* HTTP/1.1 alone */
};

/* How to get a stream: client/dial.c, or the simulation. */
struct pool_dialler {
	/* Begins; done is called once, never from within start: with a ready stream, or NULL, a
	 * negative code and a sentence for people (valid during the call). */
	struct dial *(*start)(void *ctx, enum dial_versions, void (*done)(void *pool_ctx, struct stream *, int error, const char *why),
			      void *pool_ctx);
	void (*cancel)(struct dial *);	/* done is not called any more */
	void *ctx;
	/* What it was to connect to first, a proxy or the server, accepted that. NULL: it cannot be told. */
	bool (*reached)(const struct dial *);
};

struct pool_events {
	/* A connection became free, or the limit changed: waiting work may try again. Those who wait are told first,
	 * in the order in which they began to, modest ones last. */
	void (*available)(void *ctx);
	/* A dial failed, and its connection was needed by this user. The pool tries again by itself only
	 * when it is asked again. */
	void (*failed)(void *ctx, int error, const char *why);
};

/* Who takes exchanges: a carrier, a probe. Memory of the user; only the pool looks inside, but for `leaving`. */
struct pool_user {
	struct pool *pool;	/* NULL: not joined */
	const struct pool_events *events;
	void *ctx;
	struct link link;
	bool leaving;		/* set by the user: goodbye was said, or it is only tried what passes: connections that end now tell nothing of cuts */
	bool claims;		/* pool_claim */
	bool modest;		/* gets an exchange only while one more connection is free or can be opened */
	int64_t insist_us;	/* modest until then; 0: always. Set by the user */
	bool switches;		/* the next exchange asks for another protocol; where HTTP/2 has none it gets a connection of HTTP/1.1. Set by the user */
	unsigned spread;	/* HTTP/2: exchanges go over so many connections, while they can be had; 0: one. Set by the user */
	const struct http *apart; /* the next exchange is not to go on that connection; NULL: on any. Set by the user */
	unsigned spare, waiting; /* waiting: exchanges asked for in vain */
	uint64_t since, told;	/* since when it waits, of the pool's own counting; the last round it was told in */
};

/* cuts: what is known of the path, kept by the caller, updated here. */
struct pool *pool_new(struct loop *, const struct pool_dialler *, unsigned limit, struct cuts *);
void pool_free(struct pool *);	/* exchanges in flight get closed(ERROR_CLOSED); users are not called any more */
void pool_join(struct pool *, struct pool_user *, bool modest, const struct pool_events *, void *ctx);
void pool_leave(struct pool_user *);	/* its exchanges are its own business. Not joined is fine */

/* An exchange on a free connection, or on one that is the user's already and has room. NULL when there is none: one is then being opened if the
 * budget allows it, and available or failed will be called. asker: distinguishes what the user waits for, so that as many connections are
 * opened as there are askers; the ctx of the events at first. */
struct exchange *pool_exchange(struct pool_user *, const struct exchange_events *, void *asker);
/* The connection that it would get now; NULL: none. */
const struct http *pool_next(const struct pool_user *);
/* Keeps `spare` connections free or being opened beyond those in use, within the limit; of several users the most counts. */
void pool_ahead(struct pool_user *, unsigned spare);

/* Tells all users that they may ask again: what they waited for besides a connection is there. */
void pool_wake(struct pool *);
struct loop *pool_loop(const struct pool *);

unsigned pool_limit(const struct pool *);
/* That limit as it was learned; 0: it is the configured one. */
unsigned pool_limit_learned(const struct pool *);
/* learned is called when something was learned of cuts or of the limit, from within; it calls the pool no more than to ask. */
void pool_on_learned(struct pool *, void (*learned)(void *ctx), void *ctx);
/* HTTP/2 was asked for: it is spoken also where connections of it fail, one after the other, before any answer. */
void pool_insist(struct pool *);
/* A limit known from before; never above the configured one. */
void pool_set_limit(struct pool *, unsigned limit);
/* The most connections that ever stood at once: the limit is a hope, this is proof. */
unsigned pool_peak(const struct pool *);
/* The user counts for one with the others (pool_others), whether it holds or waits for one at the moment or not. */
void pool_claim(struct pool_user *, bool);
/* Connections that other users hold or wait for, or claim. */
unsigned pool_others(const struct pool_user *);
unsigned pool_free_count(const struct pool *);	/* connections free right now */
unsigned pool_open_count(const struct pool *);	/* all, those being opened included */
bool pool_is_dialling(const struct pool *);
bool pool_is_standing(const struct pool *);	/* there is a connection of the network that we are on */
bool pool_is_single(const struct pool *);	/* connections end behind one exchange */
bool pool_is_multiplexed(const struct pool *);	/* one bears several exchanges: the newest that stood is HTTP/2, and of a server that takes them */
bool pool_is_http2(const struct pool *);	/* the newest that stood */
bool pool_is_full(const struct pool *);	/* none is free, and none can be opened now */
const struct cuts *pool_cuts(const struct pool *);

/* The connection under an exchange of this pool should be replaced now. */
bool pool_is_worn(const struct exchange *);
/* It has no TLS to the server (stream.h). */
bool pool_is_plain(const struct exchange *);
/* How long it may still be used: INT64_MAX unknown. */
int64_t pool_left_us(const struct exchange *);
/* Nothing came over it when something was due, or its answer was just ended by something in between: a cut, though the
 * connection may still stand. */
void pool_note_cut(const struct exchange *);
/* Its answer was given up by something in between after that silence. */
void pool_note_idle(const struct exchange *, int64_t idle_us);
/* The server was restarted, or nothing can be reached: what was cut or refused in these last 30 s teaches nothing. The pool does so
 * by itself when a dial fails while nothing stands. */
void pool_excuse(struct pool *);
/* No connection that is free now is used again: they may be dead. */
void pool_renew(struct pool *);
/* The network changed: nothing that was learned holds, no connection is used again. */
void pool_forget(struct pool *);

#endif
