/*
 * Child processes. Called by settings.c and pac_ask.c; calls the loop and the system. A
 * child has ended when its socket has; one whose own children hold it is ended by its limit. Each is a process group,
 * which ends with it.
 */
#include "client/child.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define REAP_US LOOP_MS		/* a killed process is gone when it is looked for again; then ever more rarely */
#define REAP_MAX_US (100 * LOOP_MS)
#define REAP_TRIES 200		/* of 100 us, when nobody waits for it any more */

struct child {
	struct loop *loop;
	struct child_events events;
	void *ctx;
	pid_t pid;		/* 0: gone */
	int fd;			/* -1: closed */
	struct io io;
	struct timer limit;	/* while it runs; then for looking whether it is gone */
	int64_t reap_us;	/* > 0: it is ending; the time until the next look */
	struct later failed;	/* it did not start */
	uint8_t *in;		/* to be said: in[said..n_in) */
	size_t said, n_in;
	char *out;
	size_t n_out, cap;
	bool hush, eof, dead;
	char why[100];		/* why it was killed, or not started */
};

/* ---- start ---- */

static int spawn(struct child *c, const struct child_config *config, int theirs)
{
	char *const argv[] = { "culvert", CHILD_COMMAND, (char *)config->stage, NULL };
	posix_spawn_file_actions_t files;
	posix_spawnattr_t attr;
	sigset_t none, all;
	int rc;

	sigemptyset(&none);
	sigfillset(&all);
	posix_spawn_file_actions_init(&files);
	posix_spawnattr_init(&attr);
	posix_spawnattr_setsigmask(&attr, &none);
	posix_spawnattr_setsigdefault(&attr, &all);
	posix_spawnattr_setpgroup(&attr, 0);
	posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETPGROUP);
	posix_spawn_file_actions_adddup2(&files, theirs, STDIN_FILENO);
	posix_spawn_file_actions_adddup2(&files, theirs, STDOUT_FILENO);
	posix_spawn_file_actions_addopen(&files, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
	posix_spawn_file_actions_addclosefrom_np(&files, STDERR_FILENO + 1);
	rc = posix_spawn(&c->pid, "/proc/self/exe", &files, &attr, argv, config->env);
	posix_spawnattr_destroy(&attr);
	posix_spawn_file_actions_destroy(&files);
	if (rc != 0)
		c->pid = 0;
	return rc;
}

static void on_ready(void *ctx, bool readable, bool writable);
static void on_limit(void *ctx);

static void on_failed(void *ctx)
{
	struct child *c = ctx;

	c->events.ended(c->ctx, c->why);
}

/* A socket pair, and which end is the child's. */
static int start(struct child *c, const struct child_config *config)
{
	int fds[2], rc;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) < 0)
		return errno;
	rc = spawn(c, config, fds[1]);
	close(fds[1]);
	if (rc != 0) {
		close(fds[0]);
		return rc;
	}
	c->fd = fds[0];
	(void)fcntl(c->fd, F_SETFL, fcntl(c->fd, F_GETFL) | O_NONBLOCK);
	return 0;
}

static void rearm(struct child *c)
{
	if (c->fd >= 0 && !c->reap_us)
		io_want(&c->io, !c->eof, c->said < c->n_in);
}

struct child *child_start(const struct child_config *config, const struct child_events *events, void *ctx)
{
	struct child *c = calloc(1, sizeof *c);
	int rc;

	if (!c)
		abort();
	c->loop = config->loop;
	c->events = *events;
	c->ctx = ctx;
	c->fd = -1;
	c->cap = config->cap;
	c->out = calloc(1, c->cap + 1);
	if (!c->out)
		abort();
	timer_init(&c->limit, c->loop, on_limit, c);
	later_init(&c->failed, on_failed, c);
	rc = start(c, config);
	if (rc != 0) {
		snprintf(c->why, sizeof c->why, "could not be started (%s)", strerror(rc));
		loop_later(c->loop, &c->failed);
		return c;
	}
	io_init(&c->io, c->loop, c->fd, on_ready, c);
	timer_in(&c->limit, config->limit_us);
	rearm(c);
	return c;
}

/* ---- end ---- */

static void shut(struct child *c)
{
	if (c->fd < 0)
		return;
	io_stop(&c->io);
	close(c->fd);
	c->fd = -1;
}

