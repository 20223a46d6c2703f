// links: tunnel/sealed.c tunnel/seal.c tunnel/counters.c tunnel/loop.c tunnel/log.c framing/capsule.c framing/cursor.c framing/varint.c
// links: framing/error.c
/* libs: -lev -lcrypto */
/* Sealed exchanges around ones that only keep what is written: what arrives is what was sent, in whatever pieces; whatever was
 * altered, cut or exchanged on the way is dropped and counted, and no octet of it is handed on. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "framing/capsule.h"
#include "framing/error.h"
#include "tunnel/counters.h"
#include "tunnel/sealed.h"

#define TARGET "/culvert/v1/AAAAAAAAAAAAAAAAAAAAAA?c=0&x=1&m=poll&hold=0&k=1&s=7&e=0000000000000001"
#define OTHER "/culvert/v1/AAAAAAAAAAAAAAAAAAAAAA?c=0&x=2&m=poll&hold=0&k=1&s=7&e=0000000000000001"
#define AUTHORIZATION "Culvert id=anna, ts=1700000000, mac=Fw4XUkZNFtSg0DbHhcYJqEeLWTyvRMggeFBBowgPNGE"
#define BODY_MAX 400000

/* The exchange below: what a connection would send. */
struct below {
	struct exchange x;
	uint8_t room[EXCHANGE_ROOM_INNER], out[BODY_MAX];
	size_t n;
	unsigned heads, ends, aborts;
	bool full, paused;
};

/* Who uses the sealed one. */
struct user {
	struct exchange *x;
	uint8_t in[BODY_MAX];
	size_t n;
	unsigned heads, ends, writables, closed, opened, failed, gone;
	int error, body_code;
	bool pause, abort, take_nothing, abort_when_opened;
	char authorization[200], why[200];
};

static struct loop *loop;
static struct seal *seals[2];	/* helper's, server's */
static struct below up, down;
static struct user helper, server;

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

static const struct exchange_ops below_ops = { below_room, below_send, below_pause, below_abort };

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

static void on_opened(void *ctx, struct exchange *plain, struct span authorization)
{
	struct user *u = ctx;

	u->opened++;
	memcpy(u->authorization, authorization.p ? authorization.p : (const uint8_t *)"", authorization.n);
	u->authorization[authorization.n] = '\0';
	if (u->abort_when_opened) {
		exchange_abort(plain);
		return;
	}
	if (u->take_nothing)
		return;
	u->x = plain;
	plain->events = &user_events;
	plain->ctx = u;
}

static void on_failed(void *ctx, struct exchange *inner, const char *why)
{
	struct user *u = ctx;

	assert_ptr_equal(inner, &down.x);
	u->failed++;
	snprintf(u->why, sizeof u->why, "%s", why);
	inner->events = NULL;
}

static void on_gone(void *ctx)
{
	((struct user *)ctx)->gone++;
}

static const struct sealed_events server_events = { on_opened, on_failed, on_gone };

/* ---- the two ends ---- */

static void seals_new(struct seal **two, uint8_t seed)
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

static void turn(void)
{
	loop_advance(loop, loop_now(loop) + 1000);
}

static void helper_begin(void)
{
	below_init(&up);
	user_init(&helper);
	up.x.events = &user_events;
	up.x.ctx = &helper;
	helper.x = sealed_helper(loop, seals[0], &up.x);
	assert_ptr_equal(helper.x->events, &user_events);
	assert_ptr_equal(helper.x->inner, &up.x);
}

static void server_begin_with(struct seal *seal, const char *target)
{
	below_init(&down);
	user_init(&server);
	sealed_server(loop, seal, &down.x, (struct span){ (const uint8_t *)target, strlen(target) }, &server_events, &server);
}

static void server_begin(void)
{
	server_begin_with(seals[1], TARGET);
}

/* Connections are cut: everything of both goes. */
static void cut(struct below *b)
{
	if (b->x.events)
		b->x.events->closed(b->x.ctx, ERROR_RESET);
	b->x.events = NULL;
	turn();
}

