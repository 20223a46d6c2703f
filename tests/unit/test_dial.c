/* links: client/dial.c client/dial_steps.c client/hop.c client/hop_tls.c client/hop_connect.c client/hop_socks5.c client/hop_absolute.c client/legs.c client/absolute.c client/authority.c client/happy.c tunnel/stream_tls.c tunnel/tls_context.c tunnel/tls_trust.c tunnel/certificate.c tunnel/pin.c tunnel/stream_tcp.c tunnel/tcp_tuning.c tunnel/address.c tunnel/loop.c tunnel/log.c tunnel/counters.c framing/http1.c framing/http1_head.c framing/http1_format.c framing/socks5.c framing/cursor.c framing/varint.c framing/base64.c framing/error.c tests/lib/caller.c tests/lib/prover.c tests/lib/names.c tests/lib/there.c tests/lib/sockets.c tests/lib/turns.c tests/lib/certs.c */
/* libs: -lev -lssl -lcrypto -lhttp_parser */
/* The dialler without a proxy against a scripted server on the loopback interface: every way to arrive, every failure and
 * its sentence, every deadline, addresses that are kept, every cancellation. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <unistd.h>

#include "client/happy.h"
#include "framing/error.h"
#include "tests/lib/caller.h"
#include "tests/lib/names.h"
#include "tests/lib/sockets.h"
#include "tests/lib/there.h"
#include "tests/lib/turns.h"
#include "tunnel/counters.h"

static void test_direct(void **state)
{
	(void)state;
	caller_direct("127.0.0.1");
	caller_expect_success(true);
	caller_direct("a.test");
	caller_expect_success(true);
	assert_string_equal(names.host, "a.test");
}

static void test_direct_v6(void **state)
{
	(void)state;
	there_stop();
	there_listen(caller.loop, caller.server_tls, "::1");
	caller_direct("::1");
	caller_expect_success(true);
}

static void test_resolve_fails(void **state)
{
	(void)state;
	names.error = ERROR_RESOLVE;
	caller_direct("nosuch.invalid");
	caller_expect_failure(ERROR_RESOLVE, "the name nosuch.invalid has no address (check the spelling and DNS)");
	names.error = ERROR_TIMEOUT;
	caller_direct("nosuch.invalid");
	caller_expect_failure(ERROR_RESOLVE, "DNS gave no address for the name nosuch.invalid in time");
	names.error = ERROR_RESOLVE;
	caller_add(PROXY_HTTP, "proxy.invalid", 3128);
	caller_make();
	caller_expect_failure(ERROR_RESOLVE, "the name proxy.invalid of the proxy has no address");
}

static void test_connect_fails(void **state)
{
	struct address a;
	int fd = sockets_bound("127.0.0.1", &a), fds[SOCKETS_HOLE];

	(void)state;
	names.address[0] = a;
	caller.config.server_host = "a.test";
	caller.config.server_port = address_port(&a);
	caller_make();
	caller_expect_failure(ERROR_REFUSED, "nothing listens at a.test:");
	caller_add(PROXY_HTTP, "proxy.test", 3128);
	caller_make();
	caller_expect_failure(ERROR_REFUSED, "nothing listens at the proxy proxy.test:3128");
	close(fd);
	caller.chain.n = 0;
	assert_true(address_literal("224.0.0.1", 9, &names.address[0]));
	caller_make();
	caller_expect_failure(ERROR_UNREACHABLE, "there is no route to a.test:");
	sockets_hole(&names.address[0], fds);
	caller.config.connect_timeout_us = 200 * LOOP_MS;
	caller_make();
	caller_expect_failure(ERROR_TIMEOUT, "did not accept a connection within 0.2 s: if this network needs a proxy");
	sockets_close(fds);
}

static void test_deadlines(void **state)
{
	(void)state;
	caller.config.proxy_timeout_us = caller.config.tls_timeout_us = 200 * LOOP_MS;
	caller_proxied("");
	caller_expect_failure(ERROR_TIMEOUT, "the proxy 127.0.0.1:%P did not answer CONNECT to a.test:443 within 0.2 s");
	there.drip = true;	/* slow, byte by byte, never done */
	caller_proxied("HTTP/1.1 200 OK\r\nX-Long: ................................................................................"
		"................................................................................................................"
		"................................................................................................................\r\n\r\n");
	caller_expect_failure(ERROR_TIMEOUT, "did not answer CONNECT");
	there.drip = false;
	there.no_tls = true;
	caller_proxied("HTTP/1.1 200 OK\r\n\r\n");
	caller_expect_failure(ERROR_TIMEOUT, "a.test:443 through the proxy 127.0.0.1:%P did not finish the TLS handshake within 0.2 s");
	there.reply = NULL;
	caller_direct("127.0.0.1");
	caller_expect_failure(ERROR_TIMEOUT, "127.0.0.1:%P did not finish the TLS handshake");
}

