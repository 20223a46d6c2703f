/* links: framing/http1.c framing/http1_head.c */
/* libs: -lhttp_parser */
/* The HTTP/1.x parser: framing of bodies, ends, pipelining, callbacks; each at every split. */
#include "tests/unit/http1_check.h"

static const struct script requests = { .role = HTTP1_REQUESTS };
static const struct script responses = { .role = HTTP1_RESPONSES };

static void requests_are_parsed(void **state)
{
	(void)state;
	expect(&requests, "GET / HTTP/1.1\r\nHost: a\r\n\r\n", 0, "GET / 1.1 keep|.");
	expect(&requests, "POST /p?q=1&r HTTP/1.1\r\nContent-Length: 5\r\nX-A:  b c \t\r\n\r\nhello", 0,
	       "POST /p?q=1&r 1.1 len=5 keep X-A=b c|hello.");
	expect(&requests, "POST /p HTTP/1.1\r\nContent-Length: 0\r\nX-A:\r\nX-B: \t \r\n\r\n", 0,
	       "POST /p 1.1 len=0 keep X-A= X-B=|.");
	expect(&requests, "POST http://h.example:80/p HTTP/1.0\r\ncontent-length: 1\r\n\r\nx", 0,
	       "POST http://h.example:80/p 1.0 len=1|x.");
	expect(&requests, "CONNECT h.example:443 HTTP/1.1\r\nHost: h.example:443\r\n\r\n", 0, "CONNECT h.example:443 1.1 keep|.");
	expect(&requests, "OPTIONS * HTTP/1.1\r\nConnection: foo, Close\r\n\r\n", 0, "OPTIONS * 1.1|.");
	expect(&requests, "GET /a HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n", 0, "GET /a 1.0 keep|.");
	expect(&requests, "\r\nGET / HTTP/1.1\r\n\r\n", 0, "GET / 1.1 keep|.");
}

static void an_upgrade_may_be_asked(void **state)
{
	(void)state;
	expect(&requests, "GET /ws HTTP/1.1\r\nConnection: keep-alive, Upgrade\r\nUpgrade: websocket\r\n\r\n\x81", 0,
	       "GET /ws 1.1 keep upgrade|.");
	expect(&requests, "GET /ws HTTP/1.1\r\nUpgrade: websocket\r\n\r\n", 0, "GET /ws 1.1 keep|.");
	expect(&requests, "POST /ws HTTP/1.1\r\nConnection: upgrade\r\nUpgrade: h2c\r\nContent-Length: 2\r\n\r\nab", 0,
	       "POST /ws 1.1 len=2 keep upgrade|ab.");
}

