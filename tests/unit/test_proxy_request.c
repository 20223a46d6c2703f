/* links: client/proxy_request.c client/served_pac.c client/local_target.c client/authority.c tunnel/address.c framing/http1.c framing/http1_head.c framing/http1_format.c framing/base64.c framing/cursor.c framing/varint.c framing/error.c */
/* libs: -lhttp_parser */
/* What is asked of the helper's HTTP proxy, how it is asked on, and what proxy.pac says. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/local_target.h"
#include "client/proxy_request.h"
#include "client/served_pac.h"
#include "framing/capsule.h"

static struct proxy_request r;
static const char *sentence;

static int ask(const char *head)
{
	assert_int_equal(proxy_request_end((const uint8_t *)head, strlen(head)), strlen(head));
	return proxy_request_get((const uint8_t *)head, strlen(head), &r, &sentence);
}

static void heads_end_with_an_empty_line(void **state)
{
	static const char text[] = "GET / HTTP/1.1\r\nHost: a\r\n\r\nbody";

	(void)state;
	for (size_t n = 0; n < strlen(text) - 4; n++)
		assert_int_equal(proxy_request_end((const uint8_t *)text, n), 0);
	assert_int_equal(proxy_request_end((const uint8_t *)text, strlen(text)), strlen(text) - 4);
}

static void connect_names_host_and_port(void **state)
{
	(void)state;
	assert_int_equal(ask("CONNECT turn.example.org:443 HTTP/1.1\r\nHost: turn.example.org:443\r\n\r\n"), 0);
	assert_int_equal(r.kind, PROXY_REQUEST_CONNECT);
	assert_string_equal(r.host, "turn.example.org");
	assert_int_equal(r.port, 443);
	assert_true(r.body == UINT64_MAX);
	assert_int_equal(r.head_len, 0);
	assert_int_equal(ask("CONNECT [2001:db8::1]:5349 HTTP/1.0\r\n\r\n"), 0);
	assert_string_equal(r.host, "2001:db8::1");
	assert_int_equal(ask("CONNECT turn.example.org HTTP/1.1\r\nHost: a\r\n\r\n"), 400);
	assert_int_equal(ask("CONNECT turn.example.org:0 HTTP/1.1\r\nHost: a\r\n\r\n"), 400);
}

static void urls_are_asked_on(void **state)
{
	(void)state;
	assert_int_equal(ask("GET http://www.example.org:8080/a?b=c HTTP/1.1\r\nHost: other.example\r\nAccept: */*\r\nProxy-Connection: keep-alive\r\n"
			     "Proxy-Authorization: Basic YTpi\r\nConnection: keep-alive, X-Hop\r\nX-Hop: 1\r\nX-End: 2\r\nTE: trailers\r\nVia: 1.0 first\r\n\r\n"), 0);
	assert_int_equal(r.kind, PROXY_REQUEST_FORWARD);
	assert_string_equal(r.host, "www.example.org");
	assert_int_equal(r.port, 8080);
	assert_int_equal(r.body, 0);
	assert_string_equal(r.login, "a:b");
	r.head[r.head_len] = '\0';
	assert_string_equal((const char *)r.head, "GET /a?b=c HTTP/1.1\r\nHost: www.example.org:8080\r\nAccept: */*\r\nX-End: 2\r\n"
						  "Via: 1.0 first, 1.1 culvert\r\nConnection: close\r\n\r\n");
	assert_int_equal(ask("POST http://[::1] HTTP/1.0\r\nContent-Length: 12\r\n\r\n"), 0);
	assert_string_equal(r.host, "::1");
	assert_int_equal(r.port, 80);
	assert_int_equal(r.body, 12);
	r.head[r.head_len] = '\0';
	assert_string_equal((const char *)r.head, "POST / HTTP/1.0\r\nHost: [::1]\r\nContent-Length: 12\r\nVia: 1.0 culvert\r\nConnection: close\r\n\r\n");
	assert_int_equal(ask("PUT HTTP://a?q HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"), 0);
	assert_true(r.body == UINT64_MAX);
	r.head[r.head_len] = '\0';
	assert_non_null(strstr((const char *)r.head, "PUT /?q HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n"));
}

static void our_own_are_told_apart(void **state)
{
	(void)state;
	assert_int_equal(ask("GET /proxy.pac?x HTTP/1.1\r\nHost: 127.0.0.1:3128\r\n\r\n"), 0);
	assert_int_equal(r.kind, PROXY_REQUEST_OURS);
	assert_string_equal(r.path, "/proxy.pac");
	assert_true(r.get && !r.head_only);
	assert_int_equal(ask("HEAD /wpad.dat HTTP/1.1\r\nHost: wpad\r\n\r\n"), 0);
	assert_true(r.head_only);
}

