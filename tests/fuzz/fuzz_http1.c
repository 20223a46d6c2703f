/* links: framing/http1.c framing/http1_head.c */
/* libs: -lhttp_parser */
/*
 * HTTP/1.x parser in both roles: the same events however the bytes are cut. First
 * octet: bit 0 responses, bit 1 to HEAD, bit 2 to CONNECT; second: size of portions.
 */
#include "tests/fuzz/fuzz.h"

#include "framing/error.h"
#include "framing/http1.h"

struct reading {
	uint64_t hash;
	unsigned heads, ends;
	size_t body;
	int64_t length;		/* promised, -1: not known */
};

static void hash_span(struct reading *r, struct span s)
{
	fuzz_hash_number(&r->hash, s.n);
	fuzz_hash(&r->hash, s.p, s.n);
}

static int on_head(void *ctx, const struct http1_head *h)
{
	struct reading *r = ctx;

	CHECK(r->heads++ == r->ends);
	CHECK(h->minor == 0 || h->minor == 1);
	CHECK(h->count <= HTTP1_HEADERS_MAX);
	CHECK(!(h->chunked && h->length >= 0));
	CHECK(h->request || (h->status >= 100 && h->status <= 999 && (h->status >= 200 || h->status == 101)));
	CHECK(!h->request || (h->method.n > 0 && h->target.n > 0));
	hash_span(r, h->method);
	hash_span(r, h->target);
	fuzz_hash_number(&r->hash, (uint64_t)h->status * 8 + h->chunked * 4u + h->keep_alive * 2u + h->upgrade);
	for (size_t i = 0; i < h->count; i++) {
		CHECK(h->header[i].name.n > 0);
		hash_span(r, h->header[i].name);
		hash_span(r, h->header[i].value);
		http1_has_token(h->header[i].value, "close");
	}
	CHECK(http1_find(h, "Transfer-Encoding").n > 0 || !h->chunked);
	r->length = h->length;
	r->body = 0;
	return 0;
}

static int on_body(void *ctx, const uint8_t *p, size_t n)
{
	struct reading *r = ctx;

	CHECK(n > 0 && r->heads == r->ends + 1);
	r->body += n;
	CHECK(r->length < 0 || r->body <= (uint64_t)r->length);
	fuzz_hash(&r->hash, p, n);
	return 0;
}

static int on_end(void *ctx)
{
	struct reading *r = ctx;

	CHECK(++r->ends == r->heads);
	CHECK(r->body == 0 || r->length < 0 || r->body == (uint64_t)r->length);
	fuzz_hash_number(&r->hash, r->body);
	return 0;
}

static const struct http1_events events = { on_head, on_body, on_end };

static struct reading read_all(uint8_t flags, const uint8_t *p, size_t n, size_t step)
{
	struct reading r = { .hash = 1 };
	struct http1 *h = http1_new(flags & 1 ? HTTP1_RESPONSES : HTTP1_REQUESTS, &events, &r);
	ssize_t used = 0;
	int rc;

	http1_next(h, flags & 2, flags & 4);
	for (size_t i = 0; i < n && used >= 0;) {
		size_t len = n - i < step ? n - i : step;
		uint8_t *portion = fuzz_copy(p + i, len);

		used = http1_feed(h, portion, len);
		free(portion);
		CHECK(used <= (ssize_t)len);
		if (used < 0)
			break;
		i += (size_t)used;
		if ((size_t)used < len) {
			CHECK(!http1_busy(h));
			http1_next(h, flags & 2, flags & 4);
		}
	}
	rc = http1_eof(h);
	CHECK(rc == 0 || rc == ERROR_RESET || rc == ERROR_MALFORMED);
	CHECK((rc == ERROR_MALFORMED) == (used == ERROR_MALFORMED));
	CHECK(rc != 0 || r.heads == r.ends);
	fuzz_hash_number(&r.hash, (uint64_t)-rc);
	http1_free(h);
	return r;
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct reading a, b;

	if (n < 3)
		return 0;
	a = read_all(p[0], p + 2, n - 2, n);
	b = read_all(p[0], p + 2, n - 2, (size_t)p[1] + 1);
	CHECK(a.hash == b.hash && a.heads == b.heads && a.ends == b.ends);
	return 0;
}
