/* links: client/dial.c client/dial_steps.c client/hop.c client/hop_tls.c client/hop_connect.c client/hop_socks5.c client/hop_absolute.c client/legs.c client/absolute.c client/authority.c client/happy.c tunnel/stream_tls.c tunnel/tls_context.c tunnel/tls_trust.c tunnel/certificate.c tunnel/pin.c tunnel/stream_tcp.c tunnel/tcp_tuning.c tunnel/address.c tunnel/loop.c tunnel/log.c tunnel/counters.c framing/http1.c framing/http1_head.c framing/http1_format.c framing/socks5.c framing/cursor.c framing/varint.c framing/base64.c framing/error.c tests/lib/caller.c tests/lib/prover.c tests/lib/names.c tests/lib/there.c tests/lib/sockets.c tests/lib/turns.c tests/lib/certs.c tests/lib/gate.c */
/* libs: -lev -lssl -lcrypto -lhttp_parser */
/* Chains of proxies, each kind of hop, against scripts on the loopback interface: what each is asked in which order, what each
 * refusal is called, cancelling at any time. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>
#include <unistd.h>

#include "framing/error.h"
#include "tests/lib/caller.h"
#include "tests/lib/gate.h"
#include "tests/lib/names.h"
#include "tests/lib/prover.h"
#include "tests/lib/turns.h"

#define OK "HTTP/1.1 200 OK\r\n\r\n"

static int set_up(void **state)
{
	caller_setup(state);
	gate_open(caller.loop, caller.server_tls);
	names.address[0] = gate.address;
	caller.config.server_host = "a.test";
	caller.config.server_port = 443;
	return 0;
}

static int tear_down(void **state)
{
	gate_shut();
	return caller_teardown(state);
}

static struct proxy *first(enum proxy_kind kind)
{
	caller.chain.n = 0;
	return caller_add(kind, "127.0.0.1", address_port(&gate.address));
}

static void succeed(const struct gate_step *script)
{
	gate_again(script);
	caller_make();
	caller_expect_success(true);
	assert_int_equal(prover.open, 0);
}

static void fail_with(const struct gate_step *script, int error, const char *why)
{
	gate_again(script);
	caller_make();
	caller_expect_failure(error, why);
	assert_int_equal(prover.open, 0);
}

/* Head number i begins with that line. */
static void heard(unsigned i, const char *line)
{
	if (strncmp(gate.heard[i], line, strlen(line)) != 0)
		fail_msg("\"%s\" instead of \"%s\"", gate.heard[i], line);
}

static void test_two_http(void **state)
{
	static const struct gate_step script[] = { { GATE_HEAD, 0, OK, 0 }, { GATE_HEAD, 0, OK, 0 }, { .kind = GATE_TLS }, { .kind = GATE_ECHO } };

	(void)state;
	first(PROXY_HTTP);
	caller_add(PROXY_HTTP, "b.test", 8080);
	succeed(script);
	heard(0, "CONNECT b.test:8080 HTTP/1.1\r\nHost: b.test:8080\r\n");
	heard(1, "CONNECT a.test:443 HTTP/1.1\r\nHost: a.test:443\r\n");
	assert_string_equal(names.host, "127.0.0.1"); /* no other name is looked up */
}

static void test_four(void **state)
{
	static const struct gate_step script[] = {
		{ GATE_BYTES, 3, "\5\0", 2 }, { GATE_BYTES, 4 + 16 + 2, "\5\0\0\1\0\0\0\0\0\0", 10 },
		{ GATE_HEAD, 0, OK, 0 }, { .kind = GATE_TLS }, { GATE_HEAD, 0, OK, 0 }, { GATE_HEAD, 0, OK, 0 }, { .kind = GATE_TLS },
		{ .kind = GATE_ECHO },
	};

	(void)state;
	first(PROXY_SOCKS5);
	caller_add(PROXY_HTTP, "2001:db8::1", 3128);
	caller_add(PROXY_HTTPS, "a.test", 443);
	caller_add(PROXY_HTTP, "d.test", 1);
	caller.config.server_host = "::1";
	succeed(script);
	assert_memory_equal(gate.heard[1], "\5\1\0\4\x20\1\xd\xb8\0\0\0\0\0\0\0\0\0\0\0\1\xc\x38", 22);
	heard(2, "CONNECT a.test:443 ");
	heard(3, "CONNECT d.test:1 ");
	heard(4, "CONNECT [::1]:443 ");
}

