/*
 * WebSocket codec over wslay's frames: the one file that sees wslay. Called by the WebSocket
 * exchange and by tests; calls wslay, mask and utf8.
 *
 * wslay knows what a frame is: lengths and their forms, what control frames may be. What it does
 * not know, messages, masks and reserved bits, is checked here, at each frame's head. It takes bytes
 * into a buffer of its own and would take masks off octet by octet; so masks are taken off
 * on the way into that buffer, and wslay is shown frames without any. It gets no byte of a frame
 * before the whole head is there, and none of the next frame before this one is through: a payload that
 * came in one piece is handed out in one piece, up to the size of that buffer (4 KiB).
 */
#include "framing/websocket.h"

#include <stdlib.h>
#include <string.h>
#include <wslay/wslay.h>

#include "framing/error.h"
#include "framing/mask.h"
#include "framing/utf8.h"

#define FIN 0x80
#define RESERVED 0x70
#define OPCODE 0x0f
#define CONTROL 0x08
#define MASKED 0x80
#define LENGTH 0x7f
#define LENGTH_16 126		/* what stands for a length of 2, of 8 octets */
#define LENGTH_64 127

struct websocket_reader {
	const struct websocket_events *events;
	void *ctx;
	wslay_frame_context_ptr frames;
	const uint8_t *p;	/* of the portion: what wslay has not got yet */
	size_t n;
	/* The frame: what is there of its head, then what wslay has not got of its payload. */
	uint8_t head[WEBSOCKET_HEAD_MAX];
	size_t head_len;
	uint8_t key[MASK_KEY];
	uint64_t at, left;
	uint8_t control[WEBSOCKET_CONTROL_MAX];
	size_t control_len;
	/* The message. */
	size_t size, max;	/* octets so far, the open frame's included */
	struct utf8 utf8;	/* between two texts it is as it was at first */
	enum websocket_opcode type;
	bool open, first;	/* a message is open; nothing of it was handed out */
	bool masked;		/* frames must be */
	bool closed;		/* by a close frame */
	unsigned code;
	int error;		/* of the first failure; for good */
};

static int fail(struct websocket_reader *r, unsigned code, int error)
{
	r->code = code;
	r->error = error;
	return error;
}

static bool is_control(uint8_t opcode)
{
	return opcode & CONTROL;
}

/* Octets of the head at p that n octets of it tell of. */
static size_t head_need(const uint8_t *p, size_t n)
{
	size_t need = 2;

	if (n < need)
		return need;
	if ((p[1] & LENGTH) == LENGTH_16)
		need += sizeof(uint16_t);
	if ((p[1] & LENGTH) == LENGTH_64)
		need += sizeof(uint64_t);
	return need + (p[1] & MASKED ? MASK_KEY : 0);
}

static uint64_t head_length(const uint8_t *p)
{
	struct cursor c;

	cursor_init(&c, p + 2, sizeof(uint64_t));
	switch (p[1] & LENGTH) {
	case LENGTH_16: return cursor_u16(&c);
	case LENGTH_64: return cursor_u64(&c);
	default: return p[1] & LENGTH;
	}
}

static bool opcode_known(uint8_t opcode)
{
	return opcode <= WEBSOCKET_BINARY || (opcode >= WEBSOCKET_CLOSE && opcode <= WEBSOCKET_PONG);
}

/* A frame of a message begins. */
static int message_frame(struct websocket_reader *r, uint8_t opcode, uint64_t length)
{
	if (r->open != (opcode == WEBSOCKET_CONTINUATION))
		return fail(r, WEBSOCKET_PROTOCOL, ERROR_MALFORMED);
	if (!r->open) {
		r->open = r->first = true;
		r->type = opcode;
		r->size = 0;
	}
	if (length > r->max - r->size && length <= INT64_MAX) /* beyond that it is no length */
		return fail(r, WEBSOCKET_TOO_BIG, ERROR_LIMIT);
	r->size += (size_t)length;
	return 0;
}

