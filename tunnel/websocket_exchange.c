/*
 * WebSocket exchanges. Made by carriers of the helper (carrier_path.c) and by the server's
 * front; calls framing/websocket.c for each message. A body is written to one place of the process
 * and put into the engine's room as it is masked, since whoever asks for room fills it at once.
 */
#include "tunnel/websocket_exchange.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "framing/error.h"
#include "framing/mask.h"
#include "framing/websocket.h"
#include "tunnel/http.h"
#include "tunnel/log.h"
#include "tunnel/websocket_handshake.h"
#include "tunnel/websocket_key.h"

#define CONTROL_ROOM (WEBSOCKET_HEAD_MAX + WEBSOCKET_CONTROL_MAX)
#define AROUND (WEBSOCKET_HEAD_MAX + CONTROL_ROOM) /* a message, and a close frame behind it */
#define OVERHEAD 4		/* bytes of the head of a message, without its mask */
#define WASTE_MAX 1000		/* frames in a second that bring nothing: they cost more than their few bytes */

static_assert(EXCHANGE_ROOM_MAX + AROUND <= EXCHANGE_ROOM_INNER, "one portion fits in the engine's room");

struct websocket {
	struct exchange x;	/* what carries messages; first */
	struct loop *loop;
	struct websocket_reader *reader;
	uint8_t *room;		/* the engine's */
	size_t room_n;
	struct later later;	/* tells a failure of our own */
	struct timer timer;	/* for the other close frame */
	char accept[WEBSOCKET_ACCEPT_TEXT]; /* what answers the key; "": there is none (HTTP/2) */
	struct span pong;	/* that is due; p = NULL: none is */
	uint8_t pong_bytes[WEBSOCKET_CONTROL_MAX];
	int64_t waste_since;	/* the second in which so many frames brought nothing */
	unsigned waste;
	int error;		/* ours */
	unsigned depth;		/* the reader is at work */
	bool helper;
	bool open;		/* the server has agreed */
	bool close_due, close_sent, close_got;
	bool refused;		/* the answer is an ordinary one */
	bool dead;
};

static uint8_t body[EXCHANGE_ROOM_MAX];

static const struct exchange_events inner_events;

static struct websocket *websocket_of(struct exchange *x)
{
	return (struct websocket *)x;
}

/* ---- life ---- */

static void end(struct websocket *w)
{
	if (w->dead)
		return;
	w->dead = true;
	w->x.events = NULL;
	timer_stop(&w->timer);
	later_cancel(w->loop, &w->later);
	if (w->depth == 0)
		websocket_reader_free(w->reader);	/* else it goes when it returns */
	loop_free_later(w->loop, w);
}

/* The last call of the user, who may be gone already. */
static void tell_closed(struct websocket *w, int error)
{
	const struct exchange_events *events = w->x.events;
	void *ctx = w->x.ctx;

	end(w);
	if (events)
		events->closed(ctx, error);
}

/* Fails without an event; that follows. */
static int give_up(struct websocket *w, int error)
{
	w->error = error;
	loop_later(w->loop, &w->later);
	return error;
}

static void on_later(void *ctx)
{
	struct websocket *w = ctx;

	exchange_abort(w->x.inner);
	tell_closed(w, w->error);
}

static void on_timer(void *ctx)
{
	struct websocket *w = ctx;

	log_debug("websocket", "", "no close frame came in time");
	w->error = ERROR_TIMEOUT;
	on_later(w);
}

/* ---- frames of our own ---- */

/* Nobody can foresee them (RFC 6455 5.3); a server's frames have none. */
static const uint8_t *new_mask(struct websocket *w, uint8_t mask[MASK_KEY])
{
	if (!w->helper)
		return NULL;
	loop_random(w->loop, mask, MASK_KEY);
	return mask;
}

/* A close frame to p; the other side's may be there already. Its length. */
static size_t put_close(struct websocket *w, uint8_t *p, size_t cap, unsigned code)
{
	uint8_t mask[MASK_KEY];
	ssize_t n = websocket_close_put(p, cap, code, "", new_mask(w, mask));

	w->close_due = false;
	w->close_sent = true;
	if (!w->close_got)
		timer_in(&w->timer, WEBSOCKET_WAIT);
	return n > 0 ? (size_t)n : 0;
}

/* Without room: when there is some. */
static int send_close(struct websocket *w, unsigned code)
{
	size_t cap, n;
	uint8_t *p = exchange_room(w->x.inner, CONTROL_ROOM, &cap);

	w->close_due = !p;
	if (!p)
		return 0;
	n = put_close(w, p, cap, code);
	return exchange_send(w->x.inner, NULL, n, w->close_got);
}

/* Whatever becomes of it: the other side is to know why. */
static void say_close(struct websocket *w, unsigned code)
{
	if (w->open && !w->close_sent && !w->refused)
		send_close(w, code);
}

