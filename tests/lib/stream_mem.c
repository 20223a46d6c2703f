/*
 * The stream in memory. A pair owns two ends; each end owns the queue of what
 * was written to it, cut into segments with a time of arrival. One timer per
 * end is armed for the next moment at which a wanted event can be called.
 */
#include "tests/lib/stream_mem.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "framing/error.h"

#define NEVER INT64_MAX
#define BUFFER_DEFAULT 65536
#define SPIN_MAX 100000		/* events in a row without a read or write: the owner is broken */

struct segment {
	struct segment *next;
	int64_t at;
	size_t pos, len;
	uint8_t bytes[];
};

struct end {
	struct stream base;
	struct pair *pair;
	struct timer wake;
	bool want_read, want_write, closed;
	unsigned spins;

	struct segment *first, **last;	/* towards this end */
	size_t queued;
	int64_t eof_at;		/* end of stream arrives */
	int64_t cut_at;		/* this end learns of the cut */
	int64_t last_at;	/* arrival of the newest segment: delay may change, order not */
	int64_t refuse_at;	/* the peer closed, and writing tells so from now on */
	bool finished;		/* this end writes nothing more */
	int fail;		/* failed is to be called */
	bool sparse;
	uint64_t sent;
};

struct pair {
	struct loop *loop;
	struct stream_mem_options options;
	struct end end[2];
	bool dead;		/* cut: whatever is written goes nowhere */
};

const struct stream_mem_options stream_mem_plain = { .cut_after = { -1, -1 }, .stall_after = { -1, -1 } };

static struct end *end_of(const struct stream *s)
{
	return (struct end *)(uintptr_t)s;
}

static int index_of(const struct end *e)
{
	return e == &e->pair->end[1];
}

static struct end *peer_of(const struct end *e)
{
	return &e->pair->end[!index_of(e)];
}

