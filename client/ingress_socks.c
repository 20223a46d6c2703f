/*
 * SOCKS5 ingress (RFC 1928, 1929): a listening port for programs that name their targets themselves. CONNECT is a stream channel,
 * UDP ASSOCIATE a socket of its own (socks_udp.c). Names go to the server as they are. Made by helper.c.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "client/ingress_listener.h"
#include "client/local_target.h"
#include "client/relay.h"
#include "client/socks_udp.h"
#include "framing/capsule.h"
#include "framing/error.h"
#include "tunnel/credential.h"
#include "tunnel/log.h"
#include "tunnel/stream_tcp.h"

#define TALK_US (10 * LOOP_SECOND)	/* for the client's messages, and for a session */
#define CONNECT_US (30 * LOOP_SECOND)	/* for the server to reach the target */

enum conn_state {
	CONN_GREETING,		/* -> LOGIN, REQUEST, gone */
	CONN_LOGIN,		/* -> REQUEST, gone */
	CONN_REQUEST,		/* -> WAITING, ASSOCIATED, gone */
	CONN_WAITING,		/* for a session, then for OPENED. -> OPEN, gone */
	CONN_OPEN,		/* -> gone */
	CONN_ASSOCIATED,	/* its end is that of the association. -> gone */
};

struct conn {
	struct ingress_guest guest;	/* first */
	enum conn_state state;
	struct stream *stream;	/* until it is the relay's */
	struct relay relay;	/* from WAITING on */
	struct socks_udp *udp;
	struct timer timer;
	struct address on, client; /* its two ends */
	struct socks5_request request;
	uint8_t in[SOCKS5_MESSAGE_MAX + 64];
	size_t n;		/* octets of in */
};

static void conn_free(struct conn *c, bool reset)
{
	struct loop *loop = c->guest.ingress->host->loop;

	timer_stop(&c->timer);
	ingress_listener_dismiss(&c->guest);
	socks_udp_free(c->udp);
	if (c->stream)
		(reset ? stream_tcp_abort : stream_close)(c->stream);
	else
		relay_fini(&c->relay, reset);
	loop_free_later(loop, c);
}

static struct stream *stream_of(const struct conn *c)
{
	return c->stream ? c->stream : c->relay.stream;
}

/* A few octets: a socket that does not take them is of no use. */
static bool say(struct conn *c, const uint8_t *p, size_t n)
{
	return stream_write(stream_of(c), p, n) == (ssize_t)n;
}

static bool reply(struct conn *c, enum socks5_reply code, const struct address *at)
{
	uint8_t message[SOCKS5_REPLY_MAX], ip[16];
	size_t len = 0;

	if (at && at->sa.ss_family == AF_INET) {
		len = 4;
		memcpy(ip, &((const struct sockaddr_in *)&at->sa)->sin_addr, len);
	} else if (at) {
		len = 16;
		memcpy(ip, &((const struct sockaddr_in6 *)&at->sa)->sin6_addr, len);
	}
	return say(c, message, socks5_reply_put(message, code, at ? ip : NULL, len, at ? address_port(at) : 0));
}

static void refuse(struct conn *c, enum socks5_reply code, const char *why)
{
	log_limited(LOG_LEVEL_WARN, "socks5", c->guest.peer, "%s port %u: %s", c->request.host, c->request.port, why);
	(void)reply(c, code, NULL);
	conn_free(c, false);
}

/* Talks no SOCKS5, or goes. */
static void give_up(struct conn *c, const char *why)
{
	log_limited(LOG_LEVEL_INFO, "socks5", c->guest.peer, "connection to %s closed: %s", c->guest.ingress->local, why);
	conn_free(c, true);
}

/* ---- CONNECT ---- */

static void on_opened(void *ctx)
{
	struct conn *c = ctx;

	if (c->state != CONN_WAITING)
		return;
	timer_stop(&c->timer);
	c->state = CONN_OPEN;
	(void)reply(c, SOCKS5_SUCCEEDED, NULL);	/* were it not taken, the relay would find out */
	relay_start(&c->relay, RELAY_ALL);
}