static void chunks_are_taken_apart(void **state)
{
	(void)state;
	expect(&requests, "POST /c HTTP/1.1\r\nTransfer-Encoding: Chunked\r\n\r\n5\r\nhello\r\n00A\r\n0123456789\r\n0\r\n\r\n", 0,
	       "POST /c 1.1 chunked keep|hello0123456789.");
	expect(&requests, "POST /c HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0001\r\nx\r\n0000\r\n\r\n", 0,
	       "POST /c 1.1 chunked keep|x.");
	expect(&requests, "POST /c HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 0, "POST /c 1.1 chunked keep|.");
	/* Extensions, padded sizes and trailers are read over. */
	expect(&requests, "POST /c HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n1;a=b;c=\"d e\"\r\nx\r\n1  \r\ny\r\n1 ;e\r\nz\r\n"
			  "0;l\r\nX-Trailer: 1\r\nContent-Length: 9\r\n\r\n", 0, "POST /c 1.1 chunked keep|xyz.");
}

static void responses_are_parsed(void **state)
{
	(void)state;
	expect(&responses, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", 0, "200 1.1 len=2 keep|ok.");
	expect(&responses, "HTTP/1.1 200\r\nContent-Length: 0\r\n\r\n", 0, "200 1.1 len=0 keep|.");
	expect(&responses, "HTTP/1.1 404 \r\nContent-Length: 0\r\nConnection: close\r\n\r\n", 0, "404 1.1 len=0|.");
	expect(&responses, "HTTP/1.1 200 \xe4\xf6 fine\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\n", 0,
	       "200 1.1 chunked keep|a.");
	expect(&responses, "HTTP/1.0 200 OK\r\nProxy-Connection: keep-alive\r\nContent-Length: 1\r\n\r\na", 0,
	       "200 1.0 len=1 keep|a.");
	expect(&responses, "HTTP/1.1 204 No Content\r\nContent-Length: 7\r\n\r\n", 0, "204 1.1 len=7 keep|.");
	expect(&responses, "HTTP/1.1 304 Not Modified\r\nTransfer-Encoding: chunked\r\n\r\n", 0, "304 1.1 chunked keep|.");
}

static void bodies_may_end_with_the_connection(void **state)
{
	struct script s = { .role = HTTP1_RESPONSES, .eof = true };

	(void)state;
	expect(&s, "HTTP/1.0 200 OK\r\nConnection: keep-alive\r\n\r\nall of\r\n\r\nit", 0, "200 1.0|all of\r\n\r\nit.");
	expect(&s, "HTTP/1.1 200 OK\r\n\r\n", 0, "200 1.1|.");
	expect(&responses, "HTTP/1.1 200 OK\r\n\r\nso far", 0, "200 1.1|so far");
	expect(&s, "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx", 0, "200 1.1 len=1 keep|x.");
}

static void an_early_end_cuts(void **state)
{
	struct script s = { .role = HTTP1_RESPONSES, .eof = true };
	static const char chunked[] = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n0\r\n\r\n";
	struct parsed p;

	(void)state;
	for (size_t n = 0; n < sizeof chunked; n++) {
		parse(&p, &s, chunked, n, 1);
		assert_int_equal(p.rc, n == 0 || n == sizeof chunked - 1 ? 0 : ERROR_RESET);
	}
	expect(&s, "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nab", ERROR_RESET, "200 1.1 len=3 keep|ab");
	expect(&s, "HTTP/1.1 100 Continue\r\n\r\n", ERROR_RESET, "");
	s.role = HTTP1_REQUESTS;
	expect(&s, "GET / HTTP/1.1\r\n\r\nG", ERROR_RESET, "GET / 1.1 keep|.");
	expect(&s, "\r\n", 0, "");
}

static void interim_responses_are_skipped(void **state)
{
	(void)state;
	expect(&responses, "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\nContent-Length: 5\r\n\r\n"
			   "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx", 0, "200 1.1 len=1 keep|x.");
	expect(&responses, "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n\x81\x01x", 0,
	       "101 1.1 keep upgrade|.");
}

static void an_upgraded_connection_is_left_alone(void **state)
{
	static const char bytes[] = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\nHTTP/1.1 200 OK\r\n\r\n";
	struct parsed p;

	(void)state;
	parse(&p, &responses, bytes, sizeof bytes - 1, sizeof bytes);
	assert_int_equal(p.used, strstr(bytes, "HTTP/1.1 200") - bytes);
	assert_false(p.busy);
}

static void the_request_decides_about_the_body(void **state)
{
	struct script head = { .role = HTTP1_RESPONSES, .head_request = true };
	struct script connect = { .role = HTTP1_RESPONSES, .connect_request = true };
	static const char tunnel[] = "HTTP/1.0 200 Connection established\r\nVia: x\r\n\r\n\x16\x03\x01";
	struct parsed p;

	(void)state;
	expect(&head, "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nHTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", 0,
	       "200 1.1 len=9 keep|.200 1.1 chunked keep|.");
	parse(&p, &connect, tunnel, sizeof tunnel - 1, sizeof tunnel);
	assert_string_equal(p.text, "200 1.0|.");
	assert_int_equal(p.used, sizeof tunnel - 1 - 3);
	expect(&connect, "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nxyz", 0, "200 1.1 len=9 keep|.");
	expect(&connect, "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n\r\nxyz", 0, "200 1.1 keep|.");
	expect(&connect, "HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 3\r\n\r\nno!", 0, "407 1.1 len=3 keep|no!.");
}

static void nothing_is_parsed_behind_a_message_unasked(void **state)
{
	static const char two[] = "POST /1 HTTP/1.1\r\nContent-Length: 1\r\n\r\naPOST /2 HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n"
				  "1\r\nb\r\n0\r\n\r\nGET /3 HTTP/1.1\r\n\r\n\r\nGET /4 HTTP/1.1\r\n\r\n";

	(void)state;
	expect(&requests, two, 0,
	       "POST /1 1.1 len=1 keep|a.POST /2 1.1 chunked keep|b.GET /3 1.1 keep|.GET /4 1.1 keep|.");
}

static void callbacks_end_the_parsing(void **state)
{
	struct script s = { .role = HTTP1_REQUESTS, .fail_head = ERROR_AUTH };
	static const char bytes[] = "POST /1 HTTP/1.1\r\nContent-Length: 1\r\n\r\nab";

	(void)state;
	expect(&s, bytes, ERROR_AUTH, "POST /1 1.1 len=1 keep|");
	s = (struct script){ .role = HTTP1_REQUESTS, .fail_body = ERROR_LIMIT };
	expect(&s, bytes, ERROR_LIMIT, "POST /1 1.1 len=1 keep|a");
	s = (struct script){ .role = HTTP1_REQUESTS, .fail_end = ERROR_CLOSED };
	expect(&s, bytes, ERROR_CLOSED, "POST /1 1.1 len=1 keep|a.");
}

static void a_message_is_busy_from_first_to_last_byte(void **state)
{
	static const char bytes[] = "POST / HTTP/1.1\r\nContent-Length: 2\r\n\r\nab";
	struct parsed p = { .script = &requests };
	struct http1 *h = http1_new(HTTP1_REQUESTS, &parsed_events, &p);

	(void)state;
	for (int round = 0; round < 2; round++) {
		assert_false(http1_busy(h));
		for (size_t i = 0; i < sizeof bytes - 1; i++) {
			assert_int_equal(http1_feed(h, (const uint8_t *)bytes + i, 1), 1);
			assert_int_equal(http1_busy(h), i < sizeof bytes - 2);
		}
		assert_int_equal(http1_eof(h), 0);
		http1_next(h, false, false);
	}
	http1_free(h);
	http1_free(NULL);
}

static void large_bodies_are_counted(void **state)
{
	const size_t size = 100000;
	char *bytes = malloc(size + 200);
	struct parsed p;
	int head;

	(void)state;
	head = sprintf(bytes, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n%zx\r\n", size);
	memset(bytes + head, 'x', size);
	strcpy(bytes + head + size, "\r\n0\r\n\r\n");
	parse(&p, &responses, bytes, strlen(bytes), size * 2);
	assert_string_equal(p.text, "200 1.1 chunked keep|<100000>.");
	free(bytes);
}

static int find_headers(void *ctx, const struct http1_head *h)
{
	*(int *)ctx += 1;
	assert_int_equal(http1_find(h, "host").n, 1);
	assert_true(http1_is(http1_find(h, "HOST"), "A"));
	assert_false(http1_is(http1_find(h, "Host"), "ab"));
	assert_null(http1_find(h, "Hos").p);
	assert_non_null(http1_find(h, "Empty").p);
	assert_int_equal(http1_find(h, "Empty").n, 0);
	assert_true(http1_is(http1_find(h, "Twice"), "1"));
	assert_true(http1_has_token(http1_find(h, "List"), "b c"));
	assert_true(http1_has_token(http1_find(h, "List"), "D"));
	assert_false(http1_has_token(http1_find(h, "List"), "e"));
	assert_false(http1_has_token(http1_find(h, "Nothing"), "e"));
	assert_true(http1_has_token(http1_find(h, "List"), "a"));
	return 0;
}

static int count_end(void *ctx)
{
	*(int *)ctx += 10;
	return 0;
}

static void headers_are_found(void **state)
{
	static const char bytes[] = "GET / HTTP/1.1\r\nhOST: a\r\nEmpty:\r\nTwice: 1\r\nTwice: 2\r\nList: ,a ,\tb c,, d\r\n\r\n";
	static const struct http1_events events = { find_headers, NULL, count_end };
	int calls = 0;
	struct http1 *h = http1_new(HTTP1_REQUESTS, &events, &calls);

	(void)state;
	assert_int_equal(http1_feed(h, (const uint8_t *)bytes, sizeof bytes - 1), sizeof bytes - 1);
	assert_int_equal(calls, 11);
	http1_free(h);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(requests_are_parsed),
		cmocka_unit_test(an_upgrade_may_be_asked),
		cmocka_unit_test(chunks_are_taken_apart),
		cmocka_unit_test(responses_are_parsed),
		cmocka_unit_test(bodies_may_end_with_the_connection),
		cmocka_unit_test(an_early_end_cuts),
		cmocka_unit_test(interim_responses_are_skipped),
		cmocka_unit_test(an_upgraded_connection_is_left_alone),
		cmocka_unit_test(the_request_decides_about_the_body),
		cmocka_unit_test(nothing_is_parsed_behind_a_message_unasked),
		cmocka_unit_test(callbacks_end_the_parsing),
		cmocka_unit_test(a_message_is_busy_from_first_to_last_byte),
		cmocka_unit_test(large_bodies_are_counted),
		cmocka_unit_test(headers_are_found),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
