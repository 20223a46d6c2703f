/*
 * Status: what a helper does, as plain values. status.c gathers them in the helper,
 * status_json.c writes and reads them, status_text.c shows them to people: what one
 * of them tells, the others tell, too.
 *
 * Times are in ms. Counts of packets and bytes: in is from the server, out is to it.
 */
#ifndef CLIENT_STATUS_H
#define CLIENT_STATUS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "tunnel/counters.h"
#include "tunnel/pin.h"

#define STATUS_NAME 80
#define STATUS_URL 600
#define STATUS_PROXY 300
#define STATUS_SENTENCE 900

struct status_session {
	bool there;
	char tag[8];
	int64_t age_ms, channels, queued_packets, queued_bytes;
	double rtt_ms;
};

struct status_connections {
	int64_t open, limit, peak;
};

/* What connections were seen to stand at most; 0: no cut was seen. */
struct status_cuts {
	int64_t age_ms, idle_ms, bytes, count;
};

/* Of the newest probes: "unknown", "passes", "held", "refused", "damaged". */
struct status_findings {
	char duplex[16], up[16], down[16];
};

struct status_path {
	char rung[STATUS_NAME];	/* "": none is proven */
	char why[200];
	int64_t since_ms;	/* on this rung */
	int64_t connected_after_ms, rung_after_ms; /* from the start of the session to the first rung and to this one; -1: not yet */
	int64_t changes, stalls;
	struct status_connections connections;
	struct status_cuts cuts;
	struct status_findings findings;
	int64_t next_probe_ms;	/* -1: none */
};

struct status_carrier {
	int64_t id;
	char rung[STATUS_NAME];
	bool proven, stalled;
	int64_t legs;
	double rtt_ms;
	int64_t lateness_ms, records_out, records_in, records_lost, exchanges;
};

/* A local port. */
struct status_forward {
	char scheme[8], local[STATUS_NAME], service[STATUS_NAME];
	int64_t flows, packets_in, packets_out, bytes_in, bytes_out, dropped;
};

struct status_dropped {
	int64_t full, deadline, late, repeat;
};

struct status_channel {
	int64_t id;
	char kind[16], service[STATUS_NAME];
	int64_t packets_in, packets_out, bytes_in, bytes_out;
	int64_t late;		/* of the dropped: past their deadline, here or on the way */
	struct status_dropped dropped;
	int64_t queue;		/* bytes waiting to be sent */
};

/* One of the ways that were found, in the order in which they are tried. */
struct status_candidate {
	char proxy[STATUS_URL];	/* "direct", or its hops */
	bool used;
};

/* What a proxy of the chain in use was told. */
struct status_login {
	char proxy[STATUS_PROXY], scheme[16], user[STATUS_PROXY]; /* user "": not known */
};

/* What the server, or a box in its place, shows. */
struct status_certificate {
	bool there;
	char issuer[STATUS_PROXY], words[500], expected[8], pin[PIN_TEXT]; /* expected: "yes", "no", "unknown" */
};

struct status {
	char version[32];
	int64_t uptime_ms;
	char server[STATUS_URL], proxy[STATUS_URL]; /* proxy "": none */
	char proxy_from[STATUS_PROXY]; /* where the candidates come from; "": nobody names any */
	struct status_candidate *candidate;
	size_t candidates;
	struct status_login *login;
	size_t logins;
	bool sealed;
	struct status_certificate certificate;
	char identity[STATUS_NAME];
	char state[16];		/* "connecting", "connected", "stopping" */
	char trouble[STATUS_SENTENCE]; /* "": none since it last worked */
	struct status_session session;
	struct status_path path;
	struct status_carrier *carrier;
	size_t carriers;
	struct status_forward *forward;
	size_t forwards;
	struct status_channel *channel;
	size_t channels;
	int64_t counter[COUNTER_COUNT];
};

void status_fini(struct status *);
bool status_is_connected(const struct status *);

/* ---- the helper's side ---- */

struct ingress;
struct ladder;
struct loop;
struct options;
struct pool;
struct route;
struct session;
struct witness;

/* What there is to gather from; NULL: there is none now. */
struct status_source {
	const struct loop *loop;
	const struct options *options;
	int64_t begun_us;
	const char *identity, *trouble;
	bool stopping, sealed;	/* sealed: the session is, or waits for its seal */
	const struct session *session;
	const struct ladder *ladder;
	const struct pool *pool;
	const struct route *route;
	const struct witness *witness;
	struct ingress *const *ingress;
	size_t n_ingress;
};

/* Ends with status_fini. */
void status_gather(struct status *, const struct status_source *);

/* ---- its two forms ---- */

/* One object on one line. */
void status_json_write(FILE *, const struct status *);
/* Reads it again; false and a sentence. What an older helper does not tell stays empty. Ends with status_fini, true only. */
bool status_json_read(struct status *, const char *text, char *error, size_t size);

/* For people. before: some time earlier, for rates; NULL: totals instead. */
void status_text(FILE *, const struct status *, const struct status *before);

#endif
