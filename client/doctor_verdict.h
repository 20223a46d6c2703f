/* The verdict of culvert doctor: pure judgements on results. */
#ifndef CLIENT_DOCTOR_VERDICT_H
#define CLIENT_DOCTOR_VERDICT_H

#include "client/doctor.h"

/* USABLE_NO, _LIMITED or _YES. */
enum usable call_usable(const struct call_result *);
/* The call of the rung that the findings give; when nothing can be heard there, that of the best rung (rungs are in order) where
 * something can; NULL: none. found may be NULL. */
const struct called *verdict_choose(const struct rung *found, const struct called *, unsigned n);
/* False when a finding speaks against the rung. */
bool verdict_may_pass(const struct rung *, const struct survey_findings *);
/* Why it is not a better one, as a sentence; "" for the best. */
void verdict_why(const struct rung *chosen, const struct rung *found, const struct survey_findings *, char *out, size_t size);

#endif
