/* links: tunnel/h1.c tunnel/h1_again.c tunnel/course.c tunnel/h1_output.c tunnel/h1_client.c tunnel/h1_server.c tunnel/loop.c tunnel/log.c framing/http1.c framing/http1_head.c framing/http1_format.c framing/cursor.c framing/varint.c framing/error.c tunnel/websocket_exchange.c tunnel/websocket_handshake.c tunnel/websocket_key.c framing/websocket.c framing/mask.c framing/utf8.c framing/base64.c tests/lib/talk.c tests/lib/raw.c tests/lib/stream_mem.c */
/* libs: -lwslay -lcrypto -lev -lhttp_parser */
/* WebSocket exchanges over the HTTP/1.1 engine, each end against frames written by hand, and both against each other. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include <string.h>

#include "framing/error.h"
#include "framing/mask.h"
#include "framing/websocket.h"
#include "tests/lib/talk.h"
#include "tunnel/websocket_exchange.h"
#include "tunnel/websocket_handshake.h"
#include "tunnel/websocket_key.h"

#define RFC_KEY "dGhlIHNhbXBsZSBub25jZQ=="	/* RFC 6455 1.3 */
#define RFC_ACCEPT "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
#define ASK "GET /w HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: " RFC_KEY "\r\n" \
	"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: culvert.v1\r\n\r\n"

static const struct exchange_head asks = { .method = "GET", .target = "/w", .host = "h", .lines = "X: y\r\n", .streamed = true };
static const struct exchange_head answers = { .status = 200, .lines = "", .streamed = true };

static void forget(struct party *p)
{
	memset(p->text, 0, sizeof p->text);
	p->got_now = 0;
	raw.n = 0;
}

/* One message of an end. */
static void say(struct party *p, const struct exchange_head *head, const char *text, bool end)
{
	size_t cap, n = strlen(text);
	uint8_t *at = exchange_room(p->x, n, &cap);

	assert_non_null(at);
	memcpy(at, text, n);
	assert_int_equal(exchange_send(p->x, head, n, end), 0);
	talk_settle();
}

/* A frame by hand, as the peer of an engine that is `to`. */
static void frame(const struct party *to, enum websocket_opcode opcode, bool fin, const char *text)
{
	static const uint8_t mask[MASK_KEY] = { 1, 2, 3, 4 };
	uint8_t out[1024];
	ssize_t n = websocket_frame_put(out, sizeof out, opcode, fin, (const uint8_t *)text, strlen(text), to->server ? mask : NULL);

	assert_true(n > 0);
	raw_write((const char *)out, (size_t)n);
	talk_settle();
}

static void close_frame(const struct party *to, unsigned code)
{
	static const uint8_t mask[MASK_KEY] = { 1, 2, 3, 4 };
	uint8_t out[1024];
	ssize_t n = websocket_close_put(out, sizeof out, code, "", to->server ? mask : NULL);

	raw_write((const char *)out, (size_t)n);
	talk_settle();
}

/* What the raw end got, frame by frame: "opcode:payload " each; close frames by their code. */
static char seen[1024];

static int on_data(void *ctx, enum websocket_opcode type, const uint8_t *p, size_t n, bool first, bool last)
{
	(void)ctx;
	snprintf(seen + strlen(seen), sizeof seen - strlen(seen), "%s%d:%.*s%s", first ? "" : "-", (int)type, (int)n, (const char *)p, last ? " " : "");
	return 0;
}

static int on_ping(void *ctx, struct span s) { return on_data(ctx, WEBSOCKET_PING, s.p, s.n, true, true); }
static int on_pong(void *ctx, struct span s) { return on_data(ctx, WEBSOCKET_PONG, s.p, s.n, true, true); }

static int on_close(void *ctx, unsigned code, struct span reason)
{
	(void)ctx, (void)reason;
	snprintf(seen + strlen(seen), sizeof seen - strlen(seen), "close:%u", code);
	return 0;
}

