/*
 * WebSocket ingress: a listening port for WebSocket clients of this machine; one message channel for each. A client gets its answer
 * when the server's target has agreed, with the subprotocol that it chose, or the status and the sentence that say why not. From
 * then on tunnel/message_end.c does the work. Made by helper.c; who may ask is in ingress_ws_head.c.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/ingress_listener.h"
#include "client/ingress_ws_head.h"
#include "framing/capsule.h"
#include "framing/error.h"
#include "tunnel/channel.h"
#include "tunnel/http.h"
#include "tunnel/log.h"
#include "tunnel/message_end.h"
#include "tunnel/stream_tcp.h"

#define WAIT_US (10 * LOOP_SECOND)	/* for a session */
#define MESSAGE_MAX 67108864		/* bytes; the service at the server has a limit of its own */

enum conn_state {
	CONN_IDLE,	/* between requests. -> WAITING, CLOSED */
	CONN_WAITING,	/* for a session, or for OPENED. -> IDLE (refused), OPEN, CLOSED */
	CONN_OPEN,	/* -> CLOSED */
	CONN_CLOSED,
};

struct conn {
	struct ingress_guest guest;	/* first */
	struct loop *loop;
	struct http *http;	/* NULL: gone */
	struct exchange *x;	/* while waiting; then the message end's */
	struct channel *channel; /* while waiting; likewise */
	struct message_end *end;
	enum conn_state state;
	struct timer wait;
	struct ingress_ws_request request;
};

static const struct endpoint_ops endpoint;

/* The timer is the only limit: WebSockets may be silent, and the message end asks. */
static const struct http_limits limits = { .head_us = 10 * LOOP_SECOND, .idle_us = 86400 * LOOP_SECOND, .body_us = 86400 * LOOP_SECOND };

/* ---- the end ---- */

/* When nothing of it is left. */
static void conn_settle(struct conn *c)
{
	if (c->http || c->end || c->channel)
		return;
	ingress_listener_dismiss(&c->guest);
	timer_stop(&c->wait);
	loop_free_later(c->loop, c);
}

static void on_over(void *ctx, int error, const char *why)
{
	struct conn *c = ctx;

	if (error)
		log_debug("ws", c->guest.peer, "ended: %s", why);
	c->end = NULL;
	c->state = CONN_CLOSED;
	if (c->http)
		http_close(c->http);	/* closed follows */
	else
		conn_settle(c);
}

/* ---- answers ---- */

static void answer(struct conn *c, int status, const char *sentence)
{
	struct exchange_head head = { .status = status, .lines = status == 426 ?
		"Content-Type: text/plain; charset=utf-8\r\nSec-WebSocket-Version: 13\r\nUpgrade: websocket\r\n" :
		"Content-Type: text/plain; charset=utf-8\r\n" };
	size_t n = strlen(sentence), cap;
	uint8_t *room = exchange_room(c->x, n + 1, &cap);

	log_limited(LOG_LEVEL_WARN, "ws", c->guest.peer, "WebSocket to %s (service %s) refused with status %d: %s", c->guest.ingress->local,
		    c->guest.ingress->service, status, sentence);
	timer_stop(&c->wait);
	c->state = CONN_IDLE;
	if (!room)
		return;
	memcpy(room, sentence, n);
	room[n] = '\n';
	(void)exchange_send(c->x, &head, n + 1, true);
}

static int status_of(uint64_t code)
{
	switch (code) {
	case CODE_TIMEOUT:
		return 504;
	case CODE_LIMIT:
		return 503;
	default:
		return ingress_session_lost(code) ? 503 : 502;
	}
}

/* ---- the channel ---- */

static void on_opened(void *ctx)
{
	struct conn *c = ctx;
	const char *protocol = channel_params(c->channel)->protocol;
	char lines[MESSAGE_PROTOCOLS_MAX + 200];
	struct exchange_head head = { .status = 101, .protocol = "websocket", .lines = lines, .streamed = true };
	struct exchange *x = c->x;
	size_t cap;

	if (c->state != CONN_WAITING)
		return;
	if (protocol && !ingress_ws_head_offered(c->request.protocols, protocol))
		protocol = NULL;	/* the operator's own choice: nobody asked */
	snprintf(lines, sizeof lines, "Sec-WebSocket-Accept: %s\r\n%s%s%s", c->request.accept, protocol ? "Sec-WebSocket-Protocol: " : "",
		 protocol ? protocol : "", protocol ? "\r\n" : "");
	timer_stop(&c->wait);
	c->state = CONN_OPEN;
	c->x = NULL;
	c->channel = NULL;
	if (exchange_room(x, 1, &cap))
		(void)exchange_send(x, &head, 0, false);	/* a failure ends the exchange */
	message_end_start(c->end, x);
}

static size_t on_bytes(void *ctx, const uint8_t *p, size_t n)
{
	struct conn *c = ctx;

	return c->state == CONN_OPEN ? message_end_bytes(c->end, p, n) : 0;
}

static void on_finish(void *ctx)
{
	message_end_finish(((struct conn *)ctx)->end);
}

static void on_channel_writable(void *ctx)
{
	message_end_room(((struct conn *)ctx)->end);
}

static void on_channel_closed(void *ctx, uint64_t code, const char *reason)
{
	struct conn *c = ctx;

	if (c->state == CONN_OPEN) {
		message_end_closed(c->end, code, reason);
		return;
	}
	c->channel = NULL;
	message_end_free(c->end);
	c->end = NULL;
	if (c->state == CONN_WAITING)
		answer(c, status_of(code), reason && *reason ? reason : capsule_code_text(code));
}

