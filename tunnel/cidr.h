/* CIDR: networks of IP addresses (RFC 4632, RFC 4291 2.3). */
#ifndef TUNNEL_CIDR_H
#define TUNNEL_CIDR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tunnel/address.h"

struct cidr {
	uint8_t ip[16];
	size_t len;		/* of ip: 4 or 16 */
	unsigned prefix;	/* bits of it that count */
};

/* "10.0.0.0/8", "::1" (of an address: all bits), n characters; false when it is nothing like that. */
bool cidr_parse(const char *text, size_t n, struct cidr *);
/* False for what is no IP address. */
bool cidr_has(const struct cidr *, const struct address *);
/* Every address of inner is one of outer. */
bool cidr_within(const struct cidr *inner, const struct cidr *outer);

#endif
