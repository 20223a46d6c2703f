/*
 * Place: where the control socket of a helper is unless somebody says: the same
 * for the helper that makes it and the command that asks.
 */
#ifndef CLIENT_PLACE_H
#define CLIENT_PLACE_H

#include <stdbool.h>
#include <stddef.h>

#define PLACE_MAX 108	/* bytes of a Unix socket's path with its NUL */

/* $RUNTIME_DIRECTORY/control, else $XDG_RUNTIME_DIR/culvert/control, else ~/.local/state/culvert/control. make: makes the folders
 * that are missing, for their owner alone. False and a sentence when there is no such place. */
bool place_control(char out[PLACE_MAX], bool make, char *error, size_t size);
/* NULL, or what is wrong with a path that somebody gave. */
const char *place_complaint(const char *path);

#endif
