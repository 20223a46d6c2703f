/*
 * Sentences about media. Called by client/status_media.c and server/status.c.
 */
#include "tunnel/summary.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* Fewer are no sign of anything. */
#define DROPPED_MIN 3
#define PERCENT_MIN 1

__attribute__((format(printf, 2, 3))) static void add(char out[SUMMARY_TEXT], const char *format, ...)
{
	size_t n = strlen(out);
	va_list args;

	va_start(args, format);
	vsnprintf(out + n, SUMMARY_TEXT - n, format, args);
	va_end(args);
}

double summary_percent(uint64_t part, uint64_t of)
{
	return of ? 100.0 * (double)part / (double)of : 0;
}

const char *summary_line(const struct summary *s, char out[SUMMARY_TEXT])
{
	double cost = summary_percent(s->recent.again_bytes, s->recent.bytes);

	out[0] = 0;
	add(out, "%u carrier%s, second copies %s", s->carriers, s->carriers == 1 ? "" : "s", s->on ? "on" : "off");
	if (s->why[0] || s->left_ms >= 0)
		add(out, " (%s", s->why);
	if (s->left_ms >= 0)
		add(out, "%s%" PRId64 " s left", s->why[0] ? ", " : "", (s->left_ms + 999) / 1000);
	if (s->why[0] || s->left_ms >= 0)
		add(out, ")");
	if (cost >= 0.5)
		add(out, ", +%.0f %% bytes", cost);
	add(out, "; path queue %.0f ms", s->queue_ms);
	return out;
}

static bool is_dropped(const struct summary *s, unsigned c, double *percent)
{
	uint64_t dropped = s->recent.dropped[c];

	*percent = summary_percent(dropped, dropped + s->recent.sent[c]);
	return dropped >= DROPPED_MIN && *percent >= PERCENT_MIN;
}

bool summary_warning(const struct summary *s, char out[SUMMARY_TEXT])
{
	double rate = (double)s->rate * 8 / 1000, percent;
	bool any = false;

	out[0] = 0;
	if (!s->rate)
		add(out, "the path does not carry what comes in");
	else if (rate < 995)
		add(out, "the path carries about %.0f kbit/s", rate);
	else
		add(out, "the path carries about %.1f Mbit/s", rate / 1000);
	for (unsigned c = 0; c < TRAFFIC_CLASSES; c++) {
		if (!is_dropped(s, c, &percent))
			continue;
		add(out, "%s%s is dropped here (%.0f %%%s)", any ? ", " : "; ", traffic_name((enum traffic)c), percent,
		    any ? "" : " of packets");
		any = true;
	}
	if (!any)
		out[0] = 0;
	return any;
}
