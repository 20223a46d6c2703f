/* links: framing/traffic.c framing/classify.c framing/cursor.c framing/varint.c */
/* Traffic classes of streams, as calls and conferences send them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "tests/unit/traffic_source.h"

/* ---- streams ---- */

static void speech_is_audio_from_the_first_packet(void **state)
{
	static const struct {
		uint32_t step;
		size_t n;
	} codecs[] = {
		{ 960, 110 }, { 480, 60 }, { 1920, 180 }, { 2880, 250 }, { 5760, 400 },	/* Opus, 10 to 120 ms */
		{ 160, 45 }, { 320, 90 }, { 1024, 300 }, { 240, 70 },			/* EVS, AMR, AAC, iLBC */
	};

	(void)state;
	for (size_t i = 0; i < sizeof codecs / sizeof *codecs; i++) {
		struct source s = { .ssrc = 9, .type = 96, .sequence = 65500, .timestamp = 0xffffff00 };

		traffic_flow_init(&flow);
		for (int k = 0; k < 200; k++)
			assert_int_equal(talk(&s, 1, codecs[i].step, codecs[i].n), TRAFFIC_AUDIO);
	}
}

static void video_is_video_from_the_first_packet(void **state)
{
	struct source s = { .ssrc = 9, .type = 96, .sequence = 65500, .timestamp = 0xffffff00 };

	(void)state;
	assert_int_equal(frame(&s, 12, 3000, 1180), TRAFFIC_VIDEO); /* a key frame */
	for (int i = 0; i < 300; i++) {
		/* Camera clocks are not even; most frames of a still picture fit a packet. */
		assert_int_equal(frame(&s, 1 + (i % 5 == 0), 3000 + (uint32_t)(i * 37 % 180) - 90, 130 + (size_t)(i * 71 % 900)),
				 TRAFFIC_VIDEO);
	}
}

static void frames_are_named(void **state)
{
	struct source s = { .ssrc = 0xcafe0001, .type = 96, .timestamp = 90000 };
	struct traffic_mark m = send_as(&none, &s, 1100, 0);

	(void)state;
	assert_true(m.framed && !m.last);
	assert_int_equal(m.ssrc, 0xcafe0001);
	assert_int_equal(m.timestamp, 90000);
	s.marker = true;
	assert_true(send_as(&none, &s, 700, 0).last);
	s = (struct source){ .ssrc = 2, .type = 111, .marker = true };
	m = send_as(&none, &s, 100, 0);
	assert_true(!m.framed && !m.last);
}

/* Video whose first packet is small: a slide, or a sender that warms up. */
static void a_small_beginning_is_corrected(void **state)
{
	struct source s = { .ssrc = 9, .type = 96 };

	(void)state;
	assert_int_equal(frame(&s, 1, 3000, 300), TRAFFIC_AUDIO);
	assert_int_equal(frame(&s, 4, 3000, 1100), TRAFFIC_VIDEO);
	assert_int_equal(frame(&s, 1, 3000, 200), TRAFFIC_VIDEO);
}

/* Stereo music: 256 kbit/s is 640 bytes in 20 ms, 510 kbit/s 1,275. */
static void music_is_found_out(void **state)
{
	struct source s = { .ssrc = 9, .type = 111 };

	(void)state;
	assert_int_equal(talk(&s, 1, 960, 660), TRAFFIC_VIDEO);
	assert_int_equal(talk(&s, 7, 960, 660), TRAFFIC_AUDIO);
	for (int i = 0; i < 100; i++)
		assert_int_equal(talk(&s, 1, 960, 1200), TRAFFIC_AUDIO);
	/* The next one of that payload type is known. */
	s = (struct source){ .ssrc = 10, .type = 111 };
	assert_int_equal(send(&s, 660), TRAFFIC_AUDIO);
}

/* MPEG-TS: large packets, each with its own time stamp of 90 kHz. */
static void transport_streams_are_video(void **state)
{
	struct source s = { .ssrc = 9, .type = 98 };

	(void)state;
	for (uint32_t i = 0; i < 300; i++)
		assert_int_equal(talk(&s, 1, 200 + i * 31 % 90, 1328), TRAFFIC_VIDEO);
}

/* Events (RFC 4733) share a time stamp; silence leaps (Opus DTX, comfort noise). */
static void keys_and_silence_stay_audio(void **state)
{
	struct source s = { .ssrc = 9, .type = 111 };

	(void)state;
	assert_int_equal(talk(&s, 100, 960, 120), TRAFFIC_AUDIO);
	for (int key = 0; key < 20; key++) {
		s.type = 126;
		assert_int_equal(talk(&s, 12, 0, 26), TRAFFIC_AUDIO);
		s.timestamp += 9600;
		s.type = 111;
		assert_int_equal(talk(&s, 2, 960, 120), TRAFFIC_AUDIO);
	}
	for (int i = 0; i < 100; i++)
		assert_int_equal(talk(&s, 1, 19200, 25), TRAFFIC_AUDIO);
	for (int i = 0; i < 100; i++) {	/* a word, a pause */
		assert_int_equal(talk(&s, 10, 960, 130), TRAFFIC_AUDIO);
		s.timestamp += 48000;
	}
}

