/* Findings to a rung, until the ladder and the doctor share one survey. */
#ifndef CLIENT_DOCTOR_RUNG_H
#define CLIENT_DOCTOR_RUNG_H

#include "tunnel/probe.h"

struct survey_findings {
	enum finding duplex, up, up_fill, down, down_sse, down_pad;
	unsigned limit;		/* connections at a time; 0: not known */
};

static inline const struct rung *survey_rung(const struct survey_findings *f)
{
	if (f->duplex == FINDING_PASSES)
		return rung_find("duplex");
	if (f->down == FINDING_PASSES)
		return rung_find(f->up == FINDING_PASSES ? "split" : f->up_fill == FINDING_PASSES ? "split+fill" : "push");
	if (f->down_sse == FINDING_PASSES)
		return rung_find("push+sse");
	return rung_find(f->down_pad == FINDING_PASSES ? "push+pad" : "poll");
}

#endif
