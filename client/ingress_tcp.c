/*
 * TCP ingress: a listening port; one stream channel for each connection. Bytes
 * go straight from the socket into the channel's buffer and back, so a side that
 * does not take them stops the other. The halves close one by one. A connection
 * that comes while there is no session waits for one. Made by helper.c; calls
 * channel_* and stream_*.
 */
#include "client/ingress_listener.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "framing/capsule.h"
#include "framing/error.h"
#include "tunnel/channel.h"
#include "tunnel/log.h"
#include "tunnel/stream_tcp.h"

#define WAIT_US (10 * LOOP_SECOND)	/* for a session */
#define READ_ROUNDS 8			/* portions per turn */

struct conn;

struct port {
	struct ingress ingress;
	struct ingress_listener listener;
	struct conn *conns;
};

struct conn {
	struct conn *next, **link;
	struct port *port;
	struct stream *stream;
	struct channel *channel; /* NULL: waits for a session */
	struct timer wait;
	struct later broken;	/* the socket failed within a call of the channel */
	bool eof;		/* the local side has ended its half */
	bool no_room;		/* the channel takes nothing more for now */
	bool full;		/* the socket takes nothing more for now */
	char peer[ADDRESS_TEXT];
};

static const struct endpoint_ops endpoint;
static const struct stream_events stream_events;

/* The one place where interest is set. */
static void conn_update(struct conn *c)
{
	stream_want(c->stream, c->channel && !c->eof && !c->no_room, c->channel && c->full);
}

/* Unlinks it and closes the socket, in order or by reset. The channel is done with. */
static void conn_free(struct conn *c, bool reset)
{
	timer_stop(&c->wait);
	later_cancel(c->port->ingress.host->loop, &c->broken);
	*c->link = c->next;
	if (c->next)
		c->next->link = c->link;
	c->port->ingress.flows--;
	if (reset)
		stream_tcp_abort(c->stream);
	else
		stream_close(c->stream);
	loop_free_later(c->port->ingress.host->loop, c);
}

/* The local side is gone. */
static void conn_broken(void *ctx)
{
	struct conn *c = ctx;

	log_debug("tcp", c->peer, "the local connection to %s was reset", c->port->ingress.local);
	if (c->channel)
		channel_close(c->channel, CODE_LOCAL_RESET, "the local connection was reset");
	conn_free(c, true);
}

static void refuse(struct conn *c, const char *why)
{
	log_limited(LOG_LEVEL_WARN, "tcp", c->peer, "connection to %s (service %s) reset: %s", c->port->ingress.local,
		    c->port->ingress.service, why);
	conn_free(c, true);
}

/* False when it is gone. */
static bool conn_open(struct conn *c, struct session *s)
{
	struct ingress *i = &c->port->ingress;
	const struct channel_params params = {
		.kind = KIND_STREAM,
		.service = i->service,
		.port_index = i->port_index,
		.total = &i->total,
	};

	c->channel = channel_open(s, &params, &endpoint, c);
	if (!c->channel) {
		refuse(c, "the server allows no more channels in this session");
		return false;
	}
	timer_stop(&c->wait);
	log_debug("tcp", c->peer, "connection to %s is channel %llu of session %s", i->local,
		  (unsigned long long)channel_id(c->channel), session_tag(s));
	conn_update(c);
	return true;
}

static void on_wait(void *ctx)
{
	refuse(ctx, "there was no session with the server for 10 s");
}

/* From the socket into the channel. */

static void on_readable(void *ctx)
{
	struct conn *c = ctx;
	unsigned round;

	for (round = 0; round < READ_ROUNDS; round++) {
		size_t room;
		uint8_t *p = channel_reserve(c->channel, &room);
		ssize_t n;

		if (room == 0) {
			c->no_room = true;
			break;
		}
		n = stream_read(c->stream, p, room);
		if (n == ERROR_AGAIN)
			break;
		if (n == 0) {
			c->eof = true;
			channel_finish(c->channel);
			break;
		}
		if (n < 0) {
			conn_broken(c);
			return;
		}
		channel_commit(c->channel, (size_t)n);
	}
	conn_update(c);
}

