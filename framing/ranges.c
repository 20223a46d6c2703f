/*
 * Ranges: a sorted set of numbers in at most RANGES_MAX pieces. Called by the
 * receipts of carriers and by the receive half of streams; calls nothing.
 */
#include "framing/ranges.h"

#include <string.h>

void ranges_init(struct ranges *s)
{
	s->n = 0;
}

static void ranges_erase(struct ranges *s, size_t from, size_t to)
{
	memmove(&s->r[from], &s->r[to], (s->n - to) * sizeof *s->r);
	s->n -= to - from;
}

/* Puts r in front of index i; the set is not full. */
static void ranges_insert(struct ranges *s, size_t i, struct range r)
{
	memmove(&s->r[i + 1], &s->r[i], (s->n - i) * sizeof *s->r);
	s->r[i] = r;
	s->n++;
}

bool ranges_add(struct ranges *s, uint64_t first, uint64_t last, bool evict)
{
	size_t from = 0, to;

	/* [from, to) are the ranges that overlap or touch the new one. */
	while (from < s->n && s->r[from].last < first && first - s->r[from].last > 1)
		from++;
	to = from;
	while (to < s->n && (s->r[to].first <= last || s->r[to].first - last == 1))
		to++;
	if (from < to) {
		struct range *r = &s->r[from];

		if (first < r->first)
			r->first = first;
		r->last = s->r[to - 1].last > last ? s->r[to - 1].last : last;
		ranges_erase(s, from + 1, to);
		return true;
	}
	if (s->n == RANGES_MAX) {
		if (!evict)
			return false;
		if (from == 0)
			return true; /* the new one is the lowest */
		ranges_erase(s, 0, 1);
		from--;
	}
	ranges_insert(s, from, (struct range){ first, last });
	return true;
}

bool ranges_has(const struct ranges *s, uint64_t n)
{
	for (size_t i = s->n; i-- > 0;)
		if (n >= s->r[i].first)
			return n <= s->r[i].last;
	return false;
}

void ranges_drop(struct ranges *s, uint64_t n)
{
	size_t gone = 0;

	while (gone < s->n && s->r[gone].last <= n)
		gone++;
	ranges_erase(s, 0, gone);
	if (s->n && s->r[0].first <= n)
		s->r[0].first = n + 1;
}
