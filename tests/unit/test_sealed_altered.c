// links: tunnel/sealed.c tunnel/hold.c tunnel/seal.c tunnel/counters.c tunnel/loop.c tunnel/log.c framing/capsule.c framing/cursor.c
// links: framing/varint.c framing/error.c tests/lib/ends.c
/* libs: -lev -lcrypto */
/* Sealed exchanges whose bytes are altered, cut or exchanged on the way: dropped and counted, and no octet of it is handed on. */
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

static void expect_dropped(unsigned refused, const char *why)
{
	assert_int_equal(ends.server.opened, 0);
	assert_int_equal(ends.server.failed, 1);
	assert_null(ends.down.x.events);
	assert_int_equal(counted(sealed_refused), refused + 1);
	if (!strstr(ends.server.why, why))
		fail_msg("\"%s\" lacks \"%s\"", ends.server.why, why);
}

/* Each bit of a short request and of its answer. */
static void test_each_bit(void **state)
{
	static uint8_t request[BODY_MAX], reply[BODY_MAX];
	size_t request_n, reply_n;

	(void)state;
	ends_helper_begin();
	ends_server_begin();
	ends_ask(20, 1, true);
	ends_bring(&ends.down, ends.up.out, ends.up.n, ends.up.n);
	ends_answer(20, 2, true);
	memcpy(request, ends.up.out, request_n = ends.up.n);
	memcpy(reply, ends.down.out, reply_n = ends.down.n);
	ends_cut_both();
	for (size_t bit = 0; bit < 8 * request_n; bit++) {
		unsigned refused = (unsigned)counted(sealed_refused);

		request[bit / 8] ^= (uint8_t)(1 << bit % 8);
		ends_server_begin();
		assert_int_equal(ends_bring(&ends.down, request, request_n, 40), 0);
		if (ends.down.x.events)	/* it waits for more: there is none */
			ends.down.x.events->end(ends.down.x.ctx);
		expect_dropped(refused, "");
		assert_int_equal(ends.server.n, 0);
		request[bit / 8] ^= (uint8_t)(1 << bit % 8);
		ends_turn();
	}
	for (size_t bit = 0; bit < 8 * reply_n; bit++) {
		unsigned refused = (unsigned)counted(sealed_refused);
		int rc;

		ends_helper_begin();
		ends_ask(20, 1, true);
		reply[bit / 8] ^= (uint8_t)(1 << bit % 8);
		rc = ends_bring(&ends.up, reply, reply_n, 40);
		if (reply[0] == CAPSULE_UNSEALED) {	/* one bit from SEALED: another way to fail */
			assert_int_equal(rc, ERROR_AUTH);
		} else {
			if (rc == 0)
				ends.up.x.events->end(ends.up.x.ctx);
			assert_true(rc == ERROR_AUTH || rc == ERROR_HTTP || (rc == 0 && ends.helper.ends == 1));
			assert_int_equal(counted(sealed_refused), refused + 1);
		}
		assert_int_equal(ends.helper.n, 0);
		reply[bit / 8] ^= (uint8_t)(1 << bit % 8);
		ends_cut(&ends.up);
	}
}

/* In the middle of a streamed body: what came before stands, nothing behind it comes. */
static void test_later_bits(void **state)
{
	static uint8_t request[BODY_MAX];
	size_t first, n;

	(void)state;
	ends_helper_begin();
	ends_ask(20, 1, false);
	first = ends.up.n;
	ends_send_from(&ends.helper, NULL, 20, 2, false);
	ends_send_from(&ends.helper, NULL, 20, 3, false);
	memcpy(request, ends.up.out, n = ends.up.n);
	for (size_t bit = 8 * first; bit < 8 * (first + 47); bit++) {
		unsigned refused = (unsigned)counted(sealed_refused);
		int rc;

		request[bit / 8] ^= (uint8_t)(1 << bit % 8);
		ends_server_begin();
		rc = ends_bring(&ends.down, request, n, n);
		if (rc == 0)
			ends.down.x.events->end(ends.down.x.ctx);
		else
			assert_int_equal(rc, ERROR_AUTH);
		ends_expect_in(&ends.server, 0, 20, 1);
		assert_int_equal(counted(sealed_refused), refused + 1);
		request[bit / 8] ^= (uint8_t)(1 << bit % 8);
		ends_cut(&ends.down);
	}
	ends_cut(&ends.up);
}

/* Cut at each octet, in order or not. */
static void test_truncated(void **state)
{
	size_t first;

	(void)state;
	ends_helper_begin();
	ends_ask(20, 1, false);
	first = ends.up.n;
	ends_send_from(&ends.helper, NULL, 20, 2, false);
	for (size_t n = 0; n <= ends.up.n; n++) {
		bool whole = n == first || n == ends.up.n;
		unsigned refused = (unsigned)counted(sealed_refused);

		ends_server_begin();
		assert_int_equal(ends_bring(&ends.down, ends.up.out, n, 9), 0);
		ends.down.x.events->end(ends.down.x.ctx);
		assert_int_equal(counted(sealed_refused), refused + !whole);
		assert_int_equal(ends.server.opened, n >= first);
		assert_int_equal(ends.server.failed, n < first);
		assert_int_equal(ends.server.n, n < first ? 0 : n < ends.up.n ? 20 : 40);
		ends_cut(&ends.down);
		ends_server_begin();
		ends_bring(&ends.down, ends.up.out, n, 9);
		refused = (unsigned)counted(sealed_refused);
		ends_cut(&ends.down);	/* no cause for an alarm: connections end */
		assert_int_equal(counted(sealed_refused), refused);
		assert_int_equal(ends.server.gone, n < first);
		assert_int_equal(ends.server.closed, n >= first);
	}
	ends_cut(&ends.up);
}

