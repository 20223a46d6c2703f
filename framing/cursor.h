/*
 * Cursors with a sticky error: read (or write) every field without looking,
 * test the error once at the end.
 */
#ifndef FRAMING_CURSOR_H
#define FRAMING_CURSOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct span {
	const uint8_t *p;
	size_t n;
};

/* Reading. After an error every read gives 0 or an empty span. */
struct cursor {
	const uint8_t *p, *end;
	bool bad;
};

void cursor_init(struct cursor *, const uint8_t *p, size_t n);
size_t cursor_left(const struct cursor *);
uint8_t cursor_u8(struct cursor *);
uint16_t cursor_u16(struct cursor *);	/* network byte order, as all below */
uint32_t cursor_u32(struct cursor *);
uint64_t cursor_u64(struct cursor *);
uint64_t cursor_varint(struct cursor *); /* RFC 9000 section 16 */
struct span cursor_bytes(struct cursor *, size_t n);
/* A varint length, then that many bytes; an error above max. */
struct span cursor_block(struct cursor *, size_t max);
struct span cursor_rest(struct cursor *);

/* Writing. After an error nothing more is written. */
struct writer {
	uint8_t *start, *p, *end;
	bool full;
};

void writer_init(struct writer *, uint8_t *p, size_t cap);
size_t writer_len(const struct writer *);
size_t writer_left(const struct writer *);
void writer_u8(struct writer *, uint8_t);
void writer_u16(struct writer *, uint16_t);
void writer_u32(struct writer *, uint32_t);
void writer_u64(struct writer *, uint64_t);
void writer_varint(struct writer *, uint64_t);
void writer_bytes(struct writer *, const void *, size_t n);
void writer_block(struct writer *, const void *, size_t n); /* varint length first */

#endif