static void on_channel_closed(void *ctx, uint64_t code, const char *reason)
{
	struct conn *c = ctx;

	if (c->state == CONN_OPEN) {
		if (code != CODE_NONE)
			log_limited(LOG_LEVEL_WARN, "socks5", c->guest.peer, "connection to %s port %u reset: %s", c->request.host, c->request.port, reason);
		conn_free(c, code != CODE_NONE);
		return;
	}
	refuse(c, local_target_reply(code), reason);
}

static void on_broken(void *ctx)
{
	conn_free(ctx, true);
}

static const struct relay_events relay_events = { on_opened, on_channel_closed, on_broken };

static void conn_open(struct conn *c, struct session *s)
{
	struct ingress *i = c->guest.ingress;
	char target[MESSAGE_TARGET_MAX + 1];
	const struct channel_params params = { .kind = KIND_STREAM, .service = target, .total = &i->total };

	if (!local_target(c->request.host, c->request.port, target)) {
		refuse(c, SOCKS5_ADDRESS_UNKNOWN, "the name is too long");
	} else if (!relay_open(&c->relay, s, &params)) {
		refuse(c, SOCKS5_GENERAL_FAILURE, session_has_targets(s) ? "the server allows no more channels in this session" :
									   "the server is too old for addresses that helpers name");
	} else {
		timer_in(&c->timer, CONNECT_US);
		log_debug("socks5", c->guest.peer, "connection to %s is channel %llu", target, (unsigned long long)channel_id(c->relay.channel));
		(void)relay_push(&c->relay, c->in, c->n); /* what came behind the request; there is always room for that */
	}
}

static void begin_connect(struct conn *c)
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

/* ---- UDP ASSOCIATE ---- */

static void begin_udp(struct conn *c)
{
	/* Some clients name a port of theirs, most give none. */
	c->udp = socks_udp_new(c->guest.ingress, &c->on, &c->client, c->request.port);
	if (!c->udp) {
		log_limited(LOG_LEVEL_ERROR, "socks5", c->guest.peer, "no socket for UDP: %s", strerror(errno));
		refuse(c, SOCKS5_GENERAL_FAILURE, "no socket");
		return;
	}
	c->state = CONN_ASSOCIATED;
	timer_stop(&c->timer);
	if (!reply(c, SOCKS5_SUCCEEDED, socks_udp_address(c->udp)))
		conn_free(c, true);
}

/* ---- the talk ---- */

static void take(struct conn *c, ssize_t n)
{
	c->n -= (size_t)n;
	memmove(c->in, c->in + n, c->n);
}

static ssize_t on_greeting(struct conn *c)
{
	bool login = c->guest.ingress->host->logins, open, password;
	enum socks5_method method;
	uint8_t answer[2];
	ssize_t used = socks5_methods_get(c->in, c->n, &open, &password);

	if (used <= 0)
		return used;
	method = login ? password ? SOCKS5_PASSWORD : SOCKS5_NONE : open ? SOCKS5_OPEN : SOCKS5_NONE;
	if (!say(c, answer, socks5_method_put(answer, method)) || method == SOCKS5_NONE) {
		log_limited(LOG_LEVEL_WARN, "socks5", c->guest.peer, "the client is turned away: %s",
			    login ? "it gives no name and password (login-file)" : "it insists on a name and password, and none are asked for");
		return ERROR_AUTH;
	}
	c->state = method == SOCKS5_PASSWORD ? CONN_LOGIN : CONN_REQUEST;
	return used;
}

static struct span span_of(const char *text)
{
	return (struct span){ (const uint8_t *)text, strlen(text) };
}

static ssize_t on_login(struct conn *c)
{
	char user[256], password[256];
	uint8_t answer[2];
	ssize_t used = socks5_credentials_get(c->in, c->n, user, password);
	bool ok;

	if (used <= 0)
		return used;
	ok = credentials_bearer(c->guest.ingress->host->logins, span_of(user), span_of(password));
	explicit_bzero(password, sizeof password);
	explicit_bzero(c->in, (size_t)used);
	if (!say(c, answer, socks5_accepted_put(answer, ok)) || !ok) {
		log_limited(LOG_LEVEL_WARN, "socks5", c->guest.peer, "wrong name or password");
		return ERROR_AUTH;
	}
	c->state = CONN_REQUEST;
	return used;
}

