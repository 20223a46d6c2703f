/*
 * The arithmetic of a simulated call. Called by doctor_call.c; calls the E-model.
 */
#include "client/call_result.h"

#include <stdlib.h>

#include "client/emodel.h"

#define BUFFER_MARGIN_MS 20.0	/* what a jitter buffer adds to the spread it has seen */

/* One direction: the delay of each packet that came. */
struct way {
	int64_t *us, *sorted;	/* above the clocks' difference; in the order of samples (-1: did not come), and by size */
	int64_t least;
};

static int by_size(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

	return x < y ? -1 : x > y;
}

/* How long one sample took by two clocks, against how long the first that came took. */
static int64_t took(uint32_t from, uint32_t to, uint32_t first_took)
{
	return (int32_t)(to - from - first_took);
}

static void way_fill(struct way *w, const struct call_sample *s, size_t n, bool up)
{
	size_t first = 0, came = 0;
	uint32_t first_took;

	while (!s[first].came)
		first++;
	first_took = up ? s[first].served - s[first].sent : s[first].back - s[first].served;
	w->least = INT64_MAX;
	for (size_t i = 0; i < n; i++) {
		if (!s[i].came)
			continue;
		w->us[i] = up ? took(s[i].sent, s[i].served, first_took) : took(s[i].served, s[i].back, first_took);
		if (w->us[i] < w->least)
			w->least = w->us[i];
	}
	for (size_t i = 0; i < n; i++) {
		w->us[i] = s[i].came ? w->us[i] - w->least : -1;
		if (s[i].came)
			w->sorted[came++] = w->us[i];
	}
	qsort(w->sorted, came, sizeof *w->sorted, by_size);
	w->least += (int32_t)first_took;
}

/* The value that p percent of n do not pass (nearest rank). */
static int64_t percentile(const struct way *w, size_t n, size_t p)
{
	size_t rank = (n * p + 99) / 100;

	return w->sorted[rank ? rank - 1 : 0];
}

/* Of what is not there to be played after limit_us: how many, and how long its runs are against those of random loss. */
static size_t missing(const struct way *w, size_t n, int64_t limit_us, double *burst)
{
	size_t gone = 0, runs = 0;
	bool before = false;

	for (size_t i = 0; i < n; i++) {
		bool is = w->us[i] < 0 || w->us[i] > limit_us;

		gone += is;
		runs += is && !before;
		before = is;
	}
	*burst = runs ? (double)gone / (double)runs * (1 - (double)gone / (double)n) : 1;
	if (*burst < 1)
		*burst = 1;
	return gone;
}

static void judge(struct call_result *r, const struct way *w, size_t n, int64_t floor_us)
{
	struct emodel_in in = { .codec = &emodel_opus };
	int64_t p50 = percentile(w, r->received, 50), p99 = percentile(w, r->received, 99);
	int64_t play_us = p99 + (int64_t)(BUFFER_MARGIN_MS * 1000);
	size_t late = 0;

	for (size_t i = 0; i < n; i++)
		late += w->us[i] >= 0 && (double)(w->us[i] + floor_us) > CALL_LATE_MS * 1000;
	r->p50_ms = (double)(p50 + floor_us) / 1000;
	r->p99_ms = (double)(p99 + floor_us) / 1000;
	r->late_percent = 100.0 * (double)late / (double)n;
	in.loss_percent = 100.0 * (double)missing(w, n, play_us, &in.burst) / (double)n;
	in.delay_ms = emodel_opus.delay_ms + (double)(play_us + floor_us) / 1000;
	r->mos = emodel_mos(emodel_r(&in));
}

void call_result_make(struct call_result *r, const struct call_sample *s, size_t n)
{
	struct call_result other;
	struct way up, down;
	int64_t *memory, round;

	r->sent = (unsigned)n;
	r->received = 0;
	for (size_t i = 0; i < n; i++)
		r->received += s[i].came;
	r->loss_percent = n ? 100.0 * (double)(n - r->received) / (double)n : 0;
	r->p50_ms = r->p99_ms = r->late_percent = 0;
	r->mos = 1;
	if (!r->received)
		return;
	memory = calloc(4 * n, sizeof *memory);
	if (!memory)
		abort();
	up = (struct way){ .us = memory, .sorted = memory + n };
	down = (struct way){ .us = memory + 2 * n, .sorted = memory + 3 * n };
	way_fill(&up, s, n, true);
	way_fill(&down, s, n, false);
	/* Each has the clocks' difference in it, with opposite signs. */
	round = (int32_t)(uint32_t)(up.least + down.least);
	judge(r, &up, n, round > 0 ? round / 2 : 0);
	other = *r;
	judge(&other, &down, n, round > 0 ? round / 2 : 0);
	if (other.mos < r->mos)
		*r = other;
	free(memory);
}
