// links: framing/websocket.c framing/mask.c framing/utf8.c framing/cursor.c framing/varint.c tests/lib/frames.c
/* libs: -lwslay */
/* WebSocket codec: lengths and their forms, caps, what is written, callbacks that refuse. The list of cases is in test_websocket_cases.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "framing/error.h"
#include "tests/lib/frames.h"

#define MAX 150000

static struct wire wire;
static struct heard heard;
static uint8_t payload[MAX];

static int set_up(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof payload; i++)
		payload[i] = (uint8_t)(i * 31 + i / 256);
	wire.n = 0;
	return 0;
}

static int listen_to(bool masked, size_t max, size_t step)
{
	frames_listen(&heard, masked, max);
	return frames_feed(&heard, wire.p, wire.n, step);
}

static const size_t lengths[] = { 0, 1, 2, 125, 126, 127, 128, 4095, 4096, 4097, 16384, 65535, 65536, 65537, 131072 };

#define EACH(i, list) for (size_t i = 0; i < sizeof(list) / sizeof *(list); i++)

static void frames_of_all_lengths_are_read(void **state)
{
	static const size_t steps[] = { MAX + 20, 1, 997, 4096 };

	(void)state;
	EACH (i, lengths)
		EACH (k, steps)
			for (int masked = 0; masked < 2; masked++) {
				wire.n = 0;
				frames_add(&wire, masked, &(struct piece){ FIN | WEBSOCKET_BINARY, (char *)payload, lengths[i] });
				assert_int_equal(listen_to(masked, MAX, steps[k]), 0);
				assert_false(heard.open);
				assert_int_equal(heard.size, lengths[i]);
				assert_memory_equal(heard.message, payload, lengths[i]);
				assert_true(heard.pieces >= 1);
				frames_end(&heard);
			}
}

/* What comes whole and is not large goes on whole: records are read in place then. */
static void a_message_that_came_whole_is_one_piece(void **state)
{
	(void)state;
	for (int masked = 0; masked < 2; masked++) {
		wire.n = 0;
		for (size_t n = 0; n <= 4096; n += 512)
			frames_add(&wire, masked, &(struct piece){ FIN | WEBSOCKET_BINARY, (char *)payload, n });
		frames_listen(&heard, masked, MAX);
		for (size_t i = 0; i < wire.n;) {
			size_t head = wire.p[i + 1] % 128 < 126 ? 2 : 4;
			size_t len = head == 2 ? wire.p[i + 1] % 128u : wire.p[i + 2] * 256u + wire.p[i + 3];

			len += head + (masked ? 4 : 0);
			assert_int_equal(websocket_reader_feed(heard.reader, wire.p + i, len), 0);
			assert_false(heard.open);
			assert_int_equal(heard.pieces, 1);
			i += len;
		}
		frames_end(&heard);
		frames_listen(&heard, masked, MAX); /* and so it is when all of them came at once */
		assert_int_equal(websocket_reader_feed(heard.reader, wire.p, wire.n), 0);
		assert_int_equal(heard.pieces, 1);
		frames_end(&heard);
	}
}

/* Our own frames: the same octets as those put together by hand. */
static void frames_are_written_as_they_should(void **state)
{
	static const uint8_t mask[4] = { 1, 2, 3, 4 };
	static uint8_t out[MAX + WEBSOCKET_HEAD_MAX];

	(void)state;
	EACH (i, lengths)
		for (int fin = 0; fin < 2; fin++) {
			size_t n = lengths[i], head = n < 126 ? 2 : n < 65536 ? 4 : 10;
			int first = (fin ? FIN : 0) | WEBSOCKET_TEXT;

			wire.n = 0;
			frames_head(&wire, false, first, head == 2 ? 0 : head == 4 ? 2 : 8, n);
			assert_int_equal(websocket_frame_put(out, head + n, WEBSOCKET_TEXT, fin, payload, n, NULL), head + n);
			assert_memory_equal(out, wire.p, head);
			assert_memory_equal(out + head, payload, n);

			assert_int_equal(websocket_frame_put(out, head + 4 + n, WEBSOCKET_TEXT, fin, payload, n, mask), head + 4 + n);
			assert_int_equal(out[0], wire.p[0]);
			assert_int_equal(out[1], wire.p[1] | 0x80);
			assert_memory_equal(out + 2, wire.p + 2, head - 2);
			assert_memory_equal(out + head, mask, 4);
			for (size_t k = 0; k < n; k++)
				if (out[head + 4 + k] != (payload[k] ^ mask[k % 4]))
					fail_msg("octet %zu of %zu", k, n);
			assert_true(head + 4 <= WEBSOCKET_HEAD_MAX);
		}
}

