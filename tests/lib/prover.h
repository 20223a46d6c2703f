/* Credentials as a test says, in the place of client/auth.c: what a dialogue sends, when, and when it gives up. */
#ifndef TESTS_LIB_PROVER_H
#define TESTS_LIB_PROVER_H

#include "client/auth.h"

extern struct prover {
	struct loop *loop;
	enum auth_scheme scheme;	/* what is learned from the first 407 */
	bool bound;			/* two legs on each connection */
	bool eager;			/* known from the beginning */
	unsigned patience;		/* 407s until it is hopeless; 0: all */
	int64_t delay_us;		/* a line takes so long; 0: it is there at once */
	const char *user, *password;	/* for SOCKS5 */
	bool rejected;			/* these were */
	/* What came about. */
	bool known;
	unsigned lines, challenged, accepted, dialogues, open;
} prover;

/* Nothing is known, nothing came about. */
void prover_reset(struct loop *);
/* The one auth. */
struct auth *prover_auth(void);

#endif
