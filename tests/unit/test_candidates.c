/* links: client/candidates.c tunnel/loop.c tunnel/log.c framing/error.c tests/lib/stream_mem.c */
/* libs: -lev */
/* Candidates over diallers that answer as each test says, in virtual time: order, fail-over, patience, what is denied,
 * the way back, and connections that lead nowhere. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/candidates.h"
#include "framing/error.h"
#include "tests/lib/stream_mem.h"

#define WAYS 4
#define SILENT 1	/* an answer that never comes */

/* A dialler: what it answers, after how long. */
static struct way {
	struct pool_dialler dialler;
	int error;		/* 0: a stream; SILENT */
	int64_t after_us;
	unsigned started, cancelled;
	bool reached;
	const char *alpn;	/* what its streams agreed to */
	enum dial_versions versions; /* of the last one */
} way[WAYS];

struct dial {
	struct way *way;
	struct timer timer;
	void (*done)(void *pool_ctx, struct stream *, int error, const char *why);
	void *pool_ctx;
};

static struct {
	struct loop *loop;
	struct candidates *c;
	unsigned moved;
	bool stands, cancels;	/* cancels: in moved, as the pool does that forgets, */
	enum dial_versions again; /* and asks again for this */
	struct dial *dial;	/* of the pool */
	unsigned got, failed, from;	/* from: the way the last stream came by */
	int error;
	char why[1300];
	struct stream *stream;
} t;

static void on_answer(void *ctx)
{
	struct dial *d = ctx;
	struct stream *a = NULL, *b = NULL;
	char why[20];

	if (d->way->error == 0) {
		struct stream_mem_options o = stream_mem_plain;

		o.alpn = d->way->alpn;
		stream_mem_pair(t.loop, &a, &b, &o);
		stream_close(b);
	}
	snprintf(why, sizeof why, "no %d", (int)(d->way - way));
	if (a)
		t.from = (unsigned)(d->way - way);
	d->done(d->pool_ctx, a, d->way->error, why);
	loop_free_later(t.loop, d);
}

static struct dial *way_start(void *ctx, enum dial_versions versions,
			       void (*done)(void *pool_ctx, struct stream *, int error, const char *why), void *pool_ctx)
{
	struct way *w = ctx;
	struct dial *d = calloc(1, sizeof *d);

	w->versions = versions;
	assert_non_null(d);
	*d = (struct dial){ .way = w, .done = done, .pool_ctx = pool_ctx };
	timer_init(&d->timer, t.loop, on_answer, d);
	if (w->error != SILENT)
		timer_in(&d->timer, w->after_us);
	w->started++;
	return d;
}

static void way_cancel(struct dial *d)
{
	d->way->cancelled++;
	timer_stop(&d->timer);
	loop_free_later(t.loop, d);
}

static bool way_reached(const struct dial *d)
{
	return d->way->reached;
}

/* ---- the pool ---- */

static void on_done(void *ctx, struct stream *s, int error, const char *why)
{
	(void)ctx;
	t.dial = NULL;
	if (s) {
		t.got++;
		if (t.stream)
			stream_close(t.stream);
		t.stream = s;
		return;
	}
	t.failed++;
	t.error = error;
	snprintf(t.why, sizeof t.why, "%s", why);
}

static void ask_for(enum dial_versions versions)
{
	const struct pool_dialler *d = candidates_dialler(t.c);

	t.dial = d->start(d->ctx, versions, on_done, NULL);
}

static void ask(void)
{
	ask_for(DIAL_ANY);
}

static void on_moved(void *ctx)
{
	(void)ctx;
	t.moved++;
	if (!t.cancels)
		return;
	if (t.dial)
		candidates_dialler(t.c)->cancel(t.dial);
	ask_for(t.again);
}

static bool on_stands(void *ctx)
{
	(void)ctx;
	return t.stands;
}

static const struct candidates_events events = { on_moved, on_stands };

static void run(int64_t us)
{
	loop_advance(t.loop, loop_now(t.loop) + us);
}