static void cut_both(void)
{
	cut(&up);
	cut(&down);
}

static uint8_t pattern(size_t i, uint8_t seed)
{
	return (uint8_t)(i * 131 + (i >> 8) + seed);
}

static int send_from(struct user *u, const struct exchange_head *head, size_t n, uint8_t seed, bool end)
{
	size_t cap;
	uint8_t *p = exchange_room(u->x, n, &cap);

	assert_non_null(p);
	assert_true(cap >= n && cap <= EXCHANGE_ROOM_MAX);
	for (size_t i = 0; i < n; i++)
		p[i] = pattern(i, seed);
	return exchange_send(u->x, head, n, end);
}

static int ask_for(const char *target, size_t n, uint8_t seed, bool end)
{
	struct exchange_head head = { .method = "POST", .target = target, .host = "h", .lines = "", .streamed = !end,
				      .authorization = AUTHORIZATION };

	return send_from(&helper, &head, n, seed, end);
}

static int ask(size_t n, uint8_t seed, bool end)
{
	return ask_for(TARGET, n, seed, end);
}

static int answer(size_t n, uint8_t seed, bool end)
{
	struct exchange_head head = { .status = 200, .lines = "", .streamed = !end };

	return send_from(&server, down.heads ? NULL : &head, n, seed, end);
}

/* What the connection brings to an exchange, in pieces; the first code that is returned. */
static int bring(struct below *to, const uint8_t *p, size_t n, size_t piece)
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

static void bring_head(int status)
{
	struct http1_head head = { .status = status };

	assert_int_equal(up.x.events->head(up.x.ctx, &head), 0);
}

static void expect_in(const struct user *u, size_t from, size_t n, uint8_t seed)
{
	assert_int_equal(u->n, from + n);
	for (size_t i = 0; i < n; i++)
		assert_int_equal(u->in[from + i], pattern(i, seed));
}

/* ---- what should arrive ---- */

static void round_trip(size_t n, size_t piece)
{
	helper_begin();
	server_begin();
	assert_int_equal(ask(n, 1, true), 0);
	assert_int_equal(up.ends, 1);
	assert_int_equal(bring(&down, up.out, up.n, piece), 0);
	assert_int_equal(server.opened, 1);
	assert_string_equal(server.authorization, AUTHORIZATION);
	expect_in(&server, 0, n, 1);
	down.x.events->end(down.x.ctx);
	assert_int_equal(server.ends, 1);
	assert_int_equal(answer(n + 1, 2, true), 0);
	bring_head(200);
	assert_int_equal(bring(&up, down.out, down.n, piece), 0);
	expect_in(&helper, 0, n + 1, 2);
	up.x.events->end(up.x.ctx);
	assert_int_equal(helper.ends, 1);
	up.x.events->closed(up.x.ctx, 0);
	down.x.events->closed(down.x.ctx, 0);
	assert_int_equal(helper.closed + server.closed, 2);
	assert_int_equal(helper.error, 0);
	turn();
}

static void test_complete(void **state)
{
	static const size_t n[] = { 0, 1, 100, 5000, EXCHANGE_ROOM_MAX - 1 };

	(void)state;
	for (size_t i = 0; i < sizeof n / sizeof *n; i++)
		for (size_t piece = 1; piece < 200000; piece = piece * 7 + 2)
			if (n[i] < 10000 || piece > 100)
				round_trip(n[i], piece);
	assert_int_equal(counted(sealed_refused), 0);
	assert_int_equal(counted(sealed_in), counted(sealed_out));
}

