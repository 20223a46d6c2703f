/* links: tunnel/pool*.c tunnel/http.c tunnel/h2*.c tunnel/cuts.c tunnel/h1.c tunnel/h1_again.c tunnel/course.c tunnel/h1_output.c tunnel/h1_client.c tunnel/h1_server.c tunnel/loop.c tunnel/log.c framing/http1.c framing/http1_head.c framing/http1_format.c framing/cursor.c framing/varint.c framing/error.c tests/lib/stream_mem.c tests/lib/peers.c */
/* libs: -lev -lhttp_parser -lnghttp2 */
/*
 * The pool with a dialler that takes 10 ms and succeeds or fails as told, against real h1
 * servers that answer when told.
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

#define LIMIT 6
#define MS(n) ((n) * LOOP_MS)

struct dial {
	struct dial *next;
	struct timer timer;
	void (*done)(void *pool_ctx, struct stream *, int error, const char *why);
	void *pool_ctx;
};

struct leg {
	struct exchange *x;
	int asked, closed, error;
};

static struct loop *loop;
static struct pool *pool;
static struct pool_user user;
static struct cuts cuts;
static struct dial *dials;
static int started, cancelled, dial_error;
static unsigned accept_max;
static int64_t started_at[256];
static struct leg legs[8];
static int want;		/* legs that ask again when available is called */
static int available, failed, failed_error;
static bool free_in_event, ask_on_closed, ask_once;

/* Answers everything that was asked so far. */
static void answer_all(void)
{
	for (unsigned i = 0; i < peers_made; i++)
		peers_answer(&peers[i]);
}

/* The dialler */

static void dial_unlink(struct dial *d)
{
	struct dial **at = &dials;

	while (*at != d)
		at = &(*at)->next;
	*at = d->next;
	loop_free_later(loop, d);
}

static void dial_fire(void *ctx)
{
	struct dial *d = ctx;

	dial_unlink(d);
	if (dial_error || peers_open >= accept_max) {
		d->done(d->pool_ctx, NULL, dial_error ? dial_error : ERROR_REFUSED, "because");
		return;
	}
	d->done(d->pool_ctx, peers_connect(loop), 0, NULL);
}

static struct dial *dial_start(void *ctx, enum dial_versions versions,
			       void (*done)(void *, struct stream *, int, const char *), void *pool_ctx)
{
	struct dial *d = calloc(1, sizeof *d);

	(void)versions;
	assert_ptr_equal(ctx, &dials);
	d->done = done;
	d->pool_ctx = pool_ctx;
	d->next = dials;
	dials = d;
	timer_init(&d->timer, loop, dial_fire, d);
	timer_in(&d->timer, MS(10));
	if (started < 256)
		started_at[started] = loop_now(loop);
	started++;
	return d;
}

static void dial_cancel(struct dial *d)
{
	cancelled++;
	timer_stop(&d->timer);
	dial_unlink(d);
}

static const struct pool_dialler dialler = { .start = dial_start, .cancel = dial_cancel, .ctx = &dials };

/* The legs */

static void ask(struct leg *leg);

static int ignore_body(void *ctx, const uint8_t *p, size_t n)
{
	(void)ctx, (void)p, (void)n;
	return 0;
}

static void ignore(void *ctx)
{
	(void)ctx;
}

static int leg_head(void *ctx, const struct http1_head *head)
{
	(void)ctx;
	assert_int_equal(head->status, 200);
	return 0;
}

static void leg_closed(void *ctx, int error)
{
	struct leg *leg = ctx;

	assert_non_null(leg->x);
	leg->x = NULL;
	leg->closed++;
	leg->error = error;
	if (ask_on_closed)
		ask(leg);
}

static const struct exchange_events leg_events = { leg_head, ignore_body, ignore, ignore, leg_closed };

static void ask(struct leg *leg)
{
	static const struct exchange_head head = { .method = "POST", .target = "/", .host = "h", .lines = "" };

	if (leg->x)
		return;
	leg->x = pool_exchange(&user, &leg_events, leg);
	if (!leg->x)
		return;
	leg->asked++;
	assert_int_equal(exchange_send(leg->x, &head, 0, true), 0);
}

static void on_available(void *ctx)
{
	assert_ptr_equal(ctx, legs);
	available++;
	if (free_in_event) {
		pool_free(pool);
		pool = NULL;
		return;
	}
	for (int i = 0; i < want; i++)
		if (!ask_once || !legs[i].asked)
			ask(&legs[i]);
}

