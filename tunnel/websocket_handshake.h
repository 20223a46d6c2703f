/*
 * The handshake of a WebSocket that carries records (RFC 6455 section 4; over HTTP/2 RFC 8441 section 5, which has no
 * key): the lines that ask, that agree, and what is wrong with those of others. The engines add Connection and Upgrade.
 */
#ifndef TUNNEL_WEBSOCKET_HANDSHAKE_H
#define TUNNEL_WEBSOCKET_HANDSHAKE_H

#include "tunnel/exchange.h"

#define WEBSOCKET_SUBPROTOCOL "culvert.v1"

/* Helper: the lines of a request behind those that are given. key: "" over HTTP/2. 0 or ERROR_LIMIT. */
int websocket_handshake_ask(char *out, size_t size, const char *lines, const char *key);
/* Helper: an answer that agrees is right. accept: what answers the key, "" over HTTP/2. */
bool websocket_handshake_is_right(const struct http1_head *, const char *accept);

/* Server: 0 when a request that asks for "websocket" (head->protocol) may be agreed to, else the status of the answer: 400, or
 * 426 for another version than 13. */
int websocket_handshake_refusal(const struct http1_head *);
/* Server: the head of an answer that agrees, valid until the next call. */
const struct exchange_head *websocket_handshake_agree(const char *accept);

#endif
