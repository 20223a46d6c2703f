/*
 * TURN requests of a client (RFC 5766 with RFC 5389's long-term credentials):
 * what it takes to make an allocation, bind channels and keep them. Pure but
 * for random transaction numbers; OpenSSL for the digests.
 */
#ifndef TESTS_TOOLS_TURN_H
#define TESTS_TOOLS_TURN_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TURN_HEADER 20      /* octets of a STUN message without attributes */
#define TURN_CHANNEL 0x4000 /* number of the first channel */

/* Who asks, and what the server said of it. */
struct turn_login {
	const char *user, *password;
	char realm[128], nonce[256];
	uint8_t key[16];
	bool known; /* realm, nonce and key are there */
};

struct turn_request {
	uint8_t octet[1024];
	size_t size;
};

/* Signed once the login is known. */
void turn_allocate(struct turn_request *, const struct turn_login *);
void turn_refresh(struct turn_request *, const struct turn_login *);
/* Channel TURN_CHANNEL + i to the peer. */
void turn_bind(struct turn_request *, const struct turn_login *, int i, const struct sockaddr_in *peer);

/* Octets of the message or channel data at the front of n octets of a stream, 0: not all of it yet. */
size_t turn_frame(const uint8_t *p, size_t n);
static inline bool turn_is_channel(const uint8_t *p)
{
	return (p[0] & 0xc0) == 0x40;
}
static inline unsigned turn_get16(const uint8_t *p)
{
	return (unsigned)p[0] << 8 | p[1];
}
/* Does a whole message answer the request? *code: of its error, or 0. */
bool turn_answers(const uint8_t *p, const struct turn_request *, int *code);
/* Takes realm and nonce from an answer that has them. */
void turn_login_learn(struct turn_login *, const uint8_t *p);

#endif
