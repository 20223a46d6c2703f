/*
 * The request of a local WebSocket client (RFC 6455 section 4.2.1), and who may ask: a page from elsewhere must not reach a forward
 * of this machine because a browser runs here, nor because a name of its own leads to 127.0.0.1 (DNS rebinding).
 */
#ifndef CLIENT_INGRESS_WS_HEAD_H
#define CLIENT_INGRESS_WS_HEAD_H

#include <stdbool.h>
#include <stddef.h>

#include "framing/http1.h"
#include "framing/message.h"
#include "tunnel/websocket_key.h"

struct ingress_ws_request {
	char accept[WEBSOCKET_ACCEPT_TEXT];
	char protocols[MESSAGE_PROTOCOLS_MAX + 1]; /* "a,b"; "": none */
};

/* origins: pages that may ask besides those of this machine; "*": all. 0, and *out is filled; else the status of the answer and a
 * sentence. */
int ingress_ws_head_read(const struct http1_head *, const char *const *origins, size_t n_origins, struct ingress_ws_request *out,
			 const char **sentence);
/* localhost, a literal address; with a port or without. */
bool ingress_ws_head_host_ok(struct span host);
/* An Origin header: of a page of this machine, or among those. */
bool ingress_ws_head_origin_ok(struct span origin, const char *const *origins, size_t n_origins);
/* One of a list "a,b". */
bool ingress_ws_head_offered(const char *protocols, const char *name);

#endif
