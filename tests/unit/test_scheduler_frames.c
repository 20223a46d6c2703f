/* links: tunnel/scheduler.c framing/packet.c tests/lib/scheduled.c */
/* Video frames in the scheduler: as a whole, or not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "tests/lib/scheduled.h"

static void test_frame_of_which_a_part_was_dropped(void **state)
{
	uint64_t n;

	(void)state;
	add_part(0, 7, 100, false);
	add_part(0, 7, 100, false);
	n = take().number;
	now += 301 * MS;	/* begun, so it may be finished */
	assert_int_equal(take().number, n + 1);
	add_part(0, 7, 100, false);
	now += 99 * MS;
	n = add_part(0, 7, 100, false);
	add(0, AUDIO, 172);
	now += 302 * MS;
	add(0, AUDIO, 172);	/* the third part is past its deadline: the fourth goes with it, audio does not */
	assert_int_equal(gone.count[SCHEDULER_DEADLINE], 2);
	assert_int_equal(gone.count[SCHEDULER_FRAME], 1);
	assert_int_equal(gone.last, n);
	add_part(0, 7, 100, true);	/* comes now */
	assert_int_equal(gone.count[SCHEDULER_FRAME], 2);
	add_part(0, 7, 200, true);	/* the next frame */
	add_part(0, 8, 100, true);	/* another stream */
	add_part(1, 7, 100, true);	/* another channel */
	assert_int_equal(take().class, AUDIO);
	for (unsigned i = 0; i < 3; i++)
		assert_int_equal(take().class, VIDEO);
	assert_int_equal(s.class[VIDEO].dropped[SCHEDULER_FRAME], 2);
}

/* A frame that was not begun in three quarters of its time is not begun, but if it is one packet. */
static void test_frame_not_begun(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 5; i++)
		add_part(0, 7, 100, i == 4);
	add_part(1, 9, 100, true);
	now += 301 * MS;
	assert_int_equal(take().flow, 1);
	assert_int_equal(take().class, -1);
	assert_int_equal(gone.count[SCHEDULER_DEADLINE], 1);
	assert_int_equal(gone.count[SCHEDULER_FRAME], 4);
}

/* Layers in parallel: each one's frame is remembered. Nothing stays spoilt. */
static void test_several_frames(void **state)
{
	(void)state;
	for (uint32_t ssrc = 0; ssrc < 6; ssrc++)
		add_part(0, ssrc, 100, false);
	now += 301 * MS;
	for (uint32_t ssrc = 0; ssrc < 6; ssrc++)
		add_part(0, ssrc, 100, true);
	assert_int_equal(gone.count[SCHEDULER_DEADLINE], 6);
	assert_int_equal(gone.count[SCHEDULER_FRAME], 6);
	assert_int_equal(take().class, -1);
	now += 401 * MS;	/* the same time stamps come again */
	for (uint32_t ssrc = 0; ssrc < 6; ssrc++)
		add_part(0, ssrc, 100, true);
	for (uint32_t ssrc = 0; ssrc < 6; ssrc++)
		assert_int_equal(take().ssrc, ssrc);
	assert_int_equal(gone.count[SCHEDULER_FRAME], 6);
}

/* A frame that is spoilt later does not keep an earlier one so. */
static void test_spoilt_one_by_one(void **state)
{
	(void)state;
	add_part(0, 7, 100, false);
	now += 301 * MS;
	add_part(0, 7, 200, false);
	assert_int_equal(gone.count[SCHEDULER_DEADLINE], 1);
	now += 301 * MS;
	add_part(0, 7, 200, true);
	assert_int_equal(gone.count[SCHEDULER_DEADLINE], 2);
	assert_int_equal(gone.count[SCHEDULER_FRAME], 1);
	now += 100 * MS;
	add_part(0, 7, 200, true);
	add_part(0, 7, 100, true);
	assert_int_equal(gone.count[SCHEDULER_FRAME], 2);
	assert_int_equal(take().timestamp, 100);
}

/* A stream whose time stamp never changes and that has no markers: what is spoilt is so for a while only. */
static void test_same_timestamp(void **state)
{
	unsigned out = 0;

	(void)state;
	for (unsigned i = 0; i < 1000; i++, now += 10 * MS) {
		add_part(0, 7, 0, false);
		if (i == 100)
			now += 500 * MS;	/* a stall */
		out += take().class == VIDEO;
	}
	assert_true(out > 900);
}

/* 3 Mbit/s of video on 2 Mbit/s for 20 s: whole frames or nothing; none late. */
static void test_overload(void **state)
{
	unsigned parts[700] = { 0 }, whole = 0, part = 0;
	int64_t frame_at = now, next_at = now, audio_at = now;
	uint32_t frame = 0;

	(void)state;
	for (int64_t end = now + 20000 * MS; now < end; now += MS) {
		if (now >= frame_at) {
			for (unsigned i = 0; i < 10; i++)
				add_part(0, 7, frame, i == 9);
			frame++;
			frame_at += 33 * MS;
		}
		if (now >= audio_at) {
			add(1, AUDIO, 172);
			audio_at += 20 * MS;
		}
		while (now >= next_at) {
			struct taken t = take();

			if (t.class == AUDIO)
				assert_true(t.age <= 5 * MS);
			else if (t.class == VIDEO)
				parts[t.timestamp]++;
			next_at += (int64_t)(t.len + 60) * 4;	/* 4 us for each octet */
		}
	}
	for (uint32_t i = 0; i < frame; i++) {
		whole += parts[i] == 10;
		part += parts[i] > 0 && parts[i] < 10;
	}
	assert_true(part <= 1);	/* the one under way */
	assert_true(whole >= frame * 55 / 100);
	assert_true(s.class[VIDEO].delay_us <= 400 * MS);
	assert_int_equal(s.class[AUDIO].dropped[SCHEDULER_DEADLINE], 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		SCHEDULED(test_frame_of_which_a_part_was_dropped), SCHEDULED(test_frame_not_begun),
		SCHEDULED(test_several_frames), SCHEDULED(test_spoilt_one_by_one), SCHEDULED(test_same_timestamp), SCHEDULED(test_overload),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