/* True: the connection is somebody else's now, or gone. */
static bool on_request(struct conn *c, ssize_t *used)
{
	*used = socks5_request_get(c->in, c->n, &c->request);
	if (*used <= 0)
		return false;
	take(c, *used);
	switch (c->request.command) {
	case SOCKS5_CONNECT:
		if (c->request.port)
			begin_connect(c);
		else
			refuse(c, SOCKS5_ADDRESS_UNKNOWN, "there is no port 0");
		return true;
	case SOCKS5_UDP_ASSOCIATE:
		begin_udp(c);
		return true;
	default:
		refuse(c, SOCKS5_COMMAND_UNKNOWN, "BIND and the like are not served");
		return true;
	}
}

/* Takes what is whole of c->in. */
static void talk(struct conn *c)
{
	ssize_t used = 1;

	while (used > 0 && c->n > 0) {
		if (c->state == CONN_REQUEST) {
			if (on_request(c, &used))
				return;
		} else {
			used = c->state == CONN_GREETING ? on_greeting(c) : on_login(c);
			if (used > 0)
				take(c, used);
		}
	}
	if (used == ERROR_AUTH)
		conn_free(c, false);
	else if (used < 0 || c->n == sizeof c->in)
		give_up(c, "what came is not SOCKS5");
}

static void on_readable(void *ctx)
{
	struct conn *c = ctx;
	ssize_t n = stream_read(c->stream, c->in + c->n, sizeof c->in - c->n);

	if (n == ERROR_AGAIN)
		return;
	if (n <= 0) {
		conn_free(c, n < 0);
		return;
	}
	if (c->state == CONN_ASSOCIATED)
		return;		/* nothing is said there */
	c->n += (size_t)n;
	talk(c);
}

static void on_failed(void *ctx, int error)
{
	(void)error;
	conn_free(ctx, true);
}

static const struct stream_events talk_events = { .readable = on_readable, .failed = on_failed };

static void on_timer(void *ctx)
{
	struct conn *c = ctx;
	struct channel *channel = c->stream ? NULL : c->relay.channel;

	if (c->state != CONN_WAITING) {
		give_up(c, "no request came in 10 s");
		return;
	}
	c->relay.channel = NULL;
	if (channel)
		channel_close(channel, CODE_TIMEOUT, "");
	refuse(c, channel ? SOCKS5_TTL_EXPIRED : SOCKS5_GENERAL_FAILURE,
	       channel ? "the server did not reach it in 30 s" : "there was no session with the server for 10 s");
}

/* ---- the listener ---- */

static void conn_new(struct ingress *i, int fd, const struct address *from)
{
	struct conn *c = calloc(1, sizeof *c);

	if (!c)
		abort();
	ingress_listener_admit(i, &c->guest, from);
	c->client = *from;
	if (address_of_socket(fd, &c->on) < 0)
		c->on = *from;
	timer_init(&c->timer, i->host->loop, on_timer, c);
	timer_in(&c->timer, TALK_US);
	c->stream = stream_tcp_adopt(i->host->loop, fd, &talk_events, c);
	stream_want(c->stream, true, false);
}

static struct ingress *socks_open(const struct ingress_host *host, int fd, const char *service, unsigned port_index)
{
	return ingress_listener_open(&ingress_socks, host, fd, service, port_index, conn_new);
}

static void guest_open(struct ingress_guest *g, struct session *s)
{
	struct conn *c = (struct conn *)g;

	if (c->state == CONN_WAITING && !c->relay.channel)
		conn_open(c, s);
}

static void socks_welcome(struct ingress *i)
{
	ingress_listener_welcome(i, guest_open);
}

static void guest_end(struct ingress_guest *g)
{
	conn_free((struct conn *)g, true);
}

static void socks_close(struct ingress *i)
{
	ingress_listener_close(i, guest_end);
}

const struct ingress_kind ingress_socks = {
	.scheme = "socks5",
	.any = true,
	.bind = ingress_listener_bind,
	.open = socks_open,
	.welcome = socks_welcome,
	.close = socks_close,
};
