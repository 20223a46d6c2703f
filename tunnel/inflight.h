/*
 * In flight: how many bytes of a session may be sent and not receipted yet, in one
 * direction, over all its carriers together, for they share one bottleneck. By
 * delay: the bound is what fills the least round trip and a small standing queue
 * (25 ms, or half the least round trip up to 100 ms), so that neither the kernel
 * nor a proxy's megabyte of buffer fills and what waits, waits here, where it can
 * still be dropped. Pure.
 *
 * One late sample is a lost segment; a queue delays all of them: only the least
 * round trip of a while tells of one. Receipts come in batches; between two of them
 * the path is presumed to go on delivering, so that room opens evenly.
 */
#ifndef TUNNEL_INFLIGHT_H
#define TUNNEL_INFLIGHT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define INFLIGHT_BUCKETS 6	/* of 10 s each */
#define INFLIGHT_RATES 10	/* rounds that the rate is the most of */
#define INFLIGHT_FLOOR 2800	/* the bound is never less: two full packets */
#define INFLIGHT_CAP (16 << 20)	/* nor more */

/* The bound is made smaller for a moment, to see whether the queue is ours. */
enum inflight_trial {
	INFLIGHT_STEADY,	/* -> SHRINK, LOOK */
	INFLIGHT_SHRINK,	/* the queue is above the target -> STEADY */
	INFLIGHT_LOOK,		/* the least round trip was not seen for long -> STEADY */
};

struct inflight {
	size_t bytes;		/* sent, not settled */
	size_t bound;		/* for streams */
	int64_t base_us;	/* least round trip of the last minute; 0: no sample */
	int64_t queue_us;	/* least of the last moments above that */
	uint64_t rate;		/* bytes/s that arrive, the most of the last moments; 0: not known */
	int64_t limited_us;	/* when the bound last held something back; 0: never */
	/* the rest is inflight.c's own */
	int64_t least_us[INFLIGHT_BUCKETS], bucket_us; /* bucket_us: when the next one begins */
	unsigned bucket;
	int64_t recent_us[2], recent_end_us; /* least samples of this moment and the one before */
	int64_t heard_us, gap_us; /* the last batch of receipts, and how far they are apart */
	int64_t near_us;	/* when a round trip near the least was seen last */
	/* The round: it waits for the first sample of what was sent from since_us on, then measures. */
	int64_t since_us, first_us, least_round_us;
	uint64_t delivered;	/* since first_us */
	int64_t fresh;		/* bytes receipted that were sent from since_us on */
	unsigned samples, late, low; /* late, low: rounds in a row with too much queue and with next to none */
	uint64_t rates[INFLIGHT_RATES], pace; /* pace: presumed between receipts */
	unsigned rate_at;
	bool limited, starting;	/* limited: the bound held something back in this round */
	bool stale;		/* the round measures what was sent before since_us */
	enum inflight_trial trial;
	size_t saved;		/* the bound before the trial */
	uint64_t rate_before;
	int64_t queue_before, base_before, hold_us; /* hold_us: no trial before */
	unsigned doubts;	/* trials in a row that lowered the rate and not the delay */
};

enum inflight_level {
	INFLIGHT_STREAM,	/* up to the bound */
	INFLIGHT_VIDEO,		/* and a packet */
	INFLIGHT_URGENT,	/* twice the bound: control and audio */
};

void inflight_init(struct inflight *, int64_t now_us);
void inflight_sent(struct inflight *, size_t bytes);
/* A record is receipted that was sent at sent_us. rtt_us > 0: its round trip without the receipt's delay, known of the
 * newest record of a receipt only; 0: no sample. All of one loop turn with the same now_us. */
void inflight_receipted(struct inflight *, size_t bytes, int64_t sent_us, int64_t rtt_us, int64_t now_us);
/* A record is given up: it will not be waited for any more. */
void inflight_lost(struct inflight *, size_t bytes);
/* Bytes that the next record may have, about 5 ms of the path at most: asked again before each. 0: wait, which is noted: the
 * bound limits. */
size_t inflight_room(struct inflight *, enum inflight_level, int64_t now_us);
/* When there will be room without another receipt; INT64_MAX: only a receipt makes room. Whoever
 * has something to send needs a timer for it: in bursts behind receipts a short path is not filled. */
int64_t inflight_room_us(const struct inflight *, enum inflight_level, int64_t now_us);
/* The standing queue that is aimed at, us. */
int64_t inflight_target_us(const struct inflight *);
/* The path is another one: begins anew, but for the bytes that are still to be settled. */
void inflight_reset(struct inflight *, int64_t now_us);

#endif