static void expect_frames(const struct party *from, const char *frames)
{
	static const struct websocket_events events = { on_data, on_ping, on_pong, on_close };
	struct websocket_reader *r = websocket_reader_new(!from->server, 100000, &events, NULL);

	*seen = 0;
	assert_int_equal(websocket_reader_feed(r, (const uint8_t *)raw.in, raw.n), 0);
	websocket_reader_free(r);
	assert_string_equal(seen, frames);
	raw.n = 0;
}

/* ---- the helper's end ---- */

static struct exchange *around(struct exchange *x)
{
	return websocket_helper(talk.loop, x);
}

/* Asks, and takes the key out of what was sent. */
static void asked(char accept[WEBSOCKET_ACCEPT_TEXT])
{
	const char *key;
	size_t cap;

	talk_set_up_client(NULL);
	talk.client.around = around;
	talk.client.hold = talk.client.lax = true;
	forget(&talk.client);
	talk_ask(&talk.client);
	assert_int_equal(exchange_send(talk.client.x, &asks, 0, false), 0);
	assert_null(exchange_room(talk.client.x, 1, &cap));
	talk_settle();
	assert_non_null(strstr(raw.in, "GET /w HTTP/1.1\r\nHost: h\r\nX: y\r\n"));
	assert_non_null(strstr(raw.in, "\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"));
	assert_non_null(strstr(raw.in, "\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: culvert.v1\r\n"));
	key = strstr(raw.in, "\r\nSec-WebSocket-Key: ");
	assert_non_null(key);
	assert_true(websocket_key_ok((struct span){ (const uint8_t *)key + 21, WEBSOCKET_KEY_TEXT - 1 }));
	websocket_key_accept(accept, (struct span){ (const uint8_t *)key + 21, WEBSOCKET_KEY_TEXT - 1 });
	raw.n = 0;
}

static void answer(const char *accept, const char *more)
{
	char text[400];

	snprintf(text, sizeof text, "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: WebSocket\r\n"
		 "Sec-WebSocket-Accept: %s\r\n%s\r\n", accept, more);
	talk_say(text);
}

static void opened(void)
{
	char accept[WEBSOCKET_ACCEPT_TEXT];
	int writables;

	asked(accept);
	writables = talk.client.writables;
	answer(accept, "Sec-WebSocket-Protocol: culvert.v1\r\n");
	assert_int_equal(talk.client.heads, 1);
	assert_int_equal(talk.client.status, 200);
	assert_int_equal(talk.client.writables, writables + 1);
}

static void test_helper_asks(void **state)
{
	static const char *const wrong[] = {
		"", "Sec-WebSocket-Protocol: culvert.v2\r\n", "Sec-WebSocket-Protocol: culvert.v1\r\nSec-WebSocket-Extensions: permessage-deflate\r\n",
	};
	char accept[WEBSOCKET_ACCEPT_TEXT];

	(void)state;
	opened();
	talk_tear_down();
	for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
		asked(accept);
		answer(accept, wrong[i]);
		assert_int_equal(talk.client.heads, 0);
		assert_int_equal(talk.client.error, ERROR_HTTP);
		talk_tear_down();
	}
	asked(accept);
	answer(RFC_ACCEPT, "Sec-WebSocket-Protocol: culvert.v1\r\n");
	assert_int_equal(talk.client.error, ERROR_HTTP);
	talk_tear_down();
	asked(accept);
	talk_say("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");	/* that is nobody's yes */
	assert_int_equal(talk.client.heads, 0);
	assert_int_equal(talk.client.error, ERROR_HTTP);
	talk_tear_down();
	asked(accept);
	talk_say("HTTP/1.1 404 Not Found\r\nContent-Length: 2\r\n\r\nno");
	assert_int_equal(talk.client.status, 404);
	assert_string_equal(talk.client.text, "no");
	assert_int_equal(talk.client.error, 0);
	talk_tear_down();
}

