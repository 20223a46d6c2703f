/*
 * Connections. Fed by the listeners; stacks TCP, TLS and the HTTP engine, whose
 * requests go to the front, each with its visitor.
 */
#include "server/connections.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "framing/error.h"
#include "framing/proxy_protocol.h"
#include "server/visitors.h"
#include "tunnel/counters.h"
#include "tunnel/http.h"
#include "tunnel/list.h"
#include "tunnel/log.h"
#include "tunnel/stream_tcp.h"

#define HANDSHAKE_TIMEOUT (10 * LOOP_SECOND)
enum connection_state {
	CONNECTION_PROXY,	/* the PROXY protocol's header is not whole yet -> NEW, CLOSED */
	CONNECTION_NEW,		/* no byte yet -> TLS, HTTP without TLS, CLOSED */
	CONNECTION_TLS,		/* -> HTTP, CLOSED */
	CONNECTION_HTTP,	/* the engine has the stream -> CLOSED */
	CONNECTION_CLOSED,
};

struct connection {
	struct connections *all;
	struct origin *origin;	/* NULL: of a trusted proxy, or by a Unix socket */
	struct link link;
	struct visitors_place place;
	enum connections_kind kind;
	enum connection_state state;
	struct timer timer;	/* until HTTP begins */
	int fd;			/* to look at its first bytes; the stream's */
	uint8_t *header;	/* what came of it so far */
	size_t header_n;
	struct stream *stream;
	struct http *http;
};

struct connections {
	struct loop *loop;
	const struct front *front;
	struct tls_context *tls;
	size_t max, max_per_address, count;
	struct link list;
	struct origins origins;
	struct visitors visitors;
};

