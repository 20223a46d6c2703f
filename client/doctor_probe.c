/*
 * The checks of bodies: does what is sent arrive as it is sent, in each direction and in
 * both at once, and unchanged? Rows of doctor.c's table; they call the probes of the
 * tunnel and fill the findings that choose the rung.
 */
#include "client/doctor_probe.h"

#include <stdlib.h>
#include <string.h>

#include "client/doctor_checks.h"
#include "framing/error.h"

#define MARKS 4
#define AT_ONCE 4		/* that the server answers in full */
#define PATIENCE (4 * LOOP_SECOND)
#define GAP (100 * LOOP_MS)

/* ---- running probes ---- */

struct probing *probing_new(struct check_run *run)
{
	struct probing *s = calloc(1, sizeof *s);

	if (!s)
		abort();
	s->run = run;
	run->state = s;
	return s;
}

void probing_stop(struct check_run *run)
{
	struct probing *s = run->state;

	for (unsigned i = 0; i < s->n; i++)
		if (s->one[i].probe)
			probe_cancel(s->one[i].probe);
}

void doctor_notice(struct doctor *d)
{
	const struct box_evidence *e = &d->inner;

	if (d->intercepted || doctor_is_plain(d) || !(e->via[0] || e->server[0] || e->error[0] || e->status[0] || e->lower))
		return;
	/* Without a proxy, it is more likely the operator's. */
	if (d->own_certificate || !doctor_chain(d)->n)
		d->reverse = true;
	else
		d->intercepted = true;
}

static void evidence_of(const struct probe_result *r, struct box_evidence *e)
{
	*e = (struct box_evidence){ .via = "" };
	box_note(e->via, sizeof e->via, r->answer_via, strlen(r->answer_via));
	box_note(e->via, sizeof e->via, r->via, strlen(r->via));
	if (strncasecmp(r->answer_server, "culvertd", 8) != 0)
		box_note(e->server, sizeof e->server, r->answer_server, strlen(r->answer_server));
	box_note(e->page, sizeof e->page, r->page, strlen(r->page));
}

static void start_more(struct probing *s);

static void one_done(void *ctx, const struct probe_result *result)
{
	struct probe_one *one = ctx;
	struct probing *s = one->of;
	struct doctor *d = s->run->doctor;
	struct box_evidence e;

	one->probe = NULL;
	one->result = *result;
	evidence_of(result, &e);
	box_note(d->inner.via, sizeof d->inner.via, e.via, strlen(e.via));
	if (!result->error)	/* else it is of an error page, which may be from anybody */
		box_note(d->inner.server, sizeof d->inner.server, e.server, strlen(e.server));
	doctor_notice(d);
	if (--s->left == 0)
		s->done(s->run);
	else
		start_more(s);
}

static void start_more(struct probing *s)
{
	struct doctor *d = s->run->doctor;
	unsigned connections = doctor_connections(d), width = connections < AT_ONCE ? connections : AT_ONCE;

	while (s->begun < s->n && s->begun + s->left < s->n + width) {
		struct probe_one *one = &s->one[s->begun++];

		one->probe = probe_start(d->session, doctor_path(d), d->pool, false, &one->plan, one_done, one);
	}
}

void probing_start(struct check_run *run, const struct probe_plan *plan, unsigned n, void (*done)(struct check_run *))
{
	struct probing *s = run->state;

	s->n = s->left = n;
	s->begun = 0;
	s->done = done;
	for (unsigned i = 0; i < n; i++)
		s->one[i] = (struct probe_one){ .of = s, .plan = plan[i] };
	start_more(s);
}

void probing_blame(struct check_run *run, enum obstacle obstacle, const struct probe_result *r)
{
	struct box_evidence e;

	evidence_of(r, &e);
	check_blame_by(run, obstacle, &e, false);
}

int64_t probing_gap(const struct doctor *d)
{
	return d->rtt_us > GAP ? d->rtt_us : GAP;
}

/* ---- what findings come to ---- */

static enum outcome outcome_of(enum finding f)
{
	return f == FINDING_PASSES ? OUTCOME_OK : f == FINDING_UNKNOWN ? OUTCOME_LIMITED : OUTCOME_BROKEN;
}

/* "uploads" "are refused (411 Length Required)". */
static const char *finding_words(enum finding f, const struct probe_result *r, char *out, size_t size)
{
	switch (f) {
	case FINDING_PASSES:
		return "arrive as they are sent";
	case FINDING_HELD:
		return "are held back until they are complete";
	case FINDING_DAMAGED:
		snprintf(out, size, "arrive altered%s%s", r->answer_encoding[0] ? ", as " : "", r->answer_encoding);
		return out;
	case FINDING_REFUSED:
		if (r->status && r->status != 200)
			snprintf(out, size, "are refused (%d %s)", r->status, http1_reason(r->status));
		else
			snprintf(out, size, "are cut (%s)", r->why[0] ? r->why : error_text(r->error));
		return out;
	default:
		snprintf(out, size, "could not be measured: %s", r->why[0] ? r->why : "no answer came in time");
		return out;
	}
}

