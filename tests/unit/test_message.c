/* links: framing/message.c framing/capsule.c framing/cursor.c framing/varint.c framing/ranges.c */
/* Messages of the session: golden bytes, parameters, receipts, limits. */
#include "tests/unit/message_check.h"

#include "framing/varint.h"

ADAPT(hello, hello)
ADAPT(welcome, welcome)
ADAPT(receipt, receipt)
ADAPT(mark, mark)
ADAPT(seen, seen)
ADAPT(probed, probed)

static int farewell_get(struct span value, union any_message *m)
{
	return message_farewell_get(value, &m->farewell);
}

static bool gone_put(struct writer *w, const union any_message *m)
{
	return message_farewell_put(w, CAPSULE_GONE, &m->farewell);
}

static int token_get(struct span value, union any_message *m)
{
	return message_token_get(value, &m->token);
}

static bool pong_put(struct writer *w, const union any_message *m)
{
	return message_token_put(w, CAPSULE_PONG, m->token);
}

static const struct vector vectors[] = {
	{ CAPSULE_HELLO, hello_get, hello_put, 4, BYTES(0x08, 4, 1, 2, 0x40, 0x40),
	  { .hello = { .version_min = 1, .version_max = 2, .features = 64 } } },
	{ CAPSULE_HELLO, hello_get, hello_put, 3,
	  BYTES(0x08, 28, 1, 1, 0, 1, 2, 0x40, 0x40, 2, 4, 0x80, 0x10, 0, 0, 3, 2, 0x50, 0, 4, 2, 0x5f, 0x40, 6, 5, 'c', 'u',
		'l', 'v', '1'),
	  { .hello = { .version_min = 1,
		       .version_max = 1,
		       .params = { .has = HAS(PARAM_MAX_CHANNELS) | HAS(PARAM_SESSION_WINDOW) | HAS(PARAM_CHANNEL_WINDOW) |
					  HAS(PARAM_KEEPALIVE) | HAS(PARAM_AGENT),
				   .max_channels = 64,
				   .session_window = 1048576,
				   .channel_window = 4096,
				   .keepalive_ms = 8000,
				   .agent = TEXT("culv1") } } } },
	{ CAPSULE_WELCOME, welcome_get, welcome_put, 18,
	  BYTES(0x09, 24, 1, 0, 0x01, 0x02, 0x03, 0x04, 0x05, 0x06, 0x07, 0x08, 0xf1, 0xf2, 0xf3, 0xf4, 0xf5, 0xf6, 0xf7, 0xf8,
		5, 4, 0x80, 0x00, 0xea, 0x60),
	  { .welcome = { .version = 1,
			 .node = UINT64_C(0x0102030405060708),
			 .epoch = UINT64_C(0xf1f2f3f4f5f6f7f8),
			 .params = { .has = HAS(PARAM_MAX_HOLD), .max_hold_ms = 60000 } } } },
	{ CAPSULE_GONE, farewell_get, gone_put, 11, BYTES(0x0a, 11, 5, 0x43, 0xe8, 1, 2, 2, 'e', 'w', 2, 'n', 'o'),
	  { .farewell = { .code = CODE_VERSION,
			  .delay_ms = 1000,
			  .version_min = 1,
			  .version_max = 2,
			  .elsewhere = TEXT("ew"),
			  .reason = TEXT("no") } } },
	{ CAPSULE_RECEIPT, receipt_get, receipt_put, 6, BYTES(0x03, 6, 3, 0x43, 0xe8, 1, 9, 9),
	  { .receipt = { .carrier = 3, .delay_us = 1000, .ranges = { 1, { { 0, 9 } } } } } },
	/* 20..22, 15..17 (gap 1: 18 and 19 are missing), 3. */
	{ CAPSULE_RECEIPT, receipt_get, receipt_put, 6, BYTES(0x03, 8, 3, 0x43, 0xe8, 1, 9, 9, 0x40, 0x64),
	  { .receipt = { .carrier = 3, .delay_us = 1000, .ranges = { 1, { { 0, 9 } } }, .has_late = true, .late_ms = 100 } } },
	{ CAPSULE_RECEIPT, receipt_get, receipt_put, 9, BYTES(0x03, 9, 0, 0, 3, 22, 2, 1, 2, 10, 0),
	  { .receipt = { .ranges = { 3, { { 3, 3 }, { 15, 17 }, { 20, 22 } } } } } },
	{ CAPSULE_PONG, token_get, pong_put, 2, BYTES(0x05, 2, 0x7b, 0xbd), { .token = 15293 } },
	/* FNV-1a of "foobar" is 0xbf9cf968. */
	{ CAPSULE_MARK, mark_get, mark_put, 10,
	  BYTES(0x06, 16, 1, 2, 0, 0, 1, 0, 0xbf, 0x9c, 0xf9, 0x68, 'f', 'o', 'o', 'b', 'a', 'r'),
	  { .mark = { .id = 1, .n = 2, .time_ms = 256, .filler = TEXT("foobar") } } },
	{ CAPSULE_SEEN, seen_get, seen_put, 7, BYTES(0x07, 7, 1, 2, 0xff, 0xff, 0xff, 0xfe, 1),
	  { .seen = { .id = 1, .n = 2, .arrival_ms = 0xfffffffe, .intact = true } } },
	{ CAPSULE_PROBED, probed_get, probed_put, 12, BYTES(0x18, 12, 5, 2, 11, 2, 0x50, 0, 5, '1', '.', '1', ' ', 'p'),
	  { .probed = { .x = 5, .copies = 2, .version = 11, .framing = FRAMING_CHUNKED, .body = 4096,
			.via = TEXT("1.1 p") } } },
};

