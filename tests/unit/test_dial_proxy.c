/* links: client/dial.c client/dial_steps.c client/hop.c client/hop_tls.c client/hop_connect.c client/hop_socks5.c client/hop_absolute.c client/legs.c client/absolute.c client/authority.c client/happy.c tunnel/stream_tls.c tunnel/tls_context.c tunnel/tls_trust.c tunnel/certificate.c tunnel/pin.c tunnel/stream_tcp.c tunnel/tcp_tuning.c tunnel/address.c tunnel/loop.c tunnel/log.c tunnel/counters.c framing/http1.c framing/http1_head.c framing/http1_format.c framing/socks5.c framing/cursor.c framing/varint.c framing/base64.c framing/error.c tests/lib/caller.c tests/lib/prover.c tests/lib/names.c tests/lib/there.c tests/lib/sockets.c tests/lib/turns.c tests/lib/certs.c */
/* libs: -lev -lssl -lcrypto -lhttp_parser */
/* The dialler through a scripted proxy on the loopback interface: what it asks, every answer that opens the tunnel, every
 * refusal and its sentence. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <unistd.h>

#include "framing/error.h"
#include "tests/lib/caller.h"
#include "tests/lib/names.h"
#include "tests/lib/there.h"

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
		caller_proxied(replies[i]);
		caller_expect_success(true);
		there.drip = true;
		caller_proxied(replies[i]);
		caller_expect_success(true);
		there.drip = false;
	}
	assert_string_equal(names.host, "127.0.0.1"); /* never the server's */
}

static void test_request(void **state)
{
	struct outcome o;
	char want[512];

	(void)state;
	caller_proxied("HTTP/1.1 200 OK\r\n\r\n");
	caller_dial(&o);
	assert_int_equal(o.error, 0);
	assert_string_equal(there.peers[0].head,
			    "CONNECT a.test:443 HTTP/1.1\r\nHost: a.test:443\r\nUser-Agent: culvert/" CULVERT_VERSION "\r\n"
			    "Proxy-Connection: keep-alive\r\n\r\n");
	caller_finish(&o);

	caller.config.server_host = "::1";
	caller.config.server_port = 8443;
	there.reply = "HTTP/1.1 200 OK\r\n\r\n";
	caller_make();
	caller_dial(&o);
	assert_int_equal(o.error, 0);
	snprintf(want, sizeof want, "CONNECT [::1]:8443 HTTP/1.1\r\nHost: [::1]:8443\r\nUser-Agent: culvert/%s\r\n"
		 "Proxy-Connection: keep-alive\r\n\r\n", CULVERT_VERSION);
	assert_string_equal(there.peers[1].head, want);
	caller_finish(&o);
}

static void test_proxy_credentials(void **state)
{
	static const char wants[] =
		"HTTP/1.1 407 Proxy Authentication Required\r\nProxy-Authenticate: Negotiate\r\nproxy-authenticate: NTLM\r\n"
		"Proxy-Authenticate: Basic realm=\"Squid, the proxy\"\r\nContent-Length: 3000\r\n\r\n<html>";

	(void)state;
	caller_proxied(wants);
	caller_expect_failure(ERROR_PROXY_AUTH, "the proxy 127.0.0.1:%P wants credentials (it offers: Negotiate, NTLM, Basic): put them into "
		       "--proxy http://USER@");
	caller_proxied("HTTP/1.0 407 Who\r\n\r\n");
	caller_expect_failure(ERROR_PROXY_AUTH, "it offers: nothing");
}

