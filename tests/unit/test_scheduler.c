/* links: tunnel/scheduler.c framing/packet.c tests/lib/scheduled.c */
/* The scheduler alone: order, shares, deadlines, the cap. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "tests/lib/scheduled.h"

/* ---- order and shares ---- */

static void test_order(void **state)
{
	uint64_t n[8];

	(void)state;
	assert_int_equal(take().class, -1);
	assert_int_equal(scheduler_oldest_us(&s, SCHEDULER_ALL), INT64_MAX);
	n[0] = add(0, BULK, 100);
	now += MS;
	n[1] = add(0, VIDEO, 1200);
	n[2] = add(0, AUDIO, 172);
	n[3] = add(0, AUDIO, 172);
	n[4] = add(1, AUDIO, 172);
	n[5] = add(1, CONTROL, 60);
	assert_int_equal(scheduler_oldest_us(&s, SCHEDULER_ALL), now - MS);
	assert_int_equal(scheduler_oldest_us(&s, SCHEDULER_URGENT), now);
	assert_int_equal(scheduler_want(&s, SCHEDULER_ALL), 1200);
	assert_int_equal(scheduler_want(&s, SCHEDULER_URGENT), 172);
	assert_int_equal(scheduler_flow_bytes(&flow[0]), 100 + 1200 + 2 * 172);
	assert_int_equal(take().number, n[5]);
	assert_int_equal(take().number, n[2]);
	assert_int_equal(take().number, n[4]);	/* in turn */
	assert_int_equal(take().number, n[3]);
	assert_int_equal(take_of(SCHEDULER_URGENT).class, -1);
	assert_false(scheduler_has(&s, SCHEDULER_URGENT));
	assert_true(scheduler_has(&s, SCHEDULER_ALL));
	now += 80 * MS;
	assert_int_equal(take().number, n[1]);
	assert_int_equal(take().number, n[0]);
	assert_int_equal(take().class, -1);
	assert_int_equal(s.class[AUDIO].taken, 3);
	assert_int_equal(s.class[VIDEO].delay_us, 80 * MS / 8);
}

/* Keeps these classes backlogged while n packets go: the octets that each class got. */
static void run_backlogged(unsigned classes, unsigned n, size_t len, uint64_t octets[TRAFFIC_CLASSES], unsigned *longest_wait)
{
	unsigned since[TRAFFIC_CLASSES] = { 0 };

	memset(octets, 0, TRAFFIC_CLASSES * sizeof *octets);
	*longest_wait = 0;
	while (n-- > 0) {
		struct taken t;

		for (unsigned c = 0; c < TRAFFIC_CLASSES; c++)
			if (classes & SCHEDULER_CLASS(c) && s.class[c].packets < 3)
				add(c, c, len);
		t = take();
		octets[t.class] += t.len;
		for (unsigned c = 0; c < TRAFFIC_CLASSES; c++) {
			since[c] = t.class == (int)c ? 0 : since[c] + 1;
			if (classes & SCHEDULER_CLASS(c) && since[c] > *longest_wait)
				*longest_wait = since[c];
		}
	}
}

/* Whatever floods, each class that waits gets some, in good time; the upper ones most. */
static void test_shares(void **state)
{
	static const size_t lengths[] = { 0, 60, 172, 1200 };

	(void)state;
	for (unsigned classes = 1; classes <= SCHEDULER_ALL; classes++)
		for (unsigned l = 0; l < 4; l++) {
			size_t len = lengths[l];
			uint64_t octets[TRAFFIC_CLASSES], all = 0;
			unsigned wait;

			scheduled_begin(3000, 3000000);
			run_backlogged(classes, 10000, len, octets, &wait);
			for (unsigned c = 0; c < TRAFFIC_CLASSES; c++)
				all += octets[c];
			for (unsigned c = 0; len > 0 && c < TRAFFIC_CLASSES; c++)
				if (classes & SCHEDULER_CLASS(c))
					assert_true(octets[c] >= all / 100);
			assert_true(wait <= 16384 / (len + 40) + 60);
			if (len > 0 && classes == SCHEDULER_ALL) {
				assert_in_range(octets[CONTROL] * 100 / octets[AUDIO], 95, 105);
				assert_in_range((octets[VIDEO] + octets[BULK]) * 100 / all, 15, 25);
				assert_true(octets[VIDEO] > 3 * octets[BULK]);
			}
			for (unsigned c = 0; c < TRAFFIC_CLASSES; c++)
				scheduler_flow_fini(&flow[c]);
		}
}

