/* links: client/ingress_udp.c client/ingress.c tunnel/loop.c tunnel/address.c tunnel/udp_linux.c tunnel/udp_sender_linux.c tunnel/counters.c framing/packet.c framing/capsule.c framing/cursor.c framing/varint.c tests/lib/rig.c tests/lib/turns.c */
/* libs: -lev */
/* UDP ingress over real sockets and fake channels: flows, sizes, caps, refusals, lost sessions. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "framing/capsule.h"
#include "tests/lib/rig.h"
#include "tunnel/channel.h"
#include "tunnel/counters.h"
#include "tunnel/udp.h"
#include "tunnel/udp_sender.h"

#define FLOWS 4			/* cap of the port under test */
#define CHANNELS 16

/* ---- fakes ---- */

const struct ingress_kind ingress_tcp = { .scheme = "tcp" };
const struct ingress_kind ingress_ws = { .scheme = "ws" };
const struct ingress_kind ingress_socks = { .scheme = "socks5", .any = true }, ingress_http = { .scheme = "http", .any = true };

struct channel {
	const struct endpoint_ops *ops;
	void *ctx;
	struct channel_params params;
	unsigned sent;
	size_t last_len;
	uint8_t first;
};

static struct channel channels[CHANNELS];
static unsigned opened, limit;

struct channel *channel_open(struct session *s, const struct channel_params *params, const struct endpoint_ops *ops,
			     void *ctx)
{
	struct channel *ch = &channels[opened];

	assert_ptr_equal(s, rig_session());
	assert_int_equal(params->kind, KIND_DATAGRAM);
	if (opened == limit)
		return NULL;
	opened++;
	*ch = (struct channel){ .ops = ops, .ctx = ctx, .params = *params };
	return ch;
}

void channel_send(struct channel *ch, struct packet *p)
{
	assert_non_null(ch->ops);
	ch->sent++;
	ch->last_len = p->len;
	ch->first = p->len ? p->data[0] : 0;
	packet_put(p);
}

uint64_t channel_id(const struct channel *ch)
{
	return (uint64_t)(ch - channels);
}

static void close_channel(unsigned i, uint64_t code)
{
	const struct endpoint_ops *ops = channels[i].ops;

	channels[i].ops = NULL;
	ops->closed(channels[i].ctx, code, "because");
}

static int setup(void **state)
{
	(void)state;
	memset(channels, 0, sizeof channels);
	opened = 0;
	limit = CHANNELS;
	memset(counters, 0, sizeof counters);
	rig_set_up(packet_pool_new(64, 4), FLOWS);
	rig.host.sender = udp_sender_new(rig.loop);
	rig_open(&ingress_udp, rig_bind(&ingress_udp, "127.0.0.1"), "rtp", 3);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	for (unsigned i = 0; i < opened; i++)
		if (channels[i].ops)
			close_channel(i, CODE_SESSION_LOST);
	rig_close();
	udp_sender_free(rig.host.sender);
	rig_tear_down();
	packet_pool_free(rig.host.packets);
	return 0;
}

static int source(void)
{
	int fd = udp_connect(&rig.local);

	assert_true(fd >= 0);
	return fd;
}

static void say(int fd, const void *p, size_t n)
{
	assert_int_equal(send(fd, p, n, 0), (ssize_t)n);
}

/* What comes back to a source; -1: nothing. */
static ssize_t hear(int fd, uint8_t *p, size_t cap)
{
	return recv(fd, p, cap, MSG_DONTWAIT);
}

static void test_one_channel_per_source(void **state)
{
	int a = source(), b = source();
	uint8_t got[16];

	(void)state;
	assert_string_equal(rig.ingress->service, "rtp");
	say(a, "a", 1);
	rig_run_until(&channels[0].sent, 1);
	say(b, "b", 1);
	rig_run_until(&channels[1].sent, 1);
	say(a, "c", 1);
	rig_run_until(&channels[0].sent, 2);
	assert_int_equal(opened, 2);
	assert_int_equal(channels[0].params.port_index, 3);
	assert_string_equal(channels[0].params.service, "rtp");
	assert_int_equal(channels[0].first, 'c');
	assert_int_equal(channels[1].first, 'b');
	/* Answers go to the right source. */
	channels[1].ops->datagram(channels[1].ctx, (const uint8_t *)"to b", 4);
	channels[0].ops->datagram(channels[0].ctx, (const uint8_t *)"a!", 2);
	rig_run_turns(1);
	assert_int_equal(hear(a, got, sizeof got), 2);
	assert_memory_equal(got, "a!", 2);
	assert_int_equal(hear(b, got, sizeof got), 4);
	assert_memory_equal(got, "to b", 4);
	assert_int_equal(hear(a, got, sizeof got), -1);
	close(a);
	close(b);
}

