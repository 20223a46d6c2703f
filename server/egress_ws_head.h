/*
 * The handshake of a WebSocket to a target (RFC 6455 section 4.1): our request, and whether an answer agrees to it.
 */
#ifndef SERVER_EGRESS_WS_HEAD_H
#define SERVER_EGRESS_WS_HEAD_H

#include <stdbool.h>
#include <stddef.h>

#include "framing/http1.h"
#include "framing/message.h"
#include "server/egress_settings.h"
#include "tunnel/channel.h"
#include "tunnel/websocket_key.h"

struct loop;

struct egress_ws_key {
	char accept[WEBSOCKET_ACCEPT_TEXT]; /* what answers it */
};

/* The subprotocols to ask for, best first: the channel's, else those configured; "" for none. */
const char *egress_ws_head_offer(const struct egress_settings *, const struct channel_params *);
/* The lines of the request, with a new key. */
void egress_ws_head_lines(char *out, size_t size, struct loop *, struct egress_ws_key *, const struct egress_settings *, const char *offer);
/* True when it agrees: protocol gets the subprotocol chosen, or "". False: why is a sentence. */
bool egress_ws_head_agrees(const struct http1_head *, const struct egress_ws_key *, const char *offer,
			   char protocol[MESSAGE_PROTOCOLS_MAX + 1], char *why, size_t size);

#endif
