/*
 * The listening socket of a local port, and its guests. Used by the kinds of ingress that take connections.
 */
#include "client/ingress_listener.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tunnel/log.h"

#define ACCEPT_PAUSE_US LOOP_SECOND	/* after accept failed for want of descriptors */
#define ACCEPT_BATCH 16			/* connections per turn */

struct listener {
	struct ingress ingress;	/* first */
	int fd;
	struct io io;
	struct timer pause;
	ingress_accepted *accepted;
	struct ingress_guest *guests;
};

/* Closes so that the other side sees a reset, not an orderly end. */
static void turn_away(int fd)
{
	const struct linger hard = { .l_onoff = 1, .l_linger = 0 };

	setsockopt(fd, SOL_SOCKET, SO_LINGER, &hard, sizeof hard);
	close(fd);
}

static void on_accept(void *ctx, bool readable, bool writable)
{
	struct listener *l = ctx;
	struct ingress *i = &l->ingress;

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
	struct listener *l = ctx;

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

struct ingress *ingress_listener_open(const struct ingress_kind *kind, const struct ingress_host *host, int fd, const char *service,
				      unsigned port_index, ingress_accepted *accepted)
{
	struct listener *l = calloc(1, sizeof *l);

	if (!l)
		abort();
	ingress_init(&l->ingress, kind, host, fd, service, port_index);
	l->fd = fd;
	l->accepted = accepted;
	timer_init(&l->pause, host->loop, on_pause, l);
	io_init(&l->io, host->loop, fd, on_accept, l);
	io_want(&l->io, true, false);
	return &l->ingress;
}

void ingress_listener_admit(struct ingress *i, struct ingress_guest *g, const struct address *from)
{
	struct listener *l = (struct listener *)i;

	g->ingress = i;
	address_text(from, g->peer);
	g->link = &l->guests;
	g->next = l->guests;
	if (g->next)
		g->next->link = &g->next;
	l->guests = g;
	i->flows++;
}

void ingress_listener_dismiss(struct ingress_guest *g)
{
	if (!g->ingress)
		return;
	*g->link = g->next;
	if (g->next)
		g->next->link = g->link;
	g->ingress->flows--;
	g->ingress = NULL;
}

void ingress_listener_welcome(struct ingress *i, void (*open)(struct ingress_guest *, struct session *))
{
	struct ingress_guest *next;

	for (struct ingress_guest *g = ((struct listener *)i)->guests; g; g = next) {
		struct session *s = i->host->session(i->host->ctx);

		next = g->next;
		if (s)
			open(g, s);
	}
}

void ingress_listener_close(struct ingress *i, void (*end)(struct ingress_guest *))
{
	struct listener *l = (struct listener *)i;

	while (l->guests)
		end(l->guests);
	timer_stop(&l->pause);
	io_stop(&l->io);
	close(l->fd);
	free(l);
}
