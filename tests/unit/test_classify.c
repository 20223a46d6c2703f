/* links: framing/classify.c framing/cursor.c framing/varint.c */
/* Classifier: one packet of each kind, bare and inside TURN; any bytes at all. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "framing/classify.h"

static const uint8_t rtp[] = { 0x80, 0xe0, 0x12, 0x34, 0x00, 0x01, 0x02, 0x03, 0xca, 0xfe, 0xba, 0xbe, 1, 2, 3, 4 };
static const uint8_t rtcp[] = { 0x80, 200, 0x00, 0x06, 0xca, 0xfe, 0xba, 0xbe, 0, 0, 0, 0, 0, 0,
				0,    0,   0,	 0,    0,    0,	   0,	 0,    0, 0, 0, 0, 0, 0 };
static const uint8_t stun[] = { 0x00, 0x01, 0x00, 0x00, 0x21, 0x12, 0xa4, 0x42, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12 };
static const uint8_t zrtp[] = { 0x10, 0x00, 0x00, 0x01, 'Z', 'R', 'T', 'P', 0, 0, 0, 1, 0x50, 0x5a, 0, 3 };
static const uint8_t dtls[] = { 22, 254, 255, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1 };
static const uint8_t dtls13[] = { 0x2f, 0, 1, 0, 4, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9 };

static void each_kind_is_known(void **state)
{
	struct classify_result r;

	(void)state;
	r = classify(rtp, sizeof rtp);
	assert_int_equal(r.kind, CLASSIFY_RTP);
	assert_int_equal(r.payload_type, 96);
	assert_int_equal(r.marker, 1);
	assert_int_equal(r.sequence, 0x1234);
	assert_int_equal(r.timestamp, 0x00010203);
	assert_int_equal(r.ssrc, 0xcafebabe);
	assert_int_equal(r.in_turn, 0);
	r = classify(rtcp, sizeof rtcp);
	assert_int_equal(r.kind, CLASSIFY_RTCP);
	assert_int_equal(r.payload_type, 200);
	assert_int_equal(r.ssrc, 0xcafebabe);
	assert_int_equal(classify(stun, sizeof stun).kind, CLASSIFY_STUN);
	assert_int_equal(classify(zrtp, sizeof zrtp).kind, CLASSIFY_ZRTP);
	assert_int_equal(classify(dtls, sizeof dtls).kind, CLASSIFY_DTLS);
	assert_int_equal(classify(dtls13, sizeof dtls13).kind, CLASSIFY_DTLS);
}

/* ChannelData around a packet, with pad bytes behind. */
static size_t channel_data(uint8_t *out, const uint8_t *p, size_t n, size_t pad)
{
	out[0] = 0x40;
	out[1] = 0x01;
	out[2] = (uint8_t)(n >> 8);
	out[3] = (uint8_t)n;
	memcpy(out + 4, p, n);
	memset(out + 4 + n, 0, pad);
	return 4 + n + pad;
}

static void channel_data_is_looked_into(void **state)
{
	struct classify_result r;
	uint8_t buf[64];
	size_t n;

	(void)state;
	for (size_t pad = 0; pad < 4; pad++) {
		n = channel_data(buf, rtp, sizeof rtp, pad);
		r = classify(buf, n);
		assert_int_equal(r.kind, CLASSIFY_RTP);
		assert_int_equal(r.sequence, 0x1234);
		assert_int_equal(r.in_turn, 1);
	}
	n = channel_data(buf, rtp, sizeof rtp, 4);
	assert_int_equal(classify(buf, n).in_turn, 0);
	n = channel_data(buf, rtp, sizeof rtp, 0);
	assert_int_equal(classify(buf, n - 1).kind, CLASSIFY_OTHER);
	n = channel_data(buf, rtp, 0, 0);
	assert_int_equal(classify(buf, n).kind, CLASSIFY_OTHER);
	assert_int_equal(classify(buf, n).in_turn, 1);
}

/* A Data indication: XOR-PEER-ADDRESS, then DATA, padded. */
static size_t indication(uint8_t *out, uint8_t method, const uint8_t *p, size_t n)
{
	static const uint8_t peer[] = { 0x00, 0x12, 0x00, 0x08, 0, 1, 2, 3, 4, 5, 6, 7 };
	size_t padded = (n + 3) / 4 * 4;

	memcpy(out, stun, sizeof stun);
	out[1] = method;
	out[3] = (uint8_t)(sizeof peer + 4 + padded);
	memcpy(out + 20, peer, sizeof peer);
	memcpy(out + 32, (const uint8_t[]){ 0x00, 0x13, 0x00, (uint8_t)n }, 4);
	memset(out + 36, 0, padded);
	memcpy(out + 36, p, n);
	return 36 + padded;
}

