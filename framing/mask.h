/*
 * WebSocket's masking (RFC 6455 section 5.3): octet i of a payload XOR octet i mod 4
 * of the key. The same takes it off again.
 */
#ifndef FRAMING_MASK_H
#define FRAMING_MASK_H

#include <stddef.h>
#include <stdint.h>

#define MASK_KEY 4

/* Copies n octets, those of the payload from its octet at on. out and p may be the same, but not overlap otherwise. */
void mask_copy(uint8_t *out, const uint8_t *p, size_t n, const uint8_t *key, uint64_t at);

#endif