/* Lost, doubled and reordered packets say nothing. */
static void a_bad_path_turns_nothing(void **state)
{
	struct source a = { .ssrc = 1, .type = 111 }, v = { .ssrc = 2, .type = 96 };

	(void)state;
	talk(&a, 30, 960, 110);
	frame(&v, 10, 3000, 1100);
	for (uint32_t i = 0; i < 500; i++) {
		struct source late = a;

		a.sequence += i % 3 == 0;
		a.timestamp += 960 * (i % 3 == 0);
		assert_int_equal(talk(&a, 1, 960, 110), TRAFFIC_AUDIO);
		assert_int_equal(send(&late, 110), TRAFFIC_AUDIO);
		late = (struct source){ .ssrc = 1, .type = 111, .sequence = (uint16_t)(a.sequence - 10),
					.timestamp = a.timestamp - 9600 };
		assert_int_equal(send(&late, 130), TRAFFIC_AUDIO);	/* a copy that comes much later */
		v.sequence += i % 2;
		assert_int_equal(frame(&v, 2, 3000, 400), TRAFFIC_VIDEO);
	}
}

/* Established classes stand a burst that looks like the other. */
static void one_packet_flips_nothing(void **state)
{
	struct source a = { .ssrc = 1, .type = 111 }, v = { .ssrc = 2, .type = 96 };

	(void)state;
	talk(&a, 50, 960, 110);
	assert_int_equal(frame(&a, 4, 3000, 1100), TRAFFIC_AUDIO);
	frame(&v, 20, 3000, 1100);
	assert_int_equal(talk(&v, 8, 960, 110), TRAFFIC_VIDEO);
	/* But a sender that began anew with the same SSRC is seen. */
	assert_int_equal(talk(&v, 30, 960, 110), TRAFFIC_AUDIO);
}

/* What says now this, now that, keeps the class that it has. */
static void the_undecided_does_not_flap(void **state)
{
	struct source s = { .ssrc = 1, .type = 100 };

	(void)state;
	talk(&s, 1, 0, 300);
	for (int i = 0; i < 100; i++) {
		assert_int_equal(talk(&s, 1, 0, 300), TRAFFIC_AUDIO);
		assert_int_equal(talk(&s, 1, 960, 300), TRAFFIC_AUDIO);
		assert_int_equal(talk(&s, 3, 960, 300), TRAFFIC_AUDIO);
		assert_int_equal(talk(&s, 1, 0, 300), TRAFFIC_AUDIO);
	}
}

/* At 60 frames in a second the time stamp advances by little more than that of audio. */
static void fast_video_is_found_out(void **state)
{
	struct source s = { .ssrc = 1, .type = 100 };

	(void)state;
	assert_int_equal(frame(&s, 1, 1500, 400), TRAFFIC_AUDIO);
	for (int i = 0; i < 5; i++)
		frame(&s, 1, 1500, 1000);
	assert_int_equal(frame(&s, 1, 1500, 1000), TRAFFIC_VIDEO);
}

/* Beside audio, another type with small packets is not audio as well. */
static void a_second_type_is_video(void **state)
{
	struct source audio = { .ssrc = 1, .type = 111 }, again = { .ssrc = 2, .type = 97 }, key = { .ssrc = 1, .type = 126 };

	(void)state;
	talk(&audio, 20, 960, 110);
	assert_int_equal(send(&again, 150), TRAFFIC_VIDEO);
	key.sequence = audio.sequence;
	assert_int_equal(send(&key, 30), TRAFFIC_AUDIO);	/* unless it is of the same stream */
	audio.ssrc = 3;
	assert_int_equal(send(&audio, 110), TRAFFIC_AUDIO);
}

static void types_are_learned_anew(void **state)
{
	struct source s = { .ssrc = 1, .type = 96 };

	(void)state;
	assert_int_equal(talk(&s, 20, 960, 110), TRAFFIC_AUDIO);
	s.ssrc = 2;
	assert_int_equal(talk(&s, 1, 960, 110), TRAFFIC_AUDIO);
	s.ssrc = 3;
	for (int i = 0; i < 5; i++)
		frame(&s, 5, 3000, 1100);
	s.ssrc = 4;
	assert_int_equal(send(&s, 110), TRAFFIC_VIDEO);
}

/* Of one type, by some fault: each stream is known by itself. */
static void streams_are_known_one_by_one(void **state)
{
	struct source s[12];
	unsigned wrong = 0;

	(void)state;
	for (unsigned i = 0; i < 12; i++)
		s[i] = (struct source){ .ssrc = i + 1, .type = 96 };
	for (unsigned round = 0; round < 200; round++)
		for (unsigned i = 0; i < 12; i++)
			if (i % 2)
				wrong += talk(&s[i], 1, 960, 300) != TRAFFIC_AUDIO;
			else
				wrong += frame(&s[i], 1, 3600, 300) != TRAFFIC_VIDEO;
	assert_in_range(wrong, 0, 12 * 5);
}

