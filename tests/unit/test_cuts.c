/* links: tunnel/cuts.c */
/* Cuts: what is learned from which end of a connection, what refutes it, and how it is forgotten. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "tunnel/cuts.h"

#define S(n) ((int64_t)((double)(n) * 1e6))
#define MINUTES(n) S(60 * (n))
#define KB(n) ((uint64_t)(n) * 1024)

static struct cuts c;

static int set_up(void **state)
{
	(void)state;
	memset(&c, 0, sizeof c);
	return 0;
}

static bool note(double age, double idle, uint64_t bytes)
{
	return cuts_note(&c, &(struct cut){ .age_us = S(age), .idle_us = S(idle), .bytes = bytes }, S(100));
}

static void stood(double age, double idle, uint64_t bytes)
{
	cuts_survived(&c, &(struct cut){ .age_us = S(age), .idle_us = S(idle), .bytes = bytes });
}

static bool due(double age, uint64_t bytes)
{
	return cuts_due(&c, &(struct cut){ .age_us = S(age), .bytes = bytes });
}

static void nothing_known(void **state)
{
	(void)state;
	assert_false(due(100000, KB(10000000)));
	assert_false(cuts_half(&c, &(struct cut){ .age_us = S(100000), .bytes = KB(1000000) }));
	assert_int_equal(cuts_left_us(&c, &(struct cut){ .age_us = S(5000) }), INT64_MAX);
	assert_int_equal(cuts_keepalive_us(&c, S(8)), S(8));
	assert_int_equal(cuts_hold_us(&c, S(20)), S(20));
	cuts_relax(&c, S(100000));
	assert_int_equal(c.learned_us, 0);
}

static void age(void **state)
{
	(void)state;
	assert_true(note(10, 0.02, KB(100)));
	assert_int_equal(c.seen.age_us, S(10));
	assert_int_equal(c.seen.bytes, 0);
	assert_int_equal(c.seen.idle_us, 0);
	assert_int_equal(c.count, 1);
	assert_int_equal(c.learned_us, S(100));
	assert_false(due(7.9, KB(10000)));
	assert_true(due(8, 0));
	assert_int_equal(cuts_left_us(&c, &(struct cut){ .age_us = S(3) }), S(5));
	assert_int_equal(cuts_left_us(&c, &(struct cut){ .age_us = S(9) }), 0);
	assert_false(cuts_half(&c, &(struct cut){ .age_us = S(4.9) }));
	assert_true(cuts_half(&c, &(struct cut){ .age_us = S(5) }));
	assert_true(note(9.5, 0, 0));	/* it can be less */
	assert_int_equal(c.seen.age_us, S(9.5));
}

static void bytes(void **state)
{
	(void)state;
	stood(60, 0.5, KB(200));
	assert_true(note(30, 0.02, KB(1000)));
	assert_int_equal(c.seen.age_us, 0);
	assert_int_equal(c.seen.bytes, KB(1000));
	assert_false(due(1000, KB(799)));
	assert_true(due(0, KB(800)));
	assert_int_equal(cuts_left_us(&c, &(struct cut){ .age_us = S(50) }), INT64_MAX);
}

static void few_bytes_are_no_limit(void **state)
{
	(void)state;
	stood(60, 0, 0);
	assert_false(note(30, 0.02, KB(255)));
	assert_int_equal(c.seen.bytes, 0);
}

static void age_and_bytes(void **state)
{
	(void)state;
	assert_true(note(10, 0.02, KB(600)));
	assert_int_equal(c.seen.age_us, S(10));
	assert_int_equal(c.seen.bytes, KB(600));
	stood(7, 0.02, KB(3000));	/* it was not the bytes */
	assert_int_equal(c.seen.bytes, 0);
	assert_int_equal(c.seen.age_us, S(10));
}

static void idle(void **state)
{
	(void)state;
	assert_true(note(30, 5, KB(600)));
	assert_int_equal(c.seen.idle_us, S(5));
	assert_int_equal(c.seen.age_us, 0);
	assert_int_equal(c.seen.bytes, 0);
	assert_int_equal(cuts_keepalive_us(&c, S(8)), S(2));
	assert_int_equal(cuts_keepalive_us(&c, S(1)), S(1));
	assert_int_equal(cuts_hold_us(&c, S(20)), S(4));
	assert_int_equal(cuts_hold_us(&c, S(3)), S(3));
}

static void a_short_silence_is_not_it(void **state)
{
	(void)state;
	assert_true(note(10, 0.9, 0));
	assert_int_equal(c.seen.idle_us, 0);
	assert_int_equal(c.seen.age_us, S(10));
}

static void a_silence_survived_is_not_it(void **state)
{
	(void)state;
	stood(9, 8, 0);
	assert_true(note(10, 2, 0));
	assert_int_equal(c.seen.idle_us, 0);
	assert_int_equal(c.seen.age_us, S(10));
}

static void young_ones_teach_nothing(void **state)
{
	(void)state;
	assert_false(note(1.9, 1.5, KB(2000)));
	assert_false(note(1.9, 1.5, KB(2000)));
	assert_int_equal(c.count, 0);
	assert_int_equal(c.seen.age_us + c.seen.idle_us + (int64_t)c.seen.bytes, 0);
}

