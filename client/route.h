/*
 * Route: how connections to the server are made: the resolver, what is trusted, the
 * proxy and its password. It can be replaced by what the files say now while
 * connections are being made.
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

/* Reads the files that the options name. NULL and a sentence in error. */
struct route *route_new(struct loop *, const struct options *, char *error, size_t size);
/* Connections being made are cancelled. NULL is fine. */
void route_free(struct route *);
/* Reads the files again. 0, or as route_new, and then nothing changes. */
int route_reload(struct route *, char *error, size_t size);
/* Lives as long as the route. */
const struct pool_dialler *route_dialler(const struct route *);
/* The network changed: addresses are looked up anew. */
void route_forget(struct route *);
/* Would connections leave from another address of ours now? */
bool route_moved(const struct route *);
/* What is trusted now; ends with a reload. And who finds addresses. */
struct tls_context *route_tls(const struct route *);
struct tls_context *route_seal_tls(const struct route *); /* the same for the handshakes of seals */
struct resolver *route_resolver(const struct route *);
/* The proxies in use, first hop first: the candidate that worked last, else the first one (n = 0: direct). All that were found, and where. */
const struct proxy_chain *route_chain(const struct route *);
const struct proxy_list *route_list(const struct route *);	/* NULL: still looking */
/* The server is reached without TLS, by sealed requests (in absolute form where the last hop is an HTTP proxy). */
bool route_is_plain(const struct route *);
/* "direct", "proxy.example:3128", "a:1 > b:2 without CONNECT": for people, and as the key of what is remembered. */
const char *route_text(const struct route *);
/* Of one hop of the chain in use; NULL: it wanted none so far. */
const struct auth *route_auth(const struct route *, unsigned hop);
/* A dialler to another port and without TLS; the caller's. */
struct dialler *route_plain(const struct route *, uint16_t port);

#endif
