/*
 * Relay: a local TCP connection and a stream channel, as one pipe. Bytes go straight from the socket into the channel's buffer and
 * back, so a side that does not take them stops the other. The halves close one by one. Embedded in connections of those kinds of
 * ingress that have them.
 */
#ifndef CLIENT_RELAY_H
#define CLIENT_RELAY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tunnel/channel.h"
#include "tunnel/loop.h"
#include "tunnel/stream.h"

#define RELAY_ALL UINT64_MAX

/* One of closed and broken is the last call, after which the owner calls relay_fini. */
struct relay_events {
	void (*opened)(void *ctx);	/* OPENED came; may be NULL */
	void (*closed)(void *ctx, uint64_t code, const char *reason); /* the channel is over; CODE_NONE: both halves in order */
	void (*broken)(void *ctx);	/* the local side was reset, and the channel with it */
};

struct relay {
	struct loop *loop;
	struct stream *stream;
	struct channel *channel; /* NULL: none yet, or no more */
	const struct relay_events *events;
	void *ctx;
	struct later later;	/* the socket failed within a call of the channel */
	uint64_t left;		/* bytes that are taken from the local side yet, what follows is dropped; RELAY_ALL: all of them */
	bool started;		/* bytes flow */
	bool held, ended;	/* the channel had some before that, or their end */
	bool eof;		/* the local side has ended its half */
	bool no_room;		/* the channel takes nothing more for now */
	bool full;		/* the socket takes nothing more for now */
};

/* The stream belongs to the relay from now on. */
void relay_init(struct relay *, struct loop *, struct stream *, const struct relay_events *, void *ctx);
/* False: the server allows no more channels in this session, or no such ones. */
bool relay_open(struct relay *, struct session *, const struct channel_params *);
/* Sends bytes that were read before, in front of all others; false: there is no room for them. */
bool relay_push(struct relay *, const void *p, size_t n);
/* Bytes flow, up to left ones from the local side. */
void relay_start(struct relay *, uint64_t left);
/* Closes the local side, in order or by reset; the channel must be gone. */
void relay_fini(struct relay *, bool reset);

#endif
