/*
 * The key of a WebSocket handshake and the answer to it (RFC 6455 4.1, 4.2.2). They show that the answer was made for
 * this request by somebody who speaks the protocol; they are no secret and protect nothing.
 */
#ifndef TUNNEL_WEBSOCKET_KEY_H
#define TUNNEL_WEBSOCKET_KEY_H

#include <stdbool.h>
#include <stdint.h>

#include "framing/cursor.h"

#define WEBSOCKET_KEY_BYTES 16
#define WEBSOCKET_KEY_TEXT 25	/* with a NUL */
#define WEBSOCKET_ACCEPT_TEXT 29

/* 16 random octets to a key. */
void websocket_key(char out[WEBSOCKET_KEY_TEXT], const uint8_t random[WEBSOCKET_KEY_BYTES]);
bool websocket_key_ok(struct span key);
/* The answer to a key that is ok. */
void websocket_key_accept(char out[WEBSOCKET_ACCEPT_TEXT], struct span key);

#endif
