/*
 * What the fuzz targets that play one end of a session share: the input as a script
 * of steps, records built from it, and what must hold of a session between steps.
 */
#ifndef TESTS_FUZZ_PLAY_H
#define TESTS_FUZZ_PLAY_H

#include "tests/fuzz/fuzz.h"
#include "tunnel/loop.h"
#include "tunnel/session.h"
#include "tunnel/stream.h"

#define PLAY_BODY_MAX 131072	/* bytes of a body built at once */

struct play {
	const uint8_t *p, *end;
	int64_t us_left;	/* of virtual time */
};

/* The next octet of the script, 0 behind its end. */
uint8_t play_octet(struct play *);
static inline bool play_over(const struct play *s) { return s->p == s->end; }
/* A body: its octets. First octet: bits 0 to 2 how many capsules, bit 3 a number of its own (else *number,
 * which rises), bit 4 a clock of its own, bit 5 the last octet is missing, bit 6 octets as they are, bit 7 a PAD in
 * front. A capsule: type, length; lengths from 200 on stand for many octets, of which the script gives eight. */
size_t play_body(struct play *, struct loop *, uint64_t *number, uint8_t *out);
/* Moves time on by what the next octet says. */
void play_wait(struct play *, struct loop *);
/* Writes it all, or cuts the stream; *stream is NULL once it is closed, which may happen meanwhile. */
void play_write(struct loop *, struct stream **stream, const void *p, size_t n);

/* The local side of channels. What it does is in the name of the service, or chosen by a step. */
#define PLAY_POINTS 64

struct point {
	struct channel *channel;
	char manner;
	bool finished;
	bool all;		/* takes everything from now on */
};

extern const struct endpoint_ops play_endpoint;

/* A free one, or NULL. */
struct point *play_point(struct point *all, char manner);
/* One step of the local side. */
void play_local(struct play *, struct point *all, struct loop *, struct packet_pool *);
/* Everything that has a cap is within it. */
void play_check(const struct session *);

#endif
