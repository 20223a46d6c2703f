/* HOST[:PORT] of URLs, as people write it. */
#ifndef CLIENT_AUTHORITY_H
#define CLIENT_AUTHORITY_H

#include <stddef.h>
#include <stdint.h>

/* The first n characters of s: host (name or address, without brackets) and port, which may be missing if there is a
 * default (not 0). NULL, or why not. */
const char *authority_parse(const char *s, size_t n, char host[256], uint16_t *port, uint16_t missing);
/* "[::1]:443", or without the port when it is the usual one (0: always with it). */
void authority_text(const char *host, uint16_t port, uint16_t usual, char *out, size_t size);

#endif
