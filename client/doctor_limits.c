/*
 * The checks of limits: how large bodies may be and how fast they go, how many
 * connections there may be, how long an answer may take and a connection be silent.
 * Rows of doctor.c's table; they call the probes of the tunnel.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/doctor_ask.h"
#include "client/doctor_checks.h"
#include "client/doctor_probe.h"
#include "client/hop.h"
#include "framing/error.h"

#define PIECE 60000		/* bytes of a mark */
#define PATIENCE (5 * LOOP_SECOND)

/* Nobody is known to read HTTP on the way: then it is who speaks outside of TLS. */
static bool is_outer(const struct doctor *d)
{
	return !d->intercepted && !d->reverse && !doctor_is_plain(d);
}

static bool worked(const struct probe_result *r)
{
	return r->error == 0 && r->reported;
}

/* "504 Gateway Timeout", or how it ended. */
static const char *failure(const struct probe_result *r, char *out, size_t size)
{
	if (r->status && r->status != 200)
		snprintf(out, size, "%d %s", r->status, http1_reason(r->status));
	else
		snprintf(out, size, "%s", r->why[0] ? r->why : error_text(r->error));
	return out;
}

/* ---- size and speed ---- */

#define SIZE_PATIENCE (15 * LOOP_SECOND) /* 600 kbit/s */

enum { UP_SMALL, UP_LARGE, DOWN_LARGE, SIZES };

static void size_done(struct check_run *run)
{
	struct probing *s = run->state;
	const struct probe_result *small = &s->one[UP_SMALL].result, *up = &s->one[UP_LARGE].result, *down = &s->one[DOWN_LARGE].result;
	bool streams = run->doctor->findings.up != FINDING_REFUSED;
	double up_kbit = 0, down_kbit = 0;
	char why[PROBE_TEXT + 40];

	if (worked(up) && up->end_us > 0)
		up_kbit = (double)up->body * 8e3 / (double)up->end_us;
	if (worked(down) && down->end_us > 0)
		down_kbit = (double)down->bytes_in * 8e3 / (double)down->end_us;
	check_figure(run, "up_60k", worked(small));
	check_figure(run, "up_1m", worked(up));
	check_figure(run, "down_1m", worked(down));
	check_figure(run, "up_kbit", up_kbit);
	check_figure(run, "down_kbit", down_kbit);
	if (!worked(small)) {
		probing_blame(run, OBSTACLE_BODY, small);
		check_end(run, OUTCOME_BROKEN, "a request of 60 KB does not pass: %s", failure(small, why, sizeof why));
	} else if (!worked(down)) {
		probing_blame(run, OBSTACLE_DOWN_HELD, down);
		check_end(run, OUTCOME_LIMITED, "requests of 60 KB pass, an answer of 1 MB does not: %s", failure(down, why, sizeof why));
	} else if (!worked(up) && streams) {
		probing_blame(run, OBSTACLE_BODY, up);
		check_end(run, OUTCOME_LIMITED, "requests of 60 KB pass, of 1 MB do not: %s (Culvert's are short when it must)",
			  failure(up, why, sizeof why));
	} else if (!streams) {
		check_end(run, OUTCOME_OK, "requests of 60 KB pass; %.1f Mbit/s down", down_kbit / 1e3);
	} else {
		check_end(run, OUTCOME_OK, "1 MB passes each way: %.1f Mbit/s up, %.1f Mbit/s down", up_kbit / 1e3, down_kbit / 1e3);
	}
}

static void size_start(struct check_run *run)
{
	struct probe_plan plan[SIZES] = {
		[UP_SMALL] = { .up_marks = 1, .up_size = PIECE, .answer = ANSWER_COMPLETE, .patience_us = SIZE_PATIENCE },
		[UP_LARGE] = { .up_streamed = true, .up_marks = 18, .up_size = PIECE, .answer = ANSWER_COMPLETE, .patience_us = SIZE_PATIENCE },
		[DOWN_LARGE] = { .answer = ANSWER_STREAMED, .down_marks = 18, .down_size = PIECE, .patience_us = SIZE_PATIENCE },
	};

	probing_new(run);
	check_say(run, "1 MB each way");
	probing_start(run, plan, SIZES, size_done);
}

const struct check check_size = { "size", "Size", HAVE_SESSION | HAVE_PROBES, 50 * LOOP_SECOND, size_start, probing_stop, NULL };

/* ---- connections at a time ---- */

