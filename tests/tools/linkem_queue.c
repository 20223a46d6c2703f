/* Packet buffers with a free list, and the heap of packets by due time. Called by linkem_link.c. */
#include <stdlib.h>
#include <string.h>

#include "tests/tools/linkem.h"
#include "tests/tools/tool.h"

static size_t buffer_size;
static struct linkem_packet *free_list;

void linkem_packet_setup(size_t size)
{
	buffer_size = size;
}

struct linkem_packet *linkem_packet_get(void)
{
	struct linkem_packet *p = free_list;
	if (p)
		free_list = p->next;
	else
		p = tool_calloc(1, sizeof *p + buffer_size);
	p->size = buffer_size;
	return p;
}

struct linkem_packet *linkem_packet_copy(const struct linkem_packet *from)
{
	struct linkem_packet *p = linkem_packet_get();
	p->size = from->size;
	memcpy(p->data, from->data, from->size);
	return p;
}

void linkem_packet_put(struct linkem_packet *p)
{
	p->next = free_list;
	free_list = p;
}

void linkem_packet_teardown(void)
{
	for (struct linkem_packet *p; (p = free_list);) {
		free_list = p->next;
		free(p);
	}
}

static bool before(const struct linkem_item *a, const struct linkem_item *b)
{
	return a->due < b->due || (a->due == b->due && a->order < b->order);
}

void linkem_queue_push(struct linkem_queue *q, int64_t due, struct linkem_packet *p)
{
	if (q->count == q->room) {
		q->room = q->room ? q->room * 2 : 1024;
		q->item = realloc(q->item, q->room * sizeof *q->item);
		if (!q->item)
			tool_die("out of memory");
	}
	struct linkem_item new = { due, q->order++, p };
	size_t i = q->count++;
	for (size_t up; i && before(&new, &q->item[up = (i - 1) / 2]); i = up)
		q->item[i] = q->item[up];
	q->item[i] = new;
}

int64_t linkem_queue_due(const struct linkem_queue *q)
{
	return q->count ? q->item[0].due : INT64_MAX;
}

struct linkem_packet *linkem_queue_pop(struct linkem_queue *q)
{
	struct linkem_packet *top = q->item[0].packet;
	struct linkem_item last = q->item[--q->count];
	size_t i = 0;
	for (size_t child; (child = 2 * i + 1) < q->count; i = child) {
		if (child + 1 < q->count && before(&q->item[child + 1], &q->item[child]))
			child++;
		if (!before(&q->item[child], &last))
			break;
		q->item[i] = q->item[child];
	}
	q->item[i] = last;
	return top;
}
