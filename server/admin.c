/*
 * The admin socket. Made by the server; what it answers is status.c's. Clients
 * are few: at a small cap the new one is closed.
 */
#include "server/admin.h"

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

#define CLIENTS_MAX 8
#define CLIENT_TIMEOUT (5 * LOOP_SECOND)
#define LINE_BYTES 64

struct admin_client {
	struct admin *admin;
	struct link link;
	struct stream *stream;
	struct timer timer;
	char line[LINE_BYTES];
	size_t line_len;
	char *answer;		/* NULL until the line is whole */
	size_t len, sent;
};

struct admin {
	struct loop *loop;
	char path[sizeof ((struct sockaddr_un *)0)->sun_path];
	int fd;
	struct io io;
	struct link clients;
	unsigned count;
	void (*write)(void *ctx, FILE *, bool json);
	void *ctx;
};

/* ---- clients ---- */

static void client_end(struct admin_client *c)
{
	if (!link_in_list(&c->link))
		return;
	link_remove(&c->link);
	c->admin->count--;
	timer_stop(&c->timer);
	stream_close(c->stream);
	free(c->answer);
	loop_free_later(c->admin->loop, c);
}

static void client_timeout(void *ctx)
{
	client_end(ctx);
}

static void client_writable(void *ctx)
{
	struct admin_client *c = ctx;
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

static void client_answer(struct admin_client *c)
{
	FILE *out = open_memstream(&c->answer, &c->len);

	if (!out)
		abort();
	if (!strcmp(c->line, "status"))
		c->admin->write(c->admin->ctx, out, false);
	else if (!strcmp(c->line, "status json"))
		c->admin->write(c->admin->ctx, out, true);
	else
		fputs("error: say 'status' or 'status json'\n", out);
	fclose(out);
	client_writable(c);
}

static void client_readable(void *ctx)
{
	struct admin_client *c = ctx;
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

static void ready(void *ctx, bool readable, bool writable)
{
	struct admin *a = ctx;
	int fd = accept4(a->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	struct admin_client *c;

	(void)readable;
	(void)writable;
	if (fd < 0)
		return;
	if (a->count == CLIENTS_MAX) {
		close(fd);
		return;
	}
	c = calloc(1, sizeof *c);
	if (!c)
		abort();
	c->admin = a;
	list_append(&a->clients, &c->link);
	a->count++;
	timer_init(&c->timer, a->loop, client_timeout, c);
	timer_in(&c->timer, CLIENT_TIMEOUT);
	c->stream = stream_tcp_adopt(a->loop, fd, &client_events, c);
	stream_want(c->stream, true, false);
}

/* ---- the socket ---- */

static bool path_set(struct sockaddr_un *sa, const char *path, char *error, size_t size)
{
	memset(sa, 0, sizeof *sa);
	sa->sun_family = AF_UNIX;
	if (*path != '/' || strlen(path) >= sizeof sa->sun_path) {
		snprintf(error, size, "the admin socket must be an absolute path shorter than %zu bytes, or none, not '%s'",
			 sizeof sa->sun_path, path);
		return false;
	}
	memcpy(sa->sun_path, path, strlen(path) + 1);
	return true;
}

/* A socket left by a process that is gone is removed; anything else stays. */
static bool path_free(const struct sockaddr_un *sa, char *error, size_t size)
{
	struct stat st;
	int fd, rc;

	if (lstat(sa->sun_path, &st))
		return true; /* bind says what is wrong */
	if (!S_ISSOCK(st.st_mode)) {
		snprintf(error, size, "cannot make the admin socket %s: there is a file of that name", sa->sun_path);
		return false;
	}
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	rc = fd < 0 ? -1 : connect(fd, (const struct sockaddr *)sa, sizeof *sa);
	if (fd >= 0)
		close(fd);
	if (rc == 0) {
		snprintf(error, size, "cannot make the admin socket %s: another culvertd uses it", sa->sun_path);
		return false;
	}
	if (errno == ECONNREFUSED)
		unlink(sa->sun_path);
	return true;
}

/* Only its user may connect, from the first moment on. */
static int bind_private(const struct sockaddr_un *sa)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), rc, saved;
	mode_t mask = umask(0177);

	rc = fd < 0 ? -1 : bind(fd, (const struct sockaddr *)sa, sizeof *sa);
	saved = errno;
	umask(mask);
	if (rc == 0 && listen(fd, CLIENTS_MAX) == 0)
		return fd;
	if (rc == 0)
		saved = errno;
	if (fd >= 0)
		close(fd);
	errno = saved;
	return -1;
}

struct admin *admin_new(struct loop *loop, const char *path, void (*write)(void *ctx, FILE *, bool json), void *ctx,
			char *error, size_t size)
{
	struct sockaddr_un sa;
	struct admin *a;
	int fd;

	if (!path_set(&sa, path, error, size) || !path_free(&sa, error, size))
		return NULL;
	fd = bind_private(&sa);
	if (fd < 0) {
		snprintf(error, size, "cannot make the admin socket %s: %s", path, strerror(errno));
		return NULL;
	}
	a = calloc(1, sizeof *a);
	if (!a)
		abort();
	a->loop = loop;
	memcpy(a->path, sa.sun_path, sizeof a->path);
	a->fd = fd;
	a->write = write;
	a->ctx = ctx;
	list_init(&a->clients);
	io_init(&a->io, loop, fd, ready, a);
	io_want(&a->io, true, false);
	return a;
}

void admin_free(struct admin *a)
{
	if (!a)
		return;
	while (!list_empty(&a->clients))
		client_end(list_entry(a->clients.next, struct admin_client, link));
	io_stop(&a->io);
	close(a->fd);
	unlink(a->path);
	loop_free_later(a->loop, a);
}

/* ---- the other side ---- */

bool admin_ask(const char *path, bool json, FILE *out, char *error, size_t size)
{
	const char *line = json ? "status json\n" : "status\n";
	struct timeval limit = { .tv_sec = CLIENT_TIMEOUT / LOOP_SECOND };
	struct sockaddr_un sa;
	char buf[4096];
	ssize_t n = -1;
	int fd;

	if (!path_set(&sa, path, error, size))
		return false;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd >= 0) {
		(void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
		if (!connect(fd, (struct sockaddr *)&sa, sizeof sa) && send(fd, line, strlen(line), MSG_NOSIGNAL) > 0)
			while ((n = recv(fd, buf, sizeof buf, 0)) > 0)
				fwrite(buf, 1, (size_t)n, out);
	}
	if (n < 0)
		snprintf(error, size, "cannot ask culvertd at %s: %s%s", path, strerror(errno),
			 errno == ENOENT || errno == ECONNREFUSED ? "; is it running, and with --admin there?" :
			 errno == EACCES ? "; ask as its user or as root" : "");
	if (fd >= 0)
		close(fd);
	return n == 0;
}
