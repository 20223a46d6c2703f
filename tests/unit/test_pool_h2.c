/* links: tunnel/pool*.c tunnel/http.c tunnel/h2*.c tunnel/cuts.c tunnel/h1.c tunnel/h1_again.c tunnel/course.c tunnel/h1_output.c tunnel/h1_client.c tunnel/h1_server.c tunnel/loop.c tunnel/log.c framing/http1.c framing/http1_head.c framing/http1_format.c framing/cursor.c framing/varint.c framing/error.c tests/lib/pooled.c tests/lib/stream_mem.c */
/* libs: -lev -lhttp_parser -lnghttp2 */
/* The pool over HTTP/2: who shares a connection and who does not, and when another one is opened. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "framing/error.h"
#include "tests/lib/pooled.h"
#include "tests/lib/stream_mem.h"

/* ---- sharing ---- */

static void one_connection_a_user(void **state)
{
	struct exchange *a = pooled_ask(0), *b = pooled_ask(0), *c = pooled_ask(1), *d = pooled_ask(0);

	(void)state;
	assert_true(a->http->multiplexed && pool_is_multiplexed(pooled.pool));
	assert_ptr_equal(a->http, b->http);
	assert_ptr_equal(a->http, d->http);
	assert_ptr_not_equal(a->http, c->http);
	assert_int_equal(pooled.connections, 2);
	assert_int_equal(pool_open_count(pooled.pool), 2);
	assert_int_equal(pool_free_count(pooled.pool), 0);
	assert_int_equal(pool_peak(pooled.pool), 2);
	assert_int_equal(pool_others(&pooled.user[0]), 1);
	assert_int_equal(pool_others(&pooled.user[2]), 2);
	assert_ptr_equal(pool_next(&pooled.user[0]), a->http);
	assert_null(pool_next(&pooled.user[2]));
}

/* It is free when the last one is over, in whatever way, and then anybody's. */
static void free_again(void **state)
{
	struct exchange *a = pooled_ask(0), *b = pooled_ask(0);
	const struct http *http = a->http;
	unsigned told;

	(void)state;
	told = pooled.available;
	pooled_answer(0, 0);
	pooled_run(5 * LOOP_MS);
	assert_int_equal(pooled.over, 1);
	assert_int_equal(pooled.error, 0);
	assert_true(pooled.available > told);
	assert_int_equal(pool_free_count(pooled.pool), 0);
	assert_null(pool_next(&pooled.user[1]));
	exchange_abort(b);
	pooled_run(5 * LOOP_MS);
	assert_int_equal(pool_free_count(pooled.pool), 1);
	assert_ptr_equal(pooled_ask(1)->http, http);
	assert_int_equal(pooled.connections, 1);
	assert_false(pool_is_single(pooled.pool));
}

/* Who asks for another protocol has a connection of HTTP/1.1 where HTTP/2 knows of none; the others keep theirs. */
static void another_protocol(void **state)
{
	struct http *http = pooled_ask(0)->http;
	struct exchange *x;

	(void)state;
	pooled.user[1].switches = pooled.user[2].switches = true;
	pooled_answer(0, 0);
	pooled_run(5 * LOOP_MS);
	x = pooled_ask(1);
	assert_ptr_equal(x->http, http);		/* this one does */
	exchange_abort(x);
	pooled_run(5 * LOOP_MS);
	http->no_switch = true;
	x = pooled_ask(1);
	assert_false(x->http->multiplexed);
	assert_int_equal(pooled.only_11, 1);
	assert_int_equal(pooled.connections, 2);
	assert_true(pool_is_multiplexed(pooled.pool));	/* as are those of others */
	assert_true(pooled_ask(0)->http->multiplexed);
	x = pooled_ask(2);
	assert_false(x->http->multiplexed);
	assert_int_equal(pooled.only_11, 2);
	assert_int_equal(pooled.connections, 3);
	pool_insist(pooled.pool);				/* nothing else is wanted */
	exchange_abort(x);
	pooled_run(5 * LOOP_MS);
	assert_true(pooled_ask(3)->http->multiplexed);
	assert_int_equal(pooled.only_11, 2);
}

static void many_wait_for_one(void **state)
{
	(void)state;
	pooled_ask(0);
	for (unsigned i = 0; i < 4; i++)
		assert_null(pool_exchange(&pooled.user[1], &pooled_events, &pooled.served[i]));
	pooled_run(20 * LOOP_MS);
	assert_int_equal(pool_open_count(pooled.pool), 2);
}

