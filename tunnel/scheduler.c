/*
 * The scheduler. Control and audio go first, in turn by octets; video before bulk.
 * What is passed over is owed a part, and gets it once more has gone past than
 * calls make: audio at a call's rate never waits for anything else, and a flood of
 * it starves nobody. Each packet is at the head of its flow's queue when it leaves,
 * for whatever reason, so nothing is ever searched. Called by channels and the
 * outbox; calls only what it was given.
 */
#include "tunnel/scheduler.h"

#include <assert.h>

#define OVERHEAD 40		/* octets that a packet counts for beside its own */
#define FLOOD 16384		/* octets of control and audio that may go past others before it counts */
#define OTHERS_PART 4		/* times as many octets go past video and bulk as they get */
#define BULK_PART 7		/* ... of video past bulk */
#define ROOM_PART 8		/* this part of the room is each class's own */
#define BEGIN_PART 4		/* the last part of a frame's time is for finishing it */
#define SMOOTH 8

void scheduler_init(struct scheduler *s, size_t max_packets, size_t max_bytes,
		    void (*dropped)(void *ctx, const struct packet *, enum scheduler_reason))
{
	*s = (struct scheduler){ .max_packets = max_packets, .max_bytes = max_bytes, .dropped = dropped };
	for (unsigned c = 0; c < TRAFFIC_CLASSES; c++)
		list_init(&s->class[c].ready);
}

void scheduler_flow_init(struct scheduler_flow *f, struct scheduler *s, void *ctx)
{
	*f = (struct scheduler_flow){ .scheduler = s, .ctx = ctx };
	for (unsigned c = 0; c < TRAFFIC_CLASSES; c++)
		packet_queue_init(&f->queue[c]);
}

/* ---- in and out ---- */

static void append(struct scheduler_flow *f, struct packet *p)
{
	struct scheduler *s = f->scheduler;
	struct scheduler_class *class = &s->class[p->mark.class];
	struct packet_queue *q = &f->queue[p->mark.class];

	packet_queue_append(q, p);
	if (q->count == 1)
		list_append(&class->ready, &f->ready[p->mark.class]);
	if (!class->most || q->bytes > class->most->queue[p->mark.class].bytes)
		class->most = f;
	p->flow = f;
	p->newer = NULL;
	p->older = class->newest;
	*(p->older ? &p->older->newer : &class->oldest) = p;
	class->newest = p;
	class->packets++;
	class->bytes += p->len;
	s->packets++;
	s->bytes += p->len;
	s->waiting |= SCHEDULER_CLASS(p->mark.class);
}

/* The head of one of the flow's queues. */
static struct packet *detach(struct scheduler_flow *f, enum traffic c)
{
	struct scheduler *s = f->scheduler;
	struct scheduler_class *class = &s->class[c];
	struct packet *p = packet_queue_take(&f->queue[c]);

	if (f->queue[c].count == 0)
		link_remove(&f->ready[c]);
	*(p->older ? &p->older->newer : &class->oldest) = p->newer;
	*(p->newer ? &p->newer->older : &class->newest) = p->older;
	p->older = p->newer = NULL;
	p->flow = NULL;
	class->bytes -= p->len;
	s->bytes -= p->len;
	s->packets--;
	if (--class->packets == 0)
		s->waiting &= ~SCHEDULER_CLASS(c);
	return p;
}

void scheduler_flow_fini(struct scheduler_flow *f)
{
	for (unsigned c = 0; c < TRAFFIC_CLASSES; c++) {
		while (f->queue[c].count > 0)
			packet_put(detach(f, c));
		if (f->scheduler->class[c].most == f)
			f->scheduler->class[c].most = NULL;
	}
}

/* ---- video frames ---- */

static bool is_framed(const struct packet *p)
{
	return p->mark.framed && p->mark.class == TRAFFIC_VIDEO;
}

static bool is_of(const struct packet *p, const struct scheduler_frame *frame, int64_t now_us)
{
	return frame->ssrc == p->mark.ssrc && frame->timestamp == p->mark.timestamp && now_us <= frame->until_us;
}

static bool is_spoilt(const struct scheduler_flow *f, const struct packet *p, int64_t now_us)
{
	if (now_us > f->spoilt_until_us || !is_framed(p))
		return false;
	for (unsigned i = 0; i < SCHEDULER_FRAMES; i++)
		if (is_of(p, &f->spoilt[i], now_us))
			return true;
	return false;
}

static bool is_begun(const struct scheduler_flow *f, const struct packet *p, int64_t now_us)
{
	for (unsigned i = 0; i < SCHEDULER_FRAMES; i++)
		if (is_of(p, &f->begun[i], now_us))
			return true;
	return false;
}