/* The credential within takes the place of a header line: what an exchange is longer by. */
static void test_bytes(void **state)
{
	const size_t line = strlen("Authorization: \r\n");

	(void)state;
	helper_begin();
	server_begin();
	ask(100, 1, true);
	assert_int_equal(up.n, 100 + strlen(AUTHORIZATION) + 3 + SEAL_HEAD + SEAL_TAG);
	assert_true(SEAL_HEAD + SEAL_TAG + 3 + strlen("&s=4294967295") - line <= 30);
	bring(&down, up.out, up.n, up.n);
	assert_int_equal(exchange_pad(server.x, 4096), 4096 - 27);	/* a block that some proxies want full */
	assert_int_equal(exchange_pad(server.x, 27), 0);
	answer(4096 - 27, 1, true);
	assert_int_equal(down.n, 4096);
	cut_both();
}

/* A body without anything (`down`): the credential goes alone, at once. */
static void test_nothing_but_the_credential(void **state)
{
	struct exchange_head head = { .method = "POST", .target = TARGET, .authorization = AUTHORIZATION };
	size_t cap;

	(void)state;
	for (int asked = 0; asked < 2; asked++) {
		helper_begin();
		server_begin();
		if (asked)
			assert_non_null(exchange_room(helper.x, 0, &cap));
		assert_int_equal(exchange_send(helper.x, &head, 0, true), 0);
		assert_int_equal(up.n, strlen(AUTHORIZATION) + 3 + 27);
		assert_int_equal(bring(&down, up.out, up.n, 10), 0);
		assert_string_equal(server.authorization, AUTHORIZATION);
		assert_int_equal(server.n, 0);
		cut_both();
	}
	helper_begin();		/* without one: the server sees that there is none */
	server_begin();
	head.authorization = NULL;
	send_from(&helper, &head, 5, 1, true);
	bring(&down, up.out, up.n, 10);
	assert_int_equal(server.opened, 1);
	assert_string_equal(server.authorization, "");
	expect_in(&server, 0, 5, 1);
	cut_both();
}

/* Streamed both ways: many portions, the end alone. */
static void test_streamed(void **state)
{
	(void)state;
	helper_begin();
	server_begin();
	ask(100, 0, false);
	for (size_t i = 1; i < 20; i++)
		assert_int_equal(send_from(&helper, NULL, 100 * i, (uint8_t)i, false), 0);
	assert_int_equal(exchange_send(helper.x, NULL, 0, true), 0);
	assert_int_equal(up.ends, 1);
	assert_int_equal(up.heads, 1);
	assert_int_equal(bring(&down, up.out, up.n, 333), 0);
	assert_int_equal(server.n, 100 + 19000);
	for (size_t i = 0; i < 900; i++)
		assert_int_equal(server.in[server.n - 1900 + i], pattern(i, 19));
	bring_head(200);
	for (size_t i = 0; i < 20; i++) {
		size_t before = down.n, had = helper.n;

		answer(10 * i + 1, (uint8_t)i, false);
		assert_int_equal(bring(&up, down.out + before, down.n - before, 1 + 7 * i), 0);
		expect_in(&helper, had, 10 * i + 1, (uint8_t)i);
	}
	exchange_send(server.x, NULL, 0, true);
	assert_int_equal(down.ends, 1);
	down.full = true;
	assert_null(exchange_room(server.x, 10, &(size_t){ 0 }));
	down.x.events->writable(down.x.ctx);
	assert_int_equal(server.writables, 1);
	cut_both();
	assert_int_equal(server.closed, 1);
	assert_int_equal(server.error, ERROR_RESET);
}

/* Paused in the middle of what came at once: the rest waits, and comes later. */
static void test_pause(void **state)
{
	(void)state;
	helper_begin();
	server_begin();
	ask(100, 0, false);
	for (size_t i = 1; i < 4; i++)
		send_from(&helper, NULL, 100, (uint8_t)i, false);
	assert_int_equal(bring(&down, up.out, 50, 50), 0);
	server.pause = true;
	assert_int_equal(bring(&down, up.out + 50, up.n - 50, up.n), 0);
	for (size_t i = 0; i < 4; i++) {
		assert_true(down.paused);
		turn();
		expect_in(&server, 100 * i, 100, (uint8_t)i);
		exchange_pause(server.x, false);
		exchange_pause(server.x, false);
		expect_in(&server, 100 * i, 100, (uint8_t)i);	/* never from within the call */
		turn();
	}
	assert_false(down.paused);
	cut_both();
}

