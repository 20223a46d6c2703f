/*
 * The two directions of a message end. Made by client/ingress_ws.c and server/egress_ws.c; reads frames with framing/websocket.c and
 * writes them anew, as their pieces come: no message is ever whole here.
 *
 * Each direction ends with its Close frame. When both went the WebSocket is done with, and the channel has its bytes acknowledged in
 * peace. What ends it otherwise is told at the end of the turn, so that nobody is freed under a caller's feet.
 */
#include "tunnel/message_end.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "framing/capsule.h"
#include "framing/error.h"
#include "framing/mask.h"
#include "framing/websocket.h"
#include "tunnel/channel_queue.h"
#include "tunnel/log.h"

#define FEED 16384	/* bytes of the channel's frames that become one write */
#define GROWTH 3	/* times that they grow by masks at most: of empty frames */
#define AROUND (2 * (WEBSOCKET_HEAD_MAX + WEBSOCKET_CONTROL_MAX)) /* a pong and a Close beside them */

struct message_end {
	struct message_end_config config;
	struct exchange *x;	/* NULL: not yet, or no more */
	struct channel_queue out; /* its channel, NULL: no more; frames for which that has no room yet */
	struct websocket_reader *from_ws, *from_channel; /* NULL: nothing came yet */
	struct timer timer;
	struct later later;
	int error;
	char why[128];

	/* from the WebSocket */
	bool paused;
	bool close_in;		/* its Close frame came (or ours stands for it), and was written to the channel */
	bool finished;		/* so was the end of that half */
	unsigned code;		/* of the Close frame that came first, from either side */

	/* to it: what is written into the room of the engine while the channel's bytes are read */
	uint8_t *room;
	size_t room_n, room_cap;
	bool stuck;		/* the channel holds bytes that were not taken */
	bool close_out;		/* its Close frame was sent */
	struct span pong;	/* that is due; p = NULL: none is */
	uint8_t pong_bytes[WEBSOCKET_CONTROL_MAX];

	int64_t heard_us;	/* when the WebSocket said something last */
	bool asked;		/* whether it is there */
	bool ended, dead;
	bool slow;		/* ended: the WebSocket is cut a little later than the channel */
};

static const struct websocket_events ws_events, channel_events;
static void on_later(void *ctx);
static void on_timer(void *ctx);

struct message_end *message_end_new(const struct message_end_config *config)
{
	struct message_end *e = calloc(1, sizeof *e);

	if (!e)
		abort();
	e->config = *config;
	e->out.channel = config->channel;
	later_init(&e->later, on_later, e);
	timer_init(&e->timer, config->loop, on_timer, e);
	return e;
}

void message_end_free(struct message_end *e)
{
	if (!e || e->dead)
		return;
	e->dead = true;
	timer_stop(&e->timer);
	later_cancel(e->config.loop, &e->later);
	websocket_reader_free(e->from_ws);
	websocket_reader_free(e->from_channel);
	channel_queue_fini(&e->out);
	loop_free_later(e->config.loop, e);
}

/* ---- the end ---- */

static uint64_t code_of(int error)
{
	switch (error) {
	case 0: return CODE_NONE;
	case ERROR_MALFORMED: return CODE_PROTOCOL;
	case ERROR_LIMIT: return CODE_LIMIT;
	case ERROR_TIMEOUT: return CODE_TIMEOUT;
	default: return CODE_LOCAL_RESET;
	}
}

static void leave_channel(struct message_end *e)
{
	struct channel *channel = e->out.channel;

	channel_queue_fini(&e->out);
	if (channel)
		channel_close(channel, code_of(e->error), e->why);
}

static void on_later(void *ctx)
{
	struct message_end *e = ctx;

	leave_channel(e);
	if (e->slow) {
		e->slow = false;
		timer_in(&e->timer, MESSAGE_END_CLOSE);
		return;
	}
	message_end_free(e);
	e->config.over(e->config.ctx, e->error, e->why);
}

/* Whatever was first counts. */
static void end(struct message_end *e, int error, const char *why)
{
	if (e->ended || e->dead)
		return;
	e->ended = true;
	e->error = error;
	snprintf(e->why, sizeof e->why, "%s", why);
	timer_stop(&e->timer);
	loop_later(e->config.loop, &e->later);
}

