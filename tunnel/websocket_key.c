/* Keys of WebSocket handshakes. Called by websocket_exchange.c; calls OpenSSL for SHA-1. */
#include "tunnel/websocket_key.h"

#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>

#include "framing/base64.h"

#define GUID "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
#define SHA1_BYTES 20

void websocket_key(char out[WEBSOCKET_KEY_TEXT], const uint8_t random[WEBSOCKET_KEY_BYTES])
{
	base64_encode(out, random, WEBSOCKET_KEY_BYTES, false);
}

bool websocket_key_ok(struct span key)
{
	uint8_t bytes[WEBSOCKET_KEY_BYTES];

	return key.n == WEBSOCKET_KEY_TEXT - 1 &&
	       base64_decode(bytes, sizeof bytes, (const char *)key.p, key.n, false) == WEBSOCKET_KEY_BYTES;
}

void websocket_key_accept(char out[WEBSOCKET_ACCEPT_TEXT], struct span key)
{
	uint8_t text[WEBSOCKET_KEY_TEXT - 1 + sizeof GUID - 1], sum[EVP_MAX_MD_SIZE];
	unsigned n;

	memcpy(text, key.p, WEBSOCKET_KEY_TEXT - 1);
	memcpy(text + WEBSOCKET_KEY_TEXT - 1, GUID, sizeof GUID - 1);
	if (!EVP_Digest(text, sizeof text, sum, &n, EVP_sha1(), NULL) || n != SHA1_BYTES)
		abort();
	base64_encode(out, sum, n, false);
}
