/* links: framing/http1.c framing/http1_head.c */
/* libs: -lhttp_parser */
/* What the HTTP/1.x parser must refuse: request smuggling, folding, nonsense, too much. */
#include "tests/unit/http1_check.h"

static const struct script requests = { .role = HTTP1_REQUESTS };
static const struct script responses = { .role = HTTP1_RESPONSES };

#define GET "GET / HTTP/1.1\r\n"
#define POST "POST / HTTP/1.1\r\n"
#define OK "HTTP/1.1 200 OK\r\n"
#define CHUNKED "Transfer-Encoding: chunked\r\n"

static const char *const bad_heads[] = {
	/* Two opinions on the length (RFC 9112 section 6.3). */
	POST "Content-Length: 5\r\n" CHUNKED "\r\n",
	POST CHUNKED "Content-Length: 5\r\n\r\n",
	POST "Content-Length: 5\r\nContent-Length: 6\r\n\r\n",
	POST "Content-Length: 5\r\nContent-Length: 5\r\n\r\n",
	POST "Content-Length: 5, 5\r\n\r\n",
	POST "Content-Length: 5,6\r\n\r\n",
	/* Lengths that are not 1*DIGIT. */
	POST "Content-Length:\r\n\r\n",
	POST "Content-Length: +5\r\n\r\n",
	POST "Content-Length: -5\r\n\r\n",
	POST "Content-Length: 0x5\r\n\r\n",
	POST "Content-Length: 5 5\r\n\r\n",
	POST "Content-Length: 5a\r\n\r\n",
	POST "Content-Length: 1234567890123456789\r\n\r\n",
	POST "Content-Length: 18446744073709551617\r\n\r\n",
	/* Transfer codings other than chunked, or chunked in disguise. */
	POST "Transfer-Encoding: gzip, chunked\r\n\r\n",
	POST "Transfer-Encoding: chunked, chunked\r\n\r\n",
	POST "Transfer-Encoding: chunked, identity\r\n\r\n",
	POST "Transfer-Encoding: identity\r\n\r\n",
	POST "Transfer-Encoding: xchunked\r\n\r\n",
	POST "Transfer-Encoding: \"chunked\"\r\n\r\n",
	POST "Transfer-Encoding:\r\n\r\n",
	POST CHUNKED CHUNKED "\r\n",
	POST "Transfer-Encoding: \x0b" "chunked\r\n\r\n",
	"POST / HTTP/1.0\r\n" CHUNKED "\r\n",
	"CONNECT a:1 HTTP/1.1\r\nContent-Length: 3\r\n\r\n",
	"CONNECT a:1 HTTP/1.1\r\n" CHUNKED "\r\n",
	/* Names and folding. */
	POST "Content-Length : 5\r\n\r\n",
	POST "Transfer-Encoding : chunked\r\n\r\n",
	POST "Transfer-Encoding\t: chunked\r\n\r\n",
	POST " Content-Length: 5\r\n\r\n",
	POST "X: a\r\n b\r\n\r\n",
	POST "X: a\r\n\tContent-Length: 5\r\n\r\n",
	POST ": a\r\n\r\n",
	POST "X\r\n\r\n",
	POST "X a: b\r\n\r\n",
	POST "X(: b\r\n\r\n",
	POST "X\xe4: b\r\n\r\n",
	/* Line ends. */
	POST "X: a\n\r\n",
	POST "X: a\rY: b\r\n\r\n",
	POST "X: a\r\r\n\r\n",
	"GET / HTTP/1.1\n\n",
	"GET / HTTP/1.1\nHost: a\r\n\r\n",
	GET "X: a\r\n\n",
	GET "X: a\r\n\rGET",
	"\r\n\r\nGET / HTTP/1.1\r\n\r\n",
	"\nGET / HTTP/1.1\r\n\r\n",
	/* Control characters. */
	GET "X: a\x01\r\n\r\n",
	GET "X: a\x7f\r\n\r\n",
	GET "X: a\x0b\r\n\r\n",
	/* Request lines. */
	"GET  / HTTP/1.1\r\n\r\n",
	"GET /  HTTP/1.1\r\n\r\n",
	"GET / HTTP/1.1 \r\n\r\n",
	" GET / HTTP/1.1\r\n\r\n",
	"GET\t/ HTTP/1.1\r\n\r\n",
	"GET /\r\n\r\n",
	"GET / \r\n\r\n",
	"GET  HTTP/1.1\r\n\r\n",
	"GET\r\n\r\n",
	"GET /a b HTTP/1.1\r\n\r\n",
	"GET /\xe4 HTTP/1.1\r\n\r\n",
	"GET / HTTP/0.9\r\n\r\n",
	"GET / HTTP/2.0\r\n\r\n",
	"GET / HTTP/1.2\r\n\r\n",
	"GET / HTTP/1.10\r\n\r\n",
	"GET / HTTP/01.1\r\n\r\n",
	"GET / http/1.1\r\n\r\n",
	"GET / HXXP/1.1\r\n\r\n",
	"GET / ICE/1.1\r\n\r\n",
	"get / HTTP/1.1\r\n\r\n",
	"BREW /pot HTTP/1.1\r\n\r\n",
	"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
	"\x16\x03\x01\x02\x05",
	"HTTP/1.1 200 OK\r\n\r\n",
};

