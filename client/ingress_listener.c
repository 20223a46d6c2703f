/*
 * The listening socket of a local port. Used by ingress_tcp.c and ingress_ws.c.
 */
#include "client/ingress_listener.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "tunnel/log.h"

#define ACCEPT_PAUSE_US LOOP_SECOND	/* after accept failed for want of descriptors */
#define ACCEPT_BATCH 16			/* connections per turn */

/* Closes so that the other side sees a reset, not an orderly end. */
static void turn_away(int fd)
{
	const struct linger hard = { .l_onoff = 1, .l_linger = 0 };

	setsockopt(fd, SOL_SOCKET, SO_LINGER, &hard, sizeof hard);
	close(fd);
}

static void on_accept(void *ctx, bool readable, bool writable)
{
	struct ingress_listener *l = ctx;
	struct ingress *i = l->ingress;

	(void)readable;
	(void)writable;
	for (unsigned n = 0; n < ACCEPT_BATCH; n++) {
		struct address from = { .len = sizeof from.sa };
		int fd = accept4(l->fd, (struct sockaddr *)&from.sa, &from.len, SOCK_NONBLOCK | SOCK_CLOEXEC);

		if (fd >= 0)
			i->reached_us = loop_now(i->host->loop);
		if (fd >= 0 && i->flows >= i->host->max_flows) {
			log_limited(LOG_LEVEL_WARN, i->kind->scheme, i->local,
				    "connection reset: %u are open already (max-flows)", i->flows);
			turn_away(fd);
		} else if (fd >= 0) {
			l->accepted(i, fd, &from);
		} else if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
			log_limited(LOG_LEVEL_ERROR, i->kind->scheme, i->local, "cannot accept: %s", strerror(errno));
			io_want(&l->io, false, false);
			timer_in(&l->pause, ACCEPT_PAUSE_US);
			return;
		} else if (errno == EAGAIN) {
			return;
		}
	}
}

static void on_pause(void *ctx)
{
	struct ingress_listener *l = ctx;

	io_want(&l->io, true, false);
}

int ingress_listener_bind(const struct address *a)
{
	int fd = socket(a->sa.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	const int on = 1;
	int e;

	if (fd < 0)
		return -1;
	if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) == 0 &&
	    (a->sa.ss_family != AF_INET6 || setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on) == 0) &&
	    bind(fd, (const struct sockaddr *)&a->sa, a->len) == 0 && listen(fd, SOMAXCONN) == 0)
		return fd;
	e = errno;
	close(fd);
	errno = e;
	return -1;
}

void ingress_listener_start(struct ingress_listener *l, struct ingress *i, int fd,
			    void (*accepted)(struct ingress *, int fd, const struct address *from))
{
	l->ingress = i;
	l->fd = fd;
	l->accepted = accepted;
	timer_init(&l->pause, i->host->loop, on_pause, l);
	io_init(&l->io, i->host->loop, fd, on_accept, l);
	io_want(&l->io, true, false);
}

void ingress_listener_stop(struct ingress_listener *l)
{
	timer_stop(&l->pause);
	io_stop(&l->io);
	close(l->fd);
}