static void test_tls_fails(void **state)
{
	uint64_t failed = counted(tls_failed);

	(void)state;
	caller.config.tls = caller.distrusting_tls;
	caller_proxied("HTTP/1.1 200 OK\r\n\r\n");
	caller_expect_failure(ERROR_CERTIFICATE, "the certificate for a.test is signed by 'Dial CA', which is not trusted: give its certificate with --cafile");
	caller.config.tls = caller.client_tls;
	there.reply = NULL;
	caller_direct("b.test");
	caller_expect_failure(ERROR_CERTIFICATE, "the certificate shown for b.test is for a.test");
	there.hang_up = true;
	caller_direct("127.0.0.1");
	caller_expect_failure(ERROR_RESET, "127.0.0.1:%P: the connection was closed during the TLS handshake");
	there.hang_up = false;
	caller.config.server_host = "127.0.0.1";
	caller_add(PROXY_HTTP, "127.0.0.1", address_port(&there.address));
	there.reply = "HTTP/1.1 200 OK\r\n\r\n";
	there.hang_up_then = true;
	caller_make();
	caller_expect_failure(ERROR_RESET, "through the proxy 127.0.0.1:%P: the connection was closed during the TLS handshake");
	assert_int_equal(counted(tls_failed), failed + 4);
}

/* Names are looked up once in 30 s, and not kept when they lead nowhere. */
static void test_addresses_kept(void **state)
{
	struct outcome o;
	struct address good;
	int fd;

	(void)state;
	caller_direct("a.test");
	caller_dial(&o);
	stream_close(o.stream);
	caller_dial(&o);
	stream_close(o.stream);
	assert_int_equal(names.asked, 1);
	there_stop();
	caller_dial(&o);
	assert_int_equal(o.error, ERROR_REFUSED);
	assert_int_equal(names.asked, 1);
	there_listen(caller.loop, caller.server_tls, "127.0.0.1");
	names.address[0] = there.address;
	caller_dial(&o);
	assert_int_equal(o.error, 0);
	assert_int_equal(names.asked, 2);
	caller_finish(&o);

	/* Nor on another network. */
	caller_direct("a.test");
	assert_true(dialler_moved(caller.dialler));	/* nothing is known */
	caller_dial(&o);
	stream_close(o.stream);
	assert_false(dialler_moved(caller.dialler));
	names.asked = 0;
	dialler_forget(caller.dialler);
	assert_true(dialler_moved(caller.dialler));
	caller_dial(&o);
	assert_int_equal(names.asked, 1);
	assert_false(dialler_moved(caller.dialler));
	caller_finish(&o);

	/* A dead address in front costs the race once; then the winner goes first. */
	good = there.address;
	fd = sockets_bound("127.0.0.1", &names.address[0]);
	names.address[1] = good;
	names.n = 2;
	caller_direct("a.test");
	caller_dial(&o);
	assert_int_equal(o.error, 0);
	caller_finish(&o);
	close(fd);
}

