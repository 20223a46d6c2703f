/*
 * Unix sockets to listen on: made at a path that nobody uses, with a mode, and
 * removed again as long as it is still ours that lies there.
 */
#ifndef SERVER_UNIX_SOCKET_H
#define SERVER_UNIX_SOCKET_H

#include <stdbool.h>
#include <sys/types.h>

#include "tunnel/address.h"

/* Which file it is. */
struct unix_socket {
	dev_t dev;
	ino_t ino;
};

/* Bound, not listening yet; a socket that a process left behind is replaced. -1 and errno; EADDRINUSE: somebody listens there, EEXIST:
 * a file of another kind lies there. */
int unix_socket_bind(struct unix_socket *, const struct address *, mode_t mode);
void unix_socket_remove(const struct unix_socket *, const struct address *);

#endif