static void offer(unsigned n, unsigned fallbacks)
{
	struct candidate c[WAYS];

	for (unsigned i = 0; i < n; i++) {
		c[i] = (struct candidate){ .dialler = &way[i].dialler, .fallback = fallbacks & 1U << i };
		snprintf(c[i].text, sizeof c[i].text, "way %u", i);
	}
	candidates_set(t.c, c, n, 0);
}

static int set_up(void **state)
{
	(void)state;
	memset(&t, 0, sizeof t);
	t.loop = loop_new_virtual(LOOP_SECOND, 1000000);
	for (unsigned i = 0; i < WAYS; i++)
		way[i] = (struct way){ .dialler = { way_start, way_cancel, &way[i], way_reached }, .after_us = 20 * LOOP_MS };
	t.c = candidates_new(t.loop, &events, NULL);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	candidates_free(t.c);
	if (t.stream)
		stream_close(t.stream);
	run(LOOP_SECOND);
	loop_free(t.loop);
	return 0;
}

/* ---- tests ---- */

static void waits_until_there_are_some(void **state)
{
	(void)state;
	ask();
	run(LOOP_SECOND);
	assert_int_equal(t.got + t.failed, 0);
	offer(2, 0);
	run(LOOP_SECOND);
	assert_int_equal(t.got, 1);
	assert_int_equal(t.from, 0);
	assert_int_equal(way[1].started, 0);
}

static void next_when_one_fails(void **state)
{
	(void)state;
	for (int cancels = 0; cancels < 2; cancels++) {
		set_up(state);
		t.cancels = cancels;
		way[0].error = way[1].error = ERROR_REFUSED;
		offer(3, 0);
		ask();
		run(LOOP_SECOND);
		assert_int_equal(t.got, 1);
		assert_int_equal(t.moved, 1);
		assert_int_equal(candidates_current(t.c), 2);
		assert_int_equal(way[2].started, 1);	/* its connection is not made twice */
		ask();
		run(LOOP_SECOND);
		assert_int_equal(t.got, 2);
		assert_int_equal(way[0].started, 1);
		assert_int_equal(way[2].started, 2);
		if (!cancels)
			tear_down(state);
	}
}

static void all_fail_with_the_words_of_the_first(void **state)
{
	(void)state;
	way[0].error = ERROR_REFUSED;
	way[1].error = ERROR_TIMEOUT;
	offer(2, 0);
	ask();
	run(LOOP_SECOND);
	assert_int_equal(t.failed, 1);
	assert_int_equal(t.error, ERROR_REFUSED);
	assert_string_equal(t.why, "no 0; way 1: no 1");
	assert_int_equal(t.moved, 0);
}

static void no_reason_to_leave_while_connections_stand(void **state)
{
	(void)state;
	offer(2, 0);
	t.stands = true;
	way[0].error = ERROR_PROXY;
	ask();
	run(LOOP_SECOND);
	assert_int_equal(t.failed, 1);
	assert_int_equal(way[1].started, 0);
	way[0].error = SILENT;
	ask();
	run(20 * LOOP_SECOND);
	assert_int_equal(way[1].started, 0);
}

static void silence_is_waited_for_a_while_only(void **state)
{
	(void)state;
	way[0].error = SILENT;
	offer(2, 0);
	ask();
	run(CANDIDATES_PATIENCE_US - LOOP_MS);
	assert_int_equal(way[1].started, 0);
	assert_false(candidates_dialler(t.c)->reached(t.dial));
	way[0].reached = true;
	assert_true(candidates_dialler(t.c)->reached(t.dial));
	run(100 * LOOP_MS);
	assert_int_equal(t.got, 1);
	assert_int_equal(candidates_current(t.c), 1);
	assert_int_equal(way[0].cancelled, 1);
}

/* A proxy that hangs: what stands through it is found dead only after the dial began. */
static void silence_counts_once_nothing_stands(void **state)
{
	(void)state;
	way[0].error = SILENT;
	offer(2, 0);
	t.stands = true;
	ask();
	run(CANDIDATES_PATIENCE_US + 500 * LOOP_MS);
	assert_int_equal(way[1].started, 0);
	t.stands = false;
	run(CANDIDATES_PATIENCE_US);
	assert_int_equal(t.got, 1);
	assert_int_equal(t.from, 1);
}

