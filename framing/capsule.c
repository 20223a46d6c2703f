/*
 * Capsule types, codes and the capsule header (RFC 9297 section 3.2). Called by
 * the record codec, by messages and by whoever logs a type or code; calls varint
 * and the writer.
 */
#include "framing/capsule.h"

#include "framing/error.h"
#include "framing/varint.h"

static const char *const types[] = {
	[CAPSULE_DATAGRAM] = "DATAGRAM",
	[CAPSULE_RECORD] = "RECORD",
	[CAPSULE_PAD] = "PAD",
	[CAPSULE_RECEIPT] = "RECEIPT",
	[CAPSULE_PING] = "PING",
	[CAPSULE_PONG] = "PONG",
	[CAPSULE_MARK] = "MARK",
	[CAPSULE_SEEN] = "SEEN",
	[CAPSULE_HELLO] = "HELLO",
	[CAPSULE_WELCOME] = "WELCOME",
	[CAPSULE_GONE] = "GONE",
	[CAPSULE_BYE] = "BYE",
	[CAPSULE_GOAWAY] = "GOAWAY",
	[CAPSULE_OPEN] = "OPEN",
	[CAPSULE_OPENED] = "OPENED",
	[CAPSULE_REFUSED] = "REFUSED",
	[CAPSULE_STREAM] = "STREAM",
	[CAPSULE_ACK] = "ACK",
	[CAPSULE_WINDOW] = "WINDOW",
	[CAPSULE_RESET] = "RESET",
	[CAPSULE_CLOSE] = "CLOSE",
	[CAPSULE_PROBED] = "PROBED",
	[CAPSULE_ANSWERS] = "ANSWERS",
	[CAPSULE_SEALED] = "SEALED",
	[CAPSULE_UNSEALED] = "UNSEALED",
	[CAPSULE_FLIGHT] = "FLIGHT",
	[CAPSULE_AUTHORIZATION] = "AUTHORIZATION",
};

static const char *const codes[] = {
	[CODE_NONE] = "ended in order",
	[CODE_UNKNOWN_SESSION] = "no such session here",
	[CODE_EXPIRED] = "no exchange for too long",
	[CODE_EPOCH] = "the server was restarted",
	[CODE_ENDED] = "this session has ended before",
	[CODE_VERSION] = "no protocol version in common",
	[CODE_LIMIT] = "a configured cap was reached",
	[CODE_SHUTDOWN] = "the process is stopping",
	[CODE_PROTOCOL] = "the peer broke the protocol",
	[CODE_FORBIDDEN] = "policy does not allow it",
	[CODE_UNKNOWN_SERVICE] = "no service of that name",
	[CODE_WRONG_KIND] = "the service is of another kind or has no such port",
	[CODE_CONNECT_REFUSED] = "the target refused the connection",
	[CODE_UNREACHABLE] = "no route to the target",
	[CODE_TIMEOUT] = "the target did not answer",
	[CODE_RESOLVE] = "the target's name has no address",
	[CODE_LOCAL_RESET] = "the local connection was reset",
	[CODE_IDLE] = "nothing was sent for the idle time-out",
	[CODE_INTERNAL] = "a fault of the implementation",
	[CODE_SESSION_LOST] = "the session under the channel is gone",
};

const char *capsule_type_name(uint64_t type)
{
	if (type >= sizeof types / sizeof *types || !types[type])
		return "unknown";
	return types[type];
}

const char *capsule_code_text(uint64_t code)
{
	if (code >= sizeof codes / sizeof *codes || !codes[code])
		return "unknown code";
	return codes[code];
}

bool capsule_is_reliable(uint64_t type)
{
	switch (type) {
	case CAPSULE_DATAGRAM:
	case CAPSULE_RECORD:
	case CAPSULE_RECEIPT:
	case CAPSULE_MARK:
	case CAPSULE_SEEN:
	case CAPSULE_PING:
	case CAPSULE_PONG:
	case CAPSULE_PAD:
	case CAPSULE_PROBED:
	case CAPSULE_ANSWERS:
	case CAPSULE_SEALED:
	case CAPSULE_UNSEALED:
	case CAPSULE_FLIGHT:
	case CAPSULE_AUTHORIZATION:
		return false;
	default:
		return true;
	}
}

bool capsule_is_accountable(uint64_t type)
{
	return type != CAPSULE_RECEIPT && type != CAPSULE_PAD && type != CAPSULE_PONG &&
	       type != CAPSULE_PROBED && type != CAPSULE_ANSWERS;
}

ssize_t capsule_head_get(const uint8_t *p, size_t n, size_t max, uint64_t *type, size_t *len)
{
	uint64_t value;
	size_t a, b;

	a = varint_get(p, n, type);
	if (a == 0)
		return 0;
	b = varint_get(p + a, n - a, &value);
	if (b == 0)
		return 0;
	if (value > max)
		return ERROR_MALFORMED;
	*len = (size_t)value;
	return (ssize_t)(a + b);
}

void capsule_head_put(struct writer *w, uint64_t type, size_t len)
{
	writer_varint(w, type);
	writer_varint(w, len);
}
