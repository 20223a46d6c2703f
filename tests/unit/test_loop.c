/* links: tunnel/loop.c */
/* libs: -lev */
/* The loop: the heap against a sorted model, order of ties, the queue, both clocks, descriptors. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tunnel/loop.h"

#define START 1000000

struct probe {
	struct loop *loop;
	struct timer timer;
	struct later later;
	int id, fired;
	int64_t at;
};

static int order[4096], ordered;

static void note(void *ctx)
{
	struct probe *p = ctx;

	p->fired++;
	p->at = loop_now(p->loop);
	order[ordered++] = p->id;
}

static struct probe *probes(struct loop *l, int n)
{
	struct probe *p = calloc((size_t)n, sizeof *p);

	ordered = 0;
	for (int i = 0; i < n; i++) {
		p[i].loop = l;
		p[i].id = i;
		timer_init(&p[i].timer, l, note, &p[i]);
		later_init(&p[i].later, note, &p[i]);
	}
	return p;
}

static void test_timer_order(void **state)
{
	struct loop *l = loop_new_virtual(START, 0);
	struct probe *p = probes(l, 4);

	(void)state;
	timer_in(&p[0].timer, 300);
	timer_in(&p[1].timer, 100);
	timer_in(&p[2].timer, 100);
	timer_in(&p[3].timer, 100);
	timer_in(&p[1].timer, 100);	/* armed again: now behind 2 and 3 */
	loop_advance(l, START + 99);
	assert_int_equal(ordered, 0);
	assert_int_equal(loop_now(l), START + 99);
	loop_advance(l, START + 300);
	assert_int_equal(ordered, 4);
	assert_int_equal(order[0], 2);
	assert_int_equal(order[1], 3);
	assert_int_equal(order[2], 1);
	assert_int_equal(order[3], 0);
	assert_int_equal(p[2].at, START + 100);
	assert_int_equal(p[0].at, START + 300);
	free(p);
	loop_free(l);
}

static void test_timer_states(void **state)
{
	struct loop *l = loop_new_virtual(START, 0);
	struct probe *p = probes(l, 2);
	struct timer zero = { 0 };

	(void)state;
	assert_false(timer_armed(&zero));
	timer_stop(&zero);
	timer_stop(&p[0].timer);
	timer_in(&p[0].timer, 10);
	assert_true(timer_armed(&p[0].timer));
	timer_stop(&p[0].timer);
	timer_stop(&p[0].timer);
	assert_false(timer_armed(&p[0].timer));
	timer_sooner(&p[0].timer, START + 50);
	timer_sooner(&p[0].timer, START + 70);
	assert_int_equal(p[0].timer.at, START + 50);
	timer_sooner(&p[0].timer, START + 20);
	assert_int_equal(p[0].timer.at, START + 20);
	timer_set(&p[1].timer, 5);	/* in the past: at once, and time does not go back */
	loop_advance(l, START + 20);
	assert_int_equal(p[1].at, START);
	assert_int_equal(p[0].at, START + 20);
	assert_false(timer_armed(&p[0].timer));
	free(p);
	loop_free(l);
}

/* Random arming, stopping and advancing; each timer must fire when the model says so. */
static void test_timer_model(void **state)
{
	enum { N = 300 };
	struct loop *l = loop_new_virtual(START, 0);
	struct probe *p = probes(l, N);
	int64_t due[N] = { 0 };
	int64_t now = START;

	(void)state;
	loop_seed(l, 42);
	for (int step = 0; step < 20000; step++) {
		uint64_t r = loop_random_u64(l);
		int i = (int)(r % N);

		switch ((r >> 32) % 8) {
		case 0:
			timer_stop(&p[i].timer);
			due[i] = 0;
			break;
		case 1:
			now += (int64_t)(r >> 40) % 200;
			ordered = 0;
			loop_advance(l, now);
			for (int k = 1; k < ordered; k++)
				assert_true(p[order[k - 1]].at <= p[order[k]].at);
			for (int k = 0; k < N; k++) {
				assert_int_equal(p[k].fired, due[k] && due[k] <= now);
				if (p[k].fired) {
					assert_int_equal(p[k].at, due[k]);
					due[k] = p[k].fired = 0;
				}
				assert_int_equal(timer_armed(&p[k].timer), due[k] != 0);
			}
			break;
		default:
			due[i] = now + (int64_t)(r >> 40) % 1000;
			timer_set(&p[i].timer, due[i]);
		}
	}
	free(p);
	loop_free(l);
}