static void test_helper_talks(void **state)
{
	(void)state;
	opened();
	say(&talk.client, NULL, "one", false);
	say(&talk.client, NULL, "two", false);
	assert_memory_not_equal(raw.in + 6, "one", 3);	/* behind head and mask: it is masked, */
	assert_memory_not_equal(raw.in + 2, raw.in + 11, 4); /* ... each by another one */
	expect_frames(&talk.client, "2:one 2:two ");
	frame(&talk.client, WEBSOCKET_BINARY, true, "abc");
	frame(&talk.client, WEBSOCKET_BINARY, false, "de");
	frame(&talk.client, WEBSOCKET_PING, true, "p");
	frame(&talk.client, WEBSOCKET_CONTINUATION, true, "f");
	frame(&talk.client, WEBSOCKET_PONG, true, "q");
	frame(&talk.client, WEBSOCKET_BINARY, true, "");
	assert_string_equal(talk.client.text, "abcdef");
	expect_frames(&talk.client, "10:p ");
	talk_tear_down();
}

/* What breaks the protocol ends the exchange, and the other side is told why. */
static void test_violations(void **state)
{
	static const struct {
		const char *bytes;
		size_t n;
		const char *told;
		int error;
	} cases[] = {
		{ "\x81\x02hi", 4, "close:1003", ERROR_MALFORMED },		/* text */
		{ "\xc2\x01x", 3, "close:1002", ERROR_MALFORMED },		/* a reserved bit */
		{ "\x82\x81" "abcdx", 7, "close:1002", ERROR_MALFORMED },	/* masked by a server */
		{ "\x80\x01x", 3, "close:1002", ERROR_MALFORMED },		/* continues nothing */
		{ "\x82\x7f\0\0\0\0\0\x10\0\0", 10, "close:1009", ERROR_LIMIT },
		{ "\x88\x02\x03\xea", 4, "close:1000", ERROR_RESET },		/* it says that we broke it */
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		opened();
		raw_write(cases[i].bytes, cases[i].n);
		talk_settle();
		expect_frames(&talk.client, cases[i].told);
		assert_int_equal(talk.client.closed, 1);
		assert_int_equal(talk.client.error, cases[i].error);
		assert_true(raw.eof);
		talk_tear_down();
	}
	opened();
	talk.client.when = AT_BODY, talk.client.what = DO_FAIL;	/* what is in the messages is nonsense */
	frame(&talk.client, WEBSOCKET_BINARY, true, "abc");
	expect_frames(&talk.client, "close:1002");
	assert_int_equal(talk.client.error, ERROR_HTTP);
	talk_tear_down();
}

/* Frames that bring nothing: one answer to many pings, and no more than 1,000 in a second. */
static void test_floods(void **state)
{
	static const struct {
		const char *frame, *told;
	} cases[] = { { "\x89\x00", "10: " }, { "\x8a\x00", "" }, { "\x82\x00", "" } };
	char many[2 * 1001];

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
		for (size_t n = 1000; n <= 1001; n++) {
			for (size_t k = 0; k < n; k++)
				memcpy(many + 2 * k, cases[i].frame, 2);
			opened();
			raw_write(many, 2 * n);
			talk_settle();
			expect_frames(&talk.client, n == 1000 ? cases[i].told : "close:1008");
			assert_int_equal(talk.client.closed, n > 1000);
			if (n > 1000)
				assert_int_equal(talk.client.error, ERROR_LIMIT);
			talk_tear_down();
		}
}

/* ---- ends ---- */