static void indications_are_looked_into(void **state)
{
	uint8_t buf[128];
	size_t n;

	(void)state;
	n = indication(buf, 0x17, rtcp, sizeof rtcp);
	assert_int_equal(classify(buf, n).kind, CLASSIFY_RTCP);
	assert_int_equal(classify(buf, n).in_turn, 1);
	n = indication(buf, 0x16, dtls, sizeof dtls);
	assert_int_equal(classify(buf, n).kind, CLASSIFY_DTLS);
	n = indication(buf, 0x01, dtls, sizeof dtls); /* a request, not an indication */
	assert_int_equal(classify(buf, n).kind, CLASSIFY_STUN);
	assert_int_equal(classify(buf, n).in_turn, 0);
	buf[1] = 0x17;
	buf[35] = 0xff; /* DATA longer than the message */
	assert_int_equal(classify(buf, n).kind, CLASSIFY_STUN);
}

static void turn_in_turn_is_opened_once(void **state)
{
	uint8_t inner[64], outer[128];
	size_t n = channel_data(inner, rtp, sizeof rtp, 0);

	(void)state;
	n = channel_data(outer, inner, n, 0);
	assert_int_equal(classify(outer, n).kind, CLASSIFY_OTHER);
}

static void lookalikes_are_other(void **state)
{
	static const uint8_t quic[] = { 0xc3, 0, 0, 0, 1, 8, 1, 2, 3, 4, 5, 6, 7, 8, 0, 0, 0, 0, 0, 0, 0, 0 };
	static const uint8_t dns[] = { 0x00, 0x01, 0x01, 0x00, 0x00, 0x01, 0, 0, 0, 0, 0, 0, 3, 'w', 'w', 'w', 0, 0, 1, 0, 1 };
	static const uint8_t sip[] = "OPTIONS sip:a@example.net SIP/2.0\r\n";
	static const uint8_t rtp_csrc[] = { 0x8f, 96, 0, 1, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0 };
	static const uint8_t rtcp_long[] = { 0x80, 200, 0x00, 0x06, 1, 2, 3, 4, 0, 0, 0, 0 };

	(void)state;
	assert_int_equal(classify(quic, sizeof quic).kind, CLASSIFY_OTHER);
	assert_int_equal(classify(dns, sizeof dns).kind, CLASSIFY_OTHER);
	assert_int_equal(classify(sip, sizeof sip - 1).kind, CLASSIFY_OTHER);
	assert_int_equal(classify(rtp_csrc, sizeof rtp_csrc).kind, CLASSIFY_OTHER);
	assert_int_equal(classify(rtcp_long, sizeof rtcp_long).kind, CLASSIFY_OTHER);
	assert_int_equal(classify(NULL, 0).kind, CLASSIFY_OTHER);
}

/* Truncations in buffers of their exact size: an over-read is seen by the sanitizer. */
static void any_bytes_get_an_answer(void **state)
{
	uint8_t whole[128];
	size_t n = indication(whole, 0x17, rtp, sizeof rtp);

	(void)state;
	for (size_t len = 0; len <= n; len++)
		for (int flip = -1; flip < 8 * 40; flip++) {
			uint8_t *p = malloc(len + !len);

			memcpy(p, whole, len);
			if (flip >= 0 && (size_t)flip / 8 < len)
				p[flip / 8] ^= (uint8_t)(1 << flip % 8);
			assert_string_not_equal(classify_name(classify(p, len).kind), "unknown");
			free(p);
		}
	for (unsigned first = 0; first < 256; first++)
		for (size_t len = 1; len < 40; len++) {
			uint8_t *p = calloc(1, len);

			p[0] = (uint8_t)first;
			classify(p, len);
			free(p);
		}
}

static void kinds_have_names(void **state)
{
	(void)state;
	assert_string_equal(classify_name(CLASSIFY_RTP), "RTP");
	assert_string_equal(classify_name((enum classify_kind)99), "unknown");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_kind_is_known),
		cmocka_unit_test(channel_data_is_looked_into),
		cmocka_unit_test(indications_are_looked_into),
		cmocka_unit_test(turn_in_turn_is_opened_once),
		cmocka_unit_test(lookalikes_are_other),
		cmocka_unit_test(any_bytes_get_an_answer),
		cmocka_unit_test(kinds_have_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
