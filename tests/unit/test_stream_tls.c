/* links: tunnel/stream_tls.c tunnel/tls_context.c tunnel/certificate.c tunnel/stream_tcp.c tunnel/address.c tunnel/loop.c tunnel/log.c framing/error.c tests/lib/stream_mem.c tests/lib/certs.c */
/* libs: -lev -lssl -lcrypto */
/* TLS over a stream in memory and over sockets, in both versions: handshakes and what can go wrong in them,
 * transfers with partial writes and pauses, resumption, and no allocation per record. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <netinet/in.h>
#include <openssl/crypto.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "framing/error.h"
#include "tests/lib/certs.h"
#include "tests/lib/stream_mem.h"
#include "tunnel/address.h"
#include "tunnel/stream_tcp.h"
#include "tunnel/stream_tls.h"
#include "tunnel/tls_context.h"

#define DAY 86400L

struct side {
	struct stream *stream;
	int ready, readable, writable, error;
	bool eof, paused;
	char reason[512];
	uint64_t out, in, total;	/* bytes written, read, to be written */
	size_t piece;			/* bytes per read and write */
	uint64_t pause_at;		/* stops reading there once */
	bool broken;			/* a byte was wrong */
};

static struct cert ca, server, ip, expired, early, lone, deep, middle, other_ca, mismatch;
static struct loop *loop;
static struct side client_side, server_side;
static struct tls_context *client_ctx, *server_ctx;
static struct stream *lower[2];
static char error[512];

static uint8_t pattern(uint64_t i)
{
	return (uint8_t)(i * 31 + (i >> 8) * 17 + (i >> 16));
}

/* A side: writes `total` bytes of the pattern and checks what it reads against it. */

static void side_want(struct side *s)
{
	stream_want(s->stream, !s->eof && !s->paused && !s->error, s->out < s->total && !s->error);
}

static void side_stop(struct side *s, int code)
{
	s->error = code;
	snprintf(s->reason, sizeof s->reason, "%s", stream_tls_reason(s->stream));
}

static void on_ready(void *ctx)
{
	struct side *s = ctx;

	s->ready++;
	side_want(s);
}

static void on_readable(void *ctx)
{
	struct side *s = ctx;
	uint8_t buf[20000];
	ssize_t n = stream_read(s->stream, buf, s->piece);

	s->readable++;
	assert_false(s->paused);
	if (n == ERROR_AGAIN)
		return;
	if (n < 0)
		side_stop(s, (int)n);
	if (n == 0)
		s->eof = true;
	for (ssize_t i = 0; i < n; i++)
		s->broken |= buf[i] != pattern(s->in++);
	if (s->pause_at && s->in >= s->pause_at) {
		s->paused = true;
		s->pause_at = 0;
	}
	side_want(s);
}

static void on_writable(void *ctx)
{
	struct side *s = ctx;
	uint8_t buf[20000];
	size_t n = s->total - s->out < s->piece ? s->total - s->out : s->piece;
	ssize_t taken;

	s->writable++;
	for (size_t i = 0; i < n; i++)
		buf[i] = pattern(s->out + i);
	taken = stream_write(s->stream, buf, n);
	if (taken > 0)
		s->out += (uint64_t)taken;
	else if (taken != ERROR_AGAIN)
		side_stop(s, (int)taken);
	side_want(s);
}

static void on_failed(void *ctx, int code)
{
	assert_int_equal(((struct side *)ctx)->error, 0);
	side_stop(ctx, code);
}

static const struct stream_events events = { on_ready, on_readable, on_writable, on_failed };

/* A world: contexts, a pair of lower streams, TLS on both. */

static void contexts(const struct cert *show, const char *cafile, int version, const char *alpn, const char *server_alpn)
{
	client_ctx = tls_context_client(cafile, alpn, error, sizeof error);
	assert_non_null(client_ctx);
	server_ctx = tls_context_server(show->file, show->keyfile, server_alpn, error, sizeof error);
	assert_non_null(server_ctx);
	SSL_CTX_set_max_proto_version(server_ctx->ctx, version);
}

static void side_init(struct side *s)
{
	memset(s, 0, sizeof *s);
	s->piece = 16384;
}

