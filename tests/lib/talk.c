/*
 * The parties of a talk: what they send, what they check of what they get, and what they do from their events.
 * Called by the tests of the HTTP/1.1 engine.
 */
#include "tests/lib/talk.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "framing/error.h"

#define SETTLED 1000000	/* us */

struct talk talk;

static uint8_t pattern(bool from_server, uint64_t i)
{
	return (uint8_t)(i * 131 + (i >> 8) + (from_server ? 77 : 0));
}

void talk_pump(struct party *p)
{
	bool first = p->sent == 0 && !p->ended;

	while (p->x && !p->ended && !p->hold) {
		size_t cap, n = p->total - p->sent < p->portion ? (size_t)(p->total - p->sent) : p->portion;
		bool end = p->sent + n == p->total && !p->end_late;
		uint8_t *at = exchange_room(p->x, n, &cap);

		if (!at)
			return;
		assert_true(cap >= n);
		for (size_t i = 0; i < n; i++)
			at[i] = pattern(p->server, p->sent + i);
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

static int act(struct party *p, enum moment m)
{
	if (p->when != m)
		return 0;
	p->when = AT_NEVER;
	switch (p->what) {
	case DO_ABORT:
		if (p->x)
			exchange_abort(p->x);
		p->x = NULL;
		break;
	case DO_CLOSE:
		http_close(p->h);
		break;
	case DO_PAUSE:
		if (p->x)
			exchange_pause(p->x, true);
		p->paused = p->x != NULL;
		break;
	case DO_DRAIN:
		if (p->server)
			http_drain(p->h);
		break;
	case DO_FAIL:
		return ERROR_HTTP;
	default:
		break;
	}
	return 0;
}

static int on_head(void *ctx, const struct http1_head *head)
{
	struct party *p = ctx;

	p->heads++;
	p->status = head->status;
	p->minor = head->minor;
	return act(p, AT_HEAD);
}

static int on_body(void *ctx, const uint8_t *b, size_t n)
{
	struct party *p = ctx;

	assert_false(p->paused);
	assert_true(n > 0);
	for (size_t i = 0; i < n && !p->lax; i++)
		assert_int_equal(b[i], pattern(!p->server, p->got_now + i));
	if (p->lax && p->got_now + n < sizeof p->text)
		memcpy(p->text + p->got_now, b, n);
	p->got += n;
	p->got_now += n;
	return act(p, AT_BODY);
}

static void on_end(void *ctx)
{
	struct party *p = ctx;

	assert_false(p->paused);
	p->ends++;
	act(p, AT_END);
}

static void on_writable(void *ctx)
{
	struct party *p = ctx;

	p->writables++;
	if (p->x)
		talk_pump(p);
	act(p, AT_WRITABLE);
}

static void on_exchange_closed(void *ctx, int error)
{
	struct party *p = ctx;

	assert_non_null(p->x);
	p->closed++;
	p->error = error;
	p->x = NULL;
	p->paused = false;
	act(p, AT_CLOSED);
}

const struct exchange_events talk_exchange_events = { on_head, on_body, on_end, on_writable, on_exchange_closed };

static void begin(struct party *p)
{
	p->sent = p->got_now = 0;
	p->ended = false;
	p->paused = false;
}

void talk_take(struct party *p, struct exchange *x, int minor)
{
	assert_null(p->x);
	begin(p);
	p->x = x;
	x->events = &talk_exchange_events;
	x->ctx = p;
	p->requests++;
	p->minor = minor;
	if (act(p, AT_HEAD))
		exchange_abort(x), p->x = NULL;
	if (p->x)
		talk_pump(p);
}

static void on_request(void *ctx, struct exchange *x, const struct http1_head *head)
{
	struct party *p = ctx;

	if (p->taken)
		p->taken(x, head);
	else
		talk_take(p, x, head->minor);
}

static void on_idle(void *ctx)
{
	struct party *p = ctx;

	p->idles++;
}

static void on_over(void *ctx, int error)
{
	struct party *p = ctx;

	assert_null(p->x);
	p->over++;
	p->over_error = error;
	p->h = NULL;
}

static const struct http_events http_events = { .request = on_request, .idle = on_idle, .closed = on_over };

void talk_ask(struct party *p)
{
	begin(p);
	p->x = http_exchange(p->h, &talk_exchange_events, p);
	assert_non_null(p->x);
	if (p->around)
		p->x = p->around(p->x);
	talk_pump(p);
}

void talk_run(int64_t us)
{
	loop_advance(talk.loop, loop_now(talk.loop) + us);
}

void talk_settle(void)
{
	talk_run(SETTLED);
}

void talk_say(const char *s)
{
	raw_put(s);
	talk_settle();
}

static void set_up(void)
{
	talk.loop = loop_new_virtual(1000, 1700000000);
	talk.client = (struct party){ .portion = 1000, .head = { .method = "POST", .target = "/x?y", .host = "h", .lines = "" } };
	talk.server = (struct party){ .portion = 1000, .server = true, .head = { .status = 200, .lines = "" } };
	raw_reset();
}

void talk_set_up_pair(const struct stream_mem_options *o)
{
	struct stream *a, *b;

	set_up();
	stream_mem_pair(talk.loop, &a, &b, o);
	talk.client.h = h1_client(talk.loop, a, &http_events, &talk.client);
	talk.server.h = h1_server(talk.loop, b, &http_limits_default, &http_events, &talk.server);
}

void talk_set_up_client(const struct stream_mem_options *o)
{
	struct stream *a, *b;

	set_up();
	stream_mem_pair(talk.loop, &a, &b, o);
	raw_attach(b);
	a->dress = talk.dress;
	talk.dress = NULL;
	talk.client.h = h1_client(talk.loop, a, &http_events, &talk.client);
	talk.client.lax = true;
}

void talk_set_up_server(const struct http_limits *limits, const struct stream_mem_options *o)
{
	struct stream *a, *b;

	set_up();
	stream_mem_pair(talk.loop, &a, &b, o);
	raw_attach(b);
	talk.server.h = h1_server(talk.loop, a, limits ? limits : &http_limits_default, &http_events, &talk.server);
	talk.server.lax = true;
}

void talk_tear_down(void)
{
	if (talk.client.h) {
		http_close(talk.client.h);
		assert_null(talk.client.h);
	}
	if (talk.server.h) {
		http_close(talk.server.h);
		assert_null(talk.server.h);
	}
	raw_close();
	talk_run(0);
	loop_free(talk.loop);
}
