/* Filler of marks, made once, and text of strangers made harmless. Used by probe.c and probe_answer.c. */
#include "tunnel/probe_filler.h"

#include <stdint.h>

#include "framing/request.h"

struct span probe_filler(size_t n)
{
	static uint8_t octets[REQUEST_SIZE_MAX];
	uint32_t v = 2463534242;

	for (size_t i = 0; octets[0] == 0 && i < sizeof octets; i++) {
		v ^= v << 13;	/* xorshift (Marsaglia 2003) */
		v ^= v >> 17;
		v ^= v << 5;
		octets[sizeof octets - 1 - i] = (uint8_t)(v >> 24) | 1;
	}
	return (struct span){ octets, n < sizeof octets ? n : sizeof octets };
}

size_t probe_printable(char *out, size_t cap, struct span text)
{
	size_t n = text.n < cap ? text.n : cap;

	for (size_t i = 0; i < n; i++)
		out[i] = text.p[i] >= ' ' && text.p[i] <= '~' ? (char)text.p[i] : '?';
	return n;
}
