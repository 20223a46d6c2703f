/*
 * Legs: one request without a body to an HTTP proxy, put again with what each 407
 * wants until the proxy is content (RFC 9110 section 11.7), all on one connection.
 */
#ifndef CLIENT_LEGS_H
#define CLIENT_LEGS_H

#include "client/auth.h"
#include "tunnel/loop.h"
#include "tunnel/stream.h"

#define LEGS_MAX 6		/* requests on one connection */
#define LEGS_WHY 900		/* bytes of a sentence */
#define LEGS_LINE 128		/* bytes of a status line that are looked at */

struct legs;

/* Texts and what is pointed to live as long as the legs. */
struct legs_config {
	struct loop *loop;
	struct stream *stream;		/* ready; stays the caller's, but has our events until over */
	struct auth_dialogue *dialogue;	/* the caller's, who says legs_ready; NULL: no credentials */
	const char *method, *target, *host;
	const char *what;		/* for sentences: "CONNECT to a.test:443" */
	const char *proxy;		/* "host:port": for sentences */
	/* An answer other than 407 came: 0, it is accepted, or a code and a sentence. line: the status line as it came. */
	int (*judge)(void *ctx, const struct http1_head *, const char *line, char *why, size_t size);
	/* Called once, in a later turn. 0: accepted, and a CONNECT's tunnel stands, or else the answer was read to its end. ERROR_AGAIN: the
	 * dialogue may go on, but on a new connection. Or a code and a sentence for people (valid during the call). */
	void (*over)(void *ctx, int error, const char *why);
	void *ctx;
};

struct legs *legs_new(const struct legs_config *);
/* In any state, also from within over. NULL is fine. */
void legs_free(struct legs *);
/* The line that the dialogue could not give at once is there. */
void legs_ready(struct legs *);
/* What is waited for before a request can be sent: a sentence; NULL: nothing, it was sent. */
const char *legs_waits(const struct legs *);
/* Behind over(0): the proxy keeps the connection. */
bool legs_kept(const struct legs *);

#endif
