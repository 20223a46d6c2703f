// links: framing/websocket.c framing/mask.c framing/utf8.c framing/cursor.c framing/varint.c tests/lib/frames.c
/* libs: -lwslay */
/*
 * WebSocket cases: what may and what must not come, each one masked and not, whole and in portions of 1, 2, 3 and 7 octets: the same is
 * heard each time. What is malformed must be refused with the octet that makes it so, neither before nor after.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "framing/error.h"
#include "tests/lib/frames.h"

#define MAX 1000
#define PIECES 12

enum { MORE = WEBSOCKET_CONTINUATION, TEXT = WEBSOCKET_TEXT, BINARY = WEBSOCKET_BINARY, CLOSE = WEBSOCKET_CLOSE, PING = WEBSOCKET_PING, PONG = WEBSOCKET_PONG };

struct example {
	const char *name;
	struct piece wire[PIECES];
	const char *heard;	/* before the failure, if there is one */
	unsigned code;		/* of the failure; 0: none */
	size_t rest;		/* octets behind the one that was wrong, were there no masks */
};

#define TEN "0123456789"
#define HUNDRED TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN
#define KOSME "\xce\xba\xe1\xbd\xb9\xcf\x83\xce\xbc\xce\xb5"
#define P(first, s) PIECE(first, s)

static const struct example pings[] = {
	{ "a ping without payload", { P(FIN | PING, "") }, "P()", 0, 0 },
	{ "a ping with one", { P(FIN | PING, "Hello") }, "P(Hello)", 0, 0 },
	{ "a ping of binary octets", { P(FIN | PING, "\0\xff\xfe\xfd") }, "P(~\xff\xfe\xfd)", 0, 0 },
	{ "a ping of 125 octets", { P(FIN | PING, HUNDRED TEN TEN "12345") }, "P(" HUNDRED TEN TEN "12345)", 0, 0 },
	{ "a ping of 126 octets", { P(FIN | PING, HUNDRED TEN TEN "123456") }, "", 1002, 126 },
	{ "a pong that nobody asked for", { P(FIN | PONG, "") }, "O()", 0, 0 },
	{ "a pong of 126 octets", { P(FIN | PONG, HUNDRED TEN TEN "123456") }, "", 1002, 126 },
	{ "a pong, then a ping", { P(FIN | PONG, "no"), P(FIN | PING, "yes") }, "O(no)P(yes)", 0, 0 },
	{ "pings one behind the other", { P(FIN | PING, "1"), P(FIN | PING, "2"), P(FIN | PING, ""), P(FIN | PING, "3") }, "P(1)P(2)P()P(3)", 0, 0 },
	{ "a ping in two frames", { P(PING, "frag"), P(FIN | MORE, "ment") }, "", 1002, 8 + 2 },
	{ "a pong in two frames", { P(PONG, "frag"), P(FIN | MORE, "ment") }, "", 1002, 8 + 2 },
	{ "a close in two frames", { P(CLOSE, "\x03\xe8") }, "", 1002, 2 },
};

static const struct example fragments[] = {
	{ "two fragments", { P(TEXT, "fragment1"), P(FIN | MORE, "fragment2") }, "T(fragment1fragment2)", 0, 0 },
	{ "binary fragments", { P(BINARY, "a"), P(MORE, "b"), P(FIN | MORE, "c") }, "B(abc)", 0, 0 },
	{ "the first one empty", { P(TEXT, ""), P(FIN | MORE, "x") }, "T(x)", 0, 0 },
	{ "the last one empty", { P(TEXT, "x"), P(FIN | MORE, "") }, "T(x)", 0, 0 },
	{ "all of them empty", { P(TEXT, ""), P(MORE, ""), P(FIN | MORE, "") }, "T()", 0, 0 },
	{ "one in the middle empty", { P(TEXT, "x"), P(MORE, ""), P(FIN | MORE, "y") }, "T(xy)", 0, 0 },
	{ "a ping between", { P(TEXT, "a"), P(FIN | PING, "p"), P(FIN | MORE, "b") }, "P(p)T(ab)", 0, 0 },
	{ "a pong between", { P(TEXT, "a"), P(FIN | PONG, "p"), P(FIN | MORE, "b") }, "O(p)T(ab)", 0, 0 },
	{ "pings between all of them",
	  { P(BINARY, "a"), P(FIN | PING, "1"), P(MORE, "b"), P(FIN | PING, ""), P(FIN | PING, "2"), P(MORE, "c"), P(FIN | MORE, "d") },
	  "P(1)P()P(2)B(abcd)", 0, 0 },
	{ "two messages of fragments", { P(TEXT, "a"), P(FIN | MORE, "b"), P(BINARY, "c"), P(FIN | MORE, "d") }, "T(ab)B(cd)", 0, 0 },
	{ "a continuation of nothing, the last", { P(FIN | MORE, "x") }, "", 1002, 1 },
	{ "a continuation of nothing, not the last", { P(MORE, "x"), P(FIN | TEXT, "y") }, "", 1002, 2 + 2 },
	{ "an empty continuation of nothing", { P(FIN | MORE, "") }, "", 1002, 0 },
	{ "a continuation behind a whole message", { P(FIN | TEXT, "a"), P(FIN | MORE, "b") }, "T(a)", 1002, 1 },
	{ "a continuation behind the last", { P(TEXT, "a"), P(FIN | MORE, "b"), P(FIN | MORE, "c") }, "T(ab)", 1002, 1 },
	{ "a message within one", { P(TEXT, "a"), P(FIN | TEXT, "b") }, "", 1002, 1 },
	{ "a binary one within a text", { P(TEXT, "a"), P(BINARY, "b") }, "", 1002, 1 },
	{ "a message within one behind a ping", { P(TEXT, "a"), P(FIN | PING, "p"), P(TEXT, "b") }, "P(p)", 1002, 1 },
	{ "a close between", { P(TEXT, "a"), P(FIN | CLOSE, "\x03\xe8"), P(FIN | MORE, "b") }, "C1000()", 0, 0 },
};

