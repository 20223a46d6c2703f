/*
 * Stream channels to a TCP target: a connection per channel, with each half
 * ending on its own. Opened by the services for sessions; the connection is
 * attempted while the channel is already open, and a target that cannot be
 * reached resets the channel with the reason.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "framing/capsule.h"
#include "framing/error.h"
#include "server/egress.h"
#include "tunnel/log.h"
#include "tunnel/resolve.h"
#include "tunnel/session.h"
#include "tunnel/stream_tcp.h"

#define CONNECT_TIMEOUT (10 * LOOP_SECOND) /* over all addresses */
#define CONNECT_ATTEMPT (4 * LOOP_SECOND)  /* for one, while there are more */
#define READ_TURN 65536			   /* bytes read in one turn: others want their turn, too */

enum egress_state {
	EGRESS_CONNECTING,	/* -> OPEN, CLOSED */
	EGRESS_OPEN,		/* -> CLOSED */
	EGRESS_CLOSED,
};

struct egress_tcp {
	const struct egress_env *env;
	struct channel *channel;
	struct stream *stream;
	struct timer timer;	/* this attempt, then all of them */
	int64_t deadline_us;
	enum egress_state state;
	bool starved;		/* the channel had no room for what the target sends */
	bool stuck;		/* the target took less than the channel gave */
	bool broken;		/* writing failed: the timer ends it, out of the channel's call */
	bool read_done;		/* the target ended its half */
	bool finish;		/* the helper ended its half: end ours when connected */
	size_t n, next;		/* addresses, the one to try next */
	struct address to[RESOLVE_MAX];
};

static void attempt(struct egress_tcp *e);

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

static void log_refused(const struct egress_tcp *e, const char *what)
{
	const struct channel_params *params = channel_params(e->channel);
	char text[ADDRESS_TEXT];

	log_limited(LOG_LEVEL_WARN, "egress", session_tag(channel_session(e->channel)), "service %s: %s: %s",
		    params->service ? params->service : "?", address_text(&e->to[e->next - 1], text), what);
}

static void not_connected(struct egress_tcp *e, int error)
{
	log_refused(e, error_text(error));
	if (e->stream)
		stream_close(e->stream);
	e->stream = NULL;
	if (e->next < e->n && loop_now(e->env->loop) < e->deadline_us) {
		attempt(e);
		return;
	}
	switch (error) {
	case ERROR_REFUSED:
		fail(e, CODE_CONNECT_REFUSED, "the target of this service refused the connection");
		return;
	case ERROR_UNREACHABLE:
		fail(e, CODE_UNREACHABLE, "the server has no route to the target of this service");
		return;
	case ERROR_TIMEOUT:
		fail(e, CODE_TIMEOUT, "the target of this service did not answer");
		return;
	case ERROR_RESET:
		fail(e, CODE_LOCAL_RESET, "the target of this service cut the connection while it was made");
		return;
	default:
		fail(e, CODE_INTERNAL, "the server could not make a connection to the target of this service");
	}
}

static void on_timer(void *ctx)
{
	struct egress_tcp *e = ctx;

	if (e->broken)
		fail(e, CODE_LOCAL_RESET, "the target of this service cut the connection");
	else
		not_connected(e, ERROR_TIMEOUT);
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
	struct egress_tcp *e = ctx;

	e->state = EGRESS_OPEN;
	timer_stop(&e->timer);
	if (e->finish)
		stream_tcp_finish(e->stream);
	resume(e);
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
	struct egress_tcp *e = ctx;

	if (e->state == EGRESS_CONNECTING)
		not_connected(e, error);
	else
		fail(e, CODE_LOCAL_RESET, "the connection to the target of this service was cut");
}

static const struct stream_events stream_events = { on_ready, on_readable, on_writable, on_failed };

static void attempt(struct egress_tcp *e)
{
	const struct address *to = &e->to[e->next++];
	int64_t until = loop_now(e->env->loop) + CONNECT_ATTEMPT;

	timer_set(&e->timer, e->next < e->n && until < e->deadline_us ? until : e->deadline_us);
	e->stream = stream_tcp_connect(e->env->loop, (const struct sockaddr *)&to->sa, to->len, &stream_events, e);
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
	e->n = n < RESOLVE_MAX ? n : RESOLVE_MAX;
	memcpy(e->to, to, e->n * sizeof *to);
	e->deadline_us = loop_now(env->loop) + CONNECT_TIMEOUT;
	timer_init(&e->timer, env->loop, on_timer, e);
	attempt(e);
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
