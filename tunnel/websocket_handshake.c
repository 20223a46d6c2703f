/* Handshakes of WebSockets. Called by websocket_exchange.c, the server's front and the doctor. */
#include "tunnel/websocket_handshake.h"

#include <stdio.h>
#include <string.h>

#include "framing/error.h"
#include "tunnel/websocket_key.h"

#define VERSION "13"

int websocket_handshake_ask(char *out, size_t size, const char *lines, const char *key)
{
	int n = snprintf(out, size, "%sSec-WebSocket-Version: " VERSION "\r\nSec-WebSocket-Protocol: " WEBSOCKET_SUBPROTOCOL "\r\n%s%s%s",
			 lines, *key ? "Sec-WebSocket-Key: " : "", key, *key ? "\r\n" : "");

	return n >= 0 && (size_t)n < size ? 0 : ERROR_LIMIT;
}

bool websocket_handshake_is_right(const struct http1_head *head, const char *accept)
{
	struct span answer = http1_find(head, "Sec-WebSocket-Accept"), protocol = http1_find(head, "Sec-WebSocket-Protocol");

	if (protocol.n != sizeof WEBSOCKET_SUBPROTOCOL - 1 || memcmp(protocol.p, WEBSOCKET_SUBPROTOCOL, protocol.n) != 0 ||
	    http1_find(head, "Sec-WebSocket-Extensions").p)
		return false;
	return !*accept || (answer.n == strlen(accept) && memcmp(answer.p, accept, answer.n) == 0 &&
			       http1_is(http1_find(head, "Upgrade"), "websocket"));
}

int websocket_handshake_refusal(const struct http1_head *head)
{
	if (!http1_is(http1_find(head, "Sec-WebSocket-Version"), VERSION))
		return 426;
	if (!head->h2 && !websocket_key_ok(http1_find(head, "Sec-WebSocket-Key")))
		return 400;
	return http1_has_token(http1_find(head, "Sec-WebSocket-Protocol"), WEBSOCKET_SUBPROTOCOL) ? 0 : 400;
}

const struct exchange_head *websocket_handshake_agree(const char *accept)
{
	static char lines[200];
	static struct exchange_head head = { .status = 101, .protocol = "websocket", .lines = lines, .streamed = true };
	int n = 0;

	if (*accept)
		n = snprintf(lines, sizeof lines, "Sec-WebSocket-Accept: %s\r\n", accept);
	snprintf(lines + n, sizeof lines - (size_t)n,
		 "Sec-WebSocket-Protocol: " WEBSOCKET_SUBPROTOCOL "\r\nServer: culvertd/" CULVERT_VERSION "\r\n");
	return &head;
}
