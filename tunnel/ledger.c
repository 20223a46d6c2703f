/*
 * Ledger. Called by the outbox for each record sent and by the inbox for each
 * receipt; calls back for capsules that are lost or known to have arrived. A
 * callback only sets flags in channels, it never sends.
 */
#include "tunnel/ledger.h"

#include <stdlib.h>
#include <string.h>

#include "framing/capsule.h"
#include "framing/error.h"
#include "tunnel/counters.h"
#include "tunnel/loop.h"

#define RECORDS_INITIAL 64
#define ITEMS_INITIAL 128
#define PTO_MIN (200 * LOOP_MS)
#define PTO_INITIAL LOOP_SECOND
#define PTO_MAX (10 * LOOP_SECOND)
#define RECEIPT_DELAY (100 * LOOP_MS)
#define STUCK (600 * LOOP_MS)
#define STUCK_TIMES 4			/* the smoothed round trip */
#define STUCK_FIRST (2 * LOOP_SECOND)	/* without a sample */
#define STUCK_FOR (3 * LOOP_SECOND)	/* then it is worth a try again */
#define PROBE_RECORDS 2		/* found lost by one probe time-out */

void ledger_init(struct ledger *l, const struct ledger_events *events, void *ctx)
{
	memset(l, 0, sizeof *l);
	l->events = events;
	l->ctx = ctx;
}

void ledger_fini(struct ledger *l)
{
	free(l->record);
	free(l->item);
	l->record = NULL;
	l->item = NULL;
}

static struct ledger_record *record_at(const struct ledger *l, uint64_t number)
{
	return &l->record[number & (l->record_cap - 1)];
}

static struct ledger_item *item_at(const struct ledger *l, uint64_t index)
{
	return &l->item[index & (l->item_cap - 1)];
}

/* Doubles a ring of elements in use at [first, next). */
static void *grow(void *ring, size_t *cap, size_t initial, size_t size, uint64_t first, uint64_t next)
{
	size_t bigger = *cap ? *cap * 2 : initial;
	char *fresh = malloc(bigger * size);

	if (!fresh)
		abort();
	for (uint64_t i = first; i < next; i++)
		memcpy(fresh + (i & (bigger - 1)) * size, (char *)ring + (i & (*cap - 1)) * size, size);
	free(ring);
	*cap = bigger;
	return fresh;
}

static void forget_done(struct ledger *l)
{
	while (l->first < l->next && record_at(l, l->first)->done) {
		const struct ledger_record *r = record_at(l, l->first++);

		if (r->items)
			l->item_first = r->item + r->items;
	}
	if (l->first == l->next)
		l->item_first = l->item_next;
}

bool ledger_ready(struct ledger *l)
{
	if (l->next - l->first >= LEDGER_RECORDS_MAX ||
	    l->item_next - l->item_first + LEDGER_RECORD_ITEMS_MAX > LEDGER_ITEMS_MAX)
		return false;
	if (l->next - l->first == l->record_cap)
		l->record = grow(l->record, &l->record_cap, RECORDS_INITIAL, sizeof *l->record, l->first, l->next);
	return true;
}

bool ledger_note(struct ledger *l, const struct ledger_item *item)
{
	uint64_t end = l->item_next + l->open_items;

	if (l->open_items == LEDGER_RECORD_ITEMS_MAX)
		return false;
	if (end - l->item_first == l->item_cap)
		l->item = grow(l->item, &l->item_cap, ITEMS_INITIAL, sizeof *l->item, l->item_first, end);
	*item_at(l, end) = *item;
	l->open_items++;
	l->open_reliable += item->type != CAPSULE_DATAGRAM;
	return true;
}

bool ledger_is_full(const struct ledger *l)
{
	return l->open_items == LEDGER_RECORD_ITEMS_MAX;
}

void ledger_commit(struct ledger *l, uint64_t leg, int64_t now_us, bool accountable, size_t bytes)
{
	struct ledger_record *r = record_at(l, l->next);

	*r = (struct ledger_record){ .at_us = now_us, .leg = leg, .item = l->item_next, .items = (uint16_t)l->open_items,
				     .reliable = (uint16_t)l->open_reliable, .done = !accountable,
				     .bytes = accountable ? (uint32_t)bytes : 0 };
	l->item_next += l->open_items;
	l->open_items = l->open_reliable = 0;
	l->bytes += r->bytes;
	l->next++;
	forget_done(l);
}

