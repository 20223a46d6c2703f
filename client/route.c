/*
 * A route. Owned by helper.c or the doctor; joins discovery, ways and candidates.
 * After a reload, or when other proxies were found, the old ways stay for the longest
 * time that one of their dials can take.
 */
#include "client/route.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/discovery.h"
#include "client/ways.h"
#include "framing/error.h"
#include "tunnel/log.h"
#include "tunnel/stream_tls.h"

#define RETIRE_US (120 * LOOP_SECOND) /* longer than all deadlines of a dial together */

struct route {
	struct loop *loop;
	const struct options *options;
	struct resolver *resolver;
	struct discovery *discovery;
	struct candidates *candidates;
	struct ways *ways;	/* the first ones are in use */
	struct timer retire;
	const struct route_events *events; /* NULL: nobody listens */
	void *ctx;
};

/* Before anything is known people are told of what they gave. */
static const struct way *way_in_use(const struct route *r)
{
	unsigned at = candidates_current(r->candidates);

	return at < r->ways->n ? &r->ways->way[at] : NULL;
}

static void on_moved(void *ctx)
{
	struct route *r = ctx;

	if (r->events)
		r->events->moved(r->ctx);
}

static bool on_stands(void *ctx)
{
	struct route *r = ctx;

	return r->events && r->events->stands(r->ctx);
}

static const struct candidates_events candidates_events = { on_moved, on_stands };

static void on_retire(void *ctx)
{
	struct route *r = ctx;
	struct ways **at = &r->ways->next;

	while (*at) {
		struct ways *w = *at;

		if (w->until_us > loop_now(r->loop)) {
			timer_sooner(&r->retire, w->until_us);
			at = &w->next;
			continue;
		}
		*at = w->next;
		ways_free(w);
	}
}

/* Other ways from now on; the one in use stays if it is among them. */
static void use(struct route *r, struct ways *w)
{
	struct candidate candidate[CANDIDATES_MAX];
	const struct way *before = way_in_use(r);
	unsigned current = 0;

	for (unsigned i = 0; i < w->n; i++) {
		candidate[i] = (struct candidate){ .dialler = dialler_pool(w->way[i].dialler),
						   .fallback = w->way[i].plain && i > 0 && w->way[i - 1].chain == w->way[i].chain };
		snprintf(candidate[i].text, sizeof candidate[i].text, "%s", w->way[i].text);
		if (before && strcmp(before->text, w->way[i].text) == 0)
			current = i;
	}
	if (w->n)
		candidates_set(r->candidates, candidate, w->n, current);
	w->next = r->ways;
	r->ways->until_us = loop_now(r->loop) + RETIRE_US;
	timer_sooner(&r->retire, r->ways->until_us);
	r->ways = w;
}

/* read: the files. */
static int load(struct route *r, const struct proxy_list *list, bool read, char *error, size_t size)
{
	struct ways *w = ways_new(r->loop, r->resolver, r->options, list, r->ways, read, error, size);

	if (!w)
		return ERROR_CONFIG;
	if (r->ways)
		use(r, w);
	else
		r->ways = w;
	return 0;
}

static void say_found(const struct route *r)
{
	char text[1500];
	size_t n = 0;

	for (unsigned i = 0; i < r->ways->n && n < sizeof text; i++)
		n += (size_t)snprintf(text + n, sizeof text - n, "%s%s", i ? ", " : "", r->ways->way[i].text);
	log_debug("route", "", "to %s: %s%s%s%s", r->options->server.authority, text, r->ways->list.from[0] ? " (from " : "",
		 r->ways->list.from, r->ways->list.from[0] ? ")" : "");
}

static void on_found(void *ctx, const struct proxy_list *list)
{
	struct route *r = ctx;
	char before[600], error[1024];

	snprintf(before, sizeof before, "%s", route_text(r));
	if (load(r, list, false, error, sizeof error) < 0)
		return;		/* nothing is read */
	say_found(r);
	if (strcmp(before, route_text(r)) != 0)
		on_moved(r);
}

struct route *route_new(struct loop *loop, const struct options *o, char *error, size_t size)
{
	struct route *r = calloc(1, sizeof *r);

	if (!r)
		abort();
	r->loop = loop;
	r->options = o;
	r->resolver = resolver_new(loop);
	r->candidates = candidates_new(loop, &candidates_events, r);
	timer_init(&r->retire, loop, on_retire, r);
	if (load(r, NULL, true, error, size) < 0) {
		route_free(r);
		return NULL;
	}
	r->discovery = discovery_new(loop, o, on_found, r);
	if (discovery_list(r->discovery))	/* nothing had to be looked for */
		on_found(r, discovery_list(r->discovery));
	return r;
}

void route_listen(struct route *r, const struct route_events *events, void *ctx)
{
	r->events = events;
	r->ctx = ctx;
}

void route_free(struct route *r)
{
	struct ways *w;

	if (!r)
		return;
	timer_stop(&r->retire);
	discovery_free(r->discovery);
	candidates_free(r->candidates);
	while ((w = r->ways)) {
		r->ways = w->next;
		ways_free(w);
	}
	resolver_free(r->resolver);
	loop_free_later(r->loop, r);
}

int route_reload(struct route *r, char *error, size_t size)
{
	int rc = load(r, route_list(r), true, error, size);

	if (rc == 0)
		discovery_again(r->discovery, false);
	return rc;
}

const struct pool_dialler *route_dialler(const struct route *r)
{
	return candidates_dialler(r->candidates);
}

void route_forget(struct route *r)
{
	for (struct ways *w = r->ways; w; w = w->next)
		for (unsigned i = 0; i < w->n; i++)
			dialler_forget(w->way[i].dialler);
	resolver_renew(r->resolver);
	candidates_forget(r->candidates);
	discovery_again(r->discovery, true);
}

bool route_bad(struct route *r)
{
	return candidates_bad(r->candidates);
}

bool route_moved(const struct route *r)
{
	const struct way *w = way_in_use(r);

	return !w || dialler_moved(w->dialler);
}

struct tls_context *route_tls(const struct route *r)
{
	return r->ways->tls;
}

struct tls_context *route_seal_tls(const struct route *r)
{
	return r->ways->seal_tls;
}

struct resolver *route_resolver(const struct route *r)
{
	return r->resolver;
}

const struct proxy_chain *route_chain(const struct route *r)
{
	const struct way *w = way_in_use(r);

	return w ? w->chain : &r->options->proxy;
}

const struct proxy_list *route_list(const struct route *r)
{
	return r->ways->list.n ? &r->ways->list : NULL;
}

bool route_is_plain(const struct route *r)
{
	const struct way *w = way_in_use(r);

	return w ? w->plain : r->options->server.plain_only;
}

const char *route_text(const struct route *r)
{
	const struct way *w = way_in_use(r);

	return w ? w->text : "direct";
}

const char *route_why(const struct route *r)
{
	return candidates_why(r->candidates);
}

const struct auth *route_auth(const struct route *r, unsigned hop)
{
	const struct way *w = way_in_use(r);

	return w && hop < w->chain->n ? w->auth[hop] : NULL;
}

struct dialler *route_plain(const struct route *r, uint16_t port)
{
	const struct way *w = way_in_use(r);

	if (w && w->plain && w > r->ways->way && w[-1].chain == w->chain)
		w--;	/* the one with CONNECT */
	return w ? dialler_plain(w->dialler, port) : NULL;
}
