/*
 * What NO_PROXY says: hosts to be reached directly, with the meaning that curl has
 * given it since 7.86: names match themselves and everything below them (with or
 * without a dot in front), addresses and CIDR blocks match addresses, "*" all.
 * Besides: "*.example.com" is ".example.com", brackets, and HOST:PORT for one port.
 */
#ifndef CLIENT_NO_PROXY_H
#define CLIENT_NO_PROXY_H

#include <stdbool.h>
#include <stdint.h>

/* list: entries with blanks or commas in between. host: name or address, with or without brackets. */
bool no_proxy_matches(const char *list, const char *host, uint16_t port);

#endif
