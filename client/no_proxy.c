/*
 * NO_PROXY. Called by proxy_env.c; pure. An address is never compared as a name, nor
 * a name by its addresses.
 */
#include "client/no_proxy.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

struct target {
	const char *name;
	size_t n;
	int family;		/* 0: a name */
	uint8_t address[16];
	uint16_t port;
};

static void target_init(struct target *t, const char *host, uint16_t port, char copy[256])
{
	size_t n = strlen(host);

	if (n > 1 && host[0] == '[' && host[n - 1] == ']') {
		host++;
		n -= 2;
	}
	snprintf(copy, 256, "%.*s", (int)n, host);
	*t = (struct target){ .name = copy, .n = strlen(copy), .port = port };
	if (inet_pton(AF_INET, copy, t->address) == 1)
		t->family = AF_INET;
	else if (inet_pton(AF_INET6, copy, t->address) == 1)
		t->family = AF_INET6;
	else if (t->n > 0 && copy[t->n - 1] == '.')
		t->n--;
}

static bool bits_equal(const uint8_t *a, const uint8_t *b, unsigned bits)
{
	unsigned whole = bits / 8, rest = bits % 8;

	return memcmp(a, b, whole) == 0 && (!rest || (a[whole] ^ b[whole]) >> (8 - rest) == 0);
}

/* entry: ADDRESS or ADDRESS/BITS. curl's: no bits, and 0 bits, mean that address alone. */
static bool address_matches(char *entry, const struct target *t)
{
	unsigned all = t->family == AF_INET ? 32 : 128, bits = all;
	char *slash = strchr(entry, '/'), *end;
	uint8_t address[16];

	if (slash) {
		*slash = 0;
		if (!isdigit((unsigned char)slash[1]))
			return false;
		bits = (unsigned)strtoul(slash + 1, &end, 10);
		if (*end || bits > all)
			return false;
		bits = bits ? bits : all;
	}
	return inet_pton(t->family, entry, address) == 1 && bits_equal(address, t->address, bits);
}

static bool name_matches(const char *entry, const struct target *t)
{
	size_t n = strlen(entry);

	if (n > 0 && entry[n - 1] == '.')
		n--;
	if (n > 2 && entry[0] == '*' && entry[1] == '.') {
		entry++;
		n--;
	}
	if (n > 0 && *entry == '.') {
		entry++;
		n--;
	}
	if (n == 0 || n > t->n || strncasecmp(entry, t->name + t->n - n, n) != 0)
		return false;
	return n == t->n || t->name[t->n - n - 1] == '.';
}

/* Takes ":PORT" and brackets off. False: it is for another port, or malformed. */
static bool strip(char **entry, uint16_t port)
{
	char *e = *entry, *close = *e == '[' ? strchr(e, ']') : NULL, *colon, *end;

	if (*e == '[' && !close)
		return false;
	colon = close ? (close[1] == ':' ? close + 1 : NULL) : strchr(e, ':');
	if (!close && colon && strchr(colon + 1, ':'))
		colon = NULL;	/* an IPv6 address without brackets */
	if (colon) {
		if (!isdigit((unsigned char)colon[1]) || strtoul(colon + 1, &end, 10) != port || *end)
			return false;
		*colon = 0;
	}
	if (close) {
		memmove(close, close + 1, strlen(close));	/* "[::1]/64" is legal */
		*entry = e + 1;
	}
	return true;
}

static bool entry_matches(char *entry, const struct target *t)
{
	if (strcmp(entry, "*") == 0)
		return true;
	if (!strip(&entry, t->port))
		return false;
	return t->family ? address_matches(entry, t) : name_matches(entry, t);
}

bool no_proxy_matches(const char *list, const char *host, uint16_t port)
{
	static const char between[] = " \t\r\n,";
	char entry[300], copy[256];
	struct target t;

	target_init(&t, host, port, copy);
	while (*(list += strspn(list, between))) {
		size_t n = strcspn(list, between);

		if (n < sizeof entry) {
			memcpy(entry, list, n);
			entry[n] = 0;
			if (entry_matches(entry, &t))
				return true;
		}
		list += n;
	}
	return false;
}
