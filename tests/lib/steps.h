/*
 * Steps: a ladder over fake carriers, pool and surveys, in virtual time. A test says what carriers and surveys come
 * to, and sees what the ladder does.
 */
#ifndef TESTS_LIB_STEPS_H
#define TESTS_LIB_STEPS_H

#include <stddef.h>

#include "client/ladder.h"
#include "client/survey.h"

#define STEPS_CARRIERS 64

struct session {
	bool ended, probes;
	unsigned channels;
};

struct carrier {
	const struct rung *rung;
	const struct carrier_events *events;
	void *ctx;
	uint64_t records;
	bool open, retired, proven, beside, asked;
	bool stalled, silent;	/* silent: nothing comes */
	uint32_t overdue_ms;
	char why[32];		/* goes with the carrier */
};

extern struct steps {
	struct loop *loop;
	struct ladder *ladder;
	struct ladder_config config;
	struct carrier_path path;	/* sealing: no WebSocket is tried beside the others */
	struct verdict verdict;
	struct session session;
	struct carrier carriers[STEPS_CARRIERS];
	unsigned opened;	/* of them */
	bool refuse_open;
	unsigned limit;		/* of connections, */
	unsigned used;		/* ... of which these are taken */
	bool multiplexed;	/* HTTP/2 */
	bool single;		/* each for one exchange */

	unsigned looks;		/* at the session, as whoever wakes up does */
	unsigned surveys;	/* begun */
	enum survey_scope survey_scope;
	void (*survey_done)(void *ctx, const struct survey_findings *); /* NULL: none is under way */
	void *survey_ctx;

	unsigned proven, troubles; /* what the ladder said */
	const struct rung *before_rung;
	int64_t trouble_wait;
	char trouble_why[64];
} steps;

extern const struct survey_findings steps_all_held;

int steps_set_up(void **state);
int steps_tear_down(void **state);
void steps_begin(void);
void steps_pass(int64_t us);
/* The carrier that is open on a rung; NULL: none. */
struct carrier *steps_on(const char *rung);
unsigned steps_open_count(void);
void steps_prove(struct carrier *);
/* answered: it had got records. */
void steps_fail(struct carrier *, bool answered);
void steps_found(struct survey_findings);
struct survey_findings steps_passing(bool duplex, bool up, bool down);
/* So many records went over the carrier in use. */
void steps_flow(unsigned records);
void steps_on_poll_knowing(struct survey_findings);

#endif
