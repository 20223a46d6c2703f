/*
 * Endpoint: the local side of a channel; an ingress of the helper or an egress of
 * the server. One const table per kind. The channel calls these up; they may call
 * channel_* functions, but closed is the last call and afterwards the channel must
 * not be touched.
 */
#ifndef TUNNEL_ENDPOINT_H
#define TUNNEL_ENDPOINT_H

#include <stddef.h>
#include <stdint.h>

struct channel;

struct endpoint_ops {
	/* Datagram channels: a payload for the local side, there only during the call. */
	void (*datagram)(void *ctx, const uint8_t *p, size_t n);
	/* Stream channels: bytes in order. Returns how many were taken; after fewer than n the
	 * endpoint calls channel_resume when it can take more. */
	size_t (*bytes)(void *ctx, const uint8_t *p, size_t n);
	/* Stream channels: the peer ended its half in order; all its bytes were taken. */
	void (*finish)(void *ctx);
	/* Stream channels: there is room to send again after channel_reserve gave none. */
	void (*writable)(void *ctx);
	/* Helper: OPENED came. */
	void (*opened)(void *ctx);
	/* The channel is over. CODE_NONE when both halves ended in order, else why; reason is a sentence
	 * or "". Not called after channel_close. */
	void (*closed)(void *ctx, uint64_t code, const char *reason);
};

#endif