/* Audio of eighty calls beside all the video and bulk that there may be: it is always the next. */
static void test_audio_never_waits(void **state)
{
	(void)state;
	for (unsigned tick = 0; tick < 3000; tick++) {	/* of 20 ms, in which 5 kB of others go */
		now += 20 * MS;
		for (unsigned i = 0; i < 6; i++) {
			add(0, VIDEO, 1200);
			add(1, BULK, 1200);
		}
		for (unsigned i = 0; i < 80; i++)
			add(i % FLOWS, AUDIO, 172);
		for (unsigned i = 0; i < 80; i++)
			assert_int_equal(take().class, AUDIO);
		for (unsigned i = 0; i < 4; i++)
			assert_true(take().class >= VIDEO);
	}
	assert_int_equal(s.class[AUDIO].delay_us, 0);
	assert_true(s.class[BULK].taken > 1000);
	assert_true(s.class[VIDEO].taken > 8000);
}

/* What its own carrier holds back is not owed anything by what goes on another one. */
static void test_debts_of_those_asked(void **state)
{
	(void)state;
	add(0, VIDEO, 1200);
	for (unsigned i = 0; i < 1000; i++) {
		add(0, AUDIO, 1200);
		assert_int_equal(take_of(SCHEDULER_URGENT).class, AUDIO);
	}
	add(0, AUDIO, 1200);
	assert_int_equal(take().class, AUDIO);
	assert_int_equal(take().class, VIDEO);
}

/* One floods: the others' packets go at their next turn. */
static void test_flows(void **state)
{
	unsigned got[FLOWS] = { 0 };

	(void)state;
	for (unsigned i = 0; i < 100; i++)
		add(0, AUDIO, 172);
	for (unsigned turn = 0; turn < 50; turn++) {
		now += MS;
		add(0, AUDIO, 172);
		for (unsigned i = 1; i < FLOWS; i++)
			add(i, AUDIO, 172);
		for (unsigned i = 0; i < FLOWS; i++)
			got[take().flow]++;
		for (unsigned i = 1; i < FLOWS; i++)
			assert_int_equal(got[i], turn + 1);
	}
}

/* ---- deadlines ---- */

static void test_deadline(void **state)
{
	uint64_t n;

	(void)state;
	for (unsigned i = 0; i < 10; i++, now += 20 * MS)
		n = add(0, AUDIO, 172);
	now += 20 * MS;	/* the oldest is 220 ms old */
	assert_int_equal(take().number, n - 8);
	assert_int_equal(gone.count[SCHEDULER_DEADLINE], 1);
	assert_int_equal(gone.last, n - 9);
	now += 200 * MS;
	assert_int_equal(take().class, -1);
	assert_int_equal(gone.count[SCHEDULER_DEADLINE], 9);
	assert_int_equal(s.class[AUDIO].dropped[SCHEDULER_DEADLINE], 9);
	/* A packet of any flow and class drops what is past its deadline elsewhere. */
	for (unsigned i = 0; i < FLOWS; i++)
		add(i, i % 2 ? AUDIO : BULK, 100);
	now += 1001 * MS;
	add(3, VIDEO, 100);
	assert_int_equal(s.packets, 1);
	assert_int_equal(gone.count[SCHEDULER_DEADLINE], 9 + FLOWS);
	now += 401 * MS;
	scheduler_expire(&s, now);
	assert_int_equal(s.packets, 0);
}

