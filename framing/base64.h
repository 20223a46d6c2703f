/* Base64 and base64url (RFC 4648), strict: canonical padding and no spaces. */
#ifndef FRAMING_BASE64_H
#define FRAMING_BASE64_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* Bytes of text, without the final NUL, for n octets. url: no padding. */
size_t base64_len(size_t n, bool url);
/* Writes the text and a NUL; out has base64_len() + 1 bytes. */
void base64_encode(char *out, const uint8_t *p, size_t n, bool url);
/* Decodes n characters into at most cap bytes: their count, or ERROR_MALFORMED. */
ssize_t base64_decode(uint8_t *out, size_t cap, const char *s, size_t n, bool url);

#endif
