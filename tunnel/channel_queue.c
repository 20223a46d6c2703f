/* Called by endpoints that make bytes for a stream or message channel in pieces of their own. */
#include "tunnel/channel_queue.h"

#include <stdlib.h>
#include <string.h>

#include "tunnel/channel.h"

#define FIRST 16384

static size_t into_channel(struct channel_queue *q, const uint8_t *p, size_t n)
{
	size_t at = 0, room;

	while (at < n && q->channel) {
		uint8_t *to = channel_reserve(q->channel, &room);

		if (room == 0)
			break;
		if (room > n - at)
			room = n - at;
		memcpy(to, p + at, room);
		channel_commit(q->channel, room);
		at += room;
	}
	return at;
}

static void keep(struct channel_queue *q, const uint8_t *p, size_t n)
{
	if (q->at + q->n + n > q->cap && q->at) {
		memmove(q->p, q->p + q->at, q->n);
		q->at = 0;
	}
	if (q->n + n > q->cap) {
		q->cap = q->n + n > FIRST ? 2 * (q->n + n) : FIRST;
		q->p = realloc(q->p, q->cap);
		if (!q->p)
			abort();
	}
	memcpy(q->p + q->at + q->n, p, n);
	q->n += n;
}

void channel_queue_put(struct channel_queue *q, const uint8_t *p, size_t n)
{
	size_t went = q->n ? 0 : into_channel(q, p, n);

	if (went < n && q->channel)
		keep(q, p + went, n - went);
}

void channel_queue_pump(struct channel_queue *q)
{
	size_t went = q->n ? into_channel(q, q->p + q->at, q->n) : 0;

	q->n -= went;
	q->at = q->n ? q->at + went : 0;
}

void channel_queue_fini(struct channel_queue *q)
{
	free(q->p);
	*q = (struct channel_queue){ 0 };
}
