// links: tunnel/sealed.c tunnel/hold.c tunnel/seal.c tunnel/counters.c tunnel/h1.c tunnel/h1_again.c tunnel/course.c tunnel/h1_output.c
// links: tunnel/h1_client.c tunnel/h1_server.c tunnel/loop.c tunnel/log.c framing/http1.c framing/http1_head.c framing/http1_format.c
// links: framing/capsule.c framing/cursor.c framing/varint.c framing/error.c tests/lib/talk.c tests/lib/raw.c tests/lib/stream_mem.c
/* libs: -lev -lhttp_parser -lcrypto */
/* Sealed exchanges over the HTTP/1.1 engine in both roles: the same talks as plain ones, and their ends at any moment. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>
#include <unistd.h>

#include "framing/error.h"
#include "tests/lib/talk.h"
#include "tunnel/counters.h"
#include "tunnel/sealed.h"

static struct seal *seals[2];
static unsigned failed, gone;
static int failed_error;

static struct exchange *around(struct exchange *x)
{
	return sealed_helper(talk.loop, seals[0], x);
}

static bool on_opened(void *ctx, struct exchange *plain, struct span authorization)
{
	(void)ctx;
	assert_int_equal(authorization.n, 6);
	assert_memory_equal(authorization.p, "secret", 6);
	talk_take(&talk.server, plain, 1);
	return true;
}

/* What a front would do: cover, and the rest of the body is dropped. */
static int cover_body(void *ctx, const uint8_t *p, size_t n)
{
	(void)ctx, (void)p, (void)n;
	return 0;
}

static void cover_end(void *ctx)
{
	(void)ctx;
}

static void cover_closed(void *ctx, int error)
{
	(void)ctx;
	failed_error = error;
}

static const struct exchange_events cover_events = { .body = cover_body, .end = cover_end, .writable = cover_end,
						     .closed = cover_closed };

static void on_failed(void *ctx, struct exchange *x, const char *why)
{
	static const struct exchange_head head = { .status = 404, .lines = "" };
	size_t cap;

	(void)ctx;
	assert_non_null(why);
	failed++;
	x->events = &cover_events;
	assert_non_null(exchange_room(x, 0, &cap));
	exchange_send(x, &head, 0, true);
}

static void on_gone(void *ctx)
{
	(void)ctx;
	gone++;
}

static void taken(struct exchange *x, const struct http1_head *head)
{
	static const struct sealed_events events = { on_opened, on_failed, on_gone };

	sealed_server(talk.loop, seals[1], x, head->target, &events, NULL);
}

static void begin(const struct stream_mem_options *o)
{
	struct seal_secrets s = { { 1 }, { 2 }, { 3 } };

	seals[0] = seal_new(SEAL_HELPER, &s);
	seals[1] = seal_new(SEAL_SERVER, &s);
	failed = gone = 0;
	talk_set_up_pair(o);
	talk.client.around = around;
	talk.client.head.authorization = "secret";
	talk.server.taken = taken;
}

static void end(void)
{
	talk_tear_down();
	seal_release(seals[0]);
	seal_release(seals[1]);
}

static void test_complete(void **state)
{
	(void)state;
	begin(NULL);
	talk.client.total = 300;
	talk.server.total = 700;
	talk.client.portion = talk.server.portion = 1000;
	for (int i = 1; i <= 20; i++) {
		talk_ask(&talk.client);
		talk_settle();
		assert_int_equal(talk.client.closed, i);
		assert_int_equal(talk.client.error, 0);
		assert_int_equal(talk.client.got, 700 * i);
		assert_int_equal(talk.server.got, 300 * i);
		assert_int_equal(talk.server.closed, i);
		assert_int_equal(talk.client.idles, i);
	}
	end();
}

