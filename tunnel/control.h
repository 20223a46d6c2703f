/*
 * Control: a Unix socket that answers one line of words and closes. Only the user
 * of the process and root may ask; a socket left behind by a process that is gone is
 * replaced, one that answers is not.
 */
#ifndef TUNNEL_CONTROL_H
#define TUNNEL_CONTROL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "tunnel/loop.h"

#define CONTROL_WORDS 8		/* of a line, at most */
#define CONTROL_LINE 64		/* bytes of a line and its end, at most */
#define CONTROL_CLIENTS 8	/* at a time; the next one is turned away */

struct control;

/* Where it is, and what people call it. */
struct control_place {
	const char *path;	/* absolute, shorter than sun_path */
	const char *program;	/* whose it is: "culvertd" */
	const char *option;	/* that names the path: "admin", "control" */
};

/* Prints the answer to a line of n words (0 to CONTROL_WORDS; further ones are dropped). */
typedef void control_handler(void *ctx, FILE *out, size_t n, char *const *words);

/* NULL and a sentence in error. */
struct control *control_new(struct loop *, const struct control_place *, control_handler *, void *ctx, char *error,
			    size_t size);
/* Closes and removes the socket. NULL is fine. */
void control_free(struct control *);
/* The other side, blocking up to 5 s for each piece: sends the line (without its end) and copies the answer. False and a
 * sentence in error when there was none, or when the socket belongs to somebody else. */
bool control_ask(const struct control_place *, const char *line, FILE *out, char *error, size_t size);

#endif
