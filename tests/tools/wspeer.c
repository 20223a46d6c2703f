/*
 * One end of a WebSocket for tests; see wspeer.h.
 */
#include "tests/tools/wspeer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "framing/error.h"
#include "tests/tools/tool.h"
#include "tunnel/http.h"
#include "tunnel/websocket_key.h"

#define FULL (8 << 20)		/* octets that wait for room; above that no more are read */
#define PATIENCE (2 * LOOP_SECOND) /* for the other close frame */

struct wspeer {
	struct loop *loop;
	struct exchange *x;
	const struct wspeer_events *events;
	void *ctx;
	struct websocket_reader *reader;
	struct timer timer;
	char accept[WEBSOCKET_ACCEPT_TEXT]; /* client, HTTP/1.1 */
	uint8_t *message;
	size_t size;
	uint8_t *out;		/* frames that wait for room: from off to n */
	size_t n, off, cap;
	unsigned got, sent;	/* codes of close frames; 0: none */
	char reason[WEBSOCKET_CONTROL_MAX];
	size_t reason_n;
	int status;		/* of an answer that does not agree */
	bool client, open, failed, ended; /* failed: nothing more can be understood */
};

/* ---- output ---- */

static void end_output(struct wspeer *w)
{
	if (w->ended || !w->open)
		return;
	w->ended = true;
	exchange_send(w->x, NULL, 0, true);
}

/* All that there is room for; both close frames there (or ours and no hope of the other) and nothing left: the end. */
static void pump(struct wspeer *w)
{
	size_t cap, n;
	uint8_t *p;

	while (w->open && !w->ended && w->off < w->n && (p = exchange_room(w->x, 1, &cap))) {
		n = w->n - w->off < cap ? w->n - w->off : cap;
		memcpy(p, w->out + w->off, n);
		w->off += n;
		if (exchange_send(w->x, NULL, n, false) < 0)
			return;
	}
	if (w->off == w->n)
		w->off = w->n = 0;
	exchange_pause(w->x, w->n - w->off > FULL);
	if (w->n == 0 && w->sent && (w->got || w->failed) && !w->ended)
		end_output(w);
}

static uint8_t *make_room(struct wspeer *w, size_t n)
{
	if (w->off > 0) {
		memmove(w->out, w->out + w->off, w->n - w->off);
		w->n -= w->off;
		w->off = 0;
	}
	if (w->cap - w->n < n) {
		w->cap = (w->n + n) * 2;
		w->out = realloc(w->out, w->cap);
		if (!w->out)
			tool_die("no memory");
	}
	return w->out + w->n;
}

static const uint8_t *new_mask(struct wspeer *w, uint8_t mask[4])
{
	loop_random(w->loop, mask, 4);
	return w->client ? mask : NULL;
}

void wspeer_send(struct wspeer *w, enum websocket_opcode opcode, bool fin, const void *p, size_t n)
{
	size_t most = n + WEBSOCKET_HEAD_MAX;
	uint8_t mask[4], *at = make_room(w, most);
	ssize_t len;

	if (w->sent)
		return;
	len = websocket_frame_put(at, most, opcode, fin, p, n, new_mask(w, mask));
	if (len < 0)
		tool_die("a frame of %zu octets cannot be written", n);
	w->n += (size_t)len;
	pump(w);
}

void wspeer_close(struct wspeer *w, unsigned code, const char *reason)
{
	size_t most = WEBSOCKET_HEAD_MAX + WEBSOCKET_CONTROL_MAX;
	uint8_t mask[4], *at = make_room(w, most);
	ssize_t len;

	if (w->sent)
		return;
	len = websocket_close_put(at, most, code, reason, new_mask(w, mask));
	if (len < 0)
		tool_die("close with %u cannot be written", code);
	w->n += (size_t)len;
	w->sent = code;
	timer_in(&w->timer, PATIENCE);
	pump(w);
}

/* ---- input ---- */

static int on_data(void *ctx, enum websocket_opcode type, const uint8_t *p, size_t n, bool first, bool last)
{
	struct wspeer *w = ctx;

	if (first)
		w->size = 0;
	if (n)
		memcpy(w->message + w->size, p, n);
	w->size += n;
	if (last)
		w->events->message(w->ctx, type, w->message, w->size);
	return 0;
}

static int on_ping(void *ctx, struct span payload)
{
	wspeer_send(ctx, WEBSOCKET_PONG, true, payload.p, payload.n);
	return 0;
}

static int on_pong(void *ctx, struct span payload)
{
	struct wspeer *w = ctx;

	w->events->pong(w->ctx, payload);
	return 0;
}

/* Answered with the same code. */
static int on_close(void *ctx, unsigned code, struct span reason)
{
	struct wspeer *w = ctx;

	w->got = code;
	memcpy(w->reason, reason.p, reason.n);
	w->reason_n = reason.n;
	wspeer_close(w, code, "");
	pump(w);
	return 0;
}

