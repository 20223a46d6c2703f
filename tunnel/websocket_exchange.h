/*
 * WebSocket exchanges (RFC 6455; over HTTP/2 RFC 8441): an exchange around another one that speaks "websocket". What one
 * exchange_send has leaves as one binary message; what messages hold comes out as the body, in pieces, for where they
 * begin and end means nothing. Pings are answered, pongs ignored. The end of a body is a close frame, of either side;
 * when both are there the exchange is over. Carriers do not see the difference.
 */
#ifndef TUNNEL_WEBSOCKET_EXCHANGE_H
#define TUNNEL_WEBSOCKET_EXCHANGE_H

#include "tunnel/exchange.h"
#include "tunnel/loop.h"

#define WEBSOCKET_MESSAGE_MAX 131072	/* bytes of a message that comes */
#define WEBSOCKET_WAIT (5 * LOOP_SECOND) /* for the other close frame */

/* Helper: wraps an exchange that has not begun; its events and ctx are taken over. The first exchange_send has a head
 * (method GET) and no body; there is room when the server has agreed: its head is shown with status 200 then, and writable
 * follows. One that does not agree is handed on as it is, if it has another status, and fails with ERROR_HTTP. */
struct exchange *websocket_helper(struct loop *, struct exchange *inner);

/* Server: takes over a request that may be agreed to, of which only the head came; whoever gets the exchange sets its events.
 * The head of its answer is replaced: it agrees, whatever status 200 says. */
struct exchange *websocket_server(struct loop *, struct exchange *inner, const struct http1_head *);

#endif
