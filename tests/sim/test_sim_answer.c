// links: tests/lib/stream_mem.c framing/*.c tunnel/*.c
/* libs: -lev -lhttp_parser -lssl -lcrypto -lconfuse -lcares -lm */
/*
 * What a server session answers, byte for byte and at which time: streamed answers as
 * their request wants them, and probes. The helper is a script of raw requests.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "framing/capsule.h"
#include "framing/error.h"
#include "framing/record.h"
#include "tests/lib/stream_mem.h"
#include "tunnel/carrier.h"
#include "tunnel/h1.h"
#include "tunnel/session_internal.h"

#define CONNS 6
#define EVENTS 80

/* A capsule that came, or a portion of a body. */
struct event {
	int64_t at;		/* ms since the request */
	uint64_t type, id, n;
	size_t size;		/* filler, or bytes of the portion */
	uint32_t time_ms;
	bool intact;
};

struct rig;

struct conn {
	struct rig *rig;
	struct stream *near;
	struct http1 *parser;
	struct record_reader in;
	int64_t asked;
	int status, minor;
	char type[40];
	struct message_probed probed;
	char via[MESSAGE_TEXT_MAX + 1];
	struct event event[EVENTS], portion[EVENTS];
	unsigned events, portions, records;
	size_t body;
	int64_t ended;		/* ms, -1: not yet */
	uint64_t farewell;	/* type */
	bool cut, probe;
};

struct rig {
	struct loop *loop;
	struct packet_pool *pool;
	struct session *session;
	struct conn conn[CONNS];
};

static int64_t age(const struct conn *c)
{
	return (loop_now(c->rig->loop) - c->asked) / LOOP_MS;
}

/* ---- reading ---- */

static int on_record(void *ctx, uint64_t number, uint32_t clock_ms)
{
	struct conn *c = ctx;

	(void)clock_ms;
	if (c->probe)
		assert_int_equal(number, c->records);	/* each body counts from 0 */
	c->records++;
	return 0;
}

static int on_capsule(void *ctx, uint64_t type, struct span value)
{
	struct conn *c = ctx;
	struct event *e = &c->event[c->events++];
	struct message_mark mark;
	struct message_seen seen;

	assert_true(c->events < EVENTS);
	e->at = age(c);
	e->type = type;
	if (type == CAPSULE_PROBED) {
		assert_int_equal(message_probed_get(value, &c->probed), 0);
		snprintf(c->via, sizeof c->via, "%.*s", (int)c->probed.via.n, (const char *)c->probed.via.p);
	} else if (type == CAPSULE_MARK) {
		assert_int_equal(message_mark_get(value, &mark), 0);
		*e = (struct event){ e->at, type, mark.id, mark.n, mark.filler.n, mark.time_ms,
				     message_check(mark.filler) == mark.check };
	} else if (type == CAPSULE_SEEN) {
		assert_int_equal(message_seen_get(value, &seen), 0);
		*e = (struct event){ e->at, type, seen.id, seen.n, 0, seen.arrival_ms, seen.intact };
	} else if (type == CAPSULE_GONE || type == CAPSULE_BYE) {
		c->farewell = type;
	}
	return 0;
}

static int on_record_end(void *ctx)
{
	(void)ctx;
	return 0;
}

static const struct record_events record_events = { on_record, on_capsule, on_record_end };

static int on_head(void *ctx, const struct http1_head *head)
{
	struct conn *c = ctx;
	struct span type = http1_find(head, "content-type");

	c->status = head->status;
	c->minor = head->minor;
	snprintf(c->type, sizeof c->type, "%.*s", (int)type.n, (const char *)type.p);
	return 0;
}

static int on_body(void *ctx, const uint8_t *p, size_t n)
{
	struct conn *c = ctx;

	c->body += n;
	if (c->portions && c->portion[c->portions - 1].at == age(c)) {
		c->portion[c->portions - 1].size += n;
	} else {
		assert_true(c->portions < EVENTS);
		c->portion[c->portions++] = (struct event){ .at = age(c), .size = n };
	}
	assert_int_equal(record_reader_feed(&c->in, p, n), 0);
	return 0;
}