/* ---- what should not ---- */

static void expect_dropped(unsigned refused, const char *why)
{
	assert_int_equal(server.opened, 0);
	assert_int_equal(server.failed, 1);
	assert_null(down.x.events);
	assert_int_equal(counted(sealed_refused), refused + 1);
	if (!strstr(server.why, why))
		fail_msg("\"%s\" lacks \"%s\"", server.why, why);
}

/* Each bit of a short request and of its answer. */
static void test_each_bit(void **state)
{
	static uint8_t request[BODY_MAX], reply[BODY_MAX];
	size_t request_n, reply_n;

	(void)state;
	helper_begin();
	server_begin();
	ask(20, 1, true);
	bring(&down, up.out, up.n, up.n);
	answer(20, 2, true);
	memcpy(request, up.out, request_n = up.n);
	memcpy(reply, down.out, reply_n = down.n);
	cut_both();
	for (size_t bit = 0; bit < 8 * request_n; bit++) {
		unsigned refused = (unsigned)counted(sealed_refused);

		request[bit / 8] ^= (uint8_t)(1 << bit % 8);
		server_begin();
		assert_int_equal(bring(&down, request, request_n, 40), 0);
		if (down.x.events)	/* it waits for more: there is none */
			down.x.events->end(down.x.ctx);
		expect_dropped(refused, "");
		assert_int_equal(server.n, 0);
		request[bit / 8] ^= (uint8_t)(1 << bit % 8);
		turn();
	}
	for (size_t bit = 0; bit < 8 * reply_n; bit++) {
		unsigned refused = (unsigned)counted(sealed_refused);
		int rc;

		helper_begin();
		ask(20, 1, true);
		reply[bit / 8] ^= (uint8_t)(1 << bit % 8);
		rc = bring(&up, reply, reply_n, 40);
		if (reply[0] == CAPSULE_UNSEALED) {	/* one bit from SEALED: another way to fail */
			assert_int_equal(rc, ERROR_AUTH);
		} else {
			if (rc == 0)
				up.x.events->end(up.x.ctx);
			assert_true(rc == ERROR_AUTH || rc == ERROR_HTTP || (rc == 0 && helper.ends == 1));
			assert_int_equal(counted(sealed_refused), refused + 1);
		}
		assert_int_equal(helper.n, 0);
		reply[bit / 8] ^= (uint8_t)(1 << bit % 8);
		cut(&up);
	}
}

/* In the middle of a streamed body: what came before stands, nothing behind it comes. */
static void test_later_bits(void **state)
{
	static uint8_t request[BODY_MAX];
	size_t first, n;

	(void)state;
	helper_begin();
	ask(20, 1, false);
	first = up.n;
	send_from(&helper, NULL, 20, 2, false);
	send_from(&helper, NULL, 20, 3, false);
	memcpy(request, up.out, n = up.n);
	for (size_t bit = 8 * first; bit < 8 * (first + 47); bit++) {
		unsigned refused = (unsigned)counted(sealed_refused);
		int rc;

		request[bit / 8] ^= (uint8_t)(1 << bit % 8);
		server_begin();
		rc = bring(&down, request, n, n);
		if (rc == 0)
			down.x.events->end(down.x.ctx);
		else
			assert_int_equal(rc, ERROR_AUTH);
		expect_in(&server, 0, 20, 1);
		assert_int_equal(counted(sealed_refused), refused + 1);
		request[bit / 8] ^= (uint8_t)(1 << bit % 8);
		cut(&down);
	}
	cut(&up);
}

