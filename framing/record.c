/*
 * Record codec: builds a RECORD capsule around capsules written in place, and
 * takes bodies apart again. Called by carriers on both sides with whatever bytes
 * came; calls varint, capsule and its events.
 *
 * The reader works in units: the head of a top-level capsule (for RECORD with
 * number and clock), or one whole capsule of a record. A unit that lies whole in
 * the portion is handed out in place, else it is gathered in buf.
 */
#include "framing/record.h"

#include <stdlib.h>
#include <string.h>

#include "framing/capsule.h"
#include "framing/error.h"
#include "framing/varint.h"

#define CLOCK_LEN 4
#define UNIT_MAX (CAPSULE_HEAD_MAX + CAPSULE_MAX)

void record_begin(struct record_builder *b, uint8_t *buf, size_t cap, uint64_t number, uint32_t clock_ms)
{
	if (cap > CAPSULE_TOP_MAX)
		cap = CAPSULE_TOP_MAX;
	b->start = buf;
	writer_init(&b->w, buf, cap);
	writer_varint(&b->w, CAPSULE_RECORD);
	writer_u32(&b->w, 0); /* the length, filled in at the end */
	writer_varint(&b->w, number);
	writer_u32(&b->w, clock_ms);
	b->head = writer_len(&b->w);
}

size_t record_finish(struct record_builder *b)
{
	size_t len = writer_len(&b->w);

	varint_put4(b->start + 1, (uint32_t)(len - 5));
	return len;
}

void record_reader_init(struct record_reader *r, const struct record_events *events, void *ctx, bool strict)
{
	memset(r, 0, sizeof *r);
	r->events = events;
	r->ctx = ctx;
	r->strict = strict;
}

void record_reader_fini(struct record_reader *r)
{
	free(r->buf);
	r->buf = NULL;
	r->len = r->cap = 0;
}

bool record_reader_whole(const struct record_reader *r)
{
	return !r->in_record && r->skip == 0 && r->len == 0;
}

/* Bytes of the varint at p as far as can be told: 1 when not even the first is there. */
static size_t varint_need(const uint8_t *p, size_t n)
{
	return n ? (size_t)1 << (p[0] >> 6) : 1;
}

/* Bytes of the capsule header at p, as far as can be told. */
static size_t head_need(const uint8_t *p, size_t n)
{
	size_t need = varint_need(p, n);

	return need > n ? need : need + varint_need(p + need, n - need);
}

/*
 * Bytes of the unit at p as far as the n bytes there tell, or an error. The unit
 * is complete when the result is not more than n; else it grows as bytes come.
 */
static ssize_t top_need(const struct record_reader *r, const uint8_t *p, size_t n)
{
	uint64_t type;
	size_t len, head, number;

	if (r->strict && !r->begun && varint_get(p, n, &type) && type != CAPSULE_RECORD && type != CAPSULE_PAD)
		return ERROR_HTTP;
	head = head_need(p, n);
	if (head > n)
		return (ssize_t)head;
	if (capsule_head_get(p, n, CAPSULE_TOP_MAX, &type, &len) < 0)
		return ERROR_MALFORMED;
	if (type == CAPSULE_PAD && len > CAPSULE_PAD_MAX)
		return ERROR_MALFORMED;
	if (type != CAPSULE_RECORD)
		return (ssize_t)head;
	number = varint_need(p + head, n - head);
	if (len < number + CLOCK_LEN)
		return ERROR_MALFORMED;
	return (ssize_t)(head + number + (head == n ? 0 : CLOCK_LEN));
}

static ssize_t inner_need(const struct record_reader *r, const uint8_t *p, size_t n)
{
	size_t need = head_need(p, n), len;
	uint64_t type;

	if (varint_get(p, n, &type) && type == CAPSULE_RECORD)
		return ERROR_MALFORMED;
	if (need <= n) {
		if (capsule_head_get(p, n, CAPSULE_MAX, &type, &len) < 0)
			return ERROR_MALFORMED;
		if (type == CAPSULE_PAD && len > CAPSULE_PAD_MAX)
			return ERROR_MALFORMED;
		need += len;
	}
	return need > r->left ? ERROR_MALFORMED : (ssize_t)need;
}

