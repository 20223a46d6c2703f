/* TLS with a proxy or with the server: always verified. Called by the dialler; calls stream_tls. */
#include "client/hop.h"

#include <stdio.h>
#include <stdlib.h>

#include "framing/error.h"
#include "tunnel/counters.h"
#include "tunnel/stream_tls.h"

static void on_ready(void *ctx)
{
	struct hop *h = ctx;
	struct stream_info info;

	stream_info(h->stream, &info);
	if (info.resumed)
		count(tls_resumed);
	hop_succeed(h);
}

static void on_failed(void *ctx, int error)
{
	struct hop *h = ctx;
	const struct hop_config *c = h->config;
	const char *reason = stream_tls_reason(h->stream);

	count(tls_failed);
	if (error == ERROR_CERTIFICATE && !c->proxy)
		hop_fail(h, error, "%s", reason);
	else
		hop_fail(h, error, "%s%s: %s", c->whom, c->through, reason);
}

static const struct stream_events events = { .ready = on_ready, .failed = on_failed };

static struct hop *tls_start(const struct hop_config *c, struct stream *stream, hop_done *done, void *ctx)
{
	struct hop *h = calloc(1, sizeof *h);

	if (!h)
		abort();
	hop_init(h, &hop_tls, c, stream, done, ctx);
	h->stream = stream_tls_client(c->loop, c->tls, stream, c->host, &events, h);
	if (c->alpn)
		stream_tls_offer(h->stream, c->alpn);
	return h;
}

static void tls_stop(struct hop *h)
{
	(void)h;
}

static void tls_late(struct hop *h, double seconds, char *why, size_t size)
{
	const struct hop_config *c = h->config;

	count(tls_failed);
	snprintf(why, size, "%s%s did not finish the TLS handshake within %.3g s%s", c->whom, c->through, seconds,
		 c->proxy ? ": is it a proxy that is spoken to by TLS?" : "");
}

const struct hop_kind hop_tls = { "TLS", tls_start, tls_stop, tls_late };
