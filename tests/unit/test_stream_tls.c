/* links: tunnel/stream_tls.c tunnel/tls_context.c tunnel/tls_trust.c tunnel/certificate.c tunnel/pin.c framing/base64.c tunnel/stream_tcp.c tunnel/tcp_tuning.c tunnel/address.c tunnel/loop.c tunnel/log.c framing/error.c tests/lib/pair.c tests/lib/stream_mem.c tests/lib/certs.c tests/lib/turns.c */
/* libs: -lev -lssl -lcrypto */
/* An open TLS stream in both versions, over a stream in memory and over sockets: transfers with partial writes and
 * pauses, and every way to end. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <netinet/in.h>
#include <openssl/ssl.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "framing/error.h"
#include "tests/lib/pair.h"
#include "tests/lib/turns.h"
#include "tunnel/stream_tcp.h"

static void test_lower_fails(void **state)
{
	struct stream_mem_options slow = stream_mem_plain;

	(void)state;
	slow.delay_us = 10 * LOOP_MS;
	pair_contexts(&pair_cert, pair_ca.file, 0, NULL, NULL);
	pair_connect("a.test", &slow);
	pair_run(5 * LOOP_MS);
	stream_mem_fail(pair.lower[0], ERROR_TIMEOUT);
	pair_run(LOOP_SECOND);
	assert_int_equal(pair.client.error, ERROR_TIMEOUT);
	assert_non_null(strstr(pair.client.reason, "during the TLS handshake"));
	pair_disconnect();

	pair_connect("a.test", NULL);
	pair_run(LOOP_SECOND);
	pair_expect_open("TLSv1.3", false);
	stream_mem_fail(pair.lower[0], ERROR_TIMEOUT);
	pair_run(LOOP_SECOND);
	assert_int_equal(pair.client.error, ERROR_TIMEOUT);
	pair_disconnect();
	pair_forget();
}

/* Handed down, during the handshake too. */
static void test_sparse(void **state)
{
	(void)state;
	pair_contexts(&pair_cert, pair_ca.file, 0, NULL, NULL);
	pair_connect("a.test", NULL);
	stream_tune(pair.client.stream, STREAM_SPARSE);
	assert_true(stream_mem_sparse(pair.lower[0]));
	assert_false(stream_mem_sparse(pair.lower[1]));
	pair_run(LOOP_SECOND);
	stream_tune(pair.server.stream, STREAM_SPARSE);
	stream_tune(pair.client.stream, 0);
	assert_false(stream_mem_sparse(pair.lower[0]));
	assert_true(stream_mem_sparse(pair.lower[1]));
	pair_disconnect();
	pair_forget();
}

static void test_ends(void **state)
{
	uint8_t byte;

	(void)state;
	for (int version = TLS1_2_VERSION; version <= TLS1_3_VERSION; version++) {
		pair_contexts(&pair_cert, pair_ca.file, version, NULL, NULL);
		pair_connect("a.test", NULL);	/* in order */
		pair_run(LOOP_SECOND);
		stream_close(pair.server.stream);
		pair.server.stream = NULL;
		pair_run(LOOP_SECOND);
		assert_true(pair.client.eof);
		assert_int_equal(pair.client.error, 0);
		assert_int_equal(stream_read(pair.client.stream, &byte, 1), 0);
		pair_disconnect();

		pair_connect("a.test", NULL);	/* end of the stream below, nothing of TLS */
		pair_run(LOOP_SECOND);
		pair.server.total = 5000;
		pair_want(&pair.server);
		pair_run(LOOP_SECOND);
		stream_mem_finish(pair.lower[1]);
		pair_run(LOOP_SECOND);
		assert_int_equal(pair.client.in, 5000);
		assert_int_equal(pair.client.error, ERROR_RESET);
		assert_string_equal(pair.client.reason, "the connection was closed without ending TLS");
		assert_int_equal(stream_write(pair.client.stream, &byte, 1), ERROR_RESET);
		stream_mem_cut(pair.lower[1]);
		pair_run(LOOP_SECOND);
		assert_int_equal(pair.server.error, ERROR_RESET);
		pair_disconnect();
		pair_forget();
	}
}

static void test_garbage_record(void **state)
{
	uint8_t garbage[] = { 23, 3, 3, 0, 32, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16,
			      17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31, 32 };

	(void)state;
	pair_contexts(&pair_cert, pair_ca.file, 0, NULL, NULL);
	pair_connect("a.test", NULL);
	pair_run(LOOP_SECOND);
	assert_int_equal(stream_write(pair.lower[1], garbage, sizeof garbage), sizeof garbage);
	pair_run(LOOP_SECOND);
	assert_int_equal(pair.client.error, ERROR_TLS);
	assert_non_null(strstr(pair.client.reason, "TLS failed: "));
	assert_int_equal(pair.server.error, ERROR_TLS); /* the alert that we sent */
	pair_disconnect();
	pair_forget();
}

