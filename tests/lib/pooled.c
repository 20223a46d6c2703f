/* A pool over HTTP/2 and its server. Nothing answers by itself. */
#include "tests/lib/pooled.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "tests/lib/stream_mem.h"
#include "tunnel/log.h"

struct pooled pooled;

struct dial {
	struct timer timer;
	enum dial_versions versions;
	void (*done)(void *, struct stream *, int, const char *);
	void *ctx;
};

/* ---- the server ---- */

static int take(void *ctx, const uint8_t *p, size_t n)
{
	(void)ctx, (void)p, (void)n;
	return 0;
}

static void nothing(void *ctx)
{
	(void)ctx;
}

static void over(void *ctx, int error)
{
	(void)ctx, (void)error;
}

static const struct exchange_events served_events = { NULL, take, nothing, nothing, over };

static void on_request(void *ctx, struct exchange *x, const struct http1_head *head)
{
	struct served *s = ctx;

	(void)head;
	x->events = &served_events;
	x->ctx = s;
	assert_true(s->n < POOLED_ASKED);
	s->x[s->n++] = x;
}

static void served_closed(void *ctx, int error)
{
	struct served *s = ctx;

	(void)error;
	s->http = NULL;
}

static const struct http_events http_events = { .request = on_request, .closed = served_closed };

void pooled_answer(unsigned connection, unsigned i)
{
	static const struct exchange_head head = { .status = 200, .lines = "" };

	assert_int_equal(exchange_send(pooled.served[connection].x[i], &head, 0, true), 0);
}

static void mute_failed(void *ctx, int error)
{
	(void)ctx, (void)error;
}

static const struct stream_events mute_events = { nothing, nothing, nothing, mute_failed };

/* ---- dials: 10 ms each ---- */

static void dial_fire(void *ctx)
{
	struct dial *d = ctx;
	struct stream_mem_options o = stream_mem_plain;
	struct served *s = &pooled.served[pooled.connections++];
	struct stream *near, *far;

	assert_true(pooled.connections <= POOLED_SERVED);
	pooled.only_11 += d->versions == DIAL_11;
	o.delay_us = LOOP_MS;
	o.alpn = d->versions == DIAL_ANY ? HTTP_ALPN_2 : HTTP_ALPN_11;
	stream_mem_pair(pooled.loop, &near, &far, &o);
	if (pooled.says) {
		s->mute = far;
		stream_attach(far, &mute_events, s);
		if (pooled.says_n)
			assert_int_equal(stream_write(far, pooled.says, pooled.says_n), pooled.says_n);
	} else {
		s->http = http_server(pooled.loop, far, &http_limits_default, &http_events, s);
	}
	loop_free_later(pooled.loop, d);
	d->done(d->ctx, near, 0, NULL);
}

static struct dial *dial_start(void *ctx, enum dial_versions versions, void (*done)(void *, struct stream *, int, const char *), void *done_ctx)
{
	struct dial *d = calloc(1, sizeof *d);

	(void)ctx;
	d->versions = versions;
	d->done = done;
	d->ctx = done_ctx;
	timer_init(&d->timer, pooled.loop, dial_fire, d);
	timer_in(&d->timer, 10 * LOOP_MS);
	return d;
}

static void dial_cancel(struct dial *d)
{
	timer_stop(&d->timer);
	loop_free_later(pooled.loop, d);
}

static const struct pool_dialler dialler = { .start = dial_start, .cancel = dial_cancel };

/* ---- users ---- */

static int on_head(void *ctx, const struct http1_head *head)
{
	(void)ctx, (void)head;
	return 0;
}

static void on_over(void *ctx, int error)
{
	(void)ctx;
	pooled.over++;
	pooled.error = error;
}

const struct exchange_events pooled_events = { on_head, take, nothing, nothing, on_over };

static void on_available(void *ctx)
{
	(void)ctx;
	pooled.available++;
	if (pooled.grabs)
		pooled.grabs(0);
}

static void on_failed(void *ctx, int error, const char *why)
{
	(void)ctx, (void)error, (void)why;
	fail();
}

static const struct pool_events pool_events = { on_available, on_failed };

void pooled_run(int64_t us)
{
	loop_advance(pooled.loop, loop_now(pooled.loop) + us);
}

struct exchange *pooled_ask(unsigned i)
{
	static const struct exchange_head head = { .method = "POST", .target = "/", .host = "h", .lines = "" };
	struct exchange *x = pool_exchange(&pooled.user[i], &pooled_events, &pooled.user[i]);

	if (!x) {
		pooled_run(20 * LOOP_MS);
		x = pool_exchange(&pooled.user[i], &pooled_events, &pooled.user[i]);
	}
	assert_non_null(x);
	assert_int_equal(exchange_send(x, &head, 0, true), 0);
	pooled_run(5 * LOOP_MS);
	return x;
}

int pooled_set_up(void **state)
{
	(void)state;
	memset(&pooled, 0, sizeof pooled);
	log_setup(LOG_LEVEL_ERROR, false);
	pooled.loop = loop_new_virtual(1000, 1700000000);
	pooled.pool = pool_new(pooled.loop, &dialler, 6, &pooled.cuts);
	for (unsigned i = 0; i < POOLED_USERS; i++)
		pool_join(pooled.pool, &pooled.user[i], false, &pool_events, NULL);
	return 0;
}

int pooled_tear_down(void **state)
{
	(void)state;
	pool_free(pooled.pool);
	for (unsigned i = 0; i < pooled.connections; i++) {
		if (pooled.served[i].http)
			http_close(pooled.served[i].http);
		if (pooled.served[i].mute)
			stream_close(pooled.served[i].mute);
	}
	pooled_run(LOOP_SECOND);
	loop_free(pooled.loop);
	return 0;
}
