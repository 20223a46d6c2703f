/*
 * Forwards, from their text. Called by options.c; calls address.c and the table
 * of ingress kinds.
 */
#include "client/forward.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "framing/error.h"

#define LOCAL_MAX 300	/* characters of the address and ports */
#define WISH_MAX 64	/* of one NAME=VALUE, with its end */

static int wrong(char *error, size_t size, const char *text, const char *why)
{
	snprintf(error, size, "'%.200s': %s; for example udp://127.0.0.1:5004-5013=rtp", text, why);
	return ERROR_CONFIG;
}

static bool service_name(const char *s, size_t n)
{
	return n > 0 && n <= MESSAGE_NAME_MAX && strspn(s, "abcdefghijklmnopqrstuvwxyz0123456789._-") >= n;
}

/* "5004-5013" and ":5004" mean ports of the IPv4 loopback address. */
static void with_host(const char *local, size_t n, char out[LOCAL_MAX])
{
	bool bare = strspn(local, "0123456789-") >= n;

	snprintf(out, LOCAL_MAX, "%s%.*s", bare ? "127.0.0.1:" : *local == ':' ? "127.0.0.1" : "", (int)n, local);
}

static const char *local_parse(const char *local, size_t n, struct forward *f)
{
	struct address_hostport hp;
	char text[LOCAL_MAX];

	if (n == 0 || n > LOCAL_MAX - 16)
		return "the local address is missing or too long";
	with_host(local, n, text);
	if (address_split(text, true, &hp) < 0 || !hp.has_port)
		return "the local side must be ADDRESS:PORT or ADDRESS:FIRST-LAST";
	if (strcmp(hp.host, "localhost") == 0)
		strcpy(hp.host, "127.0.0.1");
	if (!address_literal(hp.host, hp.first, &f->address))
		return "the local side needs an IPv4 or IPv6 address of this machine, not a name";
	f->count = (unsigned)(hp.last - hp.first) + 1;
	if (f->count > FORWARD_PORTS_MAX)
		return "more than 1024 ports in one forward";
	return NULL;
}

static const char *deadline_parse(const char *value, struct ingress_wish *w)
{
	size_t n = strspn(value, "0123456789");
	long ms = n > 0 && n < 7 && !value[n] ? strtol(value, NULL, 10) : 0;

	if (ms < 10 || ms > 60000)
		return "deadline-ms must be a number from 10 to 60000";
	w->deadline_ms = (uint32_t)ms;
	return NULL;
}

/* NAME=VALUE, of n characters. */
static const char *wish_parse(const char *text, size_t n, struct forward *f)
{
	char name[WISH_MAX], *value;
	int found;

	if (n < sizeof name)
		snprintf(name, sizeof name, "%.*s", (int)n, text);
	value = n < sizeof name ? strchr(name, '=') : NULL;
	if (!value)
		return "behind the service stand class=, redundancy= or deadline-ms=, with commas in between";
	*value++ = 0;
	if (strcmp(name, "deadline-ms") == 0)
		return deadline_parse(value, &f->wish);
	if (strcmp(name, "class") == 0) {
		found = message_class_find(value);
		if (found < 0)
			return "class must be auto, audio, video, control or bulk";
		f->wish.class = (enum message_class)found;
		return NULL;
	}
	if (strcmp(name, "redundancy") == 0) {
		found = message_redundancy_find(value);
		if (found < 0)
			return "redundancy must be auto, always or never";
		f->wish.redundancy = (enum message_redundancy)found;
		f->has_redundancy = true;
		return NULL;
	}
	return "behind the service stand class=, redundancy= or deadline-ms= only";
}

static const char *wishes_parse(const char *text, struct forward *f)
{
	const char *why = NULL;

	if (*text && strcmp(f->kind->scheme, "udp") != 0)
		return "class, redundancy and deadline-ms are for udp:// alone";
	while (*text && !why) {
		size_t n = strcspn(++text, ",");

		why = wish_parse(text, n, f);
		text += n;
	}
	return why;
}

int forward_parse(const char *text, struct forward *f, char *error, size_t size)
{
	const char *colon = strstr(text, "://");
	const char *equal = colon ? strchr(colon, '=') : NULL;
	const char *why;
	size_t n;

	memset(f, 0, sizeof *f);
	f->kind = colon ? ingress_find(text, (size_t)(colon - text)) : NULL;
	if (!f->kind)
		return wrong(error, size, text, "a forward begins with udp://, tcp://, ws://, socks5:// or http://");
	if (f->kind->any) {
		why = equal ? "programs name their targets themselves there: leave '=SERVICE' out" : local_parse(colon + 3, strlen(colon + 3), f);
		return why ? wrong(error, size, text, why) : 0;
	}
	if (!equal)
		return wrong(error, size, text, "'=SERVICE' is missing at the end");
	n = strcspn(equal + 1, ",");
	if (!service_name(equal + 1, n))
		return wrong(error, size, text, "a service name has 1 to 64 characters of a-z 0-9 . _ -");
	why = local_parse(colon + 3, (size_t)(equal - colon - 3), f);
	if (!why)
		why = wishes_parse(equal + 1 + n, f);
	if (why)
		return wrong(error, size, text, why);
	snprintf(f->service, sizeof f->service, "%.*s", (int)n, equal + 1);
	return 0;
}

struct address forward_port(const struct forward *f, unsigned i)
{
	struct address a = f->address;

	if (address_port(&a) != 0)
		address_set_port(&a, (uint16_t)(address_port(&a) + i));
	return a;
}

bool forward_is_loopback(const struct forward *f)
{
	const struct sockaddr_in *v4 = (const struct sockaddr_in *)&f->address.sa;
	const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)&f->address.sa;

	if (f->address.sa.ss_family == AF_INET)
		return ntohl(v4->sin_addr.s_addr) >> 24 == 127;
	return IN6_IS_ADDR_LOOPBACK(&v6->sin6_addr);
}
