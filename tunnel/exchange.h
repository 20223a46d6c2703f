/*
 * Exchange: one HTTP request and its response, whatever HTTP version and role.
 * The engines (http.h) present them; carriers and the server's router use them.
 *
 * Body bytes are written straight into the engine's output buffer:
 *
 *     uint8_t *p = exchange_room(x, want, &cap);     NULL: wait for writable
 *     n = fill(p, cap);
 *     exchange_send(x, head, n, end);                head only with the first
 *
 * The head of the message is placed in front of the first body bytes, so a
 * complete message (head, length, body) goes out in one write.
 */
#ifndef TUNNEL_EXCHANGE_H
#define TUNNEL_EXCHANGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "framing/http1.h"

#define EXCHANGE_HEAD_MAX 4096	/* bytes of a head of our own; one that is passed on may have HTTP1_HEAD_MAX and a little more */
#define EXCHANGE_ROOM 16384	/* usual size of one body portion, about a TLS record */
#define EXCHANGE_ROOM_MAX 81984	/* the most that exchange_room gives */
#define EXCHANGE_ROOM_INNER (EXCHANGE_ROOM_MAX + 256) /* what an exchange around another one asks of it */

struct exchange;
struct http;

/* What to send in front of a body. */
struct exchange_head {
	const char *method;	/* requests */
	const char *target;	/* requests: path and query */
	const char *host;	/* requests */
	int status;		/* responses. 100, with HTTP/1.1, n = 0 and while there is room: "go on", and the answer's head follows */
	const char *lines;	/* further header lines, each with CRLF */
	const char *authorization; /* sealed requests: what is sent within the body; NULL: it is among the lines */
	/* Another protocol is spoken in the body: requests ask for it, answers (status 101) agree to it. HTTP/1.1: Upgrade, and raw bytes
	 * both ways until the connection ends; HTTP/2: extended CONNECT (RFC 8441). "websocket"; NULL: no. Needs streamed. */
	const char *protocol;
	const char *priority;	/* "u=1, i" (RFC 9218), for HTTP/2; NULL: none */
	/* Streamed: Content-Length of the body, which has exactly so many bytes, or none where answers have none (to HEAD, 304); 0: not
	 * declared. */
	uint64_t length;
	bool streamed;		/* else: complete, the first exchange_send has everything and end */
};

/* Called up by the engine, never from within exchange_*. */
struct exchange_events {
	/* The peer's head (requests: only at the server, where the router gets it
	 * by its own callback instead; responses: at the client). Returns 0, or a
	 * negative code: the exchange fails with it. */
	int (*head)(void *ctx, const struct http1_head *);
	/* Body bytes of the peer, all to be taken. Returns 0 or a code, as head. */
	int (*body)(void *ctx, const uint8_t *p, size_t n);
	/* The peer's message is complete. */
	void (*end)(void *ctx);
	/* All output so far went down; there is room again. */
	void (*writable)(void *ctx);
	/* Last call; the exchange is gone when it returns. 0: both messages complete and
	 * written. Negative: the stream failed, was cut, or the peer sent nonsense. */
	void (*closed)(void *ctx, int error);
};

struct exchange_ops {
	uint8_t *(*room)(struct exchange *, size_t want, size_t *cap);
	int (*send)(struct exchange *, const struct exchange_head *, size_t n, bool end);
	/* Stops and starts delivery of body bytes (back-pressure). */
	void (*pause)(struct exchange *, bool);
	/* Drops it in any state without a further event; its connection is closed unless
	 * both messages were complete. */
	void (*abort)(struct exchange *);
	/* STREAM_SPARSE (stream.h), of the connection below, until this exchange ends. NULL: it cannot. */
	void (*sparse)(struct exchange *, bool);
	/* Nothing is likely to come or go for a while: memory that only that would need is given back until then. NULL: there is none. */
	void (*rest)(struct exchange *);
};

struct exchange {
	const struct exchange_ops *ops;
	const struct exchange_events *events;
	void *ctx;
	struct http *http;	/* the connection that it is on */
	void *visitor;		/* of the connection's owner at the server, from http_events.request to over */
	struct exchange *inner;	/* the one that this one is around; NULL: it is the connection's own */
	size_t overhead;	/* bytes that each portion of a body is longer by on the wire */
};

/* A place for at least want (<= EXCHANGE_ROOM_MAX) body bytes; NULL while earlier output has
 * not been written yet, then writable comes. *cap >= want. */
static inline uint8_t *exchange_room(struct exchange *x, size_t want, size_t *cap) { return x->ops->room(x, want, cap); }
/* Sends the first n bytes of that place. 0 or a code; a code means that closed will follow. */
static inline int exchange_send(struct exchange *x, const struct exchange_head *h, size_t n, bool end)
{
	return x->ops->send(x, h, n, end);
}
/* What a portion is filled up to, so that it has pad bytes on the wire. */
static inline uint32_t exchange_pad(const struct exchange *x, uint32_t pad)
{
	return pad > x->overhead ? pad - (uint32_t)x->overhead : 0;
}
static inline void exchange_pause(struct exchange *x, bool on) { x->ops->pause(x, on); }
static inline void exchange_sparse(struct exchange *x, bool on)
{
	if (x->ops->sparse)
		x->ops->sparse(x, on);
}
static inline void exchange_rest(struct exchange *x)
{
	if (x->ops->rest)
		x->ops->rest(x);
}
static inline void exchange_abort(struct exchange *x) { x->ops->abort(x); }

#endif
