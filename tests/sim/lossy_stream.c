/* The lossy network: an end of a connection as a stream, and how it receives. */
#include "tests/sim/lossy_internal.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "framing/error.h"

#define ACK_DELAY (40 * LOOP_MS)
#define ACK_SEGMENT 536		/* more than a segment's worth is acknowledged at once */

static const struct stream_ops lossy_ops;

static struct lossy_end *end_of(const struct stream *s)
{
	return (struct lossy_end *)(uintptr_t)s;
}

/* ---- what may be read and written ---- */

static bool is_reset(const struct lossy_end *e)
{
	return e->reset_us <= loop_now(end_loop(e));
}

static bool is_readable(const struct lossy_end *e)
{
	return e->reading < e->expected || is_reset(e);
}

static size_t room_of(const struct lossy_end *e)
{
	size_t most = e->pair->lossy->o.unsent;

	return e->unsent < most ? most - e->unsent : 0;
}

static void wake(void *ctx)
{
	struct lossy_end *e = ctx;

	if (e->want_read && is_readable(e))
		e->base.events->readable(e->base.ctx);
	if (!e->closed && e->want_write && (room_of(e) || is_reset(e)))
		e->base.events->writable(e->base.ctx);
	end_arm(e);
}

void end_arm(struct lossy_end *e)
{
	int64_t now = loop_now(end_loop(e));

	if (e->closed || (!e->want_read && !e->want_write))
		timer_stop(&e->wake);
	else if ((e->want_read && is_readable(e)) || (e->want_write && room_of(e)))
		timer_set(&e->wake, now);
	else if (e->reset_us != NEVER)
		timer_set(&e->wake, max_of(now, e->reset_us));
	else
		timer_stop(&e->wake);
}

/* ---- segments ---- */

static struct segment *append(struct lossy_end *e)
{
	struct segment *s = calloc(1, sizeof *s);

	if (!s)
		abort();
	if (e->end - e->first == e->slots) {
		e->slots = e->slots ? 2 * e->slots : 16;
		e->segment = realloc(e->segment, e->slots * sizeof(struct segment *));
		if (!e->segment)
			abort();
	}
	e->segment[e->end++ - e->first] = s;
	return s;
}

/* Forgets what was acknowledged and read. */
static void collect(struct lossy_end *e)
{
	uint64_t keep = e->una < end_peer(e)->reading ? e->una : end_peer(e)->reading;

	if (keep - e->first < 32)
		return;
	for (uint64_t i = e->first; i < keep; i++)
		free(end_segment(e, i));
	memmove(e->segment, e->segment + (keep - e->first), (size_t)(e->end - keep) * sizeof(struct segment *));
	e->first = keep;
}

static struct segment *open_segment(struct lossy_end *e)
{
	struct segment *s = e->end > e->next ? end_segment(e, e->end - 1) : NULL;

	return s && s->len < SEGMENT_MAX ? s : append(e);
}

/* ---- receiving ---- */

static void acknowledge_now(struct lossy_end *e)
{
	e->unacked = 0;
	timer_stop(&e->ack);
	lossy_carry(e, false, 0, 0);
}

static void on_ack_delay(void *ctx)
{
	struct lossy_end *e = ctx;

	e->interactive = false;
	acknowledge_now(e);
}

/* Segments behind a hole have come. */
static bool has_hole(const struct lossy_end *e)
{
	const struct lossy_end *peer = end_peer(e);

	for (uint64_t i = e->expected + 1; i < peer->next; i++)
		if (end_segment(peer, i)->arrived)
			return true;
	return false;
}

void end_on_data(struct lossy_end *e, uint64_t number)
{
	struct lossy_end *peer = end_peer(e);
	struct segment *s = number >= peer->first ? end_segment(peer, number) : NULL;
	uint64_t before = e->expected;

	if (!s || s->arrived) {
		acknowledge_now(e);
		return;
	}
	s->arrived = true;
	e->unacked += s->len;
	if (s->len > e->largest)
		e->largest = s->len;
	for (; e->expected < peer->next && end_segment(peer, e->expected)->arrived; e->expected++)
		e->unread += end_segment(peer, e->expected)->len;
	if (e->closed) {
		e->reading = e->expected;
		e->unread = 0;
		if (!s->fin)
			peer->reset_us = min_of(peer->reset_us, loop_now(end_loop(e)) + e->pair->lossy->queue[e->side].way.delay_us);
	}
	if (!e->interactive || e->sparse || e->expected != before + 1 || has_hole(e) ||
	    e->unacked > (e->largest > ACK_SEGMENT ? e->largest : ACK_SEGMENT))
		acknowledge_now(e);
	else if (!timer_armed(&e->ack))
		timer_in(&e->ack, ACK_DELAY);
	end_arm(e);
}

