/*
 * The inside of carriers, shared by carrier*.c, method_*.c and leg.c.
 */
#ifndef TUNNEL_CARRIER_INTERNAL_H
#define TUNNEL_CARRIER_INTERNAL_H

#include "tunnel/leg.h"
#include "tunnel/session_internal.h"

void carrier_init(struct carrier *, struct session *, const struct carrier_ops *, uint32_t id);

/* ---- helper ---- */

struct carrier_helper;

/* An up method, a down method, or both in one. One const row in one file each; functions may be NULL. */
struct method {
	const char *name;
	/* What the method needs standing is missing and may be made now (start, a connection
	 * became free, a pause after a failure is over). */
	void (*stand)(struct carrier_helper *);
	/* Up methods: sends one record if it can. */
	bool (*send)(struct carrier_helper *, unsigned outbox_flags);
};

extern const struct leg_ops method_post_leg, method_poll_leg; /* a post answered at once, a poll that is held */
extern const struct method method_duplex, method_websocket, method_up_stream, method_up_post, method_down_stream, method_down_poll;

#define CARRIER_REFUSED_MAX 4	/* exchanges in a row that a proxy wants other credentials for */
#define STALL_SLOTS 8		/* ticks of 250 ms */

struct carrier_helper {
	struct carrier base;
	const struct rung *rung;
	const struct carrier_path *path;
	struct pool_user user;	/* of the pool */
	const struct carrier_events *events;
	void *ctx;
	struct leg *up, *down;	/* standing legs: of duplex both the same */
	unsigned polls, posts;	/* under way: held ones, and those answered at once */
	int64_t posted_us;	/* when the last of those ended */
	struct {
		unsigned parked;	/* how many are to be held */
		int64_t changed_us;	/* when that was found */
		int64_t heard_us, every_us; /* the last answer with something in it; time between two, smoothed, 0: none */
		int64_t freed_us, gap_us; /* since when one is missing, 0: none is; time to replace one, smoothed */
	} park;
	uint32_t hold_ms;	/* of polls */
	bool streamed_down;	/* the rung's answers stream: marks must come back on them */
	bool clock_corrected;
	bool trusting;		/* needs no rest for its proof */
	bool beside;		/* joined one that is proven: no HELLO, and one mark is proof */
	uint32_t early;		/* of 1024: by how much of its life a standing leg is renewed before it must be */
	/* proof */
	struct timer proof;	/* the deadline of the step under way, or the second mark */
	int64_t opened_us, hello_us, hello_rtt_us; /* hello_us: time to connect; hello_rtt_us: from HELLO to WELCOME */
	unsigned marks_back;
	/* failures */
	struct timer retry;	/* pause after a failure */
	unsigned up_failures, down_failures; /* in a row */
	unsigned refused;	/* exchanges in a row that a proxy refused though it may take the next */
	unsigned empty_polls;	/* answered early with nothing, in a row */
	uint64_t last_poll;	/* number of the newest poll */
	int64_t poll_not_before;
	int64_t failed_us;	/* when the last one was counted */
	bool pausing;
	int error;		/* why it failed, told by `fail` */
	char why[640];
	struct later fail;
	struct later again;	/* HELLO again, with a corrected clock */
	int64_t busy_us;	/* when data last went either way */
	struct timer leave;	/* retired: the end */
	bool farewell_due;	/* retired: the server is to hear of it */
	struct {
		struct timer tick;
		int64_t active_us;	/* when data last came or went */
		int64_t least_us;	/* least smoothed round trip */
		int64_t slow_us, good_us, since_us; /* since when it is slow, good again, stalled; 0: it is not */
		int64_t asked_us, waiting_us; /* the last MARK; the first one since something came, 0: none */
		unsigned heard, recent[STALL_SLOTS], slot; /* accountable records that came: now, and by tick */
	} stall;
};

static inline struct carrier_helper *carrier_helper_of(struct leg *leg)
{
	return (struct carrier_helper *)leg->carrier;
}

