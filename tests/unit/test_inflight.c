/* links: tunnel/inflight.c tests/lib/bottleneck.c */
/* The bound of bytes in flight over a modelled bottleneck: what it uses, the queue that it makes, changes of the path. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "tests/lib/bottleneck.h"
#include "tests/lib/seeds.h"

#define MS 1000LL
#define SECOND 1000000LL

static struct bottleneck b;

/* For each rate and delay. */
static void each(void (*check)(uint64_t bits, int64_t base_us, unsigned carriers, unsigned late_permille), unsigned late)
{
	static const uint64_t rates[] = { 300000, 2000000, 20000000, 200000000 };
	static const int64_t bases[] = { 200, 50000, 150000 };

	for (unsigned r = 0; r < 4; r++)
		for (unsigned d = 0; d < 3; d++)
			for (unsigned carriers = 1; carriers <= 4; carriers += 3)
				if (seeds_case(r + d))
					check(rates[r], bases[d], carriers, late);
}

static void begin(uint64_t bits, int64_t base_us, unsigned carriers, unsigned late)
{
	bottleneck_init(&b, bits, base_us);
	b.carriers = carriers;
	b.late_permille = late;
}

static void say(const char *what, uint64_t bits, int64_t base_us, unsigned carriers)
{
	print_message("%llu bit/s, %lld us, %u carriers: %s: used %.2f, long %.3f, queue mean %lld ms, max %lld ms, target %lld ms, bound %zu\n",
		      (unsigned long long)bits, (long long)base_us, carriers, what, bottleneck_used(&b), bottleneck_long(&b),
		      (long long)(bottleneck_mean_queue_us(&b) / MS), (long long)(b.queue_max_us / MS),
		      (long long)(inflight_target_us(&b.flow) / MS), b.flow.bound);
}

static int64_t record_us(uint64_t bits)
{
	return 1400 * 8 * SECOND / (int64_t)bits;
}

/* Queues for a moment, as while the rate changes, are measured by this or the target, whichever is more. */
static int64_t bearable_us(void)
{
	int64_t target = inflight_target_us(&b.flow), path = b.flow.base_us / 2 > 25 * MS ? b.flow.base_us / 2 : 25 * MS;

	return target > path ? target : path;
}

/* In steady state; also with 2 % of the records late. */
static void check_steady(uint64_t bits, int64_t base_us, unsigned carriers, unsigned late)
{
	begin(bits, base_us, carriers, late);
	bottleneck_run(&b, 8 * SECOND);
	bottleneck_measure(&b);
	bottleneck_run(&b, 60 * SECOND);
	say(late ? "late records" : "steady", bits, base_us, carriers);
	assert_true(bottleneck_used(&b) >= 0.9);
	/* A slow path's own records are part of what its least round trip is measured with. */
	assert_true(bottleneck_mean_queue_us(&b) <= inflight_target_us(&b.flow) * 3 / 2 + 2 * record_us(bits));
	assert_true(bottleneck_long(&b) <= 0.03);
	assert_true(b.queue_max_us <= 4 * bearable_us() + 4 * record_us(bits));
}

static void test_steady(void **state)
{
	(void)state;
	each(check_steady, 0);
}

static void test_late_records(void **state)
{
	(void)state;
	each(check_steady, 20);
}

static void test_many_late_records(void **state)
{
	(void)state;
	for (unsigned carriers = 1; carriers <= 8; carriers *= 2) {
		begin(2000000, 50000, carriers, 100);
		bottleneck_run(&b, 8 * SECOND);
		bottleneck_measure(&b);
		bottleneck_run(&b, 30 * SECOND);
		say("10 % late", 2000000, 50000, carriers);
		assert_true(bottleneck_used(&b) >= 0.8);
		assert_true(bottleneck_mean_queue_us(&b) <= 100 * MS);
	}
}

/* Never much more than what the path and one more of it hold, but for what the first records are on a slow one. */
static void check_start(uint64_t bits, int64_t base_us, unsigned carriers, unsigned late)
{
	begin(bits, base_us, carriers, late);
	bottleneck_run(&b, 5 * SECOND);
	say("start", bits, base_us, carriers);
	assert_true(bottleneck_long(&b) <= 0.2);
	assert_true(b.queue_max_us <= base_us + 4 * bottleneck_small_us(&b) + 12 * record_us(bits));
	assert_true(bottleneck_used(&b) >= 0.5);
	assert_true(bottleneck_queue_us(&b) <= 2 * inflight_target_us(&b.flow) + 2 * record_us(bits));
}