static void bad_requests_are_malformed(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof bad_heads / sizeof *bad_heads; i++)
		expect(&requests, bad_heads[i], ERROR_MALFORMED, "");
}

static void a_nul_is_malformed(void **state)
{
	static const char in_value[] = GET "X: a\0b\r\n\r\n", in_name[] = GET "X\0: a\r\n\r\n", in_target[] = "GET /\0 HTTP/1.1\r\n\r\n";

	(void)state;
	expect_n(&requests, in_value, sizeof in_value - 1, ERROR_MALFORMED, "");
	expect_n(&requests, in_name, sizeof in_name - 1, ERROR_MALFORMED, "");
	expect_n(&requests, in_target, sizeof in_target - 1, ERROR_MALFORMED, "");
}

static const char *const bad_responses[] = {
	OK "Content-Length: 5\r\n" CHUNKED "\r\n",
	OK "Content-Length: 5\r\nContent-Length: 6\r\n\r\n",
	OK "Transfer-Encoding: gzip\r\n\r\n",
	OK "X: a\r\n b\r\n\r\n",
	"\r\n" OK "\r\n",
	"HTTP/1.1  200 OK\r\n\r\n",
	"HTTP/1.1 20 OK\r\n\r\n",
	"HTTP/1.1 2000 OK\r\n\r\n",
	"HTTP/1.1 099 OK\r\n\r\n",
	"HTTP/1.1 2x0 OK\r\n\r\n",
	"HTTP/1.1 200OK\r\n\r\n",
	"HTTP/1.1\r\n\r\n",
	"HTTP/1.2 200 OK\r\n\r\n",
	"HTTP/2 200 OK\r\n\r\n",
	"HTTP/0.9 200 OK\r\n\r\n",
	"ICY 200 OK\r\n\r\n",
	"HTTP/1.1 200 O\x01K\r\n\r\n",
	"HTTP/1.1 100 Continue\r\nX : y\r\n\r\n",
	"HTTP/1.1 100 Continue\r\n\r\n\r\nHTTP/1.1 200 OK\r\n\r\n",
	"<html>\r\n",
	"GET / HTTP/1.1\r\n\r\n",
};

static void bad_responses_are_malformed(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof bad_responses / sizeof *bad_responses; i++)
		expect(&responses, bad_responses[i], ERROR_MALFORMED, "");
}

static const char *const bad_chunks[] = {
	"\r\n",		     " 1\r\nx\r\n",	 "-1\r\nx\r\n",	   "+1\r\nx\r\n",    "0x1\r\nx\r\n",	"g\r\n",
	"1\nx\r\n",	     "1\r\rx\r\n",	 "1\rx",	   ";a\r\n",	     "1\x0b\r\nx\r\n",	"1;\nb\r\nx\r\n",
	"1;\x01\r\nx\r\n",   "1 1\r\nx\r\n",	 "1,\r\nx\r\n",	   "1_\r\n",	     "ffffffffffffffff\r\n",
	"1000000000000000\r\n", "0000000000000001\r\nx\r\n", "0\n\r\n", "0\r\nX: y\n\r\n", "0\r\n\n", "0\r\n\r\r", "0\r\nX\rY\r\n\r\n",
};

static void bad_chunks_are_malformed(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof bad_chunks / sizeof *bad_chunks; i++) {
		char bytes[256];

		sprintf(bytes, POST CHUNKED "\r\n%s", bad_chunks[i]);
		expect(&requests, bytes, ERROR_MALFORMED, "POST / 1.1 chunked keep|");
	}
	expect(&requests, POST CHUNKED "\r\n2\r\nabX", ERROR_MALFORMED, "POST / 1.1 chunked keep|ab");
	expect(&requests, POST CHUNKED "\r\n2\r\nab\rX", ERROR_MALFORMED, "POST / 1.1 chunked keep|ab");
	expect(&requests, POST CHUNKED "\r\n2\r\nab\n0\r\n\r\n", ERROR_MALFORMED, "POST / 1.1 chunked keep|ab");
	expect(&requests, POST CHUNKED "\r\n2\r\nab0\r\n\r\n", ERROR_MALFORMED, "POST / 1.1 chunked keep|ab");
}

static char *head_of(size_t size)
{
	char *p = malloc(size + 1);
	size_t n = (size_t)sprintf(p, GET "X: ");

	memset(p + n, 'a', size - n - 4);
	strcpy(p + size - 4, "\r\n\r\n");
	assert_int_equal(strlen(p), size);
	return p;
}

