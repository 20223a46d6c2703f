/* Verdict: what was found out about a path, as far as the next visit can use it. */
#ifndef CLIENT_VERDICT_H
#define CLIENT_VERDICT_H

#include <stdint.h>

#include "tunnel/carrier.h"
#include "tunnel/cuts.h"

struct verdict {
	const struct rung *rung; /* the best one proven; NULL: none */
	int64_t when;		/* Unix time of the proof */
	struct cuts cuts;	/* learned_us on the clock of the loop that holds it */
	unsigned limit;		/* learned number of connections, 0: unknown */
};

#endif