static const struct example texts[] = {
	{ "an empty text", { P(FIN | TEXT, "") }, "T()", 0, 0 },
	{ "a text", { P(FIN | TEXT, "Hello-\xc2\xb5@\xc3\x9f\xc3\xb6\xc3\xa4\xc3\xbc\xc3\xa0\xc3\xa1-UTF-8!!") }, "T(Hello-\xc2\xb5@\xc3\x9f\xc3\xb6\xc3\xa4\xc3\xbc\xc3\xa0\xc3\xa1-UTF-8!!)", 0, 0 },
	{ "NUL is a character", { P(FIN | TEXT, "a\0b") }, "T(a~b)", 0, 0 },
	{ "split between characters", { P(TEXT, "\xce\xba"), P(FIN | MORE, "\xe1\xbd\xb9") }, "T(\xce\xba\xe1\xbd\xb9)", 0, 0 },
	{ "split within a character", { P(TEXT, "\xce"), P(FIN | MORE, "\xba") }, "T(\xce\xba)", 0, 0 },
	{ "a character over four frames, with a ping", { P(TEXT, "\xf0"), P(MORE, "\x9f"), P(FIN | PING, "\xff"), P(MORE, "\x98"), P(FIN | MORE, "\x80") },
	  "P(\xff)T(\xf0\x9f\x98\x80)", 0, 0 },
	{ "noncharacters are characters", { P(FIN | TEXT, "\xef\xbf\xbe\xef\xbf\xbf\xf4\x8f\xbf\xbf") }, "T(\xef\xbf\xbe\xef\xbf\xbf\xf4\x8f\xbf\xbf)", 0, 0 },
	{ "anything is binary", { P(FIN | BINARY, "\xff\xfe\xc0\x80\xed\xa0\x80") }, "B(\xff\xfe\xc0\x80\xed\xa0\x80)", 0, 0 },
	{ "a surrogate in the middle", { P(FIN | TEXT, KOSME "\xed\xa0\x80" "edited") }, "", 1007, 7 },
	{ "a surrogate in the second frame", { P(TEXT, KOSME), P(FIN | MORE, "\xed\xa0\x80" "edited") }, "", 1007, 7 },
	{ "a surrogate over two frames", { P(TEXT, KOSME "\xed"), P(FIN | MORE, "\xa0\x80") }, "", 1007, 1 },
	{ "above U+10FFFF, in a message that goes on", { P(TEXT, KOSME "\xf4\x90\x80\x80" "edited") }, "", 1007, 8 },
	{ "above U+10FFFF, frame by frame", { P(TEXT, KOSME), P(MORE, "\xf4"), P(MORE, "\x90"), P(MORE, "\x80") }, "", 1007, 3 },
	{ "a longer form than needed", { P(FIN | TEXT, "\xc0\xaf") }, "", 1007, 1 },
	{ "a longer form of three", { P(FIN | TEXT, "\xe0\x80\xaf") }, "", 1007, 1 },
	{ "a longer form of four", { P(FIN | TEXT, "\xf0\x80\x80\xaf") }, "", 1007, 2 },
	{ "a form of five", { P(FIN | TEXT, "\xf8\x88\x80\x80\x80") }, "", 1007, 4 },
	{ "a continuing octet alone", { P(FIN | TEXT, "\x80") }, "", 1007, 0 },
	{ "0xfe", { P(FIN | TEXT, "\xfe") }, "", 1007, 0 },
	{ "0xff behind ASCII", { P(FIN | TEXT, TEN TEN "\xff" "1") }, "", 1007, 1 },
	{ "ends within a character", { P(FIN | TEXT, "\xce") }, "", 1007, 0 },
	{ "ends within a character of the last frame", { P(TEXT, "a\xe2"), P(FIN | MORE, "\x82") }, "", 1007, 0 },
	{ "ends within one, the last frame is empty", { P(TEXT, "\xe2\x82"), P(FIN | MORE, "") }, "", 1007, 0 },
	{ "what was open in a refused text is not in the next", { P(FIN | BINARY, "\xce"), P(FIN | TEXT, "\xba") }, "B(\xce)", 1007, 0 },
};

