/*
 * UDP on Linux: recvmmsg into small packets; what a datagram has beyond the
 * small size spills into a buffer and moves to a large packet. The TOS octet
 * comes along as a control message. Called by the helper's ingress and the
 * server's egress.
 */
#include "tunnel/udp.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "tunnel/counters.h"

#define FEWEST 2		/* slots made ready for one call at least */

/* What recvmmsg fills; slots are made ready again before each call, only as many as it is told of. */
struct slot {
	struct iovec iov[2];
	struct packet *packet;
	uint8_t control[CMSG_SPACE(sizeof(int))] __attribute__((aligned(8)));
};

static struct mmsghdr msgs[UDP_BATCH];
static struct slot slots[UDP_BATCH];
/* Behind each small packet of a batch; touched only by large datagrams. */
static uint8_t spill[UDP_BATCH][PACKET_MAX - PACKET_SMALL + 1];
/* Slots to begin with: a lone packet must not pay for a batch, nor a batch for many calls. */
static unsigned usual = FEWEST;

static int udp_socket(const struct address *a)
{
	int fd = socket(a->sa.ss_family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), size = UDP_BUFFER, on = 1;

	if (fd < 0)
		return -1;
	/* More room than the default survives bursts; less is no reason to fail. Root may have more than rmem_max. */
	if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof size) < 0)
		(void)setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof size);
	(void)setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof size);
	(void)setsockopt(fd, IPPROTO_IP, IP_RECVTOS, &on, sizeof on);
	if (a->sa.ss_family == AF_INET6) {
		(void)setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on);
		(void)setsockopt(fd, IPPROTO_IPV6, IPV6_RECVTCLASS, &on, sizeof on);
	}
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

bool udp_is_icmp(int error)
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

/* The six bits of the TOS octet or traffic class that are the DSCP; 0 if the kernel does not say. */
static uint8_t udp_dscp(struct msghdr *h)
{
	for (struct cmsghdr *c = CMSG_FIRSTHDR(h); c; c = CMSG_NXTHDR(h, c)) {
		int class;

		if (c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_TOS)
			return *CMSG_DATA(c) >> 2;
		if (c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_TCLASS) {
			memcpy(&class, CMSG_DATA(c), sizeof class);
			return (uint8_t)((unsigned)class >> 2 & 63);
		}
	}
	return 0;
}

/* Makes up to n slots ready: how many; fewer when the pool ends. */
static unsigned udp_prepare(struct packet_pool *pool, struct address *from, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		struct slot *s = &slots[i];
		struct packet *p = s->packet = packet_get(pool, PACKET_SMALL);

		if (!p)
			return i;
		s->iov[0] = (struct iovec){ p->data, p->cap };
		s->iov[1] = (struct iovec){ spill[i], sizeof spill[i] };
		msgs[i].msg_hdr = (struct msghdr){
			.msg_name = from ? &from[i].sa : NULL,
			.msg_namelen = from ? sizeof from[i].sa : 0,
			.msg_iov = s->iov, .msg_iovlen = 2,
			.msg_control = s->control, .msg_controllen = sizeof s->control,
		};
	}
	return n;
}

static unsigned udp_batch(int fd, unsigned n)
{
	for (unsigned i = 0; i < UDP_RETRIES; i++) {
		int got = recvmmsg(fd, msgs, n, MSG_DONTWAIT, NULL);

		if (got >= 0)
			return (unsigned)got;
		if (!udp_is_icmp(errno))
			break;
	}
	return 0;
}

/* One call for up to n datagrams: how many it brought, *kept of which are in out. */
static unsigned udp_take(int fd, struct packet_pool *pool, struct packet **out, struct address *from, unsigned n,
			 int64_t now_us, unsigned *kept)
{
	unsigned have = udp_prepare(pool, from, n), got = have ? udp_batch(fd, have) : 0;

	*kept = 0;
	if (!have)
		udp_discard(fd);
	for (unsigned i = got; i < have; i++)
		packet_put(slots[i].packet);
	for (unsigned i = 0; i < got; i++) {
		struct msghdr *h = &msgs[i].msg_hdr;
		struct packet *p = udp_whole(pool, slots[i].packet, msgs[i].msg_len, h->msg_flags, spill[i], now_us);

		if (!p)
			continue;
		p->dscp = udp_dscp(h);
		if (from) {
			if (*kept != i)
				from[*kept] = from[i];
			from[*kept].len = h->msg_namelen;
		}
		out[(*kept)++] = p;
	}
	return got;
}

unsigned udp_receive(int fd, struct packet_pool *pool, struct packet **out, struct address *from, unsigned n,
		     int64_t now_us)
{
	unsigned most = n < UDP_BATCH ? n : UDP_BATCH, ask = usual < most ? usual : most;
	unsigned kept, more, got = udp_take(fd, pool, out, from, ask, now_us, &kept);

	if (got == ask && got < most) {
		got += udp_take(fd, pool, out + kept, from ? from + kept : NULL, most - got, now_us, &more);
		kept += more;
	}
	usual = 2 * got < FEWEST ? FEWEST : 2 * got < UDP_BATCH ? 2 * got : UDP_BATCH;
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