static void send_pong(struct websocket *w)
{
	uint8_t mask[MASK_KEY], *p;
	size_t cap;
	ssize_t n;

	if (!w->pong.p || w->close_sent || !(p = exchange_room(w->x.inner, CONTROL_ROOM, &cap)))
		return;
	n = websocket_frame_put(p, cap, WEBSOCKET_PONG, true, w->pong.p, w->pong.n, new_mask(w, mask));
	w->pong.p = NULL;
	if (n > 0)
		exchange_send(w->x.inner, NULL, (size_t)n, false);
}

/* ---- input ---- */

/* Pings, pongs and frames without payload: a flood of them is somebody's who means no good. */
static int wasted(struct websocket *w)
{
	int64_t now = loop_now(w->loop);

	if (now - w->waste_since >= LOOP_SECOND) {
		w->waste_since = now;
		w->waste = 0;
	}
	if (++w->waste <= WASTE_MAX)
		return 0;
	say_close(w, WEBSOCKET_POLICY);
	return ERROR_LIMIT;
}

static int on_data(void *ctx, enum websocket_opcode type, const uint8_t *p, size_t n, bool first, bool last)
{
	struct websocket *w = ctx;
	int rc;

	(void)first, (void)last;
	if (w->dead || !w->x.events)
		return ERROR_CLOSED;
	if (type != WEBSOCKET_BINARY) {
		say_close(w, WEBSOCKET_UNACCEPTABLE);
		return ERROR_MALFORMED;
	}
	rc = n > 0 ? w->x.events->body(w->x.ctx, p, n) : wasted(w);
	return w->dead ? ERROR_CLOSED : rc;
}

/* Of several that came at once the newest is answered (5.5.3): answers cost more than questions. */
static int on_ping(void *ctx, struct span payload)
{
	struct websocket *w = ctx;

	if (w->dead)
		return ERROR_CLOSED;
	memcpy(w->pong_bytes, payload.p, payload.n);
	w->pong = (struct span){ w->pong_bytes, payload.n };
	return wasted(w);
}

static int on_pong(void *ctx, struct span payload)
{
	struct websocket *w = ctx;

	(void)payload;
	return w->dead ? ERROR_CLOSED : wasted(w);
}

static int on_close(void *ctx, unsigned code, struct span reason)
{
	struct websocket *w = ctx;
	bool answered = w->close_sent;

	(void)reason;
	if (w->dead)
		return ERROR_CLOSED;
	w->close_got = true;
	if (code != WEBSOCKET_NORMAL && code != WEBSOCKET_GOING_AWAY && code != WEBSOCKET_NO_CODE) {
		log_debug("websocket", "", "the other side closes with code %u", code);
		say_close(w, WEBSOCKET_NORMAL);
		return ERROR_RESET;
	}
	timer_in(&w->timer, WEBSOCKET_WAIT);	/* for ours, or for the end of the connection */
	w->x.events->end(w->x.ctx);
	if (!w->dead && answered)
		exchange_send(w->x.inner, NULL, 0, true);
	return 0;
}

static const struct websocket_events reader_events = { on_data, on_ping, on_pong, on_close };

static int on_body(void *ctx, const uint8_t *p, size_t n)
{
	struct websocket *w = ctx;
	unsigned code;
	int rc;

	if (w->refused)
		return w->x.events->body(w->x.ctx, p, n);
	if (w->error)
		return 0;
	w->depth++;
	rc = websocket_reader_feed(w->reader, p, n);
	w->depth--;
	code = websocket_reader_code(w->reader);
	if (w->dead) {
		websocket_reader_free(w->reader);
		return 0;	/* whoever ended it saw to what is below */
	}
	if (rc == 0)
		send_pong(w);
	else
		say_close(w, code == WEBSOCKET_INTERNAL ? WEBSOCKET_PROTOCOL : code);
	return rc;
}

/* Helper only. */
static int on_head(void *ctx, const struct http1_head *head)
{
	static struct http1_head agreed;
	struct websocket *w = ctx;
	bool agrees = *w->accept ? head->status == 101 : head->status == 200;
	int rc;

	if (!agrees && head->status != 200) {
		w->refused = true;
		return w->x.events->head(w->x.ctx, head);
	}
	if (!agrees || !websocket_handshake_is_right(head, w->accept)) {
		log_debug("websocket", "", "the answer has status %d, and is none to this request", head->status);
		return ERROR_HTTP;
	}
	agreed = *head;
	agreed.status = 200;
	w->open = true;
	rc = w->x.events->head(w->x.ctx, &agreed);
	if (rc == 0 && !w->dead)
		w->x.events->writable(w->x.ctx);
	return rc;
}

/* Without a close frame that is no end. */
static void on_end(void *ctx)
{
	struct websocket *w = ctx;

	if (w->refused)
		w->x.events->end(w->x.ctx);
	else if (!w->close_got && !w->error)
		give_up(w, ERROR_RESET);
}

static void on_writable(void *ctx)
{
	struct websocket *w = ctx;

	if (w->open)
		send_pong(w);
	if (w->close_due)
		send_close(w, WEBSOCKET_NORMAL);
	if (w->x.events)
		w->x.events->writable(w->x.ctx);
}

static void on_closed(void *ctx, int error)
{
	struct websocket *w = ctx;

	if (error == 0 && !w->close_got && !w->refused)
		error = ERROR_RESET;
	tell_closed(w, w->error ? w->error : error);
}

