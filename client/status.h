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

#include "framing/traffic.h"
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

/* Carriers at once on the rung in use. */
struct status_fleet {
	int64_t wanted, most;	/* by the session; that can be had on this path */
	int64_t replaced, failed;
	char why[80];		/* why not as many as wanted; "": there are */
};

struct status_path {
	char rung[STATUS_NAME];	/* "": none is proven */
	char why[200];
	char http[12];		/* "HTTP/1.1", "HTTP/2", which the newest connection speaks; "": none stood */
	int64_t since_ms;	/* on this rung */
	int64_t connected_after_ms, rung_after_ms; /* from the start of the session to the first rung and to this one; -1: not yet */
	int64_t changes, stalls;
	struct status_connections connections;
	struct status_cuts cuts;
	struct status_findings findings;
	struct status_fleet fleet;
	int64_t next_probe_ms;	/* -1: none */
};

struct status_carrier {
	int64_t id;
	char rung[STATUS_NAME];
	bool proven, stalled;
	int64_t legs;
	double rtt_ms;
	int64_t lateness_ms, records_out, records_in, records_lost, exchanges;
	bool media, streams;	/* what it takes */
	int64_t in_flight, rate; /* bytes; bytes/s that arrive */
	int64_t overdue_ms;	/* its oldest record; 0: none is */
};

struct status_class_dropped {
	int64_t full, deadline, frame;
};

/* In the last seconds. */
struct status_class_recent {
	int64_t sent, dropped;
};

/* Datagrams of one class on their way to the server. */
struct status_class {
	int64_t waiting_packets, waiting_bytes;
	double delay_ms;	/* smoothed, that they wait here */
	int64_t deadline_ms;	/* unless the service or the channel has one */
	int64_t sent;
	struct status_class_dropped dropped;
	struct status_class_recent recent;
};

/* In the last seconds. again: second copies and hedges. */
struct status_redundancy_recent {
	int64_t packets, bytes, again, again_bytes;
};

/* What goes out twice so that it is there in time. */
struct status_redundancy {
	bool on;
	char why[80];
	int64_t since_ms, left_ms; /* left: of the latch; -1: not by one */
	int64_t packets, bytes;	/* that may have a second copy */
	int64_t copies, copy_bytes, hedges, hedges_held, evidence;
	struct status_redundancy_recent recent;
};

/* The path to the server, and what is done for media on it. */
struct status_media {
	bool there;
	double queue_ms;	/* on the path */
	int64_t rate;		/* bytes/s that arrived in the last seconds */
	int64_t in_flight, in_flight_bound; /* bytes; bound: of streams, media may go beyond */
	int64_t recent_ms;	/* how long the last seconds are; 0: nothing was sent in them */
	struct status_class class[TRAFFIC_CLASSES];
	struct status_redundancy redundancy;
};

/* A local port. */
struct status_forward {
	char scheme[8], local[120], service[STATUS_NAME];
	int64_t flows, packets_in, packets_out, bytes_in, bytes_out, dropped; /* dropped: repeats aside */
	int64_t last_ms;	/* since a local program last sent a datagram or connected; -1: never */
};

struct status_dropped {
	int64_t full, deadline, frame, late, repeat;
};

struct status_channel {
	int64_t id;
	char kind[16], service[STATUS_NAME];
	int64_t packets_in, packets_out, bytes_in, bytes_out;
	int64_t deadline_ms;	/* 0: by packet */
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
	struct status_media media;
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

/* The parts of it that are about media, in status_media.c. before: of the same session, seconds earlier, or NULL. */
void status_media_line(FILE *, const struct status *);
void status_media_classes(FILE *, const struct status_media *, const struct status_media *before, double seconds);

#define STATUS_CELL 48		/* bytes of a number and its unit */
const char *status_number(char out[STATUS_CELL], double); /* "12345", "1.23 M": at most 8 characters */

#endif
