/*
 * Egress: the server's side of channels towards their targets. A kind is one file
 * and one row of the table in egress.c.
 */
#ifndef SERVER_EGRESS_H
#define SERVER_EGRESS_H

#include <stddef.h>
#include <stdint.h>

#include "framing/message.h"
#include "framing/packet.h"
#include "tunnel/address.h"
#include "tunnel/channel.h"
#include "tunnel/endpoint.h"
#include "tunnel/loop.h"

/* How many things there were since a moment. */
struct egress_window {
	int64_t begun_us;
	unsigned count;
};

/* What a session has had of the server's own services. Zeroed: nothing yet. */
struct egress_share {
	struct egress_window second, minutes;
};

/* What an egress works with; it outlives all channels. */
struct egress_env {
	struct loop *loop;
	struct packet_pool *pool;
	struct udp_sender *sender;
	/* The share of a session; it outlives the session's channels. */
	struct egress_share *(*share)(const struct session *);
};

/* A kind has a scheme and a row in the table; or it is a service of the server's own, without a target, and has that name. */
struct egress_kind {
	const char *scheme;	/* of a target URL: "udp" */
	const char *service;	/* "culvert.echo" */
	enum message_kind kind;	/* of the channels it serves */
	uint32_t idle_ms;	/* idle time-out when the service names none; 0: none */
	uint32_t deadline_ms;	/* of datagrams, likewise; 0: by class */
	bool pending;		/* it says channel_accept when its target is there */
	const struct endpoint_ops *ops;
	/* Opens the local side of a channel (its params have the egress_settings) to one of n >= 1 addresses, the best first: the endpoint for ops, or NULL,
	 * a code and a static sentence. */
	void *(*open)(const struct egress_env *, struct channel *, const struct address *, size_t n, uint64_t *code,
		      const char **sentence);
};

/* One per kind, in egress_NAME.c. */
extern const struct egress_kind egress_udp, egress_tcp, egress_echo, egress_ws, egress_wss, egress_framed;

/* The kind for a scheme of n characters, or NULL. */
const struct egress_kind *egress_find(const char *scheme, size_t n);

#endif
