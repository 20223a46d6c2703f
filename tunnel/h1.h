/*
 * HTTP/1.1 engine: a connection in either role over any stream, presenting one
 * exchange at a time. No pipelining. Both bodies may flow at once (duplex).
 */
#ifndef TUNNEL_H1_H
#define TUNNEL_H1_H

#include "tunnel/cuts.h"
#include "tunnel/exchange.h"
#include "tunnel/loop.h"
#include "tunnel/stream.h"

struct h1;

struct h1_events {
	/* Server: a request head came. The callee sets x->events and x->ctx at once; if it
	 * sends a complete answer at once that is fine too. A malformed head is shown as one with
	 * empty method and target; the connection ends with the answer to it. */
	void (*request)(void *ctx, struct exchange *x, const struct http1_head *);
	/* Client: the exchange is over and the connection can take another. */
	void (*idle)(void *ctx);
	/* The connection is over; its stream is closed. Last call; after it the h1 is gone.
	 * An exchange in flight got its closed first. */
	void (*closed)(void *ctx, int error);
	/* Client, may be NULL: a proxy that is spoken to in its own way (dress.h) answered 503. True: it has too many connections; the
	 * exchange fails with ERROR_AGAIN. */
	bool (*crowded)(void *ctx);
	/* Server, may be NULL: an exchange that request told of is gone, after its last event or dropped. x->visitor is still there. */
	void (*over)(void *ctx, struct exchange *x);
};

struct h1_limits {
	int64_t head_us;	/* server: time for a request head to arrive in full, and for a new connection */
	int64_t idle_us;	/* server: time between exchanges before the connection is closed */
	int64_t body_us;	/* server: the longest silence within a request body */
};
extern const struct h1_limits h1_limits_default;	/* 10 s, 120 s, 60 s */

/* Takes a ready stream over. limits: server only. */
struct h1 *h1_server(struct loop *, struct stream *, const struct h1_limits *, const struct h1_events *, void *ctx);
struct h1 *h1_client(struct loop *, struct stream *, const struct h1_events *, void *ctx);
/* Client: begins an exchange on an idle connection; NULL when it is not idle. */
struct exchange *h1_exchange(struct h1 *, const struct exchange_events *, void *ctx);
/* Closes the connection in any state; an exchange in flight gets closed(ERROR_CLOSED) first
 * (not within the call chain of one of its own events). */
void h1_close(struct h1 *);
/* Server, for a clean stop: closes when the current exchange is over, idle ones at once. */
void h1_drain(struct h1 *);
struct stream *h1_stream(struct h1 *);

/* Client: what it was created with as ctx, of the connection under an exchange. */
void *h1_owner(const struct exchange *);
/* Client: the connection as it is now, and the most of everything that it is known to have stood: up to the last time that
 * something was heard. */
void h1_course(const struct h1 *, struct cut *);
void h1_survived(const struct h1 *, struct cut *);
/* Client: when something came last. */
int64_t h1_heard_us(const struct h1 *);
/* Client: the connection was cut just now, or its answer was ended by something in between: what it had come to, and the
 * silences that it had stood before. */
void h1_cut(const struct h1 *, struct cut *now, struct cut *stood);
/* Client: the silences so far do not count as survived. */
void h1_disown(struct h1 *);
/* The exchange got a whole answer, or one with another status than 200: the connection ends for that reason, if it does. */
bool h1_was_answered(const struct h1 *);

#endif
