/* links: client/survey.c client/survey_rung.c tunnel/rung.c tunnel/loop.c framing/error.c */
/* libs: -lev */
/* Surveys over fake probes: which are made for which kind of path, and what is found. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "client/survey.h"
#include "tunnel/carrier_internal.h"
#include "tunnel/log.h"

/* ---- a path, as the fakes play it ---- */

static struct {
	enum finding duplex, up, up_fill, down, down_sse, down_pad;
	int early_status;	/* of the answer to the probe with everything; 0: it is answered */
} path;

static struct {
	const struct probe_plan *plan;
	void (*done)(void *ctx, const struct probe_result *);
	void *ctx;
	unsigned made, cancelled;
	char said[256];		/* of each probe: B both, D down, E event-stream, P padded, U up, F filled */
} probe;

const struct method method_duplex, method_websocket, method_up_stream, method_up_post, method_down_stream, method_down_poll;

bool session_is_ended(const struct session *s) { (void)s; return false; }
const char *session_tag(const struct session *s) { (void)s; return ""; }
bool log_enabled(enum log_level level) { (void)level; return false; }
void log_write(enum log_level level, struct log_limit *l, const char *area, const char *who, const char *fmt, ...)
{
	(void)level, (void)l, (void)area, (void)who, (void)fmt;
}
const char *finding_name(enum finding f) { (void)f; return ""; }

static char kind(const struct probe_plan *p)
{
	if (p->answer == ANSWER_EARLY)
		return 'B';
	if (p->answer == ANSWER_STREAMED)
		return p->event_stream ? 'E' : p->pad ? 'P' : 'D';
	return p->up_fill ? 'F' : 'U';
}

struct probe *probe_start(struct session *s, const struct carrier_path *cp, struct pool *pool, bool modest,
			  const struct probe_plan *plan, void (*done)(void *ctx, const struct probe_result *), void *ctx)
{
	(void)s, (void)cp, (void)pool;
	assert_true(modest);
	assert_null(probe.plan);
	assert_true(plan->up_marks + plan->down_marks >= 3);
	probe.plan = plan;
	probe.done = done;
	probe.ctx = ctx;
	probe.said[probe.made++] = kind(plan);
	return (struct probe *)&probe;
}

void probe_cancel(struct probe *p)
{
	assert_ptr_equal(p, &probe);
	probe.plan = NULL;
	probe.cancelled++;
}

enum finding probe_duplex(const struct probe_plan *p, const struct probe_result *r)
{
	assert_int_equal(p->answer, ANSWER_EARLY);
	return r->status ? FINDING_REFUSED : path.duplex;
}

enum finding probe_up(const struct probe_plan *p, const struct probe_result *r)
{
	return r->status ? FINDING_REFUSED : p->up_fill ? path.up_fill : path.up;
}

enum finding probe_down(const struct probe_plan *p, const struct probe_result *r)
{
	return r->status ? FINDING_REFUSED : p->event_stream ? path.down_sse : p->pad ? path.down_pad : path.down;
}

/* ---- running ---- */

static struct loop *loop;
static struct survey_findings found;
static unsigned done;

static void on_done(void *ctx, const struct survey_findings *f)
{
	assert_ptr_equal(ctx, &done);
	found = *f;
	done++;
}

static void turn(void)
{
	loop_advance(loop, loop_now(loop) + LOOP_MS);
}

static struct survey *start(enum survey_scope scope, const struct survey_findings *known)
{
	static const struct survey_findings none;
	const struct survey_setup setup = { .loop = loop, .rtt_us = 30 * LOOP_MS };

	memset(&probe, 0, sizeof probe);
	done = 0;
	return survey_start(&setup, scope, known ? known : &none, on_done, &done);
}

static void run(enum survey_scope scope, const struct survey_findings *known)
{
	start(scope, known);
	for (unsigned i = 0; i < 20 && !done; i++) {
		if (probe.plan) {
			struct probe_result r = { .status = kind(probe.plan) == 'B' ? path.early_status : 0 };

			probe.plan = NULL;
			probe.done(probe.ctx, &r);
		}
		turn();
	}
	assert_int_equal(done, 1);
}

