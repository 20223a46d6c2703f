/*
 * Probe: one exchange that measures what a path does to bodies (PROTOCOL.md section 4.6).
 * The helper says how many marks to send up and to get down, at which times; the
 * result says when each arrived. It belongs to no carrier and ends by itself, so
 * that a proxy that holds a body back holds it only for a moment.
 */
#ifndef TUNNEL_PROBE_H
#define TUNNEL_PROBE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "framing/request.h"
#include "tunnel/carrier.h"
#include "tunnel/exchange.h"
#include "tunnel/loop.h"
#include "tunnel/pool.h"
#include "tunnel/session.h"

#define PROBE_MARKS 32		/* each way, at most */
#define PROBE_TEXT 256

struct probe;

/* What to send and what to ask for. Zeroed: an empty exchange. A complete body holds about 80,000 bytes: marks that do not fit
 * are left out, either way. */
struct probe_plan {
	/* up */
	bool up_streamed;	/* else one complete body */
	unsigned up_marks;	/* <= PROBE_MARKS */
	int64_t up_gap_us;	/* between marks, streamed bodies only; also between the last one and the end */
	size_t up_fill;		/* PAD in front of the first mark, <= 65,536 */
	size_t up_size;		/* filler of each mark, <= 65,000 */
	/* down */
	enum request_answer answer; /* COMPLETE, STREAMED (after the request's end), EARLY (at once) */
	unsigned down_marks;	/* <= PROBE_MARKS; on streamed answers sent after the request's end */
	uint32_t down_gap_ms;	/* between them, on streamed answers */
	size_t down_size;	/* filler of each mark, <= 65,000 */
	uint32_t pad;		/* as of rungs */
	bool event_stream;
	uint32_t hold_ms;	/* silence in front of a complete answer, or of a streamed one's first mark */
	/* Given up this long after the last thing that the plan itself waits for. */
	int64_t patience_us;
	int64_t insist_us;	/* modest for so long only; 0: always */
};

/* Times are relative to the start of the exchange; -1: did not happen. */
struct probe_result {
	int error;		/* 0: whole and from culvertd */
	int status;		/* of HTTP; 0: none came */
	char why[PROBE_TEXT];	/* a sentence when error < 0 */
	int64_t head_us, end_us; /* the answer's head, and its end */
	int64_t up_end_us;	/* the request body's end was sent */
	/* up, as the server saw it and reported */
	unsigned up_sent;
	int64_t up_sent_us[PROBE_MARKS];
	unsigned up_seen;	/* reported at all */
	uint32_t up_seen_ms[PROBE_MARKS]; /* server's clock */
	int64_t up_told_us[PROBE_MARKS]; /* when the report arrived here */
	bool up_intact;		/* none of those seen was damaged */
	/* down */
	unsigned down_seen;
	uint32_t down_sent_ms[PROBE_MARKS]; /* server's clock */
	int64_t down_seen_us[PROBE_MARKS];
	bool down_intact;
	uint64_t bytes_in;	/* of the answer's body */
	/* what the server says of the request */
	uint64_t number;	/* x that we sent */
	bool reported;
	uint64_t x, copies;	/* x: of the request that was answered; another one's: a cache replayed it. copies: of it so far */
	unsigned version;	/* 10 or 11 */
	unsigned framing;	/* 0 none, 1 length, 2 chunked */
	uint64_t body;		/* bytes of the request body */
	char via[PROBE_TEXT];	/* Via as the server saw it; "" none */
	/* what the answer's head says */
	unsigned answer_version; /* 10 or 11 */
	bool answer_close;	/* the connection ends with it */
	char answer_via[PROBE_TEXT], answer_server[PROBE_TEXT], answer_encoding[PROBE_TEXT]; /* Via, Server, Content-Encoding */
	char page[PROBE_TEXT];	/* beginning of a body that is not culvertd's, printable */
};

/* Begins as soon as the pool gives a connection (modest: never the last one that is free), and fails when none comes for 15 s.
 * The session is welcomed, has probes, and outlives it. done is called once, at the end of a turn, never from within
 * probe_start; the probe is gone when it returns. */
struct probe *probe_start(struct session *, const struct carrier_path *, struct pool *, bool modest, const struct probe_plan *,
			  void (*done)(void *ctx, const struct probe_result *), void *ctx);
/* done is not called. */
void probe_cancel(struct probe *);

/* ---- what a result says ---- */

enum finding {
	FINDING_UNKNOWN,	/* it could not be told: the exchange failed for another reason */
	FINDING_PASSES,		/* marks arrived as they were sent */
	FINDING_HELD,		/* ... late, together */
	FINDING_REFUSED,	/* the proxy refused the exchange (411, 413, 501, reset ...) */
	FINDING_DAMAGED,	/* they arrived altered */
};

enum finding probe_up(const struct probe_plan *, const struct probe_result *);
enum finding probe_down(const struct probe_plan *, const struct probe_result *);
/* Reports of marks arrived while the request body was still going on. */
enum finding probe_duplex(const struct probe_plan *, const struct probe_result *);
const char *finding_name(enum finding);	/* "passes", "held" ... */

/* ---- server ---- */

/* Answers an exchange with m=probe of this session. Called by carrier_accept. head: of the request. */
void probe_answer(struct session *, const struct request *, struct exchange *, const struct http1_head *head);

#endif
