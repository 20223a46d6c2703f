/*
 * WebSocket codec (RFC 6455 section 5): frames to messages and back, over wslay's
 * framing, which no other file sees. Pure: no I/O, no clock, and no allocation
 * beyond the reader itself.
 *
 * Strictness: reserved bits and opcodes, control frames that are longer than 125
 * bytes or fragmented, a continuation of nothing, a new message within one, a mask
 * where there must be none or none where there must be one, lengths that are not
 * the shortest or above 2^63, close frames with a payload of one byte, a code that
 * must not be sent (7.4) or a reason that is not UTF-8, text that is not UTF-8, and
 * messages above the cap are malformed.
 */
#ifndef FRAMING_WEBSOCKET_H
#define FRAMING_WEBSOCKET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "framing/cursor.h"

#define WEBSOCKET_HEAD_MAX 14	/* bytes in front of a payload */
#define WEBSOCKET_CONTROL_MAX 125 /* payload of ping, pong, close */

enum websocket_opcode {
	WEBSOCKET_CONTINUATION = 0,
	WEBSOCKET_TEXT = 1,
	WEBSOCKET_BINARY = 2,
	WEBSOCKET_CLOSE = 8,
	WEBSOCKET_PING = 9,
	WEBSOCKET_PONG = 10,
};

/* Codes of RFC 6455 7.4.1 that we use. */
enum websocket_code {
	WEBSOCKET_NORMAL = 1000,
	WEBSOCKET_GOING_AWAY = 1001,
	WEBSOCKET_PROTOCOL = 1002,
	WEBSOCKET_UNACCEPTABLE = 1003,
	WEBSOCKET_NO_CODE = 1005,	/* never sent: the close frame had none */
	WEBSOCKET_ABNORMAL = 1006,	/* never sent: there was no close frame */
	WEBSOCKET_NOT_UTF8 = 1007,
	WEBSOCKET_POLICY = 1008,
	WEBSOCKET_TOO_BIG = 1009,
	WEBSOCKET_INTERNAL = 1011,
};

/* Each callback returns 0, or a negative code that ends the reading. */
struct websocket_events {
	/* A piece of a message as it comes, unmasked; type: TEXT or BINARY; first, last: of the message. n may be 0. */
	int (*data)(void *ctx, enum websocket_opcode type, const uint8_t *p, size_t n, bool first, bool last);
	int (*ping)(void *ctx, struct span payload);	/* the callee answers with a pong of the same payload */
	int (*pong)(void *ctx, struct span payload);
	/* code: WEBSOCKET_NO_CODE when it had none. Nothing is read behind it. */
	int (*close)(void *ctx, unsigned code, struct span reason);
};

struct websocket_reader;

/* masked: frames must be (the reader is a server's). message_max: bytes of one message. */
struct websocket_reader *websocket_reader_new(bool masked, size_t message_max, const struct websocket_events *, void *ctx);
void websocket_reader_free(struct websocket_reader *);
/* Takes all n bytes, in pieces of any size. No callback may free the reader. 0, ERROR_MALFORMED, ERROR_LIMIT (message above the cap), or what a callback returned. */
int websocket_reader_feed(struct websocket_reader *, const uint8_t *p, size_t n);
/* The close code that says what was wrong, after feed failed; INTERNAL when a callback did. A failure is for good. */
unsigned websocket_reader_code(const struct websocket_reader *);

/* Writes one frame: its length, or ERROR_LIMIT (cap, or a control frame above WEBSOCKET_CONTROL_MAX). mask: 4 bytes that nobody can foresee (5.3), or NULL for a server's frame.
 * out and p must not overlap. */
ssize_t websocket_frame_put(uint8_t *out, size_t cap, enum websocket_opcode, bool fin, const uint8_t *p, size_t n, const uint8_t *mask);
/* Writes a close frame with a code (WEBSOCKET_NO_CODE: none, nor a reason) and a reason of at most 123 bytes; ERROR_LIMIT else. */
ssize_t websocket_close_put(uint8_t *out, size_t cap, unsigned code, const char *reason, const uint8_t *mask);
/* May be sent or received in a close frame (7.4). */
bool websocket_code_ok(unsigned code);

#endif
