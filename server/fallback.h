/*
 * Fallback: what is not Culvert's is passed on to the operator's website behind us, and its answers back, streaming both ways,
 * so that one port serves both.
 */
#ifndef SERVER_FALLBACK_H
#define SERVER_FALLBACK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "server/fallback_head.h"
#include "server/website.h"
#include "tunnel/exchange.h"
#include "tunnel/loop.h"

struct fallback;

/* url, max: as website_new. NULL and a sentence in error. */
struct fallback *fallback_new(struct loop *, const char *url, size_t max, char *error, size_t size);
/* Takes no requests any more; those in flight go on, and it is gone with the last of them. NULL is fine. */
void fallback_free(struct fallback *);
/* Takes an exchange over whose request came. bodiless: the request's body was read already, and the website gets none. The head
 * is needed during this call only. */
void fallback_request(struct fallback *, struct exchange *, const struct http1_head *, const struct fallback_visitor *, bool bodiless);

const char *fallback_url(const struct fallback *);

struct fallback_stats {
	struct website_stats website;
	uint64_t requests, failures; /* failures: answered by us, or cut */
	size_t in_flight;
};
void fallback_stats(const struct fallback *, struct fallback_stats *);

#endif
