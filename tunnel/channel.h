/*
 * Channel: one flow of a session (PROTOCOL.md section 6), as its endpoint sees it.
 */
#ifndef TUNNEL_CHANNEL_H
#define TUNNEL_CHANNEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "framing/message.h"
#include "framing/packet.h"
#include "tunnel/endpoint.h"

struct channel;
struct session;

/* What went through a channel, or several, and which datagrams were dropped why. in: delivered to the endpoint. Streams have
 * bytes only. */
struct channel_traffic {
	uint64_t packets_in, packets_out, bytes_in, bytes_out;
	struct {
		uint64_t full;		/* no room to wait */
		uint64_t deadline;	/* waited here past their deadline */
		uint64_t frame;		/* a part of their video frame was dropped before */
		uint64_t late;		/* arrived past the path's floor + deadline */
		uint64_t repeat;	/* arrived before */
	} dropped;
};

/* What the helper asks for, and what the server decides. */
struct channel_params {
	enum message_kind kind;
	const char *service;	/* its name; or an address, "HOST:PORT" (IPv6 in brackets), which the server may allow */
	uint32_t port_index;
	enum message_class class;
	struct traffic_rules rules; /* of datagrams; its class is the one above */
	enum message_redundancy redundancy; /* of datagrams */
	uint32_t deadline_ms;	/* of datagrams; 0: by packet: audio 200, video 400, others 1000 */
	uint32_t idle_ms;	/* 0: none */
	struct channel_traffic *total; /* counted there, too; outlives the session. NULL: nowhere */
	/* Of message channels; NULL: none. The channel keeps copies. */
	const char *protocols;	/* WebSocket subprotocols asked for, best first: "a,b", at most MESSAGE_PROTOCOLS_MAX octets */
	const char *protocol;	/* the one chosen: of OPENED */
	/* The server's answer to open: OPENED waits for channel_accept. channel_close instead refuses. */
	bool pending;
	const void *settings;	/* server: what the endpoint is to know of the service; there only while it is opened */
};

/* Its bytes go in order, all of them: streams, and messages (PROTOCOL.md 6.6), which are frames in a stream. */
static inline bool channel_is_stream(const struct channel_params *p) { return p->kind != KIND_DATAGRAM; }

/* Helper: opens a channel to a service; NULL at the channel limit of the peer, or when the session
 * cannot take new ones (session_open says which). Data may be sent at once. */
struct channel *channel_open(struct session *, const struct channel_params *, const struct endpoint_ops *, void *ctx);

/* Server: a channel that was pending is open; protocol: the subprotocol chosen, or NULL. */
void channel_accept(struct channel *, const char *protocol);

/* Server: the endpoint is another one from now on, which will be given what the one before did not take. */
void channel_hand_over(struct channel *, const struct endpoint_ops *, void *ctx);

/* Datagram channels: sends the packet's bytes (its data and len); takes the packet in any case. */
void channel_send(struct channel *, struct packet *);

/* Stream channels: a place for up to *n bytes to send; *n = 0: full, writable will be called. */
uint8_t *channel_reserve(struct channel *, size_t *n);
/* The first n bytes of that place are to be sent. */
void channel_commit(struct channel *, size_t n);
/* Nothing more will be sent; the other half goes on. */
void channel_finish(struct channel *);
/* The endpoint can take bytes again. */
void channel_resume(struct channel *);

/* The endpoint leaves: a datagram channel is closed, the halves of a stream channel that are not done
 * are reset. The endpoint is not called any more. */
void channel_close(struct channel *, uint64_t code, const char *reason);

uint64_t channel_id(const struct channel *);
struct session *channel_session(const struct channel *);
const struct channel_params *channel_params(const struct channel *);

/* For status. */
struct channel_stats {
	uint64_t id;
	enum message_kind kind;
	const char *service;	/* as long as the channel */
	struct channel_traffic traffic;
	uint32_t send_queue;	/* bytes waiting */
};
void channel_stats(const struct channel *, struct channel_stats *);

#endif
