/*
 * Dialler. A dial walks through its steps, holding exactly one thing at a time
 * that can be cancelled: a lookup, a race, the CONNECT exchange, or a stream in
 * its TLS handshake. Called by the pool through its table.
 */
#include "client/dial.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/happy.h"
#include "client/proxy_connect.h"
#include "framing/error.h"
#include "tunnel/counters.h"
#include "tunnel/log.h"

#define DIAL_TIMEOUT (10 * LOOP_SECOND)
#define DIAL_KEEP_ADDRESSES (30 * LOOP_SECOND)
#define DIAL_HOSTPORT 272	/* bytes of "[host]:port" */

struct dialler {
	struct dial_config config;
	struct pool_dialler pool;
	struct dial *dials;
	char server[DIAL_HOSTPORT], proxy[DIAL_HOSTPORT]; /* proxy "": direct */
	struct address known[RESOLVE_MAX];	/* of the proxy, else of the server */
	size_t known_count;
	int64_t known_until;
	struct address winner;			/* it answered last: tried first; len 0: none */
	struct address reached, source;		/* the last connection: to whom, from which address of ours; len 0: none */
};

enum dial_state {
	DIAL_RESOLVE,	/* -> CONNECT, OVER */
	DIAL_CONNECT,	/* -> PROXY, TLS, OVER */
	DIAL_PROXY,	/* -> TLS, OVER */
	DIAL_TLS,	/* -> OVER */
	DIAL_OVER,
};

struct dial {
	struct dialler *dialler;
	struct dial *next, **link;	/* in dialler->dials */
	enum dial_state state;
	struct timer timer;		/* deadline of the step */
	struct resolve *resolve;
	struct happy *happy;
	struct proxy_connect *proxy;
	struct stream *stream;
	void (*done)(void *pool_ctx, struct stream *, int error, const char *why);
	void *pool_ctx;
	char why[640];
};

static const char *dial_state_name(enum dial_state s)
{
	static const char *const names[] = { "resolve", "connect", "proxy", "tls", "over" };

	return names[s];
}

static void dial_enter(struct dial *d, enum dial_state s)
{
	log_debug("dial", d->dialler->server, "%s -> %s", dial_state_name(d->state), dial_state_name(s));
	d->state = s;
}

/* Whom the connection goes to. */
static const char *dial_target(const struct dialler *r)
{
	return r->proxy[0] ? r->proxy : r->server;
}

static const char *dial_host(const struct dialler *r)
{
	return r->proxy[0] ? r->config.proxy_host : r->config.server_host;
}

/* The one end of a dial, in any state. */
static void dial_drop(struct dial *d)
{
	if (d->state == DIAL_OVER)
		return;
	dial_enter(d, DIAL_OVER);
	timer_stop(&d->timer);
	if (d->resolve)
		resolve_cancel(d->resolve);
	if (d->happy)
		happy_cancel(d->happy);
	proxy_connect_free(d->proxy);
	if (d->stream)
		stream_close(d->stream);
	*d->link = d->next;
	if (d->next)
		d->next->link = d->link;
	loop_free_later(d->dialler->config.loop, d);
}

static void dial_succeed(struct dial *d)
{
	struct stream *s = d->stream;

	count(connections_opened);
	d->stream = NULL;
	dial_drop(d);
	d->done(d->pool_ctx, s, 0, "");
}

static void __attribute__((format(printf, 3, 4))) dial_fail(struct dial *d, int error, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(d->why, sizeof d->why, fmt, ap);
	va_end(ap);
	count(connections_failed);
	log_debug("dial", d->dialler->server, "failed: %s", d->why);
	dial_drop(d);
	d->done(d->pool_ctx, NULL, error, d->why);
}

/* Deadlines. */

static void dial_deadline(void *ctx)
{
	struct dial *d = ctx;
	const struct dialler *r = d->dialler;
	const char *whose = r->proxy[0] ? "the proxy " : "";

	switch (d->state) {
	case DIAL_CONNECT:
		dial_fail(d, ERROR_TIMEOUT, "%s%s did not accept a connection within %.3g s%s", whose, dial_target(r),
			  (double)r->config.connect_timeout_us / 1e6,
			  r->proxy[0] ? "" : ": if this network needs a proxy, give it with --proxy");
		break;
	case DIAL_PROXY:
		dial_fail(d, ERROR_TIMEOUT, "the proxy %s did not answer CONNECT to %s within %.3g s", r->proxy, r->server,
			  (double)r->config.proxy_timeout_us / 1e6);
		break;
	case DIAL_TLS:
		count(tls_failed);
		dial_fail(d, ERROR_TIMEOUT, "%s%s%s did not finish the TLS handshake within %.3g s", r->server,
			  r->proxy[0] ? " through the proxy " : "", r->proxy, (double)r->config.tls_timeout_us / 1e6);
		break;
	default:
		break; /* the resolver has its own deadline */
	}
}

