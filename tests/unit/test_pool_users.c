/* links: tunnel/pool*.c tunnel/http.c tunnel/h2*.c tunnel/cuts.c tunnel/h1.c tunnel/h1_again.c tunnel/course.c tunnel/h1_output.c tunnel/h1_client.c tunnel/h1_server.c tunnel/loop.c tunnel/log.c framing/http1.c framing/http1_head.c framing/http1_format.c framing/cursor.c framing/varint.c framing/error.c tests/lib/stream_mem.c tests/lib/peers.c tests/lib/takers.c */
/* libs: -lev -lhttp_parser -lnghttp2 */
/* One pool for several users: who is served first, who is left out, who hears of failures; limits that make dials wait. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "framing/error.h"
#include "tests/lib/peers.h"
#include "tests/lib/takers.h"

/* Something of an answer that goes on. */
static void murmur(unsigned i, bool first)
{
	static const struct exchange_head head = { .status = 200, .lines = "", .streamed = true };
	size_t cap;
	uint8_t *p = exchange_room(peers[i].x, 1, &cap);

	assert_non_null(p);
	*p = '.';
	exchange_send(peers[i].x, first ? &head : NULL, 1, false);
}

static void shared_budget(void **state)
{
	(void)state;
	takers_begin(4);
	takers_want(0, 3);
	takers_want(1, 1);
	takers_want(2, 1);
	assert_int_equal(pool_others(&takers.who[0].user), 2);	/* they wait */
	takers_run(MS(50));
	assert_int_equal(takers.who[0].n + takers.who[1].n + takers.who[2].n, 4);
	assert_int_equal(pool_open_count(takers.pool), 4);
	assert_int_equal(pool_others(&takers.who[0].user), 5 - takers.who[0].n);
	assert_int_equal(pool_others(&takers.who[3].user), 4 + 1);	/* one waits still */
	pool_claim(&takers.who[2].user, true);	/* one of those */
	assert_int_equal(pool_others(&takers.who[3].user), 4 + 1);
}

static void a_claim(void **state)
{
	(void)state;
	takers_begin(4);
	pool_claim(&takers.who[2].user, true);
	assert_int_equal(pool_others(&takers.who[0].user), 1);
	assert_int_equal(pool_others(&takers.who[2].user), 0);
	pool_claim(&takers.who[2].user, false);
	assert_int_equal(pool_others(&takers.who[0].user), 0);
}

static void the_longest_wait_first(void **state)
{
	(void)state;
	takers_begin(2);
	takers_want(0, 2);
	takers_run(MS(50));
	assert_int_equal(takers.who[0].n, 2);
	takers_want(3, 1);
	takers_want(2, 1);
	takers_run(MS(5));
	takers_want(1, 1);
	takers_answer(0);
	takers_run(MS(1));
	assert_int_equal(takers.who[2].n, 1);
	assert_int_equal(takers.who[1].n + takers.who[3].n, 0);
	takers_want(2, 2);	/* behind the other one now */
	takers_answer(1);
	takers_run(MS(1));
	assert_int_equal(takers.who[1].n, 1);
	assert_int_equal(takers.who[2].n, 1);
	takers_answer(0);
	takers_run(MS(1));
	assert_int_equal(takers.who[2].n, 2);
	assert_int_equal(takers.who[3].n, 0);
}

/* The last free connection is not for the modest. */
static void modesty(void **state)
{
	(void)state;
	takers_begin(3);
	takers_want(0, 2);
	takers_run(MS(50));
	takers_want(3, 1);
	takers_run(MS(50));
	assert_int_equal(takers.started, 3);
	assert_int_equal(takers.who[3].n, 0);
	assert_int_equal(pool_free_count(takers.pool), 1);
	assert_int_equal(takers.who[3].n, 0);
	takers_answer(0);
	takers_run(MS(50));
	assert_int_equal(takers.who[3].n, 1);	/* two were free */
	assert_int_equal(pool_free_count(takers.pool), 1);
	takers_want(1, 1);
	assert_int_equal(takers.who[1].n, 1);
}

