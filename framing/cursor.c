/*
 * Cursors with a sticky error: the reading and writing of fields. Called by all
 * codecs of the wire format; calls varint.
 */
#include "framing/cursor.h"

#include <string.h>

#include "framing/varint.h"

void cursor_init(struct cursor *c, const uint8_t *p, size_t n)
{
	c->p = p;
	c->end = n ? p + n : p; /* p may be NULL when n is 0 */
	c->bad = false;
}

size_t cursor_left(const struct cursor *c)
{
	return (size_t)(c->end - c->p);
}

/* Big-endian integer of n bytes. */
static uint64_t fixed_get(struct cursor *c, size_t n)
{
	struct span s = cursor_bytes(c, n);
	uint64_t v = 0;

	for (size_t i = 0; i < s.n; i++)
		v = v << 8 | s.p[i];
	return v;
}

uint8_t cursor_u8(struct cursor *c)
{
	return (uint8_t)fixed_get(c, 1);
}

uint16_t cursor_u16(struct cursor *c)
{
	return (uint16_t)fixed_get(c, 2);
}

uint32_t cursor_u32(struct cursor *c)
{
	return (uint32_t)fixed_get(c, 4);
}

uint64_t cursor_u64(struct cursor *c)
{
	return fixed_get(c, 8);
}

/* After an error nothing is left, so that every later read fails as well. */
static void cursor_fail(struct cursor *c)
{
	c->bad = true;
	c->p = c->end;
}

uint64_t cursor_varint(struct cursor *c)
{
	uint64_t v = 0;
	size_t len = varint_get(c->p, cursor_left(c), &v);

	if (len == 0) {
		cursor_fail(c);
		return 0;
	}
	c->p += len;
	return v;
}

struct span cursor_bytes(struct cursor *c, size_t n)
{
	struct span s = { c->p, n };

	if (c->bad || n > cursor_left(c)) {
		cursor_fail(c);
		return (struct span){ NULL, 0 };
	}
	if (n)
		c->p += n;
	return s;
}

struct span cursor_block(struct cursor *c, size_t max)
{
	uint64_t n = cursor_varint(c);

	if (n > max) {
		cursor_fail(c);
		return (struct span){ NULL, 0 };
	}
	return cursor_bytes(c, (size_t)n);
}

struct span cursor_rest(struct cursor *c)
{
	return cursor_bytes(c, cursor_left(c));
}

void writer_init(struct writer *w, uint8_t *p, size_t cap)
{
	w->start = w->p = p;
	w->end = cap ? p + cap : p;
	w->full = false;
}

size_t writer_len(const struct writer *w)
{
	return (size_t)(w->p - w->start);
}

size_t writer_left(const struct writer *w)
{
	return (size_t)(w->end - w->p);
}

/* Room for n bytes, or NULL and the sticky error. */
static uint8_t *writer_take(struct writer *w, size_t n)
{
	uint8_t *p = w->p;

	if (w->full || n > writer_left(w)) {
		w->full = true;
		return NULL;
	}
	w->p += n;
	return p;
}

static void fixed_put(struct writer *w, uint64_t v, size_t n)
{
	uint8_t *p = writer_take(w, n);

	if (!p)
		return;
	for (size_t i = n; i-- > 0; v >>= 8)
		p[i] = (uint8_t)v;
}

void writer_u8(struct writer *w, uint8_t v)
{
	fixed_put(w, v, 1);
}

void writer_u16(struct writer *w, uint16_t v)
{
	fixed_put(w, v, 2);
}

void writer_u32(struct writer *w, uint32_t v)
{
	fixed_put(w, v, 4);
}

void writer_u64(struct writer *w, uint64_t v)
{
	fixed_put(w, v, 8);
}

void writer_varint(struct writer *w, uint64_t v)
{
	size_t len = varint_len(v);
	uint8_t *p;

	if (len == 0) { /* no encoding has that value */
		w->full = true;
		return;
	}
	p = writer_take(w, len);
	if (p)
		varint_put(p, v);
}

void writer_bytes(struct writer *w, const void *src, size_t n)
{
	uint8_t *p;

	if (n == 0)
		return;
	p = writer_take(w, n);
	if (p)
		memcpy(p, src, n);
}

void writer_block(struct writer *w, const void *p, size_t n)
{
	writer_varint(w, n);
	writer_bytes(w, p, n);
}