static void end_with(struct check_run *run, enum finding f, enum obstacle held, const char *what, const char *consequence)
{
	struct probing *s = run->state;
	const struct probe_result *r = &s->one[0].result;
	char text[DOCTOR_TEXT / 2];

	if (f != FINDING_PASSES)
		probing_blame(run, f == FINDING_DAMAGED ? OBSTACLE_DAMAGED
			      : f == FINDING_REFUSED && r->status == 411 ? OBSTACLE_UP_CHUNKED : held, r);
	check_end(run, outcome_of(f), "%s %s%s", what, finding_words(f, r, text, sizeof text), f == FINDING_PASSES ? "" : consequence);
}

/* ---- uploads ---- */

static void up_again(struct check_run *run)
{
	struct probing *s = run->state;
	struct survey_findings *known = &run->doctor->findings;

	known->up_fill = probe_up(&s->one[0].plan, &s->one[0].result);
	check_figure(run, "behind_16k", known->up_fill == FINDING_PASSES);
	if (known->up_fill == FINDING_PASSES) {
		probing_blame(run, OBSTACLE_UP_HELD, &s->one[0].result);
		check_end(run, OUTCOME_LIMITED, "the first kilobytes of requests are held back; what is behind 16 KB of padding arrives as it is sent");
		return;
	}
	end_with(run, known->up, OBSTACLE_UP_HELD, "requests that are streamed", "; Culvert sends short ones");
}

static void up_done(struct check_run *run)
{
	struct probing *s = run->state;
	struct probe_plan plan = s->one[0].plan;
	struct survey_findings *known = &run->doctor->findings;

	known->up = probe_up(&plan, &s->one[0].result);
	check_figure(run, "passes", known->up == FINDING_PASSES);
	check_figure(run, "status", s->one[0].result.status);
	if (known->up == FINDING_REFUSED)
		known->up_fill = FINDING_REFUSED;
	if (known->up == FINDING_HELD) {
		check_say(run, "the same, behind 16 KB");
		plan.up_fill = rung_find("split+fill")->fill;
		probing_start(run, &plan, 1, up_again);
		return;
	}
	end_with(run, known->up, OBSTACLE_UP_HELD, "requests that are streamed", "; Culvert sends short ones");
}

static void up_start(struct check_run *run)
{
	struct probe_plan plan = { .up_streamed = true, .up_marks = MARKS, .up_gap_us = probing_gap(run->doctor),
				   .answer = ANSWER_COMPLETE, .patience_us = PATIENCE };

	probing_new(run);
	check_say(run, "a chunked request, bit by bit");
	probing_start(run, &plan, 1, up_done);
}

const struct check check_up = { "up", "Uploads", HAVE_SESSION | HAVE_PROBES, 25 * LOOP_SECOND, up_start, probing_stop, NULL };

/* ---- downloads ---- */

static void down_again(struct check_run *run)
{
	struct probing *s = run->state;
	struct survey_findings *known = &run->doctor->findings;

	known->down_pad = probe_down(&s->one[0].plan, &s->one[0].result);
	check_figure(run, "padded", known->down_pad == FINDING_PASSES);
	if (known->down_pad == FINDING_PASSES) {
		probing_blame(run, OBSTACLE_DOWN_HELD, &s->one[0].result);
		check_end(run, OUTCOME_LIMITED, "answers come in lumps of some kilobytes; padded to 4 KB they arrive as they are sent");
		return;
	}
	end_with(run, known->down, OBSTACLE_DOWN_HELD, "answers that are streamed", "; Culvert asks for short ones");
}

static void down_done(struct check_run *run)
{
	struct probing *s = run->state;
	struct probe_plan plan = s->one[0].plan;
	struct survey_findings *known = &run->doctor->findings;

	known->down = probe_down(&plan, &s->one[0].result);
	check_figure(run, "passes", known->down == FINDING_PASSES);
	check_figure(run, "status", s->one[0].result.status);
	if (known->down == FINDING_HELD) {
		check_say(run, "the same, padded");
		plan.pad = rung_find("push+pad")->pad;
		probing_start(run, &plan, 1, down_again);
		return;
	}
	end_with(run, known->down, OBSTACLE_DOWN_HELD, "answers that are streamed", "; Culvert asks for short ones");
}

static struct probe_plan down_plan(const struct doctor *d, bool event_stream)
{
	return (struct probe_plan){ .answer = ANSWER_STREAMED, .down_marks = MARKS, .down_gap_ms = (uint32_t)(probing_gap(d) / LOOP_MS),
				    .event_stream = event_stream, .patience_us = PATIENCE };
}

static void down_start(struct check_run *run)
{
	struct probe_plan plan = down_plan(run->doctor, false);

	probing_new(run);
	check_say(run, "an answer, bit by bit");
	probing_start(run, &plan, 1, down_done);
}

const struct check check_down = { "down", "Downloads", HAVE_SESSION | HAVE_PROBES, 25 * LOOP_SECOND, down_start, probing_stop, NULL };

