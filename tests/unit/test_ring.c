/* links: framing/ring.c */
/* Ring: growth, wrap-around, holes, limits; against a plain model. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "framing/error.h"
#include "framing/ring.h"

/* The byte that belongs to an offset. */
static uint8_t byte_at(uint64_t off)
{
	return (uint8_t)(off * 131 + (off >> 8));
}

static void append(struct ring *r, size_t n)
{
	while (n > 0) {
		size_t room = n;
		uint8_t *p = ring_reserve(r, &room);

		assert_true(room > 0 && room <= n);
		for (size_t i = 0; i < room; i++)
			p[i] = byte_at(r->end + i);
		ring_commit(r, room);
		n -= room;
	}
}

static void assert_content(const struct ring *r)
{
	for (uint64_t off = r->start; off < r->end;) {
		size_t n;
		const uint8_t *p = ring_at(r, off, &n);

		assert_true(n > 0);
		for (size_t i = 0; i < n; i++)
			assert_int_equal(p[i], byte_at(off + i));
		off += n;
	}
}

static void it_grows_up_to_its_maximum(void **state)
{
	struct ring r;
	size_t n;

	(void)state;
	ring_init(&r, 60000);
	assert_int_equal(ring_room(&r), 65536);
	append(&r, 1);
	assert_true(r.cap < 65536);
	append(&r, 65535);
	assert_int_equal(ring_room(&r), 0);
	n = 10;
	assert_null(ring_reserve(&r, &n));
	assert_int_equal(n, 0);
	assert_content(&r);
	ring_fini(&r);
}

static void it_wraps_and_grows_while_wrapped(void **state)
{
	struct ring r;

	(void)state;
	ring_init(&r, 1 << 16);
	append(&r, 4000);
	ring_release(&r, 3900);
	append(&r, 3000); /* wrapped in 4,096 */
	assert_int_equal(r.cap, 4096);
	assert_content(&r);
	append(&r, 3000); /* grows */
	assert_int_equal(r.cap, 8192);
	assert_content(&r);
	ring_release(&r, r.end);
	append(&r, 1 << 16);
	assert_content(&r);
	ring_fini(&r);
}

static void a_place_is_contiguous(void **state)
{
	struct ring r;
	size_t n = 200;

	(void)state;
	ring_init(&r, 4096);
	append(&r, 4000);
	ring_release(&r, 2000);
	assert_non_null(ring_reserve(&r, &n));
	assert_int_equal(n, 96);
	n = 0;
	assert_null(ring_reserve(&r, &n));
	ring_fini(&r);
}

static void holes_are_filled_in_any_order(void **state)
{
	uint8_t data[100];
	uint8_t out[300];
	struct ring r;

	(void)state;
	ring_init(&r, 1024);
	for (int part = 2; part >= 0; part--) {
		for (unsigned i = 0; i < 100; i++)
			data[i] = byte_at((unsigned)part * 100 + i);
		assert_int_equal(ring_put(&r, (unsigned)part * 100, data, 100), 0);
		assert_int_equal(r.end, 300);
	}
	assert_content(&r);
	ring_copy(&r, 50, out, 200);
	for (unsigned i = 0; i < 200; i++)
		assert_int_equal(out[i], byte_at(50 + i));
	ring_fini(&r);
}

static void bytes_beyond_the_maximum_are_refused(void **state)
{
	uint8_t data[2048] = { 0 };
	struct ring r;

	(void)state;
	ring_init(&r, 1024);
	assert_int_equal(ring_put(&r, 0, data, 1025), ERROR_LIMIT);
	assert_int_equal(ring_put(&r, 1020, data, 5), ERROR_LIMIT);
	assert_int_equal(ring_put(&r, UINT64_MAX, data, 5), ERROR_LIMIT);
	assert_int_equal(ring_put(&r, 5000, data, 0), ERROR_LIMIT);
	assert_int_equal(r.end, 0);
	assert_int_equal(ring_put(&r, 0, data, 1024), 0);
	ring_release(&r, 10);
	assert_int_equal(ring_put(&r, 1024, data, 10), 0);
	assert_int_equal(ring_put(&r, 1034, data, 1), ERROR_LIMIT);
	assert_int_equal(ring_put(&r, 1000, NULL, 0), 0);
	ring_fini(&r);
}

static void an_empty_ring_gives_its_memory_back(void **state)
{
	struct ring r;
	size_t n;

	(void)state;
	ring_init(&r, 1 << 20);
	assert_null(ring_at(&r, 0, &n));
	assert_int_equal(n, 0);
	append(&r, 500000);
	ring_release(&r, 499999);
	assert_true(r.cap > 0);
	ring_release(&r, 500000);
	assert_int_equal(r.cap, 0);
	assert_int_equal(r.start, 500000);
	append(&r, 10);
	ring_release(&r, r.end);
	assert_int_equal(r.cap, 4096); /* a small one is kept */
	assert_content(&r);
	ring_fini(&r);
	ring_fini(&r);
}

static void tiny_rings_work(void **state)
{
	struct ring r;

	(void)state;
	ring_init(&r, 0);
	append(&r, 1);
	assert_int_equal(ring_room(&r), 0);
	ring_fini(&r);
	ring_init(&r, 3);
	append(&r, 4);
	ring_release(&r, 3);
	append(&r, 3);
	assert_content(&r);
	ring_fini(&r);
}

static void it_agrees_with_a_model(void **state)
{
	uint32_t seed = 11;
	uint8_t chunk[3000];
	struct ring r;

	(void)state;
	ring_init(&r, 8192);
	for (int i = 0; i < 5000; i++) {
		uint32_t dice = (seed = seed * 1664525u + 1013904223u) >> 8;
		size_t n = dice % sizeof chunk;

		if (dice >> 20 & 1) {
			ring_release(&r, r.start + n % (r.end - r.start + 1));
		} else if (n <= ring_room(&r)) {
			for (size_t j = 0; j < n; j++)
				chunk[j] = byte_at(r.end + j);
			assert_int_equal(ring_put(&r, r.end, chunk, n), 0);
		} else {
			assert_int_equal(ring_put(&r, r.end, chunk, n), ERROR_LIMIT);
		}
		if (i % 8 == 0)
			assert_content(&r);
	}
	ring_fini(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(it_grows_up_to_its_maximum),
		cmocka_unit_test(it_wraps_and_grows_while_wrapped),
		cmocka_unit_test(a_place_is_contiguous),
		cmocka_unit_test(holes_are_filled_in_any_order),
		cmocka_unit_test(bytes_beyond_the_maximum_are_refused),
		cmocka_unit_test(an_empty_ring_gives_its_memory_back),
		cmocka_unit_test(tiny_rings_work),
		cmocka_unit_test(it_agrees_with_a_model),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