static int on_end(void *ctx)
{
	((struct conn *)ctx)->ended = age(ctx);
	return 0;
}

static const struct http1_events parser_events = { on_head, on_body, on_end };

static void nothing(void *ctx)
{
	(void)ctx;
}

static void readable(void *ctx)
{
	struct conn *c = ctx;
	uint8_t buf[8192];
	ssize_t n;

	while ((n = stream_read(c->near, buf, sizeof buf)) > 0)
		assert_int_equal(http1_feed(c->parser, buf, (size_t)n), n);
	if (n == 0)
		http1_eof(c->parser);
	if (n != ERROR_AGAIN) {
		c->cut = true;
		stream_close(c->near);
		c->near = NULL;
	}
}

static void failed(void *ctx, int error)
{
	(void)error;
	((struct conn *)ctx)->cut = true;
}

static const struct stream_events near_events = { nothing, readable, nothing, failed };

/* ---- the server ---- */

static void on_request(void *ctx, struct exchange *x, const struct http1_head *head)
{
	struct rig *rig = ctx;
	struct request r;
	struct span path;

	assert_int_equal(request_parse(&r, "", head->target, &path), 0);
	carrier_accept(rig->session, &r, x, head);
}

static void server_closed(void *ctx, int error)
{
	(void)ctx, (void)error;
}

static const struct h1_events h1_events = { .request = on_request, .idle = nothing, .closed = server_closed };
static const struct session_events session_events = { 0 };

/* ---- the script ---- */

static struct rig *rig_new(void)
{
	struct rig *rig = calloc(1, sizeof *rig);

	rig->loop = loop_new_virtual(LOOP_SECOND, 1700000000);
	rig->pool = packet_pool_new(64, 8);
	rig->session = session_new(rig->loop, SESSION_SERVER, &session_config_default, rig->pool,
				   "AAAAAAAAAAAAAAAAAAAAAA", &session_events, rig);
	return rig;
}

static void rig_free(struct rig *rig)
{
	session_free(rig->session);
	for (unsigned i = 0; i < CONNS; i++) {
		struct conn *c = &rig->conn[i];

		if (c->near)
			stream_close(c->near);
		http1_free(c->parser);
		record_reader_fini(&c->in);
	}
	loop_advance(rig->loop, loop_now(rig->loop) + LOOP_SECOND);
	packet_pool_free(rig->pool);
	loop_free(rig->loop);
	free(rig);
}

static void run(struct rig *rig, int64_t ms)
{
	loop_advance(rig->loop, loop_now(rig->loop) + ms * LOOP_MS);
}

static void write_all(struct conn *c, const void *p, size_t n)
{
	assert_int_equal(stream_write(c->near, p, n), n);
}

/* A request on a fresh connection, without its body. framing: a header line. */
static struct conn *ask(struct rig *rig, unsigned i, const char *query, const char *framing, int minor)
{
	struct conn *c = &rig->conn[i];
	struct stream_mem_options o = stream_mem_plain;
	struct stream *far;
	char head[600];

	http1_free(c->parser);
	record_reader_fini(&c->in);
	if (c->near)
		stream_close(c->near);
	memset(c, 0, sizeof *c);
	c->rig = rig;
	c->asked = loop_now(rig->loop);
	c->ended = -1;
	c->probe = strstr(query, "m=probe");
	o.buffer = 1 << 20;
	c->parser = http1_new(HTTP1_RESPONSES, &parser_events, c);
	record_reader_init(&c->in, &record_events, c, true);
	stream_mem_pair(rig->loop, &c->near, &far, &o);
	stream_attach(c->near, &near_events, c);
	stream_want(c->near, true, false);
	h1_server(rig->loop, far, &h1_limits_default, &h1_events, rig);
	snprintf(head, sizeof head,
		 "POST /v1/AAAAAAAAAAAAAAAAAAAAAA?%s&e=0000000000000001 HTTP/1.%d\r\nHost: h\r\nVia: 1.1 a\r\n%s\r\n"
		 "vIA: 1.0 b (\xe9)\r\n\r\n", query, minor, framing);
	write_all(c, head, strlen(head));
	return c;
}

