/* links: tunnel/pool*.c tunnel/http.c tunnel/h2*.c tunnel/cuts.c tunnel/h1.c tunnel/h1_again.c tunnel/course.c tunnel/h1_output.c tunnel/h1_client.c tunnel/h1_server.c tunnel/loop.c tunnel/log.c framing/http1.c framing/http1_head.c framing/http1_format.c framing/cursor.c framing/varint.c framing/error.c tests/lib/stream_mem.c */
/* libs: -lev -lhttp_parser -lnghttp2 */
/* The pool over HTTP/2: who shares a connection and who does not, when another one is opened, and where HTTP/2 does not work. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "framing/error.h"
#include "tests/lib/stream_mem.h"
#include "tunnel/http.h"
#include "tunnel/list.h"
#include "tunnel/log.h"
#include "tunnel/pool.h"

#define USERS 4
#define SERVED_MAX 32
#define ASKED_MAX 128

/* A server's connection: it answers nothing by itself. */
struct served {
	struct http *http;	/* NULL: closed */
	struct stream *mute;	/* in its place */
	struct exchange *x[ASKED_MAX];
	unsigned n;
};

static struct {
	struct loop *loop;
	struct pool *pool;
	struct cuts cuts;
	struct served served[SERVED_MAX];
	unsigned connections, only_11; /* dials, and those that were to be HTTP/1.1 */
	struct pool_user user[USERS];
	unsigned available, over;
	const uint8_t *says;	/* instead of serving anything; NULL: it serves */
	size_t says_n;
	void (*grabs)(unsigned i); /* called when something is available */
	int error;		/* of the last exchange that was over */
} t;

struct dial {
	struct timer timer;
	enum dial_versions versions;
	void (*done)(void *, struct stream *, int, const char *);
	void *ctx;
};

/* ---- the server ---- */

static int take(void *ctx, const uint8_t *p, size_t n)
{
	(void)ctx, (void)p, (void)n;
	return 0;
}

static void nothing(void *ctx)
{
	(void)ctx;
}

static void over(void *ctx, int error)
{
	(void)ctx, (void)error;
}

static const struct exchange_events served_events = { NULL, take, nothing, nothing, over };

static void on_request(void *ctx, struct exchange *x, const struct http1_head *head)
{
	struct served *s = ctx;

	(void)head;
	x->events = &served_events;
	x->ctx = s;
	assert_true(s->n < ASKED_MAX);
	s->x[s->n++] = x;
}

static void served_closed(void *ctx, int error)
{
	struct served *s = ctx;

	(void)error;
	s->http = NULL;
}

static const struct http_events http_events = { .request = on_request, .closed = served_closed };

static void answer(unsigned connection, unsigned i)
{
	static const struct exchange_head head = { .status = 200, .lines = "" };

	assert_int_equal(exchange_send(t.served[connection].x[i], &head, 0, true), 0);
}

static void mute_failed(void *ctx, int error)
{
	(void)ctx, (void)error;
}

static const struct stream_events mute_events = { nothing, nothing, nothing, mute_failed };

/* ---- dials: 10 ms each ---- */

static void dial_fire(void *ctx)
{
	struct dial *d = ctx;
	struct stream_mem_options o = stream_mem_plain;
	struct served *s = &t.served[t.connections++];
	struct stream *near, *far;

	assert_true(t.connections <= SERVED_MAX);
	t.only_11 += d->versions == DIAL_11;
	o.delay_us = LOOP_MS;
	o.alpn = d->versions == DIAL_ANY ? HTTP_ALPN_2 : HTTP_ALPN_11;
	stream_mem_pair(t.loop, &near, &far, &o);
	if (t.says) {
		s->mute = far;
		stream_attach(far, &mute_events, s);
		if (t.says_n)
			assert_int_equal(stream_write(far, t.says, t.says_n), t.says_n);
	} else {
		s->http = http_server(t.loop, far, &http_limits_default, &http_events, s);
	}
	loop_free_later(t.loop, d);
	d->done(d->ctx, near, 0, NULL);
}