static void down_sse_done(struct check_run *run)
{
	struct probing *s = run->state;
	struct survey_findings *known = &run->doctor->findings;

	known->down_sse = probe_down(&s->one[0].plan, &s->one[0].result);
	check_figure(run, "passes", known->down_sse == FINDING_PASSES);
	end_with(run, known->down_sse, OBSTACLE_DOWN_HELD, "answers of the type text/event-stream", "");
}

static void down_sse_start(struct check_run *run)
{
	struct probe_plan plan = down_plan(run->doctor, true);

	probing_new(run);
	check_say(run, "an answer of another type, bit by bit");
	probing_start(run, &plan, 1, down_sse_done);
}

const struct check check_down_sse = { "down_sse", "Event stream", HAVE_SESSION | HAVE_PROBES, 15 * LOOP_SECOND, down_sse_start,
				      probing_stop, NULL };

/* ---- both at once ---- */

static void duplex_done(struct check_run *run)
{
	struct probing *s = run->state;
	struct survey_findings *known = &run->doctor->findings;

	known->duplex = probe_duplex(&s->one[0].plan, &s->one[0].result);
	check_figure(run, "passes", known->duplex == FINDING_PASSES);
	end_with(run, known->duplex, OBSTACLE_DUPLEX, "answers that begin while the request lasts", "; Culvert uses two requests");
}

static void duplex_start(struct check_run *run)
{
	struct probe_plan plan = { .up_streamed = true, .up_marks = MARKS, .up_gap_us = probing_gap(run->doctor),
				   .answer = ANSWER_EARLY, .patience_us = PATIENCE };

	probing_new(run);
	check_say(run, "request and answer at once");
	probing_start(run, &plan, 1, duplex_done);
}

const struct check check_duplex = { "duplex", "Both at once", HAVE_SESSION | HAVE_PROBES, 15 * LOOP_SECOND, duplex_start, probing_stop,
				    NULL };

/* ---- unchanged, once, and not from a cache ---- */

static void bodies_done(struct check_run *run)
{
	struct probing *s = run->state;
	const struct probe_result *first = &s->one[0].result, *bad = first;
	enum obstacle obstacle = OBSTACLE_NONE;
	uint64_t copies = 0;
	unsigned failed = 0, refused = 0, replayed = 0, damaged = 0;

	for (unsigned i = 0; i < s->n; i++) {
		const struct probe_result *r = &s->one[i].result;
		bool encoded = r->answer_encoding[0] && strcasecmp(r->answer_encoding, "identity") != 0;

		copies = r->reported && r->copies > copies ? r->copies : copies;
		damaged += (r->reported && (!r->up_intact || !r->down_intact)) || encoded;
		replayed += r->reported && r->x != r->number;
		failed += r->error < 0;
		refused += r->error < 0 && r->status != 0 && r->status != 200;
		if (r->error < 0 || encoded)
			bad = r;
	}
	check_figure(run, "copies", (double)copies);
	check_figure(run, "version_at_server", first->version / 10.0);
	check_figure(run, "failed", failed);
	obstacle = damaged ? OBSTACLE_DAMAGED : replayed ? OBSTACLE_CACHE : failed ? OBSTACLE_ANSWER : copies > 1 ? OBSTACLE_REPEAT :
		   first->version == 10 ? OBSTACLE_VERSION : OBSTACLE_NONE;
	if (obstacle != OBSTACLE_NONE)
		probing_blame(run, obstacle, bad);
	if (damaged)
		check_end(run, OUTCOME_BROKEN, "%u of %u bodies were altered on their way%s%s", damaged, s->n,
			  bad->answer_encoding[0] ? ", compressed as " : "", bad->answer_encoding);
	else if (replayed)
		check_end(run, OUTCOME_BROKEN, "an old answer came again: somebody caches answers to POST");
	else if (failed)
		check_end(run, refused || failed == s->n ? OUTCOME_BROKEN : OUTCOME_LIMITED, "%u of %u short requests failed: %s", failed, s->n,
			  bad->why);
	else if (copies > 1)
		check_end(run, OUTCOME_LIMITED, "requests arrive more than once (%u times)", (unsigned)copies);
	else
		check_end(run, first->version == 10 ? OUTCOME_LIMITED : OUTCOME_OK, "unaltered, once each, in HTTP/%s at the server",
			  first->version == 10 ? "1.0" : "1.1");
}

static void bodies_start(struct check_run *run)
{
	struct probe_plan plan[PROBES_MAX];

	for (unsigned i = 0; i < PROBES_MAX; i++)
		plan[i] = (struct probe_plan){ .up_marks = 2, .up_size = 600, .answer = ANSWER_COMPLETE, .down_marks = 2,
					       .down_size = 600, .patience_us = PATIENCE };
	probing_new(run);
	check_say(run, "short bodies both ways");
	probing_start(run, plan, PROBES_MAX, bodies_done);
}

const struct check check_bodies = { "bodies", "Bodies", HAVE_SESSION | HAVE_PROBES, 20 * LOOP_SECOND, bodies_start, probing_stop, NULL };
