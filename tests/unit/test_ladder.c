/* links: client/ladder.c tunnel/loop.c framing/error.c */
/* libs: -lev */
/* The ladder over fake carriers, in virtual time: which rung follows which failure, and when. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/ladder.h"
#include "framing/error.h"
#include "tunnel/log.h"

/* ---- fakes ---- */

const struct rung rungs[] = { { .name = "duplex" }, { .name = "split" }, { .name = "push" }, { .name = "poll" },
			      { .name = NULL } };

struct session {
	bool ended;
};

struct carrier {
	const struct rung *rung;
	bool answered;		/* HELLO was */
	const struct carrier_events *events;
	void *ctx;
	char why[32];		/* goes with the carrier */
};

static struct session session;
static struct carrier *carrier;	/* the one that is open */
static unsigned opened, freed;
static bool refuse_open;
static int pool_place;
#define POOL ((struct pool *)(void *)&pool_place)

bool session_is_ended(const struct session *s)
{
	return s->ended;
}

const char *session_tag(const struct session *s)
{
	(void)s;
	return "test";
}

bool log_enabled(enum log_level level)
{
	(void)level;
	return false;
}

void log_write(enum log_level level, struct log_limit *limit, const char *area, const char *who, const char *fmt, ...)
{
	(void)level;
	(void)limit;
	(void)area;
	(void)who;
	(void)fmt;
}

struct carrier *carrier_open(struct session *s, const struct rung *rung, const struct carrier_path *path,
			     struct pool *pool, const struct carrier_events *events, void *ctx)
{
	(void)path;
	assert_ptr_equal(s, &session);
	assert_ptr_equal(pool, POOL);
	assert_null(carrier);
	opened++;
	if (refuse_open)
		return NULL;
	carrier = calloc(1, sizeof *carrier);
	carrier->rung = rung;
	carrier->events = events;
	carrier->ctx = ctx;
	return carrier;
}

void carrier_free(struct carrier *c)
{
	assert_ptr_equal(c, carrier);
	memset(c->why, 'x', sizeof c->why);
	free(c);
	carrier = NULL;
	freed++;
}

void carrier_stats(const struct carrier *c, struct carrier_stats *out)
{
	*out = (struct carrier_stats){ .rung = c->rung->name, .records_in = c->answered };
}


/* ---- the ladder under test ---- */

static struct loop *loop;
static struct ladder *ladder;
static struct ladder_config config;
static const struct rung *proven_rung;
static unsigned proven, troubles;
static const struct rung *trouble_from, *trouble_next;
static int trouble_error;
static int64_t trouble_wait;
static char trouble_why[64];

static void on_proven(void *ctx, struct carrier *c)
{
	assert_ptr_equal(ctx, &config);
	assert_ptr_equal(c, carrier);
	proven++;
}

static void on_trouble(void *ctx, const struct rung *from, const struct rung *next, int error, const char *why,
		       int64_t retry_us)
{
	assert_ptr_equal(ctx, &config);
	troubles++;
	trouble_from = from;
	trouble_next = next;
	trouble_error = error;
	trouble_wait = retry_us;
	snprintf(trouble_why, sizeof trouble_why, "%s", why);
}

static const struct ladder_events events = { .proven = on_proven, .trouble = on_trouble };

static void run(int64_t us)
{
	loop_advance(loop, loop_now(loop) + us);
}

static void begin(const char *only)
{
	session = (struct session){ .ended = false };
	opened = freed = proven = troubles = 0;
	refuse_open = false;
	loop = loop_new_virtual(LOOP_SECOND, 1700000000);
	loop_seed(loop, 7);
	proven_rung = NULL;
	config = (struct ladder_config){ .pool = POOL, .proven = &proven_rung };
	for (const struct rung *r = rungs; only && r->name; r++)
		if (strcmp(r->name, only) == 0)
			config.only = r;
	ladder = ladder_new(loop, &session, &config, &events, &config);
	run(0);
}

static void end(void)
{
	ladder_free(ladder);
	assert_null(carrier);
	assert_int_equal(opened, freed);
	run(0);
	loop_free(loop);
}

static void fails(int error)
{
	snprintf(carrier->why, sizeof carrier->why, "why %d", error);
	carrier->events->failed(carrier->ctx, carrier, error, carrier->why);
	assert_null(carrier);
	assert_int_equal(trouble_error, error);
}