static ssize_t unit_need(const struct record_reader *r, const uint8_t *p, size_t n)
{
	return r->in_record ? inner_need(r, p, n) : top_need(r, p, n);
}

/* Ends the record when all of it was handed out. */
static int record_check_end(struct record_reader *r)
{
	if (r->left > 0)
		return 0;
	r->in_record = false;
	return r->events->end(r->ctx);
}

static int top_unit(struct record_reader *r, const uint8_t *p, size_t n)
{
	uint64_t type, number = 0;
	uint32_t clock_ms;
	struct cursor c;
	size_t len;
	int rc;

	cursor_init(&c, p, n);
	type = cursor_varint(&c);
	len = (size_t)cursor_varint(&c);
	if (type != CAPSULE_RECORD) {
		r->begun |= type == CAPSULE_PAD;
		r->skip = len;
		return 0;
	}
	r->begun = true;
	r->left = len - cursor_left(&c);
	r->in_record = true;
	number = cursor_varint(&c);
	clock_ms = cursor_u32(&c);
	rc = r->events->begin(r->ctx, number, clock_ms);
	return rc ? rc : record_check_end(r);
}

static int inner_unit(struct record_reader *r, const uint8_t *p, size_t n)
{
	struct cursor c;
	uint64_t type;
	int rc;

	cursor_init(&c, p, n);
	type = cursor_varint(&c);
	cursor_varint(&c);
	r->left -= n;
	rc = r->events->capsule(r->ctx, type, cursor_rest(&c));
	return rc ? rc : record_check_end(r);
}

static int unit_take(struct record_reader *r, const uint8_t *p, size_t n)
{
	return r->in_record ? inner_unit(r, p, n) : top_unit(r, p, n);
}

/* Appends to the incomplete unit in buf. */
static void buf_append(struct record_reader *r, const uint8_t *p, size_t n)
{
	size_t cap = r->cap ? r->cap : 512;

	while (cap < r->len + n)
		cap *= 2;
	if (cap > UNIT_MAX)
		cap = UNIT_MAX;
	if (cap > r->cap) {
		r->buf = realloc(r->buf, cap);
		if (!r->buf)
			abort();
		r->cap = cap;
	}
	memcpy(r->buf + r->len, p, n);
	r->len += n;
}

/* Completes the unit in buf with as many of the n bytes as it needs: bytes taken. */
static ssize_t feed_gathered(struct record_reader *r, const uint8_t *p, size_t n)
{
	size_t taken = 0;
	ssize_t need;

	while ((need = unit_need(r, r->buf, r->len)) > (ssize_t)r->len) {
		size_t more = (size_t)need - r->len;

		if (more > n - taken)
			more = n - taken;
		if (more == 0)
			return (ssize_t)taken;
		buf_append(r, p + taken, more);
		taken += more;
	}
	if (need > 0) {
		r->len = 0;
		need = unit_take(r, r->buf, (size_t)need);
	}
	return need < 0 ? need : (ssize_t)taken;
}

/* Takes the unit at p, or keeps all bytes of it for later: bytes taken. */
static ssize_t feed_in_place(struct record_reader *r, const uint8_t *p, size_t n)
{
	ssize_t need = unit_need(r, p, n);
	int rc;

	if (need < 0)
		return need;
	if ((size_t)need > n) {
		buf_append(r, p, n);
		return (ssize_t)n;
	}
	rc = unit_take(r, p, (size_t)need);
	return rc ? rc : need;
}

int record_reader_feed(struct record_reader *r, const uint8_t *p, size_t n)
{
	while (n > 0) {
		ssize_t taken;

		if (r->skip > 0) {
			taken = (ssize_t)(r->skip < n ? r->skip : n);
			r->skip -= (size_t)taken;
		} else if (r->len > 0) {
			taken = feed_gathered(r, p, n);
		} else {
			taken = feed_in_place(r, p, n);
		}
		if (taken < 0)
			return (int)taken;
		p += taken;
		n -= (size_t)taken;
	}
	return 0;
}
