/* Probes of a check: several at a time, and what the answers say of boxes. */
#ifndef CLIENT_DOCTOR_PROBE_H
#define CLIENT_DOCTOR_PROBE_H

#include "client/doctor.h"

#define PROBES_MAX 12

/* The state of a check that probes. */
struct probing {
	struct probe_one {
		struct probing *of;
		struct probe *probe;
		struct probe_plan plan;
		struct probe_result result;
	} one[PROBES_MAX];
	unsigned n, begun, left;
	struct check_run *run;
	void (*done)(struct check_run *);
};

struct probing *probing_new(struct check_run *);
void probing_stop(struct check_run *);
/* Starts n probes, as many at once as the path and the server allow; done is called, in a later turn, when all are over. */
void probing_start(struct check_run *, const struct probe_plan *, unsigned n, void (*done)(struct check_run *));
/* Names the box that an answer was from, or one that is known. */
void probing_blame(struct check_run *, enum obstacle, const struct probe_result *);
/* Between marks: us, no less than a round trip. */
int64_t probing_gap(const struct doctor *);
/* A box that reads HTTP inside TLS has said so. */
void doctor_notice(struct doctor *);

#endif