static void connect_over(const char *host)
{
	side_init(&client_side);
	side_init(&server_side);
	client_side.stream = stream_tls_client(loop, client_ctx, lower[0], host, &events, &client_side);
	server_side.stream = stream_tls_server(loop, server_ctx, lower[1], &events, &server_side);
}

static void connect_mem(const char *host, const struct stream_mem_options *o)
{
	loop = loop_new_virtual(0, 0);
	stream_mem_pair(loop, &lower[0], &lower[1], o);
	connect_over(host);
}

static void run_for(int64_t us)
{
	loop_advance(loop, loop_now(loop) + us);
}

static void disconnect(void)
{
	if (client_side.stream)
		stream_close(client_side.stream);
	if (server_side.stream)
		stream_close(server_side.stream);
	run_for(LOOP_SECOND);
	loop_free(loop);
}

static void forget(void)
{
	tls_context_release(client_ctx);
	tls_context_release(server_ctx);
}

static void expect_open(const char *version, bool resumed)
{
	struct stream_info i;

	assert_int_equal(client_side.ready, 1);
	assert_int_equal(server_side.ready, 1);
	stream_info(client_side.stream, &i);
	assert_string_equal(i.tls, version);
	assert_int_equal(i.resumed, resumed);
	assert_string_not_equal(i.peer, "");
	assert_string_equal(stream_tls_reason(client_side.stream), "");
}

static void version_test(int version, const char *name)
{
	const char *names[] = { "a.test", "A.test", "a.test.", "x.wild.test", "127.0.0.1", "::1" };

	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		struct stream_info info;

		contexts(&server, ca.file, version, "h2,http/1.1", "http/1.1,h2");
		connect_mem(names[i], NULL);
		run_for(LOOP_SECOND);
		expect_open(name, false);
		stream_info(server_side.stream, &info);
		assert_string_equal(info.alpn, "http/1.1");
		disconnect();
		forget();
	}
}

static void test_versions(void **state)
{
	(void)state;
	version_test(TLS1_2_VERSION, "TLSv1.2");
	version_test(TLS1_3_VERSION, "TLSv1.3");
}

static const char *alpn_of(struct side *s)
{
	struct stream_info i;

	stream_info(s->stream, &i);
	return i.alpn;
}

static void test_alpn(void **state)
{
	static const struct { const char *client, *server, *agreed; } cases[] = {
		{ "h2", "http/1.1", "" },
		{ "http/1.1", NULL, "" },
		{ NULL, "http/1.1", "" },
		{ "http/1.1", "h2,http/1.1", "http/1.1" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		contexts(&server, ca.file, 0, cases[i].client, cases[i].server);
		connect_mem("a.test", NULL);
		run_for(LOOP_SECOND);
		expect_open("TLSv1.3", false);
		assert_string_equal(alpn_of(&client_side), cases[i].agreed);
		assert_string_equal(alpn_of(&server_side), cases[i].agreed);
		disconnect();
		forget();
	}
	assert_null(tls_context_client(NULL, "h2,,http/1.1", error, sizeof error));
	assert_non_null(strstr(error, "h2,,http/1.1"));
}

/* Certificates that must not be accepted. */

static void expect_refused(const struct cert *show, const char *cafile, const char *host, const char *a, const char *b)
{
	for (int version = TLS1_2_VERSION; version <= TLS1_3_VERSION; version++) {
		contexts(show, cafile, version, NULL, NULL);
		connect_mem(host, NULL);
		run_for(LOOP_SECOND);
		assert_int_equal(client_side.ready, 0);
		assert_int_equal(client_side.error, ERROR_CERTIFICATE);
		if (!strstr(client_side.reason, a) || !strstr(client_side.reason, b))
			fail_msg("\"%s\" lacks \"%s\" or \"%s\"", client_side.reason, a, b);
		/* The server hears of it, in the handshake or (TLS 1.3) behind it. */
		assert_int_equal(server_side.error, ERROR_TLS);
		assert_non_null(strstr(server_side.reason, "alert"));
		assert_int_equal(stream_read(client_side.stream, (uint8_t *)error, 1), ERROR_CERTIFICATE);
		assert_int_equal(stream_write(client_side.stream, (uint8_t *)error, 1), ERROR_CERTIFICATE);
		disconnect();
		forget();
	}
}

static void test_refused(void **state)
{
	char issuer[] = "'Test \xc3\x96""rtchen? CA'";

	(void)state;
	expect_refused(&server, other_ca.file, "a.test", issuer, "--cafile");
	expect_refused(&server, NULL, "a.test", issuer, "--cafile");
	expect_refused(&deep, other_ca.file, "deep.test", "'Middle CA'", "--cafile"); /* the chain lacks it */
	expect_refused(&lone, ca.file, "lone.test", "self-signed ('lone.test')", "--cafile");
	expect_refused(&server, ca.file, "b.test", "for b.test is for a.test, *.wild.test", "127.0.0.1, ::1");
	expect_refused(&server, ca.file, "x.y.wild.test", "for x.y.wild.test is for a.test", "");
	expect_refused(&server, ca.file, "127.0.0.2", "for 127.0.0.2 is for a.test", "");
	expect_refused(&ip, ca.file, "a.test", "is for 127.0.0.1", "");
	expect_refused(&expired, ca.file, "a.test", "expired on 20", "renewed");
	expect_refused(&early, ca.file, "a.test", "not valid before 20", "clock");
}

static void test_trusted_otherwise(void **state)
{
	static const struct { const struct cert *show, *trust; const char *host; } cases[] = {
		{ &lone, &lone, "lone.test" },
		{ &deep, &middle, "deep.test" },	/* not a root, but named by --cafile */
	};

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		contexts(cases[i].show, cases[i].trust->file, 0, NULL, NULL);
		connect_mem(cases[i].host, NULL);
		run_for(LOOP_SECOND);
		expect_open("TLSv1.3", false);
		disconnect();
		forget();
	}
}

