/* links: client/dial.c client/dial_steps.c client/hop.c client/hop_tls.c client/hop_connect.c client/hop_socks5.c client/hop_absolute.c client/legs.c client/absolute.c client/authority.c client/happy.c tunnel/stream_tls.c tunnel/tls_context.c tunnel/tls_trust.c tunnel/certificate.c tunnel/pin.c tunnel/stream_tcp.c tunnel/tcp_tuning.c tunnel/address.c tunnel/loop.c tunnel/log.c tunnel/counters.c framing/http1.c framing/http1_head.c framing/http1_format.c framing/socks5.c framing/cursor.c framing/varint.c framing/base64.c framing/error.c tests/lib/caller.c tests/lib/prover.c tests/lib/names.c tests/lib/there.c tests/lib/sockets.c tests/lib/turns.c tests/lib/certs.c tests/lib/gate.c */
/* libs: -lev -lssl -lcrypto -lhttp_parser */
/* The dialogue with a proxy that wants credentials, leg by leg: on one connection where it is kept, on another one where that
 * helps, and never on and on. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>
#include <unistd.h>

#include "client/legs.h"
#include "framing/error.h"
#include "tests/lib/caller.h"
#include "tests/lib/gate.h"
#include "tests/lib/names.h"
#include "tests/lib/prover.h"

#define OK "HTTP/1.1 200 OK\r\n\r\n"
#define KEPT "HTTP/1.1 407 Who\r\nProxy-Authenticate: Test\r\nContent-Length: 6\r\n\r\n<html>"
#define CHUNKED "HTTP/1.1 407 Who\r\nProxy-Authenticate: Test\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"
#define OLD_KEPT "HTTP/1.0 407 Who\r\nProxy-Authenticate: Test\r\nProxy-Connection: keep-alive\r\nContent-Length: 0\r\n\r\n"
#define CLOSED "HTTP/1.1 407 Who\r\nProxy-Authenticate: Test\r\nConnection: close\r\nContent-Length: 6\r\n\r\n<html>"
#define OLD "HTTP/1.0 407 Who\r\nProxy-Authenticate: Test\r\n\r\n<html> and so on"

static const struct gate_step passes[] = { { GATE_HEAD, 0, OK, 0 }, { .kind = GATE_TLS }, { .kind = GATE_ECHO } };

static int set_up(void **state)
{
	caller_setup(state);
	gate_open(caller.loop, caller.server_tls);
	names.address[0] = gate.address;
	caller.config.server_host = "a.test";
	caller.config.server_port = 443;
	caller_add(PROXY_HTTP, "127.0.0.1", address_port(&gate.address));
	caller.config.auth[0] = prover_auth();
	prover.scheme = AUTH_BASIC;
	return 0;
}

static int tear_down(void **state)
{
	gate_shut();
	return caller_teardown(state);
}

/* Nothing was learned so far. */
static void anew(const struct gate_step *script)
{
	prover.known = false;
	prover.challenged = prover.accepted = prover.lines = prover.dialogues = 0;
	gate_again(script);
	caller_make();
}

static void succeed(void)
{
	caller_expect_success(true);
	assert_int_equal(prover.accepted, 1);
	assert_int_equal(prover.open, 0);
}

static void fail_with(const char *why)
{
	caller_expect_failure(ERROR_PROXY_AUTH, why);
	assert_int_equal(prover.open, 0);
}

/* Head number i has that line. */
static void sent(unsigned i, const char *line)
{
	if (!strstr(gate.heard[i], line))
		fail_msg("\"%s\" lacks \"%s\"", gate.heard[i], line);
}

static void test_same_connection(void **state)
{
	static const char *const wants[] = { KEPT, CHUNKED, OLD_KEPT };

	(void)state;
	for (size_t i = 0; i < sizeof wants / sizeof *wants; i++) {
		anew(GATE_SCRIPT({ GATE_HEAD, 0, wants[i], 0 }, passes[0], passes[1], passes[2]));
		succeed();
		assert_int_equal(gate.accepted, 1);
		assert_null(strstr(gate.heard[0], "Authorization"));
		sent(1, "\r\nProxy-Authorization: Test 1 CONNECT a.test:443\r\n");
		sent(1, "CONNECT a.test:443 HTTP/1.1\r\nHost: a.test:443\r\n");
	}
	/* What is known is sent at once. */
	gate_again(passes);
	caller_make();
	prover.accepted = 0;
	succeed();
	sent(0, "\r\nProxy-Authorization: Test 2 ");
}