static const struct websocket_events reader_events = { on_data, on_ping, on_pong, on_close };

static int on_body(void *ctx, const uint8_t *p, size_t n)
{
	struct wspeer *w = ctx;

	if (!w->open)
		return 0;
	if (!w->failed && websocket_reader_feed(w->reader, p, n) < 0) {
		w->failed = true;
		wspeer_close(w, websocket_reader_code(w->reader), "");
		pump(w);
	}
	return 0;
}

/* ---- the exchange ---- */

static bool agreed(const struct wspeer *w, const struct http1_head *head)
{
	return *w->accept ? head->status == 101 && http1_is(http1_find(head, "Sec-WebSocket-Accept"), w->accept) : head->status == 200;
}

static int on_head(void *ctx, const struct http1_head *head)
{
	struct wspeer *w = ctx;

	if (!agreed(w, head)) {
		w->status = head->status;
		return ERROR_REFUSED;
	}
	w->open = true;
	w->events->open(w->ctx, w);
	pump(w);
	return 0;
}

static void on_end(void *ctx)
{
	end_output(ctx);
}

static void on_writable(void *ctx)
{
	pump(ctx);
}

static void on_closed(void *ctx, int error)
{
	struct wspeer *w = ctx;

	timer_stop(&w->timer);
	w->events->closed(w->ctx, w->got ? w->got : WEBSOCKET_ABNORMAL, (struct span){ (uint8_t *)w->reason, w->reason_n }, w->sent,
			  w->status ? w->status : error);
	websocket_reader_free(w->reader);
	free(w->message);
	free(w->out);
	loop_free_later(w->loop, w);
}

static const struct exchange_events exchange_events = { on_head, on_body, on_end, on_writable, on_closed };

/* The other close frame does not come. */
static void on_timer(void *ctx)
{
	end_output(ctx);
}

static struct wspeer *wspeer_new(struct loop *loop, struct exchange *x, bool client, const struct wspeer_events *events, void *ctx)
{
	struct wspeer *w = tool_calloc(1, sizeof *w);

	w->loop = loop;
	w->x = x;
	w->client = client;
	w->events = events;
	w->ctx = ctx;
	w->message = tool_calloc(1, WSPEER_MESSAGE_MAX);
	w->reader = websocket_reader_new(!client, WSPEER_MESSAGE_MAX, &reader_events, w);
	timer_init(&w->timer, loop, on_timer, w);
	x->events = &exchange_events;
	x->ctx = w;
	return w;
}

struct wspeer *wspeer_agree(struct loop *loop, struct exchange *x, const struct http1_head *head, const char *protocol, const struct wspeer_events *events,
			    void *ctx)
{
	struct wspeer *w = wspeer_new(loop, x, false, events, ctx);
	char lines[300], accept[WEBSOCKET_ACCEPT_TEXT];
	size_t n = 0;

	*lines = 0;
	if (!head->h2) {
		websocket_key_accept(accept, http1_find(head, "Sec-WebSocket-Key"));
		n += (size_t)snprintf(lines, sizeof lines, "Sec-WebSocket-Accept: %s\r\n", accept);
	}
	if (protocol)
		snprintf(lines + n, sizeof lines - n, "Sec-WebSocket-Protocol: %s\r\n", protocol);
	if (exchange_send(x, &(struct exchange_head){ .status = 101, .lines = lines, .protocol = "websocket", .streamed = true }, 0, false) < 0)
		return w;
	w->open = true;
	w->events->open(w->ctx, w);
	return w;
}

struct wspeer *wspeer_ask(struct loop *loop, struct exchange *x, const char *host, const char *target, const char *protocols,
			  const struct wspeer_events *events, void *ctx)
{
	struct wspeer *w = wspeer_new(loop, x, true, events, ctx);
	char lines[300], key[WEBSOCKET_KEY_TEXT];
	uint8_t random[WEBSOCKET_KEY_BYTES];
	size_t n = (size_t)snprintf(lines, sizeof lines, "Sec-WebSocket-Version: 13\r\n");

	if (!x->http->multiplexed) {
		loop_random(loop, random, sizeof random);
		websocket_key(key, random);
		websocket_key_accept(w->accept, (struct span){ (const uint8_t *)key, strlen(key) });
		n += (size_t)snprintf(lines + n, sizeof lines - n, "Sec-WebSocket-Key: %s\r\n", key);
	}
	if (protocols)
		snprintf(lines + n, sizeof lines - n, "Sec-WebSocket-Protocol: %s\r\n", protocols);
	exchange_send(x, &(struct exchange_head){ .method = "GET", .target = target, .host = host, .lines = lines, .protocol = "websocket", .streamed = true },
		      0, false);
	return w;
}
