/*
 * Ingress listener: what kinds of ingress that take connections share: a listening socket, and how many may be open.
 */
#ifndef CLIENT_INGRESS_LISTENER_H
#define CLIENT_INGRESS_LISTENER_H

#include "client/ingress.h"
#include "tunnel/address.h"
#include "tunnel/loop.h"

struct ingress_listener {
	struct ingress *ingress; /* its flows are counted by whoever takes them */
	int fd;
	struct io io;
	struct timer pause;
	/* A connection, which belongs to the callee. */
	void (*accepted)(struct ingress *, int fd, const struct address *from);
};

/* For ingress_kind.bind: TCP. A port whose old connections are in TIME_WAIT is free. */
int ingress_listener_bind(const struct address *);
/* Begins to accept; the descriptor belongs to the listener. */
void ingress_listener_start(struct ingress_listener *, struct ingress *, int fd,
			    void (*accepted)(struct ingress *, int fd, const struct address *from));
void ingress_listener_stop(struct ingress_listener *);

#endif
