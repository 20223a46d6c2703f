// links: tests/sim/world.c tests/sim/world_flow.c tests/sim/proxy.c tests/sim/relay.c tests/sim/relay_way.c tests/sim/relay_flow.c tests/sim/relay_dress.c tests/lib/stream_mem.c framing/*.c tunnel/*.c
/* libs: -lwslay -lev -lhttp_parser -lnghttp2 -lssl -lcrypto -lconfuse -lcares -lm */
/*
 * Simulations of message channels: a program at each end of a WebSocket that a session carries, connections that are cut all the
 * time, programs that do not read. Each message comes once, in order and whole; so do Close frames, pings, and ends without either.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "framing/capsule.h"
#include "framing/error.h"
#include "framing/websocket.h"
#include "tests/sim/world.h"
#include "tunnel/message_end.h"

#define MESSAGE_MAX 40000

/* A program, and the engine between it and its message end. */
struct program {
	struct exchange x;	/* what the end has; first */
	struct message_end *end;
	struct channel *channel;
	struct websocket_reader *reader; /* of what the end sends */
	struct timer again;	/* there is room, after there was none */
	bool near;		/* at the helper: the end is a server */
	bool slow, paused, started, dropped;
	unsigned to_send, sent, got;
	uint8_t *message;	/* that comes */
	size_t n;
	int overs, error, pings, pongs;
	int closes;
	unsigned code;
	char reason[128];
};

static struct {
	struct world *w;
	struct program near, far;
	struct timer accept;
	const char *asked, *chosen;
	char opened_with[32];
	uint64_t closed_code;	/* of a channel that was not accepted */
	bool accepts;
} rig;

/* ---- what a program sends ---- */

static uint32_t hash(bool near, unsigned i)
{
	uint32_t h = (i + 1) * UINT32_C(2654435761) ^ (near ? 0x5bd1e995 : 0);

	return h ^ h >> 15;
}

static size_t size_of(bool near, unsigned i)
{
	uint32_t h = hash(near, i);

	return h % 50 == 0 ? h % MESSAGE_MAX : h % 7 == 0 ? 0 : h % 700;
}

static bool is_text(bool near, unsigned i)
{
	return hash(near, i) >> 8 & 1;
}

static void fill(bool near, unsigned i, uint8_t *p, size_t n)
{
	snprintf((char *)p, n + 1, "%u %s", i, near ? "near" : "far");
	for (size_t k = strlen((char *)p); k < n; k++)
		p[k] = (uint8_t)('a' + (i + k) % 26);
}

/* Bytes of the program's, as its connection brings them: in pieces. */
static void bring(struct program *p, const uint8_t *bytes, size_t n)
{
	for (size_t at = 0, some; at < n; at += some) {
		some = 1 + hash(p->near, (unsigned)(p->sent + at)) % 5000;
		if (some > n - at)
			some = n - at;
		if (p->end)
			assert_int_equal(message_end_body(p->end, bytes + at, some), 0);
	}
}

static void send_frame(struct program *p, enum websocket_opcode opcode, bool fin, const void *payload, size_t n)
{
	static const uint8_t mask[4] = { 9, 8, 7, 6 };
	static uint8_t frame[MESSAGE_MAX + WEBSOCKET_HEAD_MAX];
	ssize_t len = websocket_frame_put(frame, sizeof frame, opcode, fin, payload, n, p->near ? mask : NULL);

	assert_true(len > 0);
	bring(p, frame, (size_t)len);
}

static void send_message(struct program *p)
{
	static uint8_t text[MESSAGE_MAX + 1];
	bool near = p->near;
	unsigned i = p->sent++;
	size_t n = size_of(near, i), first = hash(near, i) % 3 ? n : n / 3;
	enum websocket_opcode type = is_text(near, i) ? WEBSOCKET_TEXT : WEBSOCKET_BINARY;

	fill(near, i, text, n);
	if (first == n) {
		send_frame(p, type, true, text, n);
		return;
	}
	send_frame(p, type, false, text, first);
	send_frame(p, WEBSOCKET_PING, true, "within", 6);
	send_frame(p, WEBSOCKET_CONTINUATION, false, text + first, 0);
	send_frame(p, WEBSOCKET_CONTINUATION, true, text + first, n - first);
}

