/*
 * A path. Made by helper.c; owns the pool that carriers and probes share, the
 * watch on the network and the memory of verdicts.
 */
#include "client/path.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/memory.h"
#include "client/network.h"
#include "framing/error.h"
#include "tunnel/log.h"

struct path {
	struct loop *loop;
	const struct options *options;
	struct route *route;
	struct pool *pool;
	struct verdict verdict;
	struct memory *memory;
	struct network *network;
	char id[NETWORK_ID];	/* the network that the verdict is of, */
	char through[600];	/* and the proxies */
	bool works;		/* it did, with these proxies */
	void (*changed)(void *ctx);
	void *ctx;
};

static void recall(struct path *p)
{
	memset(&p->verdict, 0, sizeof p->verdict);
	snprintf(p->through, sizeof p->through, "%s", route_text(p->route));
	p->works = false;
	if (!memory_get(p->memory, p->id, p->through, p->options->server.url, &p->verdict))
		return;
	if (p->verdict.limit)
		pool_set_limit(p->pool, p->verdict.limit);
	log_debug("path", "", "known from an earlier visit to this network: %s",
		  p->verdict.rung ? p->verdict.rung->name : "cuts");
}

/* More is known of the network that we are on: what was learned goes with it, what is known from before helps. */
static void rename_network(struct path *p, const char *id)
{
	strcpy(p->id, id);
	if (p->verdict.rung)
		path_learned(p);
	else
		recall(p);
}

static void on_network(void *ctx, bool resumed)
{
	struct path *p = ctx;
	char id[NETWORK_ID];
	bool moved;

	network_id(p->network, id);
	moved = strcmp(id, p->id) != 0;
	if (!resumed && (!moved || network_refined(p->network)) && !route_moved(p->route)) {
		log_debug("path", "", "the network changed, but not where we go through it");
		if (moved)
			rename_network(p, id);
		return;
	}
	log_info("path", "", "%s", resumed ? "back from sleep: connecting anew" : moved ? "another network: connecting anew"
									: "the network changed: connecting anew");
	pool_excuse(p->pool);	/* it was the network that went, or the sleep */
	path_learned(p);
	route_forget(p->route);
	strcpy(p->id, id);
	pool_forget(p->pool);
	recall(p);
	p->changed(p->ctx);
}

static void on_learned(void *ctx)
{
	path_learned(ctx);
}

/* Other proxies: another path. */
static void on_moved(void *ctx)
{
	struct path *p = ctx;

	pool_excuse(p->pool);
	path_learned(p);
	pool_forget(p->pool);
	recall(p);
	p->changed(p->ctx);
}

static bool on_stands(void *ctx)
{
	const struct path *p = ctx;

	return pool_is_standing(p->pool);
}

static const struct route_events route_events = { on_moved, on_stands };

struct path *path_new(struct loop *loop, const struct options *o, struct route *route,
		      void (*changed)(void *ctx), void *ctx)
{
	struct path *p = calloc(1, sizeof *p);
	char warning[512] = "";

	if (!p)
		abort();
	p->loop = loop;
	p->options = o;
	p->route = route;
	p->changed = changed;
	p->ctx = ctx;
	p->memory = memory_open(loop, o->state, warning, sizeof warning);
	if (warning[0])
		log_warn("path", "", "%s", warning);
	p->pool = pool_new(loop, route_dialler(route), o->connections, &p->verdict.cuts);
	if (o->http == HTTP_2)
		pool_insist(p->pool);
	pool_on_learned(p->pool, on_learned, p);
	p->network = network_new(loop, on_network, p);
	network_id(p->network, p->id);
	recall(p);
	route_listen(route, &route_events, p);
	return p;
}

void path_free(struct path *p)
{
	if (!p)
		return;
	path_learned(p);
	route_listen(p->route, NULL, NULL);
	network_free(p->network);
	memory_free(p->memory);
	pool_free(p->pool);
	loop_free_later(p->loop, p);
}

struct pool *path_pool(const struct path *p)
{
	return p->pool;
}

struct verdict *path_verdict(struct path *p)
{
	return &p->verdict;
}

void path_works(struct path *p)
{
	p->works = true;
}

void path_failed(struct path *p, int error)
{
	if (!p->works && (error == ERROR_HTTP || error == ERROR_MALFORMED) && route_is_plain(p->route))
		route_bad(p->route);
}

void path_learned(struct path *p)
{
	p->verdict.limit = pool_limit_learned(p->pool);
	if (p->verdict.rung)
		memory_put(p->memory, p->id, p->through, p->options->server.url, &p->verdict);
}

void path_signed(struct path *p, const struct verdict_issuer *now)
{
	struct verdict_issuer *is = &p->verdict.issuer;
	int64_t since = now->since;

	if (is->when && is->is_public && !now->is_public)
		return;
	if (is->when && (strcmp(is->leaf, now->leaf) == 0 || strcmp(is->anchor, now->anchor) == 0))
		since = is->since;
	*is = *now;
	is->since = since;
	path_learned(p);
}

bool path_issuer(const struct path *p, struct verdict_issuer *out)
{
	return memory_issuer(p->memory, p->options->server.url, out);
}
