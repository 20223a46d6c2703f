/*
 * A proxy that passes bytes (a CONNECT tunnel) between two lossy networks: what it has taken it has
 * acknowledged, and it buffers.
 */
#ifndef TESTS_SIM_SPLICE_H
#define TESTS_SIM_SPLICE_H

#include "tests/sim/lossy.h"

struct splice;

/* accept gets the server's end of the connection behind it. */
struct splice *splice_new(struct loop *, size_t buffer, void (*accept)(void *ctx, struct stream *), void *ctx);
/* The network behind it; before the first connection. */
void splice_behind(struct splice *, struct lossy *);
/* What the network before it gives its connections to; ctx: the splice. */
void splice_accept(void *ctx, struct stream *);
void splice_free(struct splice *);	/* its connections, too */

#endif
