/* Round trip. Called by session.c for receipts and by steer.c for the guard. */
#include "tunnel/round_trip.h"

#include "tunnel/loop.h"

#define HALF (30 * LOOP_SECOND)
#define MOMENT (50 * LOOP_MS)

static void note_least(struct round_trip *r, int64_t rtt_us, int64_t now_us)
{
	if (!r->least_us || rtt_us < r->least_us)
		r->least_us = rtt_us;
	if (!r->next_us || rtt_us < r->next_us)
		r->next_us = rtt_us;
	if (now_us < r->until_us)
		return;
	r->least_us = r->next_us;
	r->next_us = 0;
	r->until_us = now_us + HALF;
}

void round_trip_note(struct round_trip *r, int64_t rtt_us, int64_t now_us)
{
	note_least(r, rtt_us, now_us);
	if (now_us >= r->recent_until_us) {
		r->recent_us[1] = now_us < r->recent_until_us + MOMENT ? r->recent_us[0] : rtt_us;
		r->recent_us[0] = rtt_us;
		r->recent_until_us = now_us + MOMENT;
	}
	if (rtt_us < r->recent_us[0])
		r->recent_us[0] = rtt_us;
}

int64_t round_trip_ours(const struct round_trip *r, int64_t rtt_us, int32_t late_ms)
{
	return late_ms < 0 ? rtt_us : r->least_us + late_ms * LOOP_MS;
}

int64_t round_trip_queue_us(const struct round_trip *r, int64_t now_us)
{
	int64_t recent = r->recent_us[0] < r->recent_us[1] ? r->recent_us[0] : r->recent_us[1];

	return now_us < r->recent_until_us + MOMENT ? recent - r->least_us : 0;
}
