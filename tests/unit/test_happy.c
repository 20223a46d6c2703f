/* links: client/happy.c tunnel/stream_tcp.c tunnel/tcp_tuning.c tunnel/address.c tunnel/loop.c tunnel/log.c framing/error.c tests/lib/sockets.c tests/lib/turns.c */
/* libs: -lev */
/* The race of connections: one that answers, others that refuse, cannot be reached or say nothing. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "client/happy.h"
#include "framing/error.h"
#include "tests/lib/sockets.h"
#include "tests/lib/turns.h"

static struct loop *loop;
static struct address open_address;	/* where somebody listens */
static int open_fd;

struct race {
	int called, error;
	struct stream *stream;
	struct address winner;
	int64_t at;
};

static void on_raced(void *ctx, struct stream *s, const struct address *winner, int error)
{
	struct race *r = ctx;
	static const struct stream_events none;

	r->called++;
	r->error = error;
	r->stream = s;
	r->at = loop_now(loop);
	if (s) {
		stream_attach(s, &none, NULL);
		r->winner = *winner;
	}
	loop_break(loop);
}

static int64_t race(struct race *r, const struct address *a, size_t n)
{
	int64_t began = loop_touch(loop);

	memset(r, 0, sizeof *r);
	happy_start(loop, a, n, on_raced, r);
	assert_int_equal(r->called, 0);
	assert_true(turns_run(loop, 10 * LOOP_SECOND));
	assert_int_equal(r->called, 1);
	if (r->stream)
		stream_close(r->stream);
	return r->at - began;
}

static void test_race(void **state)
{
	struct address a[4], hole, dead, far;
	struct race r;
	int fds[SOCKETS_HOLE], fd = sockets_bound("127.0.0.1", &dead);
	int64_t took;

	(void)state;
	sockets_hole(&hole, fds);
	assert_true(address_literal("224.0.0.1", 9, &far));
	a[0] = hole;
	a[1] = open_address;
	took = race(&r, a, 2);	/* one dead address: the next 250 ms later */
	assert_int_equal(r.error, 0);
	assert_true(address_equal(&r.winner, &open_address));
	assert_true(took >= HAPPY_DELAY_US);
	a[0] = dead;
	a[1] = far;
	a[2] = open_address;
	took = race(&r, a, 3);	/* failures: the next at once */
	assert_int_equal(r.error, 0);
	assert_true(took < HAPPY_DELAY_US);
	a[2] = dead;
	race(&r, a, 3);
	assert_int_equal(r.error, ERROR_REFUSED);
	a[0] = far;
	a[1] = dead;
	race(&r, a, 2);		/* what says most, not what came first */
	assert_int_equal(r.error, ERROR_REFUSED);
	race(&r, a, 1);
	assert_int_equal(r.error, ERROR_UNREACHABLE);
	race(&r, a, 0);
	assert_int_equal(r.error, ERROR_UNREACHABLE);
	a[0] = a[1] = hole;
	memset(&r, 0, sizeof r);
	happy_cancel(happy_start(loop, a, 2, on_raced, &r));
	assert_false(turns_run(loop, 300 * LOOP_MS));
	assert_int_equal(r.called, 0);
	close(fd);
	sockets_close(fds);
}

static int setup(void **state)
{
	(void)state;
	loop = loop_new();
	open_fd = sockets_bound("127.0.0.1", &open_address);
	assert_int_equal(listen(open_fd, 16), 0);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	close(open_fd);
	loop_free(loop);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_race, setup, teardown),
	};

	alarm(180); /* whatever happens, end */
	return cmocka_run_group_tests(tests, NULL, NULL);
}
