/*
 * Channel queue: what an endpoint has for its channel and the channel has no room for yet. The endpoint stops its source while there
 * is anything in it, so that no more waits than one portion.
 */
#ifndef TUNNEL_CHANNEL_QUEUE_H
#define TUNNEL_CHANNEL_QUEUE_H

#include <stddef.h>
#include <stdint.h>

struct channel;

/* All zero but for the channel at the beginning. */
struct channel_queue {
	struct channel *channel; /* NULL: no more; what is put is dropped */
	uint8_t *p;
	size_t at, n, cap;	/* n bytes wait */
};

/* Into the channel, or the queue. */
void channel_queue_put(struct channel_queue *, const uint8_t *p, size_t n);
/* There is room in the channel again. */
void channel_queue_pump(struct channel_queue *);
/* The channel is gone. Idempotent. */
void channel_queue_fini(struct channel_queue *);

#endif
