/*
 * linkem: a network link in user space. It puts a TUN device into each of two
 * network namespaces and passes the IP packets between them with delay, jitter,
 * loss, a rate limit with a finite queue, duplication, reordering and blackouts,
 * each direction on its own. It needs /dev/net/tun and no kernel qdisc.
 *
 * One packet: read -> blackout? -> loss (random, then Gilbert-Elliott) -> queue
 * and serialisation at the rate -> + delay + jitter -> heap by due time -> write.
 */
#ifndef TESTS_TOOLS_LINKEM_H
#define TESTS_TOOLS_LINKEM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define LINKEM_MAX_BLACKOUTS 16

/* What one direction does to packets. Times in ns, probabilities 0..1. */
struct linkem_params {
	int64_t delay, jitter;
	bool jitter_normal;  /* jitter is sigma of a normal distribution; else uniform in +-jitter */
	bool jitter_reorder; /* jitter may let packets overtake */
	double loss;
	bool bursts; /* Gilbert-Elliott on top of loss */
	double good_to_bad, bad_to_good, loss_bad, loss_good;
	double rate;         /* bit/s, 0: no limit */
	int64_t queue_bytes; /* before the rate limit; -1: not by bytes */
	int64_t queue_ns;    /* the same by time; -1: not by time */
	double duplicate, reorder;
	int64_t reorder_by;
	struct { int64_t at, length; } blackout[LINKEM_MAX_BLACKOUTS]; /* since start */
	int blackouts;
};

/* ---- linkem_params.c ---- */
void linkem_params_init(struct linkem_params *);
/* Sets one by its option's name; false when there is none of that name. Dies on a bad value. */
bool linkem_params_set(struct linkem_params *, const char *key, const char *value);
/* "key=value,key=value"; lists within use ':'. */
void linkem_params_override(struct linkem_params *, const char *text);

/* ---- linkem_queue.c: packets waiting for their due time, a heap ---- */
struct linkem_packet {
	struct linkem_packet *next; /* in the free list */
	size_t size;
	uint8_t data[];
};

struct linkem_queue {
	struct linkem_item { int64_t due; uint64_t order; struct linkem_packet *packet; } *item;
	size_t count, room;
	uint64_t order;
};

/* Octets of every packet buffer; call once, first. */
void linkem_packet_setup(size_t size);
struct linkem_packet *linkem_packet_get(void);
struct linkem_packet *linkem_packet_copy(const struct linkem_packet *);
void linkem_packet_put(struct linkem_packet *);
/* Frees the buffers that are not in use. */
void linkem_packet_teardown(void);
/* Takes the packet over. Equal due times leave in order of arrival. */
void linkem_queue_push(struct linkem_queue *, int64_t due, struct linkem_packet *);
/* The earliest due time, or INT64_MAX. */
int64_t linkem_queue_due(const struct linkem_queue *);
struct linkem_packet *linkem_queue_pop(struct linkem_queue *);

/* ---- linkem_link.c: one direction ---- */
struct linkem_counters {
	uint64_t in_packets, in_bytes, out_packets, out_bytes;
	uint64_t lost, queue_drops, blackout_drops, write_errors, duplicated, reordered;
	uint64_t device_drops; /* by the kernel, before we could read */
	uint64_t timed;        /* packets that waited for a due time */
	int64_t late_sum, late_max; /* how much after it they left, ns */
};

struct linkem_link {
	struct linkem_params params;
	struct linkem_counters count;
	int in, out; /* TUN descriptors */
	int64_t start;
	uint64_t random; /* state of the generator */
	bool bad;        /* Gilbert-Elliott state */
	int64_t free_at; /* when the rate limiter has sent all it accepted */
	int64_t last_due;
	struct linkem_queue queue;
};

void linkem_link_init(struct linkem_link *, const struct linkem_params *, int in, int out, uint64_t seed, int64_t start);
void linkem_link_fini(struct linkem_link *);
/* Reads a batch; true where there may be more. */
bool linkem_link_read(struct linkem_link *);
/* Writes what is due; the next due time, or INT64_MAX. */
int64_t linkem_link_write(struct linkem_link *);

/* ---- linkem_end.c: namespaces and TUN devices ---- */
struct linkem_end {
	const char *ns, *device, *address; /* address as IP/BITS */
	bool made; /* the namespace is ours to remove */
	int fd;
};

/* Creates a missing namespace. */
void linkem_end_make_ns(struct linkem_end *);
void linkem_end_open(struct linkem_end *, int mtu);
/* Closes the device and removes the namespace if it was made here. */
void linkem_end_close(struct linkem_end *);
uint64_t linkem_end_drops(const struct linkem_end *);

#endif
