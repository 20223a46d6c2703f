/*
 * Message channels to a TCP target whose messages are lines, or have their lengths in front (egress_frames.c). Opened by the services
 * for sessions; the channel is accepted when the target is connected. The target's end is a Close frame with code 1000, and a Close
 * frame of the channel ends our half of the connection.
 */
#include <stdlib.h>

#include "framing/capsule.h"
#include "framing/error.h"
#include "server/egress.h"
#include "server/egress_dial.h"
#include "server/egress_frames.h"
#include "tunnel/channel_queue.h"
#include "tunnel/log.h"
#include "tunnel/session.h"
#include "tunnel/stream_tcp.h"

#define READ_TURN 65536	/* bytes read in one turn: others want their turn, too */
#define PORTION 16384
#define CLOSE_WAIT (3 * LOOP_SECOND) /* for the other side's end */

enum egress_framed_state {
	EGRESS_FRAMED_DIALLING,	/* -> OPEN, CLOSED */
	EGRESS_FRAMED_OPEN,	/* -> DONE, CLOSED */
	EGRESS_FRAMED_DONE,	/* the target is gone, the channel ends in peace. -> CLOSED */
	EGRESS_FRAMED_CLOSED,
};

struct egress_framed {
	const struct egress_env *env;
	struct channel *channel;
	struct egress_settings *settings;
	enum egress_framed_state state;
	struct egress_dial dial;
	struct stream *stream;
	struct timer timer;	/* for the other end, or zero for a failure that cannot be told at once */
	struct channel_queue queue; /* frames for the channel */
	struct websocket_reader *reader; /* of the channel's */
	struct egress_frames_in in;
	struct egress_frames_out out;
	bool stuck;		/* the channel holds bytes that were not taken */
	bool close_in;		/* our Close frame went to the channel */
	bool close_out;		/* the channel's came */
	bool finished;		/* our half of the connection, and of the channel */
	unsigned code;		/* of its Close */
	const char *broken;	/* why it is to end; NULL: it is not */
};

/* The one place where interest is decided. */
static void interest(struct egress_framed *e)
{
	if (e->state == EGRESS_FRAMED_OPEN)
		stream_want(e->stream, !e->close_in && !e->queue.n && !e->broken, e->out.at < e->out.ready && !e->broken);
}

static void drop_stream(struct egress_framed *e, void (*how)(struct stream *))
{
	egress_dial_stop(&e->dial);
	if (e->stream)
		how(e->stream);
	e->stream = NULL;
}

static void leave(struct egress_framed *e, void (*how)(struct stream *))
{
	if (e->state == EGRESS_FRAMED_CLOSED)
		return;
	e->state = EGRESS_FRAMED_CLOSED;
	timer_stop(&e->timer);
	drop_stream(e, how);
	egress_dial_fini(&e->dial);
	channel_queue_fini(&e->queue);
	egress_frames_fini(&e->out);
	websocket_reader_free(e->reader);
	egress_settings_release(e->settings);
	loop_free_later(e->env->loop, e);
}

static void fail(struct egress_framed *e, uint64_t code, const char *sentence)
{
	struct channel *channel = e->channel;
	char text[ADDRESS_TEXT];

	log_limited(LOG_LEVEL_WARN, "egress", session_tag(channel_session(channel)), "service %s: %s: %s",
		    channel_params(channel)->service, address_text(egress_dial_at(&e->dial), text), sentence);
	leave(e, stream_tcp_abort);
	channel_close(channel, code, sentence);
}

/* Out of the channel's call. */
static void fail_later(struct egress_framed *e, const char *sentence)
{
	if (!e->broken)
		e->broken = sentence;
	timer_in(&e->timer, 0);
}

/* ---- the target ---- */

/* Once our Close is on its way, the target goes when both sides have ended. */
static void settle(struct egress_framed *e)
{
	if (!e->close_in || e->queue.n || e->state != EGRESS_FRAMED_OPEN)
		return;
	if (!e->finished)
		channel_finish(e->channel);
	e->finished = true;
	if (!e->close_out || e->out.at < e->out.ready)
		return;
	e->state = EGRESS_FRAMED_DONE;
	timer_stop(&e->timer);
	drop_stream(e, stream_close);
}

