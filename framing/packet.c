/*
 * Packets and the pool they come from: two size classes, each with a hard cap
 * and a free list; memory is taken when first needed and kept. Called by
 * everything that moves datagrams; calls nothing.
 */
#include "framing/packet.h"

#include <assert.h>
#include <stdlib.h>

struct size_class {
	struct packet *free;
	size_t cap;		/* payload bytes */
	size_t out, max;	/* packets handed out, and at most */
};

struct packet_pool {
	struct size_class small, large;
};

struct packet_pool *packet_pool_new(size_t max_small, size_t max_large)
{
	struct packet_pool *pool = calloc(1, sizeof *pool);

	if (!pool)
		abort();
	pool->small.cap = PACKET_SMALL;
	pool->small.max = max_small;
	pool->large.cap = PACKET_MAX;
	pool->large.max = max_large;
	return pool;
}

static void class_free(struct size_class *class)
{
	struct packet *p;

	assert(class->out == 0);
	while ((p = class->free)) {
		class->free = p->next;
		free(p);
	}
}

void packet_pool_free(struct packet_pool *pool)
{
	if (!pool)
		return;
	class_free(&pool->small);
	class_free(&pool->large);
	free(pool);
}

/* The classes do not lend to each other: a flood of small packets must not
 * starve the few large ones. */
struct packet *packet_get(struct packet_pool *pool, size_t cap)
{
	struct size_class *class = cap > PACKET_SMALL ? &pool->large : &pool->small;
	struct packet *p = class->free;

	if (cap > PACKET_MAX || class->out >= class->max)
		return NULL;
	if (p) {
		class->free = p->next;
	} else {
		p = malloc(sizeof *p + PACKET_HEADROOM + class->cap);
		if (!p)
			abort();
		p->pool = pool;
		p->cap = class->cap;
	}
	class->out++;
	p->next = NULL;
	p->data = p->buf + PACKET_HEADROOM;
	p->len = 0;
	p->born_us = 0;
	p->dscp = 0;
	return p;
}

void packet_put(struct packet *p)
{
	struct size_class *class;

	if (!p)
		return;
	class = p->cap > PACKET_SMALL ? &p->pool->large : &p->pool->small;
	assert(class->out > 0);
	class->out--;
	p->next = class->free;
	class->free = p;
}

uint8_t *packet_push(struct packet *p, size_t n)
{
	if (n > (size_t)(p->data - p->buf))
		return NULL;
	p->data -= n;
	p->len += n;
	return p->data;
}

void packet_queue_init(struct packet_queue *q)
{
	q->head = NULL;
	q->tail = &q->head;
	q->count = q->bytes = 0;
}

void packet_queue_append(struct packet_queue *q, struct packet *p)
{
	p->next = NULL;
	*q->tail = p;
	q->tail = &p->next;
	q->count++;
	q->bytes += p->len;
}

struct packet *packet_queue_take(struct packet_queue *q)
{
	struct packet *p = q->head;

	if (!p)
		return NULL;
	q->head = p->next;
	if (!q->head)
		q->tail = &q->head;
	q->count--;
	q->bytes -= p->len;
	p->next = NULL;
	return p;
}

void packet_queue_clear(struct packet_queue *q)
{
	struct packet *p;

	while ((p = packet_queue_take(q)))
		packet_put(p);
}
