/*
 * The inside of a session, shared by session.c, inbox.c, outbox.c, early.c,
 * channel*.c and carrier*.c, and by nothing else.
 */
#ifndef TUNNEL_SESSION_INTERNAL_H
#define TUNNEL_SESSION_INTERNAL_H

#include "framing/capsule.h"
#include "framing/ring.h"
#include "framing/window.h"
#include "tunnel/arrivals.h"
#include "tunnel/carrier.h"
#include "tunnel/inflight.h"
#include "tunnel/ledger.h"
#include "tunnel/list.h"
#include "tunnel/local.h"
#include "tunnel/redundancy.h"
#include "tunnel/round_trip.h"
#include "tunnel/scheduler.h"
#include "tunnel/session.h"
#include "tunnel/steer.h"

#define CHANNEL_BUCKETS 256
#define SESSION_FEATURES (FEATURE_PROBES | FEATURE_ANSWERS | FEATURE_TARGETS) /* that we have */
#define PONGS_MAX 8
#define SEENS_MAX 32
#define PROBED_MAX 32

/* ---- channel ---- */

/* Capsules of a channel that wait to be sent. */
enum channel_due {
	DUE_OPEN = 1,
	DUE_OPENED = 2,
	DUE_REFUSED = 4,
	DUE_ACK = 8,
	DUE_RESET = 16,
	DUE_CLOSE = 32,
};

enum half_state {
	HALF_OPEN,	/* -> FIN_SENT or SIZE_KNOWN, RESET, DONE */
	HALF_FIN,	/* send: a fin was asked for. receive: the final size is known. -> DONE, RESET */
	HALF_RESET,	/* send only: RESET is due or sent, waits for its ACK. -> DONE */
	HALF_DONE,
};

struct send_half {
	enum half_state state;
	struct ring ring;	/* [acknowledged, end of what the endpoint gave) */
	uint64_t next;		/* offset of the first byte never sent */
	uint64_t limit;		/* the peer's credit */
	struct ranges lost;	/* to be sent again */
	bool fin_due;
	bool starved;		/* the endpoint found no room */
};

struct receive_half {
	enum half_state state;
	struct ring ring;	/* [taken by the endpoint, highest received) with holes */
	struct ranges have;	/* what of it is there */
	uint64_t highest;	/* offset one past the highest byte received */
	uint64_t limit;		/* credit given */
	uint64_t final;		/* final size, when not HALF_OPEN */
	uint64_t acked;		/* offset of the last ACK sent */
	int64_t ack_at_us;	/* an ACK is due at this time; 0: no */
	bool end_told;		/* the endpoint got finish */
	bool end_acked;		/* the record with our ACK of the end was receipted */
};

struct channel {
	struct session *session;
	uint64_t id;
	struct channel *hash_next;
	struct link all, control, ready; /* ready: in session->streams */
	struct channel_params params;
	char service[MESSAGE_TARGET_MAX + 1];
	const struct endpoint_ops *ops;	/* NULL: the endpoint left */
	void *ctx;
	unsigned due;		/* enum channel_due */
	bool opened;		/* helper: OPENED came. server: accepted */
	bool closing;		/* ends when its CLOSE or REFUSED is receipted */
	uint64_t code;
	char reason[128];
	int64_t active_us;	/* when something last went through */
	struct channel_traffic traffic;
	/* datagram channels */
	uint64_t sequence;	/* of the next packet */
	uint64_t pace_sequence;	/* the same at pace_us */
	int64_t pace_us, fast_until_us; /* until then many may be on the way at a time */
	struct window *seen;
	struct scheduler_flow flow;
	struct traffic_flow out, in;
	/* stream channels */
	struct send_half send;
	struct receive_half receive;
};

/* ---- carrier ---- */

