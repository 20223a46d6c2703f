/*
 * A local UDP port of the tools that carry datagrams: reads and writes in
 * batches, knows whom it answers.
 */
#ifndef TESTS_TOOLS_UDPPORT_H
#define TESTS_TOOLS_UDPPORT_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define UDPPORT_BATCH 64
#define UDPPORT_SIZE 2048 /* octets of a datagram, at most */

/* What was read last. */
struct udpport_batch {
	int n;
	uint8_t data[UDPPORT_BATCH][UDPPORT_SIZE];
	size_t size[UDPPORT_BATCH];
	struct sockaddr_in from[UDPPORT_BATCH];
};

/* A socket with large buffers, bound or connected. Dies when that fails. */
int udpport_bound(const struct sockaddr_in *at);
int udpport_connected(const struct sockaddr_in *to);
/* Reads what is there, one batch; how many. */
int udpport_read(int fd, struct udpport_batch *);

#endif
