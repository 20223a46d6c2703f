/*
 * Hop: one step of a dial on a connection that stands: TLS, CONNECT, SOCKS5, or what
 * requests without CONNECT need. The dialler goes through them in order. A kind is
 * a file and a row of dial_steps.c.
 */
#ifndef CLIENT_HOP_H
#define CLIENT_HOP_H

#include "client/auth.h"
#include "client/proxy.h"
#include "tunnel/loop.h"
#include "tunnel/stream.h"

#define HOP_WHOM 320	/* bytes of "the proxy https://host:port" */
#define HOP_WHY 900	/* bytes of a sentence */

struct hop;
struct tls_context;

/* What a step needs to know; lives longer than the hop. */
struct hop_config {
	struct loop *loop;
	const struct proxy *proxy;	/* who is asked; NULL: TLS with the server, or nobody */
	struct auth *auth;		/* at that proxy; NULL: no credentials */
	struct tls_context *tls;	/* TLS: what is trusted */
	const char *alpn;		/* TLS: offered in place of what the context has; NULL: that */
	const char *host;		/* whom it leads to, never resolved here; TLS: who has to prove itself */
	uint16_t port;
	char to[HOP_WHOM];		/* "host:port" of the same; without CONNECT: its authority in http:// */
	char whom[HOP_WHOM];		/* the same for people */
	const char *through;		/* " through the proxy P", or "" */
	bool last;			/* that is the server */
	bool *asked;			/* without CONNECT: the proxy was asked once whether it wants credentials */
};

/* Called once, in a later turn: with the stream, now the callee's; or NULL, a code and a sentence for people (valid
 * during the call). ERROR_AGAIN: the same is to be tried on a new connection, and may go on there. */
typedef void hop_done(void *ctx, struct stream *, int error, const char *why);

struct hop_kind {
	const char *name;
	/* Takes a ready stream over. */
	struct hop *(*start)(const struct hop_config *, struct stream *, hop_done *, void *ctx);
	/* Gives up what the kind holds; hop_drop does the rest. */
	void (*stop)(struct hop *);
	/* What to say when the deadline has passed. */
	void (*late)(struct hop *, double seconds, char *why, size_t size);
};

extern const struct hop_kind hop_tls, hop_connect, hop_socks5, hop_absolute;

/* In any state; done is not called any more, the stream is closed. NULL is fine. */
void hop_drop(struct hop *);

/* For the kinds. Embedded first in each. */
struct hop {
	const struct hop_kind *kind;
	const struct hop_config *config;
	struct stream *stream;		/* NULL: over */
	struct later later;		/* success that is known at once */
	hop_done *done;
	void *ctx;
	char why[HOP_WHY];
};

void hop_init(struct hop *, const struct hop_kind *, const struct hop_config *, struct stream *, hop_done *, void *ctx);
/* The two ends. */
void hop_succeed(struct hop *);
void hop_fail(struct hop *, int error, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
/* In a later turn, for start. */
void hop_succeed_later(struct hop *);
/* Closes a stream and what it is dressed in. */
void hop_close(struct stream *);

#endif
