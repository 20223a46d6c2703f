/*
 * Connections. Fed by the listeners; stacks TCP, TLS and the HTTP engine, whose
 * requests go to the front.
 */
#include "server/connections.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "framing/error.h"
#include "tunnel/counters.h"
#include "tunnel/http.h"
#include "tunnel/list.h"
#include "tunnel/log.h"
#include "tunnel/stream_tcp.h"

#define HANDSHAKE_TIMEOUT (10 * LOOP_SECOND)
#define BUCKETS 1024

/* An address that has connections; of IPv6 the /64, which one customer has. */
struct origin {
	struct origin *next;	/* in its bucket */
	uint8_t key[SEALS_ORIGIN]; /* family, then 4 or 8 bytes */
	size_t count;
};

enum connection_state {
	CONNECTION_NEW,		/* no byte yet -> TLS, HTTP if it is plain, CLOSED */
	CONNECTION_TLS,		/* -> HTTP, CLOSED */
	CONNECTION_HTTP,	/* the engine has the stream -> CLOSED */
	CONNECTION_CLOSED,
};

struct connection {
	struct connections *all;
	struct origin *origin;
	struct link link;
	struct front_visitor visitor;	/* what that of each exchange begins as */
	enum connection_state state;
	struct timer timer;	/* until HTTP begins */
	int fd;			/* to look at its first bytes; the stream's */
	struct stream *stream;
	struct http *http;
};

struct connections {
	struct loop *loop;
	const struct front *front;
	struct tls_context *tls;
	size_t max, max_per_address, count;
	struct link list;
	struct origin *bucket[BUCKETS];
};

/* ---- addresses ---- */

static void origin_key(const struct address *a, uint8_t key[SEALS_ORIGIN])
{
	memset(key, 0, SEALS_ORIGIN);
	key[0] = (uint8_t)a->sa.ss_family;
	if (a->sa.ss_family == AF_INET)
		memcpy(key + 1, &((const struct sockaddr_in *)&a->sa)->sin_addr, 4);
	else if (a->sa.ss_family == AF_INET6)
		memcpy(key + 1, &((const struct sockaddr_in6 *)&a->sa)->sin6_addr, 8);
}

static struct origin **origin_at(struct connections *all, const uint8_t key[SEALS_ORIGIN])
{
	uint32_t h = 2166136261;
	struct origin **link;

	for (int i = 0; i < SEALS_ORIGIN; i++)
		h = (h ^ key[i]) * 16777619;
	link = &all->bucket[(h ^ h >> 15) % BUCKETS];
	while (*link && memcmp((*link)->key, key, SEALS_ORIGIN))
		link = &(*link)->next;
	return link;
}

/* One more from this address; NULL at the cap. */
static struct origin *origin_take(struct connections *all, const struct address *a)
{
	uint8_t key[SEALS_ORIGIN];
	struct origin **link, *o;

	origin_key(a, key);
	link = origin_at(all, key);
	o = *link;
	if (o && o->count >= all->max_per_address)
		return NULL;
	if (!o) {
		o = calloc(1, sizeof *o);
		if (!o)
			abort();
		memcpy(o->key, key, sizeof key);
		*link = o;
	}
	o->count++;
	return o;
}

static void origin_give(struct connections *all, struct origin *o)
{
	struct origin **link;

	if (--o->count)
		return;
	link = origin_at(all, o->key);
	*link = o->next;
	free(o);
}

/* ---- one connection ---- */

/* Its stream is closed already, or the engine's. */
static void connection_end(struct connection *c)
{
	if (c->state == CONNECTION_CLOSED)
		return;
	c->state = CONNECTION_CLOSED;
	timer_stop(&c->timer);
	link_remove(&c->link);
	origin_give(c->all, c->origin);
	c->all->count--;
	loop_free_later(c->all->loop, c);
}

static void connection_close(struct connection *c)
{
	if (c->state == CONNECTION_HTTP) {
		http_close(c->http); /* closed follows */
		return;
	}
	if (c->state != CONNECTION_CLOSED)
		stream_close(c->stream);
	connection_end(c);
}

/* Of HTTP/2 connections several live at a time. */
static void on_request(void *ctx, struct exchange *x, const struct http1_head *head)
{
	struct connection *c = ctx;
	struct front_visitor *v = malloc(sizeof *v);

	if (!v)
		abort();
	*v = c->visitor;
	x->visitor = v;
	front_request(v, x, head);
}

static void on_over(void *ctx, struct exchange *x)
{
	struct connection *c = ctx;
	struct front_visitor *v = x->visitor;

	c->visitor.discarded = v->discarded;
	loop_free_later(c->all->loop, v);
}

static void on_closed(void *ctx, int error)
{
	struct connection *c = ctx;

	if (error == ERROR_MALFORMED)
		log_limited(LOG_LEVEL_INFO, "connection", c->visitor.peer, "sent a malformed request body");
	else
		log_debug("connection", c->visitor.peer, "closed: %s", error_text(error));
	connection_end(c);
}

static const struct http_events http_events = { .request = on_request, .closed = on_closed, .over = on_over };

static void on_timeout(void *ctx)
{
	struct connection *c = ctx;

	log_limited(LOG_LEVEL_INFO, "connection", c->visitor.peer, "closed: %s within %d s",
		    c->state == CONNECTION_NEW ? "it sent nothing" : "its TLS handshake was not done",
		    (int)(HANDSHAKE_TIMEOUT / LOOP_SECOND));
	count(tls_failed);
	connection_close(c);
}

static void begin_http(struct connection *c)
{
	timer_stop(&c->timer);
	c->state = CONNECTION_HTTP;
	c->http = http_server(c->all->loop, c->stream, &http_limits_default, &http_events, c);
}

