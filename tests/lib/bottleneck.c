/* See bottleneck.h. Called by the tests of inflight.c. */
#include "tests/lib/bottleneck.h"

#include <string.h>

#define SECOND 1000000LL
#define RECORD_MAX 16384
#define PACKET 1400

void bottleneck_init(struct bottleneck *b, uint64_t bits, int64_t base_us)
{
	memset(b, 0, sizeof *b);
	b->rate = bits / 8;
	b->base_us = base_us;
	b->receipt_us = 25000;
	b->carriers = 1;
	b->paced = true;
	b->random = 88172645463325252ULL;
	inflight_init(&b->flow, 0);
}

static uint64_t draw(struct bottleneck *b)
{
	b->random ^= b->random << 13;
	b->random ^= b->random >> 7;
	return b->random ^= b->random << 17;
}

static struct bottleneck_record *at(struct bottleneck *b, uint64_t n)
{
	return &b->record[n % BOTTLENECK_RECORDS];
}

static void send_one(struct bottleneck *b, size_t bytes)
{
	struct bottleneck_record *r = at(b, b->next++);

	if (b->free_us < b->now)
		b->free_us = b->now;
	b->free_us += (int64_t)(bytes * SECOND / b->rate);
	*r = (struct bottleneck_record){ .sent = b->now, .arrive = b->free_us + b->base_us / 2, .bytes = bytes };
	if (draw(b) % 1000 < b->late_permille)
		r->arrive += 50000 + (int64_t)(draw(b) % 200000);
	inflight_sent(&b->flow, bytes);
}

static void send_all(struct bottleneck *b)
{
	size_t room = 1;

	if (b->offered)
		b->credit += (double)b->offered * BOTTLENECK_STEP / SECOND;
	while (b->next - b->first < BOTTLENECK_RECORDS - 1 && (!b->offered || b->credit >= 1200)) {
		size_t bytes = b->offered ? 1200 : RECORD_MAX;

		room = inflight_room(&b->flow, INFLIGHT_STREAM, b->now);
		if (!room)
			break;
		bytes = room < bytes ? room : bytes;
		b->credit -= (double)bytes;
		send_one(b, bytes);
	}
	b->next_room_us = room || !b->paced ? INT64_MAX : inflight_room_us(&b->flow, INFLIGHT_STREAM, b->now);
	if (b->offered && room)
		b->next_room_us = 0;
}

/* Each carrier's receiver says from time to time what came. */
static void receipt_all(struct bottleneck *b)
{
	for (unsigned c = 0; c < b->carriers; c++) {
		struct bottleneck_record *newest = NULL;

		if ((b->now + b->receipt_us * c / b->carriers) / BOTTLENECK_STEP % (b->receipt_us / BOTTLENECK_STEP))
			continue;
		for (uint64_t n = b->first; n < b->next; n++) {
			struct bottleneck_record *r = at(b, n);

			if (n % b->carriers != c || r->receipt || r->arrive > b->now)
				continue;
			r->receipt = b->now + b->base_us / 2;
			if (!newest || r->arrive >= newest->arrive)
				newest = r;
			b->arrived += r->bytes;
		}
		if (newest)
			newest->newest = true;
	}
}

static bool hear_all(struct bottleneck *b)
{
	bool any = false;

	for (uint64_t n = b->first; n < b->next; n++) {
		struct bottleneck_record *r = at(b, n);

		if (r->done || !r->receipt || r->receipt > b->now)
			continue;
		r->done = any = true;
		inflight_receipted(&b->flow, r->bytes, r->sent, r->newest ? r->arrive + b->base_us / 2 - r->sent : 0, b->now);
	}
	while (b->first < b->next && at(b, b->first)->done)
		b->first++;
	return any;
}

void bottleneck_run(struct bottleneck *b, int64_t us)
{
	for (int64_t end = b->now + us; b->now < end; b->now += BOTTLENECK_STEP) {
		bool heard = hear_all(b);

		if (heard || b->now >= b->next_room_us)
			send_all(b);
		receipt_all(b);
		if (b->foreign)
			b->free_us = (b->free_us > b->now ? b->free_us : b->now) +
				     (int64_t)(b->foreign * BOTTLENECK_STEP / b->rate);
		if (bottleneck_queue_us(b) > b->queue_max_us)
			b->queue_max_us = bottleneck_queue_us(b);
		b->queue_sum_us += bottleneck_queue_us(b);
		b->steps++;
		if (bottleneck_queue_us(b) > 2 * bottleneck_small_us(b) + 4 * PACKET * SECOND / (int64_t)b->rate)
			b->long_steps++;
		if (b->flow.bound > b->bound_max)
			b->bound_max = b->flow.bound;
	}
}

void bottleneck_measure(struct bottleneck *b)
{
	b->arrived = 0;
	b->queue_max_us = b->queue_sum_us = b->steps = b->long_steps = 0;
	b->bound_max = b->flow.bound;
	b->since_us = b->now;
}

int64_t bottleneck_queue_us(const struct bottleneck *b)
{
	return b->free_us > b->now ? b->free_us - b->now : 0;
}

int64_t bottleneck_mean_queue_us(const struct bottleneck *b)
{
	return b->steps ? b->queue_sum_us / b->steps : 0;
}

int64_t bottleneck_small_us(const struct bottleneck *b)
{
	int64_t target = inflight_target_us(&b->flow), two = 2 * PACKET * SECOND / (int64_t)b->rate;

	return target > two ? target : two;
}

double bottleneck_long(const struct bottleneck *b)
{
	return b->steps ? (double)b->long_steps / (double)b->steps : 0;
}

double bottleneck_used(const struct bottleneck *b)
{
	return (double)b->arrived * SECOND / ((double)b->rate * (double)(b->now - b->since_us));
}
