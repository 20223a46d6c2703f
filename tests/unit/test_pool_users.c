/* links: tunnel/pool.c tunnel/pool_dial.c tunnel/pool_cuts.c tunnel/cuts.c tunnel/h1.c tunnel/h1_course.c tunnel/h1_output.c tunnel/h1_client.c tunnel/h1_server.c tunnel/loop.c tunnel/log.c framing/http1.c framing/http1_head.c framing/http1_format.c framing/cursor.c framing/varint.c framing/error.c tests/lib/stream_mem.c tests/lib/peers.c */
/* libs: -lev -lhttp_parser */
/*
 * One pool for several users: who is served first, who is left out, who hears of failures; limits that make
 * dials wait; connections that are cut, wear out, or belong to a network that is gone.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "framing/error.h"
#include "tests/lib/peers.h"
#include "tests/lib/stream_mem.h"
#include "tunnel/log.h"
#include "tunnel/pool.h"

#define MS(n) ((n) * LOOP_MS)
#define USERS 4
#define TAKEN_MAX 8

struct dial {
	struct timer timer;
	void (*done)(void *pool_ctx, struct stream *, int error, const char *why);
	void *pool_ctx;
};

struct who {
	struct pool_user user;
	unsigned wants;		/* exchanges, one after the other */
	struct exchange *taken[TAKEN_MAX];
	unsigned n, told, failed, turn, closed;
};

static struct loop *loop;
static struct pool *pool;
static struct cuts cuts;
static unsigned accept_max, turns;
static int started, dial_error;
static bool queueing;
static struct who who[USERS];

static void answer(unsigned i)
{
	assert_non_null(peers[i].x);
	peers_answer(&peers[i]);
}

/* ---- dials: 10 ms each ---- */

static void dial_fire(void *ctx)
{
	struct dial *d = ctx;

	if (queueing && peers_open >= accept_max) {
		timer_in(&d->timer, MS(10));
		return;
	}
	loop_free_later(loop, d);
	if (dial_error || peers_open >= accept_max) {
		d->done(d->pool_ctx, NULL, dial_error ? dial_error : ERROR_REFUSED, "because");
		return;
	}
	d->done(d->pool_ctx, peers_connect(loop), 0, NULL);
}

static struct dial *dial_start(void *ctx, void (*done)(void *, struct stream *, int, const char *), void *pool_ctx)
{
	struct dial *d = calloc(1, sizeof *d);

	(void)ctx;
	d->done = done;
	d->pool_ctx = pool_ctx;
	timer_init(&d->timer, loop, dial_fire, d);
	timer_in(&d->timer, MS(10));
	started++;
	return d;
}

static void dial_cancel(struct dial *d)
{
	timer_stop(&d->timer);
	loop_free_later(loop, d);
}

static const struct pool_dialler dialler = { dial_start, dial_cancel, NULL };

/* ---- users ---- */

static void gone(void *ctx, int error)
{
	struct who *w = ctx;

	(void)error;
	w->closed++;
}

static int ignore_head(void *ctx, const struct http1_head *head)
{
	(void)ctx, (void)head;
	return 0;
}

static int ignore_body(void *ctx, const uint8_t *p, size_t n)
{
	(void)ctx, (void)p, (void)n;
	return 0;
}

static void ignore(void *ctx)
{
	(void)ctx;
}

static const struct exchange_events events = { ignore_head, ignore_body, ignore, ignore, gone };

static void ask(struct who *w)
{
	static const struct exchange_head head = { .method = "POST", .target = "/", .host = "h", .lines = "" };

	while (w->n < w->wants) {
		w->taken[w->n] = pool_exchange(&w->user, &events, w);
		if (!w->taken[w->n])
			return;
		exchange_send(w->taken[w->n++], &head, 0, true);
		w->turn = ++turns;
	}
}

static void on_available(void *ctx)
{
	struct who *w = ctx;

	w->told++;
	ask(w);
}

static void on_failed(void *ctx, int error, const char *why)
{
	struct who *w = ctx;

	assert_int_equal(error, dial_error);
	assert_string_equal(why, "because");
	w->failed++;
}

