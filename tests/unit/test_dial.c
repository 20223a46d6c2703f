/* links: client/dial.c client/happy.c client/proxy_connect.c tunnel/stream_tls.c tunnel/tls_context.c tunnel/certificate.c tunnel/stream_tcp.c tunnel/address.c tunnel/loop.c tunnel/log.c tunnel/counters.c framing/http1.c framing/http1_head.c framing/http1_format.c framing/cursor.c framing/varint.c framing/base64.c framing/error.c tests/lib/certs.c */
/* libs: -lev -lssl -lcrypto -lhttp_parser */
/* The dialler against a scripted proxy and server on the loopback interface, with a resolver that answers
 * what the test says: every way to arrive, every refusal and its sentence, every deadline, every cancellation. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "client/dial.h"
#include "client/happy.h"
#include "framing/error.h"
#include "tests/lib/certs.h"
#include "tunnel/counters.h"
#include "tunnel/log.h"
#include "tunnel/stream_tcp.h"

#define DAY 86400L
#define PEERS 32

static struct loop *loop;
static struct cert ca, cert;
static struct tls_context *client_tls, *server_tls, *distrusting_tls;
static char error_buf[512];

/* The resolver of the test. */

struct resolve {
	struct timer timer;
	void (*done)(void *ctx, const struct address *, size_t n, int error);
	void *ctx;
};

static struct {
	struct address address[4];
	size_t n;
	int error;
	unsigned asked;
	char host[256];
	int64_t delay;
} names;

static void resolve_now(void *ctx)
{
	struct resolve *q = ctx;

	loop_free_later(loop, q);
	q->done(q->ctx, names.address, names.error ? 0 : names.n, names.error);
}

struct resolve *resolve_start(struct resolver *r, const char *host, uint16_t port,
			      void (*done)(void *ctx, const struct address *, size_t n, int error), void *ctx)
{
	struct resolve *q = calloc(1, sizeof *q);
	struct address literal;

	(void)r;
	q->done = done;
	q->ctx = ctx;
	names.asked++;
	snprintf(names.host, sizeof names.host, "%s", host);
	if (address_literal(host, port, &literal)) {
		names.address[0] = literal;
		names.n = 1;
	}
	timer_init(&q->timer, loop, resolve_now, q);
	timer_in(&q->timer, names.delay);
	return q;
}

void resolve_cancel(struct resolve *q)
{
	timer_stop(&q->timer);
	loop_free_later(loop, q);
}

/* The other end: a proxy that answers with `reply` when a head has come, or a TLS server; or both. */

struct peer {
	struct stream *stream;
	char head[4096];
	size_t got, sent;
	bool tls;
	struct timer timer;
};

static struct {
	int fd;
	struct io io;
	struct address address;
	const char *reply;	/* NULL: straight to TLS */
	bool drip;		/* the reply byte by byte */
	bool hang_up;		/* closes at once */
	bool hang_up_then;	/* closes behind the reply */
	bool no_tls;		/* says nothing behind the reply */
	unsigned accepted;
	struct peer peers[PEERS];
} there;

static void peer_close(struct peer *p)
{
	timer_stop(&p->timer);
	if (p->stream)
		stream_close(p->stream);
	p->stream = NULL;
}

static void tls_ready(void *ctx)
{
	((struct peer *)ctx)->tls = true;
}

static void tls_readable(void *ctx)
{
	struct peer *p = ctx;
	uint8_t buf[256];
	ssize_t n = stream_read(p->stream, buf, sizeof buf);

	if (n > 0)
		stream_write(p->stream, buf, (size_t)n); /* echo */
	else if (n != ERROR_AGAIN)
		peer_close(p);
}

static void peer_failed(void *ctx, int error)
{
	(void)error;
	peer_close(ctx);
}

static const struct stream_events tls_events = { tls_ready, tls_readable, NULL, peer_failed };

static void peer_tls(struct peer *p)
{
	if (there.no_tls)
		return;
	p->stream = stream_tls_server(loop, server_tls, p->stream, &tls_events, p);
	stream_want(p->stream, true, false);
}

/* Whether the reply is one behind which the tunnel stands. */
static bool opens(const char *reply)
{
	return strstr(reply, " 200") && !strncmp(reply, "HTTP/1.", 7);
}

