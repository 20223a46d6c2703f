// links: client/auth_worker.c framing/error.c tunnel/loop.c tunnel/log.c tests/lib/turns.c
/* libs: -lev */
/* The worker: order, what is cancelled in each state, and an end while something is stuck. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>

#include "client/auth_worker.h"
#include "framing/error.h"
#include "tests/lib/turns.h"

struct work {
	struct auth_job job;
	int number;
};

static struct loop *loop;
static struct auth_worker *worker;
static pthread_t main_thread;
static pthread_mutex_t gate = PTHREAD_MUTEX_INITIALIZER;	/* work 0 waits for it */
static atomic_int ran, dropped;
static int done[64], n_done, expected;
static atomic_bool inside;

static void run(struct auth_job *job)
{
	struct work *w = (struct work *)job;

	if (pthread_equal(pthread_self(), main_thread))
		abort();
	if (w->number == 0) {
		atomic_store(&inside, true);
		pthread_mutex_lock(&gate);
		pthread_mutex_unlock(&gate);
	}
	atomic_fetch_add(&ran, 1);
}

static void on_done(struct auth_job *job)
{
	struct work *w = (struct work *)job;

	done[n_done++] = w->number;
	free(w);
	if (n_done == expected)
		loop_break(loop);
}

static void drop(struct auth_job *job)
{
	free(job);
	atomic_fetch_add(&dropped, 1);
}

static struct work *work(int number)
{
	struct work *w = calloc(1, sizeof *w);

	w->job = (struct auth_job){ .run = run, .done = on_done, .drop = drop };
	w->number = number;
	return w;
}

static struct work *give(int number)
{
	struct work *w = work(number);

	assert_int_equal(auth_worker_do(worker, &w->job), 0);
	return w;
}

/* Work that does not come to an end while the gate is locked. */
static struct work *stick(void)
{
	struct work *w;

	pthread_mutex_lock(&gate);
	atomic_store(&inside, false);
	w = give(0);
	while (!atomic_load(&inside))
		usleep(100);
	return w;
}

static void soon(atomic_int *what, int value)
{
	for (int i = 0; i < 50000 && atomic_load(what) != value; i++)
		usleep(100);
	assert_int_equal(atomic_load(what), value);
}

static int setup(void **state)
{
	(void)state;
	main_thread = pthread_self();
	loop = loop_new();
	worker = auth_worker_new(loop);
	atomic_store(&ran, 0);
	atomic_store(&dropped, 0);
	n_done = expected = 0;
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	auth_worker_free(worker);
	loop_free(loop);
	return 0;
}

static void wait_for(int count)
{
	expected = count;
	if (n_done < count)
		assert_true(turns_run(loop, 5 * LOOP_SECOND));
	assert_int_equal(n_done, count);
}

static void test_in_order(void **state)
{
	(void)state;
	for (int i = 1; i <= 10; i++)
		give(i);
	wait_for(10);
	for (int i = 0; i < 10; i++)
		assert_int_equal(done[i], i + 1);
	give(11);
	wait_for(11);
	assert_int_equal(atomic_load(&dropped), 0);
}

static void test_too_much(void **state)
{
	struct work *more = work(99);

	(void)state;
	stick();
	for (int i = 1; i < AUTH_WORKER_JOBS; i++)
		give(i);
	assert_int_equal(auth_worker_do(worker, &more->job), ERROR_LIMIT);
	free(more);
	pthread_mutex_unlock(&gate);
	wait_for(AUTH_WORKER_JOBS);
	give(7);
	wait_for(AUTH_WORKER_JOBS + 1);
}

static void test_cancel(void **state)
{
	struct work *running, *waiting, *finished;

	(void)state;
	running = stick();
	waiting = give(1);
	give(2);
	auth_worker_cancel(worker, &waiting->job);
	assert_int_equal(atomic_load(&dropped), 1);
	auth_worker_cancel(worker, &running->job);
	assert_int_equal(atomic_load(&dropped), 1);	/* it is still in use */
	pthread_mutex_unlock(&gate);
	soon(&dropped, 2);
	wait_for(1);
	assert_int_equal(done[0], 2);
	finished = give(3);
	soon(&ran, 3);
	usleep(1000);
	auth_worker_cancel(worker, &finished->job);
	soon(&dropped, 3);
	give(4);
	wait_for(2);
	assert_int_equal(done[1], 4);
}

static void test_end_with_everything_under_way(void **state)
{
	(void)state;
	give(1);
	soon(&ran, 1);
	usleep(1000);
	stick();
	give(2);
	auth_worker_free(worker);
	worker = NULL;
	assert_int_equal(atomic_load(&dropped), 2);
	pthread_mutex_unlock(&gate);
	soon(&dropped, 3);
	usleep(10000);	/* the thread clears its desk away */
	assert_int_equal(n_done, 0);
}

static void test_end_without_a_thread(void **state)
{
	(void)state;
	auth_worker_free(worker);
	worker = NULL;
	auth_worker_free(NULL);
}

/* done may end the worker. */
static void on_last(struct auth_job *job)
{
	free(job);
	auth_worker_free(worker);
	worker = NULL;
	loop_break(loop);
}

static void test_end_from_within(void **state)
{
	struct work *w = work(1);

	(void)state;
	w->job.done = on_last;
	assert_int_equal(auth_worker_do(worker, &w->job), 0);
	give(2);
	soon(&ran, 2);
	assert_true(turns_run(loop, 5 * LOOP_SECOND));
	assert_null(worker);
	assert_int_equal(atomic_load(&dropped), 1);
	assert_int_equal(n_done, 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_in_order), TEST(test_too_much),
		TEST(test_cancel),   TEST(test_end_with_everything_under_way),
		TEST(test_end_from_within), TEST(test_end_without_a_thread),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