static void test_start(void **state)
{
	(void)state;
	each(check_start, 0);
}

/* A quarter of the rate: what is in flight then has to drain through that. */
static void check_change(uint64_t bits, int64_t base_us, unsigned carriers, unsigned late)
{
	if (bits < 2000000)
		return;
	begin(bits, base_us, carriers, late);
	bottleneck_run(&b, 12 * SECOND);
	b.rate /= 4;
	bottleneck_run(&b, (base_us < 100000 ? 2 : late ? 4 : 3) * SECOND);
	say("a quarter", bits, base_us, carriers);
	assert_true(bottleneck_queue_us(&b) <= 2 * bearable_us() + 4 * record_us(bits));
	bottleneck_run(&b, 10 * SECOND);
	b.rate *= 4;
	bottleneck_run(&b, 3 * SECOND);
	bottleneck_measure(&b);
	bottleneck_run(&b, SECOND);
	say("four times", bits, base_us, carriers);
	assert_true(bottleneck_used(&b) >= 0.9);
}

static void test_change(void **state)
{
	(void)state;
	each(check_change, 0);
	each(check_change, 20);
}

static void test_little_to_send(void **state)
{
	(void)state;
	begin(20000000, 50000, 2, 0);
	b.offered = 40000;
	bottleneck_run(&b, 120 * SECOND);
	assert_in_range(b.bound_max, INFLIGHT_FLOOR, 50000);
	assert_true(b.queue_max_us < 10 * MS);
	assert_in_range(b.flow.rate, 30000, 80000);
	/* then there is more */
	b.offered = 0;
	bottleneck_run(&b, 4 * SECOND);
	bottleneck_measure(&b);
	bottleneck_run(&b, SECOND);
	assert_true(bottleneck_used(&b) >= 0.9);
}

/* Our own queue must not become the least round trip in the course of time. */
static void test_base_holds(void **state)
{
	(void)state;
	begin(20000000, 50000, 4, 10);
	bottleneck_run(&b, 600 * SECOND);
	assert_in_range(b.flow.base_us, 50000, 56000);
	assert_true(bottleneck_queue_us(&b) <= 60 * MS);
}

/* Another path, three times as long: half of what arrived still does, and soon it is known. */
static void test_longer_path(void **state)
{
	(void)state;
	begin(20000000, 50000, 4, 0);
	bottleneck_run(&b, 20 * SECOND);
	b.base_us = 150000;
	bottleneck_run(&b, SECOND);
	bottleneck_measure(&b);
	bottleneck_run(&b, 10 * SECOND);
	say("longer", 20000000, 150000, 4);
	assert_true(bottleneck_used(&b) >= 0.4);
	bottleneck_run(&b, 50 * SECOND);
	assert_in_range(b.flow.base_us, 150000, 156000);
	bottleneck_measure(&b);
	bottleneck_run(&b, 10 * SECOND);
	assert_true(bottleneck_used(&b) >= 0.9);
	b.base_us = 20000; /* and a shorter one: what is in flight fills it until somebody looks */
	bottleneck_run(&b, 30 * SECOND);
	assert_in_range(b.flow.base_us, 20000, 22000);
	assert_true(bottleneck_queue_us(&b) <= 50 * MS);
}

/* Half of the path is taken by what knows no bound: the rest is ours. */
static void test_somebody_else(void **state)
{
	(void)state;
	begin(20000000, 50000, 4, 0);
	bottleneck_run(&b, 20 * SECOND);
	b.foreign = b.rate / 2;
	bottleneck_run(&b, 5 * SECOND);
	bottleneck_measure(&b);
	bottleneck_run(&b, 20 * SECOND);
	say("half", 20000000, 50000, 4);
	assert_true(bottleneck_used(&b) >= 0.4);
	assert_true(bottleneck_mean_queue_us(&b) <= 60 * MS);
}

