/* links: tunnel/h2*.c tunnel/http.c tunnel/h1.c tunnel/h1_again.c tunnel/h1_output.c tunnel/h1_client.c tunnel/h1_server.c tunnel/course.c tunnel/loop.c tunnel/log.c framing/http1.c framing/http1_head.c framing/http1_format.c framing/cursor.c framing/varint.c framing/error.c tests/lib/talk2.c tests/lib/raw.c tests/lib/stream_mem.c */
/* libs: -lev -lhttp_parser -lnghttp2 */
/* The HTTP/2 engine in both roles against itself over a stream in memory: many exchanges on one connection, one after the
 * other and at once, big portions, full buffers and windows both ways, pauses. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "framing/error.h"
#include "tests/lib/talk2.h"

static void test_complete(void **state)
{
	(void)state;
	talk2_set_up_pair(NULL);
	talk2.answer.total = 700;
	for (int i = 0; i < 3; i++) {
		struct speaker *p = talk2_ask(&(struct speaker){ .total = 300 });

		talk2_settle();
		assert_int_equal(p->closed, 1);
		assert_int_equal(p->error, 0);
		assert_int_equal(p->status, 200);
		assert_int_equal(p->length, 700);
		assert_int_equal(p->got, 700);
		assert_int_equal(p->ends, 1);
		assert_int_equal(talk2.taken, i + 1);
		assert_int_equal(talk2.take[i].got, 300);
		assert_int_equal(talk2.take[i].length, 300);
		assert_int_equal(talk2.take[i].closed, 1);
		assert_int_equal(talk2.take[i].error, 0);
		assert_int_equal(talk2.take[i].ends, 1);
		assert_string_equal(talk2.take[i].method, "POST");
		assert_string_equal(talk2.take[i].target, "/x?y");
		assert_string_equal(talk2.take[i].host, "h");
	}
	assert_true(talk2.idles >= 3);
	talk2_tear_down();
	assert_int_equal(talk2.client_error, ERROR_CLOSED);
	assert_int_equal(talk2.client_over, 1);
	assert_int_equal(talk2.server_over, 1);
}

static void test_many_at_once(void **state)
{
	const struct speaker ask = { .total = 30000, .head.streamed = true };

	(void)state;
	talk2_set_up_pair(NULL);
	talk2.answer.total = 50000;
	talk2.answer.head.streamed = true;
	for (int i = 0; i < H2_STREAMS_MAX; i++)
		assert_non_null(talk2_ask(&ask));
	assert_int_equal(http_room(talk2.client), 0);
	assert_null(talk2_ask(&ask));
	talk2_settle();
	assert_int_equal(talk2.taken, H2_STREAMS_MAX);
	for (int i = 0; i < H2_STREAMS_MAX; i++) {
		assert_int_equal(talk2.ask[i].got, 50000);
		assert_int_equal(talk2.ask[i].error, 0);
		assert_int_equal(talk2.ask[i].closed, 1);
		assert_int_equal(talk2.take[i].got, 30000);
		assert_int_equal(talk2.take[i].closed, 1);
		assert_true(talk2.take[i].chunked);
	}
	assert_int_equal(http_room(talk2.client), H2_STREAMS_MAX);
	talk2_tear_down();
}

/* Both bodies at once, both longer than every window, through small and large buffers. */
static void test_duplex_back_pressure(void **state)
{
	(void)state;
	for (size_t chunk = 1; chunk < 3000; chunk = chunk * 9 + 1) {
		struct stream_mem_options o = stream_mem_plain;
		struct speaker *p;

		o.delay_us = 50;
		o.buffer = 1000;
		o.chunk = chunk;
		o.write_chunk = chunk + 2;
		talk2_set_up_pair(&o);
		talk2.answer = (struct speaker){ .total = 70001, .portion = 5000, .hold = true, .end_late = true,
						 .head = { .status = 200, .lines = "", .streamed = true } };
		p = talk2_ask(&(struct speaker){ .total = 50000, .portion = 1777, .head.streamed = true });
		talk2_run(20000);
		talk2.take[0].hold = false;
		talk2_pump(&talk2.take[0]);
		talk2_run(20 * 1000000);
		assert_int_equal(p->got, 70001);
		assert_int_equal(talk2.take[0].got, 50000);
		assert_int_equal(talk2.take[0].ends, 1);
		assert_int_equal(p->ends, 0);
		talk2.take[0].ended = true;
		exchange_send(talk2.take[0].x, NULL, 0, true);
		talk2_settle();
		assert_int_equal(p->closed, 1);
		assert_int_equal(p->error, 0);
		assert_int_equal(talk2.take[0].error, 0);
		assert_true(p->writables > 0 && talk2.take[0].writables > 0);
		talk2_tear_down();
	}
}

/* The end needs no room: it comes behind what still waits. */
static void test_end_behind_what_waits(void **state)
{
	struct stream_mem_options o = stream_mem_plain;
	struct speaker *p;
	size_t cap;

	(void)state;
	o.delay_us = 50;
	o.buffer = 1000;
	talk2_set_up_pair(&o);
	talk2.answer.total = 3;
	p = talk2_ask(&(struct speaker){ .total = 70000, .portion = 70000, .end_late = true, .head.streamed = true });
	assert_null(exchange_room(p->x, 1, &cap));
	p->ended = true;
	assert_int_equal(exchange_send(p->x, NULL, 0, true), 0);
	talk2_settle();
	assert_int_equal(talk2.take[0].got, 70000);
	assert_int_equal(talk2.take[0].ends, 1);
	assert_int_equal(p->closed, 1);
	assert_int_equal(p->error, 0);
	talk2_tear_down();
}

static void test_big_bodies(void **state)
{
	struct stream_mem_options o = stream_mem_plain;
	struct speaker *p;

	(void)state;
	o.buffer = 1 << 20;
	o.delay_us = 1000;
	talk2_set_up_pair(&o);
	talk2.answer.head.streamed = true;
	talk2.answer.total = 6000000;
	talk2.answer.portion = EXCHANGE_ROOM_MAX;
	p = talk2_ask(&(struct speaker){ .total = 2000000, .portion = EXCHANGE_ROOM_MAX, .head.streamed = true });
	talk2_settle();
	assert_int_equal(p->got, 6000000);
	assert_int_equal(talk2.take[0].got, 2000000);
	assert_int_equal(p->error, 0);
	assert_int_equal(p->closed, 1);
	talk2_tear_down();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_complete),
		cmocka_unit_test(test_many_at_once),
		cmocka_unit_test(test_duplex_back_pressure),
		cmocka_unit_test(test_end_behind_what_waits),
		cmocka_unit_test(test_big_bodies),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