static void test_we_close(void **state)
{
	(void)state;
	opened();
	say(&talk.client, NULL, "last", true);
	expect_frames(&talk.client, "2:last close:1000");
	frame(&talk.client, WEBSOCKET_BINARY, true, "more");	/* may come until its close frame does */
	assert_string_equal(talk.client.text, "more");
	assert_int_equal(talk.client.closed, 0);
	close_frame(&talk.client, 1000);
	assert_int_equal(talk.client.ends, 1);
	assert_int_equal(talk.client.closed, 1);
	assert_int_equal(talk.client.error, 0);
	assert_true(raw.eof);
	talk_tear_down();

	opened();
	assert_int_equal(exchange_send(talk.client.x, NULL, 0, true), 0);
	talk_settle();
	expect_frames(&talk.client, "close:1000");
	talk_run(WEBSOCKET_WAIT);				/* nobody answers */
	assert_int_equal(talk.client.error, ERROR_TIMEOUT);
	assert_int_equal(talk.client.closed, 1);
	talk_tear_down();
}

static void test_it_closes(void **state)
{
	static const unsigned codes[] = { WEBSOCKET_NORMAL, WEBSOCKET_GOING_AWAY, WEBSOCKET_NO_CODE };

	(void)state;
	for (size_t i = 0; i < sizeof codes / sizeof *codes; i++) {
		opened();
		close_frame(&talk.client, codes[i]);
		assert_int_equal(talk.client.ends, 1);
		assert_int_equal(talk.client.closed, 0);
		say(&talk.client, NULL, "x", false);
		assert_int_equal(exchange_send(talk.client.x, NULL, 0, true), 0);
		talk_settle();
		expect_frames(&talk.client, "2:x close:1000");
		assert_int_equal(talk.client.closed, 1);
		assert_int_equal(talk.client.error, 0);
		assert_true(raw.eof);
		talk_tear_down();
	}
	opened();
	close_frame(&talk.client, WEBSOCKET_NORMAL);
	talk_run(WEBSOCKET_WAIT);				/* and we do not */
	assert_int_equal(talk.client.error, ERROR_TIMEOUT);
	talk_tear_down();
}

static void test_it_is_cut(void **state)
{
	(void)state;
	for (int i = 0; i < 2; i++) {
		opened();
		if (i == 0)
			stream_mem_finish(raw.stream);
		else
			stream_mem_cut(raw.stream);
		talk_settle();
		assert_int_equal(talk.client.ends, 0);	/* no close frame, no end */
		assert_int_equal(talk.client.closed, 1);
		assert_int_equal(talk.client.error, ERROR_RESET);
		talk_tear_down();
	}
}

static void test_abort(void **state)
{
	(void)state;
	opened();
	exchange_abort(talk.client.x);
	talk.client.x = NULL;
	talk_settle();
	expect_frames(&talk.client, "close:1001");
	assert_true(raw.eof);
	talk_tear_down();
	for (int when = AT_HEAD; when <= AT_WRITABLE; when++) {	/* from each event */
		char accept[WEBSOCKET_ACCEPT_TEXT];

		asked(accept);
		talk.client.when = (enum moment)when, talk.client.what = DO_ABORT;
		answer(accept, "Sec-WebSocket-Protocol: culvert.v1\r\n");
		if (when == AT_BODY || when == AT_END)
			frame(&talk.client, WEBSOCKET_BINARY, true, "abc");
		if (when == AT_END)
			close_frame(&talk.client, 1000);
		assert_null(talk.client.x);
		assert_int_equal(talk.client.closed, 0);
		assert_int_equal(talk.client.over, 1);
		talk_tear_down();
	}
}

/* One that is replaced before it was answered. */
static void test_end_before_the_answer(void **state)
{
	char accept[WEBSOCKET_ACCEPT_TEXT];

	(void)state;
	asked(accept);
	exchange_send(talk.client.x, NULL, 0, true);
	talk_settle();
	assert_int_equal(talk.client.closed, 1);
	assert_int_equal(talk.client.error, ERROR_CLOSED);
	talk_tear_down();
}

