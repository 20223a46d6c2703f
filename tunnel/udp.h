/*
 * UDP sockets: receiving in batches straight into packets, and sending. Errors
 * that the network reports (port unreachable and the like) are counted and
 * never end a socket. udp_linux.c has it.
 */
#ifndef TUNNEL_UDP_H
#define TUNNEL_UDP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "framing/packet.h"
#include "tunnel/address.h"

#define UDP_BATCH 32		/* datagrams taken by one udp_receive at most */
#define UDP_BUFFER (1 << 20)	/* bytes asked of the kernel for each direction */
#define UDP_MAX 65507		/* payload bytes of a datagram over IPv4 */
#define UDP_RETRIES 4		/* pending ICMP errors taken off a socket in a row */

/* A non-blocking socket bound to the address, or one connected to it: a descriptor, or -1 with errno. */
int udp_bind(const struct address *local);
int udp_connect(const struct address *remote);

/* Takes up to n waiting datagrams (at most UDP_BATCH) into packets with headroom, born_us = now_us, dscp as they came.
 * from: their sources, or NULL. Their count; 0: nothing waits. When the pool is empty what waits is dropped and counted. */
unsigned udp_receive(int fd, struct packet_pool *, struct packet **out, struct address *from, unsigned n,
		     int64_t now_us);
/* Sends one datagram, to NULL on a connected socket. False: the socket did not take it (counted). */
bool udp_send(int fd, const uint8_t *p, size_t n, const struct address *to);
/* Whether an error belongs to a datagram sent before, not to the call that reports it. Counts refusals. */
bool udp_is_icmp(int error);

#endif
