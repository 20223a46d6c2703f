/*
 * WebSocket frames and a listener for tests; see frames.h.
 */
#include "tests/lib/frames.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

static void octet(struct wire *w, unsigned v)
{
	assert_true(w->n < sizeof w->p);
	w->p[w->n++] = (uint8_t)v;
}

void frames_head(struct wire *w, bool masked, int first, unsigned width, uint64_t length)
{
	octet(w, (unsigned)first);
	octet(w, (masked ? 0x80u : 0u) | (width == 8 ? 127 : width == 2 ? 126 : (unsigned)length));
	for (unsigned i = width; i-- > 0;)
		octet(w, (unsigned)(length >> (8 * i)) & 0xff);
}

void frames_add(struct wire *w, bool masked, const struct piece *piece)
{
	uint8_t key[4] = { 0 };

	if (piece->first != RAW) {
		frames_head(w, masked, piece->first, piece->n < 126 ? 0 : piece->n < 65536 ? 2 : 8, piece->n);
		for (unsigned i = 0; masked && i < sizeof key; i++)
			octet(w, key[i] = (uint8_t)(w->n * 37 + i * 101 + 1));
	}
	for (size_t i = 0; i < piece->n; i++)
		octet(w, (uint8_t)piece->p[i] ^ key[i % 4]);
}

static void note(struct heard *h, const char *kind, unsigned code, const uint8_t *p, size_t n)
{
	assert_true(h->len + n + 32 < sizeof h->text);
	h->len += (size_t)sprintf(h->text + h->len, "%s", kind);
	if (code)
		h->len += (size_t)sprintf(h->text + h->len, "%u", code);
	h->text[h->len++] = '(';
	for (size_t i = 0; i < n; i++)
		h->text[h->len++] = p[i] ? (char)p[i] : '~';
	h->text[h->len++] = ')';
	h->text[h->len] = 0;
}

static int on_data(void *ctx, enum websocket_opcode type, const uint8_t *p, size_t n, bool first, bool last)
{
	struct heard *h = ctx;

	assert_true(type == WEBSOCKET_TEXT || type == WEBSOCKET_BINARY);
	assert_int_equal(first, !h->open);
	if (first)
		h->size = h->pieces = 0;
	h->open = !last;
	h->pieces++;
	assert_true(h->size + n <= sizeof h->message);
	if (n)
		memcpy(h->message + h->size, p, n);
	h->size += n;
	if (last && h->size <= 1000)
		note(h, type == WEBSOCKET_TEXT ? "T" : "B", 0, h->message, h->size);
	return h->refuse;
}

static int on_ping(void *ctx, struct span payload)
{
	note(ctx, "P", 0, payload.p, payload.n);
	return ((struct heard *)ctx)->refuse;
}

static int on_pong(void *ctx, struct span payload)
{
	note(ctx, "O", 0, payload.p, payload.n);
	return ((struct heard *)ctx)->refuse;
}

static int on_close(void *ctx, unsigned code, struct span reason)
{
	note(ctx, "C", code, reason.p, reason.n);
	return ((struct heard *)ctx)->refuse;
}

static const struct websocket_events events = { on_data, on_ping, on_pong, on_close };

void frames_listen(struct heard *h, bool masked, size_t max)
{
	memset(h, 0, sizeof *h);
	h->reader = websocket_reader_new(masked, max, &events, h);
}

int frames_feed(struct heard *h, const uint8_t *p, size_t n, size_t step)
{
	int rc = 0;

	for (size_t i = 0; i < n && rc == 0; i += step) {
		size_t len = n - i < step ? n - i : step;
		uint8_t *portion = malloc(len);

		memcpy(portion, p + i, len);
		rc = websocket_reader_feed(h->reader, portion, len);
		h->fed += len;
		free(portion);
	}
	return rc;
}

void frames_end(struct heard *h)
{
	websocket_reader_free(h->reader);
	h->reader = NULL;
}
