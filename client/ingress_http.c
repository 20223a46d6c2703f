/*
 * HTTP ingress: a proxy for browsers and other programs of this machine. CONNECT, and requests for http:// URLs, each on a stream
 * channel; and a proxy.pac. A connection serves one request. Made by helper.c; what is asked is in proxy_request.c.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/ingress_listener.h"
#include "client/local_target.h"
#include "client/proxy_request.h"
#include "client/relay.h"
#include "client/served_pac.h"
#include "framing/capsule.h"
#include "framing/error.h"
#include "tunnel/credential.h"
#include "tunnel/log.h"
#include "tunnel/stream_tcp.h"

#define TALK_US (10 * LOOP_SECOND)	/* for the request, and for a session */
#define IDLE_US (60 * LOOP_SECOND)	/* until the first octet of it: browsers open connections ahead */
#define CONNECT_US (30 * LOOP_SECOND)	/* for the server to reach the target */

enum conn_state {
	CONN_IDLE,	/* -> HEAD, gone */
	CONN_HEAD,	/* a part of it is there. -> WAITING, gone */
	CONN_WAITING,	/* for a session, then for OPENED. -> OPEN, gone */
	CONN_OPEN,	/* -> gone */
};

/* While it is read, and until it was passed on. */
struct asking {
	struct proxy_request request;
	uint8_t in[HTTP1_HEAD_MAX];
	size_t n;	/* octets of in: the head, then what came behind it */
};

struct conn {
	struct ingress_guest guest;	/* first */
	enum conn_state state;
	struct stream *stream;	/* until it is the relay's */
	struct relay relay;	/* from WAITING on */
	struct asking *asking;	/* until OPEN */
	bool connect;
	uint64_t left;		/* of the request's body */
	struct timer timer;
	char target[MESSAGE_TARGET_MAX + 1];
};

static void conn_free(struct conn *c, bool reset)
{
	struct loop *loop = c->guest.ingress->host->loop;

	timer_stop(&c->timer);
	ingress_listener_dismiss(&c->guest);
	free(c->asking);
	if (c->stream)
		(reset ? stream_tcp_abort : stream_close)(c->stream);
	else
		relay_fini(&c->relay, reset);
	loop_free_later(loop, c);
}

/* ---- answers of our own ---- */

/* Small enough for any socket: one that does not take it is of no use. Ends the connection. */
static void answer(struct conn *c, int status, const char *lines, const char *body, bool head_only)
{
	struct stream *stream = c->stream ? c->stream : c->relay.stream;
	char head[512];
	ssize_t n = http1_response_put((uint8_t *)head, sizeof head, status, lines, HTTP1_LENGTH, strlen(body), false);

	if (n > 0 && stream_write(stream, (const uint8_t *)head, (size_t)n) == n && !head_only)
		(void)stream_write(stream, (const uint8_t *)body, strlen(body));
	conn_free(c, false);
}

static void refuse(struct conn *c, int status, const char *sentence)
{
	char body[MESSAGE_TEXT_MAX + 80];

	log_limited(LOG_LEVEL_WARN, "http", c->guest.peer, "%s%srefused with status %d: %s", c->target, *c->target ? " " : "", status, sentence);
	snprintf(body, sizeof body, "culvert: %s\n", sentence);
	answer(c, status, status == 407 ? "Content-Type: text/plain\r\nProxy-Authenticate: Basic realm=\"culvert\", charset=\"UTF-8\"\r\n" :
					  "Content-Type: text/plain\r\n", body, c->asking && c->asking->request.head_only);
}

static void answer_ours(struct conn *c)
{
	const struct proxy_request *r = &c->asking->request;
	char *text;

	if (!r->get || (strcmp(r->path, "/proxy.pac") && strcmp(r->path, "/wpad.dat"))) {
		refuse(c, 404, "this is the helper's HTTP proxy; of its own it has /proxy.pac only");
		return;
	}
	text = served_pac_text(c->guest.ingress->host->pac, c->guest.ingress->local);
	answer(c, 200, "Content-Type: " SERVED_PAC_TYPE "\r\nCache-Control: no-cache\r\n", text, r->head_only);
	free(text);
}

/* ---- the channel ---- */

/* What the target gets first: of CONNECT what came behind the head, else the head as it is asked on, and of the body what is there. */
static bool push(struct conn *c)
{
	const struct asking *a = c->asking;
	size_t body = a->n < c->left ? a->n : (size_t)c->left;

	if (c->left != RELAY_ALL)
		c->left -= body;
	return relay_push(&c->relay, a->request.head, a->request.head_len) && relay_push(&c->relay, a->in, body);
}

static void on_opened(void *ctx)
{
	static const char established[] = "HTTP/1.1 200 Connection established\r\n\r\n";
	struct conn *c = ctx;

	if (c->state != CONN_WAITING)
		return;
	timer_stop(&c->timer);
	c->state = CONN_OPEN;
	free(c->asking);
	c->asking = NULL;
	if (c->connect) /* were it not taken, the relay would find out */
		(void)stream_write(c->relay.stream, (const uint8_t *)established, strlen(established));
	relay_start(&c->relay, c->left);
}

static void on_channel_closed(void *ctx, uint64_t code, const char *reason)
{
	struct conn *c = ctx;

	if (c->state != CONN_OPEN) {
		refuse(c, local_target_status(code), reason);
		return;
	}
	if (code != CODE_NONE)
		log_limited(LOG_LEVEL_WARN, "http", c->guest.peer, "connection to %s reset: %s", c->target, reason);
	conn_free(c, code != CODE_NONE);
}