void ledger_watch(struct ledger *l)
{
	struct ledger_record *r = record_at(l, l->next - 1);

	r->watched = true;
	l->sent_us = r->at_us;
	if (!l->waiting_us)
		l->waiting_us = r->at_us;
}

void ledger_cancel(struct ledger *l)
{
	l->open_items = l->open_reliable = 0;
}

/* told: its datagrams are not told of again. */
static void settle(struct ledger *l, struct ledger_record *r, bool told, void (*fn)(void *, const struct ledger_item *))
{
	r->done = true;
	l->bytes -= r->bytes;
	for (uint16_t i = 0; i < r->items; i++) {
		struct ledger_item item = *item_at(l, r->item + i);

		if (!told || item.type != CAPSULE_DATAGRAM)
			fn(l->ctx, &item);
	}
}

static void settle_lost(struct ledger *l, uint64_t number)
{
	struct ledger_record *r = record_at(l, number);

	if (r->reliable) {
		l->lost++;
		count(records_lost);
	}
	settle(l, r, number < l->overdue, l->events->lost);
	if (r->bytes)
		l->events->settled(l->ctx, r->bytes, r->at_us, -1);
}

static void note_rate(struct ledger *l, size_t bytes, int64_t now_us)
{
	int64_t since = now_us - l->rate.since_us;

	l->rate.bytes += bytes;
	if (since < LOOP_SECOND)
		return;
	l->rate.rate = since < 3 * LOOP_SECOND ? l->rate.bytes * (uint64_t)LOOP_SECOND / (uint64_t)since : 0;
	l->rate.since_us = now_us;
	l->rate.bytes = 0;
}

/* RFC 9002 section 5.3, without its ack delay limits: the receiver reports its delay exactly. */
static void sample(struct ledger *l, int64_t rtt)
{
	if (rtt < 1)
		rtt = 1;
	l->latest_us = rtt;
	if (!l->srtt_us) {
		l->srtt_us = rtt;
		l->rttvar_us = rtt / 2;
		return;
	}
	int64_t diff = l->srtt_us > rtt ? l->srtt_us - rtt : rtt - l->srtt_us;

	l->rttvar_us = (3 * l->rttvar_us + diff) / 4;
	l->srtt_us = (7 * l->srtt_us + rtt) / 8;
}

/* The oldest record that is waited for, among those that are newer than all that were receipted. */
static void wait_for(struct ledger *l)
{
	l->waiting_us = 0;
	for (uint64_t n = l->told > l->first ? l->told : l->first; n < l->next && !l->waiting_us; n++)
		if (!record_at(l, n)->done && record_at(l, n)->watched)
			l->waiting_us = record_at(l, n)->at_us;
}

bool ledger_is_stuck(const struct ledger *l, int64_t now_us)
{
	int64_t most = l->srtt_us ? STUCK_TIMES * l->srtt_us : STUCK_FIRST;

	if (most < STUCK)
		most = STUCK;
	return l->waiting_us && now_us - l->waiting_us > most && now_us - l->sent_us < STUCK_FOR;
}

/* A record is receipted for the first time; false: it was done before. newest: of those in the receipt. */
static bool receipt_one(struct ledger *l, uint64_t n, const struct message_receipt *m, bool newest, int64_t now_us)
{
	struct ledger_record *r = record_at(l, n);

	if (r->done)
		return false;
	if (newest)
		sample(l, now_us - r->at_us - (int64_t)m->delay_us);
	l->events->turned(l->ctx, now_us - r->at_us);
	l->events->settled(l->ctx, r->bytes, r->at_us, newest ? l->latest_us : 0);
	l->stream_heard |= r->leg == l->stream;
	settle(l, r, false, l->events->receipted);
	return true;
}