static struct dial *dial_start(void *ctx, enum dial_versions versions, void (*done)(void *, struct stream *, int, const char *), void *done_ctx)
{
	struct dial *d = calloc(1, sizeof *d);

	(void)ctx;
	d->versions = versions;
	d->done = done;
	d->ctx = done_ctx;
	timer_init(&d->timer, t.loop, dial_fire, d);
	timer_in(&d->timer, 10 * LOOP_MS);
	return d;
}

static void dial_cancel(struct dial *d)
{
	timer_stop(&d->timer);
	loop_free_later(t.loop, d);
}

static const struct pool_dialler dialler = { dial_start, dial_cancel, NULL };

/* ---- users ---- */

static int on_head(void *ctx, const struct http1_head *head)
{
	(void)ctx, (void)head;
	return 0;
}

static void on_over(void *ctx, int error)
{
	(void)ctx;
	t.over++;
	t.error = error;
}

static const struct exchange_events events = { on_head, take, nothing, nothing, on_over };

static void on_available(void *ctx)
{
	(void)ctx;
	t.available++;
	if (t.grabs)
		t.grabs(0);
}

static void on_failed(void *ctx, int error, const char *why)
{
	(void)ctx, (void)error, (void)why;
	fail();
}

static const struct pool_events pool_events = { on_available, on_failed };

static void run(int64_t us)
{
	loop_advance(t.loop, loop_now(t.loop) + us);
}

/* An exchange of user i that is sent; waits for a connection if there has to be another. */
static struct exchange *ask(unsigned i)
{
	static const struct exchange_head head = { .method = "POST", .target = "/", .host = "h", .lines = "" };
	struct exchange *x = pool_exchange(&t.user[i], &events, &t.user[i]);

	if (!x) {
		run(20 * LOOP_MS);
		x = pool_exchange(&t.user[i], &events, &t.user[i]);
	}
	assert_non_null(x);
	assert_int_equal(exchange_send(x, &head, 0, true), 0);
	run(5 * LOOP_MS);
	return x;
}

static int set_up(void **state)
{
	(void)state;
	memset(&t, 0, sizeof t);
	log_setup(LOG_LEVEL_ERROR, false);
	t.loop = loop_new_virtual(1000, 1700000000);
	t.pool = pool_new(t.loop, &dialler, 6, &t.cuts);
	for (unsigned i = 0; i < USERS; i++)
		pool_join(t.pool, &t.user[i], false, &pool_events, NULL);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	pool_free(t.pool);
	for (unsigned i = 0; i < t.connections; i++) {
		if (t.served[i].http)
			http_close(t.served[i].http);
		if (t.served[i].mute)
			stream_close(t.served[i].mute);
	}
	run(LOOP_SECOND);
	loop_free(t.loop);
	return 0;
}

/* ---- sharing ---- */

static void one_connection_a_user(void **state)
{
	struct exchange *a = ask(0), *b = ask(0), *c = ask(1), *d = ask(0);

	(void)state;
	assert_true(a->http->multiplexed && pool_is_multiplexed(t.pool));
	assert_ptr_equal(a->http, b->http);
	assert_ptr_equal(a->http, d->http);
	assert_ptr_not_equal(a->http, c->http);
	assert_int_equal(t.connections, 2);
	assert_int_equal(pool_open_count(t.pool), 2);
	assert_int_equal(pool_free_count(t.pool), 0);
	assert_int_equal(pool_peak(t.pool), 2);
	assert_int_equal(pool_others(&t.user[0]), 1);
	assert_int_equal(pool_others(&t.user[2]), 2);
	assert_ptr_equal(pool_next(&t.user[0]), a->http);
	assert_null(pool_next(&t.user[2]));
}