static void test_winner_first(void **state)
{
	struct outcome o;
	int fds[SOCKETS_HOLE];
	int64_t began;

	(void)state;
	sockets_hole(&names.address[0], fds);
	names.address[1] = there.address;
	names.n = 2;
	caller_direct("a.test");
	for (int i = 0; i < 3; i++) {
		began = loop_touch(caller.loop);
		caller_dial(&o);
		assert_int_equal(o.error, 0);
		if (i == 0)
			assert_true(loop_now(caller.loop) - began >= HAPPY_DELAY_US);
		stream_close(o.stream);
	}
	assert_int_equal(names.asked, 1);
	o.stream = NULL;
	caller_finish(&o);
	assert_int_equal(there.accepted, 3);
	sockets_close(fds);
}

/* Cancelled at any time, and with the dialler: done is not called, nothing stays. */
static void test_cancel(void **state)
{
	struct outcome o[3];
	const struct pool_dialler *d;
	unsigned reached = 0;

	(void)state;
	names.delay = 2 * LOOP_MS;
	there.drip = true;
	for (int64_t at = 0; at < 60 * LOOP_MS; at += at < 8 * LOOP_MS ? 300 : 5 * LOOP_MS) {
		caller_proxied("HTTP/1.1 200 Connection established\r\n\r\n");
		for (int i = 0; i < 3; i++)
			caller_begin(&o[i]);
		if (at)
			while (turns_run(caller.loop, at) && !o[0].called)
				;
		d = dialler_pool(caller.dialler);
		if (!o[0].called)
			reached += d->reached(o[0].dial);
		assert_true(at > 0 || !reached);
		if (!o[0].called)
			d->cancel(o[0].dial);
		for (int i = 1; i < 3; i++)
			if (o[i].stream)
				stream_close(o[i].stream);
		for (int i = 0; i < 3; i++)
			o[i].called = 100;
		caller_finish(&o[0]);	/* with the other two under way */
		for (int i = 0; i < 3; i++)
			assert_int_equal(o[i].called, 100);
	}
	assert_true(reached > 0);
}

static void test_plain(void **state)
{
	struct outcome o;

	(void)state;
	caller.config.tls = NULL;
	there.no_tls = true;
	caller_direct("127.0.0.1");
	caller_dial(&o);
	assert_int_equal(o.error, 0);
	caller_finish(&o);
}

static void test_versions(void **state)
{
	static const struct { const char *alpn; enum dial_versions versions; const char *agreed; } cases[] = {
		{ NULL, DIAL_ANY, "http/1.1" }, { "http/1.1,h2", DIAL_ANY, "http/1.1" }, { "h2,http/1.1", DIAL_ANY, "h2" },
		{ "h2", DIAL_ANY, "h2" }, { "h2", DIAL_11, "http/1.1" }, { "h2,http/1.1", DIAL_11, "http/1.1" },
	};
	struct stream_info info;
	struct outcome o;

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		caller.config.alpn = cases[i].alpn;
		caller.versions = cases[i].versions;
		caller_direct("127.0.0.1");
		caller_dial(&o);
		assert_int_equal(o.error, 0);
		stream_info(o.stream, &info);
		assert_string_equal(info.alpn, cases[i].agreed);
		caller_finish(&o);
	}
	caller.versions = DIAL_ANY;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_direct, caller_setup, caller_teardown),
		cmocka_unit_test_setup_teardown(test_direct_v6, caller_setup, caller_teardown),
		cmocka_unit_test_setup_teardown(test_resolve_fails, caller_setup, caller_teardown),
		cmocka_unit_test_setup_teardown(test_connect_fails, caller_setup, caller_teardown),
		cmocka_unit_test_setup_teardown(test_deadlines, caller_setup, caller_teardown),
		cmocka_unit_test_setup_teardown(test_tls_fails, caller_setup, caller_teardown),
		cmocka_unit_test_setup_teardown(test_addresses_kept, caller_setup, caller_teardown),
		cmocka_unit_test_setup_teardown(test_winner_first, caller_setup, caller_teardown),
		cmocka_unit_test_setup_teardown(test_cancel, caller_setup, caller_teardown),
		cmocka_unit_test_setup_teardown(test_versions, caller_setup, caller_teardown),
		cmocka_unit_test_setup_teardown(test_plain, caller_setup, caller_teardown),
	};

	alarm(180); /* whatever happens, end */
	return cmocka_run_group_tests(tests, caller_make_contexts, caller_drop_contexts);
}
