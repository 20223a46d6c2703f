/*
 * Resolver: c-ares on our loop. Its sockets become io watchers, its time-outs
 * one timer; answers are copied and handed over at the end of the turn, so
 * c-ares is never entered from one of its own callbacks. Called by the dialler
 * and by egress; the channel is made anew when resolv.conf changed (roaming).
 */
#include "tunnel/resolve.h"

#include <ares.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/time.h>

#include "framing/error.h"
#include "tunnel/log.h"

#define RESOLVE_DEADLINE (5 * LOOP_SECOND)
#define RESOLVE_TRY_MS 1500		/* first time-out of one question; the second try waits twice as long */
#define RESOLVE_TRIES 2
#define RESOLVE_V4_ALONE (1 * LOOP_SECOND) /* then A is asked alone: some servers never answer AAAA */
#define RESOLVE_CONF "/etc/resolv.conf"

struct resolver_socket {
	struct resolver *resolver;
	struct resolver_socket *next;
	struct io io;
	int fd;
};

struct resolver {
	struct loop *loop;
	ares_channel channel;
	bool open, stale;
	struct timer timer;
	struct timespec conf_time;	/* of resolv.conf when the channel was opened */
	ino_t conf_inode;
	struct resolver_socket *sockets;
	struct resolve *lookups;
	unsigned questions;		/* c-ares owes so many callbacks */
};

struct resolve {
	struct resolver *resolver;
	struct resolve *next, **link;	/* in resolver->lookups; link is NULL once it is over */
	struct later later;
	struct timer timer;
	unsigned questions;		/* freed only when c-ares owes nothing */
	bool v4_asked, freeing;
	int64_t deadline;
	void (*done)(void *ctx, const struct address *, size_t n, int error);
	void *ctx;
	int error;
	size_t n;
	struct address address[RESOLVE_MAX];
	uint16_t port;
	char host[];
};

/* Sockets and time-outs of c-ares. */

static void resolver_rearm(struct resolver *r)
{
	struct timeval tv, *next = r->open ? ares_timeout(r->channel, NULL, &tv) : NULL;

	if (next)
		timer_in(&r->timer, next->tv_sec * LOOP_SECOND + next->tv_usec + LOOP_MS);
	else
		timer_stop(&r->timer);
}

static void resolver_timeout(void *ctx)
{
	struct resolver *r = ctx;

	ares_process_fd(r->channel, ARES_SOCKET_BAD, ARES_SOCKET_BAD);
	resolver_rearm(r);
}

static void resolver_socket_ready(void *ctx, bool readable, bool writable)
{
	struct resolver_socket *s = ctx;
	struct resolver *r = s->resolver;
	int fd = s->fd;

	ares_process_fd(r->channel, readable ? fd : ARES_SOCKET_BAD, writable ? fd : ARES_SOCKET_BAD);
	resolver_rearm(r);
}

/* c-ares tells what it waits for on a socket; neither: it closes it. */
static void resolver_socket_state(void *ctx, ares_socket_t fd, int readable, int writable)
{
	struct resolver *r = ctx;
	struct resolver_socket *s, **link;

	for (link = &r->sockets; (s = *link) && s->fd != fd; link = &s->next)
		;
	if (!s) {
		if (!readable && !writable)
			return;
		s = calloc(1, sizeof *s);
		if (!s)
			abort();
		s->resolver = r;
		s->fd = fd;
		s->next = NULL;
		*link = s;
		io_init(&s->io, r->loop, fd, resolver_socket_ready, s);
	}
	io_want(&s->io, readable, writable);
	if (!readable && !writable) {
		*link = s->next;
		io_stop(&s->io);
		loop_free_later(r->loop, s);
	}
}

/* The channel. */

static void resolver_close(struct resolver *r)
{
	if (!r->open)
		return;
	ares_destroy(r->channel); /* calls back what is under way with ARES_EDESTRUCTION */
	r->open = false;
	timer_stop(&r->timer);
}

static int resolver_open(struct resolver *r)
{
	char lookups[] = "fb"; /* the hosts file, then DNS */
	struct ares_options o = {
		.timeout = RESOLVE_TRY_MS,
		.tries = RESOLVE_TRIES,
		.lookups = lookups,
		.sock_state_cb = resolver_socket_state,
		.sock_state_cb_data = r,
	};
	int rc = ares_init_options(&r->channel, &o, ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES | ARES_OPT_LOOKUPS |
				   ARES_OPT_SOCK_STATE_CB);

	if (rc != ARES_SUCCESS) {
		log_warn("resolve", "", "cannot set up name resolution: %s", ares_strerror(rc));
		return ERROR_RESOLVE;
	}
	r->open = true;
	return 0;
}

/* Opens the channel, or opens it anew when nothing is under way and other servers are configured; on another network
 * what is under way is given up. */
static int resolver_refresh(struct resolver *r)
{
	struct stat st = { 0 };
	bool changed;

	(void)stat(RESOLVE_CONF, &st);
	changed = r->stale || st.st_ino != r->conf_inode || st.st_mtim.tv_sec != r->conf_time.tv_sec ||
		  st.st_mtim.tv_nsec != r->conf_time.tv_nsec;
	if (r->open && (!changed || (r->questions && !r->stale)))
		return 0;
	resolver_close(r);
	r->conf_inode = st.st_ino;
	r->conf_time = st.st_mtim;
	r->stale = false;
	return resolver_open(r);
}

struct resolver *resolver_new(struct loop *loop)
{
	struct resolver *r = calloc(1, sizeof *r);

