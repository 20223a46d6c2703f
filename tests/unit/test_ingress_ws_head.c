/* Requests of local WebSocket clients: which are right, and which pages may ask. */
/* links: client/ingress_ws_head.c tunnel/websocket_key.c tunnel/address.c framing/http1_head.c framing/base64.c framing/cursor.c framing/varint.c */
/* libs: -lcrypto */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "client/ingress_ws_head.h"

static struct ingress_ws_request request;
static const char *sentence;
static const char *const ours[] = { "https://app.example", "null" };

static struct span span(const char *text)
{
	return (struct span){ (const uint8_t *)text, strlen(text) };
}

static int read_head(const char *method, const char *protocol, const char *const *fields)
{
	struct http1_head head = { .request = true, .method = span(method), .protocol = span(protocol) };

	for (; fields[0]; fields += 2)
		head.header[head.count++] = (struct http1_header){ span(fields[0]), span(fields[1]) };
	memset(&request, 0, sizeof request);
	return ingress_ws_head_read(&head, ours, 2, &request, &sentence);
}

#define FIELDS(...) ((const char *const[]){ __VA_ARGS__, NULL })
#define KEY "Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="
#define VERSION "Sec-WebSocket-Version", "13"
#define HOST "Host", "127.0.0.1:8188"
#define ASK(...) read_head("GET", "websocket", FIELDS(__VA_ARGS__))

static void right_requests(void **state)
{
	(void)state;
	assert_int_equal(ASK(HOST, KEY, VERSION), 0);
	assert_string_equal(request.accept, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");	/* RFC 6455 1.3 */
	assert_string_equal(request.protocols, "");
	assert_int_equal(ASK(HOST, KEY, VERSION, "Sec-WebSocket-Protocol", "a, b", "sec-websocket-protocol", "c"), 0);
	assert_string_equal(request.protocols, "a,b,c");
	assert_true(ingress_ws_head_offered("a,b,c", "b"));
	assert_false(ingress_ws_head_offered("a,bb,c", "b"));
	assert_false(ingress_ws_head_offered("", ""));
	assert_int_equal(ASK(HOST, KEY, VERSION, "Origin", "https://APP.example"), 0);
}

static void wrong_requests(void **state)
{
	char many[300];

	(void)state;
	assert_int_equal(ASK(KEY, VERSION), 400);
	assert_int_equal(ASK(HOST, HOST, KEY, VERSION), 400);
	assert_int_equal(ASK(HOST, VERSION), 400);
	assert_int_equal(ASK(HOST, VERSION, "Sec-WebSocket-Key", "short"), 400);
	assert_int_equal(ASK(HOST, KEY, "Sec-WebSocket-Version", "8"), 426);
	assert_int_equal(read_head("GET", "", FIELDS(HOST)), 426);
	assert_int_equal(read_head("GET", "h2c", FIELDS(HOST, KEY, VERSION)), 426);
	assert_int_equal(read_head("POST", "websocket", FIELDS(HOST, KEY, VERSION)), 426);
	assert_int_equal(read_head("", "", FIELDS(HOST)), 426);
	assert_int_equal(ASK(HOST, KEY, VERSION, "Sec-WebSocket-Protocol", "a\x01"), 400);
	memset(many, 'a', sizeof many);
	many[MESSAGE_PROTOCOLS_MAX] = 0;
	assert_int_equal(ASK(HOST, KEY, VERSION, "Sec-WebSocket-Protocol", many), 0);
	many[MESSAGE_PROTOCOLS_MAX] = 'a';
	many[MESSAGE_PROTOCOLS_MAX + 1] = 0;
	assert_int_equal(ASK(HOST, KEY, VERSION, "Sec-WebSocket-Protocol", many), 400);
}

static void hosts(void **state)
{
	static const char *const good[] = { "localhost", "localhost:80", "LocalHost:1", "127.0.0.1", "127.9.9.9:1", "[::1]", "[::1]:5", "192.0.2.1:8188" };
	static const char *const bad[] = { "", "evil.example", "localhost.evil.example", "127.0.0.1.evil.example", "localhost:", "localhost:x", "a@localhost",
					   "127.0.0.1:80:80", "[::1", "foo.localhost" };

	(void)state;
	for (size_t i = 0; i < sizeof good / sizeof *good; i++)
		if (!ingress_ws_head_host_ok(span(good[i])))
			fail_msg("'%s' was refused", good[i]);
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		if (ingress_ws_head_host_ok(span(bad[i])))
			fail_msg("'%s' was accepted", bad[i]);
	assert_int_equal(ASK("Host", "evil.example:8188", KEY, VERSION), 403);
	assert_non_null(strstr(sentence, "localhost or an address"));
}

static void origins(void **state)
{
	static const char *const here[] = { "http://localhost", "https://localhost:3000", "http://127.0.0.1:8080", "https://[::1]:1" };
	static const char *const elsewhere[] = { "", "null", "https://evil.example", "http://192.0.2.1", "http://localhost.evil.example", "ftp://localhost",
						 "http://", "https://", "file://", "http://evil.example#localhost", "localhost" };
	static const char *const all[] = { "*" };

	(void)state;
	for (size_t i = 0; i < sizeof here / sizeof *here; i++)
		assert_true(ingress_ws_head_origin_ok(span(here[i]), NULL, 0));
	for (size_t i = 0; i < sizeof elsewhere / sizeof *elsewhere; i++) {
		if (ingress_ws_head_origin_ok(span(elsewhere[i]), NULL, 0))
			fail_msg("'%s' was accepted", elsewhere[i]);
		assert_true(ingress_ws_head_origin_ok(span(elsewhere[i]), all, 1));
	}
	assert_true(ingress_ws_head_origin_ok(span("https://app.example"), ours, 2));
	assert_true(ingress_ws_head_origin_ok(span("null"), ours, 2));
	assert_false(ingress_ws_head_origin_ok(span("https://app.example:444"), ours, 2));
	assert_int_equal(ASK(HOST, KEY, VERSION, "Origin", "https://evil.example"), 403);
	assert_int_equal(ASK(HOST, KEY, VERSION, "Origin", "http://localhost", "Origin", "https://evil.example"), 400);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(right_requests),
		cmocka_unit_test(wrong_requests),
		cmocka_unit_test(hosts),
		cmocka_unit_test(origins),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
