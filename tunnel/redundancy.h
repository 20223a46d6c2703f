/*
 * Redundancy: urgent packets that were sent are kept for a moment, so that each can be
 * sent a second time over another fate (the connection that a record shares its luck
 * with): riding in a later record, alone when none comes soon, and once more when all
 * records that it went in are overdue. Says when that is worth its price: at the
 * beginning of a call, and while losses or stalls are seen, for 30 s behind the last.
 * Pure: the outbox asks and writes. Why so: DESIGN.md, "The real-time engine".
 */
#ifndef TUNNEL_REDUNDANCY_H
#define TUNNEL_REDUNDANCY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "framing/message.h"
#include "framing/packet.h"

#define REDUNDANCY_KEPT 256	/* packets, at most: the newest */
#define REDUNDANCY_COPIES 4	/* of one packet, the first included */

/* A packet that was sent. */
struct kept {
	struct packet *packet;	/* NULL: it arrived, or is of no use any more */
	uint64_t channel;
	uint64_t fate[REDUNDANCY_COPIES]; /* of its copies, in their order */
	int64_t sent_us;	/* the first one */
	uint8_t copies, overdue; /* overdue: how many of their records are */
	bool always;		/* by configuration */
};

enum redundancy_state {
	REDUNDANCY_CLEAN,
	REDUNDANCY_BEGINNING,	/* of a call: it is not known yet */
	REDUNDANCY_LOSSY,	/* losses or stalls were seen */
};

enum redundancy_full {
	REDUNDANCY_ROOM,
	REDUNDANCY_FULL,	/* no second copies; hedges, which are few, may go */
	REDUNDANCY_JAMMED,	/* no hedges either */
};

struct redundancy {
	struct kept *ring;	/* REDUNDANCY_KEPT; NULL: nothing was ever kept */
	uint64_t first, next;	/* numbers of the packets kept: [first, next) */
	uint64_t unsent;	/* none below this number waits for its second copy */
	unsigned overdue;	/* packets that wait to be hedged */
	int64_t media_us, began_us; /* newest urgent packet; the first one behind a pause */
	int64_t evidence_us, suspect_us; /* the newest evidence that counts; a single event before it */
	int64_t since_us;	/* of the state, but for CLEAN */
	enum redundancy_state state;
	int64_t use_us;		/* the newest packet, either way, that may go twice; 0: there was none */
	int64_t waited_us;	/* when others than urgent packets last waited; 0: never */
	bool waited;		/* a moment ago: the ends of video frames go once */
	bool far;		/* every second packet has a third copy */
	bool guarded, jammed;	/* no second copies, no hedges: the path is full */
	bool pressed;		/* some channel wants it always, and sent something in the last 10 s, */
	int64_t pressed_us;	/* the newest at this time */
	bool crowded;		/* so many urgent packets, both ways, that no more are sent than must be */
	unsigned crowd;		/* of them since crowd_us */
	int64_t crowd_us;
	unsigned control;	/* packets of it since control_us */
	int64_t control_us;
	int64_t tokens;		/* hedges that may be sent, in tenths */
	uint64_t packets, bytes, copies, copy_bytes, hedges, hedges_held, evidence;
};

void redundancy_init(struct redundancy *);
void redundancy_fini(struct redundancy *);	/* puts back what is kept */

/* ---- what is seen ---- */

/* A packet that is no bulk is to be sent, or came: the call goes on. Control alone is no call unless much of it comes together. */
void redundancy_media(struct redundancy *, enum traffic, int64_t now_us);
/* A record came, or its receipt, so much later than usual that something was lost or stalled. Those within 100 ms are one event; two
 * within 10 s count, or one while it is on. */
void redundancy_evidence(struct redundancy *, int64_t now_us);
/* Once in each turn that sends. full: there is a queue on the path, or urgent packets wait here; waiting: others do. */
void redundancy_update(struct redundancy *, enum redundancy_full full, bool waiting, int64_t now_us);
/* The round trip is so long that a hedge comes too late: every second packet goes three times. */
void redundancy_far(struct redundancy *, bool far);
bool redundancy_is_far(const struct redundancy *);
/* The round trip is so short that TCP repairs a loss in time: no copies because a call begins. */
void redundancy_begun(struct redundancy *);
bool redundancy_is_on(const struct redundancy *);
bool redundancy_has_use(const struct redundancy *, int64_t now_us); /* packets that may go twice went or came within the last 10 s */
void redundancy_useful(struct redundancy *, int64_t now_us);	/* ... one came */
bool redundancy_has_media(const struct redundancy *, int64_t now_us); /* within the last 10 s */
bool redundancy_holds(const struct redundancy *);	/* packets are kept */
int64_t redundancy_pause_us(const struct redundancy *);	/* when there will have been no media for that long */
/* When the state may change by itself; INT64_MAX: it does not. */
int64_t redundancy_until_us(const struct redundancy *);
/* A sentence's part: "the path is clean" ... */
const char *redundancy_why(const struct redundancy *);

/* ---- what is sent ---- */

/* Is a packet that is being sent to be kept? Its number will be redundancy_next_number. */
bool redundancy_wants(const struct redundancy *, const struct packet *, enum message_redundancy);
uint64_t redundancy_next_number(const struct redundancy *);
/* It was put into a record; taken over. */
void redundancy_keep(struct redundancy *, struct packet *, uint64_t channel, enum message_redundancy, uint64_t fate,
		     int64_t now_us);
/* A packet of which a copy should go over this fate now, in a record that goes in any case or for its sake; NULL: none. */
struct kept *redundancy_find(struct redundancy *, uint64_t fate, int64_t now_us);
uint64_t redundancy_number(const struct redundancy *, const struct kept *);
/* A copy of it was put into a record. */
void redundancy_sent(struct redundancy *, struct kept *, uint64_t fate);
/* A copy is worth a record of its own, on any fate but those that it had. */
bool redundancy_is_due(struct redundancy *, int64_t now_us);
/* When that will be; INT64_MAX: nothing waits. */
int64_t redundancy_due_us(struct redundancy *, int64_t now_us);

/* ---- what becomes of it ---- */

void redundancy_arrived(struct redundancy *, uint64_t number);
/* A record that it went in is overdue. */
void redundancy_overdue(struct redundancy *, uint64_t number);
/* The channel is gone. */
void redundancy_forget(struct redundancy *, uint64_t channel);

#endif