/* It is free when the last one is over, in whatever way, and then anybody's. */
static void free_again(void **state)
{
	struct exchange *a = ask(0), *b = ask(0);
	const struct http *http = a->http;
	unsigned told;

	(void)state;
	told = t.available;
	answer(0, 0);
	run(5 * LOOP_MS);
	assert_int_equal(t.over, 1);
	assert_int_equal(t.error, 0);
	assert_true(t.available > told);
	assert_int_equal(pool_free_count(t.pool), 0);
	assert_null(pool_next(&t.user[1]));
	exchange_abort(b);
	run(5 * LOOP_MS);
	assert_int_equal(pool_free_count(t.pool), 1);
	assert_ptr_equal(ask(1)->http, http);
	assert_int_equal(t.connections, 1);
	assert_false(pool_is_single(t.pool));
}

/* Who asks for another protocol has a connection of HTTP/1.1 where HTTP/2 knows of none; the others keep theirs. */
static void another_protocol(void **state)
{
	struct http *http = ask(0)->http;
	struct exchange *x;

	(void)state;
	t.user[1].switches = t.user[2].switches = true;
	answer(0, 0);
	run(5 * LOOP_MS);
	x = ask(1);
	assert_ptr_equal(x->http, http);		/* this one does */
	exchange_abort(x);
	run(5 * LOOP_MS);
	http->no_switch = true;
	x = ask(1);
	assert_false(x->http->multiplexed);
	assert_int_equal(t.only_11, 1);
	assert_int_equal(t.connections, 2);
	assert_true(pool_is_multiplexed(t.pool));	/* as are those of others */
	assert_true(ask(0)->http->multiplexed);
	x = ask(2);
	assert_false(x->http->multiplexed);
	assert_int_equal(t.only_11, 2);
	assert_int_equal(t.connections, 3);
	pool_insist(t.pool);				/* nothing else is wanted */
	exchange_abort(x);
	run(5 * LOOP_MS);
	assert_true(ask(3)->http->multiplexed);
	assert_int_equal(t.only_11, 2);
}

static void many_wait_for_one(void **state)
{
	(void)state;
	ask(0);
	for (unsigned i = 0; i < 4; i++)
		assert_null(pool_exchange(&t.user[1], &events, &t.served[i]));
	run(20 * LOOP_MS);
	assert_int_equal(pool_open_count(t.pool), 2);
}

static void spread_over_several(void **state)
{
	struct exchange *a, *b;

	(void)state;
	t.user[0].spread = 2;
	a = ask(0);
	b = ask(0);		/* none is free: rather there than later */
	assert_ptr_equal(a->http, b->http);
	pool_ahead(&t.user[0], 1);
	run(20 * LOOP_MS);
	assert_int_equal(t.connections, 2);
	b = ask(0);
	assert_ptr_not_equal(a->http, b->http);
	assert_ptr_equal(ask(0)->http, b->http);	/* two there, too */
	answer(0, 0);
	answer(0, 1);
	run(5 * LOOP_MS);
}

static void as_many_as_fit(void **state)
{
	struct exchange *first = ask(0);

	(void)state;
	for (unsigned i = 1; i < 100; i++)
		assert_ptr_equal(ask(0)->http, first->http);
	assert_int_equal(t.connections, 1);
	assert_ptr_not_equal(ask(0)->http, first->http);
	assert_int_equal(t.connections, 2);
}

/* ---- renewal ---- */

static void apart(void **state)
{
	struct exchange *old = ask(0), *renewed;

	(void)state;
	t.user[0].apart = old->http;
	assert_null(pool_next(&t.user[0]));
	renewed = ask(0);
	assert_ptr_not_equal(renewed->http, old->http);
	t.user[0].apart = NULL;
}