enum carrier_state {
	CARRIER_OPENING,	/* -> PROBING, FAILED */
	CARRIER_PROBING,	/* -> PROVEN, FAILED */
	CARRIER_PROVEN,		/* -> FAILED, RETIRED */
	CARRIER_RETIRED,	/* what is under way ends, nothing is begun. -> gone */
	CARRIER_FAILED,
};

struct seen_due {
	uint64_t id, n;
	uint32_t arrival_ms;
	bool intact;
};

struct leg;

struct carrier_ops {
	/* Sends one record if it can: true if it did. */
	bool (*send)(struct carrier *);
	/* SEEN came for our mark n. */
	void (*seen)(struct carrier *, struct leg *, const struct message_seen *);
	void (*welcomed)(struct carrier *);
	/* A record more now takes nothing from those that come next. NULL: it never does. */
	bool (*spare)(const struct carrier *);
	/* There is something to send on now. NULL: it begins what it needs. */
	bool (*reaches)(const struct carrier *);
	/* The connection that the next record would go on, if it is known (steer_fate). */
	const struct http *(*next)(const struct carrier *);
	/* A record came. NULL: it does not matter. */
	void (*heard)(struct carrier *, bool accountable);
	/* Closes all exchanges and frees what the role needs. */
	void (*fini)(struct carrier *);
};

struct carrier {
	struct session *session;
	const struct carrier_ops *ops;
	uint32_t id;
	enum carrier_state state;
	struct ledger ledger;
	struct arrivals arrivals;
	struct link legs;
	unsigned leg_count, streamed_answers; /* streamed_answers: open ones at the server */
	int64_t active_us;	/* when an exchange last came or went */
	uint64_t pong[PONGS_MAX];
	unsigned pongs;
	struct seen_due seen[SEENS_MAX];
	unsigned seens;
	unsigned marks_due;	/* helper: marks to send */
	uint64_t mark_next;
	bool ping_due;
	bool spoke;		/* the last record owed a receipt */
	bool stalled;		/* helper: see carrier_events */
	bool aside;		/* what it holds back goes on another: only its own goes here */
	bool standing;		/* what we send goes over one standing exchange */
	bool rests;		/* server: the receipt for a SEEN is no sign that it is trusted */
	uint8_t takes;		/* enum steer_takes */
	uint8_t rank;		/* the lower the sooner it is asked for a record */
	size_t beside_media;	/* bytes of streams that may go on the leg that asks */
	size_t media_sent;	/* bytes of datagrams in the last record */
	int64_t blocked_us;	/* since when its exchange has no room for what is to go; 0: it had */
	uint64_t media_turn;	/* when it last took media, of the session's own counting */
	uint64_t exchanges, records_out, records_in;
};

/* ---- session ---- */

struct probed_x {
	uint64_t x, count;	/* count: how often it came; 0: no entry */
};

enum session_state {
	SESSION_NEW,	/* -> OPEN, ENDED */
	SESSION_OPEN,	/* -> ENDED */
	SESSION_ENDED,
};

struct session {
	struct loop *loop;
	enum session_role role;
	enum session_state state;
	bool goaway;		/* helper: it came. server: it was sent */
	struct session_config config;
	struct packet_pool *pool;
	const struct session_events *events;
	void *ctx;
	char sid[REQUEST_SID_LEN + 1], tag[7];
	uint64_t node, epoch;
	uint64_t features;	/* that both ends have */
	int64_t born_us;

	struct carrier *carrier[SESSION_CARRIERS_MAX];
	unsigned carriers, carrier_changes; /* changes: how often one came or went */
	uint32_t next_carrier;
	uint64_t next_x;
	struct link probes;	/* server: being answered */
	unsigned probe_count, probed_next;
	struct probed_x probed[PROBED_MAX]; /* server: the newest probes */
	uint64_t probe_filler;	/* server: bytes that they asked for since ... */
	int64_t probe_filler_us;
	session_pick *pick;
	void *pick_ctx;

