/* links: tests/lib/stream_mem.c tunnel/loop.c */
/* libs: -lev */
/* The stream in memory must be right itself: the tests of the engines stand on it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "framing/error.h"
#include "tests/lib/stream_mem.h"

struct side {
	struct stream *stream;
	uint8_t in[4096];
	size_t got;
	int readable, writable, error;
	bool eof;
	int64_t at;
};

static struct loop *loop;
static struct side a, b;

static void on_readable(void *ctx)
{
	struct side *s = ctx;
	ssize_t n = stream_read(s->stream, s->in + s->got, sizeof s->in - s->got);

	s->readable++;
	s->at = loop_now(loop);
	assert_true(n != ERROR_AGAIN);
	if (n > 0) {
		s->got += (size_t)n;
		return;
	}
	s->eof = n == 0;
	s->error = (int)n;
	stream_want(s->stream, false, false);
}

static void on_writable(void *ctx)
{
	struct side *s = ctx;

	s->writable++;
	stream_want(s->stream, true, false);
}

static void on_failed(void *ctx, int error)
{
	struct side *s = ctx;

	s->error = error;
}

static const struct stream_events events = { NULL, on_readable, on_writable, on_failed };

static void open_pair(const struct stream_mem_options *o)
{
	loop = loop_new_virtual(0, 0);
	memset(&a, 0, sizeof a);
	memset(&b, 0, sizeof b);
	stream_mem_pair(loop, &a.stream, &b.stream, o);
	stream_attach(a.stream, &events, &a);
	stream_attach(b.stream, &events, &b);
	stream_want(a.stream, true, false);
	stream_want(b.stream, true, false);
}

static void close_pair(void)
{
	stream_close(a.stream);
	stream_close(b.stream);
	loop_free(loop);
}

static ssize_t put(struct side *s, size_t n)
{
	uint8_t bytes[4096];

	for (size_t i = 0; i < n; i++)
		bytes[i] = (uint8_t)(stream_mem_sent(s->stream) + i);
	return stream_write(s->stream, bytes, n);
}

static void test_delay(void **state)
{
	struct stream_mem_options o = stream_mem_plain;

	(void)state;
	o.delay_us = 100;
	open_pair(&o);
	assert_int_equal(put(&a, 10), 10);
	loop_advance(loop, 50);
	assert_int_equal(put(&a, 5), 5);
	loop_advance(loop, 99);
	assert_int_equal(b.got, 0);
	loop_advance(loop, 100);
	assert_int_equal(b.got, 10);
	stream_mem_options(a.stream)->delay_us = 10;	/* order stays */
	assert_int_equal(put(&a, 1), 1);
	stream_mem_finish(a.stream);
	loop_advance(loop, 149);
	assert_int_equal(b.got, 10);
	loop_advance(loop, 1000);
	assert_int_equal(b.got, 16);
	assert_true(b.eof);
	assert_int_equal(b.at, 150);
	for (size_t i = 0; i < b.got; i++)
		assert_int_equal(b.in[i], i);
	close_pair();
}

static void test_back_pressure(void **state)
{
	struct stream_mem_options o = stream_mem_plain;

	(void)state;
	o.buffer = 100;
	o.chunk = 7;
	o.write_chunk = 60;
	open_pair(&o);
	stream_want(b.stream, false, false);
	assert_int_equal(put(&a, 90), 60);
	assert_int_equal(put(&a, 90), 40);
	assert_int_equal(put(&a, 90), ERROR_AGAIN);
	stream_want(a.stream, true, true);
	loop_advance(loop, 1);
	assert_int_equal(a.writable, 0);
	stream_want(b.stream, true, false);
	loop_advance(loop, 2);
	assert_int_equal(a.writable, 1);
	assert_int_equal(b.got, 100);
	assert_int_equal(b.readable, 15);
	close_pair();
}

static void test_cut_after(void **state)
{
	struct stream_mem_options o = stream_mem_plain;

	(void)state;
	o.delay_us = 10;
	o.cut_after[0] = 25;
	open_pair(&o);
	assert_int_equal(put(&b, 3), 3);
	assert_int_equal(put(&a, 20), 20);
	assert_int_equal(put(&a, 20), 20);	/* does not know yet */
	assert_int_equal(put(&a, 20), 20);
	loop_advance(loop, 10);
	assert_int_equal(b.got, 25);
	assert_int_equal(b.error, ERROR_RESET);
	assert_int_equal(a.got, 3);
	assert_int_equal(a.error, ERROR_RESET);
	assert_int_equal(put(&a, 1), ERROR_RESET);
	close_pair();
}

static void test_cut_now_and_fail(void **state)
{
	struct stream_mem_options o = stream_mem_plain;

	(void)state;
	o.delay_us = 10;
	open_pair(&o);
	put(&a, 20);
	loop_advance(loop, 5);
	put(&a, 20);
	loop_advance(loop, 10);
	stream_mem_cut(a.stream);
	loop_advance(loop, 100);
	assert_int_equal(b.got, 20);
	assert_int_equal(b.error, ERROR_RESET);
	close_pair();
	open_pair(&o);
	stream_mem_fail(b.stream, ERROR_TLS);
	loop_advance(loop, 1);
	assert_int_equal(b.error, ERROR_TLS);
	assert_int_equal(a.error, ERROR_RESET);
	assert_int_equal(b.readable, 0);
	close_pair();
}

static void test_stall(void **state)
{
	struct stream_mem_options o = stream_mem_plain;

	(void)state;
	o.stall_after[1] = 4;
	open_pair(&o);
	put(&b, 10);
	stream_mem_finish(b.stream);
	loop_advance(loop, 1000000);
	assert_int_equal(a.got, 4);
	assert_false(a.eof);
	stream_mem_stall(b.stream, false);
	loop_advance(loop, 1000001);
	assert_int_equal(a.got, 10);
	assert_true(a.eof);
	close_pair();
}

static void test_close(void **state)
{
	struct stream_mem_options o = stream_mem_plain;
	struct stream *peer;

	(void)state;
	o.delay_us = 10;
	open_pair(&o);
	put(&a, 10);
	peer = stream_mem_peer(a.stream);
	assert_ptr_equal(peer, b.stream);
	stream_close(a.stream);
	assert_true(stream_mem_closed(a.stream));
	assert_int_equal(put(&b, 5), 5);
	loop_advance(loop, 10);
	assert_int_equal(b.got, 10);
	assert_true(b.eof);
	loop_advance(loop, 20);
	assert_int_equal(put(&b, 5), ERROR_RESET);
	stream_close(b.stream);
	loop_free(loop);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_delay),
		cmocka_unit_test(test_back_pressure),
		cmocka_unit_test(test_cut_after),
		cmocka_unit_test(test_cut_now_and_fail),
		cmocka_unit_test(test_stall),
		cmocka_unit_test(test_close),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
