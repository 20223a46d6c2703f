/* UDP sockets: batches, every size of datagram, errors of the network. */
/* links: tunnel/udp_linux.c tunnel/address.c tunnel/counters.c framing/packet.c */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>
#include <errno.h>
#include <poll.h>

#include "tunnel/counters.h"
#include "tunnel/udp.h"

static struct packet_pool *pool;
static int a, b;		/* a is bound, b is connected to it */
static struct address at;
static uint8_t bytes[UDP_MAX];

static void wait_for(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };

	assert_int_equal(poll(&p, 1, 5000), 1);
}

static int setup(void **state)
{
	(void)state;
	pool = packet_pool_new(64, 4);
	assert_true(address_literal("127.0.0.1", 0, &at));
	a = udp_bind(&at);
	assert_true(a >= 0);
	assert_int_equal(address_of_socket(a, &at), 0);
	b = udp_connect(&at);
	assert_true(b >= 0);
	for (size_t i = 0; i < sizeof bytes; i++)
		bytes[i] = (uint8_t)(i * 7 + i / 256);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	close(a);
	close(b);
	packet_pool_free(pool);
	return 0;
}

static void test_sizes(void **state)
{
	static const size_t sizes[] = { 0, 1, 172, 1500, 2047, 2048, 2049, 9000, 65507 };
	struct packet *p[UDP_BATCH];
	struct address from[UDP_BATCH], own;

	(void)state;
	assert_int_equal(address_of_socket(b, &own), 0);
	for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
		assert_true(udp_send(b, bytes, sizes[i], NULL));
		wait_for(a);
		assert_int_equal(udp_receive(a, pool, p, from, UDP_BATCH, 42), 1);
		assert_int_equal(p[0]->len, sizes[i]);
		assert_memory_equal(p[0]->data, bytes, sizes[i]);
		assert_int_equal(p[0]->born_us, 42);
		assert_non_null(packet_push(p[0], PACKET_HEADROOM));
		assert_true(address_equal(&from[0], &own));
		packet_put(p[0]);
	}
	assert_int_equal(udp_receive(a, pool, p, NULL, UDP_BATCH, 0), 0);
}

static void test_batch(void **state)
{
	struct packet *p[UDP_BATCH];
	unsigned got = 0;

	(void)state;
	for (uint8_t i = 0; i < 40; i++)
		assert_true(udp_send(b, &i, 1, NULL));
	wait_for(a);
	for (unsigned n; (n = udp_receive(a, pool, p, NULL, UDP_BATCH, 0)) > 0;)
		for (unsigned i = 0; i < n; i++) {
			assert_int_equal(p[i]->data[0], got++);
			packet_put(p[i]);
		}
	assert_int_equal(got, 40);
}

/* Larger datagrams than large packets are left: they are dropped, the others come, with their sources. */
static void test_no_large(void **state)
{
	struct packet *p[UDP_BATCH], *held[4];
	struct address from[UDP_BATCH];
	uint64_t before = counted(dropped_full);

	(void)state;
	for (unsigned i = 0; i < 4; i++)
		held[i] = packet_get(pool, PACKET_MAX);
	assert_true(udp_send(b, bytes, 5, NULL));
	assert_true(udp_send(b, bytes, 5000, NULL));
	assert_true(udp_send(b, bytes, 6, NULL));
	wait_for(a);
	assert_int_equal(udp_receive(a, pool, p, from, UDP_BATCH, 0), 2);
	assert_int_equal(p[0]->len, 5);
	assert_int_equal(p[1]->len, 6);
	assert_true(address_equal(&from[0], &from[1]));
	assert_int_equal(counted(dropped_full) - before, 1);
	packet_put(p[0]);
	packet_put(p[1]);
	for (unsigned i = 0; i < 4; i++)
		packet_put(held[i]);
}

/* However many came last time: all that wait come at once. */
static void test_few_then_many(void **state)
{
	static const unsigned counts[] = { 1, UDP_BATCH, 1, 3, 17, 2 };
	struct packet *p[UDP_BATCH];
	struct address from[UDP_BATCH];

	(void)state;
	for (size_t i = 0; i < sizeof counts / sizeof *counts; i++) {
		for (unsigned k = 0; k < counts[i]; k++)
			assert_true(udp_send(b, bytes + k, 10 + k, NULL));
		wait_for(a);
		assert_int_equal(udp_receive(a, pool, p, from, UDP_BATCH, 0), counts[i]);
		for (unsigned k = 0; k < counts[i]; k++) {
			assert_int_equal(p[k]->len, 10 + k);
			assert_memory_equal(p[k]->data, bytes + k, 10 + k);
			assert_true(address_equal(&from[k], &from[0]));
			packet_put(p[k]);
		}
	}
}