/* Where there are but two, the others keep to one: the second is theirs when nobody else waits. */
static void modesty_of_two(void **state)
{
	(void)state;
	takers_begin(2);
	takers_want(0, 2);
	takers_run(MS(50));
	takers_want(3, 1);
	takers_want(1, 1);
	takers_answer(0);
	takers_run(MS(50));
	assert_int_equal(takers.who[1].n, 1);	/* came later, but comes first */
	assert_int_equal(takers.who[3].n, 0);
	takers_answer(0);
	takers_run(MS(50));
	assert_int_equal(takers.who[3].n, 1);
	assert_int_equal(pool_open_count(takers.pool), 2);
}

static void modesty_with_room(void **state)
{
	(void)state;
	takers_begin(3);
	takers_want(0, 1);
	takers_run(MS(50));
	takers_want(3, 1);
	takers_run(MS(50));
	assert_int_equal(takers.who[3].n, 1);
	assert_int_equal(pool_open_count(takers.pool), 3);
}

static void failures_are_for_those_who_wait(void **state)
{
	(void)state;
	takers_begin(4);
	takers.dial_error = ERROR_RESOLVE;
	takers_want(1, 1);
	takers_run(MS(50));
	assert_int_equal(takers.who[1].failed, 1);
	assert_int_equal(takers.who[0].failed + takers.who[2].failed + takers.who[3].failed, 0);
	takers_want(1, 1);
	takers_want(3, 1);
	pool_leave(&takers.who[1].user);
	takers_run(MS(500));
	assert_int_equal(takers.who[1].failed, 1);
	assert_int_equal(takers.who[3].failed, 1);
}

static void the_most_spare_counts(void **state)
{
	(void)state;
	takers_begin(6);
	pool_ahead(&takers.who[0].user, 2);
	pool_ahead(&takers.who[1].user, 3);
	pool_ahead(&takers.who[2].user, 1);
	takers_run(MS(50));
	assert_int_equal(pool_free_count(takers.pool), 3);
	pool_leave(&takers.who[1].user);
	takers_want(0, 3);
	takers_run(MS(50));
	assert_int_equal(pool_free_count(takers.pool), 2);
}

/* A proxy that accepts one more and lets it wait: noticed, given up, and tried again after a minute. */
static void a_limit_that_queues(void **state)
{
	(void)state;
	takers_begin(6);
	takers.queueing = true;
	takers.accept_max = 3;
	takers_want(0, 3);
	takers_run(MS(50));
	assert_int_equal(takers.who[0].n, 3);
	takers_want(1, 1);
	takers_run(MS(2000));
	assert_int_equal(pool_limit(takers.pool), 6);	/* all are silent: it may be the network */
	murmur(0, true);
	takers_run(MS(50));
	assert_int_equal(pool_limit(takers.pool), 6);	/* and was, when this one began */
	for (unsigned i = 0; i < 12; i++) {
		murmur(0, false);
		takers_run(MS(50));
	}
	assert_int_equal(pool_limit(takers.pool), 3);
	assert_int_equal(pool_open_count(takers.pool), 3);
	assert_int_equal(takers.who[1].failed, 0);
	takers_run(60 * LOOP_SECOND);
	assert_int_equal(pool_open_count(takers.pool), 3);
	takers.started = 0;
	takers_want(1, takers.who[1].wants);	/* it is wanted still */
	assert_int_equal(takers.started, 1);
	takers_run(MS(10));
	murmur(0, false);
	takers_run(LOOP_SECOND);
	assert_int_equal(pool_limit(takers.pool), 3);
	takers_want(1, takers.who[1].wants);
	assert_int_equal(takers.started, 1);
	takers_run(61 * LOOP_SECOND);
	takers_want(1, takers.who[1].wants);
	assert_int_equal(takers.started, 1);	/* two minutes, now */
	takers_run(61 * LOOP_SECOND);
	takers.accept_max = 4;
	takers_want(1, takers.who[1].wants);
	takers_run(MS(50));
	assert_int_equal(takers.who[1].n, 1);
	assert_int_equal(pool_limit(takers.pool), 4);
}

