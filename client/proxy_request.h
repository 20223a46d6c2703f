/*
 * Proxy requests: what a local program asks the helper's HTTP proxy for, and how it is asked on (RFC 9110 sections 7 and 9.3.6,
 * RFC 9112 section 3.2). Pure.
 */
#ifndef CLIENT_PROXY_REQUEST_H
#define CLIENT_PROXY_REQUEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "framing/http1.h"

#define PROXY_REQUEST_HEAD_MAX (HTTP1_HEAD_MAX + 512)	/* of one that is asked on */
#define PROXY_REQUEST_LOGIN_MAX 512			/* name, colon and password */

enum proxy_request_kind {
	PROXY_REQUEST_CONNECT,
	PROXY_REQUEST_FORWARD,	/* absolute form: http://... */
	PROXY_REQUEST_OURS,	/* origin form: the helper is meant itself */
};

struct proxy_request {
	enum proxy_request_kind kind;
	char host[256];		/* without brackets */
	uint16_t port;
	char path[64];		/* of OURS, without query; "" when longer */
	bool get, head_only;	/* its method is GET or HEAD, HEAD */
	uint64_t body;		/* octets behind the head that belong to it; UINT64_MAX: until its end shows or the connection ends */
	char login[PROXY_REQUEST_LOGIN_MAX]; /* of Proxy-Authorization: Basic, or "" */
	uint8_t head[PROXY_REQUEST_HEAD_MAX]; /* of FORWARD: as it is asked on, by a connection of its own */
	size_t head_len;
};

/* Where a head ends in n octets: its length, 0: not yet. */
size_t proxy_request_end(const uint8_t *p, size_t n);
/* Reads a whole head. 0, or a status of HTTP and a static sentence. */
int proxy_request_get(const uint8_t *p, size_t n, struct proxy_request *, const char **sentence);

#endif
