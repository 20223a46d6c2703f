/* Addresses where nobody answers. */
#ifndef TESTS_LIB_SOCKETS_H
#define TESTS_LIB_SOCKETS_H

#include "tunnel/address.h"

#define SOCKETS_HOLE 8

/* A bound socket that is not listened on: connections to a are refused. */
int sockets_bound(const char *host, struct address *a);
/* An address that does not answer at all: a listener whose queue is full drops what comes. */
void sockets_hole(struct address *a, int fds[SOCKETS_HOLE]);
void sockets_close(int fds[SOCKETS_HOLE]);

#endif
