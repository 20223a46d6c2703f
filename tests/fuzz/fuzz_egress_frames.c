// links: server/egress_frames.c framing/websocket.c framing/mask.c framing/utf8.c framing/cursor.c framing/varint.c
/* libs: -lwslay */
/*
 * Messages of a target's bytes, by lines and lengths: frames that are right, the same messages however the bytes are cut, none
 * longer than the cap; and what was heard, written to a target, is heard again. First octet: bit 0 lengths, bits 1 to 7 the cap;
 * second: size of portions.
 */
#include "tests/fuzz/fuzz.h"

#include "framing/error.h"
#include "server/egress_frames.h"

struct hearing {
	struct egress_frames_in in;
	struct websocket_reader *reader;
	struct egress_frames_out *out; /* where it is written to, or NULL */
	uint64_t hash;
	size_t size, messages;
	bool open, cannot;	/* be written: a line with a CR in it */
};

static int on_data(void *ctx, enum websocket_opcode type, const uint8_t *p, size_t n, bool first, bool last)
{
	struct hearing *h = ctx;

	CHECK(first == !h->open && type == (h->in.framing == EGRESS_LINES ? WEBSOCKET_TEXT : WEBSOCKET_BINARY));
	h->open = !last;
	h->size = first ? n : h->size + n;
	CHECK(h->size <= h->in.message_max);
	fuzz_hash(&h->hash, p, n);
	if (last) {
		fuzz_hash_number(&h->hash, h->size);
		h->messages++;
	}
	if (h->out && !h->cannot)
		h->cannot = egress_frames_write(h->out, type, p, n, first, last) < 0;
	return 0;
}

static int on_control(void *ctx, struct span payload)
{
	(void)ctx, (void)payload;
	abort();
}

static int on_close(void *ctx, unsigned code, struct span reason)
{
	(void)ctx, (void)code, (void)reason;
	abort();
}

static const struct websocket_events events = { on_data, on_control, on_control, on_close };

static void put(void *ctx, const uint8_t *p, size_t n)
{
	CHECK(websocket_reader_feed(((struct hearing *)ctx)->reader, p, n) == 0);
}

static int hear(struct hearing *h, uint8_t how, struct egress_frames_out *out, const uint8_t *p, size_t n, size_t step)
{
	size_t cap = (size_t)(how >> 1) * 64;
	int rc = 0;

	*h = (struct hearing){ .in = { .framing = how & 1 ? EGRESS_LENGTHS : EGRESS_LINES, .message_max = cap, .put = put, .ctx = h }, .out = out };
	h->reader = websocket_reader_new(false, cap, &events, h);
	for (size_t at = 0; at < n && !rc; at += step) {
		size_t len = n - at < step ? n - at : step;
		uint8_t *portion = fuzz_copy(p + at, len);

		rc = egress_frames_read(&h->in, portion, len);
		free(portion);
	}
	websocket_reader_free(h->reader);
	CHECK(rc == 0 || rc == ERROR_LIMIT || rc == ERROR_MALFORMED);
	return rc;
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct egress_frames_out out = { 0 };
	struct hearing whole, cut, again;
	int rc;

	if (n < 3)
		return 0;
	out.framing = p[0] & 1 ? EGRESS_LENGTHS : EGRESS_LINES;
	rc = hear(&whole, p[0], &out, p + 2, n - 2, n);
	hear(&cut, p[0], NULL, p + 2, n - 2, 1 + p[1] % 16);
	CHECK(whole.messages == cut.messages || rc);
	CHECK(rc || (whole.hash == cut.hash && egress_frames_between(&whole.in) == egress_frames_between(&cut.in)));
	if (!whole.cannot && !whole.open && out.p) {
		CHECK(hear(&again, p[0], NULL, out.p + out.at, out.ready - out.at, 7) == 0);
		CHECK(again.messages == whole.messages && again.hash == whole.hash);
	}
	egress_frames_fini(&out);
	return 0;
}
