/* links: tunnel/h1.c tunnel/h1_again.c tunnel/course.c tunnel/h1_output.c tunnel/h1_client.c tunnel/h1_server.c tunnel/loop.c tunnel/log.c framing/http1.c framing/http1_head.c framing/http1_format.c framing/cursor.c framing/varint.c framing/error.c tests/lib/talk.c tests/lib/raw.c tests/lib/stream_mem.c */
/* libs: -lev -lhttp_parser */
/* The HTTP/1.1 engine in both roles against itself over a stream in memory: many exchanges on one connection,
 * big portions, full buffers both ways, pauses. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "framing/error.h"
#include "tests/lib/talk.h"

static void test_complete(void **state)
{
	(void)state;
	talk_set_up_pair(NULL);
	talk.client.total = 300;
	talk.server.total = 700;
	for (int i = 1; i <= 3; i++) {
		talk_ask(&talk.client);
		assert_null(http_exchange(talk.client.h, &talk_exchange_events, &talk.client));
		talk_settle();
		assert_int_equal(talk.client.closed, i);
		assert_int_equal(talk.client.error, 0);
		assert_int_equal(talk.client.status, 200);
		assert_int_equal(talk.client.idles, i);
		assert_int_equal(talk.client.got, 700 * i);
		assert_int_equal(talk.server.got, 300 * i);
		assert_int_equal(talk.server.closed, i);
		assert_int_equal(talk.server.ends, i);
		assert_int_equal(talk.server.idles, 0);
	}
	assert_non_null(http_stream(talk.client.h));
	talk_tear_down();
	assert_int_equal(talk.client.over_error, ERROR_CLOSED);
	assert_int_equal(talk.client.over, 1);
	assert_int_equal(talk.server.over, 1);
}

/* A portion of more than 65,535 bytes, head in front, in one chunk. */
static void test_big_portion(void **state)
{
	struct stream_mem_options o = stream_mem_plain;

	(void)state;
	o.buffer = 1 << 20;
	talk_set_up_pair(&o);
	talk.client.head.streamed = talk.server.head.streamed = true;
	talk.client.portion = talk.server.portion = EXCHANGE_ROOM_MAX;
	talk.client.total = talk.server.total = 3 * EXCHANGE_ROOM_MAX + 5;
	talk_ask(&talk.client);
	talk_settle();
	assert_int_equal(talk.server.got, talk.client.total);
	assert_int_equal(talk.client.got, talk.server.total);
	assert_int_equal(talk.client.error, 0);
	talk.client.head.streamed = talk.server.head.streamed = false;
	talk.client.total = talk.server.total = 65536;
	talk_ask(&talk.client);
	talk_settle();
	assert_int_equal(talk.client.closed, 2);
	assert_int_equal(talk.client.error, 0);
	talk_tear_down();
}

static void test_duplex_back_pressure(void **state)
{
	(void)state;
	for (size_t chunk = 1; chunk < 3000; chunk = chunk * 3 + 1) {
		struct stream_mem_options o = stream_mem_plain;

		o.delay_us = 50;
		o.buffer = 1000;
		o.chunk = chunk;
		o.write_chunk = chunk + 2;
		talk_set_up_pair(&o);
		talk.client.head.streamed = talk.server.head.streamed = true;
		talk.client.total = 50000;
		talk.server.total = 70001;
		talk.client.portion = 1777;
		talk.server.portion = 5000;
		for (int i = 1; i <= 2; i++) {
			talk.server.hold = true;	/* the response must not be over before the request */
			talk_ask(&talk.client);
			talk_run(1000);
			talk.server.hold = false;
			talk.server.end_late = true;
			talk_pump(&talk.server);
			talk_settle();
			assert_int_equal(talk.client.got_now, talk.server.total);
			assert_int_equal(talk.server.got_now, talk.client.total);
			assert_int_equal(talk.server.ends, i);
			talk.server.ended = true;
			exchange_send(talk.server.x, NULL, 0, true);
			talk_settle();
			assert_int_equal(talk.client.closed, i);
			assert_int_equal(talk.client.error, 0);
			assert_int_equal(talk.server.error, 0);
			assert_true(talk.client.writables > 0 && talk.server.writables > 0);
			talk.server.end_late = false;
		}
		talk_tear_down();
	}
}

/* Paused, the window of the stream fills up and the sender waits. */
static void test_pause_long_body(void **state)
{
	struct stream_mem_options o = stream_mem_plain;
	uint64_t sent;

	(void)state;
	o.buffer = 3000;
	talk_set_up_pair(&o);
	talk.client.head.streamed = true;
	talk.client.total = 100000;
	talk.server.hold = true;
	talk.server.when = AT_BODY;
	talk.server.what = DO_PAUSE;
	talk_ask(&talk.client);
	talk_settle();
	sent = talk.client.sent;
	assert_true(sent < 30000);
	for (int i = 0; i < 20; i++) {
		talk_settle();
		talk.server.paused = false;
		talk.server.when = AT_BODY;
		exchange_pause(talk.server.x, false);
	}
	assert_true(talk.client.sent > sent);
	talk_settle();
	talk.server.when = AT_NEVER;
	talk.server.paused = false;
	exchange_pause(talk.server.x, false);
	talk_settle();
	assert_int_equal(talk.server.got, 100000);
	assert_int_equal(talk.server.ends, 1);
	talk_tear_down();
}

/* An exchange dropped when both messages are complete leaves the connection whole. */
static void test_abort_of_a_complete_exchange(void **state)
{
	(void)state;
	talk_set_up_pair(NULL);
	talk.client.when = AT_END;
	talk.client.what = DO_ABORT;
	talk_ask(&talk.client);
	talk_settle();
	assert_int_equal(talk.client.closed, 0);
	assert_int_equal(talk.client.idles, 1);
	assert_int_equal(talk.client.over, 0);
	talk_ask(&talk.client);
	talk_settle();
	assert_int_equal(talk.client.closed, 1);
	talk_tear_down();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_complete),
		cmocka_unit_test(test_big_portion),
		cmocka_unit_test(test_duplex_back_pressure),
		cmocka_unit_test(test_pause_long_body),
		cmocka_unit_test(test_abort_of_a_complete_exchange),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