/* One record with marks first ... first + count - 1. bad: their check is wrong. */
static size_t marks(struct rig *rig, uint8_t *out, size_t cap, unsigned first, unsigned count, bool bad)
{
	struct record_builder b;

	record_begin(&b, out, cap, first, loop_clock(rig->loop));
	for (unsigned i = 0; i < count; i++)
		assert_true(message_mark_put(&b.w, &(struct message_mark){ .id = 9, .n = first + i,
									    .filler = { (const uint8_t *)"abc", 3 } }));
	if (bad)
		b.w.p[-1] ^= 1;
	return record_finish(&b);
}

static void chunk(struct conn *c, const uint8_t *p, size_t n)
{
	char head[20];

	snprintf(head, sizeof head, "%zx\r\n", n);
	write_all(c, head, strlen(head));
	write_all(c, p, n);
	write_all(c, "\r\n", 2);
}

static void send_mark(struct conn *c, unsigned n, bool bad)
{
	uint8_t body[200];

	chunk(c, body, marks(c->rig, body, sizeof body, n, 1, bad));
}

static const struct event *find(const struct conn *c, uint64_t type, unsigned which)
{
	for (unsigned i = 0; i < c->events; i++)
		if (c->event[i].type == type && which-- == 0)
			return &c->event[i];
	return NULL;
}

/* ---- streamed answers ---- */

static void answers_are_filled_up_and_kept_alive(void **state)
{
	struct rig *rig = rig_new();
	struct conn *down = ask(rig, 0, "c=1&x=1&m=down&pad=4096&sse=1&ka=300", "Content-Length: 0", 1), *up;
	uint8_t body[200];
	char length[40];
	size_t n;

	(void)state;
	run(rig, 100);
	assert_int_equal(down->status, 200);
	assert_string_equal(down->type, "text/event-stream");
	assert_int_equal(down->portions, 1);
	assert_int_equal(down->portion[0].size, 4096);
	run(rig, 900);
	assert_int_equal(down->portions, 4);
	assert_int_equal(down->portion[3].at, 900);
	assert_int_equal(down->portion[3].size, 4096);
	/* A mark comes; what is seen of it is a record on this answer. */
	n = marks(rig, body, sizeof body, 0, 1, false);
	snprintf(length, sizeof length, "Content-Length: %zu", n);
	up = ask(rig, 1, "c=1&x=2&m=poll", length, 1);
	write_all(up, body, n);
	run(rig, 1);
	assert_int_equal(down->portions, 5);
	assert_int_equal(down->portion[4].size, 4096);
	assert_non_null(find(down, CAPSULE_SEEN, 0));
	rig_free(rig);
}

static void answers_are_plain_by_default(void **state)
{
	struct rig *rig = rig_new();
	struct conn *c = ask(rig, 0, "c=1&x=1&m=down", "Content-Length: 0", 1);

	(void)state;
	run(rig, 7999);
	assert_string_equal(c->type, "application/octet-stream");
	assert_int_equal(c->portions, 1);
	assert_int_equal(c->portion[0].size, 2);
	run(rig, 1);
	assert_int_equal(c->portions, 2);
	rig_free(rig);
}

/* ---- probes ---- */