static void worn_ones_take_no_more(void **state)
{
	struct exchange *old = ask(0), *renewed;

	(void)state;
	t.cuts.seen.age_us = 10 * LOOP_SECOND;
	t.cuts.learned_us = loop_now(t.loop);
	run(7 * LOOP_SECOND);
	assert_false(pool_is_worn(old));
	assert_ptr_equal(ask(0)->http, old->http);
	run(1500 * LOOP_MS);
	assert_true(pool_is_worn(old));
	renewed = ask(0);
	assert_ptr_not_equal(renewed->http, old->http);
	assert_ptr_equal(ask(0)->http, renewed->http);
	assert_false(pool_is_worn(renewed));
}

/* Rather a short life than none. */
static void worn_but_full(void **state)
{
	struct exchange *old;

	(void)state;
	pool_set_limit(t.pool, 2);
	old = ask(0);
	ask(1);
	t.cuts.seen.age_us = 10 * LOOP_SECOND;
	t.cuts.learned_us = loop_now(t.loop);
	run(9 * LOOP_SECOND);
	assert_true(pool_is_worn(old) && pool_is_full(t.pool));
	assert_ptr_equal(ask(0)->http, old->http);
	t.user[0].apart = old->http;
	assert_null(pool_next(&t.user[0]));
}

static void told_to_go(void **state)
{
	struct exchange *old = ask(0), *renewed;

	(void)state;
	http_drain(t.served[0].http);
	run(5 * LOOP_MS);
	renewed = ask(0);
	assert_ptr_not_equal(renewed->http, old->http);
	assert_false(pool_is_worn(old));	/* it is too young for that */
	run(5 * LOOP_SECOND);
	assert_true(pool_is_worn(old));
	assert_false(pool_is_worn(renewed));
	assert_int_equal(t.over, 0);	/* what is under way goes on */
	answer(0, 0);
	run(2 * LOOP_SECOND);
	assert_int_equal(t.over, 1);
	assert_int_equal(t.error, 0);
	assert_null(t.served[0].http);
	assert_int_equal(pool_open_count(t.pool), 1);
	assert_false(pool_is_single(t.pool));
}

/* ---- where it does not work ---- */

static void cut(unsigned connection)
{
	stream_mem_cut(http_stream(t.served[connection].http));
	run(5 * LOOP_MS);
}

static void two_without_an_answer(void **state)
{
	(void)state;
	ask(0);
	cut(0);
	assert_int_equal(t.error, ERROR_RESET);
	ask(0);
	assert_int_equal(t.only_11, 0);
	cut(1);
	assert_false(ask(0)->http->multiplexed);
	assert_int_equal(t.only_11, 1);
	assert_false(pool_is_multiplexed(t.pool));
	run(590 * LOOP_SECOND);
	assert_false(ask(1)->http->multiplexed);
	run(20 * LOOP_SECOND);
	assert_true(ask(2)->http->multiplexed);
}

static void an_answer_proves_it(void **state)
{
	(void)state;
	ask(0);
	cut(0);
	ask(0);
	answer(1, 0);
	run(5 * LOOP_MS);
	ask(0);
	cut(1);
	ask(0);
	cut(2);
	assert_true(ask(0)->http->multiplexed);
	assert_int_equal(t.only_11, 0);
}

static void asked_for(void **state)
{
	(void)state;
	pool_insist(t.pool);
	for (unsigned i = 0; i < 4; i++) {
		ask(0);
		cut(i);
	}
	assert_int_equal(t.only_11, 0);
}

/* SETTINGS: MAX_CONCURRENT_STREAMS, and as many exchanges as that. */
static const uint8_t none_at_all[] = { 0, 0, 6, 4, 0, 0, 0, 0, 0, 0, 3, 0, 0, 0, 0 }, one_at_a_time[] = { 0, 0, 6, 4, 0, 0, 0, 0, 0, 0, 3, 0, 0, 0, 1 };