/* What would be late when it is there does not go; but half of its time a packet has. */
static void test_queue_ahead(void **state)
{
	(void)state;
	s.ahead_us = 50 * MS;
	add(0, AUDIO, 172);
	now += 150 * MS;
	assert_int_equal(take().class, AUDIO);
	add(0, AUDIO, 172);
	now += 151 * MS;
	assert_int_equal(take().class, -1);
	s.ahead_us = 5000 * MS;
	add(0, AUDIO, 172);
	now += 100 * MS;
	assert_int_equal(take().class, AUDIO);
	add(0, AUDIO, 172);
	now += 101 * MS;
	assert_int_equal(take().class, -1);
	assert_int_equal(gone.count[SCHEDULER_DEADLINE], 2);
}

/* A shorter deadline behind a longer one of the same class. */
static void test_deadlines_differ(void **state)
{
	struct packet *p = packet(AUDIO, 100);

	(void)state;
	p->deadline_us = now + 5000 * MS;
	scheduler_add(&flow[0], p, now);
	add(1, AUDIO, 100);
	now += 201 * MS;
	add(1, AUDIO, 100);
	assert_int_equal(s.packets, 2);
	assert_int_equal(take().flow, 0);
	assert_int_equal(take().age, 0);
}

/* Nothing goes for 10 s: no more waits than what came in the time of its deadline, and then the fresh goes. */
static void test_stall(void **state)
{
	struct taken t;

	(void)state;
	for (unsigned tick = 0; tick < 500; tick++, now += 20 * MS) {
		for (unsigned f = 0; f < 3; f++)
			add(f, AUDIO, 172);
		for (unsigned i = 0; i < 4; i++)
			add_part(4, 7, tick, i == 3);
		assert_true(s.class[AUDIO].packets <= 3 * 11);
		assert_true(s.class[VIDEO].packets <= 4 * 21);
	}
	while ((t = take()).class >= 0)
		assert_true(t.age <= 400 * MS);
	assert_int_equal(gone.count[SCHEDULER_FULL], 0);
}

/* ---- the cap ---- */

static void test_cap(void **state)
{
	uint64_t n;

	(void)state;
	scheduled_begin(16, 100000);
	for (unsigned i = 0; i < 16; i++)
		n = add(i % 2, BULK, 100);
	add(2, BULK, 100);	/* of those that have most the oldest */
	assert_int_equal(gone.of_flow[0] + gone.of_flow[1], 1);
	assert_true(gone.last <= n - 14);
	for (unsigned i = 0; i < 20; i++)
		add(0, AUDIO, 100);
	assert_int_equal(s.packets, 16);
	assert_int_equal(s.class[BULK].packets, 2);	/* its own part of the room */
	assert_int_equal(s.class[AUDIO].packets, 14);
	assert_int_equal(gone.count[SCHEDULER_FULL], 1 + 20);
	add(3, CONTROL, 100);
	assert_int_equal(s.class[CONTROL].packets, 1);
	n = add(5, BULK, 100);
	assert_int_equal(s.class[BULK].packets, 2);
	for (unsigned i = 0; i < 3; i++)
		add(6, VIDEO, 100);
	assert_int_equal(s.class[VIDEO].packets, 2);
	assert_int_equal(s.packets, 16);
}

/* Octets count as well, and the flow that floods pays, with whole frames. */
static void test_cap_bytes(void **state)
{
	(void)state;
	scheduled_begin(3000, 20000);
	add(0, AUDIO, 30000);	/* never fits */
	assert_int_equal(gone.count[SCHEDULER_FULL], 1);
	for (unsigned i = 0; i < 3; i++)
		add_part(1, 9, 100, i == 2);
	for (unsigned i = 0; i < 13; i++)
		add_part(0, 7, i / 4, i % 4 == 3);
	assert_int_equal(s.class[VIDEO].packets, 16);
	add_part(0, 7, 3, false);
	assert_int_equal(gone.of_flow[1], 0);
	assert_int_equal(gone.count[SCHEDULER_FULL], 2);
	assert_int_equal(gone.count[SCHEDULER_FRAME], 3);
	for (unsigned i = 0; i < 3; i++)
		add_part(1, 9, 200 + i, true);
	assert_true(s.bytes <= 20000);
	assert_int_equal(gone.of_flow[1], 0);
}

