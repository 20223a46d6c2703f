/* Calls through the real-time engine, and their figures. */
#include "tests/sim/engine.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define CALL (60 * LOOP_SECOND)

static void one_run(struct engine_result *r, const struct engine_case *c, bool single, uint64_t seed)
{
	struct engine_options o = { .link.way = { c->way, c->way }, .link.congestion = c->congestion, .link.untuned = c->untuned,
				    .proxied = c->behind.delay_us > 0, .behind.way = { c->behind, c->behind },
				    .carriers = single ? 1 : 0, .seed = seed, .rung = c->rung };
	struct engine *e = engine_new(&o);
	struct media_options call = c->media;
	unsigned calls = c->calls ? c->calls : 1;
	struct media *m[MEDIA_FLOWS];
	uint64_t before = engine_bytes(e);
	int64_t from = engine_now(e);

	if (single)
		call.redundancy = REDUNDANCY_NEVER;
	for (unsigned i = 0; i < calls; i++)
		m[i] = media_new(e->w, e->party[0].session, &call);
	engine_run(e, CALL / 2);
	if (c->changes) {
		*lossy_way(e->lossy, LOSSY_UP) = *lossy_way(e->lossy, LOSSY_DOWN) = c->then;
		before = engine_bytes(e);
		from = engine_now(e);
	}
	engine_run(e, CALL / 2);
	r->kilobytes += (double)(engine_bytes(e) - before) / 1e3;
	for (unsigned i = 0; i < calls; i++)
		media_stop(m[i]);
	engine_run(e, 5 * LOOP_SECOND);
	for (unsigned i = 0; i < calls; i++) {
		tally_add(&r->up, &m[i]->up, from, engine_now(e));
		tally_add(&r->down, &m[i]->down, from, engine_now(e));
		assert_int_equal(m[i]->up.wrong + m[i]->down.wrong + m[i]->up.repeated + m[i]->down.repeated, 0);
		media_free(m[i]);
	}
	if (e->party[0].most > r->carriers)
		r->carriers = e->party[0].most;
	engine_redundancy(e->party[0].session, &r->redundancy);
	engine_free(e);
}

void engine_measure(struct engine_result *r, const struct engine_case *c, bool single, unsigned seeds)
{
	memset(r, 0, sizeof *r);
	for (unsigned seed = 1; seed <= seeds; seed++)
		one_run(r, c, single, seed);
	r->kilobytes /= seeds;
}

void engine_result_fini(struct engine_result *r)
{
	tally_fini(&r->up);
	tally_fini(&r->down);
}

double engine_late(const struct engine_result *r, int64_t us)
{
	double up = tally_late(&r->up, us), down = tally_late(&r->down, us);

	return up > down ? up : down;
}

double engine_percentile(struct engine_result *r, double p)
{
	double up = tally_percentile(&r->up, p), down = tally_percentile(&r->down, p);

	return up > down ? up : down;
}

void engine_tell(const char *name, struct engine_result *r, int64_t base)
{
	const struct redundancy_stats *s = &r->redundancy;

	print_message("%-10s late %.3f %%, beyond 150 ms %.3f, lost %.3f, p50 %.1f, p99 %.1f, p99.9 %.1f ms; %.0f kB, %u carriers; "
		      "%s (%s), %d copies and %d hedges (%d held) of %d\n", name, engine_late(r, base + 35 * LOOP_MS),
		      engine_late(r, 150 * LOOP_MS), engine_late(r, MEDIA_LOST - 1), engine_percentile(r, 50),
		      engine_percentile(r, 99), engine_percentile(r, 99.9), r->kilobytes, r->carriers, s->on ? "on" : "off", s->why,
		      (int)s->copies, (int)s->hedges, (int)s->hedges_held, (int)s->packets);
}
