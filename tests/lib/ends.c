/* The two ends. Called by the tests of sealed exchanges. */
#include "tests/lib/ends.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "framing/error.h"
#include "tunnel/counters.h"

struct ends ends;

/* ---- below ---- */

static struct below *below_of(struct exchange *x)
{
	return (struct below *)x;
}

static uint8_t *below_room(struct exchange *x, size_t want, size_t *cap)
{
	assert_true(want <= EXCHANGE_ROOM_INNER);
	*cap = want < EXCHANGE_ROOM ? EXCHANGE_ROOM : want;
	return below_of(x)->full ? NULL : below_of(x)->room;
}

static int below_send(struct exchange *x, const struct exchange_head *head, size_t n, bool end)
{
	struct below *b = below_of(x);

	b->heads += head != NULL;
	b->ends += end;
	assert_true(b->n + n <= BODY_MAX);
	memcpy(b->out + b->n, b->room, n);
	b->n += n;
	return 0;
}

static void below_pause(struct exchange *x, bool on)
{
	below_of(x)->paused = on;
}

static void below_abort(struct exchange *x)
{
	below_of(x)->aborts++;
	x->events = NULL;
}

static void below_sparse(struct exchange *x, bool on)
{
	below_of(x)->sparse = on;
}

static const struct exchange_ops below_ops = { below_room, below_send, below_pause, below_abort, below_sparse, NULL };

/* ---- users ---- */

static int on_head(void *ctx, const struct http1_head *head)
{
	struct user *u = ctx;

	(void)head;
	u->heads++;
	return 0;
}

static int on_body(void *ctx, const uint8_t *p, size_t n)
{
	struct user *u = ctx;

	assert_true(n > 0 && u->n + n <= BODY_MAX);
	memcpy(u->in + u->n, p, n);
	u->n += n;
	if (u->pause)
		exchange_pause(u->x, true);
	if (u->abort) {
		exchange_abort(u->x);
		u->x = NULL;
	}
	return u->body_code;
}

static void on_end(void *ctx)
{
	((struct user *)ctx)->ends++;
}

static void on_writable(void *ctx)
{
	((struct user *)ctx)->writables++;
}

static void on_closed(void *ctx, int error)
{
	struct user *u = ctx;

	assert_int_equal(u->closed, 0);
	u->closed++;
	u->error = error;
	u->x = NULL;
}

static const struct exchange_events user_events = { on_head, on_body, on_end, on_writable, on_closed };

static bool on_opened(void *ctx, struct exchange *plain, struct span authorization)
{
	struct user *u = ctx;

	u->opened++;
	memcpy(u->authorization, authorization.p ? authorization.p : (const uint8_t *)"", authorization.n);
	u->authorization[authorization.n] = '\0';
	if (u->abort_when_opened) {
		exchange_abort(plain);
		return true;
	}
	if (u->take_nothing || u->unwanted)
		return !u->unwanted;
	u->x = plain;
	plain->events = &user_events;
	plain->ctx = u;
	return true;
}

static void on_failed(void *ctx, struct exchange *inner, const char *why)
{
	struct user *u = ctx;

	assert_ptr_equal(inner, &ends.down.x);
	u->failed++;
	snprintf(u->why, sizeof u->why, "%s", why ? why : "");
	inner->events = NULL;
}

static void on_gone(void *ctx)
{
	((struct user *)ctx)->gone++;
}

static const struct sealed_events server_events = { on_opened, on_failed, on_gone };

/* ---- the two ends ---- */

void ends_seals_new(struct seal **two, uint8_t seed)
{
	struct seal_secrets s;

	memset(s.up, seed, sizeof s.up);
	memset(s.down, seed + 1, sizeof s.down);
	memset(s.binding, seed + 2, sizeof s.binding);
	two[0] = seal_new(SEAL_HELPER, &s);
	two[1] = seal_new(SEAL_SERVER, &s);
}

/* Only what is looked at: the buffers are large. */
static void below_init(struct below *b)
{
	b->x = (struct exchange){ .ops = &below_ops };
	b->n = b->heads = b->ends = b->aborts = 0;
	b->full = b->paused = false;
}

