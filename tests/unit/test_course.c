/* links: tunnel/course.c */
/* The course of a connection: its age, bytes and silences, with one exchange after the other and with several at once. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "tunnel/course.h"

#define S(n) ((int64_t)((n) * 1000000))

static struct course c;
static struct course_exchange x, y;

static int set_up(void **state)
{
	(void)state;
	x = y = (struct course_exchange){ 0 };
	course_init(&c, S(100));
	return 0;
}

static int64_t idle(double at)
{
	struct cut now;

	course_now(&c, S(at), &now);
	return now.idle_us;
}

static struct cut stood(void)
{
	struct cut s;

	course_survived(&c, &s);
	return s;
}

/* A complete request, and its answer so much later. */
static void exchange(double begun, double answered)
{
	course_begin(&c, &x, S(begun));
	course_out(&c, &x, COURSE_COMPLETE);
	course_said(&c, 100, S(begun));
	course_heard(&c, 200, S(answered));
	course_in(&c, &x, COURSE_OPEN);
	course_in(&c, &x, COURSE_COMPLETE);
	course_end(&c, &x, S(answered));
}

static void age_and_bytes(void **state)
{
	struct cut now;

	(void)state;
	exchange(101, 102);
	exchange(102, 103);
	course_now(&c, S(110), &now);
	assert_int_equal(now.age_us, S(10));
	assert_int_equal(now.bytes, 400);
	assert_int_equal(now.idle_us, 0);
	assert_int_equal(stood().age_us, S(3));
	assert_int_equal(stood().bytes, 400);
}

static void an_answer_is_waited_for(void **state)
{
	(void)state;
	assert_int_equal(idle(105), 0);
	course_begin(&c, &x, S(105));
	course_out(&c, &x, COURSE_COMPLETE);
	course_said(&c, 100, S(105));
	assert_int_equal(idle(125), S(20));
	assert_int_equal(stood().idle_us, 0);
	course_heard(&c, 1, S(130));
	course_in(&c, &x, COURSE_OPEN);
	assert_int_equal(stood().idle_us, S(25));
	assert_int_equal(idle(131), S(1));
	course_in(&c, &x, COURSE_COMPLETE);
	course_end(&c, &x, S(131));
	assert_int_equal(idle(150), 0);	/* nothing is under way */
}

static void each_body_has_its_silence(void **state)
{
	(void)state;
	course_begin(&c, &x, S(100));
	course_out(&c, &x, COURSE_OPEN);
	course_said(&c, 100, S(100));
	course_heard(&c, 100, S(101));
	course_in(&c, &x, COURSE_OPEN);
	course_heard(&c, 100, S(104));
	assert_int_equal(idle(105), S(5));	/* of ours */
	course_said(&c, 100, S(106));
	assert_int_equal(idle(107), S(3));	/* of the peer's */
	course_excuse(&c, S(107));
	assert_int_equal(idle(108), S(2));
	assert_int_equal(stood().idle_us, S(4));	/* of ours, while something was heard */
	course_heard(&c, 1, S(109));
	assert_int_equal(stood().idle_us, S(6));	/* ... and until we said something again */
}

/* A request body that goes on without an answer. */
static void unanswered(void **state)
{
	struct cut now;

	(void)state;
	course_begin(&c, &x, S(100));
	course_out(&c, &x, COURSE_OPEN);
	course_said(&c, 100, S(100));
	course_said(&c, 100, S(130));
	course_now(&c, S(131), &now);
	assert_int_equal(now.answer_us, S(31));
	assert_int_equal(now.idle_us, S(1));
	course_out(&c, &x, COURSE_COMPLETE);
	course_heard(&c, 100, S(132));
	assert_int_equal(stood().answer_us, S(30));
}

static void a_rest_counts_for_what_comes_then(void **state)
{
	(void)state;
	exchange(100, 101);
	course_begin(&c, &x, S(104));
	course_out(&c, &x, COURSE_COMPLETE);
	course_said(&c, 100, S(104));
	assert_int_equal(idle(104.5), S(3));	/* if it is gone now it went in the pause */
	assert_int_equal(idle(106), S(2));
}