static void test_https_proxy(void **state)
{
	static const struct gate_step script[] = { { .kind = GATE_TLS }, { GATE_HEAD, 0, OK, 0 }, { .kind = GATE_TLS }, { .kind = GATE_ECHO } };
	static const struct gate_step plain[] = { { .kind = GATE_ECHO } }, closes[] = { { .kind = GATE_CLOSE } };
	static const struct gate_step denies[] = { { .kind = GATE_TLS }, { GATE_HEAD, 0, "HTTP/1.1 403 No\r\n\r\n", 0 }, { .kind = GATE_END } };

	(void)state;
	first(PROXY_HTTPS);
	succeed(script);
	heard(0, "CONNECT a.test:443 ");
	fail_with(denies, ERROR_DENIED, "the proxy https://127.0.0.1:");
	fail_with(plain, ERROR_TLS, ": the other side does not speak TLS on this port");
	fail_with(closes, ERROR_RESET, ": the connection was closed during the TLS handshake");
	caller.config.proxy_tls = caller.distrusting_tls;
	fail_with(script, ERROR_CERTIFICATE, "the proxy https://127.0.0.1:");
	fail_with(script, ERROR_CERTIFICATE, "is signed by 'Dial CA', which is not trusted");
	caller.config.proxy_tls = caller.client_tls;
	caller.config.tls_timeout_us = 100 * LOOP_MS;
	fail_with(GATE_SCRIPT({ .kind = GATE_SILENCE }), ERROR_TIMEOUT, " did not finish the TLS handshake within 0.1 s: is it a proxy that is spoken to by TLS?");
	first(PROXY_HTTPS);
	strcpy(caller.chain.hop[0].host, "other.test");
	fail_with(script, ERROR_CERTIFICATE, "the certificate shown for other.test is for a.test");
}

static void test_socks5(void **state)
{
	static const struct gate_step open[] = {
		{ GATE_BYTES, 3, "\5\0", 2 }, { GATE_BYTES, 13, "\5\0\0\3\6b.test\1\1", 13 }, { .kind = GATE_TLS }, { .kind = GATE_ECHO }
	};
	static const struct gate_step login[] = {
		{ GATE_BYTES, 4, "\5\2", 2 }, { GATE_BYTES, 13, "\1\0", 2 }, { GATE_BYTES, 13, "\5\0\0\1\0\0\0\0\0\0", 10 }, { .kind = GATE_TLS },
		{ .kind = GATE_ECHO }
	};

	(void)state;
	first(PROXY_SOCKS5);
	succeed(open);
	assert_memory_equal(gate.heard[0], "\5\1\0", 3);
	assert_memory_equal(gate.heard[1], "\5\1\0\3\6a.test\1\xbb", 13);
	caller.config.auth[0] = prover_auth();
	prover.user = "jane";
	prover.password = "secret";
	succeed(login);
	assert_memory_equal(gate.heard[0], "\5\2\0\2", 4);
	assert_memory_equal(gate.heard[1], "\1\4jane\6secret", 13);
	assert_int_equal(prover.accepted, 1);
	succeed(GATE_SCRIPT({ GATE_BYTES, 4, "\5\0", 2 }, open[1], open[2], open[3])); /* it wants nothing */
}

