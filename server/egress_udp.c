/*
 * Datagram channels to a UDP target: one connected socket per channel, the same
 * for the channel's whole life, so that media servers that learn where a call
 * comes from never see a new source. Opened by the services for sessions; calls
 * the channel with what the target sends. Errors that the network reports are
 * counted and close nothing.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "framing/capsule.h"
#include "server/egress.h"
#include "tunnel/log.h"
#include "tunnel/session.h"
#include "tunnel/udp.h"
#include "tunnel/udp_sender.h"

#define IDLE_MS 330000
#define BATCHES 4		/* udp_receive calls in one turn: others want their turn, too */

struct egress_udp {
	const struct egress_env *env;
	struct channel *channel;
	struct io io;
	int fd;
	bool closed;
};

static void ready(void *ctx, bool readable, bool writable)
{
	struct egress_udp *e = ctx;
	struct packet *packet[UDP_BATCH];
	unsigned n = UDP_BATCH;

	(void)readable;
	(void)writable;
	for (unsigned turn = 0; turn < BATCHES && n == UDP_BATCH; turn++) {
		n = udp_receive(e->fd, e->env->pool, packet, NULL, UDP_BATCH, loop_touch(e->env->loop));
		for (unsigned i = 0; i < n; i++) {
			if (e->closed || packet[i]->len > MESSAGE_DATAGRAM_MAX)
				packet_put(packet[i]);
			else
				channel_send(e->channel, packet[i]);
		}
		if (e->closed)
			return;
	}
}

static void *open_udp(const struct egress_env *env, struct channel *channel, const struct address *to, size_t n,
		      uint64_t *code, const char **sentence)
{
	struct egress_udp *e;
	int fd = -1;

	for (size_t i = 0; i < n && fd < 0; i++)
		fd = udp_connect(&to[i]);
	if (fd < 0) {
		bool full = errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM;

		log_limited(LOG_LEVEL_WARN, "egress", session_tag(channel_session(channel)), "channel %llu: UDP socket: %s",
			    (unsigned long long)channel_id(channel), strerror(errno));
		*code = full ? CODE_LIMIT : CODE_UNREACHABLE;
		*sentence = full ? "the server has no socket left for this channel" :
				   "the server has no route to the target of this service";
		return NULL;
	}
	e = calloc(1, sizeof *e);
	if (!e)
		abort();
	e->env = env;
	e->channel = channel;
	e->fd = fd;
	io_init(&e->io, env->loop, fd, ready, e);
	io_want(&e->io, true, false);
	return e;
}

static void datagram(void *ctx, const uint8_t *p, size_t n)
{
	struct egress_udp *e = ctx;

	udp_sender_put(e->env->sender, e->fd, p, n, NULL);
}

static void closed(void *ctx, uint64_t code, const char *reason)
{
	struct egress_udp *e = ctx;

	(void)code;
	(void)reason;
	e->closed = true;
	io_stop(&e->io);
	udp_sender_flush(e->env->sender);
	close(e->fd);
	loop_free_later(e->env->loop, e);
}

static const struct endpoint_ops ops = { .datagram = datagram, .closed = closed };

const struct egress_kind egress_udp = {
	.scheme = "udp",
	.kind = KIND_DATAGRAM,
	.idle_ms = IDLE_MS,
	.ops = &ops,
	.open = open_udp,
};