static void vectors_hold(void **state)
{
	(void)state;
	check_vectors(vectors, sizeof vectors / sizeof *vectors);
}

static int hello(const uint8_t *p, size_t n, struct message_hello *m)
{
	return message_hello_get((struct span){ p, n }, m);
}

static void parameters_are_read(void **state)
{
	struct message_hello m;

	(void)state;
	assert_int_equal(hello(BYTES(1, 1, 0, 4, 4, 0x80, 0, 0xea, 0x60, 6, 0, 0x40, 0x99, 3, 1, 2, 3), &m), 0);
	assert_int_equal(m.params.has, HAS(PARAM_KEEPALIVE) | HAS(PARAM_AGENT));
	assert_int_equal(m.params.keepalive_ms, 60000);
	assert_int_equal(m.params.agent.n, 0);
	/* Known, but not in HELLO: ignored, whatever it holds. */
	assert_int_equal(hello(BYTES(1, 1, 0, 17, 1, 99, 5, 0, 20, 1, 7), &m), 0);
	assert_int_equal(m.params.has, 0);
}

static void parameters_out_of_range_are_malformed(void **state)
{
	struct message_hello m;
	struct message_welcome w;
	uint8_t long_agent[5 + 129] = { 1, 1, 0, 6, 0x40 };

	(void)state;
	assert_int_equal(hello(BYTES(1, 1, 0, 4, 2, 0x41, 0xf4), &m), 0);
	assert_int_equal(hello(BYTES(1, 1, 0, 4, 2, 0x41, 0xf3), &m), ERROR_MALFORMED);		     /* 499 ms */
	assert_int_equal(hello(BYTES(1, 1, 0, 4, 4, 0x80, 0, 0xea, 0x61), &m), ERROR_MALFORMED);     /* 60,001 ms */
	assert_int_equal(hello(BYTES(1, 1, 0, 1, 4, 0x80, 0, 0xff, 0xff), &m), 0);
	assert_int_equal(hello(BYTES(1, 1, 0, 1, 4, 0x80, 1, 0, 0), &m), ERROR_MALFORMED);	     /* 65,536 channels */
	assert_int_equal(hello(BYTES(1, 1, 0, 1, 0), &m), ERROR_MALFORMED);			     /* no number */
	assert_int_equal(hello(BYTES(1, 1, 0, 1, 1, 0x40), &m), ERROR_MALFORMED);		     /* half a number */
	assert_int_equal(hello(BYTES(1, 1, 0, 1, 2, 1, 1), &m), ERROR_MALFORMED);		     /* two numbers */
	assert_int_equal(hello(BYTES(1, 1, 0, 1, 2, 1), &m), ERROR_MALFORMED);			     /* past the end */
	assert_int_equal(message_welcome_get((struct span){ BYTES(1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 5, 4,
								  0x80, 0, 0xea, 0x61) }, &w), ERROR_MALFORMED);
	long_agent[5] = 128;
	assert_int_equal(hello(long_agent, sizeof long_agent - 2, &m), ERROR_MALFORMED);
	memmove(long_agent + 5, long_agent + 6, 128);
	long_agent[4] = 0x40, long_agent[5] = 0x80;
	assert_int_equal(hello(long_agent, 6 + 128, &m), 0);
	assert_int_equal(m.params.agent.n, 128);
}

