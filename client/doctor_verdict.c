/*
 * The verdict of culvert doctor: what all findings come to. Called by the reports and
 * for the exit status.
 */
#include <string.h>

#include "client/doctor.h"
#include "client/doctor_verdict.h"

#define MOS_GOOD 3.6		/* G.107 annex B: many are satisfied */
#define MOS_LEAST 2.0
#define LOST_GOOD 3.0		/* percent lost or late */
#define LOST_MOST 50.0

const char *usable_name(enum usable u)
{
	static const char *const names[] = { "no", "limits", "yes", "unknown" };

	return names[u];
}

enum usable call_usable(const struct call_result *r)
{
	double gone = r->loss_percent + r->late_percent;

	if (!r->ran || r->received == 0 || r->mos < MOS_LEAST || r->loss_percent > LOST_MOST)
		return USABLE_NO;
	return r->mos >= MOS_GOOD && gone <= LOST_GOOD ? USABLE_YES : USABLE_LIMITED;
}

static bool speaks_against(enum finding f)
{
	return f == FINDING_HELD || f == FINDING_REFUSED || f == FINDING_DAMAGED;
}

bool verdict_may_pass(const struct rung *r, const struct survey_findings *s)
{
	enum finding down = r->pad ? s->down_pad : r->event_stream ? s->down_sse : s->down;
	enum finding up = r->fill ? s->up_fill : s->up;

	if (r->rest)	/* which no finding tells of; it is for where the rung above it does not pass */
		return speaks_against(s->duplex);
	if (strcmp(r->name, "duplex") == 0)
		return !speaks_against(s->duplex);
	if (strncmp(r->name, "split", 5) == 0)
		return !speaks_against(up) && !speaks_against(down);
	if (strncmp(r->name, "push", 4) == 0)
		return !speaks_against(down);
	return true;
}

static const char *how(enum finding f)
{
	return f == FINDING_REFUSED ? "are refused" : f == FINDING_DAMAGED ? "arrive altered" : "are held back";
}

void verdict_why(const struct rung *chosen, const struct rung *found, const struct survey_findings *s, char *out, size_t size)
{
	*out = 0;
	if (!chosen)
		return;
	if (chosen->rest)
		snprintf(out, size, "Nothing else passes both ways at once.");
	else if (found && chosen != found)
		snprintf(out, size, "On %s no call came about.", found->name);
	else if (speaks_against(s->down) && !chosen->pad && !chosen->event_stream)
		snprintf(out, size, "Answers that are streamed %s.", how(s->down));
	else if (speaks_against(s->down))
		snprintf(out, size, "Other answers that are streamed %s.", how(s->down));
	else if (speaks_against(s->up))
		snprintf(out, size, "Requests that are streamed %s.", how(s->up));
	else if (speaks_against(s->duplex))
		snprintf(out, size, "Answers do not come while the request lasts.");
}

/* The rung that the findings give, or a better one that they do not tell of and where a call worked; unless no call worked there and one did
 * elsewhere: then the best of those. */
const struct called *verdict_choose(const struct rung *found, const struct called *call, unsigned n)
{
	const struct called *best = NULL;

	for (unsigned i = 0; i < n; i++)
		if (call[i].rung->rest && call[i].rung < found && call_usable(&call[i].result) != USABLE_NO)
			return &call[i];
	for (unsigned i = 0; i < n; i++)
		if (call[i].rung == found && call_usable(&call[i].result) != USABLE_NO)
			return &call[i];
	for (unsigned i = 0; i < n; i++)
		if (call_usable(&call[i].result) != USABLE_NO && (!best || call[i].rung < best->rung))
			best = &call[i];
	return best;
}

const struct called *doctor_best_call(const struct doctor *d)
{
	for (unsigned i = 0; i < d->calls; i++)
		if (d->call[i].rung == d->rung)
			return &d->call[i];
	return NULL;
}

enum usable doctor_usable(const struct doctor *d)
{
	const struct called *best = doctor_best_call(d);

	if (best)
		return call_usable(&best->result);
	/* Nothing could be tried without a token, and nothing else speaks against it. */
	return !d->has_token && (d->have & HAVE_TLS) ? USABLE_UNKNOWN : USABLE_NO;
}

const char *doctor_mode(const struct doctor *d)
{
	const struct proxy_chain *chain = doctor_chain(d);

	if (!(d->have & HAVE_TLS))
		return "unknown";
	if (doctor_is_plain(d))
		return chain->n && chain->hop[chain->n - 1].kind != PROXY_SOCKS5 ? "absolute" : "plain";
	if (d->intercepted)
		return "intercepted";
	if (d->reverse)
		return "reverse";
	return chain->n ? "connect" : "direct";
}
