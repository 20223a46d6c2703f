/* The two ends around a relay: calls of the helper, seats of the server. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "framing/error.h"
#include "tests/sim/relay_rig.h"

static void arrived(struct rig *r, struct arrivals *a, const uint8_t *p, size_t n)
{
	if (a->n == 0)
		a->last = p[n - 1];
	a->at[a->n] = loop_now(r->loop);
	a->total[a->n] = n + (a->n ? a->total[a->n - 1] : 0);
	a->n++;
}

int64_t arrivals_when(const struct arrivals *a, size_t n)
{
	for (unsigned i = 0; i < a->n; i++)
		if (a->total[i] >= n)
			return a->at[i];
	return -1;
}

size_t arrivals_total(const struct arrivals *a)
{
	return a->n ? a->total[a->n - 1] : 0;
}

static void send_next(void *ctx)
{
	struct sender *s = ctx;
	size_t cap, n = s->script.streamed ? s->script.size : s->script.size * s->script.pieces;
	uint8_t *p = exchange_room(s->x, n, &cap);
	bool end = !s->script.streamed || s->sent + 1 >= s->script.pieces;

	assert_non_null(p);
	memset(p, 'x', n);
	if (exchange_send(s->x, s->sent ? NULL : &s->head, n, end) == 0 && !end)
		timer_in(&s->timer, s->script.gap_us);
	s->sent++;
}

static void sender_start(struct sender *s, struct rig *r, struct exchange *x, const struct script *script,
			 const struct exchange_head *head, int64_t in_us)
{
	s->rig = r;
	s->x = x;
	s->script = *script;
	s->head = *head;
	s->head.streamed = script->streamed;
	timer_init(&s->timer, r->loop, send_next, s);
	timer_in(&s->timer, in_us);
}

/* ---- server ---- */

static void seat_answer(struct seat *s)
{
	struct rig *r = s->rig;
	struct exchange_head head = { .status = 200, .lines = r->type };

	sender_start(&s->out, r, s->out.x, &r->answer, &head, r->hold_us);
}

static int seat_body(void *ctx, const uint8_t *p, size_t n)
{
	struct seat *s = ctx;

	arrived(s->rig, s->in, p, n);
	return 0;
}

static void seat_end(void *ctx)
{
	struct seat *s = ctx;

	s->in->end_at = loop_now(s->rig->loop);
	if (!s->rig->early)
		seat_answer(s);
}

static void seat_closed(void *ctx, int error)
{
	struct seat *s = ctx;

	(void)error;
	timer_stop(&s->out.timer);
}

static void ignore(void *ctx)
{
	(void)ctx;
}

static const struct exchange_events seat_events = { NULL, seat_body, seat_end, ignore, seat_closed };

static void on_request(void *ctx, struct exchange *x, const struct http1_head *h)
{
	struct rig *r = ctx;
	struct seat *s = &r->seat[r->requests];

	assert_true(r->requests < CALLS);
	s->rig = r;
	s->in = &r->got[r->requests];
	s->in->end_at = -1;
	r->got_minor[r->requests] = h->minor;
	r->got_length[r->requests++] = h->length;
	s->out.x = x;
	x->events = &seat_events;
	x->ctx = s;
	timer_init(&s->out.timer, r->loop, send_next, &s->out);
	if (r->early)
		seat_answer(s);
}

static void server_closed(void *ctx, int error)
{
	struct rig *r = ctx;

	(void)error, (void)r;
	r->n_servers--;
}

static const struct http_events server_events = { .request = on_request, .idle = ignore, .closed = server_closed };

static void on_accept(void *ctx, struct stream *s)
{
	struct rig *r = ctx;

	r->n_servers++;
	h1_server(r->loop, s, &http_limits_default, &server_events, r);
}

/* ---- helper ---- */

static int call_head(void *ctx, const struct http1_head *h)
{
	struct call *c = ctx;

	c->status = h->status;
	c->minor = h->minor;
	c->keep = h->keep_alive;
	return 0;
}

