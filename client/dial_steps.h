/*
 * Steps: what a dial has to do on a connection to the first proxy, or to the server,
 * one hop after the other, made once from what is configured.
 */
#ifndef CLIENT_DIAL_STEPS_H
#define CLIENT_DIAL_STEPS_H

#include "client/dial.h"
#include "client/hop.h"

#define DIAL_STEPS_MAX (2 * PROXY_HOPS_MAX + 1)

struct dial_step {
	const struct hop_kind *kind;
	struct hop_config hop;
	int64_t timeout_us;
};

struct dial_steps {
	char through[PROXY_HOPS_MAX * 320]; /* " through the proxy P", "" without one */
	bool asked;
	unsigned n;
	struct dial_step step[DIAL_STEPS_MAX];
	struct hop_config server_11;	/* that of TLS with the server, where no other version is offered */
};

/* The texts and the chain of the config live as long as the steps. */
void dial_steps_init(struct dial_steps *, const struct dial_config *);

#endif