/* So that the other side of the WebSocket reads why, it is cut a little later: what it has sent meanwhile would reset it. */
static void end_slowly(struct message_end *e, int error, const char *why)
{
	if (e->ended)
		return;
	e->slow = true;
	end(e, error, why);
}

static void drop_websocket(struct message_end *e)
{
	struct exchange *x = e->x;

	e->x = NULL;
	if (x)
		exchange_abort(x);
}

/* When both Close frames went, and the WebSocket's is written, it is over; so it is for the channel when all of that is acknowledged. */
static void settle(struct message_end *e)
{
	size_t cap;

	if (!e->close_in || e->out.n || e->ended)
		return;
	if (!e->finished && e->out.channel)
		channel_finish(e->out.channel);
	e->finished = true;
	if (!e->close_out || (e->x && !exchange_room(e->x, 1, &cap)))
		return;
	timer_stop(&e->timer);
	drop_websocket(e);
	if (!e->out.channel)
		end(e, 0, "");
}

/* ---- to the WebSocket ---- */

static const uint8_t *new_mask(struct message_end *e, uint8_t mask[MASK_KEY])
{
	if (!e->config.client)
		return NULL;
	loop_random(e->config.loop, mask, MASK_KEY);
	return mask;
}

static int put_frame(struct message_end *e, enum websocket_opcode opcode, bool fin, const uint8_t *p, size_t n)
{
	uint8_t mask[MASK_KEY];
	ssize_t put = websocket_frame_put(e->room + e->room_n, e->room_cap - e->room_n, opcode, fin, p, n, new_mask(e, mask));

	if (put < 0)
		return (int)put;
	e->room_n += (size_t)put;
	return 0;
}

/* A place for frames of ours; false: later, writable tells. */
static bool room_take(struct message_end *e, size_t want)
{
	if (!e->x || e->close_out || e->ended)
		return false;
	e->room = exchange_room(e->x, want, &e->room_cap);
	e->room_n = 0;
	return e->room;
}

static void room_send(struct message_end *e)
{
	if (e->room_n > 0 && e->x)
		(void)exchange_send(e->x, NULL, e->room_n, false);	/* a failure ends the exchange by itself */
	e->room = NULL;
}

static void put_pong(struct message_end *e)
{
	if (e->pong.p && put_frame(e, WEBSOCKET_PONG, true, e->pong.p, e->pong.n) == 0)
		e->pong.p = NULL;
}

/* The first Close frame, of either side, waits for the other one. */
static void expect_close(struct message_end *e, unsigned code)
{
	if (e->close_in && e->close_out)
		return;
	e->code = code;
	timer_in(&e->timer, MESSAGE_END_CLOSE);
}

static const struct span no_reason;

/* The payload of a Close frame; its length. A reason may have any octets that are UTF-8. */
static size_t close_payload(uint8_t out[WEBSOCKET_CONTROL_MAX], unsigned code, struct span reason)
{
	struct writer w;

	writer_init(&w, out, WEBSOCKET_CONTROL_MAX);
	if (code != WEBSOCKET_NO_CODE) {
		writer_u16(&w, (uint16_t)code);
		writer_bytes(&w, reason.p, reason.n);
	}
	return writer_len(&w);
}

static void put_close(struct message_end *e, unsigned code, struct span reason)
{
	uint8_t payload[WEBSOCKET_CONTROL_MAX];

	(void)put_frame(e, WEBSOCKET_CLOSE, true, payload, close_payload(payload, code, reason));
	e->close_out = true;
	expect_close(e, code);
}

static void send_pong(struct message_end *e)
{
	if (!e->pong.p || !room_take(e, AROUND))
		return;
	put_pong(e);
	room_send(e);
}

/* Without room nobody would read it. */
static void send_close(struct message_end *e, unsigned code, struct span reason)
{
	if (!room_take(e, AROUND))
		return;
	put_close(e, code, reason);
	room_send(e);
}

