/*
 * SOCKS5 UDP association (RFC 1928 section 7): a socket of its own for one client, and a datagram channel for each address that it
 * sends to. Fragments are refused; what comes from another address than the client's, or, after the first datagram, from another
 * port, is dropped.
 */
#ifndef CLIENT_SOCKS_UDP_H
#define CLIENT_SOCKS_UDP_H

#include "client/ingress.h"

#define SOCKS_UDP_FLOWS_MAX 64	/* addresses that one association sends to */

struct socks_udp;

/* on: where the TCP connection came in; client: where from; port: that the client will send from, 0: any. NULL with errno. */
struct socks_udp *socks_udp_new(struct ingress *, const struct address *on, const struct address *client, uint16_t port);
const struct address *socks_udp_address(const struct socks_udp *);
/* Closes its channels. NULL is fine. */
void socks_udp_free(struct socks_udp *);

#endif
