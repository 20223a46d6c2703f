/*
 * One end of a WebSocket over an exchange of the project's HTTP engines, with the project's codec: whole messages
 * of text and octets, pings, the closing handshake. For tests of both against programs that are not ours.
 */
#ifndef TESTS_TOOLS_WSPEER_H
#define TESTS_TOOLS_WSPEER_H

#include "framing/websocket.h"
#include "tunnel/exchange.h"
#include "tunnel/loop.h"

#define WSPEER_MESSAGE_MAX (4 << 20)

struct wspeer;

struct wspeer_events {
	void (*open)(void *ctx, struct wspeer *);
	void (*message)(void *ctx, enum websocket_opcode type, const uint8_t *p, size_t n);
	void (*pong)(void *ctx, struct span payload);
	/* Last call. code: of the close frame that came, ABNORMAL: none; error: of the connection, or the status of an answer that does
	 * not agree. ours: the code that we sent, 0: none. */
	void (*closed)(void *ctx, unsigned code, struct span reason, unsigned ours, int error);
};

/* Server: agrees to a request that asks for it. protocol: NULL or the subprotocol to name. */
struct wspeer *wspeer_agree(struct loop *, struct exchange *, const struct http1_head *, const char *protocol, const struct wspeer_events *, void *ctx);
/* Client: asks; x: a new exchange, whose events are set here. */
struct wspeer *wspeer_ask(struct loop *, struct exchange *, const char *host, const char *target, const char *protocols, const struct wspeer_events *, void *ctx);

void wspeer_send(struct wspeer *, enum websocket_opcode, bool fin, const void *p, size_t n);
void wspeer_close(struct wspeer *, unsigned code, const char *reason);

#endif
