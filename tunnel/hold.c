/* Holds, and the free list of the process. Called by sealed.c. */
#include "tunnel/hold.h"

#include <stdlib.h>
#include <string.h>

#include "framing/error.h"

#define KEPT_MAX 8		/* that nobody uses */

static struct hold *kept;
static unsigned kept_count;

static struct hold *hold_new(void)
{
	struct hold *h = kept;

	if (h) {
		kept = h->next;
		kept_count--;
	} else if (!(h = malloc(sizeof *h))) {
		abort();
	}
	h->n = 0;
	return h;
}

int hold_add(struct hold **h, const uint8_t *p, size_t n)
{
	if (n == 0)
		return 0;
	if (!*h)
		*h = hold_new();
	if (n > HOLD_MAX - (*h)->n)
		return ERROR_LIMIT;
	memcpy((*h)->p + (*h)->n, p, n);
	(*h)->n += n;
	return 0;
}

void hold_take(struct hold **h, size_t n)
{
	(*h)->n -= n;
	if ((*h)->n > 0)
		memmove((*h)->p, (*h)->p + n, (*h)->n);
	else
		hold_drop(h);
}

void hold_drop(struct hold **at)
{
	struct hold *h = *at;

	*at = NULL;
	if (!h)
		return;
	if (kept_count == KEPT_MAX) {
		free(h);
		return;
	}
	h->next = kept;
	kept = h;
	kept_count++;
}
