/*
 * Variable-length integers of RFC 9000 section 16. Called by the cursors, the
 * capsule header and the record reader; calls nothing.
 */
#include "framing/varint.h"

size_t varint_len(uint64_t v)
{
	if (v < 1u << 6)
		return 1;
	if (v < 1u << 14)
		return 2;
	if (v < 1u << 30)
		return 4;
	return v <= VARINT_MAX ? 8 : 0;
}

size_t varint_put(uint8_t *p, uint64_t v)
{
	size_t len = varint_len(v);

	for (size_t i = len; i-- > 0; v >>= 8)
		p[i] = (uint8_t)v;
	if (len == 2)
		p[0] |= 0x40;
	else if (len == 4)
		p[0] |= 0x80;
	else if (len == 8)
		p[0] |= 0xc0;
	return len;
}

void varint_put4(uint8_t *p, uint32_t v)
{
	p[0] = (uint8_t)(0x80 | v >> 24);
	p[1] = (uint8_t)(v >> 16);
	p[2] = (uint8_t)(v >> 8);
	p[3] = (uint8_t)v;
}

size_t varint_get(const uint8_t *p, size_t n, uint64_t *v)
{
	size_t len;

	if (n == 0)
		return 0;
	len = (size_t)1 << (p[0] >> 6);
	if (n < len)
		return 0;
	*v = p[0] & 0x3f;
	for (size_t i = 1; i < len; i++)
		*v = *v << 8 | p[i];
	return len;
}