/* Pongs wait for room, the newest one does. */
static void test_pong_waits(void **state)
{
	static char much[80001];

	(void)state;
	opened();
	memset(much, 'm', sizeof much - 1);
	stream_mem_stall(stream_mem_peer(raw.stream), true);
	say(&talk.client, NULL, much, false);
	frame(&talk.client, WEBSOCKET_PING, true, "1");
	frame(&talk.client, WEBSOCKET_PING, true, "2");
	stream_mem_stall(stream_mem_peer(raw.stream), false);
	talk_settle();
	memmove(raw.in, raw.in + sizeof much - 1 + WEBSOCKET_HEAD_MAX, raw.n -= sizeof much - 1 + WEBSOCKET_HEAD_MAX);
	assert_true(raw.n > 0);
	expect_frames(&talk.client, "10:2 ");
	talk_tear_down();
}

/* ---- the server's end ---- */

static int refusal;

static void take(struct exchange *x, const struct http1_head *head)
{
	refusal = websocket_handshake_refusal(head);
	talk_take(&talk.server, websocket_server(talk.loop, x, head), head->minor);
}

static void served(const char *bytes)
{
	talk_set_up_server(NULL, NULL);
	talk.server.taken = take;
	talk.server.hold = talk.server.lax = true;
	forget(&talk.server);
	talk_say(bytes);
	assert_int_equal(talk.server.requests, 1);
	assert_int_equal(refusal, 0);
}

static void test_server_answers(void **state)
{
	static const char agrees[] = "HTTP/1.1 101 Switching Protocols\r\nSec-WebSocket-Accept: " RFC_ACCEPT "\r\n"
				     "Sec-WebSocket-Protocol: culvert.v1\r\nServer: culvertd/" CULVERT_VERSION "\r\n"
				     "Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n";

	(void)state;
	served(ASK);
	say(&talk.server, &answers, "one", false);
	assert_memory_equal(raw.in, agrees, sizeof agrees - 1);
	memmove(raw.in, raw.in + sizeof agrees - 1, raw.n -= sizeof agrees - 1);
	expect_frames(&talk.server, "2:one ");
	frame(&talk.server, WEBSOCKET_BINARY, true, "abc");
	frame(&talk.server, WEBSOCKET_PING, true, "");
	assert_string_equal(talk.server.text, "abc");
	expect_frames(&talk.server, "10: ");
	say(&talk.server, NULL, "", true);
	expect_frames(&talk.server, "close:1000");
	close_frame(&talk.server, 1000);
	assert_int_equal(talk.server.closed, 1);
	assert_int_equal(talk.server.error, 0);
	talk_tear_down();

	served(ASK);	/* answered by one message, as one that belongs to no session is */
	say(&talk.server, &answers, "all", true);
	memmove(raw.in, raw.in + sizeof agrees - 1, raw.n -= sizeof agrees - 1);
	expect_frames(&talk.server, "2:all close:1000");
	close_frame(&talk.server, 1000);
	assert_int_equal(talk.server.closed, 1);
	assert_int_equal(talk.server.error, 0);
	talk_tear_down();

	served(ASK "\x82\x83" "\0\0\0\0" "abc");	/* NULs end the text here: the mask is missing */
	say(&talk.server, &answers, "x", false);
	raw_write("\0\0\0\0abc", 7);
	talk_settle();
	assert_string_equal(talk.server.text, "abc");
	raw_write("\x82\x03" "abc", 5);			/* not masked */
	talk_settle();
	assert_int_equal(talk.server.error, ERROR_MALFORMED);
	talk_tear_down();
}

static int refused_with(const char *lines, bool h2)
{
	static const struct http1_events nothing;
	struct http1_head head = { .request = true, .h2 = h2 };
	char text[400], *line, *next;

	(void)nothing;
	snprintf(text, sizeof text, "%s", lines);
	for (line = text; *line; line = next) {
		char *colon = strchr(line, ':');

		next = strchr(line, '\n') + 1;
		head.header[head.count].name = (struct span){ (const uint8_t *)line, (size_t)(colon - line) };
		head.header[head.count++].value = (struct span){ (const uint8_t *)colon + 2, (size_t)(next - colon - 3) };
	}
	return websocket_handshake_refusal(&head);
}

