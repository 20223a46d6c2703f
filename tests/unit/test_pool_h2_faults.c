/* links: tunnel/pool*.c tunnel/http.c tunnel/h2*.c tunnel/cuts.c tunnel/h1.c tunnel/h1_again.c tunnel/course.c tunnel/h1_output.c tunnel/h1_client.c tunnel/h1_server.c tunnel/loop.c tunnel/log.c framing/http1.c framing/http1_head.c framing/http1_format.c framing/cursor.c framing/varint.c framing/error.c tests/lib/pooled.c tests/lib/stream_mem.c */
/* libs: -lev -lhttp_parser -lnghttp2 */
/* The pool where HTTP/2 does not work, or hardly: HTTP/1.1 in its place, and what nobody waits for. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "framing/error.h"
#include "tests/lib/pooled.h"
#include "tests/lib/stream_mem.h"

static void cut(unsigned connection)
{
	stream_mem_cut(http_stream(pooled.served[connection].http));
	pooled_run(5 * LOOP_MS);
}

static void two_without_an_answer(void **state)
{
	(void)state;
	pooled_ask(0);
	cut(0);
	assert_int_equal(pooled.error, ERROR_RESET);
	pooled_ask(0);
	assert_int_equal(pooled.only_11, 0);
	cut(1);
	assert_false(pooled_ask(0)->http->multiplexed);
	assert_int_equal(pooled.only_11, 1);
	assert_false(pool_is_multiplexed(pooled.pool));
	pooled_run(590 * LOOP_SECOND);
	assert_false(pooled_ask(1)->http->multiplexed);
	pooled_run(20 * LOOP_SECOND);
	assert_true(pooled_ask(2)->http->multiplexed);
}

static void an_answer_proves_it(void **state)
{
	(void)state;
	pooled_ask(0);
	cut(0);
	pooled_ask(0);
	pooled_answer(1, 0);
	pooled_run(5 * LOOP_MS);
	pooled_ask(0);
	cut(1);
	pooled_ask(0);
	cut(2);
	assert_true(pooled_ask(0)->http->multiplexed);
	assert_int_equal(pooled.only_11, 0);
}

/* SETTINGS and GOAWAY. */
static const uint8_t goaway[] = { 0, 0, 0, 4, 0, 0, 0, 0, 0, 0, 0, 8, 7, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0 };

/* GOAWAY as the first word, to all connections but one that answers: dials wait ever longer, then HTTP/1.1 is tried. */
static void another_one_answers(void **state)
{
	unsigned before;

	(void)state;
	pooled_ask(0);
	assert_true(pooled_ask(0)->http->multiplexed);
	pooled_answer(0, 0);
	pooled_run(5 * LOOP_MS);
	pooled.says = goaway;
	pooled.says_n = sizeof goaway;
	before = pooled.connections;
	for (unsigned i = 0; i < 5000 && !pooled.only_11; i++) {
		(void)pool_exchange(&pooled.user[1], &pooled_events, &pooled.user[1]);
		pooled_run(2 * LOOP_MS);
		if (i == 500)	/* a second */
			assert_in_range(pooled.connections - before, 3, 6);
	}
	assert_int_equal(pooled.connections - before, 8 + 1);
	assert_int_equal(pooled.only_11, 1);
	pooled.says = NULL;
	pooled_run(5 * LOOP_SECOND);
	assert_non_null(pooled_ask(1));
	assert_int_equal(pooled.served[0].n, 2);	/* which goes on */
}

/* To all of them: that is soon enough. */
static void sent_away(void **state)
{
	(void)state;
	pooled.says = goaway;
	pooled.says_n = sizeof goaway;
	for (unsigned i = 0; i < 500 && !pooled.only_11; i++) {
		(void)pool_exchange(&pooled.user[0], &pooled_events, &pooled.user[0]);
		pooled_run(2 * LOOP_MS);
	}
	assert_int_equal(pooled.connections, 3);
	assert_int_equal(pooled.only_11, 1);
}

static void asked_for(void **state)
{
	(void)state;
	pool_insist(pooled.pool);
	for (unsigned i = 0; i < 4; i++) {
		pooled_ask(0);
		cut(i);
	}
	assert_int_equal(pooled.only_11, 0);
}

/* SETTINGS: MAX_CONCURRENT_STREAMS, and as many exchanges as that. */
static const uint8_t none_at_all[] = { 0, 0, 6, 4, 0, 0, 0, 0, 0, 0, 3, 0, 0, 0, 0 }, one_at_a_time[] = { 0, 0, 6, 4, 0, 0, 0, 0, 0, 0, 3, 0, 0, 0, 1 };

