/*
 * The echo, for `culvert doctor`: a service of the server's own, whose datagrams
 * come back with the server's clock in them (PROTOCOL.md section 6.4). Opened by
 * the services for sessions. It works for a call and no more: what a session sends
 * beyond its share is dropped, and an answer is never larger than what it answers.
 */
#include <stdlib.h>
#include <string.h>

#include "framing/echo.h"
#include "server/egress.h"
#include "tunnel/counters.h"

#define IDLE_MS 30000
#define DEADLINE_MS 1000
#define SECOND_MAX 200			/* datagrams of a session in a second */
#define WINDOW_MAX (60 * SECOND_MAX)	/* in WINDOW_US */
#define WINDOW_US (600 * LOOP_SECOND)

struct egress_echo {
	const struct egress_env *env;
	struct channel *channel;
	struct egress_share *share;
};

static bool window_take(struct egress_window *w, int64_t now, int64_t length_us, unsigned max)
{
	if (!w->count || now - w->begun_us >= length_us)
		*w = (struct egress_window){ .begun_us = now };
	if (w->count >= max)
		return false;
	w->count++;
	return true;
}

static bool share_take(struct egress_share *s, int64_t now)
{
	return window_take(&s->second, now, LOOP_SECOND, SECOND_MAX) && window_take(&s->minutes, now, WINDOW_US, WINDOW_MAX);
}

static void *open_echo(const struct egress_env *env, struct channel *channel, const struct address *to, size_t n,
		       uint64_t *code, const char **sentence)
{
	struct egress_echo *e = calloc(1, sizeof *e);

	(void)to, (void)n, (void)code, (void)sentence;
	if (!e)
		abort();
	e->env = env;
	e->channel = channel;
	e->share = env->share(channel_session(channel));
	return e;
}

static void datagram(void *ctx, const uint8_t *p, size_t n)
{
	struct egress_echo *e = ctx;
	int64_t now = loop_now(e->env->loop);
	struct packet *packet = share_take(e->share, now) ? packet_get(e->env->pool, n) : NULL;

	if (!packet) {
		count(dropped_echo);
		return;
	}
	memcpy(packet->data, p, n);
	packet->len = n;
	packet->born_us = now;
	echo_serve(packet->data, n, (uint32_t)now);
	channel_send(e->channel, packet);
}

static void closed(void *ctx, uint64_t code, const char *reason)
{
	struct egress_echo *e = ctx;

	(void)code, (void)reason;
	loop_free_later(e->env->loop, e);
}

static const struct endpoint_ops ops = { .datagram = datagram, .closed = closed };

const struct egress_kind egress_echo = {
	.service = ECHO_SERVICE,
	.kind = KIND_DATAGRAM,
	.idle_ms = IDLE_MS,
	.deadline_ms = DEADLINE_MS,
	.ops = &ops,
	.open = open_echo,
};