/* The very request once more, as proxies send them: it is opened again, and means the same. */
static void test_replayed(void **state)
{
	(void)state;
	ends_helper_begin();
	ends_ask(20, 1, true);
	for (int i = 0; i < 3; i++) {
		ends_server_begin();
		assert_int_equal(ends_bring(&ends.down, ends.up.out, ends.up.n, 9), 0);
		assert_string_equal(ends.server.authorization, AUTHORIZATION);
		ends_expect_in(&ends.server, 0, 20, 1);
		ends_cut(&ends.down);
	}
	ends_cut(&ends.up);
}

/* In another exchange, in another session, the wrong way round. */
static void test_elsewhere(void **state)
{
	static uint8_t request[BODY_MAX], reply[BODY_MAX];
	size_t request_n, reply_n;
	struct seal *others[2];

	(void)state;
	ends_seals_new(others, 50);
	ends_helper_begin();
	ends_server_begin();
	ends_ask(20, 1, true);
	ends_bring(&ends.down, ends.up.out, ends.up.n, ends.up.n);
	ends_answer(20, 2, true);
	memcpy(request, ends.up.out, request_n = ends.up.n);
	memcpy(reply, ends.down.out, reply_n = ends.down.n);
	ends_cut_both();
	ends_server_begin_with(ends.seals[1], OTHER);
	assert_int_equal(ends_bring(&ends.down, request, request_n, 9), 0);
	expect_dropped((unsigned)counted(sealed_refused) - 1, "belongs to another exchange");
	ends_turn();
	ends_server_begin_with(others[1], TARGET);
	assert_int_equal(ends_bring(&ends.down, request, request_n, 9), 0);
	expect_dropped((unsigned)counted(sealed_refused) - 1, "belongs to another exchange");
	ends_turn();
	ends_server_begin();
	assert_int_equal(ends_bring(&ends.down, reply, reply_n, 9), 0);
	expect_dropped((unsigned)counted(sealed_refused) - 1, "belongs to another exchange");
	ends_turn();
	ends_helper_begin();
	ends_ask_for(OTHER, 20, 1, true);
	ends_bring_head(200);
	assert_int_equal(ends_bring(&ends.up, reply, reply_n, 9), ERROR_AUTH);
	assert_int_equal(ends.helper.n, 0);
	ends_cut(&ends.up);
	ends_helper_begin();
	ends_ask(20, 1, true);
	assert_int_equal(ends_bring(&ends.up, request, request_n, 9), ERROR_AUTH);	/* its own words */
	assert_int_equal(ends.helper.n, 0);
	ends_cut(&ends.up);
	seal_release(others[0]);
	seal_release(others[1]);
}

/* Two capsules of one body change places, one is left out, one of another body stands in for one. */
static void test_mixed(void **state)
{
	static uint8_t made[BODY_MAX], first[BODY_MAX];
	size_t one, two;

	(void)state;
	ends_helper_begin();
	ends_ask(20, 1, false);
	one = ends.up.n;
	ends_send_from(&ends.helper, NULL, 20, 2, false);
	two = ends.up.n - one;
	ends_send_from(&ends.helper, NULL, 20, 3, false);
	memcpy(first, ends.up.out, ends.up.n);
	memcpy(made, ends.up.out, one);
	memcpy(made + one, ends.up.out + one + two, two);
	ends_server_begin();
	assert_int_equal(ends_bring(&ends.down, made, one + two, 9), ERROR_AUTH);
	ends_expect_in(&ends.server, 0, 20, 1);
	ends_cut_both();
	ends_helper_begin();		/* the same request, said again with other bodies */
	ends_ask(20, 4, false);
	ends_send_from(&ends.helper, NULL, 20, 5, false);
	memcpy(made + one, ends.up.out + one, two);
	ends_server_begin();
	assert_int_equal(ends_bring(&ends.down, made, one + two, 9), ERROR_AUTH);
	ends_expect_in(&ends.server, 0, 20, 1);
	ends_cut_both();
	ends_helper_begin();
	ends_ask(20, 1, false);
	memcpy(ends.up.out + ends.up.n, first, one);	/* its beginning once more */
	ends_server_begin();
	assert_int_equal(ends_bring(&ends.down, ends.up.out, ends.up.n + one, 9), ERROR_AUTH);
	ends_expect_in(&ends.server, 0, 20, 1);
	ends_cut_both();
}

int main(void)
{
#define SEALED_TEST(f) cmocka_unit_test_setup_teardown(f, ends_set_up, ends_tear_down)
	const struct CMUnitTest tests[] = {
		SEALED_TEST(test_each_bit),
		SEALED_TEST(test_later_bits),
		SEALED_TEST(test_truncated),
		SEALED_TEST(test_replayed),
		SEALED_TEST(test_elsewhere),
		SEALED_TEST(test_mixed),
	};

	alarm(600);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