static void complete(void **state)
{
	struct rig *rig = rig_new();
	uint8_t body[200];
	struct conn *c;
	char length[40];
	size_t n = marks(rig, body, sizeof body, 0, 2, true);

	(void)state;
	snprintf(length, sizeof length, "Content-Length: %zu", n);
	c = ask(rig, 0, "c=0&x=7&m=probe&n=3&size=1000&hold=400&gap=50&pad=5000", length, 1);
	run(rig, 100);
	write_all(c, body, n);
	run(rig, 399);
	assert_int_equal(c->status, 0);
	run(rig, 1);
	assert_int_equal(c->ended, 500);
	assert_int_equal(c->records, 1);
	assert_int_equal(c->body, 5000);
	assert_string_equal(c->type, "application/octet-stream");
	assert_int_equal(c->event[0].type, CAPSULE_PROBED);
	assert_int_equal(c->probed.x, 7);
	assert_int_equal(c->probed.copies, 1);
	assert_int_equal(c->probed.version, 11);
	assert_int_equal(c->probed.framing, FRAMING_LENGTH);
	assert_int_equal(c->probed.body, n);
	assert_string_equal(c->via, "1.1 a, 1.0 b (?)");
	assert_true(find(c, CAPSULE_SEEN, 0)->intact);
	assert_false(find(c, CAPSULE_SEEN, 1)->intact);
	assert_int_equal(find(c, CAPSULE_SEEN, 1)->id, 9);
	assert_int_equal(find(c, CAPSULE_SEEN, 1)->n, 1);
	assert_int_equal(find(c, CAPSULE_MARK, 2)->n, 2);
	assert_int_equal(find(c, CAPSULE_MARK, 2)->id, 7);
	assert_int_equal(find(c, CAPSULE_MARK, 2)->size, 1000);
	assert_true(find(c, CAPSULE_MARK, 2)->intact);
	rig_free(rig);
}

/* What does not fit into one body is left out. */
static void complete_and_large(void **state)
{
	struct rig *rig = rig_new();
	struct conn *c = ask(rig, 0, "c=0&x=7&m=probe&n=32&size=20000", "Content-Length: 0", 0);

	(void)state;
	run(rig, 1);
	assert_int_equal(c->ended, 0);
	assert_non_null(find(c, CAPSULE_MARK, 3));
	assert_null(find(c, CAPSULE_MARK, 4));
	assert_int_equal(c->probed.version, 10);
	rig_free(rig);
}

static void streamed(void **state)
{
	struct rig *rig = rig_new();
	struct conn *c = ask(rig, 0, "c=0&x=7&m=probe&a=1&n=3&hold=300&gap=200&sse=1", "Transfer-Encoding: chunked", 1);

	(void)state;
	send_mark(c, 0, false);
	run(rig, 100);
	send_mark(c, 1, false);
	run(rig, 100);
	assert_int_equal(c->status, 0);
	write_all(c, "0\r\n\r\n", 5);
	run(rig, 5000);
	assert_int_equal(c->ended, 200 + 300 + 2 * 200);
	assert_string_equal(c->type, "text/event-stream");
	assert_int_equal(c->event[0].at, 200);
	assert_int_equal(c->probed.framing, FRAMING_CHUNKED);
	assert_int_equal(find(c, CAPSULE_SEEN, 1)->at, 200);
	assert_int_equal(find(c, CAPSULE_SEEN, 1)->time_ms - find(c, CAPSULE_SEEN, 0)->time_ms, 100);
	for (unsigned i = 0; i < 3; i++)
		assert_int_equal(find(c, CAPSULE_MARK, i)->at, 500 + 200 * i);
	assert_int_equal(find(c, CAPSULE_MARK, 2)->time_ms - find(c, CAPSULE_MARK, 0)->time_ms, 400);
	assert_int_equal(c->records, 4);
	rig_free(rig);
}

static void early(void **state)
{
	struct rig *rig = rig_new();
	struct conn *c = ask(rig, 0, "c=0&x=7&m=probe&a=2&n=1", "Transfer-Encoding: chunked", 1);

	(void)state;
	run(rig, 100);
	assert_int_equal(c->status, 200);
	assert_int_equal(c->event[0].type, CAPSULE_PROBED);
	assert_int_equal(c->probed.body, 0);
	for (unsigned i = 0; i < 3; i++) {
		send_mark(c, i, false);
		run(rig, 100);
		assert_int_equal(find(c, CAPSULE_SEEN, i)->at, 100 + 100 * i);
	}
	assert_null(find(c, CAPSULE_MARK, 0));
	write_all(c, "0\r\n\r\n", 5);
	run(rig, 1);
	assert_int_equal(c->ended, 400);
	assert_non_null(find(c, CAPSULE_PROBED, 1));
	assert_true(c->probed.body > 30);
	assert_non_null(find(c, CAPSULE_MARK, 0));
	rig_free(rig);
}

