/*
 * Visitors: who asks, one for each exchange. Directly that is the peer of the connection;
 * behind a trusted proxy, whose connections several clients share, it is who the proxy says,
 * and exchanges at a time are counted for each such client.
 */
#ifndef SERVER_VISITORS_H
#define SERVER_VISITORS_H

#include "server/front.h"
#include "server/origins.h"
#include "server/trusted.h"

struct visitor;

struct visitors {
	const struct trusted *trusted;
	size_t max;		/* exchanges at a time of one client behind proxies; see enum front_crowd */
	struct origins clients;
	struct visitor *spare;
	size_t spares;
};

/* What the exchanges of a connection have in common. */
struct visitors_place {
	struct front_visitor visitor;	/* what each begins as */
	bool proxy;			/* a trusted proxy asks: for others, when its requests say so */
	bool local;			/* to it, what is of this machine is a proxy, too */
};

void visitors_fini(struct visitors *);	/* when all are given back */
/* For an exchange that begins, of which nothing is kept but the visitor. */
struct front_visitor *visitors_take(struct visitors *, const struct visitors_place *, const struct http1_head *);
/* It is over. */
void visitors_give(struct visitors *, struct visitors_place *, struct front_visitor *);

#endif
