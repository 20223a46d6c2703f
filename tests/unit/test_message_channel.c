/* links: framing/message_channel.c framing/message.c framing/capsule.c framing/cursor.c framing/varint.c */
/* Messages of channels: golden bytes, names, forms of datagrams, limits. */
#include "tests/unit/message_check.h"

#include "framing/varint.h"

ADAPT(open, open)
ADAPT(opened, opened)
ADAPT(refused, refused)
ADAPT(datagram, datagram)
ADAPT(ack, ack)
ADAPT(window, window)
ADAPT(reset, reset)
ADAPT(close, close)

static int stream_get(struct span value, union any_message *m)
{
	return message_stream_get(value, &m->stream);
}

static bool stream_put(struct writer *w, const union any_message *any)
{
	const struct message_stream *m = &any->stream;

	if (!message_stream_head_put(w, m->channel, m->offset, m->fin, m->bytes.n))
		return false;
	writer_bytes(w, m->bytes.p, m->bytes.n);
	assert_false(w->full);
	return true;
}

static const struct vector vectors[] = {
	{ CAPSULE_OPEN, open_get, open_put, 6, BYTES(0x10, 6, 2, 0, 0, 2, 's', '1'),
	  { .open = { .channel = 2, .kind = KIND_DATAGRAM, .target = TEXT("s1") } } },
	{ CAPSULE_OPEN, open_get, open_put, 7,
	  BYTES(0x10, 23, 0x40, 0x40, 1, 0, 2, 'a', '-', 16, 1, 3, 17, 1, 4, 18, 2, 0x40, 0x64, 20, 4, 0x80, 0, 0x40, 0),
	  { .open = { .channel = 64,
		      .kind = KIND_STREAM,
		      .target = TEXT("a-"),
		      .params = { .has = HAS(PARAM_PORT_INDEX) | HAS(PARAM_CLASS) | HAS(PARAM_DEADLINE) | HAS(PARAM_WINDOW),
				  .port_index = 3,
				  .class = CLASS_BULK,
				  .deadline_ms = 100,
				  .channel_window = 16384 } } } },
	{ CAPSULE_OPENED, opened_get, opened_put, 1, BYTES(0x11, 7, 4, 17, 1, 1, 19, 1, 0),
	  { .opened = { .channel = 4,
			.params = { .has = HAS(PARAM_CLASS) | HAS(PARAM_IDLE), .class = CLASS_AUDIO, .idle_ms = 0 } } } },
	{ CAPSULE_OPEN, open_get, open_put, 6, BYTES(0x10, 19, 2, 0, 0, 2, 's', '1', 21, 1, 2, 22, 3, 0, 8, 111, 23, 3, 34, 96, 127),
	  { .open = { .channel = 2,
		      .kind = KIND_DATAGRAM,
		      .target = TEXT("s1"),
		      .params = { .has = HAS(PARAM_REDUNDANCY) | HAS(PARAM_AUDIO_TYPES) | HAS(PARAM_VIDEO_TYPES),
				  .redundancy = REDUNDANCY_NEVER,
				  .audio_types = { [0] = 1, [1] = 1, [13] = 0x80 },
				  .video_types = { [4] = 4, [12] = 1, [15] = 0x80 } } } } },
	{ CAPSULE_OPENED, opened_get, opened_put, 1, BYTES(0x11, 9, 4, 21, 1, 1, 22, 1, 0, 23, 0),
	  { .opened = { .channel = 4,
			.params = { .has = HAS(PARAM_REDUNDANCY) | HAS(PARAM_AUDIO_TYPES) | HAS(PARAM_VIDEO_TYPES),
				    .redundancy = REDUNDANCY_ALWAYS,
				    .audio_types = { [0] = 1 } } } } },
	{ CAPSULE_OPEN, open_get, open_put, 6, BYTES(0x10, 12, 2, 2, 0, 2, 's', '1', 24, 4, 'a', ',', 'b', '!'),
	  { .open = { .channel = 2,
		      .kind = KIND_MESSAGE,
		      .target = TEXT("s1"),
		      .params = { .has = HAS(PARAM_PROTOCOLS), .protocols = TEXT("a,b!") } } } },
	{ CAPSULE_OPENED, opened_get, opened_put, 1, BYTES(0x11, 4, 4, 25, 1, 'a'),
	  { .opened = { .channel = 4, .params = { .has = HAS(PARAM_PROTOCOL), .protocols = TEXT("a") } } } },
	{ CAPSULE_REFUSED, refused_get, refused_put, 6, BYTES(0x12, 6, 2, 10, 3, 'w', 'h', 'y'),
	  { .refused = { .channel = 2, .code = CODE_UNKNOWN_SERVICE, .sentence = TEXT("why") } } },
	{ CAPSULE_DATAGRAM, datagram_get, datagram_put, 3, BYTES(0x00, 5, 0x08, 0x9b, 0x32, 'h', 'i'),
	  { .datagram = { .channel = 2, .sequence = 0x9b32, .sequence_bits = 16, .payload = TEXT("hi") } } },
	{ CAPSULE_DATAGRAM, datagram_get, datagram_put, 4, BYTES(0x00, 5, 0x09, 0x01, 0x02, 0x03, 'h'),
	  { .datagram = { .channel = 2, .sequence = 0x010203, .sequence_bits = 24, .payload = TEXT("h") } } },
	{ CAPSULE_DATAGRAM, datagram_get, datagram_put, 5, BYTES(0x00, 5, 0x0a, 0xf1, 0x02, 0x03, 0x04),
	  { .datagram = { .channel = 2, .sequence = 0xf1020304, .sequence_bits = 32 } } },
	{ CAPSULE_DATAGRAM, datagram_get, datagram_put, 6, BYTES(0x00, 7, 0x0b, 0x01, 0x02, 0x03, 0x04, 10, 'x'),
	  { .datagram = { .channel = 2, .sequence = 0x01020304, .sequence_bits = 32, .age_ms = 10, .payload = TEXT("x") } } },
	{ CAPSULE_STREAM, stream_get, stream_put, 3, BYTES(0x13, 6, 0x08, 0x7b, 0xbd, 'a', 'b', 'c'),
	  { .stream = { .channel = 4, .offset = 15293, .bytes = TEXT("abc") } } },
	{ CAPSULE_STREAM, stream_get, stream_put, 2, BYTES(0x13, 2, 0x09, 0x00), { .stream = { .channel = 4, .fin = true } } },
	{ CAPSULE_ACK, ack_get, ack_put, 5, BYTES(0x14, 5, 2, 0x40, 0x64, 0x50, 0x00),
	  { .ack = { .channel = 2, .offset = 100, .limit = 4096 } } },
	{ CAPSULE_WINDOW, window_get, window_put, 5, BYTES(0x15, 5, 0x80, 0x10, 0, 0, 6),
	  { .window = { .bytes = 1048576, .channels = 6 } } },
	{ CAPSULE_RESET, reset_get, reset_put, 6, BYTES(0x16, 6, 2, 8, 0x40, 0x64, 1, 'r'),
	  { .reset = { .channel = 2, .code = CODE_PROTOCOL, .final = 100, .reason = TEXT("r") } } },
	{ CAPSULE_CLOSE, close_get, close_put, 3, BYTES(0x17, 3, 2, 17, 0), { .close = { .channel = 2, .code = CODE_IDLE } } },
};

