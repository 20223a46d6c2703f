/*
 * Unreached: local ports that nothing has used since the helper began. A browser that may not
 * reach one says nothing of it, so the helper does, once.
 */
#ifndef CLIENT_UNREACHED_H
#define CLIENT_UNREACHED_H

#include <stddef.h>
#include <stdio.h>

#include "tunnel/loop.h"

#define UNREACHED_US (60 * LOOP_SECOND)	/* for so long nothing is said */

struct ingress;

/* Embedded; zeroed memory is a stopped one. */
struct unreached {
	struct timer timer;
	struct ingress *const *ingress;
	size_t n;
};

/* The ports belong to the caller and stay until unreached_stop. A service is used when one of its ports is. */
void unreached_start(struct unreached *, struct loop *, struct ingress *const *, size_t n);
void unreached_stop(struct unreached *);
/* The services' ports that nothing has used, "udp 127.0.0.1:3478 turn, tcp ...", cut to size; their number. */
size_t unreached_list(struct ingress *const *, size_t n, char *out, size_t size);

#endif
