/*
 * UDP sender: gathers what is sent in one turn of the loop and sends it at the
 * turn's end with as few calls as the kernel allows. One for all sockets of a
 * process; udp_sender_linux.c has it. Nothing waits longer than the turn, and
 * what one socket sends stays in order.
 */
#ifndef TUNNEL_UDP_SENDER_H
#define TUNNEL_UDP_SENDER_H

#include <stddef.h>
#include <stdint.h>

struct address;
struct loop;
struct udp_sender;

struct udp_sender *udp_sender_new(struct loop *);
/* Sends what waits. NULL is fine. */
void udp_sender_free(struct udp_sender *);
/* Sends one datagram of at most UDP_MAX bytes, to NULL on a connected socket. The bytes are copied. What the socket
 * does not take is counted. */
void udp_sender_put(struct udp_sender *, int fd, const uint8_t *p, size_t n, const struct address *to);
/* Sends what waits, at once: whoever closes a descriptor calls it first. */
void udp_sender_flush(struct udp_sender *);

#endif
