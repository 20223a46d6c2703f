/* What the files of the relay share: relay.c (connections), relay_way.c (exchanges on one), relay_flow.c (one message),
 * relay_dress.c (what it wants of each request). */
#ifndef TESTS_SIM_RELAY_INTERNAL_H
#define TESTS_SIM_RELAY_INTERNAL_H

#include "framing/http1.h"
#include "tests/sim/relay.h"
#include "tunnel/list.h"

#define RELAY_TRICKLE (10 * LOOP_SECOND)
#define RELAY_KEPT 131072	/* bytes of a message that are kept for a replay */

struct bytes {
	uint8_t *p;
	size_t n, cap, sent;
};

void bytes_add(struct bytes *, const void *p, size_t n);
void bytes_drop(struct bytes *, size_t n);	/* from the front */
void bytes_clear(struct bytes *);
/* Writes what is there: 0, or a code; ERROR_AGAIN: not all. */
int bytes_flush(struct bytes *, struct stream *);

/* A request or an answer on its way through. */
struct flow {
	bool up;
	bool headed, ended;	/* head, end came */
	bool begun, done;	/* head, end went on */
	bool free, damaged, to_damage;
	bool raw;		/* of another protocol, or asks for it */
	bool chunked, until_close; /* as it goes on */
	bool came_chunked;
	int64_t length;		/* announced; -1: none */
	uint64_t came, passed;
	int64_t next_us;	/* trickle: the next byte; 0: none yet */
	struct bytes head, body; /* lines without framing; what came and did not go on */
};

void flow_reset(struct flow *, bool up);
void flow_head(struct flow *, const struct http1_head *, const struct relay_behaviour *);
void flow_body(struct flow *, const uint8_t *p, size_t n);
/* Moves what may pass into out. */
void flow_move(struct flow *, const struct relay_behaviour *, int64_t now, bool keep, struct bytes *out);

/* One connection of the helper, one exchange at a time. */
struct way {
	struct link link;
	struct relay *relay;
	struct stream *near;		/* the helper's end, to see whether it was closed */
	struct stream *client, *server;	/* ours; server: NULL between exchanges */
	struct http1 *requests, *answers;
	struct bytes to_client, to_server, early; /* early: came while muted */
	struct bytes request, answer;	/* what went on, for repeats and replays */
	struct flow up, down;
	const char *own;		/* to be answered by the relay itself, */
	bool own_keeps;			/* and the connection stays */
	char refusal[160];
	bool muted, crowded, busy, keep, closing, lost;
	bool raw;			/* another protocol is spoken */
	bool asked, page, replay, repeat;	/* of the exchange; asked: the server is, or was */
	int64_t born, heard_up, heard_down, server_at;
	uint64_t bytes_up, bytes_down;
	struct timer timer;
};

/* A repeated request, whose answer nobody reads. */
struct echo {
	struct link link;
	struct relay *relay;
	struct stream *stream;
	struct bytes out;
	struct timer timer;
};

struct waiting {	/* a dial */
	struct link link;
	struct relay *relay;
	struct timer timer;
	bool late;		/* waits for a place */
	void (*done)(void *, struct stream *, int, const char *);
	void *ctx;
};

struct relay {
	struct loop *loop;
	struct relay_options o;
	struct relay_behaviour b;
	struct pool_dialler dialler;
	struct link ways, echoes, dials;
	void (*accept)(void *, struct stream *);
	void *ctx;
	struct bytes stored;	/* the newest complete answer */
	struct later places;	/* looks who may have a free place */
	unsigned nonce, nonce_used;	/* the word of today; how often */
	unsigned nonce_known;		/* to the helper */
	struct relay_counts counts;
};

struct stream *relay_server(struct relay *);	/* our end of a new connection to the server */
void relay_echo(struct relay *, const struct bytes *);
/* NULL: it wants nothing. */
struct dress *relay_dress_new(struct relay *);
/* Whether a request may pass; else the head of its refusal is written. */
bool relay_authorized(struct relay *, const struct http1_head *, char *refusal, size_t size);
struct stream *way_new(struct relay *, bool muted);	/* returns the helper's end */
void way_unmute(struct way *);
void way_pump(struct way *);	/* after the behaviour changed */
void way_cut(struct way *);
void way_free(struct way *);

#endif
