/* links: framing/traffic.c framing/classify.c framing/cursor.c framing/varint.c */
/* Classifier and traffic classes: any bytes, and any sequence of datagrams, get an answer that makes sense. */
#include "tests/fuzz/fuzz.h"

#include "framing/classify.h"
#include "framing/message.h"
#include "framing/traffic.h"

static void one(const uint8_t *p, size_t n)
{
	struct classify_result r = classify(p, n);

	CHECK(strcmp(classify_name(r.kind), "unknown") != 0);
	CHECK(r.in_turn <= 1 && r.marker <= 1);
	if (r.kind == CLASSIFY_RTP)
		CHECK(n >= 12 && r.payload_type < 128);
	else if (r.kind == CLASSIFY_RTCP)
		CHECK(n >= 8 && r.payload_type >= 192 && r.payload_type <= 223);
	else
		CHECK(r.payload_type == 0 && r.ssrc == 0 && r.timestamp == 0 && r.sequence == 0);
}

static void look(struct traffic_flow *f, const struct traffic_rules *rules, const uint8_t *p, size_t n, uint8_t dscp)
{
	struct traffic_mark m = traffic_look(f, rules, p, n, dscp);

	CHECK(m.class < TRAFFIC_CLASSES && strcmp(traffic_name(m.class), "unknown") != 0);
	CHECK(m.framed ? m.class == TRAFFIC_VIDEO && n >= 12 : !m.last && m.ssrc == 0 && m.timestamp == 0);
	CHECK(rules->class != CLASS_BULK || m.class == TRAFFIC_BULK);
	CHECK(rules->class != CLASS_AUDIO || m.class <= TRAFFIC_AUDIO);
	CHECK(traffic_deadline_ms(m.class) >= 200);
}

/* A flow: each datagram behind an octet with its length in fours. The first octet says the rules, the length of the first
 * its DSCP. */
static void sequence(const uint8_t *p, size_t n)
{
	struct traffic_rules rules = { .class = n ? p[0] % 6 : 0 };
	uint8_t dscp = n > 1 ? p[1] : 0;
	struct traffic_flow f;

	traffic_flow_init(&f);
	if (n && p[0] & 0x80)
		rules.audio_types[p[0] % 16] = rules.video_types[p[0] / 2 % 16] = p[0];
	for (size_t at = 1; at < n;) {
		size_t len = (size_t)p[at++] * 4;
		uint8_t *copy;

		len = len < n - at ? len : n - at;
		copy = fuzz_copy(p + at, len);
		look(&f, &rules, copy, len, dscp);
		free(copy);
		at += len;
	}
	for (size_t i = 0; i < TRAFFIC_SETS * TRAFFIC_WAYS; i++) {
		const struct traffic_stream *s = &f.stream[i / TRAFFIC_WAYS][i % TRAFFIC_WAYS];

		CHECK(s->score >= -12 && s->score <= 12 && s->class < TRAFFIC_CLASSES);
	}
	for (size_t i = 0; i < 16; i++)
		CHECK(!(f.audio_types[i] & f.video_types[i]));
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	uint8_t *copy = fuzz_copy(p, n);

	one(copy, n);
	free(copy);
	sequence(p, n);
	return 0;
}
