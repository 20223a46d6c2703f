/* links: client/dial.c client/dial_steps.c client/hop.c client/hop_tls.c client/hop_connect.c client/hop_socks5.c client/hop_absolute.c client/legs.c client/absolute.c client/authority.c client/happy.c tunnel/stream_tls.c tunnel/tls_context.c tunnel/tls_trust.c tunnel/certificate.c tunnel/pin.c tunnel/stream_tcp.c tunnel/tcp_tuning.c tunnel/address.c tunnel/loop.c tunnel/log.c tunnel/counters.c framing/http1.c framing/http1_head.c framing/http1_format.c framing/socks5.c framing/cursor.c framing/varint.c framing/base64.c framing/error.c tests/lib/caller.c tests/lib/prover.c tests/lib/names.c tests/lib/there.c tests/lib/sockets.c tests/lib/turns.c tests/lib/certs.c tests/lib/gate.c */
/* libs: -lev -lssl -lcrypto -lhttp_parser */
/* Without TLS to the server: how connections are made and what requests on them are dressed in, with and without a proxy that
 * wants credentials. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "client/absolute.h"
#include "framing/error.h"
#include "tests/lib/caller.h"
#include "tests/lib/gate.h"
#include "tests/lib/names.h"
#include "tests/lib/prover.h"
#include "tests/lib/turns.h"

#define KEPT "HTTP/1.1 407 Who\r\nProxy-Authenticate: Test\r\nContent-Length: 6\r\n\r\n<html>"
#define CLOSED "HTTP/1.0 407 Who\r\nProxy-Authenticate: Test\r\n\r\n<html>"
#define PAGE "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nok\n"

static const struct exchange_head post = { .method = "POST", .target = "/culvert/v1/x?m=poll", .host = "ignored", .lines = "X: y\r\n" };
static const struct http1_head answer = { .status = 407 };
static struct outcome o;

static int set_up(void **state)
{
	caller_setup(state);
	gate_open(caller.loop, caller.server_tls);
	names.address[0] = gate.address;
	caller.config.plain = true;
	caller.config.server_host = "secret.test";
	caller.config.server_port = 443;
	caller.config.plain_host = "a.test";
	caller.config.plain_port = address_port(&gate.address);
	prover.scheme = AUTH_BASIC;
	return 0;
}

static int tear_down(void **state)
{
	gate_shut();
	return caller_teardown(state);
}

static void proxied(enum proxy_kind kind, bool auth)
{
	caller_add(kind, "127.0.0.1", address_port(&gate.address));
	caller.config.auth[caller.chain.n - 1] = auth ? prover_auth() : NULL;
	caller.config.plain_port = 80;
}

/* A dial that has to come to a dressed stream. */
static struct dress *dial(void)
{
	caller_dial(&o);
	if (o.error)
		fail_msg("%d: %s", o.error, o.why);
	assert_non_null(o.stream->dress);
	return o.stream->dress;
}

static void release(void)
{
	o.stream->dress->ops->release(o.stream->dress);
	o.stream->dress = NULL;
	stream_close(o.stream);
	o.stream = NULL;
}

static void finish(void)
{
	if (o.stream)
		release();
	caller_finish(&o);
	assert_int_equal(prover.open, 0);
}

static void dressed(struct dress *d, const char *target, const char *host, const char *lines)
{
	struct exchange_head out = { 0 };

	assert_int_equal(d->ops->request(d, &post, &out), 0);
	assert_string_equal(out.method, "POST");
	assert_string_equal(out.target, target);
	assert_string_equal(out.host, host);
	assert_string_equal(out.lines, lines);
}

#define LINES "X: y\r\nProxy-Connection: keep-alive\r\n"

static void test_direct(void **state)
{
	struct exchange_head head = post, out;
	char longest[EXCHANGE_HEAD_MAX + 8];
	char authority[32];
	struct dress *d;

	(void)state;
	gate_again(GATE_SCRIPT({ .kind = GATE_ECHO }));
	caller_make();
	d = dial();
	snprintf(authority, sizeof authority, "a.test:%u", (unsigned)address_port(&gate.address));
	dressed(d, post.target, authority, "X: y\r\n");
	assert_int_equal(d->ops->refused(d, &answer), ERROR_PROXY_AUTH);
	memset(longest, 'x', sizeof longest);
	longest[sizeof longest - 1] = 0;
	head.target = longest;
	assert_int_equal(d->ops->request(d, &head, &out), ERROR_LIMIT);
	head = post;
	head.lines = longest;
	assert_int_equal(d->ops->request(d, &head, &out), ERROR_LIMIT);
	head.lines = "Authorization: Culvert id=a\r\n";	/* of a request that nobody sealed */
	assert_int_equal(d->ops->request(d, &head, &out), ERROR_CLOSED);
	finish();
	assert_string_equal(names.host, "a.test");
}

