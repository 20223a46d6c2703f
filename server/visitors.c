/*
 * Visitors. Called by the connections as an exchange begins and when it is over; ask the
 * trusted proxies' list who it is.
 */
#include "server/visitors.h"

#include <stdlib.h>

#define SPARE_MAX 256		/* kept for exchanges to come */

struct visitor {
	struct front_visitor front;	/* first */
	struct origin *client;		/* NULL: not counted here */
	struct visitor *next;		/* in spare */
};

static struct visitor *get(struct visitors *all)
{
	struct visitor *v = all->spare;

	if (v) {
		all->spare = v->next;
		all->spares--;
	} else {
		v = malloc(sizeof *v);
	}
	if (!v)
		abort();
	return v;
}

/* Nobody knows of it any more. */
static void put(struct visitors *all, struct visitor *v)
{
	if (all->spares == SPARE_MAX) {
		free(v);
		return;
	}
	v->next = all->spare;
	all->spare = v;
	all->spares++;
}

static enum front_crowd crowd(const struct visitors *all, const struct visitor *v)
{
	size_t n = origin_count(v->client);

	return n > 2 * all->max ? FRONT_CROWD_ALL : n > all->max ? FRONT_CROWD_STRANGERS : FRONT_CROWD_NONE;
}

/* A proxy's own requests are nobody's, and those of another trusted one that did not say more. */
static void name_client(struct visitors *all, const struct visitors_place *at, const struct http1_head *head, struct visitor *v)
{
	struct address client;

	if (!trusted_client(all->trusted, at->local, head, &client))
		return;
	if (address_port(&client))
		address_text(&client, v->front.peer);
	else
		address_host_text(&client, v->front.peer);
	origins_key(&client, v->front.origin);
	if (trusted_has(all->trusted, &client) || (at->local && address_is_local(&client)))
		return;
	v->client = origins_take(&all->clients, v->front.origin);
	v->front.crowd = crowd(all, v);
}

struct front_visitor *visitors_take(struct visitors *all, const struct visitors_place *at, const struct http1_head *head)
{
	struct visitor *v = get(all);

	v->front = at->visitor;
	v->front.proxied = at->proxy;
	v->client = NULL;
	if (at->proxy) {
		v->front.discarded = 0; /* several clients share the connection */
		name_client(all, at, head, v);
	}
	return &v->front;
}

void visitors_give(struct visitors *all, struct visitors_place *at, struct front_visitor *front)
{
	struct visitor *v = (struct visitor *)front;

	at->visitor.discarded = front->discarded;
	origins_give(&all->clients, v->client);
	put(all, v);
}

void visitors_fini(struct visitors *all)
{
	while (all->spare)
		free(get(all));
}