static void repeated_parameters_are_malformed(void **state)
{
	struct message_hello m;

	(void)state;
	assert_int_equal(hello(BYTES(1, 1, 0, 1, 1, 5, 2, 1, 5, 1, 1, 5), &m), ERROR_MALFORMED);
	assert_int_equal(hello(BYTES(1, 1, 0, 30, 0, 30, 0), &m), ERROR_MALFORMED);	       /* unknown, small */
	assert_int_equal(hello(BYTES(1, 1, 0, 0x40, 0x99, 0, 31, 0, 0x40, 0x99, 0), &m), ERROR_MALFORMED);
	assert_int_equal(hello(BYTES(1, 1, 0, 17, 0, 17, 0), &m), ERROR_MALFORMED);	       /* of other messages */
	assert_int_equal(hello(BYTES(1, 1, 0, 0, 0, 0x40, 0, 0), &m), ERROR_MALFORMED);	       /* in two spellings */
	assert_int_equal(hello(BYTES(1, 1, 0, 0, 0, 7, 0, 0x40, 0x99, 0, 0x40, 0x98, 0), &m), 0);
}

static void many_unknown_parameters_are_ignored(void **state)
{
	struct message_hello m;
	uint8_t *value = malloc(3 + 3 * 1000 + 3);
	struct writer w;

	(void)state;
	writer_init(&w, value, 3 + 3 * 1000 + 3);
	writer_bytes(&w, "\1\1\0", 3);
	for (unsigned i = 0; i < 1000; i++) {
		writer_varint(&w, 1000 + i);
		writer_u8(&w, 0);
	}
	writer_bytes(&w, "\1\1\7", 3);
	assert_false(w.full);
	assert_int_equal(hello(value, writer_len(&w), &m), 0);
	assert_int_equal(m.params.max_channels, 7);
	free(value);
}

static void one_field_goes_out_under_the_id_of_its_message(void **state)
{
	static const uint8_t golden[] = { 0x08, 6, 1, 1, 0, 3, 1, 9 };
	struct message_hello m = { .version_min = 1, .version_max = 1, .params = { .channel_window = 9 } };
	uint8_t out[32];
	struct writer w;

	(void)state;
	m.params.has = HAS(PARAM_WINDOW);
	writer_init(&w, out, sizeof out);
	assert_true(message_hello_put(&w, &m));
	assert_int_equal(writer_len(&w), sizeof golden);
	assert_memory_equal(out, golden, sizeof golden);
}

static void trailing_octets_are_ignored(void **state)
{
	struct message_farewell f;
	struct message_seen s;
	uint64_t token;

	(void)state;
	assert_int_equal(message_farewell_get((struct span){ BYTES(1, 0, 0, 0, 0, 0, 'x', 'y') }, &f), 0);
	assert_int_equal(message_seen_get((struct span){ BYTES(1, 2, 0, 0, 0, 5, 2, 'x') }, &s), 0);
	assert_false(s.intact); /* only 1 says so */
	assert_int_equal(message_token_get((struct span){ BYTES(9, 9, 9) }, &token), 0);
	assert_int_equal(token, 9);
}

