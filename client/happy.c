/*
 * Connection racing: a row of attempts over stream_tcp and one timer for the
 * next. Called by the dialler.
 */
#include "client/happy.h"

#include <stdlib.h>
#include <string.h>

#include "framing/error.h"
#include "tunnel/stream_tcp.h"

struct happy_attempt {
	struct happy *race;
	struct stream *stream;	/* NULL: not begun, or over */
};

struct happy {
	struct loop *loop;
	struct timer timer;	/* starts the next attempt */
	size_t count, begun, running;
	int error;
	bool over;
	void (*done)(void *ctx, struct stream *, const struct address *winner, int error);
	void *ctx;
	struct address address[HAPPY_MAX];
	struct happy_attempt attempt[HAPPY_MAX];
};

static void happy_end_attempt(struct happy_attempt *a)
{
	stream_close(a->stream);
	a->stream = NULL;
	a->race->running--;
}

void happy_cancel(struct happy *h)
{
	if (h->over)
		return;
	h->over = true;
	timer_stop(&h->timer);
	for (size_t i = 0; i < h->begun; i++)
		if (h->attempt[i].stream)
			happy_end_attempt(&h->attempt[i]);
	loop_free_later(h->loop, h);
}

static void happy_ready(void *ctx)
{
	struct happy_attempt *a = ctx;
	struct happy *h = a->race;
	struct stream *won = a->stream;

	a->stream = NULL;
	happy_cancel(h);
	h->done(h->ctx, won, &h->address[a - h->attempt], 0);
}

/* "No route" says least: often only one family has none. */
static void happy_note(struct happy *h, int error)
{
	if (h->error == 0 || h->error == ERROR_UNREACHABLE)
		h->error = error;
}

static void happy_failed(void *ctx, int error)
{
	struct happy_attempt *a = ctx;

	happy_note(a->race, error);
	happy_end_attempt(a);
	timer_in(&a->race->timer, 0);
}

static const struct stream_events happy_events = {
	.ready = happy_ready,
	.failed = happy_failed,
};

static void happy_next(void *ctx)
{
	struct happy *h = ctx;

	if (h->begun < h->count) {
		const struct address *to = &h->address[h->begun];
		struct happy_attempt *a = &h->attempt[h->begun++];

		a->race = h;
		a->stream = stream_tcp_connect(h->loop, (const struct sockaddr *)&to->sa, to->len, &happy_events, a);
		stream_tcp_far(a->stream);
		h->running++;
		timer_in(&h->timer, HAPPY_DELAY_US);
	} else if (h->running == 0) {
		happy_cancel(h);
		h->done(h->ctx, NULL, NULL, h->error ? h->error : ERROR_UNREACHABLE);
	}
}

struct happy *happy_start(struct loop *loop, const struct address *address, size_t n,
			  void (*done)(void *ctx, struct stream *, const struct address *winner, int error), void *ctx)
{
	struct happy *h = calloc(1, sizeof *h);

	if (!h)
		abort();
	h->loop = loop;
	h->count = n < HAPPY_MAX ? n : HAPPY_MAX;
	memcpy(h->address, address, h->count * sizeof *address);
	h->done = done;
	h->ctx = ctx;
	timer_init(&h->timer, loop, happy_next, h);
	if (h->count)
		happy_next(h);
	else
		timer_in(&h->timer, 0);
	return h;
}
