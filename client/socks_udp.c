/* Made by ingress_socks for as long as the client's TCP connection stands; calls channel_* and udp_*. */
#include "client/socks_udp.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "client/local_target.h"
#include "framing/capsule.h"
#include "framing/error.h"
#include "tunnel/channel.h"
#include "tunnel/counters.h"
#include "tunnel/log.h"
#include "tunnel/udp.h"
#include "tunnel/udp_sender.h"

#define RETRY_US (5 * LOOP_SECOND)	/* after a refusal */
#define ROUNDS 4			/* batches per turn */

struct flow {
	struct flow *next;
	struct socks_udp *udp;
	struct channel *channel; /* NULL: none now */
	int64_t retry_us;	/* no channel before this time */
	struct socks5_request to;
	uint8_t head[SOCKS5_UDP_HEAD_MAX]; /* of what comes from there */
	size_t head_len;
};

struct socks_udp {
	struct ingress *ingress;
	int fd;
	struct io io;
	struct address local, client; /* client: with a port once it is known */
	struct flow *flows;
	unsigned n;
	uint8_t out[SOCKS5_UDP_HEAD_MAX + UDP_MAX];
};

static const struct endpoint_ops endpoint;

/* ---- flows ---- */

static struct flow *flow_find(struct socks_udp *u, const struct socks5_request *to)
{
	for (struct flow *f = u->flows; f; f = f->next)
		if (f->to.port == to->port && f->to.literal == to->literal && !strcmp(f->to.host, to->host))
			return f;
	return NULL;
}

static struct flow *flow_new(struct socks_udp *u, const struct socks5_request *to)
{
	const struct ingress *i = u->ingress;
	struct flow *f;

	if (u->n == SOCKS_UDP_FLOWS_MAX || i->flows >= i->host->max_flows) {
		log_limited(LOG_LEVEL_WARN, "socks5", i->local, "datagrams to %s port %u are dropped: %s", to->host, to->port,
			    u->n == SOCKS_UDP_FLOWS_MAX ? "the association has 64 addresses already" : "too many flows (max-flows)");
		return NULL;
	}
	f = calloc(1, sizeof *f);
	if (!f)
		abort();
	f->udp = u;
	f->to = *to;
	f->head_len = socks5_udp_put(f->head, to);
	f->next = u->flows;
	u->flows = f;
	u->n++;
	u->ingress->flows++;
	return f;
}

/* Without a channel. */
static void flow_free(struct flow *f)
{
	struct flow **at = &f->udp->flows;

	while (*at != f)
		at = &(*at)->next;
	*at = f->next;
	f->udp->n--;
	f->udp->ingress->flows--;
	loop_free_later(f->udp->ingress->host->loop, f);
}

static void flow_open(struct flow *f)
{
	struct ingress *i = f->udp->ingress;
	struct session *s = i->host->session(i->host->ctx);
	char target[MESSAGE_TARGET_MAX + 1];
	const struct channel_params params = {
		.kind = KIND_DATAGRAM,
		.service = target,
		.class = i->wish.class,
		.redundancy = i->wish.redundancy,
		.deadline_ms = i->wish.deadline_ms,
		.total = &i->total,
	};

	if (!s || loop_now(i->host->loop) < f->retry_us || !local_target(f->to.host, f->to.port, target))
		return;
	f->channel = channel_open(s, &params, &endpoint, f);
	if (f->channel) {
		log_debug("socks5", i->local, "datagrams to %s are channel %llu", target, (unsigned long long)channel_id(f->channel));
		return;
	}
	f->retry_us = loop_now(i->host->loop) + RETRY_US;
	log_limited(LOG_LEVEL_WARN, "socks5", i->local, "no channel for datagrams to %s: the server allows no more, or none to addresses", target);
}

static void on_datagram(void *ctx, const uint8_t *p, size_t n)
{
	struct flow *f = ctx;
	struct socks_udp *u = f->udp;

	if (f->head_len + n > UDP_MAX || !address_port(&u->client))
		return;
	memcpy(u->out, f->head, f->head_len);
	memcpy(u->out + f->head_len, p, n);
	udp_sender_put(u->ingress->host->sender, u->fd, u->out, f->head_len + n, &u->client);
}

