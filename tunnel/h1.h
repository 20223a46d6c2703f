/*
 * HTTP/1.1 engine: a connection in either role over any stream, presenting one
 * exchange at a time. No pipelining. Both bodies may flow at once (duplex).
 */
#ifndef TUNNEL_H1_H
#define TUNNEL_H1_H

#include "tunnel/http.h"

/* Takes a ready stream over; see http.h. */
struct http *h1_server(struct loop *, struct stream *, const struct http_limits *, const struct http_events *, void *ctx);
struct http *h1_client(struct loop *, struct stream *, const struct http_events *, void *ctx);
/* Server, right behind its creation: bytes that were read from the stream already, few. */
void h1_first(struct http *, const uint8_t *, size_t);

#endif
