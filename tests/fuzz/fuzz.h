/*
 * What the fuzz targets share: the entry point of libFuzzer, which replay.c calls
 * too, and a running hash of events to compare two readings of the same bytes.
 */
#ifndef TESTS_FUZZ_H
#define TESTS_FUZZ_H

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

/* Always on, unlike assert: a fuzz target without its checks finds nothing. */
#define CHECK(condition)                                                                                               \
	do {                                                                                                           \
		if (!(condition))                                                                                      \
			abort();                                                                                       \
	} while (0)

/* FNV-1a, 64 bit: octets hashed one by one, so portions do not matter. */
static inline void fuzz_hash(uint64_t *hash, const void *p, size_t n)
{
	for (size_t i = 0; i < n; i++)
		*hash = (*hash ^ ((const uint8_t *)p)[i]) * UINT64_C(1099511628211);
}

static inline void fuzz_hash_number(uint64_t *hash, uint64_t v)
{
	fuzz_hash(hash, &v, sizeof v);
}

/* A copy of its exact size, so that the sanitizer sees every over-read. */
static inline uint8_t *fuzz_copy(const uint8_t *p, size_t n)
{
	uint8_t *copy = malloc(n + !n);

	CHECK(copy);
	if (n)
		memcpy(copy, p, n);
	return copy;
}

#endif