static void peer_reply(void *ctx)
{
	struct peer *p = ctx;
	size_t left = strlen(there.reply) - p->sent, n = there.drip && left ? 1 : left;

	if (!p->stream)
		return;
	if (n)
		assert_int_equal(stream_write(p->stream, (const uint8_t *)there.reply + p->sent, n), (ssize_t)n);
	p->sent += n;
	if (n < left) {
		timer_in(&p->timer, LOOP_MS);
	} else if (there.hang_up_then) {
		peer_close(p);
	} else if (opens(there.reply)) {
		stream_want(p->stream, false, false);
		peer_tls(p);
	}
}

static void peer_readable(void *ctx)
{
	struct peer *p = ctx;
	ssize_t n = stream_read(p->stream, (uint8_t *)p->head + p->got, sizeof p->head - 1 - p->got);

	if (n <= 0) {
		if (n != ERROR_AGAIN)
			peer_close(p);
		return;
	}
	p->got += (size_t)n;
	if (strstr(p->head, "\r\n\r\n"))
		peer_reply(p);
}

static const struct stream_events peer_events = { NULL, peer_readable, NULL, peer_failed };

static void on_accept(void *ctx, bool readable, bool writable)
{
	int fd = accept(there.fd, NULL, NULL);
	struct peer *p = &there.peers[there.accepted++ % PEERS];

	(void)ctx;
	(void)readable;
	(void)writable;
	assert_true(fd >= 0);
	memset(p, 0, sizeof *p);
	timer_init(&p->timer, loop, peer_reply, p);
	p->stream = stream_tcp_adopt(loop, fd, &peer_events, p);
	if (there.hang_up)
		peer_close(p);
	else if (there.reply)
		stream_want(p->stream, true, false);
	else
		peer_tls(p);
}

static void listen_at(const char *host)
{
	memset(&there, 0, sizeof there);
	assert_true(address_literal(host, 0, &there.address));
	there.fd = socket(there.address.sa.ss_family, SOCK_STREAM | SOCK_NONBLOCK, 0);
	assert_int_equal(bind(there.fd, (struct sockaddr *)&there.address.sa, there.address.len), 0);
	assert_int_equal(listen(there.fd, 16), 0);
	assert_int_equal(address_of_socket(there.fd, &there.address), 0);
	io_init(&there.io, loop, there.fd, on_accept, NULL);
	io_want(&there.io, true, false);
}

/* A bound socket that is not listened on: connections are refused. */
static int refusing(const char *host, struct address *a)
{
	int fd;

	assert_true(address_literal(host, 0, a));
	fd = socket(a->sa.ss_family, SOCK_STREAM, 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&a->sa, a->len), 0);
	assert_int_equal(address_of_socket(fd, a), 0);
	return fd;
}

