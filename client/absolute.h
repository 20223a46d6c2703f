/*
 * Absolute: the dress (tunnel/dress.h) of requests to a server without TLS: in absolute
 * form with credentials for an HTTP proxy (RFC 9112 section 3.2.2), or, where nobody but
 * the server reads them, with its name only.
 */
#ifndef CLIENT_ABSOLUTE_H
#define CLIENT_ABSOLUTE_H

#include "client/auth.h"
#include "tunnel/dress.h"
#include "tunnel/loop.h"

#define ABSOLUTE_AUTHORITY 320	/* bytes of "host:port" */

struct absolute_config {
	struct loop *loop;
	const char *authority;	/* "host" or "host:port" of the server; copied */
	bool proxied;		/* absolute form; else origin form */
	struct auth *auth;	/* of the proxy; NULL: none */
};

/* ready: the dialogue has a line, until absolute_settled. */
struct dress *absolute_new(const struct absolute_config *, void (*ready)(void *ctx), void *ctx);
/* The dialogue of this connection; NULL without auth. */
struct auth_dialogue *absolute_dialogue(struct dress *);
/* Whoever waited for ready is gone. */
void absolute_settled(struct dress *);

#endif