static void pump(struct program *p)
{
	for (unsigned i = 0; i < 20 && p->started && p->end && !p->paused && p->sent < p->to_send; i++)
		send_message(p);
}

static void send_close(struct program *p, unsigned code, const char *reason)
{
	uint8_t frame[200];
	static const uint8_t mask[4] = { 1, 2, 3, 4 };
	ssize_t n = websocket_close_put(frame, sizeof frame, code, reason, p->near ? mask : NULL);

	assert_true(n > 0);
	bring(p, frame, (size_t)n);
}

/* ---- what it gets ---- */

static int on_data(void *ctx, enum websocket_opcode type, const uint8_t *piece, size_t n, bool first, bool last)
{
	static uint8_t want[MESSAGE_MAX + 1];
	struct program *p = ctx;

	if (first)
		p->n = 0;
	assert_true(p->n + n <= MESSAGE_MAX);
	if (n)
		memcpy(p->message + p->n, piece, n);
	p->n += n;
	if (!last)
		return 0;
	assert_int_equal(type, is_text(!p->near, p->got) ? WEBSOCKET_TEXT : WEBSOCKET_BINARY);
	assert_int_equal(p->n, size_of(!p->near, p->got));
	fill(!p->near, p->got, want, p->n);
	assert_memory_equal(p->message, want, p->n);
	p->got++;
	return 0;
}

static int on_ping(void *ctx, struct span payload)
{
	(void)payload;
	((struct program *)ctx)->pings++;
	return 0;
}

static int on_pong(void *ctx, struct span payload)
{
	assert_int_equal(payload.n, 6);
	assert_memory_equal(payload.p, "within", 6);
	((struct program *)ctx)->pongs++;
	return 0;
}

static int on_close(void *ctx, unsigned code, struct span reason)
{
	struct program *p = ctx;

	p->closes++;
	p->code = code;
	snprintf(p->reason, sizeof p->reason, "%.*s", (int)reason.n, reason.n ? (const char *)reason.p : "");
	return 0;
}

static const struct websocket_events program_events = { on_data, on_ping, on_pong, on_close };

static uint8_t room[EXCHANGE_ROOM_MAX];

static uint8_t *engine_room(struct exchange *x, size_t want, size_t *cap)
{
	struct program *p = (struct program *)x;

	assert_true(want <= sizeof room && !p->dropped);
	if (timer_armed(&p->again))
		return NULL;
	if (p->slow && loop_random_u64(rig.w->loop) % 3 == 0) {
		timer_in(&p->again, (int64_t)(loop_random_u64(rig.w->loop) % 50) * LOOP_MS);
		return NULL;
	}
	*cap = sizeof room;
	return room;
}

static int engine_send(struct exchange *x, const struct exchange_head *head, size_t n, bool end)
{
	struct program *p = (struct program *)x;

	assert_true(!head && !end && n > 0 && !p->dropped);
	assert_int_equal(websocket_reader_feed(p->reader, room, n), 0);
	return 0;
}

static void engine_pause(struct exchange *x, bool on)
{
	((struct program *)x)->paused = on;
}

static void engine_abort(struct exchange *x)
{
	((struct program *)x)->dropped = true;
}

static const struct exchange_ops engine = { engine_room, engine_send, engine_pause, engine_abort, NULL, NULL };

static void on_again(void *ctx)
{
	struct program *p = ctx;

	if (p->end && !p->dropped)
		message_end_writable(p->end);
}

/* ---- the ends of the channel ---- */

static void on_over(void *ctx, int error, const char *why)
{
	struct program *p = ctx;

	(void)why;
	p->overs++;
	p->error = error;
	p->end = NULL;
	p->dropped = true;
}

static void program_begin(struct program *p, bool near, struct channel *channel)
{
	p->near = near;
	p->x.ops = &engine;
	p->channel = channel;
	p->message = malloc(MESSAGE_MAX);
	p->reader = websocket_reader_new(!near, MESSAGE_MAX, &program_events, p);
	timer_init(&p->again, rig.w->loop, on_again, p);
	p->end = message_end_new(&(struct message_end_config){ .loop = rig.w->loop, .channel = channel, .client = !near,
							       .message_max = MESSAGE_MAX, .over = on_over, .ctx = p });
}