/* An address that does not answer at all: a listener whose queue is full drops what comes. fds: to be closed. */
static void black_hole(struct address *a, int fds[8])
{
	fds[0] = refusing("127.0.0.1", a);
	assert_int_equal(listen(fds[0], 0), 0);
	for (int i = 1; i < 8; i++) {
		fds[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
		connect(fds[i], (struct sockaddr *)&a->sa, a->len);
	}
}

static void close_all(int fds[8])
{
	for (int i = 0; i < 8; i++)
		close(fds[i]);
}

/* The dial. */

struct outcome {
	int called, error;
	struct stream *stream;
	char why[700];
	struct dial *dial;
	bool starting;
};

static struct dialler *dialler;
static struct dial_config config;

static void on_done(void *ctx, struct stream *s, int error, const char *why)
{
	struct outcome *o = ctx;
	static const struct stream_events none;

	assert_false(o->starting);
	assert_int_equal(s == NULL, error < 0);
	o->called++;
	o->error = error;
	o->stream = s;
	snprintf(o->why, sizeof o->why, "%s", why);
	if (s)
		stream_attach(s, &none, NULL);
	loop_break(loop);
}

static struct timer guard;
static bool late;

static void on_guard(void *ctx)
{
	(void)ctx;
	late = true;
	loop_break(loop);
}

static bool run(int64_t us)
{
	late = false;
	timer_init(&guard, loop, on_guard, NULL);
	timer_in(&guard, us);
	loop_run(loop);
	timer_stop(&guard);
	return !late;
}

static void begin(struct outcome *o)
{
	const struct pool_dialler *d = dialler_pool(dialler);

	memset(o, 0, sizeof *o);
	o->starting = true;
	o->dial = d->start(d->ctx, on_done, o);
	o->starting = false;
}

static void dial_it(struct outcome *o)
{
	begin(o);
	while (!o->called)
		assert_true(run(15 * LOOP_SECOND));
	assert_int_equal(o->called, 1);
}

static void make_dialler(void)
{
	dialler = dialler_new(&config);
}

static void direct(const char *host)
{
	config.server_host = host;
	config.server_port = address_port(&there.address);
	config.proxy_host = NULL;
	make_dialler();
}

static void proxied(const char *reply)
{
	there.reply = reply;
	config.server_host = "a.test";
	config.server_port = 443;
	config.proxy_host = "127.0.0.1";
	config.proxy_port = address_port(&there.address);
	make_dialler();
}

static void finish(struct outcome *o)
{
	if (o->stream)
		stream_close(o->stream);
	dialler_free(dialler);
	dialler = NULL;
	run(10 * LOOP_MS);
	for (int i = 0; i < PEERS; i++)
		peer_close(&there.peers[i]);
	run(LOOP_MS);
}

/* In "%P" stands the port of the other end. */
static const char *with_port(const char *text)
{
	static char out[700];
	const char *mark = strstr(text, "%P");

	if (!mark)
		return text;
	snprintf(out, sizeof out, "%.*s%u%s", (int)(mark - text), text, (unsigned)address_port(&there.address), mark + 2);
	return out;
}

static void expect_failure(int error, const char *why)
{
	struct outcome o;
	uint64_t failed = counted(connections_failed);

	dial_it(&o);
	assert_int_equal(o.error, error);
	if (!strstr(o.why, with_port(why)))
		fail_msg("\"%s\" lacks \"%s\"", o.why, with_port(why));
	assert_int_equal(counted(connections_failed), failed + 1);
	finish(&o);
}

static void expect_success(bool tls)
{
	struct outcome o;
	struct stream_info info;
	uint8_t buf[8];

	dial_it(&o);
	if (o.error)
		fail_msg("%d: %s", o.error, o.why);
	stream_info(o.stream, &info);
	assert_string_equal(info.tls, tls ? "TLSv1.3" : "");
	assert_int_equal(stream_write(o.stream, (const uint8_t *)"ping", 4), 4);
	for (int i = 0; i < 200 && stream_read(o.stream, buf, sizeof buf) != 4; i++)
		run(5 * LOOP_MS);
	assert_memory_equal(buf, "ping", 4);
	finish(&o);
}

static int setup(void **state)
{
	(void)state;
	loop = loop_new();
	memset(&names, 0, sizeof names);
	memset(&config, 0, sizeof config);
	config.loop = loop;
	config.tls = client_tls;
	listen_at("127.0.0.1");
	names.address[0] = there.address;
	names.n = 1;
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	io_stop(&there.io);
	close(there.fd);
	loop_free(loop);
	return 0;
}

static void test_direct(void **state)
{
	(void)state;
	direct("127.0.0.1");
	expect_success(true);
	direct("a.test");
	expect_success(true);
	assert_string_equal(names.host, "a.test");
}

static void test_direct_v6(void **state)
{
	(void)state;
	io_stop(&there.io);
	close(there.fd);
	listen_at("::1");
	direct("::1");
	expect_success(true);
}

static void test_proxy(void **state)
{
	static const char *const replies[] = {
		"HTTP/1.1 200 Connection established\r\n\r\n",
		"HTTP/1.0 200 OK\r\n\r\n",
		"HTTP/1.1 200 OK\r\nVia: 1.1 squid\r\nX-Cache: MISS\r\nProxy-Connection: keep-alive\r\nContent-Length: 0\r\n\r\n",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
		"HTTP/1.0 200 \r\nContent-Length: 17\r\n\r\n",
		"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n\r\n",
	};

	(void)state;
	for (size_t i = 0; i < sizeof replies / sizeof *replies; i++) {
		proxied(replies[i]);
		expect_success(true);
		there.drip = true;
		proxied(replies[i]);
		expect_success(true);
		there.drip = false;
	}
	assert_string_equal(names.host, "127.0.0.1"); /* never the server's */
}

static void test_request(void **state)
{
	struct outcome o;
	char want[512];

	(void)state;
	proxied("HTTP/1.1 200 OK\r\n\r\n");
	dial_it(&o);
	assert_int_equal(o.error, 0);
	assert_string_equal(there.peers[0].head,
			    "CONNECT a.test:443 HTTP/1.1\r\nHost: a.test:443\r\nUser-Agent: culvert/" CULVERT_VERSION "\r\n\r\n");
	finish(&o);

	config.proxy_user = "Aladdin";
	config.proxy_password = "open sesame"; /* RFC 7617 section 2 */
	config.server_host = "::1";
	config.server_port = 8443;
	there.reply = "HTTP/1.1 200 OK\r\n\r\n";
	make_dialler();
	dial_it(&o);
	assert_int_equal(o.error, 0);
	snprintf(want, sizeof want, "CONNECT [::1]:8443 HTTP/1.1\r\nHost: [::1]:8443\r\nUser-Agent: culvert/%s\r\n"
		 "Proxy-Authorization: Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==\r\n\r\n", CULVERT_VERSION);
	assert_string_equal(there.peers[1].head, want);
	finish(&o);
}

static void test_proxy_credentials(void **state)
{
	static const char wants[] =
		"HTTP/1.1 407 Proxy Authentication Required\r\nProxy-Authenticate: Negotiate\r\nproxy-authenticate: NTLM\r\n"
		"Proxy-Authenticate: Basic realm=\"Squid, the proxy\"\r\nContent-Length: 3000\r\n\r\n<html>";
	static const char other[] =
		"HTTP/1.1 407 Proxy Authentication Required\r\nProxy-Authenticate: Negotiate\r\nProxy-Authenticate: NTLM\r\n\r\n";

	(void)state;
	proxied(wants);
	expect_failure(ERROR_PROXY_AUTH, "the proxy 127.0.0.1:%P wants credentials (it offers: Negotiate, NTLM, Basic): put them into "
		       "--proxy http://USER@");
	proxied("HTTP/1.0 407 Who\r\n\r\n");
	expect_failure(ERROR_PROXY_AUTH, "it offers: nothing");
	proxied(other);
	expect_failure(ERROR_PROXY_AUTH, "of a kind that is not supported (it offers: Negotiate, NTLM)");
	config.proxy_user = "jane";
	config.proxy_password = "secret";
	proxied(wants);
	expect_failure(ERROR_PROXY_AUTH, "rejected the user name or password (user 'jane')");
	config.proxy_password = NULL;
	proxied("HTTP/1.1 200 OK\r\n\r\n");
	expect_success(true);
}

static void test_proxy_refusals(void **state)
{
	(void)state;
	proxied("HTTP/1.1 403 Forbidden\r\nContent-Length: 5\r\n\r\nnope.");
	expect_failure(ERROR_PROXY, "the proxy 127.0.0.1:%P does not allow CONNECT to a.test:443 (403 Forbidden); ask its administrator");
	proxied("HTTP/1.0 405 No\r\n\r\n");
	expect_failure(ERROR_PROXY, "(405 Method Not Allowed)");
	proxied("HTTP/1.1 502 Bad\r\n\r\n");
	expect_failure(ERROR_PROXY, "the proxy 127.0.0.1:%P could not reach a.test:443 (502 Bad Gateway)");
	proxied("HTTP/1.1 503 Bad\r\nTransfer-Encoding: chunked\r\n\r\n");
	expect_failure(ERROR_PROXY, "(503 Service Unavailable)");
	proxied("HTTP/1.1 504 Bad\r\n\r\n");
	expect_failure(ERROR_PROXY, "(504 Gateway Timeout)");
	proxied("HTTP/1.1 302 Found\r\nLocation: http://portal.test/\r\n\r\n");
	expect_failure(ERROR_PROXY, "a login page may be in between");
	proxied("HTTP/1.1 418 Teapot\r\n\r\n");
	expect_failure(ERROR_PROXY, "refused CONNECT to a.test:443 (418");
}

static void test_no_proxy_at_all(void **state)
{
	(void)state;
	proxied("SSH-2.0-OpenSSH_9.2p1\r\n");
	expect_failure(ERROR_PROXY, "127.0.0.1:%P does not speak HTTP: is this a proxy?");
	proxied("\x15\x03\x01");
	expect_failure(ERROR_PROXY, "does not speak HTTP");
	proxied("HTTP/2.0 200 OK\r\n\r\n");
	expect_failure(ERROR_PROXY, "does not speak HTTP");
	proxied("HTTP/1.1 200 OK\r\n\r\nsurprise");
	expect_failure(ERROR_PROXY, "sent bytes behind its answer");
	there.hang_up_then = true;
	proxied("HTTP/1.1 200 O");
	expect_failure(ERROR_PROXY, "closed the connection instead of answering CONNECT to a.test:443");
	proxied("");
	expect_failure(ERROR_PROXY, "closed the connection instead");
	there.hang_up = true;
	proxied("");
	expect_failure(ERROR_PROXY, "closed the connection instead");
}

static void test_bad_name(void **state)
{
	(void)state;
	proxied("HTTP/1.1 200 OK\r\n\r\n");
	dialler_free(dialler);
	config.server_host = "a.test\r\nX-Evil: 1";
	make_dialler();
	expect_failure(ERROR_CONFIG, "cannot be the name of a server");
	assert_int_equal(there.peers[0].got, 0);
}

static void test_resolve_fails(void **state)
{
	(void)state;
	names.error = ERROR_RESOLVE;
	direct("nosuch.invalid");
	expect_failure(ERROR_RESOLVE, "the name nosuch.invalid has no address (check the spelling and DNS)");
	names.error = ERROR_TIMEOUT;
	direct("nosuch.invalid");
	expect_failure(ERROR_RESOLVE, "DNS gave no address for the name nosuch.invalid in time");
	names.error = ERROR_RESOLVE;
	config.proxy_host = "proxy.invalid";
	make_dialler();
	expect_failure(ERROR_RESOLVE, "the name proxy.invalid of the proxy has no address");
}

static void test_connect_fails(void **state)
{
	struct address a;
	int fd = refusing("127.0.0.1", &a), fds[8];

	(void)state;
	names.address[0] = a;
	config.server_host = "a.test";
	config.server_port = address_port(&a);
	make_dialler();
	expect_failure(ERROR_REFUSED, "nothing listens at a.test:");
	config.proxy_host = "proxy.test";
	config.proxy_port = 3128;
	make_dialler();
	expect_failure(ERROR_REFUSED, "nothing listens at the proxy proxy.test:3128");
	close(fd);
	config.proxy_host = NULL;
	assert_true(address_literal("224.0.0.1", 9, &names.address[0]));
	make_dialler();
	expect_failure(ERROR_UNREACHABLE, "there is no route to a.test:");
	black_hole(&names.address[0], fds);
	config.connect_timeout_us = 200 * LOOP_MS;
	make_dialler();
	expect_failure(ERROR_TIMEOUT, "did not accept a connection within 0.2 s: if this network needs a proxy");
	close_all(fds);
}

static void test_deadlines(void **state)
{
	(void)state;
	config.proxy_timeout_us = config.tls_timeout_us = 200 * LOOP_MS;
	proxied("");
	expect_failure(ERROR_TIMEOUT, "the proxy 127.0.0.1:%P did not answer CONNECT to a.test:443 within 0.2 s");
	there.drip = true;	/* slow, byte by byte, never done */
	proxied("HTTP/1.1 200 OK\r\nX-Long: ................................................................................"
		"................................................................................................................"
		"................................................................................................................\r\n\r\n");
	expect_failure(ERROR_TIMEOUT, "did not answer CONNECT");
	there.drip = false;
	there.no_tls = true;
	proxied("HTTP/1.1 200 OK\r\n\r\n");
	expect_failure(ERROR_TIMEOUT, "a.test:443 through the proxy 127.0.0.1:%P did not finish the TLS handshake within 0.2 s");
	there.reply = NULL;
	direct("127.0.0.1");
	expect_failure(ERROR_TIMEOUT, "127.0.0.1:%P did not finish the TLS handshake");
}

static void test_tls_fails(void **state)
{
	uint64_t failed = counted(tls_failed);

	(void)state;
	config.tls = distrusting_tls;
	proxied("HTTP/1.1 200 OK\r\n\r\n");
	expect_failure(ERROR_CERTIFICATE, "the certificate for a.test is signed by 'Dial CA', which is not trusted: give its certificate with --cafile");
	config.tls = client_tls;
	there.reply = NULL;
	direct("b.test");
	expect_failure(ERROR_CERTIFICATE, "the certificate shown for b.test is for a.test");
	there.hang_up = true;
	direct("127.0.0.1");
	expect_failure(ERROR_RESET, "127.0.0.1:%P: the connection was closed during the TLS handshake");
	there.hang_up = false;
	config.server_host = "127.0.0.1";
	config.proxy_host = "127.0.0.1";
	config.proxy_port = address_port(&there.address);
	there.reply = "HTTP/1.1 200 OK\r\n\r\n";
	there.hang_up_then = true;
	make_dialler();
	expect_failure(ERROR_RESET, "through the proxy 127.0.0.1:%P: the connection was closed during the TLS handshake");
	assert_int_equal(counted(tls_failed), failed + 4);
}

/* Names are looked up once in 30 s, and not kept when they lead nowhere. */
static void test_addresses_kept(void **state)
{
	struct outcome o;
	struct address good;
	int fd;

	(void)state;
	direct("a.test");
	dial_it(&o);
	stream_close(o.stream);
	dial_it(&o);
	stream_close(o.stream);
	assert_int_equal(names.asked, 1);
	io_want(&there.io, false, false);
	io_stop(&there.io);
	close(there.fd);
	dial_it(&o);
	assert_int_equal(o.error, ERROR_REFUSED);
	assert_int_equal(names.asked, 1);
	listen_at("127.0.0.1");
	names.address[0] = there.address;
	dial_it(&o);
	assert_int_equal(o.error, 0);
	assert_int_equal(names.asked, 2);
	finish(&o);

	/* A dead address in front costs the race once; then the winner goes first. */
	good = there.address;
	fd = refusing("127.0.0.1", &names.address[0]);
	names.address[1] = good;
	names.n = 2;
	direct("a.test");
	dial_it(&o);
	assert_int_equal(o.error, 0);
	finish(&o);
	close(fd);
}

static void test_winner_first(void **state)
{
	struct outcome o;
	int fds[8];
	int64_t began;

	(void)state;
	black_hole(&names.address[0], fds);
	names.address[1] = there.address;
	names.n = 2;
	direct("a.test");
	for (int i = 0; i < 3; i++) {
		began = loop_touch(loop);
		dial_it(&o);
		assert_int_equal(o.error, 0);
		if (i == 0)
			assert_true(loop_now(loop) - began >= HAPPY_DELAY_US);
		stream_close(o.stream);
	}
	assert_int_equal(names.asked, 1);
	o.stream = NULL;
	finish(&o);
	assert_int_equal(there.accepted, 3);
	close_all(fds);
}

/* The race itself. */

struct race {
	int called, error;
	struct stream *stream;
	struct address winner;
	int64_t at;
};

static void on_raced(void *ctx, struct stream *s, const struct address *winner, int error)
{
	struct race *r = ctx;
	static const struct stream_events none;

	r->called++;
	r->error = error;
	r->stream = s;
	r->at = loop_now(loop);
	if (s) {
		stream_attach(s, &none, NULL);
		r->winner = *winner;
	}
	loop_break(loop);
}

static int64_t race(struct race *r, const struct address *a, size_t n)
{
	int64_t began = loop_touch(loop);

	memset(r, 0, sizeof *r);
	happy_start(loop, a, n, on_raced, r);
	assert_int_equal(r->called, 0);
	assert_true(run(10 * LOOP_SECOND));
	assert_int_equal(r->called, 1);
	if (r->stream)
		stream_close(r->stream);
	return r->at - began;
}

static void test_race(void **state)
{
	struct address a[4], hole, dead, far;
	struct race r;
	int fds[8], fd = refusing("127.0.0.1", &dead);
	int64_t took;

	(void)state;
	black_hole(&hole, fds);
	assert_true(address_literal("224.0.0.1", 9, &far));
	a[0] = hole;
	a[1] = there.address;
	took = race(&r, a, 2);	/* one dead address: the next 250 ms later */
	assert_int_equal(r.error, 0);
	assert_true(address_equal(&r.winner, &there.address));
	assert_true(took >= HAPPY_DELAY_US);
	a[0] = dead;
	a[1] = far;
	a[2] = there.address;
	took = race(&r, a, 3);	/* failures: the next at once */
	assert_int_equal(r.error, 0);
	assert_true(took < HAPPY_DELAY_US);
	a[2] = dead;
	race(&r, a, 3);
	assert_int_equal(r.error, ERROR_REFUSED);
	a[0] = far;
	a[1] = dead;
	race(&r, a, 2);		/* what says most, not what came first */
	assert_int_equal(r.error, ERROR_REFUSED);
	race(&r, a, 1);
	assert_int_equal(r.error, ERROR_UNREACHABLE);
	race(&r, a, 0);
	assert_int_equal(r.error, ERROR_UNREACHABLE);
	a[0] = a[1] = hole;
	memset(&r, 0, sizeof r);
	happy_cancel(happy_start(loop, a, 2, on_raced, &r));
	assert_false(run(300 * LOOP_MS));
	assert_int_equal(r.called, 0);
	close(fd);
	close_all(fds);
	for (int i = 0; i < PEERS; i++)
		peer_close(&there.peers[i]);
	run(LOOP_MS);
}

/* Cancelled at any time, and with the dialler: done is not called, nothing stays. */
static void test_cancel(void **state)
{
	struct outcome o[3];
	const struct pool_dialler *d;

	(void)state;
	names.delay = 2 * LOOP_MS;
	there.drip = true;
	for (int64_t at = 0; at < 60 * LOOP_MS; at += at < 8 * LOOP_MS ? 300 : 5 * LOOP_MS) {
		proxied("HTTP/1.1 200 Connection established\r\n\r\n");
		for (int i = 0; i < 3; i++)
			begin(&o[i]);
		if (at)
			while (run(at) && !o[0].called)
				;
		d = dialler_pool(dialler);
		if (!o[0].called)
			d->cancel(o[0].dial);
		for (int i = 1; i < 3; i++)
			if (o[i].stream)
				stream_close(o[i].stream);
		for (int i = 0; i < 3; i++)
			o[i].called = 100;
		finish(&o[0]);	/* with the other two under way */
		for (int i = 0; i < 3; i++)
			assert_int_equal(o[i].called, 100);
	}
}

static void test_plain(void **state)
{
	struct outcome o;

	(void)state;
	config.tls = NULL;
	there.no_tls = true;
	direct("127.0.0.1");
	dial_it(&o);
	assert_int_equal(o.error, 0);
	finish(&o);
}

static int make_contexts(void **state)
{
	(void)state;
	log_setup(LOG_LEVEL_ERROR, false);
	cert_make(&ca, "ca", "Dial CA", NULL, -DAY, 30 * DAY, NULL, true);
	cert_make(&cert, "server", "ignored", "DNS:a.test,IP:127.0.0.1,IP:::1", -DAY, 30 * DAY, &ca, false);
	client_tls = tls_context_client(ca.file, "http/1.1", error_buf, sizeof error_buf);
	distrusting_tls = tls_context_client(NULL, NULL, error_buf, sizeof error_buf);
	server_tls = tls_context_server(cert.file, cert.keyfile, "http/1.1", error_buf, sizeof error_buf);
	assert_true(client_tls && distrusting_tls && server_tls);
	return 0;
}

static int drop_contexts(void **state)
{
	(void)state;
	tls_context_release(client_tls);
	tls_context_release(distrusting_tls);
	tls_context_release(server_tls);
	cert_free(&ca);
	cert_free(&cert);
	certs_remove();
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_direct, setup, teardown),
		cmocka_unit_test_setup_teardown(test_direct_v6, setup, teardown),
		cmocka_unit_test_setup_teardown(test_proxy, setup, teardown),
		cmocka_unit_test_setup_teardown(test_request, setup, teardown),
		cmocka_unit_test_setup_teardown(test_proxy_credentials, setup, teardown),
		cmocka_unit_test_setup_teardown(test_proxy_refusals, setup, teardown),
		cmocka_unit_test_setup_teardown(test_no_proxy_at_all, setup, teardown),
		cmocka_unit_test_setup_teardown(test_bad_name, setup, teardown),
		cmocka_unit_test_setup_teardown(test_resolve_fails, setup, teardown),
		cmocka_unit_test_setup_teardown(test_connect_fails, setup, teardown),
		cmocka_unit_test_setup_teardown(test_deadlines, setup, teardown),
		cmocka_unit_test_setup_teardown(test_tls_fails, setup, teardown),
		cmocka_unit_test_setup_teardown(test_addresses_kept, setup, teardown),
		cmocka_unit_test_setup_teardown(test_winner_first, setup, teardown),
		cmocka_unit_test_setup_teardown(test_race, setup, teardown),
		cmocka_unit_test_setup_teardown(test_cancel, setup, teardown),
		cmocka_unit_test_setup_teardown(test_plain, setup, teardown),
	};

	alarm(180); /* whatever happens, end */
	return cmocka_run_group_tests(tests, make_contexts, drop_contexts);
}
