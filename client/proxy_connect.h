/* The CONNECT exchange with a proxy (RFC 9110 section 9.3.6), with Basic credentials (RFC 7617). */
#ifndef CLIENT_PROXY_CONNECT_H
#define CLIENT_PROXY_CONNECT_H

#include "tunnel/loop.h"
#include "tunnel/stream.h"

struct proxy_connect;

/* Texts live as long as the exchange. */
struct proxy_connect_config {
	const char *server;	/* "host:port": where to, never resolved here */
	const char *proxy;	/* "host:port": for the sentences */
	const char *user, *password; /* user NULL: no credentials; they are sent at once */
};

/* Sends CONNECT over a ready stream, which stays the caller's but has our events until done. done is
 * called once, in a later turn: 0 when the tunnel stands, or a negative code and a sentence for
 * people (valid during the call). The caller watches the deadline. */
struct proxy_connect *proxy_connect_new(struct loop *, struct stream *, const struct proxy_connect_config *,
					void (*done)(void *ctx, int error, const char *why), void *ctx);
/* In any state, also from within done; the stream gets no event of ours any more. NULL is fine. */
void proxy_connect_free(struct proxy_connect *);

#endif
