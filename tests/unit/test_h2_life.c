/* links: tunnel/h2*.c tunnel/http.c tunnel/h1.c tunnel/h1_again.c tunnel/h1_output.c tunnel/h1_client.c tunnel/h1_server.c tunnel/course.c tunnel/loop.c tunnel/log.c framing/http1.c framing/http1_head.c framing/http1_format.c framing/cursor.c framing/varint.c framing/error.c tests/lib/talk2.c tests/lib/raw.c tests/lib/stream_mem.c */
/* libs: -lev -lhttp_parser -lnghttp2 */
/* How exchanges and connections of HTTP/2 end: aborted, failed, paused or closed from within each event, refused,
 * answered early; drained, cut, silent. Whatever happens to one exchange, those beside it go on. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "framing/error.h"
#include "tests/lib/talk2.h"

#define SECONDS 1000000

/* Two exchanges that stay whole, around one to which something happens. */
static const struct speaker whole = { .total = 20000, .head.streamed = true };

static void set_up(void)
{
	talk2_set_up_pair(NULL);
	talk2.answer.total = 40000;
	talk2.answer.head.streamed = true;
}

static void expect_whole(const struct speaker *p)
{
	assert_int_equal(p->closed, 1);
	assert_int_equal(p->error, 0);
	assert_int_equal(p->got, 40000);
}

static void test_client_does_it(void **state)
{
	(void)state;
	for (int when = AT_HEAD; when < AT_MOMENTS; when++)
		for (int what = DO_ABORT; what <= DO_FAIL; what++) {
			struct speaker *a, *b, *c, other = whole;

			if (what == DO_CLOSE)
				continue;
			set_up();
			other.when = when;
			other.what = what;
			a = talk2_ask(&whole);
			b = talk2_ask(&other);
			c = talk2_ask(&whole);
			talk2_settle();
			expect_whole(a);
			expect_whole(c);
			if (b->paused && b->x) {
				assert_int_equal(b->closed, 0);
				b->paused = false;
				exchange_pause(b->x, false);
				talk2_settle();
			}
			assert_null(b->x);
			assert_int_equal(b->closed, what == DO_ABORT && when != AT_CLOSED && b->when == AT_NEVER ? 0 : 1);
			if (what == DO_FAIL && (when == AT_HEAD || when == AT_BODY))
				assert_int_equal(b->error, ERROR_HTTP);
			for (int i = 0; i < 3; i++)
				assert_int_equal(talk2.take[i].closed, 1);
			assert_int_equal(http_room(talk2.client), H2_STREAMS_MAX);
			talk2_tear_down();
		}
}

static void test_server_does_it(void **state)
{
	(void)state;
	for (int when = AT_HEAD; when < AT_MOMENTS; when++)
		for (int what = DO_ABORT; what <= DO_FAIL; what++) {
			struct speaker *p;

			if (what == DO_CLOSE)
				continue;
			set_up();
			talk2.answer.when = when;
			talk2.answer.what = what;
			p = talk2_ask(&whole);
			talk2_settle();
			if (talk2.take[0].paused && talk2.take[0].x) {
				talk2.take[0].paused = false;
				exchange_pause(talk2.take[0].x, false);
				talk2_settle();
			}
			assert_int_equal(p->closed, 1);
			assert_null(talk2.take[0].x);
			talk2.answer.when = AT_NEVER;
			expect_whole((talk2_ask(&whole), talk2_settle(), &talk2.ask[1]));
			talk2_tear_down();
		}
}

static void test_close_from_within(void **state)
{
	(void)state;
	for (int when = AT_HEAD; when < AT_MOMENTS; when++)
		for (int server = 0; server < 2; server++) {
			struct speaker other = whole;

			set_up();
			other.when = server ? AT_NEVER : when;
			other.what = DO_CLOSE;
			talk2.answer.when = server ? when : AT_NEVER;
			talk2.answer.what = DO_CLOSE;
			talk2_ask(&other);
			talk2_ask(&whole);
			talk2_settle();
			assert_int_equal(talk2.ask[0].closed, 1);
			assert_int_equal(talk2.ask[1].closed, 1);
			talk2_tear_down();
		}
}