static void copies_are_counted(void **state)
{
	struct rig *rig = rig_new();
	char query[60];

	(void)state;
	for (unsigned i = 1; i <= 3; i++) {
		struct conn *c = ask(rig, 0, "c=0&x=7&m=probe", "Content-Length: 0", 1);

		run(rig, 10);
		assert_int_equal(c->probed.copies, i);
	}
	for (unsigned i = 0; i < 32; i++) {	/* pushes it out */
		snprintf(query, sizeof query, "c=0&x=%u&m=probe", 100 + i);
		assert_int_equal(ask(rig, 0, query, "Content-Length: 0", 1)->probed.copies, 0);
		run(rig, 10);
		assert_int_equal(rig->conn[0].probed.copies, 1);
	}
	ask(rig, 0, "c=0&x=7&m=probe", "Content-Length: 0", 1);
	run(rig, 10);
	assert_int_equal(rig->conn[0].probed.copies, 1);
	rig_free(rig);
}

static void no_more_than_four(void **state)
{
	struct rig *rig = rig_new();
	struct conn *c;

	(void)state;
	for (unsigned i = 0; i < 4; i++)
		ask(rig, i, "c=0&x=7&m=probe&hold=60000", "Content-Length: 0", 1);
	run(rig, 1);
	c = ask(rig, 4, "c=0&x=8&m=probe&a=2&n=3&hold=1000", "Content-Length: 0", 1);
	run(rig, 1);
	assert_int_equal(c->ended, 0);
	assert_int_equal(c->events, 1);
	assert_int_equal(c->probed.x, 8);
	c = ask(rig, 5, "c=0&x=8&m=probe&a=2", "Transfer-Encoding: chunked", 1);
	run(rig, 199);
	assert_int_equal(c->status, 0);
	run(rig, 1);
	assert_int_equal(c->ended, 200);
	stream_mem_cut(rig->conn[0].near);
	run(rig, 1);
	c = ask(rig, 4, "c=0&x=8&m=probe&n=1", "Content-Length: 0", 1);
	run(rig, 1);
	assert_int_equal(c->events, 1);	/* five are left: the sixth connection still has its body open */
	stream_mem_cut(rig->conn[5].near);
	run(rig, 1);
	c = ask(rig, 4, "c=0&x=8&m=probe&n=1", "Content-Length: 0", 1);
	run(rig, 1);
	assert_int_equal(c->events, 2);
	rig_free(rig);
}

/* A probe keeps the session; its end ends the probes. */
static void life(void **state)
{
	struct rig *rig = rig_new();
	struct conn *held, *open, *flowing;

	(void)state;
	held = ask(rig, 0, "c=0&x=1&m=probe&n=2&gap=600000&a=1", "Content-Length: 0", 1);
	run(rig, 400 * 1000);
	assert_false(session_is_ended(rig->session));
	assert_non_null(find(held, CAPSULE_MARK, 0));
	run(rig, 201 * 1000);
	assert_int_equal(held->ended, 600 * 1000);
	run(rig, 43 * 1000);
	assert_false(session_is_ended(rig->session));
	run(rig, 1000);
	assert_true(session_is_ended(rig->session));
	session_free(rig->session);
	rig->session = session_new(rig->loop, SESSION_SERVER, &session_config_default, rig->pool,
				   "AAAAAAAAAAAAAAAAAAAAAA", &session_events, rig);
	held = ask(rig, 0, "c=0&x=1&m=probe&hold=5000", "Content-Length: 0", 1);
	open = ask(rig, 1, "c=0&x=2&m=probe&a=1", "Transfer-Encoding: chunked", 1);
	flowing = ask(rig, 2, "c=0&x=3&m=probe&a=1&n=9&gap=1000", "Content-Length: 0", 1);
	run(rig, 100);
	session_bye(rig->session, CODE_SHUTDOWN, "stops");
	run(rig, 1);
	assert_int_equal(held->farewell, CAPSULE_BYE);
	assert_true(open->cut && flowing->cut);
	assert_int_equal(open->farewell + flowing->farewell, 0);
	rig_free(rig);
}

