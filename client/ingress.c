/*
 * The kinds of ingress, and what they share: binding with errors that a person
 * can act on. Called by helper.c and by the kinds.
 */
#include "client/ingress.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "framing/capsule.h"
#include "framing/error.h"

static const struct ingress_kind *const kinds[] = { &ingress_udp, &ingress_tcp, &ingress_ws, &ingress_socks, &ingress_http };

const struct ingress_kind *ingress_find(const char *scheme, size_t n)
{
	size_t i;

	for (i = 0; i < sizeof kinds / sizeof kinds[0]; i++)
		if (strlen(kinds[i]->scheme) == n && memcmp(kinds[i]->scheme, scheme, n) == 0)
			return kinds[i];
	return NULL;
}

static const char *advice(int e)
{
	switch (e) {
	case EADDRINUSE:
		return ": stop the program that uses it, or choose another port (0: any free one)";
	case EADDRNOTAVAIL:
		return ": this machine has no such address";
	case EACCES:
		return ": ports below 1024 need a privilege; choose a higher one";
	default:
		return "";
	}
}

int ingress_bind(const struct ingress_kind *kind, const struct address *a, char *error, size_t size)
{
	int fd = kind->bind(a), e = errno;
	char text[ADDRESS_TEXT];

	if (fd >= 0)
		return fd;
	snprintf(error, size, "cannot bind %s %s: %s%s", kind->scheme, address_text(a, text), strerror(e), advice(e));
	return ERROR_SYSTEM;
}

void ingress_init(struct ingress *i, const struct ingress_kind *kind, const struct ingress_host *host, int fd,
		  const char *service, unsigned port_index)
{
	struct address a;

	i->kind = kind;
	i->host = host;
	i->service = service;
	i->port_index = port_index;
	if (address_of_socket(fd, &a) == 0)
		address_text(&a, i->local);
}

bool ingress_session_lost(uint64_t code)
{
	switch (code) {
	case CODE_UNKNOWN_SESSION:
	case CODE_EXPIRED:
	case CODE_EPOCH:
	case CODE_ENDED:
	case CODE_SHUTDOWN:
	case CODE_SESSION_LOST:
		return true;
	default:
		return false;
	}
}
