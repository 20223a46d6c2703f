/*
 * Tickets: two times, of eight octets each, the identity and a MAC over those and what the ticket is for, in base64url. Called by rest_check.c and rest.c.
 */
#include "server/rest_ticket.h"

#include <string.h>

#include "framing/base64.h"

#define TIMES_BYTES 16	/* when it ends, and the credential */
#define PLAIN_MAX (TIMES_BYTES + CREDENTIAL_NAME_MAX + MAC_BYTES)

/* No part but the last can have a line feed in it. */
static void sum(uint8_t mac[MAC_BYTES], const struct mac_key *key, const struct rest_ticket *t, const uint8_t *times, struct span identity)
{
	static const char label[] = "culvert ticket GET\n";
	const struct span newline = { (const uint8_t *)"\n", 1 };
	const struct span parts[] = {
		{ (const uint8_t *)label, sizeof label - 1 },
		{ times, TIMES_BYTES },
		identity,
		newline,
		{ (const uint8_t *)t->sid, strlen(t->sid) },
		newline,
		{ (const uint8_t *)t->service, strlen(t->service) },
		newline,
		t->origin,
	};

	mac_sum(key, parts, sizeof parts / sizeof *parts, mac);
}

void rest_ticket_write(char out[REST_TICKET_TEXT], const struct mac_key *key, const struct rest_ticket *t, const struct rest_ticket_holder *holder,
		       int64_t until_us)
{
	struct span name = { (const uint8_t *)holder->identity, strlen(holder->identity) };
	uint8_t plain[PLAIN_MAX], mac[MAC_BYTES];
	struct writer w;

	writer_init(&w, plain, sizeof plain);
	writer_u64(&w, (uint64_t)until_us);
	writer_u64(&w, (uint64_t)holder->until_s);
	writer_bytes(&w, name.p, name.n);
	sum(mac, key, t, plain, name);
	writer_bytes(&w, mac, sizeof mac);
	base64_encode(out, plain, writer_len(&w), true);
}

bool rest_ticket_read(struct rest_ticket_holder *holder, const struct mac_key *key, const struct rest_ticket *t, struct span text, int64_t now_us)
{
	uint8_t plain[PLAIN_MAX], mac[MAC_BYTES];
	ssize_t n = base64_decode(plain, sizeof plain, (const char *)text.p, text.n, true);
	struct cursor c;
	struct span name;
	int64_t until_us;

	if (n <= TIMES_BYTES + MAC_BYTES)
		return false;
	cursor_init(&c, plain, (size_t)n);
	until_us = (int64_t)cursor_u64(&c);
	holder->until_s = (int64_t)cursor_u64(&c);
	name = cursor_bytes(&c, (size_t)n - TIMES_BYTES - MAC_BYTES);
	sum(mac, key, t, plain, name);
	if (!mac_equal(mac, cursor_rest(&c).p) || until_us <= now_us)
		return false;
	memcpy(holder->identity, name.p, name.n);
	holder->identity[name.n] = 0;
	return true;
}