/* User 0 has none yet. */
static void grab(unsigned i)
{
	static const struct exchange_head head = { .method = "POST", .target = "/", .host = "h", .lines = "" };
	struct exchange *x = pool_exchange(&pooled.user[i], &pooled_events, &pooled.user[i]);

	if (!x)
		return;
	pooled.grabs = NULL;
	assert_int_equal(exchange_send(x, &head, 0, true), 0);
}

/* A connection that takes no exchange does not hold a place, nor those who wait. */
static void it_takes_none(void **state)
{
	(void)state;
	pooled.says = none_at_all;
	pooled.says_n = sizeof none_at_all;
	pooled.grabs = grab;
	grab(0);
	pooled_run(15 * LOOP_MS);
	assert_int_equal(pooled.over, 1);
	assert_int_equal(pooled.error, ERROR_AGAIN);
	assert_int_equal(pool_open_count(pooled.pool), 0);
	pooled.grabs = grab;
	grab(0);
	pooled_run(15 * LOOP_MS);
	assert_int_equal(pooled.over, 2);
	pooled.says = NULL;
	assert_false(pooled_ask(0)->http->multiplexed);
	assert_int_equal(pooled.cuts.seen.age_us, 0);
}

/* Where one takes but one it is as with HTTP/1.1. */
static void it_takes_one(void **state)
{
	struct exchange *a;

	(void)state;
	pooled.says = one_at_a_time;
	pooled.says_n = sizeof one_at_a_time;
	a = pooled_ask(0);
	assert_false(pool_is_multiplexed(pooled.pool));
	assert_ptr_not_equal(pooled_ask(0)->http, a->http);
	assert_int_equal(pooled.connections, 2);
	assert_false(pool_is_multiplexed(pooled.pool));
	exchange_abort(a);
	pooled_run(5 * LOOP_MS);
	assert_int_equal(pooled.error, 0);
	pool_renew(pooled.pool);
	pooled.says = NULL;			/* it was busy, and is not any more */
	pooled_ask(1);
	assert_false(pool_is_multiplexed(pooled.pool));
	pooled_answer(2, 0);
	pooled_run(5 * LOOP_MS);
	assert_true(pool_is_multiplexed(pooled.pool));
}

/* Agreed to, and then nothing comes. */
static void silence(void **state)
{
	(void)state;
	pooled.says = none_at_all;
	pooled.says_n = 0;
	for (unsigned i = 0; i < 2; i++) {
		struct exchange *x = pooled_ask(0);

		assert_true(x->http->multiplexed);
		pooled_run(5 * LOOP_SECOND);
		exchange_abort(x);
		pooled_run(5 * LOOP_MS);
		assert_int_equal(pool_open_count(pooled.pool), 0);
	}
	assert_false(pooled_ask(0)->http->multiplexed);
	assert_int_equal(pooled.connections, 3);
}

/* Those who ask for another protocol, too, get one connection each of what is offered to all. */
static void another_protocol_meanwhile(void **state)
{
	struct exchange *x = pooled_ask(0);

	(void)state;
	pooled.user[1].switches = true;
	((struct http *)x->http)->no_switch = true;
	exchange_abort(x);
	pooled_run(5 * LOOP_MS);
	exchange_abort(pooled_ask(1));
	pooled_run(5 * LOOP_MS);
	pool_renew(pooled.pool);
	for (unsigned i = 2; i < 4; i++) {
		pooled_ask(0);
		cut(i);
	}
	assert_int_equal(pool_open_count(pooled.pool), 0);
	for (unsigned i = 0; i < 4; i++)
		assert_null(pool_exchange(&pooled.user[1], &pooled_events, &pooled.user[1]));
	assert_int_equal(pool_open_count(pooled.pool), 1);
}

static void another_network(void **state)
{
	(void)state;
	pooled_ask(0);
	cut(0);
	pooled_ask(0);
	cut(1);
	pool_forget(pooled.pool);
	assert_true(pooled_ask(0)->http->multiplexed);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, pooled_set_up, pooled_tear_down)
	const struct CMUnitTest tests[] = {
		T(two_without_an_answer), T(an_answer_proves_it), T(another_one_answers), T(sent_away), T(asked_for), T(it_takes_none), T(it_takes_one), T(silence),
		T(another_protocol_meanwhile), T(another_network),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
