/*
 * Packet: one datagram on its way through a process, with headroom in front so
 * that each layer writes its header leftwards, in place. Packets come from a
 * pool with a hard cap; a pool never allocates in steady state.
 */
#ifndef FRAMING_PACKET_H
#define FRAMING_PACKET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "framing/traffic.h"

#define PACKET_HEADROOM 64	/* bytes in front of the payload */
#define PACKET_SMALL 2048	/* payload bytes of the small size class */
#define PACKET_MAX 65535	/* payload bytes of the large size class */

struct packet_pool;
struct scheduler_flow;

struct packet {
	struct packet *next;	/* in a queue or in the pool */
	struct packet_pool *pool;
	uint8_t *data;		/* first byte in use */
	size_t len;		/* bytes in use */
	size_t cap;		/* payload bytes behind the headroom */
	int64_t born_us;	/* when it was received, loop time */
	int64_t deadline_us;	/* of no use to anybody after that, loop time */
	struct traffic_mark mark;
	uint8_t dscp;		/* 0..63, of the socket that it came from */
	uint8_t sequence_bits;	/* that tell the sequence */
	uint64_t sequence;	/* of its channel, from when it is first sent */
	struct scheduler_flow *flow;	/* where it waits, and its place among all that wait there */
	struct packet *older, *newer;
	uint8_t buf[];
};

struct packet_queue {
	struct packet *head, **tail;
	size_t count, bytes;
};

/* Makes a pool that hands out at most max_small + max_large packets at a time. */
struct packet_pool *packet_pool_new(size_t max_small, size_t max_large);
/* All packets must have been put back. NULL is fine. */
void packet_pool_free(struct packet_pool *);

/* A packet with room for at least cap payload bytes (at most PACKET_MAX), len 0
 * and data behind the headroom; NULL at the cap of the pool. */
struct packet *packet_get(struct packet_pool *, size_t cap);
/* Gives a packet back to its pool. NULL is fine. */
void packet_put(struct packet *);
/* Grows the packet by n bytes at its front; NULL when headroom is used up. */
uint8_t *packet_push(struct packet *, size_t n);

void packet_queue_init(struct packet_queue *);
void packet_queue_append(struct packet_queue *, struct packet *);
/* The oldest packet, unlinked, or NULL. */
struct packet *packet_queue_take(struct packet_queue *);
/* Puts back every packet. */
void packet_queue_clear(struct packet_queue *);

#endif