void child_free(struct child *c)
{
	static const struct timespec pause = { .tv_nsec = 100000 };

	if (!c || c->dead)
		return;
	c->dead = true;
	timer_stop(&c->limit);
	later_cancel(c->loop, &c->failed);
	shut(c);
	if (c->pid)
		(void)kill(-c->pid, SIGKILL);	/* not reaped: it is still ours */
	for (int i = 0; c->pid && i < REAP_TRIES && waitpid(c->pid, NULL, WNOHANG) == 0; i++)
		(void)nanosleep(&pause, NULL);
	if (c->in)
		explicit_bzero(c->in, c->n_in);
	explicit_bzero(c->out, c->n_out);
	free(c->in);
	loop_free_later(c->loop, c->out);
	loop_free_later(c->loop, c);
}

static void gone(struct child *c, int status)
{
	c->pid = 0;
	timer_stop(&c->limit);
	shut(c);
	if (!c->why[0] && WIFSIGNALED(status) && WTERMSIG(status) == SIGXCPU)
		snprintf(c->why, sizeof c->why, "computed too long and was killed");
	else if (!c->why[0] && WIFSIGNALED(status))
		snprintf(c->why, sizeof c->why, "crashed (%s)", strsignal(WTERMSIG(status)));
	else if (!c->why[0] && WEXITSTATUS(status) != 0)
		snprintf(c->why, sizeof c->why, "ended with status %d", WEXITSTATUS(status));
	c->events.ended(c->ctx, c->why[0] ? c->why : NULL);
}

/* What has not ended by itself yet does now, its own children, too; one that is just ending keeps its status. */
static void end(struct child *c)
{
	(void)kill(-c->pid, SIGKILL);
	c->eof = true;
	c->reap_us = REAP_US;
	timer_in(&c->limit, c->reap_us);
	io_want(&c->io, false, false);
}

static void on_limit(void *ctx)
{
	struct child *c = ctx;
	int status = 0;

	if (!c->reap_us) {
		snprintf(c->why, sizeof c->why, "took too long and was killed");
		end(c);
	} else if (waitpid(c->pid, &status, WNOHANG) != 0) {
		gone(c, status);
	} else {
		c->reap_us = c->reap_us < REAP_MAX_US ? 2 * c->reap_us : c->reap_us;
		timer_in(&c->limit, c->reap_us);
	}
}

/* ---- bytes ---- */

static void take(struct child *c)
{
	while (!c->eof) {
		char more;
		ssize_t n = c->n_out < c->cap ? recv(c->fd, c->out + c->n_out, c->cap - c->n_out, 0) : recv(c->fd, &more, 1, 0);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN)
			return;
		if (n > 0 && c->n_out < c->cap) {
			c->n_out += (size_t)n;
			c->out[c->n_out] = 0;
			continue;
		}
		if (n > 0)
			snprintf(c->why, sizeof c->why, "said more than %zu bytes and was killed", c->cap);
		c->eof = true;
	}
}

static void talk(struct child *c)
{
	while (c->said < c->n_in) {
		ssize_t n = send(c->fd, c->in + c->said, c->n_in - c->said, MSG_NOSIGNAL);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN)
			return;
		if (n < 0)
			n = (ssize_t)(c->n_in - c->said);	/* it listens no more: its end says why */
		c->said += (size_t)n;
	}
	if (c->hush)
		(void)shutdown(c->fd, SHUT_WR);
}

static void on_ready(void *ctx, bool readable, bool writable)
{
	struct child *c = ctx;
	size_t before = c->n_out;

	if (writable)
		talk(c);
	if (readable)
		take(c);
	rearm(c);
	if (c->n_out > before)
		c->events.heard(c->ctx);
	if (!c->dead && c->eof)
		end(c);
}

void child_say(struct child *c, const void *p, size_t n)
{
	uint8_t *grown;

	if (c->fd < 0 || n == 0)
		return;
	grown = malloc(c->n_in - c->said + n);
	if (!grown)
		abort();
	if (c->in)
		memcpy(grown, c->in + c->said, c->n_in - c->said);
	memcpy(grown + c->n_in - c->said, p, n);
	c->n_in = c->n_in - c->said + n;
	c->said = 0;
	free(c->in);
	c->in = grown;
	rearm(c);
}

void child_hush(struct child *c)
{
	c->hush = true;
	if (c->fd >= 0 && c->said == c->n_in)
		(void)shutdown(c->fd, SHUT_WR);
}

const char *child_output(const struct child *c, size_t *n)
{
	*n = c->n_out;
	return c->out;
}