static void expect(const char *probes, const char *rung)
{
	const struct rung *r = survey_rung(&found, 6);

	assert_string_equal(probe.said, probes);
	assert_string_equal(r ? r->name : "none", rung);
}

static int set_up(void **state)
{
	(void)state;
	loop = loop_new_virtual(LOOP_SECOND, 0);
	path.duplex = path.up = path.up_fill = path.down = path.down_sse = path.down_pad = FINDING_HELD;
	path.early_status = 0;
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	turn();
	loop_free(loop);
	return 0;
}

/* ---- tests ---- */

static void one_probe_tells_a_clean_path(void **state)
{
	(void)state;
	path.duplex = path.up = path.down = FINDING_PASSES;
	run(SURVEY_ALL, NULL);
	expect("B", "duplex");
}

static void one_probe_tells_half_duplex(void **state)
{
	(void)state;
	path.up = path.down = FINDING_PASSES;
	run(SURVEY_ALL, NULL);
	expect("B", "split");
}

static void held_requests_are_tried_filled(void **state)
{
	(void)state;
	path.down = path.up_fill = FINDING_PASSES;
	run(SURVEY_ALL, NULL);
	expect("BUF", "split+fill");
	path.up_fill = FINDING_HELD;
	run(SURVEY_ALL, NULL);
	expect("BUF", "push");
}

static void held_answers_are_tried_otherwise(void **state)
{
	(void)state;
	run(SURVEY_ALL, NULL);
	expect("BDEP", "poll");
	path.down_pad = FINDING_PASSES;
	run(SURVEY_ALL, NULL);
	expect("BDEPD", "push+pad");
	path.down_sse = FINDING_PASSES;
	run(SURVEY_ALL, NULL);
	expect("BDED", "push+sse");
}

static void refused_chunks_are_not_tried_again(void **state)
{
	(void)state;
	path.down = FINDING_PASSES;
	path.early_status = 411;
	run(SURVEY_ALL, NULL);
	expect("BD", "push");
	assert_int_equal(found.up, FINDING_REFUSED);
}

static void another_refusal_of_both_says_nothing_of_each(void **state)
{
	(void)state;
	path.up = path.down = FINDING_PASSES;
	path.early_status = 502;
	run(SURVEY_ALL, NULL);
	expect("BDU", "split");
}

static void a_glance_is_one_probe(void **state)
{
	struct survey_findings known = { .duplex = FINDING_HELD, .down = FINDING_HELD, .up = FINDING_HELD };

	(void)state;
	path.down = FINDING_PASSES;
	run(SURVEY_DOWN, &known);
	expect("D", "push");
	assert_int_equal(found.up, FINDING_HELD);
	path.up = FINDING_PASSES;
	run(SURVEY_UP, &found);
	expect("U", "split");
}

static void nothing_found_is_no_rung(void **state)
{
	(void)state;
	path.duplex = path.down = path.up = FINDING_UNKNOWN;
	run(SURVEY_ALL, NULL);
	expect("BD", "none");
}

static void it_can_be_cancelled_anywhere(void **state)
{
	struct survey *v;

	(void)state;
	v = start(SURVEY_ALL, NULL);
	survey_cancel(v);
	assert_int_equal(probe.cancelled, 1);
	path.duplex = FINDING_PASSES;
	v = start(SURVEY_ALL, NULL);
	probe.plan = NULL;
	probe.done(probe.ctx, &(struct probe_result){ 0 });
	survey_cancel(v);	/* done is due at the end of the turn */
	turn();
	assert_int_equal(done, 0);
	survey_cancel(NULL);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		T(one_probe_tells_a_clean_path),
		T(one_probe_tells_half_duplex),
		T(held_requests_are_tried_filled),
		T(held_answers_are_tried_otherwise),
		T(refused_chunks_are_not_tried_again),
		T(another_refusal_of_both_says_nothing_of_each),
		T(a_glance_is_one_probe),
		T(nothing_found_is_no_rung),
		T(it_can_be_cancelled_anywhere),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