static void on_broken(void *ctx)
{
	conn_free(ctx, true);
}

static const struct relay_events relay_events = { on_opened, on_channel_closed, on_broken };

static void conn_open(struct conn *c, struct session *s)
{
	struct ingress *i = c->guest.ingress;
	const struct channel_params params = { .kind = KIND_STREAM, .service = c->target, .total = &i->total };

	if (!relay_open(&c->relay, s, &params)) {
		refuse(c, 503, session_has_targets(s) ? "the server allows no more channels in this session" :
							"the server is too old for addresses that helpers name");
		return;
	}
	timer_in(&c->timer, CONNECT_US);
	log_debug("http", c->guest.peer, "connection to %s is channel %llu", c->target, (unsigned long long)channel_id(c->relay.channel));
	(void)push(c);	/* there is room for that */
}

static void on_timer(void *ctx)
{
	struct conn *c = ctx;
	struct channel *channel = c->stream ? NULL : c->relay.channel;

	if (c->state == CONN_IDLE) {
		conn_free(c, false);
	} else if (c->state == CONN_HEAD) {
		refuse(c, 408, "the request did not come in time");
	} else {
		c->relay.channel = NULL;
		if (channel)
			channel_close(channel, CODE_TIMEOUT, "");
		refuse(c, channel ? 504 : 503, channel ? "the server did not reach it in 30 s" : "there was no session with the server for 10 s");
	}
}

/* ---- the request ---- */

static bool may_ask(const struct conn *c)
{
	const struct credentials *logins = c->guest.ingress->host->logins;
	const char *login = c->asking->request.login, *colon = strchr(login, ':');

	if (!logins)
		return true;
	return colon && credentials_bearer(logins, (struct span){ (const uint8_t *)login, (size_t)(colon - login) },
					   (struct span){ (const uint8_t *)colon + 1, strlen(colon + 1) });
}

static void begin(struct conn *c)
{
	const struct ingress_host *host = c->guest.ingress->host;
	struct session *s = host->session(host->ctx);
	struct stream *stream = c->stream;

	c->state = CONN_WAITING;
	c->stream = NULL;
	relay_init(&c->relay, host->loop, stream, &relay_events, c);
	timer_in(&c->timer, TALK_US);
	if (s)
		conn_open(c, s);
}

static void on_head(struct conn *c, size_t len)
{
	struct asking *a = c->asking;
	const char *sentence;
	int status = proxy_request_get(a->in, len, &a->request, &sentence);

	a->n -= len;
	memmove(a->in, a->in + len, a->n);
	c->connect = a->request.kind == PROXY_REQUEST_CONNECT;
	c->left = a->request.body;
	if (status)
		refuse(c, status, sentence);
	else if (a->request.kind == PROXY_REQUEST_OURS)
		answer_ours(c);
	else if (!may_ask(c))
		refuse(c, 407, "a name and password are needed (login-file)");
	else if (!local_target(a->request.host, a->request.port, c->target))
		refuse(c, 400, "the name of the host is too long");
	else
		begin(c);
}

static void on_readable(void *ctx)
{
	struct conn *c = ctx;
	struct asking *a = c->asking;
	ssize_t n;
	size_t len;

	if (!a)
		a = c->asking = malloc(sizeof *a);
	if (!a)
		abort();
	if (c->state == CONN_IDLE)
		a->n = 0;
	n = stream_read(c->stream, a->in + a->n, sizeof a->in - a->n);
	if (n == ERROR_AGAIN)
		return;
	if (n <= 0) {
		conn_free(c, n < 0);
		return;
	}
	if (c->state == CONN_IDLE) {
		c->state = CONN_HEAD;
		memset(&a->request, 0, sizeof a->request);
		timer_in(&c->timer, TALK_US);
	}
	a->n += (size_t)n;
	len = proxy_request_end(a->in, a->n);
	if (len)
		on_head(c, len);
	else if (a->n == sizeof a->in)
		refuse(c, 431, "the head of the request is too long");
}

static void on_failed(void *ctx, int error)
{
	(void)error;
	conn_free(ctx, true);
}

static const struct stream_events talk_events = { .readable = on_readable, .failed = on_failed };

/* ---- the listener ---- */

static void conn_new(struct ingress *i, int fd, const struct address *from)
{
	struct conn *c = calloc(1, sizeof *c);

	if (!c)
		abort();
	ingress_listener_admit(i, &c->guest, from);
	timer_init(&c->timer, i->host->loop, on_timer, c);
	timer_in(&c->timer, IDLE_US);
	c->stream = stream_tcp_adopt(i->host->loop, fd, &talk_events, c);
	stream_want(c->stream, true, false);
}

static struct ingress *http_open(const struct ingress_host *host, int fd, const char *service, unsigned port_index)
{
	return ingress_listener_open(&ingress_http, host, fd, service, port_index, conn_new);
}

static void guest_open(struct ingress_guest *g, struct session *s)
{
	struct conn *c = (struct conn *)g;

	if (c->state == CONN_WAITING && !c->relay.channel)
		conn_open(c, s);
}

static void http_welcome(struct ingress *i)
{
	ingress_listener_welcome(i, guest_open);
}

static void guest_end(struct ingress_guest *g)
{
	conn_free((struct conn *)g, true);
}

static void http_end(struct ingress *i)
{
	ingress_listener_close(i, guest_end);
}

const struct ingress_kind ingress_http = {
	.scheme = "http",
	.any = true,
	.bind = ingress_listener_bind,
	.open = http_open,
	.welcome = http_welcome,
	.close = http_end,
};
