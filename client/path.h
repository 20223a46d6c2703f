/*
 * Path: the way from this network, through this proxy, to this server: its one
 * pool of connections, and what is known of it from now and from earlier visits. Follows
 * changes of the network.
 */
#ifndef CLIENT_PATH_H
#define CLIENT_PATH_H

#include <stdbool.h>

#include "client/options.h"
#include "client/route.h"
#include "client/verdict.h"
#include "tunnel/pool.h"

struct path;

/* changed: another network, or back from sleep: what stands is to be replaced; the verdict is that of the new network and the
 * pool has forgotten. Never from within path_*. */
struct path *path_new(struct loop *, const struct options *, struct route *, void (*changed)(void *ctx),
		      void *ctx);
/* After all that uses its pool. NULL is fine. */
void path_free(struct path *);
struct pool *path_pool(const struct path *);
struct verdict *path_verdict(struct path *);
/* Who signed the server's certificate on this network now: for other visits. A public authority that was seen before is not
 * forgotten for one that is none. */
void path_signed(struct path *, const struct verdict_issuer *);
/* Who signed it on other visits. False: nothing is known. */
bool path_issuer(const struct path *, struct verdict_issuer *);
/* A carrier was proven here. */
void path_works(struct path *);
/* Connections are made, but lead to nobody: where that was never otherwise, the next proxies are tried. */
void path_failed(struct path *, int error);
/* The verdict has something new that is worth remembering. */
void path_learned(struct path *);

#endif