/* Nobody calls up from within a call of ours. */
static void test_abort_from_outside(void **state)
{
	struct speaker *p;

	(void)state;
	set_up();
	p = talk2_ask(&(struct speaker){ .hold = true });
	exchange_abort(p->x);	/* before anything went */
	p->x = NULL;
	talk2_settle();
	assert_int_equal(talk2.taken, 0);
	assert_int_equal(p->closed, 0);
	talk2.answer.hold = true;
	p = talk2_ask(&whole);
	talk2_settle();
	exchange_abort(p->x);
	p->x = NULL;
	assert_int_equal(talk2.take[0].closed, 0);
	talk2_settle();
	assert_int_equal(talk2.take[0].closed, 1);
	assert_int_equal(talk2.take[0].error, ERROR_RESET);
	assert_int_equal(p->closed, 0);
	talk2.answer.hold = false;
	p = talk2_ask(&whole);
	talk2_settle();
	expect_whole(p);
	talk2_tear_down();
}

/* Its window fills and its sender waits; one beside it does not. */
static void test_pause_long_body(void **state)
{
	struct stream_mem_options o = stream_mem_plain;
	struct speaker long_one = { .total = 3000000, .head.streamed = true };
	uint64_t sent;

	(void)state;
	o.buffer = 1 << 20;
	talk2_set_up_pair(&o);
	talk2.answer.head.streamed = true;
	talk2.answer.end_late = true;
	talk2.answer.when = AT_BODY;
	talk2.answer.what = DO_PAUSE;
	talk2_ask(&long_one);
	talk2_settle();
	sent = talk2.ask[0].sent;
	assert_true(sent < 1 << 20);
	assert_int_equal(talk2.take[0].got, 1000);
	talk2.answer.when = AT_NEVER;
	talk2.answer.end_late = false;
	talk2.answer.total = 40000;
	talk2_ask(&whole);
	talk2_settle();
	expect_whole(&talk2.ask[1]);
	assert_int_equal(talk2.ask[0].sent, sent);
	talk2.take[0].paused = false;
	exchange_pause(talk2.take[0].x, false);
	assert_int_equal(talk2.take[0].got, 1000);	/* not from within */
	talk2_settle();
	assert_int_equal(talk2.take[0].got, 3000000);
	assert_int_equal(talk2.take[0].ends, 1);
	talk2_tear_down();
}

/* What paused exchanges of one connection hold has an end: the one that would pass it goes, the others keep theirs. */
static void test_too_much_held(void **state)
{
	struct stream_mem_options o = stream_mem_plain;
	int dropped = 0;

	(void)state;
	o.buffer = 1 << 25;
	talk2_set_up_pair(&o);
	talk2.answer.head.streamed = true;
	talk2.answer.end_late = true;
	talk2.answer.when = AT_BODY;
	talk2.answer.what = DO_PAUSE;
	for (int i = 0; i < 100; i++)
		talk2_ask(&(struct speaker){ .total = 200000, .head.streamed = true });
	talk2_settle();
	for (int i = 0; i < 100; i++) {
		dropped += talk2.take[i].closed;
		if (talk2.take[i].closed) {
			assert_int_equal(talk2.take[i].error, ERROR_LIMIT);
			continue;
		}
		talk2.take[i].paused = false;
		exchange_pause(talk2.take[i].x, false);
	}
	assert_int_equal(dropped, 100 - (16 << 20) / 199000);
	talk2_settle();
	for (int i = 0; i < 100; i++)
		assert_true(talk2.take[i].closed || talk2.take[i].got == 200000);
	assert_int_equal(talk2.server_over, 0);
	talk2_tear_down();
}

/* As long as one of several wants it. */
static void test_sparse(void **state)
{
	struct stream *stream;

	(void)state;
	talk2_set_up_pair(NULL);
	talk2.answer.hold = true;
	stream = http_stream(talk2.client);
	talk2_ask(&(struct speaker){ .total = 1 });
	talk2_ask(&(struct speaker){ .total = 1 });
	exchange_sparse(talk2.ask[0].x, true);
	exchange_sparse(talk2.ask[1].x, true);
	exchange_sparse(talk2.ask[1].x, true);
	assert_true(stream_mem_sparse(stream));
	exchange_sparse(talk2.ask[0].x, false);
	assert_true(stream_mem_sparse(stream));
	talk2_settle();
	talk2.take[1].hold = false;	/* it ends with the exchange */
	talk2_pump(&talk2.take[1]);
	talk2_settle();
	assert_int_equal(talk2.ask[1].closed, 1);
	assert_false(stream_mem_sparse(stream));
	talk2_tear_down();
}

