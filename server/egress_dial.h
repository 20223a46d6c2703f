/*
 * Egress dial: a TCP connection to a target that has several addresses, the best first, each tried for a while.
 */
#ifndef SERVER_EGRESS_DIAL_H
#define SERVER_EGRESS_DIAL_H

#include <stddef.h>
#include <stdint.h>

#include "tunnel/address.h"
#include "tunnel/loop.h"
#include "tunnel/resolve.h"

struct channel;
struct stream;

#define EGRESS_DIAL_TIMEOUT (10 * LOOP_SECOND) /* over all addresses */

struct egress_dial {
	struct loop *loop;
	struct channel *channel; /* for the log */
	struct stream *stream;
	struct timer timer;
	int64_t deadline_us;
	size_t n, next;		/* addresses, the one to try next */
	struct address *to;
	/* One of them is called, never from within. ready: the stream is the callee's. code, sentence: for channel_close. */
	void (*ready)(void *ctx, struct stream *);
	void (*failed)(void *ctx, uint64_t code, const char *sentence);
	void *ctx;
};

/* ready, failed and ctx are set. n >= 1. */
void egress_dial_start(struct egress_dial *, struct loop *, struct channel *, const struct address *, size_t n);
void egress_dial_stop(struct egress_dial *);	/* in any state */
void egress_dial_fini(struct egress_dial *);	/* stops it, too */
/* The address that is tried, or was reached. */
const struct address *egress_dial_at(const struct egress_dial *);

#endif