/* Cut at each octet, in order or not. */
static void test_truncated(void **state)
{
	size_t first;

	(void)state;
	helper_begin();
	ask(20, 1, false);
	first = up.n;
	send_from(&helper, NULL, 20, 2, false);
	for (size_t n = 0; n <= up.n; n++) {
		bool whole = n == first || n == up.n;
		unsigned refused = (unsigned)counted(sealed_refused);

		server_begin();
		assert_int_equal(bring(&down, up.out, n, 9), 0);
		down.x.events->end(down.x.ctx);
		assert_int_equal(counted(sealed_refused), refused + !whole);
		assert_int_equal(server.opened, n >= first);
		assert_int_equal(server.failed, n < first);
		assert_int_equal(server.n, n < first ? 0 : n < up.n ? 20 : 40);
		cut(&down);
		server_begin();
		bring(&down, up.out, n, 9);
		refused = (unsigned)counted(sealed_refused);
		cut(&down);	/* no cause for an alarm: connections end */
		assert_int_equal(counted(sealed_refused), refused);
		assert_int_equal(server.gone, n < first);
		assert_int_equal(server.closed, n >= first);
	}
	cut(&up);
}

/* The very request once more, as proxies send them: it is opened again, and means the same. */
static void test_replayed(void **state)
{
	(void)state;
	helper_begin();
	ask(20, 1, true);
	for (int i = 0; i < 3; i++) {
		server_begin();
		assert_int_equal(bring(&down, up.out, up.n, 9), 0);
		assert_string_equal(server.authorization, AUTHORIZATION);
		expect_in(&server, 0, 20, 1);
		cut(&down);
	}
	cut(&up);
}

/* In another exchange, in another session, the wrong way round. */
static void test_elsewhere(void **state)
{
	static uint8_t request[BODY_MAX], reply[BODY_MAX];
	size_t request_n, reply_n;
	struct seal *others[2];

	(void)state;
	seals_new(others, 50);
	helper_begin();
	server_begin();
	ask(20, 1, true);
	bring(&down, up.out, up.n, up.n);
	answer(20, 2, true);
	memcpy(request, up.out, request_n = up.n);
	memcpy(reply, down.out, reply_n = down.n);
	cut_both();
	server_begin_with(seals[1], OTHER);
	assert_int_equal(bring(&down, request, request_n, 9), 0);
	expect_dropped((unsigned)counted(sealed_refused) - 1, "belongs to another exchange");
	turn();
	server_begin_with(others[1], TARGET);
	assert_int_equal(bring(&down, request, request_n, 9), 0);
	expect_dropped((unsigned)counted(sealed_refused) - 1, "belongs to another exchange");
	turn();
	server_begin();
	assert_int_equal(bring(&down, reply, reply_n, 9), 0);
	expect_dropped((unsigned)counted(sealed_refused) - 1, "belongs to another exchange");
	turn();
	helper_begin();
	ask_for(OTHER, 20, 1, true);
	bring_head(200);
	assert_int_equal(bring(&up, reply, reply_n, 9), ERROR_AUTH);
	assert_int_equal(helper.n, 0);
	cut(&up);
	helper_begin();
	ask(20, 1, true);
	assert_int_equal(bring(&up, request, request_n, 9), ERROR_AUTH);	/* its own words */
	assert_int_equal(helper.n, 0);
	cut(&up);
	seal_release(others[0]);
	seal_release(others[1]);
}

/* Two capsules of one body change places, one is left out, one of another body stands in for one. */
static void test_mixed(void **state)
{
	static uint8_t made[BODY_MAX], first[BODY_MAX];
	size_t one, two;

	(void)state;
	helper_begin();
	ask(20, 1, false);
	one = up.n;
	send_from(&helper, NULL, 20, 2, false);
	two = up.n - one;
	send_from(&helper, NULL, 20, 3, false);
	memcpy(first, up.out, up.n);
	memcpy(made, up.out, one);
	memcpy(made + one, up.out + one + two, two);
	server_begin();
	assert_int_equal(bring(&down, made, one + two, 9), ERROR_AUTH);
	expect_in(&server, 0, 20, 1);
	cut_both();
	helper_begin();		/* the same request, said again with other bodies */
	ask(20, 4, false);
	send_from(&helper, NULL, 20, 5, false);
	memcpy(made + one, up.out + one, two);
	server_begin();
	assert_int_equal(bring(&down, made, one + two, 9), ERROR_AUTH);
	expect_in(&server, 0, 20, 1);
	cut_both();
	helper_begin();
	ask(20, 1, false);
	memcpy(up.out + up.n, first, one);	/* its beginning once more */
	server_begin();
	assert_int_equal(bring(&down, up.out, up.n + one, 9), ERROR_AUTH);
	expect_in(&server, 0, 20, 1);
	cut_both();
}