static void vectors_hold(void **state)
{
	(void)state;
	check_vectors(vectors, sizeof vectors / sizeof *vectors);
}

static int open_named(const char *name, size_t n)
{
	uint8_t value[128] = { 2, 0, 0 };
	struct message_open m;
	struct writer w;

	writer_init(&w, value + 3, sizeof value - 3);
	writer_block(&w, name, n);
	return message_open_get((struct span){ value, 3 + writer_len(&w) }, &m);
}

static void names_are_checked(void **state)
{
	static const char longest[] = "abcdefghijklmnopqrstuvwxyz0123456789._-abcdefghijklmnopqrstuvwxyz";

	(void)state;
	assert_int_equal(open_named("a", 1), 0);
	assert_int_equal(open_named(longest, MESSAGE_NAME_MAX), 0);
	assert_int_equal(open_named(longest, MESSAGE_NAME_MAX + 1), ERROR_MALFORMED);
	assert_int_equal(open_named("", 0), ERROR_MALFORMED);
	assert_int_equal(open_named("A", 1), ERROR_MALFORMED);
	assert_int_equal(open_named("a b", 3), ERROR_MALFORMED);
	assert_int_equal(open_named("a/b", 3), ERROR_MALFORMED);
	assert_int_equal(open_named("a\0b", 3), ERROR_MALFORMED);
	assert_int_equal(open_named("\xc3\xa4", 2), ERROR_MALFORMED);
}

