/* links: tunnel/ledger.c tunnel/counters.c framing/ranges.c */
/* The ledger: receipts, losses, probe time-outs, round trips, caps. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "framing/capsule.h"
#include "framing/error.h"
#include "tunnel/ledger.h"
#include "tunnel/loop.h"

#define RECORD 100	/* bytes of each */

struct seen {
	uint64_t lost[64], receipted[64];
	unsigned n_lost, n_receipted, turns;
	size_t settled, lost_bytes;
	int64_t rtt_us, turn_us;
};

static void lost(void *ctx, const struct ledger_item *item)
{
	struct seen *s = ctx;

	s->lost[s->n_lost++ % 64] = item->offset;
}

static void receipted(void *ctx, const struct ledger_item *item)
{
	struct seen *s = ctx;

	s->receipted[s->n_receipted++ % 64] = item->offset;
}

static void settled(void *ctx, size_t bytes, int64_t sent_us, int64_t rtt_us)
{
	struct seen *s = ctx;

	(void)sent_us;
	s->settled += bytes;
	s->lost_bytes += rtt_us < 0 ? bytes : 0;
	if (rtt_us > 0)
		s->rtt_us = rtt_us;
}

static void turned(void *ctx, int64_t turn_us)
{
	struct seen *s = ctx;

	s->turns++;
	s->turn_us = turn_us;
}

static const struct ledger_events events = { lost, receipted, settled, turned };

static void send_record(struct ledger *l, uint64_t leg, int64_t now, unsigned items, uint64_t offset)
{
	assert_true(ledger_ready(l));
	for (unsigned i = 0; i < items; i++)
		assert_true(ledger_note(l, &(struct ledger_item){ .type = CAPSULE_STREAM, .channel = 2, .offset = offset + i }));
	ledger_commit(l, leg, now, true, RECORD);
}

static int receipt(struct ledger *l, uint64_t first, uint64_t last, int64_t now, uint64_t delay)
{
	struct message_receipt m = { .delay_us = delay, .ranges = { 1, { { first, last } } } };

	return ledger_receipt(l, &m, now);
}

static void receipts(void **state)
{
	struct seen s = { .n_lost = 0 };
	struct ledger l;

	(void)state;
	ledger_init(&l, &events, &s);
	for (unsigned i = 0; i < 1000; i++)	/* more than the first rings hold */
		send_record(&l, i, i, 3, i * 3);
	assert_int_equal(receipt(&l, 10, 499, 50000, 1000), 0);
	assert_int_equal(s.n_receipted, 490 * 3);
	assert_int_equal(l.srtt_us, 50000 - 499 - 1000);
	assert_int_equal(receipt(&l, 10, 499, 50000, 1000), 0);	/* again: nothing new */
	assert_int_equal(s.n_receipted, 490 * 3);
	ledger_leg_lost(&l, 5);
	assert_int_equal(s.n_lost, 3);
	assert_int_equal(s.lost[0], 15);
	assert_int_equal(receipt(&l, 0, 999, 60000, 0), 0);	/* the lost one is not called twice */
	assert_int_equal(s.n_receipted, 999 * 3);
	assert_int_equal(l.first, 1000);
	assert_int_equal(l.item_first, l.item_next);
	assert_int_equal(ledger_deadline(&l), 0);
	assert_int_equal(receipt(&l, 0, 1000, 60000, 0), ERROR_MALFORMED);	/* never sent */
	ledger_fini(&l);
}

