/* The other end on the loopback interface: a proxy that answers with `reply` when a head has come, or a TLS server that
 * echoes; or both. A test sets reply and the flags. */
#ifndef TESTS_LIB_THERE_H
#define TESTS_LIB_THERE_H

#include <stdbool.h>
#include <stddef.h>

#include "tunnel/address.h"
#include "tunnel/loop.h"
#include "tunnel/stream.h"
#include "tunnel/tls_context.h"

#define THERE_PEERS 32

/* One connection. */
struct peer {
	struct stream *stream;
	char head[4096];	/* what came in plain */
	size_t got, sent;
	bool tls;		/* the handshake is over */
	struct timer timer;
};

extern struct there {
	int fd;
	struct io io;
	struct loop *loop;
	struct tls_context *tls_context;
	struct address address;
	const char *reply;	/* NULL: straight to TLS */
	bool drip;		/* the reply byte by byte */
	bool hang_up;		/* closes at once */
	bool hang_up_then;	/* closes behind the reply */
	bool no_tls;		/* says nothing behind the reply */
	unsigned accepted;	/* connections so far */
	struct peer peers[THERE_PEERS];
} there;

/* Forgets what was set, and listens at a port that the kernel chooses. */
void there_listen(struct loop *, struct tls_context *, const char *host);
void there_stop(void);			/* listening */
void there_close_peers(void);

#endif
