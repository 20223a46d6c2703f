/*
 * Message channels to a WebSocket target: a connection per channel, over TCP or TLS. Opened by the services for sessions. The channel
 * is accepted when the target has agreed, with the subprotocol that it chose; from then on tunnel/message_end.c does the work. What
 * the request and a right answer look like is in egress_ws_head.c.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "framing/capsule.h"
#include "framing/error.h"
#include "server/egress.h"
#include "server/egress_dial.h"
#include "server/egress_ws_head.h"
#include "tunnel/http.h"
#include "tunnel/log.h"
#include "tunnel/message_end.h"
#include "tunnel/session.h"
#include "tunnel/stream_tls.h"

#define AGREE_TIMEOUT (10 * LOOP_SECOND) /* from the first attempt to connect to the answer */
#define WHY_MAX 128
#define WHY_TLS_MAX 800

enum egress_ws_state {
	EGRESS_WS_DIALLING,	/* -> SECURING, ASKING, CLOSED */
	EGRESS_WS_SECURING,	/* -> ASKING, CLOSED */
	EGRESS_WS_ASKING,	/* -> OPEN, CLOSED */
	EGRESS_WS_OPEN,		/* -> CLOSED */
	EGRESS_WS_CLOSED,
};

struct egress_ws {
	const struct egress_env *env;
	struct channel *channel; /* NULL: it is done with */
	struct egress_settings *settings;
	enum egress_ws_state state;
	struct egress_dial dial;
	struct stream *stream;	/* TLS, during its handshake */
	struct http *http;
	struct exchange *x;	/* while asking; then the message end's */
	struct message_end *end;
	struct timer timer;	/* until it is open; then zero for what cannot be told at once */
	struct egress_ws_key key;
	uint64_t code;
	char why[WHY_MAX];
};

static void forget(struct egress_ws *e)
{
	egress_settings_release(e->settings);
	loop_free_later(e->env->loop, e);
}

/* Ends the endpoint; the connection's last word frees it. */
static void leave(struct egress_ws *e)
{
	if (e->state == EGRESS_WS_CLOSED)
		return;
	e->state = EGRESS_WS_CLOSED;
	timer_stop(&e->timer);
	message_end_free(e->end);
	egress_dial_fini(&e->dial);
	if (e->stream)
		stream_close(e->stream);
	e->stream = NULL;
	if (e->http)
		http_close(e->http);	/* closed follows */
	else
		forget(e);
}

static void fail(struct egress_ws *e, uint64_t code, const char *sentence)
{
	struct channel *channel = e->channel;
	char text[ADDRESS_TEXT];

	if (channel)
		log_limited(LOG_LEVEL_WARN, "egress", session_tag(channel_session(channel)), "service %s: %s: %s",
			    channel_params(channel)->service, address_text(egress_dial_at(&e->dial), text), sentence);
	leave(e);
	if (channel)
		channel_close(channel, code, sentence);
}

/* Out of the events of what it ends. */
static void fail_later(struct egress_ws *e, uint64_t code, const char *sentence)
{
	if (e->state == EGRESS_WS_CLOSED || e->code)
		return;
	e->code = code;
	snprintf(e->why, sizeof e->why, "%s", sentence);
	timer_in(&e->timer, 0);
}

static void on_timer(void *ctx)
{
	struct egress_ws *e = ctx;

	if (e->code)
		fail(e, e->code, e->why);
	else
		fail(e, CODE_TIMEOUT, "the target of this service did not answer the WebSocket handshake in 10 s");
}

/* ---- the WebSocket ---- */

static int on_head(void *ctx, const struct http1_head *head)
{
	struct egress_ws *e = ctx;
	char protocol[MESSAGE_PROTOCOLS_MAX + 1], why[WHY_MAX];
	struct exchange *x = e->x;

	if (!egress_ws_head_agrees(head, &e->key, egress_ws_head_offer(e->settings, channel_params(e->channel)), protocol, why, sizeof why)) {
		fail_later(e, CODE_CONNECT_REFUSED, why);
		return ERROR_HTTP;
	}
	timer_stop(&e->timer);
	e->state = EGRESS_WS_OPEN;
	channel_accept(e->channel, *protocol ? protocol : NULL);
	message_end_start(e->end, x);
	return 0;
}

static int on_body(void *ctx, const uint8_t *p, size_t n)
{
	struct egress_ws *e = ctx;

	return e->state == EGRESS_WS_OPEN ? message_end_body(e->end, p, n) : 0;
}

static void on_end(void *ctx)
{
	(void)ctx;	/* closed follows */
}

static void on_writable(void *ctx)
{
	struct egress_ws *e = ctx;

	if (e->state == EGRESS_WS_OPEN)
		message_end_writable(e->end);
}

static void on_x_closed(void *ctx, int error)
{
	struct egress_ws *e = ctx;

	(void)error;
	e->x = NULL;
	if (e->state == EGRESS_WS_OPEN)
		message_end_cut(e->end);
	else
		fail_later(e, CODE_LOCAL_RESET, "the target of this service cut the connection during the WebSocket handshake");
}

