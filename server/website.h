/*
 * Website: the operator's own, behind us, and the connections to it. Each carries one request at a time; idle ones are kept for a
 * few seconds, less than servers keep theirs. At the cap requests wait in line, and those of one address behind others: it has half of
 * the connections at most.
 */
#ifndef SERVER_WEBSITE_H
#define SERVER_WEBSITE_H

#include <stdbool.h>
#include <stddef.h>

#include "tunnel/http.h"
#include "tunnel/list.h"
#include "tunnel/loop.h"

#define WEBSITE_LINE 8	/* requests in line for each connection that there may be */

struct website;

struct website_events {
	/* A connection: an exchange is to be begun on it at once. */
	void (*ready)(void *ctx, struct http *);
	/* ERROR_LIMIT: too many wait, or for too long; else what connecting failed with. */
	void (*failed)(void *ctx, int error);
};

/* A request in line. Memory of its owner. */
struct website_wait {
	struct link link;
	struct website *website;
	const struct website_events *events;
	void *ctx;
	const uint8_t *origin;	/* who asks, as origins_key; NULL: not counted */
	bool fresh;
	int64_t since;
};

/* url: "http://ADDRESS:PORT", "unix:/PATH"; max: connections. NULL and a sentence in error. */
struct website *website_new(struct loop *, const char *url, size_t max, char *error, size_t size);
/* No exchange may be in flight and no request in line. NULL is fine. */
void website_free(struct website *);
/* One event follows, never from within. origin: kept by the caller. fresh: no connection that was used before, since the site may be closing it. */
void website_ask(struct website *, struct website_wait *, const uint8_t *origin, bool fresh, const struct website_events *, void *ctx);
void website_withdraw(struct website_wait *);	/* not in line is fine */

const char *website_url(const struct website *);
/* What stands for Host where there is none. */
const char *website_host(const struct website *);

struct website_stats {
	size_t connections, idle, waiting;
};
void website_stats(const struct website *, struct website_stats *);

#endif
