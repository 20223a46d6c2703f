/*
 * The list of trusted proxies. Made from the options, asked by the connections for each
 * one that comes and for each request of those that are trusted.
 */
#include "server/trusted.h"

#include <stdlib.h>
#include <string.h>

#include "framing/forwarded.h"
#include "tunnel/log.h"

#define NETWORKS_MAX 256

struct network {
	uint8_t ip[16];
	size_t len;		/* of ip: 4 or 16 */
	unsigned prefix;	/* bits of it */
};

struct trusted {
	enum trusted_header header;
	bool unix_sockets;
	size_t n;
	struct network network[NETWORKS_MAX];
};

struct trusted *trusted_new(enum trusted_header header)
{
	struct trusted *t = calloc(1, sizeof *t);

	if (!t)
		abort();
	t->header = header;
	return t;
}

void trusted_free(struct trusted *t)
{
	free(t);
}

/* Octets of an IP address; their number, 0 for a Unix socket. */
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

bool trusted_add(struct trusted *t, const char *text)
{
	struct network *w = &t->network[t->n];
	const char *slash = strchr(text, '/');
	size_t n = slash ? (size_t)(slash - text) : strlen(text);
	const uint8_t *ip = NULL;
	struct address a;
	char host[64];

	if (!strcmp(text, "unix")) {
		t->unix_sockets = true;
		return true;
	}
	if (t->n == NETWORKS_MAX || n >= sizeof host)
		return false;
	memcpy(host, text, n);
	host[n] = '\0';
	w->len = address_literal(host, 0, &a) ? octets(&a, &ip) : 0;
	if (w->len == 0)
		return false;
	memcpy(w->ip, ip, w->len);
	w->prefix = (unsigned)w->len * 8;
	if (slash && !prefix_get(slash + 1, w->len, &w->prefix))
		return false;
	t->n++;
	return true;
}

bool trusted_is_empty(const struct trusted *t)
{
	return t->n == 0 && !t->unix_sockets;
}

static bool is_within(const struct network *w, const uint8_t *ip, size_t len)
{
	unsigned whole = w->prefix / 8, rest = w->prefix % 8;

	if (len != w->len || memcmp(ip, w->ip, whole) != 0)
		return false;
	return rest == 0 || (ip[whole] ^ w->ip[whole]) >> (8 - rest) == 0;
}

bool trusted_has(const struct trusted *t, const struct address *a)
{
	const uint8_t *ip = NULL;
	size_t len = octets(a, &ip);

	if (len == 0)
		return t->unix_sockets && a->sa.ss_family == AF_UNIX;
	for (size_t i = 0; i < t->n; i++)
		if (is_within(&t->network[i], ip, len))
			return true;
	return false;
}

/* Which of the two headers is read; false: none. */
static bool choose(const struct trusted *t, const struct http1_head *head, enum forwarded_header *header)
{
	bool x_for = forwarded_given(head, FORWARDED_X_FOR), rfc = forwarded_given(head, FORWARDED_RFC7239);

	*header = t->header == TRUSTED_FORWARDED || (t->header == TRUSTED_AUTO && !x_for) ? FORWARDED_RFC7239 : FORWARDED_X_FOR;
	if (t->header == TRUSTED_AUTO && x_for && rfc)
		log_limited(LOG_LEVEL_INFO, "front", "",
			    "a proxy sent both X-Forwarded-For and Forwarded, and the first is read: let forwarded-header say which one "
			    "it writes itself, for visitors can write the other");
	return t->header != TRUSTED_NONE && (*header == FORWARDED_X_FOR ? x_for : rfc);
}

bool trusted_client(const struct trusted *t, bool local, const struct http1_head *head, struct address *client)
{
	enum forwarded_header header;
	struct forwarded_node node;
	struct forwarded walk;
	bool any = false;

	if (!choose(t, head, &header))
		return false;
	forwarded_begin(&walk, head, header);
	while (forwarded_next(&walk, &node) && node.kind == FORWARDED_ADDRESS) {
		address_of_ip(node.ip, node.ip_len, node.port, client);
		any = true;
		if (!trusted_has(t, client) && !(local && address_is_local(client)))
			break;
	}
	return any;
}
