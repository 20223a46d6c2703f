/*
 * Stream over a socket: the kernel's buffers are kept small, so that what has
 * not been sent yet can still be dropped or reordered here. Called by the
 * dialler, the server's front, ingress and egress; calls the loop.
 */
#include "tunnel/stream_tcp.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "framing/error.h"
#include "tunnel/address.h"
#include "tunnel/log.h"
#include "tunnel/tcp_tuning.h"

enum tcp_state {
	TCP_CONNECTING,	/* -> OPEN, FAILED, ENDED */
	TCP_OPEN,	/* -> ENDED */
	TCP_FAILED,	/* could not connect -> ENDED */
	TCP_ENDED,
};

struct stream_tcp {
	struct stream base;
	struct loop *loop;
	struct io io;
	struct later fail;	/* reports an error of connect() itself */
	int fd;			/* -1: never opened */
	int error;
	enum tcp_state state;
	bool want_read, want_write;
	bool sparse, mixed, far;
	int64_t quick_us;	/* acknowledged at once last */
	char peer[ADDRESS_TEXT];
};

static const struct stream_ops tcp_ops;

static struct stream_tcp *tcp_of(struct stream *s)
{
	return (struct stream_tcp *)s;
}

static int tcp_error(int err)
{
	switch (err) {
	case ECONNREFUSED:
	case ENOENT:	/* no such Unix socket */
		return ERROR_REFUSED;
	case ENETUNREACH:
	case EHOSTUNREACH:
	case ENETDOWN:
	case EHOSTDOWN:
	case EADDRNOTAVAIL:	/* no address of that family here */
	case EAFNOSUPPORT:
		return ERROR_UNREACHABLE;
	case ETIMEDOUT:
		return ERROR_TIMEOUT;
	case ECONNRESET:
	case ECONNABORTED:
	case EPIPE:
	case ENOTCONN:
		return ERROR_RESET;
	default:
		log_limited(LOG_LEVEL_WARN, "tcp", "", "socket: %s", strerror(err));
		return ERROR_SYSTEM;
	}
}

/* The one place where interest is decided. */
static void tcp_interest(struct stream_tcp *t)
{
	if (t->state == TCP_CONNECTING && !t->error)
		io_want(&t->io, false, true);
	else if (t->state == TCP_OPEN)
		io_want(&t->io, t->want_read, t->want_write);
	else if (t->fd >= 0)
		io_want(&t->io, false, false);
}

static void tcp_name_peer(struct stream_tcp *t)
{
	struct address a = { .len = sizeof a.sa };

	if (getpeername(t->fd, (struct sockaddr *)&a.sa, &a.len) == 0)
		address_text(&a, t->peer);
}

static void tcp_connected(struct stream_tcp *t)
{
	int err = 0;
	socklen_t len = sizeof err;

	if (getsockopt(t->fd, SOL_SOCKET, SO_ERROR, &err, &len) < 0)
		err = errno;
	if (err) {
		t->error = tcp_error(err);
		t->state = TCP_FAILED;
		tcp_interest(t);
		t->base.events->failed(t->base.ctx, t->error);
		return;
	}
	t->state = TCP_OPEN;
	tcp_name_peer(t);
	tcp_interest(t);
	t->base.events->ready(t->base.ctx);
}

static void tcp_ready(void *ctx, bool readable, bool writable)
{
	struct stream_tcp *t = ctx;

	if (t->state == TCP_CONNECTING) {
		tcp_connected(t);
		return;
	}
	/* The first callback may pause the other direction, or close. */
	if (readable && t->state == TCP_OPEN && t->want_read)
		t->base.events->readable(t->base.ctx);
	if (writable && t->state == TCP_OPEN && t->want_write)
		t->base.events->writable(t->base.ctx);
}

static void tcp_fail(void *ctx)
{
	struct stream_tcp *t = ctx;

	t->state = TCP_FAILED;
	t->base.events->failed(t->base.ctx, t->error);
}

static struct stream_tcp *tcp_new(struct loop *loop, int fd, const struct stream_events *events, void *ctx)
{
	struct stream_tcp *t = calloc(1, sizeof *t);

	if (!t)
		abort();
	t->base = (struct stream){ .ops = &tcp_ops, .events = events, .ctx = ctx };
	t->loop = loop;
	t->fd = fd;
	later_init(&t->fail, tcp_fail, t);
	if (fd >= 0)
		io_init(&t->io, loop, fd, tcp_ready, t);
	return t;
}

