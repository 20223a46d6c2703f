/*
 * Rate of what one address gets wrong: credentials, for which there is an answer that says "not so often". Of IPv6 the /64 counts. The table has a
 * fixed size: where it is full, who did least is forgotten.
 */
#ifndef SERVER_REST_RATE_H
#define SERVER_REST_RATE_H

#include <stdbool.h>
#include <stdint.h>

#include "server/seals.h"

#define REST_RATE_BURST 30	/* at once */
#define REST_RATE_EVERY_S 2	/* seconds for each further one */

struct rest_rate;

/* seed: random. */
struct rest_rate *rest_rate_new(uint64_t seed);
void rest_rate_free(struct rest_rate *);	/* NULL is fine */
/* One more of this address: 0, or after how many seconds the next one is taken as usual. */
unsigned rest_rate_count(struct rest_rate *, const uint8_t key[SEALS_ORIGIN], int64_t now_us);

#endif