/* Audio, three layers of video, their retransmissions, and what pads the probing of bandwidth: one bundle. */
static void a_bundle_is_told_apart(void **state)
{
	struct source audio = { .ssrc = 0x11111111, .type = 111 }, layer[3], again[3];
	unsigned wrong = 0;

	(void)state;
	for (unsigned i = 0; i < 3; i++) {
		layer[i] = (struct source){ .ssrc = 0x22220000 + i * 0x1357, .type = 96, .timestamp = 5000 };
		again[i] = (struct source){ .ssrc = 0x33330000 + i * 0x2468, .type = 97, .timestamp = 5000 };
	}
	for (uint32_t ms = 0; ms < 20000; ms += 20) {
		assert_int_equal(talk(&audio, 1, 960, 70 + ms % 50), TRAFFIC_AUDIO);
		for (unsigned i = 0; ms % 40 == 0 && i < 3; i++)
			assert_int_equal(frame(&layer[i], 1 + i * 2 + (ms % 4000 ? 0 : 8), 3600, ms % 4000 ? 400 + 250 * i : 1150),
					 TRAFFIC_VIDEO);
		if (ms % 200 != 100)
			continue;
		/* Something is asked for again: small or large, out of order. */
		for (unsigned i = 0; i < 3; i++) {
			again[i].timestamp = layer[i].timestamp - 3600 * (ms / 200 % 4);
			wrong += send(&again[i], 150 + ms % 1000) != TRAFFIC_VIDEO;
			if (ms % 600 == 100)
				wrong += frame(&again[i], 5, 0, 290) != TRAFFIC_VIDEO;
		}
	}
	assert_in_range(wrong, 0, 1);	/* one that came before the audio was sure */
}

/* The same, where the first packet of all is a small one that is sent again: it counts as audio for a moment. */
static void retransmissions_alone_are_found_out(void **state)
{
	struct source s = { .ssrc = 9, .type = 97, .timestamp = 90000 };
	unsigned wrong = 0;

	(void)state;
	for (uint32_t i = 0; i < 100; i++) {
		wrong += send(&s, 160 + i * 131 % 900) != TRAFFIC_VIDEO;
		s.timestamp += i % 3 == 2 ? (uint32_t)-3000 : 6000;
	}
	assert_in_range(wrong, 1, 8);
}

/* More streams than there is room for, all from the first moment on. */
static void a_conference_is_told_apart(void **state)
{
	struct source audio[40], video[40];
	unsigned wrong = 0, packets = 0;

	(void)state;
	for (unsigned i = 0; i < 40; i++) {
		audio[i] = (struct source){ .ssrc = i * 0x01234567 + 77, .type = 111 };
		video[i] = (struct source){ .ssrc = i * 0x07654321 + 99, .type = 96 };
	}
	for (unsigned round = 0; round < 100; round++)
		for (unsigned i = 0; i < 40; i++, packets += 4) {
			wrong += talk(&audio[i], 1, 960, 100) != TRAFFIC_AUDIO;
			wrong += frame(&video[i], 3, 1800, 800) != TRAFFIC_VIDEO;
		}
	assert_in_range(wrong, 0, packets / 100);
}

static void one_marking_for_a_whole_socket(void **state)
{
	struct source a = { .ssrc = 1, .type = 111 }, v = { .ssrc = 2, .type = 96 };

	(void)state;
	for (int i = 0; i < 20; i++) {
		assert_int_equal(send_as(&none, &a, 110, EF).class, TRAFFIC_AUDIO);
		a.timestamp += 960;
		send_as(&none, &v, 1100, EF);
	}
	assert_int_equal(send_as(&none, &v, 1100, EF).class, TRAFFIC_VIDEO);
	/* Who marks audio as video says so, and gets it. */
	assert_int_equal(send_as(&none, &a, 110, AF41).class, TRAFFIC_VIDEO);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(speech_is_audio_from_the_first_packet, setup),
		cmocka_unit_test_setup(video_is_video_from_the_first_packet, setup),
		cmocka_unit_test_setup(frames_are_named, setup),
		cmocka_unit_test_setup(a_small_beginning_is_corrected, setup),
		cmocka_unit_test_setup(music_is_found_out, setup),
		cmocka_unit_test_setup(transport_streams_are_video, setup),
		cmocka_unit_test_setup(keys_and_silence_stay_audio, setup),
		cmocka_unit_test_setup(a_bad_path_turns_nothing, setup),
		cmocka_unit_test_setup(one_packet_flips_nothing, setup),
		cmocka_unit_test_setup(the_undecided_does_not_flap, setup),
		cmocka_unit_test_setup(fast_video_is_found_out, setup),
		cmocka_unit_test_setup(a_second_type_is_video, setup),
		cmocka_unit_test_setup(types_are_learned_anew, setup),
		cmocka_unit_test_setup(streams_are_known_one_by_one, setup),
		cmocka_unit_test_setup(a_bundle_is_told_apart, setup),
		cmocka_unit_test_setup(retransmissions_alone_are_found_out, setup),
		cmocka_unit_test_setup(a_conference_is_told_apart, setup),
		cmocka_unit_test_setup(one_marking_for_a_whole_socket, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
