/* The challenge of NTLM, completed. Called by client/auth_gss.c. */
#include "framing/ntlm_challenge.h"

#include <string.h>

#define TARGET_INFO 0x00800000u	/* NTLMSSP_NEGOTIATE_TARGET_INFO */

/* Where the fields of a challenge are. */
enum { NAME = 12, FLAGS = 20, CONTEXT = 32, INFO = 40, PAYLOAD = 56 };

static uint32_t number(const uint8_t *p, unsigned octets)
{
	uint32_t v = 0;

	while (octets-- > 0)
		v = v << 8 | p[octets];
	return v;
}

static void put(uint8_t *p, uint32_t v, unsigned octets)
{
	for (; octets > 0; octets--, v >>= 8)
		*p++ = (uint8_t)v;
}

/* Length, room and offset. */
static void put_field(uint8_t *p, size_t n, size_t offset)
{
	put(p, (uint32_t)n, 2);
	put(p + 2, (uint32_t)n, 2);
	put(p + 4, (uint32_t)offset, 4);
}

size_t ntlm_challenge_complete(const uint8_t *in, size_t n, uint8_t *out)
{
	static const uint8_t begin[] = { 'N', 'T', 'L', 'M', 'S', 'S', 'P', 0, 2, 0, 0, 0 };
	size_t name, at;

	if (n < CONTEXT || n > NTLM_CHALLENGE_MAX - PAYLOAD || memcmp(in, begin, sizeof begin) != 0)
		return 0;
	if (number(in + FLAGS, 4) & TARGET_INFO)
		return 0;
	name = number(in + NAME, 2);
	at = number(in + NAME + 4, 4);
	if (at < CONTEXT || at > n || name > n - at)
		name = 0;
	memset(out, 0, PAYLOAD);
	memcpy(out, in, CONTEXT);
	put_field(out + NAME, name, PAYLOAD);
	put_field(out + INFO, 0, PAYLOAD + name);
	if (name > 0)
		memcpy(out + PAYLOAD, in + at, name);
	return PAYLOAD + name;
}
