/*
 * Outbox: builds records out of what waits in a session: receipts and control
 * first, then datagrams, then stream bytes, with a share kept for streams so that
 * nothing starves. Called by legs when they can write; pulls from channels.
 */
#include <string.h>

#include "framing/capsule.h"
#include "framing/record.h"
#include "tunnel/counters.h"
#include "tunnel/session_internal.h"

#define STREAM_SHARE 4		/* one part in this many of a record is the streams' when both wait */
#define STREAM_PART 7		/* of what video takes while streams wait they get one part in this many */
#define STREAM_PIECE 1024	/* less is not worth it, beside video */
#define STREAMS_OWED_MAX 65536
#define DATAGRAM_ROOM 128	/* for what is around a packet that needs a record for itself: receipts */
#define CLOSE_PIECE 256		/* less room than this is not worth a piece of a stream */

struct fill {
	struct session *s;
	struct carrier *c;
	struct record_builder b;
	struct ledger *ledger;
	unsigned flags;
	uint64_t fate;
	size_t datagrams;	/* bytes of them in it */
	size_t streams;
	bool media;
	bool accountable;	/* something in it owes a receipt */
	bool anything;
};

static bool receipt_overdue(const struct session *s)
{
	int64_t now = loop_now(s->loop);

	for (unsigned i = 0; i < s->carriers; i++) {
		int64_t at = arrivals_due_us(&s->carrier[i]->arrivals);

		if (at && at <= now)
			return true;
	}
	return false;
}

static bool own_work(const struct carrier *c, unsigned flags)
{
	if (c->seens && (flags & OUTBOX_STREAMED || !c->streamed_answers))
		return true;
	return c->marks_due || c->pongs || c->ping_due;
}

/* Which classes may go now, as the bound of bytes in flight allows. */
static unsigned classes_now(struct session *s)
{
	int64_t now = loop_now(s->loop);

	if (!scheduler_has(&s->scheduler, SCHEDULER_ALL) || !inflight_room(&s->inflight, INFLIGHT_URGENT, now))
		return 0;
	if (!scheduler_has(&s->scheduler, SCHEDULER_ALL & ~SCHEDULER_URGENT) || inflight_room(&s->inflight, INFLIGHT_VIDEO, now))
		return SCHEDULER_ALL;
	return SCHEDULER_URGENT;
}

/* A copy is worth a record of its own, here. */
static bool copy_is_due(struct session *s, const struct carrier *c)
{
	int64_t now = loop_now(s->loop);

	return redundancy_is_due(&s->redundancy, now) && (!c->ops->spare || c->ops->spare(c)) &&
	       redundancy_find(&s->redundancy, steer_fate(c, s->next_x), now);
}

/* What comes in small records on a standing exchange, so that nothing urgent waits behind it, would be many exchanges elsewhere. */
static size_t room_of(struct session *s, const struct carrier *c, enum inflight_level level)
{
	const struct inflight *f = &s->inflight;
	size_t room = inflight_room(&s->inflight, level, loop_now(s->loop));

	return room && !c->standing && f->bound > f->bytes + room ? f->bound - f->bytes : room;
}

/* put: bytes of datagrams that are in the record already. */
static size_t bound_room(struct session *s, const struct carrier *c, size_t put)
{
	size_t room = list_empty(&s->streams) ? 0 : room_of(s, c, INFLIGHT_STREAM), owed = s->streams_owed / STREAM_PART;

	if (room > put + CLOSE_PIECE)
		return room - put;
	if (list_empty(&s->streams) || owed < STREAM_PIECE || !room_of(s, c, INFLIGHT_URGENT))
		return 0;
	return owed < 4 * STREAM_PIECE ? owed : 4 * STREAM_PIECE;
}

static size_t stream_room(struct session *s, const struct carrier *c, size_t put)
{
	size_t room = bound_room(s, c, put);

	return room < c->beside_media ? room : c->beside_media;
}

