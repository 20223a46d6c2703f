/*
 * UTF-8 check: what the next octet may be follows from the first one of its character
 * (RFC 3629 section 4) and is all that is remembered between two portions. Called by the WebSocket
 * codec for text and the reasons of close frames.
 */
#include "framing/utf8.h"

#include <string.h>

#define ASCII8 UINT64_C(0x8080808080808080)

/* Octets of ASCII at the beginning, eight by eight: most of most texts. */
static size_t ascii(const uint8_t *p, size_t n)
{
	uint64_t word;
	size_t i = 0;

	for (; i + sizeof word <= n; i += sizeof word) {
		memcpy(&word, p + i, sizeof word);
		if (word & ASCII8)
			break;
	}
	return i;
}

static bool first_octet(struct utf8 *u, uint8_t c)
{
	if (c < 0x80)
		return true;
	if (c < 0xc2 || c > 0xf4)
		return false;
	u->wanting = c < 0xe0 ? 1 : c < 0xf0 ? 2 : 3;
	u->lo = c == 0xe0 ? 0xa0 : c == 0xf0 ? 0x90 : 0x80; /* else there is a shorter form */
	u->hi = c == 0xed ? 0x9f : c == 0xf4 ? 0x8f : 0xbf; /* surrogates; the end of Unicode */
	return true;
}

static bool next_octet(struct utf8 *u, uint8_t c)
{
	if (c < u->lo || c > u->hi)
		return false;
	u->wanting--;
	u->lo = 0x80;
	u->hi = 0xbf;
	return true;
}

bool utf8_feed(struct utf8 *u, const uint8_t *p, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (u->wanting == 0)
			i += ascii(p + i, n - i);
		if (i < n && !(u->wanting ? next_octet(u, p[i]) : first_octet(u, p[i])))
			return false;
	}
	return true;
}

bool utf8_whole(const struct utf8 *u)
{
	return u->wanting == 0;
}

bool utf8_ok(const uint8_t *p, size_t n)
{
	struct utf8 u = { 0 };

	return utf8_feed(&u, p, n) && utf8_whole(&u);
}
