/*
 * Recent: how much the figures of a session grew in the last seconds, for whoever
 * asks once and wants to know what is the case now. Totals are noted every 5 s
 * while something goes, and never otherwise, so it costs nothing when idle. Pure.
 */
#ifndef TUNNEL_RECENT_H
#define TUNNEL_RECENT_H

#include <stdbool.h>
#include <stdint.h>

#include "framing/traffic.h"

struct recent_figures {
	uint64_t sent[TRAFFIC_CLASSES], dropped[TRAFFIC_CLASSES]; /* datagrams, for whatever reason */
	uint64_t packets, bytes; /* that may go twice, */
	uint64_t again, again_bytes; /* and that did: second copies and hedges */
	uint64_t receipted;	/* bytes of records */
};

struct recent {
	struct recent_figures at[2]; /* totals as they were, the older ones first */
	int64_t at_us[2];
};

/* Whether totals are to be noted before more is sent. */
bool recent_is_due(const struct recent *, int64_t now_us);
void recent_note(struct recent *, const struct recent_figures *totals, int64_t now_us);
/* What came to the totals in the window that it returns, in us, at most 10 s; 0: nothing did. */
int64_t recent_growth(const struct recent *, const struct recent_figures *totals, int64_t now_us, struct recent_figures *out);

#endif