static void denied_is_gone_around(void **state)
{
	(void)state;
	way[0].error = ERROR_DENIED;
	offer(3, 1U << 1);
	ask();
	run(LOOP_SECOND);
	assert_int_equal(t.from, 1);
	assert_int_equal(way[2].started, 0);
	assert_int_equal(candidates_current(t.c), 1);
}

static void a_fallback_is_for_what_is_denied_only(void **state)
{
	(void)state;
	way[0].error = ERROR_REFUSED;
	offer(3, 1U << 1);
	ask();
	run(LOOP_SECOND);
	assert_int_equal(t.from, 2);
	assert_int_equal(way[1].started, 0);
}

static void a_fallback_that_fails_says_so(void **state)
{
	(void)state;
	way[0].error = ERROR_DENIED;
	way[1].error = ERROR_REFUSED;
	offer(2, 1U << 1);
	ask();
	run(LOOP_SECOND);
	assert_int_equal(t.error, ERROR_DENIED);
	assert_string_equal(t.why, "no 0; without CONNECT: no 1");
}

static void back_to_the_better_one(void **state)
{
	(void)state;
	t.cancels = true;
	way[0].error = ERROR_REFUSED;
	offer(2, 0);
	ask();
	run(LOOP_SECOND);
	assert_int_equal(candidates_current(t.c), 1);
	t.stands = true;
	run(CANDIDATES_BACK_US);
	assert_int_equal(way[0].started, 2);
	assert_int_equal(candidates_current(t.c), 1);
	way[0].error = 0;
	run(2 * CANDIDATES_BACK_US);
	assert_int_equal(candidates_current(t.c), 0);
	assert_int_equal(t.moved, 2);
	assert_int_equal(t.from, 0);
	assert_int_equal(t.got, 2);
	run(2 * CANDIDATES_BACK_MAX_US);
	assert_int_equal(way[0].started, 3);
}

/* It is asked rarer and rarer. */
static void the_way_back_costs_little(void **state)
{
	(void)state;
	way[0].error = ERROR_REFUSED;
	offer(2, 0);
	ask();
	run(3600 * LOOP_SECOND);
	assert_in_range(way[0].started, 8, 14);
}

static void leads_nowhere(void **state)
{
	(void)state;
	offer(4, 1U << 1 | 1U << 3);
	ask();
	run(LOOP_SECOND);
	assert_true(candidates_bad(t.c));
	assert_int_equal(candidates_current(t.c), 1);	/* the one without CONNECT stands for it */
	assert_true(candidates_bad(t.c));
	assert_int_equal(candidates_current(t.c), 2);
	assert_int_equal(t.moved, 2);
	run(CANDIDATES_BAD_US - 2 * LOOP_SECOND);
	assert_int_equal(way[0].started, 1);		/* not asked again so soon */
	run(2 * CANDIDATES_BACK_MAX_US);
	assert_int_equal(candidates_current(t.c), 0);
	assert_true(candidates_bad(t.c));
	run(CANDIDATES_BAD_US + 2 * LOOP_SECOND);
	assert_int_not_equal(candidates_current(t.c), 0); /* the second time it is longer */
}

static void the_only_one_is_never_bad(void **state)
{
	(void)state;
	offer(1, 0);
	assert_false(candidates_bad(t.c));
	offer(2, 0);
	assert_true(candidates_bad(t.c));
	assert_false(candidates_bad(t.c));	/* all are */
	assert_true(candidates_bad(t.c));	/* and may be tried again */
	assert_int_equal(candidates_current(t.c), 0);
}

/* Where one is denied and what stands for it leads nowhere there is nothing better to go to. */
static void nothing_better_than_a_fallback(void **state)
{
	(void)state;
	way[0].error = ERROR_DENIED;
	offer(2, 1U << 1);
	assert_string_equal(candidates_why(t.c), "");
	ask();
	run(LOOP_SECOND);
	assert_int_equal(candidates_current(t.c), 1);
	assert_string_equal(candidates_why(t.c), "no 0");
	assert_false(candidates_bad(t.c));
	assert_int_equal(candidates_current(t.c), 1);
	ask();
	run(LOOP_SECOND);
	assert_int_equal(t.got, 2);
	assert_int_equal(t.from, 1);
}