static void test_socks5_refuses(void **state)
{
	static const struct {
		char reply[10];
		int error;
		const char *why;
	} rows[] = {
		{ "\5\1\0\1\0\0\0\0\0\0", ERROR_PROXY, " could not connect to a.test:443: general failure" },
		{ "\5\2\0\1\0\0\0\0\0\0", ERROR_DENIED, ": its rules do not allow it" },
		{ "\5\3\0\1\0\0\0\0\0\0", ERROR_PROXY, ": no route to that network" },
		{ "\5\4\0\1\0\0\0\0\0\0", ERROR_PROXY, ": no route to that host, or its name was not found" },
		{ "\5\5\0\1\0\0\0\0\0\0", ERROR_PROXY, ": nothing listens there (connection refused)" },
		{ "\5\6\0\1\0\0\0\0\0\0", ERROR_PROXY, ": no answer in time" },
		{ "\5\7\0\1\0\0\0\0\0\0", ERROR_PROXY, ": it does not know CONNECT" },
		{ "\5\x8\0\1\0\0\0\0\0\0", ERROR_PROXY, ": it does not know this type of address" },
		{ "\5\x9\0\1\0\0\0\0\0\0", ERROR_PROXY, ": an unknown reason" },
		{ "\4\0\0\1\0\0\0\0\0\0", ERROR_PROXY, " does not speak SOCKS5: is this a SOCKS5 proxy?" },
	};

	(void)state;
	first(PROXY_SOCKS5);
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		fail_with(GATE_SCRIPT({ GATE_BYTES, 3, "\5\0", 2 }, { GATE_BYTES, 13, rows[i].reply, 10 }), rows[i].error,
			  rows[i].why);
	fail_with(GATE_SCRIPT({ GATE_BYTES, 3, "\5\0", 2 }, { GATE_BYTES, 13, "\5\0\0\1\0\0\0\0\0\0surprise", 18 }), ERROR_PROXY,
		  "sent bytes behind its answer");
	fail_with(GATE_SCRIPT({ GATE_BYTES, 3, "\5\0\5", 3 }), ERROR_PROXY, "does not speak SOCKS5");
	fail_with(GATE_SCRIPT({ GATE_BYTES, 3, "HTTP/1.0 400 Bad\r\n\r\n", 0 }), ERROR_PROXY, "does not speak SOCKS5");
	fail_with(GATE_SCRIPT({ GATE_BYTES, 3, "\5\2", 2 }), ERROR_PROXY, "does not speak SOCKS5");
	fail_with(GATE_SCRIPT({ GATE_BYTES, 3, "\5\xff", 2 }), ERROR_PROXY_AUTH, " wants credentials: put them into --proxy socks5://USER@");
	fail_with(GATE_SCRIPT({ GATE_BYTES, 3, "\5", 1 }, { .kind = GATE_CLOSE }), ERROR_PROXY,
		  " closed the connection instead of answering for a.test:443: is this a SOCKS5 proxy?");
	caller.config.proxy_timeout_us = 100 * LOOP_MS;
	fail_with(GATE_SCRIPT({ .kind = GATE_SILENCE }), ERROR_TIMEOUT, " did not answer within 0.1 s: is this a SOCKS5 proxy?");
	fail_with(GATE_SCRIPT({ GATE_BYTES, 3, "\5\0", 2 }), ERROR_TIMEOUT, " did not connect to a.test:443 within 0.1 s");
}

static void test_socks5_login_fails(void **state)
{
	static const struct gate_step wrong[] = { { GATE_BYTES, 4, "\5\2", 2 }, { GATE_BYTES, 13, "\1\1", 2 }, { .kind = GATE_END } };
	static const struct gate_step closes[] = { { GATE_BYTES, 4, "\5\2", 2 }, { GATE_BYTES, 13, NULL, 0 }, { .kind = GATE_CLOSE } };

	(void)state;
	first(PROXY_SOCKS5);
	caller.config.auth[0] = prover_auth();
	prover.user = "jane";
	prover.password = "secret";
	fail_with(wrong, ERROR_PROXY_AUTH, "the proxy knows nobody of that name");
	fail_with(wrong, ERROR_PROXY_AUTH, "the proxy knows nobody of that name");
	assert_int_equal(gate.n_heard, 1);	/* never again the same password */
	prover.rejected = false;
	fail_with(closes, ERROR_PROXY_AUTH, "the proxy knows nobody of that name");
	assert_true(prover.rejected);
	prover.rejected = false;
	fail_with(GATE_SCRIPT({ GATE_BYTES, 4, "\5\xff", 2 }), ERROR_PROXY_AUTH,
		  "accepts neither no authentication nor user and password");
	prover.password = "";
	fail_with(wrong, ERROR_PROXY_AUTH, "is empty, or longer than the 255 bytes of SOCKS5");
	fail_with(GATE_SCRIPT({ GATE_BYTES, 4, "\5\2\5", 3 }), ERROR_PROXY_AUTH, "is empty");
	prover.password = "secret";
	fail_with(GATE_SCRIPT({ GATE_BYTES, 4, "\5\2\5", 3 }), ERROR_PROXY, "does not speak SOCKS5");
	fail_with(GATE_SCRIPT({ GATE_BYTES, 4, "\5\2", 2 }, { GATE_BYTES, 13, "\7\0", 2 }), ERROR_PROXY, "does not speak SOCKS5");
}

