/*
 * Arrivals: the records that came in on a carrier: which were seen, which are to be
 * receipted (PROTOCOL.md section 4.1), and how late they were (section 4.3).
 */
#ifndef TUNNEL_ARRIVALS_H
#define TUNNEL_ARRIVALS_H

#include <stdbool.h>
#include <stdint.h>

#include "framing/message.h"
#include "framing/ranges.h"
#include "framing/window.h"

#define ARRIVALS_BUCKETS 6	/* of 10 s each */

struct arrivals {
	struct window seen;
	struct ranges ranges;
	uint64_t stale;		/* ranges wholly below this are forgotten at the next tick */
	int64_t tick_us;
	int64_t newest_us;	/* arrival of the newest record */
	uint32_t newest_ms;	/* its lateness */
	int64_t owed_us;	/* since when a receipt is owed; 0: none */
	unsigned owed;		/* for how much, see arrivals_owe */
	uint8_t news;		/* receipts that are to tell what arrived */
	bool based;
	uint32_t base;		/* transit of the first record: others are taken relative to it */
	int32_t least[ARRIVALS_BUCKETS];
	int64_t bucket_us;	/* start of the current bucket */
	unsigned bucket;
	uint32_t latest_ms;	/* lateness of the newest record */
};

void arrivals_init(struct arrivals *, int64_t now_us);
bool arrivals_seen(const struct arrivals *, uint64_t number);
/* A record begins to arrive: its lateness in ms. */
uint32_t arrivals_lateness(struct arrivals *, uint32_t clock_ms, uint32_t now_ms, int64_t now_us);
/* A record arrived whole and is to be receipted. */
void arrivals_note(struct arrivals *, uint64_t number, int64_t now_us);
/* An accountable record arrived: a receipt is owed from now on; sooner when much is owed: weight 1 for a record, 2 for one by which
 * the peer learns how much the path carries, or that it has lost something. */
void arrivals_owe(struct arrivals *, unsigned weight, int64_t now_us);
/* When a receipt is reason enough for a record of its own; 0: none is owed. */
int64_t arrivals_due_us(const struct arrivals *);
/* What arrived is told twice from now on: receipts may be lost, too. */
void arrivals_again(struct arrivals *);
/* Fills the receipt to send; false when there is nothing to tell. */
bool arrivals_receipt(struct arrivals *, uint64_t carrier, int64_t now_us, struct message_receipt *);
/* That receipt was put into a record. */
void arrivals_told(struct arrivals *);

#endif
