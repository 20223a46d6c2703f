/*
 * The worker. What thread and loop share is the desk, under its lock; whoever leaves last
 * clears it away. Called by auth_token.c.
 */
#include "client/auth_worker.h"

#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "framing/error.h"

struct desk {
	pthread_mutex_t lock;
	pthread_cond_t wake;
	struct auth_job *waiting, *running, *finished; /* oldest first */
	unsigned count;		/* of all of them */
	int bell;		/* eventfd; nobody rings it after the end */
	bool end;
	bool orphaned;		/* the thread clears the desk away */
};

struct auth_worker {
	struct loop *loop;
	struct io io;
	struct desk *desk;
	pthread_t thread;
	bool started, freed;
};

static void append(struct auth_job **list, struct auth_job *job)
{
	while (*list)
		list = &(*list)->next;
	job->next = NULL;
	*list = job;
}

static bool unlink_job(struct auth_job **list, struct auth_job *job)
{
	for (; *list; list = &(*list)->next)
		if (*list == job) {
			*list = job->next;
			return true;
		}
	return false;
}

static void drop_all(struct auth_job *list)
{
	while (list) {
		struct auth_job *job = list;

		list = job->next;
		job->drop(job);
	}
}

static void desk_free(struct desk *desk)
{
	pthread_cond_destroy(&desk->wake);
	pthread_mutex_destroy(&desk->lock);
	free(desk);
}

/* ---- the thread ---- */

/* Under the lock, which is let go meanwhile. */
static void run_one(struct desk *desk)
{
	struct auth_job *job = desk->waiting;
	static const uint64_t one = 1;

	desk->waiting = job->next;
	desk->running = job;
	pthread_mutex_unlock(&desk->lock);
	job->run(job);
	pthread_mutex_lock(&desk->lock);
	desk->running = NULL;
	if (job->cancelled) {
		desk->count--;
		pthread_mutex_unlock(&desk->lock);
		job->drop(job);
		pthread_mutex_lock(&desk->lock);
		return;
	}
	append(&desk->finished, job);
	if (write(desk->bell, &one, sizeof one) < 0)
		abort();	/* a counter that cannot overflow */
}

static void *work(void *arg)
{
	struct desk *desk = arg;
	bool orphaned;

	pthread_mutex_lock(&desk->lock);
	while (!desk->end)
		if (desk->waiting)
			run_one(desk);
		else
			pthread_cond_wait(&desk->wake, &desk->lock);
	orphaned = desk->orphaned;
	pthread_mutex_unlock(&desk->lock);
	if (orphaned)
		desk_free(desk);
	return NULL;
}

static int start(struct auth_worker *w)
{
	sigset_t all, before;
	int rc;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);	/* signals are the loop's */
	rc = pthread_create(&w->thread, NULL, work, w->desk);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	w->started = rc == 0;
	return rc == 0 ? 0 : ERROR_SYSTEM;
}

/* ---- the loop ---- */

static struct auth_job *take_finished(struct desk *desk)
{
	struct auth_job *job;

	pthread_mutex_lock(&desk->lock);
	job = desk->finished;
	if (job) {
		desk->finished = job->next;
		desk->count--;
	}
	pthread_mutex_unlock(&desk->lock);
	return job;
}

static void on_bell(void *ctx, bool readable, bool writable)
{
	struct auth_worker *w = ctx;
	struct auth_job *job;
	uint64_t rings;

	(void)readable;
	(void)writable;
	if (read(w->desk->bell, &rings, sizeof rings) < 0)
		return;
	while (!w->freed && (job = take_finished(w->desk)))
		job->done(job);
}

struct auth_worker *auth_worker_new(struct loop *loop)
{
	struct auth_worker *w = calloc(1, sizeof *w);
	struct desk *desk = calloc(1, sizeof *desk);

	if (!w || !desk)
		abort();
	pthread_mutex_init(&desk->lock, NULL);
	pthread_cond_init(&desk->wake, NULL);
	desk->bell = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	w->loop = loop;
	w->desk = desk;
	if (desk->bell >= 0) {
		io_init(&w->io, loop, desk->bell, on_bell, w);
		io_want(&w->io, true, false);
	}
	return w;
}

int auth_worker_do(struct auth_worker *w, struct auth_job *job)
{
	struct desk *desk = w->desk;
	int rc = 0;

	if (desk->bell < 0 || (!w->started && start(w) < 0))
		return ERROR_SYSTEM;
	job->cancelled = false;
	pthread_mutex_lock(&desk->lock);
	if (desk->count >= AUTH_WORKER_JOBS) {
		rc = ERROR_LIMIT;
	} else {
		desk->count++;
		append(&desk->waiting, job);
		pthread_cond_signal(&desk->wake);
	}
	pthread_mutex_unlock(&desk->lock);
	return rc;
}

void auth_worker_cancel(struct auth_worker *w, struct auth_job *job)
{
	struct desk *desk = w->desk;
	bool now;

	pthread_mutex_lock(&desk->lock);
	now = unlink_job(&desk->waiting, job) || unlink_job(&desk->finished, job);
	if (now)
		desk->count--;
	else
		job->cancelled = true;
	pthread_mutex_unlock(&desk->lock);
	if (now)
		job->drop(job);
}

void auth_worker_free(struct auth_worker *w)
{
	struct auth_job *waiting, *finished;
	struct desk *desk;
	bool orphaned;

	if (!w)
		return;
	desk = w->desk;
	w->freed = true;
	if (desk->bell >= 0)
		io_stop(&w->io);
	pthread_mutex_lock(&desk->lock);
	waiting = desk->waiting;
	finished = desk->finished;
	desk->waiting = desk->finished = NULL;
	orphaned = desk->orphaned = desk->running != NULL;
	if (orphaned) {
		desk->running->cancelled = true;
		pthread_detach(w->thread);
	}
	desk->end = true;
	pthread_cond_signal(&desk->wake);
	if (desk->bell >= 0)
		close(desk->bell); /* under the lock, and what was cancelled does not ring */
	pthread_mutex_unlock(&desk->lock);
	drop_all(waiting);
	drop_all(finished);
	if (!orphaned) {
		if (w->started)
			pthread_join(w->thread, NULL);
		desk_free(desk);
	}
	loop_free_later(w->loop, w);
}