static void test_big_portion(void **state)
{
	struct stream_mem_options o = stream_mem_plain;

	(void)state;
	o.buffer = 1 << 20;
	begin(&o);
	talk.client.head.streamed = talk.server.head.streamed = true;
	talk.client.portion = talk.server.portion = EXCHANGE_ROOM_MAX;
	talk.client.total = talk.server.total = 3 * EXCHANGE_ROOM_MAX + 5;
	talk_ask(&talk.client);
	talk_settle();
	assert_int_equal(talk.server.got, talk.client.total);
	assert_int_equal(talk.client.got, talk.server.total);
	assert_int_equal(talk.client.error, 0);
	end();
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
		begin(&o);
		talk.client.head.streamed = talk.server.head.streamed = true;
		talk.client.total = 50000;
		talk.server.total = 70001;
		talk.client.portion = 1777;
		talk.server.portion = 5000;
		talk.server.hold = true;	/* the response must not be over before the request */
		talk_ask(&talk.client);
		talk_run(1000);
		talk.server.hold = false;
		talk.server.end_late = true;
		if (talk.server.x)
			talk_pump(&talk.server);
		talk_settle();
		assert_int_equal(talk.client.got_now, talk.server.total);
		assert_int_equal(talk.server.got_now, talk.client.total);
		exchange_send(talk.server.x, NULL, 0, true);
		talk_settle();
		assert_int_equal(talk.client.closed, 1);
		assert_int_equal(talk.client.error, 0);
		assert_true(talk.client.writables > 0 && talk.server.writables > 0);
		end();
	}
}

/* Whoever of them does anything at any moment: each exchange ends once, and everything is given back. */
static void test_anything_at_any_moment(void **state)
{
	(void)state;
	for (int who = 0; who < 2; who++)
		for (int when = AT_HEAD; when < MOMENTS; when++)
			for (int what = DO_ABORT; what < ACTIONS; what++)
				for (int streamed = 0; streamed < 2; streamed++) {
					struct stream_mem_options o = stream_mem_plain;
					struct party *p = who ? &talk.server : &talk.client;

					o.delay_us = 100;
					o.buffer = streamed ? 2000 : 0;
					begin(&o);
					p->when = (enum moment)when;
					p->what = (enum action)what;
					talk.client.head.streamed = talk.server.head.streamed = streamed;
					talk.client.portion = talk.server.portion = streamed ? 700 : 5000;
					talk.client.total = talk.server.total = 5000;
					talk_ask(&talk.client);
					talk_settle();
					if (p->x && p->paused) {
						p->paused = false;
						exchange_pause(p->x, false);
					}
					talk_settle();
					end();
					assert_true(talk.client.closed <= 1 && talk.server.closed <= 1);
				}
}

/* The connection breaks behind each octet. */
static void test_cut(void **state)
{
	(void)state;
	for (int way = 0; way < 2; way++)
		for (int64_t n = 0; n < 400; n += 3) {
			struct stream_mem_options o = stream_mem_plain;

			o.delay_us = 100;
			o.cut_after[way] = n;
			begin(&o);
			talk.client.total = talk.server.total = 100;
			talk_ask(&talk.client);
			talk_settle();
			end();
			assert_int_equal(talk.client.closed, 1);
			assert_int_equal(failed, 0);
		}
}

/* One who has no seal: the front answers, on the same connection. */
static void test_not_sealed(void **state)
{
	(void)state;
	begin(NULL);
	talk.client.around = NULL;
	talk.client.lax = true;
	talk.client.total = 300;
	for (unsigned i = 1; i < 4; i++) {
		talk_ask(&talk.client);
		talk_settle();
		assert_int_equal(failed, i);
		assert_int_equal(talk.client.status, 404);
		assert_int_equal(talk.client.error, 0);
		assert_int_equal(failed_error, 0);
	}
	assert_int_equal(talk.server.requests, 0);
	end();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_complete),
		cmocka_unit_test(test_big_portion),
		cmocka_unit_test(test_duplex_back_pressure),
		cmocka_unit_test(test_anything_at_any_moment),
		cmocka_unit_test(test_cut),
		cmocka_unit_test(test_not_sealed),
	};

	alarm(600);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
