/* links: server/conduit.c tunnel/h2*.c tunnel/http.c tunnel/h1.c tunnel/h1_again.c tunnel/h1_output.c tunnel/h1_client.c tunnel/h1_server.c tunnel/course.c tunnel/loop.c tunnel/log.c framing/http1.c framing/http1_head.c framing/http1_format.c framing/cursor.c framing/varint.c framing/error.c tests/lib/talk2.c tests/lib/raw.c tests/lib/stream_mem.c */
/* libs: -lev -lhttp_parser -lnghttp2 */
/* What is left of the peer's windows for what can wait, beside media: the client's engine and a peer made by hand. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "server/conduit.h"
#include "tests/lib/talk2.h"

#define WINDOW 65535
#define MS 1000
#define RESERVE 4096		/* for one call */
#define TRIP (100 * MS)

enum { SETTINGS = 4, PING = 6, WINDOW_UPDATE = 8 };

static const struct speaker standing = { .hold = true, .lax = true, .head.streamed = true };

/* Exchanges that stand; the first one has the media. */
static void set_up(unsigned n)
{
	talk2_set_up_client(NULL);
	talk2_frame(SETTINGS, 0, 0, NULL, 0);
	talk2_frame(SETTINGS, 1, 0, NULL, 0);
	for (unsigned i = 0; i < n; i++) {
		struct speaker *p = talk2_ask(&standing);
		size_t cap;

		assert_non_null(exchange_room(p->x, 1, &cap));
		assert_int_equal(exchange_send(p->x, &p->head, 0, false), 0);
	}
	talk2_settle();
}

static struct exchange *x(unsigned i)
{
	return talk2.ask[i].x;
}

static void send(unsigned i, size_t n)
{
	while (n > 0) {
		size_t cap, part = n < 16384 ? n : 16384;
		uint8_t *p = exchange_room(x(i), part, &cap);

		assert_non_null(p);
		memset(p, 'x', part);
		assert_int_equal(exchange_send(x(i), NULL, part, false), 0);
		n -= part;
	}
}

static void media(size_t n)
{
	send(0, n);
	http_media_went(x(0), n, TRIP);
}

static void give(uint32_t id, uint32_t n)
{
	talk2_frame(WINDOW_UPDATE, 0, id, (uint8_t[]){ (uint8_t)(n >> 24), (uint8_t)(n >> 16), (uint8_t)(n >> 8), (uint8_t)n }, 4);
}

/* Time goes by; the peer says something each 20 ms, or nothing. */
static void pass(int64_t ms, bool spoken)
{
	for (; ms > 0; ms -= 20) {
		if (spoken)
			talk2_frame(PING, 1, 0, "\0\0\0\0\0\0\0\0", 8);
		talk2_run(20 * MS);
		raw.n = 0;
	}
}

/* A call goes on meanwhile, by no more than next to nothing. */
static void pass_with_media(int64_t ms, bool spoken)
{
	for (; ms > 0; ms -= 200) {
		media(1);
		pass(200, spoken);
	}
}

/* Down to the reserve: what goes before there is no room. */
static size_t fill(unsigned i)
{
	size_t sent = 0, room;

	while ((room = http_room_beside_media(x(i))) > 0) {
		assert_true(room <= WINDOW);
		send(i, room);
		sent += room;
		talk2_run(1);
		raw.n = 0;
	}
	return sent;
}

static void test_without_media(void **state)
{
	(void)state;
	set_up(1);
	assert_true(http_room_beside_media(x(0)) == SIZE_MAX);
	media(200);
	assert_true(http_room_beside_media(x(0)) == WINDOW - 200 - RESERVE);
	pass(1100, true);
	assert_true(http_room_beside_media(x(0)) == SIZE_MAX);
	talk2_tear_down();
}

/* What the connection's window has beside the reserve, and it is told of more. */
static void test_waits(void **state)
{
	(void)state;
	set_up(2);
	media(200);
	assert_int_equal(fill(1), WINDOW - 200 - RESERVE);
	media(200);	/* has room */
	assert_int_equal(http_room_beside_media(x(1)), 0);
	assert_int_equal(talk2.ask[1].writables, 0);
	give(1, 400);	/* not what it waits for */
	talk2_run(MS);
	assert_int_equal(talk2.ask[1].writables, 0);
	give(0, 30000);
	talk2_run(MS);
	assert_int_equal(talk2.ask[1].writables, 1);
	assert_int_equal(http_room_beside_media(x(1)), 30000 - 200);
	talk2_tear_down();
}

/* The window of an exchange that has both counts as well; of one that has not, not. */
static void test_own_window(void **state)
{
	(void)state;
	set_up(2);
	give(0, 1000000);
	talk2_run(MS);
	media(200);
	assert_int_equal(fill(0), WINDOW - 200 - RESERVE);
	give(0, 1000);
	talk2_run(MS);
	assert_int_equal(talk2.ask[0].writables, 0);
	assert_true(http_room_beside_media(x(1)) > 500000);
	give(1, 30000);
	talk2_run(MS);
	assert_int_equal(talk2.ask[0].writables, 1);
	talk2_tear_down();
}

