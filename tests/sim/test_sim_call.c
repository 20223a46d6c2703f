// links: client/doctor_call.c client/sealed_path.c client/signer.c client/call_result.c client/emodel.c server/egress_echo.c tests/sim/world.c tests/sim/world_flow.c tests/sim/proxy.c tests/sim/relay*.c tests/lib/stream_mem.c framing/*.c tunnel/*.c
/* libs: -lwslay -lev -lhttp_parser -lnghttp2 -lssl -lcrypto -lconfuse -lcares -lm */
/*
 * The simulated call over paths of which delay and loss are known, against the
 * server's real echo; and what the echo gives, and no more.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <math.h>

#include <cmocka.h>

#include "client/doctor_call.h"
#include "framing/capsule.h"
#include "framing/echo.h"
#include "server/egress.h"
#include "tests/sim/world.h"
#include "tunnel/counters.h"

/* A path with its own pool, and one call at a time over it. */
struct site {
	struct world *w;
	struct proxy *proxy;
	struct pool *pool;
	struct cuts cuts;
	struct doctor_call *call;
	struct call_result result;
	unsigned done;
	int64_t done_us;
};

static struct egress_env env;
static struct egress_share share;
static unsigned drop_each, arrived, timed;
static double up_ms[400];	/* true delays, in one world's one clock */

static struct egress_share *share_of(const struct session *s)
{
	(void)s;
	return &share;
}

/* The echo, with a path to it that loses every n-th packet. */
static void lossy(void *ctx, const uint8_t *p, size_t n)
{
	struct echo_stamp stamp;

	if (echo_get(p, n, &stamp) && stamp.sequence >= 25 && timed < 400)
		up_ms[timed++] = (uint32_t)((uint32_t)loop_now(env.loop) - stamp.sent_us) / 1000.0;
	if (!drop_each || ++arrived % drop_each)
		egress_echo.ops->datagram(ctx, p, n);
}

static uint64_t open_echo(struct world *w, struct channel *ch, struct channel_params *params,
			  const struct endpoint_ops **ops, void **endpoint, const char **sentence)
{
	static struct endpoint_ops wrapped;
	uint64_t code = CODE_NONE;

	assert_string_equal(params->service, ECHO_SERVICE);
	env = (struct egress_env){ .loop = w->loop, .pool = w->pool, .share = share_of };
	wrapped = *egress_echo.ops;
	wrapped.datagram = lossy;
	params->deadline_ms = egress_echo.deadline_ms;
	params->idle_ms = egress_echo.idle_ms;
	*endpoint = egress_echo.open(&env, ch, NULL, 0, &code, sentence);
	*ops = &wrapped;
	return code;
}

static void site_begin(struct site *s, const struct proxy_options *o, unsigned limit)
{
	memset(s, 0, sizeof *s);
	memset(&share, 0, sizeof share);
	drop_each = arrived = timed = 0;
	s->w = world_new(5, false);
	s->w->open = open_echo;
	s->proxy = proxy_new(s->w->loop, o, world_accept, s->w);
	s->pool = pool_new(s->w->loop, proxy_dialler(s->proxy), limit, &s->cuts);
}

static void site_end(struct site *s)
{
	doctor_call_cancel(s->call);
	world_run(s->w, LOOP_SECOND);
	pool_free(s->pool);
	proxy_free(s->proxy);
	world_free(s->w);
}

static void on_done(void *ctx, const struct call_result *r)
{
	struct site *s = ctx;

	s->done++;
	s->done_us = loop_now(s->w->loop);
	s->result = *r;
	s->call = NULL;
}

static void site_call(struct site *s, const char *rung, unsigned seconds)
{
	struct call_setup setup = { .loop = s->w->loop, .session = &s->w->config, .path = &s->w->path, .pool = s->pool,
				    .packets = s->w->pool, .seconds = seconds };

	s->done = 0;
	s->call = doctor_call_start(&setup, rung_find(rung), on_done, s);
	assert_int_equal(s->done, 0);
}

/* Before a call begins its carrier may have to be left alone. */
static int64_t rest_of(const char *rung)
{
	return rung_find(rung)->rest ? 5 * LOOP_SECOND : 0;
}

static void site_wait(struct site *s, int64_t us)
{
	for (int64_t t = 0; t < us && !s->done; t += 10 * LOOP_MS)
		world_run(s->w, 10 * LOOP_MS);
}

