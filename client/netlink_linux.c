/*
 * Rtnetlink. The way out is found by asking for the route to an address that is nobody's
 * (documentation prefixes), so that policy routing and tunnels are seen as packets
 * see them; nothing is sent there. Called by network_linux.c.
 */
#include "client/netlink.h"

#include <errno.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "framing/error.h"

#define BUFFER 32768		/* the kernel's largest batch */
#define DRAIN_MAX 256		/* batches at a time */
#define PREFIX6_MAX 64		/* what identifies a network: the rest changes with privacy addresses */

struct question {
	struct nlmsghdr head;
	union {
		struct rtmsg route;
		struct ndmsg neighbour;
		struct ifaddrmsg address;
	};
	uint8_t attributes[64];
};

struct looking {
	struct netlink_view *view;
	struct netlink_way *way;
	uint8_t source[2][16];	/* 0: the kernel did not say */
};

typedef void answer_fn(struct looking *, const struct nlmsghdr *);

/* ---- messages ---- */

int netlink_open(bool events)
{
	struct sockaddr_nl sa = { .nl_family = AF_NETLINK };
	struct timeval patience = { .tv_usec = 200 * 1000 }; /* answers are there when the question was sent */
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | (events ? SOCK_NONBLOCK : 0), NETLINK_ROUTE);
	int e;

	if (fd < 0)
		return -1;
	if (events)
		sa.nl_groups = RTMGRP_LINK | RTMGRP_IPV4_IFADDR | RTMGRP_IPV6_IFADDR | RTMGRP_IPV4_ROUTE | RTMGRP_IPV6_ROUTE;
	if (setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience) == 0 &&
	    bind(fd, (struct sockaddr *)&sa, sizeof sa) == 0)
		return fd;
	e = errno;
	close(fd);
	errno = e;
	return -1;
}

void netlink_neighbours(int fd, bool wanted)
{
	int group = RTNLGRP_NEIGH;

	setsockopt(fd, SOL_NETLINK, wanted ? NETLINK_ADD_MEMBERSHIP : NETLINK_DROP_MEMBERSHIP, &group, sizeof group);
}

static void question_init(struct question *q, uint16_t type, uint16_t flags, size_t body)
{
	memset(q, 0, sizeof *q);
	q->head.nlmsg_type = type;
	q->head.nlmsg_flags = (uint16_t)(NLM_F_REQUEST | flags);
	q->head.nlmsg_len = (uint32_t)NLMSG_LENGTH(body);
}

static void question_add(struct question *q, unsigned short type, const void *p, size_t n)
{
	struct rtattr *a = (struct rtattr *)(void *)((uint8_t *)q + NLMSG_ALIGN(q->head.nlmsg_len));

	a->rta_type = type;
	a->rta_len = (unsigned short)RTA_LENGTH(n);
	memcpy(RTA_DATA(a), p, n);
	q->head.nlmsg_len = (uint32_t)(NLMSG_ALIGN(q->head.nlmsg_len) + RTA_ALIGN(a->rta_len));
}

/* 1: the answer is complete; 0: more of it comes; < 0: refused, -errno. */
static int batch(const struct question *q, const void *p, size_t n, struct looking *l, answer_fn *answer)
{
	const struct nlmsghdr *h = p;
	int left = (int)n;

	for (; left > 0 && NLMSG_OK(h, (unsigned)left); h = NLMSG_NEXT(h, left)) {
		if (h->nlmsg_seq != q->head.nlmsg_seq)
			continue;	/* of a question given up */
		if (h->nlmsg_type == NLMSG_DONE)
			return 1;
		if (h->nlmsg_type == NLMSG_ERROR)
			return h->nlmsg_len < NLMSG_LENGTH(sizeof(int)) ? -EPROTO : *(const int *)NLMSG_DATA(h);
		answer(l, h);
		if (!(h->nlmsg_flags & NLM_F_MULTI))
			return 1;
	}
	return 0;
}

/* 0, or -errno. */
static int ask(int fd, struct question *q, struct looking *l, answer_fn *answer)
{
	static uint32_t sequence;
	_Alignas(struct nlmsghdr) uint8_t buffer[BUFFER];
	int rc = 0;

	q->head.nlmsg_seq = ++sequence;
	if (send(fd, q, q->head.nlmsg_len, 0) < 0)
		return -errno;
	while (rc == 0) {
		ssize_t n = recv(fd, buffer, sizeof buffer, MSG_TRUNC);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0 || n > BUFFER)
			return n < 0 ? -errno : -EPROTO;
		rc = batch(q, buffer, (size_t)n, l, answer);
	}
	return rc > 0 ? 0 : rc;
}