static void close_in(struct egress_framed *e, unsigned code)
{
	uint8_t frame[WEBSOCKET_HEAD_MAX + WEBSOCKET_CONTROL_MAX];
	ssize_t put = websocket_close_put(frame, sizeof frame, code, "", NULL);

	if (e->close_in)
		return;
	if (put > 0)
		channel_queue_put(&e->queue, frame, (size_t)put);
	e->close_in = true;
	if (!e->close_out)
		timer_in(&e->timer, CLOSE_WAIT);
	settle(e);
}

/* The target is not heard any more: 1003 and the like, so that the other end knows why. */
static void refuse(struct egress_framed *e, unsigned code)
{
	close_in(e, code);
	e->close_out = true;
	e->out.at = e->out.ready;
	settle(e);
}

static void on_frame(void *ctx, const uint8_t *p, size_t n)
{
	struct egress_framed *e = ctx;

	channel_queue_put(&e->queue, p, n);
}

/* False when there is nothing more to read now. */
static bool read_some(struct egress_framed *e)
{
	uint8_t portion[PORTION];
	ssize_t got = stream_read(e->stream, portion, sizeof portion);
	int rc;

	if (got == ERROR_AGAIN)
		return false;
	if (got < 0 || (got == 0 && !e->close_out && !egress_frames_between(&e->in))) {
		fail(e, CODE_LOCAL_RESET, got ? "the target of this service reset the connection" : "the target of this service ended within a message");
		return false;
	}
	if (got == 0) {
		close_in(e, e->close_out ? e->code : WEBSOCKET_NORMAL);
		return false;
	}
	rc = egress_frames_read(&e->in, portion, (size_t)got);
	if (rc == ERROR_LIMIT)
		fail(e, CODE_LIMIT, "the target of this service sent a message that is longer than message-max");
	else if (rc)
		fail(e, CODE_LOCAL_RESET, "the target of this service sent a line that is not UTF-8");
	return !rc;
}

static void on_readable(void *ctx)
{
	struct egress_framed *e = ctx;

	for (size_t turn = 0; turn < READ_TURN / PORTION && e->state == EGRESS_FRAMED_OPEN && !e->queue.n; turn++)
		if (!read_some(e))
			break;
	interest(e);
}

static void flush(struct egress_framed *e)
{
	ssize_t put;

	while (e->state == EGRESS_FRAMED_OPEN && e->out.at < e->out.ready && !e->broken) {
		put = stream_write(e->stream, e->out.p + e->out.at, e->out.ready - e->out.at);
		if (put <= 0 && put != ERROR_AGAIN)
			fail_later(e, "the target of this service cut the connection");
		if (put <= 0)
			break;
		egress_frames_sent(&e->out, (size_t)put);
	}
	if (e->close_out && e->out.at == e->out.ready && e->state == EGRESS_FRAMED_OPEN && !e->close_in)
		stream_tcp_finish(e->stream);
	settle(e);
	interest(e);
}

static void on_writable(void *ctx)
{
	struct egress_framed *e = ctx;
	bool stuck = e->stuck;

	flush(e);
	if (stuck && e->out.at == e->out.ready && e->state == EGRESS_FRAMED_OPEN) {
		e->stuck = false;
		channel_resume(e->channel);
	}
}

static void on_failed(void *ctx, int error)
{
	(void)error;
	fail(ctx, CODE_LOCAL_RESET, "the connection to the target of this service was cut");
}

static void on_ready(void *ctx)
{
	(void)ctx;
}

static const struct stream_events stream_events = { on_ready, on_readable, on_writable, on_failed };

static void on_connected(void *ctx, struct stream *stream)
{
	struct egress_framed *e = ctx;

	e->stream = stream;
	stream_attach(stream, &stream_events, e);
	e->state = EGRESS_FRAMED_OPEN;
	channel_accept(e->channel, NULL);
	interest(e);
	channel_resume(e->channel);	/* what came before waits there */
}

