/*
 * The highest rate that gets through one way: doubled until a step fails, then
 * halved in until 4 % are left. A step fails twice before it counts, for a
 * single failure may be noise of the machine. Called by main.
 */
#include <math.h>

#include "tests/tools/rtpload.h"
#include "tests/tools/tool.h"

#define FIRST_PPS 2000.0
#define MOST_PPS 2e6
#define MISSING_PCT 0.1
#define PRECISION 1.04
#define BURSTS_PER_S 20000 /* at most; or waking up would be all that we do */

/* Sends at a rate for a while; what it found stays in the tally. */
static bool step(struct rtpload_run *r, struct rtpload_options *o, double pps, double *seconds, struct rtpload_cpu *used)
{
	int burst = (int)fmin(fmax(pps / BURSTS_PER_S, 1), RTPLOAD_MAX_BURST);
	o->stream[0].burst = burst;
	o->stream[0].interval_ns = burst / pps * 1e9;
	*seconds = rtpload_measure(r, used);
	double missing = rtpload_tally_missing(r->tally[RTPLOAD_UP]);
	bool ok = missing <= MISSING_PCT && (double)r->sent[RTPLOAD_UP][0] >= 0.97 * pps * o->seconds;
	if (!o->quiet)
		fprintf(stderr, "%10.0f packets/s: missing %.3f %%, p50 %.2f ms, p99 %.2f ms%s\n", pps, missing,
			rtpload_tally_percentile_ms(r->tally[RTPLOAD_UP], 0.5), rtpload_tally_percentile_ms(r->tally[RTPLOAD_UP], 0.99),
			ok ? "" : ": too fast");
	tool_sleep_until(tool_now_ns() + (ok ? TOOL_NSEC / 10 : TOOL_NSEC * 7 / 10)); /* queues run empty */
	return ok;
}

void rtpload_flood(struct rtpload_run *r, const char *label)
{
	struct rtpload_options o = *r->options;
	struct rtpload_cpu used;
	double good = 0, bad = 0, pps = FIRST_PPS, seconds;
	o.warmup = 0.3;
	o.drain = o.deadline_ms[0] / 1e3 + 0.05;
	r->options = &o;
	while (pps >= 50 && pps <= MOST_PPS) {
		if (step(r, &o, pps, &seconds, &used) || step(r, &o, pps, &seconds, &used))
			good = pps;
		else
			bad = pps;
		if (good && bad && bad / good < PRECISION)
			break;
		pps = !bad ? pps * 2 : !good ? pps / 4 : sqrt(good * bad);
	}
	step(r, &o, good > 0 ? good : pps, &seconds, &used);
	rtpload_report(r, label, seconds, &used, good);
}