static void user_init(struct user *u)
{
	size_t from = offsetof(struct user, n);

	memset((char *)u + from, 0, sizeof *u - from);
	u->x = NULL;
}

void ends_turn(void)
{
	loop_advance(ends.loop, loop_now(ends.loop) + 1000);
}

void ends_helper_begin(void)
{
	below_init(&ends.up);
	user_init(&ends.helper);
	ends.up.x.events = &user_events;
	ends.up.x.ctx = &ends.helper;
	ends.helper.x = sealed_helper(ends.loop, ends.seals[0], &ends.up.x);
	assert_ptr_equal(ends.helper.x->events, &user_events);
	assert_ptr_equal(ends.helper.x->inner, &ends.up.x);
}

void ends_server_begin_with(struct seal *seal, const char *target)
{
	below_init(&ends.down);
	user_init(&ends.server);
	sealed_server(ends.loop, seal, &ends.down.x, (struct span){ (const uint8_t *)target, strlen(target) }, &server_events, &ends.server);
}

void ends_server_begin(void)
{
	ends_server_begin_with(ends.seals[1], TARGET);
}

/* Connections are cut: everything of both goes. */
void ends_cut(struct below *b)
{
	if (b->x.events)
		b->x.events->closed(b->x.ctx, ERROR_RESET);
	b->x.events = NULL;
	ends_turn();
}

void ends_cut_both(void)
{
	ends_cut(&ends.up);
	ends_cut(&ends.down);
}

uint8_t ends_pattern(size_t i, uint8_t seed)
{
	return (uint8_t)(i * 131 + (i >> 8) + seed);
}

int ends_send_from(struct user *u, const struct exchange_head *head, size_t n, uint8_t seed, bool end)
{
	size_t cap;
	uint8_t *p = exchange_room(u->x, n, &cap);

	assert_non_null(p);
	assert_true(cap >= n && cap <= EXCHANGE_ROOM_MAX);
	for (size_t i = 0; i < n; i++)
		p[i] = ends_pattern(i, seed);
	return exchange_send(u->x, head, n, end);
}

int ends_ask_for(const char *target, size_t n, uint8_t seed, bool end)
{
	struct exchange_head head = { .method = "POST", .target = target, .host = "h", .lines = "", .streamed = !end,
				      .authorization = AUTHORIZATION };

	return ends_send_from(&ends.helper, &head, n, seed, end);
}

int ends_ask(size_t n, uint8_t seed, bool end)
{
	return ends_ask_for(TARGET, n, seed, end);
}

int ends_answer(size_t n, uint8_t seed, bool end)
{
	struct exchange_head head = { .status = 200, .lines = "", .streamed = !end };

	return ends_send_from(&ends.server, ends.down.heads ? NULL : &head, n, seed, end);
}

/* What the connection brings to an exchange, in pieces; the first code that is returned. */
int ends_bring(struct below *to, const uint8_t *p, size_t n, size_t piece)
{
	int rc = 0;

	for (size_t at = 0; at < n && rc == 0 && to->x.events; at += piece) {
		size_t k = n - at < piece ? n - at : piece;
		uint8_t *copy = malloc(k);	/* of its own, so that reading behind it is noticed */

		memcpy(copy, p + at, k);
		assert_false(to->paused);
		rc = to->x.events->body(to->x.ctx, copy, k);
		free(copy);
	}
	return rc;
}

void ends_bring_head(int status)
{
	struct http1_head head = { .status = status };

	assert_int_equal(ends.up.x.events->head(ends.up.x.ctx, &head), 0);
}

void ends_expect_in(const struct user *u, size_t from, size_t n, uint8_t seed)
{
	assert_int_equal(u->n, from + n);
	for (size_t i = 0; i < n; i++)
		assert_int_equal(u->in[from + i], ends_pattern(i, seed));
}

int ends_set_up(void **state)
{
	(void)state;
	memset(counters, 0, sizeof counters);
	ends.loop = loop_new_virtual(0, 0);
	ends_seals_new(ends.seals, 1);
	return 0;
}

int ends_tear_down(void **state)
{
	(void)state;
	seal_release(ends.seals[0]);
	seal_release(ends.seals[1]);
	loop_free(ends.loop);
	return 0;
}
