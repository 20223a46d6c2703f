/* What the files of the lossy network share: lossy.c (link and dialling), lossy_tcp.c (sending), lossy_stream.c (an end
 * as a stream, and receiving). */
#ifndef TESTS_SIM_LOSSY_INTERNAL_H
#define TESTS_SIM_LOSSY_INTERNAL_H

#include "tests/sim/lossy.h"
#include "tunnel/list.h"

#define SEGMENT_MAX 1400
#define HEADERS 52		/* IPv4, TCP with time stamps */
#define RECORD_EXTRA 22		/* of TLS 1.3, for each write */
#define SACKED_WORDS 4		/* of 64 segments each behind the cumulative acknowledgement */
#define NEVER INT64_MAX

struct segment {
	size_t len, extra;
	bool fin;
	bool arrived;		/* known to the receiver */
	bool sacked, lost, retransmitted; /* known to the sender */
	int64_t sent_us;	/* last */
	uint64_t delivered;	/* by the sender, when it was sent */
	int64_t delivered_us;
	bool idle;		/* sent when the application had nothing more */
	uint8_t bytes[SEGMENT_MAX];
};

/* What an acknowledgement tells. */
struct acked {
	uint64_t next;		/* segments below it are there */
	uint64_t map[SACKED_WORDS]; /* and these from it on */
};

/* A packet on the link. */
struct transit {
	struct transit *next;
	struct lossy_end *to;	/* NULL: it is gone */
	int64_t leave_us, arrive_us;
	size_t size;
	bool data;
	uint64_t segment;
	struct acked acked;
};

enum tcp_state { TCP_OPEN, TCP_RECOVERY, TCP_LOSS };

struct tcp_rate {		/* BBR's estimate */
	double best[2], round_best;	/* segments per us: of earlier rounds, of this one */
	uint64_t round_end;	/* in delivered */
	unsigned rounds, flat;	/* flat: rounds without growth */
	double before;
	bool full;
};

struct lossy_end {
	struct stream base;
	struct lossy_pair *pair;
	int side;		/* also the direction that it sends in */
	struct timer wake;
	bool want_read, want_write, closed, finished;
	int64_t reset_us;	/* when it learns that the other side is gone */
	uint64_t written;
	bool sparse;

	/* sending: segments by number, first <= una <= next <= end */
	struct segment **segment;
	size_t slots;
	uint64_t first, una, next, end;
	size_t unsent;		/* bytes in next..end */
	unsigned n_sacked, n_lost;
	enum tcp_state state;
	uint64_t recovery_end;
	double window, window_saved, threshold; /* segments */
	uint64_t delivered;
	int64_t delivered_us, advanced_us, sent_us; /* una rose; new data went */
	double srtt_us, var_us;
	int64_t min_rtt_us;
	int64_t rack_us, rack_rtt_us, reorder_us; /* reorder: when to look again, 0: not */
	uint64_t rack_number;
	unsigned backoff;
	bool probed;
	struct tcp_rate rate;
	struct timer timer;

	/* receiving: numbers of the peer's segments */
	uint64_t expected, reading;
	size_t read_pos, unread, unacked, largest;
	bool interactive;	/* answers carry acknowledgements: they can wait */
	struct timer ack;
};

struct lossy_pair {
	struct link link;
	struct lossy *lossy;
	struct lossy_end end[2];
	bool held, cut;
	struct transit *waiting, **waiting_last;
};

struct lossy_queue {		/* one direction */
	struct lossy_way way;
	uint64_t random;
	bool in_burst;
	int64_t burst_change_us;
	struct transit *first, **last;
	struct transit *leaving; /* the first that has not left */
	size_t waiting;		/* bytes that have not left */
	int64_t free_us, arrive_us;
	struct timer timer;
};

struct lossy {
	struct loop *loop;
	struct lossy_options o;
	struct lossy_queue queue[2];
	struct lossy_counts counts;
	struct link pairs, dials;
	struct pool_dialler dialler;
	void (*accept)(void *, struct stream *);
	void *ctx;
};

/* lossy.c: puts a packet on its way. */
void lossy_carry(struct lossy_end *from, bool data, uint64_t segment, size_t payload);
void lossy_forget(struct lossy_pair *); /* no packet of it arrives any more; unlinks it */

/* lossy_tcp.c */
void tcp_init(struct lossy_end *);
void tcp_output(struct lossy_end *);
void tcp_on_acked(struct lossy_end *, const struct acked *);

/* lossy_stream.c */
void end_init(struct lossy_end *, struct lossy_pair *, int side);
void end_on_data(struct lossy_end *, uint64_t segment);
void end_arm(struct lossy_end *);

static inline struct lossy_end *end_peer(const struct lossy_end *e)
{
	return &e->pair->end[!e->side];
}
static inline struct loop *end_loop(const struct lossy_end *e)
{
	return e->pair->lossy->loop;
}
static inline int64_t max_of(int64_t a, int64_t b) { return a > b ? a : b; }
static inline int64_t min_of(int64_t a, int64_t b) { return a < b ? a : b; }
static inline struct segment *end_segment(const struct lossy_end *e, uint64_t number)
{
	return e->segment[number - e->first];
}

#endif