#define PARALLEL 8
#define PARALLEL_US (3 * LOOP_SECOND)

/* They are opened together and kept open, so that one more cannot take the place of one that ended. */
struct opening {
	struct check_run *run;
	struct opening_one {
		struct opening *of;
		struct dial *dial;
		struct stream *stream;
		struct ask *ask;
	} one[PARALLEL];
	unsigned dialled, open, refused;
	bool asked;		/* without a tunnel: they all stand, and each was asked */
	struct timer timer;
};

static void parallel_stop(struct check_run *run)
{
	struct opening *s = run->state;

	timer_stop(&s->timer);
	for (unsigned i = 0; i < PARALLEL; i++) {
		if (s->one[i].dial)
			route_dialler(run->doctor->route)->cancel(s->one[i].dial);
		ask_cancel(s->one[i].ask);
		if (s->one[i].stream)
			hop_close(s->one[i].stream);
	}
}

static void parallel_end(void *ctx)
{
	struct opening *s = ctx;
	struct check_run *run = s->run;
	struct doctor *d = run->doctor;

	d->limit = s->open;
	if (doctor_is_plain(d) && s->open < PARALLEL)	/* else the pool learns it by its dials */
		pool_set_limit(d->pool, s->open);
	check_figure(run, "connections", s->open);
	check_figure(run, "refused", s->refused);
	if (s->open == PARALLEL) {
		check_end(run, OUTCOME_OK, "%u at a time, and perhaps more", s->open);
		return;
	}
	if (s->open < 4)
		check_blame(run, OBSTACLE_CONNECTIONS, !d->intercepted && !doctor_is_plain(d));
	check_end(run, s->open >= 4 ? OUTCOME_OK : OUTCOME_LIMITED, "%u at a time; one more %s", s->open,
		  s->refused ? "is refused" : "has to wait");
}

static void parallel_count(struct opening *s, bool open)
{
	s->open += open;
	s->refused += !open;
	if (s->open + s->refused == PARALLEL)
		parallel_end(s);
}

static void parallel_readable(void *ctx)
{
	(void)ctx;
}

static void parallel_failed(void *ctx, int error)
{
	struct opening_one *one = ctx;

	(void)error;
	hop_close(one->stream);
	one->stream = NULL;
	if (doctor_is_plain(one->of->run->doctor))
		parallel_count(one->of, false);	/* before it was asked */
}

static const struct stream_events parallel_events = { .readable = parallel_readable, .failed = parallel_failed };

static void parallel_answered(void *ctx, const struct ask_answer *a)
{
	struct opening_one *one = ctx;

	one->ask = NULL;
	parallel_count(one->of, !a->error && a->status < 500);
}

/* Without a tunnel a connection is no more than one to the proxy: only an answer shows that it is let through. */
static void parallel_ask(struct opening_one *one)
{
	struct doctor *d = one->of->run->doctor;
	char target[REQUEST_TARGET_MAX];

	snprintf(target, sizeof target, "%s/v1/", d->options->server.base);
	one->ask = ask_start(d->loop, one->stream, "GET", target, d->options->server.authority,
			     "User-Agent: culvert/" CULVERT_VERSION "\r\nAccept: */*\r\n", PARALLEL_US, parallel_answered, one);
}

static void parallel_ask_all(struct opening *s)
{
	if (!doctor_is_plain(s->run->doctor) || s->asked)
		return;
	s->asked = true;
	for (unsigned i = 0; i < PARALLEL; i++)
		if (s->one[i].stream)
			parallel_ask(&s->one[i]);
}

static void parallel_late(void *ctx)
{
	struct opening *s = ctx;

	if (s->asked || !doctor_is_plain(s->run->doctor)) {
		parallel_end(s);
		return;
	}
	parallel_ask_all(s);
	timer_in(&s->timer, PARALLEL_US);
}

static void parallel_done(void *pool_ctx, struct stream *stream, int error, const char *why)
{
	struct opening_one *one = pool_ctx;
	struct opening *s = one->of;

	(void)why;
	one->dial = NULL;
	one->stream = stream;
	s->dialled++;
	if (stream)
		stream_attach(stream, &parallel_events, one);
	if (error || !doctor_is_plain(s->run->doctor))
		parallel_count(s, error == 0);
	if (s->dialled == PARALLEL)
		parallel_ask_all(s);
}