static void test_proxied(void **state)
{
	(void)state;
	proxied(PROXY_HTTP, false);
	gate_again(GATE_SCRIPT({ .kind = GATE_ECHO }));
	caller_make();
	dressed(dial(), "http://a.test/culvert/v1/x?m=poll", "a.test", LINES);
	finish();
	assert_int_equal(gate.n_heard, 0); /* not even CONNECT */
	caller.config.plain_host = "::1";
	caller.config.plain_port = 8080;
	proxied(PROXY_HTTPS, false);	/* the second one; the first is asked to lead there */
	caller.config.plain_port = 8080;
	gate_again(GATE_SCRIPT({ GATE_HEAD, 0, "HTTP/1.1 200 OK\r\n\r\n", 0 }, { .kind = GATE_TLS }, { .kind = GATE_ECHO }));
	caller_make();
	dressed(dial(), "http://[::1]:8080/culvert/v1/x?m=poll", "[::1]:8080", LINES);
	finish();
	assert_int_equal(gate.n_heard, 1);
	assert_ptr_equal(strstr(gate.heard[0], "CONNECT 127.0.0.1:"), gate.heard[0]);
}

static void test_behind_socks(void **state)
{
	(void)state;
	proxied(PROXY_SOCKS5, false);
	gate_again(GATE_SCRIPT({ GATE_BYTES, 3, "\5\0", 2 }, { GATE_BYTES, 13, "\5\0\0\1\0\0\0\0\0\0", 10 }, { .kind = GATE_ECHO }));
	caller_make();
	dressed(dial(), post.target, "a.test", "X: y\r\n");
	finish();
	assert_memory_equal(gate.heard[1], "\5\1\0\3\6a.test\0\x50", 13);
}

/* What the proxy wants is learned from a real request, and nothing is asked before. */
static void test_learned(void **state)
{
	struct dress *d;

	(void)state;
	proxied(PROXY_HTTP, true);
	gate_again(GATE_SCRIPT({ .kind = GATE_ECHO }));
	caller_make();
	d = dial();
	dressed(d, "http://a.test/culvert/v1/x?m=poll", "a.test", LINES);
	assert_int_equal(d->ops->refused(d, &answer), 0);
	dressed(d, "http://a.test/culvert/v1/x?m=poll", "a.test",
		LINES "Proxy-Authorization: Test 1 POST http://a.test/culvert/v1/x?m=poll\r\n");
	d->ops->accepted(d, &answer);
	assert_int_equal(prover.accepted, 1);
	release();
	dressed(dial(), "http://a.test/culvert/v1/x?m=poll", "a.test",
		LINES "Proxy-Authorization: Test 2 POST http://a.test/culvert/v1/x?m=poll\r\n");
	assert_int_equal(gate.n_heard, 0);
	/* A line that is not there in time. */
	prover.delay_us = LOOP_MS;
	assert_int_equal(o.stream->dress->ops->request(o.stream->dress, &post, &(struct exchange_head){ 0 }), ERROR_AGAIN);
	turns_run(caller.loop, 5 * LOOP_MS);
	dressed(o.stream->dress, "http://a.test/culvert/v1/x?m=poll", "a.test",
		LINES "Proxy-Authorization: Test 3 POST http://a.test/culvert/v1/x?m=poll\r\n");
	/* Rejected for good: the request fails, and dials say why. */
	prover.patience = 1;
	assert_int_equal(o.stream->dress->ops->refused(o.stream->dress, &answer), ERROR_PROXY_AUTH);
	assert_int_equal(o.stream->dress->ops->request(o.stream->dress, &post, &(struct exchange_head){ 0 }), ERROR_PROXY_AUTH);
	finish();
	gate_again(GATE_SCRIPT({ GATE_HEAD, 0, KEPT, 0 }));
	caller_make();
	caller_expect_failure(ERROR_PROXY_AUTH, "the proxy knows nobody of that name");
	assert_int_equal(gate.n_heard, 1);
}