struct stream *stream_tcp_connect(struct loop *loop, const struct sockaddr *sa, socklen_t len,
				  const struct stream_events *events, void *ctx)
{
	int fd = socket(sa->sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	int err = fd < 0 ? errno : 0;
	struct stream_tcp *t = tcp_new(loop, fd, events, ctx);

	if (!err) {
		tcp_tuning_begin(fd, sa->sa_family);
		if (connect(fd, sa, len) < 0 && errno != EINPROGRESS && errno != EINTR)
			err = errno;
	}
	if (err) {
		t->error = tcp_error(err);
		loop_later(loop, &t->fail);
	}
	tcp_interest(t);
	return &t->base;
}

struct stream *stream_tcp_adopt(struct loop *loop, int fd, const struct stream_events *events, void *ctx)
{
	struct stream_tcp *t = tcp_new(loop, fd, events, ctx);
	struct sockaddr_storage own;
	socklen_t len = sizeof own;

	fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
	fcntl(fd, F_SETFD, FD_CLOEXEC);
	if (getsockname(fd, (struct sockaddr *)&own, &len) == 0)
		tcp_tuning_begin(fd, own.ss_family);
	tcp_name_peer(t);
	t->state = TCP_OPEN;
	return &t->base;
}

/* What read and write say before and after the open state. */
static int tcp_not_open(const struct stream_tcp *t)
{
	if (t->error)
		return t->error;
	return t->state == TCP_CONNECTING ? ERROR_AGAIN : ERROR_CLOSED;
}

static ssize_t tcp_outcome(ssize_t n)
{
	if (n >= 0)
		return n;
	return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR ? ERROR_AGAIN : tcp_error(errno);
}

static ssize_t tcp_read(struct stream *s, uint8_t *p, size_t cap)
{
	struct stream_tcp *t = tcp_of(s);
	ssize_t n;

	if (t->state != TCP_OPEN)
		return tcp_not_open(t);
	n = recv(t->fd, p, cap, 0);
	/* When more comes sooner the kernel acknowledges without being asked. */
	if (n > 0 && t->sparse && loop_now(t->loop) - t->quick_us >= LOOP_MS) {
		t->quick_us = loop_now(t->loop);
		tcp_tuning_quick_ack(t->fd);
	}
	return tcp_outcome(n);
}

static ssize_t tcp_write(struct stream *s, const uint8_t *p, size_t n)
{
	struct stream_tcp *t = tcp_of(s);

	return t->state == TCP_OPEN ? tcp_outcome(send(t->fd, p, n, MSG_NOSIGNAL)) : tcp_not_open(t);
}

static void tcp_want(struct stream *s, bool read, bool write)
{
	struct stream_tcp *t = tcp_of(s);

	t->want_read = read;
	t->want_write = write;
	tcp_interest(t);
}

static void tcp_info(struct stream *s, struct stream_info *i)
{
	memset(i, 0, sizeof *i);
	memcpy(i->peer, tcp_of(s)->peer, sizeof i->peer - 1); /* paths may be cut */
	i->alpn = i->tls = "";
}

static void tcp_close(struct stream *s)
{
	struct stream_tcp *t = tcp_of(s);

	if (t->state == TCP_ENDED)
		return;
	t->state = TCP_ENDED;
	later_cancel(t->loop, &t->fail);
	if (t->fd >= 0) {
		io_stop(&t->io);
		close(t->fd);
	}
	loop_free_later(t->loop, t);
}

static void tcp_tune(struct stream *s, unsigned use)
{
	struct stream_tcp *t = tcp_of(s);
	bool sparse = use & STREAM_SPARSE && tcp_tuning_is_sparse(), mixed = use & STREAM_MIXED && t->far;

	if (t->state != TCP_OPEN)
		return;
	if (t->sparse != sparse)
		tcp_tuning_sparse(t->fd, sparse);
	if (t->mixed != mixed)
		tcp_tuning_mixed(t->fd, mixed);
	t->sparse = sparse;
	t->mixed = mixed;
}

static const struct stream_ops tcp_ops = { tcp_read, tcp_write, tcp_want, tcp_info, tcp_close, tcp_tune, NULL };

void stream_tcp_far(struct stream *s)
{
	tcp_of(s)->far = true;
	if (tcp_of(s)->fd >= 0)
		tcp_tuning_far(tcp_of(s)->fd);
}

void stream_tcp_finish(struct stream *s)
{
	struct stream_tcp *t = tcp_of(s);

	if (t->state == TCP_OPEN)
		shutdown(t->fd, SHUT_WR);
}

void stream_tcp_abort(struct stream *s)
{
	struct stream_tcp *t = tcp_of(s);
	struct linger reset = { .l_onoff = 1, .l_linger = 0 };

	if (t->fd >= 0 && t->state != TCP_ENDED)
		setsockopt(t->fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
	tcp_close(s);
}
