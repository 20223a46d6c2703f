/*
 * Carrier: one way of moving records of a session in both directions, made of
 * exchanges. The helper's carriers start exchanges by the up and down methods of
 * a rung; the server's carriers answer those that arrive.
 */
#ifndef TUNNEL_CARRIER_H
#define TUNNEL_CARRIER_H

#include <stdbool.h>
#include <stdint.h>

#include "framing/request.h"
#include "tunnel/exchange.h"
#include "tunnel/pool.h"
#include "tunnel/session.h"

struct carrier;

/* A rung: an up method and a down method, with their parameters. Best first. */
struct rung {
	const char *name;
	const struct method *up, *down;
	unsigned connections;	/* that it holds for good */
	uint32_t pad;		/* the server fills each flush up to that many bytes */
	bool event_stream;	/* content type of answers: text/event-stream */
	uint32_t fill;		/* PAD at the beginning of streamed request bodies */
	bool rest;		/* proven only when it was left alone for a while, and delivers then */
};
/* duplex, websocket, split, split+fill, push, push+sse, push+pad, poll; ends with name NULL */
extern const struct rung rungs[];
const struct rung *rung_find(const char *name);

/* ---- helper ---- */

/* How requests look; strings belong to the caller and outlive the carrier. */
struct carrier_path {
	const char *host;	/* Host header: name or name:port */
	const char *base;	/* "/culvert" */
	const char *user_agent;
	/* Writes the Authorization value for a request; returns its length. */
	size_t (*sign)(void *ctx, char *out, size_t cap, const char *method, const char *target);
	/* An answer was not from culvertd; date is its Date header as Unix time, 0 if none. True: the clock
	 * was corrected, try again. */
	bool (*clock)(void *ctx, int64_t date);
	void *ctx;
	uint32_t hold_ms;	/* of polls; 0: 20,000 */
	/* Must exchanges be sealed from now on? Sees to it that they will be. NULL: as `sealing` says. */
	bool (*must_seal)(void *ctx);
	bool sealing;		/* exchanges are sealed, */
	struct seal *seal;	/* with this one; NULL: there is none yet, and no exchange begins */
	uint32_t seal_number;	/* of that one in requests */
};

struct carrier_events {
	/* Marks came back in time: the carrier is good. */
	void (*proven)(void *ctx, struct carrier *);
	/* It does not work (any more); the callee ends with carrier_free. why is a sentence. A carrier whose marks
	 * do not come back in time fails with ERROR_TIMEOUT. */
	void (*failed)(void *ctx, struct carrier *, int error, const char *why);
	/* A proven carrier does not deliver: receipts are overdue, or records come far later than they did (true); it does
	 * again (false). It goes on in any case. May be NULL. */
	void (*stalled)(void *ctx, struct carrier *, bool);
};

/* Starts a carrier on connections of the pool, with HELLO. The session then sends on it when it is proven. NULL:
 * SESSION_CARRIERS_MAX reached. */
struct carrier *carrier_open(struct session *, const struct rung *, const struct carrier_path *, struct pool *,
			     const struct carrier_events *, void *ctx);
/* The same beside a proven carrier of this rung, on the same path, to share the work: no HELLO, and one mark is proof enough. NULL also
 * while the session is not open. */
struct carrier *carrier_open_beside(struct session *, const struct rung *, const struct carrier_path *, struct pool *,
				    const struct carrier_events *, void *ctx);
/* It need not be left alone to be proven: there is nothing else, or nothing is to depend on it for long. */
void carrier_trust_soon(struct carrier *);
/* Another has taken over: it starts nothing more and calls no event; what is under way may end for two round trips and 300 ms,
 * then it frees itself (the owner forgets it). What was not receipted is sent elsewhere. */
void carrier_retire(struct carrier *);
/* Its events go to somebody else from now on. */
void carrier_adopt(struct carrier *, const struct carrier_events *, void *ctx);
/* Asks for a sign of life on its streamed answer (carrier_stats.heard_us); it stalls when none comes. */
void carrier_ask(struct carrier *);
const struct rung *carrier_rung(const struct carrier *);
bool carrier_is_proven(const struct carrier *);

/* ---- server ---- */

/* The one seam between the front and the sessions: an authenticated exchange of this session, found by its sid.
 * Takes the exchange over; makes the carrier named in the request if it is new. head: of the request, for probes. */
void carrier_accept(struct session *, const struct request *, struct exchange *, const struct http1_head *head);
/* Answers an exchange that has no session: GONE or BYE with a code, and drops its request body. */
void carrier_answer(struct loop *, struct exchange *, uint64_t type, uint64_t code, const char *reason);

/* ---- both ---- */

/* Ends it in any state: what it had sent and was not receipted is sent elsewhere. */
void carrier_free(struct carrier *);

struct carrier_stats {
	uint32_t id;
	const char *rung;	/* "" at the server */
	bool proven, stalled;
	unsigned legs;
	uint32_t rtt_us, lateness_ms; /* smoothed round trip; lateness of the newest record */
	uint64_t records_out, records_in, records_lost, exchanges;
	bool media, streams;	/* what it takes at the moment */
	uint64_t in_flight, rate; /* bytes; bytes/s that arrive */
	uint32_t overdue_ms;	/* how long its oldest record is overdue; 0: none is */
	int64_t heard_us;	/* loop time at which anything last came on a leg that it has; 0: nothing did */
};
void carrier_stats(const struct carrier *, struct carrier_stats *);
unsigned session_carriers(const struct session *, struct carrier **out, unsigned max);

#endif
