/*
 * Addresses: texts to socket addresses and back. Literal addresses only; names
 * are the resolver's. Called by configuration, listeners, the dialler, policy.
 */
#include "tunnel/address.h"

#include <arpa/inet.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <sys/un.h>
#include <unistd.h>

#include "framing/error.h"

static struct sockaddr_in *address_v4(const struct address *a)
{
	return (struct sockaddr_in *)&a->sa;
}

static struct sockaddr_in6 *address_v6(const struct address *a)
{
	return (struct sockaddr_in6 *)&a->sa;
}

/* Decimal digits only, up to 65535; the end of the number, or NULL. */
static const char *address_number(const char *s, uint16_t *port)
{
	unsigned v = 0;
	const char *p = s;

	for (; *p >= '0' && *p <= '9' && p - s < 5; p++)
		v = v * 10 + (unsigned)(*p - '0');
	if (p == s || v > UINT16_MAX)
		return NULL;
	*port = (uint16_t)v;
	return p;
}

static int address_ports(const char *s, bool ranges, struct address_hostport *hp)
{
	s = address_number(s, &hp->first);
	if (!s)
		return ERROR_CONFIG;
	hp->last = hp->first;
	if (ranges && *s == '-') {
		s = address_number(s + 1, &hp->last);
		if (!s || hp->last < hp->first)
			return ERROR_CONFIG;
	}
	hp->has_port = true;
	return *s ? ERROR_CONFIG : 0;
}

/* What no host name or address has in it; it could break a log or an HTTP head. */
static bool address_host_ok(const char *s, size_t n)
{
	if (n == 0 || n >= sizeof ((struct address_hostport *)0)->host)
		return false;
	for (size_t i = 0; i < n; i++)
		if ((unsigned char)s[i] <= ' ' || (unsigned char)s[i] >= 0x7f || strchr("[]/\\@?#\"'<>,;", s[i]))
			return false;
	return true;
}

int address_split(const char *text, bool ranges, struct address_hostport *hp)
{
	const char *host = text, *end, *rest;
	struct address literal;

	memset(hp, 0, sizeof *hp);
	if (*text == '[') {
		host = text + 1;
		end = strchr(host, ']');
		if (!end)
			return ERROR_CONFIG;
		rest = end + 1;
	} else {
		end = strchr(text, ':');
		if (!end || strchr(end + 1, ':'))
			end = text + strlen(text); /* a name or a bare IPv6 address, no port */
		rest = end;
	}
	if (!address_host_ok(host, (size_t)(end - host)))
		return ERROR_CONFIG;
	memcpy(hp->host, host, (size_t)(end - host));
	if (strchr(hp->host, ':') ? !address_literal(hp->host, 0, &literal) : host != text)
		return ERROR_CONFIG;
	if (*rest == '\0')
		return 0;
	return *rest == ':' ? address_ports(rest + 1, ranges, hp) : ERROR_CONFIG;
}

/* "fe80::1%eth0": the address and its zone. */
static bool address_literal_v6(const char *host, struct sockaddr_in6 *sin6)
{
	char text[INET6_ADDRSTRLEN];
	const char *zone = strchr(host, '%');
	size_t n = zone ? (size_t)(zone - host) : strlen(host);

	if (n >= sizeof text)
		return false;
	memcpy(text, host, n);
	text[n] = '\0';
	if (inet_pton(AF_INET6, text, &sin6->sin6_addr) != 1)
		return false;
	if (zone) {
		sin6->sin6_scope_id = if_nametoindex(zone + 1);
		return sin6->sin6_scope_id != 0;
	}
	return true;
}

bool address_literal(const char *host, uint16_t port, struct address *a)
{
	memset(a, 0, sizeof *a);
	if (inet_pton(AF_INET, host, &address_v4(a)->sin_addr) == 1) {
		a->sa.ss_family = AF_INET;
		a->len = sizeof(struct sockaddr_in);
	} else if (address_literal_v6(host, address_v6(a))) {
		a->sa.ss_family = AF_INET6;
		a->len = sizeof(struct sockaddr_in6);
	} else {
		memset(a, 0, sizeof *a);
		return false;
	}
	address_set_port(a, port);
	return true;
}

bool address_unix(const char *path, struct address *a)
{
	struct sockaddr_un *sun = (struct sockaddr_un *)&a->sa;
	size_t n = strlen(path);

	memset(a, 0, sizeof *a);
	if (*path != '/' || n >= sizeof sun->sun_path)
		return false;
	sun->sun_family = AF_UNIX;
	memcpy(sun->sun_path, path, n);
	a->len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + n + 1);
	return true;
}

void address_of_ip(const uint8_t *ip, size_t n, uint16_t port, struct address *a)
{
	memset(a, 0, sizeof *a);
	if (n == 4) {
		a->sa.ss_family = AF_INET;
		a->len = sizeof(struct sockaddr_in);
		memcpy(&address_v4(a)->sin_addr, ip, 4);
	} else {
		a->sa.ss_family = AF_INET6;
		a->len = sizeof(struct sockaddr_in6);
		memcpy(&address_v6(a)->sin6_addr, ip, 16);
	}
	address_set_port(a, port);
	address_unmap(a);
}