static const struct endpoint_ops endpoint = {
	.bytes = on_bytes,
	.finish = on_finish,
	.writable = on_channel_writable,
	.opened = on_opened,
	.closed = on_channel_closed,
};

static void conn_open(struct conn *c, struct session *s)
{
	struct ingress *i = c->guest.ingress;
	const struct channel_params params = {
		.kind = KIND_MESSAGE,
		.service = i->service,
		.port_index = i->port_index,
		.total = &i->total,
		.protocols = *c->request.protocols ? c->request.protocols : NULL,
	};

	timer_stop(&c->wait);
	c->channel = channel_open(s, &params, &endpoint, c);
	if (!c->channel) {
		answer(c, 503, "the server allows no more channels in this session");
		return;
	}
	c->end = message_end_new(&(struct message_end_config){ .loop = c->loop, .channel = c->channel, .message_max = MESSAGE_MAX,
							       .over = on_over, .ctx = c });
	log_debug("ws", c->guest.peer, "WebSocket to %s is channel %llu", i->local, (unsigned long long)channel_id(c->channel));
}

static void on_wait(void *ctx)
{
	answer(ctx, 503, "there was no session with the server for 10 s");
}

/* ---- the exchange ---- */

static int on_head(void *ctx, const struct http1_head *head)
{
	(void)ctx, (void)head;
	return 0;
}

static int on_body(void *ctx, const uint8_t *p, size_t n)
{
	struct conn *c = ctx;

	return c->state == CONN_OPEN && c->end ? message_end_body(c->end, p, n) : 0;
}

static void on_end(void *ctx)
{
	(void)ctx;
}

static void on_writable(void *ctx)
{
	struct conn *c = ctx;

	if (c->state == CONN_OPEN && c->end)
		message_end_writable(c->end);
}

static void on_x_closed(void *ctx, int error)
{
	struct conn *c = ctx;
	struct channel *channel = c->channel;

	(void)error;
	c->x = NULL;
	if (c->state == CONN_OPEN) {
		if (c->end)
			message_end_cut(c->end);
		return;
	}
	timer_stop(&c->wait);
	c->state = CONN_IDLE;
	message_end_free(c->end);
	c->end = NULL;
	c->channel = NULL;
	if (channel)
		channel_close(channel, CODE_LOCAL_RESET, "the local WebSocket client left");
}

static const struct exchange_events x_events = { on_head, on_body, on_end, on_writable, on_x_closed };

static void on_request(void *ctx, struct exchange *x, const struct http1_head *head)
{
	struct conn *c = ctx;
	const struct ingress_host *host = c->guest.ingress ? c->guest.ingress->host : NULL;
	const char *sentence;
	struct session *s;
	int status;

	x->events = &x_events;
	x->ctx = c;
	c->x = x;
	if (!host) {
		exchange_abort(x);
		return;
	}
	c->state = CONN_WAITING;
	status = ingress_ws_head_read(head, host->origins, host->n_origins, &c->request, &sentence);
	if (status) {
		answer(c, status, sentence);
		return;
	}
	s = host->session(host->ctx);
	if (s)
		conn_open(c, s);
	else
		timer_in(&c->wait, WAIT_US);
}

static void on_http_closed(void *ctx, int error)
{
	struct conn *c = ctx;

	(void)error;
	c->http = NULL;
	conn_settle(c);
}

static const struct http_events http_events = { .request = on_request, .closed = on_http_closed };

/* ---- the listener ---- */

static void conn_new(struct ingress *i, int fd, const struct address *from)
{
	static const struct stream_events none;
	const struct ingress_host *host = i->host;
	struct conn *c = calloc(1, sizeof *c);

	if (!c)
		abort();
	ingress_listener_admit(i, &c->guest, from);
	c->loop = host->loop;
	timer_init(&c->wait, host->loop, on_wait, c);
	c->http = http_server(host->loop, stream_tcp_adopt(host->loop, fd, &none, c), &limits, &http_events, c);
}

static struct ingress *ws_open(const struct ingress_host *host, int fd, const char *service, unsigned port_index)
{
	return ingress_listener_open(&ingress_ws, host, fd, service, port_index, conn_new);
}

static void guest_open(struct ingress_guest *g, struct session *s)
{
	struct conn *c = (struct conn *)g;

	if (c->state == CONN_WAITING && !c->channel)
		conn_open(c, s);
}

static void ws_welcome(struct ingress *i)
{
	ingress_listener_welcome(i, guest_open);
}

/* What is open has lost its session: the message ends are told at the end of the turn, and would be too late. */
static void guest_end(struct ingress_guest *g)
{
	struct conn *c = (struct conn *)g;

	ingress_listener_dismiss(g);
	timer_stop(&c->wait);
	message_end_free(c->end);
	c->end = NULL;
	c->channel = NULL;
	c->state = CONN_CLOSED;
	if (c->http)
		http_close(c->http);
	else
		conn_settle(c);
}

static void ws_close(struct ingress *i)
{
	ingress_listener_close(i, guest_end);
}

const struct ingress_kind ingress_ws = {
	.scheme = "ws",
	.bind = ingress_listener_bind,
	.open = ws_open,
	.welcome = ws_welcome,
	.close = ws_close,
};
