/* Messages in a stream of bytes: lines and lengths, both ways, whatever pieces they come in. */
/* links: server/egress_frames.c framing/websocket.c framing/mask.c framing/utf8.c framing/cursor.c framing/varint.c */
/* libs: -lwslay */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "framing/error.h"
#include "server/egress_frames.h"

#define MAX 20000

/* What the channel's reader makes of it: "T:text|B:...|". */
static char heard[400000];
static struct websocket_reader *reader;
static unsigned frames;

static int on_data(void *ctx, enum websocket_opcode type, const uint8_t *p, size_t n, bool first, bool last)
{
	size_t at = strlen(heard);

	(void)ctx;
	snprintf(heard + at, sizeof heard - at, "%s%.*s%s", first ? type == WEBSOCKET_TEXT ? "T:" : "B:" : "", (int)n, n ? (const char *)p : "",
		 last ? "|" : "");
	return 0;
}

static int on_control(void *ctx, struct span payload)
{
	(void)ctx, (void)payload;
	return ERROR_MALFORMED;
}

static int on_close(void *ctx, unsigned code, struct span reason)
{
	(void)ctx, (void)code, (void)reason;
	return ERROR_MALFORMED;
}

static const struct websocket_events events = { on_data, on_control, on_control, on_close };

static void put(void *ctx, const uint8_t *p, size_t n)
{
	(void)ctx;
	frames++;
	assert_int_equal(websocket_reader_feed(reader, p, n), 0);
}

static int read_in(enum egress_framing framing, const void *bytes, size_t n, size_t piece, bool *between)
{
	struct egress_frames_in in = { .framing = framing, .message_max = MAX, .put = put };
	int rc = 0;

	websocket_reader_free(reader);
	reader = websocket_reader_new(false, 2 * MAX, &events, NULL);
	*heard = 0;
	for (size_t at = 0; at < n && !rc; at += piece)
		rc = egress_frames_read(&in, (const uint8_t *)bytes + at, n - at < piece ? n - at : piece);
	if (between)
		*between = egress_frames_between(&in);
	return rc;
}

static void lines_are_messages(void **state)
{
	static const char text[] = "one\ntwo\r\n\n\r\nGr\xc3\xbc\xc3\x9f" "e\nwith\rin\r\r\n";
	bool between;

	(void)state;
	for (size_t piece = 1; piece <= sizeof text; piece++) {
		assert_int_equal(read_in(EGRESS_LINES, text, sizeof text - 1, piece, &between), 0);
		assert_string_equal(heard, "T:one|T:two|T:|T:|T:Gr\xc3\xbc\xc3\x9f" "e|T:with\rin\r|");
		assert_true(between);
	}
	assert_int_equal(read_in(EGRESS_LINES, "half", 4, 1, &between), 0);
	assert_false(between);
	assert_int_equal(read_in(EGRESS_LINES, "\r", 1, 1, &between), 0);
	assert_false(between);
}

static void lines_have_limits(void **state)
{
	static char text[MAX + 3];

	(void)state;
	memset(text, 'x', sizeof text);
	text[MAX] = '\n';
	for (size_t piece = 1000; piece < 40000; piece += 13000) {
		assert_int_equal(read_in(EGRESS_LINES, text, MAX + 1, piece, NULL), 0);
		assert_int_equal(strlen(heard), MAX + 3);
	}
	text[MAX] = 'x';
	assert_int_equal(read_in(EGRESS_LINES, text, MAX + 1, 1000, NULL), ERROR_LIMIT);
	assert_int_equal(read_in(EGRESS_LINES, "\xff\n", 2, 2, NULL), ERROR_MALFORMED);
	assert_int_equal(read_in(EGRESS_LINES, "\xc3\n", 2, 1, NULL), ERROR_MALFORMED);	/* a character that is not whole */
}

