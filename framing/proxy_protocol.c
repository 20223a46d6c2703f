/*
 * Headers of the PROXY protocol. Called by the server's connections for each portion
 * that arrives, from the first byte on; calls nothing.
 */
#include "framing/proxy_protocol.h"

#include <arpa/inet.h>
#include <stdbool.h>
#include <string.h>

#include "framing/cursor.h"
#include "framing/error.h"

#define V1_MAX 107		/* bytes with CRLF */
#define V2_FIXED 16
#define V2_SIGNATURE 12

static const char v1_begin[] = "PROXY ";
static const uint8_t v2_begin[V2_SIGNATURE + 1] = "\r\n\r\n\0\r\nQUIT\n";

/* ---- version 1: a line of text ---- */

/* Decimal, without anything in front, up to 65535. */
static bool port_get(const char *s, uint16_t *port)
{
	unsigned v = 0;
	size_t n = strlen(s);

	if (n == 0 || n > 5 || (n > 1 && *s == '0'))
		return false;
	for (; *s; s++) {
		if (*s < '0' || *s > '9')
			return false;
		v = v * 10 + (unsigned)(*s - '0');
	}
	*port = (uint16_t)v;
	return v <= UINT16_MAX;
}

/* protocol SP source SP destination SP port SP port, each separated by one space; the line loses its spaces. */
static int v1_fields(char *line, struct proxy_protocol *out)
{
	char *field[5], *next = line;
	uint8_t destination[16];
	uint16_t port;
	int family, n = 0;

	for (; n < 5 && next; n++) {
		field[n] = next;
		next = strchr(next, ' ');
		if (next)
			*next++ = '\0';
	}
	if (strcmp(field[0], "UNKNOWN") == 0) {
		out->source = PROXY_PROTOCOL_UNKNOWN;
		return 0;
	}
	if (n != 5 || next || (strcmp(field[0], "TCP4") && strcmp(field[0], "TCP6")))
		return ERROR_MALFORMED;
	family = field[0][3] == '4' ? AF_INET : AF_INET6;
	out->source = family == AF_INET ? PROXY_PROTOCOL_IPV4 : PROXY_PROTOCOL_IPV6;
	if (inet_pton(family, field[1], out->ip) != 1 || inet_pton(family, field[2], destination) != 1 ||
	    !port_get(field[3], &out->port) || !port_get(field[4], &port))
		return ERROR_MALFORMED;
	return 0;
}

static ssize_t v1_get(const uint8_t *p, size_t n, struct proxy_protocol *out)
{
	const uint8_t *end = memchr(p, '\n', n < V1_MAX ? n : V1_MAX);
	char line[V1_MAX];
	size_t len = end ? (size_t)(end - p) + 1 : 0, begin = sizeof v1_begin - 1;

	if (!end)
		return n < V1_MAX ? 0 : ERROR_MALFORMED;
	if (len < begin + 2 || end[-1] != '\r' || memchr(p, '\0', len))
		return ERROR_MALFORMED;
	memcpy(line, p + begin, len - begin - 2);
	line[len - begin - 2] = '\0';
	out->version = 1;
	return v1_fields(line, out) < 0 ? ERROR_MALFORMED : (ssize_t)len;
}

/* ---- version 2: 16 octets, addresses, type-length-values ---- */

static int v2_addresses(struct cursor *c, uint8_t family, struct proxy_protocol *out)
{
	size_t len = family == 0x11 ? 4 : 16;
	struct span source;

	/* Over TCP, or nobody knows who it is. */
	if (family != 0x11 && family != 0x21) {
		out->source = PROXY_PROTOCOL_UNKNOWN;
		return family >> 4 <= 3 && (family & 15) <= 2 ? 0 : ERROR_MALFORMED;
	}
	source = cursor_bytes(c, len);
	cursor_bytes(c, len);
	out->port = cursor_u16(c);
	cursor_u16(c);
	if (c->bad)
		return ERROR_MALFORMED;
	out->source = len == 4 ? PROXY_PROTOCOL_IPV4 : PROXY_PROTOCOL_IPV6;
	memcpy(out->ip, source.p, len);
	return 0;
}

static ssize_t v2_get(const uint8_t *p, size_t n, struct proxy_protocol *out)
{
	struct cursor c;
	uint8_t command, family;
	size_t len;

	if (n > V2_SIGNATURE && p[V2_SIGNATURE] != 0x20 && p[V2_SIGNATURE] != 0x21)
		return ERROR_MALFORMED;
	if (n < V2_FIXED)
		return 0;
	command = p[V2_SIGNATURE] & 15;
	family = p[V2_SIGNATURE + 1];
	len = (size_t)p[14] << 8 | p[15];
	if (V2_FIXED + len > PROXY_PROTOCOL_MAX)
		return ERROR_LIMIT;
	if (n < V2_FIXED + len)
		return 0;
	out->version = 2;
	cursor_init(&c, p + V2_FIXED, len);
	if (command == 0)
		out->source = PROXY_PROTOCOL_LOCAL;
	else if (v2_addresses(&c, family, out) < 0)
		return ERROR_MALFORMED;
	return (ssize_t)(V2_FIXED + len);
}

/* Do the bytes there are agree with that beginning? */
static bool begins(const uint8_t *p, size_t n, const void *with, size_t len)
{
	return memcmp(p, with, n < len ? n : len) == 0;
}

ssize_t proxy_protocol_get(const uint8_t *p, size_t n, struct proxy_protocol *out)
{
	memset(out, 0, sizeof *out);
	if (n == 0)
		return 0;
	if (begins(p, n, v1_begin, sizeof v1_begin - 1))
		return v1_get(p, n, out);
	if (begins(p, n, v2_begin, V2_SIGNATURE))
		return v2_get(p, n, out);
	return ERROR_MALFORMED;
}
