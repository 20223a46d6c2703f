/*
 * WebSocket frames for tests, put together here octet by octet and not by the codec under test, and a
 * reader whose events become text: T(text) B(binary) P(ping) O(pong) C1000(close). Whole messages only,
 * and octets of value 0 as ~.
 */
#ifndef TESTS_LIB_FRAMES_H
#define TESTS_LIB_FRAMES_H

#include "framing/websocket.h"

#define FIN 0x80
#define RAW (-1)		/* octets as they stand, no frame */
#define FRAMES_CAP 200000

struct piece {
	int first;		/* the frame's first octet: FIN, reserved bits, opcode */
	const char *p;
	size_t n;
};

/* A piece of a string literal. */
#define PIECE(first, s) { first, s, sizeof s - 1 }

struct wire {
	uint8_t p[FRAMES_CAP];
	size_t n;
};

/* masked: with a key that is another one for each frame. */
void frames_add(struct wire *, bool masked, const struct piece *);
/* A frame whose length stands there in so many octets: 0 (in the second one), 2, 8. No payload follows. */
void frames_head(struct wire *, bool masked, int first, unsigned width, uint64_t length);

struct heard {
	struct websocket_reader *reader;
	char text[8192];
	size_t len;
	uint8_t message[FRAMES_CAP]; /* what came last; larger ones than 1,000 octets are not in the text */
	size_t size;
	unsigned pieces;	/* of it */
	bool open;
	int refuse;		/* what the callbacks return */
	size_t fed;		/* octets until the end, or with the one that failed */
};

void frames_listen(struct heard *, bool masked, size_t max);
/* In portions of step octets, each in memory of its exact size: what the last feed returned. */
int frames_feed(struct heard *, const uint8_t *p, size_t n, size_t step);
void frames_end(struct heard *);

#endif
