/* Called by ingress_ws.c; calls http1, websocket_key and address. */
#include "client/ingress_ws_head.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "tunnel/address.h"

#define HOST_MAX 300

/* HOST[:PORT] to its address, where it is one or means this machine. */
static bool read_host(struct span host, struct address *a)
{
	struct address_hostport at;
	char text[HOST_MAX];

	if (host.n == 0 || host.n >= sizeof text || memchr(host.p, 0, host.n))
		return false;
	snprintf(text, sizeof text, "%.*s", (int)host.n, (const char *)host.p);
	if (address_split(text, false, &at) < 0)
		return false;
	return address_literal(strcasecmp(at.host, "localhost") ? at.host : "127.0.0.1", 1, a);
}

bool ingress_ws_head_host_ok(struct span host)
{
	struct address a;

	return read_host(host, &a);
}

static bool is_here(struct span origin)
{
	struct address a;
	size_t scheme;

	if (origin.n > 7 && !memcmp(origin.p, "http://", 7))
		scheme = 7;
	else if (origin.n > 8 && !memcmp(origin.p, "https://", 8))
		scheme = 8;
	else
		return false;
	return read_host((struct span){ origin.p + scheme, origin.n - scheme }, &a) && address_is_local(&a);
}

bool ingress_ws_head_origin_ok(struct span origin, const char *const *origins, size_t n_origins)
{
	for (size_t i = 0; i < n_origins; i++)
		if (!strcmp(origins[i], "*") || http1_is(origin, origins[i]))
			return true;
	return is_here(origin);
}

bool ingress_ws_head_offered(const char *protocols, const char *name)
{
	while (*protocols) {
		size_t n = strcspn(protocols, ",");

		if (n == strlen(name) && !memcmp(protocols, name, n))
			return true;
		protocols += n + (protocols[n] != 0);
	}
	return false;
}

/* The names of all headers of that kind, with commas alone between them; false: too long, or no names. */
static bool read_protocols(const struct http1_head *head, char *out, size_t size)
{
	size_t n = 0;

	for (size_t i = 0; i < head->count; i++) {
		struct span v = head->header[i].value;

		if (!http1_is(head->header[i].name, "Sec-WebSocket-Protocol"))
			continue;
		if (n + 1 < size && n)
			out[n++] = ',';
		for (size_t k = 0; k < v.n; k++) {
			if (v.p[k] == ' ' || v.p[k] == '\t')
				continue;
			if (n + 1 >= size || v.p[k] < '!' || v.p[k] > '~')
				return false;
			out[n++] = (char)v.p[k];
		}
	}
	out[n] = 0;
	return true;
}

static size_t times(const struct http1_head *head, const char *name)
{
	size_t n = 0;

	for (size_t i = 0; i < head->count; i++)
		n += http1_is(head->header[i].name, name);
	return n;
}

int ingress_ws_head_read(const struct http1_head *head, const char *const *origins, size_t n_origins, struct ingress_ws_request *out,
			 const char **sentence)
{
	struct span key = http1_find(head, "Sec-WebSocket-Key"), origin = http1_find(head, "Origin");

	if (times(head, "Host") != 1 || times(head, "Origin") > 1 || times(head, "Sec-WebSocket-Key") > 1) {
		*sentence = "this is no request of a WebSocket client";
		return 400;
	}
	if (!ingress_ws_head_host_ok(http1_find(head, "Host"))) {
		*sentence = "the URL must have localhost or an address, not another name";
		return 403;
	}
	if (origin.p && !ingress_ws_head_origin_ok(origin, origins, n_origins)) {
		*sentence = "pages from that origin may not use this port: see the option origins";
		return 403;
	}
	if (!http1_is(head->method, "GET") || !http1_is(head->protocol, "websocket")) {
		*sentence = "only WebSockets are served here";
		return 426;
	}
	if (!http1_is(http1_find(head, "Sec-WebSocket-Version"), "13")) {
		*sentence = "only version 13 of WebSockets is spoken here";
		return 426;
	}
	if (!websocket_key_ok(key) || !read_protocols(head, out->protocols, sizeof out->protocols)) {
		*sentence = "this is no right request of a WebSocket client";
		return 400;
	}
	websocket_key_accept(out->accept, key);
	return 0;
}
