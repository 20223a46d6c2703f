/*
 * Ranges: a small sorted set of numbers kept as ranges [first, last], newest
 * kept when it is full. It is the body of a RECEIPT and the map of holes of a
 * stream.
 */
#ifndef FRAMING_RANGES_H
#define FRAMING_RANGES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define RANGES_MAX 32

struct range {
	uint64_t first, last;	/* both inclusive */
};

struct ranges {
	size_t n;
	struct range r[RANGES_MAX]; /* ascending, disjoint, not adjacent */
};

void ranges_init(struct ranges *);
/* Adds [first, last] and merges. When the set is full and the new range merges
 * with none: if evict, the lowest range is forgotten to make room (the new one
 * itself if it is the lowest) and true is returned, else false and no change. */
bool ranges_add(struct ranges *, uint64_t first, uint64_t last, bool evict);
bool ranges_has(const struct ranges *, uint64_t n);
/* Forgets everything up to and including n. */
void ranges_drop(struct ranges *, uint64_t n);

#endif
