/*
 * Egress settings: what a configuration says of one service besides where it is: of WebSocket targets what goes into the request, of
 * TCP targets of message channels how messages are told apart. Reference counted: channels that are being opened keep theirs over a
 * reload.
 */
#ifndef SERVER_EGRESS_SETTINGS_H
#define SERVER_EGRESS_SETTINGS_H

#include <stddef.h>

#define EGRESS_MESSAGE_MAX 1048576	/* bytes of a message, by default */

struct tls_context;

enum egress_framing {
	EGRESS_UNFRAMED,	/* a stream, or WebSockets */
	EGRESS_LINES,		/* each a text message; LF or CRLF at its end */
	EGRESS_LENGTHS,		/* each a binary message behind its length, 4 octets, the highest first */
};

/* As configured; NULL: not given. */
struct egress_wishes {
	const char *subprotocol, *origin, *cafile, *framing;
	const char *const *headers; /* "Name: value"; NULL-terminated */
	long message_max;	/* bytes, 0: the default */
};

struct egress_settings {
	unsigned references;
	enum egress_framing framing;
	size_t message_max;
	/* WebSockets */
	char *path;		/* with the query */
	char *host;		/* what Host says */
	char *name;		/* who must have the certificate */
	char *subprotocol;	/* asked for where the channel asks for none; NULL: none */
	char *lines;		/* Origin and further headers, each with CRLF */
	struct tls_context *tls; /* NULL: none is used */
};

/* target: of the URL what follows its scheme and "://". NULL and in error what is wrong ("headers must be ..., not '...'"). */
struct egress_settings *egress_settings_new(const char *scheme, const char *target, const struct egress_wishes *, char *error, size_t size);
struct egress_settings *egress_settings_keep(const struct egress_settings *);
void egress_settings_release(struct egress_settings *);	/* NULL is fine */

#endif