static void program_start(struct program *p)
{
	p->started = true;
	message_end_start(p->end, &p->x);
}

static size_t end_bytes(void *ctx, const uint8_t *bytes, size_t n)
{
	struct program *p = ctx;

	return p->end ? message_end_bytes(p->end, bytes, n) : n;
}

static void end_finish(void *ctx)
{
	if (((struct program *)ctx)->end)
		message_end_finish(((struct program *)ctx)->end);
}

static void end_writable(void *ctx)
{
	struct program *p = ctx;

	if (!p->end)
		return;
	message_end_room(p->end);
	pump(p);
}

static void end_opened(void *ctx)
{
	struct program *p = ctx;

	snprintf(rig.opened_with, sizeof rig.opened_with, "%s", channel_params(p->channel)->protocol ? channel_params(p->channel)->protocol : "");
	program_start(p);
}

static void end_closed(void *ctx, uint64_t code, const char *reason)
{
	struct program *p = ctx;

	rig.closed_code = code;
	p->channel = NULL;
	if (p->end)
		message_end_closed(p->end, code, reason);
}

static const struct endpoint_ops ops = { NULL, end_bytes, end_finish, end_writable, end_opened, end_closed };

static void on_accept(void *ctx)
{
	(void)ctx;
	if (!rig.accepts) {
		message_end_free(rig.far.end);
		rig.far.end = NULL;
		channel_close(rig.far.channel, CODE_CONNECT_REFUSED, "nobody there");
		return;
	}
	channel_accept(rig.far.channel, rig.chosen);
	program_start(&rig.far);
}

static uint64_t on_open(struct world *w, struct channel *channel, struct channel_params *params, const struct endpoint_ops **o,
			void **endpoint, const char **sentence)
{
	(void)w, (void)sentence;
	assert_int_equal(params->kind, KIND_MESSAGE);
	assert_string_equal(params->protocols ? params->protocols : "", rig.asked ? rig.asked : "");
	params->pending = true;
	program_begin(&rig.far, false, channel);
	timer_init(&rig.accept, w->loop, on_accept, NULL);
	timer_in(&rig.accept, 300 * LOOP_MS);
	*o = &ops;
	*endpoint = &rig.far;
	return CODE_NONE;
}

static const struct proxy_options pipe_10ms = { .kind = PROXY_PIPE, .delay_us = 10 * LOOP_MS, .dial_us = 40 * LOOP_MS };

static void set_up(const char *rung, const char *asked, const char *chosen, bool accepts)
{
	struct channel_params params = { .kind = KIND_MESSAGE, .service = "sig", .protocols = asked };
	struct channel *channel;

	memset(&rig, 0, sizeof rig);
	rig.asked = asked;
	rig.chosen = chosen;
	rig.accepts = accepts;
	rig.w = world_new(5, false);
	rig.w->open = on_open;
	world_lane(rig.w, rung, &pipe_10ms, 4);
	assert_true(world_connect(rig.w, 5 * LOOP_SECOND));
	channel = channel_open(rig.w->helper, &params, &ops, &rig.near);
	assert_non_null(channel);
	program_begin(&rig.near, true, channel);
}

static void program_fini(struct program *p)
{
	timer_stop(&p->again);
	message_end_free(p->end);
	p->end = NULL;
	websocket_reader_free(p->reader);
	free(p->message);
}

static void finish(void)
{
	program_fini(&rig.near);
	program_fini(&rig.far);
	timer_stop(&rig.accept);
	world_free(rig.w);
}

/* Both have ended, in order. */
static void ended_in_order(void)
{
	assert_true(rig.near.overs == 1 && rig.far.overs == 1);
	assert_int_equal(rig.near.error, 0);
	assert_int_equal(rig.far.error, 0);
	assert_true(rig.near.dropped && rig.far.dropped);
	assert_int_equal(rig.closed_code, CODE_NONE);
}