/* For as long as packets of that frame can be of use that were born by now: a time stamp that never changes, or comes again,
 * spoils nothing for ever. */
static struct scheduler_frame frame_of(const struct packet *p, int64_t now_us)
{
	return (struct scheduler_frame){ p->mark.ssrc, p->mark.timestamp, now_us + (p->deadline_us - p->born_us) };
}

static void spoil(struct scheduler_flow *f, const struct packet *p, int64_t now_us)
{
	struct scheduler_frame frame = frame_of(p, now_us);

	if (is_spoilt(f, p, now_us))
		return;
	f->spoilt[f->next_spoilt++ % SCHEDULER_FRAMES] = frame;
	if (frame.until_us > f->spoilt_until_us)
		f->spoilt_until_us = frame.until_us;
}

static void begin(struct scheduler_flow *f, const struct packet *p, int64_t now_us)
{
	unsigned i = 0;

	while (i < SCHEDULER_FRAMES && f->begun[i].ssrc != p->mark.ssrc)
		i++;
	if (i == SCHEDULER_FRAMES)
		i = f->next_begun++ % SCHEDULER_FRAMES;
	f->begun[i] = frame_of(p, now_us);
}

/* ---- dropping ---- */

static void discard(struct scheduler_flow *f, struct packet *p, enum scheduler_reason reason, int64_t now_us)
{
	struct scheduler *s = f->scheduler;

	if (reason != SCHEDULER_FRAME && is_framed(p))
		spoil(f, p, now_us);
	s->class[p->mark.class].dropped[reason]++;
	s->dropped(f->ctx, p, reason);
	packet_put(p);
}

/* Half a frame is of no use: one that was not begun in time is not begun at all. */
static bool is_past(const struct scheduler_flow *f, const struct packet *p, int64_t now_us)
{
	int64_t time = p->deadline_us - p->born_us, ahead = f->scheduler->ahead_us;
	int64_t there_us = now_us + (ahead < time / 2 ? ahead : time / 2);

	if (there_us > p->deadline_us)
		return true;
	return is_framed(p) && !p->mark.last && there_us > p->deadline_us - time / BEGIN_PART && !is_begun(f, p, now_us);
}

/* Drops from the head of a queue what is of no use any more. */
static void settle(struct scheduler_flow *f, enum traffic c, int64_t now_us)
{
	struct packet *p;

	while ((p = f->queue[c].head)) {
		if (is_spoilt(f, p, now_us))
			discard(f, detach(f, c), SCHEDULER_FRAME, now_us);
		else if (is_past(f, p, now_us))
			discard(f, detach(f, c), SCHEDULER_DEADLINE, now_us);
		else
			return;
	}
}

void scheduler_expire(struct scheduler *s, int64_t now_us)
{
	if (now_us == s->expired_us)
		return;
	s->expired_us = now_us;
	for (unsigned c = 0; c < TRAFFIC_CLASSES; c++) {
		struct packet *p;

		while ((p = s->class[c].oldest) && is_past(p->flow, p, now_us))
			settle(p->flow, c, now_us);
	}
}

/* The least class that has more than what is each class's own. While there is too much in all, there is one. */
static enum traffic crowded(const struct scheduler *s)
{
	bool packets = s->packets > s->max_packets;
	enum traffic c = TRAFFIC_CLASSES;

	while (c-- > 0)
		if (packets ? s->class[c].packets > s->max_packets / ROOM_PART
			    : s->class[c].bytes > s->max_bytes / ROOM_PART)
			return c;
	assert(!"nothing waits");
	return TRAFFIC_BULK;
}

static void make_room(struct scheduler *s, int64_t now_us)
{
	while (s->packets > s->max_packets || s->bytes > s->max_bytes) {
		enum traffic c = crowded(s);
		struct scheduler_flow *f = s->class[c].most;

		if (!f || f->queue[c].count == 0)
			f = s->class[c].oldest->flow;
		s->class[c].most = f;
		discard(f, detach(f, c), SCHEDULER_FULL, now_us);
		settle(f, c, now_us);
	}
}

/* ---- the order ---- */

static int64_t cost(const struct packet *p)
{
	return (int64_t)p->len + OVERHEAD;
}

/* The head of the flow whose turn it is. */
static const struct packet *head(const struct scheduler *s, enum traffic c)
{
	return list_entry(s->class[c].ready.next, const struct scheduler_flow, ready[c])->queue[c].head;
}

static bool is_due(const struct scheduler *s, enum traffic c, int64_t owed, int part)
{
	return owed >= part * cost(head(s, c));
}

static enum traffic choose(const struct scheduler *s, unsigned waiting)
{
	unsigned others = waiting & ~SCHEDULER_URGENT, urgent = waiting & SCHEDULER_URGENT;
	enum traffic other = others & SCHEDULER_CLASS(TRAFFIC_VIDEO) ? TRAFFIC_VIDEO : TRAFFIC_BULK;

