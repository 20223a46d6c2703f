/*
 * UDP ingress: one socket for each local port, and on it one flow, with a datagram
 * channel, for each local source. A flow outlives channels and sessions: when
 * its session is lost it opens a channel in the next one, and answers keep going from the
 * same socket to the same source. Made by helper.c; calls channel_* and udp_*.
 */
#include "client/ingress.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "framing/capsule.h"
#include "framing/error.h"
#include "tunnel/channel.h"
#include "tunnel/counters.h"
#include "tunnel/log.h"
#include "tunnel/udp.h"
#include "tunnel/udp_sender.h"

#define IDLE_MS 330000			/* of a flow, until the server says another time */
#define RETRY_US (5 * LOOP_SECOND)	/* after a refusal */
#define ROUNDS 4			/* batches per turn */
#define BUCKETS 64
#define WAITING_MAX 8			/* packets of a flow that wait for the first session */

struct flow;

struct port {
	struct ingress ingress;
	int fd;
	struct io io;
	struct timer expiry;	/* flows without a channel */
	struct later reopen;	/* flows whose session was lost */
	struct flow *bucket[BUCKETS];
	uint64_t refused;	/* code that was logged last, until a channel is opened */
};

struct flow {
	struct flow *next;	/* in its bucket */
	struct port *port;
	struct address source;
	struct channel *channel; /* NULL: none now */
	int64_t active_us;	/* last packet from the source */
	int64_t retry_us;	/* no channel before this time */
	struct packet_queue waiting; /* the newest packets from before there was a session */
};

static const struct endpoint_ops endpoint;

static int64_t now_us(const struct port *p)
{
	return loop_now(p->ingress.host->loop);
}

/* ---- table ---- */

static struct flow **bucket_of(struct port *p, const struct address *a)
{
	const struct sockaddr_in *v4 = (const struct sockaddr_in *)&a->sa;
	const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)&a->sa;
	uint32_t h = address_port(a);

	if (a->sa.ss_family == AF_INET)
		h ^= v4->sin_addr.s_addr;
	else
		for (size_t i = 0; i < sizeof v6->sin6_addr; i++)
			h = h * 31 + v6->sin6_addr.s6_addr[i];
	return &p->bucket[(h * UINT32_C(2654435761)) >> 26];
}

static struct flow *flow_find(struct port *p, const struct address *source)
{
	struct flow *f = *bucket_of(p, source);

	while (f && !address_equal(&f->source, source))
		f = f->next;
	return f;
}

static struct flow *flow_new(struct port *p, const struct address *source)
{
	struct flow **bucket = bucket_of(p, source);
	char text[ADDRESS_TEXT];
	struct flow *f;

	if (p->ingress.flows >= p->ingress.host->max_flows) {
		log_limited(LOG_LEVEL_WARN, "udp", p->ingress.local,
			    "packets from %s are dropped: %u sources are served already (max-flows)",
			    address_text(source, text), p->ingress.flows);
		return NULL;
	}
	f = calloc(1, sizeof *f);
	if (!f)
		abort();
	f->port = p;
	f->source = *source;
	f->active_us = now_us(p);
	packet_queue_init(&f->waiting);
	f->next = *bucket;
	*bucket = f;
	p->ingress.flows++;
	timer_sooner(&p->expiry, f->active_us + IDLE_MS * LOOP_MS);
	return f;
}

/* Forgets a flow that has no channel. */
static void flow_free(struct flow *f)
{
	struct flow **at = bucket_of(f->port, &f->source);

	assert(!f->channel);
	while (*at != f)
		at = &(*at)->next;
	*at = f->next;
	f->port->ingress.flows--;
	packet_queue_clear(&f->waiting);
	loop_free_later(f->port->ingress.host->loop, f);
}

/* ---- channels ---- */

/* Opens the flow's channel if that can be done now. */
static void flow_open(struct flow *f)
{
	struct ingress *i = &f->port->ingress;
	struct session *s = i->host->session(i->host->ctx);
	const struct channel_params params = {
		.kind = KIND_DATAGRAM,
		.service = i->service,
		.port_index = i->port_index,
		.class = i->wish.class,
		.redundancy = i->wish.redundancy,
		.deadline_ms = i->wish.deadline_ms,
		.idle_ms = IDLE_MS,
		.total = &i->total,
	};
	char text[ADDRESS_TEXT];
	struct packet *waited;

	if (!s || now_us(f->port) < f->retry_us)
		return;
	f->channel = channel_open(s, &params, &endpoint, f);
	if (f->channel) {
		log_debug("udp", i->local, "source %s is channel %llu of session %s", address_text(&f->source, text),
			  (unsigned long long)channel_id(f->channel), session_tag(s));
		while (f->channel && (waited = packet_queue_take(&f->waiting)))
			channel_send(f->channel, waited);	/* which drops what has become too old */
		return;
	}
	f->retry_us = now_us(f->port) + RETRY_US;
	log_limited(LOG_LEVEL_WARN, "udp", i->local, "no channel for source %s: the server allows no more in this session",
		    address_text(&f->source, text));
}

static void on_opened(void *ctx)
{
	struct flow *f = ctx;

	f->port->refused = CODE_NONE;
}

