/*
 * Egress frames: messages in a stream of bytes, by lines or by lengths, and as frames of a message channel. Pure but for its buffer.
 */
#ifndef SERVER_EGRESS_FRAMES_H
#define SERVER_EGRESS_FRAMES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "framing/utf8.h"
#include "framing/websocket.h"
#include "server/egress_settings.h"

/* What is read of the target. All zero but for the first four. */
struct egress_frames_in {
	enum egress_framing framing;
	size_t message_max;
	/* A frame for the channel. */
	void (*put)(void *ctx, const uint8_t *p, size_t n);
	void *ctx;
	bool open;		/* within a message */
	bool cr;		/* a CR may belong to the end of the line */
	size_t size;		/* of the message so far */
	uint8_t length[4];
	size_t length_n;
	uint64_t left;
	struct utf8 utf8;
};

/* 0, ERROR_LIMIT (a message is too long), or ERROR_MALFORMED (a line is not UTF-8). */
int egress_frames_read(struct egress_frames_in *, const uint8_t *p, size_t n);
/* Between two messages. */
bool egress_frames_between(const struct egress_frames_in *);

/* What is written to it. All zero but for framing. */
struct egress_frames_out {
	enum egress_framing framing;
	uint8_t *p;
	size_t at, ready, n, cap; /* [at, ready) may be sent; up to n a message is not whole yet */
};

/* A piece of a message. 0, or ERROR_MALFORMED: it cannot be a line. */
int egress_frames_write(struct egress_frames_out *, enum websocket_opcode type, const uint8_t *p, size_t n, bool first, bool last);
/* n bytes of what may be sent are gone. */
void egress_frames_sent(struct egress_frames_out *, size_t n);
void egress_frames_fini(struct egress_frames_out *);

#endif
