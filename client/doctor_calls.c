/*
 * The last check: a simulated call on the rung that the findings give and on each other
 * kind that they do not rule out. Row of doctor.c's table; calls doctor_call.c.
 */
#include <stdlib.h>
#include <string.h>

#include "client/doctor.h"
#include "client/doctor_call.h"
#include "client/doctor_checks.h"
#include "client/doctor_verdict.h"
#include "client/emodel.h"

#define SETTLE (15 * LOOP_SECOND)	/* for each call besides its length */

struct calling {
	struct call_setup setup;
	struct session_config session;
	struct doctor_call *call;
	const struct rung *found, *candidate[DOCTOR_CALLS];
	unsigned n, at;
	struct timer progress;
};

static void calls_stop(struct check_run *run)
{
	struct calling *s = run->state;

	timer_stop(&s->progress);
	doctor_call_cancel(s->call);
}

static void calls_end(struct check_run *run)
{
	struct doctor *d = run->doctor;
	struct calling *s = run->state;
	const struct called *best = verdict_choose(s->found, d->call, d->calls);
	char name[32];

	for (unsigned i = 0; i < d->calls; i++) {
		snprintf(name, sizeof name, "mos_%s", d->call[i].rung->name);
		check_figure(run, name, d->call[i].result.ran ? d->call[i].result.mos : 0);
	}
	d->rung = best ? best->rung : s->found;
	verdict_why(d->rung, s->found, &d->findings, d->why, sizeof d->why);
	if (!best) {
		box_note(run->advice, sizeof run->advice, "", 0);
		check_end(run, OUTCOME_BROKEN, "no call came about: %s", d->calls ? d->call[0].result.why : "no rung passes");
		return;
	}
	check_end(run, call_usable(&best->result) == USABLE_YES ? OUTCOME_OK : OUTCOME_LIMITED,
		  "on %s %s: MOS %.1f, delay %.0f ms (99 of 100: %.0f ms), %.1f %% lost, %.1f %% late", best->rung->name,
		  emodel_words(best->result.mos), best->result.mos, best->result.p50_ms, best->result.p99_ms, best->result.loss_percent,
		  best->result.late_percent);
}

static void calls_next(struct check_run *run);

static void call_done(void *ctx, const struct call_result *result)
{
	struct check_run *run = ctx;
	struct doctor *d = run->doctor;
	struct calling *s = run->state;

	s->call = NULL;
	d->call[d->calls++] = (struct called){ s->candidate[s->at++], *result };
	calls_next(run);
}

static void on_progress(void *ctx)
{
	struct check_run *run = ctx;
	struct calling *s = run->state;
	unsigned of = 0, sent = s->call ? doctor_call_progress(s->call, &of) : 0;

	if (s->call)
		check_say(run, "a call on %s (%u of %u): %u of %u packets", s->candidate[s->at]->name, s->at + 1, s->n, sent, of);
	timer_in(&s->progress, LOOP_SECOND / 4);
}

static void calls_next(struct check_run *run)
{
	struct doctor *d = run->doctor;
	struct calling *s = run->state;

	if (s->at == s->n)
		calls_end(run);
	else
		s->call = doctor_call_start(&s->setup, s->candidate[s->at], call_done, run);
	(void)d;
}

static void add(struct calling *s, const struct rung *r)
{
	size_t kind = r ? strcspn(r->name, "+") : 0;

	for (unsigned i = 0; r && i < s->n; i++)	/* one of a kind: push or push+pad */
		if (strncmp(s->candidate[i]->name, r->name, kind) == 0 && strchr("+", s->candidate[i]->name[kind]))
			return;
	if (r && s->n < DOCTOR_CALLS)
		s->candidate[s->n++] = r;
}

static void calls_start(struct check_run *run)
{
	struct doctor *d = run->doctor;
	struct calling *s = calloc(1, sizeof *s);

	if (!s)
		abort();
	run->state = s;
	s->session = session_config_default;
	s->setup = (struct call_setup){ .loop = d->loop, .session = &s->session, .path = &d->path, .pool = d->pool, .packets = d->packets, .sealed = doctor_sealing(d),
					.seconds = d->how->seconds };
	s->found = d->have & HAVE_PROBES ? survey_rung(&d->findings, pool_is_multiplexed(d->pool) ? SURVEY_ENOUGH : doctor_connections(d)) : NULL;
	add(s, s->found);
	for (const struct rung *r = rungs; r->name; r++)
		if (verdict_may_pass(r, &d->findings) && !(r->rest && s->setup.sealed))
			add(s, r);
	timer_init(&s->progress, d->loop, on_progress, run);
	timer_in(&s->progress, 0);
	calls_next(run);
}

static void calls_late(struct check_run *run)
{
	calls_end(run);
}

const struct check check_calls = { "call", "Call", HAVE_SESSION, DOCTOR_CALLS * (SETTLE + CALL_SECONDS_MAX * LOOP_SECOND), calls_start,
				   calls_stop, calls_late };