/* ---- anything ---- */

static uint32_t random_number;

static unsigned any(unsigned n)
{
	random_number = random_number * 1664525 + 1013904223;
	return (random_number >> 8) % n;
}

static void check_class(enum traffic c)
{
	size_t packets = 0, bytes = 0, listed = 0, n = 0;
	const struct packet *before = NULL;

	for (unsigned f = 0; f < FLOWS; f++) {
		packets += flow[f].queue[c].count;
		bytes += flow[f].queue[c].bytes;
		assert_int_equal(link_in_list(&flow[f].ready[c]), flow[f].queue[c].count > 0);
	}
	for (const struct packet *p = s.class[c].oldest; p; before = p, p = p->newer) {
		assert_ptr_equal(p->older, before);
		assert_int_equal(p->mark.class, c);
		n += p->len;
		listed++;
	}
	assert_ptr_equal(s.class[c].newest, before);
	assert_int_equal(packets, s.class[c].packets);
	assert_int_equal(bytes, s.class[c].bytes);
	assert_int_equal(listed, packets);
	assert_int_equal(n, bytes);
	assert_int_equal(!!(s.waiting & SCHEDULER_CLASS(c)), packets > 0);
}

static void check(uint64_t added, uint64_t out, uint64_t forgotten)
{
	uint64_t packets = 0, bytes = 0, dropped = 0;

	for (unsigned c = 0; c < TRAFFIC_CLASSES; c++) {
		check_class(c);
		packets += s.class[c].packets;
		bytes += s.class[c].bytes;
		for (unsigned r = 0; r < SCHEDULER_REASONS; r++)
			dropped += s.class[c].dropped[r];
	}
	assert_int_equal(packets, s.packets);
	assert_int_equal(bytes, s.bytes);
	assert_true(packets <= s.max_packets && bytes <= s.max_bytes);
	assert_int_equal(dropped, gone.count[0] + gone.count[1] + gone.count[2]);
	assert_int_equal(added, out + forgotten + dropped + packets);
}

static void test_anything(void **state)
{
	(void)state;
	for (unsigned round = 0; round < 60; round++) {
		uint64_t added = 0, out = 0, forgotten = 0;

		random_number = round;
		scheduled_begin(1 + any(200), 1 + any(100000));
		for (unsigned i = 0; i < 3000; i++) {
			unsigned f = any(FLOWS), what = any(100);

			if (what < 35) {
				add(f, any(TRAFFIC_CLASSES), any(LONGEST));
				added++;
			} else if (what < 50) {
				add_part(f, any(3), any(4), any(3) == 0);
				added++;
			} else if (what < 85) {
				out += take_of(any(SCHEDULER_ALL + 1)).class >= 0;
			} else if (what < 98) {
				now += any(30) * MS;
			} else if (any(10) == 0) {
				for (unsigned c = 0; c < TRAFFIC_CLASSES; c++)
					forgotten += flow[f].queue[c].count;
				scheduler_flow_fini(&flow[f]);
			}
			check(added, out, forgotten);
		}
		for (unsigned f = 0; f < FLOWS; f++)
			scheduler_flow_fini(&flow[f]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		SCHEDULED(test_order), SCHEDULED(test_shares), SCHEDULED(test_audio_never_waits),
		SCHEDULED(test_debts_of_those_asked), SCHEDULED(test_flows), SCHEDULED(test_deadline),
		SCHEDULED(test_queue_ahead), SCHEDULED(test_deadlines_differ), SCHEDULED(test_stall),
		SCHEDULED(test_cap), SCHEDULED(test_cap_bytes), SCHEDULED(test_anything),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
