/*
 * Session: the association of one helper with one server; it outlives every
 * carrier (PROTOCOL.md sections 4 to 6). The same code serves both roles.
 */
#ifndef TUNNEL_SESSION_H
#define TUNNEL_SESSION_H

#include <stdbool.h>
#include <stdint.h>

#include "framing/message.h"
#include "framing/packet.h"
#include "framing/request.h"
#include "tunnel/channel.h"
#include "tunnel/loop.h"
#include "tunnel/recent.h"

#define SESSION_CARRIERS_MAX 16 /* those that are coming and leaving included */

struct session;
struct carrier;

enum session_role { SESSION_HELPER, SESSION_SERVER };

/* Limits and timers; session_config_default fills them with the defaults of PROTOCOL.md. */
struct session_config {
	uint32_t max_channels;	/* that the peer may have open at a time */
	uint32_t session_window, channel_window; /* stream bytes that we take */
	uint32_t send_buffer;	/* bytes kept for a stream channel until they are acknowledged */
	uint32_t session_send_buffer; /* the same for all of a session, beyond a little for each */
	uint32_t queue_packets, queue_bytes; /* datagrams waiting in the session */
	uint32_t keepalive_ms;	/* helper: asks for it. server: learned from HELLO */
	uint32_t expire_ms, expire_empty_ms; /* server: without an exchange, with and without channels */
};
extern const struct session_config session_config_default;

struct session_events {
	/* Server: a helper asks for a channel. To accept: fill *params (idle, deadline, class) and
	 * *ops, *ctx and return CODE_NONE. To refuse: return the code and set *sentence (static). The
	 * endpoint may also accept and call channel_close later. */
	uint64_t (*open)(void *ctx, struct channel *, const struct message_open *, struct channel_params *params,
			 const struct endpoint_ops **ops, void **endpoint, const char **sentence);
	/* Helper: WELCOME came; channels may be opened. */
	void (*welcome)(void *ctx);
	/* Helper: open new channels elsewhere (a new session) after delay. */
	void (*goaway)(void *ctx, uint64_t code, uint32_t delay_ms);
	/* Helper: so many carriers of the rung in use are wanted now, 1 to 8. Told at the end of the turn when that changes; may be
	 * NULL. Fewer will do. */
	void (*carriers)(void *ctx, unsigned wanted);
	/* The session is over; each channel's endpoint got closed(SESSION_LOST or code) before. The owner
	 * calls session_free, at once or later. */
	void (*ended)(void *ctx, uint64_t code, const char *reason);
};

/* pool: where payloads that wait are kept; shared by the process. sid: helper NULL for a random one. */
struct session *session_new(struct loop *, enum session_role, const struct session_config *, struct packet_pool *,
			    const char *sid, const struct session_events *, void *ctx);
/* Ends everything without a word to the peer. Endpoints get closed. NULL is fine. */
void session_free(struct session *);
/* Says BYE to the peer as well as it can; ended is not called. The owner frees it some 100 ms later. */
void session_bye(struct session *, uint64_t code, const char *reason);
/* Ends it at this end: ended follows, in a later turn. */
void session_end(struct session *, uint64_t code, const char *reason);
/* Server: asks the helper to open new channels elsewhere. */
void session_goaway(struct session *, uint64_t code, uint32_t delay_ms);

void *session_owner(const struct session *);	/* ctx as given to session_new */
const char *session_sid(const struct session *);	/* 22 characters */
const char *session_tag(const struct session *);	/* its first 6, for logs */
bool session_is_open(const struct session *);	/* WELCOME was exchanged, not ended, no GOAWAY */
bool session_is_ended(const struct session *);
bool session_has_probes(const struct session *);	/* both ends know the mode probe */
bool session_has_targets(const struct session *);	/* channels may name an address */
/* Server: epoch and node for WELCOME. */
void session_identify(struct session *, uint64_t node, uint64_t epoch);

/* Helper: carriers go another way from now on: what was learned of round trips and of how much the path carries holds no more. */
void session_path_changed(struct session *);

/* What goes out twice so that it is there in time, in this direction. */
struct redundancy_stats {
	bool on;
	char why[80];		/* "clean", "beginning", "loss is seen", "always", "never", "the path is full" ... */
	int64_t since_us, until_us; /* loop time; until: of the latch, 0: none */
	uint64_t packets, bytes; /* first copies of packets that may have another one */
	uint64_t copies, copy_bytes; /* second ones, riding with the next record or alone */
	uint64_t hedges, hedges_held; /* packets of overdue records sent again; held back by budget or guard */
	uint64_t evidence;	/* losses and stalls seen */
};

/* For status. */
struct session_stats {
	unsigned carriers, channels, legs;
	uint32_t rtt_us;	/* smoothed, of the best carrier; 0: no sample */
	uint64_t queued_packets, queued_bytes;
	int64_t age_us;
	/* the path, in our direction */
	uint32_t path_queue_us;	/* standing queue on the path */
	uint64_t rate;		/* bytes/s of records that arrived in the last seconds */
	uint64_t in_flight, in_flight_bound; /* bytes */
	struct {
		uint64_t packets, bytes; /* waiting here */
		uint32_t delay_us; /* smoothed wait of those that went */
		uint64_t sent, full, deadline, frame; /* sent, dropped by reason */
	} class[4];		/* enum traffic */
	struct redundancy_stats redundancy;
	struct recent_figures recent; /* what came in the last seconds: in recent_us, 0: nothing did */
	int64_t recent_us;
};
void session_stats(const struct session *, struct session_stats *);
void session_each_channel(const struct session *, void (*fn)(void *arg, const struct channel *), void *arg);

/* Tests: which carrier gets the next record; NULL: the first that can. */
typedef struct carrier *session_pick(void *ctx, struct carrier **carriers, unsigned n);
void session_set_pick(struct session *, session_pick *, void *ctx);

#endif
