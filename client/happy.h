/*
 * Connection racing (RFC 8305 section 5): attempts start one after the other,
 * 250 ms apart or as soon as one failed; the first success wins.
 */
#ifndef CLIENT_HAPPY_H
#define CLIENT_HAPPY_H

#include "tunnel/address.h"
#include "tunnel/loop.h"
#include "tunnel/stream.h"

#define HAPPY_DELAY_US (250 * LOOP_MS)
#define HAPPY_MAX 16

struct happy;

/* Connects to the first of n <= HAPPY_MAX addresses (copied; more are ignored) that answers, in the order
 * given. done is called once, in a later turn: with the connection, now the callee's, and the
 * address (valid during the call); or with NULL and the code that says most. The caller watches the deadline. */
struct happy *happy_start(struct loop *, const struct address *, size_t n,
			  void (*done)(void *ctx, struct stream *, const struct address *winner, int error), void *ctx);
void happy_cancel(struct happy *); /* done is not called any more */

#endif