static void kinds_and_forms_are_checked(void **state)
{
	struct message_open m;

	(void)state;
	assert_int_equal(message_open_get((struct span){ BYTES(2, 2, 0, 1, 'a') }, &m), 0);
	assert_int_equal(message_open_get((struct span){ BYTES(2, 3, 0, 1, 'a') }, &m), ERROR_MALFORMED);
	assert_int_equal(message_open_get((struct span){ BYTES(2, 0, 1, 1, 'a') }, &m), ERROR_MALFORMED);
	assert_int_equal(message_open_get((struct span){ BYTES(2, 0, 2, 3, 'a', ':', '1') }, &m), ERROR_MALFORMED);
}

static void addresses_are_told_from_names(void **state)
{
	struct message_open m;

	(void)state;
	assert_int_equal(message_open_get((struct span){ BYTES(2, 1, 1, 3, 'a', ':', '1') }, &m), 0);
	assert_int_equal(m.form, FORM_ADDRESS);
	assert_int_equal(m.target.n, 3);
	assert_int_equal(message_open_get((struct span){ BYTES(2, 0, 1, 3, 'A', ':', '1') }, &m), 0);
	assert_int_equal(message_open_get((struct span){ BYTES(2, 2, 1, 3, 'a', ':', '1') }, &m), ERROR_MALFORMED);	/* no messages */
	assert_int_equal(message_open_get((struct span){ BYTES(2, 1, 0, 3, 'a', ':', '1') }, &m), ERROR_MALFORMED);	/* a name has none */
	assert_int_equal(message_open_get((struct span){ BYTES(2, 1, 1, 3, 'a', ' ', ':') }, &m), ERROR_MALFORMED);
	assert_int_equal(message_open_get((struct span){ BYTES(2, 1, 1, 0) }, &m), ERROR_MALFORMED);
}

static int opened_with(const uint8_t *params, size_t n)
{
	uint8_t value[300] = { 2 };
	struct message_opened m;

	memcpy(value + 1, params, n);
	return message_opened_get((struct span){ value, 1 + n }, &m);
}

static void parameters_are_checked(void **state)
{
	(void)state;
	assert_int_equal(opened_with(BYTES(17, 1, 4)), 0);
	assert_int_equal(opened_with(BYTES(17, 1, 5)), ERROR_MALFORMED);
	assert_int_equal(opened_with(BYTES(18, 1, 9)), ERROR_MALFORMED);
	assert_int_equal(opened_with(BYTES(18, 1, 10)), 0);
	assert_int_equal(opened_with(BYTES(18, 4, 0x80, 0, 0xea, 0x60)), 0);
	assert_int_equal(opened_with(BYTES(18, 4, 0x80, 0, 0xea, 0x61)), ERROR_MALFORMED);
	assert_int_equal(opened_with(BYTES(17, 1, 0, 18, 1, 10, 17, 1, 0)), ERROR_MALFORMED);
	assert_int_equal(opened_with(BYTES(21, 1, 2)), 0);
	assert_int_equal(opened_with(BYTES(21, 1, 3)), ERROR_MALFORMED);
	assert_int_equal(opened_with(BYTES(21, 0)), ERROR_MALFORMED);
	assert_int_equal(opened_with(BYTES(3, 1, 9)), 0); /* the session's id of a window: not here */
}

