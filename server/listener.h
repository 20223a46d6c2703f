/* Listeners: bound sockets whose connections are accepted in batches. */
#ifndef SERVER_LISTENER_H
#define SERVER_LISTENER_H

#include <stddef.h>

#include "server/connections.h"

struct listener;

/* Binds and listens, but accepts nothing yet. NULL and a sentence in error. plain: without TLS. backlog: connections that wait. */
struct listener *listener_new(struct loop *, struct connections *, const struct address *, bool plain, int backlog, char *error,
			      size_t size);
void listener_free(struct listener *);	/* closes it; NULL is fine */
void listener_start(struct listener *);
/* Where it is bound: the kernel's choice for port 0. */
const struct address *listener_address(const struct listener *);
bool listener_is_plain(const struct listener *);

#endif
