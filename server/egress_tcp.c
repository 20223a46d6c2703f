/*
 * Stream channels to a TCP target: a connection per channel, with each half
 * ending on its own. Opened by the services for sessions; the connection is
 * attempted while the channel is already open, and a target that cannot be
 * reached resets the channel with the reason.
 */
#include <stdlib.h>

#include "framing/capsule.h"
#include "framing/error.h"
#include "server/egress.h"
#include "server/egress_dial.h"
#include "tunnel/stream_tcp.h"

#define READ_TURN 65536	/* bytes read in one turn: others want their turn, too */

enum egress_state {
	EGRESS_CONNECTING,	/* -> OPEN, CLOSED */
	EGRESS_OPEN,		/* -> CLOSED */
	EGRESS_CLOSED,
};

struct egress_tcp {
	const struct egress_env *env;
	struct channel *channel;
	struct egress_dial dial;
	struct stream *stream;
	struct timer timer;	/* zero for a failure that cannot be told at once */
	enum egress_state state;
	bool starved;		/* the channel had no room for what the target sends */
	bool stuck;		/* the target took less than the channel gave */
	bool broken;		/* writing failed: the timer ends it, out of the channel's call */
	bool read_done;		/* the target ended its half */
	bool finish;		/* the helper ended its half: end ours when connected */
};

/* The one place where interest is decided. */
static void interest(struct egress_tcp *e)
{
	if (e->state == EGRESS_OPEN)
		stream_want(e->stream, !e->read_done && !e->starved && !e->broken, e->stuck && !e->broken);
}

/* Ends the endpoint; how: what the target sees. */
static void leave(struct egress_tcp *e, void (*how)(struct stream *))
{
	if (e->state == EGRESS_CLOSED)
		return;
	e->state = EGRESS_CLOSED;
	timer_stop(&e->timer);
	egress_dial_fini(&e->dial);
	if (e->stream)
		how(e->stream);
	e->stream = NULL;
	loop_free_later(e->env->loop, e);
}

static void fail(struct egress_tcp *e, uint64_t code, const char *sentence)
{
	struct channel *channel = e->channel;

	leave(e, stream_tcp_abort);
	channel_close(channel, code, sentence);
}

static void on_timer(void *ctx)
{
	fail(ctx, CODE_LOCAL_RESET, "the target of this service cut the connection");
}

/* The target takes bytes (again). */
static void resume(struct egress_tcp *e)
{
	bool stuck = e->stuck;

	e->stuck = false;
	interest(e);
	if (stuck)
		channel_resume(e->channel);
}

static void on_ready(void *ctx)
{
	(void)ctx;
}

static void on_readable(void *ctx)
{
	struct egress_tcp *e = ctx;
	size_t left = READ_TURN, room;
	ssize_t got;
	uint8_t *p;

	while (left > 0 && e->state == EGRESS_OPEN) {
		room = left;
		p = channel_reserve(e->channel, &room);
		if (room == 0) {
			e->starved = true;
			break;
		}
		got = stream_read(e->stream, p, room < left ? room : left);
		if (got == ERROR_AGAIN)
			break;
		if (got < 0) {
			fail(e, CODE_LOCAL_RESET, "the target of this service reset the connection");
			return;
		}
		if (got == 0) {
			e->read_done = true;
			channel_finish(e->channel);
			break;
		}
		left -= (size_t)got;
		channel_commit(e->channel, (size_t)got);
	}
	interest(e);
}

static void on_writable(void *ctx)
{
	resume(ctx);
}

static void on_failed(void *ctx, int error)
{
	(void)error;
	fail(ctx, CODE_LOCAL_RESET, "the connection to the target of this service was cut");
}

static const struct stream_events stream_events = { on_ready, on_readable, on_writable, on_failed };

static void on_connected(void *ctx, struct stream *stream)
{
	struct egress_tcp *e = ctx;

	e->stream = stream;
	stream_attach(stream, &stream_events, e);
	e->state = EGRESS_OPEN;
	if (channel_params(e->channel)->pending)
		channel_accept(e->channel, NULL);
	if (e->finish)
		stream_tcp_finish(e->stream);
	resume(e);
}

static void on_unconnected(void *ctx, uint64_t code, const char *sentence)
{
	fail(ctx, code, sentence);
}

static void *open_tcp(const struct egress_env *env, struct channel *channel, const struct address *to, size_t n,
		      uint64_t *code, const char **sentence)
{
	struct egress_tcp *e = calloc(1, sizeof *e);

	(void)code;
	(void)sentence;
	if (!e)
		abort();
	e->env = env;
	e->channel = channel;
	timer_init(&e->timer, env->loop, on_timer, e);
	e->dial.ready = on_connected;
	e->dial.failed = on_unconnected;
	e->dial.ctx = e;
	egress_dial_start(&e->dial, env->loop, channel, to, n);
	return e;
}

static size_t bytes(void *ctx, const uint8_t *p, size_t n)
{
	struct egress_tcp *e = ctx;
	size_t taken = 0;
	ssize_t put;

	while (e->state == EGRESS_OPEN && !e->broken && taken < n) {
		put = stream_write(e->stream, p + taken, n - taken);
		if (put <= 0 && put != ERROR_AGAIN) {
			e->broken = true;
			timer_in(&e->timer, 0);
		}
		if (put <= 0)
			break;
		taken += (size_t)put;
	}
	e->stuck = taken < n;
	interest(e);
	return taken;
}

static void finish(void *ctx)
{
	struct egress_tcp *e = ctx;

	e->finish = true;
	if (e->state == EGRESS_OPEN)
		stream_tcp_finish(e->stream);
}

static void writable(void *ctx)
{
	struct egress_tcp *e = ctx;

	e->starved = false;
	interest(e);
}

static void closed(void *ctx, uint64_t code, const char *reason)
{
	(void)reason;
	leave(ctx, code == CODE_NONE ? stream_close : stream_tcp_abort);
}

static const struct endpoint_ops ops = {
	.bytes = bytes,
	.finish = finish,
	.writable = writable,
	.closed = closed,
};

const struct egress_kind egress_tcp = { .scheme = "tcp", .kind = KIND_STREAM, .ops = &ops, .open = open_tcp };