static void transfer(int version, const struct stream_mem_options *o, size_t piece, uint64_t total)
{
	pair_contexts(&pair_cert, pair_ca.file, version, NULL, NULL);
	pair_connect("a.test", o);
	pair.client.piece = piece;
	pair.server.piece = piece * 2 < 20000 ? piece * 2 : piece;
	pair.client.total = pair.server.total = total;
	pair.client.pause_at = total / 3;
	pair.server.pause_at = total / 2;
	for (int i = 0; i < 100000 && (pair.client.in < total || pair.server.in < total); i++) {
		pair_run(5 * LOOP_MS);
		if (i % 3 == 0 && pair.client.paused) {
			pair.client.paused = false;
			pair_want(&pair.client);
		}
		if (i % 4 == 0 && pair.server.paused) {
			pair.server.paused = false;
			pair_want(&pair.server);
		}
	}
	assert_int_equal(pair.client.in, total);
	assert_int_equal(pair.server.in, total);
	assert_false(pair.client.broken || pair.server.broken);
	assert_int_equal(pair.client.error | pair.server.error, 0);
	pair_disconnect();
	pair_forget();
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
	pair_contexts(&pair_cert, pair_ca.file, 0, NULL, NULL);
	pair_connect("a.test", NULL);
	pair_run(LOOP_SECOND);
	pair.client.piece = 10;
	pair.client.pause_at = 10;
	pair.server.piece = 100;
	pair.server.total = 300;
	pair_want(&pair.server);
	pair_run(LOOP_SECOND);
	assert_int_equal(pair.client.in, 10);
	for (int i = 2; i <= 30; i++) {
		seen = pair.client.readable;
		pair.client.paused = false;
		pair.client.pause_at = (uint64_t)i * 10;
		pair_want(&pair.client);
		assert_int_equal(pair.client.readable, seen); /* not from within want */
		pair_run(LOOP_MS);
		assert_int_equal(pair.client.in, i * 10);
	}
	seen = pair.client.readable;
	pair.client.paused = false;
	pair_want(&pair.client);
	pair_run(LOOP_SECOND);
	assert_true(pair.client.readable <= (int)seen + 1);	/* nothing more: no spinning */
	pair_disconnect();
	pair_forget();
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
	struct stream_events quick = pair_events;

	(void)state;
	pair_contexts(&pair_cert, pair_ca.file, 0, NULL, NULL);
	quick.ready = close_at_once;
	pair_connect("a.test", NULL);
	stream_attach(pair.client.stream, &quick, &pair.client);
	pair_run(LOOP_SECOND);
	assert_null(pair.client.stream);
	assert_true(pair.server.eof || pair.server.error == ERROR_RESET);
	pair_disconnect();

	quick = pair_events;
	quick.readable = close_at_once;
	pair_connect("a.test", NULL);
	pair_run(LOOP_SECOND);
	stream_attach(pair.client.stream, &quick, &pair.client);
	pair.server.total = 40000;
	pair_want(&pair.server);
	pair_run(LOOP_SECOND);
	assert_null(pair.client.stream);
	assert_false(pair.server.error == 0 && !pair.server.eof);
	pair_disconnect();

	pair_connect("a.test", NULL);	/* before the first step */
	pair_disconnect();
	pair_connect("a.test", NULL);	/* the contexts go first */
	pair_forget();
	pair_run(LOOP_SECOND);
	assert_int_equal(pair.client.ready + pair.server.ready, 2);
	pair_disconnect();
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
	pair.lower[0] = stream_tcp_adopt(pair.loop, c, &pair_events, NULL);
	pair.lower[1] = stream_tcp_adopt(pair.loop, s, &pair_events, NULL);
}

static void ended_readable(void *ctx)
{
	pair_events.readable(ctx);
	if (pair.client.in == pair.client.total && pair.server.in == pair.server.total)
		loop_break(pair.loop);
}

static void test_sockets(void **state)
{
	struct stream_events watched = pair_events;

	(void)state;
	watched.readable = ended_readable;
	for (int version = TLS1_2_VERSION; version <= TLS1_3_VERSION; version++) {
		pair_contexts(&pair_cert, pair_ca.file, version, "http/1.1", "http/1.1");
		pair.loop = loop_new();
		tcp_pair();
		pair_connect_over("127.0.0.1");
		stream_attach(pair.client.stream, &watched, &pair.client);
		stream_attach(pair.server.stream, &watched, &pair.server);
		pair.client.total = pair.server.total = 2000000;
		pair.client.piece = 20000;
		assert_true(turns_run(pair.loop, 60 * LOOP_SECOND));
		pair_expect_open(version == TLS1_2_VERSION ? "TLSv1.2" : "TLSv1.3", false);
		assert_int_equal(pair.client.in, 2000000);
		assert_int_equal(pair.server.in, 2000000);
		assert_false(pair.client.broken || pair.server.broken);
		stream_close(pair.client.stream);
		stream_close(pair.server.stream);
		loop_free(pair.loop);
		pair_forget();
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lower_fails),
		cmocka_unit_test(test_sparse),
		cmocka_unit_test(test_ends),
		cmocka_unit_test(test_garbage_record),
		cmocka_unit_test(test_transfers),
		cmocka_unit_test(test_held_bytes),
		cmocka_unit_test(test_close_anywhere),
		cmocka_unit_test(test_sockets),
	};

	alarm(600); /* whatever happens, end */
	return cmocka_run_group_tests(tests, pair_make_certs, pair_drop_certs);
}