/* Begins an exchange in a mode: a leg, or NULL when no connection is free (one is being opened). */
struct leg *carrier_helper_leg(struct carrier_helper *, const struct leg_ops *, uint32_t hold_ms);
/* The head of its request; valid until the next call. */
const struct exchange_head *carrier_helper_head(struct carrier_helper *, struct leg *, bool streamed);
/* The head of any request over a path; valid until the next call. The request learns its seal. */
const struct exchange_head *carrier_path_head(const struct carrier_path *, struct request *, bool streamed);
/* Exchanges wait for a seal: none begins, and those that fail are no failures. */
bool carrier_path_is_sealing(const struct carrier_path *);
/* As pool_exchange, sealed where the path says so. NULL, too, while there is no seal yet: available follows. */
struct exchange *carrier_path_exchange(const struct carrier_path *, struct pool_user *, const struct exchange_events *,
				       void *asker);
/* It does not work: told at the end of the turn. */
void carrier_helper_fail(struct carrier_helper *, int error, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
/* Words for a leg's failure. */
const char *carrier_helper_why(const struct leg *, int error, char *out, size_t size);
/* A leg ended: counts failures, and sees to it that `stand` is called again. */
void carrier_helper_ended(struct carrier_helper *, struct leg *, int error);
/* How many polls may be held at the server; 0: each is answered at once. */
unsigned carrier_helper_keep(const struct carrier_helper *);
#define KEEP_MAX 8		/* polls that are held */
/* Connections to be opened ahead, for sending and for the polls that are missing. */
unsigned method_down_poll_spare(const struct carrier_helper *);
/* How many the server is told to hold at most. */
unsigned method_down_poll_keep(const struct carrier_helper *);
bool carrier_helper_is_busy(const struct carrier_helper *);

/* carrier_renew.c */
bool carrier_helper_is_worn(const struct leg *);	/* it is time to replace a standing leg */
int64_t carrier_helper_worn_at(const struct leg *);	/* when it will be; INT64_MAX: it is, or has been replaced */
uint32_t carrier_helper_keepalive(const struct carrier_helper *); /* ms, of a leg that begins now */
int64_t carrier_helper_dead_at(const struct leg *);	/* streamed answers: when nothing came */
void carrier_helper_dead(struct leg *);			/* ... nothing did: ends it */
void carrier_helper_replaced(struct leg *);		/* another one stands in its place; NULL is fine */
void carrier_helper_down_ended(struct leg *);		/* the answer ended in order */
void carrier_helper_yield(struct carrier_helper *);
void method_up_stream_end(struct carrier_helper *);	/* ends the standing request body in order */

/* carrier_stall.c */
void carrier_stall_tick(void *helper);			/* timer */
void carrier_stall_active(struct carrier_helper *);	/* data was sent */
void carrier_stall_heard(struct carrier *, bool accountable);

/* carrier_proof.c */
void carrier_proof_begin(void *helper);	/* says HELLO if it can; in a later, too */
void carrier_proof_welcomed(struct carrier *);
void carrier_proof_seen(struct carrier *, struct leg *, const struct message_seen *);
/* It is to be left alone before it is trusted. */
bool carrier_proof_rests(const struct carrier_helper *);
void carrier_proof_due(void *helper);	/* timer */
/* The request for the streamed answer went out, perhaps again: beside another carrier the mark follows at once. */
void carrier_proof_standing(struct carrier_helper *);
/* The streamed answer has begun: the marks may start. */
void carrier_helper_down_open(struct carrier_helper *);

/* ---- server ---- */

struct carrier_server {
	struct carrier base;
	struct leg *down;	/* the newest streamed answer */
};

/* A mode as the server answers it; one row each, in the file of its method. */
struct mode {
	const struct leg_ops ops;
	/* An exchange has come. */
	void (*begin)(struct carrier_server *, struct leg *);
};

extern const struct mode mode_hello, mode_poll, mode_up, mode_down, mode_duplex, mode_websocket;

/* Streamed answers: begins one and ends the older one; timer; closed. */
void carrier_server_stream(struct carrier_server *, struct leg *);
void carrier_server_keepalive(struct leg *);
void carrier_server_stream_ended(struct carrier_server *, const struct leg *); /* nothing more goes on it */
void carrier_server_stream_closed(struct leg *, int error);

#endif
