// links: tunnel/sealed.c tunnel/hold.c tunnel/seal.c tunnel/counters.c tunnel/loop.c tunnel/log.c framing/capsule.c framing/cursor.c
// links: framing/varint.c framing/error.c tests/lib/ends.c
/* libs: -lev -lcrypto */
/* Sealed exchanges: what arrives is what was sent, in whatever pieces; answers of others, and ends. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>
#include <unistd.h>

#include "framing/capsule.h"
#include "framing/error.h"
#include "tests/lib/ends.h"
#include "tunnel/counters.h"

/* ---- what should arrive ---- */

static void round_trip(size_t n, size_t piece)
{
	ends_helper_begin();
	ends_server_begin();
	assert_int_equal(ends_ask(n, 1, true), 0);
	assert_int_equal(ends.up.ends, 1);
	assert_int_equal(ends_bring(&ends.down, ends.up.out, ends.up.n, piece), 0);
	assert_int_equal(ends.server.opened, 1);
	assert_string_equal(ends.server.authorization, AUTHORIZATION);
	ends_expect_in(&ends.server, 0, n, 1);
	ends.down.x.events->end(ends.down.x.ctx);
	assert_int_equal(ends.server.ends, 1);
	assert_int_equal(ends_answer(n + 1, 2, true), 0);
	ends_bring_head(200);
	assert_int_equal(ends_bring(&ends.up, ends.down.out, ends.down.n, piece), 0);
	ends_expect_in(&ends.helper, 0, n + 1, 2);
	ends.up.x.events->end(ends.up.x.ctx);
	assert_int_equal(ends.helper.ends, 1);
	ends.up.x.events->closed(ends.up.x.ctx, 0);
	ends.down.x.events->closed(ends.down.x.ctx, 0);
	assert_int_equal(ends.helper.closed + ends.server.closed, 2);
	assert_int_equal(ends.helper.error, 0);
	ends_turn();
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
	ends_helper_begin();
	ends_server_begin();
	ends_ask(100, 1, true);
	assert_int_equal(ends.up.n, 100 + strlen(AUTHORIZATION) + 3 + SEAL_HEAD + SEAL_TAG);
	assert_true(SEAL_HEAD + SEAL_TAG + 3 + strlen("&s=4294967295") - line <= 30);
	ends_bring(&ends.down, ends.up.out, ends.up.n, ends.up.n);
	assert_int_equal(exchange_pad(ends.server.x, 4096), 4096 - 27);	/* a block that some proxies want full */
	assert_int_equal(exchange_pad(ends.server.x, 27), 0);
	ends_answer(4096 - 27, 1, true);
	assert_int_equal(ends.down.n, 4096);
	ends_cut_both();
}

/* A body without anything (`down`): the credential goes alone, at once. */
static void test_nothing_but_the_credential(void **state)
{
	struct exchange_head head = { .method = "POST", .target = TARGET, .authorization = AUTHORIZATION };
	size_t cap;

	(void)state;
	for (int asked = 0; asked < 2; asked++) {
		ends_helper_begin();
		ends_server_begin();
		if (asked)
			assert_non_null(exchange_room(ends.helper.x, 0, &cap));
		assert_int_equal(exchange_send(ends.helper.x, &head, 0, true), 0);
		assert_int_equal(ends.up.n, strlen(AUTHORIZATION) + 3 + 27);
		assert_int_equal(ends_bring(&ends.down, ends.up.out, ends.up.n, 10), 0);
		assert_string_equal(ends.server.authorization, AUTHORIZATION);
		assert_int_equal(ends.server.n, 0);
		ends_cut_both();
	}
	ends_helper_begin();		/* without one: the server sees that there is none */
	ends_server_begin();
	head.authorization = NULL;
	ends_send_from(&ends.helper, &head, 5, 1, true);
	ends_bring(&ends.down, ends.up.out, ends.up.n, 10);
	assert_int_equal(ends.server.opened, 1);
	assert_string_equal(ends.server.authorization, "");
	ends_expect_in(&ends.server, 0, 5, 1);
	ends_cut_both();
}