static void rearm(void *ctx)
{
	struct probe *p = ctx;

	note(p);
	assert_false(timer_armed(&p->timer));
	if (p->fired < 5)
		timer_in(&p->timer, p->fired < 3 ? 0 : 100);
}

static void test_timer_rearms_itself(void **state)
{
	struct loop *l = loop_new_virtual(START, 0);
	struct probe *p = probes(l, 1);

	(void)state;
	p->timer.fire = rearm;
	timer_in(&p->timer, 100);
	loop_advance(l, START + 10000);
	assert_int_equal(p->fired, 5);
	assert_int_equal(p->at, START + 300);
	free(p);
	loop_free(l);
}

static struct probe *chain;

static void fire_and_queue(void *ctx)
{
	struct probe *p = ctx;

	note(p);
	loop_later(p->loop, &chain[2].later);
	loop_later(p->loop, &chain[3].later);
	loop_later(p->loop, &chain[2].later);	/* queued once */
}

static void test_later_behind_timer(void **state)
{
	struct loop *l = loop_new_virtual(START, 0);
	struct probe *p = probes(l, 4);

	(void)state;
	chain = p;
	p[0].timer.fire = fire_and_queue;
	timer_in(&p[0].timer, 10);
	timer_in(&p[1].timer, 10);
	loop_later(l, &p[3].later);
	loop_advance(l, START + 10);
	assert_int_equal(ordered, 5);
	assert_int_equal(order[0], 3);
	assert_int_equal(order[1], 0);
	assert_int_equal(order[2], 2);
	assert_int_equal(order[3], 3);
	assert_int_equal(order[4], 1);
	free(p);
	loop_free(l);
}

static void cancel_others(void *ctx)
{
	struct probe *p = ctx;

	note(p);
	later_cancel(p->loop, &chain[1].later);	/* in the round being run */
	later_cancel(p->loop, &chain[3].later);	/* the last of it */
	loop_later(p->loop, &chain[4].later);
	loop_later(p->loop, &chain[5].later);
	later_cancel(p->loop, &chain[5].later);	/* in the next one */
	loop_later(p->loop, &chain[3].later);
}

static void test_later_cancel(void **state)
{
	struct loop *l = loop_new_virtual(START, 0);
	struct probe *p = probes(l, 6);

	(void)state;
	chain = p;
	p[0].later.run = cancel_others;
	for (int i = 0; i < 4; i++)
		loop_later(l, &p[i].later);
	later_cancel(l, &p[5].later);
	loop_advance(l, START);
	assert_int_equal(ordered, 4);
	assert_int_equal(order[0], 0);
	assert_int_equal(order[1], 2);
	assert_int_equal(order[2], 4);
	assert_int_equal(order[3], 3);
	later_cancel(l, &p[0].later);
	loop_later(l, &p[1].later);
	loop_later(l, &p[2].later);
	later_cancel(l, &p[2].later);
	loop_later(l, &p[3].later);
	loop_advance(l, START);
	assert_int_equal(ordered, 6);
	assert_int_equal(order[4], 1);
	assert_int_equal(order[5], 3);
	free(p);
	loop_free(l);
}

static void touch_freed(void *ctx)
{
	struct probe *p = ctx;

	p->fired++;	/* still there: memory goes behind the queue */
}

static void test_free_later(void **state)
{
	struct loop *l = loop_new_virtual(START, 0);
	struct probe *p = probes(l, 1);

	(void)state;
	p->later.run = touch_freed;
	loop_free_later(l, p);
	loop_later(l, &p->later);
	loop_advance(l, START);
	for (int i = 0; i < 1000; i++)
		loop_free_later(l, malloc(1));
	loop_free_later(l, NULL);
	loop_free(l);	/* frees the rest */
}

static void test_virtual_clock(void **state)
{
	struct loop *l = loop_new_virtual(INT64_C(5000) << 32, 1700000000);
	uint64_t a, b;

	(void)state;
	assert_true(loop_is_virtual(l));
	assert_int_equal(loop_wall(l), 1700000000);
	loop_advance(l, loop_now(l) + 2500 * LOOP_MS);
	assert_int_equal(loop_wall(l), 1700000002);
	assert_int_equal(loop_clock(l), (uint32_t)(((INT64_C(5000) << 32) + 2500 * LOOP_MS) / 1000));
	loop_advance(l, 0);
	assert_int_equal(loop_touch(l), loop_now(l));
	loop_seed(l, 7);
	a = loop_random_u64(l);
	b = loop_random_u64(l);
	assert_true(a != b);
	loop_seed(l, 7);
	assert_true(loop_random_u64(l) == a);
	loop_free(l);
}

