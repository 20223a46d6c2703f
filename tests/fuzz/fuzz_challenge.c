/* links: framing/challenge.c framing/cursor.c framing/varint.c framing/http1_head.c */
/* Challenges: each line is a header of its own; what is found lies within it, and none takes from another. */
#include "tests/fuzz/fuzz.h"

#include "framing/challenge.h"
#include "framing/error.h"

static bool within(struct span s, const uint8_t *p, size_t n)
{
	return s.n == 0 || (s.p >= p && s.p + s.n <= p + n);
}

static void check_one(const struct challenge *c, const uint8_t *p, size_t n)
{
	char out[64];

	CHECK(within(c->scheme, p, n) && within(c->token, p, n));
	CHECK(c->count <= CHALLENGE_PARAMS_MAX);
	CHECK(c->token.n == 0 || c->count == 0 || c->scheme.p < c->token.p);
	for (size_t i = 0; i < c->count; i++) {
		const struct challenge_param *param = &c->param[i];
		ssize_t len;

		CHECK(param->name.n > 0 && within(param->name, p, n) && within(param->value, p, n));
		CHECK(param->quoted || param->value.n > 0);
		len = challenge_value(&c[0], "realm", out, sizeof out);
		CHECK(len == ERROR_EOF || len == ERROR_LIMIT || (len >= 0 && (size_t)len < sizeof out && out[len] == 0));
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	static const char name[] = "Proxy-Authenticate";
	struct http1_head head = { .count = 0 };
	struct challenge c[CHALLENGE_MAX], one[CHALLENGE_MAX], info;
	uint8_t *copy = fuzz_copy(p, n);
	size_t count, sum = 0;

	for (size_t i = 0; i < n && head.count < HTTP1_HEADERS_MAX;) {
		const uint8_t *end = memchr(copy + i, '\n', n - i);
		size_t len = end ? (size_t)(end - copy) - i : n - i;

		head.header[head.count++] =
			(struct http1_header){ { (const uint8_t *)name, sizeof name - 1 }, { copy + i, len } };
		i += len + 1;
	}
	count = challenge_parse(&head, name, c, CHALLENGE_MAX);
	for (size_t i = 0; i < count; i++) {
		CHECK(c[i].scheme.n > 0);
		check_one(&c[i], copy, n);
	}
	for (size_t i = 0; i < head.count; i++) {
		struct http1_head alone = { .count = 1, .header = { head.header[i] } };

		sum += challenge_parse(&alone, name, one, CHALLENGE_MAX);
	}
	CHECK(count == (sum < CHALLENGE_MAX ? sum : CHALLENGE_MAX));
	challenge_info(&head, name, &info);
	check_one(&info, copy, n);
	free(copy);
	return 0;
}