static void test_no_host(void **state)
{
	char longest[400];
	const char *hosts[] = { "", ".", longest };

	(void)state;
	memset(longest, 'x', sizeof longest - 1);
	longest[sizeof longest - 1] = '\0';
	contexts(&server, ca.file, 0, NULL, NULL);
	for (size_t i = 0; i < 3; i++) {
		connect_mem(hosts[i], NULL);
		assert_int_equal(client_side.error, 0); /* not from within the call */
		run_for(LOOP_SECOND);
		assert_int_equal(client_side.error, ERROR_CERTIFICATE);
		assert_non_null(strstr(client_side.reason, "no name or address"));
		assert_int_equal(stream_mem_sent(lower[0]), 0);
		disconnect();
	}
	forget();
}

/* Peers that do not do their part. */

static void plain_write(struct stream *s, const char *text)
{
	static const struct stream_events none;

	stream_attach(s, &none, NULL);
	assert_int_equal(stream_write(s, (const uint8_t *)text, strlen(text)), (ssize_t)strlen(text));
}

static void test_plaintext_peer(void **state)
{
	static const char *const greetings[] = { "HTTP/1.1 400 Bad Request\r\n\r\n", "SSH-2.0-OpenSSH_9.2\r\n", "220 mail.test ESMTP\r\n" };

	(void)state;
	contexts(&server, ca.file, 0, NULL, NULL);
	for (size_t i = 0; i < 4; i++) {
		loop = loop_new_virtual(0, 0);
		stream_mem_pair(loop, &lower[0], &lower[1], NULL);
		side_init(&client_side);
		side_init(&server_side);
		if (i < 3)
			client_side.stream = stream_tls_client(loop, client_ctx, lower[0], "a.test", &events, &client_side);
		else	/* the other way round */
			client_side.stream = stream_tls_server(loop, server_ctx, lower[0], &events, &client_side);
		plain_write(lower[1], i < 3 ? greetings[i] : "GET / HTTP/1.1\r\nHost: a.test\r\n\r\n");
		run_for(LOOP_SECOND);
		assert_int_equal(client_side.error, ERROR_TLS);
		assert_string_equal(client_side.reason, "the other side does not speak TLS on this port");
		stream_close(lower[1]);
		disconnect();
	}
	forget();
}