static int channel_data(void *ctx, enum websocket_opcode type, const uint8_t *p, size_t n, bool first, bool last)
{
	struct message_end *e = ctx;

	return put_frame(e, first ? type : WEBSOCKET_CONTINUATION, last, p, n);
}

static int channel_ignore(void *ctx, struct span payload)
{
	(void)ctx, (void)payload;
	return 0;
}

static int channel_shut(void *ctx, unsigned code, struct span reason)
{
	put_close(ctx, code, reason);
	return 0;
}

static const struct websocket_events channel_events = { channel_data, channel_ignore, channel_ignore, channel_shut };

size_t message_end_bytes(struct message_end *e, const uint8_t *p, size_t n)
{
	size_t taken = 0;
	int rc = 0;

	if (e->close_out || e->ended)
		return n;
	while (taken < n && !rc && !e->close_out) {
		size_t some = n - taken < FEED ? n - taken : FEED;

		if (!room_take(e, GROWTH * some + AROUND))
			break;
		put_pong(e);
		if (!e->from_channel)
			e->from_channel = websocket_reader_new(false, e->config.message_max, &channel_events, e);
		rc = websocket_reader_feed(e->from_channel, p + taken, some);
		if (rc && !e->close_out)
			put_close(e, websocket_reader_code(e->from_channel), no_reason);
		room_send(e);
		taken += some;
	}
	if (rc)
		end_slowly(e, rc, "the other end's frames break the rules of WebSockets");
	e->stuck = taken < n && !e->close_out && !e->ended;
	if (e->close_out)
		settle(e);
	return e->stuck ? taken : n;
}

void message_end_finish(struct message_end *e)
{
	if (!e->close_out)
		end(e, ERROR_RESET, "the other end ended without a Close frame");
}

void message_end_closed(struct message_end *e, uint64_t code, const char *reason)
{
	channel_queue_fini(&e->out);
	if (code == CODE_NONE && e->close_in && e->close_out) {
		e->x ? settle(e) : end(e, 0, "");
		return;
	}
	if (code == CODE_LIMIT || code == CODE_PROTOCOL) {	/* what the other end found wrong is to be known here */
		send_close(e, code == CODE_LIMIT ? WEBSOCKET_TOO_BIG : WEBSOCKET_PROTOCOL, no_reason);
		end_slowly(e, ERROR_RESET, reason);
		return;
	}
	end(e, ERROR_RESET, reason && *reason ? reason : capsule_code_text(code));
}

void message_end_writable(struct message_end *e)
{
	send_pong(e);
	settle(e);
	if (e->stuck && e->out.channel) {
		e->stuck = false;
		channel_resume(e->out.channel);
	}
}

/* ---- from the WebSocket ---- */

static void pause_if(struct message_end *e, bool on)
{
	if (e->paused == on || !e->x)
		return;
	e->paused = on;
	exchange_pause(e->x, on);
}

static int ws_data(void *ctx, enum websocket_opcode type, const uint8_t *p, size_t n, bool first, bool last)
{
	struct message_end *e = ctx;
	uint8_t head[WEBSOCKET_HEAD_MAX + 8192];
	ssize_t put = websocket_frame_put(head, sizeof head, first ? type : WEBSOCKET_CONTINUATION, last, p, n, NULL);

	if (put < 0)
		return (int)put;
	channel_queue_put(&e->out, head, (size_t)put);
	return 0;
}

/* The newest counts, if there was no room for an older one (5.5.3). */
static int ws_ping(void *ctx, struct span payload)
{
	struct message_end *e = ctx;

	memcpy(e->pong_bytes, payload.p, payload.n);
	e->pong = (struct span){ e->pong_bytes, payload.n };
	return 0;
}

static int ws_pong(void *ctx, struct span payload)
{
	(void)ctx, (void)payload;
	return 0;
}

/* The Close frame of the WebSocket's side goes to the channel. */
static void close_in(struct message_end *e, unsigned code, struct span reason)
{
	uint8_t frame[WEBSOCKET_HEAD_MAX + WEBSOCKET_CONTROL_MAX], payload[WEBSOCKET_CONTROL_MAX];
	size_t n = close_payload(payload, code, reason);
	ssize_t put = websocket_frame_put(frame, sizeof frame, WEBSOCKET_CLOSE, true, payload, n, NULL);

	if (put > 0)
		channel_queue_put(&e->out, frame, (size_t)put);
	e->close_in = true;
	expect_close(e, code);
}