/* ---- answers of others ---- */

static void test_pages(void **state)
{
	static const char page[] = "<html>Blocked</html>";
	unsigned refused = (unsigned)counted(sealed_refused);

	(void)state;
	helper_begin();
	ask(20, 1, true);
	bring_head(404);
	assert_int_equal(bring(&up, (const uint8_t *)page, sizeof page, 9), 0);
	assert_memory_equal(helper.in, page, sizeof page);
	up.x.events->end(up.x.ctx);
	assert_int_equal(helper.ends, 1);
	assert_int_equal(counted(sealed_refused), refused);
	cut(&up);
	helper_begin();
	ask(20, 1, true);
	bring_head(200);
	assert_int_equal(helper.heads, 1);
	assert_int_equal(bring(&up, (const uint8_t *)page, sizeof page, 9), ERROR_HTTP);
	assert_int_equal(helper.n, 0);
	assert_int_equal(counted(sealed_refused), refused + 1);
	cut(&up);
	server_begin();
	assert_int_equal(bring(&down, (const uint8_t *)page, sizeof page, 9), 0);
	expect_dropped(refused + 1, "is not sealed");
	server_begin();
	assert_int_equal(bring(&down, (const uint8_t *)"\x19\x80\x0f\x00\x00", 5, 9), 0);
	expect_dropped(refused + 2, "too long");
	turn();
}

static unsigned losses;

static void on_lost(void *ctx)
{
	assert_ptr_equal(ctx, &losses);
	losses++;
}

static void test_unsealed(void **state)
{
	unsigned lost = (unsigned)counted(seals_lost);

	(void)state;
	losses = 0;
	seal_on_lost(seals[0], loop, on_lost, &losses);
	for (int i = 0; i < 2; i++) {
		helper_begin();
		ask(20, 1, true);
		bring_head(200);
		assert_int_equal(bring(&up, (const uint8_t *)"\x1a\x00", 2, 1), ERROR_AUTH);
		turn();
		assert_int_equal(losses, 1);
		assert_int_equal(counted(seals_lost), lost + 1);
		assert_true(seal_is_lost(seals[0]));
		up.x.events->closed(up.x.ctx, ERROR_AUTH);
		assert_int_equal(helper.error, ERROR_AUTH);
		turn();
	}
	server_begin();		/* not for servers */
	bring(&down, (const uint8_t *)"\x1a\x00", 2, 1);
	assert_int_equal(server.failed, 1);
	turn();
}

/* ---- ends ---- */

static void test_nobody_takes_it(void **state)
{
	(void)state;
	for (int i = 0; i < 2; i++) {
		helper_begin();
		ask(20, 1, true);
		server_begin();
		server.take_nothing = i;
		server.abort_when_opened = !i;
		assert_int_equal(bring(&down, up.out, up.n, up.n), ERROR_CLOSED);
		assert_int_equal(down.aborts, i ? 0 : 1);
		assert_int_equal(server.n, 0);
		cut_both();
	}
}