static void on_channel_writable(void *ctx)
{
	struct conn *c = ctx;

	c->no_room = false;
	conn_update(c);
}

/* From the channel into the socket. */

static size_t on_bytes(void *ctx, const uint8_t *p, size_t n)
{
	struct conn *c = ctx;
	ssize_t taken = c->full ? ERROR_AGAIN : stream_write(c->stream, p, n);

	if (taken < 0 && taken != ERROR_AGAIN) {
		loop_later(c->port->ingress.host->loop, &c->broken);
		return n;
	}
	if (taken < 0)
		taken = 0;
	c->full = (size_t)taken < n;
	conn_update(c);
	return (size_t)taken;
}

static void on_writable(void *ctx)
{
	struct conn *c = ctx;

	c->full = false;
	conn_update(c);
	channel_resume(c->channel);
}

static void on_finish(void *ctx)
{
	struct conn *c = ctx;

	stream_tcp_finish(c->stream);
}

static void on_failed(void *ctx, int error)
{
	(void)error;
	conn_broken(ctx);
}

static void on_closed(void *ctx, uint64_t code, const char *reason)
{
	struct conn *c = ctx;

	c->channel = NULL;
	if (code == CODE_NONE)
		conn_free(c, false);
	else
		refuse(c, reason && reason[0] ? reason : capsule_code_text(code));
}

static const struct endpoint_ops endpoint = {
	.bytes = on_bytes,
	.finish = on_finish,
	.writable = on_channel_writable,
	.closed = on_closed,
};

static const struct stream_events stream_events = {
	.readable = on_readable,
	.writable = on_writable,
	.failed = on_failed,
};

/* The listener. */

static void conn_new(struct ingress *i, int fd, const struct address *from)
{
	struct port *port = (struct port *)i;
	const struct ingress_host *host = port->ingress.host;
	struct conn *c = calloc(1, sizeof *c);
	struct session *s;

	if (!c)
		abort();
	c->port = port;
	address_text(from, c->peer);
	timer_init(&c->wait, host->loop, on_wait, c);
	later_init(&c->broken, conn_broken, c);
	c->stream = stream_tcp_adopt(host->loop, fd, &stream_events, c);
	c->link = &port->conns;
	c->next = port->conns;
	if (c->next)
		c->next->link = &c->next;
	port->conns = c;
	port->ingress.flows++;
	s = host->session(host->ctx);
	if (s) {
		conn_open(c, s);
		return;
	}
	log_debug("tcp", c->peer, "connection to %s waits for a session", port->ingress.local);
	timer_in(&c->wait, WAIT_US);
	conn_update(c);
}

static struct ingress *tcp_open(const struct ingress_host *host, int fd, const char *service, unsigned port_index)
{
	struct port *port = calloc(1, sizeof *port);

	if (!port)
		abort();
	ingress_init(&port->ingress, &ingress_tcp, host, fd, service, port_index);
	ingress_listener_start(&port->listener, &port->ingress, fd, conn_new);
	return &port->ingress;
}

static void tcp_welcome(struct ingress *i)
{
	struct port *port = (struct port *)i;
	struct conn *c, *next;

	for (c = port->conns; c; c = next) {
		struct session *s = i->host->session(i->host->ctx);

		next = c->next;
		if (s && !c->channel && !c->broken.queued)
			conn_open(c, s);
	}
}

static void tcp_close(struct ingress *i)
{
	struct port *port = (struct port *)i;

	while (port->conns) {
		assert(!port->conns->channel);
		conn_free(port->conns, true);
	}
	ingress_listener_stop(&port->listener);
	free(port);
}

const struct ingress_kind ingress_tcp = {
	.scheme = "tcp",
	.bind = ingress_listener_bind,
	.open = tcp_open,
	.welcome = tcp_welcome,
	.close = tcp_close,
};
