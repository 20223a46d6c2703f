/*
 * Texts of the error codes. Called by whoever logs a failure or tells the user
 * of one; calls nothing.
 */
#include "framing/error.h"

#include <stddef.h>

static const char *const texts[] = {
	[-ERROR_NONE] = "no error",
	[-ERROR_MALFORMED] = "malformed data",
	[-ERROR_LIMIT] = "a limit was reached",
	[-ERROR_AGAIN] = "not possible now",
	[-ERROR_EOF] = "ended by the peer",
	[-ERROR_RESET] = "connection reset",
	[-ERROR_REFUSED] = "connection refused",
	[-ERROR_UNREACHABLE] = "no route to the address",
	[-ERROR_TIMEOUT] = "timed out",
	[-ERROR_RESOLVE] = "name not found",
	[-ERROR_TLS] = "TLS failed",
	[-ERROR_CERTIFICATE] = "certificate not trusted or not for this name",
	[-ERROR_PROXY] = "refused by the proxy",
	[-ERROR_PROXY_AUTH] = "the proxy wants other credentials",
	[-ERROR_HTTP] = "the answer is not from culvertd",
	[-ERROR_AUTH] = "credentials missing or wrong",
	[-ERROR_GONE] = "the session is gone",
	[-ERROR_VERSION] = "no protocol version in common",
	[-ERROR_SYSTEM] = "a system call failed",
	[-ERROR_CONFIG] = "error in the configuration",
	[-ERROR_CLOSED] = "closed",
	[-ERROR_UNSUPPORTED] = "not supported",
	[-ERROR_DENIED] = "the proxy does not allow CONNECT",
};

const char *error_text(int code)
{
	const int count = sizeof texts / sizeof *texts;

	if (code > 0 || code <= -count || !texts[-code])
		return "unknown error";
	return texts[-code];
}