/* More media has a larger part, but never more than a quarter. */
static void test_much_media(void **state)
{
	(void)state;
	set_up(2);
	give(0, 1000000);
	give(1, 1000000);
	talk2_run(MS);
	for (unsigned i = 0; i < 100; i++) {	/* 40 kB/s: 8 KB in 200 ms */
		media(800);
		pass(20, true);
	}
	assert_in_range(http_room_beside_media(x(1)), 1000000 + WINDOW - 80000 - 8200, 1000000 + WINDOW - 80000 - 6000);
	for (unsigned i = 0; i < 100; i++) {
		media(8000);
		pass(20, true);
	}
	assert_int_equal(http_room_beside_media(x(1)), 1000000 + WINDOW - 880000 - 16384);
	talk2_tear_down();
}

/* Each of those that wait has its part, and what one leaves unused others get. */
static void test_turns(void **state)
{
	(void)state;
	set_up(3);
	give(3, 100000);
	give(5, 100000);
	talk2_run(MS);
	media(200);
	fill(1);
	assert_int_equal(http_room_beside_media(x(2)), 0);
	give(0, 30000);
	talk2_run(MS);
	assert_int_equal(talk2.ask[1].writables, 1);
	assert_int_equal(talk2.ask[2].writables, 1);
	assert_in_range(fill(1), 14000, 15000);
	assert_in_range(http_room_beside_media(x(2)), 14000, 15500);
	talk2_run(25 * MS);
	assert_int_equal(talk2.ask[1].writables, 2);
	assert_in_range(http_room_beside_media(x(1)), 14000, 15500);
	talk2_tear_down();
}

/* A peer that gives nothing back before all is used is waited for some times, and again after ten seconds. */
static void test_in_vain(void **state)
{
	(void)state;
	set_up(2);
	give(3, 100000);
	talk2_run(MS);
	media(200);
	fill(1);
	pass_with_media(200, true);
	assert_int_equal(talk2.ask[1].writables, 0);
	pass_with_media(200, true);
	assert_int_equal(talk2.ask[1].writables, 1);
	assert_in_range(fill(1), RESERVE / 2 - 8, RESERVE / 2);
	pass_with_media(400, true);
	assert_int_equal(talk2.ask[1].writables, 2);
	assert_in_range(fill(1), RESERVE / 4 - 8, RESERVE / 4);
	pass_with_media(400, true);
	assert_in_range(fill(1), RESERVE / 4 - 8, RESERVE / 4);	/* that was all */
	give(0, 60000);
	talk2_run(MS);
	assert_int_equal(http_room_beside_media(x(1)), 60000);	/* nothing is held back */
	pass_with_media(10000, true);
	assert_in_range(http_room_beside_media(x(1)), 60000 - RESERVE - 100, 60000 - RESERVE);
	talk2_tear_down();
}

/* While nothing at all is heard it is the path that waits. */
static void test_silent_path(void **state)
{
	(void)state;
	set_up(2);
	media(200);
	fill(1);
	pass_with_media(1000, false);
	assert_int_equal(talk2.ask[1].writables, 0);
	pass_with_media(600, false);
	assert_int_equal(talk2.ask[1].writables, 1);
	talk2_tear_down();
}

/* What a website answers on the same connection leaves the call its part, too. */
static void test_website(void **state)
{
	static const uint8_t page[100000] = "<p>";
	struct conduit c;

	(void)state;
	set_up(2);
	give(3, 100000);
	talk2_run(MS);
	media(200);
	conduit_init(&c, NULL, NULL);
	c.to = x(1);
	conduit_body(&c, page, sizeof page);
	assert_int_equal(sizeof page - c.n, WINDOW - 200 - RESERVE);
	assert_true(c.paused);
	media(200);
	give(0, 30000);
	talk2_run(MS);
	assert_int_equal(talk2.ask[1].writables, 1);
	conduit_pump(&c, false);
	assert_int_equal(sizeof page - c.n, WINDOW - 400 - RESERVE + 30000);
	give(0, 100000);
	talk2_run(MS);
	conduit_pump(&c, false);
	assert_int_equal(c.n, 0);
	assert_false(c.paused);
	conduit_fini(&c);
	talk2_tear_down();
}

/* The call ends, and what waited goes on; one that waits may end, too. */
static void test_ends(void **state)
{
	(void)state;
	set_up(3);
	media(200);
	fill(1);
	assert_int_equal(http_room_beside_media(x(2)), 0);
	exchange_abort(x(2));
	talk2.ask[2].x = NULL;
	pass(1400, true);
	assert_true(talk2.ask[1].writables >= 1);
	assert_true(http_room_beside_media(x(1)) == SIZE_MAX);
	media(1);
	fill(1);
	exchange_abort(x(1));
	talk2.ask[1].x = NULL;
	pass(1400, true);
	talk2_tear_down();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_without_media), cmocka_unit_test(test_waits), cmocka_unit_test(test_own_window),
		cmocka_unit_test(test_much_media), cmocka_unit_test(test_turns), cmocka_unit_test(test_in_vain),
		cmocka_unit_test(test_silent_path), cmocka_unit_test(test_website), cmocka_unit_test(test_ends),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