static int frame_begin(struct websocket_reader *r)
{
	uint8_t opcode = r->head[0] & OPCODE;

	if ((r->head[0] & RESERVED) || !opcode_known(opcode) || !!(r->head[1] & MASKED) != r->masked)
		return fail(r, WEBSOCKET_PROTOCOL, ERROR_MALFORMED);
	r->at = 0;
	r->left = head_length(r->head);
	r->control_len = 0;
	return is_control(opcode) ? 0 : message_frame(r, opcode, r->left);
}

/* For wslay: the head once it is there, without the mask. */
static ssize_t give_head(struct websocket_reader *r, uint8_t *out)
{
	size_t need;

	while (r->head_len < (need = head_need(r->head, r->head_len))) {
		if (r->n == 0)
			return -1;
		r->head[r->head_len++] = *r->p++;
		r->n--;
	}
	r->head_len = 0;
	if (frame_begin(r) < 0)
		return -1;
	if (r->masked) {
		need -= MASK_KEY;
		memcpy(r->key, r->head + need, MASK_KEY);
	}
	memcpy(out, r->head, need);
	out[1] &= LENGTH;
	return (ssize_t)need;
}

static ssize_t give_payload(struct websocket_reader *r, uint8_t *out, size_t cap)
{
	size_t n = r->n < cap ? r->n : cap;

	if (n > r->left)
		n = (size_t)r->left;
	if (r->masked)
		mask_copy(out, r->p, n, r->key, r->at);
	else
		memcpy(out, r->p, n);
	r->p += n;
	r->n -= n;
	r->at += n;
	r->left -= n;
	return (ssize_t)n;
}

/* wslay wants bytes; its buffer is empty then. */
static ssize_t on_want(uint8_t *out, size_t cap, int flags, void *ctx)
{
	struct websocket_reader *r = ctx;

	(void)flags;
	if (r->n == 0 || r->error)
		return -1;
	return r->left ? give_payload(r, out, cap) : give_head(r, out);
}

static int message_piece(struct websocket_reader *r, const struct wslay_frame_iocb *f)
{
	bool last = f->fin && r->left == 0, first = r->first;

	if (r->type == WEBSOCKET_TEXT &&
	    (!utf8_feed(&r->utf8, f->data, f->data_length) || (last && !utf8_whole(&r->utf8))))
		return fail(r, WEBSOCKET_NOT_UTF8, ERROR_MALFORMED);
	r->first = false;
	if (last)
		r->open = false;
	return r->events->data(r->ctx, r->type, f->data, f->data_length, first, last);
}

static int close_frame(struct websocket_reader *r)
{
	struct cursor c;
	unsigned code = WEBSOCKET_NO_CODE;
	struct span reason;

	cursor_init(&c, r->control, r->control_len);
	if (r->control_len > 0) {
		code = cursor_u16(&c);
		if (c.bad || !websocket_code_ok(code))
			return fail(r, WEBSOCKET_PROTOCOL, ERROR_MALFORMED);
	}
	reason = cursor_rest(&c);
	if (!utf8_ok(reason.p, reason.n))
		return fail(r, WEBSOCKET_NOT_UTF8, ERROR_MALFORMED);
	r->closed = true;
	return r->events->close(r->ctx, code, reason);
}

static int control_piece(struct websocket_reader *r, const struct wslay_frame_iocb *f)
{
	struct span payload = { r->control, r->control_len + f->data_length };

	if (f->data_length)
		memcpy(r->control + r->control_len, f->data, f->data_length);
	r->control_len = payload.n;
	if (r->left > 0)
		return 0;
	switch (f->opcode) {
	case WEBSOCKET_PING: return r->events->ping(r->ctx, payload);
	case WEBSOCKET_PONG: return r->events->pong(r->ctx, payload);
	default: return close_frame(r);
	}
}

struct websocket_reader *websocket_reader_new(bool masked, size_t message_max, const struct websocket_events *events, void *ctx)
{
	struct wslay_frame_callbacks callbacks = { .recv_callback = on_want };
	struct websocket_reader *r = calloc(1, sizeof *r);

