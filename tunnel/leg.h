/*
 * Leg: one live exchange of a carrier, at either end. It reads records out of the
 * peer's body and writes records into ours; when it ends, what it carried and was
 * not receipted may be lost. What is particular to a mode is in its leg_ops (the
 * method_*.c files).
 */
#ifndef TUNNEL_LEG_H
#define TUNNEL_LEG_H

#include "framing/record.h"
#include "tunnel/session_internal.h"

struct leg;

struct leg_ops {
	enum request_mode mode;
	/* Helper: the answer's head came and was good; or its status was not 200 (NULL: nothing to do). */
	void (*head)(struct leg *);
	void (*refused)(struct leg *);
	/* The peer's message is complete. */
	void (*end)(struct leg *);
	/* Room again, after a record could not be sent. NULL: the session is kicked. */
	void (*writable)(struct leg *);
	void (*timer)(struct leg *);
	/* Last call, the leg goes when it returns; its records were already settled. */
	void (*closed)(struct leg *, int error);
};

struct leg {
	struct carrier *carrier;
	const struct leg_ops *ops;
	struct exchange *x;
	struct link link;	/* in carrier->legs, oldest first */
	uint64_t number;	/* x of its request */
	struct record_reader in;
	struct inbound inbound;
	struct timer timer;
	int64_t born_us, last_in_us, last_out_us;
	uint32_t hold_ms, keep;	/* polls */
	uint32_t keepalive_ms;	/* streamed answers; 0: the session's */
	uint32_t pad;		/* each record is filled up to that many bytes */
	bool event_stream;	/* server: type of the answer */
	bool head_sent, out_ended, in_ended, got_head;
	bool sparse;		/* its connection is tuned for few packets */
	bool waiting;		/* server: an answer that is being held */
	bool doubled;		/* server: its request came more than once, the answer to this copy may be dropped */
	bool spoke, heard;	/* something accountable was sent, came */
	bool recorded;		/* a whole record came */
	bool streamed_answer;	/* server: counted in carrier->streamed_answers */
	bool replaced;		/* helper: another stands in its place, it may end as it likes */
	bool given_up;		/* helper: a held poll that something in between did not want to hold so long */
	int status;		/* helper: of an answer that is not culvertd's */
	int64_t date;		/* helper: its Date, Unix time, 0: none */
};

/* A leg over an exchange, whose events it takes. strict: a helper's, see record.h. */
struct leg *leg_new(struct carrier *, const struct leg_ops *, struct exchange *, uint64_t number, bool strict);
/* An exchange for the leg that has none yet (helper). */
extern const struct exchange_events leg_exchange_events;
/* Ends it in any state without calling closed. */
void leg_drop(struct leg *);
/* Ends it in any state as if the exchange had failed. */
void leg_fail(struct leg *, int error);

/* Streamed body: sends the next record; head goes in front of the first. False when there is
 * nothing or no room. */
bool leg_stream(struct leg *, const struct exchange_head *head, unsigned outbox_flags);
/* Complete body: sends one record (or, when there is none and the flags do not force one, nothing
 * and false). */
bool leg_complete(struct leg *, const struct exchange_head *head, unsigned outbox_flags);
/* Streamed body: a PAD, filled up as records are. */
void leg_pad(struct leg *, const struct exchange_head *head);
/* Streamed body, first of all: a PAD of n bytes. */
void leg_fill(struct leg *, const struct exchange_head *head, size_t n);
/* Streamed body: its head alone. */
void leg_begin(struct leg *, const struct exchange_head *head);
/* Streamed body: its end, in order. */
void leg_end(struct leg *);

/* Server: the head of an answer; event_stream: its type is not application/octet-stream but text/event-stream. */
const struct exchange_head *leg_answer_head(struct loop *, bool streamed, bool event_stream);
/* Server: answers with GONE or BYE. */
void leg_farewell(struct loop *, struct exchange *, uint64_t type, uint64_t code, const char *reason);

#endif