static void a_head_has_a_limit(void **state)
{
	char *longer = head_of(HTTP1_HEAD_MAX + 1);
	static const size_t steps[] = { 1, 1000, HTTP1_HEAD_MAX, HTTP1_HEAD_MAX + 1 };

	(void)state;
	for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
		struct parsed p;
		char *many = malloc(HTTP1_HEAD_MAX + 100);

		memcpy(many, longer, HTTP1_HEAD_MAX + 1);
		memset(many + HTTP1_HEAD_MAX - 10, 'a', 110); /* no end in sight */
		parse(&p, &requests, many, HTTP1_HEAD_MAX + 100, steps[i]);
		assert_int_equal(p.rc, ERROR_MALFORMED);
		parse(&p, &requests, longer, HTTP1_HEAD_MAX + 1, steps[i]);
		assert_int_equal(p.rc, ERROR_MALFORMED);
		free(many);
	}
	free(longer);
}

static int count_headers(void *ctx, const struct http1_head *h)
{
	*(size_t *)ctx = h->count;
	return 0;
}

static int ignore_end(void *ctx)
{
	(void)ctx;
	return 0;
}

static ssize_t feed(const char *bytes, size_t n, size_t *count)
{
	static const struct http1_events events = { count_headers, NULL, ignore_end };
	struct http1 *h = http1_new(HTTP1_REQUESTS, &events, count);
	ssize_t used = http1_feed(h, (const uint8_t *)bytes, n);

	http1_free(h);
	return used;
}

static void the_largest_head_passes(void **state)
{
	char *fits = head_of(HTTP1_HEAD_MAX);
	size_t count = 0;

	(void)state;
	assert_int_equal(feed(fits, HTTP1_HEAD_MAX, &count), HTTP1_HEAD_MAX);
	assert_int_equal(count, 1);
	free(fits);
}

static void the_number_of_headers_has_a_limit(void **state)
{
	char bytes[HTTP1_HEADERS_MAX * 8 + 100];
	size_t count = 0, n = (size_t)sprintf(bytes, GET);

	(void)state;
	for (size_t i = 0; i < HTTP1_HEADERS_MAX; i++)
		n += (size_t)sprintf(bytes + n, "A:b\r\n");
	strcpy(bytes + n, "\r\n");
	assert_int_equal(feed(bytes, n + 2, &count), n + 2);
	assert_int_equal(count, HTTP1_HEADERS_MAX);
	strcpy(bytes + n, "A:b\r\n\r\n");
	assert_int_equal(feed(bytes, n + 7, &count), ERROR_MALFORMED);
}

/* Extensions of one chunk and all trailers together are bounded. */
static void chunk_lines_and_trailers_have_limits(void **state)
{
	const size_t size = HTTP1_HEAD_MAX + 1000;
	char *bytes = malloc(size + 100);
	struct parsed p;
	size_t n;

	(void)state;
	n = (size_t)sprintf(bytes, POST CHUNKED "\r\n1;");
	memset(bytes + n, 'a', 2000);
	parse(&p, &requests, bytes, n + 2000, 100);
	assert_int_equal(p.rc, ERROR_MALFORMED);
	n = (size_t)sprintf(bytes, POST CHUNKED "\r\n0\r\n");
	while (n < size)
		n += (size_t)sprintf(bytes + n, "A: bcdefghijk\r\n");
	parse(&p, &requests, bytes, n, 100);
	assert_int_equal(p.rc, ERROR_MALFORMED);
	free(bytes);
}

/* Any bytes: no over-read, and the same in portions as at once. */
static void bit_flips_parse_the_same_in_any_portions(void **state)
{
	static const char bytes[] = "POST /c HTTP/1.1\r\nHost: a\r\n" CHUNKED "X: y\r\n\r\n3;e\r\nabc\r\n0\r\nT: u\r\n\r\n"
				    "PUT / HTTP/1.0\r\nContent-Length: 2\r\n\r\nxy";

	(void)state;
	for (size_t bit = 0; bit < 8 * (sizeof bytes - 1); bit++) {
		char copy[sizeof bytes];
		struct parsed a, b;

		memcpy(copy, bytes, sizeof bytes);
		copy[bit / 8] = (char)(copy[bit / 8] ^ 1 << bit % 8);
		parse(&a, &requests, copy, sizeof copy - 1, sizeof copy);
		for (size_t step = 1; step < 20; step += 6) {
			parse(&b, &requests, copy, sizeof copy - 1, step);
			assert_string_equal(a.text, b.text);
			assert_int_equal(a.rc, b.rc);
			assert_int_equal(a.busy, b.busy);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(bad_requests_are_malformed),
		cmocka_unit_test(a_nul_is_malformed),
		cmocka_unit_test(bad_responses_are_malformed),
		cmocka_unit_test(bad_chunks_are_malformed),
		cmocka_unit_test(a_head_has_a_limit),
		cmocka_unit_test(the_largest_head_passes),
		cmocka_unit_test(the_number_of_headers_has_a_limit),
		cmocka_unit_test(chunk_lines_and_trailers_have_limits),
		cmocka_unit_test(bit_flips_parse_the_same_in_any_portions),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
