/* Called by egress_ws.c; calls http1 and websocket_key. */
#include "server/egress_ws_head.h"

#include <stdio.h>
#include <string.h>

#include "tunnel/loop.h"

const char *egress_ws_head_offer(const struct egress_settings *s, const struct channel_params *params)
{
	if (params->protocols)
		return params->protocols;
	return s->subprotocol ? s->subprotocol : "";
}

void egress_ws_head_lines(char *out, size_t size, struct loop *loop, struct egress_ws_key *key, const struct egress_settings *s, const char *offer)
{
	uint8_t random[WEBSOCKET_KEY_BYTES];
	char text[WEBSOCKET_KEY_TEXT];

	loop_random(loop, random, sizeof random);
	websocket_key(text, random);
	websocket_key_accept(key->accept, (struct span){ (const uint8_t *)text, strlen(text) });
	snprintf(out, size, "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: %s\r\n%s%s%s%s", text, *offer ? "Sec-WebSocket-Protocol: " : "",
		 offer, *offer ? "\r\n" : "", s->lines);
}

static bool no(char *why, size_t size, const char *sentence)
{
	snprintf(why, size, "the target of this service answered the WebSocket handshake wrongly: %s", sentence);
	return false;
}

/* Exactly one of those offered: names are case-sensitive. */
static bool is_offered(const char *offer, struct span name)
{
	while (*offer) {
		size_t n = strcspn(offer, ",");

		if (n == name.n && n && !memcmp(offer, name.p, n))
			return true;
		offer += n + (offer[n] != 0);
	}
	return false;
}

static size_t times(const struct http1_head *head, const char *name)
{
	size_t n = 0;

	for (size_t i = 0; i < head->count; i++)
		n += http1_is(head->header[i].name, name);
	return n;
}

bool egress_ws_head_agrees(const struct http1_head *head, const struct egress_ws_key *key, const char *offer,
			   char protocol[MESSAGE_PROTOCOLS_MAX + 1], char *why, size_t size)
{
	struct span accept = http1_find(head, "Sec-WebSocket-Accept"), chosen = http1_find(head, "Sec-WebSocket-Protocol");

	*protocol = 0;
	if (head->status != 101) {
		snprintf(why, size, "the target of this service refused the WebSocket with status %d", head->status);
		return false;
	}
	if (!http1_is(http1_find(head, "Upgrade"), "websocket") || !http1_has_token(http1_find(head, "Connection"), "Upgrade"))
		return no(why, size, "no upgrade");
	if (accept.n != WEBSOCKET_ACCEPT_TEXT - 1 || memcmp(accept.p, key->accept, accept.n))
		return no(why, size, "its accept value is not that of our key");
	if (http1_find(head, "Sec-WebSocket-Extensions").p)
		return no(why, size, "an extension that was not asked for");
	if (times(head, "Sec-WebSocket-Protocol") > 1 || (chosen.p && !is_offered(offer, chosen)))
		return no(why, size, "a subprotocol that was not asked for");
	snprintf(protocol, MESSAGE_PROTOCOLS_MAX + 1, "%.*s", (int)chosen.n, chosen.n ? (const char *)chosen.p : "");
	return true;
}
