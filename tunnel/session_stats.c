/*
 * What a session tells of itself: to status, and of its last seconds. Asked by
 * session.c at each flush and by whoever shows status; reads the session's parts.
 */
#include <stdio.h>
#include <string.h>

#include "tunnel/session_internal.h"

/* ---- the last seconds ---- */

static void totals(const struct session *s, struct recent_figures *out)
{
	const struct redundancy *r = &s->redundancy;

	for (unsigned c = 0; c < TRAFFIC_CLASSES; c++) {
		const struct scheduler_class *class = &s->scheduler.class[c];

		out->sent[c] = class->taken;
		out->dropped[c] = 0;
		for (unsigned i = 0; i < SCHEDULER_REASONS; i++)
			out->dropped[c] += class->dropped[i];
	}
	out->packets = r->packets;
	out->bytes = r->bytes;
	out->again = r->copies + r->hedges;
	out->again_bytes = r->copy_bytes;
	out->receipted = s->receipted;
}

void session_note_recent(struct session *s)
{
	struct recent_figures now;

	if (!recent_is_due(&s->recent, loop_now(s->loop)))
		return;
	totals(s, &now);
	recent_note(&s->recent, &now, loop_now(s->loop));
}

/* ---- now ---- */

static void classes(const struct scheduler *sch, struct session_stats *out)
{
	for (unsigned c = 0; c < TRAFFIC_CLASSES; c++) {
		const struct scheduler_class *class = &sch->class[c];

		out->class[c].packets = class->packets;
		out->class[c].bytes = class->bytes;
		out->class[c].delay_us = (uint32_t)class->delay_us;
		out->class[c].sent = class->taken;
		out->class[c].full = class->dropped[SCHEDULER_FULL];
		out->class[c].deadline = class->dropped[SCHEDULER_DEADLINE];
		out->class[c].frame = class->dropped[SCHEDULER_FRAME];
	}
}

static void redundancy(const struct redundancy *r, struct redundancy_stats *out)
{
	int64_t until = redundancy_until_us(r);

	out->on = redundancy_is_on(r);
	snprintf(out->why, sizeof out->why, "%s", redundancy_why(r));
	out->since_us = r->since_us;
	out->until_us = out->on && until != INT64_MAX ? until : 0;
	out->packets = r->packets;
	out->bytes = r->bytes;
	out->copies = r->copies;
	out->copy_bytes = r->copy_bytes;
	out->hedges = r->hedges;
	out->hedges_held = r->hedges_held;
	out->evidence = r->evidence;
}

static void path(const struct inflight *f, struct session_stats *out)
{
	out->path_queue_us = (uint32_t)f->queue_us;
	out->in_flight = f->bytes;
	out->in_flight_bound = f->bound;
}

static void carriers(const struct session *s, struct session_stats *out)
{
	out->carriers = s->carriers;
	for (unsigned i = 0; i < s->carriers; i++) {
		const struct carrier *c = s->carrier[i];
		uint32_t rtt = (uint32_t)c->ledger.srtt_us;

		out->legs += c->leg_count;
		if (rtt && (!out->rtt_us || rtt < out->rtt_us))
			out->rtt_us = rtt;
	}
}

void session_stats(const struct session *s, struct session_stats *out)
{
	struct recent_figures now;

	memset(out, 0, sizeof *out);
	out->channels = s->channel_count;
	out->queued_packets = s->scheduler.packets;
	out->queued_bytes = s->scheduler.bytes;
	out->age_us = loop_now(s->loop) - s->born_us;
	carriers(s, out);
	path(&s->inflight, out);
	classes(&s->scheduler, out);
	redundancy(&s->redundancy, &out->redundancy);
	totals(s, &now);
	out->recent_us = recent_growth(&s->recent, &now, loop_now(s->loop), &out->recent);
	if (out->recent_us)
		out->rate = out->recent.receipted * LOOP_SECOND / (uint64_t)out->recent_us;
}
