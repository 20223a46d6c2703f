/*
 * Listening sockets. Made by main; what they accept goes to the connections.
 */
#include "server/listener.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "server/unix_socket.h"
#include "tunnel/log.h"

#define BATCH 64		/* accepted in one turn */
#define PAUSE (100 * LOOP_MS)	/* when descriptors ran out */

struct listener {
	struct loop *loop;
	struct connections *connections;
	struct address address;
	struct connections_manner manner;
	bool made;		/* a Unix socket that is ours to remove */
	struct unix_socket made_as;
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
			address_unmap(&peer);
			connections_accept(l->connections, fd, &peer, &l->manner);
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

static int bind_internet(const struct address *a)
{
	int fd = socket(a->sa.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), on = 1, saved;

	if (fd < 0)
		return -1;
	(void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
	if (a->sa.ss_family == AF_INET6)
		(void)setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on);
	if (!bind(fd, (const struct sockaddr *)&a->sa, a->len))
		return fd;
	saved = errno;
	close(fd);
	errno = saved;
	return -1;
}

static int bind_socket(struct unix_socket *made, const struct listener_place *at, int backlog)
{
	bool is_unix = at->address.sa.ss_family == AF_UNIX;
	int fd = is_unix ? unix_socket_bind(made, &at->address, at->mode) : bind_internet(&at->address), saved;

	if (fd < 0 || !listen(fd, backlog))
		return fd;
	saved = errno;
	if (is_unix)
		unix_socket_remove(made, &at->address);
	close(fd);
	errno = saved;
	return -1;
}

static const char *advice_unix(int error)
{
	switch (error) {
	case EADDRINUSE:
		return ": another program listens there; stop it or choose another path";
	case EEXIST:
		return ": what lies there is no socket, and is left alone; choose another path";
	case ENOENT:
		return ": make its directory first";
	case EACCES:
	case EPERM:
		return ": its directory must be writable for the user that culvertd runs as";
	default:
		return "";
	}
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

static struct listener *make(struct loop *loop, struct connections *connections, const struct connections_manner *manner, int fd)
{
	struct listener *l = calloc(1, sizeof *l);

	if (!l)
		abort();
	l->loop = loop;
	l->connections = connections;
	l->manner = *manner;
	l->fd = fd;
	(void)address_of_socket(fd, &l->address);
	io_init(&l->io, loop, fd, ready, l);
	timer_init(&l->pause, loop, go_on, l);
	return l;
}

struct listener *listener_new(struct loop *loop, struct connections *connections, const struct listener_place *at, int backlog,
			      char *error, size_t size)
{
	bool is_unix = at->address.sa.ss_family == AF_UNIX;
	struct unix_socket made = { 0 };
	int fd = bind_socket(&made, at, backlog);
	char text[ADDRESS_TEXT];
	struct listener *l;

	if (fd < 0) {
		int why = errno;

		snprintf(error, size, "cannot listen on %s: %s%s", address_text(&at->address, text), strerror(why),
			 is_unix ? advice_unix(why) : advice(why));
		return NULL;
	}
	l = make(loop, connections, &at->manner, fd);
	l->made = is_unix;
	l->made_as = made;
	return l;
}

struct listener *listener_adopt(struct loop *loop, struct connections *connections, const struct connections_manner *manner, int fd)
{
	return make(loop, connections, manner, fd);
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
	if (l->made)
		unix_socket_remove(&l->made_as, &l->address);
	close(l->fd);
	loop_free_later(l->loop, l);
}

const struct address *listener_address(const struct listener *l)
{
	return &l->address;
}

const struct connections_manner *listener_manner(const struct listener *l)
{
	return &l->manner;
}
