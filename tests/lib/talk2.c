/*
 * The speakers of a talk over HTTP/2: what they send, what they check of what they get, and what they do from their
 * events; and frames made and read by hand. Called by the tests of the HTTP/2 engine.
 */
#include "tests/lib/talk2.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "framing/error.h"

#define SETTLED 1000000	/* us */

struct talk2 talk2;

static uint8_t pattern(const struct speaker *p, bool from_server, uint64_t i)
{
	return (uint8_t)(i * 131 + (i >> 8) + p->id * 17 + (from_server ? 77 : 0));
}

void talk2_pump(struct speaker *p)
{
	bool first = p->sent == 0 && !p->ended && p->x;

	while (p->x && !p->ended && !p->hold) {
		size_t most = p->portion ? p->portion : 1000, cap;
		size_t n = p->total - p->sent < most ? (size_t)(p->total - p->sent) : most;
		bool end = p->sent + n == p->total && !p->end_late;
		uint8_t *at = exchange_room(p->x, n, &cap);

		if (!at)
			return;
		assert_true(cap >= n);
		for (size_t i = 0; i < n; i++)
			at[i] = pattern(p, p->server, p->sent + i);
		p->sent += n;
		p->ended = end;
		p->send_error = exchange_send(p->x, first ? &p->head : NULL, n, end);
		if (p->send_error)
			return;
		first = false;
		if (n == 0)
			return;
	}
}

static int act(struct speaker *p, int m)
{
	if ((int)p->when != m)
		return 0;
	p->when = AT_NEVER;
	switch (p->what) {
	case DO_ABORT:
		if (p->x)
			exchange_abort(p->x);
		p->x = NULL;
		break;
	case DO_CLOSE:
		http_close(p->server ? talk2.server : talk2.client);
		break;
	case DO_PAUSE:
		if (p->x)
			exchange_pause(p->x, true);
		p->paused = p->x != NULL;
		break;
	case DO_FAIL:
		return ERROR_HTTP;
	case DO_ANSWER:
		p->hold = false;
		talk2_pump(p);
		break;
	default:
		break;
	}
	return 0;
}

static void note(char *out, size_t cap, struct span s)
{
	size_t n = s.n < cap - 1 ? s.n : cap - 1;

	if (n)
		memcpy(out, s.p, n);
	out[n] = 0;
}

static void look(struct speaker *p, const struct http1_head *head)
{
	assert_true(head->h2);
	p->heads++;
	p->status = head->status;
	p->chunked = head->chunked;
	p->length = head->length;
	note(p->method, sizeof p->method, head->method);
	note(p->target, sizeof p->target, head->target);
	note(p->protocol, sizeof p->protocol, head->protocol);
	note(p->host, sizeof p->host, http1_find(head, "host"));
	p->cookies = http1_find(head, "cookie").n;
	note(p->cookie, sizeof p->cookie, http1_find(head, "cookie"));
}

static int on_head(void *ctx, const struct http1_head *head)
{
	struct speaker *p = ctx;

	look(p, head);
	return act(p, AT_HEAD);
}

static int on_body(void *ctx, const uint8_t *b, size_t n)
{
	struct speaker *p = ctx;

	assert_false(p->paused);
	assert_true(n > 0);
	for (size_t i = 0; i < n && !p->lax; i++)
		assert_int_equal(b[i], pattern(p, !p->server, p->got + i));
	p->got += n;
	return act(p, AT_BODY);
}

static void on_end(void *ctx)
{
	struct speaker *p = ctx;

	assert_false(p->paused);
	p->ends++;
	act(p, AT_END);
}

static void on_writable(void *ctx)
{
	struct speaker *p = ctx;

	p->writables++;
	talk2_pump(p);
	act(p, AT_WRITABLE);
}

static void on_closed(void *ctx, int error)
{
	struct speaker *p = ctx;

	assert_non_null(p->x);
	p->closed++;
	p->error = error;
	p->x = NULL;
	act(p, AT_CLOSED);
}

static const struct exchange_events exchange_events = { on_head, on_body, on_end, on_writable, on_closed };

static void on_request(void *ctx, struct exchange *x, const struct http1_head *head)
{
	struct speaker *p = &talk2.take[talk2.taken++];
	struct span id = http1_find(head, "x-id");

	(void)ctx;
	assert_true(talk2.taken <= SPEAKERS);
	*p = talk2.answer;
	p->server = true;
	p->x = x;
	for (size_t i = 0; i < id.n; i++)
		p->id = p->id * 10 + (id.p[i] - '0');
	x->events = &exchange_events;
	x->ctx = p;
	x->visitor = p;
	look(p, head);
	if (act(p, AT_HEAD)) {
		exchange_abort(x);
		p->x = NULL;
	}
	talk2_pump(p);
}

static void on_idle(void *ctx)
{
	(void)ctx;
	talk2.idles++;
}

static void on_client_over(void *ctx, int error)
{
	(void)ctx;
	talk2.client_over++;
	talk2.client_error = error;
	talk2.client = NULL;
}

static void on_server_over(void *ctx, int error)
{
	(void)ctx;
	talk2.server_over++;
	talk2.server_error = error;
	talk2.server = NULL;
}

static void on_exchange_over(void *ctx, struct exchange *x)
{
	(void)ctx;
	assert_non_null(x->visitor);
	talk2.overs++;
}

