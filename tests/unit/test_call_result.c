/* The arithmetic of simulated calls on invented packets: clocks apart, directions unlike, loss, lateness, bursts. */
/* links: client/call_result.c client/emodel.c */
/* libs: -lm */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <math.h>
#include <cmocka.h>

#include "client/call_result.h"
#include "client/emodel.h"

#define N 200

static struct call_sample sample[N];
static struct call_result result;

static void near(double got, double want, double by)
{
	if (!(fabs(got - want) <= by))
		fail_msg("%.4f, expected %.4f +- %.4f", got, want, by);
}

/* A call of N packets whose clocks read `ours` and `theirs` at its beginning. */
static void fill(uint32_t ours, uint32_t theirs, uint32_t up_us, uint32_t down_us)
{
	for (uint32_t i = 0; i < N; i++) {
		sample[i].sent = ours + i * 20000;
		sample[i].served = theirs + i * 20000 + up_us;
		sample[i].back = sample[i].sent + up_us + down_us;
		sample[i].came = true;
	}
}

static void make(void)
{
	memset(&result, 0xa5, sizeof result);
	call_result_make(&result, sample, N);
	assert_int_equal(result.sent, N);
}

static void even(void **state)
{
	static const uint32_t clocks[][2] = {
		{ 0, 0 }, { 5000000, 77 }, { 0xffffff00, 5 }, { 3, 0xffffffff }, { 1000, 0x80000000 }, { 0xfff00000, 0xfff00001 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof clocks / sizeof *clocks; i++) {
		fill(clocks[i][0], clocks[i][1], 30000, 30000);
		make();
		assert_int_equal(result.received, N);
		near(result.p50_ms, 30, 0.001);
		near(result.p99_ms, 30, 0.001);
		near(result.loss_percent, 0, 0);
		near(result.late_percent, 0, 0);
		/* 30 ms of path, 20 of the buffer, 26.5 of the codec */
		near(result.mos, emodel_mos(emodel_r(&(struct emodel_in){ 76.5, 0, 1, &emodel_opus })), 1e-9);
	}
}

/* What is always the same in one direction cannot be told from the clocks' difference: each gets half. */
static void uneven(void **state)
{
	(void)state;
	fill(7, 1000000, 10000, 90000);
	make();
	near(result.p50_ms, 50, 0.001);
}

/* What changes can: the worse direction is told, whichever it is. */
static void worse_direction(void **state)
{
	(void)state;
	for (int up = 0; up < 2; up++) {
		fill(100, 4000000000U, 20000, 20000);
		for (unsigned i = 0; i < N; i++) {
			uint32_t late = i % 4 == 1 ? 40000 : i % 10 == 0 ? 2000 : 0;

			sample[i].served += up ? late : 0;
			sample[i].back += late;
		}
		make();
		near(result.p50_ms, 20, 0.001);
		near(result.p99_ms, 60, 0.001);
	}
	/* Every packet differs, and no packet was quick both ways. */
	fill(100, 9, 20000, 20000);
	for (unsigned i = 0; i < N; i++) {
		sample[i].served += i % 2 ? 15000 : 0;
		sample[i].back += i % 2 ? 15000 : 10000;
	}
	make();
	near(result.p50_ms, 20, 0.001);
	near(result.p99_ms, 35, 0.001);
}

static void percentiles(void **state)
{
	(void)state;
	fill(0, 0, 10000, 10000);
	for (unsigned i = 0; i < N; i++)
		sample[i].back += i * 1000;	/* 10 to 209 ms, each once */
	make();
	near(result.p50_ms, 10 + 99, 0.001);
	near(result.p99_ms, 10 + 197, 0.001);
	near(result.late_percent, 100.0 * 59 / N, 0.001);	/* those of 151 to 209 ms */
}

static void loss(void **state)
{
	double alone;

	(void)state;
	fill(0, 0, 25000, 25000);
	for (unsigned i = 5; i < N; i += 20)
		sample[i].came = false;
	make();
	assert_int_equal(result.received, N - 10);
	near(result.loss_percent, 5, 1e-9);
	near(result.p99_ms, 25, 0.001);
	near(result.mos, emodel_mos(emodel_r(&(struct emodel_in){ 71.5, 5, 1, &emodel_opus })), 1e-9);
	alone = result.mos;

	/* Ten in a row, among them the first. */
	fill(0, 0, 25000, 25000);
	for (unsigned i = 0; i < 10; i++)
		sample[i].came = false;
	make();
	near(result.loss_percent, 5, 1e-9);
	near(result.mos, emodel_mos(emodel_r(&(struct emodel_in){ 71.5, 5, 9.5, &emodel_opus })), 1e-9);
	assert_true(result.mos < alone);
}

/* A packet behind the buffer is lost to the ear, though it came. */
static void behind_the_buffer(void **state)
{
	(void)state;
	fill(0, 0, 25000, 25000);
	sample[50].back += 900000;
	make();
	near(result.loss_percent, 0, 0);
	near(result.late_percent, 0.5, 1e-9);
	near(result.p99_ms, 25, 0.001);
	near(result.mos, emodel_mos(emodel_r(&(struct emodel_in){ 71.5, 0.5, 1, &emodel_opus })), 1e-9);
}

static void nothing(void **state)
{
	(void)state;
	fill(0, 0, 25000, 25000);
	for (unsigned i = 0; i < N; i++)
		sample[i].came = false;
	make();
	assert_int_equal(result.received, 0);
	near(result.loss_percent, 100, 0);
	near(result.mos, 1, 0);
	/* One alone, and none sent. */
	sample[7].came = true;
	make();
	near(result.p99_ms, 25, 0.001);
	near(result.mos, 1, 0.05);
	call_result_make(&result, sample, 0);
	assert_int_equal(result.sent, 0);
	near(result.loss_percent, 0, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(even), cmocka_unit_test(uneven), cmocka_unit_test(worse_direction),
		cmocka_unit_test(percentiles), cmocka_unit_test(loss), cmocka_unit_test(behind_the_buffer),
		cmocka_unit_test(nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