static void exactly_once(const char *rung, unsigned messages, int64_t cut_us, bool slow)
{
	set_up(rung, "a,b", "b", true);
	rig.near.slow = rig.far.slow = slow;
	rig.near.to_send = rig.far.to_send = messages;
	for (unsigned i = 0; i < 4000 && (rig.near.got < messages || rig.far.got < messages); i++) {
		pump(&rig.near);
		pump(&rig.far);
		world_run(rig.w, cut_us ? cut_us : 100 * LOOP_MS);
		if (cut_us)
			world_cut(rig.w);
	}
	assert_string_equal(rig.opened_with, "b");
	if (rig.near.got != messages || rig.far.got != messages)
		fail_msg("%s: %u and %u of %u", rung, rig.near.got, rig.far.got, messages);
	assert_true(rig.near.pongs > 0 && rig.far.pongs > 0);
	assert_int_equal(rig.near.pings + rig.far.pings, 0);	/* those of the other end stay there */
	rig.near.slow = rig.far.slow = false;
	send_close(&rig.near, 4001, "auf Wiedersehen");
	world_run(rig.w, LOOP_SECOND);
	assert_int_equal(rig.far.closes, 1);
	assert_int_equal(rig.far.code, 4001);
	assert_string_equal(rig.far.reason, "auf Wiedersehen");
	assert_int_equal(rig.near.closes, 0);	/* the other program has not answered */
	send_close(&rig.far, 4001, "");
	world_run(rig.w, 5 * LOOP_SECOND);
	assert_int_equal(rig.near.closes, 1);
	assert_int_equal(rig.near.code, 4001);
	ended_in_order();
	finish();
}

static void each_message_once_in_order(void **state)
{
	(void)state;
	exactly_once("duplex", 3000, 0, false);
	exactly_once("poll", 1000, 0, true);
}

static void whatever_is_cut(void **state)
{
	(void)state;
	exactly_once("duplex", 20000, 530 * LOOP_MS, false);
	exactly_once("duplex", 5000, 630 * LOOP_MS, true);
	exactly_once("split", 5000, 710 * LOOP_MS, true);
	exactly_once("push", 5000, 710 * LOOP_MS, false);
	exactly_once("poll", 5000, 810 * LOOP_MS, true);
}

static void refused_before_it_is_open(void **state)
{
	(void)state;
	set_up("duplex", NULL, NULL, false);
	world_run(rig.w, 2 * LOOP_SECOND);
	assert_false(rig.near.started);
	assert_int_equal(rig.closed_code, CODE_CONNECT_REFUSED);
	assert_int_equal(rig.near.overs, 1);
	finish();
}

/* Nobody answers a Close frame: the ends do, so that nobody waits for long. */
static void closes_are_answered(void **state)
{
	(void)state;
	set_up("duplex", NULL, NULL, true);
	world_run(rig.w, LOOP_SECOND);
	send_close(&rig.far, WEBSOCKET_NO_CODE, "");
	world_run(rig.w, LOOP_SECOND);
	assert_int_equal(rig.near.code, WEBSOCKET_NO_CODE);
	world_run(rig.w, 8 * LOOP_SECOND);
	assert_int_equal(rig.far.closes, 1);
	ended_in_order();
	finish();
}

/* It says Close and hangs up. */
static void close_and_gone(void **state)
{
	(void)state;
	set_up("duplex", NULL, NULL, true);
	world_run(rig.w, LOOP_SECOND);
	send_close(&rig.far, 1001, "");
	message_end_cut(rig.far.end);
	world_run(rig.w, LOOP_SECOND);
	assert_int_equal(rig.near.code, 1001);
	send_close(&rig.near, 1001, "");
	world_run(rig.w, LOOP_SECOND);
	assert_int_equal(rig.near.overs, 1);
	assert_int_equal(rig.near.error, 0);
	finish();
}

/* Without a Close frame the other side is cut without one. */
static void cut_at_the_target(void **state)
{
	(void)state;
	set_up("duplex", NULL, NULL, true);
	world_run(rig.w, LOOP_SECOND);
	message_end_cut(rig.far.end);
	world_run(rig.w, LOOP_SECOND);
	assert_int_equal(rig.closed_code, CODE_LOCAL_RESET);
	assert_int_equal(rig.near.overs, 1);
	assert_int_equal(rig.near.error, ERROR_RESET);
	assert_int_equal(rig.near.closes, 0);
	finish();
}

static void session_lost(void **state)
{
	(void)state;
	set_up("duplex", NULL, NULL, true);
	world_run(rig.w, LOOP_SECOND);
	world_restart(rig.w);
	world_run(rig.w, 30 * LOOP_SECOND);
	assert_int_equal(rig.near.overs, 1);
	assert_int_equal(rig.near.error, ERROR_RESET);
	assert_int_equal(rig.near.closes, 0);
	finish();
}

