/* links: tunnel/stream_tcp.c tunnel/tcp_tuning.c tunnel/address.c tunnel/loop.c tunnel/log.c framing/error.c */
/* libs: -lev */
/* The stream over a socket: connecting and failing to, level-triggered events, both ends, Unix sockets. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>
#include <unistd.h>

#include "framing/error.h"
#include "tunnel/address.h"
#include "tunnel/log.h"
#include "tunnel/stream_tcp.h"
#include "tunnel/tcp_tuning.h"

struct side {
	struct stream *stream;
	int ready, readable, writable, error;
	ssize_t last;		/* what the last read gave */
	size_t piece, in;
	bool stop;		/* breaks the loop with each event */
	bool close;		/* closes in the next event */
};

static struct loop *loop;
static struct timer guard;
static int listener;
static struct address here;

static void on_guard(void *ctx)
{
	*(bool *)ctx = true;
	loop_break(loop);
}

/* Runs until an event stops it; false when nothing did for so long. */
static bool run(int64_t us)
{
	bool late = false;

	timer_init(&guard, loop, on_guard, &late);
	timer_in(&guard, us);
	loop_run(loop);
	timer_stop(&guard);
	return !late;
}

static void event(struct side *s)
{
	if (s->close && s->stream) {
		stream_close(s->stream);
		s->stream = NULL;
	}
	if (s->stop)
		loop_break(loop);
}

static void on_ready(void *ctx)
{
	((struct side *)ctx)->ready++;
	event(ctx);
}

static void on_readable(void *ctx)
{
	struct side *s = ctx;
	uint8_t buf[65536];

	s->readable++;
	if (s->piece) {
		s->last = stream_read(s->stream, buf, s->piece);
		s->in += s->last > 0 ? (size_t)s->last : 0;
	}
	event(s);
}

static void on_writable(void *ctx)
{
	((struct side *)ctx)->writable++;
	event(ctx);
}

static void on_failed(void *ctx, int error)
{
	((struct side *)ctx)->error = error;
	event(ctx);
}

static const struct stream_events events = { on_ready, on_readable, on_writable, on_failed };

static struct stream *accepted(struct side *s)
{
	int fd = accept(listener, NULL, NULL);

	assert_true(fd >= 0);
	return stream_tcp_adopt(loop, fd, &events, s);
}

static void open_pair(struct side *a, struct side *b)
{
	memset(a, 0, sizeof *a);
	memset(b, 0, sizeof *b);
	a->stop = b->stop = true;
	a->stream = stream_tcp_connect(loop, (struct sockaddr *)&here.sa, here.len, &events, a);
	assert_int_equal(a->ready, 0); /* never from within the call */
	assert_true(run(5 * LOOP_SECOND));
	assert_int_equal(a->ready, 1);
	b->stream = accepted(b);
	a->piece = b->piece = 65536;
}

static void close_pair(struct side *a, struct side *b)
{
	if (a->stream)
		stream_close(a->stream);
	if (b->stream)
		stream_close(b->stream);
}

static int setup(void **state)
{
	(void)state;
	loop = loop_new();
	log_setup(LOG_LEVEL_ERROR, false);
	assert_true(address_literal("127.0.0.1", 0, &here));
	listener = socket(AF_INET, SOCK_STREAM, 0);
	assert_int_equal(bind(listener, (struct sockaddr *)&here.sa, here.len), 0);
	assert_int_equal(listen(listener, 8), 0);
	return address_of_socket(listener, &here);
}

static int teardown(void **state)
{
	(void)state;
	close(listener);
	loop_free(loop);
	return 0;
}

static void test_connect(void **state)
{
	struct side a, b;
	struct stream_info info;
	char text[ADDRESS_TEXT];

	(void)state;
	open_pair(&a, &b);
	stream_info(a.stream, &info);
	assert_string_equal(info.peer, address_text(&here, text));
	assert_string_equal(info.tls, "");
	assert_string_equal(info.alpn, "");
	stream_info(b.stream, &info);
	assert_memory_equal(info.peer, "127.0.0.1:", 10);
	close_pair(&a, &b);
}