static void near(const char *what, const char *rung, double got, double least, double most)
{
	if (!(got >= least && got <= most))
		fail_msg("%s: %s is %.2f, expected %.2f to %.2f", rung, what, got, least, most);
}

/* ---- measuring ---- */

static int by_size(const void *a, const void *b)
{
	return *(const double *)a < *(const double *)b ? -1 : *(const double *)a > *(const double *)b;
}

/* What is measured must be what was, within so many ms: one direction is known here, and the other is like it. */
static void measure(const char *rung, const struct proxy_options *o, unsigned limit, double within)
{
	struct site s;
	unsigned of;
	double p50, p99;

	site_begin(&s, o, limit);
	site_call(&s, rung, 0);
	world_run(s.w, rest_of(rung) + 3 * LOOP_SECOND);
	assert_in_range(doctor_call_progress(s.call, &of), 50, 150);
	assert_int_equal(of, 225);
	site_wait(&s, 10 * LOOP_SECOND);
	assert_int_equal(s.done, 1);
	assert_true(s.result.ran);
	assert_string_equal(s.result.why, "");
	assert_int_equal(s.result.sent, 200);
	assert_int_equal(s.result.received, 200);
	assert_int_equal(timed, 200);
	qsort(up_ms, timed, sizeof *up_ms, by_size);
	p50 = up_ms[99];
	p99 = up_ms[197];
	assert_true(p50 >= (double)o->delay_us / 1000);
	near("p50", rung, s.result.p50_ms, p50 - within, p50 + within);
	near("p99", rung, s.result.p99_ms, p99 - within, p99 + within);
	near("loss", rung, s.result.loss_percent, 0, 0);
	near("MOS", rung, s.result.mos, p99 > 120 ? 3.8 : 4.3, p99 > 120 ? 4.3 : 4.4);
	print_message("%-10s %3.0f ms: one way p50 %.1f, p99 %.1f; measured %.1f, %.1f; late %.1f %%, MOS %.2f\n", rung,
		      (double)o->delay_us / 1000, p50, p99, s.result.p50_ms, s.result.p99_ms, s.result.late_percent,
		      s.result.mos);
	world_run(s.w, LOOP_SECOND);
	assert_true(s.w->server[0].ended);	/* the session is gone at the server, too */
	assert_int_equal(s.cuts.count, 0);	/* and its end was not taken for a cut of the path's */
	site_end(&s);
}

static void delays(void **state)
{
	static const int64_t ms[] = { 5, 30, 80 };

	(void)state;
	for (const struct rung *r = rungs; r->name; r++)
		for (size_t i = 0; i < sizeof ms / sizeof *ms; i++) {
			const struct proxy_options o = { .kind = PROXY_PIPE, .delay_us = ms[i] * LOOP_MS, .dial_us = 4 * ms[i] * LOOP_MS };

			measure(r->name, &o, 6, strcmp(r->name, "poll") ? 1 : 21);
		}
}

/* Whole exchanges over two connections. */
static void store(void **state)
{
	const struct proxy_options o = { .kind = PROXY_STORE, .delay_us = 30 * LOOP_MS, .dial_us = 120 * LOOP_MS };

	(void)state;
	measure("poll", &o, 2, 21);
}

static void losses(void **state)
{
	static const struct proxy_options o = { .kind = PROXY_PIPE, .delay_us = 20 * LOOP_MS, .dial_us = 40 * LOOP_MS };
	struct site s;

	(void)state;
	for (const struct rung *r = rungs; r->name; r++) {
		site_begin(&s, &o, 6);
		drop_each = 10;
		site_call(&s, r->name, 2);
		site_wait(&s, 20 * LOOP_SECOND);
		assert_true(s.result.ran);
		assert_int_equal(s.result.sent, 100);
		near("loss", r->name, s.result.loss_percent, 9.99, 10.01);
		near("p50", r->name, s.result.p50_ms, 19.5, 30);
		near("MOS", r->name, s.result.mos, 2.5, 3.2);	/* Ie-eff of 10 % random loss is 38 */
		site_end(&s);
	}
}

