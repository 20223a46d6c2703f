/*
 * Two notes of the totals. Each is made by the first thing that is sent 5 s after
 * the one before, so what came after a note came within 5 s of it.
 */
#include "tunnel/recent.h"

#include <string.h>

#define STEP_US (5 * INT64_C(1000000))

bool recent_is_due(const struct recent *r, int64_t now_us)
{
	return !r->at_us[1] || now_us - r->at_us[1] >= STEP_US;
}

void recent_note(struct recent *r, const struct recent_figures *totals, int64_t now_us)
{
	r->at[0] = r->at[1];
	r->at_us[0] = r->at_us[1];
	r->at[1] = *totals;
	r->at_us[1] = now_us;
}

int64_t recent_growth(const struct recent *r, const struct recent_figures *totals, int64_t now_us, struct recent_figures *out)
{
	const struct recent_figures *from = NULL;
	int64_t window = 0;

	memset(out, 0, sizeof *out);
	for (unsigned i = 0; i < 2 && !from; i++) {
		window = now_us - r->at_us[i];
		if (r->at_us[i] && window <= 2 * STEP_US)
			from = &r->at[i];
	}
	if (!from)
		return 0;
	for (unsigned c = 0; c < TRAFFIC_CLASSES; c++) {
		out->sent[c] = totals->sent[c] - from->sent[c];
		out->dropped[c] = totals->dropped[c] - from->dropped[c];
	}
	out->packets = totals->packets - from->packets;
	out->bytes = totals->bytes - from->bytes;
	out->again = totals->again - from->again;
	out->again_bytes = totals->again_bytes - from->again_bytes;
	out->receipted = totals->receipted - from->receipted;
	return window;
}