static const char *peer_of(const struct connection *c)
{
	return c->place.visitor.peer;
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
	origins_give(&c->all->origins, c->origin);
	free(c->header);
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

static void on_request(void *ctx, struct exchange *x, const struct http1_head *head)
{
	struct connection *c = ctx;
	struct front_visitor *v = visitors_take(&c->all->visitors, &c->place, head);

	x->visitor = v;
	front_request(v, x, head);
}

static void on_over(void *ctx, struct exchange *x)
{
	struct connection *c = ctx;

	visitors_give(&c->all->visitors, &c->place, x->visitor);
}

static void on_closed(void *ctx, int error)
{
	struct connection *c = ctx;

	if (error == ERROR_MALFORMED)
		log_limited(LOG_LEVEL_INFO, "connection", peer_of(c), "sent a malformed request body");
	else if (error == ERROR_LIMIT)
		log_limited(LOG_LEVEL_INFO, "connection", peer_of(c), "closed: it did too much of something, as attacks do");
	else
		log_debug("connection", peer_of(c), "closed: %s", error_text(error));
	connection_end(c);
}

static const struct http_events http_events = { .request = on_request, .closed = on_closed, .over = on_over };

static void on_timeout(void *ctx)
{
	struct connection *c = ctx;
	const char *why = c->state == CONNECTION_TLS ? "its TLS handshake was not done" : "it sent nothing";

	if (c->state == CONNECTION_PROXY)
		why = c->header_n ? "the PROXY protocol header was not whole" : "no PROXY protocol header came";
	log_limited(LOG_LEVEL_INFO, "connection", peer_of(c), "closed: %s within %d s", why, (int)(HANDSHAKE_TIMEOUT / LOOP_SECOND));
	count(tls_failed);
	connection_close(c);
}

static void begin_http(struct connection *c)
{
	timer_stop(&c->timer);
	c->state = CONNECTION_HTTP;
	c->http = http_server(c->all->loop, c->stream, c->place.proxy ? &http_limits_proxy : &http_limits_default, &http_events, c);
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
	log_limited(LOG_LEVEL_INFO, "tls", peer_of(c), "%s", *why ? why : error_text(error));
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
	log_limited(LOG_LEVEL_WARN, "tls", peer_of(c),
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
	if (c->kind == CONNECTIONS_CLEAR)
		log_limited(LOG_LEVEL_WARN, "connection", peer_of(c),
			    "sent TLS to a port of --listen-clear, which speaks HTTP without TLS: let the reverse proxy speak http:// to "
			    "it, or TLS to a port of --listen");
	else
		log_limited(LOG_LEVEL_WARN, "connection", peer_of(c),
			    "sent TLS to a port of --listen-http, which speaks HTTP without TLS: https:// URLs lead to a port of --listen");
	connection_close(c);
}

/* ---- the PROXY protocol ---- */

/* Counted for its address; false at the cap. */
static bool take_origin(struct connection *c, const struct address *peer)
{
	if (peer->sa.ss_family == AF_UNIX)
		return true;
	c->origin = origins_take(&c->all->origins, c->place.visitor.origin);
	if (origin_count(c->origin) <= c->all->max_per_address)
		return true;
	count(connections_failed);
	log_limited(LOG_LEVEL_WARN, "connection", peer_of(c),
		    "closed: its address has %zu connections open, the most allowed (max-connections-per-address)",
		    c->all->max_per_address);
	return false;
}

/* From now on it is theirs. */
static void name_peer(struct connection *c, const struct address *peer)
{
	address_text(peer, c->place.visitor.peer);
	origins_key(peer, c->place.visitor.origin);
}

/* The proxy has told whose connection it is; false at the cap of that address. */
static bool take_client(struct connection *c, const struct proxy_protocol *header)
{
	struct address client;

	if (header->source == PROXY_PROTOCOL_LOCAL)
		return true;
	if (header->source == PROXY_PROTOCOL_UNKNOWN) {
		c->place.proxy = false; /* whoever it is, nobody has looked at its requests */
		return true;
	}
	address_of_ip(header->ip, header->source == PROXY_PROTOCOL_IPV4 ? 4 : 16, header->port, &client);
	name_peer(c, &client);
	c->place.proxy = trusted_has(c->all->visitors.trusted, &client) || (c->place.local && address_is_local(&client));
	return c->place.proxy || take_origin(c, &client);
}

static void no_header(struct connection *c, ssize_t error)
{
	count(proxy_headers_failed);
	log_limited(LOG_LEVEL_WARN, "connection", peer_of(c), "closed: %s; its proxy must send one (send-proxy, proxy_protocol on)",
		    error == ERROR_LIMIT ? "its PROXY protocol header is too long" : "it does not begin with a PROXY protocol header");
	connection_close(c);
}

/* Takes the header out of the socket, and nothing of what follows it. */
static void take_header(struct connection *c)
{
	uint8_t *end = c->header + c->header_n;
	ssize_t n = recv(c->fd, end, PROXY_PROTOCOL_MAX - c->header_n, MSG_PEEK | MSG_DONTWAIT), len;
	struct proxy_protocol header;

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		connection_close(c); /* a proxy's look whether the port is open, most likely */
		return;
	}
	len = proxy_protocol_get(c->header, c->header_n + (size_t)n, &header);
	if (len < 0) {
		no_header(c, len);
		return;
	}
	if (len > 0)
		n = len - (ssize_t)c->header_n;
	if (recv(c->fd, end, (size_t)n, MSG_DONTWAIT) != n) {
		connection_close(c);
		return;
	}
	c->header_n += (size_t)n;
	if (len == 0)
		return;
	c->state = CONNECTION_NEW;
	if (!take_client(c, &header))
		connection_close(c);
}

/* The first bytes are there: TLS begins, unless they are plainly something else. */
static void begin(struct connection *c)
{
	char first[8];
	ssize_t n = recv(c->fd, first, sizeof first, MSG_PEEK | MSG_DONTWAIT);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		connection_close(c); /* a probe of a load balancer, most likely */
		return;
	}
	if (c->kind != CONNECTIONS_HTTPS) {
		is_tls(first, (size_t)n) ? tls_on_plain(c) : begin_http(c);
		return;
	}
	if (is_http(first, (size_t)n)) {
		plain_http(c);
		return;
	}
	c->state = CONNECTION_TLS;
	c->place.visitor.tls = true;
	stream_want(c->stream, false, false);
	c->stream = stream_tls_server(c->all->loop, c->all->tls, c->stream, &tls_events, c);
}

