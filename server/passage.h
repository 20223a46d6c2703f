/*
 * Passage: one request of a visitor on its way to the website, and the answer back.
 */
#ifndef SERVER_PASSAGE_H
#define SERVER_PASSAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "server/fallback_head.h"
#include "server/origins.h"
#include "server/website.h"
#include "tunnel/exchange.h"
#include "tunnel/list.h"
#include "tunnel/loop.h"

/* What they have in common; the fallback's. */
struct passages {
	struct loop *loop;
	struct website *website;
	struct link list;
	struct origins origins;
	size_t count, max;
	uint64_t failures;	/* answered by us, or cut */
	void (*left)(void *ctx); /* one of them is over, and off the list */
	void *ctx;
};

/* As fallback_request. */
void passage_begin(struct passages *, struct exchange *, const struct http1_head *, const struct fallback_visitor *, bool bodiless);

#endif