/* The attribute of that type behind a body of that size, or NULL. */
static const struct rtattr *attribute(const struct nlmsghdr *h, size_t body, unsigned short type)
{
	const struct rtattr *a = (const void *)((const uint8_t *)NLMSG_DATA(h) + NLMSG_ALIGN(body));
	long left = (long)h->nlmsg_len - (long)NLMSG_SPACE(body);

	for (; left >= (long)sizeof *a && RTA_OK(a, left); a = RTA_NEXT(a, left))
		if (a->rta_type == type)
			return a;
	return NULL;
}

/* Copies at most `room` bytes of it; their count, 0 without one. */
static uint8_t copy(const struct rtattr *a, void *out, size_t room)
{
	size_t n = a ? RTA_PAYLOAD(a) : 0;

	if (n > room)
		return 0;
	if (n)
		memcpy(out, RTA_DATA(a), n);
	return (uint8_t)n;
}

/* ---- the way out ---- */

static void on_route(struct looking *l, const struct nlmsghdr *h)
{
	const struct rtmsg *r = NLMSG_DATA(h);
	struct netlink_way *w = l->way;
	const struct rtattr *via;

	if (h->nlmsg_type != RTM_NEWROUTE || h->nlmsg_len < NLMSG_LENGTH(sizeof *r) || r->rtm_type != RTN_UNICAST)
		return;
	if (copy(attribute(h, sizeof *r, RTA_OIF), &w->index, sizeof w->index) != sizeof w->index ||
	    !if_indextoname(w->index, w->interface))
		return;
	w->gateway_n = copy(attribute(h, sizeof *r, RTA_GATEWAY), w->gateway, sizeof w->gateway);
	via = attribute(h, sizeof *r, RTA_VIA); /* IPv4 by an IPv6 gateway */
	if (via && RTA_PAYLOAD(via) == sizeof(struct rtvia) + 16) {
		memcpy(w->gateway, ((const struct rtvia *)RTA_DATA(via))->rtvia_addr, 16);
		w->gateway_n = 16;
	}
	copy(attribute(h, sizeof *r, RTA_PREFSRC), l->source[w != l->view->way], 16);
	w->found = true;
}

static void on_neighbour(struct looking *l, const struct nlmsghdr *h)
{
	const struct ndmsg *n = NLMSG_DATA(h);

	if (h->nlmsg_type != RTM_NEWNEIGH || h->nlmsg_len < NLMSG_LENGTH(sizeof *n) ||
	    (n->ndm_state & (NUD_INCOMPLETE | NUD_FAILED)))
		return;
	l->way->hardware_n = copy(attribute(h, sizeof *n, NDA_LLADDR), l->way->hardware, sizeof l->way->hardware);
}

/* A refusal says that there is no such route or neighbour, which is an answer. */
static int refused(int rc)
{
	return rc == -ENETUNREACH || rc == -EHOSTUNREACH || rc == -ENOENT || rc == -EACCES || rc == -EINVAL ||
	       rc == -EOPNOTSUPP || rc == -EAFNOSUPPORT || rc == -ENODEV ? 0 : rc;
}

static int look_way(int fd, struct looking *l, bool v6)
{
	static const uint8_t nobody4[4] = { 192, 0, 2, 1 }, nobody6[16] = { 0x20, 0x01, 0x0d, 0xb8, [15] = 1 };
	struct question q;
	int rc;

	l->way = &l->view->way[v6];
	question_init(&q, RTM_GETROUTE, 0, sizeof q.route);
	q.route.rtm_family = v6 ? AF_INET6 : AF_INET;
	q.route.rtm_dst_len = v6 ? 128 : 32;
	question_add(&q, RTA_DST, v6 ? nobody6 : nobody4, v6 ? 16 : 4);
	rc = refused(ask(fd, &q, l, on_route));
	if (rc < 0 || !l->way->gateway_n)
		return rc;
	question_init(&q, RTM_GETNEIGH, 0, sizeof q.neighbour);
	q.neighbour.ndm_family = l->way->gateway_n == 16 ? AF_INET6 : AF_INET;
	q.neighbour.ndm_ifindex = (int)l->way->index;
	question_add(&q, NDA_DST, l->way->gateway, l->way->gateway_n);
	return refused(ask(fd, &q, l, on_neighbour));
}

/* ---- addresses ---- */