static void test_other_connection(void **state)
{
	static const char *const wants[] = { CLOSED, OLD };

	(void)state;
	for (size_t i = 0; i < sizeof wants / sizeof *wants; i++) {
		anew(GATE_SCRIPT({ GATE_HEAD, 0, wants[i], 0 }));
		gate.script[1] = passes;
		succeed();
		assert_int_equal(gate.accepted, 2);
		assert_int_equal(names.asked, 1 + i);
		sent(1, "Test 1 ");
	}
	/* It says that it keeps the connection, and does not; or cuts its answer. */
	anew(GATE_SCRIPT({ GATE_HEAD, 0, KEPT, 0 }, { .kind = GATE_CLOSE }));
	gate.script[1] = passes;
	succeed();
	anew(GATE_SCRIPT({ GATE_HEAD, 0, "HTTP/1.1 407 Who\r\nContent-Length: 60\r\n\r\nbye", 0 }, { .kind = GATE_CLOSE }));
	gate.script[1] = passes;
	succeed();
	assert_int_equal(gate.accepted, 2);
	/* Bytes behind the answer: nobody knows whose. */
	anew(GATE_SCRIPT({ GATE_HEAD, 0, KEPT "HTTP/1.1 200 OK\r\n\r\n", 0 }));
	gate.script[1] = passes;
	succeed();
}

static void test_long_page(void **state)
{
	static char page[400000];

	(void)state;
	memset(page, 'x', sizeof page);
	memcpy(page, OLD_KEPT, strlen("HTTP/1.0 407 Who\r\nProxy-Authenticate: Test\r\nProxy-Connection: keep-alive\r\n"));
	memcpy(page + strlen("HTTP/1.0 407 Who\r\nProxy-Authenticate: Test\r\nProxy-Connection: keep-alive\r\n"), "Content-Length: 1000000\r\n\r\n", 27);
	anew(GATE_SCRIPT({ GATE_HEAD, 0, page, sizeof page }));
	gate.script[1] = passes;
	succeed();
	assert_int_equal(gate.accepted, 2);
}

static void test_bound(void **state)
{
	(void)state;
	prover.scheme = AUTH_NTLM;
	prover.bound = true;
	anew(GATE_SCRIPT({ GATE_HEAD, 0, KEPT, 0 }, { GATE_HEAD, 0, CHUNKED, 0 }, passes[0], passes[1], passes[2]));
	succeed();
	assert_int_equal(gate.accepted, 1);
	sent(1, "Test one\r\n");
	sent(2, "Test two\r\n");
	/* Closed at first, the dialogue is on the second one. */
	anew(GATE_SCRIPT({ GATE_HEAD, 0, CLOSED, 0 }));
	gate.script[1] = GATE_SCRIPT({ GATE_HEAD, 0, KEPT, 0 }, passes[0], passes[1], passes[2]);
	succeed();
	assert_int_equal(gate.accepted, 2);
	assert_int_equal(prover.dialogues, 2);
	sent(1, "Test one\r\n");
	sent(2, "Test two\r\n");
	/* Closed in the middle: there is no way. */
	anew(GATE_SCRIPT({ GATE_HEAD, 0, KEPT, 0 }, { GATE_HEAD, 0, CLOSED, 0 }));
	fail_with(" closes the connection in the middle of authentication, which is bound to it");
	assert_int_equal(gate.accepted, 1);
}

