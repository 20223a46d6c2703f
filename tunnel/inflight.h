/*
 * In flight: how many bytes of a session may be sent and not receipted yet, in one
 * direction, over all its carriers together, for they share one bottleneck. By
 * delay: the bound follows what is delivered within the least round trip plus a
 * small standing queue, so that neither the kernel nor a proxy's megabyte of buffer
 * fills and what waits, waits here, where it can still be dropped. Pure.
 *
 * One late sample is a lost segment; a queue delays all of them: the standing
 * queue is taken from the least round trip of the last moments.
 */
#ifndef TUNNEL_INFLIGHT_H
#define TUNNEL_INFLIGHT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define INFLIGHT_BUCKETS 6

struct inflight {
	size_t bytes;		/* sent, not settled */
	size_t bound;		/* for streams */
	int64_t base_us;	/* least round trip of the last minute; 0: no sample */
	int64_t queue_us;	/* least of the last moments above that */
	uint64_t rate;		/* bytes/s that arrive, the most of the last moments; 0: not known */
	/* the rest is inflight.c's own */
	int64_t least_us[INFLIGHT_BUCKETS], bucket_us;
	unsigned bucket;
	int64_t round_us, round_least_us, round_end_us;
	uint64_t delivered, round_delivered;
	size_t round_most;	/* most bytes in flight in this round */
	bool limited, starting;	/* limited: the bound held something back in this round */
};

enum inflight_level {
	INFLIGHT_STREAM,	/* up to the bound */
	INFLIGHT_VIDEO,		/* and half as much again */
	INFLIGHT_URGENT,	/* twice the bound: control and audio */
};

void inflight_init(struct inflight *, int64_t now_us);
void inflight_sent(struct inflight *, size_t bytes);
/* Bytes receipted (rtt_us > 0: a sample of the round trip), or found lost (rtt_us 0). */
void inflight_settled(struct inflight *, size_t bytes, int64_t rtt_us, int64_t now_us);
/* Bytes that may be sent now; 0: wait for receipts, which is noted: the bound limits. */
size_t inflight_room(struct inflight *, enum inflight_level, int64_t now_us);
/* The path is another one: begins anew. */
void inflight_reset(struct inflight *, int64_t now_us);

#endif