void address_unmap(struct address *a)
{
	uint8_t ip[16];

	if (a->sa.ss_family != AF_INET6 || !IN6_IS_ADDR_V4MAPPED(&address_v6(a)->sin6_addr))
		return;
	memcpy(ip, &address_v6(a)->sin6_addr, sizeof ip);
	address_of_ip(ip + 12, 4, address_port(a), a);
}

bool address_is_local(const struct address *a)
{
	if (a->sa.ss_family == AF_INET)
		return ntohl(address_v4(a)->sin_addr.s_addr) >> 24 == 127;
	if (a->sa.ss_family == AF_INET6)
		return IN6_IS_ADDR_LOOPBACK(&address_v6(a)->sin6_addr);
	return a->sa.ss_family == AF_UNIX;
}

void address_set_port(struct address *a, uint16_t port)
{
	if (a->sa.ss_family == AF_INET)
		address_v4(a)->sin_port = htons(port);
	else if (a->sa.ss_family == AF_INET6)
		address_v6(a)->sin6_port = htons(port);
}

uint16_t address_port(const struct address *a)
{
	if (a->sa.ss_family == AF_INET)
		return ntohs(address_v4(a)->sin_port);
	if (a->sa.ss_family == AF_INET6)
		return ntohs(address_v6(a)->sin6_port);
	return 0;
}

bool address_equal(const struct address *a, const struct address *b)
{
	if (a->sa.ss_family != b->sa.ss_family || address_port(a) != address_port(b))
		return false;
	if (a->sa.ss_family == AF_INET)
		return address_v4(a)->sin_addr.s_addr == address_v4(b)->sin_addr.s_addr;
	if (a->sa.ss_family == AF_INET6)
		return address_v6(a)->sin6_scope_id == address_v6(b)->sin6_scope_id &&
		       !memcmp(&address_v6(a)->sin6_addr, &address_v6(b)->sin6_addr, sizeof(struct in6_addr));
	return a->len == b->len && !memcmp(&a->sa, &b->sa, a->len);
}

/* A path, or of the abstract ones, which begin with a NUL, "@name". */
static const char *address_unix_text(const struct address *a, char *out)
{
	const struct sockaddr_un *sun = (const struct sockaddr_un *)&a->sa;
	size_t n = a->len > offsetof(struct sockaddr_un, sun_path) ? a->len - offsetof(struct sockaddr_un, sun_path) : 0;

	if (n > 0 && sun->sun_path[0])
		snprintf(out, ADDRESS_TEXT, "unix:%.*s", (int)strnlen(sun->sun_path, n), sun->sun_path);
	else if (n > 1)
		snprintf(out, ADDRESS_TEXT, "unix:@%.*s", (int)strnlen(sun->sun_path + 1, n - 1), sun->sun_path + 1);
	else
		snprintf(out, ADDRESS_TEXT, "unix");
	return out;
}

const char *address_host_text(const struct address *a, char *out)
{
	*out = '\0';
	if (a->sa.ss_family == AF_UNIX)
		return address_unix_text(a, out);
	if (a->sa.ss_family == AF_INET)
		inet_ntop(AF_INET, &address_v4(a)->sin_addr, out, ADDRESS_TEXT);
	else if (a->sa.ss_family == AF_INET6)
		inet_ntop(AF_INET6, &address_v6(a)->sin6_addr, out, ADDRESS_TEXT);
	return out;
}

const char *address_text(const struct address *a, char *out)
{
	char host[INET6_ADDRSTRLEN], zone[IF_NAMESIZE];

	*out = '\0';
	if (a->sa.ss_family == AF_INET) {
		inet_ntop(AF_INET, &address_v4(a)->sin_addr, host, sizeof host);
		snprintf(out, ADDRESS_TEXT, "%s:%u", host, (unsigned)address_port(a));
	} else if (a->sa.ss_family == AF_INET6) {
		bool scoped = address_v6(a)->sin6_scope_id && if_indextoname(address_v6(a)->sin6_scope_id, zone);

		inet_ntop(AF_INET6, &address_v6(a)->sin6_addr, host, sizeof host);
		snprintf(out, ADDRESS_TEXT, "[%s%s%s]:%u", host, scoped ? "%" : "", scoped ? zone : "",
			 (unsigned)address_port(a));
	} else if (a->sa.ss_family == AF_UNIX) {
		address_unix_text(a, out);
	}
	return out;
}

int address_of_socket(int fd, struct address *a)
{
	memset(a, 0, sizeof *a);
	a->len = sizeof a->sa;
	if (getsockname(fd, (struct sockaddr *)&a->sa, &a->len) < 0) {
		a->len = 0;
		return ERROR_SYSTEM;
	}
	return 0;
}

int address_source(const struct address *to, struct address *out)
{
	int fd = socket(to->sa.ss_family, SOCK_DGRAM | SOCK_CLOEXEC, 0), rc = ERROR_UNREACHABLE;

	memset(out, 0, sizeof *out);
	if (fd < 0)
		return rc;
	if (connect(fd, (const struct sockaddr *)&to->sa, to->len) == 0 && address_of_socket(fd, out) == 0) {
		address_set_port(out, 0);
		rc = 0;
	}
	close(fd);
	return rc;
}
