/* The handshake with a WebSocket target: what is asked, and which answers agree. */
/* links: server/egress_ws_head.c tunnel/websocket_key.c tunnel/loop.c framing/http1_head.c framing/base64.c framing/cursor.c framing/varint.c */
/* libs: -lev -lcrypto */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "server/egress_ws_head.h"
#include "tunnel/loop.h"

static struct egress_ws_key key;
static char protocol[MESSAGE_PROTOCOLS_MAX + 1], why[200];

static struct span span(const char *text)
{
	return (struct span){ (const uint8_t *)text, strlen(text) };
}

/* fields: name, value, ... NULL; "ACCEPT": the right one. */
static bool agrees(int status, const char *offer, const char *const *fields)
{
	struct http1_head head = { .status = status };

	for (; fields[0]; fields += 2)
		head.header[head.count++] = (struct http1_header){ span(fields[0]), span(strcmp(fields[1], "ACCEPT") ? fields[1] : key.accept) };
	return egress_ws_head_agrees(&head, &key, offer, protocol, why, sizeof why);
}

#define FIELDS(...) ((const char *const[]){ __VA_ARGS__, NULL })
#define RIGHT "Upgrade", "WebSocket", "Connection", "keep-alive, Upgrade", "Sec-WebSocket-Accept", "ACCEPT"

static void asks(void **state)
{
	struct loop *loop = loop_new_virtual(0, 0);
	struct egress_settings s = { .lines = "Origin: https://a.example\r\n" };
	char lines[1000], other[1000], want[WEBSOCKET_ACCEPT_TEXT];
	const char *at;

	(void)state;
	egress_ws_head_lines(lines, sizeof lines, loop, &key, &s, "a,b");
	assert_non_null(strstr(lines, "Sec-WebSocket-Version: 13\r\n"));
	assert_non_null(strstr(lines, "\r\nSec-WebSocket-Protocol: a,b\r\nOrigin: https://a.example\r\n"));
	at = strstr(lines, "Sec-WebSocket-Key: ");
	assert_non_null(at);
	websocket_key_accept(want, (struct span){ (const uint8_t *)at + 19, WEBSOCKET_KEY_TEXT - 1 });
	assert_string_equal(key.accept, want);
	egress_ws_head_lines(other, sizeof other, loop, &key, &s, "");
	assert_null(strstr(other, "Protocol"));
	assert_string_not_equal(key.accept, want);
	loop_free(loop);
}

static void offers(void **state)
{
	struct egress_settings s = { .subprotocol = "ours" };

	(void)state;
	assert_string_equal(egress_ws_head_offer(&s, &(struct channel_params){ .protocols = "a,b" }), "a,b");
	assert_string_equal(egress_ws_head_offer(&s, &(struct channel_params){ .protocols = NULL }), "ours");
	s.subprotocol = NULL;
	assert_string_equal(egress_ws_head_offer(&s, &(struct channel_params){ .protocols = NULL }), "");
}

static void right_answers(void **state)
{
	(void)state;
	assert_true(agrees(101, "a,b", FIELDS(RIGHT, "Sec-WebSocket-Protocol", "b")));
	assert_string_equal(protocol, "b");
	assert_true(agrees(101, "a,b", FIELDS(RIGHT)));
	assert_string_equal(protocol, "");
	assert_true(agrees(101, "", FIELDS(RIGHT, "Server", "x")));
}

static void wrong(int status, const char *offer, const char *const *fields, const char *sentence)
{
	assert_false(agrees(status, offer, fields));
	assert_non_null(strstr(why, sentence));
	assert_string_equal(protocol, "");
}

static void wrong_answers(void **state)
{
	(void)state;
	wrong(200, "", FIELDS(RIGHT), "refused the WebSocket with status 200");
	wrong(403, "", FIELDS(RIGHT), "refused the WebSocket with status 403");
	wrong(101, "", FIELDS("Connection", "Upgrade", "Sec-WebSocket-Accept", "ACCEPT"), "no upgrade");
	wrong(101, "", FIELDS("Upgrade", "h2c", "Connection", "Upgrade", "Sec-WebSocket-Accept", "ACCEPT"), "no upgrade");
	wrong(101, "", FIELDS("Upgrade", "websocket", "Sec-WebSocket-Accept", "ACCEPT"), "no upgrade");
	wrong(101, "", FIELDS("Upgrade", "websocket", "Connection", "Upgrade"), "accept value");
	wrong(101, "", FIELDS("Upgrade", "websocket", "Connection", "Upgrade", "Sec-WebSocket-Accept", "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="), "accept value");
	wrong(101, "", FIELDS(RIGHT, "Sec-WebSocket-Extensions", "permessage-deflate"), "an extension");
	wrong(101, "a,b", FIELDS(RIGHT, "Sec-WebSocket-Protocol", "c"), "a subprotocol");
	wrong(101, "a,b", FIELDS(RIGHT, "Sec-WebSocket-Protocol", "A"), "a subprotocol");
	wrong(101, "a,b", FIELDS(RIGHT, "Sec-WebSocket-Protocol", "a,b"), "a subprotocol");
	wrong(101, "a,b", FIELDS(RIGHT, "Sec-WebSocket-Protocol", ""), "a subprotocol");
	wrong(101, "", FIELDS(RIGHT, "Sec-WebSocket-Protocol", "a"), "a subprotocol");
	wrong(101, "a,b", FIELDS(RIGHT, "Sec-WebSocket-Protocol", "a", "Sec-WebSocket-Protocol", "b"), "a subprotocol");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(asks),
		cmocka_unit_test(offers),
		cmocka_unit_test(right_answers),
		cmocka_unit_test(wrong_answers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
