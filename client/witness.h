/*
 * Witness: looks at whom TLS has shown and compares with what other visits to the server remember; says once
 * in the log when it is not who should be expected. Embedded.
 */
#ifndef CLIENT_WITNESS_H
#define CLIENT_WITNESS_H

#include "client/advice.h"
#include "client/issuer.h"

struct witness {
	enum signer_kind kind;
	char words[ISSUER_WORDS];
	struct certificate_seen seen;	/* n = 0: none yet */
	struct advice_said said;
};

/* After a success or a failure, and before it is shown: a look costs nothing when nothing is new. server: its authority;
 * known: of other visits, or NULL. True when it is another certificate than at the last look. */
bool witness_look(struct witness *, const struct certificate_seen *, const struct verdict_issuer *known, bool proxied,
		  const char *server);
/* Another network: what is shown there is new. */
void witness_forget(struct witness *);

#endif
