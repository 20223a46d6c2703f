/*
 * Surveys. Steps in a table: each has a condition on what was found so far, a plan
 * for its probe, and what its result says. Called by the ladder; calls probes.
 */
#include "client/survey.h"

#include <stdlib.h>

#include "tunnel/log.h"

#define GAP_LEAST (100 * LOOP_MS)
#define PATIENCE (1500 * LOOP_MS)	/* beyond two round trips */
#define MARKS 3

struct survey {
	struct survey_setup setup;
	enum survey_scope scope;
	struct survey_findings found;
	size_t step;
	struct probe_plan plan;
	struct probe *probe;
	struct later over;
	void (*done)(void *ctx, const struct survey_findings *);
	void *ctx;
};

/* ---- steps ---- */

static bool passes(enum finding f)
{
	return f == FINDING_PASSES;
}

/* Everything in one exchange: reports of the marks that go up come while it lasts, marks that come down follow. */
static bool both_wanted(const struct survey *v)
{
	return v->scope == SURVEY_ALL;
}

static void both_plan(struct probe_plan *p)
{
	p->up_streamed = true;
	p->answer = ANSWER_EARLY;
	p->up_marks = p->down_marks = MARKS;
}

/* What it tells of one direction alone counts only when it is good: the other direction may have spoilt it. */
static void both_found(struct survey *v, const struct probe_result *r)
{
	struct survey_findings *f = &v->found;

	f->duplex = probe_duplex(&v->plan, r);
	f->up = passes(probe_up(&v->plan, r)) ? FINDING_PASSES : FINDING_UNKNOWN;
	f->down = passes(probe_down(&v->plan, r)) ? FINDING_PASSES : FINDING_UNKNOWN;
	f->up_fill = f->down_sse = f->down_pad = FINDING_UNKNOWN;
	if (f->duplex == FINDING_REFUSED && (r->status == 411 || r->status == 501))
		f->up = f->up_fill = FINDING_REFUSED;
}

static bool down_wanted(const struct survey *v)
{
	return v->scope != SURVEY_UP && !passes(v->found.duplex) && (v->scope == SURVEY_DOWN || !passes(v->found.down));
}

static void down_plan(struct probe_plan *p)
{
	p->answer = ANSWER_STREAMED;
	p->down_marks = MARKS;
}

static void down_found(struct survey *v, const struct probe_result *r)
{
	v->found.down = probe_down(&v->plan, r);
}

static bool variants_wanted(const struct survey *v)
{
	return v->scope == SURVEY_ALL && !passes(v->found.duplex) && v->found.down == FINDING_HELD;
}

static void sse_plan(struct probe_plan *p)
{
	down_plan(p);
	p->event_stream = true;
}

static void sse_found(struct survey *v, const struct probe_result *r)
{
	v->found.down_sse = probe_down(&v->plan, r);
}

static bool pad_wanted(const struct survey *v)
{
	return variants_wanted(v) && !passes(v->found.down_sse);
}

static void pad_plan(struct probe_plan *p)
{
	down_plan(p);
	p->pad = rung_find("push+pad")->pad;
}

static void pad_found(struct survey *v, const struct probe_result *r)
{
	v->found.down_pad = probe_down(&v->plan, r);
}

/* Before a variant is believed: the path may have changed meanwhile. */
static bool again_wanted(const struct survey *v)
{
	return variants_wanted(v) && (passes(v->found.down_sse) || passes(v->found.down_pad));
}

static bool up_wanted(const struct survey *v)
{
	if (v->scope == SURVEY_UP)
		return true;
	return v->scope == SURVEY_ALL && !passes(v->found.duplex) && passes(v->found.down) && v->found.up == FINDING_UNKNOWN;
}

static void up_plan(struct probe_plan *p)
{
	p->up_streamed = true;
	p->up_marks = MARKS;
}

static void up_found(struct survey *v, const struct probe_result *r)
{
	v->found.up = probe_up(&v->plan, r);
}

static bool fill_wanted(const struct survey *v)
{
	return v->scope == SURVEY_ALL && passes(v->found.down) && v->found.up == FINDING_HELD;
}

static void fill_plan(struct probe_plan *p)
{
	up_plan(p);
	p->up_fill = rung_find("split+fill")->fill;
}

static void fill_found(struct survey *v, const struct probe_result *r)
{
	v->found.up_fill = probe_up(&v->plan, r);
}

static const struct {
	const char *name;
	bool (*wanted)(const struct survey *);
	void (*plan)(struct probe_plan *);
	void (*found)(struct survey *, const struct probe_result *);
} steps[] = {
	{ "both", both_wanted, both_plan, both_found },
	{ "down", down_wanted, down_plan, down_found },
	{ "down, event-stream", variants_wanted, sse_plan, sse_found },
	{ "down, padded", pad_wanted, pad_plan, pad_found },
	{ "down, again", again_wanted, down_plan, down_found },
	{ "up", up_wanted, up_plan, up_found },
	{ "up, filled", fill_wanted, fill_plan, fill_found },
};

#define STEPS (sizeof steps / sizeof *steps)

/* ---- running ---- */

static void next(struct survey *v);

static void on_probe(void *ctx, const struct probe_result *r)
{
	struct survey *v = ctx;

	v->probe = NULL;
	steps[v->step].found(v, r);
	log_debug("survey", session_tag(v->setup.session), "%s: duplex %s, up %s, down %s%s%s", steps[v->step].name,
		  finding_name(v->found.duplex), finding_name(v->found.up), finding_name(v->found.down), r->why[0] ? ": " : "", r->why);
	v->step++;
	next(v);
}

static void next(struct survey *v)
{
	int64_t gap = v->setup.rtt_us > GAP_LEAST ? v->setup.rtt_us : GAP_LEAST;

	while (v->step < STEPS && !steps[v->step].wanted(v))
		v->step++;
	if (v->step == STEPS || session_is_ended(v->setup.session)) {
		loop_later(v->setup.loop, &v->over);
		return;
	}
	v->plan = (struct probe_plan){ .up_gap_us = gap, .down_gap_ms = (uint32_t)(gap / LOOP_MS),
				       .patience_us = 2 * v->setup.rtt_us + PATIENCE,
				       .insist_us = v->setup.insist_us };
	steps[v->step].plan(&v->plan);
	v->probe = probe_start(v->setup.session, v->setup.path, v->setup.pool, true, &v->plan, on_probe, v);
}

static void on_over(void *ctx)
{
	struct survey *v = ctx;

	v->done(v->ctx, &v->found);
	loop_free_later(v->setup.loop, v);
}

struct survey *survey_start(const struct survey_setup *setup, enum survey_scope scope, const struct survey_findings *known,
			    void (*done)(void *ctx, const struct survey_findings *), void *ctx)
{
	struct survey *v = calloc(1, sizeof *v);

	if (!v)
		abort();
	v->setup = *setup;
	v->scope = scope;
	v->found = *known;
	v->done = done;
	v->ctx = ctx;
	later_init(&v->over, on_over, v);
	next(v);
	return v;
}

void survey_cancel(struct survey *v)
{
	if (!v)
		return;
	if (v->probe)
		probe_cancel(v->probe);
	later_cancel(v->setup.loop, &v->over);
	loop_free_later(v->setup.loop, v);
}
