/*
 * Ring: a byte queue addressed by absolute stream offset, growing by doubling
 * up to a hard maximum. It is the send buffer and the reassembly buffer of
 * stream channels.
 */
#ifndef FRAMING_RING_H
#define FRAMING_RING_H

#include <stddef.h>
#include <stdint.h>

struct ring {
	uint8_t *buf;
	size_t cap, max;	/* cap is 0 or a power of two */
	uint64_t start;		/* offset of the oldest byte kept */
	uint64_t end;		/* one past the newest byte */
};

/* max is rounded up to a power of two. */
void ring_init(struct ring *, size_t max);
void ring_fini(struct ring *);
/* Bytes that can still be appended at end before max. */
size_t ring_room(const struct ring *);
/* A contiguous place for up to *n bytes at end; sets *n to its size (0 = full). */
uint8_t *ring_reserve(struct ring *, size_t *n);
/* The first n bytes of the place from ring_reserve are filled. */
void ring_commit(struct ring *, size_t n);
/* Copies n bytes to absolute offset off >= start, extending end when beyond it;
 * ERROR_LIMIT when off + n would pass start + max. */
int ring_put(struct ring *, uint64_t off, const uint8_t *p, size_t n);
/* Contiguous bytes at offset off (start <= off <= end); *n is their count. */
const uint8_t *ring_at(const struct ring *, uint64_t off, size_t *n);
/* Copies n bytes from offset off into p; they must be there. */
void ring_copy(const struct ring *, uint64_t off, uint8_t *p, size_t n);
/* Forgets everything before off; frees the memory when empty and large. */
void ring_release(struct ring *, uint64_t off);

#endif