static int ws_close(void *ctx, unsigned code, struct span reason)
{
	close_in(ctx, code, reason);
	return 0;
}

static const struct websocket_events ws_events = { ws_data, ws_ping, ws_pong, ws_close };

int message_end_body(struct message_end *e, const uint8_t *p, size_t n)
{
	int rc;

	if (e->ended || e->close_in)
		return 0;
	e->heard_us = loop_now(e->config.loop);
	e->asked = false;
	if (!e->from_ws)
		e->from_ws = websocket_reader_new(!e->config.client, e->config.message_max, &ws_events, e);
	rc = websocket_reader_feed(e->from_ws, p, n);
	if (rc) {
		send_close(e, websocket_reader_code(e->from_ws), no_reason);
		end_slowly(e, rc, rc == ERROR_LIMIT ? "a message is longer than the limit" : "the WebSocket's frames break its rules");
		return 0;
	}
	send_pong(e);
	pause_if(e, e->out.n > 0);
	settle(e);
	return 0;
}

void message_end_room(struct message_end *e)
{
	channel_queue_pump(&e->out);
	if (e->out.n)
		return;
	pause_if(e, false);
	settle(e);
}

/* Who says Close and hangs up has closed, whether it waits for the answer or not. */
void message_end_cut(struct message_end *e)
{
	e->x = NULL;
	if (e->ended) {
		e->slow = false;
		loop_later(e->config.loop, &e->later);
		return;
	}
	if (!e->close_in && !e->close_out) {
		end(e, ERROR_RESET, "the WebSocket was cut");
		return;
	}
	if (!e->close_in)
		close_in(e, e->code, no_reason);
	e->close_out = true;
	settle(e);
}

/* ---- time ---- */

/* The other Close frame does not come: ours stands for it. */
static void answer_close(struct message_end *e)
{
	if (e->close_in && e->close_out)
		drop_websocket(e);	/* it does not read */
	else if (e->close_in)
		send_close(e, e->code, no_reason);
	else
		close_in(e, e->code, no_reason);
	if (e->close_in && !e->close_out)
		end(e, ERROR_TIMEOUT, "the WebSocket takes no Close frame");
	settle(e);
}

static void ask(struct message_end *e)
{
	if (!room_take(e, AROUND))
		return;
	e->asked = put_frame(e, WEBSOCKET_PING, true, (const uint8_t *)"culvert", 7) == 0;
	room_send(e);
}

static void on_timer(void *ctx)
{
	struct message_end *e = ctx;
	int64_t now = loop_now(e->config.loop), silence;

	if (e->ended) {
		on_later(e);
		return;
	}
	if (e->close_in || e->close_out) {
		answer_close(e);
		return;
	}
	if (e->paused) {	/* it may have said something that we do not read */
		e->heard_us = now;
		e->asked = false;
	}
	silence = now - e->heard_us;
	if (e->asked && silence >= MESSAGE_END_SILENCE + MESSAGE_END_PONG) {
		end(e, ERROR_TIMEOUT, "the WebSocket does not answer pings");
		return;
	}
	if (!e->asked && silence >= MESSAGE_END_SILENCE)
		ask(e);
	if (e->asked)
		timer_set(&e->timer, e->heard_us + MESSAGE_END_SILENCE + MESSAGE_END_PONG);
	else
		timer_set(&e->timer, silence >= MESSAGE_END_SILENCE ? now + LOOP_SECOND : e->heard_us + MESSAGE_END_SILENCE);
	if (!e->ended && e->x)
		exchange_rest(e->x);
}

void message_end_start(struct message_end *e, struct exchange *x)
{
	e->x = x;
	e->heard_us = loop_now(e->config.loop);
	timer_in(&e->timer, MESSAGE_END_SILENCE);
	e->stuck = true;	/* what came before waits in the channel */
	message_end_writable(e);
	if (!e->ended && e->x)
		exchange_rest(e->x);
}