bool outbox_has(struct session *s, const struct carrier *c, unsigned flags)
{
	if (flags & OUTBOX_HELLO)
		return true;
	if (s->state == SESSION_ENDED && !s->bye_due)
		return false;
	if (own_work(c, flags) || s->bye_due)
		return true;
	if (flags & OUTBOX_OWN || s->state != SESSION_OPEN)
		return false;
	if (s->window_due || s->goaway_due || !list_empty(&s->control))
		return true;
	if (c->takes & TAKES_MEDIA && (scheduler_has(&s->scheduler, classes_now(s)) || copy_is_due(s, c)))
		return true;
	return (c->takes & TAKES_STREAMS && stream_room(s, c, 0)) || receipt_overdue(s);
}

size_t outbox_want(const struct session *s)
{
	return 1024 + scheduler_want(&s->scheduler, SCHEDULER_ALL);
}

size_t outbox_most(const struct session *s, const struct carrier *c, size_t usual)
{
	size_t alone;

	if (!s->steer.spread || (c->takes & TAKES_STREAMS && !list_empty(&s->streams)))
		return usual;
	alone = scheduler_want(&s->scheduler, SCHEDULER_ALL) + DATAGRAM_ROOM;
	return alone > STEER_RECORD ? alone : STEER_RECORD;
}

static void put_receipts(struct fill *f)
{
	int64_t now = loop_now(f->s->loop);

	for (unsigned i = 0; i < f->s->carriers; i++) {
		struct arrivals *a = &f->s->carrier[i]->arrivals;
		struct message_receipt m;

		if (!a->news && !(f->flags & OUTBOX_FORCE && f->s->carrier[i] == f->c))
			continue;
		if (arrivals_receipt(a, f->s->carrier[i]->id, now, &m) && message_receipt_put(&f->b.w, &m)) {
			f->anything = true;
			arrivals_told(a);
		}
	}
}

static void put_hello(struct fill *f)
{
	struct session *s = f->s;
	struct message_params p = {
		.has = 1U << PARAM_MAX_CHANNELS | 1U << PARAM_SESSION_WINDOW | 1U << PARAM_CHANNEL_WINDOW |
		       1U << PARAM_AGENT,
		.max_channels = s->config.max_channels,
		.session_window = s->config.session_window,
		.channel_window = s->config.channel_window,
		.agent = { (const uint8_t *)"culvert/" CULVERT_VERSION, sizeof "culvert/" CULVERT_VERSION - 1 },
	};

	if (s->role == SESSION_HELPER) {
		p.has |= 1U << PARAM_KEEPALIVE;
		p.keepalive_ms = s->config.keepalive_ms;
		message_hello_put(&f->b.w, &(struct message_hello){ .version_min = 1, .version_max = 1,
								    .features = SESSION_FEATURES, .params = p });
	} else {
		p.has |= 1U << PARAM_MAX_HOLD;
		p.max_hold_ms = REQUEST_HOLD_MAX;
		message_welcome_put(&f->b.w, &(struct message_welcome){ .version = 1, .features = s->features,
									.node = s->node, .epoch = s->epoch,
									.params = p });
	}
	f->anything = f->accountable = true;
}

static void put_marks(struct fill *f)
{
	struct carrier *c = f->c;

	while (c->marks_due && message_mark_put(&f->b.w, &(struct message_mark){ .id = c->id, .n = c->mark_next,
								.time_ms = loop_clock(f->s->loop) })) {
		c->marks_due--;
		c->mark_next++;
		f->accountable = true;
	}
	if (!(f->flags & OUTBOX_STREAMED) && c->streamed_answers)
		return;
	while (c->seens) {
		struct seen_due *d = &c->seen[0];
		struct ledger_item item = { .type = CAPSULE_SEEN, .offset = c->id };

		if (!ledger_note(f->ledger, &item) ||
		    !message_seen_put(&f->b.w, &(struct message_seen){ .id = d->id, .n = d->n,
						.arrival_ms = d->arrival_ms, .intact = d->intact }))
			return;
		memmove(d, d + 1, --c->seens * sizeof *d);
		f->accountable = true;
	}
}

static void put_own(struct fill *f)
{
	struct carrier *c = f->c;

	put_marks(f);
	if (c->ping_due && message_token_put(&f->b.w, CAPSULE_PING, loop_clock(f->s->loop))) {
		c->ping_due = false;
		f->accountable = true;
	}
	while (c->pongs && message_token_put(&f->b.w, CAPSULE_PONG, c->pong[c->pongs - 1])) {
		c->pongs--;
		f->anything = true;
	}
}

