/*
 * Classifier: the kind of a datagram by its first byte (RFC 7983), made surer by
 * the fields that each kind has at fixed places, since games, DNS and QUIC begin
 * with any byte. Called for the class of a datagram channel; calls nothing.
 */
#include "framing/classify.h"

#include <stdbool.h>

#include "framing/cursor.h"

enum {
	STUN_HEAD = 20,
	STUN_COOKIE = 0x2112a442,
	STUN_SEND_INDICATION = 0x0016,
	STUN_DATA_INDICATION = 0x0017,
	STUN_ATTR_DATA = 0x0013,
	ZRTP_COOKIE = 0x5a525450,
	RTP_HEAD = 12,
	DTLS_HEAD = 13,
};

static uint32_t u16_at(const uint8_t *p)
{
	return (uint32_t)p[0] << 8 | p[1];
}

static uint32_t u32_at(const uint8_t *p)
{
	return u16_at(p) << 16 | u16_at(p + 2);
}

static bool is_stun(const uint8_t *p, size_t n)
{
	return n >= STUN_HEAD && p[0] <= 3 && u32_at(p + 4) == STUN_COOKIE &&
	       u16_at(p + 2) % 4 == 0 && u16_at(p + 2) <= n - STUN_HEAD;
}

static bool is_zrtp(const uint8_t *p, size_t n)
{
	return n >= 12 && p[0] >= 16 && p[0] <= 19 && u32_at(p + 4) == ZRTP_COOKIE;
}

/* Records of DTLS 1.0 to 1.2 bear a version; 32 to 63 is the unified header of
 * DTLS 1.3 (RFC 9147 section 4), which has nothing else that is fixed. */
static bool is_dtls(const uint8_t *p, size_t n)
{
	if (n >= DTLS_HEAD && p[0] >= 20 && p[0] < 32)
		return p[1] == 254 && p[2] >= 252;
	return n >= 18 && p[0] >= 32 && p[0] < 64;
}

/* RTP and RTCP share the first byte; the second tells (RFC 5761 section 4). */
static void look_at_rtp(struct classify_result *r, const uint8_t *p, size_t n)
{
	if (n >= 8 && p[1] >= 192 && p[1] <= 223) {
		if ((u16_at(p + 2) + 1) * 4 > n)
			return;
		r->kind = CLASSIFY_RTCP;
		r->payload_type = p[1];
		r->ssrc = u32_at(p + 4);
		return;
	}
	if (n < RTP_HEAD + 4 * (size_t)(p[0] & 15))
		return;
	r->kind = CLASSIFY_RTP;
	r->marker = p[1] >> 7;
	r->payload_type = p[1] & 0x7f;
	r->sequence = (uint16_t)u16_at(p + 2);
	r->timestamp = u32_at(p + 4);
	r->ssrc = u32_at(p + 8);
}

/* Into r, which is zeros. */
static void look_at_plain(struct classify_result *r, const uint8_t *p, size_t n)
{
	if (n == 0)
		return;
	r->first = p[0];
	if (p[0] >= 64) {
		if (p[0] >= 128 && p[0] <= 191)
			look_at_rtp(r, p, n);
	} else if (is_stun(p, n)) {
		r->kind = CLASSIFY_STUN;
	} else if (is_zrtp(p, n)) {
		r->kind = CLASSIFY_ZRTP;
	} else if (is_dtls(p, n)) {
		r->kind = CLASSIFY_DTLS;
	}
}

/* ChannelData (RFC 8656 section 12.4), which UDP may pad to 4 bytes. */
static bool channel_data(const uint8_t *p, size_t n, struct span *inner)
{
	size_t len;

	if (n < 4 || p[0] < 0x40 || p[0] > 0x4f)
		return false;
	len = u16_at(p + 2);
	if (len > n - 4 || n - 4 - len > 3)
		return false;
	*inner = (struct span){ p + 4, len };
	return true;
}

/* The DATA attribute of a Send or Data indication. */
static bool indication_data(const uint8_t *p, size_t n, struct span *inner)
{
	struct cursor c;

	if (!is_stun(p, n) || (u16_at(p) != STUN_SEND_INDICATION && u16_at(p) != STUN_DATA_INDICATION))
		return false;
	cursor_init(&c, p + STUN_HEAD, u16_at(p + 2));
	while (cursor_left(&c) >= 4) {
		uint16_t type = cursor_u16(&c);
		size_t len = cursor_u16(&c);

		*inner = cursor_bytes(&c, len);
		if (type == STUN_ATTR_DATA && !c.bad)
			return true;
		cursor_bytes(&c, (4 - len % 4) % 4);
	}
	return false;
}

static struct classify_result classify_turn(const uint8_t *p, size_t n)
{
	struct classify_result r = { .kind = CLASSIFY_OTHER };
	struct span inner = { p, n };

	r.in_turn = channel_data(p, n, &inner) || indication_data(p, n, &inner);
	if (!r.in_turn)
		inner = (struct span){ p, n };
	look_at_plain(&r, inner.p, inner.n);
	return r;
}

struct classify_result classify(const uint8_t *p, size_t n)
{
	struct classify_result r = { .kind = CLASSIFY_OTHER };

	/* Media go the short way: nothing of TURN begins like them. */
	if (n == 0 || p[0] < 128)
		return classify_turn(p, n);
	look_at_plain(&r, p, n);
	return r;
}

const char *classify_name(enum classify_kind kind)
{
	static const char *const names[] = {
		[CLASSIFY_OTHER] = "other", [CLASSIFY_STUN] = "STUN", [CLASSIFY_ZRTP] = "ZRTP",
		[CLASSIFY_DTLS] = "DTLS",   [CLASSIFY_RTP] = "RTP",   [CLASSIFY_RTCP] = "RTCP",
	};

	return (size_t)kind < sizeof names / sizeof *names ? names[kind] : "unknown";
}
