/*
 * Dialler. A dial holds exactly one thing at a time that can be cancelled: a lookup, a
 * race, or one hop after the other on the connection that won. Called by the pool through
 * its table.
 */
#include "client/dial.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/authority.h"
#include "client/dial_steps.h"
#include "client/happy.h"
#include "client/hop.h"
#include "framing/error.h"
#include "tunnel/counters.h"
#include "tunnel/log.h"

#define DIAL_TIMEOUT (10 * LOOP_SECOND)
#define DIAL_KEEP_ADDRESSES (30 * LOOP_SECOND)
#define DIAL_TRIES 5	/* connections in one dial, where a proxy wants a new one for the next leg */

struct dialler {
	struct dial_config config;
	struct pool_dialler pool;
	struct dial *dials;
	struct proxy_chain chain;
	struct dial_steps steps;
	const char *host;			/* whom connections go to: the first proxy, else the server */
	uint16_t port;
	char whom[HOP_WHOM];			/* the same for people */
	struct address known[RESOLVE_MAX];	/* of that */
	size_t known_count;
	int64_t known_until;
	struct address winner;			/* it answered last: tried first; len 0: none */
	struct address reached, source;		/* the last connection: to whom, from which address of ours; len 0: none */
};

enum dial_state {
	DIAL_RESOLVE,	/* -> CONNECT, OVER */
	DIAL_CONNECT,	/* -> HOP, OVER */
	DIAL_HOP,	/* -> HOP, RESOLVE, CONNECT (on a new connection), OVER */
	DIAL_OVER,
};

struct dial {
	struct dialler *dialler;
	struct dial *next, **link;	/* in dialler->dials */
	enum dial_state state;
	struct timer timer;		/* deadline of the step */
	struct resolve *resolve;
	struct happy *happy;
	struct hop *hop;
	unsigned at, tries;		/* the step, in HOP; connections so far */
	enum dial_versions versions;
	void (*done)(void *pool_ctx, struct stream *, int error, const char *why);
	void *pool_ctx;
	char why[HOP_WHY];
};

static void dial_begin(struct dial *);

static void dial_enter(struct dial *d, enum dial_state s)
{
	static const char *const names[] = { "resolve", "connect", "hop", "over" };

	log_debug("dial", d->dialler->whom, "%s -> %s%s%s", names[d->state], names[s], s == DIAL_HOP ? " " : "",
		  s == DIAL_HOP ? d->dialler->steps.step[d->at].kind->name : "");
	d->state = s;
}

static bool is_proxied(const struct dialler *r)
{
	return r->chain.n > 0;
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
	hop_drop(d->hop);
	*d->link = d->next;
	if (d->next)
		d->next->link = d->link;
	loop_free_later(d->dialler->config.loop, d);
}

static void dial_succeed(struct dial *d, struct stream *s)
{
	count(connections_opened);
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
	log_debug("dial", d->dialler->whom, "failed: %s", d->why);
	dial_drop(d);
	d->done(d->pool_ctx, NULL, error, d->why);
}

static void dial_deadline(void *ctx)
{
	struct dial *d = ctx;
	const struct dialler *r = d->dialler;
	const struct dial_step *step = &r->steps.step[d->at];
	char why[HOP_WHY];

	if (d->state == DIAL_HOP) {
		step->kind->late(d->hop, (double)step->timeout_us / 1e6, why, sizeof why);
		dial_fail(d, ERROR_TIMEOUT, "%s", why);
	} else if (d->state == DIAL_CONNECT) { /* the resolver has its own deadline */
		dial_fail(d, ERROR_TIMEOUT, "%s did not accept a connection within %.3g s%s", r->whom,
			  (double)r->config.connect_timeout_us / 1e6,
			  is_proxied(r) ? "" : ": if this network needs a proxy, give it with --proxy");
	}
}

/* The hops. */

static void dial_hop_done(void *ctx, struct stream *stream, int error, const char *why);

/* The next step on the stream, or the end. */
static void dial_next(struct dial *d, struct stream *stream)
{
	const struct dial_steps *steps = &d->dialler->steps;
	const struct hop_config *hop = &steps->step[d->at].hop;

	if (d->at == steps->n) {
		dial_succeed(d, stream);
		return;
	}
	dial_enter(d, DIAL_HOP);
	timer_in(&d->timer, steps->step[d->at].timeout_us);
	if (hop->alpn && d->versions == DIAL_11)
		hop = &steps->server_11;
	d->hop = steps->step[d->at].kind->start(hop, stream, dial_hop_done, d);
}

static void dial_hop_done(void *ctx, struct stream *stream, int error, const char *why)
{
	struct dial *d = ctx;

	d->hop = NULL;
	if (stream) {
		d->at++;
		dial_next(d, stream);
	} else if (error == ERROR_AGAIN && d->tries < DIAL_TRIES) {
		log_debug("dial", d->dialler->whom, "once more: %s", why);
		dial_begin(d);
	} else {
		dial_fail(d, error == ERROR_AGAIN ? ERROR_PROXY_AUTH : error, "%s", why);
	}
}

