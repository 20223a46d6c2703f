/*
 * Capsule types, limits and codes of wire format v1, and the capsule header
 * (RFC 9297 section 3.2). Normative text: PROTOCOL.md sections 4 and 5.
 */
#ifndef FRAMING_CAPSULE_H
#define FRAMING_CAPSULE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "framing/cursor.h"

enum capsule_type {
	CAPSULE_DATAGRAM = 0x00,
	CAPSULE_RECORD = 0x01,
	CAPSULE_PAD = 0x02,
	CAPSULE_RECEIPT = 0x03,
	CAPSULE_PING = 0x04,
	CAPSULE_PONG = 0x05,
	CAPSULE_MARK = 0x06,
	CAPSULE_SEEN = 0x07,
	CAPSULE_HELLO = 0x08,
	CAPSULE_WELCOME = 0x09,
	CAPSULE_GONE = 0x0a,
	CAPSULE_BYE = 0x0b,
	CAPSULE_GOAWAY = 0x0c,
	CAPSULE_OPEN = 0x10,
	CAPSULE_OPENED = 0x11,
	CAPSULE_REFUSED = 0x12,
	CAPSULE_STREAM = 0x13,
	CAPSULE_ACK = 0x14,
	CAPSULE_WINDOW = 0x15,
	CAPSULE_RESET = 0x16,
	CAPSULE_CLOSE = 0x17,
	CAPSULE_PROBED = 0x18,
	CAPSULE_SEALED = 0x19,
	CAPSULE_UNSEALED = 0x1a,
	CAPSULE_FLIGHT = 0x1b,
	CAPSULE_AUTHORIZATION = 0x1c,
	CAPSULE_ANSWERS = 0x1d,
};

#define CAPSULE_MAX 66048	/* bytes of a capsule's value within a record */
#define CAPSULE_TOP_MAX 81920	/* bytes of a top-level capsule's value */
#define CAPSULE_PAD_MAX 65536
#define CAPSULE_HEAD_MAX 16	/* bytes of the longest capsule header */

/* Bits of features in HELLO and WELCOME. */
#define FEATURE_PROBES UINT64_C(1)	/* mode probe, capsule PROBED */
#define FEATURE_ANSWERS UINT64_C(2)	/* capsule ANSWERS */
#define FEATURE_TARGETS UINT64_C(4)	/* OPEN may name an address */

/* Codes of GONE, BYE, GOAWAY, REFUSED, RESET and CLOSE. */
enum capsule_code {
	CODE_NONE = 0,
	CODE_UNKNOWN_SESSION = 1,
	CODE_EXPIRED = 2,
	CODE_EPOCH = 3,
	CODE_ENDED = 4,
	CODE_VERSION = 5,
	CODE_LIMIT = 6,
	CODE_SHUTDOWN = 7,
	CODE_PROTOCOL = 8,
	CODE_FORBIDDEN = 9,
	CODE_UNKNOWN_SERVICE = 10,
	CODE_WRONG_KIND = 11,
	CODE_CONNECT_REFUSED = 12,
	CODE_UNREACHABLE = 13,
	CODE_TIMEOUT = 14,
	CODE_RESOLVE = 15,
	CODE_LOCAL_RESET = 16,
	CODE_IDLE = 17,
	CODE_INTERNAL = 18,
	CODE_SESSION_LOST = 19,
};

/* Name of a type for logs ("STREAM"), "unknown" if it is; never NULL. */
const char *capsule_type_name(uint64_t type);
/* A short text for a code ("the target refused the connection"); never NULL. */
const char *capsule_code_text(uint64_t code);
/* Reliable capsules are remembered until receipted (PROTOCOL.md 4.2). */
bool capsule_is_reliable(uint64_t type);
/* False for RECEIPT, PAD, PONG, PROBED and ANSWERS: they alone owe no receipt (PROTOCOL.md 4.1). */
bool capsule_is_accountable(uint64_t type);

/* Reads type and length: bytes of the header, 0 = need more, ERROR_MALFORMED when
 * the length is above max. */
ssize_t capsule_head_get(const uint8_t *p, size_t n, size_t max, uint64_t *type, size_t *len);
/* Writes a header with the shortest encodings. */
void capsule_head_put(struct writer *, uint64_t type, size_t len);

#endif
