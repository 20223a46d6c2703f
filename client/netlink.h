/*
 * Netlink: asks the kernel for the ways out of this machine and for its addresses, and lets
 * it say when they change (rtnetlink(7)).
 */
#ifndef CLIENT_NETLINK_H
#define CLIENT_NETLINK_H

#include <stdbool.h>
#include <stdint.h>

/* Where packets for anywhere go, of one family. */
struct netlink_way {
	bool found;
	unsigned index;			/* of the interface */
	char interface[16];
	uint8_t gateway_n, gateway[16]; /* 0: none, a point-to-point link */
	uint8_t hardware_n, hardware[32]; /* of the gateway; 0: not known (yet) */
	uint8_t prefix_bits, prefix[16]; /* of the address we would send from */
};

struct netlink_view {
	struct netlink_way way[2];	/* IPv4, IPv6 */
	uint64_t addresses;		/* the same for the same set of global addresses; not for keeping */
};

/* What a batch of events means. */
enum netlink_news {
	NETLINK_NEWS_NONE = 0,
	NETLINK_NEWS_ANY = 1,		/* look again */
	NETLINK_NEWS_LEFT = 2,		/* a way out or a link went away: hardware addresses of before are worth nothing */
};

/* A socket to ask by, or one that hears of changes of links, addresses and routes. -1: errno. */
int netlink_open(bool events);
/* Hear of neighbours, too, or not any more. */
void netlink_neighbours(int events_fd, bool);
/* Asks all that is in a view: some system calls, no waiting. 0 or ERROR_SYSTEM (errno). */
int netlink_look(int fd, struct netlink_view *);
/* Takes what is there to hear; flags of enum netlink_news. What was lost counts as all of them. */
unsigned netlink_drain(int events_fd);

#endif