	if (others & SCHEDULER_CLASS(TRAFFIC_BULK) && is_due(s, TRAFFIC_BULK, s->owed_bulk, BULK_PART))
		other = TRAFFIC_BULK;
	if (!urgent || (others && is_due(s, other, s->owed - FLOOD, OTHERS_PART)))
		return other;
	if (urgent == SCHEDULER_URGENT)
		return s->lead > 0 ? TRAFFIC_AUDIO : TRAFFIC_CONTROL;
	return urgent & SCHEDULER_CLASS(TRAFFIC_CONTROL) ? TRAFFIC_CONTROL : TRAFFIC_AUDIO;
}

/* What went by itself owes nothing; what goes while others wait is owed to them, or paid by them. */
static void settle_debts(struct scheduler *s, enum traffic c, int64_t n)
{
	unsigned waiting = s->waiting & s->asked;
	bool urgent = waiting & SCHEDULER_URGENT;

	if (c == TRAFFIC_CONTROL || c == TRAFFIC_AUDIO) {
		s->lead += c == TRAFFIC_CONTROL ? n : -n;
		if ((waiting & SCHEDULER_URGENT) != SCHEDULER_URGENT)
			s->lead = 0;
		if (waiting & ~SCHEDULER_URGENT)
			s->owed += n;
		return;
	}
	s->owed = urgent ? s->owed - OTHERS_PART * n : 0;
	if (c == TRAFFIC_BULK)
		s->owed_bulk = waiting & SCHEDULER_CLASS(TRAFFIC_VIDEO) ? s->owed_bulk - BULK_PART * n : 0;
	else if (waiting & SCHEDULER_CLASS(TRAFFIC_BULK))
		s->owed_bulk += n;
}

/* ---- for others ---- */

void scheduler_add(struct scheduler_flow *f, struct packet *p, int64_t now_us)
{
	struct scheduler *s = f->scheduler;

	scheduler_expire(s, now_us);
	settle(f, p->mark.class, now_us);
	if (is_spoilt(f, p, now_us)) {
		discard(f, p, SCHEDULER_FRAME, now_us);
	} else if (p->len > s->max_bytes) {
		discard(f, p, SCHEDULER_FULL, now_us);
	} else {
		append(f, p);
		make_room(s, now_us);
	}
}

struct packet *scheduler_next(struct scheduler *s, unsigned classes, int64_t now_us, struct scheduler_flow **flow)
{
	scheduler_expire(s, now_us);
	s->asked = classes;
	while (s->waiting & classes) {
		enum traffic c = choose(s, s->waiting & classes);
		struct scheduler_flow *f = list_entry(s->class[c].ready.next, struct scheduler_flow, ready[c]);

		settle(f, c, now_us);
		if (f->queue[c].head) {
			*flow = f;
			return f->queue[c].head;
		}
	}
	return NULL;
}

void scheduler_take(struct scheduler *s, struct scheduler_flow *f, struct packet *p, int64_t now_us)
{
	enum traffic c = p->mark.class;
	struct scheduler_class *class = &s->class[c];

	assert(p == f->queue[c].head);
	settle_debts(s, c, cost(p));
	detach(f, c);
	if (f->queue[c].count > 0) {
		link_remove(&f->ready[c]);
		list_append(&class->ready, &f->ready[c]);
	}
	if (is_framed(p))
		begin(f, p, now_us);
	class->taken++;
	class->delay_us += (now_us - p->born_us - class->delay_us) / SMOOTH;
}

bool scheduler_has(const struct scheduler *s, unsigned classes)
{
	return s->waiting & classes;
}

size_t scheduler_want(const struct scheduler *s, unsigned classes)
{
	size_t most = 0;

	for (unsigned c = 0; c < TRAFFIC_CLASSES; c++)
		if (s->waiting & classes & SCHEDULER_CLASS(c) && head(s, c)->len > most)
			most = head(s, c)->len;
	return most;
}

int64_t scheduler_oldest_us(const struct scheduler *s, unsigned classes)
{
	int64_t oldest = INT64_MAX;

	for (unsigned c = 0; c < TRAFFIC_CLASSES; c++)
		if (s->waiting & classes & SCHEDULER_CLASS(c) && s->class[c].oldest->born_us < oldest)
			oldest = s->class[c].oldest->born_us;
	return oldest;
}

size_t scheduler_flow_bytes(const struct scheduler_flow *f)
{
	size_t n = 0;

	for (unsigned c = 0; c < TRAFFIC_CLASSES; c++)
		n += f->queue[c].bytes;
	return n;
}
