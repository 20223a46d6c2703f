/*
 * SOCKS5 (RFC 1928) with user and password (RFC 1929), as a client that wants one
 * TCP connection speaks it: what it sends, what it gets. Names go to the proxy as
 * they are.
 */
#ifndef FRAMING_SOCKS5_H
#define FRAMING_SOCKS5_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define SOCKS5_MESSAGE_MAX 513	/* octets of the longest message: name and password of 255 each */

enum socks5_method {
	SOCKS5_OPEN = 0,	/* no authentication */
	SOCKS5_PASSWORD = 2,	/* RFC 1929 */
	SOCKS5_NONE = 255,	/* none of what was offered */
};

/* Each writes one message: its octets, or ERROR_LIMIT (too long, empty, or no room). */
ssize_t socks5_greeting_put(uint8_t *p, size_t cap, bool password);	/* offers SOCKS5_OPEN, and SOCKS5_PASSWORD as well */
ssize_t socks5_login_put(uint8_t *p, size_t cap, const char *user, const char *password);
ssize_t socks5_connect_put(uint8_t *p, size_t cap, const char *host, uint16_t port); /* host: name or address, without brackets */

/* Each reads one message: octets consumed, 0: more is needed, ERROR_MALFORMED. */
ssize_t socks5_method_get(const uint8_t *p, size_t n, uint8_t *method);
ssize_t socks5_login_get(const uint8_t *p, size_t n, bool *accepted);
ssize_t socks5_reply_get(const uint8_t *p, size_t n, uint8_t *code);	/* 0: connected */

/* Why there is no connection, for people: "its rules do not allow it"; never NULL. */
const char *socks5_reply_text(uint8_t code);

#endif