static void test_early_calls(void **state)
{
	struct side s = { .stop = true };
	uint8_t byte = 0;

	(void)state;
	s.stream = stream_tcp_connect(loop, (struct sockaddr *)&here.sa, here.len, &events, &s);
	assert_int_equal(stream_read(s.stream, &byte, 1), ERROR_AGAIN);
	assert_int_equal(stream_write(s.stream, &byte, 1), ERROR_AGAIN);
	stream_want(s.stream, true, true);	/* taken over once it is connected */
	assert_true(run(5 * LOOP_SECOND));
	assert_int_equal(s.ready, 1);
	assert_true(run(5 * LOOP_SECOND));
	assert_int_equal(s.writable, 1);
	stream_close(s.stream);
	close(accept(listener, NULL, NULL));
	s.stream = stream_tcp_connect(loop, (struct sockaddr *)&here.sa, here.len, &events, &s);
	stream_close(s.stream);			/* before it is connected */
	assert_false(run(20 * LOOP_MS));
	close(accept(listener, NULL, NULL));
}

static int expect_failure(const struct sockaddr *sa, socklen_t len)
{
	struct side s = { .stop = true };
	uint8_t byte = 0;

	s.stream = stream_tcp_connect(loop, sa, len, &events, &s);
	assert_int_equal(s.error, 0);
	assert_true(run(5 * LOOP_SECOND));
	assert_int_equal(s.ready, 0);
	assert_int_equal(stream_write(s.stream, &byte, 1), s.error);
	assert_int_equal(stream_read(s.stream, &byte, 1), s.error);
	stream_want(s.stream, true, true);
	stream_close(s.stream);
	return s.error;
}

static void test_refused(void **state)
{
	struct sockaddr_un un = { .sun_family = AF_UNIX, .sun_path = "/nonexistent/culvert.sock" };
	struct sockaddr unknown = { .sa_family = 77 };
	struct address a;
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	(void)state;
	assert_true(address_literal("127.0.0.1", 0, &a));
	assert_int_equal(bind(fd, (struct sockaddr *)&a.sa, a.len), 0); /* bound, not listening */
	address_of_socket(fd, &a);
	assert_int_equal(expect_failure((struct sockaddr *)&a.sa, a.len), ERROR_REFUSED);
	close(fd);
	assert_int_equal(expect_failure((struct sockaddr *)&un, sizeof un), ERROR_REFUSED);
	/* TCP does not go to a group: refused locally, at once. */
	assert_true(address_literal("224.0.0.1", 9, &a));
	assert_int_equal(expect_failure((struct sockaddr *)&a.sa, a.len), ERROR_UNREACHABLE);
	assert_int_equal(expect_failure(&unknown, sizeof unknown), ERROR_UNREACHABLE);
}

static void test_level_triggered(void **state)
{
	struct side a, b;

	(void)state;
	open_pair(&a, &b);
	assert_int_equal(stream_write(a.stream, (const uint8_t *)"0123456789", 10), 10);
	assert_false(run(20 * LOOP_MS));	/* nobody wants to read */
	b.piece = 3;
	stream_want(b.stream, true, false);
	for (int i = 1; i <= 4; i++) {
		assert_true(run(5 * LOOP_SECOND));
		assert_int_equal(b.readable, i);
	}
	assert_int_equal(b.in, 10);
	assert_false(run(20 * LOOP_MS));	/* all read */
	assert_int_equal(b.readable, 4);
	stream_want(a.stream, false, true);
	assert_true(run(5 * LOOP_SECOND));
	assert_true(run(5 * LOOP_SECOND));
	assert_int_equal(a.writable, 2);
	stream_want(a.stream, false, false);
	assert_false(run(20 * LOOP_MS));
	close_pair(&a, &b);
}

