/*
 * Both sides of a relay for its tests: the real HTTP engines, bodies sent in pieces, and when
 * each piece came.
 */
#ifndef TESTS_SIM_RELAY_RIG_H
#define TESTS_SIM_RELAY_RIG_H

#include "tests/sim/relay.h"
#include "tunnel/h1.h"

#define PIECES 64
#define CALLS 8
#define DELAY (10 * LOOP_MS)

/* A body as it is sent: pieces of `size` bytes, one each `gap`. */
struct script {
	bool streamed;
	unsigned pieces;
	size_t size;
	int64_t gap_us;
};

struct arrivals {
	unsigned n;
	int64_t at[PIECES * 4];
	size_t total[PIECES * 4];	/* bytes until then */
	uint8_t last;			/* of the first portion */
	int64_t end_at;			/* -1: not yet */
};

struct rig;

/* One side's sending of a script on an exchange. */
struct sender {
	struct rig *rig;
	struct exchange *x;
	struct script script;
	struct exchange_head head;
	unsigned sent;
	struct timer timer;
};

struct seat {			/* an exchange at the server */
	struct rig *rig;
	struct sender out;
	struct arrivals *in;
};

struct call {			/* an exchange of the helper, with its own connection */
	struct rig *rig;
	struct http *http;
	struct sender out;
	struct arrivals in;
	int status, minor, error;
	bool keep, dialled, refused, closed, idle, connection_over;
	int64_t over_at;
};

struct rig {
	struct loop *loop;
	struct relay *relay;
	struct relay_behaviour b;
	struct script up, answer;
	bool early;			/* the answer begins at once */
	int64_t hold_us;		/* silence in front of it */
	const char *type;
	struct arrivals got[CALLS];	/* at the server, in order of requests */
	int got_minor[CALLS];
	int64_t got_length[CALLS];
	struct seat seat[CALLS];
	unsigned requests;
	struct call call[CALLS];
	unsigned n_servers;
};

/* When the n-th byte was there; -1: not yet. */
int64_t arrivals_when(const struct arrivals *a, size_t n);
size_t arrivals_total(const struct arrivals *a);
/* One more exchange on the connection of this call. */
void rig_call_again(struct call *c);
struct call *rig_call(struct rig *r, unsigned i);
struct rig *rig_new(void);
void rig_free(struct rig *r);
void rig_run(struct rig *r, int64_t us);
/* Sets the behaviour and runs call 0 for that long. */
struct call *rig_run_one(struct rig *r, int64_t us);
/* The pieces came by themselves, each a gap behind the one before. */
bool arrivals_prompt(const struct arrivals *a, const struct script *s);
bool arrivals_whole(const struct arrivals *a, const struct script *s);

#endif
