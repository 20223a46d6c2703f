/* TURN requests: attributes, credentials, answers. Called by turnclient; calls OpenSSL's digests. */
#include "tests/tools/turn.h"

#include <arpa/inet.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>
#include <stdio.h>
#include <string.h>

#include "tests/tools/tool.h"

#define COOKIE 0x2112a442u
#define DIGEST 20 /* octets of HMAC-SHA1 */
#define TRANSPORT_UDP 17

enum { ALLOCATE = 0x003, REFRESH = 0x004, CHANNEL_BIND = 0x009 };
enum { USERNAME = 0x0006, INTEGRITY = 0x0008, ERROR_CODE = 0x0009, CHANNEL_NUMBER = 0x000c, PEER_ADDRESS = 0x0012,
       REALM = 0x0014, NONCE = 0x0015, REQUESTED_TRANSPORT = 0x0019 };

static void put16(uint8_t *p, unsigned v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}

static size_t padded(size_t n)
{
	return (n + 3) & ~(size_t)3;
}

static void begin(struct turn_request *r, unsigned method)
{
	const uint32_t cookie = htonl(COOKIE);
	memset(r->octet, 0, TURN_HEADER);
	put16(r->octet, method);
	memcpy(r->octet + 4, &cookie, 4);
	RAND_bytes(r->octet + 8, 12);
	r->size = TURN_HEADER;
}

static void add(struct turn_request *r, unsigned type, const void *value, size_t n)
{
	uint8_t *p = r->octet + r->size;
	if (r->size + 4 + padded(n) > sizeof r->octet)
		tool_die("a TURN request that is too long");
	put16(p, type);
	put16(p + 2, (unsigned)n);
	memset(p + 4, 0, padded(n));
	memcpy(p + 4, value, n);
	r->size += 4 + padded(n);
	put16(r->octet + 2, (unsigned)(r->size - TURN_HEADER));
}

/* RFC 5389 section 15.4: the length in what is digested counts the digest. */
static void sign(struct turn_request *r, const struct turn_login *l)
{
	uint8_t digest[DIGEST];
	unsigned n = sizeof digest;
	if (!l->known)
		return;
	add(r, USERNAME, l->user, strlen(l->user));
	add(r, REALM, l->realm, strlen(l->realm));
	add(r, NONCE, l->nonce, strlen(l->nonce));
	put16(r->octet + 2, (unsigned)(r->size - TURN_HEADER + 4 + DIGEST));
	if (!HMAC(EVP_sha1(), l->key, sizeof l->key, r->octet, r->size, digest, &n))
		tool_die("HMAC failed");
	add(r, INTEGRITY, digest, sizeof digest);
}

void turn_allocate(struct turn_request *r, const struct turn_login *l)
{
	const uint8_t transport[4] = { TRANSPORT_UDP };
	begin(r, ALLOCATE);
	add(r, REQUESTED_TRANSPORT, transport, sizeof transport);
	sign(r, l);
}

void turn_refresh(struct turn_request *r, const struct turn_login *l)
{
	begin(r, REFRESH);
	sign(r, l);
}

void turn_bind(struct turn_request *r, const struct turn_login *l, int i, const struct sockaddr_in *peer)
{
	uint8_t number[4] = { 0 }, address[8] = { 0, 1 }; /* IPv4 */
	uint32_t ip = peer->sin_addr.s_addr ^ htonl(COOKIE);
	begin(r, CHANNEL_BIND);
	put16(number, TURN_CHANNEL + (unsigned)i);
	add(r, CHANNEL_NUMBER, number, sizeof number);
	put16(address + 2, ntohs(peer->sin_port) ^ COOKIE >> 16);
	memcpy(address + 4, &ip, sizeof ip);
	add(r, PEER_ADDRESS, address, sizeof address);
	sign(r, l);
}

/* Over TCP channel data is padded to four octets (RFC 5766 section 11.5). */
size_t turn_frame(const uint8_t *p, size_t n)
{
	if (n < 4)
		return 0;
	size_t size = turn_is_channel(p) ? 4 + padded(turn_get16(p + 2)) : TURN_HEADER + turn_get16(p + 2);
	return size <= n ? size : 0;
}

static const uint8_t *find(const uint8_t *p, unsigned type, size_t *n)
{
	size_t end = TURN_HEADER + turn_get16(p + 2);
	for (size_t at = TURN_HEADER; at + 4 <= end; at += 4 + padded(*n)) {
		*n = turn_get16(p + at + 2);
		if (at + 4 + *n > end)
			return NULL;
		if (turn_get16(p + at) == type)
			return p + at + 4;
	}
	return NULL;
}

bool turn_answers(const uint8_t *p, const struct turn_request *r, int *code)
{
	size_t n;
	if (turn_is_channel(p) || memcmp(p + 8, r->octet + 8, 12))
		return false;
	const uint8_t *error = find(p, ERROR_CODE, &n);
	*code = error && n >= 4 ? error[2] * 100 + error[3] : 0;
	return true;
}

static bool text(const uint8_t *p, unsigned type, char *to, size_t size)
{
	size_t n;
	const uint8_t *value = find(p, type, &n);
	if (!value || n >= size)
		return false;
	memcpy(to, value, n);
	to[n] = 0;
	return true;
}

void turn_login_learn(struct turn_login *l, const uint8_t *p)
{
	char all[512];
	bool realm = text(p, REALM, l->realm, sizeof l->realm), nonce = text(p, NONCE, l->nonce, sizeof l->nonce);
	if (!realm || !nonce)
		return;
	int n = snprintf(all, sizeof all, "%s:%s:%s", l->user, l->realm, l->password);
	if (!EVP_Digest(all, (size_t)n, l->key, NULL, EVP_md5(), NULL))
		tool_die("MD5 is not to be had");
	l->known = true;
}
