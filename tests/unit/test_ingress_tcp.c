/* links: client/ingress_tcp.c client/relay.c client/ingress_listener.c client/ingress.c tunnel/loop.c tunnel/address.c tunnel/stream_tcp.c tunnel/tcp_tuning.c framing/capsule.c framing/cursor.c framing/varint.c tests/lib/rig.c tests/lib/turns.c */
/* libs: -lev */
/* TCP ingress over real sockets and fake channels: bytes, back-pressure, halves, resets, waiting for a session. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "framing/capsule.h"
#include "tests/lib/rig.h"
#include "tunnel/channel.h"

#define CHANNELS 8
#define ROOM 4096

/* ---- fakes ---- */

const struct ingress_kind ingress_udp = { .scheme = "udp" };
const struct ingress_kind ingress_ws = { .scheme = "ws" };
const struct ingress_kind ingress_socks = { .scheme = "socks5", .any = true }, ingress_http = { .scheme = "http", .any = true };

struct channel {
	const struct endpoint_ops *ops;
	void *ctx;
	uint8_t buf[ROOM];
	unsigned in;		/* bytes of buf that are filled */
	unsigned full, finished, resumed, closed;
	uint64_t code;
};

static struct channel channels[CHANNELS];
static unsigned opened, limit;

struct channel *channel_open(struct session *s, const struct channel_params *params, const struct endpoint_ops *ops,
			     void *ctx)
{
	struct channel *ch = &channels[opened];

	assert_ptr_equal(s, rig_session());
	assert_int_equal(params->kind, KIND_STREAM);
	assert_string_equal(params->service, "sig");
	if (opened == limit)
		return NULL;
	opened++;
	*ch = (struct channel){ .ops = ops, .ctx = ctx };
	return ch;
}

uint8_t *channel_reserve(struct channel *ch, size_t *n)
{
	*n = ROOM - ch->in;
	ch->full = *n == 0;
	return ch->buf + ch->in;
}

void channel_commit(struct channel *ch, size_t n)
{
	ch->in += (unsigned)n;
}

void channel_finish(struct channel *ch)
{
	ch->finished++;
}

void channel_resume(struct channel *ch)
{
	ch->resumed++;
}

void channel_close(struct channel *ch, uint64_t code, const char *reason)
{
	(void)reason;
	assert_non_null(ch->ops);
	ch->ops = NULL;
	ch->closed++;
	ch->code = code;
}

uint64_t channel_id(const struct channel *ch)
{
	return (uint64_t)(ch - channels);
}

static void end_channel(unsigned i, uint64_t code)
{
	const struct endpoint_ops *ops = channels[i].ops;

	channels[i].ops = NULL;
	ops->closed(channels[i].ctx, code, "because");
}

static int setup(void **state)
{
	int fd;

	(void)state;
	memset(channels, 0, sizeof channels);
	opened = 0;
	limit = CHANNELS;
	rig_set_up(NULL, 3);
	fd = rig_bind(&ingress_tcp, "::1");
	if (fd < 0)
		fd = rig_bind(&ingress_tcp, "127.0.0.1");
	rig_open(&ingress_tcp, fd, "sig", 0);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	for (unsigned i = 0; i < opened; i++)
		if (channels[i].ops)
			end_channel(i, CODE_SESSION_LOST);
	rig_tear_down();
	return 0;
}

