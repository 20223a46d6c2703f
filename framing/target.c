/* Pieces of request targets. Called by request.c and rest_request.c. */
#include "framing/target.h"

#include <string.h>

#include "framing/base64.h"
#include "framing/error.h"

bool target_is(struct span s, const char *text)
{
	return s.n == strlen(text) && memcmp(s.p, text, s.n) == 0;
}

struct span target_take(struct span *s, uint8_t separator)
{
	const uint8_t *at = s->n ? memchr(s->p, separator, s->n) : NULL;
	struct span head = { s->p, at ? (size_t)(at - s->p) : s->n };
	size_t used = head.n + (at ? 1 : 0);

	s->p += used;
	s->n -= used;
	return head;
}

int target_number(struct span s, uint64_t min, uint64_t max, uint64_t *v)
{
	*v = 0;
	if (s.n < 1 || s.n > 16)
		return ERROR_MALFORMED;
	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] < '0' || s.p[i] > '9')
			return ERROR_MALFORMED;
		*v = *v * 10 + (uint64_t)(s.p[i] - '0');
	}
	return *v >= min && *v <= max ? 0 : ERROR_MALFORMED;
}

struct span target_path(struct span target)
{
	const uint8_t *scheme_end, *slash;

	if (target.n == 0 || target.p[0] == '/')
		return target;
	scheme_end = memmem(target.p, target.n, "://", 3);
	slash = scheme_end ? memchr(scheme_end + 3, '/', (size_t)(target.p + target.n - scheme_end) - 3) : NULL;
	return slash ? (struct span){ slash, (size_t)(target.p + target.n - slash) } : (struct span){ target.p, 0 };
}

bool target_below(struct span *path, const char *base)
{
	size_t n = strlen(base);

	if (path->n < n + 4 || memcmp(path->p, base, n) != 0 || memcmp(path->p + n, "/v1/", 4) != 0)
		return false;
	path->p += n + 4;
	path->n -= n + 4;
	return true;
}

void target_shown(struct span target, char *out, size_t cap)
{
	static const char ticket[] = "ticket=";
	size_t n = 0, len = sizeof ticket - 1;

	for (size_t i = 0; i < target.n && n + 1 < cap; i++) {
		out[n++] = (char)target.p[i];
		if (i < len || memcmp(target.p + i + 1 - len, ticket, len) != 0 || !memchr("?&;", target.p[i - len], 3))
			continue;
		while (i + 1 < target.n && target.p[i + 1] != '&')
			i++;
	}
	out[n] = 0;
}

int target_sid(struct span s, char out[TARGET_SID_LEN + 1])
{
	uint8_t octets[16];

	if (s.n != TARGET_SID_LEN || base64_decode(octets, sizeof octets, (const char *)s.p, s.n, true) != 16)
		return ERROR_MALFORMED;
	memcpy(out, s.p, s.n);
	out[s.n] = 0;
	return 0;
}