	if (!r || wslay_frame_context_init(&r->frames, &callbacks, r) != 0)
		abort();
	r->masked = masked;
	r->max = message_max;
	r->events = events;
	r->ctx = ctx;
	r->code = WEBSOCKET_NORMAL;
	return r;
}

void websocket_reader_free(struct websocket_reader *r)
{
	if (!r)
		return;
	wslay_frame_context_free(r->frames);
	free(r);
}

int websocket_reader_feed(struct websocket_reader *r, const uint8_t *p, size_t n)
{
	struct wslay_frame_iocb frame;
	ssize_t got;
	int rc;

	r->p = p;
	r->n = n;
	while (!r->error && !r->closed) {
		got = wslay_frame_recv(r->frames, &frame);
		if (r->error || got == WSLAY_ERR_WANT_READ)
			break;
		if (got < 0)
			return fail(r, WEBSOCKET_PROTOCOL, ERROR_MALFORMED);
		rc = is_control(frame.opcode) ? control_piece(r, &frame) : message_piece(r, &frame);
		if (rc < 0 && !r->error)
			return fail(r, WEBSOCKET_INTERNAL, rc);
	}
	return r->error;
}

unsigned websocket_reader_code(const struct websocket_reader *r)
{
	return r->code;
}

/* What wslay writes into: one frame at a time, from its head to the end within one call. */
struct frame {
	uint8_t *p;
	const uint8_t *mask;
	size_t len, head;
};

static ssize_t on_bytes(const uint8_t *p, size_t n, int flags, void *ctx)
{
	struct frame *f = ctx;

	(void)flags;
	if (f->head && f->mask)
		mask_copy(f->p + f->len, p, n, f->mask, f->len - f->head);
	else
		memcpy(f->p + f->len, p, n);
	f->len += n;
	if (f->head)
		return (ssize_t)n;
	if (f->mask) {
		f->p[1] |= MASKED;
		memcpy(f->p + f->len, f->mask, MASK_KEY);
		f->len += MASK_KEY;
	}
	f->head = f->len;
	return (ssize_t)n;
}

static size_t head_size(size_t n, bool masked)
{
	return 2u + (n < LENGTH_16 ? 0 : n <= UINT16_MAX ? sizeof(uint16_t) : sizeof(uint64_t)) + (masked ? MASK_KEY : 0);
}

ssize_t websocket_frame_put(uint8_t *out, size_t cap, enum websocket_opcode opcode, bool fin, const uint8_t *p, size_t n, const uint8_t *mask)
{
	static wslay_frame_context_ptr frames; /* nothing of a frame stays in it */
	static struct frame to;
	struct wslay_frame_callbacks callbacks = { .send_callback = on_bytes };
	struct wslay_frame_iocb frame = { .fin = fin, .opcode = opcode, .payload_length = n, .data = p, .data_length = n };
	size_t head = head_size(n, mask);

	if (cap < head || cap - head < n)
		return ERROR_LIMIT;
	if (!frames && wslay_frame_context_init(&frames, &callbacks, &to) != 0)
		abort();
	to = (struct frame){ .p = out, .mask = mask };
	if (wslay_frame_send(frames, &frame) < 0) /* a control frame that must not be */
		return ERROR_LIMIT;
	return (ssize_t)to.len;
}

ssize_t websocket_close_put(uint8_t *out, size_t cap, unsigned code, const char *reason, const uint8_t *mask)
{
	uint8_t payload[WEBSOCKET_CONTROL_MAX];
	struct writer w;

	writer_init(&w, payload, sizeof payload);
	if (code != WEBSOCKET_NO_CODE) {
		writer_u16(&w, (uint16_t)code);
		writer_bytes(&w, reason, strlen(reason));
	}
	if (w.full || (code != WEBSOCKET_NO_CODE && !websocket_code_ok(code)))
		return ERROR_LIMIT;
	return websocket_frame_put(out, cap, WEBSOCKET_CLOSE, true, payload, writer_len(&w), mask);
}

bool websocket_code_ok(unsigned code)
{
	return (code >= 1000 && code <= 1014 && (code < 1004 || code > 1006)) || (code >= 3000 && code <= 4999);
}
