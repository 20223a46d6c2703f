/*
 * The one list of error codes of Culvert. Functions return 0 (or a count) on
 * success and one of these negative codes on failure.
 */
#ifndef FRAMING_ERROR_H
#define FRAMING_ERROR_H

enum error {
	ERROR_NONE = 0,
	ERROR_MALFORMED = -1,	/* bytes from outside break the format */
	ERROR_LIMIT = -2,	/* a configured cap was reached */
	ERROR_AGAIN = -3,	/* nothing can be done now; wait for the event */
	ERROR_EOF = -4,		/* the peer ended the stream in order */
	ERROR_RESET = -5,	/* the connection was reset or cut */
	ERROR_REFUSED = -6,	/* nobody listens, or the peer said no */
	ERROR_UNREACHABLE = -7,	/* no route to the address */
	ERROR_TIMEOUT = -8,	/* a deadline passed */
	ERROR_RESOLVE = -9,	/* a name has no address */
	ERROR_TLS = -10,	/* TLS failed for another reason than trust */
	ERROR_CERTIFICATE = -11, /* the certificate is not trusted or not for that name */
	ERROR_PROXY = -12,	/* the proxy refused, or answered nonsense */
	ERROR_PROXY_AUTH = -13,	/* the proxy wants (other) credentials */
	ERROR_HTTP = -14,	/* an answer that is not from culvertd */
	ERROR_AUTH = -15,	/* credentials missing or wrong */
	ERROR_GONE = -16,	/* the session does not exist (any more) */
	ERROR_VERSION = -17,	/* no protocol version in common */
	ERROR_SYSTEM = -18,	/* a system call failed; errno was logged */
	ERROR_CONFIG = -19,	/* configuration file or option */
	ERROR_CLOSED = -20,	/* ended by ourselves */
	ERROR_UNSUPPORTED = -21, /* valid but not known here */
	ERROR_DENIED = -22,	/* the proxy lets nobody CONNECT there; another way may be open */
};

/* A short lower-case English text for a code; never NULL. */
const char *error_text(int code);

#endif
