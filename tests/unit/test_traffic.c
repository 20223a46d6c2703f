/* links: framing/traffic.c framing/classify.c framing/cursor.c framing/varint.c */
/* Traffic classes: of single packets, and of what only looks like media. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "tests/unit/traffic_source.h"

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
		cmocka_unit_test_setup(noise_is_bulk, setup),
		cmocka_unit_test_setup(a_call_beside_noise, setup),
		cmocka_unit_test_setup(a_flood_of_ssrcs, setup),
		cmocka_unit_test_setup(classes_have_names_and_deadlines, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
