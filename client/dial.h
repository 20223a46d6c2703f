/*
 * Dialler: from configuration to a ready stream to the server: resolve, connect
 * (racing), CONNECT through the proxy, TLS. Each step has a deadline and each
 * failure a sentence of its own. Gives its dials to a pool.
 */
#ifndef CLIENT_DIAL_H
#define CLIENT_DIAL_H

#include "tunnel/loop.h"
#include "tunnel/pool.h"
#include "tunnel/resolve.h"
#include "tunnel/stream_tls.h"

/* Texts are copied; loop, resolver and tls must outlive the dialler. */
struct dial_config {
	struct loop *loop;
	struct resolver *resolver;
	struct tls_context *tls;	/* NULL: no TLS (tests) */
	const char *server_host;
	uint16_t server_port;
	const char *proxy_host;		/* NULL: direct */
	uint16_t proxy_port;
	const char *proxy_user, *proxy_password; /* NULL: none */
	int64_t connect_timeout_us, proxy_timeout_us, tls_timeout_us; /* 0: 10 s each */
};

struct dialler;

struct dialler *dialler_new(const struct dial_config *);
/* To the same server and through the same proxy, but to that port and without TLS. */
struct dialler *dialler_plain(const struct dialler *, uint16_t port);
void dialler_free(struct dialler *);	/* dials under way are cancelled */
/* Lives as long as the dialler. A stream that done gets has its events attached at once. */
const struct pool_dialler *dialler_pool(struct dialler *);
/* The network changed: addresses are looked up anew. */
void dialler_forget(struct dialler *);
/* Would the last connection made leave from another address of ours now? True, too, when none was made. */
bool dialler_moved(const struct dialler *);

#endif
