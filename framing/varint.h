/*
 * Variable-length integers of RFC 9000 section 16: 1, 2, 4 or 8 bytes, up to
 * 2^62 - 1. Encodings longer than needed are legal.
 */
#ifndef FRAMING_VARINT_H
#define FRAMING_VARINT_H

#include <stddef.h>
#include <stdint.h>

#define VARINT_MAX ((UINT64_C(1) << 62) - 1)

/* Bytes of the shortest encoding of v: 1, 2, 4 or 8; 0 when v > VARINT_MAX. */
size_t varint_len(uint64_t v);
/* Writes the shortest encoding; p has room for varint_len(v). Returns its length. */
size_t varint_put(uint8_t *p, uint64_t v);
/* Writes v < 2^30 in exactly 4 bytes, so that it can be filled in later. */
void varint_put4(uint8_t *p, uint32_t v);
/* Reads one: bytes consumed, 0 when more are needed. */
size_t varint_get(const uint8_t *p, size_t n, uint64_t *v);

#endif
