/* links: framing/base64.c */
/* Base64: what decodes encodes back to the same text, and the reverse. First octet: 1 = url. */
#include "tests/fuzz/fuzz.h"

#include "framing/base64.h"
#include "framing/error.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	bool url = n > 0 && (p[0] & 1);
	uint8_t *in, *out;
	char *text;
	ssize_t len;

	if (n == 0)
		return 0;
	in = fuzz_copy(p + 1, --n);
	out = malloc(n + 1);
	text = malloc(base64_len(n, url) + 1);

	len = base64_decode(out, n, (const char *)in, n, url);
	CHECK(len == ERROR_MALFORMED || (len >= 0 && (size_t)len <= n));
	if (len >= 0) {
		CHECK(base64_len((size_t)len, url) == n);
		base64_encode(text, out, (size_t)len, url);
		CHECK(memcmp(text, in, n) == 0);
		CHECK(len == 0 || base64_decode(out, (size_t)len - 1, (const char *)in, n, url) == ERROR_MALFORMED);
	}

	base64_encode(text, in, n, url);
	CHECK(strlen(text) == base64_len(n, url));
	CHECK(base64_decode(out, n, text, strlen(text), url) == (ssize_t)n);
	CHECK(memcmp(out, in, n) == 0);
	free(text);
	free(out);
	free(in);
	return 0;
}