static void refuted(void **state)
{
	(void)state;
	assert_true(note(10, 0, KB(512)));
	stood(11, 0, 0);	/* the same, measured better */
	assert_int_equal(c.seen.age_us, S(11));
	stood(14, 0, 0);
	assert_int_equal(c.seen.age_us, 0);
	assert_int_equal(c.seen.bytes, KB(512));
	assert_true(note(20, 4, 0));
	stood(1, 30, 0);
	assert_int_equal(c.seen.idle_us, 0);
}

/* What was survived once does not hold for ever. */
static void twice_alike(void **state)
{
	(void)state;
	stood(3600, 60, KB(100000));
	assert_false(note(10, 0.1, KB(100)));
	assert_false(note(30, 0.1, KB(100)));	/* another one */
	assert_true(note(29, 0.1, KB(100)));
	assert_int_equal(c.seen.age_us, S(29));
	assert_int_equal(c.seen.bytes, 0);
	assert_int_equal(c.survived.age_us, S(29));
	assert_int_equal(c.count, 3);
	assert_false(note(20, 5, KB(1)));
	assert_true(note(7, 5.1, KB(1)));
	assert_int_equal(c.seen.idle_us, S(5.1));
	assert_int_equal(c.seen.age_us, S(29));
}

static void answers_given_up(void **state)
{
	(void)state;
	assert_false(cuts_note_idle(&c, S(1.9), S(100)));
	assert_true(cuts_note_idle(&c, S(10), S(100)));
	assert_int_equal(c.seen.idle_us, S(10));
	assert_int_equal(c.seen.age_us, 0);
	assert_int_equal(cuts_hold_us(&c, S(20)), S(8));
	stood(100, 20, 0);
	assert_int_equal(c.seen.idle_us, 0);
	assert_false(cuts_note_idle(&c, S(10), S(100)));
	assert_true(cuts_note_idle(&c, S(10), S(100)));
}

/* A path that bears long answers and no long requests. */
static void requests_without_an_answer(void **state)
{
	struct cut k = { .age_us = S(5), .answer_us = S(4.5) };

	(void)state;
	assert_true(cuts_note(&c, &k, S(100)));
	assert_int_equal(c.seen.answer_us, S(4.5));
	stood(60, 0, 0);
	assert_int_equal(c.seen.age_us, 0);
	k.age_us = S(100);
	k.answer_us = S(3.5);
	assert_false(cuts_due(&c, &k));
	assert_int_equal(cuts_left_us(&c, &k), S(0.1));
	k.answer_us = S(3.6);
	assert_true(cuts_due(&c, &k));
	k.answer_us = 0;
	assert_false(cuts_due(&c, &k));
	assert_int_equal(cuts_left_us(&c, &k), INT64_MAX);
	k.answer_us = S(20);
	cuts_survived(&c, &k);
	assert_int_equal(c.seen.answer_us, 0);
}

static void relaxed(void **state)
{
	(void)state;
	note(10, 0, KB(512));
	note(60, 4, 0);
	cuts_relax(&c, S(100) + MINUTES(10) - 1);
	assert_int_equal(c.seen.age_us, S(10));
	cuts_relax(&c, S(100) + MINUTES(10));
	assert_int_equal(c.seen.age_us, S(15));
	assert_int_equal(c.seen.idle_us, S(6));
	assert_int_equal(c.seen.bytes, KB(768));
	cuts_relax(&c, S(100) + MINUTES(11));
	assert_int_equal(c.seen.age_us, S(15));
	for (int i = 2; i < 30; i++)	/* in the end nothing is known */
		cuts_relax(&c, S(100) + MINUTES(10 * i));
	assert_int_equal(c.seen.age_us + c.seen.idle_us + (int64_t)c.seen.bytes, 0);
}

/* Where raising it was wrong it is tried more rarely. */
static void relaxed_in_vain(void **state)
{
	int64_t at = S(100);

	(void)state;
	note(10, 0, 0);
	for (int i = 0; i < 4; i++) {
		at += MINUTES(10) << i;
		cuts_relax(&c, at - 1);
		assert_int_equal(c.seen.age_us, S(10));
		cuts_relax(&c, at);
		assert_int_equal(c.seen.age_us, S(15));
		assert_true(cuts_note(&c, &(struct cut){ .age_us = S(10) }, at));
		assert_int_equal(c.seen.age_us, S(10));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(nothing_known, set_up),
		cmocka_unit_test_setup(age, set_up),
		cmocka_unit_test_setup(bytes, set_up),
		cmocka_unit_test_setup(few_bytes_are_no_limit, set_up),
		cmocka_unit_test_setup(age_and_bytes, set_up),
		cmocka_unit_test_setup(idle, set_up),
		cmocka_unit_test_setup(a_short_silence_is_not_it, set_up),
		cmocka_unit_test_setup(a_silence_survived_is_not_it, set_up),
		cmocka_unit_test_setup(young_ones_teach_nothing, set_up),
		cmocka_unit_test_setup(refuted, set_up),
		cmocka_unit_test_setup(twice_alike, set_up),
		cmocka_unit_test_setup(answers_given_up, set_up),
		cmocka_unit_test_setup(requests_without_an_answer, set_up),
		cmocka_unit_test_setup(relaxed, set_up),
		cmocka_unit_test_setup(relaxed_in_vain, set_up),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
