/* links: tunnel/channel_datagram.c tunnel/scheduler.c tunnel/redundancy.c framing/traffic.c tunnel/loop.c tunnel/counters.c framing/packet.c framing/classify.c framing/window.c framing/message.c framing/message_channel.c framing/cursor.c framing/varint.c framing/capsule.c framing/ranges.c */
/* libs: -lev */
/* A datagram channel by itself: each drop is counted once, with its reason, at the channel and in its owner's total;
 * what packets say of their sequence. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "tunnel/counters.h"
#include "tunnel/session_internal.h"

#define PACKETS 10	/* that may wait */
#define BYTES 100

static struct session session;
static struct channel channel;
static struct channel_traffic total;
static struct packet_pool *pool;
static unsigned delivered;

void session_kick(struct session *s)
{
	assert_ptr_equal(s, &session);
}

static void on_sweep(void *ctx)
{
	assert_ptr_equal(ctx, &session);
}

static void on_datagram(void *ctx, const uint8_t *p, size_t n)
{
	(void)ctx;
	(void)p;
	assert_int_equal(n, BYTES);
	delivered++;
}

static const struct endpoint_ops endpoint = { .datagram = on_datagram };

static int setup(void **state)
{
	(void)state;
	memset(&session, 0, sizeof session);
	memset(&channel, 0, sizeof channel);
	memset(&total, 0, sizeof total);
	memset(counters, 0, sizeof counters);
	delivered = 0;
	pool = packet_pool_new(64, 4);
	session.loop = loop_new_virtual(LOOP_SECOND, 1700000000);
	session.state = SESSION_OPEN;
	timer_init(&session.idle, session.loop, on_sweep, &session);
	scheduler_init(&session.scheduler, PACKETS, 1000000, channel_datagram_dropped);
	channel.session = &session;
	channel.id = 2;
	channel.params.total = &total;
	channel.params.deadline_ms = 200;
	channel.ops = &endpoint;
	channel_datagram_init(&channel);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	channel_datagram_fini(&channel);
	timer_stop(&session.idle);
	assert_int_equal(session.scheduler.packets, 0);
	loop_free(session.loop);
	packet_pool_free(pool);
	return 0;
}

static void send_packets(unsigned n)
{
	while (n--) {
		struct packet *p = packet_get(pool, BYTES);

		assert_non_null(p);
		memset(p->data, 'x', BYTES);
		p->len = BYTES;
		p->born_us = loop_now(session.loop);
		channel_send(&channel, p);
	}
}

static void put_all(void)
{
	static uint8_t buf[65536];
	struct scheduler_flow *flow;
	struct writer w;
	struct packet *p;

	writer_init(&w, buf, sizeof buf);
	while ((p = scheduler_next(&session.scheduler, SCHEDULER_ALL, loop_now(session.loop), &flow))) {
		assert_true(channel_datagram_send(flow->ctx, &w, p));
		scheduler_take(&session.scheduler, flow, p, loop_now(session.loop));
		packet_put(p);
	}
}

static void receive(uint32_t sequence, uint32_t lateness_ms, uint64_t age_ms)
{
	static const uint8_t bytes[BYTES];
	struct message_datagram m = { .channel = 2, .sequence = sequence, .sequence_bits = 16, .age_ms = age_ms,
				      .payload = { bytes, BYTES } };

	channel_datagram_receive(&channel, &m, lateness_ms);
}

/* The channel and the total say this. */
static void expect(uint64_t out, uint64_t in, uint64_t full, uint64_t deadline, uint64_t late, uint64_t repeat)
{
	const struct channel_traffic want = { in, out, in * BYTES, out * BYTES, { full, deadline, 0, late, repeat } };

	assert_memory_equal(&channel.traffic, &want, sizeof want);
	assert_memory_equal(&total, &want, sizeof want);
	assert_int_equal(counted(dropped_full), full);
	assert_int_equal(counted(dropped_queue_deadline), deadline);
	assert_int_equal(counted(dropped_late), late);
	assert_int_equal(counted(dropped_repeat), repeat);
}

static void test_out(void **state)
{
	(void)state;
	send_packets(3);
	expect(0, 0, 0, 0, 0, 0);
	put_all();
	expect(3, 0, 0, 0, 0, 0);
	send_packets(PACKETS + 4);
	expect(3, 0, 4, 0, 0, 0);
	/* Those that wait grow too old, whether a carrier comes or another packet. */
	loop_advance(session.loop, loop_now(session.loop) + 201 * LOOP_MS);
	send_packets(1);
	expect(3, 0, 4, PACKETS, 0, 0);
	loop_advance(session.loop, loop_now(session.loop) + 201 * LOOP_MS);
	put_all();
	expect(3, 0, 4, PACKETS + 1, 0, 0);
}