/* A server that answers, says GOAWAY and is gone before the request was written: what it said is read. */
static void test_write_fails(void **state)
{
	struct stream_mem_options o = stream_mem_plain;
	struct speaker *p;

	(void)state;
	o.delay_us = 1000;
	talk2_set_up_pair(&o);
	talk2.answer.total = 10;
	talk2.answer.when = AT_HEAD;
	talk2.answer.what = DO_ANSWER;
	p = talk2_ask(&(struct speaker){ .total = 100, .end_late = true, .head.streamed = true });
	talk2_run(1500);
	assert_int_equal(talk2.taken, 1);
	http_close(talk2.server);
	talk2_run(700);
	for (int i = 0; i < 20 && p->x && !p->send_error; i++) {	/* until it is noticed */
		size_t cap;

		if (exchange_room(p->x, 100, &cap))
			p->send_error = exchange_send(p->x, NULL, 100, false);
		talk2_run(300);
	}
	talk2_settle();
	assert_int_equal(p->got, 10);
	assert_int_equal(p->ends, 1);
	assert_int_equal(p->closed, 1);
	assert_int_equal(talk2.client_over, 1);
	talk2_tear_down();
}

/* An answer that is complete before the request: the exchange is over, the connection is not. */
static void test_early_answer(void **state)
{
	struct speaker slow = { .total = 100, .end_late = true, .head.streamed = true };

	(void)state;
	talk2_set_up_pair(NULL);
	talk2.answer.total = 10;
	talk2_ask(&slow);
	talk2_settle();
	assert_int_equal(talk2.ask[0].ends, 1);
	assert_int_equal(talk2.ask[0].got, 10);
	assert_int_equal(talk2.ask[0].closed, 1);
	assert_int_equal(talk2.ask[0].error, ERROR_RESET);
	assert_int_equal(talk2.take[0].closed, 1);
	assert_int_equal(talk2.client_over, 0);
	talk2_ask(&(struct speaker){ .total = 5 });
	talk2_settle();
	assert_int_equal(talk2.ask[1].error, 0);
	assert_int_equal(talk2.ask[1].got, 10);
	talk2_tear_down();
}

static void test_drain(void **state)
{
	struct speaker late = { .total = 100, .end_late = true, .head.streamed = true };

	(void)state;
	talk2_set_up_pair(NULL);
	talk2.answer.total = 10;
	talk2.answer.hold = true;
	talk2_ask(&late);
	talk2_settle();
	http_drain(talk2.server);
	talk2_run(1000);
	assert_int_equal(http_room(talk2.client), 0);	/* the peer wants no more */
	talk2_run(5 * SECONDS);
	assert_int_equal(talk2.client_over, 0);
	assert_int_equal(talk2.server_over, 0);
	talk2.ask[0].ended = true;
	exchange_send(talk2.ask[0].x, NULL, 0, true);
	talk2.take[0].hold = false;
	talk2_pump(&talk2.take[0]);
	talk2_settle();
	assert_int_equal(talk2.ask[0].error, 0);
	assert_int_equal(talk2.ask[0].got, 10);
	assert_int_equal(talk2.ask[0].closed, 1);
	assert_int_equal(talk2.client_over, 1);
	assert_int_equal(talk2.client_error, 0);
	assert_int_equal(talk2.server_over, 1);
	assert_int_equal(talk2.server_error, 0);
	talk2_tear_down();
}

static void test_drain_idle(void **state)
{
	(void)state;
	talk2_set_up_pair(NULL);
	talk2_ask(&(struct speaker){ .total = 1 });
	talk2_settle();
	http_drain(talk2.server);
	talk2_settle();
	assert_int_equal(talk2.server_over, 1);
	assert_int_equal(talk2.client_over, 1);
	assert_int_equal(talk2.client_error, 0);
	talk2_tear_down();
}

