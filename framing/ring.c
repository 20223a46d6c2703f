/*
 * Ring: a byte queue whose buffer is addressed by the absolute offset modulo its
 * size, so that an offset keeps its place until the buffer grows. Called by both
 * halves of stream channels; calls nothing.
 */
#include "framing/ring.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "framing/error.h"

enum {
	RING_MIN = 4096,	/* bytes of the first buffer, unless max is less */
	RING_KEEP = 16384,	/* an empty ring keeps a buffer up to this size */
};

void ring_init(struct ring *r, size_t max)
{
	memset(r, 0, sizeof *r);
	r->max = 1;
	while (r->max < max)
		r->max *= 2;
}

void ring_fini(struct ring *r)
{
	free(r->buf);
	r->buf = NULL;
	r->cap = 0;
	r->start = r->end;
}

static size_t ring_used(const struct ring *r)
{
	return (size_t)(r->end - r->start);
}

size_t ring_room(const struct ring *r)
{
	return r->max - ring_used(r);
}

/* Contiguous bytes of the buffer from offset off on, at most n. */
static size_t ring_run(const struct ring *r, uint64_t off, size_t n)
{
	size_t run = r->cap - (size_t)(off & (r->cap - 1));

	return n < run ? n : run;
}

static uint8_t *ring_place(const struct ring *r, uint64_t off)
{
	return r->buf + (off & (r->cap - 1));
}

/* Makes the buffer at least need <= max bytes long. */
static void ring_grow(struct ring *r, size_t need)
{
	struct ring old = *r;

	if (need <= r->cap)
		return;
	if (r->cap == 0)
		r->cap = r->max < RING_MIN ? r->max : RING_MIN;
	while (r->cap < need)
		r->cap *= 2;
	r->buf = malloc(r->cap);
	if (!r->buf)
		abort();
	for (uint64_t off = old.start; off < old.end;) {
		size_t n = ring_run(&old, off, (size_t)(old.end - off));

		n = ring_run(r, off, n);
		memcpy(ring_place(r, off), ring_place(&old, off), n);
		off += n;
	}
	free(old.buf);
}

uint8_t *ring_reserve(struct ring *r, size_t *n)
{
	if (*n > ring_room(r))
		*n = ring_room(r);
	if (*n == 0)
		return NULL;
	ring_grow(r, ring_used(r) + *n);
	*n = ring_run(r, r->end, *n);
	return ring_place(r, r->end);
}

void ring_commit(struct ring *r, size_t n)
{
	assert(n <= r->cap - ring_used(r));
	r->end += n;
}

int ring_put(struct ring *r, uint64_t off, const uint8_t *p, size_t n)
{
	assert(off >= r->start);
	if (off - r->start > r->max || n > r->max - (off - r->start))
		return ERROR_LIMIT;
	if (n == 0)
		return 0;
	ring_grow(r, (size_t)(off - r->start) + n);
	if (off + n > r->end)
		r->end = off + n;
	while (n > 0) {
		size_t run = ring_run(r, off, n);

		memcpy(ring_place(r, off), p, run);
		off += run;
		p += run;
		n -= run;
	}
	return 0;
}

const uint8_t *ring_at(const struct ring *r, uint64_t off, size_t *n)
{
	assert(off >= r->start && off <= r->end);
	if (off == r->end) {
		*n = 0;
		return NULL;
	}
	*n = ring_run(r, off, (size_t)(r->end - off));
	return ring_place(r, off);
}

void ring_copy(const struct ring *r, uint64_t off, uint8_t *p, size_t n)
{
	assert(off >= r->start && off <= r->end && n <= r->end - off);
	while (n > 0) {
		size_t run = ring_run(r, off, n);

		memcpy(p, ring_place(r, off), run);
		off += run;
		p += run;
		n -= run;
	}
}

void ring_release(struct ring *r, uint64_t off)
{
	if (off > r->start)
		r->start = off;
	if (r->end < r->start)
		r->end = r->start;
	if (r->start == r->end && r->cap > RING_KEEP) {
		free(r->buf);
		r->buf = NULL;
		r->cap = 0;
	}
}
