/*
 * Memory: verdicts of the paths that were travelled, kept across restarts in a file: a path is a network, the
 * proxy and the server. The file holds hashes instead of their names, so that it does not tell where its user was.
 * Several helpers may share it; each writes what it learned itself.
 *
 * Never in the way: files that cannot be read or written are told, and the helper goes on without.
 */
#ifndef CLIENT_MEMORY_H
#define CLIENT_MEMORY_H

#include <stdbool.h>
#include <stddef.h>

#include "client/verdict.h"
#include "tunnel/loop.h"

#define MEMORY_ENTRIES_MAX 64			/* the one with the oldest proof goes */
#define MEMORY_AGE_MAX (14 * 24 * 3600)		/* s; older verdicts are not given */
#define MEMORY_DELAY_US (2 * LOOP_SECOND)	/* from a change to its being written */
#define MEMORY_PAUSE_US (30 * LOOP_SECOND)	/* at least, from one writing to the next */

struct memory;

/* file: NULL for the usual place ($STATE_DIRECTORY/paths.json, else culvert/paths.json below $XDG_STATE_HOME or
 * ~/.local/state), "none" for no file. Never NULL. warning: "", or a sentence about what is wrong with the file. */
struct memory *memory_open(struct loop *, const char *file, char *warning, size_t size);
/* Writes what is not written yet. NULL is fine. */
void memory_free(struct memory *);
/* network: of network_id; proxy: "host:port" or "direct"; server: its URL. False: nothing is known, and out is all 0. */
bool memory_get(const struct memory *, const char *network, const char *proxy, const char *server, struct verdict *out);
/* Who signed this server's certificate on other visits, from any network and in the time that entries are of use: the last public
 * authority; else who was seen first, for boxes come later. False: nothing is known. */
bool memory_issuer(const struct memory *, const char *server, struct verdict_issuer *out);
void memory_put(struct memory *, const char *network, const char *proxy, const char *server, const struct verdict *);
void memory_forget(struct memory *, const char *network, const char *proxy, const char *server);

#endif
