/*
 * The way to the website. Called by the front; counts what is on the way, and makes a passage of each request.
 */
#include "server/fallback.h"

#include <stdlib.h>
#include <string.h>

#include "server/passage.h"
#include "tunnel/counters.h"

#define PER_CONNECTION (WEBSITE_LINE + 4) /* passages for each connection to the website: in line, on it, and answered but not read yet */

struct fallback {
	struct passages passages;
	uint64_t requests;
	bool dead;
};

static void fallback_fini(struct fallback *f)
{
	website_free(f->passages.website);
	loop_free_later(f->passages.loop, f);
}

static void on_left(void *ctx)
{
	struct fallback *f = ctx;

	if (f->dead && f->passages.count == 0)
		fallback_fini(f);
}

void fallback_request(struct fallback *f, struct exchange *x, const struct http1_head *head, const struct fallback_visitor *v,
		      bool bodiless)
{
	f->requests++;
	count(fallback_requests);
	passage_begin(&f->passages, x, head, v, bodiless);
}

struct fallback *fallback_new(struct loop *loop, const char *url, size_t max, char *error, size_t size)
{
	struct website *w = website_new(loop, url, max, error, size);
	struct fallback *f;

	if (!w)
		return NULL;
	f = calloc(1, sizeof *f);
	if (!f)
		abort();
	f->passages = (struct passages){ .loop = loop, .website = w, .max = max * PER_CONNECTION, .left = on_left, .ctx = f };
	list_init(&f->passages.list);
	return f;
}

void fallback_free(struct fallback *f)
{
	if (!f)
		return;
	f->dead = true;
	on_left(f);
}

const char *fallback_url(const struct fallback *f)
{
	return website_url(f->passages.website);
}

void fallback_stats(const struct fallback *f, struct fallback_stats *stats)
{
	*stats = (struct fallback_stats){ .requests = f->requests, .failures = f->passages.failures, .in_flight = f->passages.count };
	website_stats(f->passages.website, &stats->website);
}
