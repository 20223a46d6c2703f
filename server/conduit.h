/*
 * Conduit: the body of one exchange goes on into another, one direction of two. While there is no room in the other one delivery
 * of the first is paused, so that no more than one portion waits here.
 */
#ifndef SERVER_CONDUIT_H
#define SERVER_CONDUIT_H

#include "tunnel/exchange.h"

struct conduit {
	struct exchange *from, *to;	/* NULL: not there yet, or gone */
	/* Sends n bytes of the room with the head in front, as exchange_send; NULL once it is sent. A portion that has end is
	 * the whole body. */
	int (*first)(void *ctx, size_t n, bool end);
	void *ctx;
	uint8_t *kept;		/* waits for room */
	size_t n, cap;
	bool hold;		/* the head may not go yet */
	bool paused, ended, done; /* ended: from's message; done: to has all of it */
};

void conduit_init(struct conduit *, int (*first)(void *ctx, size_t n, bool end), void *ctx);
void conduit_fini(struct conduit *);
/* Bytes, and the end, of from. */
void conduit_body(struct conduit *, const uint8_t *p, size_t n);
void conduit_end(struct conduit *);
/* There is a `to`, or room in it; head: the head goes even if nothing follows yet. */
void conduit_pump(struct conduit *, bool head);
/* What waits is dropped: nobody wants it, and from goes on without. */
void conduit_drop(struct conduit *);

#endif
