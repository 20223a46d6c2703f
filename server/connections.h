/*
 * Connections: accepted sockets from their first byte to their end: the PROXY protocol's header where the
 * listener wants one, a look whether it is TLS at all, the handshake (unless the listener has none), then HTTP.
 * Capped in total and, but for those of trusted proxies, per address; at a cap the new one is closed.
 */
#ifndef SERVER_CONNECTIONS_H
#define SERVER_CONNECTIONS_H

#include <stddef.h>

#include "server/front.h"
#include "server/trusted.h"
#include "tunnel/address.h"
#include "tunnel/stream_tls.h"

struct connections;

/* What a listener is for. */
enum connections_kind {
	CONNECTIONS_HTTPS,
	CONNECTIONS_HTTP,	/* without TLS: sealed sessions only */
	CONNECTIONS_CLEAR,	/* TLS ended at a reverse proxy: from this machine and from trusted proxies only */
};

struct connections_manner {
	enum connections_kind kind;
	bool proxy_protocol;	/* begins with its header; from this machine and from trusted proxies only */
};

/* "https", "http", "clear" */
static inline const char *connections_kind_name(enum connections_kind kind)
{
	return kind == CONNECTIONS_CLEAR ? "clear" : kind == CONNECTIONS_HTTP ? "http" : "https";
}

struct connections *connections_new(struct loop *, const struct front *, size_t max, size_t max_per_address);
/* Closes all. NULL is fine. */
void connections_free(struct connections *);
/* The certificate for those that come from now on; takes over the caller's reference. */
void connections_set_tls(struct connections *, struct tls_context *);
/* From now on, for the requests of older connections, too; kept by the caller. */
void connections_set_trusted(struct connections *, const struct trusted *);
/* Takes an accepted socket over. */
void connections_accept(struct connections *, int fd, const struct address *peer, const struct connections_manner *);
/* For a clean stop: none takes another request; those under way go on. */
void connections_drain(struct connections *);
size_t connections_count(const struct connections *);

#endif