static void others_are_refused(void **state)
{
	static const char *const wrong[] = {
		"GET https://www.example.org/ HTTP/1.1\r\nHost: a\r\n\r\n", "GET ftp://www.example.org/ HTTP/1.1\r\nHost: a\r\n\r\n",
		"GET http:// HTTP/1.1\r\nHost: a\r\n\r\n", "GET http:///x HTTP/1.1\r\nHost: a\r\n\r\n", "GET http://u:p@a/ HTTP/1.1\r\nHost: a\r\n\r\n",
		"GET http://a:99999/ HTTP/1.1\r\nHost: a\r\n\r\n", "\x16\x03\x01\r\n\r\n", "GET http://a/ HTTP/1.1\r\nBad Header: x\r\n\r\n",
		"POST http://a/ HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
		"POST http://a/ HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", "OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n",
	};

	(void)state;
	for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
		if (ask(wrong[i]) != 400)
			fail_msg("taken: %s", wrong[i]);
		assert_true(strlen(sentence) > 10);
	}
}

static void logins_that_cannot_be_read_are_none(void **state)
{
	(void)state;
	assert_int_equal(ask("CONNECT a:1 HTTP/1.1\r\nProxy-Authorization: Basic !!\r\n\r\n"), 0);
	assert_string_equal(r.login, "");
	assert_int_equal(ask("CONNECT a:1 HTTP/1.1\r\nProxy-Authorization: Bearer YTpi\r\n\r\n"), 0);
	assert_string_equal(r.login, "");
	assert_int_equal(ask("CONNECT a:1 HTTP/1.1\r\nProxy-Authorization: Basic YQBi\r\n\r\n"), 0);
	assert_string_equal(r.login, "");
	assert_int_equal(ask("CONNECT a:1 HTTP/1.1\r\nproxy-authorization: basic  YTpi\r\n\r\n"), 0);
	assert_string_equal(r.login, "a:b");
}

static void targets_are_named(void **state)
{
	char out[MESSAGE_TARGET_MAX + 1], host[256];

	(void)state;
	assert_true(local_target("a.example", 443, out));
	assert_string_equal(out, "a.example:443");
	assert_true(local_target("::1", 443, out));
	assert_string_equal(out, "[::1]:443");
	assert_true(local_target("sig.Culvert", 443, out));
	assert_string_equal(out, "sig");
	memset(host, 'a', 255);
	host[255] = '\0';
	assert_false(local_target(host, 443, out));
	assert_int_equal(local_target_reply(CODE_FORBIDDEN), SOCKS5_NOT_ALLOWED);
	assert_int_equal(local_target_reply(CODE_CONNECT_REFUSED), SOCKS5_REFUSED);
	assert_int_equal(local_target_status(CODE_FORBIDDEN), 403);
	assert_int_equal(local_target_status(CODE_CONNECT_REFUSED), 502);
	assert_int_equal(local_target_status(CODE_TIMEOUT), 504);
}

static void the_script_names_the_hosts(void **state)
{
	const char *hosts[] = { "*.example.org", "sip.example.net" };
	struct served_pac pac = { hosts, 2, "PROXY corp.example:8080" };
	char error[256], *text;

	(void)state;
	assert_true(served_pac_check(&pac, error, sizeof error));
	text = served_pac_text(&pac, "127.0.0.1:3128");
	assert_string_equal(text, "function FindProxyForURL(url, host) {\n"
				  "\tif (host == \"example.org\" || dnsDomainIs(host, \".example.org\") ||\n\t    host == \"sip.example.net\")\n"
				  "\t\treturn \"PROXY 127.0.0.1:3128\";\n\treturn \"PROXY corp.example:8080\";\n}\n");
	free(text);
	pac.n = 0;
	text = served_pac_text(&pac, "127.0.0.1:3128");
	assert_string_equal(text, "function FindProxyForURL(url, host) {\n\treturn \"PROXY 127.0.0.1:3128\";\n}\n");
	free(text);
	pac.otherwise = "DIRECT\"; evil(); \"";
	assert_false(served_pac_check(&pac, error, sizeof error));
	pac = (struct served_pac){ (const char *[]){ "a\"b" }, 1, "DIRECT" };
	assert_false(served_pac_check(&pac, error, sizeof error));
	assert_non_null(strstr(error, "a\"b"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(heads_end_with_an_empty_line),
		cmocka_unit_test(connect_names_host_and_port),
		cmocka_unit_test(urls_are_asked_on),
		cmocka_unit_test(our_own_are_told_apart),
		cmocka_unit_test(others_are_refused),
		cmocka_unit_test(logins_that_cannot_be_read_are_none),
		cmocka_unit_test(targets_are_named),
		cmocka_unit_test(the_script_names_the_hosts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
