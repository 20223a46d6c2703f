/* links: tunnel/pool*.c tunnel/http.c tunnel/h2*.c tunnel/cuts.c tunnel/h1.c tunnel/h1_again.c tunnel/course.c tunnel/h1_output.c tunnel/h1_client.c tunnel/h1_server.c tunnel/loop.c tunnel/log.c framing/http1.c framing/http1_head.c framing/http1_format.c framing/cursor.c framing/varint.c framing/error.c tests/lib/stream_mem.c tests/lib/peers.c tests/lib/takers.c */
/* libs: -lev -lhttp_parser -lnghttp2 */
/* Connections of a pool that are cut, wear out, or belong to a network that is gone; what of it is learned. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "framing/error.h"
#include "tests/lib/peers.h"
#include "tests/lib/stream_mem.h"
#include "tests/lib/takers.h"

static void cut_by_age(void **state)
{
	(void)state;
	takers_begin(2);
	takers_want(0, 1);
	takers_run(10 * LOOP_SECOND);
	course_disown(http_course(takers.who[0].taken[0]->http));
	stream_mem_cut(http_stream(peers[0].h));
	takers_run(MS(1));
	assert_int_equal(takers.who[0].closed, 1);
	assert_int_equal(takers.cuts.count, 1);
	assert_in_range(takers.cuts.seen.idle_us, 9 * LOOP_SECOND, 10 * LOOP_SECOND);	/* it was silent all that time */
	takers.cuts.seen.age_us = 10 * LOOP_SECOND;
	takers_want(0, 2);
	takers_run(MS(20));
	assert_false(pool_is_worn(takers.who[0].taken[1]));
	assert_in_range(pool_left_us(takers.who[0].taken[1]), 7900 * LOOP_MS, 8 * LOOP_SECOND);
	takers_run(8 * LOOP_SECOND);
	assert_true(pool_is_worn(takers.who[0].taken[1]));
	assert_int_equal(pool_left_us(takers.who[0].taken[1]), 0);
}

/* Ended in order past half of its life a connection is not used again. */
static void old_ones_are_not_used_again(void **state)
{
	(void)state;
	takers.cuts.seen.age_us = 10 * LOOP_SECOND;
	takers_begin(2);
	takers_want(0, 1);
	takers_run(4 * LOOP_SECOND);
	takers_answer(0);
	takers_run(MS(10));
	assert_int_equal(pool_open_count(takers.pool), 1);
	takers_want(0, 2);
	assert_int_equal(takers.who[0].n, 2);
	takers_run(2 * LOOP_SECOND);
	takers_answer(0);
	takers_run(MS(10));
	assert_int_equal(pool_open_count(takers.pool), 0);
	assert_int_equal(peers_open, 0);
	assert_true(takers.cuts.survived.age_us >= 6 * LOOP_SECOND);
}

static void six_hundred_exchanges(void **state)
{
	(void)state;
	takers_begin(2);
	for (unsigned i = 0; i < 601; i++) {
		takers.who[0].n = 0;
		takers_want(0, 1);
		takers_run(MS(20));
		assert_false(pool_is_worn(takers.who[0].taken[0]));
		for (unsigned k = 0; k < peers_made; k++)
			peers_answer(&peers[k]);
		takers_run(MS(1));
	}
	assert_int_equal(takers.started, 2);
}

static void an_answer_given_up(void **state)
{
	(void)state;
	takers_begin(2);
	takers_want(0, 1);
	takers_run(10 * LOOP_SECOND);
	pool_note_idle(takers.who[0].taken[0], 10 * LOOP_SECOND);
	assert_int_equal(takers.cuts.seen.idle_us, 10 * LOOP_SECOND);
	takers_answer(0);
	takers_run(MS(1));
	assert_in_range(takers.cuts.seen.idle_us, 10 * LOOP_SECOND, 10 * LOOP_SECOND + MS(100));
}

static void another_network(void **state)
{
	(void)state;
	takers.cuts.seen.age_us = 10 * LOOP_SECOND;
	takers_begin(6);
	pool_set_limit(takers.pool, 2);
	takers_want(0, 1);
	pool_ahead(&takers.who[0].user, 1);
	takers_run(MS(50));
	assert_int_equal(pool_peak(takers.pool), 2);
	pool_ahead(&takers.who[0].user, 0);
	pool_forget(takers.pool);
	assert_int_equal(pool_peak(takers.pool), 0);
	assert_int_equal(pool_limit(takers.pool), 6);
	assert_int_equal(takers.cuts.seen.age_us, 0);
	takers_run(MS(1));
	assert_int_equal(pool_open_count(takers.pool), 0);	/* what is still used takes no place */
	takers_run(5 * LOOP_SECOND);
	stream_mem_cut(http_stream(peers[0].h));
	takers_run(MS(1));
	assert_int_equal(takers.cuts.count, 0);	/* of the old network */
	assert_int_equal(pool_open_count(takers.pool), 0);
}

