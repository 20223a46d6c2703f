/* links: framing/http1_format.c framing/cursor.c framing/varint.c */
/* HTTP/1.x heads and chunk headers as written: every byte, every lack of room. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "framing/error.h"
#include "framing/http1.h"

static void chunk_headers_have_four_digits(void **state)
{
	static const struct {
		size_t n;
		const char *text;
	} heads[] = { { 0, "0000\r\n" }, { 1, "0001\r\n" }, { 0xabc, "0abc\r\n" }, { HTTP1_CHUNK_MAX, "ffff\r\n" } };

	(void)state;
	for (size_t i = 0; i < sizeof heads / sizeof *heads; i++) {
		uint8_t *p = malloc(HTTP1_CHUNK_HEAD);

		http1_chunk_head(p, heads[i].n);
		assert_memory_equal(p, heads[i].text, HTTP1_CHUNK_HEAD);
		free(p);
	}
}

static void request(const char *lines, enum http1_framing framing, uint64_t length, const char *expected)
{
	size_t n = strlen(expected);

	for (size_t cap = 0; cap <= n + 1; cap++) {
		uint8_t *p = malloc(cap + !cap);
		ssize_t rc = http1_request_put(p, cap, "POST", "/v1?x=1", "h:81", lines, framing, length);

		assert_int_equal(rc, cap < n ? ERROR_LIMIT : (ssize_t)n);
		if (rc > 0)
			assert_memory_equal(p, expected, n);
		free(p);
	}
}

static void requests_are_written(void **state)
{
	(void)state;
	request("", HTTP1_NO_BODY, 0, "POST /v1?x=1 HTTP/1.1\r\nHost: h:81\r\n\r\n");
	request("A: b\r\nC: d\r\n", HTTP1_LENGTH, 0, "POST /v1?x=1 HTTP/1.1\r\nHost: h:81\r\nA: b\r\nC: d\r\nContent-Length: 0\r\n\r\n");
	request("", HTTP1_LENGTH, UINT64_MAX, "POST /v1?x=1 HTTP/1.1\r\nHost: h:81\r\nContent-Length: 18446744073709551615\r\n\r\n");
	request("", HTTP1_CHUNKED, 9, "POST /v1?x=1 HTTP/1.1\r\nHost: h:81\r\nTransfer-Encoding: chunked\r\n\r\n");
}

static void response(int status, const char *lines, enum http1_framing framing, bool keep_alive, const char *expected)
{
	size_t n = strlen(expected);

	for (size_t cap = 0; cap <= n + 1; cap++) {
		uint8_t *p = malloc(cap + !cap);
		ssize_t rc = http1_response_put(p, cap, status, lines, framing, 12, keep_alive);

		assert_int_equal(rc, cap < n ? ERROR_LIMIT : (ssize_t)n);
		if (rc > 0)
			assert_memory_equal(p, expected, n);
		free(p);
	}
}

static void responses_are_written(void **state)
{
	(void)state;
	response(200, "A: b\r\n", HTTP1_LENGTH, true, "HTTP/1.1 200 OK\r\nA: b\r\nContent-Length: 12\r\n\r\n");
	response(404, "", HTTP1_LENGTH, false, "HTTP/1.1 404 Not Found\r\nContent-Length: 12\r\nConnection: close\r\n\r\n");
	response(200, "", HTTP1_CHUNKED, true, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
	response(200, "", HTTP1_UNTIL_CLOSE, true, "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n");
	response(204, "", HTTP1_NO_BODY, true, "HTTP/1.1 204 No Content\r\n\r\n");
}

static void reasons_are_never_missing(void **state)
{
	(void)state;
	assert_string_equal(http1_reason(407), "Proxy Authentication Required");
	assert_string_equal(http1_reason(299), "Unknown");
	assert_string_equal(http1_reason(-1), "Unknown");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(chunk_headers_have_four_digits),
		cmocka_unit_test(requests_are_written),
		cmocka_unit_test(responses_are_written),
		cmocka_unit_test(reasons_are_never_missing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
