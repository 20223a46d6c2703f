/*
 * HOST[:PORT]. Called for the server's URL (options.c) and those of proxies
 * (proxy.c); calls the reader of addresses.
 */
#include "client/authority.h"

#include <stdio.h>
#include <string.h>

#include "tunnel/address.h"

const char *authority_parse(const char *s, size_t n, char host[256], uint16_t *port, uint16_t missing)
{
	struct address_hostport hp;
	char text[320];

	if (n == 0 || n >= sizeof text)
		return "the host is missing or too long";
	snprintf(text, sizeof text, "%.*s", (int)n, s);
	if (address_split(text, false, &hp) < 0)
		return "not a host name or address with an optional :port";
	if (!hp.has_port && !missing)
		return "the port is missing";
	*port = hp.has_port ? hp.first : missing;
	if (*port == 0)
		return "port 0 is no place to connect to";
	strcpy(host, hp.host);
	return NULL;
}

void authority_text(const char *host, uint16_t port, uint16_t usual, char *out, size_t size)
{
	bool v6 = strchr(host, ':') != NULL;
	int n = snprintf(out, size, "%s%s%s", v6 ? "[" : "", host, v6 ? "]" : "");

	if (port != usual)
		snprintf(out + n, size - (size_t)n, ":%u", port);
}