static void lengths_are_messages(void **state)
{
	static const uint8_t bytes[] = { 0, 0, 0, 3, 'a', '\n', 'c', 0, 0, 0, 0, 0, 0, 0, 1, 'd' };
	static const uint8_t large[] = { 0, 0, 0x4e, 0x21 };	/* MAX + 1 */
	bool between;

	(void)state;
	for (size_t piece = 1; piece <= sizeof bytes; piece++) {
		assert_int_equal(read_in(EGRESS_LENGTHS, bytes, sizeof bytes, piece, &between), 0);
		assert_string_equal(heard, "B:a\nc|B:|B:d|");
		assert_true(between);
		assert_int_equal(read_in(EGRESS_LENGTHS, bytes, 5, piece, &between), 0);
		assert_false(between);
	}
	for (size_t n = 1; n < sizeof bytes; n++) {
		assert_int_equal(read_in(EGRESS_LENGTHS, bytes, n, 16, &between), 0);
		assert_int_equal(between, n == 7 || n == 11);
	}
	assert_int_equal(read_in(EGRESS_LENGTHS, large, 4, 1, NULL), ERROR_LIMIT);
	assert_int_equal(read_in(EGRESS_LENGTHS, "\xff\xff\xff\xff", 4, 4, NULL), ERROR_LIMIT);
}

static void sent(struct egress_frames_out *f, const void *want, size_t n)
{
	assert_int_equal(f->ready - f->at, n);
	assert_memory_equal(f->p + f->at, want, n);
	egress_frames_sent(f, n);
}

static int piece(struct egress_frames_out *f, enum websocket_opcode type, const char *text, bool first, bool last)
{
	return egress_frames_write(f, type, (const uint8_t *)text, strlen(text), first, last);
}

static void messages_are_lines(void **state)
{
	struct egress_frames_out f = { .framing = EGRESS_LINES };

	(void)state;
	assert_int_equal(piece(&f, WEBSOCKET_TEXT, "one", true, true), 0);
	assert_int_equal(piece(&f, WEBSOCKET_TEXT, "", true, true), 0);
	assert_int_equal(piece(&f, WEBSOCKET_TEXT, "tw", true, false), 0);
	sent(&f, "one\n\n", 5);		/* not before it is whole */
	assert_int_equal(piece(&f, WEBSOCKET_TEXT, "o", false, true), 0);
	sent(&f, "two\n", 4);
	assert_int_equal(piece(&f, WEBSOCKET_TEXT, "a\nb", true, true), ERROR_MALFORMED);
	assert_int_equal(piece(&f, WEBSOCKET_TEXT, "a\r", true, true), ERROR_MALFORMED);
	assert_int_equal(piece(&f, WEBSOCKET_BINARY, "a", true, true), ERROR_MALFORMED);
	egress_frames_fini(&f);
}

static void messages_have_lengths(void **state)
{
	struct egress_frames_out f = { .framing = EGRESS_LENGTHS };

	(void)state;
	assert_int_equal(piece(&f, WEBSOCKET_BINARY, "abc", true, true), 0);
	assert_int_equal(piece(&f, WEBSOCKET_TEXT, "", true, true), 0);
	assert_int_equal(piece(&f, WEBSOCKET_BINARY, "d", true, false), 0);
	sent(&f, "\0\0\0\3abc\0\0\0\0", 11);
	assert_int_equal(piece(&f, WEBSOCKET_BINARY, "", false, false), 0);
	assert_int_equal(f.ready - f.at, 0);
	assert_int_equal(piece(&f, WEBSOCKET_BINARY, "ef", false, true), 0);
	sent(&f, "\0\0\0\3def", 7);
	egress_frames_fini(&f);
}

/* However many messages, and however they lie across portions, what is kept is no more than they need. */
static void the_buffer_does_not_grow(void **state)
{
	struct egress_frames_out f = { .framing = EGRESS_LINES };

	(void)state;
	for (unsigned i = 0; i < 100000; i++) {
		assert_int_equal(piece(&f, WEBSOCKET_TEXT, "second", false, true), 0);
		assert_int_equal(piece(&f, WEBSOCKET_TEXT, "first", true, false), 0);
		egress_frames_sent(&f, f.ready - f.at);
	}
	assert_true(f.cap <= 8192);
	egress_frames_fini(&f);
}

static int fini(void **state)
{
	(void)state;
	websocket_reader_free(reader);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lines_are_messages),
		cmocka_unit_test(lines_have_limits),
		cmocka_unit_test(lengths_are_messages),
		cmocka_unit_test(messages_are_lines),
		cmocka_unit_test(messages_have_lengths),
		cmocka_unit_test(the_buffer_does_not_grow),
	};

	return cmocka_run_group_tests(tests, NULL, fini);
}
