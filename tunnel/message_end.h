/*
 * Message end: where a message channel (PROTOCOL.md 6.6) becomes a WebSocket on an exchange, or the other way round. The helper's
 * towards a local program, the server's towards a target. Whoever made the exchange has done the handshake, hands on its events, and
 * hands on those of the channel.
 *
 * Nothing waits here but what one portion of the WebSocket's bytes has become; who does not take stops the other side.
 */
#ifndef TUNNEL_MESSAGE_END_H
#define TUNNEL_MESSAGE_END_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tunnel/channel.h"
#include "tunnel/exchange.h"
#include "tunnel/loop.h"

#define MESSAGE_END_SILENCE (30 * LOOP_SECOND) /* of the WebSocket, before it is asked whether it is there */
#define MESSAGE_END_PONG (15 * LOOP_SECOND)	/* for the answer */
#define MESSAGE_END_CLOSE (3 * LOOP_SECOND)	/* for the other Close frame */

struct message_end;

struct message_end_config {
	struct loop *loop;
	struct channel *channel;
	bool client;		/* of the WebSocket: it masks, and the other side does not */
	size_t message_max;	/* bytes of one message, either way */
	/* Last call, never from within one to it: the channel is done with, and so is the WebSocket: whoever made the exchange drops what
	 * is left of it. error: 0 when Close frames went both ways; else what happened, and why is a sentence. */
	void (*over)(void *ctx, int error, const char *why);
	void *ctx;
};

struct message_end *message_end_new(const struct message_end_config *);
/* Without over; the exchange and the channel are let alone. NULL is fine. */
void message_end_free(struct message_end *);
/* The handshake is done: from now on the exchange carries frames. Not before, nothing of the channel is taken. */
void message_end_start(struct message_end *, struct exchange *);

/* From the exchange. */
int message_end_body(struct message_end *, const uint8_t *p, size_t n);
void message_end_writable(struct message_end *);
void message_end_cut(struct message_end *);	/* closed came: it is gone */

/* From the channel: as in struct endpoint_ops. */
size_t message_end_bytes(struct message_end *, const uint8_t *p, size_t n);
void message_end_finish(struct message_end *);
void message_end_room(struct message_end *);	/* writable */
void message_end_closed(struct message_end *, uint64_t code, const char *reason);

#endif