/* The second of two is not there, does not let us, or they are in the wrong order: who is meant is said. */
static void test_sentences(void **state)
{
	(void)state;
	first(PROXY_HTTP);
	caller_add(PROXY_HTTPS, "b.test", 8080);
	fail_with(GATE_SCRIPT({ GATE_HEAD, 0, "HTTP/1.1 502 Bad\r\n\r\n", 0 }), ERROR_PROXY,
		  " could not reach the proxy https://b.test:8080 (502 Bad Gateway): are the proxies in the right order, and does that one run?");
	fail_with(GATE_SCRIPT({ GATE_HEAD, 0, "HTTP/1.1 403 No\r\n\r\n", 0 }), ERROR_PROXY,
		  " does not allow CONNECT to the proxy https://b.test:8080 (403 Forbidden); ask its administrator to allow it");
	fail_with(GATE_SCRIPT({ GATE_HEAD, 0, "HTTP/1.1 503 No\r\n\r\n", 0 }), ERROR_PROXY, "or that one does not run");
	fail_with(GATE_SCRIPT({ GATE_HEAD, 0, OK, 0 }, { .kind = GATE_CLOSE }), ERROR_RESET,
		  "the proxy https://b.test:8080: the connection was closed during the TLS handshake");
	first(PROXY_HTTP);
	caller_add(PROXY_HTTP, "b.test", 8080);
	fail_with(GATE_SCRIPT({ GATE_HEAD, 0, OK, 0 }, { GATE_HEAD, 0, "HTTP/1.1 403 No\r\n\r\n", 0 }), ERROR_DENIED,
		  "the proxy b.test:8080 does not allow CONNECT to a.test:443 (403 Forbidden)");
	fail_with(GATE_SCRIPT({ GATE_HEAD, 0, OK, 0 }, { GATE_HEAD, 0, OK, 0 }, { .kind = GATE_CLOSE }), ERROR_RESET,
		  "a.test:443 through the proxies 127.0.0.1:");
	fail_with(GATE_SCRIPT({ GATE_HEAD, 0, OK, 0 }, { GATE_HEAD, 0, OK, 0 }, { .kind = GATE_CLOSE }), ERROR_RESET,
		  " > b.test:8080: the connection was closed during the TLS handshake");
	first(PROXY_SOCKS5);
	caller_add(PROXY_HTTP, "b.test", 8080);
	fail_with(GATE_SCRIPT({ GATE_BYTES, 3, "\5\0", 2 }, { GATE_BYTES, 13, "\5\2\0\1\0\0\0\0\0\0", 10 }), ERROR_PROXY,
		  " could not connect to the proxy b.test:8080: its rules do not allow it");
}

/* Cancelled at any time; nothing stays. */
static void test_cancel(void **state)
{
	static const struct gate_step script[] = {
		{ GATE_BYTES, 4, "\5\2", 2 }, { GATE_BYTES, 13, "\1\0", 2 }, { GATE_BYTES, 13, "\5\0\0\1\0\0\0\0\0\0", 10 },
		{ .kind = GATE_TLS }, { GATE_HEAD, 0, OK, 0 }, { GATE_HEAD, 0, OK, 0 }, { .kind = GATE_TLS }, { .kind = GATE_ECHO },
	};
	unsigned whole = 0;

	(void)state;
	first(PROXY_SOCKS5);
	caller_add(PROXY_HTTPS, "a.test", 443);
	caller_add(PROXY_HTTP, "b.test", 1);
	caller.config.auth[0] = caller.config.auth[1] = caller.config.auth[2] = prover_auth();
	prover.user = "jane";
	prover.password = "secret";
	prover.scheme = AUTH_BASIC;
	prover.eager = true;
	prover.delay_us = LOOP_MS;
	for (int64_t at = 0; whole < 3; at += 250) {
		struct outcome o;

		gate_again(script);
		caller_make();
		caller_begin(&o);
		while (at && turns_run(caller.loop, at) && !o.called)
			;
		if (o.called)
			whole++;
		else
			dialler_pool(caller.dialler)->cancel(o.dial);
		caller_finish(&o);
		assert_int_equal(o.error, 0);
		assert_int_equal(prover.open, 0);
		assert_true(at < LOOP_SECOND);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_two_http, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_four, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_https_proxy, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_socks5, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_socks5_refuses, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_socks5_login_fails, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_sentences, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_cancel, set_up, tear_down),
	};

	alarm(180); /* whatever happens, end */
	return cmocka_run_group_tests(tests, caller_make_contexts, caller_drop_contexts);
}
