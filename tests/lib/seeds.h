/*
 * How much of a simulation is run: under sanitizers, which are there to find faults of memory and not of figures and
 * make it five times as slow, a part. With ALL_SEEDS in the environment all of it there, too (make test-all).
 */
#ifndef TESTS_LIB_SEEDS_H
#define TESTS_LIB_SEEDS_H

#include <stdbool.h>
#include <stdlib.h>

static inline bool seeds_all(void)
{
#ifdef __SANITIZE_ADDRESS__
	return getenv("ALL_SEEDS") != NULL;
#else
	return true;
#endif
}

/* So many seeds of n, 1 at least. */
static inline unsigned seeds_of(unsigned n)
{
	return seeds_all() ? n : n < 10 ? 1 : n / 5;
}

/* The i-th case is run: each fourth one. */
static inline bool seeds_case(unsigned i)
{
	return seeds_all() || i % 4 == 0;
}

#endif
