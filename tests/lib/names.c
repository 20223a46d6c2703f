/* The resolver of tests: one answer for every name. Called by client/dial.c in the place of the real one. */
#include "tests/lib/names.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tunnel/resolve.h"

struct resolve {
	struct timer timer;
	void (*done)(void *ctx, const struct address *, size_t n, int error);
	void *ctx;
};

struct names names;

void names_reset(struct loop *loop)
{
	memset(&names, 0, sizeof names);
	names.loop = loop;
}

static void resolve_now(void *ctx)
{
	struct resolve *q = ctx;

	loop_free_later(names.loop, q);
	q->done(q->ctx, names.address, names.error ? 0 : names.n, names.error);
}

struct resolve *resolve_start(struct resolver *r, const char *host, uint16_t port,
			      void (*done)(void *ctx, const struct address *, size_t n, int error), void *ctx)
{
	struct resolve *q = calloc(1, sizeof *q);
	struct address literal;

	(void)r;
	q->done = done;
	q->ctx = ctx;
	names.asked++;
	snprintf(names.host, sizeof names.host, "%s", host);
	if (address_literal(host, port, &literal)) {
		names.address[0] = literal;
		names.n = 1;
	}
	timer_init(&q->timer, names.loop, resolve_now, q);
	timer_in(&q->timer, names.delay);
	return q;
}

void resolve_cancel(struct resolve *q)
{
	timer_stop(&q->timer);
	loop_free_later(names.loop, q);
}