int ledger_receipt(struct ledger *l, const struct message_receipt *m, int64_t now_us)
{
	const struct ranges *ranges = &m->ranges;
	bool any = false, news = false;
	size_t before = l->bytes;
	uint64_t last;

	if (ranges->n == 0 || ranges->r[ranges->n - 1].last >= l->next)
		return ERROR_MALFORMED;
	for (size_t i = 0; i < ranges->n; i++) {
		uint64_t n = ranges->r[i].first > l->first ? ranges->r[i].first : l->first;

		for (last = ranges->r[i].last; n <= last;) {
			struct ledger_record *r = record_at(l, n);
			uint32_t run = r->run, left = (uint32_t)(last - n + 1);

			if (left > run)
				r->run = left;
			if (run) {	/* told again, all that is behind it, too */
				n += run;
				continue;
			}
			if (r->watched && n >= l->told) {
				l->told = n + 1;
				news = true;
			}
			any |= receipt_one(l, n, m, n == ranges->r[ranges->n - 1].last, now_us);
			n++;
		}
	}
	if (any) {
		l->backoff = 0;
		l->doubted_us = 0;
		note_rate(l, before - l->bytes, now_us);
	}
	forget_done(l);
	if (news)
		wait_for(l);
	return 0;
}

void ledger_leg_lost(struct ledger *l, uint64_t leg)
{
	for (uint64_t n = l->first; n < l->next; n++) {
		struct ledger_record *r = record_at(l, n);

		if (!r->done && r->leg == leg)
			settle_lost(l, n);
	}
	forget_done(l);
	if (l->first == l->next)
		l->waiting_us = 0;
}

void ledger_all_lost(struct ledger *l)
{
	for (uint64_t n = l->first; n < l->next; n++)
		if (!record_at(l, n)->done)
			settle_lost(l, n);
	forget_done(l);
}

static int64_t probe_timeout(const struct ledger *l)
{
	int64_t pto = l->srtt_us ? 2 * l->srtt_us + 4 * l->rttvar_us + RECEIPT_DELAY : PTO_INITIAL;

	if (pto < PTO_MIN)
		pto = PTO_MIN;
	for (unsigned i = 0; i < l->backoff && pto < PTO_MAX; i++)
		pto *= 2;
	return pto < PTO_MAX ? pto : PTO_MAX;
}

int64_t ledger_deadline(const struct ledger *l)
{
	return l->first < l->next ? record_at(l, l->first)->at_us + probe_timeout(l) : 0;
}

void ledger_timeout(struct ledger *l, int64_t now_us)
{
	int64_t before = now_us - probe_timeout(l);
	unsigned found = 0;

	for (uint64_t n = l->first; n < l->next && found < PROBE_RECORDS; n++) {
		struct ledger_record *r = record_at(l, n);

		if (r->done)
			continue;
		if (r->at_us > before)
			break;
		found += r->reliable > 0;
		l->doubted_us = now_us;
		settle_lost(l, n);
	}
	if (found) {
		l->backoff++;
		count(probe_timeouts);
	}
	forget_done(l);
}

int64_t ledger_oldest_us(const struct ledger *l)
{
	return l->first < l->next ? record_at(l, l->first)->at_us : 0;	/* forget_done leaves none that is done in front */
}

unsigned ledger_tell_overdue(struct ledger *l, int64_t before_us, void (*fn)(void *ctx, const struct ledger_item *), void *ctx)
{
	unsigned records = 0;

	if (l->overdue < l->first)
		l->overdue = l->first;
	for (; l->overdue < l->next && record_at(l, l->overdue)->at_us <= before_us; l->overdue++) {
		const struct ledger_record *r = record_at(l, l->overdue);

		if (r->done)
			continue;
		records++;
		for (uint16_t i = 0; i < r->items; i++)
			if (item_at(l, r->item + i)->type == CAPSULE_DATAGRAM)
				fn(ctx, item_at(l, r->item + i));
	}
	return records;
}

int64_t ledger_next_overdue_us(const struct ledger *l)
{
	for (uint64_t n = l->overdue > l->first ? l->overdue : l->first; n < l->next; n++)
		if (!record_at(l, n)->done)
			return record_at(l, n)->at_us;
	return 0;
}
