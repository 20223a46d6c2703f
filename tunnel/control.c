/*
 * The control socket. Made by the server and the helper, who also know what to
 * answer. Clients are few: at a small cap the new one is closed.
 */
#include "tunnel/control.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "framing/error.h"
#include "tunnel/list.h"
#include "tunnel/log.h"
#include "tunnel/stream_tcp.h"

#define CLIENT_TIMEOUT (5 * LOOP_SECOND)
#define ACCEPT_PAUSE (250 * LOOP_MS)	/* when there are no descriptors */

struct control_client {
	struct control *control;
	struct link link;
	struct stream *stream;
	struct timer timer;
	char line[CONTROL_LINE];
	size_t line_len;
	char *answer;		/* NULL until the line is whole */
	size_t len, sent;
};

struct control {
	struct loop *loop;
	char path[sizeof ((struct sockaddr_un *)0)->sun_path];
	int fd;
	dev_t dev;		/* of the socket at the path, as long as it is ours */
	ino_t ino;
	struct io io;
	struct timer pause;
	struct link clients;
	unsigned count;
	control_handler *handler;
	void *ctx;
};

/* ---- clients ---- */

static void client_end(struct control_client *c)
{
	if (!link_in_list(&c->link))
		return;
	link_remove(&c->link);
	c->control->count--;
	timer_stop(&c->timer);
	stream_close(c->stream);
	free(c->answer);
	loop_free_later(c->control->loop, c);
}

static void client_timeout(void *ctx)
{
	client_end(ctx);
}

static void client_writable(void *ctx)
{
	struct control_client *c = ctx;
	ssize_t n;

	while (c->sent < c->len) {
		n = stream_write(c->stream, (const uint8_t *)c->answer + c->sent, c->len - c->sent);
		if (n == ERROR_AGAIN) {
			stream_want(c->stream, false, true);
			return;
		}
		if (n <= 0)
			break;
		c->sent += (size_t)n;
	}
	client_end(c);
}

static void client_answer(struct control_client *c)
{
	FILE *out = open_memstream(&c->answer, &c->len);
	char *words[CONTROL_WORDS + 1], *rest = NULL;
	size_t n = 0;

	if (!out)
		abort();
	for (char *w = strtok_r(c->line, " \t", &rest); w && n < CONTROL_WORDS; w = strtok_r(NULL, " \t", &rest))
		words[n++] = w;
	words[n] = NULL;
	c->control->handler(c->control->ctx, out, n, words);
	fclose(out);
	client_writable(c);
}

static void client_readable(void *ctx)
{
	struct control_client *c = ctx;
	size_t room = sizeof c->line - 1 - c->line_len;
	ssize_t n = stream_read(c->stream, (uint8_t *)c->line + c->line_len, room);
	char *end;

	if (n == ERROR_AGAIN)
		return;
	if (n <= 0) {
		client_end(c);
		return;
	}
	c->line_len += (size_t)n;
	c->line[c->line_len] = 0;
	end = strpbrk(c->line, "\r\n");
	if (end) {
		*end = 0;
		stream_want(c->stream, false, false);
		client_answer(c);
	} else if (c->line_len == sizeof c->line - 1) {
		client_end(c);
	}
}

static void client_failed(void *ctx, int error)
{
	(void)error;
	client_end(ctx);
}

static void client_ready(void *ctx)
{
	(void)ctx;
}

static const struct stream_events client_events = { client_ready, client_readable, client_writable, client_failed };

/* The mode of the socket says the same, but modes can be changed. */
static bool may_ask(int fd)
{
	struct ucred peer;
	socklen_t len = sizeof peer;

	return !getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) && (peer.uid == 0 || peer.uid == geteuid());
}

static void ready(void *ctx, bool readable, bool writable)
{
	struct control *o = ctx;
	int fd = accept4(o->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	struct control_client *c;

	(void)readable;
	(void)writable;
	if (fd < 0 && errno != EAGAIN && errno != EINTR && errno != ECONNABORTED) {
		io_want(&o->io, false, false);
		timer_in(&o->pause, ACCEPT_PAUSE);
	}
	if (fd < 0)
		return;
	if (o->count == CONTROL_CLIENTS || !may_ask(fd)) {
		close(fd);
		return;
	}
	c = calloc(1, sizeof *c);
	if (!c)
		abort();
	c->control = o;
	list_append(&o->clients, &c->link);
	o->count++;
	timer_init(&c->timer, o->loop, client_timeout, c);
	timer_in(&c->timer, CLIENT_TIMEOUT);
	c->stream = stream_tcp_adopt(o->loop, fd, &client_events, c);
	stream_want(c->stream, true, false);
}

static void pause_over(void *ctx)
{
	struct control *o = ctx;

	io_want(&o->io, true, false);
}

/* ---- the socket ---- */

static bool path_set(struct sockaddr_un *sa, const struct control_place *at, char *error, size_t size)
{
	memset(sa, 0, sizeof *sa);
	sa->sun_family = AF_UNIX;
	if (*at->path != '/' || strlen(at->path) >= sizeof sa->sun_path) {
		snprintf(error, size, "the %s socket must be an absolute path shorter than %zu bytes, or none, not '%s'",
			 at->option, sizeof sa->sun_path, at->path);
		return false;
	}
	memcpy(sa->sun_path, at->path, strlen(at->path) + 1);
	return true;
}

/* A socket left by a process that is gone is removed; anything else stays. */
static bool path_free(const struct sockaddr_un *sa, const struct control_place *at, char *error, size_t size)
{
	struct stat st;
	int fd, rc;

	if (lstat(sa->sun_path, &st))
		return true; /* bind says what is wrong */
	if (!S_ISSOCK(st.st_mode)) {
		snprintf(error, size, "cannot make the %s socket %s: there is a file of that name", at->option, at->path);
		return false;
	}
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	rc = fd < 0 ? -1 : connect(fd, (const struct sockaddr *)sa, sizeof *sa);
	if (rc < 0 && errno == ECONNREFUSED)
		unlink(sa->sun_path);
	else if (rc == 0 || errno == EAGAIN) /* a full queue is somebody's, too */
		rc = 0;
	if (fd >= 0)
		close(fd);
	if (rc == 0)
		snprintf(error, size, "cannot make the %s socket %s: another %s uses it", at->option, at->path, at->program);
	return rc < 0;
}

/* Only its user may connect, from the first moment on. */
static int bind_private(const struct sockaddr_un *sa)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), rc, saved;
	mode_t mask = umask(0177);

	rc = fd < 0 ? -1 : bind(fd, (const struct sockaddr *)sa, sizeof *sa);
	saved = errno;
	umask(mask);
	if (rc == 0 && listen(fd, CONTROL_CLIENTS) == 0)
		return fd;
	if (rc == 0)
		saved = errno;
	if (fd >= 0)
		close(fd);
	errno = saved;
	return -1;
}