/* The last step: TLS. */

static void dial_tls_ready(void *ctx)
{
	struct dial *d = ctx;
	struct stream_info info;

	stream_info(d->stream, &info);
	if (info.resumed)
		count(tls_resumed);
	dial_succeed(d);
}

static void dial_tls_failed(void *ctx, int error)
{
	struct dial *d = ctx;
	const struct dialler *r = d->dialler;

	count(tls_failed);
	if (error == ERROR_CERTIFICATE)
		dial_fail(d, error, "%s", stream_tls_reason(d->stream));
	else
		dial_fail(d, error, "%s%s%s: %s", r->server, r->proxy[0] ? " through the proxy " : "", r->proxy,
			  stream_tls_reason(d->stream));
}

static const struct stream_events dial_tls_events = {
	.ready = dial_tls_ready,
	.failed = dial_tls_failed,
};

static void dial_tls(struct dial *d)
{
	const struct dial_config *c = &d->dialler->config;

	if (!c->tls) {
		dial_succeed(d);
		return;
	}
	dial_enter(d, DIAL_TLS);
	timer_in(&d->timer, c->tls_timeout_us);
	d->stream = stream_tls_client(c->loop, c->tls, d->stream, c->server_host, &dial_tls_events, d);
}

/* CONNECT. */

static void dial_proxy_done(void *ctx, int error, const char *why)
{
	struct dial *d = ctx;

	if (error) {
		dial_fail(d, error, "%s", why);
		return;
	}
	proxy_connect_free(d->proxy);
	d->proxy = NULL;
	dial_tls(d);
}

static void dial_proxy(struct dial *d)
{
	const struct dialler *r = d->dialler;
	struct proxy_connect_config c = {
		.server = r->server,
		.proxy = r->proxy,
		.user = r->config.proxy_user,
		.password = r->config.proxy_password,
	};

	dial_enter(d, DIAL_PROXY);
	timer_in(&d->timer, r->config.proxy_timeout_us);
	d->proxy = proxy_connect_new(r->config.loop, d->stream, &c, dial_proxy_done, d);
}

/* Connecting. */

static void dial_unconnected(struct dial *d, int error)
{
	struct dialler *r = d->dialler;
	const char *whose = r->proxy[0] ? "the proxy " : "";
	const char *hint = r->proxy[0] ? "" : ": if this network needs a proxy, give it with --proxy";

	r->known_count = 0; /* the name may have moved */
	r->winner.len = 0;
	switch (error) {
	case ERROR_REFUSED:
		dial_fail(d, error, "nothing listens at %s%s (connection refused)", whose, dial_target(r));
		break;
	case ERROR_UNREACHABLE:
		dial_fail(d, error, "there is no route to %s%s: is the network up?", whose, dial_target(r));
		break;
	case ERROR_TIMEOUT:
		dial_fail(d, error, "%s%s did not answer%s", whose, dial_target(r), hint);
		break;
	default:
		dial_fail(d, error, "cannot connect to %s%s: %s", whose, dial_target(r), error_text(error));
	}
}

static void dial_connected(void *ctx, struct stream *s, const struct address *winner, int error)
{
	struct dial *d = ctx;
	struct dialler *r = d->dialler;

	d->happy = NULL;
	d->stream = s;
	if (error) {
		dial_unconnected(d, error);
		return;
	}
	r->winner = r->reached = *winner;
	if (address_source(winner, &r->source) < 0)
		r->reached.len = 0;
	if (r->proxy[0])
		dial_proxy(d);
	else
		dial_tls(d);
}

/* Puts the address that won last in front. */
static void dial_prefer_winner(struct dialler *r)
{
	for (size_t i = 0; r->winner.len && i < r->known_count; i++) {
		if (!address_equal(&r->known[i], &r->winner))
			continue;
		memmove(&r->known[1], &r->known[0], i * sizeof *r->known);
		r->known[0] = r->winner;
		return;
	}
}

static void dial_connect(struct dial *d)
{
	struct dialler *r = d->dialler;

	dial_prefer_winner(r);
	dial_enter(d, DIAL_CONNECT);
	timer_in(&d->timer, r->config.connect_timeout_us);
	d->happy = happy_start(r->config.loop, r->known, r->known_count, dial_connected, d);
}

