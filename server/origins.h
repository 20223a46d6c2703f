/*
 * Origins: how much each address has at a time of something, connections or exchanges.
 * Of IPv6 the /64 counts, which one customer has. An origin lives while it has any.
 */
#ifndef SERVER_ORIGINS_H
#define SERVER_ORIGINS_H

#include <stddef.h>
#include <stdint.h>

#include "server/seals.h"
#include "tunnel/address.h"

#define ORIGINS_BUCKETS 1024

struct origin;

struct origins {
	struct origin *bucket[ORIGINS_BUCKETS];
};

void origins_key(const struct address *, uint8_t key[SEALS_ORIGIN]);
/* One more of this address. */
struct origin *origins_take(struct origins *, const uint8_t key[SEALS_ORIGIN]);
/* One less; NULL is fine. */
void origins_give(struct origins *, struct origin *);
/* How many it has, the one just taken with them. */
size_t origin_count(const struct origin *);

#endif
