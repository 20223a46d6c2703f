// links: framing/websocket.c framing/mask.c framing/utf8.c framing/cursor.c framing/varint.c
/* libs: -lwslay */
/*
 * WebSocket reader: the same messages however the bytes are cut, within the cap, text as UTF-8; and what was heard can be
 * written and is heard again. First octet: bit 0 masked, bits 1 to 7 the cap; second: size of portions.
 */
#include "tests/fuzz/fuzz.h"

#include "framing/error.h"
#include "framing/utf8.h"
#include "framing/websocket.h"

#define MESSAGE_MAX 8192

struct reading {
	uint64_t hash;
	uint8_t message[MESSAGE_MAX];
	size_t size, cap;
	bool open, closed;
	struct reading *again;	/* what is heard is written and read once more */
	struct websocket_reader *reader;
};

/* As one frame into the other reader. */
static void write_again(struct reading *r, enum websocket_opcode opcode, const uint8_t *p, size_t n)
{
	static uint8_t out[MESSAGE_MAX + WEBSOCKET_HEAD_MAX];
	ssize_t len;

	if (!r->again)
		return;
	len = websocket_frame_put(out, sizeof out, opcode, true, p, n, (const uint8_t *)"\x01\x80\xff\x7e");
	CHECK(len > 0 && websocket_reader_feed(r->again->reader, out, (size_t)len) == 0);
}

static void hear(struct reading *r, enum websocket_opcode opcode, const uint8_t *p, size_t n)
{
	fuzz_hash_number(&r->hash, opcode);
	fuzz_hash_number(&r->hash, n);
	fuzz_hash(&r->hash, p, n);
	write_again(r, opcode, p, n);
}

static int on_data(void *ctx, enum websocket_opcode type, const uint8_t *p, size_t n, bool first, bool last)
{
	struct reading *r = ctx;

	CHECK(first == !r->open && !r->closed);
	if (first)
		r->size = 0;
	r->open = !last;
	CHECK(n <= r->cap - r->size);
	if (n)
		memcpy(r->message + r->size, p, n);
	r->size += n;
	if (last) {
		CHECK(type == WEBSOCKET_BINARY || utf8_ok(r->message, r->size));
		hear(r, type, r->message, r->size);
	}
	return 0;
}

static int on_ping(void *ctx, struct span payload)
{
	CHECK(payload.n <= WEBSOCKET_CONTROL_MAX);
	hear(ctx, WEBSOCKET_PING, payload.p, payload.n);
	return 0;
}

static int on_pong(void *ctx, struct span payload)
{
	CHECK(payload.n <= WEBSOCKET_CONTROL_MAX);
	hear(ctx, WEBSOCKET_PONG, payload.p, payload.n);
	return 0;
}

static int on_close(void *ctx, unsigned code, struct span reason)
{
	struct reading *r = ctx;
	uint8_t out[WEBSOCKET_HEAD_MAX + WEBSOCKET_CONTROL_MAX];
	char text[WEBSOCKET_CONTROL_MAX] = "";
	ssize_t len;

	CHECK(!r->closed && (code == WEBSOCKET_NO_CODE || websocket_code_ok(code)) && utf8_ok(reason.p, reason.n));
	r->closed = true;
	fuzz_hash_number(&r->hash, code);
	fuzz_hash(&r->hash, reason.p, reason.n);
	if (!r->again || (reason.n && memchr(reason.p, 0, reason.n)))
		return 0;
	if (reason.n)
		memcpy(text, reason.p, reason.n);
	len = websocket_close_put(out, sizeof out, code, text, (const uint8_t *)"mask");
	CHECK(len > 0 && websocket_reader_feed(r->again->reader, out, (size_t)len) == 0 && r->again->hash == r->hash);
	return 0;
}

static const struct websocket_events events = { on_data, on_ping, on_pong, on_close };

static void listen_to(struct reading *r, bool masked, size_t cap)
{
	r->hash = 1;
	r->size = 0;
	r->cap = cap;
	r->open = r->closed = false;
	r->again = NULL;
	r->reader = websocket_reader_new(masked, cap, &events, r);
}

static void read_all(struct reading *r, const uint8_t *p, size_t n, size_t step)
{
	int rc = 0;

	for (size_t i = 0; i < n && rc == 0; i += step) {
		size_t len = n - i < step ? n - i : step;
		uint8_t *portion = fuzz_copy(p + i, len);

		rc = websocket_reader_feed(r->reader, portion, len);
		free(portion);
	}
	CHECK(rc == 0 || rc == ERROR_MALFORMED || rc == ERROR_LIMIT);
	CHECK((rc == ERROR_LIMIT) == (websocket_reader_code(r->reader) == WEBSOCKET_TOO_BIG));
	CHECK(rc == 0 || websocket_code_ok(websocket_reader_code(r->reader)));
	fuzz_hash_number(&r->hash, websocket_reader_code(r->reader));
	if (rc == 0) /* text that is refused is heard up to the portion in which it was */
		fuzz_hash_number(&r->hash, (uint64_t)r->open);
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	static struct reading whole, cut, again;
	size_t cap;

	if (n < 3)
		return 0;
	cap = (size_t)(p[0] >> 1) * 64;
	listen_to(&whole, p[0] & 1, cap);
	listen_to(&cut, p[0] & 1, cap);
	listen_to(&again, true, MESSAGE_MAX);
	whole.again = &again;
	read_all(&whole, p + 2, n - 2, n);
	read_all(&cut, p + 2, n - 2, (size_t)p[1] + 1);
	CHECK(whole.hash == cut.hash);
	websocket_reader_free(whole.reader);
	websocket_reader_free(cut.reader);
	websocket_reader_free(again.reader);
	return 0;
}