/* User 0 has none yet. */
static void grab(unsigned i)
{
	static const struct exchange_head head = { .method = "POST", .target = "/", .host = "h", .lines = "" };
	struct exchange *x = pool_exchange(&t.user[i], &events, &t.user[i]);

	if (!x)
		return;
	t.grabs = NULL;
	assert_int_equal(exchange_send(x, &head, 0, true), 0);
}

/* A connection that takes no exchange does not hold a place, nor those who wait. */
static void it_takes_none(void **state)
{
	(void)state;
	t.says = none_at_all;
	t.says_n = sizeof none_at_all;
	t.grabs = grab;
	grab(0);
	run(15 * LOOP_MS);
	assert_int_equal(t.over, 1);
	assert_int_equal(t.error, ERROR_AGAIN);
	assert_int_equal(pool_open_count(t.pool), 0);
	t.grabs = grab;
	grab(0);
	run(15 * LOOP_MS);
	assert_int_equal(t.over, 2);
	t.says = NULL;
	assert_false(ask(0)->http->multiplexed);
	assert_int_equal(t.cuts.seen.age_us, 0);
}

/* Where one takes but one it is as with HTTP/1.1. */
static void it_takes_one(void **state)
{
	struct exchange *a;

	(void)state;
	t.says = one_at_a_time;
	t.says_n = sizeof one_at_a_time;
	a = ask(0);
	assert_false(pool_is_multiplexed(t.pool));
	assert_ptr_not_equal(ask(0)->http, a->http);
	assert_int_equal(t.connections, 2);
	assert_false(pool_is_multiplexed(t.pool));
	exchange_abort(a);
	run(5 * LOOP_MS);
	assert_int_equal(t.error, 0);
	pool_renew(t.pool);
	t.says = NULL;			/* it was busy, and is not any more */
	ask(1);
	assert_false(pool_is_multiplexed(t.pool));
	answer(2, 0);
	run(5 * LOOP_MS);
	assert_true(pool_is_multiplexed(t.pool));
}

/* Agreed to, and then nothing comes. */
static void silence(void **state)
{
	(void)state;
	t.says = none_at_all;
	t.says_n = 0;
	for (unsigned i = 0; i < 2; i++) {
		struct exchange *x = ask(0);

		assert_true(x->http->multiplexed);
		run(5 * LOOP_SECOND);
		exchange_abort(x);
		run(5 * LOOP_MS);
		assert_int_equal(pool_open_count(t.pool), 0);
	}
	assert_false(ask(0)->http->multiplexed);
	assert_int_equal(t.connections, 3);
}

/* Those who ask for another protocol, too, get one connection each of what is offered to all. */
static void another_protocol_meanwhile(void **state)
{
	struct exchange *x = ask(0);

	(void)state;
	t.user[1].switches = true;
	((struct http *)x->http)->no_switch = true;
	exchange_abort(x);
	run(5 * LOOP_MS);
	exchange_abort(ask(1));
	run(5 * LOOP_MS);
	pool_renew(t.pool);
	for (unsigned i = 2; i < 4; i++) {
		ask(0);
		cut(i);
	}
	assert_int_equal(pool_open_count(t.pool), 0);
	for (unsigned i = 0; i < 4; i++)
		assert_null(pool_exchange(&t.user[1], &events, &t.user[1]));
	assert_int_equal(pool_open_count(t.pool), 1);
}

static void another_network(void **state)
{
	(void)state;
	ask(0);
	cut(0);
	ask(0);
	cut(1);
	pool_forget(t.pool);
	assert_true(ask(0)->http->multiplexed);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		T(one_connection_a_user), T(free_again), T(another_protocol), T(many_wait_for_one), T(spread_over_several), T(as_many_as_fit), T(apart),
		T(worn_ones_take_no_more), T(worn_but_full), T(told_to_go), T(two_without_an_answer), T(an_answer_proves_it),
		T(asked_for), T(it_takes_none), T(it_takes_one), T(silence), T(another_protocol_meanwhile), T(another_network),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