/* The kernel keeps little unsent: a writer is told to wait long before its socket buffer is full. */
static void test_back_pressure(void **state)
{
	static uint8_t block[65536];
	struct side a, b;
	size_t taken = 0;
	ssize_t n;

	(void)state;
	open_pair(&a, &b);
	while ((n = stream_write(a.stream, block, sizeof block)) > 0)
		taken += (size_t)n;
	assert_int_equal(n, ERROR_AGAIN);
	stream_want(a.stream, false, true);
	assert_false(run(50 * LOOP_MS));
	b.stop = false;
	stream_want(b.stream, true, false);
	assert_true(run(5 * LOOP_SECOND));
	assert_int_equal(a.writable, 1);
	stream_want(a.stream, false, false);
	while (b.in < taken && !run(20 * LOOP_MS))
		;
	assert_int_equal(b.in, taken);
	close_pair(&a, &b);
}

static void test_options(void **state)
{
	struct side s = { .stop = true };
	int fd, on, fd_before = dup(0);
	unsigned value;
	socklen_t len;

	(void)state;
	close(fd_before);
	s.stream = stream_tcp_connect(loop, (struct sockaddr *)&here.sa, here.len, &events, &s);
	fd = fd_before;	/* the lowest free one */
	len = sizeof on;
	assert_int_equal(getsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, &len), 0);
	assert_true(on);
	assert_int_equal(getsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, &len), 0);
	assert_true(on);
	len = sizeof value;
	assert_int_equal(getsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &value, &len), 0);
	assert_int_equal(value, 30000);
	assert_int_equal(getsockopt(fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, &value, &len), 0);
	assert_int_equal(value, 4096);
	stream_close(s.stream);
	close(accept(listener, NULL, NULL));
}

static int option(int fd, int name)
{
	int value = -1;
	socklen_t len = sizeof value;

	assert_int_equal(getsockopt(fd, IPPROTO_TCP, name, &value, &len), 0);
	return value;
}

static int lowest_free(void)
{
	int fd = dup(0);

	close(fd);
	return fd;
}

/* One byte there and back, so often. */
static void ping(struct side *a, struct side *b, int times)
{
	struct side *side[] = { a, b };

	for (int i = 0; i < 2 * times; i++) {
		struct side *from = side[i % 2], *to = side[(i + 1) % 2];

		assert_int_equal(stream_write(from->stream, (const uint8_t *)"x", 1), 1);
		stream_want(to->stream, true, false);
		assert_true(run(5 * LOOP_SECOND));
		stream_want(to->stream, false, false);
	}
}

#define RTO_MIN_US 45	/* TCP_RTO_MIN_US */

/* Both ends by getsockopt, and what comes of it; off: as it was. */
static void test_sparse(void **state)
{
	struct tcp_info info;
	socklen_t len = sizeof info;
	struct side a, b;
	int fd = lowest_free(), zero = 0, usual;
	bool can;

	(void)state;
	tcp_tuning_setup("auto", true);
	can = tcp_tuning_can_rto_min();
	open_pair(&a, &b);
	usual = can ? option(fd, RTO_MIN_US) : 0;
	stream_tune(a.stream, STREAM_SPARSE);
	assert_int_equal(option(fd, TCP_THIN_LINEAR_TIMEOUTS), 1);
	assert_int_equal(can ? option(fd, RTO_MIN_US) : 20000, 20000);
	ping(&a, &b, 20);
	assert_int_equal(getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &len), 0);
	assert_true(can == (info.tcpi_rto < 100000));
	assert_int_equal(setsockopt(fd, IPPROTO_TCP, TCP_QUICKACK, &zero, sizeof zero), 0);
	assert_int_equal(option(fd, TCP_QUICKACK), 0);
	usleep(2000);	/* what comes sooner the kernel acknowledges without being told */
	ping(&a, &b, 1);
	assert_int_equal(option(fd, TCP_QUICKACK), 1);	/* set again with the read */
	stream_tune(a.stream, 0);
	assert_int_equal(option(fd, TCP_THIN_LINEAR_TIMEOUTS), 0);
	assert_int_equal(can ? option(fd, RTO_MIN_US) : 0, usual);
	assert_int_equal(setsockopt(fd, IPPROTO_TCP, TCP_QUICKACK, &zero, sizeof zero), 0);
	ping(&a, &b, 1);
	assert_int_equal(option(fd, TCP_QUICKACK), 0);
	tcp_tuning_setup("auto", false);	/* not wanted at all */
	stream_tune(a.stream, STREAM_SPARSE);
	assert_int_equal(option(fd, TCP_THIN_LINEAR_TIMEOUTS), 0);
	close_pair(&a, &b);
}