static const struct example closes[] = {
	{ "without a code", { P(FIN | CLOSE, "") }, "C1005()", 0, 0 },
	{ "with a code", { P(FIN | CLOSE, "\x03\xe9") }, "C1001()", 0, 0 },
	{ "with a reason", { P(FIN | CLOSE, "\x03\xe8Hello World!") }, "C1000(Hello World!)", 0, 0 },
	{ "with a reason of 123 octets", { P(FIN | CLOSE, "\x0f\xa0" HUNDRED TEN TEN "123") }, "C4000(" HUNDRED TEN TEN "123)", 0, 0 },
	{ "with a reason of 124 octets", { P(FIN | CLOSE, "\x0f\xa0" HUNDRED TEN TEN "1234") }, "", 1002, 126 },
	{ "with half a code", { P(FIN | CLOSE, "\x03") }, "", 1002, 0 },
	{ "a reason that is no UTF-8", { P(FIN | CLOSE, "\x03\xe8" KOSME "\xed\xa0\x80") }, "", 1007, 0 },
	{ "a reason that ends within a character", { P(FIN | CLOSE, "\x03\xe8\xce") }, "", 1007, 0 },
	{ "a code that is never sent", { P(FIN | CLOSE, "\x03\xee") }, "", 1002, 0 },
	{ "no code of anybody", { P(FIN | CLOSE, "\0\0why") }, "", 1002, 0 },
	{ "messages behind it are not read", { P(FIN | TEXT, "a"), P(FIN | CLOSE, "\x03\xe8"), P(FIN | TEXT, "b") }, "T(a)C1000()", 0, 0 },
	{ "a ping behind it is not read", { P(FIN | CLOSE, "\x03\xe8"), P(FIN | PING, "p") }, "C1000()", 0, 0 },
	{ "a second one is not read", { P(FIN | CLOSE, "\x03\xe8"), P(FIN | CLOSE, "\x03\xe9") }, "C1000()", 0, 0 },
	{ "rubbish behind it is not read", { P(FIN | CLOSE, ""), P(RAW, "\xff\xff\xff\xff\xff\xff\xff\xff") }, "C1005()", 0, 0 },
};

static struct wire wire;
static struct heard heard;

static void check(const struct example *e, bool masked, size_t step)
{
	int rc, expected = e->code == 0 ? 0 : e->code == WEBSOCKET_TOO_BIG ? ERROR_LIMIT : ERROR_MALFORMED;

	wire.n = 0;
	for (size_t i = 0; i < PIECES && e->wire[i].p; i++)
		frames_add(&wire, masked, &e->wire[i]);
	frames_listen(&heard, masked, MAX);
	rc = frames_feed(&heard, wire.p, wire.n, step);
	if (rc != expected || strcmp(heard.text, e->heard) != 0)
		fail_msg("%s (masked %d, step %zu): %d, heard \"%s\"", e->name, masked, step, rc, heard.text);
	if (e->code && websocket_reader_code(heard.reader) != e->code)
		fail_msg("%s: code %u", e->name, websocket_reader_code(heard.reader));
	/* Counted without masks. */
	if (e->code && step == 1 && !masked && wire.n - heard.fed != e->rest)
		fail_msg("%s: refused %zu octets before the end, not %zu", e->name, wire.n - heard.fed, e->rest);
	if (e->code)
		assert_int_equal(websocket_reader_feed(heard.reader, (const uint8_t *)"\x81", 1), expected);
	frames_end(&heard);
}