static void on_failed(void *ctx, int error, const char *why)
{
	assert_ptr_equal(ctx, legs);
	assert_string_equal(why, "because");
	failed++;
	failed_error = error;
	if (free_in_event) {
		pool_free(pool);
		pool = NULL;
	}
}

static const struct pool_events pool_events = { on_available, on_failed };

static int set_up(void **state)
{
	(void)state;
	loop = loop_new_virtual(1000, 0);
	dials = NULL;
	peers_forget();
	memset(legs, 0, sizeof legs);
	started = cancelled = dial_error = want = available = failed = 0;
	free_in_event = ask_on_closed = ask_once = false;
	accept_max = 1000;
	memset(&cuts, 0, sizeof cuts);
	pool = pool_new(loop, &dialler, LIMIT, &cuts);
	pool_join(pool, &user, false, &pool_events, legs);
	log_setup(LOG_LEVEL_ERROR, false);
	return 0;
}

static void run_ms(int64_t ms)
{
	loop_advance(loop, loop_now(loop) + MS(ms));
}

static int tear_down(void **state)
{
	(void)state;
	ask_on_closed = false;
	pool_free(pool);
	run_ms(1);
	for (int i = 0; i < 8; i++)
		assert_null(legs[i].x);
	assert_null(dials);
	peers_close();
	assert_int_equal(peers_open, 0);
	loop_free(loop);
	return 0;
}

static void test_dial_and_reuse(void **state)
{
	(void)state;
	want = 1;
	ask(&legs[0]);
	ask(&legs[0]);
	assert_null(legs[0].x);
	assert_int_equal(started, 1);	/* asking twice is asking once */
	assert_int_equal(pool_open_count(pool), 1);
	assert_int_equal(pool_free_count(pool), 0);
	run_ms(10);
	assert_int_equal(available, 1);
	assert_int_equal(legs[0].asked, 1);
	for (int i = 1; i <= 5; i++) {
		run_ms(100);
		want = 0;
		answer_all();
		run_ms(1);
		assert_int_equal(legs[0].closed, i);
		assert_int_equal(legs[0].error, 0);
		assert_int_equal(available, 1 + i);
		assert_int_equal(pool_free_count(pool), 1);
		run_ms(3000);
		ask(&legs[0]);		/* at once */
		assert_int_equal(legs[0].asked, i + 1);
		assert_int_equal(pool_free_count(pool), 0);
	}
	assert_int_equal(started, 1);
}

static void test_as_many_as_askers(void **state)
{
	(void)state;
	want = 8;
	ask_once = true;
	for (int i = 0; i < 8; i++)
		ask(&legs[i]);
	assert_int_equal(started, 6);	/* the budget */
	assert_int_equal(pool_open_count(pool), 6);
	run_ms(10);
	for (int i = 0; i < 8; i++)
		assert_int_equal(legs[i].asked, i < 6);
	answer_all();
	run_ms(1);
	assert_int_equal(started, 6);
	assert_int_equal(legs[6].asked, 1);
	assert_int_equal(legs[7].asked, 1);
	assert_int_equal(pool_free_count(pool), 4);
	want = 0;
	answer_all();
	run_ms(1);
	assert_int_equal(pool_free_count(pool), 6);
}

static void test_idle_ones_are_closed(void **state)
{
	(void)state;
	want = 2;
	ask(&legs[0]);
	ask(&legs[1]);
	run_ms(10);
	want = 0;
	answer_all();
	run_ms(3999);
	assert_int_equal(pool_free_count(pool), 2);
	ask(&legs[0]);
	run_ms(2);
	assert_int_equal(pool_free_count(pool), 0);
	assert_int_equal(pool_open_count(pool), 1);
	assert_int_equal(peers_open, 1);
	answer_all();
	run_ms(4001);
	assert_int_equal(pool_open_count(pool), 0);
	assert_int_equal(peers_open, 0);
	assert_int_equal(started, 2);
	ask(&legs[0]);
	assert_int_equal(started, 3);
}

