/* links: framing/traffic.c framing/classify.c framing/cursor.c framing/varint.c */
/* Traffic classes: of single packets, and of streams as calls and conferences send them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "framing/message.h"
#include "framing/traffic.h"

#define EF 46
#define AF41 34
#define CS1 8

static const struct traffic_rules none;
static struct traffic_flow flow;

/* One RTP stream of a sender's. */
struct source {
	uint32_t ssrc, timestamp;
	uint16_t sequence;
	uint8_t type;
	bool marker;
};

static uint8_t packet[1500];

static struct traffic_mark look(const struct traffic_rules *rules, const uint8_t *p, size_t n, uint8_t dscp)
{
	/* In a buffer of its exact size: the sanitizer sees what is read beyond. */
	uint8_t *copy = malloc(n + !n);
	struct traffic_mark m;

	if (n)
		memcpy(copy, p, n);
	m = traffic_look(&flow, rules, copy, n, dscp);
	free(copy);
	return m;
}

static void rtp_head(uint8_t *p, const struct source *s)
{
	const uint8_t head[12] = {
		0x80, (uint8_t)(s->marker << 7 | s->type), (uint8_t)(s->sequence >> 8), (uint8_t)s->sequence,
		(uint8_t)(s->timestamp >> 24), (uint8_t)(s->timestamp >> 16), (uint8_t)(s->timestamp >> 8), (uint8_t)s->timestamp,
		(uint8_t)(s->ssrc >> 24), (uint8_t)(s->ssrc >> 16), (uint8_t)(s->ssrc >> 8), (uint8_t)s->ssrc,
	};

	memcpy(p, head, sizeof head);
}

static struct traffic_mark send_as(const struct traffic_rules *rules, struct source *s, size_t n, uint8_t dscp)
{
	rtp_head(packet, s);
	s->sequence++;
	return look(rules, packet, n, dscp);
}

static enum traffic send(struct source *s, size_t n)
{
	return send_as(&none, s, n, 0).class;
}

/* Packets of one size, each with a time stamp of its own, `step` apart; the class of the last. */
static enum traffic talk(struct source *s, unsigned packets, uint32_t step, size_t n)
{
	enum traffic class = TRAFFIC_CLASSES;

	while (packets--) {
		class = send(s, n);
		s->timestamp += step;
	}
	return class;
}

/* A frame of so many packets; the class of the last. */
static enum traffic frame(struct source *s, unsigned packets, uint32_t step, size_t n)
{
	enum traffic class = TRAFFIC_CLASSES;

	while (packets--) {
		s->marker = packets == 0;
		class = send(s, n);
	}
	s->timestamp += step;
	return class;
}

static int setup(void **state)
{
	(void)state;
	traffic_flow_init(&flow);
	return 0;
}

/* ---- single packets ---- */

static const uint8_t stun[20] = { 0, 1, 0, 0, 0x21, 0x12, 0xa4, 0x42 };
static const uint8_t rtcp[28] = { 0x80, 200, 0, 6, 0xca, 0xfe };
static const uint8_t zrtp[16] = { 0x10, 0, 0, 1, 'Z', 'R', 'T', 'P' };
static const uint8_t hello[40] = { 22, 254, 255 };
static const uint8_t data[60] = { 23, 254, 253 };
static const uint8_t dns[29] = { 0x41, 1, 1, 0, 0, 1 };

static void first_bytes_tell(void **state)
{
	(void)state;
	assert_int_equal(look(&none, stun, sizeof stun, 0).class, TRAFFIC_CONTROL);
	assert_int_equal(look(&none, rtcp, sizeof rtcp, 0).class, TRAFFIC_CONTROL);
	assert_int_equal(look(&none, zrtp, sizeof zrtp, 0).class, TRAFFIC_CONTROL);
	assert_int_equal(look(&none, hello, sizeof hello, 0).class, TRAFFIC_CONTROL);
	assert_int_equal(look(&none, dns, sizeof dns, 0).class, TRAFFIC_BULK);
	assert_int_equal(look(&none, NULL, 0, 0).class, TRAFFIC_BULK);
	assert_false(look(&none, rtcp, sizeof rtcp, 0).framed);
	/* Whatever the socket is marked with. */
	assert_int_equal(look(&none, stun, sizeof stun, CS1).class, TRAFFIC_CONTROL);
}

static void turn_is_looked_into(void **state)
{
	struct source s = { .ssrc = 7, .type = 111 };
	uint8_t p[200] = { 0x40, 1, 0, 120 };

	(void)state;
	rtp_head(p + 4, &s);
	assert_int_equal(look(&none, p, 124, 0).class, TRAFFIC_AUDIO);
	memcpy(p + 4, data, sizeof data);
	assert_int_equal(look(&none, p, 124, 0).class, TRAFFIC_BULK);
	memcpy(p + 4, hello, sizeof hello);
	assert_int_equal(look(&none, p, 124, 0).class, TRAFFIC_CONTROL);
}