#define KEY "Sec-WebSocket-Key: " RFC_KEY "\n"
#define VERSION "Sec-WebSocket-Version: 13\n"
#define PROTOCOL "Sec-WebSocket-Protocol: culvert.v1\n"

static void test_refusals(void **state)
{
	(void)state;
	assert_int_equal(refused_with(KEY VERSION PROTOCOL, false), 0);
	assert_int_equal(refused_with(VERSION PROTOCOL, true), 0);	/* RFC 8441 5: no key */
	assert_int_equal(refused_with(VERSION PROTOCOL, false), 400);
	assert_int_equal(refused_with(KEY PROTOCOL, false), 426);
	assert_int_equal(refused_with(KEY "Sec-WebSocket-Version: 12\n" PROTOCOL, false), 426);
	assert_int_equal(refused_with(KEY VERSION, false), 400);
	assert_int_equal(refused_with("Sec-WebSocket-Key: short\n" VERSION PROTOCOL, false), 400);
	assert_int_equal(refused_with("Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=*\n" VERSION PROTOCOL, false), 400);
}

/* ---- both ---- */

static void test_pair(void **state)
{
	uint8_t big[70000];
	size_t cap;
	uint8_t *at;

	(void)state;
	talk_set_up_pair(NULL);
	talk.client.around = around;
	talk.server.taken = take;
	talk.client.hold = talk.server.hold = talk.client.lax = talk.server.lax = true;
	talk_ask(&talk.client);
	assert_int_equal(exchange_send(talk.client.x, &asks, 0, false), 0);
	talk_settle();
	say(&talk.server, &answers, "s", false);
	assert_string_equal(talk.client.text, "s");
	for (size_t n = 0; n < sizeof big; n = n * 3 + 1) {
		uint64_t before = talk.server.got;

		at = exchange_room(talk.client.x, n, &cap);
		assert_true(at && cap >= n);
		memset(at, (int)n, n);
		assert_int_equal(exchange_send(talk.client.x, NULL, n, false), 0);
		talk_settle();
		assert_int_equal(talk.server.got - before, n);
	}
	at = exchange_room(talk.server.x, EXCHANGE_ROOM_MAX, &cap);
	assert_true(at && cap >= EXCHANGE_ROOM_MAX);
	memset(at, 7, EXCHANGE_ROOM_MAX);
	assert_int_equal(exchange_send(talk.server.x, NULL, EXCHANGE_ROOM_MAX, false), 0);
	talk_settle();
	assert_int_equal(talk.client.got, 1 + EXCHANGE_ROOM_MAX);
	exchange_send(talk.client.x, NULL, 0, true);
	exchange_send(talk.server.x, NULL, 0, true);	/* both at once */
	talk_settle();
	assert_int_equal(talk.client.ends + talk.server.ends, 2);
	assert_int_equal(talk.client.closed + talk.server.closed, 2);
	assert_int_equal(talk.client.error, 0);
	assert_int_equal(talk.server.error, 0);
	talk_tear_down();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_helper_asks),
		cmocka_unit_test(test_helper_talks),
		cmocka_unit_test(test_violations),
		cmocka_unit_test(test_floods),
		cmocka_unit_test(test_we_close),
		cmocka_unit_test(test_it_closes),
		cmocka_unit_test(test_it_is_cut),
		cmocka_unit_test(test_abort),
		cmocka_unit_test(test_end_before_the_answer),
		cmocka_unit_test(test_pong_waits),
		cmocka_unit_test(test_server_answers),
		cmocka_unit_test(test_refusals),
		cmocka_unit_test(test_pair),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