/* Bound to the connection: never on a request with a body, but asked first on each. */
static void test_bound(void **state)
{
	struct dress *d;

	(void)state;
	proxied(PROXY_HTTP, true);
	prover.scheme = AUTH_NTLM;
	prover.bound = true;
	gate_again(GATE_SCRIPT({ .kind = GATE_ECHO }));
	caller_make();
	d = dial();
	dressed(d, "http://a.test/culvert/v1/x?m=poll", "a.test", LINES);
	assert_int_equal(d->ops->refused(d, &answer), ERROR_AGAIN);
	release();
	for (int i = 0; i < 2; i++) {
		gate_again(GATE_SCRIPT({ GATE_HEAD, 0, KEPT, 0 }, { GATE_HEAD, 0, PAGE, 0 }, { .kind = GATE_ECHO }));
		prover.delay_us = i * LOOP_MS;
		dressed(dial(), "http://a.test/culvert/v1/x?m=poll", "a.test", LINES);
		assert_int_equal(gate.accepted, 1);
		assert_int_equal(gate.n_heard, 2);
		assert_ptr_equal(strstr(gate.heard[0], "GET http://a.test/healthz HTTP/1.1\r\nHost: a.test\r\n"), gate.heard[0]);
		assert_non_null(strstr(gate.heard[0], "Test one\r\n"));
		assert_non_null(strstr(gate.heard[1], "Test two\r\n"));
		release();
	}
	/* Anything but 407 will do. */
	gate_again(GATE_SCRIPT({ GATE_HEAD, 0, "HTTP/1.1 502 Bad\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n\r\n", 0 }, { .kind = GATE_ECHO }));
	dial();
	finish();
	/* Closed behind it: then it cannot be. */
	gate_again(GATE_SCRIPT({ GATE_HEAD, 0, "HTTP/1.0 200 OK\r\nContent-Length: 3\r\n\r\nok\n", 0 }));
	caller_make();
	caller_expect_failure(ERROR_PROXY_AUTH, " closes each connection behind one answer: NTLM, which is bound to the connection, does not work there "
			      "without CONNECT");
	caller.config.proxy_timeout_us = 50 * LOOP_MS;
	gate_again(GATE_SCRIPT({ .kind = GATE_SILENCE }));
	caller_make();
	caller_expect_failure(ERROR_TIMEOUT, " did not answer a request to a.test:80 within 0.05 s");
	gate_again(GATE_SCRIPT({ .kind = GATE_CLOSE }));
	caller_make();
	caller_expect_failure(ERROR_PROXY, " closed the connection instead of answering a request");
	prover.patience = 1;
	prover.challenged = 0;
	gate_again(GATE_SCRIPT({ GATE_HEAD, 0, KEPT, 0 }));
	caller_make();
	caller_expect_failure(ERROR_PROXY_AUTH, "the proxy knows nobody of that name");
	assert_int_equal(prover.open, 0);
}

/* Who gives a name expects to be asked for it: the first dial finds out, and only that. */
static void test_asked_once(void **state)
{
	static const struct gate_step echo[] = { { .kind = GATE_ECHO } };

	(void)state;
	proxied(PROXY_HTTP, true);
	strcpy(caller.chain.hop[0].user, "jane");
	gate_again(GATE_SCRIPT({ GATE_HEAD, 0, PAGE, 0 }, { .kind = GATE_ECHO }));
	caller_make();
	dial();
	assert_int_equal(gate.n_heard, 1);
	release();
	gate_again(echo);
	dial();
	assert_int_equal(gate.n_heard, 0);
	finish();
	/* It wants them. */
	gate_again(GATE_SCRIPT({ GATE_HEAD, 0, KEPT, 0 }, { GATE_HEAD, 0, PAGE, 0 }, { .kind = GATE_ECHO }));
	caller_make();
	dressed(dial(), "http://a.test/culvert/v1/x?m=poll", "a.test",
		LINES "Proxy-Authorization: Test 2 POST http://a.test/culvert/v1/x?m=poll\r\n");
	assert_int_equal(gate.n_heard, 2);
	finish();
	/* It does not keep connections: then on another one. */
	for (int i = 0; i < 2; i++) {
		prover.known = false;
		gate_again(GATE_SCRIPT({ GATE_HEAD, 0, i ? CLOSED : "HTTP/1.0 200 OK\r\n\r\nok\n", 0 }, { .kind = GATE_CLOSE }));
		gate.script[1] = echo;
		caller_make();
		dial();
		assert_int_equal(gate.accepted, 2);
		assert_int_equal(gate.n_heard, 1);
		finish();
	}
}

/* With a plain dialler the doctor still asks for CONNECT. */
static void test_doctor(void **state)
{
	struct dialler *plain, *connect;

	(void)state;
	proxied(PROXY_HTTP, false);
	gate_again(GATE_SCRIPT({ GATE_HEAD, 0, "HTTP/1.1 200 OK\r\n\r\n", 0 }, { .kind = GATE_ECHO }));
	caller_make();
	plain = caller.dialler;
	connect = caller.dialler = dialler_plain(plain, 8443);
	caller_dial(&o);
	assert_int_equal(o.error, 0);
	assert_null(o.stream->dress);
	assert_ptr_equal(connect, caller.dialler);
	caller_finish(&o);
	dialler_free(plain);
	assert_ptr_equal(strstr(gate.heard[0], "CONNECT secret.test:8443 "), gate.heard[0]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_direct, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_proxied, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_behind_socks, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_learned, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_bound, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_asked_once, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_doctor, set_up, tear_down),
	};

	alarm(180); /* whatever happens, end */
	return cmocka_run_group_tests(tests, caller_make_contexts, caller_drop_contexts);
}