static const struct pool_events pool_events = { on_available, on_failed };

static void run(int64_t us)
{
	loop_advance(loop, loop_now(loop) + us);
}

static void want(unsigned i, unsigned n)
{
	who[i].wants = n;
	ask(&who[i]);
}

static void begin(unsigned limit)
{
	pool = pool_new(loop, &dialler, limit, &cuts);
	for (unsigned i = 0; i < USERS; i++)
		pool_join(pool, &who[i].user, i == USERS - 1, &pool_events, &who[i]);	/* the last one is modest */
}

static int set_up(void **state)
{
	(void)state;
	loop = loop_new_virtual(1000, 0);
	peers_forget();
	memset(who, 0, sizeof who);
	memset(&cuts, 0, sizeof cuts);
	turns = 0;
	started = dial_error = 0;
	queueing = false;
	accept_max = 1000;
	log_setup(LOG_LEVEL_ERROR, false);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 2; i++)
		pool_leave(&who[i].user);
	pool_free(pool);
	for (unsigned i = 0; i < USERS; i++) {
		assert_null(who[i].user.pool);
		assert_null(pool_exchange(&who[i].user, &events, NULL));
		pool_leave(&who[i].user);
	}
	run(MS(1));
	peers_close();
	run(MS(1));
	loop_free(loop);
	return 0;
}

static void shared_budget(void **state)
{
	(void)state;
	begin(4);
	want(0, 3);
	want(1, 1);
	want(2, 1);
	assert_int_equal(pool_others(&who[0].user), 2);	/* they wait */
	run(MS(50));
	assert_int_equal(who[0].n + who[1].n + who[2].n, 4);
	assert_int_equal(pool_open_count(pool), 4);
	assert_int_equal(pool_others(&who[0].user), 5 - who[0].n);
	assert_int_equal(pool_others(&who[3].user), 4 + 1);	/* one waits still */
}

static void the_longest_wait_first(void **state)
{
	(void)state;
	begin(2);
	want(0, 2);
	run(MS(50));
	assert_int_equal(who[0].n, 2);
	want(3, 1);
	want(2, 1);
	run(MS(5));
	want(1, 1);
	answer(0);
	run(MS(1));
	assert_int_equal(who[2].n, 1);
	assert_int_equal(who[1].n + who[3].n, 0);
	want(2, 2);	/* behind the other one now */
	answer(1);
	run(MS(1));
	assert_int_equal(who[1].n, 1);
	assert_int_equal(who[2].n, 1);
	answer(0);
	run(MS(1));
	assert_int_equal(who[2].n, 2);
	assert_int_equal(who[3].n, 0);
}

/* The last free connection is not for the modest. */
static void modesty(void **state)
{
	(void)state;
	begin(3);
	want(0, 2);
	run(MS(50));
	want(3, 1);
	run(MS(50));
	assert_int_equal(started, 3);
	assert_int_equal(who[3].n, 0);
	assert_int_equal(pool_free_count(pool), 1);
	assert_int_equal(who[3].n, 0);
	answer(0);
	run(MS(50));
	assert_int_equal(who[3].n, 1);	/* two were free */
	assert_int_equal(pool_free_count(pool), 1);
	want(1, 1);
	assert_int_equal(who[1].n, 1);
}

/* Where there are but two, the others keep to one: the second is theirs when nobody else waits. */
static void modesty_of_two(void **state)
{
	(void)state;
	begin(2);
	want(0, 2);
	run(MS(50));
	want(3, 1);
	want(1, 1);
	answer(0);
	run(MS(50));
	assert_int_equal(who[1].n, 1);	/* came later, but comes first */
	assert_int_equal(who[3].n, 0);
	answer(0);
	run(MS(50));
	assert_int_equal(who[3].n, 1);
	assert_int_equal(pool_open_count(pool), 2);
}

static void modesty_with_room(void **state)
{
	(void)state;
	begin(3);
	want(0, 1);
	run(MS(50));
	want(3, 1);
	run(MS(50));
	assert_int_equal(who[3].n, 1);
	assert_int_equal(pool_open_count(pool), 3);
}

