/* links: framing/classify.c framing/cursor.c framing/varint.c */
/* Classifier: any bytes get an answer that makes sense. */
#include "tests/fuzz/fuzz.h"

#include "framing/classify.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	uint8_t *copy = fuzz_copy(p, n);
	struct classify_result r = classify(copy, n);

	CHECK(strcmp(classify_name(r.kind), "unknown") != 0);
	CHECK(r.in_turn <= 1 && r.marker <= 1);
	if (r.kind == CLASSIFY_RTP)
		CHECK(n >= 12 && r.payload_type < 128);
	else if (r.kind == CLASSIFY_RTCP)
		CHECK(n >= 8 && r.payload_type >= 192 && r.payload_type <= 223);
	else
		CHECK(r.payload_type == 0 && r.ssrc == 0 && r.timestamp == 0 && r.sequence == 0);
	free(copy);
	return 0;
}
