/* links: server/fallback_head.c framing/http1.c framing/http1_head.c framing/http1_format.c framing/cursor.c framing/varint.c framing/error.c */
/* libs: -lhttp_parser */
/*
 * Heads that pass on: whatever is let through is one request, or one answer, to the next parser, without a framing of its own. First
 * octet: bit 0 an answer, bit 1 a request as HTTP/2 may have it (target, then name and value of each header, NUL behind each),
 * bit 2 of a trusted proxy.
 */
#include "tests/fuzz/fuzz.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "framing/error.h"
#include "framing/http1.h"
#include "server/fallback_head.h"

#define ADDED_LINES 8

static struct fallback_visitor from;
static char lines[FALLBACK_HEAD_LINES];

/* ---- the next parser ---- */

struct seen {
	unsigned heads, ends;
	struct span target;
};

static int next_head(void *ctx, const struct http1_head *head)
{
	struct seen *s = ctx;

	s->heads++;
	CHECK(head->length < 0 && !head->chunked && !head->upgrade);
	CHECK(!http1_find(head, "Connection").n && !http1_find(head, "Content-Length").n && !http1_find(head, "Transfer-Encoding").n);
	if (head->request) {
		CHECK(head->target.n == s->target.n && !memcmp(head->target.p, s->target.p, s->target.n));
		CHECK(http1_find(head, "X-Forwarded-For").n > 0);
	}
	return 0;
}

static int next_body(void *ctx, const uint8_t *p, size_t n)
{
	(void)ctx, (void)p, (void)n;
	CHECK(false);
	return 0;
}

static int next_end(void *ctx)
{
	((struct seen *)ctx)->ends++;
	return 0;
}

static void is_one(enum http1_role role, const uint8_t *p, ssize_t n, const char *target)
{
	static const struct http1_events events = { next_head, next_body, next_end };
	struct seen s = { .target = { (const uint8_t *)target, target ? strlen(target) : 0 } };
	struct http1 *parser = http1_new(role, &events, &s);

	http1_next(parser, true, false);
	CHECK(http1_feed(parser, p, (size_t)n) == n);
	CHECK(s.heads == 1 && s.ends == 1);
	http1_free(parser);
}

/* ---- what passes ---- */

static void request(const struct http1_head *head)
{
	static uint8_t out[2 * HTTP1_HEAD_MAX];
	struct fallback_head passed;
	ssize_t n;
	int status = fallback_head_request(&passed, head, &from, "127.0.0.1:80");

	CHECK(status == 0 || status == 400 || status == 405);
	CHECK(!status == !!passed.method);
	if (status)
		return;
	CHECK(http1_is(head->method, passed.method) || passed.websocket);
	n = http1_request_put(out, sizeof out, "GET", passed.target, passed.host, passed.lines, HTTP1_NO_BODY, 0);
	CHECK(n > 0);
	if (n < HTTP1_HEAD_MAX && head->count <= HTTP1_HEADERS_MAX - ADDED_LINES)
		is_one(HTTP1_REQUESTS, out, n, passed.target);
	fallback_head_drop(&passed);
}

static void answer(const struct http1_head *head)
{
	static uint8_t out[2 * HTTP1_HEAD_MAX];
	ssize_t n = fallback_head_answer(lines, head, from.trusted);

	CHECK(n >= 0 && strlen(lines) == (size_t)n);
	n = http1_response_put(out, sizeof out, 200, lines, HTTP1_NO_BODY, 0, true);
	CHECK(n > 0);
	if (n < HTTP1_HEAD_MAX)
		is_one(HTTP1_RESPONSES, out, n, NULL);
}

/* ---- where it comes from ---- */

static int on_head(void *ctx, const struct http1_head *head)
{
	(void)ctx;
	head->request ? request(head) : answer(head);
	return ERROR_CLOSED;
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

static struct span text(const uint8_t **p, const uint8_t *end)
{
	const uint8_t *nul = memchr(*p, 0, (size_t)(end - *p));
	struct span s = { *p, (size_t)((nul ? nul : end) - *p) };

	*p = nul ? nul + 1 : end;
	return s;
}

static void by_h2(const uint8_t *p, const uint8_t *end)
{
	struct http1_head head = { .request = true, .minor = 1, .h2 = true, .length = -1, .method = { (const uint8_t *)"GET", 3 } };

	head.target = text(&p, end);
	while (p < end && head.count < HTTP1_HEADERS_MAX) {
		head.header[head.count].name = text(&p, end);
		head.header[head.count++].value = text(&p, end);
	}
	request(&head);
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	static const struct http1_events events = { on_head, on_body, on_end };
	struct http1 *parser;

	if (n == 0 || n > HTTP1_HEAD_MAX)
		return 0;
	from = (struct fallback_visitor){ .peer = "192.0.2.1:5", .tls = true, .key = "key", .trusted = *p & 4 };
	if (*p & 2) {
		by_h2(p + 1, p + n);
		return 0;
	}
	parser = http1_new(*p & 1 ? HTTP1_RESPONSES : HTTP1_REQUESTS, &events, NULL);
	(void)http1_feed(parser, p + 1, n - 1);
	http1_free(parser);
	return 0;
}
