/* links: client/doctor_verdict.c */
/* Judgements of culvert doctor: which call counts, and whether it is usable. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "client/doctor_verdict.h"

/* ---- fakes ---- */

enum { DUPLEX, WEBSOCKET, SPLIT, SPLIT_FILL, PUSH, PUSH_SSE, PUSH_PAD, POLL };

const struct rung rungs[] = {
	{ .name = "duplex" }, { .name = "websocket", .rest = true }, { .name = "split" }, { .name = "split+fill", .fill = 16384 }, { .name = "push" },
	{ .name = "push+sse", .event_stream = true }, { .name = "push+pad", .pad = 4096 }, { .name = "poll" }, { .name = NULL },
};

/* ---- calls ---- */

static struct call_result call_of(double mos, double loss, double late)
{
	return (struct call_result){ .ran = true, .sent = 200, .received = 200, .mos = mos, .loss_percent = loss, .late_percent = late };
}

static void assert_usable(struct call_result r, enum usable u)
{
	assert_int_equal(call_usable(&r), u);
}

static void test_usable(void **state)
{
	struct call_result r = call_of(4.2, 0, 0);

	(void)state;
	assert_usable(r, USABLE_YES);
	assert_usable(call_of(3.5, 0, 0), USABLE_LIMITED);
	assert_usable(call_of(4.0, 2, 2), USABLE_LIMITED);
	assert_usable(call_of(1.9, 0, 0), USABLE_NO);
	assert_usable(call_of(3.0, 51, 0), USABLE_NO);
	r.received = 0;
	assert_usable(r, USABLE_NO);
	r = call_of(4.2, 0, 0);
	r.ran = false;
	assert_usable(r, USABLE_NO);
}

static void test_choice(void **state)
{
	struct called calls[] = { { &rungs[PUSH], call_of(4, 0, 0) }, { &rungs[DUPLEX], call_of(4.1, 0, 0) }, { &rungs[POLL], call_of(3, 0, 0) } };

	(void)state;
	assert_ptr_equal(verdict_choose(&rungs[PUSH], calls, 3)->rung, &rungs[PUSH]);
	assert_ptr_equal(verdict_choose(NULL, calls, 3)->rung, &rungs[DUPLEX]);
	calls[0].result.ran = false;	/* what was found does not carry a call */
	assert_ptr_equal(verdict_choose(&rungs[PUSH], calls, 3)->rung, &rungs[DUPLEX]);
	calls[1].result.mos = 1;
	assert_ptr_equal(verdict_choose(&rungs[PUSH], calls, 3)->rung, &rungs[POLL]);
	calls[2].result.received = 0;
	assert_null(verdict_choose(&rungs[PUSH], calls, 3));
	assert_null(verdict_choose(&rungs[PUSH], calls, 0));
}

/* No finding tells of it: the call does. */
static void test_choice_of_a_websocket(void **state)
{
	struct called calls[] = { { &rungs[PUSH], call_of(4, 0, 0) }, { &rungs[WEBSOCKET], call_of(4, 0, 0) }, { &rungs[DUPLEX], call_of(4, 0, 0) } };

	(void)state;
	assert_ptr_equal(verdict_choose(&rungs[PUSH], calls, 3)->rung, &rungs[WEBSOCKET]);
	assert_ptr_equal(verdict_choose(&rungs[DUPLEX], calls, 3)->rung, &rungs[DUPLEX]);
	calls[1].result.ran = false;
	assert_ptr_equal(verdict_choose(&rungs[PUSH], calls, 3)->rung, &rungs[PUSH]);
}

/* ---- rungs ---- */

static void test_may_pass(void **state)
{
	struct survey_findings s = { .duplex = FINDING_UNKNOWN };

	(void)state;
	for (const struct rung *r = rungs; r->name; r++)	/* nothing is known */
		assert_int_equal(verdict_may_pass(r, &s), r != &rungs[WEBSOCKET]);
	s = (struct survey_findings){ .duplex = FINDING_HELD, .up = FINDING_HELD, .up_fill = FINDING_PASSES, .down = FINDING_HELD,
				      .down_sse = FINDING_DAMAGED, .down_pad = FINDING_PASSES };
	assert_false(verdict_may_pass(&rungs[DUPLEX], &s));
	assert_true(verdict_may_pass(&rungs[WEBSOCKET], &s));
	assert_false(verdict_may_pass(&rungs[SPLIT], &s));
	assert_false(verdict_may_pass(&rungs[SPLIT_FILL], &s));
	assert_false(verdict_may_pass(&rungs[PUSH], &s));
	assert_false(verdict_may_pass(&rungs[PUSH_SSE], &s));
	assert_true(verdict_may_pass(&rungs[PUSH_PAD], &s));
	assert_true(verdict_may_pass(&rungs[POLL], &s));
	s.down = FINDING_PASSES;
	assert_false(verdict_may_pass(&rungs[SPLIT], &s));
	assert_true(verdict_may_pass(&rungs[SPLIT_FILL], &s));
	assert_true(verdict_may_pass(&rungs[PUSH], &s));
}

static void test_why(void **state)
{
	struct survey_findings s = { .duplex = FINDING_HELD, .up = FINDING_REFUSED, .down = FINDING_PASSES };
	char text[200];

	(void)state;
	verdict_why(&rungs[PUSH], &rungs[PUSH], &s, text, sizeof text);
	assert_string_equal(text, "Requests that are streamed are refused.");
	verdict_why(&rungs[WEBSOCKET], &rungs[PUSH], &s, text, sizeof text);
	assert_string_equal(text, "Nothing else passes both ways at once.");
	verdict_why(&rungs[POLL], &rungs[PUSH], &s, text, sizeof text);
	assert_string_equal(text, "On push no call came about.");
	s.down = FINDING_HELD;
	verdict_why(&rungs[POLL], &rungs[POLL], &s, text, sizeof text);
	assert_string_equal(text, "Answers that are streamed are held back.");
	s = (struct survey_findings){ .duplex = FINDING_PASSES, .up = FINDING_PASSES, .down = FINDING_PASSES };
	verdict_why(&rungs[DUPLEX], &rungs[DUPLEX], &s, text, sizeof text);
	assert_string_equal(text, "");
	verdict_why(NULL, NULL, &s, text, sizeof text);
	assert_string_equal(text, "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_usable),
		cmocka_unit_test(test_choice),
		cmocka_unit_test(test_choice_of_a_websocket),
		cmocka_unit_test(test_may_pass),
		cmocka_unit_test(test_why),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