static void cancelled_at_any_time(void **state)
{
	for (int64_t at = 0; at < 200 * LOOP_MS; at += 5 * LOOP_MS) {
		set_up(state);
		way[0].error = ERROR_DENIED;
		way[2].error = ERROR_REFUSED;
		way[1].error = ERROR_REFUSED;
		offer(4, 1U << 1);
		ask();
		run(at);
		if (t.dial)
			candidates_dialler(t.c)->cancel(t.dial);
		if (at < 195 * LOOP_MS)
			tear_down(state);
	}
}

static void others_are_found_under_way(void **state)
{
	(void)state;
	way[0].error = SILENT;
	offer(1, 0);
	ask();
	run(LOOP_SECOND);
	way[0].error = 0;
	offer(2, 0);
	run(LOOP_SECOND);
	assert_int_equal(t.got, 1);
	assert_int_equal(way[0].started, 2);
	assert_int_equal(way[0].cancelled, 1);
}

static void another_network(void **state)
{
	(void)state;
	way[0].error = ERROR_REFUSED;
	offer(2, 0);
	ask();
	run(LOOP_SECOND);
	assert_int_equal(candidates_current(t.c), 1);
	way[0].error = 0;
	candidates_forget(t.c);
	assert_int_equal(candidates_current(t.c), 0);
	assert_int_equal(t.moved, 1);
	ask();
	run(LOOP_SECOND);
	assert_int_equal(t.from, 0);
}

/* A connection that waits for the pool, which wants no HTTP/2 meanwhile. */
static void of_that_version(void **state)
{
	(void)state;
	for (int http2 = 0; http2 < 2; http2++) {
		set_up(state);
		way[0].error = ERROR_REFUSED;
		way[1].alpn = http2 ? "h2" : "http/1.1";
		t.cancels = true;
		t.again = DIAL_11;
		offer(2, 0);
		ask();
		run(LOOP_SECOND);
		assert_int_equal(t.got, 1);
		assert_int_equal(way[1].started, 1 + http2);
		assert_int_equal(way[1].versions, http2 ? DIAL_11 : DIAL_ANY);
		if (!http2)
			tear_down(state);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(waits_until_there_are_some, set_up, tear_down),
		cmocka_unit_test_teardown(next_when_one_fails, tear_down),
		cmocka_unit_test_setup_teardown(all_fail_with_the_words_of_the_first, set_up, tear_down),
		cmocka_unit_test_setup_teardown(no_reason_to_leave_while_connections_stand, set_up, tear_down),
		cmocka_unit_test_setup_teardown(silence_is_waited_for_a_while_only, set_up, tear_down),
		cmocka_unit_test_setup_teardown(silence_counts_once_nothing_stands, set_up, tear_down),
		cmocka_unit_test_setup_teardown(denied_is_gone_around, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_fallback_is_for_what_is_denied_only, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_fallback_that_fails_says_so, set_up, tear_down),
		cmocka_unit_test_setup_teardown(back_to_the_better_one, set_up, tear_down),
		cmocka_unit_test_setup_teardown(the_way_back_costs_little, set_up, tear_down),
		cmocka_unit_test_setup_teardown(leads_nowhere, set_up, tear_down),
		cmocka_unit_test_setup_teardown(the_only_one_is_never_bad, set_up, tear_down),
		cmocka_unit_test_setup_teardown(nothing_better_than_a_fallback, set_up, tear_down),
		cmocka_unit_test_teardown(cancelled_at_any_time, tear_down),
		cmocka_unit_test_setup_teardown(others_are_found_under_way, set_up, tear_down),
		cmocka_unit_test_setup_teardown(another_network, set_up, tear_down),
		cmocka_unit_test_teardown(of_that_version, tear_down),
	};

	return cmocka_run_group_tests_name("candidates", tests, NULL, NULL);
}
