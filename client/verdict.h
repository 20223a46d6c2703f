/* Verdict: what was found out about a path, as far as the next visit can use it. */
#ifndef CLIENT_VERDICT_H
#define CLIENT_VERDICT_H

#include <stdbool.h>
#include <stdint.h>

#include "client/fingerprint.h"
#include "tunnel/carrier.h"
#include "tunnel/cuts.h"

#define VERDICT_NAME_MAX 160

/* Who signed the certificate that the server showed there. */
struct verdict_issuer {
	int64_t when, since;	/* Unix times, the last and the first one that it was seen; 0: not known */
	bool is_public;		/* a public authority */
	char name[VERDICT_NAME_MAX]; /* of such a one; "" */
	char leaf[FINGERPRINT], anchor[FINGERPRINT]; /* of the keys of the server and of the authority at the chain's end */
};

struct verdict {
	const struct rung *rung; /* the best one proven; NULL: none */
	int64_t when;		/* Unix time of the proof */
	struct cuts cuts;	/* learned_us on the clock of the loop that holds it */
	unsigned limit;		/* learned number of connections, 0: unknown */
	struct verdict_issuer issuer;
};

#endif
