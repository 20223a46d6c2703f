/* A local connection and its channel. Used by ingress kinds; calls channel_* and stream_*. */
#include "client/relay.h"

#include <assert.h>
#include <string.h>

#include "framing/capsule.h"
#include "framing/error.h"
#include "tunnel/stream_tcp.h"

#define READ_ROUNDS 8	/* portions per turn */

/* The one place where interest is set. */
static void update(struct relay *r)
{
	stream_want(r->stream, r->started && r->channel && !r->eof && !r->no_room, r->started && r->channel && r->full);
}

/* The local side is gone. */
static void broken(void *ctx)
{
	struct relay *r = ctx;
	struct channel *channel = r->channel;

	r->channel = NULL;
	if (channel)
		channel_close(channel, CODE_LOCAL_RESET, "the local connection was reset");
	r->events->broken(r->ctx);
}

/* From the socket into the channel. */

/* The local side has ended its half. */
static void local_end(struct relay *r)
{
	r->eof = true;
	channel_finish(r->channel);
}

/* Behind what belongs to it the local side may say nothing; that it goes is to be seen. */
static void skip(struct relay *r)
{
	uint8_t junk[4096];
	ssize_t n = stream_read(r->stream, junk, sizeof junk);

	if (n == 0)
		local_end(r);
	if (n < 0 && n != ERROR_AGAIN)
		broken(r);
	else
		update(r);
}

static void on_readable(void *ctx)
{
	struct relay *r = ctx;

	if (r->left == 0) {
		skip(r);
		return;
	}
	for (unsigned round = 0; round < READ_ROUNDS && r->left > 0; round++) {
		size_t room;
		uint8_t *p = channel_reserve(r->channel, &room);
		ssize_t n;

		if (room == 0) {
			r->no_room = true;
			break;
		}
		n = stream_read(r->stream, p, room < r->left ? room : (size_t)r->left);
		if (n == ERROR_AGAIN)
			break;
		if (n == 0) {
			local_end(r);
			break;
		}
		if (n < 0) {
			broken(r);
			return;
		}
		channel_commit(r->channel, (size_t)n);
		if (r->left != RELAY_ALL)
			r->left -= (uint64_t)n;
	}
	update(r);
}

static void on_channel_writable(void *ctx)
{
	struct relay *r = ctx;

	r->no_room = false;
	update(r);
}

/* From the channel into the socket. */

static size_t on_bytes(void *ctx, const uint8_t *p, size_t n)
{
	struct relay *r = ctx;
	ssize_t taken;

	if (!r->started) {
		r->held = true;
		return 0;
	}
	taken = r->full ? ERROR_AGAIN : stream_write(r->stream, p, n);
	if (taken < 0 && taken != ERROR_AGAIN) {
		loop_later(r->loop, &r->later);
		return n;
	}
	if (taken < 0)
		taken = 0;
	r->full = (size_t)taken < n;
	update(r);
	return (size_t)taken;
}

static void on_writable(void *ctx)
{
	struct relay *r = ctx;

	r->full = false;
	update(r);
	channel_resume(r->channel);
}

static void on_finish(void *ctx)
{
	struct relay *r = ctx;

	if (!r->started) {
		r->ended = true;
		return;
	}
	stream_tcp_finish(r->stream);
	if (r->left == 0 && !r->eof)
		local_end(r);
}

static void on_failed(void *ctx, int error)
{
	(void)error;
	broken(ctx);
}

static void on_opened(void *ctx)
{
	struct relay *r = ctx;

	if (r->events->opened)
		r->events->opened(r->ctx);
}

static void on_closed(void *ctx, uint64_t code, const char *reason)
{
	struct relay *r = ctx;

	r->channel = NULL;
	later_cancel(r->loop, &r->later);
	r->events->closed(r->ctx, code, reason && *reason ? reason : capsule_code_text(code));
}

static const struct endpoint_ops endpoint = {
	.bytes = on_bytes,
	.finish = on_finish,
	.writable = on_channel_writable,
	.opened = on_opened,
	.closed = on_closed,
};

static const struct stream_events stream_events = {
	.readable = on_readable,
	.writable = on_writable,
	.failed = on_failed,
};

void relay_init(struct relay *r, struct loop *loop, struct stream *stream, const struct relay_events *events, void *ctx)
{
	memset(r, 0, sizeof *r);
	r->loop = loop;
	r->stream = stream;
	r->events = events;
	r->ctx = ctx;
	later_init(&r->later, broken, r);
	stream_attach(stream, &stream_events, r);
	update(r);
}

bool relay_open(struct relay *r, struct session *session, const struct channel_params *params)
{
	r->channel = channel_open(session, params, &endpoint, r);
	return r->channel;
}

bool relay_push(struct relay *r, const void *p, size_t n)
{
	size_t room;
	uint8_t *to;

	if (n == 0)
		return true;
	to = channel_reserve(r->channel, &room);
	if (room < n)
		return false;
	memcpy(to, p, n);
	channel_commit(r->channel, n);
	return true;
}

void relay_start(struct relay *r, uint64_t left)
{
	r->started = true;
	r->left = left;
	update(r);
	if (r->held)
		channel_resume(r->channel);
	if (r->ended)
		on_finish(r);
}

void relay_fini(struct relay *r, bool reset)
{
	assert(!r->channel);
	later_cancel(r->loop, &r->later);
	if (reset)
		stream_tcp_abort(r->stream);
	else
		stream_close(r->stream);
}
