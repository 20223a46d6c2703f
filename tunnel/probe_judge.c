/*
 * What the result of a probe says of the path. Pure: called with a plan and its result
 * by whoever measures.
 */
#include "framing/error.h"
#include "tunnel/probe.h"

#define TOLERANCE 60	/* percent of a gap that a mark may be off */

const char *finding_name(enum finding f)
{
	static const char *const names[] = { "unknown", "passes", "held", "refused", "damaged" };

	return names[f];
}

/* What ends the judgement before any mark is looked at; FINDING_PASSES: nothing does. */
static enum finding obstacle(const struct probe_result *r, bool intact)
{
	if (r->status >= 400)
		return FINDING_REFUSED;
	if (r->status == 0 && (r->error == ERROR_RESET || r->error == ERROR_EOF))
		return FINDING_REFUSED;
	if (!intact || r->answer_encoding[0] || (r->status == 200 && r->error == ERROR_MALFORMED))
		return FINDING_DAMAGED;
	if (r->error == ERROR_GONE || (r->reported && r->x != r->number))
		return FINDING_UNKNOWN;
	return FINDING_PASSES;
}

/* Each mark that came kept its distance from the one before. Times of those that did not come are below 0. */
static bool on_time(const int64_t *sent_us, const int64_t *came_us, unsigned n)
{
	for (unsigned i = 1; i < n; i++) {
		int64_t gap = sent_us[i] - sent_us[i - 1], off = came_us[i] - came_us[i - 1] - gap;

		if (came_us[i] < 0 || came_us[i - 1] < 0)
			continue;
		if ((off < 0 ? -off : off) * 100 > gap * TOLERANCE)
			return false;
	}
	return true;
}

/* came: how many of n arrived. */
static enum finding judge(const struct probe_result *r, const int64_t *sent_us, const int64_t *came_us, unsigned came,
			  unsigned n, bool timed)
{
	if (timed && !on_time(sent_us, came_us, n))
		return FINDING_HELD;
	if (came == n)
		return n > 0 || r->error == 0 ? FINDING_PASSES : FINDING_UNKNOWN;
	return r->status == 200 && r->error == ERROR_TIMEOUT ? FINDING_HELD : FINDING_UNKNOWN;
}

/* Times of the server's clock as us since the first mark that has one; those without stay -1. */
static void from_clock(int64_t *us, const uint32_t *ms, const int64_t *has, unsigned n)
{
	unsigned first = 0;

	while (first < n && has[first] < 0)
		first++;
	for (unsigned i = 0; i < n; i++)
		us[i] = has[i] < 0 ? -1 : (int64_t)(int32_t)(ms[i] - ms[first]) * LOOP_MS;
}

enum finding probe_up(const struct probe_plan *plan, const struct probe_result *r)
{
	enum finding f = obstacle(r, r->up_intact);
	int64_t came[PROBE_MARKS];

	if (f != FINDING_PASSES)
		return f;
	if (plan->up_marks > 0 && !r->reported)
		return FINDING_UNKNOWN;
	from_clock(came, r->up_seen_ms, r->up_told_us, r->up_sent);
	return judge(r, r->up_sent_us, came, r->up_seen, r->up_sent, plan->up_streamed && plan->up_gap_us > 0);
}

enum finding probe_down(const struct probe_plan *plan, const struct probe_result *r)
{
	bool streamed = plan->answer != ANSWER_COMPLETE;
	enum finding f = obstacle(r, r->down_intact);
	int64_t sent[PROBE_MARKS];

	if (f != FINDING_PASSES)
		return f;
	if (!streamed && r->error == 0)
		return FINDING_PASSES;	/* whole; what did not fit was left out */
	from_clock(sent, r->down_sent_ms, r->down_seen_us, plan->down_marks);
	return judge(r, sent, r->down_seen_us, r->down_seen, plan->down_marks, streamed && plan->down_gap_ms > 0);
}

enum finding probe_duplex(const struct probe_plan *plan, const struct probe_result *r)
{
	enum finding f = obstacle(r, r->up_intact && r->down_intact);

	(void)plan;
	if (f != FINDING_PASSES)
		return f;
	if (r->status == 0 || r->up_sent == 0)
		return FINDING_UNKNOWN;
	if (r->up_told_us[0] < 0)	/* an answer that was not ours says nothing */
		return r->error == ERROR_TIMEOUT ? FINDING_HELD : FINDING_UNKNOWN;
	if (r->up_end_us >= 0 && r->up_told_us[0] >= r->up_end_us)
		return FINDING_HELD;
	return judge(r, r->up_sent_us, r->up_told_us, r->up_seen, r->up_sent, true);
}