/* ---- the stream ---- */

static ssize_t lossy_read(struct stream *stream, uint8_t *p, size_t cap)
{
	struct lossy_end *e = end_of(stream), *peer = end_peer(e);
	bool was_full = e->unread > 0;
	size_t n = 0;

	assert(!e->closed && cap > 0);
	if (is_reset(e))
		return ERROR_RESET;
	while (n < cap && e->reading < e->expected) {
		struct segment *s = end_segment(peer, e->reading);
		size_t part = s->len - e->read_pos < cap - n ? s->len - e->read_pos : cap - n;

		if (s->fin)
			break;
		memcpy(p + n, s->bytes + e->read_pos, part);
		n += part;
		e->read_pos += part;
		if (e->read_pos == s->len) {
			e->reading++;
			e->read_pos = 0;
		}
	}
	e->unread -= n;
	collect(peer);
	if (was_full && peer->next < peer->end)
		tcp_output(peer);
	end_arm(e);
	return n > 0 ? (ssize_t)n : e->reading < e->expected ? 0 : ERROR_AGAIN;
}

static ssize_t lossy_write(struct stream *stream, const uint8_t *p, size_t n)
{
	struct lossy_end *e = end_of(stream);
	size_t room = room_of(e), done = 0;
	struct segment *s = NULL;

	assert(!e->closed && !e->finished && n > 0);
	if (is_reset(e))
		return ERROR_RESET;
	if (room == 0)
		return ERROR_AGAIN;
	if (n > room)
		n = room;
	while (done < n) {
		size_t part;

		s = open_segment(e);
		part = n - done < SEGMENT_MAX - s->len ? n - done : SEGMENT_MAX - s->len;
		memcpy(s->bytes + s->len, p + done, part);
		s->len += part;
		done += part;
	}
	s->extra += RECORD_EXTRA;
	e->written += n;
	e->unsent += n;
	tcp_output(e);
	end_arm(e);
	return (ssize_t)n;
}

static void lossy_want(struct stream *stream, bool read, bool write)
{
	struct lossy_end *e = end_of(stream);

	assert(!e->closed);
	e->want_read = read;
	e->want_write = write;
	end_arm(e);
}

static void lossy_info(struct stream *stream, struct stream_info *i)
{
	*i = (struct stream_info){ .alpn = end_of(stream)->pair->lossy->o.http2 ? "h2" : "", .tls = "" };
	snprintf(i->peer, sizeof i->peer, "[::%d]:1", end_of(stream)->side ? 1 : 2);
}

static void fini(struct lossy_end *e)
{
	timer_stop(&e->timer);
	timer_stop(&e->ack);
	for (uint64_t i = e->first; i < e->end; i++)
		free(end_segment(e, i));
	free(e->segment);
}

static void lossy_close(struct stream *stream)
{
	struct lossy_end *e = end_of(stream), *peer = end_peer(e);

	assert(!e->closed);
	e->closed = e->finished = true;
	timer_stop(&e->wake);
	if (peer->closed) {
		lossy_forget(e->pair);
		fini(e);
		fini(peer);
		loop_free_later(end_loop(e), e->pair);
		return;
	}
	append(e)->fin = true;
	e->reading = e->expected;
	e->unread = 0;
	tcp_output(e);
}

static void lossy_tune(struct stream *stream, unsigned use)
{
	struct lossy_end *e = end_of(stream);

	e->sparse = use & STREAM_SPARSE && !e->pair->lossy->o.untuned;
}

static const struct stream_ops lossy_ops = {
	.read = lossy_read, .write = lossy_write, .want = lossy_want, .info = lossy_info, .close = lossy_close,
	.tune = lossy_tune,
};

void end_init(struct lossy_end *e, struct lossy_pair *p, int side)
{
	e->base.ops = &lossy_ops;
	e->pair = p;
	e->side = side;
	e->reset_us = NEVER;
	timer_init(&e->wake, end_loop(e), wake, e);
	timer_init(&e->ack, end_loop(e), on_ack_delay, e);
	tcp_init(e);
}
