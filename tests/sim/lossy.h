/*
 * A lossy network for simulations: TCP-like connections in memory that share one link, in
 * virtual time, repeatable. The link delays, loses, queues and stalls packets; each
 * connection repairs that as Linux does (RACK, tail loss probe, retransmission timeout,
 * delayed and selective acknowledgements), so that what is lost delays all that is behind
 * it on its connection. What the model costs and delays was compared with measurements:
 * test_sim_lossy.c, test_sim_lossy_shares.c. Not modelled: pacing, ECN, spurious retransmissions that are undone.
 */
#ifndef TESTS_SIM_LOSSY_H
#define TESTS_SIM_LOSSY_H

#include "tunnel/pool.h"

enum lossy_direction { LOSSY_UP, LOSSY_DOWN };	/* from who dials, and to it */
enum lossy_congestion { LOSSY_BBR, LOSSY_RENO };

/* One direction of the link. It may be changed at any time, for packets that come from then on. */
struct lossy_way {
	int64_t delay_us;
	int64_t jitter_us;	/* up to so much more; packets keep their order */
	uint64_t rate;		/* bytes/s; 0: any */
	size_t buffer;		/* bytes that may wait for the rate or the end of a stall; 0: any */
	double loss;		/* share of packets */
	double burst_begin, burst_end; /* Gilbert-Elliott, of each packet: all is lost from begin to end */
	int64_t burst_us, between_us; /* bursts in time: mean length and distance; 0: none */
	int64_t stall_from_us, stall_until_us; /* nothing leaves the queue, loop time */
};

struct lossy_options {
	struct lossy_way way[2];
	enum lossy_congestion congestion;
	size_t unsent;		/* bytes that a connection takes beyond those in flight (TCP_NOTSENT_LOWAT); 0: 16384 */
	bool http2;		/* what is spoken through it */
	bool untuned;		/* a kernel that cannot do what sparse asks for */
	uint64_t seed;
};

struct lossy_counts {
	struct {
		uint64_t bytes, packets; /* that came to the link, headers included */
		uint64_t lost, dropped; /* of these; dropped: the buffer was full */
		uint64_t retransmitted, timeouts; /* by senders of this direction */
		size_t most_waiting;	/* bytes in the queue */
	} way[2];
	unsigned dialled, open, peak;
};

struct lossy;

/* accept gets the server's end of each connection. */
struct lossy *lossy_new(struct loop *, const struct lossy_options *, void (*accept)(void *ctx, struct stream *), void *ctx);
/* After all streams are closed and nobody dials; their memory goes at the end of the turn. */
void lossy_free(struct lossy *);
const struct pool_dialler *lossy_dialler(struct lossy *);
struct lossy_way *lossy_way(struct lossy *, enum lossy_direction);
void lossy_counts(const struct lossy *, struct lossy_counts *);
/* Both ends of a new connection, without a handshake. */
void lossy_pair(struct lossy *, struct stream **near, struct stream **far);

/* The connections that stand, oldest first: what a stream is given for. */
unsigned lossy_streams(const struct lossy *, struct stream **near, unsigned max);
/* Nothing arrives on this connection until it is let go; then all that was held does. */
void lossy_hold(struct stream *near, bool on);
/* Cuts it: both ends get ERROR_RESET. */
void lossy_cut(struct stream *near);
uint64_t lossy_bytes(const struct stream *near);	/* written by both ends */
bool lossy_is_sparse(const struct stream *near);	/* its end sends as such */

#endif
