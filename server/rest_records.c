/*
 * REST bodies as records: a type, a length in three octets, a payload (REST.md 3). The first one is the head, which is JSON.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "framing/cursor.h"
#include "framing/error.h"
#include "framing/utf8.h"
#include "framing/websocket.h"
#include "server/rest_body.h"
#include "server/rest_stream.h"

#define HEAD_MAX 4096

enum record { RECORD_PADDING = 0, RECORD_PIECE = 3, RECORD_HEAD = 16, RECORD_MARK = 17 };

struct reading {
	struct rest_body *body;
	struct rest_message **at;	/* where the next message goes */
	struct rest_message *open;	/* of which pieces came */
	size_t cap;
	size_t message_max;
	const char *why;
};

static int wrong(struct reading *r, const char *sentence)
{
	r->why = sentence;
	return ERROR_MALFORMED;
}

static int add(struct reading *r, uint8_t type, struct span p)
{
	size_t have = r->open ? r->open->n : 0;
	struct rest_message *m;

	if (have + p.n > r->message_max) {
		r->why = "a message is longer than message_max: send shorter ones";
		return ERROR_LIMIT;
	}
	if (!r->open || have + p.n > r->cap) {
		r->cap = type == RECORD_PIECE ? (have + p.n) * 2 : have + p.n;
		r->open = realloc(r->open, sizeof *m + r->cap);
		if (!r->open)
			abort();
	}
	m = r->open;
	*m = (struct rest_message){ .type = type, .n = have + p.n };
	if (p.n)
		memcpy(m->p + have, p.p, p.n);
	if (type == RECORD_PIECE)
		return 0;
	if (type == REST_TEXT && !utf8_ok(m->p, m->n))
		return wrong(r, "a text message must be UTF-8");
	*r->at = m;
	r->at = &m->next;
	r->open = NULL;
	return 0;
}

static int close_record(struct reading *r, struct span p)
{
	unsigned code = p.n >= 2 ? (unsigned)p.p[0] << 8 | p.p[1] : WEBSOCKET_NO_CODE;
	struct span reason = { p.p + (p.n >= 2 ? 2 : 0), p.n >= 2 ? p.n - 2 : 0 };
	struct rest_message *m;

	if (p.n == 1 || (p.n && code == WEBSOCKET_NO_CODE) || !rest_close_ok(code, reason.p, reason.n) || r->open)
		return wrong(r, "a close must have no payload, or a code that may be sent and a reason of at most 123 octets of UTF-8");
	m = rest_message_new(REST_CLOSE, reason.p, reason.n);
	m->code = code;
	*r->at = m;
	r->at = &m->next;
	return 0;
}

static int record(struct reading *r, uint8_t type, struct span p)
{
	switch (type) {
	case RECORD_PADDING:
		return 0;
	case REST_TEXT:
	case REST_BINARY:
	case RECORD_PIECE:
		return add(r, type, p);
	case REST_CLOSE:
		return close_record(r, p);
	default:
		return wrong(r, "a record of a type that is not known: 0, 1, 2, 3 and 8 follow the head");
	}
}

static int read_head(struct reading *r, struct cursor *c)
{
	uint8_t type = cursor_u8(c);
	size_t n = (size_t)cursor_u8(c) << 16;
	struct span head;

	n |= cursor_u16(c);
	head = cursor_bytes(c, n);
	if (c->bad || type != RECORD_HEAD || n > HEAD_MAX)
		return wrong(r, "the first record must be the head: type 16, JSON");
	return rest_json_read(r->body, head.p, head.n, 0, &r->why);
}

static int read_all(struct reading *r, struct cursor *c)
{
	int error = read_head(r, c);

	if (error == 0 && r->body->messages) {
		rest_message_free(r->body->messages);
		r->body->messages = NULL;
		return wrong(r, "messages are records, not in the head");
	}
	while (error == 0 && cursor_left(c) > 0) {
		uint8_t type = cursor_u8(c);
		size_t n = (size_t)cursor_u8(c) << 16;
		struct span p;

		n |= cursor_u16(c);
		p = cursor_bytes(c, n);
		error = c->bad ? wrong(r, "a record is cut off") : record(r, type, p);
	}
	if (error == 0 && r->open)
		return wrong(r, "a message is cut off: its last piece has type 1 or 2");
	if (error == 0 && r->body->messages && !r->body->seq)
		return wrong(r, "messages need seq, the number of the first");
	return error;
}

int rest_records_read(struct rest_body *b, const uint8_t *p, size_t n, size_t message_max, const char **why)
{
	struct reading r = { .body = b, .at = &b->messages, .message_max = message_max };
	struct cursor c;
	int error = 0;

	memset(b, 0, sizeof *b);
	cursor_init(&c, p, n);
	if (n > 0)
		error = read_all(&r, &c);
	*why = r.why;
	rest_message_free(r.open);
	if (error < 0) {
		rest_message_free(b->messages);
		b->messages = NULL;
	}
	return error;
}

/* ---- writing ---- */

static void head(uint8_t *p, uint8_t type, size_t n)
{
	p[0] = type;
	p[1] = (uint8_t)(n >> 16);
	p[2] = (uint8_t)(n >> 8);
	p[3] = (uint8_t)n;
}

static void one(struct rest_text *t, const struct rest_message *m)
{
	size_t code = m->type == REST_CLOSE && m->code != WEBSOCKET_NO_CODE ? 2 : 0;
	uint8_t *p = rest_text_room(t, 4 + code);

	head(p, m->type, m->n + code);
	if (code) {
		p[4] = (uint8_t)(m->code >> 8);
		p[5] = (uint8_t)m->code;
	}
	rest_text_put(t, m->p, m->n);
}

static void put_head(struct rest_text *t, const struct rest_answer *a)
{
	size_t at = t->n;

	(void)rest_text_room(t, 4);
	rest_text_put(t, "{", 1);
	rest_json_head(t, a);
	rest_text_put(t, "}", 1);
	head(t->p + at, RECORD_HEAD, t->n - at - 4);
}

void rest_records_write(struct rest_text *t, const struct rest_answer *a)
{
	const struct rest_message *m = a->first;

	put_head(t, a);
	for (size_t i = 0; i < a->count; i++, m = m->next)
		one(t, m);
}

/* ---- answers that go on ---- */

static void padding(struct rest_text *t, size_t n)
{
	uint8_t *p = rest_text_room(t, 4 + n);

	memset(p, 0, 4 + n);
	head(p, RECORD_PADDING, n);
}

static void begin(struct rest_text *t, const struct rest_answer *a)
{
	put_head(t, a);
	padding(t, REST_STREAM_PRELUDE);
}

static void mark(struct rest_text *t, unsigned n, int64_t ms)
{
	size_t at = t->n;

	(void)rest_text_room(t, 4);
	rest_text_print(t, "{\"n\":%u,\"ms\":%" PRId64 "}", n, ms);
	head(t->p + at, RECORD_MARK, t->n - at - 4);
}

static void keepalive(struct rest_text *t)
{
	padding(t, 0);
}

const struct rest_stream_form rest_records_form = { "stream", "application/octet-stream", begin, put_head, mark, one, keepalive, NULL };