static void spread_over_several(void **state)
{
	struct exchange *a, *b;

	(void)state;
	pooled.user[0].spread = 2;
	a = pooled_ask(0);
	b = pooled_ask(0);		/* none is free: rather there than later */
	assert_ptr_equal(a->http, b->http);
	pool_ahead(&pooled.user[0], 1);
	pooled_run(20 * LOOP_MS);
	assert_int_equal(pooled.connections, 2);
	b = pooled_ask(0);
	assert_ptr_not_equal(a->http, b->http);
	assert_ptr_equal(pooled_ask(0)->http, b->http);	/* two there, too */
	pooled_answer(0, 0);
	pooled_answer(0, 1);
	pooled_run(5 * LOOP_MS);
}

static void as_many_as_fit(void **state)
{
	struct exchange *first = pooled_ask(0);

	(void)state;
	for (unsigned i = 1; i < 100; i++)
		assert_ptr_equal(pooled_ask(0)->http, first->http);
	assert_int_equal(pooled.connections, 1);
	assert_ptr_not_equal(pooled_ask(0)->http, first->http);
	assert_int_equal(pooled.connections, 2);
}

/* ---- renewal ---- */

static void apart(void **state)
{
	struct exchange *old = pooled_ask(0), *renewed;

	(void)state;
	pooled.user[0].apart = old->http;
	assert_null(pool_next(&pooled.user[0]));
	renewed = pooled_ask(0);
	assert_ptr_not_equal(renewed->http, old->http);
	pooled.user[0].apart = NULL;
}

static void worn_ones_take_no_more(void **state)
{
	struct exchange *old = pooled_ask(0), *renewed;

	(void)state;
	pooled.cuts.seen.age_us = 10 * LOOP_SECOND;
	pooled.cuts.learned_us = loop_now(pooled.loop);
	pooled_run(7 * LOOP_SECOND);
	assert_false(pool_is_worn(old));
	assert_ptr_equal(pooled_ask(0)->http, old->http);
	pooled_run(1500 * LOOP_MS);
	assert_true(pool_is_worn(old));
	renewed = pooled_ask(0);
	assert_ptr_not_equal(renewed->http, old->http);
	assert_ptr_equal(pooled_ask(0)->http, renewed->http);
	assert_false(pool_is_worn(renewed));
}

/* Rather a short life than none. */
static void worn_but_full(void **state)
{
	struct exchange *old;

	(void)state;
	pool_set_limit(pooled.pool, 2);
	old = pooled_ask(0);
	pooled_ask(1);
	pooled.cuts.seen.age_us = 10 * LOOP_SECOND;
	pooled.cuts.learned_us = loop_now(pooled.loop);
	pooled_run(9 * LOOP_SECOND);
	assert_true(pool_is_worn(old) && pool_is_full(pooled.pool));
	assert_ptr_equal(pooled_ask(0)->http, old->http);
	pooled.user[0].apart = old->http;
	assert_null(pool_next(&pooled.user[0]));
}

static void told_to_go(void **state)
{
	struct exchange *old = pooled_ask(0), *renewed;

	(void)state;
	http_drain(pooled.served[0].http);
	pooled_run(5 * LOOP_MS);
	renewed = pooled_ask(0);
	assert_ptr_not_equal(renewed->http, old->http);
	assert_false(pool_is_worn(old));	/* it is too young for that */
	pooled_run(5 * LOOP_SECOND);
	assert_true(pool_is_worn(old));
	assert_false(pool_is_worn(renewed));
	assert_int_equal(pooled.over, 0);	/* what is under way goes on */
	pooled_answer(0, 0);
	pooled_run(2 * LOOP_SECOND);
	assert_int_equal(pooled.over, 1);
	assert_int_equal(pooled.error, 0);
	assert_null(pooled.served[0].http);
	assert_int_equal(pool_open_count(pooled.pool), 1);
	assert_false(pool_is_single(pooled.pool));
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, pooled_set_up, pooled_tear_down)
	const struct CMUnitTest tests[] = {
		T(one_connection_a_user), T(free_again), T(another_protocol), T(many_wait_for_one), T(spread_over_several),
		T(as_many_as_fit), T(apart), T(worn_ones_take_no_more), T(worn_but_full), T(told_to_go),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