static const struct http_events client_events = { .idle = on_idle, .closed = on_client_over };
static const struct http_events server_events = { .request = on_request, .closed = on_server_over, .over = on_exchange_over };

struct speaker *talk2_ask(const struct speaker *like)
{
	struct speaker *p = &talk2.ask[talk2.asked];
	static char lines[SPEAKERS][32];
	struct exchange *x;

	x = http_exchange(talk2.client, &exchange_events, p);
	if (!x)
		return NULL;
	*p = *like;
	p->x = x;
	p->id = (uint32_t)talk2.asked;
	snprintf(lines[talk2.asked], sizeof *lines, "X-Id: %d\r\n", talk2.asked);
	if (!p->head.method)
		p->head.method = "POST";
	if (!p->head.target)
		p->head.target = "/x?y";
	p->head.host = "h";
	if (!p->head.lines)
		p->head.lines = lines[talk2.asked];
	talk2.asked++;
	talk2_pump(p);
	return p;
}

void talk2_run(int64_t us)
{
	loop_advance(talk2.loop, loop_now(talk2.loop) + us);
}

void talk2_settle(void)
{
	talk2_run(SETTLED);
}

static void set_up(void)
{
	memset(&talk2, 0, sizeof talk2);
	talk2.loop = loop_new_virtual(1000, 1700000000);
	talk2.answer.head = (struct exchange_head){ .status = 200, .lines = "" };
	raw_reset();
}

void talk2_set_up_pair(const struct stream_mem_options *o)
{
	struct stream *a, *b;

	set_up();
	stream_mem_pair(talk2.loop, &a, &b, o);
	talk2.client = h2_client(talk2.loop, a, &client_events, NULL);
	talk2.server = h2_server(talk2.loop, b, &http_limits_default, &server_events, NULL);
}

void talk2_set_up_client(const struct stream_mem_options *o)
{
	struct stream *a, *b;

	set_up();
	stream_mem_pair(talk2.loop, &a, &b, o);
	raw_attach(b);
	talk2.client = h2_client(talk2.loop, a, &client_events, NULL);
}

void talk2_set_up_server(const struct http_limits *limits, const struct stream_mem_options *o)
{
	struct stream *a, *b;

	set_up();
	stream_mem_pair(talk2.loop, &a, &b, o);
	raw_attach(b);
	talk2.answer.lax = true;
	talk2.server = h2_server(talk2.loop, a, limits ? limits : &http_limits_default, &server_events, NULL);
	raw_write("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 24);
	talk2_frame(4, 0, 0, NULL, 0);
}

void talk2_tear_down(void)
{
	if (talk2.client)
		http_close(talk2.client);
	assert_null(talk2.client);
	if (talk2.server)
		http_close(talk2.server);
	assert_null(talk2.server);
	assert_int_equal(talk2.overs, talk2.taken);
	for (int i = 0; i < talk2.asked; i++)
		assert_true(talk2.ask[i].closed <= 1 && !talk2.ask[i].x);
	for (int i = 0; i < talk2.taken; i++)
		assert_true(talk2.take[i].closed <= 1 && !talk2.take[i].x);
	raw_close();
	talk2_run(0);
	loop_free(talk2.loop);
}

/* ---- frames by hand ---- */

void talk2_frame(int type, int flags, uint32_t stream, const void *p, size_t n)
{
	const uint8_t head[9] = { (uint8_t)(n >> 16), (uint8_t)(n >> 8), (uint8_t)n, (uint8_t)type, (uint8_t)flags,
				  (uint8_t)(stream >> 24), (uint8_t)(stream >> 16), (uint8_t)(stream >> 8), (uint8_t)stream };

	raw_write((const char *)head, sizeof head);
	if (n)
		raw_write(p, n);
}

/* RFC 7541 5.1 with a prefix of 7 bits, no Huffman. */
static size_t put_string(char *p, const char *s)
{
	size_t n = strlen(s), left = n, at = 0;

	if (n < 127) {
		p[at++] = (char)n;
	} else {
		p[at++] = 127;
		for (left -= 127; left >= 128; left >>= 7)
			p[at++] = (char)(left % 128 + 128);
		p[at++] = (char)left;
	}
	memcpy(p + at, s, n);
	return at + n;
}

size_t talk2_block(char *p, const char *const *fields)
{
	size_t n = 0;

	for (; *fields; fields += 2) {
		p[n++] = 0;	/* literal, not indexed, new name */
		n += put_string(p + n, fields[0]);
		n += put_string(p + n, fields[1]);
	}
	return n;
}

void talk2_headers(int flags, uint32_t stream, const char *const *fields)
{
	char block[16384];

	talk2_frame(1, flags, stream, block, talk2_block(block, fields));
}

uint32_t talk2_u32(const uint8_t *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

const uint8_t *talk2_find(int type, int64_t stream, int n)
{
	const uint8_t *p = (const uint8_t *)raw.in, *end = p + raw.n;

	if (raw.n >= 24 && !memcmp(p, "PRI * HTTP/2.0", 14))
		p += 24;
	for (; end - p >= 9; p += 9 + talk2_length(p))
		if (p[3] == type && (stream < 0 || talk2_u32(p + 5) == stream) && n-- == 0)
			return p;
	return NULL;
}