static void on_tls_ready(void *ctx)
{
	struct connection *c = ctx;
	struct stream_info info;

	stream_info(c->stream, &info);
	if (info.resumed)
		count(tls_resumed);
	begin_http(c);
}

static void on_tls_failed(void *ctx, int error)
{
	struct connection *c = ctx;
	const char *why = stream_tls_reason(c->stream);

	count(tls_failed);
	log_limited(LOG_LEVEL_INFO, "tls", c->visitor.peer, "%s", *why ? why : error_text(error));
	connection_close(c);
}

static void ignore(void *ctx)
{
	(void)ctx;
}

static const struct stream_events tls_events = { on_tls_ready, ignore, ignore, on_tls_failed };

/* True for the first bytes of an HTTP request. */
static bool is_http(const char *p, size_t n)
{
	static const char *const methods[] = { "GET ", "POST ", "HEAD ", "PUT ", "OPTIONS ", "CONNECT ", "DELETE ", "PRI " };

	for (size_t i = 0; i < sizeof methods / sizeof *methods; i++) {
		size_t len = strlen(methods[i]);

		if (n >= 3 && !memcmp(p, methods[i], n < len ? n : len))
			return true;
	}
	return false;
}

static void plain_http(struct connection *c)
{
	static const char answer[] = "HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain\r\nContent-Length: 50\r\n"
				     "Connection: close\r\n\r\nThis port speaks HTTPS: the URL must be https://.\n";

	count(tls_failed);
	log_limited(LOG_LEVEL_WARN, "tls", c->visitor.peer,
		    "sent plain HTTP to the TLS port: its URL must begin with https://; if a reverse proxy sent it, let it "
		    "speak TLS to culvertd");
	(void)stream_write(c->stream, (const uint8_t *)answer, sizeof answer - 1);
	connection_close(c);
}

/* True for the first bytes of a TLS handshake. */
static bool is_tls(const char *p, size_t n)
{
	return p[0] == 0x16 && (n < 2 || p[1] == 0x03);
}

static void tls_on_plain(struct connection *c)
{
	log_limited(LOG_LEVEL_WARN, "connection", c->visitor.peer,
		    "sent TLS to a port of --listen-http, which speaks HTTP without TLS: https:// URLs lead to a port of --listen");
	connection_close(c);
}

/* The first bytes are there: TLS begins, unless they are plainly something else. */
static void on_first_bytes(void *ctx)
{
	struct connection *c = ctx;
	char first[8];
	ssize_t n = recv(c->fd, first, sizeof first, MSG_PEEK | MSG_DONTWAIT);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		connection_close(c); /* a probe of a load balancer, most likely */
		return;
	}
	if (c->visitor.plain) {
		is_tls(first, (size_t)n) ? tls_on_plain(c) : begin_http(c);
		return;
	}
	if (is_http(first, (size_t)n)) {
		plain_http(c);
		return;
	}
	c->state = CONNECTION_TLS;
	stream_want(c->stream, false, false);
	c->stream = stream_tls_server(c->all->loop, c->all->tls, c->stream, &tls_events, c);
}

static void on_tcp_failed(void *ctx, int error)
{
	(void)error;
	connection_close(ctx);
}

static const struct stream_events tcp_events = { ignore, on_first_bytes, ignore, on_tcp_failed };

/* ---- all of them ---- */

struct connections *connections_new(struct loop *loop, const struct front *front, size_t max, size_t max_per_address)
{
	struct connections *all = calloc(1, sizeof *all);

	if (!all)
		abort();
	all->loop = loop;
	all->front = front;
	all->max = max;
	all->max_per_address = max_per_address;
	list_init(&all->list);
	return all;
}

void connections_free(struct connections *all)
{
	if (!all)
		return;
	for (struct link *l = all->list.next, *next; l != &all->list; l = next) {
		next = l->next;
		connection_close(list_entry(l, struct connection, link));
	}
	tls_context_release(all->tls);
	free(all);
}

void connections_set_tls(struct connections *all, struct tls_context *tls)
{
	if (all->tls)
		tls_context_release(all->tls);
	all->tls = tls;
}

void connections_accept(struct connections *all, int fd, const struct address *peer, bool plain)
{
	struct connection *c;
	struct origin *origin = NULL;
	char text[ADDRESS_TEXT];

	if (all->count < all->max)
		origin = origin_take(all, peer);
	if (!origin) {
		count(connections_failed);
		if (all->count >= all->max)
			log_limited(LOG_LEVEL_WARN, "connection", address_text(peer, text),
				    "closed: %zu connections are open, the most allowed (max-connections)", all->count);
		else
			log_limited(LOG_LEVEL_WARN, "connection", address_text(peer, text),
				    "closed: its address has %zu connections open, the most allowed "
				    "(max-connections-per-address)", all->max_per_address);
		close(fd);
		return;
	}
	count(connections_opened);
	c = calloc(1, sizeof *c);
	if (!c)
		abort();
	c->all = all;
	c->origin = origin;
	c->fd = fd;
	c->visitor.front = all->front;
	c->visitor.plain = plain;
	origin_key(peer, c->visitor.origin);
	address_text(peer, c->visitor.peer);
	list_append(&all->list, &c->link);
	all->count++;
	timer_init(&c->timer, all->loop, on_timeout, c);
	timer_in(&c->timer, HANDSHAKE_TIMEOUT);
	c->stream = stream_tcp_adopt(all->loop, fd, &tcp_events, c);
	stream_tcp_far(c->stream);
	stream_want(c->stream, true, false);
}

size_t connections_count(const struct connections *all)
{
	return all->count;
}