/* Too long, and malformed: told to the program that did it, and the other one is told, too. */
static void rules_are_kept(void **state)
{
	static uint8_t large[MESSAGE_MAX];

	(void)state;
	set_up("duplex", NULL, NULL, true);
	world_run(rig.w, LOOP_SECOND);
	send_frame(&rig.near, WEBSOCKET_BINARY, false, large, sizeof large);
	rig.far.got = 0;
	send_frame(&rig.near, WEBSOCKET_CONTINUATION, true, large, 1);
	assert_int_equal(rig.near.code, WEBSOCKET_TOO_BIG);
	world_run(rig.w, 5 * LOOP_SECOND);
	assert_int_equal(rig.near.error, ERROR_LIMIT);
	assert_int_equal(rig.far.code, WEBSOCKET_TOO_BIG);
	assert_int_equal(rig.far.overs, 1);
	finish();

	set_up("duplex", NULL, NULL, true);
	world_run(rig.w, LOOP_SECOND);
	send_frame(&rig.far, WEBSOCKET_TEXT, true, "\xff", 1);
	assert_int_equal(rig.far.code, WEBSOCKET_NOT_UTF8);
	world_run(rig.w, 5 * LOOP_SECOND);
	assert_int_equal(rig.near.code, WEBSOCKET_PROTOCOL);
	assert_true(rig.near.overs == 1 && rig.far.overs == 1);
	finish();
}

static void silence_is_asked_about(void **state)
{
	(void)state;
	set_up("duplex", NULL, NULL, true);
	world_run(rig.w, LOOP_SECOND);
	world_run(rig.w, 30 * LOOP_SECOND);
	assert_int_equal(rig.far.pings, 1);
	assert_int_equal(rig.near.pings, 1);
	send_frame(&rig.far, WEBSOCKET_PONG, true, "culvert", 7);
	send_frame(&rig.near, WEBSOCKET_PONG, true, "culvert", 7);
	world_run(rig.w, 29 * LOOP_SECOND);
	assert_true(rig.near.overs == 0 && rig.far.overs == 0);
	world_run(rig.w, 2 * LOOP_SECOND);
	assert_int_equal(rig.far.pings, 2);
	send_frame(&rig.near, WEBSOCKET_PONG, true, "culvert", 7);
	world_run(rig.w, 15 * LOOP_SECOND);	/* one does not answer */
	assert_int_equal(rig.far.error, ERROR_TIMEOUT);
	world_run(rig.w, LOOP_SECOND);
	assert_int_equal(rig.near.error, ERROR_RESET);
	assert_int_equal(rig.closed_code, CODE_TIMEOUT);
	finish();
}

/* A program that reads nothing stops the other one, and what is kept for it stays small. */
static void back_pressure(void **state)
{
	unsigned sent;

	(void)state;
	set_up("duplex", NULL, NULL, true);
	rig.far.to_send = 20000;
	timer_set(&rig.near.again, INT64_MAX / 2);	/* no room */
	for (unsigned i = 0; i < 600; i++) {
		pump(&rig.far);
		world_run(rig.w, 20 * LOOP_MS);
	}
	sent = rig.far.sent;
	assert_true(rig.far.paused && sent < 20000);
	assert_int_equal(rig.near.got, 0);
	print_message("%u messages went until the program had to wait\n", sent);
	timer_stop(&rig.near.again);
	message_end_writable(rig.near.end);
	for (unsigned i = 0; i < 3000 && rig.near.got < 20000; i++) {
		pump(&rig.far);
		world_run(rig.w, 20 * LOOP_MS);
	}
	assert_int_equal(rig.near.got, 20000);
	finish();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_message_once_in_order),
		cmocka_unit_test(whatever_is_cut),
		cmocka_unit_test(refused_before_it_is_open),
		cmocka_unit_test(closes_are_answered),
		cmocka_unit_test(close_and_gone),
		cmocka_unit_test(cut_at_the_target),
		cmocka_unit_test(session_lost),
		cmocka_unit_test(rules_are_kept),
		cmocka_unit_test(silence_is_asked_about),
		cmocka_unit_test(back_pressure),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
