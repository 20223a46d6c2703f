/* The lossy network: the link, what it does to packets, and dialling. */
#include "tests/sim/lossy_internal.h"

#include <math.h>
#include <stdlib.h>

#include "framing/error.h"

#define SYN_AGAIN LOOP_SECOND
#define HELLO_AGAIN (250 * LOOP_MS)
#define HELLO_UP 1500		/* bytes of a TLS handshake */
#define HELLO_DOWN 5000
#define DIAL_TRIES 8

struct lossy_dial {
	struct link link;
	struct lossy *lossy;
	struct timer timer;
	int error;
	int64_t reached_us;	/* the server has answered its first packet */
	void (*done)(void *, struct stream *, int, const char *);
	void *ctx;
};

/* ---- chance ---- */

static uint64_t random_u64(struct lossy_queue *q)
{
	uint64_t x = q->random += UINT64_C(0x9e3779b97f4a7c15);	/* splitmix64 */

	x = (x ^ (x >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	x = (x ^ (x >> 27)) * UINT64_C(0x94d049bb133111eb);
	return x ^ (x >> 31);
}

static double chance(struct lossy_queue *q)
{
	return (double)(random_u64(q) >> 11) / 9007199254740992.0;
}

static bool lost_in_time(struct lossy_queue *q, int64_t now)
{
	while (now >= q->burst_change_us) {
		q->in_burst = !q->in_burst && q->burst_change_us;
		q->burst_change_us += 1 - (int64_t)(log(1 - chance(q)) *
						    (double)(q->in_burst ? q->way.burst_us : q->way.between_us));
	}
	return q->in_burst;
}

static bool is_lost(struct lossy_queue *q, int64_t now)
{
	if (q->way.burst_us)
		return lost_in_time(q, now);
	if (q->way.burst_begin > 0) {
		q->in_burst = q->in_burst ? chance(q) >= q->way.burst_end : chance(q) < q->way.burst_begin;
		return q->in_burst;
	}
	return q->way.loss > 0 && chance(q) < q->way.loss;
}

/* ---- the link ---- */

static void arm(struct lossy_queue *q)
{
	if (q->first)
		timer_set(&q->timer, q->first->arrive_us);
	else
		timer_stop(&q->timer);
}

static void settle(struct lossy_queue *q, int64_t now)
{
	for (; q->leaving && q->leaving->leave_us <= now; q->leaving = q->leaving->next)
		q->waiting -= q->leaving->size;
}

static void deliver(struct lossy_end *to, const struct transit *t)
{
	if (to->pair->cut)
		return;
	tcp_on_acked(to, &t->acked);
	if (t->data)
		end_on_data(to, t->segment);
}

static void on_arrival(void *ctx)
{
	struct lossy_queue *q = ctx;
	int64_t now = loop_now(q->timer.loop);

	settle(q, now);
	while (q->first && q->first->arrive_us <= now) {
		struct transit *t = q->first;

		q->first = t->next;
		if (!q->first)
			q->last = &q->first;
		t->next = NULL;
		if (t->to && t->to->pair->held) {
			*t->to->pair->waiting_last = t;
			t->to->pair->waiting_last = &t->next;
			continue;
		}
		if (t->to)
			deliver(t->to, t);
		free(t);
	}
	arm(q);
}

static int64_t leaves_at(const struct lossy_queue *q, int64_t now, size_t size)
{
	int64_t at = q->free_us > now ? q->free_us : now;

	if (at >= q->way.stall_from_us && at < q->way.stall_until_us)
		at = q->way.stall_until_us;
	return q->way.rate ? at + (int64_t)(size * 1000000 / q->way.rate) : at;
}

/* What the receiver of the other direction has. */
static struct acked acknowledge(const struct lossy_end *e)
{
	const struct lossy_end *peer = end_peer(e);
	struct acked a = { .next = e->expected };

	for (uint64_t i = 1; i < SACKED_WORDS * 64 && a.next + i < peer->next; i++)
		if (end_segment(peer, a.next + i)->arrived)
			a.map[i / 64] |= UINT64_C(1) << (i % 64);
	return a;
}

void lossy_carry(struct lossy_end *from, bool data, uint64_t segment, size_t payload)
{
	struct lossy *l = from->pair->lossy;
	struct lossy_queue *q = &l->queue[from->side];
	int64_t now = loop_now(l->loop), leave;
	size_t size = payload + HEADERS;
	struct transit *t;

	l->counts.way[from->side].bytes += size;
	l->counts.way[from->side].packets++;
	if (is_lost(q, now)) {
		l->counts.way[from->side].lost++;
		return;
	}
	settle(q, now);
	leave = leaves_at(q, now, size);
	if (q->way.buffer && q->waiting + size > q->way.buffer) {
		l->counts.way[from->side].dropped++;
		return;
	}
	t = calloc(1, sizeof *t);
	if (!t)
		abort();
	*t = (struct transit){ .to = end_peer(from), .size = size, .data = data, .segment = segment, .leave_us = leave,
			       .acked = acknowledge(from) };
	t->arrive_us = leave + q->way.delay_us;
	if (q->way.jitter_us)
		t->arrive_us += (int64_t)(chance(q) * (double)q->way.jitter_us);
	if (t->arrive_us < q->arrive_us)
		t->arrive_us = q->arrive_us;
	q->arrive_us = t->arrive_us;
	q->free_us = leave;
	q->waiting += size;
	if (q->waiting > l->counts.way[from->side].most_waiting)
		l->counts.way[from->side].most_waiting = q->waiting;
	*q->last = t;
	q->last = &t->next;
	if (!q->leaving)
		q->leaving = t;
	arm(q);
}

void lossy_forget(struct lossy_pair *p)
{
	struct transit *t;

	for (int i = 0; i < 2; i++)
		for (t = p->lossy->queue[i].first; t; t = t->next)
			if (t->to && t->to->pair == p)
				t->to = NULL;
	while ((t = p->waiting)) {
		p->waiting = t->next;
		free(t);
	}
	link_remove(&p->link);
	p->lossy->counts.open--;
}

/* ---- connections ---- */

void lossy_pair(struct lossy *l, struct stream **near, struct stream **far)
{
	struct lossy_pair *p = calloc(1, sizeof *p);

	if (!p)
		abort();
	p->lossy = l;
	p->waiting_last = &p->waiting;
	list_append(&l->pairs, &p->link);
	for (int i = 0; i < 2; i++)
		end_init(&p->end[i], p, i);
	*near = &p->end[0].base;
	*far = &p->end[1].base;
	if (++l->counts.open > l->counts.peak)
		l->counts.peak = l->counts.open;
}

static struct lossy_pair *pair_of(const struct stream *s)
{
	return ((const struct lossy_end *)(const void *)s)->pair;
}

unsigned lossy_streams(const struct lossy *l, struct stream **near, unsigned max)
{
	unsigned n = 0;

	for (struct link *i = l->pairs.next; i != &l->pairs && n < max; i = i->next) {
		struct lossy_end *e = list_entry(i, struct lossy_pair, link)->end;

		if (!e[0].closed && !e[1].closed)
			near[n++] = &e[0].base;
	}
	return n;
}

void lossy_hold(struct stream *near, bool on)
{
	struct lossy_pair *p = pair_of(near);

	p->held = on;
	while (!on && p->waiting) {
		struct transit *t = p->waiting;

		p->waiting = t->next;
		deliver(t->to, t);
		free(t);
	}
	if (!on)
		p->waiting_last = &p->waiting;
}

void lossy_cut(struct stream *near)
{
	struct lossy_pair *p = pair_of(near);

	p->cut = true;
	for (int i = 0; i < 2; i++) {
		p->end[i].reset_us = loop_now(p->lossy->loop);
		end_arm(&p->end[i]);
	}
}

uint64_t lossy_bytes(const struct stream *near)
{
	return pair_of(near)->end[0].written + pair_of(near)->end[1].written;
}

bool lossy_is_sparse(const struct stream *near)
{
	return pair_of(near)->end[0].sparse;
}

/* ---- dialling ---- */

static void dial_free(struct lossy_dial *d)
{
	timer_stop(&d->timer);
	link_remove(&d->link);
	loop_free_later(d->lossy->loop, d);
}

static void dial_cancel(struct dial *d)
{
	dial_free((struct lossy_dial *)(void *)d);
}

static bool dial_reached(const struct dial *dial)
{
	const struct lossy_dial *d = (const struct lossy_dial *)(const void *)dial;

	return loop_now(d->lossy->loop) >= d->reached_us;
}

static void on_dial(void *ctx)
{
	struct lossy_dial *d = ctx;
	struct lossy *l = d->lossy;
	struct stream *near = NULL, *far;
	int error = d->error;

	dial_free(d);
	if (!error) {
		lossy_pair(l, &near, &far);
		l->accept(l->ctx, far);
	}
	d->done(d->ctx, near, error, error ? error_text(error) : "");
}

/* One packet each way: what that takes when they are sent again after so long, -1: they never get through. */
static int64_t round_trip(struct lossy *l, int64_t at, int64_t again, bool doubled)
{
	int64_t took = l->queue[0].way.delay_us + l->queue[1].way.delay_us;

	for (unsigned i = 0; i < DIAL_TRIES; i++) {
		if (!is_lost(&l->queue[0], at) && !is_lost(&l->queue[1], at))
			return took;
		took += again;
		if (doubled)
			again *= 2;
	}
	return -1;
}

static struct dial *dial_start(void *ctx, enum dial_versions versions,
			       void (*done)(void *, struct stream *, int, const char *), void *done_ctx)
{
	struct lossy *l = ctx;
	struct lossy_dial *d = calloc(1, sizeof *d);
	int64_t now = loop_now(l->loop), syn = round_trip(l, now, SYN_AGAIN, true), hello = round_trip(l, now, HELLO_AGAIN, false);
	int64_t stalled = 0;

	(void)versions;
	if (!d)
		abort();
	for (int i = 0; i < 2; i++)
		if (now >= l->queue[i].way.stall_from_us && now < l->queue[i].way.stall_until_us)
			stalled = l->queue[i].way.stall_until_us - now;
	*d = (struct lossy_dial){ .lossy = l, .done = done, .ctx = done_ctx, .error = syn < 0 || hello < 0 ? ERROR_TIMEOUT : 0 };
	d->reached_us = syn < 0 ? NEVER : now + syn;
	list_append(&l->dials, &d->link);
	timer_init(&d->timer, l->loop, on_dial, d);
	timer_in(&d->timer, d->error ? 10 * LOOP_SECOND : syn + hello + stalled);
	l->counts.dialled++;
	l->counts.way[LOSSY_UP].bytes += HELLO_UP;
	l->counts.way[LOSSY_DOWN].bytes += HELLO_DOWN;
	return (struct dial *)(void *)d;
}

/* ---- all ---- */

struct lossy *lossy_new(struct loop *loop, const struct lossy_options *o, void (*accept)(void *, struct stream *), void *ctx)
{
	struct lossy *l = calloc(1, sizeof *l);

	if (!l)
		abort();
	l->loop = loop;
	l->o = *o;
	if (!l->o.unsent)
		l->o.unsent = 16384;
	l->accept = accept;
	l->ctx = ctx;
	l->dialler = (struct pool_dialler){ dial_start, dial_cancel, l, dial_reached };
	list_init(&l->pairs);
	list_init(&l->dials);
	for (unsigned i = 0; i < 2; i++) {
		struct lossy_queue *q = &l->queue[i];

		q->way = o->way[i];
		q->random = o->seed * 2 + i;
		q->last = &q->first;
		timer_init(&q->timer, loop, on_arrival, q);
	}
	return l;
}

void lossy_free(struct lossy *l)
{
	while (!list_empty(&l->dials))
		dial_free(list_entry(l->dials.next, struct lossy_dial, link));
	for (unsigned i = 0; i < 2; i++) {
		struct transit *t;

		timer_stop(&l->queue[i].timer);
		while ((t = l->queue[i].first)) {
			l->queue[i].first = t->next;
			free(t);
		}
	}
	loop_free_later(l->loop, l);
}

const struct pool_dialler *lossy_dialler(struct lossy *l)
{
	return &l->dialler;
}

struct lossy_way *lossy_way(struct lossy *l, enum lossy_direction d)
{
	return &l->queue[d].way;
}

void lossy_counts(const struct lossy *l, struct lossy_counts *c)
{
	*c = l->counts;
}