static const struct exchange_events inner_events = { on_head, on_body, on_end, on_writable, on_closed };

/* ---- output ---- */

static bool is_shut(const struct websocket *w)
{
	return w->dead || w->error || w->close_due || w->close_sent;
}

static uint8_t *websocket_room(struct exchange *x, size_t want, size_t *cap)
{
	struct websocket *w = websocket_of(x);

	if (is_shut(w) || (w->helper && !w->open))
		return NULL;
	w->room = exchange_room(w->x.inner, want + AROUND, &w->room_n);
	if (!w->room)
		return NULL;
	*cap = w->room_n - AROUND < sizeof body ? w->room_n - AROUND : sizeof body;
	return body;
}

/* Helper: asks. */
static int send_request(struct websocket *w, const struct exchange_head *plain)
{
	uint8_t random[WEBSOCKET_KEY_BYTES];
	char key[WEBSOCKET_KEY_TEXT] = "", lines[EXCHANGE_HEAD_MAX];
	struct exchange_head head = *plain;

	if (!w->x.inner->http || !w->x.inner->http->multiplexed) {
		loop_random(w->loop, random, sizeof random);
		websocket_key(key, random);
		websocket_key_accept(w->accept, (struct span){ (const uint8_t *)key, strlen(key) });
	}
	if (websocket_handshake_ask(lines, sizeof lines, plain->lines, key) < 0)
		return give_up(w, ERROR_LIMIT);
	head.lines = lines;
	head.protocol = "websocket";
	head.streamed = true;
	return exchange_send(w->x.inner, &head, 0, false);
}

/* Before there is an answer there is nothing to close. */
static int send_end(struct websocket *w)
{
	return w->open ? send_close(w, WEBSOCKET_NORMAL) : give_up(w, ERROR_CLOSED);
}

static int websocket_send(struct exchange *x, const struct exchange_head *head, size_t n, bool last)
{
	struct websocket *w = websocket_of(x);
	uint8_t mask[MASK_KEY];
	ssize_t put = 0;

	if (is_shut(w))
		return w->error ? w->error : last && !w->dead ? 0 : ERROR_CLOSED;
	if (head && w->helper)
		return send_request(w, head);
	if (!w->room && !head)
		return last ? send_end(w) : 0;
	if (!w->room)
		return give_up(w, ERROR_AGAIN);
	w->open = true;
	if (n > 0)
		put = websocket_frame_put(w->room, w->room_n, WEBSOCKET_BINARY, true, body, n, new_mask(w, mask));
	if (put < 0)
		return give_up(w, (int)put);
	if (last)
		put += (ssize_t)put_close(w, w->room + put, w->room_n - (size_t)put, WEBSOCKET_NORMAL);
	w->room = NULL;
	return exchange_send(w->x.inner, head ? websocket_handshake_agree(w->accept) : NULL, (size_t)put, last && w->close_got);
}

static void websocket_pause(struct exchange *x, bool on)
{
	if (!websocket_of(x)->dead)
		exchange_pause(websocket_of(x)->x.inner, on);
}

static void websocket_abort(struct exchange *x)
{
	struct websocket *w = websocket_of(x);
	struct exchange *inner = w->x.inner;

	if (w->dead)
		return;
	if (!w->error && !w->close_due)
		say_close(w, WEBSOCKET_GOING_AWAY);
	end(w);
	exchange_abort(inner);
}

static void websocket_sparse(struct exchange *x, bool on)
{
	if (!websocket_of(x)->dead)
		exchange_sparse(websocket_of(x)->x.inner, on);
}

static const struct exchange_ops websocket_ops = { websocket_room, websocket_send, websocket_pause, websocket_abort,
						   websocket_sparse, NULL };

/* ---- both ends ---- */

static struct websocket *websocket_new(struct loop *loop, struct exchange *inner, bool helper)
{
	struct websocket *w = calloc(1, sizeof *w);

	if (!w)
		abort();
	w->x = (struct exchange){ .ops = &websocket_ops, .events = inner->events, .ctx = inner->ctx, .http = inner->http,
				  .inner = inner, .overhead = OVERHEAD + (helper ? MASK_KEY : 0) };
	w->loop = loop;
	w->helper = helper;
	w->reader = websocket_reader_new(!helper, WEBSOCKET_MESSAGE_MAX, &reader_events, w);
	later_init(&w->later, on_later, w);
	timer_init(&w->timer, loop, on_timer, w);
	inner->events = &inner_events;
	inner->ctx = w;
	return w;
}

struct exchange *websocket_helper(struct loop *loop, struct exchange *inner)
{
	return &websocket_new(loop, inner, true)->x;
}

struct exchange *websocket_server(struct loop *loop, struct exchange *inner, const struct http1_head *head)
{
	struct websocket *w = websocket_new(loop, inner, false);

	if (!head->h2)
		websocket_key_accept(w->accept, http1_find(head, "Sec-WebSocket-Key"));
	w->x.events = NULL;	/* whoever takes it sets them */
	return &w->x;
}
