/* links: server/fallback_head.c framing/http1.c framing/http1_head.c framing/http1_format.c framing/cursor.c framing/varint.c framing/error.c */
/* libs: -lhttp_parser */
/* Heads that pass on to the website and back: what stays behind, what is added, what is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "framing/error.h"
#include "server/fallback_head.h"

static struct fallback_visitor from;
static struct fallback_head out;
static int status;
static bool over_h2;
static char answer[FALLBACK_HEAD_LINES];
static ssize_t answer_n;

static int on_head(void *ctx, const struct http1_head *head)
{
	struct http1_head copy = *head;

	(void)ctx;
	copy.h2 = over_h2;
	if (over_h2 && head->request && http1_find(head, "Upgrade").n)
		copy.method = (struct span){ (const uint8_t *)"CONNECT", 7 };
	if (head->request)
		status = fallback_head_request(&out, &copy, &from, "127.0.0.1:8081");
	else
		answer_n = fallback_head_answer(answer, head, over_h2);
	return 0;
}

static int on_body(void *ctx, const uint8_t *p, size_t n)
{
	(void)ctx, (void)p, (void)n;
	return 0;
}

static int on_end(void *ctx)
{
	(void)ctx;
	return 0;
}

static const struct http1_events events = { on_head, on_body, on_end };

static void parse(enum http1_role role, const char *text)
{
	struct http1 *parser = http1_new(role, &events, NULL);

	status = -1;
	answer_n = -1;
	assert_int_equal(http1_feed(parser, (const uint8_t *)text, strlen(text)), strlen(text));
	http1_free(parser);
}

/* first: the request line and Host; lines: those that come besides. */
static void request(const char *first, const char *lines)
{
	char text[HTTP1_HEAD_MAX];

	fallback_head_drop(&out);
	snprintf(text, sizeof text, "%s\r\n%s\r\n", first, lines);
	parse(HTTP1_REQUESTS, text);
}

#define GET "GET / HTTP/1.1\r\nHost: h"
#define ADDED "X-Forwarded-For: 192.0.2.1\r\nX-Forwarded-Proto: https\r\nX-Forwarded-Host: h\r\n" \
	      "Forwarded: for=192.0.2.1;host=\"h\";proto=https\r\nVia: 1.1 culvert\r\n"

static int setup(void **state)
{
	(void)state;
	from = (struct fallback_visitor){ .peer = "192.0.2.1:5004", .tls = true };
	over_h2 = false;
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	fallback_head_drop(&out);
	return 0;
}

