/* Pins: SHA-256 of a public key (SubjectPublicKeyInfo), as text (RFC 7469 section 2.4). */
#ifndef TUNNEL_PIN_H
#define TUNNEL_PIN_H

#include <stdbool.h>
#include <stdint.h>

#define PIN_SIZE 32
#define PIN_TEXT 52	/* bytes of "sha256/BASE64" with its NUL */

void pin_text(const uint8_t pin[PIN_SIZE], char out[PIN_TEXT]);
/* From "sha256/BASE64", or "sha256//BASE64" as curl has it; false when it is neither. */
bool pin_parse(const char *, uint8_t pin[PIN_SIZE]);

#endif
