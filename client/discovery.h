/*
 * Discovery: which proxies lead to the server, in which order: as it was said
 * (--proxy, configuration), else the environment, the system's settings (libproxy) and
 * PAC files. What may block or is foreign code runs in a child process.
 */
#ifndef CLIENT_DISCOVERY_H
#define CLIENT_DISCOVERY_H

#include "client/options.h"
#include "client/proxy.h"
#include "tunnel/loop.h"

struct discovery;

/* What needs no looking for is known when it returns (discovery_list), and found is not called for it. Else found is called
 * once the list is known, and always when it is another one; never from within discovery_*. Until then at most 10 s pass;
 * what cannot be found out in that time counts as direct, with a warning in the log. */
struct discovery *discovery_new(struct loop *, const struct options *, void (*found)(void *ctx, const struct proxy_list *),
				void *ctx);
void discovery_free(struct discovery *);	/* NULL is fine */
/* Looks again: the network changed (moved: what was found before is of no use), or a reload was asked for. found follows only when the
 * answer differs. */
void discovery_again(struct discovery *, bool moved);
/* The list as it is; NULL: not known yet. */
const struct proxy_list *discovery_list(const struct discovery *);

#endif
