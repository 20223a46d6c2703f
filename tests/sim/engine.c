/* The real-time engine in its world. */
#include "tests/sim/engine.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define CONNECT (20 * LOOP_SECOND)

static void on_carriers(void *ctx, unsigned wanted)
{
	struct engine_party *p = ctx;

	p->wanted = wanted;
	ladder_want(p->ladder, wanted);
}

static void on_ended(void *ctx, uint64_t code, const char *reason)
{
	struct engine_party *p = ctx;

	(void)code, (void)reason;
	p->ended = true;
}

static void on_proven(void *ctx, struct carrier *c, const struct rung *before)
{
	(void)ctx, (void)c, (void)before;
}

static void on_trouble(void *ctx, const struct rung *failed, int error, const char *why, int64_t retry_us)
{
	(void)ctx, (void)failed, (void)error, (void)why, (void)retry_us;
}

static void on_welcome(void *ctx)
{
	(void)ctx;
}

static const struct session_events session_events = { .welcome = on_welcome, .carriers = on_carriers, .ended = on_ended };
static const struct ladder_events ladder_events = { .proven = on_proven, .trouble = on_trouble };

unsigned engine_carriers(const struct engine_party *p)
{
	struct carrier *c[SESSION_CARRIERS_MAX];
	unsigned n = session_carriers(p->session, c, SESSION_CARRIERS_MAX), proven = 0;

	for (unsigned i = 0; i < n; i++)
		proven += carrier_is_proven(c[i]);
	return proven;
}

static bool is_connected(const struct engine_party *p)
{
	return session_is_open(p->session) && ladder_carrier(p->ladder);
}

struct engine_party *engine_add(struct engine *e)
{
	struct engine_party *p = &e->party[e->parties++];
	const char *rung = e->o.rung ? e->o.rung : "duplex";

	p->engine = e;
	p->session = session_new(e->w->loop, SESSION_HELPER, &e->w->config, e->w->pool, NULL, &session_events, p);
	p->pool = pool_new(e->w->loop, lossy_dialler(e->lossy), POOL_LIMIT_DEFAULT, &p->verdict.cuts);
	p->config = (struct ladder_config){ .only = *rung ? rung_find(rung) : NULL, .path = &e->w->path, .pool = p->pool,
					    .verdict = &p->verdict, .carriers = e->o.carriers };
	p->ladder = ladder_new(e->w->loop, p->session, &p->config, &ladder_events, p);
	for (int64_t t = 0; t < CONNECT && !is_connected(p); t += LOOP_MS)
		engine_run(e, LOOP_MS);
	assert_true(is_connected(p));
	return p;
}

static void begin_proxy(struct engine *e)
{
	e->o.behind.seed = e->o.seed + 1000;
	e->proxy = splice_new(e->w->loop, 65536, world_accept, e->w);
	e->lossy = lossy_new(e->w->loop, &e->o.link, splice_accept, e->proxy);
	e->behind = lossy_new(e->w->loop, &e->o.behind, NULL, NULL);
	splice_behind(e->proxy, e->behind);
}

static void begin_between(struct engine *e)
{
	e->o.behind.seed = e->o.seed + 1000;
	e->o.behind.http2 = true;
	e->behind = lossy_new(e->w->loop, &e->o.behind, NULL, NULL);
	e->between = e->o.between->begin(e->w->loop, e->behind, world_accept, e->w);
	e->lossy = lossy_new(e->w->loop, &e->o.link, e->o.between->accept, e->between);
}

struct engine *engine_new(const struct engine_options *o)
{
	struct engine *e = calloc(1, sizeof *e);

	if (!e)
		abort();
	e->o = *o;
	if (!e->o.seed)
		e->o.seed = 1;
	if (!e->o.carriers)
		e->o.carriers = 8;
	e->o.link.seed = e->o.seed;
	e->o.link.http2 = e->o.behind.http2 = world_http2;
	e->w = world_new(e->o.seed, false);
	session_free(e->w->helper);
	e->w->helper = NULL;
	e->w->no_auto_finish = true;
	if (o->between)
		begin_between(e);
	else if (o->proxied)
		begin_proxy(e);
	else
		e->lossy = lossy_new(e->w->loop, &e->o.link, world_accept, e->w);
	engine_add(e);
	e->w->helper = e->party[0].session;
	return e;
}

static void over(void *ctx)
{
	struct engine *e = ctx;

	if (e->proxy)
		splice_free(e->proxy);
	if (e->between)
		e->o.between->end(e->between);
	if (e->behind)
		lossy_free(e->behind);
	lossy_free(e->lossy);
}

void engine_free(struct engine *e)
{
	for (unsigned i = 0; i < e->parties; i++) {
		ladder_free(e->party[i].ladder);
		session_free(e->party[i].session);
		pool_free(e->party[i].pool);
	}
	e->w->helper = NULL;
	e->w->front_over = over;
	e->w->front_ctx = e;
	world_free(e->w);
	free(e);
}

void engine_run(struct engine *e, int64_t us)
{
	int64_t until = engine_now(e) + us;

	while (engine_now(e) < until) {
		int64_t next = engine_now(e) + 100 * LOOP_MS;

		loop_advance(e->w->loop, next < until ? next : until);
		for (unsigned i = 0; i < e->parties; i++) {
			unsigned n = engine_carriers(&e->party[i]);

			if (n > e->party[i].most)
				e->party[i].most = n;
		}
	}
}

int64_t engine_now(const struct engine *e)
{
	return loop_now(e->w->loop);
}

struct session *engine_server(const struct engine *e, unsigned i)
{
	return e->w->server[i].session;
}

void engine_waiting(const struct engine *e, uint64_t *packets, uint64_t *bytes)
{
	*packets = *bytes = 0;
	for (unsigned i = 0; i < 2 * e->parties; i++) {
		struct session *s = i % 2 ? engine_server(e, i / 2) : e->party[i / 2].session;
		struct session_stats stats;

		if (!s)
			continue;
		session_stats(s, &stats);
		*packets += stats.queued_packets;
		*bytes += stats.queued_bytes;
	}
}

void engine_redundancy(struct session *s, struct redundancy_stats *out)
{
	struct session_stats stats;

	session_stats(s, &stats);
	*out = stats.redundancy;
}

uint64_t engine_bytes(const struct engine *e)
{
	struct lossy_counts c;

	lossy_counts(e->lossy, &c);
	return c.way[0].bytes + c.way[1].bytes;
}