static int call_body(void *ctx, const uint8_t *p, size_t n)
{
	struct call *c = ctx;

	arrived(c->rig, &c->in, p, n);
	return 0;
}

static void call_end(void *ctx)
{
	struct call *c = ctx;

	c->in.end_at = loop_now(c->rig->loop);
}

static void call_closed(void *ctx, int error)
{
	struct call *c = ctx;

	timer_stop(&c->out.timer);
	c->closed = true;
	c->error = error;
	c->over_at = loop_now(c->rig->loop);
}

static const struct exchange_events call_events = { call_head, call_body, call_end, ignore, call_closed };

void rig_call_again(struct call *c)
{
	struct exchange_head head = { .method = "POST", .target = "/x", .host = "test", .lines = "" };
	struct exchange *x = http_exchange(c->http, &call_events, c);

	assert_non_null(x);
	memset(&c->in, 0, sizeof c->in);
	c->in.end_at = -1;
	c->out.sent = 0;
	c->closed = c->idle = false;
	c->status = 0;
	sender_start(&c->out, c->rig, x, &c->rig->up, &head, 0);
}

static void call_idle(void *ctx)
{
	struct call *c = ctx;

	c->idle = true;
}

static void call_over(void *ctx, int error)
{
	struct call *c = ctx;

	(void)error;
	c->connection_over = true;
	c->over_at = loop_now(c->rig->loop);
	c->http = NULL;
}

static const struct http_events client_events = { .idle = call_idle, .closed = call_over };

static void on_dialled(void *ctx, struct stream *s, int error, const char *why)
{
	struct call *c = ctx;

	(void)error, (void)why;
	c->dialled = true;
	c->refused = !s;
	if (!s)
		return;
	c->http = h1_client(c->rig->loop, s, &client_events, c);
	rig_call_again(c);
}

struct call *rig_call(struct rig *r, unsigned i)
{
	struct call *c = &r->call[i];
	const struct pool_dialler *d = relay_dialler(r->relay);

	c->rig = r;
	c->in.end_at = -1;
	timer_init(&c->out.timer, r->loop, send_next, &c->out);
	d->start(d->ctx, DIAL_ANY, on_dialled, c);
	return c;
}

/* ---- the rig ---- */

struct rig *rig_new(void)
{
	static const struct relay_options o = { .delay_us = DELAY, .dial_us = 3 * DELAY };
	struct rig *r = calloc(1, sizeof *r);

	r->loop = loop_new_virtual(LOOP_SECOND, 1700000000);
	r->relay = relay_new(r->loop, &o, on_accept, r);
	r->up = (struct script){ true, 5, 100, 200 * LOOP_MS };
	r->answer = (struct script){ true, 5, 100, 200 * LOOP_MS };
	r->type = "Content-Type: application/octet-stream\r\n";
	return r;
}

void rig_free(struct rig *r)
{
	for (unsigned i = 0; i < CALLS; i++)
		if (r->call[i].http)
			http_close(r->call[i].http);
	relay_free(r->relay);
	loop_advance(r->loop, loop_now(r->loop) + LOOP_SECOND);
	assert_int_equal(r->n_servers, 0);	/* none is left over */
	loop_free(r->loop);
	free(r);
}

void rig_run(struct rig *r, int64_t us)
{
	loop_advance(r->loop, loop_now(r->loop) + us);
}

struct call *rig_run_one(struct rig *r, int64_t us)
{
	struct call *c;

	relay_set(r->relay, &r->b);
	c = rig_call(r, 0);
	rig_run(r, us);
	return c;
}

bool arrivals_prompt(const struct arrivals *a, const struct script *s)
{
	for (unsigned i = 1; i < s->pieces; i++)
		if (arrivals_when(a, (i + 1) * s->size) - arrivals_when(a, i * s->size) != s->gap_us)
			return false;
	return arrivals_total(a) == s->pieces * s->size;
}

bool arrivals_whole(const struct arrivals *a, const struct script *s)
{
	return arrivals_total(a) == s->pieces * s->size && arrivals_when(a, 1) == arrivals_when(a, arrivals_total(a));
}
