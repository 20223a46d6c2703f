/*
 * Ingress: one local port of the helper. A kind (UDP, TCP, WebSocket) is one file and one
 * row of the table in ingress.c; it makes channels in whatever session the helper
 * says is open, and keeps its local sockets when there is none.
 */
#ifndef CLIENT_INGRESS_H
#define CLIENT_INGRESS_H

#include <stdbool.h>
#include <stddef.h>

#include "framing/message.h"
#include "framing/packet.h"
#include "tunnel/address.h"
#include "tunnel/loop.h"
#include "tunnel/session.h"

/* What an ingress needs of the helper; outlives every ingress. */
struct ingress_host {
	struct loop *loop;
	struct packet_pool *packets;
	struct udp_sender *sender;
	unsigned max_flows;	/* local sources or connections of one port */
	/* The session that takes new channels, or NULL while there is none. */
	struct session *(*session)(void *ctx);
	void *ctx;
	/* WebSockets: origins of pages that may come, besides those of this machine. */
	const char *const *origins;
	size_t n_origins;
	/* SOCKS5 and HTTP: names and tokens that local programs must give one of, NULL: none; what proxy.pac says. */
	const struct credentials *logins;
	const struct served_pac *pac;
};

/* What a person wants of the datagrams of a port: zeros are left to the server. */
struct ingress_wish {
	enum message_class class;
	enum message_redundancy redundancy;
	uint32_t deadline_ms;
};

struct credentials;
struct ingress_kind;
struct served_pac;

/* Embedded first in each implementation. */
struct ingress {
	const struct ingress_kind *kind;
	const struct ingress_host *host;
	char local[ADDRESS_TEXT]; /* where it is bound, for logs and the ready line */
	const char *service;	/* belongs to the caller of open */
	unsigned port_index;	/* of the service's port range */
	struct ingress_wish wish; /* set by who opened it */
	unsigned flows;		/* local sources or connections now */
	int64_t reached_us;	/* when a local program last sent a datagram or connected; 0: never */
	struct channel_traffic total; /* of all its channels so far */
	uint64_t dropped;	/* datagrams from local programs that no channel took */
};

struct ingress_kind {
	const char *scheme;	/* "udp" */
	bool any;		/* clients name their targets themselves: there is no service */
	/* A non-blocking socket that is bound (and listens), or -1 with errno. */
	int (*bind)(const struct address *);
	/* Serves such a descriptor, which belongs to the ingress from now on. */
	struct ingress *(*open)(const struct ingress_host *, int fd, const char *service, unsigned port_index);
	/* A session has been opened: what waited for one may go on. */
	void (*welcome)(struct ingress *);
	/* Closes the port and everything of it. Before that every session must be gone. */
	void (*close)(struct ingress *);
};

extern const struct ingress_kind ingress_udp, ingress_tcp, ingress_ws, ingress_socks, ingress_http;

/* The kind of a scheme of n characters, or NULL. */
const struct ingress_kind *ingress_find(const char *scheme, size_t n);
/* kind->bind; or ERROR_SYSTEM and a sentence for people in error. */
int ingress_bind(const struct ingress_kind *, const struct address *, char *error, size_t size);
/* Fills the common part. */
void ingress_init(struct ingress *, const struct ingress_kind *, const struct ingress_host *, int fd,
		  const char *service, unsigned port_index);
/* True for codes that mean that the session is gone, not the channel alone. */
bool ingress_session_lost(uint64_t code);

#endif
