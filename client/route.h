/*
 * Route: how connections to the server are made: the resolver, what is trusted, the
 * proxies that were found and which of them leads there (candidates). Files can be
 * read again, and other proxies be found, while connections are being made.
 */
#ifndef CLIENT_ROUTE_H
#define CLIENT_ROUTE_H

#include "client/auth.h"
#include "client/options.h"
#include "client/proxy.h"
#include "tunnel/loop.h"
#include "tunnel/pool.h"

struct route;
struct tls_context;
struct resolver;
struct dialler;

struct route_events {
	/* Other proxies are in use from now on, or none: what stands is to be replaced. Never from within route_*. */
	void (*moved)(void *ctx);
	/* Do connections stand? Then one that cannot be made is no reason to leave the proxies in use. */
	bool (*stands)(void *ctx);
};

/* Reads the files that the options name, and begins to look for proxies; dials wait for that. NULL and a sentence in error. */
struct route *route_new(struct loop *, const struct options *, char *error, size_t size);
/* At most one listener; NULL: nobody any more. */
void route_listen(struct route *, const struct route_events *, void *ctx);
/* Connections being made are cancelled. NULL is fine. */
void route_free(struct route *);
/* Reads the files again, and looks again for proxies. 0, or as route_new, and then nothing changes. */
int route_reload(struct route *, char *error, size_t size);
/* Lives as long as the route. */
const struct pool_dialler *route_dialler(const struct route *);
/* The network changed: addresses are looked up anew, proxies are looked for, the first one is tried first. */
void route_forget(struct route *);
/* Connections are made, but lead nowhere: the next candidate, if there is one (then moved is called). */
bool route_bad(struct route *);
/* Would connections leave from another address of ours now? */
bool route_moved(const struct route *);
/* What is trusted now; ends with a reload. And who finds addresses. */
struct tls_context *route_tls(const struct route *);
struct tls_context *route_seal_tls(const struct route *);	/* the same for the handshakes of seals */
struct resolver *route_resolver(const struct route *);
/* The proxies in use, first hop first: the candidate that worked last, else the first one (n = 0: direct). All that were found, and where. */
const struct proxy_chain *route_chain(const struct route *);
const struct proxy_list *route_list(const struct route *);	/* NULL: still looking */
/* The server is reached without TLS, by sealed requests (in absolute form where the last hop is an HTTP proxy). */
bool route_is_plain(const struct route *);
/* "direct", "proxy.example:3128", "a:1 > b:2 without CONNECT": for people, and as the key of what is remembered. */
const char *route_text(const struct route *);
/* Why it is without CONNECT: what the proxy said; "" when it is not, or nobody knows. */
const char *route_why(const struct route *);
/* Of one hop of the chain in use; NULL: there is no such hop. */
const struct auth *route_auth(const struct route *, unsigned hop);
/* A dialler to another port and without TLS; the caller's. */
struct dialler *route_plain(const struct route *, uint16_t port);

#endif
