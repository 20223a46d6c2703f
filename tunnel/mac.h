/* MAC: HMAC-SHA256 (RFC 2104). Of a key only the state is kept that it makes. */
#ifndef TUNNEL_MAC_H
#define TUNNEL_MAC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "framing/cursor.h"

#define MAC_BYTES 32

struct mac_key;

/* key is copied: the caller wipes its own. */
struct mac_key *mac_key_new(const void *key, size_t n);
/* Wipes it. NULL is fine. */
void mac_key_free(struct mac_key *);
/* Over all parts, one behind the other. */
void mac_sum(const struct mac_key *, const struct span *parts, size_t n, uint8_t out[MAC_BYTES]);
/* HMAC-SHA1, where another protocol wants that: TURN. */
#define MAC_SHA1_BYTES 20
void mac_sha1(const void *key, size_t n, struct span text, uint8_t out[MAC_SHA1_BYTES]);
/* In constant time. */
bool mac_equal(const uint8_t a[MAC_BYTES], const uint8_t b[MAC_BYTES]);

#endif