static void test_ahead(void **state)
{
	(void)state;
	pool_ahead(&user, 2);
	pool_ahead(&user, 2);
	assert_int_equal(started, 2);
	run_ms(10);
	assert_int_equal(pool_free_count(pool), 2);
	assert_int_equal(available, 2);
	ask(&legs[0]);
	assert_non_null(legs[0].x);
	assert_int_equal(started, 3);	/* refilled at once */
	run_ms(10);
	assert_int_equal(pool_free_count(pool), 2);
	for (int i = 1; i < 6; i++)
		ask(&legs[i]);
	run_ms(10);
	for (int i = 1; i < 6; i++)
		ask(&legs[i]);
	run_ms(10);
	assert_int_equal(started, 6);
	assert_int_equal(pool_open_count(pool), 6);
	/* A connection that breaks while in use is replaced; one that only grew old is not. */
	http_close(peers[0].h);
	run_ms(20);
	assert_int_equal(started, 7);
	assert_int_equal(pool_free_count(pool), 1);
	run_ms(5000);
	assert_int_equal(pool_free_count(pool), 0);
	assert_int_equal(started, 7);
	pool_ahead(&user, 0);
	answer_all();
	run_ms(5000);
	assert_int_equal(pool_open_count(pool), 0);
	assert_int_equal(started, 7);
}

static void test_connections_that_are_not_kept(void **state)
{
	(void)state;
	for (int i = 0; i < PEERS_MAX; i++)
		peers[i].old = true;
	want = 1;
	ask_on_closed = true;
	ask(&legs[0]);
	for (int i = 1; i <= 10; i++) {
		run_ms(11);
		assert_int_equal(legs[0].asked, i);
		answer_all();
		run_ms(0);
		assert_int_equal(legs[0].closed, i);
		assert_int_equal(started, i + 1);	/* begun when the old one was over */
	}
	assert_int_equal(peers_open, 0);
}

static void one(void)
{
	want = 1;
	ask(&legs[0]);
	run_ms(11);
	assert_non_null(legs[0].x);
	want = 0;
	answer_all();
}

/* One exchange, and the other end goes 1 ms after its answer, which said that it would stay. */
static void one_and_gone(unsigned peer)
{
	one();
	run_ms(1);
	if (peers[peer].h)
		http_close(peers[peer].h);
	run_ms(1);
}

/* Proxies that close behind each answer and do not say so: learned from two, then nothing is tried on what is as good as gone. */
static void test_connections_that_end_unsaid(void **state)
{
	(void)state;
	one_and_gone(0);
	one_and_gone(1);
	assert_int_equal(cuts.count, 0);
	one();
	run_ms(0);
	assert_int_equal(pool_free_count(pool), 0);	/* closed by ourselves */
	assert_int_equal(legs[0].error, 0);
	run_ms(1);
	assert_int_equal(peers_open, 0);
	/* After ten minutes it may be otherwise. */
	run_ms(601 * 1000);
	for (int i = 0; i < 2; i++) {
		one();
		run_ms(1);
		assert_int_equal(pool_free_count(pool), 1);
	}
	assert_int_equal(peers_made, 4);
	/* One was used twice: what ends now had other reasons. */
	for (int i = 0; i < 4; i++)
		one_and_gone(peers_made - 1);
	one();
	run_ms(1);
	assert_int_equal(pool_free_count(pool), 1);
}

static void test_failure(void **state)
{
	(void)state;
	dial_error = ERROR_CERTIFICATE;
	ask(&legs[0]);
	run_ms(10);
	assert_int_equal(failed, 1);
	assert_int_equal(failed_error, ERROR_CERTIFICATE);
	assert_int_equal(available, 0);
	run_ms(10000);
	assert_int_equal(started, 1);	/* nobody asked again */
	ask(&legs[0]);
	assert_int_equal(started, 2);
	run_ms(10);
	assert_int_equal(failed, 2);
	ask(&legs[0]);
	ask(&legs[1]);
	assert_int_equal(started, 2);	/* not before 50 ms are over */
	run_ms(49);
	assert_int_equal(started, 2);
	run_ms(1);
	assert_int_equal(started, 3);
	dial_error = 0;
	want = 2;
	run_ms(10);
	assert_int_equal(legs[0].asked, 1);
	assert_int_equal(started, 4);
	run_ms(10);
	assert_int_equal(legs[1].asked, 1);
	assert_int_equal(pool_limit(pool), LIMIT);
}