static int64_t sooner(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

static int64_t later_of(int64_t a, int64_t b)
{
	return a > b ? a : b;
}

static size_t room_of(const struct end *e)
{
	size_t buffer = e->pair->options.buffer ? e->pair->options.buffer : BUFFER_DEFAULT;
	size_t queued = peer_of(e)->queued;

	return queued < buffer ? buffer - queued : 0;
}

/* When a read will give something: bytes, end of stream or an error. */
static int64_t readable_at(const struct end *e)
{
	int64_t at = e->cut_at;

	if (e->first)
		return sooner(at, e->first->at);
	return sooner(at, e->eof_at);
}

/* When a write will take something or give an error. */
static int64_t writable_at(const struct end *e)
{
	if (room_of(e) > 0 || e->pair->dead || peer_of(e)->closed)
		return 0;
	return sooner(e->cut_at, e->refuse_at);
}

static void arm(struct end *e)
{
	int64_t at = e->fail ? 0 : NEVER;

	if (!e->closed && e->want_read)
		at = sooner(at, readable_at(e));
	if (!e->closed && e->want_write)
		at = sooner(at, writable_at(e));
	if (e->closed || at == NEVER)
		timer_stop(&e->wake);
	else if (!timer_armed(&e->wake) || e->wake.at != at)
		timer_set(&e->wake, at);
}

static void on_wake(void *ctx)
{
	struct end *e = ctx;
	int64_t now = loop_now(e->pair->loop);

	e->spins++;
	assert(e->spins < SPIN_MAX);
	if (e->fail) {
		int error = e->fail;

		e->fail = 0;
		e->want_read = e->want_write = false;
		e->base.events->failed(e->base.ctx, error);
		return;
	}
	if (e->want_read && readable_at(e) <= now)
		e->base.events->readable(e->base.ctx);
	if (!e->closed && e->want_write && writable_at(e) <= now)
		e->base.events->writable(e->base.ctx);
	arm(e);
}

static size_t take(struct end *e, uint8_t *p, size_t cap)
{
	struct segment *s = e->first;
	size_t n = s->len - s->pos < cap ? s->len - s->pos : cap;

	memcpy(p, s->bytes + s->pos, n);
	s->pos += n;
	e->queued -= n;
	if (s->pos == s->len) {
		e->first = s->next;
		if (!e->first)
			e->last = &e->first;
		free(s);
	}
	return n;
}

static ssize_t mem_read(struct stream *stream, uint8_t *p, size_t cap)
{
	struct end *e = end_of(stream);
	int64_t now = loop_now(e->pair->loop);
	size_t chunk = e->pair->options.chunk, n = 0;

	assert(!e->closed && cap > 0);
	e->spins = 0;
	if (chunk && cap > chunk)
		cap = chunk;
	while (n < cap && e->first && e->first->at <= sooner(now, e->cut_at))
		n += take(e, p + n, cap - n);
	if (n > 0) {
		arm(peer_of(e));
		arm(e);
		return (ssize_t)n;
	}
	if (e->cut_at <= now)
		return ERROR_RESET;
	return !e->first && e->eof_at <= now ? 0 : ERROR_AGAIN;
}

static void append(struct end *to, const uint8_t *p, size_t n, int64_t at)
{
	struct segment *s = malloc(sizeof *s + n);

	if (!s)
		abort();
	if (at != NEVER)
		to->last_at = at = later_of(at, to->last_at);
	*s = (struct segment){ .at = at, .len = n };
	memcpy(s->bytes, p, n);
	*to->last = s;
	to->last = &s->next;
	to->queued += n;
}

/* What n bytes written now do on their way. */
static void send_bytes(struct end *e, const uint8_t *p, size_t n)
{
	struct stream_mem_options *o = &e->pair->options;
	struct end *to = peer_of(e);
	int64_t at = loop_now(e->pair->loop) + o->delay_us;
	int64_t sent = (int64_t)e->sent, cut = o->cut_after[index_of(e)], stall = o->stall_after[index_of(e)];
	size_t before = n;	/* those of them that arrive */

	e->sent += n;
	if (cut >= 0 && sent + (int64_t)n >= cut) {
		before = cut > sent ? (size_t)(cut - sent) : 0;
		e->pair->dead = true;
		e->cut_at = to->cut_at = at;
	}
	if (stall >= 0 && sent + (int64_t)before > stall) {
		size_t part = stall > sent ? (size_t)(stall - sent) : 0;

		if (part)
			append(to, p, part, at);
		append(to, p + part, before - part, NEVER);
	} else if (before) {
		append(to, p, before, at);
	}
}

static ssize_t mem_write(struct stream *stream, const uint8_t *p, size_t n)
{
	struct end *e = end_of(stream);
	size_t chunk = e->pair->options.write_chunk;
	int64_t now = loop_now(e->pair->loop);
	size_t room = room_of(e);

	assert(!e->closed && !e->finished && n > 0);
	e->spins = 0;
	if (e->cut_at <= now || e->refuse_at <= now)
		return ERROR_RESET;
	if (chunk && n > chunk)
		n = chunk;
	if (e->pair->dead || peer_of(e)->closed) {
		e->sent += n;
		return (ssize_t)n;
	}
	if (room == 0)
		return ERROR_AGAIN;
	if (n > room)
		n = room;
	send_bytes(e, p, n);
	arm(peer_of(e));
	arm(e);
	return (ssize_t)n;
}

static void mem_want(struct stream *stream, bool read, bool write)
{
	struct end *e = end_of(stream);

	assert(!e->closed);
	e->want_read = read;
	e->want_write = write;
	arm(e);
}

static void mem_info(struct stream *stream, struct stream_info *i)
{
	const char *alpn = end_of(stream)->pair->options.alpn;

	*i = (struct stream_info){ .alpn = alpn ? alpn : "", .tls = "" };
	snprintf(i->peer, sizeof i->peer, "[::%d]:1", index_of(end_of(stream)) ? 1 : 2);
}

static void drop_queue(struct end *e)
{
	struct segment *s;

	while ((s = e->first)) {
		e->first = s->next;
		free(s);
	}
	e->last = &e->first;
	e->queued = 0;
}

static void mem_close(struct stream *stream)
{
	struct end *e = end_of(stream), *peer = peer_of(e);
	int64_t now = loop_now(e->pair->loop);

	assert(!e->closed);
	stream_mem_finish(stream);
	e->closed = true;
	timer_stop(&e->wake);
	drop_queue(e);
	if (peer->closed) {
		drop_queue(peer);
		loop_free_later(e->pair->loop, e->pair);
		return;
	}
	peer->refuse_at = now + 2 * e->pair->options.delay_us;
	arm(peer);
}

static void mem_tune(struct stream *s, unsigned use)
{
	end_of(s)->sparse = use & STREAM_SPARSE;
}

bool stream_mem_sparse(const struct stream *s)
{
	return end_of(s)->sparse;
}

static const struct stream_ops mem_ops = {
	.tune = mem_tune,
	.read = mem_read, .write = mem_write, .want = mem_want, .info = mem_info, .close = mem_close,
};

void stream_mem_pair(struct loop *l, struct stream **a, struct stream **b, const struct stream_mem_options *o)
{
	struct pair *p = calloc(1, sizeof *p);

	if (!p)
		abort();
	p->loop = l;
	p->options = o ? *o : stream_mem_plain;
	for (int i = 0; i < 2; i++) {
		struct end *e = &p->end[i];

		e->base.ops = &mem_ops;
		e->pair = p;
		e->last = &e->first;
		e->eof_at = e->cut_at = e->refuse_at = NEVER;
		timer_init(&e->wake, l, on_wake, e);
	}
	*a = &p->end[0].base;
	*b = &p->end[1].base;
}

struct stream_mem_options *stream_mem_options(struct stream *s)
{
	return &end_of(s)->pair->options;
}

void stream_mem_cut(struct stream *s)
{
	struct pair *p = end_of(s)->pair;

	p->dead = true;
	for (int i = 0; i < 2; i++) {
		p->end[i].cut_at = sooner(p->end[i].cut_at, loop_now(p->loop));
		arm(&p->end[i]);
	}
}

void stream_mem_finish(struct stream *s)
{
	struct end *e = end_of(s), *to = peer_of(e);
	int64_t stall = e->pair->options.stall_after[index_of(e)];

	if (e->finished)
		return;
	e->finished = true;
	if (stall < 0 || (uint64_t)stall > e->sent)
		to->eof_at = later_of(loop_now(e->pair->loop) + e->pair->options.delay_us, to->last_at);
	arm(to);
}

void stream_mem_stall(struct stream *s, bool on)
{
	struct end *e = end_of(s), *to = peer_of(e);
	int64_t at = loop_now(e->pair->loop) + e->pair->options.delay_us;

	e->pair->options.stall_after[index_of(e)] = on ? (int64_t)e->sent : -1;
	if (on)
		return;
	for (struct segment *g = to->first; g; g = g->next)
		if (g->at == NEVER)
			g->at = at;
	if (e->finished)
		to->eof_at = sooner(to->eof_at, at);
	arm(to);
}

void stream_mem_fail(struct stream *s, int error)
{
	struct end *e = end_of(s);

	e->fail = error;
	stream_mem_cut(s);
}

uint64_t stream_mem_sent(const struct stream *s)
{
	return end_of(s)->sent;
}

bool stream_mem_closed(const struct stream *s)
{
	return end_of(s)->closed;
}

struct stream *stream_mem_peer(struct stream *s)
{
	return &peer_of(end_of(s))->base;
}
