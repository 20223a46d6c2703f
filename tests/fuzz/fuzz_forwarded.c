/* links: framing/forwarded.c framing/http1_head.c */
/* Forwarded and X-Forwarded-For: each line a header. The walk ends, and what a proxy adds on the right is what it finds first, whatever
 * stood there before. */
#include "tests/fuzz/fuzz.h"

#include "framing/forwarded.h"

static void add(struct http1_head *head, const char *name, const uint8_t *p, size_t n)
{
	head->header[head->count++] = (struct http1_header){ { (const uint8_t *)name, strlen(name) }, { p, n } };
}

static size_t walk(const struct http1_head *head, enum forwarded_header which, struct forwarded_node *first)
{
	struct forwarded_node node;
	struct forwarded f;
	size_t n = 0;

	forwarded_begin(&f, head, which);
	for (; forwarded_next(&f, &node); n++) {
		CHECK(node.kind != FORWARDED_ADDRESS || node.ip_len == 4 || node.ip_len == 16);
		if (n == 0)
			*first = node;
	}
	return n;
}

/* What is there, and an address behind it in the same line. */
static void check_added(const char *name, enum forwarded_header which, const char *added, const uint8_t *p, size_t n)
{
	size_t len = strlen(added);
	uint8_t *line = malloc(n + len);
	struct http1_head head = { .count = 0 };
	struct forwarded_node first;

	CHECK(line);
	memcpy(line, p, n);
	memcpy(line + n, added, len);
	add(&head, name, line, n + len);
	CHECK(walk(&head, which, &first) >= 1);
	CHECK(first.kind == FORWARDED_ADDRESS && first.ip_len == 4 && memcmp(first.ip, "\xcb\0\x71\x09", 4) == 0);
	free(line);
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	static const char *const names[] = { "X-Forwarded-For", "Forwarded" };
	uint8_t *copy = fuzz_copy(p, n);
	struct forwarded_node first;

	for (int which = 0; which < 2; which++) {
		struct http1_head head = { .count = 0 };

		for (size_t i = 0; i < n && head.count < HTTP1_HEADERS_MAX;) {
			const uint8_t *end = memchr(copy + i, '\n', n - i);
			size_t len = end ? (size_t)(end - copy) - i : n - i;

			add(&head, names[which], copy + i, len);
			i += len + 1;
		}
		CHECK(walk(&head, (enum forwarded_header)which, &first) <= n);
	}
	check_added(names[0], FORWARDED_X_FOR, ", 203.0.113.9", copy, n);
	check_added(names[1], FORWARDED_RFC7239, ", for=203.0.113.9;proto=https", copy, n);
	free(copy);
	return 0;
}
