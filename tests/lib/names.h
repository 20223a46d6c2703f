/* A resolver that answers what the test says, in the place of tunnel/resolve.c; literal addresses answer for themselves. */
#ifndef TESTS_LIB_NAMES_H
#define TESTS_LIB_NAMES_H

#include "tunnel/address.h"
#include "tunnel/loop.h"

extern struct names {
	struct address address[4];
	size_t n;
	int error;		/* instead of addresses; 0: none */
	unsigned asked;		/* so many times */
	char host[256];		/* the last one */
	int64_t delay;		/* us */
	struct loop *loop;
} names;

void names_reset(struct loop *);	/* nothing is known, nobody asked */

#endif