static int dial(void)
{
	int fd = socket(rig.local.sa.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_int_equal(connect(fd, (struct sockaddr *)&rig.local.sa, rig.local.len), 0);
	return fd;
}

static int dial_open(unsigned channel)
{
	int fd = dial();

	rig_run_until(&opened, channel + 1);
	return fd;
}

/* recv without waiting: a count, or -errno. */
static ssize_t hear(int fd, void *p, size_t cap)
{
	ssize_t n = recv(fd, p, cap, MSG_DONTWAIT);

	return n < 0 ? -errno : n;
}

static void test_bytes(void **state)
{
	int fd = dial_open(0);
	char got[8];

	(void)state;
	assert_int_equal(send(fd, "hello", 5, 0), 5);
	rig_run_until(&channels[0].in, 5);
	assert_memory_equal(channels[0].buf, "hello", 5);
	assert_int_equal(channels[0].ops->bytes(channels[0].ctx, (const uint8_t *)"world", 5), 5);
	assert_int_equal(recv(fd, got, sizeof got, 0), 5);
	assert_memory_equal(got, "world", 5);
	close(fd);
}

static void test_full_channel_stops_reading(void **state)
{
	static char bytes[3 * ROOM];
	int fd = dial_open(0);

	(void)state;
	assert_int_equal(send(fd, bytes, sizeof bytes, 0), (ssize_t)sizeof bytes);
	rig_run_until(&channels[0].full, 1);
	rig_run_turns(3);
	assert_int_equal(channels[0].in, ROOM);
	channels[0].in = 0;
	channels[0].ops->writable(channels[0].ctx);
	rig_run_until(&channels[0].in, ROOM);
	channels[0].in = 0;
	channels[0].ops->writable(channels[0].ctx);
	rig_run_until(&channels[0].in, ROOM);
	close(fd);
}

static void test_full_socket_stops_writing(void **state)
{
	static uint8_t bytes[65536], got[65536];
	int fd = dial_open(0);
	size_t sent = 0, received = 0, took;
	ssize_t n;

	(void)state;
	do {
		took = channels[0].ops->bytes(channels[0].ctx, bytes, sizeof bytes);
		sent += took;
	} while (took == sizeof bytes);
	rig_run_turns(3);
	assert_int_equal(channels[0].resumed, 0);
	assert_int_equal(channels[0].ops->bytes(channels[0].ctx, bytes, 1), 0);
	while (received < sent) {
		n = hear(fd, got, sizeof got);
		assert_true(n > 0 || n == -EAGAIN);
		received += n > 0 ? (size_t)n : 0;
		rig_run_turns(n > 0 ? 0 : 1);
	}
	rig_run_until(&channels[0].resumed, 1);
	assert_int_equal(channels[0].ops->bytes(channels[0].ctx, bytes, 1), 1);
	close(fd);
}

static void test_half_close_local_first(void **state)
{
	int fd = dial_open(0);
	char got[8];

	(void)state;
	shutdown(fd, SHUT_WR);
	rig_run_until(&channels[0].finished, 1);
	assert_int_equal(channels[0].ops->bytes(channels[0].ctx, (const uint8_t *)"late", 4), 4);
	assert_int_equal(recv(fd, got, sizeof got, 0), 4);
	channels[0].ops->finish(channels[0].ctx);
	assert_int_equal(recv(fd, got, sizeof got, 0), 0);
	end_channel(0, CODE_NONE);
	rig_run_turns(2);
	assert_int_equal(channels[0].finished, 1);
	assert_int_equal(channels[0].closed, 0);
	assert_int_equal(rig.warnings, 0);
	close(fd);
}

static void test_half_close_remote_first(void **state)
{
	int fd = dial_open(0);
	char got[8];

	(void)state;
	channels[0].ops->finish(channels[0].ctx);
	assert_int_equal(recv(fd, got, sizeof got, 0), 0);
	assert_int_equal(send(fd, "more", 4, 0), 4);
	rig_run_until(&channels[0].in, 4);
	close(fd);
	rig_run_until(&channels[0].finished, 1);
	end_channel(0, CODE_NONE);
}

static void test_channel_reset(void **state)
{
	int fd = dial_open(0);
	char c;

	(void)state;
	end_channel(0, CODE_CONNECT_REFUSED);
	assert_int_equal(hear(fd, &c, 1), -ECONNRESET);
	assert_int_equal(rig.warnings, 1);
	close(fd);
}

static void test_local_reset(void **state)
{
	const struct linger hard = { .l_onoff = 1, .l_linger = 0 };
	int fd = dial_open(0);

	(void)state;
	setsockopt(fd, SOL_SOCKET, SO_LINGER, &hard, sizeof hard);
	close(fd);
	rig_run_until(&channels[0].closed, 1);
	assert_int_equal(channels[0].code, CODE_LOCAL_RESET);
}

static void test_socket_fails_within_a_call(void **state)
{
	const struct linger hard = { .l_onoff = 1, .l_linger = 0 };
	int fd = dial_open(0);

	(void)state;
	setsockopt(fd, SOL_SOCKET, SO_LINGER, &hard, sizeof hard);
	close(fd);
	/* The channel must not be closed under its own feet. */
	assert_int_equal(channels[0].ops->bytes(channels[0].ctx, (const uint8_t *)"x", 1), 1);
	assert_int_equal(channels[0].closed, 0);
	rig_run_until(&channels[0].closed, 1);
}

static void test_waits_for_session(void **state)
{
	int fd;

	(void)state;
	rig.session_open = false;
	fd = dial();
	assert_int_equal(send(fd, "early", 5, 0), 5);
	rig_run_turns(3);
	assert_int_equal(opened, 0);
	rig.session_open = true;
	ingress_tcp.welcome(rig.ingress);
	assert_int_equal(opened, 1);
	rig_run_until(&channels[0].in, 5);
	assert_int_equal(rig.warnings, 0);
	close(fd);
}

static void test_channel_limit(void **state)
{
	int fd;
	char c;

	(void)state;
	limit = 0;
	fd = dial();
	rig_run_until(&rig.warnings, 1);
	assert_int_equal(hear(fd, &c, 1), -ECONNRESET);
	close(fd);
}

static void test_cap_hurts_the_new_one(void **state)
{
	int fd[3], late;

	(void)state;
	for (unsigned i = 0; i < 3; i++)
		fd[i] = dial_open(i);
	late = dial();
	rig_run_until(&rig.warnings, 1);
	assert_int_equal(opened, 3);
	assert_int_equal(hear(late, &(char){ 0 }, 1), -ECONNRESET);
	close(late);
	for (unsigned i = 0; i < 3; i++) {
		assert_int_equal(send(fd[i], "x", 1, 0), 1);
		rig_run_until(&channels[i].in, 1);
		close(fd[i]);
	}
}

static void test_close_while_waiting(void **state)
{
	int fd;

	(void)state;
	rig.session_open = false;
	fd = dial();
	rig_run_turns(3);
	/* teardown closes the port with the connection still waiting */
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_bytes, setup, teardown),
		cmocka_unit_test_setup_teardown(test_full_channel_stops_reading, setup, teardown),
		cmocka_unit_test_setup_teardown(test_full_socket_stops_writing, setup, teardown),
		cmocka_unit_test_setup_teardown(test_half_close_local_first, setup, teardown),
		cmocka_unit_test_setup_teardown(test_half_close_remote_first, setup, teardown),
		cmocka_unit_test_setup_teardown(test_channel_reset, setup, teardown),
		cmocka_unit_test_setup_teardown(test_local_reset, setup, teardown),
		cmocka_unit_test_setup_teardown(test_socket_fails_within_a_call, setup, teardown),
		cmocka_unit_test_setup_teardown(test_waits_for_session, setup, teardown),
		cmocka_unit_test_setup_teardown(test_channel_limit, setup, teardown),
		cmocka_unit_test_setup_teardown(test_cap_hurts_the_new_one, setup, teardown),
		cmocka_unit_test_setup_teardown(test_close_while_waiting, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
