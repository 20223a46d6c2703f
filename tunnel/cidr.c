/* Networks of IP addresses. Used by whatever has lists of them; uses address. */
#include "tunnel/cidr.h"

#include <stdlib.h>
#include <string.h>

/* Octets of an IP address; their number, 0 for what has none. */
static size_t octets(const struct address *a, const uint8_t **ip)
{
	if (a->sa.ss_family == AF_INET) {
		*ip = (const uint8_t *)&((const struct sockaddr_in *)&a->sa)->sin_addr;
		return 4;
	}
	if (a->sa.ss_family == AF_INET6) {
		*ip = (const uint8_t *)&((const struct sockaddr_in6 *)&a->sa)->sin6_addr;
		return 16;
	}
	return 0;
}

/* Decimal bits behind the slash. */
static bool prefix_get(const char *s, size_t len, unsigned *prefix)
{
	char *end;
	unsigned long v;

	if (*s < '0' || *s > '9')
		return false;
	v = strtoul(s, &end, 10);
	if (*end || end - s > 3 || v > len * 8)
		return false;
	*prefix = (unsigned)v;
	return true;
}

bool cidr_parse(const char *text, size_t n, struct cidr *c)
{
	const uint8_t *ip = NULL;
	struct address a;
	char host[64], *slash;

	if (n >= sizeof host)
		return false;
	memcpy(host, text, n);
	host[n] = '\0';
	slash = strchr(host, '/');
	if (slash)
		*slash = '\0';
	c->len = address_literal(host, 0, &a) ? octets(&a, &ip) : 0;
	if (c->len == 0)
		return false;
	memcpy(c->ip, ip, c->len);
	c->prefix = (unsigned)c->len * 8;
	return !slash || prefix_get(slash + 1, c->len, &c->prefix);
}

/* The first bits of both are alike. */
static bool alike(const uint8_t *a, const uint8_t *b, unsigned bits)
{
	unsigned whole = bits / 8, rest = bits % 8;

	return memcmp(a, b, whole) == 0 && (rest == 0 || (a[whole] ^ b[whole]) >> (8 - rest) == 0);
}

bool cidr_has(const struct cidr *c, const struct address *a)
{
	const uint8_t *ip = NULL;

	return octets(a, &ip) == c->len && alike(ip, c->ip, c->prefix);
}

bool cidr_within(const struct cidr *inner, const struct cidr *outer)
{
	return inner->len == outer->len && inner->prefix >= outer->prefix && alike(inner->ip, outer->ip, outer->prefix);
}
