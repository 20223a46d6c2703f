/*
 * Pool: the connections of one helper session to one server over one path,
 * within a budget. It dials through a function given by its owner, keeps idle
 * connections for a few seconds, opens them ahead of need, and learns a lower
 * limit when the path refuses one more while others stand.
 */
#ifndef TUNNEL_POOL_H
#define TUNNEL_POOL_H

#include "tunnel/exchange.h"
#include "tunnel/loop.h"
#include "tunnel/stream.h"

#define POOL_LIMIT_DEFAULT 6
#define POOL_LIMIT_MAX 16

struct pool;
struct dial;	/* one attempt to get a ready stream to the server */

/* How to get a stream: client/dial.c, or the simulation. */
struct pool_dialler {
	/* Begins; done is called once, never from within start: with a ready stream, or NULL, a
	 * negative code and a sentence for people (valid during the call). */
	struct dial *(*start)(void *ctx, void (*done)(void *pool_ctx, struct stream *, int error, const char *why),
			      void *pool_ctx);
	void (*cancel)(struct dial *);	/* done is not called any more */
	void *ctx;
};

struct pool_events {
	/* A connection became free, or the limit changed: waiting work may try again. */
	void (*available)(void *ctx);
	/* A dial failed (and its connection was needed). The pool tries again by itself only
	 * when it is asked again. */
	void (*failed)(void *ctx, int error, const char *why);
};

struct pool *pool_new(struct loop *, const struct pool_dialler *, unsigned limit, const struct pool_events *, void *ctx);
void pool_free(struct pool *);	/* exchanges in flight get closed(ERROR_CLOSED) */

/* An exchange on a free connection. NULL when there is none: one is then being opened if the
 * budget allows it, and available or failed will be called. */
struct exchange *pool_exchange(struct pool *, const struct exchange_events *, void *ctx);
/* Keeps `spare` connections free or being opened beyond those in use, within the limit. */
void pool_ahead(struct pool *, unsigned spare);
unsigned pool_limit(const struct pool *);
/* The most connections that ever stood at once: the limit is a hope, this is proof. */
unsigned pool_peak(const struct pool *);
unsigned pool_free_count(const struct pool *);	/* connections free right now */
unsigned pool_open_count(const struct pool *);	/* all, those being opened included */

#endif
