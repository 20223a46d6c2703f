/*
 * Summary: how it goes for media on a session, in sentences for people; what
 * `culvert status` and `culvertd status` say of it. Pure.
 */
#ifndef TUNNEL_SUMMARY_H
#define TUNNEL_SUMMARY_H

#include <stdbool.h>
#include <stdint.h>

#include "tunnel/recent.h"

#define SUMMARY_TEXT 320

struct summary {
	unsigned carriers;	/* that take media */
	bool on;		/* second copies are sent, */
	const char *why;	/* or not: why */
	int64_t left_ms;	/* of the latch; -1: not by one */
	double queue_ms;	/* standing queue on the path */
	uint64_t rate;		/* bytes/s that arrive; 0: nothing does */
	struct recent_figures recent;
};

/* "8 carriers, second copies on (loss is seen, 23 s left), +94 % bytes; path queue 3 ms" */
const char *summary_line(const struct summary *, char out[SUMMARY_TEXT]);
/* That the path cannot carry what came in during the last seconds; false: it could. */
bool summary_warning(const struct summary *, char out[SUMMARY_TEXT]);
/* Percent of n and more; 0 of nothing. */
double summary_percent(uint64_t part, uint64_t of);

#endif
