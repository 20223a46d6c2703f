/*
 * The real-time engine in its world: helper and server with everything that decides which packet
 * goes when and where (sessions, ladder, companions of a carrier, pool), over the lossy network.
 */
#ifndef TESTS_SIM_ENGINE_H
#define TESTS_SIM_ENGINE_H

#include "client/ladder.h"
#include "tests/sim/lossy.h"
#include "tests/sim/media.h"
#include "tests/sim/splice.h"
#include "tests/sim/world.h"

#define ENGINE_PARTIES 2

/* What takes connections from the link and has its own over the network behind it; ctx is what it returns. */
struct engine_between {
	void *(*begin)(struct loop *, struct lossy *behind, void (*accept)(void *, struct stream *), void *accept_ctx);
	void (*accept)(void *ctx, struct stream *);
	void (*end)(void *ctx);
};

struct engine_options {
	struct lossy_options link;
	bool proxied;		/* through a proxy, and behind it: */
	struct lossy_options behind;
	const struct engine_between *between; /* instead of the proxy; the network behind it speaks HTTP/2 */
	unsigned carriers;	/* the most that a session has; 0: 8 */
	const char *rung;	/* NULL: duplex; "": the ladder looks for it */
	uint64_t seed;		/* 0: 1 */
};

/* A helper: its session, its connections. */
struct engine_party {
	struct engine *engine;
	struct session *session;
	struct pool *pool;
	struct verdict verdict;
	struct ladder_config config;
	struct ladder *ladder;
	unsigned wanted, most;	/* carriers: as the session said last, the most that there were */
	bool ended;
};

struct engine {
	struct world *w;
	struct lossy *lossy, *behind;
	struct splice *proxy;
	void *between;
	struct engine_options o;
	struct engine_party party[ENGINE_PARTIES];
	unsigned parties;
};

/* With one party, connected. */
struct engine *engine_new(const struct engine_options *);
void engine_free(struct engine *);
struct engine_party *engine_add(struct engine *);
void engine_run(struct engine *, int64_t us);
int64_t engine_now(const struct engine *);
unsigned engine_carriers(const struct engine_party *);	/* that are proven */
/* Of both ends: what waits, in packets and bytes. */
void engine_waiting(const struct engine *, uint64_t *packets, uint64_t *bytes);
struct session *engine_server(const struct engine *, unsigned i);
/* Of one end: what it says of second copies. */
void engine_redundancy(struct session *, struct redundancy_stats *);
/* Bytes on the wire since the beginning, before a proxy. */
uint64_t engine_bytes(const struct engine *);

/* Calls of a minute, counted from the first packet, over several seeds, in two ways: */
struct engine_case {
	struct lossy_way way;	/* both */
	struct lossy_way behind; /* a proxy; without delay: there is none */
	unsigned calls;		/* 0: 1 */
	struct media_options media;
	enum lossy_congestion congestion;
	bool untuned;
	const char *rung;	/* NULL: duplex */
	struct lossy_way then;	/* from the middle on */
	bool changes;
};
struct engine_result {
	struct tally up, down;	/* of the second half, if it changes */
	double kilobytes;	/* on the wire, of a run */
	unsigned carriers;	/* the most */
	struct redundancy_stats redundancy; /* of the helper, at the end of the last run */
};
/* single: one carrier and no second copies. */
void engine_measure(struct engine_result *, const struct engine_case *, bool single, unsigned seeds);
void engine_tell(const char *name, struct engine_result *, int64_t base_us);
void engine_result_fini(struct engine_result *);
/* Of the worse direction: later than that, %; percentile, ms. */
double engine_late(const struct engine_result *, int64_t us);
double engine_percentile(struct engine_result *, double p);

#endif