static void on_datagram(void *ctx, const uint8_t *p, size_t n)
{
	struct flow *f = ctx;

	udp_sender_put(f->port->ingress.host->sender, f->port->fd, p, n, &f->source);
}

/* Says why once, not with each retry. */
static void log_refused(struct port *p, uint64_t code, const char *reason)
{
	enum log_level level = code == p->refused ? LOG_LEVEL_DEBUG : LOG_LEVEL_WARN;

	p->refused = code;
	if (log_enabled(level))
		log_write(level, NULL, "udp", p->ingress.local, "service %s, port %u: %s; trying again every %d s",
			  p->ingress.service, p->ingress.port_index, reason && reason[0] ? reason : capsule_code_text(code),
			  (int)(RETRY_US / LOOP_SECOND));
}

static void on_closed(void *ctx, uint64_t code, const char *reason)
{
	struct flow *f = ctx;
	struct port *p = f->port;

	f->channel = NULL;
	timer_sooner(&p->expiry, f->active_us + IDLE_MS * LOOP_MS);
	if (code == CODE_NONE || code == CODE_IDLE) {
		flow_free(f);
	} else if (ingress_session_lost(code)) {
		loop_later(p->ingress.host->loop, &p->reopen);
	} else {
		f->retry_us = now_us(p) + RETRY_US;
		log_refused(p, code, reason);
	}
}

static const struct endpoint_ops endpoint = {
	.datagram = on_datagram,
	.opened = on_opened,
	.closed = on_closed,
};

/* Calls fn for each flow without a channel; fn may forget its flow. */
static void each_without_channel(struct port *p, void (*fn)(struct flow *))
{
	struct flow *f, *next;

	for (size_t i = 0; i < BUCKETS; i++) {
		for (f = p->bucket[i]; f; f = next) {
			next = f->next;
			if (!f->channel)
				fn(f);
		}
	}
}

static void flow_expire(struct flow *f)
{
	int64_t at = f->active_us + IDLE_MS * LOOP_MS;

	if (at <= now_us(f->port))
		flow_free(f);
	else
		timer_sooner(&f->port->expiry, at);
}

static void on_expiry(void *ctx)
{
	each_without_channel(ctx, flow_expire);
}

static void on_reopen(void *ctx)
{
	each_without_channel(ctx, flow_open);
}

/* ---- the socket ---- */

static void from_source(struct port *p, const struct address *source, struct packet *packet)
{
	struct flow *f = flow_find(p, source);

	if (!f)
		f = flow_new(p, source);
	if (!f) {
		count(dropped_no_channel);
		p->ingress.dropped++;
		packet_put(packet);
		return;
	}
	f->active_us = now_us(p);
	if (!f->channel)
		flow_open(f);
	if (f->channel) {
		channel_send(f->channel, packet);
		return;
	}
	if (p->ingress.host->session(p->ingress.host->ctx)) {
		count(dropped_no_channel);
		p->ingress.dropped++;
		packet_put(packet);
		return;
	}
	packet_queue_append(&f->waiting, packet);
	if (f->waiting.count > WAITING_MAX) {
		count(dropped_no_session);
		p->ingress.dropped++;
		packet_put(packet_queue_take(&f->waiting));
	}
}

static void on_ready(void *ctx, bool readable, bool writable)
{
	struct port *p = ctx;
	struct packet *packet[UDP_BATCH];
	struct address source[UDP_BATCH];
	unsigned round, n, i;

	(void)readable;
	(void)writable;
	for (round = 0; round < ROUNDS; round++) {
		n = udp_receive(p->fd, p->ingress.host->packets, packet, source, UDP_BATCH,
				loop_touch(p->ingress.host->loop));
		if (n)
			p->ingress.reached_us = loop_now(p->ingress.host->loop);
		for (i = 0; i < n; i++)
			from_source(p, &source[i], packet[i]);
		if (n < UDP_BATCH)
			return;
	}
}

static struct ingress *udp_open(const struct ingress_host *host, int fd, const char *service, unsigned port_index)
{
	struct port *p = calloc(1, sizeof *p);

	if (!p)
		abort();
	ingress_init(&p->ingress, &ingress_udp, host, fd, service, port_index);
	p->fd = fd;
	timer_init(&p->expiry, host->loop, on_expiry, p);
	later_init(&p->reopen, on_reopen, p);
	io_init(&p->io, host->loop, fd, on_ready, p);
	io_want(&p->io, true, false);
	return &p->ingress;
}

static void udp_welcome(struct ingress *i)
{
	on_reopen(i);
}

static void udp_close(struct ingress *i)
{
	struct port *p = (struct port *)i;

	each_without_channel(p, flow_free);
	assert(p->ingress.flows == 0);
	timer_stop(&p->expiry);
	later_cancel(i->host->loop, &p->reopen);
	io_stop(&p->io);
	udp_sender_flush(i->host->sender);
	close(p->fd);
	free(p);
}

const struct ingress_kind ingress_udp = {
	.scheme = "udp",
	.bind = udp_bind,
	.open = udp_open,
	.welcome = udp_welcome,
	.close = udp_close,
};