/* Streamed both ways: many portions, the end alone. */
static void test_streamed(void **state)
{
	(void)state;
	ends_helper_begin();
	ends_server_begin();
	ends_ask(100, 0, false);
	for (size_t i = 1; i < 20; i++)
		assert_int_equal(ends_send_from(&ends.helper, NULL, 100 * i, (uint8_t)i, false), 0);
	assert_int_equal(exchange_send(ends.helper.x, NULL, 0, true), 0);
	assert_int_equal(ends.up.ends, 1);
	assert_int_equal(ends.up.heads, 1);
	assert_int_equal(ends_bring(&ends.down, ends.up.out, ends.up.n, 333), 0);
	assert_int_equal(ends.server.n, 100 + 19000);
	for (size_t i = 0; i < 900; i++)
		assert_int_equal(ends.server.in[ends.server.n - 1900 + i], ends_pattern(i, 19));
	ends_bring_head(200);
	for (size_t i = 0; i < 20; i++) {
		size_t before = ends.down.n, had = ends.helper.n;

		ends_answer(10 * i + 1, (uint8_t)i, false);
		assert_int_equal(ends_bring(&ends.up, ends.down.out + before, ends.down.n - before, 1 + 7 * i), 0);
		ends_expect_in(&ends.helper, had, 10 * i + 1, (uint8_t)i);
	}
	exchange_send(ends.server.x, NULL, 0, true);
	assert_int_equal(ends.down.ends, 1);
	ends.down.full = true;
	assert_null(exchange_room(ends.server.x, 10, &(size_t){ 0 }));
	ends.down.x.events->writable(ends.down.x.ctx);
	assert_int_equal(ends.server.writables, 1);
	ends_cut_both();
	assert_int_equal(ends.server.closed, 1);
	assert_int_equal(ends.server.error, ERROR_RESET);
}

/* Paused in the middle of what came at once: the rest waits, and comes later. */
static void test_pause(void **state)
{
	(void)state;
	ends_helper_begin();
	ends_server_begin();
	ends_ask(100, 0, false);
	for (size_t i = 1; i < 4; i++)
		ends_send_from(&ends.helper, NULL, 100, (uint8_t)i, false);
	assert_int_equal(ends_bring(&ends.down, ends.up.out, 50, 50), 0);
	ends.server.pause = true;
	assert_int_equal(ends_bring(&ends.down, ends.up.out + 50, ends.up.n - 50, ends.up.n), 0);
	for (size_t i = 0; i < 4; i++) {
		assert_true(ends.down.paused);
		ends_turn();
		ends_expect_in(&ends.server, 100 * i, 100, (uint8_t)i);
		exchange_pause(ends.server.x, false);
		exchange_pause(ends.server.x, false);
		ends_expect_in(&ends.server, 100 * i, 100, (uint8_t)i);	/* never from within the call */
		ends_turn();
	}
	assert_false(ends.down.paused);
	ends_cut_both();
}

/* Handed down, while there is something below. */
static void test_sparse(void **state)
{
	(void)state;
	ends_helper_begin();
	exchange_sparse(ends.helper.x, true);
	assert_true(ends.up.sparse);
	exchange_sparse(ends.helper.x, false);
	assert_false(ends.up.sparse);
	ends_server_begin();
	ends_cut_both();
}

static void expect_dropped(unsigned refused, const char *why)
{
	assert_int_equal(ends.server.opened, 0);
	assert_int_equal(ends.server.failed, 1);
	assert_null(ends.down.x.events);
	assert_int_equal(counted(sealed_refused), refused + 1);
	if (!strstr(ends.server.why, why))
		fail_msg("\"%s\" lacks \"%s\"", ends.server.why, why);
}

/* ---- answers of others ---- */