/* Connecting. */

static void dial_unconnected(struct dial *d, int error)
{
	struct dialler *r = d->dialler;
	const char *hint = is_proxied(r) ? "" : ": if this network needs a proxy, give it with --proxy";

	r->known_count = 0; /* the name may have moved */
	r->winner.len = 0;
	switch (error) {
	case ERROR_REFUSED:
		dial_fail(d, error, "nothing listens at %s (connection refused)", r->whom);
		break;
	case ERROR_UNREACHABLE:
		dial_fail(d, error, "there is no route to %s: is the network up?", r->whom);
		break;
	case ERROR_TIMEOUT:
		dial_fail(d, error, "%s did not answer%s", r->whom, hint);
		break;
	default:
		dial_fail(d, error, "cannot connect to %s: %s", r->whom, error_text(error));
	}
}

static void dial_connected(void *ctx, struct stream *s, const struct address *winner, int error)
{
	struct dial *d = ctx;
	struct dialler *r = d->dialler;

	d->happy = NULL;
	if (error) {
		dial_unconnected(d, error);
		return;
	}
	r->winner = r->reached = *winner;
	if (address_source(winner, &r->source) < 0)
		r->reached.len = 0;
	d->at = 0;
	dial_next(d, s);
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
	const char *whose = is_proxied(r) ? " of the proxy" : "";

	d->resolve = NULL;
	if (error == ERROR_TIMEOUT) {
		dial_fail(d, ERROR_RESOLVE, "DNS gave no address for the name %s%s in time: is the network up?", r->host, whose);
	} else if (error) {
		dial_fail(d, ERROR_RESOLVE, "the name %s%s has no address (check the spelling and DNS)", r->host, whose);
	} else {
		memcpy(r->known, address, n * sizeof *address);
		r->known_count = n;
		r->known_until = loop_now(r->config.loop) + DIAL_KEEP_ADDRESSES;
		dial_connect(d);
	}
}

static void dial_begin(struct dial *d)
{
	struct dialler *r = d->dialler;

	d->tries++;
	if (r->known_count && loop_now(r->config.loop) < r->known_until) {
		dial_connect(d);
		return;
	}
	timer_stop(&d->timer);
	dial_enter(d, DIAL_RESOLVE);
	d->resolve = resolve_start(r->config.resolver, r->host, r->port, dial_resolved, d);
}

static struct dial *dial_start(void *ctx, enum dial_versions versions, void (*done)(void *pool_ctx, struct stream *, int error, const char *why),
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
	d->versions = versions;
	dial_begin(d);
	return d;
}

static bool dial_reached(const struct dial *d)
{
	return d->state == DIAL_HOP;
}

/* The dialler. */

static char *dial_copy(const char *s)
{
	char *copy = s ? strdup(s) : NULL;

	if (s && !copy)
		abort();
	return copy;
}

/* Whom connections go to. */
static void dial_choose_first(struct dialler *r)
{
	const struct proxy *first = is_proxied(r) ? &r->chain.hop[0] : NULL;
	const struct dial_config *c = &r->config;
	const char *host = c->plain ? c->plain_host : c->server_host;

	r->host = first ? first->host : host;
	r->port = first ? first->port : c->plain ? c->plain_port : c->server_port;
	if (first)
		snprintf(r->whom, sizeof r->whom, "the proxy %s", first->shown);
	else
		authority_text(host, r->port, 0, r->whom, sizeof r->whom);
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
	c->plain_host = dial_copy(c->plain_host);
	c->connect_timeout_us = c->connect_timeout_us ? c->connect_timeout_us : DIAL_TIMEOUT;
	c->proxy_timeout_us = c->proxy_timeout_us ? c->proxy_timeout_us : DIAL_TIMEOUT;
	c->tls_timeout_us = c->tls_timeout_us ? c->tls_timeout_us : DIAL_TIMEOUT;
	if (c->chain)
		r->chain = *c->chain;
	c->chain = &r->chain;
	dial_steps_init(&r->steps, c);
	dial_choose_first(r);
	r->pool = (struct pool_dialler){ dial_start, dial_drop, r, dial_reached };
	return r;
}

struct dialler *dialler_plain(const struct dialler *r, uint16_t port)
{
	struct dial_config config = r->config;

	config.tls = NULL;
	config.plain = false;
	config.server_port = port;
	return dialler_new(&config);
}

void dialler_free(struct dialler *r)
{
	if (!r)
		return;
	while (r->dials)
		dial_drop(r->dials);
	free((char *)r->config.server_host);
	free((char *)r->config.plain_host);
	for (unsigned i = 0; i < PROXY_HOPS_MAX; i++)
		explicit_bzero(r->chain.hop[i].password, sizeof r->chain.hop[i].password);
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
