/* One listener on the loopback interface that plays all proxies of a chain and the server behind them, connection by
 * connection as scripted. */
#ifndef TESTS_LIB_GATE_H
#define TESTS_LIB_GATE_H

#include <stdbool.h>
#include <stddef.h>

#include "tunnel/address.h"
#include "tunnel/loop.h"
#include "tunnel/stream.h"
#include "tunnel/tls_context.h"

#define GATE_CONNECTIONS 16
#define GATE_HEARD 16

struct gate_step {
	enum { GATE_END, GATE_HEAD, GATE_BYTES, GATE_TLS, GATE_CLOSE, GATE_ECHO, GATE_SILENCE } kind;
	size_t want;		/* GATE_BYTES: so many are waited for; GATE_HEAD: up to an empty line */
	const char *reply;	/* what is said then */
	size_t n;		/* its octets; 0: a text */
};

/* A script in place, with its end. Those that stand alone end with a step that is never over, or GATE_END. */
#define GATE_SCRIPT(...) ((const struct gate_step[]){ __VA_ARGS__, { .kind = GATE_END } })

struct gate_connection {
	struct stream *stream;	/* NULL: closed */
	const struct gate_step *step;
	char in[20000];
	size_t got;
	const char *out;	/* of a reply, what is not written yet */
	size_t left;
	bool shaking;		/* hands, of TLS */
};

extern struct gate {
	struct loop *loop;
	struct tls_context *tls;
	struct address address;
	const struct gate_step *script[GATE_CONNECTIONS]; /* of each connection; NULL: that of the one before */
	unsigned accepted;
	char heard[GATE_HEARD][20000];	/* each head, or bytes, in order over all connections */
	unsigned n_heard;
	struct gate_connection connection[GATE_CONNECTIONS];
	int fd;
	struct io io;
} gate;

void gate_open(struct loop *, struct tls_context *);
void gate_shut(void);
/* Forgets what was heard and accepted: the same scripts begin anew, or this one is that of all connections. */
void gate_again(const struct gate_step *script);

#endif
