/* Listeners: listening sockets, bound here or handed over, whose connections are accepted in batches. */
#ifndef SERVER_LISTENER_H
#define SERVER_LISTENER_H

#include <stddef.h>
#include <sys/types.h>

#include "server/connections.h"

struct listener;

/* Where and for what. */
struct listener_place {
	struct address address;
	struct connections_manner manner;
	mode_t mode;		/* of a Unix socket */
	bool optional;		/* the IPv6 half of "*:PORT": this machine may have none */
};

/* Binds and listens, but accepts nothing yet. NULL and a sentence in error. backlog: connections that wait. */
struct listener *listener_new(struct loop *, struct connections *, const struct listener_place *, int backlog, char *error, size_t size);
/* Takes a socket over that listens already (activation.h). */
struct listener *listener_adopt(struct loop *, struct connections *, const struct connections_manner *, int fd);
void listener_free(struct listener *);	/* closes it, and removes the Unix socket that was made; NULL is fine */
void listener_start(struct listener *);
/* Where it is bound: the kernel's choice for port 0. */
const struct address *listener_address(const struct listener *);
const struct connections_manner *listener_manner(const struct listener *);

#endif