static void on_closed(void *ctx, uint64_t code, const char *reason)
{
	struct flow *f = ctx;
	struct ingress *i = f->udp->ingress;

	f->channel = NULL;
	if (code == CODE_NONE || code == CODE_IDLE) {
		flow_free(f);
		return;
	}
	if (ingress_session_lost(code))
		return;		/* the next datagram opens another one */
	f->retry_us = loop_now(i->host->loop) + RETRY_US;
	log_limited(LOG_LEVEL_WARN, "socks5", i->local, "datagrams to %s port %u: %s", f->to.host, f->to.port,
		    reason && *reason ? reason : capsule_code_text(code));
}

static const struct endpoint_ops endpoint = { .datagram = on_datagram, .closed = on_closed };

/* ---- the socket ---- */

/* Is it the client's? Its first datagram tells the port. */
static bool is_clients(struct socks_udp *u, const struct address *from)
{
	struct address host = *from;

	address_set_port(&host, address_port(&u->client));
	if (!address_equal(&host, &u->client))
		return false;
	if (!address_port(&u->client))
		u->client = *from;
	return address_equal(from, &u->client);
}

static void drop(struct socks_udp *u, struct packet *packet)
{
	count(dropped_no_channel);
	u->ingress->dropped++;
	packet_put(packet);
}

static void from_client(struct socks_udp *u, const struct address *from, struct packet *packet)
{
	struct socks5_request to;
	ssize_t head = is_clients(u, from) ? socks5_udp_get(packet->data, packet->len, &to) : ERROR_MALFORMED;
	struct flow *f = head > 0 ? flow_find(u, &to) : NULL;

	if (head > 0 && !f)
		f = flow_new(u, &to);
	if (f && !f->channel)
		flow_open(f);
	if (!f || !f->channel) {
		drop(u, packet);
		return;
	}
	packet->data += head;
	packet->len -= (size_t)head;
	channel_send(f->channel, packet);
}

static void on_ready(void *ctx, bool readable, bool writable)
{
	struct socks_udp *u = ctx;
	struct packet *packet[UDP_BATCH];
	struct address from[UDP_BATCH];
	unsigned n = UDP_BATCH;

	(void)readable, (void)writable;
	for (unsigned round = 0; round < ROUNDS && n == UDP_BATCH; round++) {
		n = udp_receive(u->fd, u->ingress->host->packets, packet, from, UDP_BATCH, loop_touch(u->ingress->host->loop));
		for (unsigned i = 0; i < n; i++)
			from_client(u, &from[i], packet[i]);
	}
}

struct socks_udp *socks_udp_new(struct ingress *ingress, const struct address *on, const struct address *client, uint16_t port)
{
	struct socks_udp *u = calloc(1, sizeof *u);

	if (!u)
		abort();
	u->ingress = ingress;
	u->local = *on;
	u->client = *client;
	address_set_port(&u->client, port);
	address_set_port(&u->local, 0);
	u->fd = udp_bind(&u->local);
	if (u->fd < 0 || address_of_socket(u->fd, &u->local) < 0) {
		if (u->fd >= 0)
			close(u->fd);
		free(u);
		return NULL;
	}
	io_init(&u->io, ingress->host->loop, u->fd, on_ready, u);
	io_want(&u->io, true, false);
	return u;
}

const struct address *socks_udp_address(const struct socks_udp *u)
{
	return &u->local;
}

void socks_udp_free(struct socks_udp *u)
{
	if (!u)
		return;
	while (u->flows) {
		struct channel *channel = u->flows->channel;

		u->flows->channel = NULL;
		flow_free(u->flows);
		if (channel)
			channel_close(channel, CODE_NONE, "");
	}
	io_stop(&u->io);
	udp_sender_flush(u->ingress->host->sender);
	close(u->fd);
	loop_free_later(u->ingress->host->loop, u);
}
