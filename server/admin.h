/*
 * Admin: a Unix socket that answers one line, "status" or "status json", and
 * closes. Only the user of the process (and root) may connect.
 */
#ifndef SERVER_ADMIN_H
#define SERVER_ADMIN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "tunnel/loop.h"

struct admin;

/* write: prints the answer. NULL and a sentence in error. */
struct admin *admin_new(struct loop *, const char *path, void (*write)(void *ctx, FILE *, bool json), void *ctx,
			char *error, size_t size);
/* Closes and removes the socket. NULL is fine. */
void admin_free(struct admin *);
/* The client's side, blocking: asks at the path and prints the answer. False and a sentence in error. */
bool admin_ask(const char *path, bool json, FILE *out, char *error, size_t size);

#endif
