/*
 * Rates: a time for each address, up to which what it did is paid for (GCRA). Called by rest_check.c.
 */
#include "server/rest_rate.h"

#include <stdlib.h>
#include <string.h>

#include "tunnel/loop.h"

#define SETS 1024
#define WAYS 4

struct slot {
	uint8_t key[SEALS_ORIGIN];
	int64_t paid_us;	/* 0: nobody's */
};

struct rest_rate {
	uint64_t seed;
	struct slot slot[SETS][WAYS];
};

struct rest_rate *rest_rate_new(uint64_t seed)
{
	struct rest_rate *r = calloc(1, sizeof *r);

	if (!r)
		abort();
	r->seed = seed;
	return r;
}

void rest_rate_free(struct rest_rate *r)
{
	free(r);
}

/* That of the address, or one that is free for it. */
static struct slot *slot_of(struct rest_rate *r, const uint8_t key[SEALS_ORIGIN])
{
	struct slot *set, *least;
	uint64_t h = r->seed;

	for (int i = 0; i < SEALS_ORIGIN; i++)
		h = (h ^ key[i]) * UINT64_C(1099511628211);
	set = r->slot[(h ^ h >> 32) % SETS];
	least = set;
	for (int i = 0; i < WAYS; i++) {
		if (set[i].paid_us && memcmp(set[i].key, key, SEALS_ORIGIN) == 0)
			return &set[i];
		if (set[i].paid_us < least->paid_us)
			least = &set[i];
	}
	memcpy(least->key, key, SEALS_ORIGIN);
	least->paid_us = 0;
	return least;
}

unsigned rest_rate_count(struct rest_rate *r, const uint8_t key[SEALS_ORIGIN], int64_t now_us)
{
	struct slot *s = slot_of(r, key);
	int64_t ahead;

	if (s->paid_us < now_us)
		s->paid_us = now_us;
	ahead = s->paid_us - now_us;
	if (ahead > (REST_RATE_BURST - 1) * REST_RATE_EVERY_S * LOOP_SECOND)
		return REST_RATE_EVERY_S;
	s->paid_us += REST_RATE_EVERY_S * LOOP_SECOND;
	return 0;
}
