/* Stream over a TCP (or Unix) socket: non-blocking, TCP_NODELAY, a small
 * TCP_NOTSENT_LOWAT so that unsent data stays in user space, TCP_USER_TIMEOUT; see tcp_tuning.h. */
#ifndef TUNNEL_STREAM_TCP_H
#define TUNNEL_STREAM_TCP_H

#include <sys/socket.h>

#include "tunnel/loop.h"
#include "tunnel/stream.h"

/* Begins to connect; events->ready or failed follows (also an immediate error
 * comes by failed, in a later turn). The caller watches the deadline. */
struct stream *stream_tcp_connect(struct loop *, const struct sockaddr *, socklen_t,
				  const struct stream_events *, void *ctx);
/* Takes an accepted or connected descriptor over; ready is not called. */
struct stream *stream_tcp_adopt(struct loop *, int fd, const struct stream_events *, void *ctx);
/* It goes over the path to the server or from a helper: gets the congestion control for that (tcp_tuning.h). */
void stream_tcp_far(struct stream *);
/* Ends our writing direction (shutdown); for egress and ingress only, never for
 * carriers (PROTOCOL.md section 3). */
void stream_tcp_finish(struct stream *);
/* Close so that the peer sees a reset (SO_LINGER 0). */
void stream_tcp_abort(struct stream *);

#endif