static void on_unconnected(void *ctx, uint64_t code, const char *sentence)
{
	struct egress_framed *e = ctx;
	struct channel *channel = e->channel;

	leave(e, stream_tcp_abort);
	channel_close(channel, code, sentence);
}

static void on_timer(void *ctx)
{
	struct egress_framed *e = ctx;

	if (e->broken)
		fail(e, CODE_LOCAL_RESET, e->broken);
	else if (!e->close_in)
		close_in(e, e->code);
	else
		refuse(e, WEBSOCKET_NORMAL);
}

/* ---- the channel ---- */

static int on_data(void *ctx, enum websocket_opcode type, const uint8_t *p, size_t n, bool first, bool last)
{
	return egress_frames_write(&((struct egress_framed *)ctx)->out, type, p, n, first, last);
}

static int on_ignored(void *ctx, struct span payload)
{
	(void)ctx, (void)payload;
	return 0;
}

static int on_close(void *ctx, unsigned code, struct span reason)
{
	struct egress_framed *e = ctx;

	(void)reason;
	e->close_out = true;
	e->code = code;
	if (!e->close_in)
		timer_in(&e->timer, CLOSE_WAIT);
	return 0;
}

static const struct websocket_events reader_events = { on_data, on_ignored, on_ignored, on_close };

static void *open_framed(const struct egress_env *env, struct channel *channel, const struct address *to, size_t n, uint64_t *code,
			 const char **sentence)
{
	struct egress_framed *e = calloc(1, sizeof *e);

	(void)code, (void)sentence;
	if (!e)
		abort();
	e->env = env;
	e->channel = e->queue.channel = channel;
	e->settings = egress_settings_keep(channel_params(channel)->settings);
	e->in = (struct egress_frames_in){ e->settings->framing, e->settings->message_max, on_frame, e, .open = false };
	e->out.framing = e->settings->framing;
	e->reader = websocket_reader_new(false, e->settings->message_max, &reader_events, e);
	timer_init(&e->timer, env->loop, on_timer, e);
	e->dial.ready = on_connected;
	e->dial.failed = on_unconnected;
	e->dial.ctx = e;
	egress_dial_start(&e->dial, env->loop, channel, to, n);
	return e;
}

/* What a portion of the channel's bytes was wrong with, told as the Close code for it. */
static unsigned code_of(const struct egress_framed *e)
{
	unsigned code = websocket_reader_code(e->reader);

	return code == WEBSOCKET_INTERNAL ? WEBSOCKET_UNACCEPTABLE : code;
}

static size_t bytes(void *ctx, const uint8_t *p, size_t n)
{
	struct egress_framed *e = ctx;
	size_t taken = 0;

	while (e->state == EGRESS_FRAMED_OPEN && !e->close_out && !e->broken && taken < n && e->out.at == e->out.ready) {
		size_t some = n - taken < PORTION ? n - taken : PORTION;

		if (websocket_reader_feed(e->reader, p + taken, some) < 0)
			refuse(e, code_of(e));
		taken += some;
		flush(e);
	}
	if (e->state == EGRESS_FRAMED_DONE || e->close_out)
		return n;
	e->stuck = taken < n;
	return taken;
}

static void finish(void *ctx)
{
	struct egress_framed *e = ctx;

	if (!e->close_out && e->state == EGRESS_FRAMED_OPEN)
		fail_later(e, "the other end ended without a Close frame");
}

static void writable(void *ctx)
{
	struct egress_framed *e = ctx;

	channel_queue_pump(&e->queue);
	settle(e);
	interest(e);
}

static void closed(void *ctx, uint64_t code, const char *reason)
{
	(void)reason;
	leave(ctx, code == CODE_NONE ? stream_close : stream_tcp_abort);
}

static const struct endpoint_ops ops = { .bytes = bytes, .finish = finish, .writable = writable, .closed = closed };

const struct egress_kind egress_framed = { .kind = KIND_MESSAGE, .pending = true, .ops = &ops, .open = open_framed };
