/*
 * Status of media for people: what is done for it on the path to the server, and
 * how each class of datagrams fares. Called by status_text.c.
 */
#include <inttypes.h>

#include "client/status.h"
#include "tunnel/summary.h"

static void summarize(struct summary *out, const struct status *s)
{
	const struct status_media *m = &s->media;
	const struct status_redundancy_recent *again = &m->redundancy.recent;

	*out = (struct summary){ .on = m->redundancy.on, .why = m->redundancy.why, .left_ms = m->redundancy.left_ms,
				 .queue_ms = m->queue_ms, .rate = (uint64_t)m->rate };
	for (size_t i = 0; i < s->carriers; i++)
		out->carriers += s->carrier[i].media;
	for (unsigned c = 0; c < TRAFFIC_CLASSES; c++) {
		out->recent.sent[c] = (uint64_t)m->class[c].recent.sent;
		out->recent.dropped[c] = (uint64_t)m->class[c].recent.dropped;
	}
	out->recent.packets = (uint64_t)again->packets;
	out->recent.bytes = (uint64_t)again->bytes;
	out->recent.again = (uint64_t)again->again;
	out->recent.again_bytes = (uint64_t)again->again_bytes;
}

static int64_t dropped(const struct status_class *c)
{
	return c->dropped.full + c->dropped.deadline + c->dropped.frame;
}

static bool is_used(const struct status_class *c)
{
	return c->sent || c->waiting_packets || dropped(c);
}

/* Anything of datagrams at all. */
static bool is_any(const struct status_media *m)
{
	bool any = false;

	for (unsigned c = 0; c < TRAFFIC_CLASSES; c++)
		any = any || is_used(&m->class[c]);
	return m->there && any;
}

void status_media_line(FILE *out, const struct status *s)
{
	const struct status_media *m = &s->media;
	const struct status_redundancy *r = &m->redundancy;
	char text[SUMMARY_TEXT], a[STATUS_CELL], b[STATUS_CELL], c[STATUS_CELL];
	struct summary summary;

	if (!is_any(m))
		return;
	summarize(&summary, s);
	fprintf(out, "media     %s\n", summary_line(&summary, text));
	fprintf(out, "          in flight %s bytes (streams: up to %s)", status_number(a, (double)m->in_flight),
		status_number(b, (double)m->in_flight_bound));
	if (m->rate)
		fprintf(out, ", %s kbit/s arrive", status_number(a, (double)m->rate * 8 / 1000));
	fputc('\n', out);
	if (r->copies || r->hedges || r->evidence)
		fprintf(out, "          %" PRId64 " losses and stalls seen; of %s packets %s went twice, %s more when they were overdue\n",
			r->evidence, status_number(a, (double)r->packets), status_number(b, (double)r->copies),
			status_number(c, (double)r->hedges));
	if (summary_warning(&summary, text))
		fprintf(out, "warning   %s\n", text);
}

static double rate(int64_t now, int64_t before, double seconds)
{
	return now > before ? (double)(now - before) / seconds : 0;
}

static void put_class(FILE *out, unsigned i, const struct status_class *c, const struct status_class *before, double seconds)
{
	double sent = (double)c->sent, lost = (double)dropped(c);
	char a[STATUS_CELL], b[STATUS_CELL], d[STATUS_CELL];

	if (before) {
		sent = rate(c->sent, before->sent, seconds);
		lost = rate(dropped(c), dropped(before), seconds);
	}
	fprintf(out, "  %-10s %7s %8.1f %8" PRId64 " %8s %8s\n", traffic_name((enum traffic)i),
		status_number(a, (double)c->waiting_packets), c->delay_ms, c->deadline_ms, status_number(b, sent), status_number(d, lost));
	if (dropped(c))
		fprintf(out, "      dropped: %" PRId64 " no room, %" PRId64 " waited too long, %" PRId64 " with their frame\n",
			c->dropped.full, c->dropped.deadline, c->dropped.frame);
}

void status_media_classes(FILE *out, const struct status_media *m, const struct status_media *before, double seconds)
{
	if (!is_any(m))
		return;
	fprintf(out, "\nto server   waiting  wait ms deadline %8s %8s\n", before ? "sent/s" : "sent", before ? "drop/s" : "dropped");
	for (unsigned c = 0; c < TRAFFIC_CLASSES; c++)
		if (is_used(&m->class[c]))
			put_class(out, c, &m->class[c], before ? &before->class[c] : NULL, seconds);
}