/* The next attempt comes at once, on that rung. */
static void expect_now(const char *rung)
{
	assert_int_equal(trouble_wait, 0);
	assert_string_equal(trouble_next->name, rung);
	run(0);
	assert_non_null(carrier);
	assert_string_equal(carrier->rung->name, rung);
}

/* The next attempt comes after about that time, not before. */
static void expect_in(int64_t us, const char *rung)
{
	assert_in_range(trouble_wait, us * 3 / 4, us * 5 / 4);
	run(trouble_wait - 1);
	assert_null(carrier);
	run(1);
	assert_non_null(carrier);
	assert_string_equal(carrier->rung->name, rung);
}

/* HELLO is answered. */
static void answer(void)
{
	carrier->answered = true;
}

static void prove(void)
{
	answer();
	carrier->events->proven(carrier->ctx, carrier);
}

static void test_first_is_best(void **state)
{
	(void)state;
	begin(NULL);
	assert_string_equal(carrier->rung->name, "duplex");
	assert_null(ladder_carrier(ladder));
	prove();
	assert_int_equal(proven, 1);
	assert_ptr_equal(ladder_carrier(ladder), carrier);
	assert_string_equal(proven_rung->name, "duplex");
	run(3600 * LOOP_SECOND);
	assert_int_equal(opened, 1);
	end();
}

static void test_late_marks_go_down(void **state)
{
	(void)state;
	begin(NULL);
	answer();
	fails(ERROR_TIMEOUT);
	assert_string_equal(trouble_from->name, "duplex");
	assert_string_equal(trouble_why, "why -8");
	expect_now("split");
	answer();
	fails(ERROR_MALFORMED);
	expect_now("push");
	answer();
	fails(ERROR_RESET);
	expect_now("poll");
	prove();
	assert_string_equal(proven_rung->name, "poll");
	end();
}

static void test_end_of_ladder_waits(void **state)
{
	static const char *const names[] = { "duplex", "split", "push", "poll" };
	static const int64_t waits[] = { 250, 500, 1000, 2000, 4000, 8000, 10000, 10000 };

	(void)state;
	begin(NULL);
	for (size_t round = 0; round < 8; round++) {
		for (size_t i = 0; i < 4; i++) {
			assert_string_equal(carrier->rung->name, names[i]);
			answer();
			fails(ERROR_HTTP);
			if (i < 3)
				expect_now(names[i + 1]);
		}
		expect_in(waits[round] * LOOP_MS, "duplex");
	}
	end();
}

static void test_no_connection_stays(void **state)
{
	static const int errors[] = { ERROR_RESOLVE, ERROR_REFUSED, ERROR_UNREACHABLE, ERROR_PROXY, ERROR_PROXY_AUTH,
				      ERROR_CERTIFICATE, ERROR_AUTH, ERROR_TLS, ERROR_TIMEOUT, ERROR_RESET };
	static const int64_t waits[] = { 250, 500, 1000, 2000, 4000, 8000, 10000, 10000, 10000 };

	(void)state;
	begin(NULL);
	fails(errors[0]);
	expect_now("duplex");
	for (size_t i = 0; i < 9; i++) {
		fails(errors[i + 1]);
		expect_in(waits[i] * LOOP_MS, "duplex");
	}
	/* For ever. */
	for (size_t i = 0; i < 1000; i++) {
		fails(ERROR_UNREACHABLE);
		expect_in(10 * LOOP_SECOND, "duplex");
	}
	/* A connection that works starts the row anew. */
	prove();
	run(6 * LOOP_SECOND);
	fails(ERROR_RESET);
	expect_now("duplex");
	fails(ERROR_REFUSED);
	expect_now("duplex");
	end();
}

static void test_before_welcome_stays(void **state)
{
	(void)state;
	begin(NULL);
	fails(ERROR_HTTP);
	expect_now("duplex");
	fails(ERROR_TIMEOUT);
	expect_in(250 * LOOP_MS, "duplex");
	fails(ERROR_MALFORMED);
	expect_in(500 * LOOP_MS, "duplex");
	answer();
	fails(ERROR_TIMEOUT);
	expect_now("split");
	end();
}