struct control *control_new(struct loop *loop, const struct control_place *at, control_handler *handler, void *ctx,
			    char *error, size_t size)
{
	struct sockaddr_un sa;
	struct control *o;
	struct stat st;
	int fd;

	if (!path_set(&sa, at, error, size) || !path_free(&sa, at, error, size))
		return NULL;
	fd = bind_private(&sa);
	if (fd < 0) {
		snprintf(error, size, "cannot make the %s socket %s: %s", at->option, at->path, strerror(errno));
		return NULL;
	}
	o = calloc(1, sizeof *o);
	if (!o)
		abort();
	o->loop = loop;
	memcpy(o->path, sa.sun_path, sizeof o->path);
	o->fd = fd;
	if (!lstat(o->path, &st)) {
		o->dev = st.st_dev;
		o->ino = st.st_ino;
	}
	o->handler = handler;
	o->ctx = ctx;
	list_init(&o->clients);
	timer_init(&o->pause, loop, pause_over, o);
	io_init(&o->io, loop, fd, ready, o);
	io_want(&o->io, true, false);
	return o;
}

void control_free(struct control *o)
{
	struct stat st;

	if (!o)
		return;
	while (!list_empty(&o->clients))
		client_end(list_entry(o->clients.next, struct control_client, link));
	timer_stop(&o->pause);
	io_stop(&o->io);
	close(o->fd);
	if (!lstat(o->path, &st) && st.st_dev == o->dev && st.st_ino == o->ino)
		unlink(o->path);
	loop_free_later(o->loop, o);
}

/* ---- the other side ---- */

/* Somebody else's socket could say anything. */
static bool may_be_asked(int fd)
{
	struct ucred peer;
	socklen_t len = sizeof peer;

	return !getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) &&
	       (geteuid() == 0 || peer.uid == 0 || peer.uid == geteuid());
}

static void explain(const struct control_place *at, int e, char *error, size_t size)
{
	int n = snprintf(error, size, "cannot ask %s at %s: %s", at->program, at->path,
			 e == EAGAIN ? "no answer within 5 s" :
			 e == EPIPE || e == ECONNRESET ? "it answers nothing (too many ask, or another user's)" : strerror(e));

	if (n < 0 || (size_t)n >= size)
		return;
	if (e == ENOENT || e == ECONNREFUSED)
		snprintf(error + n, size - (size_t)n, "; is it running, and with --%s there?", at->option);
	else if (e == EACCES || e == EPERM)
		snprintf(error + n, size - (size_t)n, "; ask as its user or as root");
}

/* Copies the answer; -1 and errno when there is none, or not all of it in time. */
static int exchange(int fd, const char *line, FILE *out)
{
	char buf[4096];
	size_t total = 0;
	ssize_t n;

	if (snprintf(buf, sizeof buf, "%s\n", line) < 0 || send(fd, buf, strlen(buf), MSG_NOSIGNAL) < 0)
		return -1;
	while ((n = recv(fd, buf, sizeof buf, 0)) > 0) {
		fwrite(buf, 1, (size_t)n, out);
		total += (size_t)n;
	}
	if (n == 0 && total == 0)
		errno = EPIPE;
	return n == 0 && total > 0 ? 0 : -1;
}

bool control_ask(const struct control_place *at, const char *line, FILE *out, char *error, size_t size)
{
	struct timeval limit = { .tv_sec = CLIENT_TIMEOUT / LOOP_SECOND };
	struct sockaddr_un sa;
	int fd, rc;

	if (!path_set(&sa, at, error, size))
		return false;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	rc = fd;
	if (fd >= 0) {
		(void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
		(void)setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
		rc = connect(fd, (struct sockaddr *)&sa, sizeof sa);
	}
	if (rc >= 0 && !may_be_asked(fd)) {
		errno = EPERM;
		rc = -1;
	}
	if (rc >= 0)
		rc = exchange(fd, line, out);
	if (rc < 0)
		explain(at, errno, error, size);
	if (fd >= 0)
		close(fd);
	return rc >= 0;
}
