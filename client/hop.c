/* What all hops share: how they end. Called by the dialler and the kinds. */
#include "client/hop.h"

#include <stdarg.h>
#include <stdio.h>

#include "tunnel/dress.h"

void hop_close(struct stream *s)
{
	struct dress *dress = s->dress;

	s->dress = NULL;
	stream_close(s);
	if (dress)
		dress->ops->release(dress);
}

/* The one end of a hop, in any state; with the stream if it is to live on. */
static struct stream *hop_end(struct hop *h)
{
	struct stream *s = h->stream;

	h->stream = NULL;
	later_cancel(h->config->loop, &h->later);
	stream_want(s, false, false);
	h->kind->stop(h);
	loop_free_later(h->config->loop, h);
	return s;
}

void hop_drop(struct hop *h)
{
	if (h && h->stream)
		hop_close(hop_end(h));
}

void hop_succeed(struct hop *h)
{
	struct stream *s = hop_end(h);

	h->done(h->ctx, s, 0, "");
}

void hop_fail(struct hop *h, int error, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(h->why, sizeof h->why, fmt, ap);
	va_end(ap);
	hop_drop(h);
	h->done(h->ctx, NULL, error, h->why);
}

void hop_succeed_later(struct hop *h)
{
	loop_later(h->config->loop, &h->later);
}

static void on_later(void *ctx)
{
	hop_succeed(ctx);
}

void hop_init(struct hop *h, const struct hop_kind *kind, const struct hop_config *config, struct stream *stream,
	      hop_done *done, void *ctx)
{
	h->kind = kind;
	h->config = config;
	h->stream = stream;
	h->done = done;
	h->ctx = ctx;
	later_init(&h->later, on_later, h);
}