/* Ranges that overlap in any way: each record is receipted once, and nothing else is. */
static void receipts_overlap(void **state)
{
	static bool told[5000];
	struct seen s = { .n_lost = 0 };
	struct ledger l;
	uint32_t x = 1;
	unsigned n = 0;

	(void)state;
	ledger_init(&l, &events, &s);
	for (unsigned i = 0; i < 400; i++) {
		uint64_t first, last;

		for (unsigned k = 0; k < 10; k++)
			send_record(&l, 1, 1000, 1, l.next);
		x = x * 1664525 + 1013904223;
		first = 1 + (x >> 8) % (l.next - 1);
		x = x * 1664525 + 1013904223;
		last = first + (x >> 8) % (l.next - first);
		if (i % 3 == 0)
			last = first + (last - first) / 50;
		for (uint64_t k = first; k <= last; k++) {
			n += !told[k];
			told[k] = true;
		}
		assert_int_equal(receipt(&l, first, last, 2000, 0), 0);
		assert_int_equal(s.n_receipted, n);
	}
	assert_int_equal(l.first, 0);
	assert_int_equal(l.bytes, (l.next - n) * RECORD);
	assert_int_equal(receipt(&l, 0, l.next - 1, 3000, 0), 0);
	assert_int_equal(s.n_receipted, l.next);
	assert_int_equal(l.first, l.next);
	assert_int_equal(l.bytes, 0);
	ledger_fini(&l);
}

static void probe_timeout(void **state)
{
	struct seen s = { .n_lost = 0 };
	struct ledger l;
	int64_t at;

	(void)state;
	ledger_init(&l, &events, &s);
	for (unsigned i = 0; i < 5; i++)
		send_record(&l, 1, 1000 + i, 1, i);
	at = ledger_deadline(&l);
	assert_int_equal(at, 1000 + LOOP_SECOND);
	ledger_timeout(&l, at - 1);
	assert_int_equal(s.n_lost, 0);
	ledger_timeout(&l, at + 10);
	assert_int_equal(s.n_lost, 2);	/* a probe, not everything */
	assert_int_equal(ledger_deadline(&l), 1002 + 2 * LOOP_SECOND);
	ledger_timeout(&l, LOOP_SECOND * 3);
	assert_int_equal(s.n_lost, 4);
	receipt(&l, 4, 4, LOOP_SECOND * 3, 0);
	assert_int_equal(l.backoff, 0);
	ledger_all_lost(&l);
	assert_int_equal(s.n_lost, 4);
	ledger_fini(&l);
}

static void unaccountable_and_cancelled(void **state)
{
	struct seen s = { .n_lost = 0 };
	struct ledger l;

	(void)state;
	ledger_init(&l, &events, &s);
	assert_true(ledger_ready(&l));
	ledger_commit(&l, 1, 5, false, RECORD);
	assert_int_equal(l.next, 1);
	assert_int_equal(ledger_deadline(&l), 0);
	assert_true(ledger_ready(&l));
	ledger_note(&l, &(struct ledger_item){ .type = CAPSULE_OPEN });
	ledger_cancel(&l);
	assert_int_equal(l.next, 1);
	send_record(&l, 1, 10, 0, 0);
	ledger_all_lost(&l);
	assert_int_equal(s.n_lost, 0);
	ledger_fini(&l);
}

static void caps(void **state)
{
	struct seen s = { .n_lost = 0 };
	struct ledger l;
	unsigned n = 0;

	(void)state;
	ledger_init(&l, &events, &s);
	while (ledger_ready(&l)) {
		ledger_commit(&l, 1, 1, true, RECORD);
		n++;
	}
	assert_int_equal(n, LEDGER_RECORDS_MAX);
	receipt(&l, 0, n - 1, 100, 0);
	assert_true(ledger_ready(&l));
	for (n = 0; ledger_note(&l, &(struct ledger_item){ .offset = n }); n++)
		;
	assert_int_equal(n, LEDGER_RECORD_ITEMS_MAX);
	ledger_fini(&l);
}