static const struct exchange_events x_events = { on_head, on_body, on_end, on_writable, on_x_closed };

static void on_http_idle(void *ctx)
{
	(void)ctx;
}

static void on_http_closed(void *ctx, int error)
{
	struct egress_ws *e = ctx;

	(void)error;
	e->http = NULL;
	if (e->state == EGRESS_WS_CLOSED)
		forget(e);
}

static const struct http_events http_events = { .idle = on_http_idle, .closed = on_http_closed };

static void ask(struct egress_ws *e, struct stream *stream)
{
	char lines[EXCHANGE_HEAD_MAX];
	struct exchange_head head = { .method = "GET", .target = e->settings->path, .host = e->settings->host, .lines = lines,
				      .protocol = "websocket", .streamed = true };

	e->state = EGRESS_WS_ASKING;
	e->http = http_client(e->env->loop, stream, &http_events, e);
	e->x = http_exchange(e->http, &x_events, e);
	egress_ws_head_lines(lines, sizeof lines, e->env->loop, &e->key, e->settings, egress_ws_head_offer(e->settings, channel_params(e->channel)));
	if (!e->x)
		fail_later(e, CODE_INTERNAL, "the connection to the target of this service takes no request");
	else
		(void)exchange_send(e->x, &head, 0, false);	/* a failure ends the exchange */
}

/* ---- the connection ---- */

static void on_tls_ready(void *ctx)
{
	struct egress_ws *e = ctx;
	struct stream *stream = e->stream;

	e->stream = NULL;
	ask(e, stream);
}

static void ignore(void *ctx)
{
	(void)ctx;
}

static void on_tls_failed(void *ctx, int error)
{
	struct egress_ws *e = ctx;
	const char *reason = stream_tls_reason(e->stream);
	const char *option = strstr(reason, "--cafile"); /* of a helper's command line; here it is the service's */
	char why[WHY_TLS_MAX];

	snprintf(why, sizeof why, "%.*s%s", (int)(option ? option - reason : 0), reason,
		 option ? option + 2 : *reason ? reason : error_text(error));
	fail(e, CODE_CONNECT_REFUSED, why);
}

static const struct stream_events tls_events = { on_tls_ready, ignore, ignore, on_tls_failed };

static void on_connected(void *ctx, struct stream *stream)
{
	struct egress_ws *e = ctx;

	if (!e->settings->tls) {
		ask(e, stream);
		return;
	}
	e->state = EGRESS_WS_SECURING;
	e->stream = stream_tls_client(e->env->loop, e->settings->tls, stream, e->settings->name, &tls_events, e);
}

static void on_unconnected(void *ctx, uint64_t code, const char *sentence)
{
	struct egress_ws *e = ctx;
	struct channel *channel = e->channel;

	leave(e);
	channel_close(channel, code, sentence);
}

/* ---- the channel ---- */

static void on_over(void *ctx, int error, const char *why)
{
	struct egress_ws *e = ctx;

	if (error)
		log_debug("egress", "", "a WebSocket to a target ended: %s", why);
	e->channel = NULL;
	e->end = NULL;
	leave(e);
}

static void *open_ws(const struct egress_env *env, struct channel *channel, const struct address *to, size_t n, uint64_t *code,
		     const char **sentence)
{
	struct egress_ws *e = calloc(1, sizeof *e);

	(void)code, (void)sentence;
	if (!e)
		abort();
	e->env = env;
	e->channel = channel;
	e->settings = egress_settings_keep(channel_params(channel)->settings);
	e->end = message_end_new(&(struct message_end_config){ .loop = env->loop, .channel = channel, .client = true,
							       .message_max = e->settings->message_max, .over = on_over, .ctx = e });
	timer_init(&e->timer, env->loop, on_timer, e);
	timer_in(&e->timer, AGREE_TIMEOUT);
	e->dial.ready = on_connected;
	e->dial.failed = on_unconnected;
	e->dial.ctx = e;
	egress_dial_start(&e->dial, env->loop, channel, to, n);
	return e;
}

static size_t bytes(void *ctx, const uint8_t *p, size_t n)
{
	return message_end_bytes(((struct egress_ws *)ctx)->end, p, n);
}

static void finish(void *ctx)
{
	message_end_finish(((struct egress_ws *)ctx)->end);
}

static void writable(void *ctx)
{
	message_end_room(((struct egress_ws *)ctx)->end);
}

static void closed(void *ctx, uint64_t code, const char *reason)
{
	struct egress_ws *e = ctx;

	e->channel = NULL;
	if (e->state == EGRESS_WS_OPEN)
		message_end_closed(e->end, code, reason);
	else
		leave(e);
}

static const struct endpoint_ops ops = { .bytes = bytes, .finish = finish, .writable = writable, .closed = closed };

const struct egress_kind egress_ws = { .scheme = "ws", .kind = KIND_MESSAGE, .pending = true, .ops = &ops, .open = open_ws };
const struct egress_kind egress_wss = { .scheme = "wss", .kind = KIND_MESSAGE, .pending = true, .ops = &ops, .open = open_ws };
