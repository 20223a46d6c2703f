/* Names to addresses without blocking, by c-ares (which no other file sees). */
#ifndef TUNNEL_RESOLVE_H
#define TUNNEL_RESOLVE_H

#include "tunnel/address.h"
#include "tunnel/loop.h"

#define RESOLVE_MAX 16

struct resolver;
struct resolve;

struct resolver *resolver_new(struct loop *);
void resolver_renew(struct resolver *);	/* the network changed: what is asked from now on goes to the name servers of now */
void resolver_free(struct resolver *);	/* lookups under way are cancelled silently */
/* Looks up A and AAAA (and /etc/hosts); a literal address needs no DNS. done is called once, in a later
 * turn: addresses ordered by RFC 6724 and interleaved by family, or n = 0 and a negative code. Deadline 5 s. */
struct resolve *resolve_start(struct resolver *, const char *host, uint16_t port,
			      void (*done)(void *ctx, const struct address *, size_t n, int error), void *ctx);
void resolve_cancel(struct resolve *);

#endif
