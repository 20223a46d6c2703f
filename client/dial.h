/*
 * Dialler: from configuration to a ready stream to the server: resolve, connect
 * (racing), through each proxy of a chain (CONNECT, SOCKS5, TLS to the proxy itself),
 * TLS. Each step has a deadline and each failure a sentence of its own. Gives its
 * dials to a pool.
 */
#ifndef CLIENT_DIAL_H
#define CLIENT_DIAL_H

#include "client/auth.h"
#include "client/proxy.h"
#include "tunnel/loop.h"
#include "tunnel/pool.h"
#include "tunnel/resolve.h"
#include "tunnel/stream_tls.h"

/* Texts are copied; loop, resolver and tls must outlive the dialler. */
struct dial_config {
	struct loop *loop;
	struct resolver *resolver;
	struct tls_context *tls;	/* NULL: no TLS (tests) */
	const char *alpn;		/* offered to the server in place of what tls has; NULL: that. A literal */
	struct tls_context *proxy_tls;	/* for proxies that are spoken to by TLS */
	bool plain;			/* no TLS to the server: its requests are sealed; the last hop, if it is an HTTP proxy, is not asked to
					 * CONNECT: the stream gets a dress with the absolute form and what the proxy wants of each request */
	const struct proxy_chain *chain; /* copied; NULL or n = 0: direct */
	struct auth *auth[PROXY_HOPS_MAX]; /* of each HTTP(S) hop of the chain, and of SOCKS5 with a user (its name and password); outlive the dialler */
	const char *server_host;
	uint16_t server_port;
	const char *plain_host;		/* plain: where the server listens without TLS */
	uint16_t plain_port;
	int64_t connect_timeout_us, proxy_timeout_us, tls_timeout_us; /* for each step of that kind; 0: 10 s */
};

struct dialler;

struct dialler *dialler_new(const struct dial_config *);
/* To the same server by CONNECT through the same proxies, but to that port and without TLS to it. */
struct dialler *dialler_plain(const struct dialler *, uint16_t port);
void dialler_free(struct dialler *);	/* dials under way are cancelled */
/* Lives as long as the dialler. A stream that done gets has its events attached at once. */
const struct pool_dialler *dialler_pool(struct dialler *);
/* The network changed: addresses are looked up anew. */
void dialler_forget(struct dialler *);
/* Would the last connection made leave from another address of ours now? True, too, when none was made. */
bool dialler_moved(const struct dialler *);

#endif