/* The data of data channels and VPNs is not worth more than a call. */
static void data_within_dtls_is_bulk(void **state)
{
	uint8_t hidden[1200] = { 0x2f, 0, 1 };

	(void)state;
	assert_int_equal(look(&none, data, sizeof data, 0).class, TRAFFIC_BULK);
	/* DTLS 1.3: the first ones may be of the handshake. */
	look(&none, hello, sizeof hello, 0);
	for (int i = 0; i < 64; i++)
		assert_int_equal(look(&none, hidden, sizeof hidden, 0).class, TRAFFIC_CONTROL);
	for (int i = 0; i < 300; i++)
		assert_int_equal(look(&none, hidden, sizeof hidden, 0).class, TRAFFIC_BULK);
	look(&none, hello, sizeof hello, 0);	/* another handshake */
	assert_int_equal(look(&none, hidden, sizeof hidden, 0).class, TRAFFIC_CONTROL);
}

static void a_configured_class_decides(void **state)
{
	static const struct {
		uint8_t class;
		enum traffic media, other, control;
		bool framed;
	} cases[] = {
		{ CLASS_AUDIO, TRAFFIC_AUDIO, TRAFFIC_AUDIO, TRAFFIC_CONTROL, false },
		{ CLASS_VIDEO, TRAFFIC_VIDEO, TRAFFIC_VIDEO, TRAFFIC_CONTROL, true },
		{ CLASS_CONTROL, TRAFFIC_CONTROL, TRAFFIC_CONTROL, TRAFFIC_CONTROL, false },
		{ CLASS_BULK, TRAFFIC_BULK, TRAFFIC_BULK, TRAFFIC_BULK, false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		const struct traffic_rules rules = { .class = cases[i].class };
		struct source s = { .ssrc = 7, .type = 96 };
		struct traffic_mark m = send_as(&rules, &s, 1200, EF);

		assert_int_equal(m.class, cases[i].media);
		assert_int_equal(m.framed, cases[i].framed);
		assert_int_equal(look(&rules, dns, sizeof dns, EF).class, cases[i].other);
		assert_int_equal(look(&rules, data, sizeof data, EF).class, cases[i].other);
		assert_int_equal(look(&rules, stun, sizeof stun, 0).class, cases[i].control);
		assert_int_equal(look(&rules, rtcp, sizeof rtcp, 0).class, cases[i].control);
		assert_int_equal(look(&rules, hello, sizeof hello, 0).class, cases[i].control);
	}
	/* A class that this version does not know is none. */
	assert_int_equal(look(&(struct traffic_rules){ .class = 9 }, dns, sizeof dns, 0).class, TRAFFIC_BULK);
}

static void payload_types_decide(void **state)
{
	const struct traffic_rules rules = { .audio_types = { [127 / 8] = 1 << 127 % 8 }, .video_types = { [0] = 1 } };
	struct source s = { .ssrc = 7, .type = 127 };

	(void)state;
	for (int i = 0; i < 50; i++)
		assert_int_equal(send_as(&rules, &s, 1200, AF41).class, TRAFFIC_AUDIO);
	s.type = 0;	/* before RFC 3551, too */
	assert_int_equal(send_as(&rules, &s, 100, EF).class, TRAFFIC_VIDEO);
	s.type = 126;
	s.ssrc = 8;
	assert_int_equal(send_as(&rules, &s, 100, 0).class, TRAFFIC_AUDIO);
	/* The fixed ones: PCMU, PCMA, G.722, comfort noise, G.729; JPEG, H.261, H.263. */
	for (s.ssrc = 100, s.type = 0; s.type < 20; s.type++, s.ssrc++)
		assert_int_equal(send(&s, 1300), TRAFFIC_AUDIO);
	for (s.type = 31; s.type < 35; s.type++, s.ssrc++)
		assert_int_equal(send(&s, 60), TRAFFIC_VIDEO);
	s.type = 26;
	assert_int_equal(send(&s, 60), TRAFFIC_VIDEO);
	s.type = 35;	/* dynamic in browsers of today */
	s.ssrc++;
	assert_int_equal(send(&s, 1300), TRAFFIC_VIDEO);
}

static void dscp_is_honoured(void **state)
{
	static const struct {
		uint8_t dscp;
		enum traffic small, large, other;
	} cases[] = {
		{ 0, TRAFFIC_AUDIO, TRAFFIC_VIDEO, TRAFFIC_BULK },	  { EF, TRAFFIC_AUDIO, TRAFFIC_AUDIO, TRAFFIC_AUDIO },
		{ 44, TRAFFIC_AUDIO, TRAFFIC_AUDIO, TRAFFIC_AUDIO },	  { AF41, TRAFFIC_VIDEO, TRAFFIC_VIDEO, TRAFFIC_VIDEO },
		{ 38, TRAFFIC_VIDEO, TRAFFIC_VIDEO, TRAFFIC_VIDEO },	  { 26, TRAFFIC_VIDEO, TRAFFIC_VIDEO, TRAFFIC_VIDEO },
		{ CS1, TRAFFIC_BULK, TRAFFIC_BULK, TRAFFIC_BULK },	  { 1, TRAFFIC_BULK, TRAFFIC_BULK, TRAFFIC_BULK },
		{ 10, TRAFFIC_AUDIO, TRAFFIC_VIDEO, TRAFFIC_BULK },	  { 255, TRAFFIC_AUDIO, TRAFFIC_VIDEO, TRAFFIC_BULK },
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct source a = { .ssrc = 1, .type = 111 }, v = { .ssrc = 2, .type = 96 };

		traffic_flow_init(&flow);
		assert_int_equal(send_as(&none, &a, 120, cases[i].dscp).class, cases[i].small);
		assert_int_equal(send_as(&none, &v, 1100, cases[i].dscp).class, cases[i].large);
		assert_int_equal(look(&none, dns, sizeof dns, cases[i].dscp).class, cases[i].other);
	}
}

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

/* ---- what only looks like RTP ---- */

static uint32_t random_state;

static uint8_t random_octet(void)
{
	random_state = random_state * 1664525 + 1013904223;
	return (uint8_t)(random_state >> 24);
}

/* Encrypted from the first byte on: a quarter has the first byte of RTP. */
static void noise_is_bulk(void **state)
{
	unsigned media = 0;

	(void)state;
	random_state = 5;
	for (unsigned i = 0; i < 10000; i++) {
		size_t n = 20 + (size_t)random_octet() * 5;

		for (size_t k = 0; k < 20; k++)
			packet[k] = random_octet();
		media += i > 50 && look(&none, packet, n, 0).class != TRAFFIC_BULK;
	}
	assert_in_range(media, 0, 200);	/* 64 for DTLS 1.3, and what hits RTCP */
}

/* A call beside noise in the same channel is recognised nevertheless. */
static void a_call_beside_noise(void **state)
{
	struct source s = { .ssrc = 9, .type = 111 };
	struct source g711 = { .ssrc = 8, .type = 0 };

	(void)state;
	for (int i = 0; i < 100; i++)
		look(&none, dns, sizeof dns, 0);
	talk(&s, 4, 960, 110);
	talk(&g711, 4, 160, 172);
	for (int i = 0; i < 100; i++) {
		look(&none, dns, sizeof dns, 0);
		look(&none, dns, sizeof dns, 0);
		assert_int_equal(talk(&s, 1, 960, 110), TRAFFIC_AUDIO);
		assert_int_equal(talk(&g711, 1, 160, 172), TRAFFIC_AUDIO);
	}
}

/* SSRCs without end: no more than their places are given away, and a known type keeps its class. */
static void a_flood_of_ssrcs(void **state)
{
	struct source s = { .ssrc = 1, .type = 111 };

	(void)state;
	talk(&s, 30, 960, 110);
	for (uint32_t i = 0; i < 100000; i++) {
		struct source x = { .ssrc = 1000 + i * 77, .type = 100 };

		send(&x, 1000);
	}
	assert_int_equal(send(&s, 110), TRAFFIC_AUDIO);
	s.ssrc = 2;
	assert_int_equal(send(&s, 110), TRAFFIC_AUDIO);
}

static void classes_have_names_and_deadlines(void **state)
{
	(void)state;
	assert_string_equal(traffic_name(TRAFFIC_CONTROL), "control");
	assert_string_equal(traffic_name(TRAFFIC_BULK), "bulk");
	assert_string_equal(traffic_name(TRAFFIC_CLASSES), "unknown");
	assert_int_equal(traffic_deadline_ms(TRAFFIC_CONTROL), 1000);
	assert_int_equal(traffic_deadline_ms(TRAFFIC_AUDIO), 200);
	assert_int_equal(traffic_deadline_ms(TRAFFIC_VIDEO), 400);
	assert_int_equal(traffic_deadline_ms(TRAFFIC_BULK), 1000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(first_bytes_tell, setup),
		cmocka_unit_test_setup(turn_is_looked_into, setup),
		cmocka_unit_test_setup(data_within_dtls_is_bulk, setup),
		cmocka_unit_test_setup(a_configured_class_decides, setup),
		cmocka_unit_test_setup(payload_types_decide, setup),
		cmocka_unit_test_setup(dscp_is_honoured, setup),
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
		cmocka_unit_test_setup(noise_is_bulk, setup),
		cmocka_unit_test_setup(a_call_beside_noise, setup),
		cmocka_unit_test_setup(a_flood_of_ssrcs, setup),
		cmocka_unit_test_setup(classes_have_names_and_deadlines, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
