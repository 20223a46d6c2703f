/* Called by egress_framed.c for both directions of a channel. */
#include "server/egress_frames.h"

#include <stdlib.h>
#include <string.h>

#include "framing/cursor.h"
#include "framing/error.h"

#define PIECE 8192	/* bytes of a message that become one frame at most */
#define LENGTH 4
#define FIRST 4096

/* ---- from the target ---- */

static int put_piece(struct egress_frames_in *f, const uint8_t *p, size_t n, bool last)
{
	enum websocket_opcode type = f->framing == EGRESS_LINES ? WEBSOCKET_TEXT : WEBSOCKET_BINARY;
	uint8_t frame[WEBSOCKET_HEAD_MAX + PIECE];
	ssize_t put = websocket_frame_put(frame, sizeof frame, f->open ? WEBSOCKET_CONTINUATION : type, last, p, n, NULL);

	if (put < 0)
		return (int)put;
	f->open = !last;
	f->put(f->ctx, frame, (size_t)put);
	return 0;
}

static int put(struct egress_frames_in *f, const uint8_t *p, size_t n, bool last)
{
	if (n > f->message_max - f->size)
		return ERROR_LIMIT;
	f->size = last ? 0 : f->size + n;
	if (f->framing == EGRESS_LINES && (!utf8_feed(&f->utf8, p, n) || (last && !utf8_whole(&f->utf8))))
		return ERROR_MALFORMED;
	while (n > PIECE) {
		(void)put_piece(f, p, PIECE, false);
		p += PIECE;
		n -= PIECE;
	}
	return n || last ? put_piece(f, p, n, last) : 0;
}

static int read_lines(struct egress_frames_in *f, const uint8_t *p, size_t n)
{
	int rc = 0;

	while (n > 0 && !rc) {
		const uint8_t *feed = memchr(p, '\n', n);
		size_t len = feed ? (size_t)(feed - p) : n, used = feed ? len + 1 : len;
		bool cr = len > 0 && p[len - 1] == '\r';

		if (f->cr && len > 0)
			rc = put(f, (const uint8_t *)"\r", 1, false);
		if (!rc)
			rc = put(f, p, len - cr, feed);
		f->cr = (cr || (f->cr && len == 0)) && !feed;
		p += used;
		n -= used;
	}
	return rc;
}

static size_t read_length(struct egress_frames_in *f, const uint8_t *p, size_t n)
{
	size_t some = LENGTH - f->length_n < n ? LENGTH - f->length_n : n;
	struct cursor c;

	memcpy(f->length + f->length_n, p, some);
	f->length_n += some;
	cursor_init(&c, f->length, LENGTH);
	if (f->length_n == LENGTH)
		f->left = cursor_u32(&c);
	return some;
}

static int read_lengths(struct egress_frames_in *f, const uint8_t *p, size_t n)
{
	int rc = 0;

	while (n > 0 && !rc) {
		bool head = f->length_n < LENGTH;
		size_t some = head ? read_length(f, p, n) : n < f->left ? n : (size_t)f->left;

		if (f->length_n == LENGTH && f->left > f->message_max)
			return ERROR_LIMIT;
		if (!head)
			f->left -= some;
		if (!head || (f->length_n == LENGTH && f->left == 0))
			rc = put(f, p, head ? 0 : some, f->left == 0);
		if (f->length_n == LENGTH && f->left == 0)
			f->length_n = 0;
		p += some;
		n -= some;
	}
	return rc;
}

int egress_frames_read(struct egress_frames_in *f, const uint8_t *p, size_t n)
{
	return f->framing == EGRESS_LINES ? read_lines(f, p, n) : read_lengths(f, p, n);
}

bool egress_frames_between(const struct egress_frames_in *f)
{
	return !f->open && !f->cr && !f->length_n;
}

/* ---- to it ---- */

static uint8_t *grow(struct egress_frames_out *f, size_t n)
{
	if (f->n + n > f->cap) {
		f->cap = f->n + n > FIRST ? 2 * (f->n + n) : FIRST;
		f->p = realloc(f->p, f->cap);
		if (!f->p)
			abort();
	}
	f->n += n;
	return f->p + f->n - n;
}

static void append(struct egress_frames_out *f, const uint8_t *p, size_t n)
{
	if (n)
		memcpy(grow(f, n), p, n);
}

/* The message's place begins behind the last whole one. */
static void write_length(struct egress_frames_out *f)
{
	struct writer w;

	writer_init(&w, f->p + f->ready, LENGTH);
	writer_u32(&w, (uint32_t)(f->n - f->ready - LENGTH));
}

int egress_frames_write(struct egress_frames_out *f, enum websocket_opcode type, const uint8_t *p, size_t n, bool first, bool last)
{
	if (f->framing == EGRESS_LINES && (type != WEBSOCKET_TEXT || (n && (memchr(p, '\n', n) || memchr(p, '\r', n)))))
		return ERROR_MALFORMED;
	if (f->framing == EGRESS_LENGTHS && first)
		memset(grow(f, LENGTH), 0, LENGTH);
	append(f, p, n);
	if (f->framing == EGRESS_LINES && last)
		append(f, (const uint8_t *)"\n", 1);
	if (!last)
		return 0;
	if (f->framing == EGRESS_LENGTHS)
		write_length(f);
	f->ready = f->n;
	return 0;
}

void egress_frames_sent(struct egress_frames_out *f, size_t n)
{
	f->at += n;
	if (f->at < f->ready)
		return;
	memmove(f->p, f->p + f->at, f->n - f->at);
	f->n -= f->at;
	f->at = f->ready = 0;
}

void egress_frames_fini(struct egress_frames_out *f)
{
	free(f->p);
	f->p = NULL;
}
