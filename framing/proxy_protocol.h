/*
 * PROXY protocol, versions 1 and 2 (HAProxy's doc/proxy-protocol.txt, 2020/03/05):
 * what a proxy writes in front of a connection to tell whose it is. Pure.
 *
 * A header of version 1 has at most 107 bytes, one of version 2 is taken up to
 * PROXY_PROTOCOL_MAX. Type-length-values behind the addresses are passed over.
 */
#ifndef FRAMING_PROXY_PROTOCOL_H
#define FRAMING_PROXY_PROTOCOL_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define PROXY_PROTOCOL_MAX 4096	/* bytes of a header */

enum proxy_protocol_source {
	PROXY_PROTOCOL_LOCAL,	/* the proxy's own connection: it looks whether we live */
	PROXY_PROTOCOL_UNKNOWN,	/* somebody's, and it does not say whose: UNKNOWN, AF_UNSPEC, AF_UNIX, other protocols */
	PROXY_PROTOCOL_IPV4,
	PROXY_PROTOCOL_IPV6,
};

struct proxy_protocol {
	int version;
	enum proxy_protocol_source source;
	uint8_t ip[16];		/* of the client: 4 or 16 octets */
	uint16_t port;
};

/* Looks at the first n bytes of a connection. The length of the header when it is whole, 0 when more is needed (then all n bytes
 * belong to it), ERROR_MALFORMED as soon as it cannot be one, ERROR_LIMIT when it is longer than is taken. */
ssize_t proxy_protocol_get(const uint8_t *p, size_t n, struct proxy_protocol *);

#endif
