/* links: tunnel/probe_judge.c */
/* What is said of invented results. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "framing/error.h"
#include "tunnel/probe.h"

#define MARKS 4
#define GAP (100 * LOOP_MS)

static const struct probe_plan plan = {
	.up_streamed = true, .up_marks = MARKS, .up_gap_us = GAP,
	.answer = ANSWER_EARLY, .down_marks = MARKS, .down_gap_ms = 100,
};

/* A path of 20 ms each way that passes everything. The server's clock is about to wrap. */
static struct probe_result clean(void)
{
	struct probe_result r = { .status = 200, .head_us = 40 * LOOP_MS, .up_end_us = MARKS * GAP, .up_sent = MARKS,
				  .up_seen = MARKS, .down_seen = MARKS, .up_intact = true, .down_intact = true,
				  .number = 7, .reported = true, .x = 7, .copies = 1 };

	for (unsigned i = 0; i < MARKS; i++) {
		r.up_sent_us[i] = i * GAP;
		r.up_seen_ms[i] = UINT32_MAX - 150 + i * 100;
		r.up_told_us[i] = i * GAP + 40 * LOOP_MS;
		r.down_sent_ms[i] = UINT32_MAX - 50 + i * 100;
		r.down_seen_us[i] = (MARKS + i) * GAP + 40 * LOOP_MS;
	}
	r.end_us = r.down_seen_us[MARKS - 1];
	return r;
}

static void check(const struct probe_result *r, enum finding up, enum finding down, enum finding duplex)
{
	assert_string_equal(finding_name(probe_up(&plan, r)), finding_name(up));
	assert_string_equal(finding_name(probe_down(&plan, r)), finding_name(down));
	assert_string_equal(finding_name(probe_duplex(&plan, r)), finding_name(duplex));
}

static void all_pass(void **state)
{
	struct probe_result r = clean();

	(void)state;
	check(&r, FINDING_PASSES, FINDING_PASSES, FINDING_PASSES);
	/* Jitter within 60 % of a gap. */
	r.up_seen_ms[1] += 30;
	r.up_told_us[1] += 30 * LOOP_MS;
	r.down_seen_us[2] += 30 * LOOP_MS;
	check(&r, FINDING_PASSES, FINDING_PASSES, FINDING_PASSES);
	r = clean();
	r.up_seen_ms[1] += 61;
	check(&r, FINDING_HELD, FINDING_PASSES, FINDING_PASSES);
	r = clean();
	r.down_seen_us[MARKS - 1] += 61 * LOOP_MS;
	check(&r, FINDING_PASSES, FINDING_HELD, FINDING_PASSES);
	r = clean();
	r.up_told_us[2] -= 61 * LOOP_MS;
	check(&r, FINDING_PASSES, FINDING_PASSES, FINDING_HELD);
}

/* Everything behind the whole body. */
static void held_as_a_whole(void **state)
{
	struct probe_result r = clean();

	(void)state;
	for (unsigned i = 0; i < MARKS; i++)
		r.up_seen_ms[i] = 5000;
	check(&r, FINDING_HELD, FINDING_PASSES, FINDING_PASSES);
	r = clean();
	for (unsigned i = 0; i < MARKS; i++)
		r.down_seen_us[i] = r.up_told_us[i] = r.end_us;
	check(&r, FINDING_PASSES, FINDING_HELD, FINDING_HELD);
}

/* The first byte passes, or the first mark; the first marks are held until there is enough. */
static void held_in_part(void **state)
{
	struct probe_result r = clean();

	(void)state;
	for (unsigned i = 1; i < MARKS; i++) {
		r.up_seen_ms[i] = r.up_seen_ms[MARKS - 1];
		r.down_seen_us[i] = r.down_seen_us[MARKS - 1];
		r.up_told_us[i] = r.up_told_us[MARKS - 1];
	}
	check(&r, FINDING_HELD, FINDING_HELD, FINDING_HELD);
	r = clean();
	r.up_seen_ms[0] = r.up_seen_ms[1] = r.up_seen_ms[2];
	r.down_seen_us[0] = r.down_seen_us[1] = r.down_seen_us[2];
	check(&r, FINDING_HELD, FINDING_HELD, FINDING_PASSES);
}

/* Both ways stream, but the answer waits for the end of the request. */
static void one_way_at_a_time(void **state)
{
	struct probe_result r = clean();

	(void)state;
	for (unsigned i = 0; i < MARKS; i++)
		r.up_told_us[i] = r.up_end_us + 40 * LOOP_MS;
	check(&r, FINDING_PASSES, FINDING_PASSES, FINDING_HELD);
	for (unsigned i = 0; i < MARKS; i++)	/* on time, but all behind the end */
		r.up_told_us[i] = r.up_end_us + i * GAP;
	check(&r, FINDING_PASSES, FINDING_PASSES, FINDING_HELD);
}