static void test_old_peer(void **state)
{
	(void)state;
	contexts(&server, ca.file, 0, NULL, NULL);
	SSL_CTX_set_min_proto_version(client_ctx->ctx, TLS1_1_VERSION);
	SSL_CTX_set_max_proto_version(client_ctx->ctx, TLS1_1_VERSION);
	SSL_CTX_set_security_level(client_ctx->ctx, 0);
	SSL_CTX_set_cipher_list(client_ctx->ctx, "ALL:@SECLEVEL=0");
	connect_mem("a.test", NULL);
	run_for(LOOP_SECOND);
	assert_int_equal(server_side.error, ERROR_TLS);
	assert_string_equal(server_side.reason, "the other side speaks no TLS version from 1.2 on");
	assert_int_equal(client_side.error, ERROR_TLS);
	assert_string_equal(client_side.reason, "the other side ended TLS with the alert 'protocol version'");
	disconnect();
	forget();
}

/* Cut at every byte of the handshake, either direction: both sides end with a reason, nothing hangs. */
static void test_cut_handshake(void **state)
{
	struct stream_mem_options o = stream_mem_plain;

	(void)state;
	for (int way = 0; way < 4; way++) {
		contexts(&server, ca.file, way & 2 ? TLS1_2_VERSION : TLS1_3_VERSION, NULL, NULL);
		SSL_CTX_set_session_cache_mode(client_ctx->ctx, SSL_SESS_CACHE_OFF);
		for (int64_t at = 0; at < 1400; at += at < 20 ? 1 : 37) {
			o.cut_after[0] = o.cut_after[1] = -1;
			o.cut_after[way & 1] = at;
			connect_mem("a.test", &o);
			run_for(LOOP_SECOND);
			if (!client_side.ready) {
				assert_int_equal(client_side.error, ERROR_RESET);
				assert_string_equal(client_side.reason, "the connection was closed during the TLS handshake");
			}
			if (!server_side.ready)
				assert_int_equal(server_side.error, ERROR_RESET);
			disconnect();
		}
		forget();
	}
}

static void test_lower_fails(void **state)
{
	struct stream_mem_options slow = stream_mem_plain;

	(void)state;
	slow.delay_us = 10 * LOOP_MS;
	contexts(&server, ca.file, 0, NULL, NULL);
	connect_mem("a.test", &slow);
	run_for(5 * LOOP_MS);
	stream_mem_fail(lower[0], ERROR_TIMEOUT);
	run_for(LOOP_SECOND);
	assert_int_equal(client_side.error, ERROR_TIMEOUT);
	assert_non_null(strstr(client_side.reason, "during the TLS handshake"));
	disconnect();

	connect_mem("a.test", NULL);
	run_for(LOOP_SECOND);
	expect_open("TLSv1.3", false);
	stream_mem_fail(lower[0], ERROR_TIMEOUT);
	run_for(LOOP_SECOND);
	assert_int_equal(client_side.error, ERROR_TIMEOUT);
	disconnect();
	forget();
}

static void test_ends(void **state)
{
	uint8_t byte;

	(void)state;
	for (int version = TLS1_2_VERSION; version <= TLS1_3_VERSION; version++) {
		contexts(&server, ca.file, version, NULL, NULL);
		connect_mem("a.test", NULL);	/* in order */
		run_for(LOOP_SECOND);
		stream_close(server_side.stream);
		server_side.stream = NULL;
		run_for(LOOP_SECOND);
		assert_true(client_side.eof);
		assert_int_equal(client_side.error, 0);
		assert_int_equal(stream_read(client_side.stream, &byte, 1), 0);
		disconnect();

		connect_mem("a.test", NULL);	/* end of the stream below, nothing of TLS */
		run_for(LOOP_SECOND);
		server_side.total = 5000;
		side_want(&server_side);
		run_for(LOOP_SECOND);
		stream_mem_finish(lower[1]);
		run_for(LOOP_SECOND);
		assert_int_equal(client_side.in, 5000);
		assert_int_equal(client_side.error, ERROR_RESET);
		assert_string_equal(client_side.reason, "the connection was closed without ending TLS");
		assert_int_equal(stream_write(client_side.stream, &byte, 1), ERROR_RESET);
		stream_mem_cut(lower[1]);
		run_for(LOOP_SECOND);
		assert_int_equal(server_side.error, ERROR_RESET);
		disconnect();
		forget();
	}
}