static void put_session(struct fill *f)
{
	struct session *s = f->s;
	struct ledger_item item = { 0 };

	if (s->bye_due || s->goaway_due) {
		struct message_farewell m = { .code = s->farewell_code, .delay_ms = s->farewell_delay_ms,
			.reason = { (const uint8_t *)s->farewell_reason, strlen(s->farewell_reason) } };

		item.type = s->bye_due ? CAPSULE_BYE : CAPSULE_GOAWAY;
		if (ledger_note(f->ledger, &item) && message_farewell_put(&f->b.w, item.type, &m)) {
			s->bye_due = s->goaway_due = false;
			f->accountable = true;
		}
	}
	item.type = CAPSULE_WINDOW;
	if (s->window_due && ledger_note(f->ledger, &item) &&
	    message_window_put(&f->b.w, &(struct message_window){ s->limit, s->peer_open_limit })) {
		s->window_due = false;
		f->accountable = true;
	}
}

static void put_control(struct fill *f)
{
	while (!list_empty(&f->s->control)) {
		struct channel *ch = list_entry(f->s->control.next, struct channel, control);

		if (!channel_put_due(ch, &f->b.w, f->ledger))
			return;
		f->accountable = true;
	}
}

/* A packet that was put into the record: kept for a copy, or done with. */
static void keep_or_put(struct fill *f, const struct channel *ch, struct packet *p)
{
	struct redundancy *r = &f->s->redundancy;
	struct ledger_item item = { .type = CAPSULE_DATAGRAM, .offset = redundancy_next_number(r) };
	int64_t now = loop_now(f->s->loop);

	if (p->mark.class != TRAFFIC_BULK)
		redundancy_media(r, p->mark.class, now);
	if (!redundancy_wants(r, p, ch->params.redundancy)) {
		packet_put(p);
		return;
	}
	ledger_note(f->ledger, &item);
	redundancy_keep(r, p, ch->id, ch->params.redundancy, f->fate, now);
}

/* Streams have the smaller part of the bound: while video fills it they get a part of what it takes. */
static void owe_streams(struct session *s, const struct packet *p)
{
	if (list_empty(&s->streams))
		s->streams_owed = 0;
	else if (!(SCHEDULER_CLASS(p->mark.class) & SCHEDULER_URGENT) && s->streams_owed < STREAMS_OWED_MAX)
		s->streams_owed += p->len;
}

static void pay_streams(struct session *s, size_t put)
{
	size_t paid = STREAM_PART * put;

	s->streams_owed -= paid < s->streams_owed ? paid : s->streams_owed;
}

/* What may go of these classes behind so many bytes. */
static unsigned classes_left(struct session *s, const struct carrier *c, unsigned classes, size_t put)
{
	if (put == 0 || !(classes & ~SCHEDULER_URGENT) || put < room_of(s, c, INFLIGHT_VIDEO))
		return classes;
	return SCHEDULER_URGENT;
}

/* Packets in the scheduler's order, as long as more than `keep` bytes stay free. */
static void put_datagrams(struct fill *f, size_t keep)
{
	struct session *s = f->s;
	unsigned classes = classes_now(s);
	size_t begun = writer_left(&f->b.w);
	struct scheduler_flow *flow;
	struct packet *p;

	s->scheduler.ahead_us = s->inflight.queue_us;
	while (writer_left(&f->b.w) > keep && !ledger_is_full(f->ledger)) {
		f->datagrams = begun - writer_left(&f->b.w);
		classes = classes_left(s, f->c, classes, f->datagrams);
		p = scheduler_next(&s->scheduler, classes, loop_now(s->loop), &flow);
		if (!p || !channel_datagram_send(flow->ctx, &f->b.w, p))
			return;
		scheduler_take(&s->scheduler, flow, p, loop_now(s->loop));
		f->accountable = f->media = true;
		owe_streams(s, p);
		keep_or_put(f, flow->ctx, p);
	}
}