static void subprotocols_are_checked(void **state)
{
	uint8_t most[3 + MESSAGE_PROTOCOLS_MAX + 1] = { 25, 0x41, 0x00 };

	(void)state;
	assert_int_equal(opened_with(BYTES(25, 2, 'a', '!')), 0);
	assert_int_equal(opened_with(BYTES(25, 0)), ERROR_MALFORMED);
	assert_int_equal(opened_with(BYTES(25, 3, 'a', ',', 'b')), ERROR_MALFORMED);	/* one was chosen */
	assert_int_equal(opened_with(BYTES(25, 2, 'a', ' ')), ERROR_MALFORMED);
	assert_int_equal(opened_with(BYTES(25, 3, 'a', '\r', '\n')), ERROR_MALFORMED);
	assert_int_equal(opened_with(BYTES(25, 1, 0x80)), ERROR_MALFORMED);
	assert_int_equal(opened_with(BYTES(24, 0)), 0);		/* OPEN's: not here */
	memset(most + 3, 'p', sizeof most - 3);
	assert_int_equal(opened_with(most, sizeof most - 1), 0);
	most[2]++;
	assert_int_equal(opened_with(most, sizeof most), ERROR_MALFORMED);
}

static void payload_types_are_checked(void **state)
{
	uint8_t most[2 + MESSAGE_TYPES_MAX + 1] = { 22, MESSAGE_TYPES_MAX };
	struct message_params p = { .has = HAS(PARAM_AUDIO_TYPES) };
	struct message_opened m = { .channel = 2, .params = p };
	uint8_t out[256];
	struct writer w;

	(void)state;
	assert_int_equal(opened_with(BYTES(22, 2, 0, 127)), 0);
	assert_int_equal(opened_with(BYTES(22, 2, 0, 128)), ERROR_MALFORMED);
	assert_int_equal(opened_with(BYTES(23, 1, 255)), ERROR_MALFORMED);
	assert_int_equal(opened_with(BYTES(22, 3, 5, 5, 5)), 0);	/* once is as good */
	assert_int_equal(opened_with(BYTES(22, 1, 0, 22, 1, 0)), ERROR_MALFORMED);
	for (uint8_t i = 0; i <= MESSAGE_TYPES_MAX; i++)
		most[2 + i] = i;
	assert_int_equal(opened_with(most, 2 + MESSAGE_TYPES_MAX), 0);
	most[1]++;
	assert_int_equal(opened_with(most, sizeof most), ERROR_MALFORMED);
	/* What the peer would not take is not written. */
	memset(m.params.audio_types, 0xff, 4);
	writer_init(&w, out, sizeof out);
	assert_true(message_opened_put(&w, &m));
	m.params.audio_types[9] = 1;
	writer_init(&w, out, sizeof out);
	assert_false(message_opened_put(&w, &m));
	assert_int_equal(writer_len(&w), 0);
}

static void one_field_goes_out_under_the_id_of_its_message(void **state)
{
	static const uint8_t golden[] = { 0x11, 4, 2, 20, 1, 9 };
	struct message_opened m = { .channel = 2, .params = { .has = HAS(PARAM_CHANNEL_WINDOW), .channel_window = 9 } };
	uint8_t out[32];
	struct writer w;

	(void)state;
	writer_init(&w, out, sizeof out);
	assert_true(message_opened_put(&w, &m));
	assert_int_equal(writer_len(&w), sizeof golden);
	assert_memory_equal(out, golden, sizeof golden);
	assert_int_equal(message_opened_get((struct span){ golden + 2, 4 }, &m), 0);
	assert_int_equal(m.params.has, HAS(PARAM_WINDOW));
}

static void ages_choose_the_form(void **state)
{
	struct message_datagram m = { .channel = 1, .sequence = 0x01020304, .sequence_bits = 16, .age_ms = 9 }, back;
	uint8_t out[64];
	struct writer w;

	(void)state;
	writer_init(&w, out, sizeof out);
	assert_true(message_datagram_put(&w, &m));
	assert_memory_equal(out, "\x00\x03\x04\x03\x04", 5);
	m.age_ms = 10;
	writer_init(&w, out, sizeof out);
	assert_true(message_datagram_put(&w, &m));
	assert_memory_equal(out, "\x00\x06\x07\x01\x02\x03\x04\x0a", 8);
	m.age_ms = UINT64_MAX; /* told as the most that 4 bytes hold */
	writer_init(&w, out, sizeof out);
	assert_true(message_datagram_put(&w, &m));
	assert_int_equal(message_datagram_get((struct span){ out + 2, writer_len(&w) - 2 }, &back), 0);
	assert_int_equal(back.age_ms, (1 << 30) - 1);
	assert_int_equal(back.sequence, 0x01020304);
}