static void check_dscp(const char *host, int level, int option)
{
	static const int classes[] = { 46 << 2, 0, 34 << 2 | 2, 63 << 2 };
	struct address here;
	struct packet *p[UDP_BATCH];
	int in, out;

	assert_true(address_literal(host, 0, &here));
	in = udp_bind(&here);
	assert_true(in >= 0);
	assert_int_equal(address_of_socket(in, &here), 0);
	out = udp_connect(&here);
	for (size_t i = 0; i < sizeof classes / sizeof *classes; i++) {
		assert_int_equal(setsockopt(out, level, option, &classes[i], sizeof classes[i]), 0);
		assert_true(udp_send(out, bytes, 20, NULL));
	}
	wait_for(in);
	assert_int_equal(udp_receive(in, pool, p, NULL, UDP_BATCH, 0), 4);
	for (size_t i = 0; i < sizeof classes / sizeof *classes; i++) {
		assert_int_equal(p[i]->dscp, classes[i] >> 2);
		packet_put(p[i]);
	}
	close(in);
	close(out);
}

/* The class that the application marked its packets with, without the bits of ECN. */
static void test_dscp(void **state)
{
	(void)state;
	check_dscp("127.0.0.1", IPPROTO_IP, IP_TOS);
	check_dscp("::1", IPPROTO_IPV6, IPV6_TCLASS);
}

/* With an empty pool the socket is drained all the same. */
static void test_no_packets(void **state)
{
	struct packet_pool *small = packet_pool_new(1, 0);
	struct packet *held = packet_get(small, 1), *p[UDP_BATCH];
	struct pollfd ready = { .fd = a, .events = POLLIN };

	(void)state;
	assert_true(udp_send(b, bytes, 5, NULL));
	wait_for(a);
	assert_int_equal(udp_receive(a, small, p, NULL, UDP_BATCH, 0), 0);
	assert_int_equal(poll(&ready, 1, 0), 0);
	packet_put(held);
	packet_pool_free(small);
}

/* Nobody listens: counted, and the socket works again when somebody does. */
static void test_refused(void **state)
{
	uint64_t before = counted(icmp_refused);
	struct packet *p[UDP_BATCH];
	struct pollfd ready = { .fd = b, .events = POLLIN };

	(void)state;
	close(a);
	assert_true(udp_send(b, bytes, 5, NULL));
	assert_int_equal(poll(&ready, 1, 5000), 1);
	assert_int_equal(udp_receive(b, pool, p, NULL, UDP_BATCH, 0), 0);
	assert_int_equal(counted(icmp_refused) - before, 1);
	assert_true(udp_send(b, bytes, 5, NULL));
	assert_int_equal(poll(&ready, 1, 5000), 1);
	assert_true(udp_send(b, bytes, 5, NULL)); /* the pending error is no reason not to send */
	assert_int_equal(counted(icmp_refused) - before, 2);
	a = udp_bind(&at);
	assert_true(a >= 0);
	assert_true(udp_send(b, bytes, 7, NULL));
	wait_for(a);
	assert_int_equal(udp_receive(a, pool, p, NULL, UDP_BATCH, 0), 1);
	assert_int_equal(p[0]->len, 7);
	packet_put(p[0]);
}

static void test_errors(void **state)
{
	(void)state;
	assert_int_equal(udp_bind(&at), -1);
	assert_int_equal(errno, EADDRINUSE);
	uint64_t before = counted(dropped_local);
	assert_false(udp_send(-1, bytes, 1, NULL));
	assert_int_equal(counted(dropped_local) - before, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_sizes, setup, teardown),
		cmocka_unit_test_setup_teardown(test_batch, setup, teardown),
		cmocka_unit_test_setup_teardown(test_no_large, setup, teardown),
		cmocka_unit_test_setup_teardown(test_few_then_many, setup, teardown),
		cmocka_unit_test_setup_teardown(test_dscp, setup, teardown),
		cmocka_unit_test_setup_teardown(test_no_packets, setup, teardown),
		cmocka_unit_test_setup_teardown(test_refused, setup, teardown),
		cmocka_unit_test_setup_teardown(test_errors, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
