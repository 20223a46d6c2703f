/*
 * In flight. The session tells what it sends and what is receipted, and asks before
 * each record. The law is that of FAST TCP, once a round: bound x (base + target) /
 * (base + queue); a round is judged by what was sent after the last change only.
 * From the beginning, and where there is room for long, it doubles.
 *
 * Where the queue stays, the bound shrinks on trial: if then less arrives and the
 * delay is as before, the queue is not ours (another path, somebody else's bytes).
 * The trial is undone, and the second one in a row makes that delay the new base. A
 * trial without need, once the base has not been seen for 10 s, keeps our own
 * standing queue from becoming the base when the minute is over.
 */
#include "tunnel/inflight.h"

#include <string.h>

#define MS 1000LL
#define SECOND 1000000LL
#define PACKET 1400
#define QUANTUM_MAX 16384	/* room is opened in steps of 1 ms up to so much */
#define RECORD_MS 5		/* and in no larger pieces, so that a record itself is no queue */
#define RECORD_MIN (2 * PACKET)
#define FIRST_BOUND (4 * PACKET)
#define BUCKET (10 * SECOND)
#define TARGET_MIN (8 * MS)
#define TARGET_NEAR (25 * MS)	/* where the base is short there is time for more */
#define TARGET_MAX (50 * MS)
#define GAP_MAX (200 * MS)
#define MEASURE_MIN (10 * MS)
#define SAMPLES 3		/* that all have to be late for a queue */
#define LOOK_AFTER (10 * SECOND)
#define HOLD SECOND		/* after a trial that was undone */
#define DRAIN_MAX (SECOND / 2)
#define NOISE (2 * MS)
#define LOW_ROUNDS 3		/* then it doubles again */
#define STEP 1.25		/* the most that it grows by in a round, otherwise */
#define DOUBTS 2

static void begin(struct inflight *f, int64_t now_us)
{
	size_t bytes = f->bytes;

	memset(f, 0, sizeof *f);
	f->bytes = bytes;
	f->bound = FIRST_BOUND;
	f->starting = true;
	f->bucket_us = now_us + BUCKET;
	f->near_us = now_us;
	f->since_us = now_us;
	for (unsigned i = 0; i < INFLIGHT_BUCKETS; i++)
		f->least_us[i] = INT64_MAX;
	f->recent_us[0] = f->recent_us[1] = f->least_round_us = INT64_MAX;
}

void inflight_init(struct inflight *f, int64_t now_us)
{
	f->bytes = 0;
	begin(f, now_us);
}

void inflight_reset(struct inflight *f, int64_t now_us)
{
	begin(f, now_us);
}

static int64_t larger(int64_t a, int64_t b)
{
	return a > b ? a : b;
}

