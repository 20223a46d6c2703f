/* What the findings of a survey mean: which rung. Pure. */
#include "client/survey.h"

const struct rung *survey_rung(const struct survey_findings *f, unsigned connections)
{
	bool split = connections >= SURVEY_ENOUGH;

	if (f->duplex == FINDING_PASSES)
		return rung_find("duplex");
	if (f->down == FINDING_PASSES) {
		if (split && f->up == FINDING_PASSES)
			return rung_find("split");
		if (split && f->up_fill == FINDING_PASSES)
			return rung_find("split+fill");
		return rung_find("push");
	}
	if (f->down_sse == FINDING_PASSES)
		return rung_find("push+sse");
	if (f->down_pad == FINDING_PASSES)
		return rung_find("push+pad");
	if (f->down != FINDING_UNKNOWN || f->duplex != FINDING_UNKNOWN)
		return rung_find("poll");
	return NULL;
}