/* A complete body on carrier 3. */
static void post(struct rig *rig, unsigned i, unsigned x, const uint8_t *body, size_t n)
{
	char query[60], framing[60];

	snprintf(query, sizeof query, "c=3&x=%u&m=poll", x);
	snprintf(framing, sizeof framing, "Content-Length: %zu", n);
	write_all(ask(rig, i, query, framing, 1), body, n);
	run(rig, 20);
}

/* Who replays a request for a streamed answer takes nothing away from the newest one, once that is heard. */
static void replayed_streams(void **state)
{
	struct rig *rig = rig_new();
	struct conn *first, *copy, *old;
	struct ranges seen = { .n = 1 };
	struct record_builder b;
	uint8_t body[200];

	(void)state;
	first = ask(rig, 0, "c=3&x=5&m=down", "Content-Length: 0", 1);
	run(rig, 20);
	copy = ask(rig, 1, "c=3&x=5&m=down", "Content-Length: 0", 1);	/* a proxy's, as far as one can know */
	run(rig, 20);
	assert_true(first->ended >= 0 && copy->ended < 0);
	old = ask(rig, 0, "c=3&x=4&m=down", "Content-Length: 0", 1);
	run(rig, 20);
	assert_true(old->ended >= 0 && old->status == 200 && copy->ended < 0);
	post(rig, 2, 6, body, marks(rig, body, sizeof body, 0, 1, false));
	assert_true(copy->events > 0);
	seen.r[0].first = 0;
	seen.r[0].last = rig->session->carrier[0]->ledger.next - 1;
	record_begin(&b, body, sizeof body, 1, loop_clock(rig->loop));
	assert_true(message_receipt_put(&b.w, &(struct message_receipt){ .carrier = 3, .ranges = seen }));
	post(rig, 2, 7, body, record_finish(&b));
	old = ask(rig, 0, "c=3&x=5&m=down", "Content-Length: 0", 1);	/* now it is known to arrive */
	run(rig, 20);
	assert_true(old->ended >= 0 && copy->ended < 0);
	first = ask(rig, 3, "c=3&x=8&m=down", "Content-Length: 0", 1);
	run(rig, 20);
	assert_true(first->ended < 0 && copy->ended >= 0);
	rig_free(rig);
}

static void malformed_bodies_end_it(void **state)
{
	static const uint8_t nested[] = { 1, 7, 0, 0, 0, 0, 0, 1, 0 };
	struct rig *rig = rig_new();
	struct conn *c = ask(rig, 0, "c=0&x=1&m=probe&a=2", "Transfer-Encoding: chunked", 1);

	(void)state;
	run(rig, 1);
	chunk(c, nested, sizeof nested);
	run(rig, 1);
	assert_true(c->cut);
	assert_int_equal(rig->session->probe_count, 0);
	rig_free(rig);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(answers_are_filled_up_and_kept_alive),
		cmocka_unit_test(answers_are_plain_by_default),
		cmocka_unit_test(complete),
		cmocka_unit_test(complete_and_large),
		cmocka_unit_test(streamed),
		cmocka_unit_test(early),
		cmocka_unit_test(copies_are_counted),
		cmocka_unit_test(no_more_than_four),
		cmocka_unit_test(life),
		cmocka_unit_test(replayed_streams),
		cmocka_unit_test(malformed_bodies_end_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