static void test_pages(void **state)
{
	static const char page[] = "<html>Blocked</html>";
	unsigned refused = (unsigned)counted(sealed_refused);

	(void)state;
	ends_helper_begin();
	ends_ask(20, 1, true);
	ends_bring_head(404);
	assert_int_equal(ends_bring(&ends.up, (const uint8_t *)page, sizeof page, 9), 0);
	assert_memory_equal(ends.helper.in, page, sizeof page);
	ends.up.x.events->end(ends.up.x.ctx);
	assert_int_equal(ends.helper.ends, 1);
	assert_int_equal(counted(sealed_refused), refused);
	ends_cut(&ends.up);
	ends_helper_begin();
	ends_ask(20, 1, true);
	ends_bring_head(200);
	assert_int_equal(ends.helper.heads, 1);
	assert_int_equal(ends_bring(&ends.up, (const uint8_t *)page, sizeof page, 9), ERROR_HTTP);
	assert_int_equal(ends.helper.n, 0);
	assert_int_equal(counted(sealed_refused), refused + 1);
	ends_cut(&ends.up);
	ends_server_begin();
	assert_int_equal(ends_bring(&ends.down, (const uint8_t *)page, sizeof page, 9), 0);
	expect_dropped(refused + 1, "is not sealed");
	ends_server_begin();
	assert_int_equal(ends_bring(&ends.down, (const uint8_t *)"\x19\x80\x0f\x00\x00", 5, 9), 0);
	expect_dropped(refused + 2, "too long");
	ends_turn();
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
	seal_on_lost(ends.seals[0], ends.loop, on_lost, &losses);
	for (int i = 0; i < 2; i++) {
		ends_helper_begin();
		ends_ask(20, 1, true);
		ends_bring_head(200);
		assert_int_equal(ends_bring(&ends.up, (const uint8_t *)"\x1a\x00", 2, 1), ERROR_AUTH);
		ends_turn();
		assert_int_equal(losses, 1);
		assert_int_equal(counted(seals_lost), lost + 1);
		assert_true(seal_is_lost(ends.seals[0]));
		ends.up.x.events->closed(ends.up.x.ctx, ERROR_AUTH);
		assert_int_equal(ends.helper.error, ERROR_AUTH);
		ends_turn();
	}
	ends_server_begin();		/* not for servers */
	ends_bring(&ends.down, (const uint8_t *)"\x1a\x00", 2, 1);
	assert_int_equal(ends.server.failed, 1);
	ends_turn();
}

/* ---- ends ---- */

static void test_nobody_takes_it(void **state)
{
	(void)state;
	for (int i = 0; i < 2; i++) {
		ends_helper_begin();
		ends_ask(20, 1, true);
		ends_server_begin();
		ends.server.take_nothing = i;
		ends.server.abort_when_opened = !i;
		assert_int_equal(ends_bring(&ends.down, ends.up.out, ends.up.n, ends.up.n), ERROR_CLOSED);
		assert_int_equal(ends.down.aborts, i ? 0 : 1);
		assert_int_equal(ends.server.n, 0);
		ends_cut_both();
	}
}

/* It was opened, but whoever looks at the credential does not want it: given back, so that the answer is in the clear. */
static void test_unwanted(void **state)
{
	(void)state;
	for (size_t piece = 1; piece < 100000; piece *= 100) {
		ends_helper_begin();
		ends_ask(20, 1, false);
		ends_send_from(&ends.helper, NULL, 20, 2, false);
		ends_server_begin();
		ends.server.unwanted = true;
		assert_int_equal(ends_bring(&ends.down, ends.up.out, ends.up.n, piece), 0);
		assert_int_equal(ends.server.opened, 1);
		assert_int_equal(ends.server.failed, 1);
		assert_string_equal(ends.server.why, "");
		assert_int_equal(ends.down.aborts, 0);
		assert_int_equal(ends.server.n, 0);
		ends_turn();
		ends_cut(&ends.up);
	}
}

static void test_aborted_in_its_body(void **state)
{
	(void)state;
	ends_helper_begin();
	ends_ask(20, 1, false);
	ends_send_from(&ends.helper, NULL, 20, 2, false);
	ends_server_begin();
	ends.server.abort = true;
	assert_int_equal(ends_bring(&ends.down, ends.up.out, ends.up.n, ends.up.n), ERROR_CLOSED);
	assert_int_equal(ends.server.n, 20);
	assert_int_equal(ends.down.aborts, 1);
	ends_cut_both();
	assert_int_equal(ends.server.closed, 0);
	ends_helper_begin();
	ends_ask(20, 1, true);
	exchange_abort(ends.helper.x);
	assert_int_equal(ends.up.aborts, 1);
	ends_turn();
	assert_int_equal(ends.helper.closed, 0);
}