/* Nothing is receipted for a while, and then all is given up. */
static void test_outage(void **state)
{
	struct inflight *f = &b.flow;
	size_t room;

	(void)state;
	begin(2000000, 50000, 1, 0);
	bottleneck_run(&b, 10 * SECOND);
	inflight_sent(f, f->bound * 3);
	assert_int_equal(inflight_room(f, INFLIGHT_STREAM, b.now + SECOND), 0);
	assert_int_equal(inflight_room(f, INFLIGHT_URGENT, b.now + SECOND), 0);
	assert_true(inflight_room_us(f, INFLIGHT_STREAM, b.now + SECOND) == INT64_MAX);
	inflight_lost(f, f->bytes + 1); /* more than there is changes nothing */
	assert_int_equal(f->bytes, 0);
	room = inflight_room(f, INFLIGHT_STREAM, b.now + SECOND);
	assert_in_range(room, 1400, f->bound);
	assert_true(inflight_room_us(f, INFLIGHT_STREAM, b.now) == b.now);
}

static void test_levels(void **state)
{
	struct inflight f;

	(void)state;
	inflight_init(&f, 5 * SECOND);
	inflight_sent(&f, f.bound);
	assert_int_equal(inflight_room(&f, INFLIGHT_STREAM, 5 * SECOND), 0);
	assert_true(f.limited);
	assert_in_range(inflight_room(&f, INFLIGHT_VIDEO, 5 * SECOND), 1400, f.bound / 2);
	inflight_sent(&f, f.bound / 2);
	assert_int_equal(inflight_room(&f, INFLIGHT_VIDEO, 5 * SECOND), 0);
	assert_in_range(inflight_room(&f, INFLIGHT_URGENT, 5 * SECOND), 1400, f.bound / 2);
	inflight_sent(&f, f.bound / 2);
	assert_int_equal(inflight_room(&f, INFLIGHT_URGENT, 5 * SECOND), 0);
	inflight_reset(&f, 6 * SECOND);
	assert_int_equal(f.bytes, 2 * f.bound);
	assert_int_equal(f.base_us, 0);
}

/* Between receipts room opens as the path delivers, and no further than one gap. */
static void test_between_receipts(void **state)
{
	struct inflight *f = &b.flow;
	int64_t at;

	(void)state;
	begin(20000000, 150000, 1, 0);
	bottleneck_run(&b, 10 * SECOND);
	inflight_lost(f, f->bytes);
	while (inflight_room(f, INFLIGHT_STREAM, f->heard_us))
		inflight_sent(f, 1400);
	at = inflight_room_us(f, INFLIGHT_STREAM, f->heard_us);
	assert_in_range(at, f->heard_us + 1, f->heard_us + 5 * MS);
	assert_int_equal(inflight_room(f, INFLIGHT_STREAM, f->heard_us), 0);
	assert_true(inflight_room(f, INFLIGHT_STREAM, at + 1) > 0);
	while (inflight_room(f, INFLIGHT_STREAM, at + SECOND))
		inflight_sent(f, 1400);
	assert_in_range(f->bytes, f->bound, f->bound + f->pace / 30);
	assert_true(inflight_room_us(f, INFLIGHT_STREAM, at + SECOND) == INT64_MAX);
}

/* Times that go wrong, nothing ever sent, receipts for more: it stays within its limits. */
static void test_nonsense(void **state)
{
	struct inflight f;
	uint64_t random = 1;

	(void)state;
	inflight_init(&f, 0);
	for (int64_t now = 1; now < 100 * SECOND; now += 1 + (int64_t)(random >> 33) % (20 * MS)) {
		random = random * 6364136223846793005ULL + 1442695040888963407ULL;
		if (random >> 63)
			inflight_sent(&f, (random >> 40) % 70000);
		else
			inflight_receipted(&f, (random >> 40) % 70000, now - (int64_t)((random >> 20) % SECOND),
					   (int64_t)((random >> 30) % (3 * SECOND)), now - (int64_t)(random >> 10) % 2);
		inflight_room(&f, INFLIGHT_STREAM, now);
		assert_in_range(f.bound, INFLIGHT_FLOOR, INFLIGHT_CAP);
		assert_true(f.base_us >= 0 && f.queue_us >= 0);
		assert_true(inflight_room_us(&f, INFLIGHT_URGENT, now) >= now);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_steady),
		cmocka_unit_test(test_late_records),
		cmocka_unit_test(test_many_late_records),
		cmocka_unit_test(test_start),
		cmocka_unit_test(test_change),
		cmocka_unit_test(test_little_to_send),
		cmocka_unit_test(test_base_holds),
		cmocka_unit_test(test_longer_path),
		cmocka_unit_test(test_somebody_else),
		cmocka_unit_test(test_outage),
		cmocka_unit_test(test_levels),
		cmocka_unit_test(test_between_receipts),
		cmocka_unit_test(test_nonsense),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
