/*
 * A scripted HTTP proxy on streams in memory, for simulations: it stands between the
 * real HTTP engines of helper and server. PIPE passes bytes (a CONNECT tunnel); STORE
 * takes each exchange whole, forwards it, and can lose, repeat, delay, truncate or replay
 * it, or answer by itself.
 */
#ifndef TESTS_SIM_PROXY_H
#define TESTS_SIM_PROXY_H

#include "tests/lib/stream_mem.h"
#include "tunnel/pool.h"

enum proxy_kind { PROXY_PIPE, PROXY_STORE };

enum proxy_fault {
	FAULT_NONE,
	FAULT_LOSE_REQUEST,	/* the connection dies before the server hears */
	FAULT_LOSE_ANSWER,	/* ... after the server answered */
	FAULT_TWICE,		/* the request goes to the server twice; the second answer counts */
	FAULT_DELAY,		/* the exchange is passed by others */
	FAULT_TRUNCATE,		/* half of the answer, then the connection dies */
	FAULT_REPLAY,		/* the request comes to the server again a second later */
	FAULT_502,
	FAULT_HTML,		/* a page with status 200 */
	FAULT_EMPTY,		/* status 200 and nothing else */
	FAULT_COUNT,
};

struct proxy_options {
	enum proxy_kind kind;
	int64_t delay_us;		/* one way between helper and proxy (PIPE: server) */
	int64_t dial_us;		/* time to get a connection */
	unsigned max_connections;	/* more are refused; 0: any number */
	bool one_exchange;		/* STORE: closes behind each answer */
	bool http2;			/* PIPE: what is spoken through it */
	bool plain;			/* STORE: its streams say that they have no TLS to the server */
	enum proxy_fault (*fault)(void *ctx, unsigned exchange); /* STORE: what to do with it; NULL: nothing */
	/* PIPE: options of the n-th connection; NULL: no faults */
	void (*script)(void *ctx, unsigned connection, struct stream_mem_options *);
	void *ctx;
};

struct proxy;

/* accept gets the server's end of each connection. */
struct proxy *proxy_new(struct loop *, const struct proxy_options *, void (*accept)(void *ctx, struct stream *), void *ctx);
void proxy_free(struct proxy *);
const struct pool_dialler *proxy_dialler(struct proxy *);
/* Cuts every connection at once; STORE only (a PIPE is cut by its server end). */
void proxy_cut(struct proxy *);
unsigned proxy_connections(const struct proxy *);	/* made so far */
unsigned proxy_exchanges(const struct proxy *);		/* STORE: seen so far */

#endif