	struct channel *bucket[CHANNEL_BUCKETS];
	struct link channels;
	unsigned channel_count;
	uint64_t next_id;	/* of our next channel */
	struct window peer_ids;	/* ids the peer has opened, halved */
	struct window peer_carriers; /* server: carriers that there have been */
	struct link control;	/* channels with something due */
	struct link streams;	/* channels with something to send */
	struct scheduler scheduler; /* datagrams to send */

	size_t buffered;	/* bytes in the send rings of all stream channels */
	uint64_t send_limit, sent;		/* stream bytes: the peer's credit, and used */
	uint64_t received, consumed, limit;	/* stream bytes: highest offsets, taken, our credit */
	uint64_t open_limit, opened;		/* channels: the peer's credit, and used */
	uint64_t peer_open_limit, peer_opened, peer_closed; /* ours to the peer */
	bool window_due, goaway_due, bye_due;
	uint64_t farewell_code;
	uint32_t farewell_delay_ms;
	char farewell_reason[128];
	uint64_t peer_channel_window;
	struct early *early;	/* capsules for channels not open yet */
	size_t early_bytes;

	struct round_trip round_trip;
	int32_t late_ms;	/* of the receipt that is being read, -1: it does not say */
	struct inflight inflight;	/* in our direction, as the next two */
	struct redundancy redundancy;
	struct steer steer;
	uint64_t receipted;	/* bytes of records, in our direction */
	struct recent recent;
	uint64_t media_turn;
	size_t streams_owed;	/* bytes of video and bulk that went while streams had to wait */

	struct timer probe;	/* probe time-outs */
	struct timer receipt;	/* receipts and acknowledgements that ride on nothing */
	struct timer idle;	/* idle channels, and packets that nobody took */
	struct timer expiry;	/* server: no exchange */
	struct local *local;	/* the other end is in this process; NULL: a helper */
	unsigned attended;	/* by how many there */
	struct later flush;
	struct later over;	/* tells the owner that the session ended */
	char ended_reason[MESSAGE_TEXT_MAX + 1];
};

/* session.c */
void session_kick(struct session *);		/* something is to be sent: flush at the end of the turn */
void session_watch(struct session *);		/* records or receipts changed: re-arm the timers */
void session_watch_carrier(struct session *, const struct carrier *); /* ... of this one only */
void session_attached(struct session *);	/* an exchange came or went */
bool session_add_carrier(struct session *, struct carrier *);
struct carrier *session_find_carrier(const struct session *, uint64_t id);
void session_drop_carrier(struct session *, struct carrier *);
extern const struct ledger_events session_ledger_events; /* ctx: the session */

/* local.c */
void local_pump(struct local *);
void local_over(struct local *, uint64_t code, const char *reason); /* its channel is gone, or about to be */

/* session_stats.c */
void session_note_recent(struct session *);	/* before something is sent */

/* outbox.c */
enum outbox_flags {
	OUTBOX_FORCE = 1,	/* a record even when it holds receipts only, or nothing */
	OUTBOX_STREAMED = 2,	/* on a streamed leg: SEEN may go */
	OUTBOX_OWN = 4,		/* only what belongs to this carrier (it is not proven yet) */
	OUTBOX_HELLO = 8,	/* HELLO or WELCOME and nothing else */
};
/* True when a record should be sent on this carrier now. */
bool outbox_has(struct session *, const struct carrier *, unsigned flags);
/* Bytes that the next record needs at least. */
size_t outbox_want(const struct session *);
/* Bytes that the next record on a standing exchange may have. */
size_t outbox_most(const struct session *, const struct carrier *, size_t usual);
/* Builds the next record into buf: its length, 0 when there is nothing. */
size_t outbox_fill(struct session *, struct carrier *, unsigned flags, uint64_t leg, uint8_t *buf, size_t cap);

