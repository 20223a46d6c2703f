/*
 * Base64 and base64url (RFC 4648 sections 4 and 5). Called for sids, MACs and
 * proxy credentials; calls nothing.
 */
#include "framing/base64.h"

#include "framing/error.h"

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
static const char alphabet_url[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

size_t base64_len(size_t n, bool url)
{
	if (!url)
		return (n + 2) / 3 * 4;
	return n / 3 * 4 + (n % 3 ? n % 3 + 1 : 0);
}

void base64_encode(char *out, const uint8_t *p, size_t n, bool url)
{
	const char *digits = url ? alphabet_url : alphabet;

	for (; n > 0; p += n < 3 ? n : 3, n -= n < 3 ? n : 3) {
		uint32_t v = (uint32_t)p[0] << 16;

		if (n > 1)
			v |= (uint32_t)p[1] << 8;
		if (n > 2)
			v |= p[2];
		*out++ = digits[v >> 18];
		*out++ = digits[v >> 12 & 63];
		if (n > 1)
			*out++ = digits[v >> 6 & 63];
		else if (!url)
			*out++ = '=';
		if (n > 2)
			*out++ = digits[v & 63];
		else if (!url)
			*out++ = '=';
	}
	*out = '\0';
}

/* The value of a digit, or -1. */
static int digit(char c, bool url)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	if (c == (url ? '-' : '+'))
		return 62;
	if (c == (url ? '_' : '/'))
		return 63;
	return -1;
}

ssize_t base64_decode(uint8_t *out, size_t cap, const char *s, size_t n, bool url)
{
	uint32_t bits = 0;	/* not yet written, right-aligned */
	unsigned held = 0;
	size_t len = 0;

	if (!url) {
		if (n % 4 != 0)
			return ERROR_MALFORMED;
		for (int i = 0; i < 2 && n > 0 && s[n - 1] == '='; i++)
			n--;
	}
	if (n % 4 == 1)
		return ERROR_MALFORMED;
	for (size_t i = 0; i < n; i++) {
		int v = digit(s[i], url);

		if (v < 0)
			return ERROR_MALFORMED;
		bits = bits << 6 | (uint32_t)v;
		held += 6;
		if (held < 8)
			continue;
		if (len == cap)
			return ERROR_MALFORMED;
		held -= 8;
		out[len++] = (uint8_t)(bits >> held);
		bits &= (1u << held) - 1;
	}
	return bits ? ERROR_MALFORMED : (ssize_t)len; /* the bits left over must be zero */
}