static void test_cut(void **state)
{
	(void)state;
	for (int64_t at = 0; at < 1500; at += 7) {
		struct stream_mem_options o = stream_mem_plain;

		o.cut_after[0] = at;
		talk2_set_up_pair(&o);
		talk2.answer.total = 500;
		talk2_ask(&(struct speaker){ .total = 300 });
		talk2_ask(&(struct speaker){ .total = 300 });
		talk2_settle();
		for (int i = 0; i < 2; i++)
			assert_int_equal(talk2.ask[i].closed, 1);
		if (talk2.client_over)
			assert_int_equal(talk2.client_error, ERROR_RESET);
		else
			assert_int_equal(talk2.ask[1].error, 0);
		talk2_tear_down();
	}
}

/* Silence of 20 s is asked about; one who does not answer for 10 s more is gone. */
static void test_ping(void **state)
{
	(void)state;
	talk2_set_up_pair(NULL);
	talk2.answer.hold = true;
	talk2_ask(&(struct speaker){ .total = 1 });
	talk2_run(50 * SECONDS);
	assert_int_equal(talk2.client_over, 0);
	assert_int_equal(talk2.ask[0].closed, 0);
	stream_mem_stall(http_stream(talk2.server), true);
	talk2_run(19 * SECONDS);
	assert_int_equal(talk2.client_over, 0);
	talk2_run(25 * SECONDS);
	assert_int_equal(talk2.client_over, 1);
	assert_int_equal(talk2.client_error, ERROR_TIMEOUT);
	assert_int_equal(talk2.ask[0].closed, 1);
	assert_int_equal(talk2.ask[0].error, ERROR_TIMEOUT);
	talk2_tear_down();
}

/* RFC 8441. */
static void test_extended_connect(void **state)
{
	struct speaker ask = { .total = 3000, .end_late = true,
			       .head = { .method = "GET", .target = "/ws", .protocol = "websocket", .streamed = true } };

	(void)state;
	talk2_set_up_pair(NULL);
	talk2.answer.head = (struct exchange_head){ .status = 101, .protocol = "websocket", .lines = "", .streamed = true };
	talk2.answer.total = 5000;
	talk2.answer.end_late = true;
	talk2_ask(&ask);	/* before the peer's settings came */
	assert_int_equal(talk2.ask[0].send_error, 0);
	talk2_settle();
	assert_int_equal(talk2.taken, 1);
	assert_string_equal(talk2.take[0].method, "CONNECT");
	assert_string_equal(talk2.take[0].protocol, "websocket");
	assert_string_equal(talk2.take[0].target, "/ws");
	assert_int_equal(talk2.take[0].got, 3000);
	assert_int_equal(talk2.ask[0].status, 200);
	assert_int_equal(talk2.ask[0].got, 5000);
	assert_int_equal(talk2.ask[0].closed, 0);
	talk2.take[0].ended = true;
	talk2.ask[0].when = AT_END;
	talk2.ask[0].what = DO_NOTHING;
	exchange_send(talk2.take[0].x, NULL, 0, true);
	talk2_settle();
	assert_int_equal(talk2.ask[0].closed, 1);
	talk2_tear_down();
}

static void test_head_request(void **state)
{
	(void)state;
	talk2_set_up_pair(NULL);
	talk2.answer.total = 500;
	talk2_ask(&(struct speaker){ .head.method = "HEAD" });
	talk2_settle();
	assert_int_equal(talk2.ask[0].length, 500);
	assert_int_equal(talk2.ask[0].got, 0);
	assert_int_equal(talk2.ask[0].error, 0);
	talk2.answer.head.streamed = true;
	talk2_ask(&(struct speaker){ .head.method = "HEAD" });
	talk2_settle();
	assert_int_equal(talk2.ask[1].got, 0);
	assert_int_equal(talk2.ask[1].error, 0);
	assert_int_equal(talk2.ask[1].closed, 1);
	assert_int_equal(talk2.take[1].error, 0);
	talk2_tear_down();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_client_does_it),
		cmocka_unit_test(test_server_does_it),
		cmocka_unit_test(test_close_from_within),
		cmocka_unit_test(test_abort_from_outside),
		cmocka_unit_test(test_pause_long_body),
		cmocka_unit_test(test_too_much_held),
		cmocka_unit_test(test_sparse),
		cmocka_unit_test(test_write_fails),
		cmocka_unit_test(test_early_answer),
		cmocka_unit_test(test_drain),
		cmocka_unit_test(test_drain_idle),
		cmocka_unit_test(test_cut),
		cmocka_unit_test(test_ping),
		cmocka_unit_test(test_extended_connect),
		cmocka_unit_test(test_head_request),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
