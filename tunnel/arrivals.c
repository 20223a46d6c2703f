/*
 * Arrivals. Called by the inbox for each record and by the outbox for receipts.
 */
#include "tunnel/arrivals.h"

#include <string.h>

#include "tunnel/loop.h"

#define BUCKET (10 * LOOP_SECOND)
#define STALE (3 * LOOP_SECOND)
#define NONE INT32_MAX
#define RECEIPT_WAIT (100 * LOOP_MS)
#define RECEIPT_SOON (25 * LOOP_MS)	/* when so much is owed: */
#define MUCH 4

void arrivals_init(struct arrivals *a, int64_t now_us)
{
	memset(a, 0, sizeof *a);
	window_init(&a->seen);
	ranges_init(&a->ranges);
	a->tick_us = now_us;
	a->bucket_us = now_us;
	for (unsigned i = 0; i < ARRIVALS_BUCKETS; i++)
		a->least[i] = NONE;
}

bool arrivals_seen(const struct arrivals *a, uint64_t number)
{
	return window_seen(&a->seen, number);
}

static int32_t floor_of(const struct arrivals *a)
{
	int32_t least = NONE;

	for (unsigned i = 0; i < ARRIVALS_BUCKETS; i++)
		if (a->least[i] < least)
			least = a->least[i];
	return least;
}

static void turn_buckets(struct arrivals *a, int64_t now_us)
{
	for (unsigned i = 0; i < ARRIVALS_BUCKETS && now_us - a->bucket_us >= BUCKET; i++) {
		a->bucket = (a->bucket + 1) % ARRIVALS_BUCKETS;
		a->least[a->bucket] = NONE;
		a->bucket_us += BUCKET;
	}
	if (now_us - a->bucket_us >= BUCKET)	/* nothing came for longer than all buckets */
		a->bucket_us = now_us;
}

uint32_t arrivals_lateness(struct arrivals *a, uint32_t clock_ms, uint32_t now_ms, int64_t now_us)
{
	uint32_t transit = now_ms - clock_ms;
	int32_t relative;

	if (!a->based) {
		a->based = true;
		a->base = transit;
	}
	relative = (int32_t)(transit - a->base);
	turn_buckets(a, now_us);
	if (relative < a->least[a->bucket])
		a->least[a->bucket] = relative;
	a->latest_ms = (uint32_t)relative - (uint32_t)floor_of(a);
	return a->latest_ms;
}

/* Ranges that did not change for a while are not reported any more. */
static void forget_stale(struct arrivals *a, int64_t now_us)
{
	uint64_t newest_first;

	if (now_us - a->tick_us < STALE || a->ranges.n == 0)
		return;
	newest_first = a->ranges.r[a->ranges.n - 1].first;
	if (a->stale && newest_first > 0)
		ranges_drop(&a->ranges, a->stale < newest_first ? a->stale : newest_first - 1);
	a->stale = a->ranges.r[a->ranges.n - 1].last;
	a->tick_us = now_us;
}

void arrivals_note(struct arrivals *a, uint64_t number, int64_t now_us)
{
	forget_stale(a, now_us);
	window_mark(&a->seen, number);
	ranges_add(&a->ranges, number, number, true);
	if (a->ranges.r[a->ranges.n - 1].last == number) {
		a->newest_us = now_us;
		a->newest_ms = a->latest_ms;
	}
	if (!a->news)
		a->news = 1;
}

void arrivals_owe(struct arrivals *a, unsigned weight, int64_t now_us)
{
	if (!a->owed_us)
		a->owed_us = now_us;
	if (a->owed < MUCH)
		a->owed += weight;
}

int64_t arrivals_due_us(const struct arrivals *a)
{
	if (!a->owed_us)
		return 0;
	return a->owed_us + (a->owed >= MUCH ? RECEIPT_SOON : RECEIPT_WAIT);
}

void arrivals_again(struct arrivals *a)
{
	a->news = 2;
}

bool arrivals_receipt(struct arrivals *a, uint64_t carrier, int64_t now_us, struct message_receipt *m)
{
	if (a->ranges.n == 0)
		return false;
	m->carrier = carrier;
	m->delay_us = (uint64_t)(now_us - a->newest_us);
	m->ranges = a->ranges;
	m->has_late = true;
	m->late_ms = a->newest_ms;
	return true;
}

void arrivals_told(struct arrivals *a)
{
	if (a->news)
		a->news--;
	a->owed_us = 0;
	a->owed = 0;
}