static void parallel_start(struct check_run *run)
{
	const struct pool_dialler *p = route_dialler(run->doctor->route);
	struct opening *s = calloc(1, sizeof *s);

	if (!s)
		abort();
	s->run = run;
	run->state = s;
	check_say(run, "%u connections at the same time", PARALLEL);
	timer_init(&s->timer, run->doctor->loop, parallel_late, s);
	timer_in(&s->timer, PARALLEL_US + 3 * run->doctor->connect_us);
	for (unsigned i = 0; i < PARALLEL; i++) {
		s->one[i].of = s;
		s->one[i].dial = p->start(p->ctx, DIAL_11, parallel_done, &s->one[i]);
	}
}

const struct check check_parallel = { "parallel", "Connections", HAVE_TLS, 20 * LOOP_SECOND, parallel_start, parallel_stop, NULL };

/* ---- how long an answer may take ---- */

static const unsigned holds[] = { 60, 20, 5, 1 };	/* s; the first with --long only */
#define HOLDS (sizeof holds / sizeof *holds)
#define BUSY_MARKS 20	/* one each second */

struct hold_findings {
	unsigned best, failed;		/* s; failed 0: none */
	const struct probe_result *bad;
	const struct probe_result *busy; /* of a connection that was never silent; NULL: not tried */
};

static void hold_judge(const struct probing *s, struct hold_findings *h)
{
	*h = (struct hold_findings){ .best = 0 };
	for (unsigned i = 0; i < s->n; i++) {
		const struct probe_result *r = &s->one[i].result;
		unsigned seconds = s->one[i].plan.hold_ms / 1000;

		if (s->one[i].plan.down_marks) {
			h->busy = r;
		} else if (worked(r)) {
			h->best = seconds > h->best ? seconds : h->best;
		} else if (!h->bad || seconds < h->failed) {
			h->failed = seconds;
			h->bad = r;
		}
	}
}

static void hold_cut(struct check_run *run, const struct hold_findings *h)
{
	bool outer = is_outer(run->doctor);
	int64_t age;

	if (h->best > h->failed && h->failed) {
		probing_blame(run, OBSTACLE_HOLD, h->bad);
		check_end(run, OUTCOME_LIMITED, "an answer may take %u s, but a connection was cut within %u s", h->best, h->failed);
	} else if (h->busy && !worked(h->busy) && h->busy->down_seen > 0) {
		age = h->busy->down_seen_us[h->busy->down_seen - 1] / LOOP_SECOND + 1;
		check_figure(run, "cut_age_s", (double)age);
		check_blame(run, OBSTACLE_AGE, outer);
		check_end(run, OUTCOME_LIMITED, "connections are cut when they are about %lld s old; Culvert replaces them before", (long long)age);
	} else if (h->busy && worked(h->busy)) {
		check_blame(run, OBSTACLE_IDLE, outer);
		check_end(run, OUTCOME_LIMITED, "connections that are silent for %u s are cut, for %u s not; Culvert keeps them awake", h->failed,
			  h->best);
	} else {
		check_blame(run, OBSTACLE_HOLD, outer);
		check_end(run, h->best ? OUTCOME_LIMITED : OUTCOME_BROKEN, "connections that wait %u s for an answer are cut, %u s not", h->failed,
			  h->best);
	}
}

static void hold_done(struct check_run *run)
{
	struct hold_findings h;
	char why[PROBE_TEXT + 40];

	hold_judge(run->state, &h);
	check_figure(run, "best_s", h.best);
	check_figure(run, "failed_s", h.failed);
	if (h.bad && !h.bad->status) {
		hold_cut(run, &h);
	} else if (h.bad && h.bad->status == 200) {
		probing_blame(run, OBSTACLE_ANSWER, h.bad);
		check_end(run, OUTCOME_LIMITED, "in place of an answer that takes %u s a page of somebody else came: %.80s", h.failed, h.bad->page);
	} else if (h.bad) {
		probing_blame(run, OBSTACLE_HOLD, h.bad);
		check_end(run, h.best ? OUTCOME_LIMITED : OUTCOME_BROKEN, "an answer that takes %u s does not come (%s); one of %u s does",
			  h.failed, failure(h.bad, why, sizeof why), h.best);
	} else if (h.busy && !worked(h.busy)) {
		hold_cut(run, &h);
	} else {
		check_end(run, OUTCOME_OK, "an answer may take %u s%s", h.best, run->doctor->how->longer ? "" : " (60 s: with --long)");
	}
}

