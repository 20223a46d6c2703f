/*
 * The loop. libev waits for descriptors, signals and one timer that stands for
 * our own heap of timers; what happens between is ours: time is read once per
 * turn, queued work runs when every callback of the turn is done, and memory
 * is freed behind it. A virtual loop has the same heap and queue, no libev,
 * and a clock that loop_advance moves.
 *
 * A turn of the real loop: wait, on_check (time), callbacks of descriptors and
 * on_timer (our heap) in any order, on_prepare (queued work, frees, arming).
 */
#include "tunnel/loop.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#define LATER_ROUNDS 16		/* of refilled queue before descriptors get their turn */
#define RANDOM_BUFFER 512

struct entry {
	int64_t at;		/* not before the time of arming, so that nobody starves */
	uint64_t order;		/* of arming: ties fire in it */
	struct timer *timer;
};

struct later_list {
	struct later *first, **last;
};

struct signal_watch {
	struct ev_signal ev;
	struct signal_watch *next;
	void (*fn)(void *ctx);
	void *ctx;
};

struct loop {
	struct ev_loop *ev;	/* NULL: virtual */
	struct ev_prepare prepare;
	struct ev_check check;
	struct ev_timer timer;
	struct signal_watch *signals;
	int64_t now;
	int64_t armed;		/* what the libev timer stands for */

	struct entry *heap;
	uint32_t count, room;
	uint64_t order;

	struct later_list queue, round; /* waiting, and being run */
	void **frees;
	size_t free_count, free_room;

	int64_t start, wall;	/* virtual: now and Unix time at the beginning */
	uint64_t seed;
	uint8_t random[RANDOM_BUFFER];
	size_t random_left;
};

static int64_t clock_us(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * LOOP_SECOND + ts.tv_nsec / 1000;
}

static void *grown(void *p, size_t count, size_t size)
{
	p = reallocarray(p, count, size);
	if (!p)
		abort();
	return p;
}

/* The heap. */

static bool before(const struct entry *a, const struct entry *b)
{
	return a->at != b->at ? a->at < b->at : a->order < b->order;
}

static void place(struct loop *l, uint32_t i, struct entry e)
{
	l->heap[i] = e;
	e.timer->slot = i + 1;
}

static void sift_up(struct loop *l, uint32_t i, struct entry e)
{
	for (; i > 0 && before(&e, &l->heap[(i - 1) / 2]); i = (i - 1) / 2)
		place(l, i, l->heap[(i - 1) / 2]);
	place(l, i, e);
}

static void sift_down(struct loop *l, uint32_t i, struct entry e)
{
	for (;;) {
		uint32_t child = 2 * i + 1;

		if (child >= l->count)
			break;
		if (child + 1 < l->count && before(&l->heap[child + 1], &l->heap[child]))
			child++;
		if (!before(&l->heap[child], &e))
			break;
		place(l, i, l->heap[child]);
		i = child;
	}
	place(l, i, e);
}

static void sift(struct loop *l, uint32_t i, struct entry e)
{
	if (i > 0 && before(&e, &l->heap[(i - 1) / 2]))
		sift_up(l, i, e);
	else
		sift_down(l, i, e);
}

void timer_init(struct timer *t, struct loop *l, void (*fire)(void *ctx), void *ctx)
{
	*t = (struct timer){ .loop = l, .fire = fire, .ctx = ctx };
}

void timer_set(struct timer *t, int64_t at_us)
{
	struct loop *l = t->loop;
	struct entry e = { .at = at_us > l->now ? at_us : l->now, .order = l->order++, .timer = t };

	t->at = at_us;
	if (t->slot) {
		sift(l, t->slot - 1, e);
		return;
	}
	if (l->count == l->room) {
		l->room = l->room ? 2 * l->room : 64;
		l->heap = grown(l->heap, l->room, sizeof *l->heap);
	}
	sift_up(l, l->count++, e);
}

void timer_in(struct timer *t, int64_t delta_us)
{
	timer_set(t, t->loop->now + delta_us);
}

void timer_sooner(struct timer *t, int64_t at_us)
{
	if (!t->slot || at_us < t->at)
		timer_set(t, at_us);
}

void timer_stop(struct timer *t)
{
	struct loop *l = t->loop;
	uint32_t i;

	if (!t->slot)
		return;
	i = t->slot - 1;
	t->slot = 0;
	if (i < --l->count)
		sift(l, i, l->heap[l->count]);
}

static void fire_first(struct loop *l)
{
	struct timer *t = l->heap[0].timer;

	timer_stop(t);
	t->fire(t->ctx);
}

/* The queue of the end of the turn. */

static void list_init(struct later_list *q)
{
	q->first = NULL;
	q->last = &q->first;
}

