/* UDP sender: what was put in one turn leaves at its end, in order, whole, and to whom it was meant for. */
/* links: tunnel/udp_sender_linux.c tunnel/udp_linux.c tunnel/address.c tunnel/loop.c tunnel/counters.c framing/packet.c */
/* libs: -lev */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>
#include <poll.h>

#include "tunnel/counters.h"
#include "tunnel/loop.h"
#include "tunnel/udp.h"
#include "tunnel/udp_sender.h"

#define FAR 3

static struct loop *loop;
static struct packet_pool *pool;
static struct udp_sender *sender;
static int near, far[FAR];	/* the sending socket, and others */
static struct address at[FAR];
static uint8_t bytes[UDP_MAX + 6];	/* sent from the first of them, or one of those behind it */

static int setup(void **state)
{
	struct address any;

	(void)state;
	loop = loop_new_virtual(0, 0);
	pool = packet_pool_new(256, 8);
	sender = udp_sender_new(loop);
	assert_true(address_literal("127.0.0.1", 0, &any));
	near = udp_bind(&any);
	for (unsigned i = 0; i < FAR; i++) {
		far[i] = udp_bind(&any);
		assert_int_equal(address_of_socket(far[i], &at[i]), 0);
	}
	for (size_t i = 0; i < sizeof bytes; i++)
		bytes[i] = (uint8_t)(i * 7 + i / 256);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	udp_sender_free(sender);
	close(near);
	for (unsigned i = 0; i < FAR; i++)
		close(far[i]);
	packet_pool_free(pool);
	loop_free(loop);
	return 0;
}

static void put(unsigned to, size_t from, size_t n)
{
	udp_sender_put(sender, near, bytes + from, n, &at[to]);
}

static void turn(void)
{
	loop_advance(loop, loop_now(loop) + LOOP_MS);
}

/* The next datagram at one of the far ends is that one. */
static void expect(int fd, size_t from, size_t n)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	struct packet *packet;

	assert_int_equal(poll(&p, 1, 5000), 1);
	assert_int_equal(udp_receive(fd, pool, &packet, NULL, 1, 0), 1);
	assert_int_equal(packet->len, n);
	assert_memory_equal(packet->data, bytes + from, n);
	packet_put(packet);
}

static void expect_nothing(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };

	assert_int_equal(poll(&p, 1, 0), 0);
}

static void test_turn(void **state)
{
	(void)state;
	put(0, 5, 172);
	expect_nothing(far[0]);
	turn();
	expect(far[0], 5, 172);
	put(0, 6, 172);
	udp_sender_flush(sender);
	expect(far[0], 6, 172);
	turn();
	expect_nothing(far[0]);
}

/* Equal ones, shorter and longer ones between them, none at all, more than one message holds. */
static void test_sizes(void **state)
{
	static const size_t sizes[] = { 172, 172, 172, 60, 172, 0, 0, 172, 1200, 1200, 1200, 5, 6, 1472, 1473, 9000, 9000, 9000,
					40000, 40000, 65507, 1 };
	const size_t count = sizeof sizes / sizeof *sizes;

	(void)state;
	for (size_t i = 0; i < count; i++)
		put(0, i % 7, sizes[i]);
	turn();
	for (size_t i = 0; i < count; i++)
		expect(far[0], i % 7, sizes[i]);
	for (size_t i = 0; i < 150; i++)
		put(0, i, 200);
	turn();
	for (size_t i = 0; i < 150; i++)
		expect(far[0], i, 200);
	for (size_t i = 0; i < 60; i++)
		put(0, i, 1200);	/* more than 64 KB */
	turn();
	for (size_t i = 0; i < 60; i++)
		expect(far[0], i, 1200);
	expect_nothing(far[0]);
}

static void test_destinations(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 63; i++)
		put(i / 3 % FAR, i, 100);
	turn();
	for (unsigned i = 0; i < 63; i++)
		expect(far[i / 3 % FAR], i, 100);
}

/* Each socket sends its own, connected or not. */
static void test_sockets(void **state)
{
	int connected[2] = { udp_connect(&at[0]), udp_connect(&at[1]) };

	(void)state;
	for (unsigned i = 0; i < 10; i++) {
		udp_sender_put(sender, connected[i % 2], bytes + i, 50, NULL);
		udp_sender_put(sender, connected[i % 2], bytes + i, 50, NULL);
		put(2, i, 50);
	}
	turn();
	for (unsigned i = 0; i < 10; i++) {
		expect(far[i % 2], i, 50);
		expect(far[i % 2], i, 50);
		expect(far[2], i, 50);
	}
	close(connected[0]);
	close(connected[1]);
}

/* A socket whose packets the kernel does not cut sends them one by one, now and later. */
static void test_uncut(void **state)
{
	int on = 1;

	(void)state;
	assert_int_equal(setsockopt(near, SOL_SOCKET, SO_NO_CHECK, &on, sizeof on), 0);
	for (unsigned round = 0; round < 2; round++) {
		for (unsigned i = 0; i < 20; i++)
			put(i / 10, i, 300);
		turn();
		for (unsigned i = 0; i < 20; i++)
			expect(far[i / 10], i, 300);
	}
	assert_int_equal(counted(dropped_local), 0);
}

/* Errors of datagrams before lose none of those that come; those of a dead socket are counted. */
static void test_errors(void **state)
{
	struct pollfd ready = { .events = POLLIN };
	uint64_t before;

	(void)state;
	close(far[0]);
	ready.fd = udp_connect(&at[0]);
	udp_sender_put(sender, ready.fd, bytes, 30, NULL);
	turn();
	assert_int_equal(poll(&ready, 1, 5000), 1);	/* refused */
	far[0] = udp_bind(&at[0]);
	for (unsigned i = 0; i < 3; i++)
		udp_sender_put(sender, ready.fd, bytes + i, 30, NULL);
	turn();
	for (unsigned i = 0; i < 3; i++)
		expect(far[0], i, 30);
	close(ready.fd);
	before = counted(dropped_local);
	for (unsigned i = 0; i < 3; i++)
		udp_sender_put(sender, -1, bytes, 30, NULL);
	turn();
	assert_int_equal(counted(dropped_local) - before, 3);
}

/* What waits when the sender ends is sent. */
static void test_end(void **state)
{
	(void)state;
	put(1, 0, 10);
	udp_sender_free(sender);
	expect(far[1], 0, 10);
	sender = udp_sender_new(loop);
	turn();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_turn, setup, teardown),
		cmocka_unit_test_setup_teardown(test_sizes, setup, teardown),
		cmocka_unit_test_setup_teardown(test_destinations, setup, teardown),
		cmocka_unit_test_setup_teardown(test_sockets, setup, teardown),
		cmocka_unit_test_setup_teardown(test_uncut, setup, teardown),
		cmocka_unit_test_setup_teardown(test_errors, setup, teardown),
		cmocka_unit_test_setup_teardown(test_end, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