static void test_body_that_is_refused(void **state)
{
	(void)state;
	ends_helper_begin();
	ends_ask(20, 1, false);
	ends_send_from(&ends.helper, NULL, 20, 2, false);
	ends_server_begin();
	ends.server.body_code = ERROR_MALFORMED;
	assert_int_equal(ends_bring(&ends.down, ends.up.out, ends.up.n, ends.up.n), ERROR_MALFORMED);
	assert_int_equal(ends.server.n, 20);
	ends_cut(&ends.down);
	ends_server_begin();		/* and behind a pause */
	ends.server.pause = true;
	assert_int_equal(ends_bring(&ends.down, ends.up.out, ends.up.n, ends.up.n), 0);
	ends.server.body_code = ERROR_MALFORMED;
	exchange_pause(ends.server.x, false);
	ends_turn();
	assert_int_equal(ends.server.closed, 1);
	assert_int_equal(ends.server.error, ERROR_MALFORMED);
	assert_int_equal(ends.down.aborts, 1);
	ends_cut_both();
}

static void test_too_slow(void **state)
{
	(void)state;
	ends_helper_begin();
	ends_ask(20, 1, true);
	ends_server_begin();
	ends_bring(&ends.down, ends.up.out, ends.up.n - 1, 9);
	loop_advance(ends.loop, loop_now(ends.loop) + SEALED_WAIT + LOOP_SECOND);
	assert_int_equal(ends.server.failed, 1);
	assert_non_null(strstr(ends.server.why, "in time"));
	ends_server_begin();
	ends_bring(&ends.down, ends.up.out, ends.up.n, 9);
	loop_advance(ends.loop, loop_now(ends.loop) + 2 * SEALED_WAIT);
	assert_int_equal(ends.server.failed, 0);
	ends_cut_both();
}

/* No key is left: it fails by itself, and the owner of the seal hears it. */
static void test_used_up(void **state)
{
	struct seal_limits none = { .capsules = 0, .age_us = 0, .refused = 1 };

	(void)state;
	losses = 0;
	seal_on_lost(ends.seals[0], ends.loop, on_lost, &losses);
	seal_limit(ends.seals[0], &none);
	for (int i = 0; i < 16384; i++) {
		ends_helper_begin();
		if (ends_ask(20, 1, false) < 0)
			break;
		ends_cut(&ends.up);
		assert_true(i < 16383);
	}
	assert_int_equal(exchange_send(ends.helper.x, NULL, 0, true), ERROR_LIMIT);
	assert_null(exchange_room(ends.helper.x, 1, &(size_t){ 0 }));
	assert_int_equal(ends.helper.closed, 0);
	ends_turn();
	assert_int_equal(ends.helper.closed, 1);
	assert_int_equal(ends.helper.error, ERROR_LIMIT);
	assert_int_equal(ends.up.aborts, 1);
	assert_int_equal(losses, 1);
}

int main(void)
{
#define SEALED_TEST(f) cmocka_unit_test_setup_teardown(f, ends_set_up, ends_tear_down)
	const struct CMUnitTest tests[] = {
		SEALED_TEST(test_complete),
		SEALED_TEST(test_bytes),
		SEALED_TEST(test_nothing_but_the_credential),
		SEALED_TEST(test_streamed),
		SEALED_TEST(test_pause),
		SEALED_TEST(test_sparse),
		SEALED_TEST(test_pages),
		SEALED_TEST(test_unsealed),
		SEALED_TEST(test_nobody_takes_it),
		SEALED_TEST(test_unwanted),
		SEALED_TEST(test_aborted_in_its_body),
		SEALED_TEST(test_body_that_is_refused),
		SEALED_TEST(test_too_slow),
		SEALED_TEST(test_used_up),
	};

	alarm(600);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