static void expect_congestion(int fd, const char *name)
{
	char got[16] = "";
	socklen_t len = sizeof got;

	assert_int_equal(getsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, got, &len), 0);
	assert_string_equal(got, name);
}

/* reno is in every kernel, and everybody may use it. Local connections keep the kernel's own. */
static void test_congestion(void **state)
{
	struct side a, b;
	char usual[16] = "", why[256];
	socklen_t len = sizeof usual;
	int fd = lowest_free();

	(void)state;
	assert_true(tcp_tuning_complaint("auto", why, sizeof why));
	assert_true(tcp_tuning_complaint("reno", why, sizeof why));
	assert_false(tcp_tuning_complaint("none-such", why, sizeof why));
	assert_non_null(strstr(why, "no congestion control 'none-such'"));
	assert_false(tcp_tuning_complaint("", why, sizeof why));
	assert_false(tcp_tuning_complaint("of-a-very-long-name", why, sizeof why));
	open_pair(&a, &b);
	assert_int_equal(getsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, usual, &len), 0);
	tcp_tuning_setup("reno", true);
	expect_congestion(fd, usual);
	stream_tcp_far(a.stream);
	expect_congestion(fd, "reno");
	tcp_tuning_setup("auto", true);
	assert_string_equal(tcp_tuning_congestion(), tcp_tuning_complaint("bbr", why, sizeof why) ? "bbr" : "");
	stream_tcp_far(a.stream);
	expect_congestion(fd, tcp_tuning_complaint("bbr", why, sizeof why) ? "bbr" : "reno");
	close_pair(&a, &b);
}

/* Where urgent packets share a connection with much else bbr gives way; what has a name stays. */
static void test_mixed(void **state)
{
	struct side a, b;
	char why[256];
	int fd = lowest_free();
	bool bbr = tcp_tuning_complaint("bbr", why, sizeof why) && tcp_tuning_complaint("cubic", why, sizeof why);

	(void)state;
	tcp_tuning_setup("reno", true);
	open_pair(&a, &b);
	stream_tcp_far(a.stream);
	stream_tune(a.stream, STREAM_MIXED);
	expect_congestion(fd, "reno");
	stream_tune(a.stream, 0);
	tcp_tuning_setup("auto", true);
	stream_tcp_far(a.stream);
	for (unsigned i = 0; i < 2; i++) {
		stream_tune(a.stream, STREAM_MIXED);
		expect_congestion(fd, bbr ? "cubic" : "reno");
		stream_tune(a.stream, STREAM_SPARSE | STREAM_MIXED);
		expect_congestion(fd, bbr ? "cubic" : "reno");
		stream_tune(a.stream, 0);
		expect_congestion(fd, bbr ? "bbr" : "reno");
	}
	close_pair(&a, &b);
}

static void test_ends(void **state)
{
	struct side a, b;
	uint8_t byte = 'x';

	(void)state;
	open_pair(&a, &b);	/* half closed: the other direction goes on */
	stream_want(b.stream, true, false);
	stream_tcp_finish(a.stream);
	assert_true(run(5 * LOOP_SECOND));
	assert_int_equal(b.last, 0);
	assert_int_equal(stream_write(a.stream, &byte, 1), ERROR_RESET);
	stream_want(b.stream, false, false);
	assert_int_equal(stream_write(b.stream, &byte, 1), 1);
	stream_want(a.stream, true, false);
	assert_true(run(5 * LOOP_SECOND));
	assert_int_equal(a.in, 1);
	close_pair(&a, &b);

	open_pair(&a, &b);	/* in order */
	stream_want(b.stream, true, false);
	stream_close(a.stream);
	a.stream = NULL;
	assert_true(run(5 * LOOP_SECOND));
	assert_int_equal(b.last, 0);
	assert_true(run(5 * LOOP_SECOND)); /* level-triggered too */
	assert_int_equal(b.last, 0);
	close_pair(&a, &b);

	open_pair(&a, &b);	/* not */
	stream_want(b.stream, true, false);
	stream_tcp_abort(a.stream);
	a.stream = NULL;
	assert_true(run(5 * LOOP_SECOND));
	assert_int_equal(b.last, ERROR_RESET);
	close_pair(&a, &b);
}

