/*
 * Masking, 32 octets at a time, so that it costs about as much as the copy that is made
 * anyway. Called by the WebSocket codec.
 */
#include "framing/mask.h"

#include <string.h>

#define STEP 32

static void step(uint8_t *out, const uint8_t *p, uint64_t key)
{
	uint64_t word[STEP / sizeof key];

	memcpy(word, p, STEP);
	for (size_t i = 0; i < STEP / sizeof key; i++)
		word[i] ^= key;
	memcpy(out, word, STEP);
}

void mask_copy(uint8_t *out, const uint8_t *p, size_t n, const uint8_t *key, uint64_t at)
{
	uint8_t turned[sizeof(uint64_t)];
	uint64_t word;
	size_t i = 0;

	for (; i < sizeof turned; i++)
		turned[i] = key[(at + i) % MASK_KEY];
	memcpy(&word, turned, sizeof word);
	for (i = 0; i + STEP <= n; i += STEP)
		step(out + i, p + i, word);
	for (; i < n; i++)
		out[i] = p[i] ^ turned[i % MASK_KEY];
}