static void test_random_real(void **state)
{
	struct loop *l = loop_new();
	uint8_t a[1500], b[1500];

	(void)state;
	loop_random(l, a, sizeof a);
	loop_random(l, b, sizeof b);
	assert_memory_not_equal(a, b, sizeof a);
	loop_free(l);
}

static void stop(void *ctx)
{
	struct probe *p = ctx;

	note(p);
	loop_break(p->loop);
}

static void test_real_timers(void **state)
{
	struct loop *l = loop_new();
	struct probe *p = probes(l, 4);
	int64_t start = loop_now(l);

	(void)state;
	assert_false(loop_is_virtual(l));
	p[0].timer.fire = stop;
	p[2].timer.fire = rearm;
	timer_in(&p[0].timer, 20 * LOOP_MS);
	timer_in(&p[1].timer, 10 * LOOP_MS);
	timer_in(&p[2].timer, 0);
	timer_in(&p[3].timer, 15 * LOOP_MS);
	timer_stop(&p[3].timer);
	loop_run(l);
	assert_int_equal(p[0].fired, 1);
	assert_true(p[0].at >= start + 20 * LOOP_MS);
	assert_true(p[1].at >= start + 10 * LOOP_MS);
	assert_int_equal(p[2].fired, 5);
	assert_int_equal(p[3].fired, 0);
	assert_true(loop_touch(l) >= p[0].at);
	free(p);
	loop_free(l);
}

static void requeue(void *ctx)
{
	struct probe *p = ctx;

	p->fired++;
	loop_later(p->loop, &p->later);
}

/* A queue that refills itself for ever must not keep timers and descriptors out. */
static void test_real_queue_starves_nobody(void **state)
{
	struct loop *l = loop_new();
	struct probe *p = probes(l, 2);

	(void)state;
	p[0].later.run = requeue;
	p[1].timer.fire = stop;
	loop_later(l, &p[0].later);
	timer_in(&p[1].timer, 2 * LOOP_MS);
	loop_run(l);
	assert_int_equal(p[1].fired, 1);
	assert_true(p[0].fired > 16);
	later_cancel(l, &p[0].later);
	free(p);
	loop_free(l);
}

struct pipe_end {
	struct loop *loop;
	struct io io;
	struct later later;
	int fd, turns, behind;
};

static void on_pipe(void *ctx, bool readable, bool writable)
{
	struct pipe_end *e = ctx;
	char c;

	assert_true(readable && !writable);
	assert_int_equal(e->turns, e->behind);	/* the work of the last turn was done */
	e->turns++;
	loop_later(e->loop, &e->later);
	if (e->turns < 3)
		return;
	assert_int_equal(read(e->fd, &c, 1), 1);
	io_want(&e->io, false, false);
	loop_break(e->loop);
}

static void on_behind(void *ctx)
{
	struct pipe_end *e = ctx;

	e->behind++;
}

static void test_real_io(void **state)
{
	struct loop *l = loop_new();
	struct pipe_end e = { .loop = l };
	int fd[2];

	(void)state;
	assert_int_equal(pipe(fd), 0);
	e.fd = fd[0];
	io_init(&e.io, l, fd[0], on_pipe, &e);
	later_init(&e.later, on_behind, &e);
	io_want(&e.io, true, false);
	io_want(&e.io, true, false);
	io_want(&e.io, false, false);
	io_want(&e.io, true, false);
	assert_int_equal(write(fd[1], "x", 1), 1);
	loop_run(l);
	assert_int_equal(e.turns, 3);	/* level-triggered until it was read */
	assert_int_equal(e.behind, 3);
	io_stop(&e.io);
	io_stop(&e.io);
	close(fd[0]);
	close(fd[1]);
	loop_free(l);
}

static void test_signal(void **state)
{
	struct loop *l = loop_new();
	struct probe *p = probes(l, 1);

	(void)state;
	loop_signal(l, SIGUSR1, stop, p);
	raise(SIGUSR1);
	loop_run(l);
	assert_int_equal(p->fired, 1);
	free(p);
	loop_free(l);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_timer_order),
		cmocka_unit_test(test_timer_states),
		cmocka_unit_test(test_timer_model),
		cmocka_unit_test(test_timer_rearms_itself),
		cmocka_unit_test(test_later_behind_timer),
		cmocka_unit_test(test_later_cancel),
		cmocka_unit_test(test_free_later),
		cmocka_unit_test(test_virtual_clock),
		cmocka_unit_test(test_random_real),
		cmocka_unit_test(test_real_timers),
		cmocka_unit_test(test_real_queue_starves_nobody),
		cmocka_unit_test(test_real_io),
		cmocka_unit_test(test_signal),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