static void on_first_bytes(void *ctx)
{
	struct connection *c = ctx;

	if (c->state == CONNECTION_PROXY)
		take_header(c);
	else
		begin(c);
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
	all->visitors.max = max_per_address;
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
	visitors_fini(&all->visitors);
	free(all);
}

void connections_set_tls(struct connections *all, struct tls_context *tls)
{
	if (all->tls)
		tls_context_release(all->tls);
	all->tls = tls;
}

/* Why one from there is not let in at all; NULL: it is. */
static const char *unwanted(const struct connections *all, const struct connections_manner *manner, bool local, bool proxy)
{
	if (all->count >= all->max)
		return "as many connections are open as there may be (max-connections)";
	if (manner->kind == CONNECTIONS_CLEAR && !local && !proxy)
		return "a port of --listen-clear is for this machine and for trusted-proxies only";
	if (manner->proxy_protocol && !local && !proxy)
		return "a port with proxy-protocol is for this machine and for trusted-proxies only";
	return NULL;
}

static struct connection *connection_new(struct connections *all, int fd, const struct address *peer,
					 const struct connections_manner *manner)
{
	struct connection *c = calloc(1, sizeof *c);

	if (!c)
		abort();
	c->all = all;
	c->fd = fd;
	c->kind = manner->kind;
	c->state = manner->proxy_protocol ? CONNECTION_PROXY : CONNECTION_NEW;
	c->place.visitor.front = all->front;
	c->place.visitor.plain = manner->kind == CONNECTIONS_HTTP;
	c->place.local = manner->kind == CONNECTIONS_CLEAR || manner->proxy_protocol;
	name_peer(c, peer);
	list_append(&all->list, &c->link);
	all->count++;
	timer_init(&c->timer, all->loop, on_timeout, c);
	timer_in(&c->timer, HANDSHAKE_TIMEOUT);
	c->stream = stream_tcp_adopt(all->loop, fd, &tcp_events, c);
	if (peer->sa.ss_family != AF_UNIX)
		stream_tcp_far(c->stream);
	stream_want(c->stream, true, false);
	if (manner->proxy_protocol) {
		c->header = malloc(PROXY_PROTOCOL_MAX);
		if (!c->header)
			abort();
	}
	return c;
}

void connections_set_trusted(struct connections *all, const struct trusted *trusted)
{
	all->visitors.trusted = trusted;
}

void connections_accept(struct connections *all, int fd, const struct address *peer, const struct connections_manner *manner)
{
	bool local = address_is_local(peer), listed = trusted_has(all->visitors.trusted, peer);
	const char *why = unwanted(all, manner, local, listed);
	struct connection *c;
	char text[ADDRESS_TEXT];

	if (why) {
		count(connections_failed);
		log_limited(LOG_LEVEL_WARN, "connection", address_text(peer, text), "closed: %s", why);
		close(fd);
		return;
	}
	c = connection_new(all, fd, peer, manner);
	c->place.proxy = listed || (c->place.local && local);
	if (c->place.proxy || take_origin(c, peer))
		count(connections_opened);
	else
		connection_close(c);
}

void connections_drain(struct connections *all)
{
	for (struct link *l = all->list.next; l != &all->list; l = l->next) {
		struct connection *c = list_entry(l, struct connection, link);

		if (c->state == CONNECTION_HTTP)
			http_drain(c->http);
	}
}

size_t connections_count(const struct connections *all)
{
	return all->count;
}
