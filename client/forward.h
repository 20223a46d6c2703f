/*
 * Forward: local ports that lead to a service of the server, as a person writes it:
 *
 *     udp://127.0.0.1:5004-5013=rtp     ten ports, to the ten of the service's range
 *     tcp://[::1]:8188=sig              one port
 *     ws://8188=sig                     one port, for WebSocket clients
 *     udp://5004=rtp                    on 127.0.0.1
 *     socks5://1080                     one port, for programs that name their targets themselves
 *     http://3128                       the same, as an HTTP proxy
 *     udp://127.0.0.1:0-9=rtp           ten ports that the kernel chooses
 *     udp://5004=rtp,class=audio,redundancy=never,deadline-ms=150    not as the server says
 */
#ifndef CLIENT_FORWARD_H
#define CLIENT_FORWARD_H

#include <stdbool.h>
#include <stddef.h>

#include "client/ingress.h"
#include "framing/message.h"
#include "tunnel/address.h"

#define FORWARD_PORTS_MAX 1024	/* of one forward */

struct forward {
	const struct ingress_kind *kind;
	struct address address;	/* of the first port */
	unsigned count;		/* of ports */
	char service[MESSAGE_NAME_MAX + 1]; /* "": clients name their targets */
	struct ingress_wish wish;
	bool has_redundancy;	/* in wish, were it auto */
};

/* 0, or ERROR_CONFIG and a sentence that says what would be right. */
int forward_parse(const char *text, struct forward *, char *error, size_t size);
/* The address of port i (< count); port 0 lets the kernel choose. */
struct address forward_port(const struct forward *, unsigned i);
/* False: others than this machine's programs can reach it. */
bool forward_is_loopback(const struct forward *);

#endif
