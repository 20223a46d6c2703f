/*
 * HTTP: a connection of either version, as its owners see it: the pool, the server's
 * connections, what speaks to a website behind us. The engines are h1.c (HTTP/1.1:
 * one exchange at a time) and h2.c (HTTP/2: several, RFC 9113).
 */
#ifndef TUNNEL_HTTP_H
#define TUNNEL_HTTP_H

#include "tunnel/course.h"
#include "tunnel/exchange.h"
#include "tunnel/loop.h"
#include "tunnel/stream.h"

#define HTTP_ALPN_11 "http/1.1"
#define HTTP_ALPN_2 "h2"

struct http_events {
	/* Server: a request head came. The callee sets x->events and x->ctx at once; if it
	 * sends a complete answer at once that is fine too. A malformed head is shown as one with
	 * empty method and target; with HTTP/1.1 the connection ends with the answer to it. */
	void (*request)(void *ctx, struct exchange *x, const struct http1_head *);
	/* Client: an exchange is over and the connection can take another, or it can take more at a time than before. Also when it began
	 * to leave; not from within a call. */
	void (*idle)(void *ctx);
	/* The connection is over; its stream is closed. Last call; after it the http is gone.
	 * Exchanges in flight got their closed first. */
	void (*closed)(void *ctx, int error);
	/* Client, may be NULL: a proxy that is spoken to in its own way (dress.h) answered 503. True: it has too many connections; the
	 * exchange fails with ERROR_AGAIN. */
	bool (*crowded)(void *ctx);
	/* Server, may be NULL: an exchange that request told of is gone, after its last event or dropped. x->visitor is still there. */
	void (*over)(void *ctx, struct exchange *x);
};

struct http_limits {
	int64_t head_us;	/* server: time for a request head to arrive in full, and for a new connection */
	int64_t idle_us;	/* server: time between exchanges before the connection is closed */
	int64_t body_us;	/* server: the longest silence within a request body */
	unsigned peers;		/* server: so many may be behind it, as behind a proxy, and each may do what a peer may do; 0: 1 */
};
static const struct http_limits http_limits_default = {
	.head_us = 10 * LOOP_SECOND, .idle_us = 120 * LOOP_SECOND, .body_us = 60 * LOOP_SECOND, .peers = 1,
};
static const struct http_limits http_limits_proxy = {
	.head_us = 10 * LOOP_SECOND, .idle_us = 120 * LOOP_SECOND, .body_us = 60 * LOOP_SECOND, .peers = 50,
};

struct http;

struct http_ops {
	struct exchange *(*exchange)(struct http *, const struct exchange_events *, void *ctx);
	unsigned (*room)(const struct http *);
	void (*close)(struct http *);
	void (*drain)(struct http *);
	/* Client: what is known of how it lives, see below. */
	struct course *(*course)(struct http *);
	bool (*was_answered)(const struct http *);
};

/* Embedded first in each engine's connection. */
struct http {
	const struct http_ops *ops;
	struct stream *stream;
	void *ctx;		/* the owner's */
	bool multiplexed;	/* HTTP/2 */
	bool no_switch;		/* client: no other protocol can be spoken in an exchange (HTTP/2, and the peer has not said that it knows of it) */
	bool few;		/* client: HTTP/2, but the peer takes hardly more than one exchange at a time */
	bool hanging;		/* client: HTTP/2, nothing comes though something must; those under way may be lost */
	bool leaving;		/* client: the peer takes no more exchanges on it (GOAWAY); those under way go on */
};

/* Takes a ready stream over. Version: what ALPN agreed to; without TLS that of the first bytes (prior knowledge, RFC 9113 3.3).
 * limits: kept by the caller. */
struct http *http_server(struct loop *, struct stream *, const struct http_limits *, const struct http_events *, void *ctx);
/* Version: what ALPN agreed to. */
struct http *http_client(struct loop *, struct stream *, const struct http_events *, void *ctx);

/* Client: begins an exchange; NULL when there is no room for one. */
static inline struct exchange *http_exchange(struct http *h, const struct exchange_events *events, void *ctx)
{
	return h->ops->exchange(h, events, ctx);
}
/* Client: how many more exchanges can begin now. HTTP/1.1: 0 or 1. */
static inline unsigned http_room(const struct http *h) { return h->ops->room(h); }
/* Closes the connection in any state; exchanges in flight get closed(ERROR_CLOSED) first
 * (not within the call chain of one of their own events). */
static inline void http_close(struct http *h) { h->ops->close(h); }
/* Server, for a clean stop: takes no more exchanges (HTTP/2: GOAWAY), closes when those in flight are over. */
static inline void http_drain(struct http *h) { h->ops->drain(h); }
static inline struct stream *http_stream(const struct http *h) { return h->stream; }
/* Client: the ctx of the connection under an exchange. */
static inline void *http_owner(const struct exchange *x) { return x->http->ctx; }
/* Client: how the connection lives (course.h). */
static inline struct course *http_course(struct http *h) { return h->ops->course(h); }
/* Its peer says how much it takes (HTTP/2). */
static inline bool http_has_windows(const struct exchange *x) { return x->http && x->http->multiplexed; }
/* Bytes of what can wait that may go on an exchange now, so that media finds room in the peer's windows, of which one is the whole connection's;
 * SIZE_MAX: any number. Where it is 0, writable comes when it may be more. */
size_t http_room_beside_media(struct exchange *);
/* Media went on it: so many bytes; trip_us: how long receipts take. */
void http_media_went(struct exchange *, size_t n, int64_t trip_us);
/* An exchange got a whole answer, or one with another status than 200: the connection ends for that reason, if it does. */
static inline bool http_was_answered(const struct http *h) { return h->ops->was_answered(h); }

#endif