static void test_in(void **state)
{
	(void)state;
	receive(0, 0, 0);
	receive(1, 100, 100);
	expect(0, 2, 0, 0, 0, 0);
	receive(1, 0, 0);
	expect(0, 2, 0, 0, 0, 1);
	receive(2, 101, 100);
	expect(0, 2, 0, 0, 1, 1);
	assert_int_equal(delivered, 2);
}

/* A part of a frame was not sent in time: the rest of it goes, too, and counts as that. */
static void test_frame(void **state)
{
	static const uint8_t part[BYTES] = { 0x80, 96, 0, 1, 0, 0, 0, 9, 0, 0, 0, 7 };

	(void)state;
	channel.params.class = CLASS_VIDEO;
	for (unsigned i = 0; i < 4; i++) {
		struct packet *p = packet_get(pool, BYTES);

		memcpy(p->data, part, BYTES);
		p->data[3] = (uint8_t)i;
		p->len = BYTES;
		p->born_us = loop_now(session.loop);
		channel_send(&channel, p);
	}
	loop_advance(session.loop, loop_now(session.loop) + 201 * LOOP_MS);
	put_all();
	assert_int_equal(channel.traffic.dropped.deadline, 1);
	assert_int_equal(channel.traffic.dropped.frame, 3);
	assert_int_equal(total.dropped.frame, 3);
	assert_int_equal(counted(dropped_frame), 3);
}

/* What a DATAGRAM capsule says that was written into buf. */
static struct message_datagram told(const uint8_t *buf, size_t n)
{
	struct message_datagram m;
	struct cursor c;

	cursor_init(&c, buf, n);
	assert_int_equal(cursor_varint(&c), CAPSULE_DATAGRAM);
	assert_int_equal(message_datagram_get(cursor_block(&c, n), &m), 0);
	return m;
}

/* Sends one, and writes it again some time later: says the same, but for its age. */
static uint8_t send_twice(uint64_t sequence, int64_t later_us)
{
	uint8_t buf[2][200];
	struct scheduler_flow *flow;
	struct message_datagram m, again;
	struct packet *p;
	struct writer w;

	send_packets(1);
	writer_init(&w, buf[0], sizeof buf[0]);
	p = scheduler_next(&session.scheduler, SCHEDULER_ALL, loop_now(session.loop), &flow);
	assert_true(channel_datagram_send(&channel, &w, p));
	scheduler_take(&session.scheduler, flow, p, loop_now(session.loop));
	m = told(buf[0], writer_len(&w));
	writer_init(&w, buf[1], sizeof buf[1]);
	assert_true(channel_datagram_write(&w, channel.id, p, loop_now(session.loop) + later_us));
	again = told(buf[1], writer_len(&w));
	assert_int_equal(p->sequence, sequence);
	assert_int_equal(m.sequence, sequence & ((1ULL << m.sequence_bits) - 1));
	assert_int_equal(again.sequence, sequence & ((1ULL << again.sequence_bits) - 1));
	assert_int_equal(again.age_ms, later_us >= 10 * LOOP_MS ? later_us / LOOP_MS : 0);
	assert_memory_equal(again.payload.p, m.payload.p, BYTES);
	packet_put(p);
	return m.sequence_bits;
}

/* 16 bits do at the rate of calls, not when many are on the way. */
static void test_sequence(void **state)
{
	uint64_t n = 0;

	(void)state;
	for (; n < 70000; n++) {
		assert_int_equal(send_twice(n, n % 20 * LOOP_MS), 16);
		loop_advance(session.loop, loop_now(session.loop) + LOOP_MS + 10);
	}
	assert_int_equal(channel.traffic.packets_out, n);	/* what is written again does not count */
	for (unsigned i = 0; i < 100000; i++, n++) {
		assert_true(send_twice(n, 0) == 24 || i < 1000);
		if (i % 100 == 0)
			loop_advance(session.loop, loop_now(session.loop) + LOOP_MS);
	}
	loop_advance(session.loop, loop_now(session.loop) + 29 * LOOP_SECOND);
	assert_int_equal(send_twice(n++, 0), 24);
	loop_advance(session.loop, loop_now(session.loop) + 2 * LOOP_SECOND);
	assert_int_equal(send_twice(n++, 0), 16);
}

static void test_no_total(void **state)
{
	(void)state;
	channel.params.total = NULL;
	receive(0, 0, 0);
	receive(0, 0, 0);
	send_packets(1);
	put_all();
	assert_int_equal(channel.traffic.packets_in, 1);
	assert_int_equal(channel.traffic.dropped.repeat, 1);
	assert_int_equal(channel.traffic.packets_out, 1);
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = { TEST(test_out), TEST(test_in), TEST(test_frame), TEST(test_sequence),
					     TEST(test_no_total) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
