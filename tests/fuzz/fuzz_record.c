/* links: framing/record.c framing/message.c framing/message_channel.c framing/capsule.c framing/cursor.c framing/varint.c */
/*
 * Record reader and messages: the same events however the body is cut, and each
 * message that is accepted can be written and reads the same again. First octet:
 * bit 0 strict; second: size of portions.
 */
#include "tests/fuzz/fuzz.h"

#include "framing/capsule.h"
#include "framing/error.h"
#include "framing/message.h"
#include "framing/record.h"

struct reading {
	uint64_t hash;
	bool open;
};

/* Reads a value as message M, writes it, and reads what was written: it must be
 * accepted and write the same bytes again. */
#define ROUND_TRIP(M, PUT)                                                                                             \
	do {                                                                                                           \
		static struct message_##M m;                                                                           \
		for (int round = 0; round < 2; round++) {                                                              \
			int rc = message_##M##_get(value, &m);                                                         \
			CHECK(rc == 0 || (rc == ERROR_MALFORMED && round == 0));                                       \
			if (rc != 0)                                                                                   \
				break;                                                                                 \
			writer_init(&w, out[round], sizeof out[round]);                                                \
			CHECK(PUT);                                                                                    \
			lens[round] = writer_len(&w);                                                                  \
			CHECK(capsule_head_get(out[round], lens[round], CAPSULE_MAX, &written, &len) > 0);             \
			CHECK(written == type && len <= lens[round]);                                                  \
			value = (struct span){ out[round] + lens[round] - len, len };                                  \
			CHECK(round == 0 || (lens[0] == lens[1] && memcmp(out[0], out[1], lens[0]) == 0));             \
		}                                                                                                      \
	} while (0)

static bool stream_put(struct writer *w, const struct message_stream *m)
{
	if (!message_stream_head_put(w, m->channel, m->offset, m->fin, m->bytes.n))
		return false;
	writer_bytes(w, m->bytes.p, m->bytes.n);
	return !w->full;
}

static void message(uint64_t type, struct span value)
{
	static uint8_t out[2][CAPSULE_MAX + CAPSULE_HEAD_MAX];
	size_t lens[2], len;
	uint64_t written, token;
	struct writer w;

	switch (type) {
	case CAPSULE_DATAGRAM: ROUND_TRIP(datagram, message_datagram_put(&w, &m)); break;
	case CAPSULE_RECEIPT: ROUND_TRIP(receipt, message_receipt_put(&w, &m)); break;
	case CAPSULE_MARK: ROUND_TRIP(mark, message_mark_put(&w, &m)); break;
	case CAPSULE_SEEN: ROUND_TRIP(seen, message_seen_put(&w, &m)); break;
	case CAPSULE_HELLO: ROUND_TRIP(hello, message_hello_put(&w, &m)); break;
	case CAPSULE_PROBED: ROUND_TRIP(probed, message_probed_put(&w, &m)); break;
	case CAPSULE_WELCOME: ROUND_TRIP(welcome, message_welcome_put(&w, &m)); break;
	case CAPSULE_GONE:
	case CAPSULE_BYE:
	case CAPSULE_GOAWAY: ROUND_TRIP(farewell, message_farewell_put(&w, type, &m)); break;
	case CAPSULE_OPEN: ROUND_TRIP(open, message_open_put(&w, &m)); break;
	case CAPSULE_OPENED: ROUND_TRIP(opened, message_opened_put(&w, &m)); break;
	case CAPSULE_REFUSED: ROUND_TRIP(refused, message_refused_put(&w, &m)); break;
	case CAPSULE_STREAM: ROUND_TRIP(stream, stream_put(&w, &m)); break;
	case CAPSULE_ACK: ROUND_TRIP(ack, message_ack_put(&w, &m)); break;
	case CAPSULE_WINDOW: ROUND_TRIP(window, message_window_put(&w, &m)); break;
	case CAPSULE_RESET: ROUND_TRIP(reset, message_reset_put(&w, &m)); break;
	case CAPSULE_CLOSE: ROUND_TRIP(close, message_close_put(&w, &m)); break;
	case CAPSULE_ANSWERS:
	case CAPSULE_PING:
	case CAPSULE_PONG: message_token_get(value, &token); break;
	default: break;
	}
}

static int on_begin(void *ctx, uint64_t number, uint32_t clock_ms)
{
	struct reading *r = ctx;

	CHECK(!r->open);
	r->open = true;
	fuzz_hash_number(&r->hash, number);
	fuzz_hash_number(&r->hash, clock_ms);
	return 0;
}

static int on_capsule(void *ctx, uint64_t type, struct span value)
{
	struct reading *r = ctx;
	uint8_t *copy;

	CHECK(r->open && value.n <= CAPSULE_MAX && type != CAPSULE_RECORD);
	fuzz_hash_number(&r->hash, type);
	fuzz_hash_number(&r->hash, value.n);
	fuzz_hash(&r->hash, value.p, value.n);
	copy = fuzz_copy(value.p, value.n);
	message(type, (struct span){ copy, value.n });
	free(copy);
	return 0;
}

static int on_end(void *ctx)
{
	struct reading *r = ctx;

	CHECK(r->open);
	r->open = false;
	fuzz_hash(&r->hash, "end", 3);
	return 0;
}

static const struct record_events events = { on_begin, on_capsule, on_end };

static uint64_t read_all(bool strict, const uint8_t *p, size_t n, size_t step)
{
	struct reading r = { .hash = 1 };
	struct record_reader reader;
	int rc = 0;

	record_reader_init(&reader, &events, &r, strict);
	for (size_t i = 0; i < n && rc == 0; i += step) {
		size_t len = n - i < step ? n - i : step;
		uint8_t *portion = fuzz_copy(p + i, len);

		rc = record_reader_feed(&reader, portion, len);
		free(portion);
	}
	CHECK(rc == 0 || rc == ERROR_MALFORMED || (rc == ERROR_HTTP && strict));
	CHECK(rc != 0 || r.open == reader.in_record);
	CHECK(rc != 0 || !record_reader_whole(&reader) || !r.open);
	fuzz_hash_number(&r.hash, (uint64_t)-rc);
	record_reader_fini(&reader);
	return r.hash;
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	if (n < 3)
		return 0;
	CHECK(read_all(p[0] & 1, p + 2, n - 2, n) == read_all(p[0] & 1, p + 2, n - 2, (size_t)p[1] + 1));
	return 0;
}