static void test_sizes(void **state)
{
	static const size_t sizes[] = { 0, 1, 1472, PACKET_SMALL - 1, PACKET_SMALL, PACKET_SMALL + 1, 9000, 65507 };
	static uint8_t bytes[UDP_MAX], got[UDP_MAX + 1];
	int a = source();

	(void)state;
	memset(bytes, 'x', sizeof bytes);
	for (unsigned i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
		say(a, bytes, sizes[i]);
		rig_run_until(&channels[0].sent, i + 1);
		assert_int_equal(channels[0].last_len, sizes[i]);
		channels[0].ops->datagram(channels[0].ctx, bytes, sizes[i]);
		rig_run_turns(1);
		assert_int_equal(hear(a, got, sizeof got), (ssize_t)sizes[i]);
		assert_memory_equal(got, bytes, sizes[i]);
	}
	close(a);
}

static void test_cap_hurts_the_new_one(void **state)
{
	int fd[FLOWS], late = source();

	(void)state;
	for (unsigned i = 0; i < FLOWS; i++) {
		fd[i] = source();
		say(fd[i], "x", 1);
		rig_run_until(&channels[i].sent, 1);
	}
	say(late, "x", 1);
	rig_run_turns(3);
	assert_int_equal(opened, FLOWS);
	assert_int_equal(counted(dropped_no_channel), 1);
	assert_int_equal(rig.warnings, 1);
	for (unsigned i = 0; i < FLOWS; i++) {
		say(fd[i], "x", 1);
		rig_run_until(&channels[i].sent, 2);
	}
	/* An idle one makes room. */
	close_channel(2, CODE_IDLE);
	say(late, "x", 1);
	rig_run_until(&channels[FLOWS].sent, 1);
	for (unsigned i = 0; i < FLOWS; i++)
		close(fd[i]);
	close(late);
}

static void test_lost_session_comes_back(void **state)
{
	int a = source(), b = source();
	uint8_t got[16];

	(void)state;
	say(a, "a", 1);
	rig_run_until(&channels[0].sent, 1);
	say(b, "b", 1);
	rig_run_until(&channels[1].sent, 1);
	/* No session: the flows stay, the newest eight packets wait, older ones are dropped and counted. */
	rig.session_open = false;
	close_channel(0, CODE_SESSION_LOST);
	close_channel(1, CODE_EPOCH);
	rig_run_turns(2);
	for (unsigned i = 0; i < 9; i++)
		say(a, "a", 1);
	rig_run_turns(3);
	assert_int_equal(opened, 2);
	assert_int_equal(counted(dropped_no_session), 1);
	/* A new one: channels again, without a packet from the sources. */
	rig.session_open = true;
	ingress_udp.welcome(rig.ingress);
	assert_int_equal(opened, 4);
	assert_int_equal(channels[2].sent + channels[3].sent, 8);
	for (unsigned i = 2; i < 4; i++)
		channels[i].ops->datagram(channels[i].ctx, (const uint8_t *)"again", 5);
	rig_run_turns(1);
	assert_int_equal(hear(a, got, sizeof got), 5);
	assert_int_equal(hear(b, got, sizeof got), 5);
	/* An old session is cut while another one is open. */
	close_channel(2, CODE_SESSION_LOST);
	rig_run_until(&opened, 5);
	assert_int_equal(rig.warnings, 0);
	close(a);
	close(b);
}

static void test_refused(void **state)
{
	int a = source(), b = source();

	(void)state;
	say(a, "a", 1);
	rig_run_until(&channels[0].sent, 1);
	close_channel(0, CODE_UNKNOWN_SERVICE);
	assert_int_equal(rig.warnings, 1);
	/* Not again at once; another source says nothing new. */
	say(a, "a", 1);
	rig_run_turns(3);
	assert_int_equal(opened, 1);
	assert_int_equal(counted(dropped_no_channel), 1);
	say(b, "b", 1);
	rig_run_until(&channels[1].sent, 1);
	close_channel(1, CODE_UNKNOWN_SERVICE);
	assert_int_equal(rig.warnings, 1);
	close(a);
	close(b);
}

static void test_channel_limit(void **state)
{
	int a = source();

	(void)state;
	limit = 0;
	say(a, "a", 1);
	rig_run_turns(3);
	say(a, "a", 1);
	rig_run_turns(3);
	assert_int_equal(opened, 0);
	assert_int_equal(counted(dropped_no_channel), 2);
	assert_int_equal(rig.warnings, 1);
	close(a);
}

static void test_ended_in_order(void **state)
{
	int a = source();

	(void)state;
	say(a, "a", 1);
	rig_run_until(&channels[0].sent, 1);
	close_channel(0, CODE_NONE);
	rig_run_turns(2);
	assert_int_equal(opened, 1);
	say(a, "a", 1);
	rig_run_until(&channels[1].sent, 1);
	assert_int_equal(rig.warnings, 0);
	close(a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_one_channel_per_source, setup, teardown),
		cmocka_unit_test_setup_teardown(test_sizes, setup, teardown),
		cmocka_unit_test_setup_teardown(test_cap_hurts_the_new_one, setup, teardown),
		cmocka_unit_test_setup_teardown(test_lost_session_comes_back, setup, teardown),
		cmocka_unit_test_setup_teardown(test_refused, setup, teardown),
		cmocka_unit_test_setup_teardown(test_channel_limit, setup, teardown),
		cmocka_unit_test_setup_teardown(test_ended_in_order, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
