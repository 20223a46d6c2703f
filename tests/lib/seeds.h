/*
 * How many seeds a simulation runs with: under sanitizers, which are to find faults of memory and not of figures, a part of them.
 */
#ifndef TESTS_LIB_SEEDS_H
#define TESTS_LIB_SEEDS_H

#ifdef __SANITIZE_ADDRESS__
#define SEEDS(n) ((n) / 5 ? (n) / 5 : 1)
#else
#define SEEDS(n) (n)
#endif

#endif