static void datagrams_have_their_limits(void **state)
{
	const size_t most = MESSAGE_DATAGRAM_MAX + MESSAGE_DATAGRAM_HEAD_MAX;
	uint8_t *payload = calloc(1, MESSAGE_DATAGRAM_MAX + 1), *out = malloc(most);
	struct message_datagram back, m = { .channel = VARINT_MAX / 4, .age_ms = UINT64_MAX };
	struct writer w;
	uint64_t type;
	ssize_t head;
	size_t len;

	(void)state;
	m.payload = (struct span){ payload, MESSAGE_DATAGRAM_MAX };
	writer_init(&w, out, most);
	assert_true(message_datagram_put(&w, &m));
	head = capsule_head_get(out, writer_len(&w), CAPSULE_MAX, &type, &len);
	assert_int_equal(head, 5);
	assert_int_equal(message_datagram_get((struct span){ out + head, len }, &back), 0);
	assert_int_equal(back.payload.n, MESSAGE_DATAGRAM_MAX);
	assert_true(back.channel == VARINT_MAX / 4);
	m.payload.n++;
	writer_init(&w, out, most);
	assert_false(message_datagram_put(&w, &m));
	m.payload.n = 0;
	m.channel++;
	assert_false(message_datagram_put(&w, &m));
	free(out);
	out = calloc(1, 3 + MESSAGE_DATAGRAM_MAX + 1);
	assert_int_equal(message_datagram_get((struct span){ out, 3 + MESSAGE_DATAGRAM_MAX }, &back), 0);
	assert_int_equal(message_datagram_get((struct span){ out, 3 + MESSAGE_DATAGRAM_MAX + 1 }, &back), ERROR_MALFORMED);
	free(out);
	free(payload);
}

static void streams_end_below_the_largest_number(void **state)
{
	static const uint8_t last[] = { 4, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xfd, 'a', 'b' };
	struct message_stream m;
	struct message_reset r = { .final = VARINT_MAX };
	uint8_t out[64];
	struct writer w;

	(void)state;
	/* Final size + 1 must be sayable in an ACK. */
	assert_int_equal(message_stream_get((struct span){ last, sizeof last - 1 }, &m), 0);
	assert_int_equal(message_stream_get((struct span){ last, sizeof last }, &m), ERROR_MALFORMED);
	writer_init(&w, out, sizeof out);
	assert_true(message_reset_put(&w, &r));
	assert_int_equal(message_reset_get((struct span){ out + 2, writer_len(&w) - 2 }, &r), ERROR_MALFORMED);
}

static void stream_heads_leave_room_for_the_bytes(void **state)
{
	uint8_t *out = malloc(CAPSULE_MAX + 5);
	struct writer w;

	(void)state;
	writer_init(&w, out, CAPSULE_MAX + 5);
	assert_false(message_stream_head_put(&w, VARINT_MAX / 2, VARINT_MAX, true, CAPSULE_MAX - 15));
	assert_false(message_stream_head_put(&w, VARINT_MAX / 2 + 1, 0, true, 1));
	assert_false(message_stream_head_put(&w, 1, VARINT_MAX + 1, true, 1));
	assert_false(message_stream_head_put(&w, 1, 1, true, SIZE_MAX));
	assert_int_equal(writer_len(&w), 0);
	assert_true(message_stream_head_put(&w, VARINT_MAX / 2, VARINT_MAX, true, CAPSULE_MAX - 16));
	assert_true(writer_len(&w) <= MESSAGE_STREAM_HEAD_MAX);
	assert_int_equal(writer_left(&w), CAPSULE_MAX - 16);
	free(out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(vectors_hold),
		cmocka_unit_test(names_are_checked),
		cmocka_unit_test(kinds_and_forms_are_checked),
		cmocka_unit_test(addresses_are_told_from_names),
		cmocka_unit_test(parameters_are_checked),
		cmocka_unit_test(subprotocols_are_checked),
		cmocka_unit_test(payload_types_are_checked),
		cmocka_unit_test(one_field_goes_out_under_the_id_of_its_message),
		cmocka_unit_test(ages_choose_the_form),
		cmocka_unit_test(datagrams_have_their_limits),
		cmocka_unit_test(streams_end_below_the_largest_number),
		cmocka_unit_test(stream_heads_leave_room_for_the_bytes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