static void failures_are_for_those_who_wait(void **state)
{
	(void)state;
	begin(4);
	dial_error = ERROR_RESOLVE;
	want(1, 1);
	run(MS(50));
	assert_int_equal(who[1].failed, 1);
	assert_int_equal(who[0].failed + who[2].failed + who[3].failed, 0);
	want(1, 1);
	want(3, 1);
	pool_leave(&who[1].user);
	run(MS(500));
	assert_int_equal(who[1].failed, 1);
	assert_int_equal(who[3].failed, 1);
}

static void the_most_spare_counts(void **state)
{
	(void)state;
	begin(6);
	pool_ahead(&who[0].user, 2);
	pool_ahead(&who[1].user, 3);
	pool_ahead(&who[2].user, 1);
	run(MS(50));
	assert_int_equal(pool_free_count(pool), 3);
	pool_leave(&who[1].user);
	want(0, 3);
	run(MS(50));
	assert_int_equal(pool_free_count(pool), 2);
}

/* A proxy that accepts one more and lets it wait: noticed, given up, and tried again after a minute. */
static void a_limit_that_queues(void **state)
{
	(void)state;
	begin(6);
	queueing = true;
	accept_max = 3;
	want(0, 3);
	run(MS(50));
	assert_int_equal(who[0].n, 3);
	want(1, 1);
	run(MS(500));
	assert_int_equal(pool_limit(pool), 6);
	run(MS(100));
	assert_int_equal(pool_limit(pool), 3);
	assert_int_equal(pool_open_count(pool), 3);
	assert_int_equal(who[1].failed, 0);
	run(60 * LOOP_SECOND);
	assert_int_equal(pool_open_count(pool), 3);
	started = 0;
	ask(&who[1]);	/* it is wanted still */
	assert_int_equal(started, 1);
	run(LOOP_SECOND);
	assert_int_equal(pool_limit(pool), 3);
	ask(&who[1]);
	assert_int_equal(started, 1);
	run(61 * LOOP_SECOND);
	ask(&who[1]);
	assert_int_equal(started, 1);	/* two minutes, now */
	run(61 * LOOP_SECOND);
	accept_max = 4;
	ask(&who[1]);
	run(MS(50));
	assert_int_equal(who[1].n, 1);
	assert_int_equal(pool_limit(pool), 4);
}

static void a_limit_from_before(void **state)
{
	(void)state;
	begin(6);
	pool_set_limit(pool, 9);
	assert_int_equal(pool_limit(pool), 6);
	pool_set_limit(pool, 1);
	assert_int_equal(pool_limit(pool), 2);
	want(0, 4);
	run(59 * LOOP_SECOND);
	assert_int_equal(who[0].n, 2);
	run(2 * LOOP_SECOND);
	ask(&who[0]);
	run(MS(50));
	assert_int_equal(who[0].n, 3);
}

/* ---- cuts ---- */

static void cut_by_age(void **state)
{
	(void)state;
	begin(2);
	want(0, 1);
	run(10 * LOOP_SECOND);
	h1_disown((struct h1 *)who[0].taken[0]);
	stream_mem_cut(h1_stream(peers[0].h));
	run(MS(1));
	assert_int_equal(who[0].closed, 1);
	assert_int_equal(cuts.count, 1);
	assert_in_range(cuts.seen.idle_us, 9 * LOOP_SECOND, 10 * LOOP_SECOND);	/* it was silent all that time */
	cuts.seen.age_us = 10 * LOOP_SECOND;
	want(0, 2);
	run(MS(20));
	assert_false(pool_is_worn(who[0].taken[1]));
	assert_in_range(pool_left_us(who[0].taken[1]), 7900 * LOOP_MS, 8 * LOOP_SECOND);
	run(8 * LOOP_SECOND);
	assert_true(pool_is_worn(who[0].taken[1]));
	assert_int_equal(pool_left_us(who[0].taken[1]), 0);
}

