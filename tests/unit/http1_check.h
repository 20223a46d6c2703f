/*
 * What the tests of the HTTP/1.x parser share: a parser whose events become one
 * line of text, fed in portions that lie in buffers of their exact size.
 */
#ifndef TESTS_HTTP1_CHECK_H
#define TESTS_HTTP1_CHECK_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "framing/error.h"
#include "framing/http1.h"

struct script {
	enum http1_role role;
	bool head_request, connect_request;
	bool eof;		/* the stream ends behind the bytes */
	int fail_head, fail_body, fail_end; /* what the callback returns */
};

struct parsed {
	char text[8192];	/* "POST /x 1 len=5 keep|hello|." and so on */
	size_t len;
	int rc;			/* of the last feed or of eof: 0 or a code */
	size_t used;
	bool busy;
	bool in_body;
	const struct script *script;
};

static inline void parsed_add(struct parsed *p, const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	p->len += (size_t)vsnprintf(p->text + p->len, sizeof p->text - p->len, format, ap);
	va_end(ap);
	assert_true(p->len < sizeof p->text);
}

static inline int parsed_head(void *ctx, const struct http1_head *h)
{
	struct parsed *p = ctx;

	if (h->request)
		parsed_add(p, "%.*s %.*s", (int)h->method.n, (const char *)h->method.p, (int)h->target.n,
			   (const char *)h->target.p);
	else
		parsed_add(p, "%d", h->status);
	parsed_add(p, " 1.%d", h->minor);
	if (h->length >= 0)
		parsed_add(p, " len=%lld", (long long)h->length);
	parsed_add(p, "%s%s%s", h->chunked ? " chunked" : "", h->keep_alive ? " keep" : "", h->upgrade ? " upgrade" : "");
	for (size_t i = 0; i < h->count; i++)
		if (h->header[i].name.p[0] == 'X')
			parsed_add(p, " %.*s=%.*s", (int)h->header[i].name.n, (const char *)h->header[i].name.p,
				   (int)h->header[i].value.n, (const char *)h->header[i].value.p);
	parsed_add(p, "|");
	return p->script->fail_head;
}

static inline int parsed_body(void *ctx, const uint8_t *b, size_t n)
{
	struct parsed *p = ctx;

	assert_true(n > 0);
	if (n > 100)
		parsed_add(p, "<%zu>", n);
	else
		parsed_add(p, "%.*s", (int)n, (const char *)b);
	return p->script->fail_body;
}

static inline int parsed_end(void *ctx)
{
	struct parsed *p = ctx;

	parsed_add(p, ".");
	return p->script->fail_end;
}

static const struct http1_events parsed_events = { parsed_head, parsed_body, parsed_end };

/* Feeds all bytes, starting anew behind each complete message but an upgraded one. */
static inline void parse(struct parsed *p, const struct script *s, const void *bytes, size_t n, size_t step)
{
	struct http1 *h = http1_new(s->role, &parsed_events, p);

	memset(p, 0, sizeof *p);
	p->script = s;
	http1_next(h, s->head_request, s->connect_request);
	while (p->used < n && p->rc == 0) {
		size_t len = n - p->used < step ? n - p->used : step;
		uint8_t *portion = malloc(len);
		ssize_t used;

		memcpy(portion, (const uint8_t *)bytes + p->used, len);
		used = http1_feed(h, portion, len);
		free(portion);
		if (used < 0) {
			p->rc = (int)used;
			assert_int_equal(http1_feed(h, (const uint8_t *)"x", 1), used); /* it stays failed */
			break;
		}
		p->used += (size_t)used;
		if ((size_t)used < len) {
			assert_false(http1_busy(h));
			assert_int_equal(http1_feed(h, (const uint8_t *)"x", 1), 0); /* not before http1_next */
			if (strstr(p->text, " upgrade|") || s->connect_request)
				break;
			http1_next(h, s->head_request, s->connect_request);
		}
	}
	p->busy = http1_busy(h);
	if (p->rc == 0 && s->eof)
		p->rc = http1_eof(h);
	http1_free(h);
}

/* The bytes give that text, in portions of every size. */
static inline void expect_n(const struct script *s, const void *bytes, size_t n, int rc, const char *text)
{
	for (size_t step = 1; step <= n; step += n > 400 ? n / 200 : 1) {
		struct parsed p;

		parse(&p, s, bytes, n, step);
		if (p.rc != rc || strcmp(p.text, text) != 0)
			print_message("%.*s\n", (int)n, (const char *)bytes);
		assert_string_equal(p.text, text);
		assert_int_equal(p.rc, rc);
	}
}

static inline void expect(const struct script *s, const char *bytes, int rc, const char *text)
{
	expect_n(s, bytes, strlen(bytes), rc, text);
}

#endif