static void test_proxy_refusals(void **state)
{
	(void)state;
	caller_proxied("HTTP/1.1 403 Forbidden\r\nContent-Length: 5\r\n\r\nnope.");
	caller_expect_failure(ERROR_DENIED, "the proxy 127.0.0.1:%P does not allow CONNECT to a.test:443 (403 Forbidden); ask its administrator");
	caller_proxied("HTTP/1.0 405 No\r\n\r\n");
	caller_expect_failure(ERROR_DENIED, "(405 Method Not Allowed)");
	caller_proxied("HTTP/1.1 400 Bad\r\n\r\n");
	caller_expect_failure(ERROR_DENIED, "(400 Bad Request)");
	caller_proxied("HTTP/1.1 501 No\r\n\r\n");
	caller_expect_failure(ERROR_DENIED, "(501 Not Implemented)");
	caller_proxied("HTTP/1.1 502 Proxy Error ( The specified Secure Sockets Layer (SSL) port is not allowed. )\r\nContent-Length: 9\r\n\r\n");
	caller_expect_failure(ERROR_DENIED, "does not allow CONNECT to a.test:443 (502 Bad Gateway)");
	there.drip = true;
	caller_proxied("HTTP/1.1 502 Proxy Error ( The specified port is not allowed. )\r\n\r\n");
	caller_expect_failure(ERROR_DENIED, "does not allow CONNECT to a.test:443");
	there.drip = false;
	caller_proxied("HTTP/1.1 502 Bad\r\n\r\n");
	caller_expect_failure(ERROR_PROXY, "the proxy 127.0.0.1:%P could not reach a.test:443 (502 Bad Gateway)");
	caller_proxied("HTTP/1.1 503 Bad\r\nTransfer-Encoding: chunked\r\n\r\n");
	caller_expect_failure(ERROR_PROXY, "(503 Service Unavailable)");
	caller_proxied("HTTP/1.1 504 Bad\r\n\r\n");
	caller_expect_failure(ERROR_PROXY, "(504 Gateway Timeout)");
	caller_proxied("HTTP/1.1 302 Found\r\nLocation: http://portal.test/\r\n\r\n");
	caller_expect_failure(ERROR_PROXY, "a login page may be in between");
	caller_proxied("HTTP/1.1 418 Teapot\r\n\r\n");
	caller_expect_failure(ERROR_PROXY, "refused CONNECT to a.test:443 (418");
}

static void test_no_proxy_at_all(void **state)
{
	(void)state;
	caller_proxied("SSH-2.0-OpenSSH_9.2p1\r\n");
	caller_expect_failure(ERROR_PROXY, "127.0.0.1:%P does not speak HTTP: is this a proxy?");
	caller_proxied("\x15\x03\x01");
	caller_expect_failure(ERROR_PROXY, "does not speak HTTP");
	caller_proxied("HTTP/2.0 200 OK\r\n\r\n");
	caller_expect_failure(ERROR_PROXY, "does not speak HTTP");
	caller_proxied("HTTP/1.1 200 OK\r\n\r\nsurprise");
	caller_expect_failure(ERROR_PROXY, "sent bytes behind its answer");
	there.hang_up_then = true;
	caller_proxied("HTTP/1.1 200 O");
	caller_expect_failure(ERROR_PROXY, "closed the connection instead of answering CONNECT to a.test:443");
	caller_proxied("");
	caller_expect_failure(ERROR_PROXY, "closed the connection instead");
	there.hang_up = true;
	caller_proxied("");
	caller_expect_failure(ERROR_PROXY, "closed the connection instead");
}

static void test_bad_name(void **state)
{
	(void)state;
	caller_proxied("HTTP/1.1 200 OK\r\n\r\n");
	dialler_free(caller.dialler);
	caller.config.server_host = "a.test\r\nX-Evil: 1";
	caller_make();
	caller_expect_failure(ERROR_CONFIG, "cannot be the name of a server");
	assert_int_equal(there.peers[0].got, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_proxy, caller_setup, caller_teardown),
		cmocka_unit_test_setup_teardown(test_request, caller_setup, caller_teardown),
		cmocka_unit_test_setup_teardown(test_proxy_credentials, caller_setup, caller_teardown),
		cmocka_unit_test_setup_teardown(test_proxy_refusals, caller_setup, caller_teardown),
		cmocka_unit_test_setup_teardown(test_no_proxy_at_all, caller_setup, caller_teardown),
		cmocka_unit_test_setup_teardown(test_bad_name, caller_setup, caller_teardown),
	};

	alarm(180); /* whatever happens, end */
	return cmocka_run_group_tests(tests, caller_make_contexts, caller_drop_contexts);
}
