/*
 * Hold: bytes that came and cannot be used yet. A buffer of fixed size from a free
 * list, taken when there is something to keep and given back when there is nothing.
 */
#ifndef TUNNEL_HOLD_H
#define TUNNEL_HOLD_H

#include <stddef.h>
#include <stdint.h>

#define HOLD_MAX 118000

struct hold {
	struct hold *next;	/* in the free list */
	size_t n;
	uint8_t p[HOLD_MAX];
};

/* Puts n bytes behind what is held; *h may be NULL: nothing is. 0 or ERROR_LIMIT. */
int hold_add(struct hold **h, const uint8_t *p, size_t n);
/* Takes n bytes off the front; *h is NULL when none are left. */
void hold_take(struct hold **h, size_t n);
void hold_drop(struct hold **h);

#endif