	if (!r || ares_library_init(ARES_LIB_INIT_ALL) != ARES_SUCCESS)
		abort();
	r->loop = loop;
	timer_init(&r->timer, loop, resolver_timeout, r);
	return r;
}

void resolver_renew(struct resolver *r)
{
	r->stale = true;
}

void resolver_free(struct resolver *r)
{
	if (!r)
		return;
	while (r->lookups)
		resolve_cancel(r->lookups);
	resolver_close(r);
	timer_stop(&r->timer);
	ares_library_cleanup();
	loop_free_later(r->loop, r);
}

/* One lookup. */

/* Ends it in any state; the memory stays until c-ares has called back. */
static void resolve_drop(struct resolve *q)
{
	if (q->link) {
		*q->link = q->next;
		if (q->next)
			q->next->link = q->link;
		q->link = NULL;
		later_cancel(q->resolver->loop, &q->later);
		timer_stop(&q->timer);
	}
	if (q->questions == 0 && !q->freeing) {
		q->freeing = true;
		loop_free_later(q->resolver->loop, q);
	}
}

void resolve_cancel(struct resolve *q)
{
	resolve_drop(q);
}

static void resolve_finish(void *ctx)
{
	struct resolve *q = ctx;

	resolve_drop(q);
	if (q->n)
		q->done(q->ctx, q->address, q->n, 0);
	else
		q->done(q->ctx, NULL, 0, q->error);
}

static void resolve_add(struct resolve *q, const struct sockaddr *sa, socklen_t len)
{
	struct address a = { .len = len };

	if (q->n == RESOLVE_MAX || len > sizeof a.sa)
		return;
	memcpy(&a.sa, sa, len);
	address_set_port(&a, q->port);
	for (size_t i = 0; i < q->n; i++)
		if (address_equal(&q->address[i], &a))
			return;
	q->address[q->n++] = a;
}

/* The order of c-ares (RFC 6724) decides the family that goes first; then they alternate (RFC 8305 section 4). */
static void resolve_take(struct resolve *q, const struct ares_addrinfo *result)
{
	const struct ares_addrinfo_node *own = result->nodes, *other = result->nodes;
	int first = own ? own->ai_family : AF_UNSPEC;

	while (own || other) {
		while (own && own->ai_family != first)
			own = own->ai_next;
		while (other && other->ai_family == first)
			other = other->ai_next;
		if (own) {
			resolve_add(q, own->ai_addr, own->ai_addrlen);
			own = own->ai_next;
		}
		if (other) {
			resolve_add(q, other->ai_addr, other->ai_addrlen);
			other = other->ai_next;
		}
	}
}

static int resolve_error(int status)
{
	return status == ARES_ETIMEOUT ? ERROR_TIMEOUT : ERROR_RESOLVE;
}

static void resolve_answer(void *ctx, int status, int timeouts, struct ares_addrinfo *result)
{
	struct resolve *q = ctx;

	(void)timeouts;
	q->questions--;
	q->resolver->questions--;
	if (!q->link) {
		resolve_drop(q);
	} else if (q->n == 0) {
		if (status == ARES_SUCCESS)
			resolve_take(q, result);
		else
			q->error = resolve_error(status);
		if (q->n || q->questions == 0)
			loop_later(q->resolver->loop, &q->later);
	}
	if (result)
		ares_freeaddrinfo(result);
}

static void resolve_ask(struct resolve *q, int family)
{
	struct ares_addrinfo_hints hints = { .ai_family = family, .ai_socktype = SOCK_STREAM };

	q->questions++;
	q->resolver->questions++;
	ares_getaddrinfo(q->resolver->channel, q->host, NULL, &hints, resolve_answer, q);
	resolver_rearm(q->resolver);
}

static void resolve_deadline(void *ctx)
{
	struct resolve *q = ctx;

	if (loop_now(q->resolver->loop) >= q->deadline) {
		q->error = ERROR_TIMEOUT;
		resolve_finish(q);
		return;
	}
	timer_set(&q->timer, q->deadline);
	if (!q->v4_asked) {
		q->v4_asked = true;
		resolve_ask(q, AF_INET);
	}
}

static struct resolve *resolve_new(struct resolver *r, const char *host, uint16_t port)
{
	struct resolve *q = calloc(1, sizeof *q + strlen(host) + 1);

	if (!q)
		abort();
	q->resolver = r;
	q->port = port;
	memcpy(q->host, host, strlen(host));
	later_init(&q->later, resolve_finish, q);
	timer_init(&q->timer, r->loop, resolve_deadline, q);
	q->next = r->lookups;
	q->link = &r->lookups;
	if (q->next)
		q->next->link = &q->next;
	r->lookups = q;
	return q;
}

struct resolve *resolve_start(struct resolver *r, const char *host, uint16_t port,
			      void (*done)(void *ctx, const struct address *, size_t n, int error), void *ctx)
{
	struct resolve *q = resolve_new(r, host, port);

	q->done = done;
	q->ctx = ctx;
	if (address_literal(host, port, &q->address[0])) {
		q->n = 1;
		loop_later(r->loop, &q->later);
	} else if ((q->error = resolver_refresh(r)) < 0) {
		loop_later(r->loop, &q->later);
	} else {
		q->deadline = loop_now(r->loop) + RESOLVE_DEADLINE;
		timer_in(&q->timer, RESOLVE_V4_ALONE);
		resolve_ask(q, AF_UNSPEC);
	}
	return q;
}