static void nothing_is_written_that_does_not_fit_or_must_not_be(void **state)
{
	static const uint8_t mask[4];
	uint8_t out[300];

	(void)state;
	memset(out, 0xee, sizeof out);
	assert_int_equal(websocket_frame_put(out, 101, WEBSOCKET_BINARY, true, payload, 100, NULL), ERROR_LIMIT);
	assert_int_equal(websocket_frame_put(out, 105, WEBSOCKET_BINARY, true, payload, 100, mask), ERROR_LIMIT);
	assert_int_equal(websocket_frame_put(out, 1, WEBSOCKET_BINARY, true, payload, 0, NULL), ERROR_LIMIT);
	assert_int_equal(websocket_frame_put(out, sizeof out, WEBSOCKET_PING, true, payload, 126, NULL), ERROR_LIMIT);
	assert_int_equal(websocket_frame_put(out, sizeof out, WEBSOCKET_PONG, true, payload, 126, mask), ERROR_LIMIT);
	for (size_t i = 0; i < sizeof out; i++)
		assert_int_equal(out[i], 0xee);
	assert_int_equal(websocket_frame_put(out, sizeof out, WEBSOCKET_PING, true, payload, 125, NULL), 127);
	assert_int_equal(websocket_frame_put(out, sizeof out, WEBSOCKET_PING, true, NULL, 0, NULL), 2);
	assert_memory_equal(out, "\x89\x00", 2);
}

static void close_frames_are_written(void **state)
{
	char reason[125];
	uint8_t out[300];

	(void)state;
	memset(reason, 'r', sizeof reason);
	reason[124] = 0;
	assert_int_equal(websocket_close_put(out, sizeof out, WEBSOCKET_NO_CODE, "", NULL), 2);
	assert_memory_equal(out, "\x88\x00", 2);
	assert_int_equal(websocket_close_put(out, sizeof out, WEBSOCKET_GOING_AWAY, "bye", NULL), 7);
	assert_memory_equal(out, "\x88\x05\x03\xe9" "bye", 7);
	assert_int_equal(websocket_close_put(out, sizeof out, WEBSOCKET_NORMAL, "", (const uint8_t *)"\1\1\1\1"), 8);
	assert_memory_equal(out, "\x88\x82\1\1\1\1\x02\xe9", 8);
	assert_int_equal(websocket_close_put(out, sizeof out, WEBSOCKET_NORMAL, reason, NULL), ERROR_LIMIT);
	assert_int_equal(websocket_close_put(out, sizeof out, WEBSOCKET_NORMAL, reason + 1, NULL), 127);
	assert_int_equal(websocket_close_put(out, sizeof out, WEBSOCKET_ABNORMAL, "", NULL), ERROR_LIMIT);
	assert_int_equal(websocket_close_put(out, sizeof out, 0, "", NULL), ERROR_LIMIT);
	assert_int_equal(websocket_close_put(out, 6, WEBSOCKET_GOING_AWAY, "bye", NULL), ERROR_LIMIT);
}