static int64_t smaller(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

int64_t inflight_target_us(const struct inflight *f)
{
	int64_t target = larger(larger(TARGET_MIN, TARGET_NEAR - f->base_us / 3), smaller(f->base_us / 6, TARGET_MAX));

	/* On a slow path a packet is a queue of its own. */
	return f->rate ? larger(target, smaller(PACKET * SECOND / (int64_t)f->rate, SECOND)) : target;
}

/* ---- samples ---- */

static void find_base(struct inflight *f)
{
	int64_t least = INT64_MAX;

	for (unsigned i = 0; i < INFLIGHT_BUCKETS; i++)
		least = smaller(least, f->least_us[i]);
	f->base_us = least;
}

static void turn_buckets(struct inflight *f, int64_t now)
{
	for (unsigned i = 0; i < INFLIGHT_BUCKETS && now >= f->bucket_us; i++) {
		f->bucket = (f->bucket + 1) % INFLIGHT_BUCKETS;
		f->least_us[f->bucket] = INT64_MAX;
		f->bucket_us += BUCKET;
	}
	if (now >= f->bucket_us)
		f->bucket_us = now + BUCKET;
}

/* What a round measures for, after its first sample. */
static int64_t measure_us(const struct inflight *f)
{
	return larger(MEASURE_MIN, larger(2 * f->gap_us, f->base_us / 4));
}

static void note_queue(struct inflight *f, int64_t rtt, int64_t now)
{
	if (now >= f->recent_end_us) {
		f->recent_us[1] = f->recent_us[0];
		f->recent_us[0] = INT64_MAX;
		f->recent_end_us = now + measure_us(f);
	}
	f->recent_us[0] = smaller(f->recent_us[0], rtt);
	f->queue_us = larger(smaller(f->recent_us[0], f->recent_us[1]) - f->base_us, 0);
}

static void begin_round(struct inflight *f)
{
	f->first_us = 0;
	f->samples = 0;
	f->stale = false;
	f->least_round_us = INT64_MAX;
}

static void sample(struct inflight *f, int64_t sent, int64_t rtt, int64_t now)
{
	turn_buckets(f, now);
	f->least_us[f->bucket] = smaller(f->least_us[f->bucket], rtt);
	find_base(f);
	note_queue(f, rtt, now);
	if (rtt <= f->base_us + larger(inflight_target_us(f) / 4, NOISE))
		f->near_us = now;
	if (sent < f->since_us && f->trial != INFLIGHT_STEADY)
		return;
	if (sent >= f->since_us && f->stale)
		begin_round(f);
	if (!f->first_us) {
		f->first_us = now;
		f->delivered = 0;
		f->stale = sent < f->since_us;
	}
	f->least_round_us = smaller(f->least_round_us, rtt);
	f->samples++;
}

/* ---- rounds ---- */

static void note_rate(struct inflight *f, uint64_t rate)
{
	f->rates[f->rate_at] = rate;
	f->rate_at = (f->rate_at + 1) % INFLIGHT_RATES;
	f->rate = 0;
	for (unsigned i = 0; i < INFLIGHT_RATES; i++)
		if (f->rates[i] > f->rate)
			f->rate = f->rates[i];
}

static void only_rate(struct inflight *f, uint64_t rate)
{
	for (unsigned i = 0; i < INFLIGHT_RATES; i++)
		f->rates[i] = rate;
	f->rate = rate;
}

static size_t within(double bound)
{
	return bound < INFLIGHT_FLOOR ? INFLIGHT_FLOOR : bound > INFLIGHT_CAP ? INFLIGHT_CAP : (size_t)bound;
}

/* What the bound has to be multiplied by for the queue to be the target. */
static double law(const struct inflight *f, int64_t queue)
{
	return (double)(f->base_us + inflight_target_us(f)) / (double)(f->base_us + queue + 1);
}

static void try_less(struct inflight *f, enum inflight_trial trial, double part, uint64_t rate, int64_t queue, int64_t now)
{
	size_t less = within((double)f->bound * part);

	f->late = 0;
	if (less > f->bound - f->bound / 10)
		return;
	f->trial = trial;
	f->saved = f->bound;
	f->rate_before = rate;
	f->base_before = f->base_us;
	f->queue_before = queue;
	f->since_us = now + smaller((int64_t)((f->bound - less) * SECOND / (rate + 1)), DRAIN_MAX);
	f->bound = less;
	f->pace = (uint64_t)((double)rate * part);
	if (trial == INFLIGHT_SHRINK)
		only_rate(f, rate); /* there was a queue, so that is what the path has */
}

/* Less arrived, and the delay is what it was. */
static bool not_ours(const struct inflight *f, uint64_t rate, int64_t queue)
{
	double kept = (double)f->bound / (double)f->saved;
	int64_t noise = larger(f->queue_before / 4, NOISE);

	return f->limited && (double)rate < (double)f->rate_before * (1 + kept) / 2 &&
	       f->queue_before > inflight_target_us(f) / 4 &&
	       queue > f->queue_before - noise && queue < f->queue_before + noise;
}

static void make_base(struct inflight *f, int64_t rtt)
{
	for (unsigned i = 0; i < INFLIGHT_BUCKETS; i++)
		f->least_us[i] = INT64_MAX;
	f->least_us[f->bucket] = f->base_us = rtt;
	f->doubts = 0;
}

static void end_trial(struct inflight *f, uint64_t rate, int64_t queue, int64_t now)
{
	bool look = f->trial == INFLIGHT_LOOK;
	double bound = (double)f->bound * law(f, queue);

	f->trial = INFLIGHT_STEADY;
	f->near_us = now;
	f->since_us = now;
	f->hold_us = now + f->base_us + f->queue_before;
	if (look)
		f->hold_us += f->base_us + f->queue_before; /* the queue comes back first */
	if (not_ours(f, rate, queue)) {
		f->bound = f->saved;
		f->hold_us = now + HOLD;
		if (look)
			f->near_us -= LOOK_AFTER - HOLD;
		if (++f->doubts >= DOUBTS)
			make_base(f, f->base_us + queue);
		return;
	}
	f->doubts = 0;
	if (f->base_us < f->base_before - larger(f->base_before / 8, NOISE))
		f->near_us -= LOOK_AFTER - HOLD; /* there may be less still */
	f->bound = look || bound > (double)f->saved ? f->saved : within(bound);
}

/* But hardly beyond what has arrived so far can fill. */
static size_t twice(const struct inflight *f)
{
	double step = (double)f->bound * STEP;
	double full = (double)f->rate * (double)(f->base_us + f->gap_us + inflight_target_us(f)) / SECOND;

	if (full > 2 * (double)f->bound)
		full = 2 * (double)f->bound;
	return within(full > step ? full : step);
}

static void grow(struct inflight *f, int64_t queue, int64_t now)
{
	int64_t target = inflight_target_us(f);
	double more = 1 + (law(f, queue) - 1) / 2;

	f->low = queue <= target / 4 ? f->low + 1 : 0;
	if (f->low > LOW_ROUNDS)
		f->starting = true;
	if (f->starting && !f->low)
		f->starting = false;
	if (!f->starting && (queue > target * 7 / 8 || now < f->hold_us))
		return;
	f->bound = f->starting ? twice(f) : within((double)f->bound * (more < STEP ? more : STEP));
	f->since_us = now;
}

static void judge(struct inflight *f, uint64_t rate, int64_t queue, int64_t now)
{
	int64_t target = inflight_target_us(f);

	if (f->trial != INFLIGHT_STEADY) {
		end_trial(f, rate, queue, now);
	} else if (!f->limited) {
		f->late = f->low = 0;
	} else if (queue > target * 5 / 4) {
		bool at_once = f->starting || queue > 2 * target;
		double part = law(f, queue);

		f->starting = false;
		f->low = 0;
		if ((++f->late >= 2 || at_once) && now >= f->hold_us)
			try_less(f, INFLIGHT_SHRINK, part < 0.75 ? part : 0.75, rate, queue, now);
	} else {
		f->late = 0;
		if (now - f->near_us > LOOK_AFTER && now >= f->hold_us)
			try_less(f, INFLIGHT_LOOK, 0.6 * (double)f->base_us / (double)(f->base_us + queue + 1), rate, queue, now);
		else
			grow(f, queue, now);
	}
}

/* In the beginning a few low samples are enough: there are no more of them. */
static bool goes_quickly(const struct inflight *f, int64_t queue)
{
	return f->starting && f->limited && !f->stale && queue <= inflight_target_us(f) / 4 &&
	       f->fresh >= (int64_t)(f->bound / 2) && f->heard_us > f->since_us;
}

/* A new batch of receipts begins: the round is over if it has measured enough until the last one. */
static void end_round(struct inflight *f, int64_t now)
{
	int64_t measured = f->heard_us - f->first_us, queue = larger(f->least_round_us - f->base_us, 0);
	bool enough = f->samples >= SAMPLES && measured >= measure_us(f);
	uint64_t rate;

	if (!f->first_us || (!enough && !goes_quickly(f, queue)))
		return;
	if (enough)
		rate = f->delivered * SECOND / (uint64_t)measured;
	else
		rate = (uint64_t)larger(f->fresh * SECOND / (measured + larger(f->gap_us, TARGET_MIN)), (int64_t)f->rate);
	if (f->trial == INFLIGHT_STEADY)
		note_rate(f, rate);
	if (!f->stale || queue > 2 * inflight_target_us(f)) {
		judge(f, rate, queue, now);
		f->limited = false;
	}
	if (f->trial == INFLIGHT_STEADY)
		f->pace = f->rate;
	begin_round(f);
	f->fresh = 0;
}

/* ---- what is sent, what is settled ---- */

void inflight_sent(struct inflight *f, size_t bytes)
{
	f->bytes += bytes;
}

void inflight_lost(struct inflight *f, size_t bytes)
{
	f->bytes -= bytes < f->bytes ? bytes : f->bytes;
}

void inflight_receipted(struct inflight *f, size_t bytes, int64_t sent_us, int64_t rtt_us, int64_t now_us)
{
	if (now_us > f->heard_us) {
		end_round(f, now_us);
		if (f->heard_us)
			f->gap_us += (smaller(now_us - f->heard_us, GAP_MAX) - f->gap_us) / 8;
		f->heard_us = now_us;
	}
	inflight_lost(f, bytes);
	if (rtt_us > 0)
		sample(f, sent_us, rtt_us, now_us);
	if (f->first_us && now_us > f->first_us)
		f->delivered += bytes;
	if (sent_us >= f->since_us)
		f->fresh += (int64_t)bytes;
}

/* Arrived since the last receipts, presumably. */
static size_t presumed(const struct inflight *f, int64_t now)
{
	int64_t since = larger(smaller(now - f->heard_us, f->gap_us), 0);
	uint64_t bytes = f->pace * (uint64_t)since / SECOND;

	return bytes < f->bytes ? (size_t)bytes : f->bytes;
}

/* Less is no room. */
static size_t quantum(const struct inflight *f)
{
	uint64_t step = f->pace / 1000;

	if (step > QUANTUM_MAX)
		step = QUANTUM_MAX;
	if (step < PACKET)
		step = PACKET;
	return step < f->bound / 2 ? (size_t)step : f->bound / 2;
}

static size_t level_bound(const struct inflight *f, enum inflight_level level)
{
	if (level == INFLIGHT_STREAM)
		return f->bound;
	return level == INFLIGHT_VIDEO ? f->bound + quantum(f) : 2 * f->bound;
}

size_t inflight_room(struct inflight *f, enum inflight_level level, int64_t now_us)
{
	size_t bound = level_bound(f, level), taken = f->bytes - presumed(f, now_us);
	size_t most = (size_t)(f->pace * RECORD_MS / 1000);

	if (taken + quantum(f) > bound) {
		f->limited = true;
		f->limited_us = now_us;
		return 0;
	}
	if (most < RECORD_MIN)
		most = RECORD_MIN;
	return bound - taken < most ? bound - taken : most;
}

int64_t inflight_room_us(const struct inflight *f, enum inflight_level level, int64_t now_us)
{
	size_t bound = level_bound(f, level), taken = f->bytes + quantum(f);
	int64_t at;

	if (taken <= bound)
		return now_us;
	if (!f->pace)
		return INT64_MAX;
	at = f->heard_us + (int64_t)((taken - bound) * SECOND / f->pace) + 1;
	if (at > f->heard_us + f->gap_us)
		return INT64_MAX;
	return larger(at, now_us);
}