static void check_all(const struct example *list, size_t n)
{
	static const size_t steps[] = { FRAMES_CAP, 1, 2, 3, 7 };

	for (size_t i = 0; i < n; i++)
		for (size_t k = 0; k < sizeof steps / sizeof *steps; k++) {
			check(&list[i], false, steps[k]);
			check(&list[i], true, steps[k]);
		}
}

#define CHECK_ALL(list) check_all(list, sizeof(list) / sizeof *(list))

static void control_frames(void **state)
{
	(void)state;
	CHECK_ALL(pings);
}

static void messages_in_fragments(void **state)
{
	(void)state;
	CHECK_ALL(fragments);
}

static void texts_are_utf8(void **state)
{
	(void)state;
	CHECK_ALL(texts);
}

static void close_frames(void **state)
{
	(void)state;
	CHECK_ALL(closes);
}

/* Each of them with each known opcode, first and behind what is right, within a message and not. */
static void reserved_bits_are_refused(void **state)
{
	static const int kinds[] = { FIN | TEXT, FIN | BINARY, TEXT, FIN | PING, FIN | PONG, FIN | CLOSE };

	(void)state;
	for (int bits = 1; bits <= 7; bits++) {
		for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
			struct example alone = { "reserved bits", { P(kinds[i] | bits << 4, "ab") }, "", 1002, 2 };
			struct example behind = { "reserved bits behind a message", { P(FIN | TEXT, "x"), P(FIN | PING, "p"), P(kinds[i] | bits << 4, "") }, "T(x)P(p)", 1002, 0 };

			check_all(&alone, 1);
			check_all(&behind, 1);
		}
		check_all(&(struct example){ "reserved bits in a fragment", { P(TEXT, "x"), P(FIN | MORE | bits << 4, "abc") }, "", 1002, 3 }, 1);
	}
}

static void reserved_opcodes_are_refused(void **state)
{
	static const int opcodes[] = { 3, 4, 5, 6, 7, 11, 12, 13, 14, 15 };

	(void)state;
	for (size_t i = 0; i < sizeof opcodes / sizeof *opcodes; i++)
		for (int fin = 0; fin <= FIN; fin += FIN) {
			int first = fin | opcodes[i];

			check_all(&(struct example){ "a reserved opcode", { P(first, "abc") }, "", 1002, 3 }, 1);
			check_all(&(struct example){ "without payload", { P(first, "") }, "", 1002, 0 }, 1);
			check_all(&(struct example){ "behind a message", { P(FIN | TEXT, "x"), P(first, "abc") }, "T(x)", 1002, 3 }, 1);
			check_all(&(struct example){ "in a message", { P(TEXT, "x"), P(first, "abc") }, "", 1002, 3 }, 1);
		}
}

/* A server's reader wants masks on all of them, a client's on none; a mask of zeros is one. */
static void masks_are_where_they_must_be(void **state)
{
	static const int kinds[] = { FIN | TEXT, BINARY, FIN | PING, FIN | PONG, FIN | CLOSE };

	(void)state;
	for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
		for (int masked = 0; masked < 2; masked++)
			for (size_t step = 1; step < 20; step += 6) {
				wire.n = 0;
				frames_add(&wire, masked, &(struct piece)P(FIN | TEXT, "right"));
				frames_add(&wire, !masked, &(struct piece)P(kinds[i], "\x03\xe8wrong"));
				frames_listen(&heard, masked, MAX);
				assert_int_equal(frames_feed(&heard, wire.p, wire.n, step), ERROR_MALFORMED);
				assert_int_equal(websocket_reader_code(heard.reader), WEBSOCKET_PROTOCOL);
				assert_string_equal(heard.text, "T(right)");
				frames_end(&heard);
			}
	check(&(struct example){ "a mask of zeros", { P(RAW, "\x81\x82\0\0\0\0ab") }, "T(ab)", 0, 0 }, true, 1);
	check(&(struct example){ "no mask", { P(RAW, "\x81\x02" "ab") }, "T(ab)", 0, 0 }, false, 1);
	check(&(struct example){ "no mask where one must be", { P(RAW, "\x81\x02" "ab") }, "", 1002, 2 }, true, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(control_frames),	   cmocka_unit_test(messages_in_fragments),	   cmocka_unit_test(texts_are_utf8),
		cmocka_unit_test(close_frames),		   cmocka_unit_test(reserved_bits_are_refused),	   cmocka_unit_test(reserved_opcodes_are_refused),
		cmocka_unit_test(masks_are_where_they_must_be),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