/* A third of a second in which nothing passes: what was sent in it comes late. */
static void stall(void **state)
{
	static const struct proxy_options o = { .kind = PROXY_PIPE, .delay_us = 20 * LOOP_MS, .dial_us = 40 * LOOP_MS };
	struct site s;

	(void)state;
	site_begin(&s, &o, 6);
	site_call(&s, "duplex", 4);
	world_run(s.w, 2 * LOOP_SECOND);
	world_stall(s.w, true);
	world_run(s.w, 400 * LOOP_MS);
	world_stall(s.w, false);
	site_wait(&s, 10 * LOOP_SECOND);
	assert_true(s.result.ran);
	assert_int_equal(s.result.received, 200);
	near("late", "duplex", s.result.late_percent, 5, 8);	/* 13 or 14 packets waited for longer than 130 ms */
	near("p50", "duplex", s.result.p50_ms, 19.5, 20.5);
	near("p99", "duplex", s.result.p99_ms, 350, 421);
	near("MOS", "duplex", s.result.mos, 1, 3.2);
	site_end(&s);
}

/* Lost in mid-call, opened again: a gap, not the end. */
static void cut(void **state)
{
	static const struct proxy_options o = { .kind = PROXY_PIPE, .delay_us = 20 * LOOP_MS, .dial_us = 40 * LOOP_MS };
	struct site s;

	(void)state;
	for (const struct rung *r = rungs; r->name; r++) {
		site_begin(&s, &o, 6);
		site_call(&s, r->name, 4);
		world_run(s.w, rest_of(r->name) + 2 * LOOP_SECOND);
		world_cut(s.w);
		site_wait(&s, 20 * LOOP_SECOND);
		assert_int_equal(s.done, 1);
		assert_true(s.result.ran);
		assert_int_equal(s.result.sent, 200);
		assert_in_range(s.result.received, 160, 200);	/* what was on the way goes again */
		site_end(&s);
	}
}

/* ---- what goes wrong ---- */

static void refused(void **state)
{
	static const struct proxy_options o = { .kind = PROXY_PIPE, .delay_us = 20 * LOOP_MS, .dial_us = 40 * LOOP_MS };
	struct site s;

	(void)state;
	site_begin(&s, &o, 6);
	s.w->refuse = CODE_UNKNOWN_SERVICE;
	site_call(&s, "duplex", 4);
	site_wait(&s, 5 * LOOP_SECOND);
	assert_int_equal(s.done, 1);
	assert_false(s.result.ran);
	assert_string_equal(s.result.why, "the server's echo cannot be used: refused by the test");
	site_end(&s);
}

static enum proxy_fault always_page(void *ctx, unsigned exchange)
{
	(void)ctx, (void)exchange;
	return FAULT_HTML;
}

static void not_connected(void **state)
{
	static const struct proxy_options page = { .kind = PROXY_STORE, .delay_us = 5 * LOOP_MS, .dial_us = LOOP_MS, .fault = always_page };
	static const struct proxy_options never = { .kind = PROXY_PIPE, .delay_us = 5 * LOOP_MS, .dial_us = 3600 * LOOP_SECOND };
	/* Streamed bodies are held whole here: marks do not come back. */
	static const struct proxy_options whole = { .kind = PROXY_STORE, .delay_us = 5 * LOOP_MS, .dial_us = LOOP_MS };
	static const struct proxy_options *const each[] = { &page, &never, &whole };
	struct site s;

	(void)state;
	for (size_t i = 0; i < sizeof each / sizeof *each; i++) {
		site_begin(&s, each[i], 4);
		site_call(&s, "duplex", 4);
		site_wait(&s, 30 * LOOP_SECOND);
		assert_int_equal(s.done, 1);
		assert_false(s.result.ran);
		assert_true(strlen(s.result.why) > 10);
		print_message("%s\n", s.result.why);
		site_end(&s);
	}
}

static void server_restarted(void **state)
{
	static const struct proxy_options o = { .kind = PROXY_PIPE, .delay_us = 20 * LOOP_MS, .dial_us = 40 * LOOP_MS };
	struct site s;

	(void)state;
	site_begin(&s, &o, 6);
	site_call(&s, "push", 4);
	world_run(s.w, 2 * LOOP_SECOND);
	world_restart(s.w);
	site_wait(&s, 20 * LOOP_SECOND);
	assert_int_equal(s.done, 1);
	assert_true(s.result.ran);
	assert_true(strlen(s.result.why) > 10);
	assert_true(s.result.received < s.result.sent);
	site_end(&s);
}

