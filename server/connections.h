/*
 * Connections: accepted sockets from their first byte to their end: a look whether
 * it is TLS at all, the handshake (unless the listener has none), then HTTP. Capped in total and per address; at
 * a cap the new one is closed.
 */
#ifndef SERVER_CONNECTIONS_H
#define SERVER_CONNECTIONS_H

#include <stddef.h>

#include "server/front.h"
#include "tunnel/address.h"
#include "tunnel/stream_tls.h"

struct connections;

struct connections *connections_new(struct loop *, const struct front *, size_t max, size_t max_per_address);
/* Closes all. NULL is fine. */
void connections_free(struct connections *);
/* The certificate for those that come from now on; takes over the caller's reference. */
void connections_set_tls(struct connections *, struct tls_context *);
/* Takes an accepted socket over. plain: of a listener without TLS. */
void connections_accept(struct connections *, int fd, const struct address *peer, bool plain);
size_t connections_count(const struct connections *);

#endif
