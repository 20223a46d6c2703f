/* links: framing/proxy_protocol.c framing/cursor.c framing/varint.c */
/* Headers of the PROXY protocol: what is whole is found at the same place in whatever portions it comes, and nothing behind it counts. */
#include "tests/fuzz/fuzz.h"

#include "framing/error.h"
#include "framing/proxy_protocol.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct proxy_protocol all, part;
	uint8_t *copy = fuzz_copy(p, n);
	ssize_t len = proxy_protocol_get(copy, n, &all);

	CHECK(len <= (ssize_t)n && len <= PROXY_PROTOCOL_MAX);
	CHECK(len >= 0 || len == ERROR_MALFORMED || len == ERROR_LIMIT);
	free(copy);
	for (size_t i = 0; i < n && i < 300; i++) {
		uint8_t *cut = fuzz_copy(p, i);
		ssize_t got = proxy_protocol_get(cut, i, &part);

		if (len > 0)
			CHECK(got == ((size_t)len <= i ? len : 0));
		else if (len == 0)
			CHECK(got == 0);
		if (got > 0)
			CHECK(memcmp(&all, &part, sizeof all) == 0);
		free(cut);
	}
	return 0;
}