static void damaged(void **state)
{
	struct probe_result r = clean();

	(void)state;
	r.up_intact = false;
	check(&r, FINDING_DAMAGED, FINDING_PASSES, FINDING_DAMAGED);
	r = clean();
	r.down_intact = false;
	check(&r, FINDING_PASSES, FINDING_DAMAGED, FINDING_DAMAGED);
	r = (struct probe_result){ .status = 200, .error = ERROR_HTTP, .up_intact = true, .down_intact = true,
				   .answer_encoding = "gzip" };
	check(&r, FINDING_DAMAGED, FINDING_DAMAGED, FINDING_DAMAGED);
	r = clean();
	r.error = ERROR_MALFORMED;
	check(&r, FINDING_DAMAGED, FINDING_DAMAGED, FINDING_DAMAGED);
}

static struct probe_result nothing(int error, int status)
{
	struct probe_result r = { .error = error, .status = status, .head_us = -1, .end_us = -1, .up_end_us = -1,
				  .up_intact = true, .down_intact = true, .up_sent = 2, .number = 7 };

	for (unsigned i = 0; i < PROBE_MARKS; i++)
		r.up_sent_us[i] = r.up_told_us[i] = r.down_seen_us[i] = -1;
	return r;
}

static void refused(void **state)
{
	static const struct {
		int error, status;
		enum finding finding;
	} cases[] = {
		{ ERROR_HTTP, 411, FINDING_REFUSED },
		{ ERROR_HTTP, 413, FINDING_REFUSED },
		{ ERROR_HTTP, 501, FINDING_REFUSED },
		{ ERROR_HTTP, 502, FINDING_REFUSED },
		{ ERROR_RESET, 0, FINDING_REFUSED },
		{ ERROR_EOF, 0, FINDING_REFUSED },
		{ ERROR_TIMEOUT, 0, FINDING_UNKNOWN },
		{ ERROR_PROXY, 0, FINDING_UNKNOWN },
		{ ERROR_CLOSED, 0, FINDING_UNKNOWN },
		{ ERROR_GONE, 200, FINDING_UNKNOWN },
		{ ERROR_HTTP, 200, FINDING_UNKNOWN },	/* a page */
		{ ERROR_RESET, 200, FINDING_UNKNOWN },
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct probe_result r = nothing(cases[i].error, cases[i].status);

		check(&r, cases[i].finding, cases[i].finding, cases[i].finding);
	}
}

/* Time-outs within the answer, and cuts. */
static void unfinished(void **state)
{
	struct probe_result r = nothing(ERROR_TIMEOUT, 200);

	(void)state;
	check(&r, FINDING_UNKNOWN, FINDING_HELD, FINDING_HELD);	/* no report at all */
	r = clean();
	r.error = ERROR_TIMEOUT;
	r.up_seen = r.down_seen = 2;
	for (unsigned i = 2; i < MARKS; i++)
		r.up_told_us[i] = r.down_seen_us[i] = -1;
	check(&r, FINDING_HELD, FINDING_HELD, FINDING_HELD);
	r.error = ERROR_RESET;
	check(&r, FINDING_UNKNOWN, FINDING_UNKNOWN, FINDING_UNKNOWN);
	r = clean();
	r.error = ERROR_RESET;		/* behind the last mark */
	check(&r, FINDING_PASSES, FINDING_PASSES, FINDING_PASSES);
}

static void replayed(void **state)
{
	struct probe_result r = clean();

	(void)state;
	r.x = 3;
	check(&r, FINDING_UNKNOWN, FINDING_UNKNOWN, FINDING_UNKNOWN);
}

/* Complete bodies pass when they arrive, whatever the times. */
static void complete_bodies(void **state)
{
	static const struct probe_plan whole = { .up_marks = MARKS, .up_size = 60000, .down_marks = MARKS,
						 .down_size = 60000 };
	struct probe_result r = nothing(0, 200);

	(void)state;
	r.reported = true;
	r.x = 7;
	r.up_sent = r.up_seen = r.down_seen = 1;
	r.up_sent_us[0] = 0;
	r.up_told_us[0] = r.down_seen_us[0] = 50 * LOOP_MS;
	assert_int_equal(probe_up(&whole, &r), FINDING_PASSES);
	assert_int_equal(probe_down(&whole, &r), FINDING_PASSES);
	r.up_seen = 0;
	assert_int_equal(probe_up(&whole, &r), FINDING_UNKNOWN);
}

static void empty_plans(void **state)
{
	static const struct probe_plan empty = { 0 };
	struct probe_result r = nothing(0, 200);

	(void)state;
	r.up_sent = 0;
	r.reported = true;
	r.x = 7;
	assert_int_equal(probe_up(&empty, &r), FINDING_PASSES);
	assert_int_equal(probe_down(&empty, &r), FINDING_PASSES);
	assert_int_equal(probe_duplex(&empty, &r), FINDING_UNKNOWN);
	r = nothing(ERROR_TIMEOUT, 0);
	r.up_sent = 0;
	assert_int_equal(probe_up(&empty, &r), FINDING_UNKNOWN);
	assert_int_equal(probe_down(&empty, &r), FINDING_UNKNOWN);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(all_pass),
		cmocka_unit_test(held_as_a_whole),
		cmocka_unit_test(held_in_part),
		cmocka_unit_test(one_way_at_a_time),
		cmocka_unit_test(damaged),
		cmocka_unit_test(refused),
		cmocka_unit_test(unfinished),
		cmocka_unit_test(replayed),
		cmocka_unit_test(complete_bodies),
		cmocka_unit_test(empty_plans),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
