/*
 * SOCKS5 (RFC 1928) with user and password (RFC 1929), as a server speaks it: what it gets, what it sends; and the head of each
 * datagram of UDP ASSOCIATE. Pure.
 */
#ifndef FRAMING_SOCKS5_SERVER_H
#define FRAMING_SOCKS5_SERVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "framing/socks5.h"

#define SOCKS5_HOST_MAX 255	/* characters of a name */
#define SOCKS5_REPLY_MAX 22	/* octets */
#define SOCKS5_UDP_HEAD_MAX 262	/* octets in front of a datagram */

enum socks5_command { SOCKS5_CONNECT = 1, SOCKS5_BIND = 2, SOCKS5_UDP_ASSOCIATE = 3 };

/* RFC 1928 section 6. */
enum socks5_reply {
	SOCKS5_SUCCEEDED = 0,
	SOCKS5_GENERAL_FAILURE = 1,
	SOCKS5_NOT_ALLOWED = 2,
	SOCKS5_NETWORK_UNREACHABLE = 3,
	SOCKS5_HOST_UNREACHABLE = 4,
	SOCKS5_REFUSED = 5,
	SOCKS5_TTL_EXPIRED = 6,
	SOCKS5_COMMAND_UNKNOWN = 7,
	SOCKS5_ADDRESS_UNKNOWN = 8,
};

struct socks5_request {
	uint8_t command;
	char host[SOCKS5_HOST_MAX + 1];	/* a name, or an address without brackets */
	bool literal;	/* an address */
	uint16_t port;
};

/* Each reads one message: octets consumed, 0: more is needed, ERROR_MALFORMED. */
ssize_t socks5_methods_get(const uint8_t *p, size_t n, bool *open, bool *password); /* what the client can do */
ssize_t socks5_credentials_get(const uint8_t *p, size_t n, char user[256], char password[256]);
/* A name has letters, digits and - . _ only. */
ssize_t socks5_request_get(const uint8_t *p, size_t n, struct socks5_request *);
/* The head of a datagram; a fragment is malformed, as is one that is cut short. */
ssize_t socks5_udp_get(const uint8_t *p, size_t n, struct socks5_request *);

/* Each writes one message: its octets. */
size_t socks5_method_put(uint8_t p[2], enum socks5_method);
size_t socks5_accepted_put(uint8_t p[2], bool accepted);
/* ip: 4 or 16 octets, where the server's side is bound; NULL: 0.0.0.0:0. */
size_t socks5_reply_put(uint8_t p[SOCKS5_REPLY_MAX], enum socks5_reply, const uint8_t *ip, size_t ip_len, uint16_t port);
size_t socks5_udp_put(uint8_t p[SOCKS5_UDP_HEAD_MAX], const struct socks5_request *from);

#endif