/* Both directions are ready; the first callback closes: the second must not come. */
static void test_close_in_event(void **state)
{
	struct side a, b;

	(void)state;
	open_pair(&a, &b);
	assert_int_equal(stream_write(a.stream, (const uint8_t *)"x", 1), 1);
	assert_false(run(20 * LOOP_MS));
	b.close = true;
	stream_want(b.stream, true, true);
	while (b.stream)
		assert_true(run(5 * LOOP_SECOND));
	assert_int_equal(b.readable + b.writable, 1);
	assert_false(run(20 * LOOP_MS));
	close_pair(&a, &b);
}

static void test_unix(void **state)
{
	struct side a = { .stop = true, .piece = 16 }, b = a;
	struct stream_info info;
	int fd[2];

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fd), 0);
	a.stream = stream_tcp_adopt(loop, fd[0], &events, &a);
	b.stream = stream_tcp_adopt(loop, fd[1], &events, &b);
	stream_info(a.stream, &info);
	assert_string_equal(info.peer, "unix");
	assert_int_equal(stream_write(a.stream, (const uint8_t *)"hello", 5), 5);
	stream_want(b.stream, true, false);
	assert_true(run(5 * LOOP_SECOND));
	assert_int_equal(b.in, 5);
	stream_close(a.stream);
	a.stream = NULL;
	assert_true(run(5 * LOOP_SECOND));
	assert_int_equal(b.last, 0);
	assert_int_equal(stream_write(b.stream, (const uint8_t *)"x", 1), ERROR_RESET);	/* and no SIGPIPE */
	close_pair(&a, &b);
}

static void test_unix_connect(void **state)
{
	struct sockaddr_un un = { .sun_family = AF_UNIX };
	struct side s = { .stop = true };
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	(void)state;
	snprintf(un.sun_path, sizeof un.sun_path, "/tmp/culvert-test-%d.sock", (int)getpid());
	unlink(un.sun_path);
	assert_int_equal(bind(fd, (struct sockaddr *)&un, sizeof un), 0);
	assert_int_equal(expect_failure((struct sockaddr *)&un, sizeof un), ERROR_REFUSED);
	assert_int_equal(listen(fd, 1), 0);
	s.stream = stream_tcp_connect(loop, (struct sockaddr *)&un, sizeof un, &events, &s);
	assert_int_equal(s.ready, 0);
	assert_true(run(5 * LOOP_SECOND));
	assert_int_equal(s.ready, 1);
	stream_close(s.stream);
	close(fd);
	unlink(un.sun_path);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_connect, setup, teardown),
		cmocka_unit_test_setup_teardown(test_early_calls, setup, teardown),
		cmocka_unit_test_setup_teardown(test_refused, setup, teardown),
		cmocka_unit_test_setup_teardown(test_level_triggered, setup, teardown),
		cmocka_unit_test_setup_teardown(test_back_pressure, setup, teardown),
		cmocka_unit_test_setup_teardown(test_options, setup, teardown),
		cmocka_unit_test_setup_teardown(test_sparse, setup, teardown),
		cmocka_unit_test_setup_teardown(test_congestion, setup, teardown),
		cmocka_unit_test_setup_teardown(test_mixed, setup, teardown),
		cmocka_unit_test_setup_teardown(test_ends, setup, teardown),
		cmocka_unit_test_setup_teardown(test_close_in_event, setup, teardown),
		cmocka_unit_test_setup_teardown(test_unix, setup, teardown),
		cmocka_unit_test_setup_teardown(test_unix_connect, setup, teardown),
	};

	alarm(120); /* whatever happens, end */
	return cmocka_run_group_tests(tests, NULL, NULL);
}