/* Ended in order past half of its life a connection is not used again. */
static void old_ones_are_not_used_again(void **state)
{
	(void)state;
	cuts.seen.age_us = 10 * LOOP_SECOND;
	begin(2);
	want(0, 1);
	run(4 * LOOP_SECOND);
	answer(0);
	run(MS(10));
	assert_int_equal(pool_open_count(pool), 1);
	want(0, 2);
	assert_int_equal(who[0].n, 2);
	run(2 * LOOP_SECOND);
	answer(0);
	run(MS(10));
	assert_int_equal(pool_open_count(pool), 0);
	assert_int_equal(peers_open, 0);
	assert_true(cuts.survived.age_us >= 6 * LOOP_SECOND);
}

static void six_hundred_exchanges(void **state)
{
	(void)state;
	begin(2);
	for (unsigned i = 0; i < 601; i++) {
		who[0].n = 0;
		want(0, 1);
		run(MS(20));
		assert_false(pool_is_worn(who[0].taken[0]));
		for (unsigned k = 0; k < peers_made; k++)
			peers_answer(&peers[k]);
		run(MS(1));
	}
	assert_int_equal(started, 2);
}

static void an_answer_given_up(void **state)
{
	(void)state;
	begin(2);
	want(0, 1);
	run(10 * LOOP_SECOND);
	pool_note_idle(who[0].taken[0], 10 * LOOP_SECOND);
	assert_int_equal(cuts.seen.idle_us, 10 * LOOP_SECOND);
	answer(0);
	run(MS(1));
	assert_in_range(cuts.seen.idle_us, 10 * LOOP_SECOND, 10 * LOOP_SECOND + MS(100));
}

static void another_network(void **state)
{
	(void)state;
	cuts.seen.age_us = 10 * LOOP_SECOND;
	begin(6);
	pool_set_limit(pool, 2);
	want(0, 1);
	pool_ahead(&who[0].user, 1);
	run(MS(50));
	assert_int_equal(pool_peak(pool), 2);
	pool_ahead(&who[0].user, 0);
	pool_forget(pool);
	assert_int_equal(pool_peak(pool), 0);
	assert_int_equal(pool_limit(pool), 6);
	assert_int_equal(cuts.seen.age_us, 0);
	run(MS(1));
	assert_int_equal(pool_open_count(pool), 0);	/* what is still used takes no place */
	run(5 * LOOP_SECOND);
	stream_mem_cut(h1_stream(peers[0].h));
	run(MS(1));
	assert_int_equal(cuts.count, 0);	/* of the old network */
	assert_int_equal(pool_open_count(pool), 0);
}

/* With two of two in use and dead, and one more being dialled, two others can be had at once. */
static void another_network_when_full(void **state)
{
	(void)state;
	begin(3);
	want(0, 2);
	run(MS(50));
	assert_int_equal(who[0].n, 2);
	pool_ahead(&who[0].user, 1);
	run(MS(5));
	assert_int_equal(started, 3);
	pool_forget(pool);		/* the dial is cancelled, and begun anew */
	assert_int_equal(started, 4);
	pool_set_limit(pool, 2);
	dial_error = ERROR_REFUSED;
	run(MS(20));
	assert_int_equal(pool_limit_learned(pool), 2);	/* from before: those of the old network are no reason */
	dial_error = 0;
	pool_ahead(&who[0].user, 0);
	want(1, 2);
	run(MS(200));
	assert_int_equal(who[1].n, 2);
	assert_int_equal(peers_made, 4);
	assert_int_equal(pool_peak(pool), 2);
	assert_true(pool_is_full(pool));
}

static void count_learned(void *ctx)
{
	++*(unsigned *)ctx;
}

static void cut_after(unsigned peer, int64_t us)
{
	run(us);
	stream_mem_cut(h1_stream(peers[peer].h));
	run(MS(1));
	assert_int_equal(cuts.count, 1);
	assert_true(cuts.seen.idle_us > 0 || cuts.seen.age_us > 0);
}