/* With several dials under way the last one decides. */
static void test_failure_of_several(void **state)
{
	(void)state;
	dial_error = ERROR_TIMEOUT;
	for (int i = 0; i < 3; i++)
		ask(&legs[i]);
	assert_int_equal(started, 3);
	run_ms(10);
	assert_int_equal(failed, 1);
	assert_int_equal(available, 0);
	for (int k = 0; k < 100; k++) {	/* an impatient owner */
		for (int i = 0; i < 3; i++)
			ask(&legs[i]);
		run_ms(10);
	}
	for (int i = 4; i < started; i++)
		assert_true(started_at[i] - started_at[i - 1] >= MS(50));
	assert_true(started > 10);
}

static void test_learned_limit(void **state)
{
	(void)state;
	accept_max = 3;
	want = 6;
	ask_once = true;
	for (int i = 0; i < 6; i++)
		ask(&legs[i]);
	run_ms(1000);
	assert_int_equal(pool_limit(pool), 3);
	assert_int_equal(pool_open_count(pool), 3);
	assert_int_equal(failed, 0);
	started = 0;
	answer_all();
	run_ms(1000);
	assert_int_equal(started, 0);
	assert_int_equal(legs[3].asked + legs[4].asked + legs[5].asked, 3);
	accept_max = 1000;
	pool_ahead(&user, 5);
	run_ms(1000);
	assert_int_equal(pool_open_count(pool), 3);
}

/* Only one: two is the least that is learned, and the asking goes on, ever slower. */
static void test_limit_is_never_one(void **state)
{
	(void)state;
	accept_max = 1;
	want = 3;
	for (int i = 0; i < 3; i++)
		ask(&legs[i]);
	run_ms(30000);
	assert_int_equal(pool_limit(pool), 2);
	assert_int_equal(failed, 0);
	assert_true(started < 40);
	assert_int_equal(legs[0].asked, 1);
	accept_max = 2;
	run_ms(2000);
	assert_int_equal(legs[1].asked + legs[2].asked, 1);
}

/* Other errors say nothing about the number of connections. */
static void test_other_failures_beside_standing(void **state)
{
	(void)state;
	want = 1;
	ask(&legs[0]);
	run_ms(10);
	dial_error = ERROR_RESOLVE;
	pool_ahead(&user, 1);
	run_ms(10);
	assert_int_equal(failed, 0);	/* nobody needed it */
	run_ms(100);
	ask(&legs[1]);
	run_ms(20);
	assert_int_equal(failed, 1);
	assert_int_equal(pool_limit(pool), LIMIT);
	assert_int_equal(pool_open_count(pool), 1);
}

static void test_freed_in_any_state(void **state)
{
	(void)state;
	want = 2;
	for (int i = 0; i < 2; i++)
		ask(&legs[i]);
	run_ms(10);
	answer_all();
	run_ms(1);
	ask(&legs[2]);	/* one used, one being dialled, others free */
	pool_ahead(&user, 3);
	ask_on_closed = true;	/* and who asks a pool that goes gets nothing */
	pool_free(pool);
	assert_true(cancelled > 0);
	for (int i = 0; i < 3; i++) {
		assert_null(legs[i].x);
		if (legs[i].asked)
			assert_int_equal(legs[i].error, ERROR_CLOSED);
	}
	pool = NULL;
	available = 0;
	ask_on_closed = false;
	run_ms(5000);
	assert_int_equal(available, 0);
	pool_free(NULL);
}

static void test_free_from_events(void **state)
{
	(void)state;
	free_in_event = true;
	ask(&legs[0]);
	ask(&legs[1]);
	run_ms(10);
	assert_int_equal(available, 1);
	assert_null(pool);
	tear_down(NULL);
	set_up(NULL);
	free_in_event = true;
	dial_error = ERROR_REFUSED;
	ask(&legs[0]);
	run_ms(10);
	assert_int_equal(failed, 1);
	assert_null(pool);
	tear_down(NULL);
	set_up(NULL);	/* from the idle event of a connection */
	want = 1;
	ask(&legs[0]);
	run_ms(10);
	free_in_event = true;
	answer_all();
	run_ms(10);
	assert_null(pool);
	assert_int_equal(legs[0].closed, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_dial_and_reuse, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_as_many_as_askers, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_idle_ones_are_closed, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_ahead, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_connections_that_are_not_kept, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_connections_that_end_unsaid, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_failure, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_failure_of_several, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_learned_limit, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_limit_is_never_one, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_other_failures_beside_standing, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_freed_in_any_state, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_free_from_events, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
