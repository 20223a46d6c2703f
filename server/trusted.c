/*
 * The list of trusted proxies. Made from the options, asked by the connections for each
 * one that comes and for each request of those that are trusted.
 */
#include "server/trusted.h"

#include <stdlib.h>
#include <string.h>

#include "framing/forwarded.h"
#include "tunnel/cidr.h"
#include "tunnel/log.h"

#define NETWORKS_MAX 256

struct trusted {
	enum trusted_header header;
	bool unix_sockets;
	size_t n;
	struct cidr network[NETWORKS_MAX];
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

bool trusted_add(struct trusted *t, const char *text)
{
	if (!strcmp(text, "unix")) {
		t->unix_sockets = true;
		return true;
	}
	if (t->n == NETWORKS_MAX || !cidr_parse(text, strlen(text), &t->network[t->n]))
		return false;
	t->n++;
	return true;
}

bool trusted_is_empty(const struct trusted *t)
{
	return t->n == 0 && !t->unix_sockets;
}

bool trusted_has(const struct trusted *t, const struct address *a)
{
	if (a->sa.ss_family == AF_UNIX)
		return t->unix_sockets;
	for (size_t i = 0; i < t->n; i++)
		if (cidr_has(&t->network[i], a))
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
