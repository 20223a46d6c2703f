/*
 * TCP ingress: a listening port; one stream channel for each connection, which a relay joins. A connection
 * that comes while there is no session waits for one. Made by helper.c.
 */
#include "client/ingress_listener.h"

#include <stdlib.h>

#include "client/relay.h"
#include "framing/capsule.h"
#include "tunnel/log.h"
#include "tunnel/stream_tcp.h"

#define WAIT_US (10 * LOOP_SECOND)	/* for a session */

struct conn {
	struct ingress_guest guest;	/* first */
	struct relay relay;	/* without a channel: waits for a session */
	struct timer wait;
};

/* Unlinks it and closes the socket, in order or by reset. The channel is done with. */
static void conn_free(struct conn *c, bool reset)
{
	timer_stop(&c->wait);
	ingress_listener_dismiss(&c->guest);
	relay_fini(&c->relay, reset);
	loop_free_later(c->relay.loop, c);
}

static void on_broken(void *ctx)
{
	struct conn *c = ctx;

	log_debug("tcp", c->guest.peer, "the local connection to %s was reset", c->guest.ingress->local);
	conn_free(c, true);
}

static void refuse(struct conn *c, const char *why)
{
	log_limited(LOG_LEVEL_WARN, "tcp", c->guest.peer, "connection to %s (service %s) reset: %s", c->guest.ingress->local,
		    c->guest.ingress->service, why);
	conn_free(c, true);
}

static void on_closed(void *ctx, uint64_t code, const char *reason)
{
	struct conn *c = ctx;

	if (code == CODE_NONE)
		conn_free(c, false);
	else
		refuse(c, reason);
}

static const struct relay_events relay_events = { .closed = on_closed, .broken = on_broken };

static void conn_open(struct conn *c, struct session *s)
{
	struct ingress *i = c->guest.ingress;
	const struct channel_params params = {
		.kind = KIND_STREAM,
		.service = i->service,
		.port_index = i->port_index,
		.total = &i->total,
	};

	if (!relay_open(&c->relay, s, &params)) {
		refuse(c, "the server allows no more channels in this session");
		return;
	}
	timer_stop(&c->wait);
	log_debug("tcp", c->guest.peer, "connection to %s is channel %llu of session %s", i->local,
		  (unsigned long long)channel_id(c->relay.channel), session_tag(s));
	relay_start(&c->relay, RELAY_ALL);
}

static void on_wait(void *ctx)
{
	refuse(ctx, "there was no session with the server for 10 s");
}

/* The listener. */

static void conn_new(struct ingress *i, int fd, const struct address *from)
{
	static const struct stream_events none;
	const struct ingress_host *host = i->host;
	struct conn *c = calloc(1, sizeof *c);
	struct session *s;

	if (!c)
		abort();
	ingress_listener_admit(i, &c->guest, from);
	timer_init(&c->wait, host->loop, on_wait, c);
	relay_init(&c->relay, host->loop, stream_tcp_adopt(host->loop, fd, &none, c), &relay_events, c);
	s = host->session(host->ctx);
	if (s) {
		conn_open(c, s);
		return;
	}
	log_debug("tcp", c->guest.peer, "connection to %s waits for a session", i->local);
	timer_in(&c->wait, WAIT_US);
}

static struct ingress *tcp_open(const struct ingress_host *host, int fd, const char *service, unsigned port_index)
{
	return ingress_listener_open(&ingress_tcp, host, fd, service, port_index, conn_new);
}

static void guest_open(struct ingress_guest *g, struct session *s)
{
	struct conn *c = (struct conn *)g;

	if (!c->relay.started)
		conn_open(c, s);
}

static void tcp_welcome(struct ingress *i)
{
	ingress_listener_welcome(i, guest_open);
}

static void guest_end(struct ingress_guest *g)
{
	conn_free((struct conn *)g, true);
}

static void tcp_close(struct ingress *i)
{
	ingress_listener_close(i, guest_end);
}

const struct ingress_kind ingress_tcp = {
	.scheme = "tcp",
	.bind = ingress_listener_bind,
	.open = tcp_open,
	.welcome = tcp_welcome,
	.close = tcp_close,
};