static void what_ended_it(void **state)
{
	struct cut now, before;

	(void)state;
	course_begin(&c, &x, S(100));
	course_out(&c, &x, COURSE_COMPLETE);
	course_said(&c, 100, S(100));
	course_heard(&c, 100, S(101));
	course_in(&c, &x, COURSE_OPEN);
	course_heard(&c, 100, S(111));
	course_cut(&c, S(115), &now, &before);
	assert_int_equal(now.idle_us, S(4));
	assert_int_equal(before.idle_us, S(10));
	course_heard(&c, 5, S(131));	/* somebody in between ended the answer */
	course_in(&c, &x, COURSE_COMPLETE);
	course_cut(&c, S(131), &now, &before);
	assert_int_equal(now.idle_us, S(20));
	assert_int_equal(before.idle_us, S(10));
	course_end(&c, &x, S(131));
	course_begin(&c, &x, S(131));	/* the next one ends by itself */
	course_out(&c, &x, COURSE_COMPLETE);
	course_said(&c, 100, S(131));
	course_cut(&c, S(140), &now, &before);
	assert_int_equal(now.idle_us, S(9));
	assert_int_equal(before.idle_us, S(20));
	course_disown(&c);
	assert_int_equal(stood().idle_us, 0);
}

/* ---- several ---- */

static void the_silence_of_all(void **state)
{
	(void)state;
	course_begin(&c, &x, S(100));	/* an answer that goes on */
	course_out(&c, &x, COURSE_COMPLETE);
	course_said(&c, 100, S(100));
	course_heard(&c, 100, S(101));
	course_in(&c, &x, COURSE_OPEN);
	course_begin(&c, &y, S(105));	/* and a poll */
	assert_int_equal(idle(106), S(5));	/* one that begins does not end the silence of another */
	course_out(&c, &y, COURSE_COMPLETE);
	course_said(&c, 100, S(106));
	assert_int_equal(idle(110), S(9));
	course_heard(&c, 100, S(120));	/* of whichever */
	assert_int_equal(idle(121), S(1));
	course_end(&c, &x, S(121));	/* dropped */
	assert_int_equal(idle(130), S(10));
	course_end(&c, &y, S(131));
	assert_int_equal(c.exchanges, 0);
	assert_int_equal(idle(140), 0);
}

/* What ended is not what is cut later, when others were heard since. */
static void an_end_among_others(void **state)
{
	struct cut now, before;

	(void)state;
	course_begin(&c, &x, S(100));
	course_out(&c, &x, COURSE_COMPLETE);
	course_begin(&c, &y, S(100));
	course_out(&c, &y, COURSE_COMPLETE);
	course_said(&c, 100, S(100));
	course_heard(&c, 100, S(110));
	course_in(&c, &x, COURSE_OPEN);
	course_in(&c, &x, COURSE_COMPLETE);
	course_in(&c, &y, COURSE_OPEN);
	course_cut(&c, S(110), &now, &before);
	assert_int_equal(now.idle_us, S(10));
	assert_int_equal(before.idle_us, 0);
	course_end(&c, &x, S(110));
	course_heard(&c, 100, S(113));
	course_cut(&c, S(114), &now, &before);
	assert_int_equal(now.idle_us, S(1));
	assert_int_equal(before.idle_us, S(10));
}

static void counted_until_the_end(void **state)
{
	(void)state;
	course_begin(&c, &x, S(100));
	course_begin(&c, &y, S(100));
	assert_int_equal(c.exchanges, 2);
	course_end(&c, &x, S(101));
	course_end(&c, &x, S(101));
	assert_int_equal(c.exchanges, 1);
	course_in(&c, &x, COURSE_OPEN);	/* it is over */
	assert_int_equal(c.at[COURSE_OPEN][COURSE_NONE], 0);
	assert_int_equal(x.in, COURSE_OPEN);
	course_end(&c, &y, S(102));
	assert_int_equal(c.free_since, S(102));
	for (int in = 0; in < COURSE_STATES; in++)
		for (int out = 0; out < COURSE_STATES; out++)
			assert_int_equal(c.at[in][out], 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(age_and_bytes, set_up),
		cmocka_unit_test_setup(an_answer_is_waited_for, set_up),
		cmocka_unit_test_setup(each_body_has_its_silence, set_up),
		cmocka_unit_test_setup(unanswered, set_up),
		cmocka_unit_test_setup(a_rest_counts_for_what_comes_then, set_up),
		cmocka_unit_test_setup(what_ended_it, set_up),
		cmocka_unit_test_setup(the_silence_of_all, set_up),
		cmocka_unit_test_setup(an_end_among_others, set_up),
		cmocka_unit_test_setup(counted_until_the_end, set_up),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
