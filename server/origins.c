/*
 * The table of origins. Called by the connections and by the visitors; calls nothing.
 */
#include "server/origins.h"

#include <stdlib.h>
#include <string.h>

struct origin {
	struct origin *next;	/* in its bucket */
	uint8_t key[SEALS_ORIGIN]; /* family, then 4 or 8 bytes */
	size_t count;
};

void origins_key(const struct address *a, uint8_t key[SEALS_ORIGIN])
{
	memset(key, 0, SEALS_ORIGIN);
	key[0] = (uint8_t)a->sa.ss_family;
	if (a->sa.ss_family == AF_INET)
		memcpy(key + 1, &((const struct sockaddr_in *)&a->sa)->sin_addr, 4);
	else if (a->sa.ss_family == AF_INET6)
		memcpy(key + 1, &((const struct sockaddr_in6 *)&a->sa)->sin6_addr, 8);
}

static struct origin **origin_at(struct origins *all, const uint8_t key[SEALS_ORIGIN])
{
	uint32_t h = 2166136261;
	struct origin **link;

	for (int i = 0; i < SEALS_ORIGIN; i++)
		h = (h ^ key[i]) * 16777619;
	link = &all->bucket[(h ^ h >> 15) % ORIGINS_BUCKETS];
	while (*link && memcmp((*link)->key, key, SEALS_ORIGIN))
		link = &(*link)->next;
	return link;
}

struct origin *origins_take(struct origins *all, const uint8_t key[SEALS_ORIGIN])
{
	struct origin **link = origin_at(all, key), *o = *link;

	if (!o) {
		o = calloc(1, sizeof *o);
		if (!o)
			abort();
		memcpy(o->key, key, sizeof o->key);
		*link = o;
	}
	o->count++;
	return o;
}

void origins_give(struct origins *all, struct origin *o)
{
	struct origin **link;

	if (!o || --o->count)
		return;
	link = origin_at(all, o->key);
	*link = o->next;
	free(o);
}

size_t origin_count(const struct origin *o)
{
	return o->count;
}
