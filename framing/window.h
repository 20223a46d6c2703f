/*
 * Window: which of the numbers seen so far were seen, exact for the newest
 * WINDOW_SPAN of them; everything older counts as seen. Used for record
 * numbers, datagram sequences and channel ids.
 */
#ifndef FRAMING_WINDOW_H
#define FRAMING_WINDOW_H

#include <stdbool.h>
#include <stdint.h>

#define WINDOW_SPAN 4096

struct window {
	uint64_t next;		/* one above the largest number seen, 0: none */
	uint64_t bits[WINDOW_SPAN / 64];
};

void window_init(struct window *);
bool window_seen(const struct window *, uint64_t n);
/* Marks n. False when it had been seen (or is too old to tell). */
bool window_mark(struct window *, uint64_t n);

/* The full number that ends in the given low bits (8, 16, 24 or 32 of them) and
 * lies closest to next (RFC 9000 appendix A.3). */
uint64_t window_expand(uint64_t next, uint64_t truncated, unsigned bits);

#endif