static void test_garbage_record(void **state)
{
	uint8_t garbage[] = { 23, 3, 3, 0, 32, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16,
			      17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31, 32 };

	(void)state;
	contexts(&server, ca.file, 0, NULL, NULL);
	connect_mem("a.test", NULL);
	run_for(LOOP_SECOND);
	assert_int_equal(stream_write(lower[1], garbage, sizeof garbage), sizeof garbage);
	run_for(LOOP_SECOND);
	assert_int_equal(client_side.error, ERROR_TLS);
	assert_non_null(strstr(client_side.reason, "TLS failed: "));
	assert_int_equal(server_side.error, ERROR_TLS); /* the alert that we sent */
	disconnect();
	forget();
}

/* Transfers. */

static void transfer(int version, const struct stream_mem_options *o, size_t piece, uint64_t total)
{
	contexts(&server, ca.file, version, NULL, NULL);
	connect_mem("a.test", o);
	client_side.piece = piece;
	server_side.piece = piece * 2 < 20000 ? piece * 2 : piece;
	client_side.total = server_side.total = total;
	client_side.pause_at = total / 3;
	server_side.pause_at = total / 2;
	for (int i = 0; i < 100000 && (client_side.in < total || server_side.in < total); i++) {
		run_for(5 * LOOP_MS);
		if (i % 3 == 0 && client_side.paused) {
			client_side.paused = false;
			side_want(&client_side);
		}
		if (i % 4 == 0 && server_side.paused) {
			server_side.paused = false;
			side_want(&server_side);
		}
	}
	assert_int_equal(client_side.in, total);
	assert_int_equal(server_side.in, total);
	assert_false(client_side.broken || server_side.broken);
	assert_int_equal(client_side.error | server_side.error, 0);
	disconnect();
	forget();
}

static void test_transfers(void **state)
{
	struct stream_mem_options tight = stream_mem_plain, slow = stream_mem_plain;

	(void)state;
	tight.buffer = 5000;
	tight.chunk = 999;
	tight.write_chunk = 700;
	slow.delay_us = 20 * LOOP_MS;
	slow.buffer = 100000;
	for (int version = TLS1_2_VERSION; version <= TLS1_3_VERSION; version++) {
		transfer(version, NULL, 16384, 1000000);
		transfer(version, NULL, 20000, 300000);
		transfer(version, NULL, 100, 30000);
		transfer(version, &tight, 20000, 500000);
		transfer(version, &tight, 1200, 300000);
		transfer(version, &slow, 5000, 300000);
	}
}

/* Three records arrive in one piece; the reader takes a little of the first and stops. */
static void test_held_bytes(void **state)
{
	uint64_t seen;

	(void)state;
	contexts(&server, ca.file, 0, NULL, NULL);
	connect_mem("a.test", NULL);
	run_for(LOOP_SECOND);
	client_side.piece = 10;
	client_side.pause_at = 10;
	server_side.piece = 100;
	server_side.total = 300;
	side_want(&server_side);
	run_for(LOOP_SECOND);
	assert_int_equal(client_side.in, 10);
	for (int i = 2; i <= 30; i++) {
		seen = client_side.readable;
		client_side.paused = false;
		client_side.pause_at = (uint64_t)i * 10;
		side_want(&client_side);
		assert_int_equal(client_side.readable, seen); /* not from within want */
		run_for(LOOP_MS);
		assert_int_equal(client_side.in, i * 10);
	}
	seen = client_side.readable;
	client_side.paused = false;
	side_want(&client_side);
	run_for(LOOP_SECOND);
	assert_true(client_side.readable <= (int)seen + 1);	/* nothing more: no spinning */
	disconnect();
	forget();
}

/* An owner that closes in its own callback. */
static void close_at_once(void *ctx)
{
	struct side *s = ctx;

	s->ready++;
	stream_close(s->stream);
	s->stream = NULL;
}

static void test_close_anywhere(void **state)
{
	struct stream_events quick = events;

	(void)state;
	contexts(&server, ca.file, 0, NULL, NULL);
	quick.ready = close_at_once;
	connect_mem("a.test", NULL);
	stream_attach(client_side.stream, &quick, &client_side);
	run_for(LOOP_SECOND);
	assert_null(client_side.stream);
	assert_true(server_side.eof || server_side.error == ERROR_RESET);
	disconnect();

	quick = events;
	quick.readable = close_at_once;
	connect_mem("a.test", NULL);
	run_for(LOOP_SECOND);
	stream_attach(client_side.stream, &quick, &client_side);
	server_side.total = 40000;
	side_want(&server_side);
	run_for(LOOP_SECOND);
	assert_null(client_side.stream);
	assert_false(server_side.error == 0 && !server_side.eof);
	disconnect();

	connect_mem("a.test", NULL);	/* before the first step */
	disconnect();
	connect_mem("a.test", NULL);	/* the contexts go first */
	forget();
	run_for(LOOP_SECOND);
	assert_int_equal(client_side.ready + server_side.ready, 2);
	disconnect();
}