static void test_proven_comes_back(void **state)
{
	(void)state;
	begin(NULL);
	answer();
	fails(ERROR_TIMEOUT);
	expect_now("split");
	prove();
	run(5 * LOOP_SECOND);
	fails(ERROR_RESET);
	expect_now("split");
	/* The network is down: no rung is blamed. */
	for (int i = 0; i < 5; i++) {
		fails(ERROR_TIMEOUT);
		run(trouble_wait);
		assert_string_equal(carrier->rung->name, "split");
	}
	prove();
	end();
}

static void test_quick_failures_go_down(void **state)
{
	(void)state;
	begin(NULL);
	prove();
	run(LOOP_SECOND);
	fails(ERROR_RESET);
	expect_now("duplex");
	prove();
	run(LOOP_SECOND);
	fails(ERROR_RESET);
	expect_now("split");
	/* One that lived in between ends the row. */
	prove();
	run(LOOP_SECOND);
	fails(ERROR_TIMEOUT);
	expect_now("split");
	prove();
	run(6 * LOOP_SECOND);
	fails(ERROR_TIMEOUT);
	expect_now("split");
	prove();
	run(LOOP_SECOND);
	fails(ERROR_TIMEOUT);
	expect_now("split");
	end();
}

static void test_foreign_answer_on_good_rung(void **state)
{
	(void)state;
	begin(NULL);
	prove();
	run(60 * LOOP_SECOND);
	fails(ERROR_RESET);
	expect_now("duplex");
	answer();
	fails(ERROR_HTTP);
	expect_now("duplex");
	answer();
	fails(ERROR_HTTP);
	expect_in(250 * LOOP_MS, "duplex");
	answer();
	fails(ERROR_HTTP);
	expect_in(500 * LOOP_MS, "duplex");
	answer();
	fails(ERROR_HTTP);
	expect_now("split");
	end();
}

static void test_only_one_rung(void **state)
{
	(void)state;
	begin("push");
	assert_string_equal(carrier->rung->name, "push");
	answer();
	fails(ERROR_TIMEOUT);
	expect_in(250 * LOOP_MS, "push");
	answer();
	fails(ERROR_TIMEOUT);
	expect_in(500 * LOOP_MS, "push");
	prove();
	run(LOOP_SECOND);
	fails(ERROR_RESET);
	expect_now("push");
	prove();
	run(LOOP_SECOND);
	fails(ERROR_RESET);
	expect_in(1000 * LOOP_MS, "push");
	end();
}

static void test_remembers(void **state)
{
	struct ladder *first;

	(void)state;
	begin(NULL);
	answer();
	fails(ERROR_TIMEOUT);
	expect_now("split");
	prove();
	/* The next session's ladder starts there. */
	first = ladder;
	ladder_free(first);
	ladder = ladder_new(loop, &session, &config, &events, &config);
	run(0);
	assert_string_equal(carrier->rung->name, "split");
	end();
}

static void test_ended_session_stops(void **state)
{
	(void)state;
	begin(NULL);
	session.ended = true;
	carrier->events->failed(carrier->ctx, carrier, ERROR_GONE, "gone");
	assert_null(carrier);
	run(60 * LOOP_SECOND);
	assert_int_equal(opened, 1);
	assert_int_equal(troubles, 0);
	end();
}

static void test_no_place(void **state)
{
	(void)state;
	begin(NULL);
	prove();
	refuse_open = true;
	run(6 * LOOP_SECOND);
	fails(ERROR_RESET);
	run(0);
	assert_null(carrier);
	run(0);
	refuse_open = false;
	run(LOOP_SECOND);
	assert_non_null(carrier);
	freed = opened - 1;
	end();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_first_is_best),
		cmocka_unit_test(test_late_marks_go_down),
		cmocka_unit_test(test_end_of_ladder_waits),
		cmocka_unit_test(test_no_connection_stays),
		cmocka_unit_test(test_before_welcome_stays),
		cmocka_unit_test(test_proven_comes_back),
		cmocka_unit_test(test_quick_failures_go_down),
		cmocka_unit_test(test_foreign_answer_on_good_rung),
		cmocka_unit_test(test_only_one_rung),
		cmocka_unit_test(test_remembers),
		cmocka_unit_test(test_ended_session_stops),
		cmocka_unit_test(test_no_place),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
