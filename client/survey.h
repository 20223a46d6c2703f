/*
 * Survey: measures by a few probes, one after the other, which rungs a path can
 * pass. The ladder climbs by it, the doctor tells people; the judgement is one.
 */
#ifndef CLIENT_SURVEY_H
#define CLIENT_SURVEY_H

#include "tunnel/carrier.h"
#include "tunnel/probe.h"

struct survey;

struct survey_findings {
	enum finding duplex;			/* both bodies at once */
	enum finding up, up_fill;		/* streamed requests; behind 16 KiB of padding */
	enum finding down, down_sse, down_pad;	/* streamed answers; as text/event-stream; padded */
};

/* The best rung that they allow with that many connections (HTTP/2: SURVEY_ENOUGH); NULL: nothing was found out. */
#define SURVEY_ENOUGH 3	/* for two bodies that stand, and one to replace them or to measure */
const struct rung *survey_rung(const struct survey_findings *, unsigned connections);

/* What a survey looks at. */
enum survey_scope {
	SURVEY_ALL,
	SURVEY_DOWN,	/* streamed answers only: one short exchange */
	SURVEY_UP,	/* streamed requests only */
};

struct survey_setup {
	struct loop *loop;
	struct session *session;	/* welcomed */
	const struct carrier_path *path;
	struct pool *pool;
	int64_t rtt_us;			/* of the path, 0 when unknown */
	int64_t insist_us;		/* probes may take the last free connection after that wait; 0: never */
};

/* What is outside of the scope stays as it is in `known`. done is called once, never from within survey_start; the
 * survey is gone when it returns. */
struct survey *survey_start(const struct survey_setup *, enum survey_scope, const struct survey_findings *known,
			    void (*done)(void *ctx, const struct survey_findings *), void *ctx);
/* done is not called. NULL is fine. */
void survey_cancel(struct survey *);

#endif