/* Packets that went over another fate before. */
static void put_copies(struct fill *f)
{
	struct redundancy *r = &f->s->redundancy;
	int64_t now = loop_now(f->s->loop);
	struct kept *k;

	while ((k = redundancy_find(r, f->fate, now))) {
		struct ledger_item item = { .type = CAPSULE_DATAGRAM, .offset = redundancy_number(r, k) };

		if (ledger_is_full(f->ledger) || !channel_datagram_write(&f->b.w, k->channel, k->packet, now))
			return;
		ledger_note(f->ledger, &item);
		redundancy_sent(r, k, f->fate);
		f->accountable = f->media = true;
	}
}

static void put_streams(struct fill *f)
{
	struct session *s = f->s;
	size_t room = stream_room(s, f->c, f->datagrams), begun = writer_left(&f->b.w);

	while (!list_empty(&s->streams) && writer_left(&f->b.w) > CLOSE_PIECE) {
		struct channel *ch = list_entry(s->streams.next, struct channel, ready);
		size_t left = writer_left(&f->b.w), share = left / 2 > CLOSE_PIECE ? left / 2 : left;
		bool alone = s->streams.next == s->streams.prev;

		if (begun - left + CLOSE_PIECE > room)
			return;
		if (left > room - (begun - left))
			left = share = room - (begun - left);
		link_remove(&ch->ready);
		if (!channel_stream_put(ch, &f->b.w, f->ledger, alone ? left : share)) {
			if (channel_stream_sendable(ch)) {	/* no room, not nothing to send */
				list_append(&s->streams, &ch->ready);
				return;
			}
			continue;
		}
		f->accountable = true;
		channel_stream_schedule(ch);
	}
}

size_t outbox_fill(struct session *s, struct carrier *c, unsigned flags, uint64_t leg, uint8_t *buf, size_t cap)
{
	struct fill f = { .s = s, .c = c, .ledger = &c->ledger, .flags = flags, .fate = steer_fate(c, leg) };
	size_t keep, n;

	if (!ledger_ready(&c->ledger) || cap <= RECORD_HEAD_MAX)
		return 0;
	record_begin(&f.b, buf, cap, c->ledger.next, loop_clock(s->loop));
	if (s->role == SESSION_SERVER && s->features & FEATURE_ANSWERS && !(flags & OUTBOX_STREAMED))
		message_token_put(&f.b.w, CAPSULE_ANSWERS, leg);
	if (flags & OUTBOX_HELLO) {
		if (s->role == SESSION_SERVER)
			put_receipts(&f);
		put_hello(&f);
	} else {
		put_receipts(&f);
		put_own(&f);
		put_session(&f);
	}
	if (!(flags & (OUTBOX_HELLO | OUTBOX_OWN)) && s->state == SESSION_OPEN) {
		put_control(&f);
		keep = c->takes & TAKES_STREAMS && stream_room(s, c, 0) ? writer_left(&f.b.w) / STREAM_SHARE : 0;
		if (c->takes & TAKES_MEDIA) {
			put_datagrams(&f, keep);
			put_copies(&f);
		}
		if (c->takes & TAKES_STREAMS) {
			size_t left = writer_left(&f.b.w);

			put_streams(&f);
			f.streams = left - writer_left(&f.b.w);
			pay_streams(s, f.streams);
		}
	}
	if (!f.accountable && !f.anything && !(flags & OUTBOX_FORCE)) {
		ledger_cancel(&c->ledger);
		return 0;
	}
	n = record_finish(&f.b);
	ledger_commit(&c->ledger, leg, loop_now(s->loop), f.accountable, n);
	if (f.accountable)
		inflight_sent(&s->inflight, n);
	if (f.media)
		c->media_turn = ++s->media_turn;
	/* Beside a streamed answer, complete ones say nothing of it. */
	if (f.accountable && (s->role == SESSION_HELPER || flags & OUTBOX_STREAMED || !c->streamed_answers))
		ledger_watch(&c->ledger);
	c->records_out++;
	c->spoke = f.accountable;
	c->media_sent = f.media ? n - f.streams : 0;
	count(records_out);
	session_watch_carrier(s, c);
	return n;
}