static void what_we_write_we_read(void **state)
{
	static const uint8_t mask[4] = { 0xde, 0xad, 0xbe, 0xef };
	static uint8_t out[MAX];
	size_t n = 0;

	(void)state;
	for (int masked = 0; masked < 2; masked++) {
		n = 0;
		for (unsigned i = 0; i < 3; i++)
			n += (size_t)websocket_frame_put(out + n, sizeof out - n, i ? WEBSOCKET_CONTINUATION : WEBSOCKET_BINARY, i == 2,
							 (const uint8_t *)"abc" + i, 1, masked ? mask : NULL);
		n += (size_t)websocket_frame_put(out + n, sizeof out - n, WEBSOCKET_PING, true, (const uint8_t *)"p", 1, masked ? mask : NULL);
		n += (size_t)websocket_close_put(out + n, sizeof out - n, 4999, "end", masked ? mask : NULL);
		frames_listen(&heard, masked, MAX);
		assert_int_equal(frames_feed(&heard, out, n, 3), 0);
		assert_string_equal(heard.text, "B(abc)P(p)C4999(end)");
		frames_end(&heard);
	}
}

/* Lengths in more octets than they need, and those that are none. */
static void lengths_have_one_form(void **state)
{
	static const struct {
		unsigned width;
		uint64_t length;
		unsigned code;
	} forms[] = {
		{ 2, 0, 1002 }, { 2, 1, 1002 }, { 2, 125, 1002 }, { 2, 126, 0 }, { 2, 65535, 0 },
		{ 8, 0, 1002 }, { 8, 125, 1002 }, { 8, 126, 1002 }, { 8, 65535, 1002 }, { 8, 65536, 0 }, { 8, MAX, 0 },
		{ 8, MAX + 1, 1009 }, { 8, UINT32_MAX, 1009 }, { 8, INT64_MAX, 1009 }, { 8, UINT64_C(1) << 63, 1002 }, { 8, UINT64_MAX, 1002 },
	};

	(void)state;
	EACH (i, forms)
		for (int masked = 0; masked < 2; masked++) {
			wire.n = 0;
			frames_head(&wire, masked, FIN | WEBSOCKET_BINARY, forms[i].width, forms[i].length);
			frames_add(&wire, false, &(struct piece)PIECE(RAW, "mask"));
			assert_int_equal(listen_to(masked, MAX, 1), forms[i].code == 0 ? 0 : forms[i].code == 1009 ? ERROR_LIMIT : ERROR_MALFORMED);
			if (forms[i].code)
				assert_int_equal(websocket_reader_code(heard.reader), forms[i].code);
			frames_end(&heard);
		}
}

/* The cap is that of a message, however many frames it has, and of the next one anew. */
static void messages_have_a_cap(void **state)
{
	static const struct piece hundred = { WEBSOCKET_BINARY, (char *)payload, 100 }, more = { WEBSOCKET_CONTINUATION, (char *)payload, 100 };
	static const struct piece last = { FIN | WEBSOCKET_CONTINUATION, (char *)payload, 100 }, ping = PIECE(FIN | WEBSOCKET_PING, "ping");

	(void)state;
	for (int round = 0; round < 2; round++) {
		frames_add(&wire, true, &hundred);
		frames_add(&wire, true, &ping); /* does not count */
		frames_add(&wire, true, &more);
		frames_add(&wire, true, &last);
	}
	assert_int_equal(listen_to(true, 300, 7), 0);
	assert_int_equal(heard.size, 300);
	frames_end(&heard);
	assert_int_equal(listen_to(true, 299, 1), ERROR_LIMIT);
	assert_int_equal(websocket_reader_code(heard.reader), WEBSOCKET_TOO_BIG);
	assert_int_equal(heard.size, 200); /* nothing of the frame that is too much */
	assert_int_equal(heard.fed, 106 + 10 + 106 + 6);
	frames_end(&heard);
	wire.n = 0;
	frames_add(&wire, true, &(struct piece){ FIN | WEBSOCKET_TEXT, "", 0 });
	assert_int_equal(listen_to(true, 0, 1), 0);
	assert_string_equal(heard.text, "T()");
	frames_end(&heard);
}

