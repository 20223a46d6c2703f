/* Users of a pool that take what they get. */
#include "tests/lib/takers.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "framing/error.h"
#include "tests/lib/peers.h"
#include "tunnel/log.h"

struct dial {
	struct timer timer;
	void (*done)(void *pool_ctx, struct stream *, int error, const char *why);
	void *pool_ctx;
};

struct takers takers;

void takers_answer(unsigned i)
{
	assert_non_null(peers[i].x);
	peers_answer(&peers[i]);
}

/* ---- dials: 10 ms each ---- */

static void dial_fire(void *ctx)
{
	struct dial *d = ctx;

	if (takers.queueing && peers_open >= takers.accept_max) {
		timer_in(&d->timer, MS(10));
		return;
	}
	loop_free_later(takers.loop, d);
	if (takers.dial_error || peers_open >= takers.accept_max) {
		d->done(d->pool_ctx, NULL, takers.dial_error ? takers.dial_error : ERROR_REFUSED, "because");
		return;
	}
	d->done(d->pool_ctx, peers_connect(takers.loop), 0, NULL);
}

static struct dial *dial_start(void *ctx, enum dial_versions versions,
			       void (*done)(void *, struct stream *, int, const char *), void *pool_ctx)
{
	struct dial *d = calloc(1, sizeof *d);

	(void)versions;
	(void)ctx;
	d->done = done;
	d->pool_ctx = pool_ctx;
	timer_init(&d->timer, takers.loop, dial_fire, d);
	timer_in(&d->timer, MS(takers.lost ? 1010 : 10));
	takers.lost -= takers.lost > 0;
	takers.started++;
	return d;
}

static void dial_cancel(struct dial *d)
{
	timer_stop(&d->timer);
	loop_free_later(takers.loop, d);
}

static const struct pool_dialler dialler = { .start = dial_start, .cancel = dial_cancel };

/* ---- users ---- */

static void gone(void *ctx, int error)
{
	struct who *w = ctx;

	(void)error;
	w->closed++;
}

static int ignore_head(void *ctx, const struct http1_head *head)
{
	(void)ctx, (void)head;
	return 0;
}

static int ignore_body(void *ctx, const uint8_t *p, size_t n)
{
	(void)ctx, (void)p, (void)n;
	return 0;
}

static void ignore(void *ctx)
{
	(void)ctx;
}

static const struct exchange_events events = { ignore_head, ignore_body, ignore, ignore, gone };

static void ask(struct who *w)
{
	static const struct exchange_head head = { .method = "POST", .target = "/", .host = "h", .lines = "" };

	while (w->n < w->wants) {
		w->taken[w->n] = pool_exchange(&w->user, &events, w);
		if (!w->taken[w->n])
			return;
		exchange_send(w->taken[w->n++], &head, 0, true);
		w->turn = ++takers.turns;
	}
}

static void on_available(void *ctx)
{
	struct who *w = ctx;

	w->told++;
	ask(w);
}

static void on_failed(void *ctx, int error, const char *why)
{
	struct who *w = ctx;

	assert_int_equal(error, takers.dial_error);
	assert_string_equal(why, "because");
	w->failed++;
}

static const struct pool_events pool_events = { on_available, on_failed };

void takers_run(int64_t us)
{
	loop_advance(takers.loop, loop_now(takers.loop) + us);
}

void takers_want(unsigned i, unsigned n)
{
	takers.who[i].wants = n;
	ask(&takers.who[i]);
}

void takers_begin(unsigned limit)
{
	takers.pool = pool_new(takers.loop, &dialler, limit, &takers.cuts);
	for (unsigned i = 0; i < TAKERS; i++)
		pool_join(takers.pool, &takers.who[i].user, i == TAKERS - 1, &pool_events, &takers.who[i]);	/* the last one is modest */
}

int takers_set_up(void **state)
{
	(void)state;
	takers.loop = loop_new_virtual(1000, 0);
	peers_forget();
	memset(takers.who, 0, sizeof takers.who);
	memset(&takers.cuts, 0, sizeof takers.cuts);
	takers.turns = 0;
	takers.started = takers.dial_error = 0;
	takers.queueing = false;
	takers.lost = 0;
	takers.accept_max = 1000;
	log_setup(LOG_LEVEL_ERROR, false);
	return 0;
}

int takers_tear_down(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 2; i++)
		pool_leave(&takers.who[i].user);
	pool_free(takers.pool);
	for (unsigned i = 0; i < TAKERS; i++) {
		assert_null(takers.who[i].user.pool);
		assert_null(pool_exchange(&takers.who[i].user, &events, NULL));
		pool_leave(&takers.who[i].user);
	}
	takers_run(MS(1));
	peers_close();
	takers_run(MS(1));
	loop_free(takers.loop);
	return 0;
}