static void texts_have_a_limit(void **state)
{
	static const uint8_t text[MESSAGE_TEXT_MAX + 1];
	struct message_farewell m = { .elsewhere = { text, MESSAGE_TEXT_MAX }, .reason = { text, MESSAGE_TEXT_MAX } }, back;
	uint8_t out[1024];
	struct writer w;

	(void)state;
	writer_init(&w, out, sizeof out);
	assert_true(message_farewell_put(&w, CAPSULE_BYE, &m));
	assert_int_equal(out[0], CAPSULE_BYE);
	assert_int_equal(message_farewell_get((struct span){ out + 3, writer_len(&w) - 3 }, &back), 0);
	assert_int_equal(back.elsewhere.n, MESSAGE_TEXT_MAX);
	m.reason.n++;
	writer_init(&w, out, sizeof out);
	assert_false(message_farewell_put(&w, CAPSULE_BYE, &m));
	assert_int_equal(writer_len(&w), 0);
	assert_int_equal(message_farewell_get((struct span){ BYTES(1, 0, 0, 0, 0x41, 0x01) }, &back), ERROR_MALFORMED);
}

static int receipt(const uint8_t *p, size_t n)
{
	struct message_receipt m;

	return message_receipt_get((struct span){ p, n }, &m);
}

static void impossible_receipts_are_malformed(void **state)
{
	(void)state;
	assert_int_equal(receipt(BYTES(0, 0, 0, 5, 0)), ERROR_MALFORMED);		/* no range */
	assert_int_equal(receipt(BYTES(0, 0, 33, 5, 0)), ERROR_MALFORMED);		/* too many */
	assert_int_equal(receipt(BYTES(0, 0, 1, 5, 6)), ERROR_MALFORMED);		/* below 0 */
	assert_int_equal(receipt(BYTES(0, 0, 1, 5, 5)), 0);
	assert_int_equal(receipt(BYTES(0, 0, 2, 5, 5, 0, 0)), ERROR_MALFORMED);		/* nothing is below 0 */
	assert_int_equal(receipt(BYTES(0, 0, 2, 5, 4, 0, 0)), ERROR_MALFORMED);
	assert_int_equal(receipt(BYTES(0, 0, 2, 5, 3, 0, 0)), 0);			/* 2..5 and 0 */
	assert_int_equal(receipt(BYTES(0, 0, 2, 5, 3, 1, 0)), ERROR_MALFORMED);
	assert_int_equal(receipt(BYTES(0, 0, 2, 5, 3, 0, 1)), ERROR_MALFORMED);
	assert_int_equal(receipt(BYTES(0, 0, 2, 9, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0)), ERROR_MALFORMED);
}

static void the_longest_receipt_round_trips(void **state)
{
	struct message_receipt m = { .carrier = 65535, .delay_us = VARINT_MAX }, back;
	uint8_t out[1024];
	struct writer w;

	(void)state;
	writer_init(&w, out, sizeof out);
	assert_false(message_receipt_put(&w, &m)); /* nothing to say */
	for (uint64_t i = 0; i < RANGES_MAX; i++)
		ranges_add(&m.ranges, i << 57, (i << 57) + (UINT64_C(1) << 56), false);
	assert_int_equal(m.ranges.n, RANGES_MAX);
	assert_true(message_receipt_put(&w, &m));
	assert_int_equal(message_receipt_get((struct span){ out + 3, writer_len(&w) - 3 }, &back), 0);
	assert_int_equal(back.ranges.n, RANGES_MAX);
	assert_memory_equal(back.ranges.r, m.ranges.r, sizeof m.ranges.r);
	assert_true(back.delay_us == VARINT_MAX);
}