static void test_aborted_in_its_body(void **state)
{
	(void)state;
	helper_begin();
	ask(20, 1, false);
	send_from(&helper, NULL, 20, 2, false);
	server_begin();
	server.abort = true;
	assert_int_equal(bring(&down, up.out, up.n, up.n), ERROR_CLOSED);
	assert_int_equal(server.n, 20);
	assert_int_equal(down.aborts, 1);
	cut_both();
	assert_int_equal(server.closed, 0);
	helper_begin();
	ask(20, 1, true);
	exchange_abort(helper.x);
	assert_int_equal(up.aborts, 1);
	turn();
	assert_int_equal(helper.closed, 0);
}

static void test_body_that_is_refused(void **state)
{
	(void)state;
	helper_begin();
	ask(20, 1, false);
	send_from(&helper, NULL, 20, 2, false);
	server_begin();
	server.body_code = ERROR_MALFORMED;
	assert_int_equal(bring(&down, up.out, up.n, up.n), ERROR_MALFORMED);
	assert_int_equal(server.n, 20);
	cut(&down);
	server_begin();		/* and behind a pause */
	server.pause = true;
	assert_int_equal(bring(&down, up.out, up.n, up.n), 0);
	server.body_code = ERROR_MALFORMED;
	exchange_pause(server.x, false);
	turn();
	assert_int_equal(server.closed, 1);
	assert_int_equal(server.error, ERROR_MALFORMED);
	assert_int_equal(down.aborts, 1);
	cut_both();
}

static void test_too_slow(void **state)
{
	(void)state;
	helper_begin();
	ask(20, 1, true);
	server_begin();
	bring(&down, up.out, up.n - 1, 9);
	loop_advance(loop, loop_now(loop) + SEALED_WAIT + LOOP_SECOND);
	assert_int_equal(server.failed, 1);
	assert_non_null(strstr(server.why, "in time"));
	server_begin();
	bring(&down, up.out, up.n, 9);
	loop_advance(loop, loop_now(loop) + 2 * SEALED_WAIT);
	assert_int_equal(server.failed, 0);
	cut_both();
}

/* No key is left: it fails by itself, and the owner of the seal hears it. */
static void test_used_up(void **state)
{
	struct seal_limits none = { .capsules = 0, .age_us = 0, .refused = 1 };

	(void)state;
	losses = 0;
	seal_on_lost(seals[0], loop, on_lost, &losses);
	seal_limit(seals[0], &none);
	for (int i = 0; i < 16384; i++) {
		helper_begin();
		if (ask(20, 1, false) < 0)
			break;
		cut(&up);
		assert_true(i < 16383);
	}
	assert_int_equal(exchange_send(helper.x, NULL, 0, true), ERROR_LIMIT);
	assert_null(exchange_room(helper.x, 1, &(size_t){ 0 }));
	assert_int_equal(helper.closed, 0);
	turn();
	assert_int_equal(helper.closed, 1);
	assert_int_equal(helper.error, ERROR_LIMIT);
	assert_int_equal(up.aborts, 1);
	assert_int_equal(losses, 1);
}

static int set_up(void **state)
{
	(void)state;
	memset(counters, 0, sizeof counters);
	loop = loop_new_virtual(0, 0);
	seals_new(seals, 1);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	seal_release(seals[0]);
	seal_release(seals[1]);
	loop_free(loop);
	return 0;
}

int main(void)
{
#define SEALED_TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		SEALED_TEST(test_complete),
		SEALED_TEST(test_bytes),
		SEALED_TEST(test_nothing_but_the_credential),
		SEALED_TEST(test_streamed),
		SEALED_TEST(test_pause),
		SEALED_TEST(test_each_bit),
		SEALED_TEST(test_later_bits),
		SEALED_TEST(test_truncated),
		SEALED_TEST(test_replayed),
		SEALED_TEST(test_elsewhere),
		SEALED_TEST(test_mixed),
		SEALED_TEST(test_pages),
		SEALED_TEST(test_unsealed),
		SEALED_TEST(test_nobody_takes_it),
		SEALED_TEST(test_aborted_in_its_body),
		SEALED_TEST(test_body_that_is_refused),
		SEALED_TEST(test_too_slow),
		SEALED_TEST(test_used_up),
	};

	alarm(600);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
