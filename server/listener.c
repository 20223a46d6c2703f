/*
 * Listening sockets. Made by main; what they accept goes to the connections.
 */
#include "server/listener.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tunnel/log.h"

#define BATCH 64		/* accepted in one turn */
#define PAUSE (100 * LOOP_MS)	/* when descriptors ran out */

struct listener {
	struct loop *loop;
	struct connections *connections;
	struct address address;
	bool plain;
	struct io io;
	struct timer pause;
	int fd;
};

static bool is_out_of_room(int error)
{
	return error == EMFILE || error == ENFILE || error == ENOBUFS || error == ENOMEM;
}

static void ready(void *ctx, bool readable, bool writable)
{
	struct listener *l = ctx;
	char text[ADDRESS_TEXT];

	(void)readable;
	(void)writable;
	for (int i = 0; i < BATCH; i++) {
		struct address peer = { .len = sizeof peer.sa };
		int fd = accept4(l->fd, (struct sockaddr *)&peer.sa, &peer.len, SOCK_NONBLOCK | SOCK_CLOEXEC);

		if (fd >= 0) {
			connections_accept(l->connections, fd, &peer, l->plain);
			continue;
		}
		if (is_out_of_room(errno)) {
			log_limited(LOG_LEVEL_ERROR, "listener", address_text(&l->address, text),
				    "cannot accept: %s; raise the limit of open files or lower max-connections", strerror(errno));
			io_want(&l->io, false, false);
			timer_in(&l->pause, PAUSE);
			return;
		}
		if (errno == EAGAIN || errno == EWOULDBLOCK)
			return;
		/* Others belong to a connection that is gone already. */
	}
}

static void go_on(void *ctx)
{
	struct listener *l = ctx;

	io_want(&l->io, true, false);
}

static int bind_socket(const struct address *a, int backlog)
{
	int fd = socket(a->sa.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), on = 1, saved;

	if (fd < 0)
		return -1;
	(void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
	if (a->sa.ss_family == AF_INET6)
		(void)setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on);
	if (!bind(fd, (const struct sockaddr *)&a->sa, a->len) && !listen(fd, backlog))
		return fd;
	saved = errno;
	close(fd);
	errno = saved;
	return -1;
}

static const char *advice(int error)
{
	switch (error) {
	case EADDRINUSE:
		return ": another program listens there; stop it or choose another port";
	case EACCES:
		return ": ports below 1024 need the capability CAP_NET_BIND_SERVICE (the systemd unit gives it)";
	case EADDRNOTAVAIL:
		return ": this machine has no such address";
	case EAFNOSUPPORT:
		return ": this machine has no IPv6; listen on 0.0.0.0 instead";
	default:
		return "";
	}
}

struct listener *listener_new(struct loop *loop, struct connections *connections, const struct address *a, bool plain,
			      int backlog, char *error, size_t size)
{
	int fd = bind_socket(a, backlog);
	char text[ADDRESS_TEXT];
	struct listener *l;

	if (fd < 0) {
		int why = errno;

		snprintf(error, size, "cannot listen on %s: %s%s", address_text(a, text), strerror(why), advice(why));
		return NULL;
	}
	l = calloc(1, sizeof *l);
	if (!l)
		abort();
	l->loop = loop;
	l->connections = connections;
	l->plain = plain;
	l->fd = fd;
	(void)address_of_socket(fd, &l->address);
	io_init(&l->io, loop, fd, ready, l);
	timer_init(&l->pause, loop, go_on, l);
	return l;
}

void listener_start(struct listener *l)
{
	io_want(&l->io, true, false);
}

void listener_free(struct listener *l)
{
	if (!l)
		return;
	timer_stop(&l->pause);
	io_stop(&l->io);
	close(l->fd);
	loop_free_later(l->loop, l);
}

const struct address *listener_address(const struct listener *l)
{
	return &l->address;
}

bool listener_is_plain(const struct listener *l)
{
	return l->plain;
}