/* Resolving. */

static void dial_resolved(void *ctx, const struct address *address, size_t n, int error)
{
	struct dial *d = ctx;
	struct dialler *r = d->dialler;
	const char *whose = r->proxy[0] ? " of the proxy" : "";

	d->resolve = NULL;
	if (error == ERROR_TIMEOUT) {
		dial_fail(d, ERROR_RESOLVE, "DNS gave no address for the name %s%s in time: is the network up?", dial_host(r), whose);
	} else if (error) {
		dial_fail(d, ERROR_RESOLVE, "the name %s%s has no address (check the spelling and DNS)", dial_host(r), whose);
	} else {
		memcpy(r->known, address, n * sizeof *address);
		r->known_count = n;
		r->known_until = loop_now(r->config.loop) + DIAL_KEEP_ADDRESSES;
		dial_connect(d);
	}
}

static struct dial *dial_start(void *ctx, void (*done)(void *pool_ctx, struct stream *, int error, const char *why),
			       void *pool_ctx)
{
	struct dialler *r = ctx;
	struct dial *d = calloc(1, sizeof *d);

	if (!d)
		abort();
	d->dialler = r;
	d->done = done;
	d->pool_ctx = pool_ctx;
	timer_init(&d->timer, r->config.loop, dial_deadline, d);
	d->next = r->dials;
	d->link = &r->dials;
	if (d->next)
		d->next->link = &d->next;
	r->dials = d;
	if (r->known_count && loop_now(r->config.loop) < r->known_until)
		dial_connect(d);
	else
		d->resolve = resolve_start(r->config.resolver, dial_host(r),
					   r->proxy[0] ? r->config.proxy_port : r->config.server_port, dial_resolved, d);
	return d;
}

/* The dialler. */

static char *dial_copy(const char *s)
{
	char *copy = s ? strdup(s) : NULL;

	if (s && !copy)
		abort();
	return copy;
}

static void dial_hostport(char *out, const char *host, uint16_t port)
{
	bool v6 = strchr(host, ':');

	snprintf(out, DIAL_HOSTPORT, "%s%s%s:%u", v6 ? "[" : "", host, v6 ? "]" : "", (unsigned)port);
}

struct dialler *dialler_new(const struct dial_config *config)
{
	struct dialler *r = calloc(1, sizeof *r);
	struct dial_config *c;

	if (!r)
		abort();
	c = &r->config;
	*c = *config;
	c->server_host = dial_copy(c->server_host);
	c->proxy_host = dial_copy(c->proxy_host);
	c->proxy_user = dial_copy(c->proxy_user);
	c->proxy_password = dial_copy(c->proxy_password);
	c->connect_timeout_us = c->connect_timeout_us ? c->connect_timeout_us : DIAL_TIMEOUT;
	c->proxy_timeout_us = c->proxy_timeout_us ? c->proxy_timeout_us : DIAL_TIMEOUT;
	c->tls_timeout_us = c->tls_timeout_us ? c->tls_timeout_us : DIAL_TIMEOUT;
	dial_hostport(r->server, c->server_host, c->server_port);
	if (c->proxy_host)
		dial_hostport(r->proxy, c->proxy_host, c->proxy_port);
	r->pool = (struct pool_dialler){ dial_start, dial_drop, r };
	return r;
}

struct dialler *dialler_plain(const struct dialler *r, uint16_t port)
{
	struct dial_config config = r->config;

	config.tls = NULL;
	config.server_port = port;
	return dialler_new(&config);
}

void dialler_free(struct dialler *r)
{
	if (!r)
		return;
	while (r->dials)
		dial_drop(r->dials);
	if (r->config.proxy_password)
		explicit_bzero((char *)r->config.proxy_password, strlen(r->config.proxy_password));
	free((char *)r->config.server_host);
	free((char *)r->config.proxy_host);
	free((char *)r->config.proxy_user);
	free((char *)r->config.proxy_password);
	loop_free_later(r->config.loop, r);
}

const struct pool_dialler *dialler_pool(struct dialler *r)
{
	return &r->pool;
}

void dialler_forget(struct dialler *r)
{
	r->known_count = 0;
	r->winner.len = r->reached.len = 0;
}

bool dialler_moved(const struct dialler *r)
{
	struct address now;

	return !r->reached.len || address_source(&r->reached, &now) < 0 || !address_equal(&now, &r->source);
}