static void hold_start(struct check_run *run)
{
	struct doctor *d = run->doctor;
	struct probe_plan plan[HOLDS + 1];
	unsigned n = 0;

	if (d->findings.down == FINDING_PASSES)
		plan[n++] = (struct probe_plan){ .answer = ANSWER_STREAMED, .down_marks = BUSY_MARKS, .down_gap_ms = 1000, .patience_us = PATIENCE };
	for (size_t i = d->how->longer ? 0 : 1; i < HOLDS; i++)
		plan[n++] = (struct probe_plan){ .answer = ANSWER_COMPLETE, .hold_ms = holds[i] * 1000, .patience_us = PATIENCE };
	probing_new(run);
	pool_renew(d->pool);	/* ages and bytes begin at 0 */
	check_say(run, "answers held back for up to %u s", d->how->longer ? holds[0] : holds[1]);
	probing_start(run, plan, n, hold_done);
}

const struct check check_hold = { "hold", "Long poll", HAVE_SESSION | HAVE_PROBES, 120 * LOOP_SECOND, hold_start, probing_stop, NULL };

/* ---- how long a connection may be silent ---- */

/* s; the longest first, so that all end together. Upwards culvertd itself waits for 60 s only. */
static const unsigned silences_down[] = { 300, 120, 60, 30, 10, 5 }, silences_up[] = { 50, 30, 10, 5 };
#define SILENCES_DOWN (sizeof silences_down / sizeof *silences_down)
#define SILENCES_UP (sizeof silences_up / sizeof *silences_up)

/* The longest silence survived, and the shortest that was not (0: none), of one direction. */
static void idle_judge(const struct probing *s, bool up, unsigned *stood, unsigned *cut)
{
	*stood = *cut = 0;
	for (unsigned i = 0; i < s->n; i++) {
		const struct probe_one *one = &s->one[i];
		unsigned seconds = up ? (unsigned)(one->plan.up_gap_us / LOOP_SECOND) : one->plan.down_gap_ms / 1000;
		unsigned seen = up ? one->result.up_seen : one->result.down_seen;

		if (one->plan.up_streamed != up)
			continue;
		if (one->result.error == 0 && seen == 2)
			*stood = seconds > *stood ? seconds : *stood;
		else
			*cut = *cut == 0 || seconds < *cut ? seconds : *cut;
	}
}

static void idle_done(struct check_run *run)
{
	struct probing *s = run->state;
	unsigned up, up_cut, down, down_cut, cut;

	idle_judge(s, true, &up, &up_cut);
	idle_judge(s, false, &down, &down_cut);
	check_figure(run, "up_s", up);
	check_figure(run, "up_cut_s", up_cut);
	check_figure(run, "down_s", down);
	check_figure(run, "down_cut_s", down_cut);
	cut = up_cut && (!down_cut || up_cut < down_cut) ? up_cut : down_cut;
	if (!cut) {
		check_end(run, OUTCOME_OK, "connections may be silent for %u s downwards and %u s upwards", down, up);
		return;
	}
	check_blame(run, OBSTACLE_IDLE, is_outer(run->doctor));
	check_end(run, OUTCOME_LIMITED, "connections that are silent for %u s are cut (upwards %u s pass, downwards %u s); Culvert keeps them awake",
		  cut, up, down);
}

static void idle_start(struct check_run *run)
{
	struct probe_plan plan[SILENCES_DOWN + SILENCES_UP];
	unsigned n = 0;

	for (unsigned i = 0; i < SILENCES_DOWN; i++)
		plan[n++] = (struct probe_plan){ .answer = ANSWER_STREAMED, .down_marks = 2, .down_gap_ms = silences_down[i] * 1000,
						 .patience_us = PATIENCE };
	for (unsigned i = 0; i < SILENCES_UP; i++)
		plan[n++] = (struct probe_plan){ .up_streamed = true, .up_marks = 2, .up_gap_us = silences_up[i] * LOOP_SECOND,
						 .answer = ANSWER_COMPLETE, .patience_us = PATIENCE };
	probing_new(run);
	pool_renew(run->doctor->pool);
	check_say(run, "silences of up to %u s: this takes 5 minutes, or more", silences_down[0]);
	probing_start(run, plan, n, idle_done);
}

const struct check check_idle = { "idle", "Silence", HAVE_SESSION | HAVE_PROBES | HAVE_LONG, 1800 * LOOP_SECOND, idle_start, probing_stop,
				  NULL };