/* The server's restart has ended the session, soon or late. */
static void a_restart_teaches_nothing(void **state)
{
	unsigned learned = 0;

	(void)state;
	begin(2);
	pool_on_learned(pool, count_learned, &learned);
	want(0, 1);
	cut_after(0, 10 * LOOP_SECOND);
	assert_int_equal(learned, 1);
	pool_excuse(pool);
	assert_int_equal(cuts.count, 0);
	assert_int_equal(cuts.seen.idle_us, 0);
	assert_int_equal(learned, 2);	/* what was kept is wrong */
	pool_excuse(pool);
	assert_int_equal(learned, 2);
	want(0, 2);
	run(MS(20));
	run(10 * LOOP_SECOND);
	pool_note_idle(who[0].taken[1], 9 * LOOP_SECOND);	/* a 502 of what stands in front of the server */
	assert_int_equal(cuts.seen.idle_us, 9 * LOOP_SECOND);
	pool_excuse(pool);
	assert_int_equal(cuts.seen.idle_us, 0);
}

/* Nothing can be connected behind the cut: it was an outage, however long. */
static void an_outage_teaches_nothing(void **state)
{
	(void)state;
	begin(2);
	want(0, 1);
	run(MS(20));
	dial_error = ERROR_REFUSED;
	cut_after(0, 10 * LOOP_SECOND);
	for (unsigned i = 0; i < 10; i++) {
		want(0, 2);
		run(10 * LOOP_SECOND);
	}
	assert_int_equal(cuts.count, 0);
	assert_int_equal(cuts.seen.idle_us, 0);
	assert_int_equal(cuts.seen.age_us, 0);
}

/* One more that is refused while another stands is no outage. */
static void a_cut_beside_others_counts(void **state)
{
	(void)state;
	begin(2);
	want(0, 2);
	run(MS(20));
	dial_error = ERROR_REFUSED;
	cut_after(0, 10 * LOOP_SECOND);
	want(0, 3);
	run(LOOP_SECOND);
	assert_int_equal(cuts.count, 1);
}

static void learning_is_told(void **state)
{
	unsigned learned = 0;

	(void)state;
	begin(6);
	pool_on_learned(pool, count_learned, &learned);
	accept_max = 2;
	want(0, 2);
	run(MS(50));
	assert_int_equal(learned, 0);
	assert_int_equal(pool_limit_learned(pool), 0);	/* it is the configured one */
	want(0, 3);
	run(MS(50));
	assert_int_equal(learned, 1);
	assert_int_equal(pool_limit_learned(pool), 2);
	run(5 * LOOP_SECOND);
	stream_mem_cut(h1_stream(peers[0].h));
	run(MS(1));
	assert_int_equal(cuts.count, 1);
	assert_int_equal(learned, 2);
	pool_note_idle(who[0].taken[1], 4 * LOOP_SECOND);
	assert_int_equal(learned, 3);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(shared_budget, set_up, tear_down),
		cmocka_unit_test_setup_teardown(the_longest_wait_first, set_up, tear_down),
		cmocka_unit_test_setup_teardown(modesty, set_up, tear_down),
		cmocka_unit_test_setup_teardown(modesty_of_two, set_up, tear_down),
		cmocka_unit_test_setup_teardown(modesty_with_room, set_up, tear_down),
		cmocka_unit_test_setup_teardown(failures_are_for_those_who_wait, set_up, tear_down),
		cmocka_unit_test_setup_teardown(the_most_spare_counts, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_limit_that_queues, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_limit_from_before, set_up, tear_down),
		cmocka_unit_test_setup_teardown(cut_by_age, set_up, tear_down),
		cmocka_unit_test_setup_teardown(old_ones_are_not_used_again, set_up, tear_down),
		cmocka_unit_test_setup_teardown(six_hundred_exchanges, set_up, tear_down),
		cmocka_unit_test_setup_teardown(an_answer_given_up, set_up, tear_down),
		cmocka_unit_test_setup_teardown(another_network, set_up, tear_down),
		cmocka_unit_test_setup_teardown(another_network_when_full, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_restart_teaches_nothing, set_up, tear_down),
		cmocka_unit_test_setup_teardown(an_outage_teaches_nothing, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_cut_beside_others_counts, set_up, tear_down),
		cmocka_unit_test_setup_teardown(learning_is_told, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