static void pads_are_zero_and_limited(void **state)
{
	uint8_t *p = malloc(CAPSULE_PAD_MAX + 5);
	struct writer w;

	(void)state;
	memset(p, 0xff, CAPSULE_PAD_MAX + 5);
	writer_init(&w, p, 7);
	assert_false(message_pad_put(&w, 6));
	assert_true(message_pad_put(&w, 5));
	assert_memory_equal(p, "\x02\x05\0\0\0\0\0\xff", 8);
	writer_init(&w, p, CAPSULE_PAD_MAX + 5);
	assert_false(message_pad_put(&w, CAPSULE_PAD_MAX + 1));
	assert_true(message_pad_put(&w, CAPSULE_PAD_MAX));
	assert_int_equal(writer_left(&w), 0);
	free(p);
}

static void pads_fill_up(void **state)
{
	uint8_t *p = malloc(20000);
	struct writer w;

	(void)state;
	for (size_t n = 0; n < 17000; n++) {
		size_t most = n < 2 ? 2 : n == 66 ? 67 : n == 16387 || n == 16388 ? 16389 : n;

		writer_init(&w, p, 20000);
		assert_true(message_fill_put(&w, n));
		assert_int_equal(writer_len(&w), most);
	}
	writer_init(&w, p, 99);
	assert_false(message_fill_put(&w, 100));
	assert_int_equal(writer_len(&w), 0);
	free(p);
}

static void numbers_too_large_are_not_written(void **state)
{
	uint8_t out[64];
	struct writer w;

	(void)state;
	writer_init(&w, out, sizeof out);
	assert_false(message_token_put(&w, CAPSULE_PING, VARINT_MAX + 1));
	assert_int_equal(writer_len(&w), 0);
	assert_true(message_token_put(&w, CAPSULE_PING, VARINT_MAX));
}

static void checks_are_fnv_1a(void **state)
{
	(void)state;
	assert_int_equal(message_check((struct span){ NULL, 0 }), 0x811c9dc5);
	assert_int_equal(message_check((struct span)TEXT("a")), 0xe40c292c);
	assert_int_equal(message_check((struct span)TEXT("foobar")), 0xbf9cf968);
}

static void text_is(const char *in, size_t n, const char *expected)
{
	char out[MESSAGE_TEXT_MAX + 1];

	message_text_get(out, (struct span){ (const uint8_t *)in, n });
	assert_string_equal(out, expected);
}

static void test_text(void **state)
{
	char large[300];

	(void)state;
	text_is("", 0, "");
	text_is("gr\xc3\xbc\xc3\x9f" "e \xe2\x82\xac \xf0\x9f\x98\x80", 16, "gr\xc3\xbc\xc3\x9f" "e \xe2\x82\xac \xf0\x9f\x98\x80");
	text_is("a\033[2J\r\n\0\x7f", 9, "a?[2J????");
	text_is("\xc2\x9b" "2J\x9b" "2J \xc2\xa0", 9, "??2J?2J \xc2");
	text_is("\xc2", 1, "\xc2");
	text_is("\x9b\xc2\x80", 3, "???");
	memset(large, 'x', sizeof large);
	large[256] = 0;
	text_is(large, sizeof large, large);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_text),
		cmocka_unit_test(vectors_hold),
		cmocka_unit_test(parameters_are_read),
		cmocka_unit_test(parameters_out_of_range_are_malformed),
		cmocka_unit_test(repeated_parameters_are_malformed),
		cmocka_unit_test(many_unknown_parameters_are_ignored),
		cmocka_unit_test(one_field_goes_out_under_the_id_of_its_message),
		cmocka_unit_test(trailing_octets_are_ignored),
		cmocka_unit_test(texts_have_a_limit),
		cmocka_unit_test(impossible_receipts_are_malformed),
		cmocka_unit_test(the_longest_receipt_round_trips),
		cmocka_unit_test(pads_are_zero_and_limited),
		cmocka_unit_test(pads_fill_up),
		cmocka_unit_test(numbers_too_large_are_not_written),
		cmocka_unit_test(checks_are_fnv_1a),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
