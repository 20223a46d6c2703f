/*
 * Ingress listener: what kinds of ingress that take connections share: a listening socket, the connections that came, and how many
 * may be open.
 */
#ifndef CLIENT_INGRESS_LISTENER_H
#define CLIENT_INGRESS_LISTENER_H

#include "client/ingress.h"
#include "tunnel/address.h"
#include "tunnel/loop.h"

/* A connection: first in each kind's own. */
struct ingress_guest {
	struct ingress_guest *next, **link;
	struct ingress *ingress;	/* NULL: it was dismissed */
	char peer[ADDRESS_TEXT];
};

/* Gets a connection, which belongs to it, and admits it or closes it. */
typedef void ingress_accepted(struct ingress *, int fd, const struct address *from);

/* For ingress_kind.bind: TCP. A port whose old connections are in TIME_WAIT is free. */
int ingress_listener_bind(const struct address *);
/* For ingress_kind.open: begins to accept. */
struct ingress *ingress_listener_open(const struct ingress_kind *, const struct ingress_host *, int fd, const char *service, unsigned port_index,
				      ingress_accepted *);
/* It counts, and is among those that are welcomed and closed, until it is dismissed, which may be repeated. */
void ingress_listener_admit(struct ingress *, struct ingress_guest *, const struct address *from);
void ingress_listener_dismiss(struct ingress_guest *);
/* For ingress_kind.welcome: open is called for each guest while there is a session. */
void ingress_listener_welcome(struct ingress *, void (*open)(struct ingress_guest *, struct session *));
/* For ingress_kind.close: end is called for each guest, and dismisses it. */
void ingress_listener_close(struct ingress *, void (*end)(struct ingress_guest *));

#endif