/* With two of two in use and dead, and one more being dialled, two others can be had at once. */
static void another_network_when_full(void **state)
{
	(void)state;
	takers_begin(3);
	takers_want(0, 2);
	takers_run(MS(50));
	assert_int_equal(takers.who[0].n, 2);
	pool_ahead(&takers.who[0].user, 1);
	takers_run(MS(5));
	assert_int_equal(takers.started, 3);
	pool_forget(takers.pool);		/* the dial is cancelled, and begun anew */
	assert_int_equal(takers.started, 4);
	pool_set_limit(takers.pool, 2);
	takers.dial_error = ERROR_REFUSED;
	takers_run(MS(20));
	assert_int_equal(pool_limit_learned(takers.pool), 2);	/* from before: those of the old network are no reason */
	takers.dial_error = 0;
	pool_ahead(&takers.who[0].user, 0);
	takers_want(1, 2);
	takers_run(MS(200));
	assert_int_equal(takers.who[1].n, 2);
	assert_int_equal(peers_made, 4);
	assert_int_equal(pool_peak(takers.pool), 2);
	assert_true(pool_is_full(takers.pool));
}

static void count_learned(void *ctx)
{
	++*(unsigned *)ctx;
}

static void cut_after(unsigned peer, int64_t us)
{
	takers_run(us);
	stream_mem_cut(http_stream(peers[peer].h));
	takers_run(MS(1));
	assert_int_equal(takers.cuts.count, 1);
	assert_true(takers.cuts.seen.idle_us > 0 || takers.cuts.seen.age_us > 0);
}

/* The server's restart has ended the session, soon or late. */
static void a_restart_teaches_nothing(void **state)
{
	unsigned learned = 0;

	(void)state;
	takers_begin(2);
	pool_on_learned(takers.pool, count_learned, &learned);
	takers_want(0, 1);
	cut_after(0, 10 * LOOP_SECOND);
	assert_int_equal(learned, 1);
	pool_excuse(takers.pool);
	assert_int_equal(takers.cuts.count, 0);
	assert_int_equal(takers.cuts.seen.idle_us, 0);
	assert_int_equal(learned, 2);	/* what was kept is wrong */
	pool_excuse(takers.pool);
	assert_int_equal(learned, 2);
	takers_want(0, 2);
	takers_run(MS(20));
	takers_run(10 * LOOP_SECOND);
	pool_note_idle(takers.who[0].taken[1], 9 * LOOP_SECOND);	/* a 502 of what stands in front of the server */
	assert_int_equal(takers.cuts.seen.idle_us, 9 * LOOP_SECOND);
	pool_excuse(takers.pool);
	assert_int_equal(takers.cuts.seen.idle_us, 0);
}

/* Nothing can be connected behind the cut: it was an outage, however long. */
static void an_outage_teaches_nothing(void **state)
{
	(void)state;
	takers_begin(2);
	takers_want(0, 1);
	takers_run(MS(20));
	takers.dial_error = ERROR_REFUSED;
	cut_after(0, 10 * LOOP_SECOND);
	for (unsigned i = 0; i < 10; i++) {
		takers_want(0, 2);
		takers_run(10 * LOOP_SECOND);
	}
	assert_int_equal(takers.cuts.count, 0);
	assert_int_equal(takers.cuts.seen.idle_us, 0);
	assert_int_equal(takers.cuts.seen.age_us, 0);
}

/* One more that is refused while another stands is no outage. */
static void a_cut_beside_others_counts(void **state)
{
	(void)state;
	takers_begin(2);
	takers_want(0, 2);
	takers_run(MS(20));
	takers.dial_error = ERROR_REFUSED;
	cut_after(0, 10 * LOOP_SECOND);
	takers_want(0, 3);
	takers_run(LOOP_SECOND);
	assert_int_equal(takers.cuts.count, 1);
}

static void learning_is_told(void **state)
{
	unsigned learned = 0;

	(void)state;
	takers_begin(6);
	pool_on_learned(takers.pool, count_learned, &learned);
	takers.accept_max = 2;
	takers_want(0, 2);
	takers_run(MS(50));
	assert_int_equal(learned, 0);
	assert_int_equal(pool_limit_learned(takers.pool), 0);	/* it is the configured one */
	takers_want(0, 3);
	takers_run(MS(50));
	assert_int_equal(learned, 1);
	assert_int_equal(pool_limit_learned(takers.pool), 2);
	takers_run(5 * LOOP_SECOND);
	stream_mem_cut(http_stream(peers[0].h));
	takers_run(MS(1));
	assert_int_equal(takers.cuts.count, 1);
	assert_int_equal(learned, 2);
	pool_note_idle(takers.who[0].taken[1], 4 * LOOP_SECOND);
	assert_int_equal(learned, 3);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(cut_by_age, takers_set_up, takers_tear_down),
		cmocka_unit_test_setup_teardown(old_ones_are_not_used_again, takers_set_up, takers_tear_down),
		cmocka_unit_test_setup_teardown(six_hundred_exchanges, takers_set_up, takers_tear_down),
		cmocka_unit_test_setup_teardown(an_answer_given_up, takers_set_up, takers_tear_down),
		cmocka_unit_test_setup_teardown(another_network, takers_set_up, takers_tear_down),
		cmocka_unit_test_setup_teardown(another_network_when_full, takers_set_up, takers_tear_down),
		cmocka_unit_test_setup_teardown(a_restart_teaches_nothing, takers_set_up, takers_tear_down),
		cmocka_unit_test_setup_teardown(an_outage_teaches_nothing, takers_set_up, takers_tear_down),
		cmocka_unit_test_setup_teardown(a_cut_beside_others_counts, takers_set_up, takers_tear_down),
		cmocka_unit_test_setup_teardown(learning_is_told, takers_set_up, takers_tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
