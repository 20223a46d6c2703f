/* Embedded in the kinds of egress that connect. Each address that fails is logged. */
#include "server/egress_dial.h"

#include <stdlib.h>
#include <string.h>

#include "framing/capsule.h"
#include "framing/error.h"
#include "tunnel/channel.h"
#include "tunnel/log.h"
#include "tunnel/session.h"
#include "tunnel/stream_tcp.h"

#define ATTEMPT (4 * LOOP_SECOND)	/* for one address, while there are more */

static void attempt(struct egress_dial *d);

static void tell(struct egress_dial *d, int error)
{
	switch (error) {
	case ERROR_REFUSED:
		d->failed(d->ctx, CODE_CONNECT_REFUSED, "the target of this service refused the connection");
		return;
	case ERROR_UNREACHABLE:
		d->failed(d->ctx, CODE_UNREACHABLE, "the server has no route to the target of this service");
		return;
	case ERROR_TIMEOUT:
		d->failed(d->ctx, CODE_TIMEOUT, "the target of this service did not answer");
		return;
	case ERROR_RESET:
		d->failed(d->ctx, CODE_LOCAL_RESET, "the target of this service cut the connection while it was made");
		return;
	default:
		d->failed(d->ctx, CODE_INTERNAL, "the server could not make a connection to the target of this service");
	}
}

static void not_connected(struct egress_dial *d, int error)
{
	const struct channel_params *params = channel_params(d->channel);
	char text[ADDRESS_TEXT];

	log_limited(LOG_LEVEL_WARN, "egress", session_tag(channel_session(d->channel)), "service %s: %s: %s",
		    params->service ? params->service : "?", address_text(egress_dial_at(d), text), error_text(error));
	if (d->stream)
		stream_close(d->stream);
	d->stream = NULL;
	if (d->next < d->n && loop_now(d->loop) < d->deadline_us) {
		attempt(d);
		return;
	}
	timer_stop(&d->timer);
	tell(d, error);
}

static void on_timer(void *ctx)
{
	not_connected(ctx, ERROR_TIMEOUT);
}

static void on_ready(void *ctx)
{
	struct egress_dial *d = ctx;
	struct stream *stream = d->stream;

	d->stream = NULL;
	timer_stop(&d->timer);
	d->ready(d->ctx, stream);
}

static void ignore(void *ctx)
{
	(void)ctx;
}

static void on_failed(void *ctx, int error)
{
	not_connected(ctx, error);
}

static const struct stream_events events = { on_ready, ignore, ignore, on_failed };

static void attempt(struct egress_dial *d)
{
	const struct address *to = &d->to[d->next++];
	int64_t until = loop_now(d->loop) + ATTEMPT;

	timer_set(&d->timer, d->next < d->n && until < d->deadline_us ? until : d->deadline_us);
	d->stream = stream_tcp_connect(d->loop, (const struct sockaddr *)&to->sa, to->len, &events, d);
}

void egress_dial_start(struct egress_dial *d, struct loop *loop, struct channel *channel, const struct address *to, size_t n)
{
	d->loop = loop;
	d->channel = channel;
	d->n = n < RESOLVE_MAX ? n : RESOLVE_MAX;
	d->to = malloc(d->n * sizeof *to);	/* it is one, mostly */
	if (!d->to)
		abort();
	memcpy(d->to, to, d->n * sizeof *to);
	d->deadline_us = loop_now(loop) + EGRESS_DIAL_TIMEOUT;
	timer_init(&d->timer, loop, on_timer, d);
	attempt(d);
}

void egress_dial_stop(struct egress_dial *d)
{
	timer_stop(&d->timer);
	if (d->stream)
		stream_close(d->stream);
	d->stream = NULL;
}

void egress_dial_fini(struct egress_dial *d)
{
	egress_dial_stop(d);
	free(d->to);
	d->to = NULL;
}

const struct address *egress_dial_at(const struct egress_dial *d)
{
	return &d->to[d->next - 1];
}
