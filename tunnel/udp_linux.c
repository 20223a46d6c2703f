/*
 * UDP on Linux: recvmmsg into small packets; what a datagram has beyond the
 * small size spills into a buffer and moves to a large packet. Called by the
 * helper's ingress and the server's egress.
 */
#include "tunnel/udp.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "tunnel/counters.h"

#define UDP_RETRIES 4		/* pending ICMP errors taken off a socket in a row */

/* Behind each small packet of a batch; touched only by large datagrams. */
static uint8_t spill[UDP_BATCH][PACKET_MAX - PACKET_SMALL + 1];

static int udp_socket(const struct address *a)
{
	int fd = socket(a->sa.ss_family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), size = UDP_BUFFER, on = 1;

	if (fd < 0)
		return -1;
	/* More room than the default survives bursts; less is no reason to fail. */
	(void)setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof size);
	(void)setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof size);
	if (a->sa.ss_family == AF_INET6)
		(void)setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on);
	return fd;
}

static int udp_or_close(int fd, int rc)
{
	int saved = errno;

	if (!rc)
		return fd;
	close(fd);
	errno = saved;
	return -1;
}

int udp_bind(const struct address *local)
{
	int fd = udp_socket(local);

	return fd < 0 ? -1 : udp_or_close(fd, bind(fd, (const struct sockaddr *)&local->sa, local->len));
}

int udp_connect(const struct address *remote)
{
	int fd = udp_socket(remote);

	return fd < 0 ? -1 : udp_or_close(fd, connect(fd, (const struct sockaddr *)&remote->sa, remote->len));
}

/* An error that belongs to a datagram sent before, not to the call that reports it. */
static bool udp_is_icmp(int error)
{
	switch (error) {
	case ECONNREFUSED:
		count(icmp_refused);
		return true;
	case EHOSTUNREACH:
	case ENETUNREACH:
	case EHOSTDOWN:
	case ENETDOWN:
	case ENOPROTOOPT:
	case EPROTO:
	case EACCES:
	case EMSGSIZE:
	case EINTR:
		return true;
	default:
		return false;
	}
}

/* A datagram of len bytes that began in the small packet p: the packet that has it whole, or NULL. */
static struct packet *udp_whole(struct packet_pool *pool, struct packet *p, size_t len, int flags, const uint8_t *rest,
				int64_t now_us)
{
	struct packet *large;
	size_t kept = len < p->cap ? len : p->cap;

	if (len > p->cap || (flags & MSG_TRUNC)) {
		large = flags & MSG_TRUNC ? NULL : packet_get(pool, len);
		if (large) {
			memcpy(large->data, p->data, kept);
			memcpy(large->data + kept, rest, len - kept);
		} else {
			count(dropped_full);
		}
		packet_put(p);
		p = large;
	}
	if (p) {
		p->len = len;
		p->born_us = now_us;
	}
	return p;
}

/* Nowhere to put datagrams: take them off the socket, or it would be ready for ever. */
static void udp_discard(int fd)
{
	for (unsigned i = 0; i < UDP_BATCH; i++) {
		ssize_t n = recv(fd, spill[0], sizeof spill[0], MSG_TRUNC);

		if (n >= 0)
			count(dropped_full);
		else if (!udp_is_icmp(errno))
			return;
	}
}

static int udp_batch(int fd, struct mmsghdr *msg, unsigned n)
{
	int got = -1;

	for (unsigned i = 0; i < UDP_RETRIES && got < 0; i++) {
		got = recvmmsg(fd, msg, n, MSG_DONTWAIT, NULL);
		if (got < 0 && !udp_is_icmp(errno))
			break;
	}
	return got < 0 ? 0 : got;
}

unsigned udp_receive(int fd, struct packet_pool *pool, struct packet **out, struct address *from, unsigned n,
		     int64_t now_us)
{
	struct mmsghdr msg[UDP_BATCH];
	struct iovec iov[UDP_BATCH][2];
	struct packet *packet[UDP_BATCH];
	unsigned have, got, kept = 0;

	if (n > UDP_BATCH)
		n = UDP_BATCH;
	for (have = 0; have < n; have++) {
		struct packet *p = packet[have] = packet_get(pool, PACKET_SMALL);

		if (!p)
			break;
		iov[have][0] = (struct iovec){ p->data, p->cap };
		iov[have][1] = (struct iovec){ spill[have], sizeof spill[have] };
		memset(&msg[have], 0, sizeof msg[have]);
		msg[have].msg_hdr.msg_iov = iov[have];
		msg[have].msg_hdr.msg_iovlen = 2;
		if (from) {
			msg[have].msg_hdr.msg_name = &from[have].sa;
			msg[have].msg_hdr.msg_namelen = sizeof from[have].sa;
		}
	}
	if (!have) {
		udp_discard(fd);
		return 0;
	}
	got = (unsigned)udp_batch(fd, msg, have);
	for (unsigned i = 0; i < have; i++) {
		struct packet *p = packet[i];

		if (i >= got) {
			packet_put(p);
			continue;
		}
		p = udp_whole(pool, p, msg[i].msg_len, msg[i].msg_hdr.msg_flags, spill[i], now_us);
		if (!p)
			continue;
		if (from) {
			if (kept != i)
				from[kept] = from[i];
			from[kept].len = msg[i].msg_hdr.msg_namelen;
		}
		out[kept++] = p;
	}
	return kept;
}

bool udp_send(int fd, const uint8_t *p, size_t n, const struct address *to)
{
	const struct sockaddr *sa = to ? (const struct sockaddr *)&to->sa : NULL;

	/* A pending error comes instead of sending, once for each. */
	for (unsigned i = 0; i < UDP_RETRIES; i++) {
		if (sendto(fd, p, n, MSG_DONTWAIT | MSG_NOSIGNAL, sa, to ? to->len : 0) >= 0)
			return true;
		if (!udp_is_icmp(errno))
			break;
	}
	count(dropped_local);
	return false;
}
