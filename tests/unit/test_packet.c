/* links: framing/packet.c */
/* Packets: caps of the pool, reuse, headroom, queues. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "framing/packet.h"

static void the_pool_keeps_its_caps(void **state)
{
	struct packet_pool *pool = packet_pool_new(2, 1);
	struct packet *a = packet_get(pool, 100), *b = packet_get(pool, PACKET_SMALL);
	struct packet *c = packet_get(pool, PACKET_SMALL + 1);

	(void)state;
	assert_non_null(a);
	assert_non_null(b);
	assert_non_null(c);
	assert_true(a->cap >= 100 && b->cap >= PACKET_SMALL && c->cap >= PACKET_MAX);
	assert_null(packet_get(pool, 1));
	assert_null(packet_get(pool, PACKET_MAX));
	packet_put(b);
	assert_ptr_equal(packet_get(pool, 1), b);
	assert_null(packet_get(pool, PACKET_MAX));
	packet_put(c);
	assert_null(packet_get(pool, 1));
	assert_ptr_equal(packet_get(pool, PACKET_MAX), c);
	packet_put(a);
	packet_put(b);
	packet_put(c);
	packet_pool_free(pool);
}

static void too_large_a_packet_is_refused(void **state)
{
	struct packet_pool *pool = packet_pool_new(1, 1);

	(void)state;
	assert_null(packet_get(pool, PACKET_MAX + 1));
	packet_pool_free(pool);
	packet_pool_free(NULL);
	packet_put(NULL);
}

static void all_of_a_packet_can_be_written(void **state)
{
	static const size_t sizes[] = { PACKET_SMALL, PACKET_MAX };
	struct packet_pool *pool = packet_pool_new(1, 1);

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		struct packet *p = packet_get(pool, sizes[i]);

		memset(p->data, 0xaa, sizes[i]);
		p->len = sizes[i];
		assert_non_null(packet_push(p, PACKET_HEADROOM));
		memset(p->data, 0xbb, PACKET_HEADROOM);
		assert_int_equal(p->len, sizes[i] + PACKET_HEADROOM);
		assert_int_equal(p->data[PACKET_HEADROOM], 0xaa);
		assert_null(packet_push(p, 1));
		packet_put(p);
	}
	packet_pool_free(pool);
}

static void a_packet_comes_back_clean(void **state)
{
	struct packet_pool *pool = packet_pool_new(1, 0);
	struct packet *p = packet_get(pool, 10);

	(void)state;
	p->len = 7;
	p->born_us = 5;
	packet_push(p, 3);
	packet_put(p);
	p = packet_get(pool, 10);
	assert_int_equal(p->len, 0);
	assert_int_equal(p->born_us, 0);
	assert_ptr_equal(p->data, p->buf + PACKET_HEADROOM);
	assert_null(p->next);
	packet_put(p);
	packet_pool_free(pool);
}

static void queues_are_first_in_first_out(void **state)
{
	struct packet_pool *pool = packet_pool_new(4, 0);
	struct packet_queue q;

	(void)state;
	packet_queue_init(&q);
	assert_null(packet_queue_take(&q));
	for (size_t i = 1; i <= 3; i++) {
		struct packet *p = packet_get(pool, 10);

		p->len = i;
		packet_queue_append(&q, p);
	}
	assert_int_equal(q.count, 3);
	assert_int_equal(q.bytes, 6);
	for (size_t i = 1; i <= 2; i++) {
		struct packet *p = packet_queue_take(&q);

		assert_int_equal(p->len, i);
		packet_put(p);
	}
	assert_int_equal(q.bytes, 3);
	packet_queue_clear(&q);
	assert_int_equal(q.count, 0);
	assert_int_equal(q.bytes, 0);
	packet_queue_append(&q, packet_get(pool, 1));
	assert_int_equal(q.count, 1);
	packet_queue_clear(&q);
	packet_pool_free(pool);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_pool_keeps_its_caps),
		cmocka_unit_test(too_large_a_packet_is_refused),
		cmocka_unit_test(all_of_a_packet_can_be_written),
		cmocka_unit_test(a_packet_comes_back_clean),
		cmocka_unit_test(queues_are_first_in_first_out),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