static bool list_remove(struct later_list *q, struct later *w)
{
	struct later **p;

	for (p = &q->first; *p && *p != w; p = &(*p)->next)
		;
	if (!*p)
		return false;
	*p = w->next;
	if (q->last == &w->next)
		q->last = p;
	return true;
}

void later_init(struct later *w, void (*run)(void *ctx), void *ctx)
{
	*w = (struct later){ .run = run, .ctx = ctx };
}

void loop_later(struct loop *l, struct later *w)
{
	if (w->queued)
		return;
	w->queued = true;
	w->next = NULL;
	*l->queue.last = w;
	l->queue.last = &w->next;
}

void later_cancel(struct loop *l, struct later *w)
{
	if (!w->queued)
		return;
	w->queued = false;
	if (!list_remove(&l->round, w))
		list_remove(&l->queue, w);
}

void loop_free_later(struct loop *l, void *p)
{
	if (!p)
		return;
	if (l->free_count == l->free_room) {
		l->free_room = l->free_room ? 2 * l->free_room : 64;
		l->frees = grown(l->frees, l->free_room, sizeof *l->frees);
	}
	l->frees[l->free_count++] = p;
}

static void run_round(struct loop *l)
{
	struct later *w;

	l->round.first = l->queue.first;
	l->round.last = l->queue.last;
	list_init(&l->queue);
	while ((w = l->round.first)) {
		l->round.first = w->next;
		if (!w->next)
			l->round.last = &l->round.first;
		w->queued = false;
		w->run(w->ctx);
	}
}

/* False when the queue was refilled so often that the rest must wait. */
static bool end_turn(struct loop *l)
{
	unsigned rounds;

	for (rounds = 0; l->queue.first && rounds < LATER_ROUNDS; rounds++)
		run_round(l);
	while (l->free_count)
		free(l->frees[--l->free_count]);
	return !l->queue.first;
}

/* The real loop. */

static void on_check(struct ev_loop *ev, struct ev_check *w, int events)
{
	(void)ev;
	(void)events;
	loop_touch(w->data);
}

/* Timers armed meanwhile wait for the next turn, even those that are due. */
static void on_timer(struct ev_loop *ev, struct ev_timer *w, int events)
{
	struct loop *l = w->data;
	uint64_t order = l->order;

	(void)ev;
	(void)events;
	while (l->count && l->heap[0].at <= l->now && l->heap[0].order < order)
		fire_first(l);
}

static void arm(struct loop *l, int64_t at)
{
	int64_t now = clock_us();

	if (ev_is_active(&l->timer)) {
		if (at == l->armed)
			return;
		ev_timer_stop(l->ev, &l->timer);
	}
	/* libev counts from its own idea of now, which must not be older than ours. */
	ev_now_update(l->ev);
	ev_timer_set(&l->timer, at > now ? (double)(at - now) / 1e6 : 0., 0.);
	ev_timer_start(l->ev, &l->timer);
	l->armed = at;
}

static void on_prepare(struct ev_loop *ev, struct ev_prepare *w, int events)
{
	struct loop *l = w->data;

	(void)events;
	if (!end_turn(l))
		arm(l, l->now);
	else if (l->count)
		arm(l, l->heap[0].at);
	else
		ev_timer_stop(ev, &l->timer);
}

static struct loop *loop_alloc(void)
{
	struct loop *l = calloc(1, sizeof *l);

	if (!l)
		abort();
	list_init(&l->queue);
	list_init(&l->round);
	return l;
}

struct loop *loop_new(void)
{
	struct loop *l = loop_alloc();

	l->ev = ev_loop_new(EVFLAG_AUTO);
	if (!l->ev) {
		free(l);
		return NULL;
	}
	l->now = clock_us();
	ev_prepare_init(&l->prepare, on_prepare);
	ev_check_init(&l->check, on_check);
	ev_set_priority(&l->check, EV_MAXPRI);
	ev_timer_init(&l->timer, on_timer, 0., 0.);
	l->prepare.data = l->check.data = l->timer.data = l;
	ev_prepare_start(l->ev, &l->prepare);
	ev_check_start(l->ev, &l->check);
	return l;
}

void loop_run(struct loop *l)
{
	assert(l->ev);
	loop_touch(l);
	ev_run(l->ev, 0);
	end_turn(l);
}

void loop_break(struct loop *l)
{
	if (l->ev)
		ev_break(l->ev, EVBREAK_ALL);
}

void loop_free(struct loop *l)
{
	struct signal_watch *s;

	if (!l)
		return;
	while ((s = l->signals)) {
		l->signals = s->next;
		ev_signal_stop(l->ev, &s->ev);
		free(s);
	}
	if (l->ev)
		ev_loop_destroy(l->ev);
	while (l->free_count)
		free(l->frees[--l->free_count]);
	free(l->frees);
	free(l->heap);
	free(l);
}