/* Resumption. */

static bool once(const char *host)
{
	struct stream_info c, s;

	connect_mem(host, NULL);
	run_for(LOOP_SECOND);
	assert_int_equal(client_side.ready, 1);
	stream_info(client_side.stream, &c);
	stream_info(server_side.stream, &s);
	assert_int_equal(c.resumed, s.resumed);
	disconnect();
	return c.resumed;
}

static void test_resumption_13(void **state)
{
	(void)state;
	contexts(&server, ca.file, TLS1_3_VERSION, NULL, NULL);
	assert_false(once("a.test"));
	assert_int_equal(client_ctx->ticket_count, 2);
	assert_true(once("a.test"));
	assert_int_equal(client_ctx->ticket_count, 2); /* one used, one new */
	assert_false(once("x.wild.test"));		/* another host: never its session */
	assert_int_equal(client_ctx->ticket_count, 4);
	assert_true(once("a.test"));
	assert_true(once("a.test"));
	SSL_CTX_set_num_tickets(server_ctx->ctx, 20);
	assert_true(once("x.wild.test"));
	assert_false(once("127.0.0.1"));
	assert_int_equal(client_ctx->ticket_count, TLS_TICKETS);
	forget();
}

/* Each ticket is used once: both of one connection serve, then no more until new ones came. */
static void test_tickets_once(void **state)
{
	(void)state;
	contexts(&server, ca.file, TLS1_3_VERSION, NULL, NULL);
	assert_false(once("a.test"));
	SSL_CTX_set_num_tickets(server_ctx->ctx, 0);
	assert_true(once("a.test"));
	assert_true(once("a.test"));
	assert_int_equal(client_ctx->ticket_count, 0);
	assert_false(once("a.test"));
	forget();
}

static void test_resumption_12(void **state)
{
	(void)state;
	contexts(&server, ca.file, TLS1_2_VERSION, NULL, NULL);
	assert_false(once("a.test"));
	for (int i = 0; i < 12; i++)
		assert_true(once("a.test"));
	assert_true(client_ctx->ticket_count >= 1);
	assert_false(once("x.wild.test"));
	/* A server that forgot: a full handshake, no error. */
	tls_context_release(server_ctx);
	server_ctx = tls_context_server(server.file, server.keyfile, NULL, error, sizeof error);
	assert_false(once("a.test"));
	forget();
}

/* A connection that was cut leaves its tickets good. */
static void test_resumption_after_cut(void **state)
{
	(void)state;
	for (int version = TLS1_2_VERSION; version <= TLS1_3_VERSION; version++) {
		contexts(&server, ca.file, version, NULL, NULL);
		connect_mem("a.test", NULL);
		run_for(LOOP_SECOND);
		stream_mem_cut(lower[0]);
		run_for(LOOP_SECOND);
		assert_int_equal(client_side.error, ERROR_RESET);
		disconnect();
		assert_true(once("a.test"));
		forget();
	}
}

/* Allocation. */

static unsigned long allocations, live;

static void *counting_malloc(size_t n, const char *file, int line)
{
	(void)file;
	(void)line;
	allocations++;
	live++;
	return malloc(n);
}

static void *counting_realloc(void *p, size_t n, const char *file, int line)
{
	(void)file;
	(void)line;
	allocations++;
	live += !p;
	return realloc(p, n);
}

static void counting_free(void *p, const char *file, int line)
{
	(void)file;
	(void)line;
	live -= p != NULL;
	free(p);
}