static void many_small_fragments_are_one_message(void **state)
{
	(void)state;
	for (size_t i = 0; i < 65536; i += 1300) {
		size_t n = 65536 - i < 1300 ? 65536 - i : 1300;

		frames_add(&wire, true, &(struct piece){ (i ? 0 : WEBSOCKET_BINARY) | (i + n == 65536 ? FIN : 0), (char *)payload + i, n });
	}
	assert_int_equal(listen_to(true, 65536, 1460), 0);
	assert_false(heard.open);
	assert_int_equal(heard.size, 65536);
	assert_memory_equal(heard.message, payload, 65536);
	frames_end(&heard);
}

static void codes_are_those_of_the_rfc(void **state)
{
	(void)state;
	for (unsigned code = 0; code <= 65536 + 1000; code++) {
		bool ok = (code >= 1000 && code <= 1003) || (code >= 1007 && code <= 1014) || (code >= 3000 && code <= 4999);

		assert_int_equal(websocket_code_ok(code), ok);
		if (code > 65535)
			continue;
		wire.n = 0;
		frames_add(&wire, false, &(struct piece){ FIN | WEBSOCKET_CLOSE, (char[]){ (char)(code >> 8), (char)code }, 2 });
		assert_int_equal(listen_to(false, MAX, 4), ok ? 0 : ERROR_MALFORMED);
		assert_int_equal(websocket_reader_code(heard.reader), ok ? WEBSOCKET_NORMAL : WEBSOCKET_PROTOCOL);
		assert_int_equal(heard.len > 0, ok);
		frames_end(&heard);
	}
}

static void what_a_callback_returns_ends_the_reading(void **state)
{
	static const struct piece kinds[] = { PIECE(FIN | WEBSOCKET_TEXT, "x"), PIECE(FIN | WEBSOCKET_PING, "x"), PIECE(FIN | WEBSOCKET_PONG, "x"),
					      PIECE(FIN | WEBSOCKET_CLOSE, "") };
	char once[64];

	(void)state;
	EACH (i, kinds) {
		wire.n = 0;
		frames_add(&wire, true, &kinds[i]);
		frames_add(&wire, true, &(struct piece)PIECE(FIN | WEBSOCKET_BINARY, "y"));
		frames_listen(&heard, true, MAX);
		heard.refuse = ERROR_UNSUPPORTED;
		assert_int_equal(websocket_reader_feed(heard.reader, wire.p, wire.n), ERROR_UNSUPPORTED);
		assert_int_equal(websocket_reader_code(heard.reader), WEBSOCKET_INTERNAL);
		strcpy(once, heard.text);
		heard.refuse = 0; /* for good */
		assert_int_equal(websocket_reader_feed(heard.reader, wire.p, wire.n), ERROR_UNSUPPORTED);
		assert_string_equal(heard.text, once);
		frames_end(&heard);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(frames_of_all_lengths_are_read, set_up),
		cmocka_unit_test_setup(a_message_that_came_whole_is_one_piece, set_up),
		cmocka_unit_test_setup(frames_are_written_as_they_should, set_up),
		cmocka_unit_test_setup(nothing_is_written_that_does_not_fit_or_must_not_be, set_up),
		cmocka_unit_test_setup(close_frames_are_written, set_up),
		cmocka_unit_test_setup(what_we_write_we_read, set_up),
		cmocka_unit_test_setup(lengths_have_one_form, set_up),
		cmocka_unit_test_setup(messages_have_a_cap, set_up),
		cmocka_unit_test_setup(many_small_fragments_are_one_message, set_up),
		cmocka_unit_test_setup(codes_are_those_of_the_rfc, set_up),
		cmocka_unit_test_setup(what_a_callback_returns_ends_the_reading, set_up),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