static void test_targets(void **state)
{
	static const struct {
		const char *request, *method, *target, *host;
	} cases[] = {
		{ "GET /a?b HTTP/1.1\r\nHost: h:81", "GET", "/a?b", "h:81" },
		{ "GET http://x.example:80/a HTTP/1.1\r\nHost: h", "GET", "/a", "x.example:80" },
		{ "POST HTTPS://x HTTP/1.1\r\nHost: h\r\nContent-Length: 0", "POST", "/", "x" },
		{ "GET http://[::1]:80/ HTTP/1.1\r\nHost: h", "GET", "/", "[::1]:80" },
		{ "GET /a HTTP/1.0", "GET", "/a", "127.0.0.1:8081" },
		{ "GET /a HTTP/1.1\r\nHost:", "GET", "/a", "127.0.0.1:8081" },
		{ "OPTIONS * HTTP/1.1\r\nHost: h", "OPTIONS", "*", "h" },
		{ "PROPFIND //x/../y HTTP/1.1\r\nHost: h", "PROPFIND", "//x/../y", "h" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		request(cases[i].request, "");
		assert_int_equal(status, 0);
		assert_string_equal(out.method, cases[i].method);
		assert_string_equal(out.target, cases[i].target);
		assert_string_equal(out.host, cases[i].host);
	}
}

static void test_refused(void **state)
{
	static const struct {
		const char *request;
		int status;
	} cases[] = {
		{ "GET /a HTTP/1.1", 400 },				/* no Host */
		{ "GET /a HTTP/1.1\r\nHost: a\r\nhost: a", 400 },
		{ "GET /a HTTP/1.1\r\nHost: a b", 400 },
		{ "GET /a HTTP/1.1\r\nHost: a,b", 400 },
		{ "GET /a HTTP/1.1\r\nHost: a\"b", 400 },
		{ "GET /a HTTP/1.1\r\nHost: a/b", 400 },
		{ "GET /a HTTP/1.1\r\nHost: a@b", 400 },
		{ "GET http:///a HTTP/1.1\r\nHost: a", 400 },
		{ "GET http://a@b/a HTTP/1.1\r\nHost: a", 400 },
		{ "GET http://a?b HTTP/1.1\r\nHost: a", 400 },
		{ "GET ftp://a/ HTTP/1.1\r\nHost: a", 400 },
		{ "GET * HTTP/1.1\r\nHost: a", 400 },
		{ "CONNECT a:1 HTTP/1.1\r\nHost: a:1", 405 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		request(cases[i].request, "");
		if (status != cases[i].status)
			fail_msg("%s: %d", cases[i].request, status);
		assert_null(out.method);
	}
}

/* HTTP/2 can say what would be two lines in HTTP/1.1. */
static void test_smuggling(void **state)
{
	static const struct {
		const char *target, *name, *value;
		int status;
	} cases[] = {
		{ "/", "a", "b\tc\xff", 0 },
		{ "/ HTTP/1.1\r\nX: y", "a", "b", 400 },
		{ "/ x", "a", "b", 400 },
		{ "/\xff", "a", "b", 400 },
		{ "http://other/", "a", "b", 400 },
		{ "/", "a\r\nx", "b", 400 },
		{ "/", "a:x", "b", 400 },
		{ "/", "a b", "b", 400 },
		{ "/", "", "b", 400 },
		{ "/", "a", "b\r\nX: y", 400 },
		{ "/", "a", "b\n", 400 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct http1_head head = { .request = true, .minor = 1, .h2 = true, .length = -1, .count = 2 };

		head.method = (struct span){ (const uint8_t *)"GET", 3 };
		head.target = (struct span){ (const uint8_t *)cases[i].target, strlen(cases[i].target) };
		head.header[0] = (struct http1_header){ { (const uint8_t *)"host", 4 }, { (const uint8_t *)"h", 1 } };
		head.header[1].name = (struct span){ (const uint8_t *)cases[i].name, strlen(cases[i].name) };
		head.header[1].value = (struct span){ (const uint8_t *)cases[i].value, strlen(cases[i].value) };
		fallback_head_drop(&out);
		assert_int_equal(fallback_head_request(&out, &head, &from, "s"), cases[i].status);
	}
}

static void test_lines(void **state)
{
	(void)state;
	request(GET, "Accept: */*\r\nCookie: a=b\r\nAuthorization: Basic x\r\nX:  spaces \t\r\nempty:\r\nX: twice\r\n");
	assert_string_equal(out.lines, "Accept: */*\r\nCookie: a=b\r\nAuthorization: Basic x\r\nX: spaces\r\nempty: \r\nX: twice\r\n" ADDED);
	/* Hop by hop. */
	request(GET, "Connection: close, X-Hop\r\nX-Hop: 1\r\nKeep-Alive: 5\r\nProxy-Connection: x\r\nTE: trailers\r\nTrailer: T\r\n"
		     "Upgrade: h2c\r\nHTTP2-Settings: x\r\nProxy-Authorization: Basic x\r\nx-hop: 2\r\nY: z\r\n");
	assert_string_equal(out.lines, "Y: z\r\n" ADDED);
	request("POST / HTTP/1.1\r\nHost: h", "Transfer-Encoding: chunked\r\n");
	assert_string_equal(out.lines, ADDED);
	request("POST / HTTP/1.1\r\nHost: h", "Content-Length: 0\r\n");
	assert_string_equal(out.lines, ADDED);
	/* What a visitor may not have taken away. */
	request(GET, "Connection: cookie, authorization, x-forwarded-for\r\nCookie: a\r\nAuthorization: b\r\n");
	assert_string_equal(out.lines, "Cookie: a\r\nAuthorization: b\r\n" ADDED);
	request(GET, "Authorization: Culvert id=a, ts=1, mac=x\r\nAuthorization: Culvert\r\nauthorization: culvert x\r\n");
	assert_string_equal(out.lines, "Authorization: Culvert\r\n" ADDED);
	/* Via is a list. */
	request(GET, "Via: 1.1 other\r\n");
	assert_string_equal(out.lines, "Via: 1.1 other\r\n" ADDED);
}

/* Claims of strangers are replaced, however they are written. */
static void test_claims(void **state)
{
	(void)state;
	request(GET, "X-Forwarded-For: 6.6.6.6\r\nx-forwarded-proto: gopher\r\nX-Forwarded-Host: evil\r\nForwarded: for=6.6.6.6\r\n"
		     "X-Forwarded-Port: 1\r\nX-Real-IP: 6.6.6.6\r\nX_Forwarded_For: 6.6.6.6\r\nx-real_ip: 6\r\nProxy: http://evil\r\n");
	assert_string_equal(out.lines, ADDED);
	from.tls = false;
	request(GET, "");
	assert_non_null(strstr(out.lines, "X-Forwarded-Proto: http\r\n"));
	assert_non_null(strstr(out.lines, ";proto=http\r\n"));
	over_h2 = true;
	request(GET, "");
	assert_non_null(strstr(out.lines, "Via: 2 culvert\r\n"));
	over_h2 = false;
	request("GET / HTTP/1.0\r\nHost: h", "");
	assert_non_null(strstr(out.lines, "Via: 1.0 culvert\r\n"));
}

/* A believed proxy's word counts where it makes sense. */
static void test_trusted(void **state)
{
	(void)state;
	from = (struct fallback_visitor){ .peer = "203.0.113.9", .trusted = true };
	request(GET, "X-Forwarded-For: 6.6.6.6, 203.0.113.9\r\nX-Forwarded-Proto: https\r\nX-Forwarded-Host: www.example.org\r\n");
	assert_string_equal(out.host, "h");
	assert_string_equal(out.lines, "X-Forwarded-For: 203.0.113.9\r\nX-Forwarded-Proto: https\r\nX-Forwarded-Host: www.example.org\r\n"
				       "Forwarded: for=203.0.113.9;host=\"www.example.org\";proto=https\r\nVia: 1.1 culvert\r\n");
	request(GET, "X-Forwarded-Proto: javascript\r\nX-Forwarded-Host: a\"b\r\n");
	assert_non_null(strstr(out.lines, "X-Forwarded-Proto: http\r\nX-Forwarded-Host: h\r\n"));
}

static void test_peers(void **state)
{
	static const struct {
		const char *peer, *plain, *quoted;
	} cases[] = {
		{ "192.0.2.1", "192.0.2.1", "192.0.2.1" },
		{ "[2001:db8::1]:5004", "2001:db8::1", "\"[2001:db8::1]\"" },
		{ "2001:db8::1", "2001:db8::1", "\"[2001:db8::1]\"" },
		{ "fe80::1", "fe80::1", "\"[fe80::1]\"" },
		{ "::ffff:192.0.2.1", "::ffff:192.0.2.1", "\"[::ffff:192.0.2.1]\"" },
		{ "unix", "unknown", "unknown" },
		{ "unix:/run/a.sock", "unknown", "unknown" },
		{ "", "unknown", "unknown" },
	};
	char expected[200];

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		from.peer = cases[i].peer;
		request(GET, "");
		snprintf(expected, sizeof expected, "X-Forwarded-For: %s\r\n", cases[i].plain);
		assert_memory_equal(out.lines, expected, strlen(expected));
		snprintf(expected, sizeof expected, "Forwarded: for=%s;host", cases[i].quoted);
		assert_non_null(strstr(out.lines, expected));
	}
}

static void test_meaning(void **state)
{
	(void)state;
	request(GET, "Expect: 100-Continue\r\n");
	assert_true(out.repeatable && out.expects);
	assert_null(strstr(out.lines, "Expect"));
	request("POST / HTTP/1.1\r\nHost: h", "");
	assert_false(out.repeatable || out.expects);
	request("PUT / HTTP/1.0", "Expect: 100-continue\r\n");
	assert_true(out.repeatable && !out.expects);
}

/* Of HTTP/1.1 by Upgrade, of HTTP/2 by extended CONNECT, which has no key; other protocols are not asked for. */
static void test_websocket(void **state)
{
	(void)state;
	from.key = "ours";
	request(GET, "Connection: Upgrade\r\nUpgrade: WebSocket\r\nSec-WebSocket-Key: k\r\n");
	assert_true(out.websocket);
	assert_string_equal(out.method, "GET");
	assert_string_equal(out.lines, "Sec-WebSocket-Key: k\r\n" ADDED);
	over_h2 = true;
	request(GET, "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n");
	assert_int_equal(status, 0);
	assert_string_equal(out.method, "GET");
	assert_memory_equal(out.lines, "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: ours\r\nX-F", 55);
	request(GET, "Connection: Upgrade\r\nUpgrade: connect-udp\r\n");
	assert_int_equal(status, 405);
	parse(HTTP1_RESPONSES, "HTTP/1.1 101 S\r\nSec-WebSocket-Accept: a\r\nX: y\r\n\r\n");
	assert_string_equal(answer, "X: y\r\n");
	over_h2 = false;
	request(GET, "Connection: Upgrade\r\nUpgrade: h2c\r\n");
	assert_false(out.websocket);
}

/* The longest that comes fits, with what is added. */
static void test_longest(void **state)
{
	static char lines[HTTP1_HEAD_MAX - 64], host[600];
	size_t n = 0;

	(void)state;
	for (int i = 0; i < HTTP1_HEADERS_MAX - 1; i++)
		n += (size_t)snprintf(lines + n, sizeof lines - n, "a:%0240d\r\n", i);
	request(GET, lines);
	assert_int_equal(status, 0);
	assert_int_equal(strlen(out.lines), n + HTTP1_HEADERS_MAX - 1 + strlen(ADDED));
	memset(host, 'h', 512);
	snprintf(lines, sizeof lines, "GET / HTTP/1.1\r\nHost: %s", host);
	from.trusted = true;
	request(lines, "");
	assert_int_equal(status, 0);
	snprintf(lines, sizeof lines, "GET / HTTP/1.1\r\nHost: %s", host);
	memset(host, 'g', 512);
	snprintf(lines + strlen(lines), sizeof lines - strlen(lines), "\r\nX-Forwarded-Host: %s", host);
	request(lines, "");
	assert_int_equal(status, 0);
	assert_non_null(strstr(out.lines, host));
	memset(host, 'h', 513);
	snprintf(lines, sizeof lines, "GET / HTTP/1.1\r\nHost: %s", host);
	request(lines, "");
	assert_int_equal(status, 400);
}

static void test_answers(void **state)
{
	(void)state;
	parse(HTTP1_RESPONSES, "HTTP/1.1 200 OK\r\nServer: s\r\nDate: d\r\nSet-Cookie: a\r\nSet-Cookie: b\r\nConnection: keep-alive, X\r\nX: 1\r\n"
			       "Keep-Alive: timeout=5\r\nContent-Length: 0\r\nVia: 1.1 v\r\nForwarded: f\r\nLocation: /\r\n\r\n");
	assert_int_equal(answer_n, strlen(answer));
	assert_string_equal(answer, "Server: s\r\nDate: d\r\nSet-Cookie: a\r\nSet-Cookie: b\r\nVia: 1.1 v\r\nForwarded: f\r\nLocation: /\r\n");
	parse(HTTP1_RESPONSES, "HTTP/1.1 101 S\r\nConnection: upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: a\r\n\r\n");
	assert_string_equal(answer, "Sec-WebSocket-Accept: a\r\n");
	parse(HTTP1_RESPONSES, "HTTP/1.1 204 N\r\n\r\n");
	assert_string_equal(answer, "");
	assert_int_equal(answer_n, 0);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(test_targets), T(test_refused), T(test_lines), T(test_smuggling), T(test_claims), T(test_trusted), T(test_peers), T(test_meaning),
		T(test_websocket), T(test_longest), T(test_answers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
