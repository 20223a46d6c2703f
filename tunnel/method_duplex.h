/*
 * What the methods have in common that stand on one exchange for both ways: duplex, and the WebSocket, whose
 * request has no body to begin with. Nobody else includes it.
 */
#ifndef TUNNEL_METHOD_DUPLEX_H
#define TUNNEL_METHOD_DUPLEX_H

#include "tunnel/carrier_internal.h"

/* Helper: another leg, where one is wanted now and there is a connection for it, else NULL. Its request is the caller's to send, */
struct leg *method_duplex_begin(struct carrier_helper *, const struct leg_ops *);
/* and was sent. */
void method_duplex_begun(struct leg *);
bool method_duplex_send(struct carrier_helper *, unsigned outbox_flags);
/* Of its leg_ops. */
void method_duplex_head(struct leg *);
void method_duplex_end(struct leg *);
void method_duplex_timer(struct leg *);
void method_duplex_closed(struct leg *, int error);

/* Server. */
void method_duplex_server_end(struct leg *);

#endif