static void on_signal(struct ev_loop *ev, struct ev_signal *w, int events)
{
	struct signal_watch *s = w->data;

	(void)ev;
	(void)events;
	s->fn(s->ctx);
}

void loop_signal(struct loop *l, int signo, void (*fn)(void *ctx), void *ctx)
{
	struct signal_watch *s = calloc(1, sizeof *s);

	assert(l->ev);
	if (!s)
		abort();
	s->fn = fn;
	s->ctx = ctx;
	s->next = l->signals;
	l->signals = s;
	ev_signal_init(&s->ev, on_signal, signo);
	s->ev.data = s;
	ev_signal_start(l->ev, &s->ev);
}

static void on_io(struct ev_loop *ev, struct ev_io *w, int events)
{
	struct io *io = w->data;

	(void)ev;
	io->ready(io->ctx, events & EV_READ, events & EV_WRITE);
}

void io_init(struct io *io, struct loop *l, int fd, void (*ready)(void *ctx, bool readable, bool writable), void *ctx)
{
	ev_io_init(&io->ev, on_io, fd, EV_NONE);
	io->ev.data = io;
	io->loop = l;
	io->ready = ready;
	io->ctx = ctx;
}

void io_want(struct io *io, bool read, bool write)
{
	int events = (read ? EV_READ : 0) | (write ? EV_WRITE : 0);
	bool active = ev_is_active(&io->ev);

	assert(io->loop->ev);
	if (active ? events == (io->ev.events & (EV_READ | EV_WRITE)) : !events)
		return;
	ev_io_stop(io->loop->ev, &io->ev);
	ev_io_modify(&io->ev, events);
	if (events)
		ev_io_start(io->loop->ev, &io->ev);
}

void io_stop(struct io *io)
{
	if (io->loop && io->loop->ev)
		ev_io_stop(io->loop->ev, &io->ev);
}

/* The virtual loop. */

struct loop *loop_new_virtual(int64_t start_us, int64_t wall_seconds)
{
	struct loop *l = loop_alloc();

	l->now = l->start = start_us;
	l->wall = wall_seconds;
	return l;
}

void loop_advance(struct loop *l, int64_t until_us)
{
	assert(!l->ev);
	for (;;) {
		bool empty = end_turn(l);

		if (l->count && l->heap[0].at <= (empty ? until_us : l->now)) {
			l->now = l->heap[0].at;
			fire_first(l);
		} else if (empty) {
			break;
		}
	}
	if (until_us > l->now)
		l->now = until_us;
}

bool loop_is_virtual(const struct loop *l)
{
	return !l->ev;
}

/* Time and chance. */

int64_t loop_now(const struct loop *l)
{
	return l->now;
}

int64_t loop_touch(struct loop *l)
{
	if (l->ev)
		l->now = clock_us();
	return l->now;
}

int64_t loop_wall(const struct loop *l)
{
	return l->ev ? (int64_t)time(NULL) : l->wall + (l->now - l->start) / LOOP_SECOND;
}

uint32_t loop_clock(const struct loop *l)
{
	return (uint32_t)(l->now / LOOP_MS);
}

void loop_seed(struct loop *l, uint64_t seed)
{
	assert(!l->ev);
	l->seed = seed;
	l->random_left = 0;
}

/* splitmix64 */
static uint64_t next_seeded(struct loop *l)
{
	uint64_t z = l->seed += UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
	return z ^ (z >> 31);
}

static void refill(struct loop *l)
{
	size_t n = 0;

	if (l->ev) {
		while (n < RANDOM_BUFFER) {
			ssize_t got = getrandom(l->random + n, RANDOM_BUFFER - n, 0);

			if (got < 0 && errno != EINTR)
				abort();
			n += got > 0 ? (size_t)got : 0;
		}
	} else {
		for (; n < RANDOM_BUFFER; n += sizeof(uint64_t)) {
			uint64_t v = next_seeded(l);

			memcpy(l->random + n, &v, sizeof v);
		}
	}
	l->random_left = RANDOM_BUFFER;
}

void loop_random(struct loop *l, void *p, size_t n)
{
	uint8_t *out = p;

	while (n > 0) {
		size_t part;
		uint8_t *from;

		if (l->random_left == 0)
			refill(l);
		part = n < l->random_left ? n : l->random_left;
		from = l->random + RANDOM_BUFFER - l->random_left;
		memcpy(out, from, part);
		memset(from, 0, part);	/* handed out once */
		l->random_left -= part;
		out += part;
		n -= part;
	}
}

uint64_t loop_random_u64(struct loop *l)
{
	uint64_t v;

	loop_random(l, &v, sizeof v);
	return v;
}
