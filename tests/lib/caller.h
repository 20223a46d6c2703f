/* A dialler and its dials, with the resolver of names.h and the other end of there.h. */
#ifndef TESTS_LIB_CALLER_H
#define TESTS_LIB_CALLER_H

#include "client/dial.h"
#include "tunnel/tls_context.h"

extern struct caller {
	struct loop *loop;
	struct dialler *dialler;
	struct dial_config config;
	struct proxy_chain chain;
	enum dial_versions versions;
	struct tls_context *client_tls, *server_tls, *distrusting_tls;
} caller;

/* One dial. */
struct outcome {
	int called, error;
	struct stream *stream;
	char why[700];
	struct dial *dial;
	bool starting;
};

/* Set-up and tear-down of a group: certificate for a.test, 127.0.0.1 and ::1, contexts; and of each test: loop, other end. */
int caller_make_contexts(void **state);
int caller_drop_contexts(void **state);
int caller_setup(void **state);
int caller_teardown(void **state);

/* A dialler from config; to the other end as server; through the other end as proxy, to a.test:443. */
void caller_make(void);
struct proxy *caller_add(enum proxy_kind, const char *host, uint16_t port); /* a proxy behind those of the chain */
void caller_direct(const char *host);
void caller_proxied(const char *reply);

void caller_begin(struct outcome *);
void caller_dial(struct outcome *);	/* begins, and waits for the outcome */
void caller_finish(struct outcome *);	/* frees the dialler, closes both ends */

/* Dial and finish. In why "%P" stands for the port of the other end. Success: bytes come back. */
void caller_expect_failure(int error, const char *why);
void caller_expect_success(bool tls);

#endif
