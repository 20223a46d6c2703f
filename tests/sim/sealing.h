/*
 * Sealing in a world: the real front and its seals before the server's sessions, a real sealer at the helper, and
 * certificates made on the spot. Nothing but sealed requests gets through to a session.
 */
#ifndef TESTS_SIM_SEALING_H
#define TESTS_SIM_SEALING_H

#include "server/front.h"
#include "tests/sim/world.h"
#include "tunnel/sealer.h"

struct sealing {
	struct world *w;
	struct tls_context *client;
	struct front front;
	struct seals *seals;
	struct credentials *credentials;
	struct sealer *sealer;
	struct visitor *visitors;
	unsigned made, failed, lost; /* seals, at the helper */
	int error;		/* it failed last */
	char why[200];
};

/* For a group of tests: the certificate. */
int sealing_set_up(void **state);
int sealing_tear_down(void **state);

/* Before the world has lanes. */
void sealing_begin(struct sealing *, struct world *);
/* The helper trusts nobody. */
void sealing_distrust(struct sealing *);
/* When it has them: the helper begins to make its seal. */
void sealing_start(struct sealing *);
/* The server forgets all seals. */
void sealing_forget(struct sealing *);

/* Frees the world, too. */
void sealing_free(struct sealing *);

#endif