static void prefix_set(struct netlink_way *w, const uint8_t *address, unsigned n, unsigned bits)
{
	if (n == 16 && bits > PREFIX6_MAX)
		bits = PREFIX6_MAX;
	if (bits > 8 * n)
		return;
	memset(w->prefix, 0, sizeof w->prefix);
	memcpy(w->prefix, address, (bits + 7) / 8);
	if (bits % 8)
		w->prefix[bits / 8] &= (uint8_t)(0xff00 >> bits % 8);
	w->prefix_bits = (uint8_t)bits;
}

/* Sums of these do not depend on the order. FNV-1a with a finish that spreads. */
static uint64_t address_value(const uint8_t *address, unsigned n, unsigned index)
{
	uint64_t v = UINT64_C(0xcbf29ce484222325) ^ index;

	for (unsigned i = 0; i < n; i++)
		v = (v ^ address[i]) * UINT64_C(0x100000001b3);
	v ^= v >> 32;
	return v * UINT64_C(0x9e3779b97f4a7c15);
}

static void on_address(struct looking *l, const struct nlmsghdr *h)
{
	const struct ifaddrmsg *m = NLMSG_DATA(h);
	uint8_t prefix[16], local[16];
	unsigned n;
	bool v6;

	if (h->nlmsg_type != RTM_NEWADDR || h->nlmsg_len < NLMSG_LENGTH(sizeof *m) ||
	    (m->ifa_flags & (IFA_F_TENTATIVE | IFA_F_DADFAILED)))
		return;
	v6 = m->ifa_family == AF_INET6;
	n = copy(attribute(h, sizeof *m, IFA_ADDRESS), prefix, sizeof prefix);
	if (n != (v6 ? 16 : 4))
		return;
	if (copy(attribute(h, sizeof *m, IFA_LOCAL), local, sizeof local) != n)
		memcpy(local, prefix, n);
	if (m->ifa_scope == RT_SCOPE_UNIVERSE)
		l->view->addresses += address_value(local, n, m->ifa_index);
	if (l->view->way[v6].found && m->ifa_index == l->view->way[v6].index && memcmp(local, l->source[v6], n) == 0)
		prefix_set(&l->view->way[v6], prefix, n, m->ifa_prefixlen);
}

int netlink_look(int fd, struct netlink_view *view)
{
	struct looking l = { .view = view };
	struct question q;
	int rc;

	memset(view, 0, sizeof *view);
	rc = look_way(fd, &l, false);
	if (rc == 0)
		rc = look_way(fd, &l, true);
	question_init(&q, RTM_GETADDR, NLM_F_DUMP, sizeof q.address);
	if (rc == 0)
		rc = ask(fd, &q, &l, on_address);
	errno = -rc;
	return rc < 0 ? ERROR_SYSTEM : 0;
}

/* ---- events ---- */

static unsigned meaning(const struct nlmsghdr *h)
{
	const struct rtmsg *r = NLMSG_DATA(h);
	const struct ifinfomsg *i = NLMSG_DATA(h);

	switch (h->nlmsg_type) {
	case RTM_DELROUTE:
		return h->nlmsg_len >= NLMSG_LENGTH(sizeof *r) && r->rtm_dst_len == 0 ?
			NETLINK_NEWS_ANY | NETLINK_NEWS_LEFT : NETLINK_NEWS_ANY;
	case RTM_DELLINK:
		return NETLINK_NEWS_ANY | NETLINK_NEWS_LEFT;
	case RTM_NEWLINK:
		return h->nlmsg_len >= NLMSG_LENGTH(sizeof *i) && !(i->ifi_flags & IFF_RUNNING) ?
			NETLINK_NEWS_ANY | NETLINK_NEWS_LEFT : NETLINK_NEWS_ANY;
	default:
		return NETLINK_NEWS_ANY;
	}
}

unsigned netlink_drain(int fd)
{
	_Alignas(struct nlmsghdr) uint8_t buffer[BUFFER];
	unsigned news = NETLINK_NEWS_NONE;

	for (unsigned i = 0; i < DRAIN_MAX; i++) {
		ssize_t n = recv(fd, buffer, sizeof buffer, MSG_TRUNC);
		const struct nlmsghdr *h = (const void *)buffer;
		int left = (int)n;

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno != ENOBUFS)
			break;
		if (n < 0 || n > BUFFER) { /* some were lost */
			news |= NETLINK_NEWS_ANY | NETLINK_NEWS_LEFT;
			continue;
		}
		for (; left > 0 && NLMSG_OK(h, (unsigned)left); h = NLMSG_NEXT(h, left))
			news |= meaning(h);
	}
	return news;
}
