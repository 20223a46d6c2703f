/*
 * A proxy that understands HTTP, for simulations: it takes the helper's connection, opens one of
 * its own to the server for each exchange, and passes both bodies as they come, or does to
 * them what real proxies do. What it does can be changed while it runs.
 */
#ifndef TESTS_SIM_RELAY_H
#define TESTS_SIM_RELAY_H

#include "tests/lib/stream_mem.h"
#include "tunnel/pool.h"

/* What happens to the connection that is one too many. */
enum relay_over {
	RELAY_REFUSE,	/* the dial fails */
	RELAY_QUEUE,	/* the dial ends when another connection does, as when TLS is not answered before */
	RELAY_MUTE,	/* it is accepted, and read when another ends */
	RELAY_CROWD,	/* it is accepted, and its first request is answered 503; the helper must speak to the relay in its own way
			 * (nonce_uses) */
};

/* What becomes of an exchange that asks for another protocol. */
enum relay_upgrade {
	RELAY_FORGET,	/* the relay knows of none: the request goes on as an ordinary one */
	RELAY_PASS,	/* bytes both ways as they come, whatever is done to bodies */
	RELAY_LIE,	/* the server's 101 passes, and then nothing */
};

/* All zero: passes everything at once. Bytes are those of bodies. `each` n: every n-th exchange, 0: none. */
struct relay_behaviour {
	bool hold_up, hold_down;	/* a body passes when it is complete */
	size_t first_up, first_down;	/* ... when that many bytes of it came */
	size_t step_up, step_down;	/* ... in full blocks of that many bytes, the rest at its end */
	bool trickle_up, trickle_down;	/* ... one byte each 10 s, the rest at its end */
	const char *free_type;		/* answers of this content type pass untouched */
	bool half_duplex;		/* the answer waits for the request's end */
	bool refuse_chunked;		/* 411 */
	uint64_t body_limit;		/* longer request bodies: 413, and the end of the connection */
	bool one_exchange;		/* Connection: close behind each answer */
	bool http10;			/* both sides; chunked requests are refused unless they are held */
	unsigned max_connections;	/* 0: any number */
	enum relay_over over;
	/* Connections end; between exchanges in order, else by a reset. 0: never. */
	int64_t cut_age_us;
	uint64_t cut_bytes;		/* either direction */
	int64_t cut_idle_us;		/* silence of both directions at once */
	int64_t cut_idle_up_us, cut_idle_down_us; /* silence of the one */
	int64_t max_hold_us;		/* silence of the server: 504, or a reset within an answer */
	enum relay_upgrade upgrade;
	int64_t cut_upgraded_us;	/* silence of both directions at once, where another protocol is spoken */
	unsigned replay_each;		/* answered with the newest complete answer, the server is not asked */
	unsigned repeat_each;		/* the request goes to the server once more */
	unsigned page_each;		/* a page with status 200, the server is not asked */
	unsigned damage_up_each, damage_down_each; /* the last byte of the body's first portion is altered */
	/* Each request must name a word of the relay's, which is good for so many and then another one: 407 with the new word, on a
	 * connection that stays unless the request was chunked. 0: no such thing. Its dials give streams with a dress. */
	unsigned nonce_uses;
	bool dead;			/* nothing passes at all, new connections wait in vain */
};

struct relay_options {
	int64_t delay_us;	/* one way between helper and relay */
	int64_t dial_us;	/* time to get a connection */
};

struct relay_counts {
	unsigned open, peak;	/* connections that the helper has, those being opened included */
	unsigned made, refused, waited; /* waited: were one too many, with QUEUE and MUTE */
	unsigned exchanges;	/* begun */
	unsigned unauthorized;	/* answered 407 */
	unsigned cut;		/* in the middle of an exchange, by the relay's own doing */
};

struct relay;

/* accept gets the server's end of each connection. */
struct relay *relay_new(struct loop *, const struct relay_options *, void (*accept)(void *ctx, struct stream *), void *ctx);
void relay_free(struct relay *);
const struct pool_dialler *relay_dialler(struct relay *);
/* In force at once, for what is under way too. */
void relay_set(struct relay *, const struct relay_behaviour *);
void relay_counts(struct relay *, struct relay_counts *);
void relay_reset_peak(struct relay *);
/* Cuts every connection at once. */
void relay_cut(struct relay *);

#endif
