/*
 * Dress: what a proxy in between wants of each request on a connection: the target
 * in absolute form, lines of its own (Proxy-Authorization). Belongs to the
 * connection that it was made for; the HTTP engine calls it.
 */
#ifndef TUNNEL_DRESS_H
#define TUNNEL_DRESS_H

#include "tunnel/exchange.h"

struct dress;

struct dress_ops {
	/* How the head is to be sent; what out points to lives until the next call. 0 or a code. */
	int (*request)(struct dress *, const struct exchange_head *in, struct exchange_head *out);
	/* The proxy refused it for want of credentials (407). 0: the same request, dressed anew, may be accepted. ERROR_AGAIN: only on a new
	 * connection. ERROR_PROXY_AUTH: on none. */
	int (*refused)(struct dress *, const struct http1_head *);
	/* An answer came that is not 407. */
	void (*accepted)(struct dress *, const struct http1_head *);
	void (*release)(struct dress *);
};

struct dress {
	const struct dress_ops *ops;
};

#endif