/* inbox.c */
struct inbound {		/* the record being read on one leg */
	uint64_t number;
	uint32_t lateness_ms;
	bool datagrams, streams; /* there are some in it */
	bool repeat, kept_out, accountable; /* kept_out: a capsule was refused for lack of room */
};
int inbox_begin(struct carrier *, struct inbound *, uint64_t number, uint32_t clock_ms);
int inbox_capsule(struct carrier *, struct leg *, struct inbound *, uint64_t type, struct span value);
int inbox_end(struct carrier *, struct inbound *);

/* probe_answer.c */
void probe_answers_end(struct session *);	/* the session is over: says so where it can */

/* early.c: false when there is no room. */
bool early_keep(struct session *, uint64_t channel, uint64_t type, struct span value);
void early_replay(struct session *, uint64_t channel);
void early_clear(struct session *);

/* channel.c */
#define CHANNEL_SWEEP LOOP_SECOND	/* while datagrams come */
void channel_sweep_idle(void *session); /* timer: closes idle datagram channels, drops packets past their deadline */
struct channel *channel_find(const struct session *, uint64_t id);
bool channel_was_open(const struct session *, uint64_t id);
void channel_due(struct channel *, unsigned due);
int channel_on_open(struct session *, const struct message_open *);
void channel_on_opened(struct session *, const struct message_opened *);
void channel_on_refused(struct session *, const struct message_refused *);
void channel_on_close(struct channel *, const struct message_close *);
void channel_lost(struct session *, const struct ledger_item *);
void channel_receipted(struct session *, const struct ledger_item *);
bool channel_put_due(struct channel *, struct writer *, struct ledger *);
void channel_end(struct channel *, uint64_t code, const char *reason); /* tells the endpoint and removes */
void channel_leave(struct channel *, uint64_t code, const char *reason); /* tells the endpoint only */
void channel_remove(struct channel *);

/* Counts n at the channel and where its endpoint wants a total. */
#define channel_tally(ch, field, n) \
	do { \
		(ch)->traffic.field += (n); \
		if ((ch)->params.total) \
			(ch)->params.total->field += (n); \
	} while (0)

/* channel_datagram.c */
void channel_datagram_init(struct channel *);
void channel_datagram_fini(struct channel *);
void channel_datagram_receive(struct channel *, const struct message_datagram *, uint32_t lateness_ms);
/* Writes the packet, which has its sequence, as a capsule; false: no room. Counts nothing: it may be a copy. */
bool channel_datagram_write(struct writer *, uint64_t channel, const struct packet *, int64_t now_us);
/* Gives the packet its sequence and writes it; when there was room for it, it counts as sent. */
bool channel_datagram_send(struct channel *, struct writer *, struct packet *);
/* scheduler->dropped; ctx: the channel. */
void channel_datagram_dropped(void *ctx, const struct packet *, enum scheduler_reason);

/* channel_stream.c */
void channel_stream_init(struct channel *, uint64_t send_limit);
void channel_stream_fini(struct channel *);
int channel_stream_receive(struct channel *, const struct message_stream *, bool *kept_out);
void channel_stream_on_ack(struct channel *, const struct message_ack *);
void channel_stream_on_reset(struct channel *, const struct message_reset *);
void channel_stream_lost(struct channel *, const struct ledger_item *);
bool channel_stream_sendable(const struct channel *);
void channel_stream_schedule(struct channel *);
/* Puts a piece into the record, at most max bytes of payload; false: no room or nothing. */
bool channel_stream_put(struct channel *, struct writer *, struct ledger *, size_t max);
void channel_stream_close(struct channel *, uint64_t code);	/* the endpoint leaves */
void channel_stream_on_close(struct channel *, uint64_t code, const char *reason);
void channel_stream_refused(struct channel *); /* gives back the credit of what was sent */
bool channel_stream_over(const struct channel *);
uint64_t channel_stream_ack_offset(const struct channel *);
void channel_stream_ack_sent(struct channel *);

#endif
