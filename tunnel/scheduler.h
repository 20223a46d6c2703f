/*
 * Scheduler: the datagrams of a session that wait to be sent, by class, and which
 * of them goes next. Pure: told the time, drops by deadline (oldest first), whole
 * video frames, and at the cap of its memory; shares out by weight, so that nothing
 * starves, and within a class packet by packet among the channels. No allocation.
 */
#ifndef TUNNEL_SCHEDULER_H
#define TUNNEL_SCHEDULER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "framing/packet.h"
#include "framing/traffic.h"
#include "tunnel/list.h"

enum scheduler_reason {
	SCHEDULER_FULL,		/* the queue is at its cap */
	SCHEDULER_DEADLINE,	/* waited past its deadline, or too long for its frame to be begun */
	SCHEDULER_FRAME,	/* a part of its video frame was dropped: it can no longer help */
	SCHEDULER_REASONS,
};

/* Sets of classes. */
#define SCHEDULER_CLASS(c) (1U << (c))
#define SCHEDULER_URGENT (SCHEDULER_CLASS(TRAFFIC_CONTROL) | SCHEDULER_CLASS(TRAFFIC_AUDIO))
#define SCHEDULER_ALL ((1U << TRAFFIC_CLASSES) - 1)

#define SCHEDULER_FRAMES 8	/* video frames that a flow remembers */

struct scheduler;

struct scheduler_frame {
	uint32_t ssrc, timestamp;
	int64_t until_us;	/* not remembered any more after that */
};

/* The datagrams of one channel that wait. Memory of the channel. */
struct scheduler_flow {
	struct scheduler *scheduler;
	void *ctx;		/* given to dropped */
	struct packet_queue queue[TRAFFIC_CLASSES];
	struct link ready[TRAFFIC_CLASSES];	/* in scheduler->ready */
	struct scheduler_frame begun[SCHEDULER_FRAMES];	/* a part went; one of each SSRC */
	struct scheduler_frame spoilt[SCHEDULER_FRAMES];	/* a part was dropped */
	unsigned next_begun, next_spoilt;
	int64_t spoilt_until_us;	/* of the last of them */
};

struct scheduler_class {
	struct link ready;	/* flows with packets of the class, in turn */
	struct packet *oldest, *newest;	/* all that wait, in the order in which they came */
	struct scheduler_flow *most;	/* has about the most bytes; may be empty by now */
	uint64_t taken, dropped[SCHEDULER_REASONS];
	size_t packets, bytes;	/* waiting */
	int64_t delay_us;	/* smoothed time that packets waited which were taken */
};

struct scheduler {
	struct scheduler_class class[TRAFFIC_CLASSES];
	size_t packets, bytes, max_packets, max_bytes;
	int64_t ahead_us;	/* what goes now waits so long on the path; the owner's to set. Takes half of a packet's time at most */
	int64_t expired_us;	/* when it was looked last for what is past its deadline */
	unsigned waiting;	/* set of classes */
	unsigned asked;		/* those that the last scheduler_next was about */
	int64_t lead;		/* octets that control is ahead of audio while both wait */
	int64_t owed, owed_bulk; /* octets of control and audio that went past video and bulk; of video past bulk */
	/* A packet is dropped: called before it is put back. */
	void (*dropped)(void *ctx, const struct packet *, enum scheduler_reason);
};

void scheduler_init(struct scheduler *, size_t max_packets, size_t max_bytes,
		    void (*dropped)(void *ctx, const struct packet *, enum scheduler_reason));
void scheduler_flow_init(struct scheduler_flow *, struct scheduler *, void *ctx);
/* Puts back what waits, without a word. The flow can be used again. */
void scheduler_flow_fini(struct scheduler_flow *);
size_t scheduler_flow_bytes(const struct scheduler_flow *);

/* Takes a packet whose mark, born_us and deadline_us are set. Drops what is past its deadline, of any flow. At the cap the oldest
 * of the least class that has more than its part of the room goes, which may be this one. */
void scheduler_add(struct scheduler_flow *, struct packet *, int64_t now_us);
/* The packet that goes next of these classes, still in its queue; NULL: none. Drops what is past its deadline. *flow: whose
 * it is. The same until scheduler_take, scheduler_add or another time. */
struct packet *scheduler_next(struct scheduler *, unsigned classes, int64_t now_us, struct scheduler_flow **flow);
/* It, as scheduler_next gave it, goes: unlinked, the caller's from now on. */
void scheduler_take(struct scheduler *, struct scheduler_flow *, struct packet *, int64_t now_us);
/* Drops what is past its deadline. */
void scheduler_expire(struct scheduler *, int64_t now_us);
/* Something of these classes waits. May be true for packets that are past their deadline. */
bool scheduler_has(const struct scheduler *, unsigned classes);
/* Payload bytes of the longest packet that may be next of these classes; 0: none waits. */
size_t scheduler_want(const struct scheduler *, unsigned classes);
/* When the oldest packet of these classes was born; INT64_MAX: none waits. */
int64_t scheduler_oldest_us(const struct scheduler *, unsigned classes);

#endif