/* Bytes in flight: what is accountable, until it is receipted or lost. */
static void in_flight(void **state)
{
	struct seen s = { .n_lost = 0 };
	struct ledger l;

	(void)state;
	ledger_init(&l, &events, &s);
	for (unsigned i = 0; i < 4; i++)
		send_record(&l, i, 1000 * i, 1, i);
	assert_true(ledger_ready(&l));
	ledger_commit(&l, 9, 4000, false, RECORD);
	assert_int_equal(l.bytes, 4 * RECORD);
	assert_int_equal(ledger_oldest_us(&l), 0);
	assert_int_equal(receipt(&l, 0, 1, 51000, 1000), 0);
	assert_int_equal(l.bytes, 2 * RECORD);
	assert_int_equal(s.settled, 2 * RECORD);
	assert_int_equal(s.rtt_us, 51000 - 1000 - 1000);
	assert_int_equal(s.turns, 2);
	assert_int_equal(s.turn_us, 50000);
	assert_int_equal(ledger_oldest_us(&l), 2000);
	ledger_leg_lost(&l, 2);
	assert_int_equal(s.lost_bytes, RECORD);
	ledger_all_lost(&l);
	assert_int_equal(l.bytes, 0);
	assert_int_equal(s.lost_bytes, 2 * RECORD);
	assert_int_equal(ledger_oldest_us(&l), 0);
	ledger_fini(&l);
}

static void note_overdue(void *ctx, const struct ledger_item *item)
{
	struct seen *s = ctx;

	s->lost[s->n_lost++ % 64] = item->offset;
}

/* A datagram of a record that was told to be overdue is told no second time when the record is found lost. */
static void overdue_then_lost(void **state)
{
	struct seen s = { .n_lost = 0 };
	struct ledger l;

	(void)state;
	ledger_init(&l, &events, &s);
	for (unsigned i = 0; i < 3; i++) {
		assert_true(ledger_ready(&l));
		assert_true(ledger_note(&l, &(struct ledger_item){ .type = CAPSULE_DATAGRAM, .offset = 70 + i }));
		assert_true(ledger_note(&l, &(struct ledger_item){ .type = CAPSULE_STREAM, .channel = 2, .offset = i }));
		ledger_commit(&l, i / 2, 1000 * i, true, RECORD);
	}
	assert_int_equal(ledger_tell_overdue(&l, 500, note_overdue, &s), 1);
	assert_int_equal(s.n_lost, 1);
	ledger_leg_lost(&l, 0);
	assert_int_equal(s.n_lost, 4);	/* the first one's stream, both of the second */
	assert_int_equal(s.lost[1], 0);
	assert_int_equal(s.lost[2], 71);
	assert_int_equal(s.lost[3], 1);
	ledger_all_lost(&l);
	assert_int_equal(s.n_lost, 6);
	ledger_fini(&l);
}

/* Overdue records: each is told once, with its datagrams and nothing else. */
static void overdue(void **state)
{
	struct seen s = { .n_lost = 0 };
	struct ledger l;

	(void)state;
	ledger_init(&l, &events, &s);
	for (unsigned i = 0; i < 5; i++) {
		assert_true(ledger_ready(&l));
		assert_true(ledger_note(&l, &(struct ledger_item){ .type = CAPSULE_DATAGRAM, .offset = 70 + i }));
		assert_true(ledger_note(&l, &(struct ledger_item){ .type = CAPSULE_STREAM, .channel = 2, .offset = i }));
		ledger_commit(&l, 1, 1000 * i, true, RECORD);
	}
	assert_int_equal(receipt(&l, 1, 1, 40000, 0), 0);
	assert_int_equal(ledger_next_overdue_us(&l), 0);
	assert_int_equal(ledger_tell_overdue(&l, 2500, note_overdue, &s), 2);
	assert_int_equal(s.n_lost, 2);
	assert_int_equal(s.lost[0], 70);
	assert_int_equal(s.lost[1], 72);
	assert_int_equal(ledger_tell_overdue(&l, 2500, note_overdue, &s), 0);
	assert_int_equal(ledger_next_overdue_us(&l), 3000);
	assert_int_equal(receipt(&l, 0, 4, 60000, 0), 0);
	assert_int_equal(ledger_next_overdue_us(&l), 0);
	assert_int_equal(ledger_tell_overdue(&l, 100000, note_overdue, &s), 0);
	ledger_fini(&l);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(in_flight),
		cmocka_unit_test(overdue),
		cmocka_unit_test(overdue_then_lost),
		cmocka_unit_test(receipts),
		cmocka_unit_test(receipts_overlap),
		cmocka_unit_test(probe_timeout),
		cmocka_unit_test(unaccountable_and_cancelled),
		cmocka_unit_test(caps),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
