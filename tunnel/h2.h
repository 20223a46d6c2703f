/*
 * HTTP/2 engine (RFC 9113, by nghttp2): a connection in either role over any stream,
 * presenting several exchanges at a time. See http.h for what it promises.
 */
#ifndef TUNNEL_H2_H
#define TUNNEL_H2_H

#include "tunnel/http.h"

#define H2_STREAMS_MAX 100	/* exchanges at a time on one connection, in either role */

/* Takes a ready stream over. limits: kept by the caller. */
struct http *h2_server(struct loop *, struct stream *, const struct http_limits *, const struct http_events *, void *ctx);
/* Bytes that were read from the stream before: at most 256, once, before anything else happens. */
void h2_first(struct http *, const uint8_t *, size_t n);
struct http *h2_client(struct loop *, struct stream *, const struct http_events *, void *ctx);

/* http_room_beside_media, http_media_went, for exchanges of its own (h2_windows.c). */
size_t h2_windows_room(struct exchange *);
void h2_windows_media(struct exchange *, size_t n, int64_t trip_us);

#endif
