/*
 * Heads of requests and answers that pass between a visitor and the website behind us (RFC 9110 section 7.6): what belongs to
 * one connection stays behind, who asks is told by X-Forwarded-*, Forwarded (RFC 7239) and Via. Pure.
 */
#ifndef SERVER_FALLBACK_HEAD_H
#define SERVER_FALLBACK_HEAD_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "framing/http1.h"

#define FALLBACK_HEAD_LINES (HTTP1_HEAD_MAX + 256) /* bytes of an answer's lines at most, with NUL */

/* Who asks. */
struct fallback_visitor {
	const char *peer;	/* "192.0.2.1:5004", "[2001:db8::1]:5004", the same without port and brackets, or nobody's address */
	const uint8_t *origin;	/* as origins_key; NULL: not counted */
	bool tls;
	const char *key;	/* for a WebSocket by HTTP/2, which has none (RFC 8441 section 5): its Sec-WebSocket-Key */
	bool trusted;		/* it came by a proxy that is believed: so is what that says of scheme and host */
};

/* A request as the website gets it. Texts are in one piece of memory, which fallback_head_drop frees. */
struct fallback_head {
	char *method, *target, *host, *lines;
	bool repeatable;	/* idempotent: may be sent once more (RFC 9110 section 9.2.2) */
	bool websocket;		/* it asks for one */
	bool expects;		/* the visitor wants "100 Continue" */
};

/* site: the Host of requests that have none, which HTTP/1.0 may. protocol: what the request asks for by Upgrade goes on
 * (its own lines besides, without Upgrade and Connection). 0, or the status of the answer that it gets from us: 400, 405. */
/* A WebSocket by HTTP/2 becomes a GET. */
int fallback_head_request(struct fallback_head *, const struct http1_head *, const struct fallback_visitor *, const char *site);
void fallback_head_drop(struct fallback_head *);

/* The lines of an answer but for its framing; h2: to a request by HTTP/2. out has FALLBACK_HEAD_LINES bytes. Its length, or
 * ERROR_LIMIT. */
ssize_t fallback_head_answer(char *out, const struct http1_head *, bool h2);

#endif