static void cancelled(void **state)
{
	static const struct proxy_options o = { .kind = PROXY_PIPE, .delay_us = 20 * LOOP_MS, .dial_us = 40 * LOOP_MS };
	struct site s;
	unsigned of;

	(void)state;
	for (int64_t at = 0; at < 4000 * LOOP_MS; at += 37 * LOOP_MS) {
		site_begin(&s, &o, 6);
		site_call(&s, rungs[at / LOOP_MS % 4].name, 1);
		world_run(s.w, at);
		if (s.call)
			assert_true(doctor_call_progress(s.call, &of) <= of);
		site_end(&s);
	}
	doctor_call_cancel(NULL);
}

/* One after the other over the same pool, as the doctor does. */
static void in_a_row(void **state)
{
	static const struct proxy_options o = { .kind = PROXY_PIPE, .delay_us = 10 * LOOP_MS, .dial_us = 40 * LOOP_MS };
	struct site s;

	(void)state;
	site_begin(&s, &o, 4);
	for (const struct rung *r = rungs; r->name; r++) {
		site_call(&s, r->name, 1);
		site_wait(&s, rest_of(r->name) + 5 * LOOP_SECOND);
		assert_int_equal(s.done, 1);
		assert_true(s.result.ran);
		near("loss", r->name, s.result.loss_percent, 0, 0);
		memset(&share, 0, sizeof share);	/* another session's */
	}
	site_end(&s);
}

/* ---- the echo's share ---- */

struct shouter {
	struct channel *channel;
	unsigned came;
};

static void heard(void *ctx, const uint8_t *p, size_t n)
{
	(void)p, (void)n;
	((struct shouter *)ctx)->came++;
}

static void quiet(void *ctx, uint64_t code, const char *reason)
{
	(void)code, (void)reason;
	((struct shouter *)ctx)->channel = NULL;
}

static const struct endpoint_ops shouter_ops = { .datagram = heard, .closed = quiet };

static void shout(struct world *w, struct shouter *s, unsigned n)
{
	struct channel_params params = { .kind = KIND_DATAGRAM, .service = ECHO_SERVICE };

	if (!s->channel)
		s->channel = channel_open(w->helper, &params, &shouter_ops, s);
	for (unsigned i = 0; i < n; i++) {
		struct packet *p = packet_get(w->pool, 100);

		memset(p->data, 1, 100);
		p->len = 100;
		p->born_us = loop_now(w->loop);
		channel_send(s->channel, p);
	}
}

static void echo_share(void **state)
{
	static const struct proxy_options o = { .kind = PROXY_PIPE, .delay_us = LOOP_MS, .dial_us = LOOP_MS };
	struct world *w = world_new(9, false);
	struct shouter a = { 0 }, b = { 0 };
	uint64_t dropped = counted(dropped_echo);

	(void)state;
	memset(&share, 0, sizeof share);
	drop_each = 0;
	w->open = open_echo;
	world_lane(w, "duplex", &o, 2);
	assert_true(world_connect(w, 5 * LOOP_SECOND));
	/* 1000 in a second: 200; on another channel of the session: none more. */
	for (int i = 0; i < 10; i++) {
		shout(w, &a, 100);
		world_run(w, 50 * LOOP_MS);
	}
	assert_int_equal(a.came, 200);
	shout(w, &b, 100);
	world_run(w, 50 * LOOP_MS);
	assert_int_equal(b.came, 0);
	/* A new channel changes nothing. */
	channel_close(a.channel, CODE_NONE, "");
	a.channel = NULL;
	shout(w, &a, 100);
	world_run(w, 50 * LOOP_MS);
	assert_int_equal(a.came, 200);
	assert_int_equal(counted(dropped_echo) - dropped, 1000);
	/* A minute of it in ten. */
	for (int i = 0; i < 300; i++) {
		shout(w, &a, 100);
		shout(w, &b, 100);
		world_run(w, LOOP_SECOND);
	}
	assert_int_equal(a.came + b.came, 12000);
	world_run(w, 290 * LOOP_SECOND);
	shout(w, &a, 100);
	world_run(w, LOOP_SECOND);
	assert_int_equal(a.came + b.came, 12000);
	world_run(w, 20 * LOOP_SECOND);
	shout(w, &a, 100);
	world_run(w, LOOP_SECOND);
	assert_int_equal(a.came + b.came, 12100);
	world_free(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(delays), cmocka_unit_test(store), cmocka_unit_test(losses), cmocka_unit_test(stall),
		cmocka_unit_test(cut), cmocka_unit_test(refused), cmocka_unit_test(not_connected),
		cmocka_unit_test(server_restarted), cmocka_unit_test(cancelled), cmocka_unit_test(in_a_row),
		cmocka_unit_test(echo_share),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
