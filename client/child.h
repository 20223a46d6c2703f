/*
 * Child: a process of our own program that runs one stage of the discovery of
 * proxies, because foreign code in it may block, crash or be attacked. It has one
 * socket, as its standard input and output, and an environment made for it; nothing
 * of its parent's memory and no other descriptor.
 */
#ifndef CLIENT_CHILD_H
#define CLIENT_CHILD_H

#include <stddef.h>
#include <stdint.h>

#include "tunnel/loop.h"

#define CHILD_COMMAND "discovery-child"	/* culvert discovery-child STAGE */

struct child;

struct child_config {
	struct loop *loop;
	const char *stage;	/* a literal */
	char *const *env;	/* ends with NULL; used before child_start returns */
	size_t cap;		/* bytes of output; a child that says more is killed */
	int64_t limit_us;	/* then it is killed */
};

struct child_events {
	void (*heard)(void *ctx);	/* more output */
	/* The process is gone. why: NULL when it ended with status 0, else what became of it, as the end of a sentence. */
	void (*ended)(void *ctx, const char *why);
};

/* Never NULL; events never from within child_*, and none after child_free. */
struct child *child_start(const struct child_config *, const struct child_events *, void *ctx);
/* Kills what still runs. NULL is fine. */
void child_free(struct child *);
/* To its standard input. Copied. */
void child_say(struct child *, const void *p, size_t n);
void child_hush(struct child *);	/* no more will be said: its input ends */
/* All that it has said: *n bytes and a NUL, until the next event or the end. */
const char *child_output(const struct child *, size_t *n);

#endif
