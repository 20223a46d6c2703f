/*
 * culvert doctor: measures the path to a server check by check, and says what
 * will be used, how well a call will go, and which box is in the way. This header
 * is what its files share; others call command_doctor.
 */
#ifndef CLIENT_DOCTOR_H
#define CLIENT_DOCTOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "client/doctor_box.h"
#include "client/doctor_call.h"
#include "client/issuer.h"
#include "client/memory.h"
#include "client/options.h"
#include "client/route.h"
#include "client/sealed_path.h"
#include "client/signer.h"
#include "client/survey.h"
#include "tunnel/address.h"
#include "tunnel/carrier.h"
#include "tunnel/loop.h"
#include "tunnel/pin.h"
#include "tunnel/pool.h"
#include "tunnel/probe.h"
#include "tunnel/resolve.h"
#include "tunnel/session.h"

#define DOCTOR_TEXT 600
#define DOCTOR_FIGURES 16
#define DOCTOR_CHECKS 32
#define DOCTOR_CALLS 8

struct doctor;
struct check_run;

enum outcome { OUTCOME_OK, OUTCOME_LIMITED, OUTCOME_BROKEN, OUTCOME_SKIPPED };
const char *outcome_name(enum outcome);	/* "ok" ... */

/* What a check needs and what one that succeeds gives. */
enum { HAVE_ADDRESS = 1, HAVE_TCP = 2, HAVE_PROXY = 4, HAVE_TUNNEL = 8, HAVE_TLS = 16, HAVE_SESSION = 32, HAVE_PROBES = 64,
       HAVE_LONG = 128 };

struct check {
	const char *name;	/* for programs */
	const char *title;	/* for people */
	unsigned needs;
	int64_t deadline_us;
	/* Ends by check_end, at once or later. */
	void (*start)(struct check_run *);
	/* Drops what is under way, in any state; run->state is freed behind it. NULL: nothing is ever. */
	void (*stop)(struct check_run *);
	/* Its time is up; ends it with what is known. NULL: broken. */
	void (*late)(struct check_run *);
};
/* In order; each file of checks has some. Ends with name NULL. */
extern const struct check *const doctor_checks[];

struct figure {
	char name[32];
	double value;
};

struct check_run {
	struct doctor *doctor;
	const struct check *check;
	void *state;		/* of the check; freed at its end */
	bool over, left_out;	/* left_out: could not even begin */
	enum outcome outcome;
	char sentence[DOCTOR_TEXT], box[BOX_TEXT], advice[BOX_ADVICE];
	enum obstacle obstacle;	/* of the advice */
	bool outer, named;	/* whose evidence it is; a product was found */
	struct figure figure[DOCTOR_FIGURES];
	unsigned figures;
	int64_t began_us, ended_us; /* since the doctor began */
};

/* A simulated call. */
struct called {
	const struct rung *rung;
	struct call_result result;
};

struct doctor_options {
	struct options *options;
	bool json, longer;
	const char *report;	/* NULL: none */
	unsigned seconds;	/* of each simulated call */
};

struct doctor {
	struct loop *loop;
	const struct doctor_options *how;
	const struct options *options;
	struct route *route;
	struct signer signer;
	bool has_token;
	struct packet_pool *packets;
	struct carrier_path path;
	int64_t began_us;

	struct check_run runs[DOCTOR_CHECKS];
	unsigned n;		/* begun */
	struct timer deadline;
	struct later next;
	bool done;
	int exit_code;

	/* The way that is looked at (doctor_way.h). */
	struct proxy_list list;	/* candidates */
	unsigned candidate;
	char way[600], passed_over[400];
	struct timer look;
	struct dial *trial;
	void (*known)(struct doctor *);
	char login[2 * BOX_TEXT]; /* "Negotiate as alice": to the proxies; "": none was wanted */
	struct sealed_setup sealing; /* for sessions */
	struct sealed_path sealed;	/* of the session that probes use */
	bool plain;		/* the proxy denies CONNECT: no TLS to the server, everything is sealed */