static void test_no_allocation(void **state)
{
	unsigned long before, alive, records;

	(void)state;
	for (int version = TLS1_2_VERSION; version <= TLS1_3_VERSION; version++) {
		contexts(&server, ca.file, version, NULL, NULL);
		connect_mem("a.test", NULL);
		client_side.total = server_side.total = 100000;
		run_for(LOOP_SECOND);
		assert_int_equal(client_side.in, 100000);
		before = allocations;
		alive = live;
		assert_true(before > 0);
		client_side.piece = server_side.piece = 1000;
		client_side.total = server_side.total = 1000000;
		side_want(&client_side);
		side_want(&server_side);
		run_for(LOOP_SECOND);
		assert_int_equal(client_side.in, 1000000);
		assert_int_equal(server_side.in, 1000000);
		/* None of ours. OpenSSL 3.0 itself takes and gives back 40 bytes twice when it writes a record (WPACKET),
		 * and in TLS 1.3 once more on either side (the header as additional data). */
		records = 2 * (1000000 - 100000) / 1000;
		assert_in_range(allocations - before, 0, (version == TLS1_3_VERSION ? 4 : 2) * records);
		assert_int_equal(live, alive);
		disconnect();
		forget();
	}
}

/* Contexts that cannot be made. */

static void expect_no_server(const char *cert, const char *key, const char *why)
{
	error[0] = '\0';
	assert_null(tls_context_server(cert, key, NULL, error, sizeof error));
	if (!strstr(error, why))
		fail_msg("\"%s\" lacks \"%s\"", error, why);
}

static const char *file_with(const char *name, const char *text)
{
	static char path[128];
	FILE *f;

	snprintf(path, sizeof path, "%s/%s", certs_dir(), name);
	f = fopen(path, "w");
	fputs(text, f);
	fclose(f);
	return path;
}

static const char *encrypted_key(void)
{
	static char path[128];
	FILE *f;

	snprintf(path, sizeof path, "%s/locked.key", certs_dir());
	f = fopen(path, "w");
	assert_true(PEM_write_PrivateKey(f, server.key, EVP_aes_128_cbc(), (const unsigned char *)"secret", 6, NULL, NULL));
	fclose(f);
	return path;
}