static void test_lines_that_take_time(void **state)
{
	(void)state;
	prover.scheme = AUTH_NEGOTIATE;
	prover.bound = prover.eager = true;
	prover.delay_us = 5 * LOOP_MS;
	anew(GATE_SCRIPT({ GATE_HEAD, 0, KEPT, 0 }, passes[0], passes[1], passes[2]));
	succeed();
	sent(0, "Test one\r\n");
	sent(1, "Test two\r\n");
	prover.delay_us = 10 * LOOP_SECOND;
	caller.config.proxy_timeout_us = 50 * LOOP_MS;
	anew(passes);
	caller_expect_failure(ERROR_TIMEOUT, "the ticket is waited for");
}

static void test_hopeless(void **state)
{
	(void)state;
	prover.patience = 2;
	anew(GATE_SCRIPT({ GATE_HEAD, 0, KEPT, 0 }, { GATE_HEAD, 0, KEPT, 0 }, passes[0], passes[1], passes[2]));
	fail_with("the proxy knows nobody of that name");
	assert_int_equal(gate.n_heard, 2);
	/* It is asked again, but not with them. */
	gate_again(GATE_SCRIPT({ GATE_HEAD, 0, KEPT, 0 }));
	caller_make();
	fail_with("the proxy knows nobody of that name");
	assert_int_equal(gate.n_heard, 1);
	assert_null(strstr(gate.heard[0], "Authorization"));
}

static void test_on_and_on(void **state)
{
	static const struct gate_step more[] = {
		{ GATE_HEAD, 0, KEPT, 0 }, { GATE_HEAD, 0, KEPT, 0 }, { GATE_HEAD, 0, KEPT, 0 }, { GATE_HEAD, 0, KEPT, 0 },
		{ GATE_HEAD, 0, KEPT, 0 }, { GATE_HEAD, 0, KEPT, 0 }, { GATE_HEAD, 0, KEPT, 0 }, { .kind = GATE_SILENCE },
	};

	(void)state;
	anew(more);
	fail_with(" asks for credentials again and again");
	assert_int_equal(gate.n_heard, LEGS_MAX);
	anew(GATE_SCRIPT({ GATE_HEAD, 0, CLOSED, 0 }));
	fail_with(" closes each connection on which it wants credentials");
	assert_int_equal(gate.accepted, 5);
}

/* Who is let in may still not be let through. */
static void test_refused_behind_it(void **state)
{
	(void)state;
	anew(GATE_SCRIPT({ GATE_HEAD, 0, KEPT, 0 }, { GATE_HEAD, 0, "HTTP/1.1 403 No\r\nContent-Length: 0\r\n\r\n", 0 }));
	caller_expect_failure(ERROR_DENIED, " does not allow CONNECT to a.test:443");
	assert_int_equal(prover.accepted, 1);
	assert_int_equal(prover.open, 0);
	anew(GATE_SCRIPT({ GATE_HEAD, 0, KEPT, 0 }, { GATE_HEAD, 0, "nonsense\r\n\r\n", 0 }));
	caller_expect_failure(ERROR_PROXY, " does not speak HTTP: is this a proxy?");
	assert_int_equal(prover.open, 0);
}

/* The second proxy wants credentials and closes: all of the chain again. */
static void test_second_hop(void **state)
{
	(void)state;
	caller_add(PROXY_HTTP, "b.test", 8080);
	caller.config.auth[1] = caller.config.auth[0];
	caller.config.auth[0] = NULL;
	anew(GATE_SCRIPT({ GATE_HEAD, 0, OK, 0 }, { GATE_HEAD, 0, CLOSED, 0 }));
	gate.script[1] = GATE_SCRIPT({ GATE_HEAD, 0, OK, 0 }, passes[0], passes[1], passes[2]);
	succeed();
	assert_int_equal(gate.n_heard, 4);
	sent(2, "CONNECT b.test:8080 ");
	assert_null(strstr(gate.heard[2], "Authorization"));
	sent(3, "Test 1 CONNECT a.test:443");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_same_connection, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_other_connection, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_long_page, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_bound, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_lines_that_take_time, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_hopeless, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_on_and_on, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_refused_behind_it, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_second_hop, set_up, tear_down),
	};

	alarm(180); /* whatever happens, end */
	return cmocka_run_group_tests(tests, caller_make_contexts, caller_drop_contexts);
}
