/*
 * Numbered messages. Used for both directions by rest_session.c: those for the client are appended and kept until it has them, those for
 * the target come in any order and leave in order.
 */
#include "server/rest_messages.h"

#include <stdlib.h>
#include <string.h>

#include "framing/error.h"

#define OVERHEAD 64 /* bytes that a message counts beside its own */

struct rest_message *rest_message_new(enum rest_type type, const uint8_t *p, size_t n)
{
	struct rest_message *m = malloc(sizeof *m + n);

	if (!m)
		abort();
	*m = (struct rest_message){ .type = type, .n = n };
	if (p && n)
		memcpy(m->p, p, n);
	return m;
}

void rest_message_free(struct rest_message *m)
{
	while (m) {
		struct rest_message *next = m->next;

		free(m);
		m = next;
	}
}

void rest_messages_init(struct rest_messages *q)
{
	*q = (struct rest_messages){ .next = 1 };
}

void rest_messages_fini(struct rest_messages *q)
{
	rest_message_free(q->first);
	rest_messages_init(q);
}

static size_t weight(const struct rest_message *m)
{
	return m->n + OVERHEAD;
}

/* Behind `after`, or as the first. */
static void put(struct rest_messages *q, struct rest_message *after, struct rest_message *m)
{
	struct rest_message **at = after ? &after->next : &q->first;

	m->next = *at;
	*at = m;
	if (!m->next)
		q->last = m;
	q->bytes += weight(m);
	q->count++;
}

static struct rest_message *remove_first(struct rest_messages *q)
{
	struct rest_message *m = q->first;

	q->first = m->next;
	if (!q->first)
		q->last = NULL;
	q->bytes -= weight(m);
	q->count--;
	m->next = NULL;
	return m;
}

/* What has come in order moves next on. */
static void settle(struct rest_messages *q, const struct rest_message *m)
{
	for (; m && m->number <= q->next; m = m->next)
		if (m->number == q->next)
			q->next++;
}

void rest_messages_append(struct rest_messages *q, struct rest_message *m)
{
	m->number = q->next++;
	put(q, q->last, m);
}

void rest_messages_forget(struct rest_messages *q, uint64_t upto)
{
	while (q->first && q->first->number <= upto)
		free(remove_first(q));
}

const struct rest_message *rest_messages_after(const struct rest_messages *q, uint64_t number)
{
	const struct rest_message *m = q->first;

	while (m && m->number <= number)
		m = m->next;
	return m;
}

static bool same(const struct rest_message *a, const struct rest_message *b)
{
	return a->type == b->type && a->code == b->code && a->n == b->n && memcmp(a->p, b->p, a->n) == 0;
}

/* Whether all of the chain may come in; *bytes and *count: what of it is new. */
static int check(const struct rest_messages *q, uint64_t number, const struct rest_message *chain, size_t *bytes, size_t *count)
{
	const struct rest_message *at = q->first;

	*bytes = *count = 0;
	for (; chain; chain = chain->next, number++) {
		while (at && at->number < number)
			at = at->next;
		if (at && at->number == number && !same(at, chain))
			return ERROR_MALFORMED;
		if (q->last && q->last->type == REST_CLOSE && number > q->last->number)
			return ERROR_MALFORMED;
		if (chain->type == REST_CLOSE && (chain->next || (q->last && q->last->number > number)))
			return ERROR_MALFORMED;
		if (number < q->next || (at && at->number == number))
			continue;
		*bytes += weight(chain);
		++*count;
	}
	return 0;
}

static void insert_all(struct rest_messages *q, uint64_t number, struct rest_message *chain)
{
	struct rest_message *after = NULL, *m;

	for (; (m = chain); number++) {
		struct rest_message *next = after ? after->next : q->first;

		chain = m->next;
		for (; next && next->number < number; next = next->next)
			after = next;
		if (number < q->next || (next && next->number == number)) {
			free(m);
			continue;
		}
		m->number = number;
		put(q, after, m);
		after = m;
	}
}

int rest_messages_insert(struct rest_messages *q, uint64_t number, struct rest_message *chain, size_t bytes_max, size_t count_max)
{
	size_t bytes, count;
	bool empty = !q->first || q->first->number >= q->next; /* nothing in order waits */
	int error = check(q, number, chain, &bytes, &count);

	if (error < 0)
		return error;
	if (count > 0 && (q->bytes + bytes > bytes_max || q->count + count > count_max) && !(empty && number <= q->next && count <= count_max))
		return ERROR_LIMIT;
	insert_all(q, number, chain);
	settle(q, q->first);
	return 0;
}

struct rest_message *rest_messages_take(struct rest_messages *q)
{
	return q->first && q->first->number < q->next ? remove_first(q) : NULL;
}
