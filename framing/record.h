/*
 * Record: the capsules that a carrier flushes at once, in one RECORD capsule
 * (PROTOCOL.md section 4). The builder writes one into a caller's buffer; the
 * reader takes body bytes in any portions and hands out capsules in place
 * where they lie whole in the portion, from its own buffer where they do not.
 */
#ifndef FRAMING_RECORD_H
#define FRAMING_RECORD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "framing/cursor.h"

#define RECORD_HEAD_MAX 17	/* type 1, length 4, number 8, clock 4 */

/* Building. begin leaves room for the header, the caller writes capsules to w,
 * finish fills the header in. */
struct record_builder {
	struct writer w;
	uint8_t *start;
	size_t head;		/* bytes of type, length and number and clock */
};

/* cap > RECORD_HEAD_MAX; at most CAPSULE_TOP_MAX bytes of it are used. */
void record_begin(struct record_builder *, uint8_t *buf, size_t cap, uint64_t number, uint32_t clock_ms);
/* Bytes of the whole RECORD capsule from buf on. */
size_t record_finish(struct record_builder *);

/* Reading. Each callback returns 0, or a negative code that ends the reading. */
struct record_events {
	int (*begin)(void *ctx, uint64_t number, uint32_t clock_ms);
	/* A complete capsule; value lies there only during the call. */
	int (*capsule)(void *ctx, uint64_t type, struct span value);
	int (*end)(void *ctx);	/* every byte of the record was handed out */
};

struct record_reader {
	const struct record_events *events;
	void *ctx;
	uint8_t *buf;		/* an incomplete capsule or header; NULL until one is seen */
	size_t len, cap;
	size_t skip;		/* bytes of a PAD or unknown top-level capsule still to skip */
	size_t left;		/* bytes of the open record not yet handed out */
	bool in_record;
	bool strict;		/* the first top-level capsule must be RECORD or PAD */
	bool begun;		/* a RECORD or PAD was seen */
};

void record_reader_init(struct record_reader *, const struct record_events *, void *ctx, bool strict);
void record_reader_fini(struct record_reader *);
/* Takes n bytes: 0, ERROR_MALFORMED (ERROR_HTTP when strict and the first
 * capsule is none of ours), or what a callback returned. */
int record_reader_feed(struct record_reader *, const uint8_t *p, size_t n);
/* True when the bytes so far end between top-level capsules. */
bool record_reader_whole(const struct record_reader *);

#endif