static void test_bad_files(void **state)
{
	char want[400];
	const char *path;

	(void)state;
	expect_no_server("/nonexistent/c.pem", server.keyfile, "cannot read certificate /nonexistent/c.pem: No such file or directory");
	expect_no_server(server.file, "/nonexistent/x.key", "cannot read key /nonexistent/x.key: No such file or directory");
	snprintf(want, sizeof want, "key %s does not belong to certificate %s", mismatch.keyfile, server.file);
	expect_no_server(server.file, mismatch.keyfile, want);
	expect_no_server(server.file, server.file, "cannot read key");
	expect_no_server(server.keyfile, server.keyfile, "nothing in PEM format");
	expect_no_server(server.file, encrypted_key(), "it is protected by a passphrase; give one without");
	path = file_with("garbage.pem", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n");
	expect_no_server(path, server.keyfile, "cannot read certificate");
	if (geteuid() != 0) {
		chmod(server.keyfile, 0);
		expect_no_server(server.file, server.keyfile, "Permission denied");
		chmod(server.keyfile, 0600);
	}
	assert_null(tls_context_client("/nonexistent/ca.pem", NULL, error, sizeof error));
	assert_string_equal(error, "cannot read CA certificates /nonexistent/ca.pem: No such file or directory");
	assert_null(tls_context_client(file_with("empty.pem", ""), NULL, error, sizeof error));
	assert_non_null(strstr(error, "empty.pem"));
	assert_null(tls_context_client(certs_dir(), NULL, error, sizeof error));
	tls_context_release(NULL);
}

/* Over real sockets. */

static struct timer guard;

static void on_guard(void *ctx)
{
	(void)ctx;
	loop_break(loop);
}

static void tcp_pair(void)
{
	struct sockaddr_in sin = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof sin;
	int l = socket(AF_INET, SOCK_STREAM, 0), c = socket(AF_INET, SOCK_STREAM, 0), s;

	assert_int_equal(bind(l, (struct sockaddr *)&sin, sizeof sin), 0);
	assert_int_equal(listen(l, 1), 0);
	getsockname(l, (struct sockaddr *)&sin, &len);
	assert_int_equal(connect(c, (struct sockaddr *)&sin, sizeof sin), 0);
	s = accept(l, NULL, NULL);
	assert_true(s >= 0);
	close(l);
	lower[0] = stream_tcp_adopt(loop, c, &events, NULL);
	lower[1] = stream_tcp_adopt(loop, s, &events, NULL);
}

static void ended_readable(void *ctx)
{
	on_readable(ctx);
	if (client_side.in == client_side.total && server_side.in == server_side.total)
		loop_break(loop);
}

static void test_sockets(void **state)
{
	struct stream_events watched = events;

	(void)state;
	watched.readable = ended_readable;
	for (int version = TLS1_2_VERSION; version <= TLS1_3_VERSION; version++) {
		contexts(&server, ca.file, version, "http/1.1", "http/1.1");
		loop = loop_new();
		tcp_pair();
		connect_over("127.0.0.1");
		stream_attach(client_side.stream, &watched, &client_side);
		stream_attach(server_side.stream, &watched, &server_side);
		client_side.total = server_side.total = 2000000;
		client_side.piece = 20000;
		timer_init(&guard, loop, on_guard, NULL);
		timer_in(&guard, 60 * LOOP_SECOND);
		loop_run(loop);
		expect_open(version == TLS1_2_VERSION ? "TLSv1.2" : "TLSv1.3", false);
		assert_int_equal(client_side.in, 2000000);
		assert_int_equal(server_side.in, 2000000);
		assert_false(client_side.broken || server_side.broken);
		timer_stop(&guard);
		stream_close(client_side.stream);
		stream_close(server_side.stream);
		loop_free(loop);
		forget();
	}
}

static int make_certs(void **state)
{
	(void)state;
	cert_make(&ca, "ca", "Test \xc3\x96rtchen\x01 CA", NULL, -DAY, 300 * DAY, NULL, true);
	cert_make(&other_ca, "other", "Other CA", NULL, -DAY, 300 * DAY, NULL, true);
	cert_make(&server, "server", "ignored", "DNS:a.test,DNS:*.wild.test,IP:127.0.0.1,IP:::1", -DAY, 30 * DAY, &ca, false);
	cert_make(&ip, "ip", "ignored", "IP:127.0.0.1", -DAY, 30 * DAY, &ca, false);
	cert_make(&expired, "expired", "a.test", "DNS:a.test", -30 * DAY, -DAY, &ca, false);
	cert_make(&early, "early", "a.test", "DNS:a.test", 30 * DAY, 60 * DAY, &ca, false);
	cert_make(&lone, "lone", "lone.test", "DNS:lone.test", -DAY, 30 * DAY, NULL, true);
	cert_make(&middle, "middle", "Middle CA", NULL, -DAY, 30 * DAY, &ca, true);
	cert_make(&deep, "deep", "deep.test", "DNS:deep.test", -DAY, 30 * DAY, &middle, false);
	cert_make(&mismatch, "mismatch", "m.test", NULL, -DAY, 30 * DAY, &ca, false);
	return 0;
}

static int drop_certs(void **state)
{
	struct cert *all[] = { &ca, &other_ca, &server, &ip, &expired, &early, &lone, &middle, &deep, &mismatch };

	(void)state;
	for (size_t i = 0; i < sizeof all / sizeof *all; i++)
		cert_free(all[i]);
	certs_remove();
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_versions),
		cmocka_unit_test(test_alpn),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_trusted_otherwise),
		cmocka_unit_test(test_no_host),
		cmocka_unit_test(test_plaintext_peer),
		cmocka_unit_test(test_old_peer),
		cmocka_unit_test(test_cut_handshake),
		cmocka_unit_test(test_lower_fails),
		cmocka_unit_test(test_ends),
		cmocka_unit_test(test_garbage_record),
		cmocka_unit_test(test_transfers),
		cmocka_unit_test(test_held_bytes),
		cmocka_unit_test(test_close_anywhere),
		cmocka_unit_test(test_resumption_13),
		cmocka_unit_test(test_tickets_once),
		cmocka_unit_test(test_resumption_12),
		cmocka_unit_test(test_resumption_after_cut),
		cmocka_unit_test(test_no_allocation),
		cmocka_unit_test(test_bad_files),
		cmocka_unit_test(test_sockets),
	};

	alarm(600); /* whatever happens, end */
	CRYPTO_set_mem_functions(counting_malloc, counting_realloc, counting_free);
	return cmocka_run_group_tests(tests, make_certs, drop_certs);
}
