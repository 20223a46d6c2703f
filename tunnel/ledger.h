/*
 * Ledger: the records that a carrier has sent and that were not receipted yet,
 * with the reliable capsules they carried (PROTOCOL.md section 4.2), and the
 * round trip learned from receipts. Two rings; no allocation in steady state.
 */
#ifndef TUNNEL_LEDGER_H
#define TUNNEL_LEDGER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "framing/message.h"

#define LEDGER_RECORDS_MAX 16384
#define LEDGER_ITEMS_MAX 65536
#define LEDGER_RECORD_ITEMS_MAX 256

/* A reliable capsule as it is remembered: enough to send its current state again. */
struct ledger_item {
	uint64_t channel;	/* 0: of the session */
	uint64_t offset;	/* STREAM, ACK; DATAGRAM: number of the packet that is kept (redundancy.h) */
	uint32_t len;		/* STREAM */
	uint8_t type;
	bool fin;
};

struct ledger_record {
	int64_t at_us;
	uint64_t leg;		/* number of the exchange it went out on */
	uint64_t item;		/* index of its first item */
	uint32_t bytes;		/* of an accountable record */
	uint16_t items, reliable; /* reliable: those of them that are sent again */
	bool done;		/* receipted, lost, or owes no receipt */
	bool watched;		/* see ledger_watch */
	uint32_t run;		/* so many from here on were in a receipt already; 0: not this one */
};

struct ledger_events {
	void (*lost)(void *ctx, const struct ledger_item *);
	void (*receipted)(void *ctx, const struct ledger_item *);
	/* A record's bytes are not in flight any more. rtt_us: its round trip; 0: receipted, and no sample; -1: found lost. */
	void (*settled)(void *ctx, size_t bytes, int64_t sent_us, int64_t rtt_us);
	/* A record was receipted so long after it was sent, the wait of the receipt included. */
	void (*turned)(void *ctx, int64_t turn_us);
};

struct ledger {
	const struct ledger_events *events;
	void *ctx;
	uint64_t first, next;	/* numbers of the records kept: [first, next) */
	struct ledger_record *record;
	size_t record_cap;
	uint64_t item_first, item_next;
	struct ledger_item *item;
	size_t item_cap;
	size_t open_items, open_reliable; /* items of the record being built */
	size_t bytes;		/* in flight: accountable, not settled */
	uint64_t overdue;	/* records below this number were told to be overdue */
	struct ledger_rate {
		int64_t since_us;
		uint64_t bytes, rate; /* receipted since then; bytes/s of the last full second */
	} rate;
	unsigned backoff;	/* probe time-outs in a row */
	uint64_t told;		/* one more than the highest number of a watched record that was receipted */
	int64_t waiting_us;	/* when the oldest watched one behind that was sent; 0: none */
	int64_t sent_us;	/* the newest watched one */
	int64_t srtt_us, rttvar_us, latest_us; /* srtt 0: no sample */
	uint64_t lost;		/* records found lost */
	uint64_t stream;	/* server: the exchange whose answer is streamed; */
	int64_t doubted_us;	/* a record was given up then, and none receipted since; 0: none was */
	bool stream_heard;	/* a record on it was receipted */
};

void ledger_init(struct ledger *, const struct ledger_events *, void *ctx);
void ledger_fini(struct ledger *);

/* False when a cap is reached: nothing may be sent until receipts come. */
bool ledger_ready(struct ledger *);
/* Remembers a reliable capsule of the record being built; false when the record is full. */
bool ledger_note(struct ledger *, const struct ledger_item *);
bool ledger_is_full(const struct ledger *);	/* ... it is */
/* The record with number `next` was sent on this exchange. */
void ledger_commit(struct ledger *, uint64_t leg, int64_t now_us, bool accountable, size_t bytes);
/* The receipt for the record just sent, an accountable one, tells whether the carrier delivers. */
void ledger_watch(struct ledger *);
/* The record being built was not sent. */
void ledger_cancel(struct ledger *);

/* A receipt came. ERROR_MALFORMED when it names a record never sent. */
int ledger_receipt(struct ledger *, const struct message_receipt *, int64_t now_us);
/* The exchange failed, or ended without its receipts: its records are lost. */
void ledger_leg_lost(struct ledger *, uint64_t leg);
void ledger_all_lost(struct ledger *);
/* When the next probe time-out is due; 0: nothing is outstanding. */
int64_t ledger_deadline(const struct ledger *);
/* When the oldest accountable record that waits for its receipt was sent; 0: none does. */
int64_t ledger_oldest_us(const struct ledger *);
/* Tells the datagrams of records sent before that time and not receipted, each once; returns how many records. */
unsigned ledger_tell_overdue(struct ledger *, int64_t before_us, void (*fn)(void *ctx, const struct ledger_item *), void *ctx);
/* When the oldest record not told to be overdue was sent; 0: there is none. */
int64_t ledger_next_overdue_us(const struct ledger *);
/* Receipts are overdue: no watched record was receipted for max(4 round trips, 600 ms), and one was sent in the last 3 s. */
bool ledger_is_stuck(const struct ledger *, int64_t now_us);
/* Declares the oldest records that are past it lost. */
void ledger_timeout(struct ledger *, int64_t now_us);

#endif