	/* What is known. */
	unsigned have;		/* HAVE_ */
	const char *missing;	/* why there is no session: for those who need one */
	struct address address[RESOLVE_MAX];
	size_t addresses;
	int64_t connect_us;	/* TCP */
	int proxy_status;	/* of CONNECT without credentials; 0: no answer */
	struct box_evidence outer, inner; /* the proxy's answers to CONNECT; what came from within TLS */
	bool own_certificate;	/* what is shown is the server's */
	bool intercepted, reverse; /* somebody reads HTTP inside TLS: with a certificate of his own; in front of culvertd */
	char issuer[ISSUER_TEXT], pin[PIN_TEXT]; /* of what the server shows */
	enum signer_kind issued;
	struct memory *memory;	/* of the helper: only looked at */
	struct cuts cuts;
	struct pool *pool;
	struct session *session;
	struct survey_findings findings;
	unsigned limit;		/* connections at a time that were counted; 0: not yet */
	int64_t rtt_us;		/* of an exchange; 0: not known */

	struct called call[DOCTOR_CALLS];
	unsigned calls;
	const struct rung *rung; /* that will be used; NULL: none */
	char why[DOCTOR_TEXT];	/* it */
};

/* Makes everything but runs nothing. NULL and a sentence. */
struct doctor *doctor_new(struct loop *, const struct doctor_options *, char *error, size_t size);
/* Runs all checks, prints, writes the report, and leaves the loop. */
void doctor_start(struct doctor *);
void doctor_free(struct doctor *);

/* ---- for the checks ---- */

/* The last word of a check; the next one begins in a later turn. */
void check_end(struct check_run *, enum outcome, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
/* What it does now, for people who watch. */
void check_say(struct check_run *, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void check_figure(struct check_run *, const char *name, double value);
/* Before check_end: names the box and what would be changed. outer: it spoke (or not) outside of TLS. */
void check_blame(struct check_run *, enum obstacle, bool outer);
/* As check_blame, with evidence of its own in front. */
void check_blame_by(struct check_run *, enum obstacle, const struct box_evidence *, bool outer);
/* The outcome of an earlier check; SKIPPED when it did not run. */
enum outcome doctor_outcome(const struct doctor *, const char *name);

/* The proxies on the way; n = 0: none. Whether the server is reached without TLS. */
static inline const struct proxy_chain *doctor_chain(const struct doctor *d) { return &d->list.chain[d->candidate]; }
static inline bool doctor_is_plain(const struct doctor *d) { return d->plain || d->options->server.plain_only; }
/* What is sent must be sealed. And the path of carriers and probes of the session. */
static inline bool doctor_must_seal(const struct doctor *d) { return doctor_is_plain(d) || d->options->seal_always; }
static inline const struct carrier_path *doctor_path(const struct doctor *d) { return doctor_must_seal(d) ? &d->sealed.path : &d->path; }
/* The setup for sealed_path_begin, NULL when nothing is to be sealed. */
const struct sealed_setup *doctor_sealing(struct doctor *);
/* How many connections may be used at a time. */
unsigned doctor_connections(const struct doctor *);

/* ---- the end ---- */

enum usable { USABLE_NO, USABLE_LIMITED, USABLE_YES, USABLE_UNKNOWN };
const char *usable_name(enum usable);	/* "no", "limits", "yes", "unknown" */
/* The call that counts, that of the rung that will be used; NULL: there was none. */
const struct called *doctor_best_call(const struct doctor *);
enum usable doctor_usable(const struct doctor *);
const char *doctor_mode(const struct doctor *);	/* direct, connect, absolute, plain, intercepted, reverse; "unknown" */

void report_progress(const struct doctor *, const struct check_run *, const char *text);
void report_check(const struct doctor *, const struct check_run *); /* it has ended */
void report_head(const struct doctor *);
void report_end(const struct doctor *);
void report_text(const struct doctor *, FILE *, bool all);
void report_json(const struct doctor *, FILE *);
/* The file for support. False and a sentence. */
bool report_file(const struct doctor *, const char *file, char *error, size_t size);

#endif