/* The first packet of a connection was lost: another is begun beside it, or in its place, and nothing is learned. */
static void a_dial_that_is_slow(void **state)
{
	(void)state;
	takers_begin(6);
	takers_want(0, 3);
	takers_run(MS(50));
	takers.lost = 1;
	takers_want(1, 1);
	takers_run(MS(10));
	murmur(0, true);
	takers_run(MS(140));
	assert_int_equal(takers.who[1].n, 1);
	takers_run(MS(500));
	assert_int_equal(pool_limit(takers.pool), 6);
	takers_want(2, 1);
	takers_run(MS(50));
	takers.lost = 1;
	takers_want(2, 2);	/* the last that may be */
	takers_run(MS(10));
	murmur(0, false);
	takers_run(MS(450));
	assert_int_equal(takers.who[2].n, 1);
	takers_run(MS(150));
	assert_int_equal(takers.who[2].n, 2);
	assert_int_equal(pool_limit(takers.pool), 6);
}

/* Each of them lost its first packet: what was learned is forgotten when one comes about though none of the others has ended. */
static void a_limit_that_was_none(void **state)
{
	(void)state;
	takers_begin(6);
	takers_want(0, 3);
	takers_run(MS(50));
	takers.lost = 3;
	takers_want(1, 1);
	takers_run(MS(10));
	for (unsigned i = 0; i < 11; i++) {
		murmur(0, i == 0);
		takers_run(MS(50));
	}
	assert_int_equal(pool_limit(takers.pool), 3);
	assert_int_equal(pool_limit_learned(takers.pool), 3);
	takers_run(MS(460));
	assert_int_equal(pool_limit_learned(takers.pool), 0);
	assert_int_equal(pool_limit(takers.pool), 6);
	assert_int_equal(takers.who[1].n, 1);
}

/* The one that waited has the place of the one that ended: it is a limit. */
static void a_limit_that_queues_goes_on(void **state)
{
	(void)state;
	takers_begin(6);
	takers.queueing = true;
	takers.accept_max = 3;
	takers_want(0, 3);
	takers_run(MS(50));
	takers_want(1, 1);
	takers_run(MS(10));
	for (unsigned i = 0; i < 11; i++) {
		murmur(0, i == 0);
		takers_run(MS(50));
	}
	assert_int_equal(pool_limit(takers.pool), 3);
	takers.started = 0;
	peers[1].old = true;
	takers_answer(1);
	takers_run(MS(20));
	assert_int_equal(takers.who[1].n, 1);
	assert_int_equal(takers.started, 0);
	assert_int_equal(pool_limit(takers.pool), 3);
	assert_int_equal(pool_open_count(takers.pool), 3);
}

static void a_limit_from_before(void **state)
{
	(void)state;
	takers_begin(6);
	pool_set_limit(takers.pool, 9);
	assert_int_equal(pool_limit(takers.pool), 6);
	pool_set_limit(takers.pool, 1);
	assert_int_equal(pool_limit(takers.pool), 2);
	takers_want(0, 4);
	takers_run(59 * LOOP_SECOND);
	assert_int_equal(takers.who[0].n, 2);
	takers_run(2 * LOOP_SECOND);
	takers_want(0, takers.who[0].wants);
	takers_run(MS(50));
	assert_int_equal(takers.who[0].n, 3);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(shared_budget, takers_set_up, takers_tear_down),
		cmocka_unit_test_setup_teardown(a_claim, takers_set_up, takers_tear_down),
		cmocka_unit_test_setup_teardown(the_longest_wait_first, takers_set_up, takers_tear_down),
		cmocka_unit_test_setup_teardown(modesty, takers_set_up, takers_tear_down),
		cmocka_unit_test_setup_teardown(modesty_of_two, takers_set_up, takers_tear_down),
		cmocka_unit_test_setup_teardown(modesty_with_room, takers_set_up, takers_tear_down),
		cmocka_unit_test_setup_teardown(failures_are_for_those_who_wait, takers_set_up, takers_tear_down),
		cmocka_unit_test_setup_teardown(the_most_spare_counts, takers_set_up, takers_tear_down),
		cmocka_unit_test_setup_teardown(a_limit_that_queues, takers_set_up, takers_tear_down),
		cmocka_unit_test_setup_teardown(a_dial_that_is_slow, takers_set_up, takers_tear_down),
		cmocka_unit_test_setup_teardown(a_limit_that_was_none, takers_set_up, takers_tear_down),
		cmocka_unit_test_setup_teardown(a_limit_that_queues_goes_on, takers_set_up, takers_tear_down),
		cmocka_unit_test_setup_teardown(a_limit_from_before, takers_set_up, takers_tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
