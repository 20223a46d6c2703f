// links: tests/sim/asker.c tests/lib/stream_mem.c framing/*.c tunnel/*.c
/* libs: -lwslay -lev -lhttp_parser -lnghttp2 -lssl -lcrypto -lconfuse -lcares -lm */
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

#include "tests/lib/stream_mem.h"
#include "tests/sim/asker.h"

static const struct session_events session_events = { 0 };

/* ---- streamed answers ---- */

static void answers_are_filled_up_and_kept_alive(void **state)
{
	struct asker *rig = asker_new();
	struct conn *down = asker_ask(rig, 0, "c=1&x=1&m=down&pad=4096&sse=1&ka=300", "Content-Length: 0", 1), *up;
	uint8_t body[200];
	char length[40];
	size_t n;

	(void)state;
	asker_run(rig, 100);
	assert_int_equal(down->status, 200);
	assert_string_equal(down->type, "text/event-stream");
	assert_int_equal(down->portions, 1);
	assert_int_equal(down->portion[0].size, 4096);
	asker_run(rig, 900);
	assert_int_equal(down->portions, 4);
	assert_int_equal(down->portion[3].at, 900);
	assert_int_equal(down->portion[3].size, 4096);
	/* A mark comes; what is seen of it is a record on this answer. */
	n = asker_marks(rig, body, sizeof body, 0, 1, false);
	snprintf(length, sizeof length, "Content-Length: %zu", n);
	up = asker_ask(rig, 1, "c=1&x=2&m=poll", length, 1);
	asker_write(up, body, n);
	asker_run(rig, 1);
	assert_int_equal(down->portions, 5);
	assert_int_equal(down->portion[4].size, 4096);
	assert_non_null(asker_find(down, CAPSULE_SEEN, 0));
	asker_free(rig);
}

static void answers_are_plain_by_default(void **state)
{
	struct asker *rig = asker_new();
	struct conn *c = asker_ask(rig, 0, "c=1&x=1&m=down", "Content-Length: 0", 1);

	(void)state;
	asker_run(rig, 7999);
	assert_string_equal(c->type, "application/octet-stream");
	assert_int_equal(c->portions, 1);
	assert_int_equal(c->portion[0].size, 2);
	asker_run(rig, 1);
	assert_int_equal(c->portions, 2);
	asker_free(rig);
}

/* ---- probes ---- */

static void complete(void **state)
{
	struct asker *rig = asker_new();
	uint8_t body[200];
	struct conn *c;
	char length[40];
	size_t n = asker_marks(rig, body, sizeof body, 0, 2, true);

	(void)state;
	snprintf(length, sizeof length, "Content-Length: %zu", n);
	c = asker_ask(rig, 0, "c=0&x=7&m=probe&n=3&size=1000&hold=400&gap=50&pad=5000", length, 1);
	asker_run(rig, 100);
	asker_write(c, body, n);
	asker_run(rig, 399);
	assert_int_equal(c->status, 0);
	asker_run(rig, 1);
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
	assert_true(asker_find(c, CAPSULE_SEEN, 0)->intact);
	assert_false(asker_find(c, CAPSULE_SEEN, 1)->intact);
	assert_int_equal(asker_find(c, CAPSULE_SEEN, 1)->id, 9);
	assert_int_equal(asker_find(c, CAPSULE_SEEN, 1)->n, 1);
	assert_int_equal(asker_find(c, CAPSULE_MARK, 2)->n, 2);
	assert_int_equal(asker_find(c, CAPSULE_MARK, 2)->id, 7);
	assert_int_equal(asker_find(c, CAPSULE_MARK, 2)->size, 1000);
	assert_true(asker_find(c, CAPSULE_MARK, 2)->intact);
	asker_free(rig);
}

/* What does not fit into one body is left out. */
static void complete_and_large(void **state)
{
	struct asker *rig = asker_new();
	struct conn *c = asker_ask(rig, 0, "c=0&x=7&m=probe&n=32&size=20000", "Content-Length: 0", 0);

	(void)state;
	asker_run(rig, 1);
	assert_int_equal(c->ended, 0);
	assert_non_null(asker_find(c, CAPSULE_MARK, 3));
	assert_null(asker_find(c, CAPSULE_MARK, 4));
	assert_int_equal(c->probed.version, 10);
	asker_free(rig);
}

static void streamed(void **state)
{
	struct asker *rig = asker_new();
	struct conn *c = asker_ask(rig, 0, "c=0&x=7&m=probe&a=1&n=3&hold=300&gap=200&sse=1", "Transfer-Encoding: chunked", 1);

	(void)state;
	asker_mark(c, 0, false);
	asker_run(rig, 100);
	asker_mark(c, 1, false);
	asker_run(rig, 100);
	assert_int_equal(c->status, 0);
	asker_write(c, "0\r\n\r\n", 5);
	asker_run(rig, 5000);
	assert_int_equal(c->ended, 200 + 300 + 2 * 200);
	assert_string_equal(c->type, "text/event-stream");
	assert_int_equal(c->event[0].at, 200);
	assert_int_equal(c->probed.framing, FRAMING_CHUNKED);
	assert_int_equal(asker_find(c, CAPSULE_SEEN, 1)->at, 200);
	assert_int_equal(asker_find(c, CAPSULE_SEEN, 1)->time_ms - asker_find(c, CAPSULE_SEEN, 0)->time_ms, 100);
	for (unsigned i = 0; i < 3; i++)
		assert_int_equal(asker_find(c, CAPSULE_MARK, i)->at, 500 + 200 * i);
	assert_int_equal(asker_find(c, CAPSULE_MARK, 2)->time_ms - asker_find(c, CAPSULE_MARK, 0)->time_ms, 400);
	assert_int_equal(c->records, 4);
	asker_free(rig);
}

static void early(void **state)
{
	struct asker *rig = asker_new();
	struct conn *c = asker_ask(rig, 0, "c=0&x=7&m=probe&a=2&n=1", "Transfer-Encoding: chunked", 1);

	(void)state;
	asker_run(rig, 100);
	assert_int_equal(c->status, 200);
	assert_int_equal(c->event[0].type, CAPSULE_PROBED);
	assert_int_equal(c->probed.body, 0);
	for (unsigned i = 0; i < 3; i++) {
		asker_mark(c, i, false);
		asker_run(rig, 100);
		assert_int_equal(asker_find(c, CAPSULE_SEEN, i)->at, 100 + 100 * i);
	}
	assert_null(asker_find(c, CAPSULE_MARK, 0));
	asker_write(c, "0\r\n\r\n", 5);
	asker_run(rig, 1);
	assert_int_equal(c->ended, 400);
	assert_non_null(asker_find(c, CAPSULE_PROBED, 1));
	assert_true(c->probed.body > 30);
	assert_non_null(asker_find(c, CAPSULE_MARK, 0));
	asker_free(rig);
}

static void copies_are_counted(void **state)
{
	struct asker *rig = asker_new();
	char query[60];

	(void)state;
	for (unsigned i = 1; i <= 3; i++) {
		struct conn *c = asker_ask(rig, 0, "c=0&x=7&m=probe", "Content-Length: 0", 1);

		asker_run(rig, 10);
		assert_int_equal(c->probed.copies, i);
	}
	for (unsigned i = 0; i < 32; i++) {	/* pushes it out */
		snprintf(query, sizeof query, "c=0&x=%u&m=probe", 100 + i);
		assert_int_equal(asker_ask(rig, 0, query, "Content-Length: 0", 1)->probed.copies, 0);
		asker_run(rig, 10);
		assert_int_equal(rig->conn[0].probed.copies, 1);
	}
	asker_ask(rig, 0, "c=0&x=7&m=probe", "Content-Length: 0", 1);
	asker_run(rig, 10);
	assert_int_equal(rig->conn[0].probed.copies, 1);
	asker_free(rig);
}

static void no_more_than_four(void **state)
{
	struct asker *rig = asker_new();
	struct conn *c;

	(void)state;
	for (unsigned i = 0; i < 4; i++)
		asker_ask(rig, i, "c=0&x=7&m=probe&hold=60000", "Content-Length: 0", 1);
	asker_run(rig, 1);
	c = asker_ask(rig, 4, "c=0&x=8&m=probe&a=2&n=3&hold=1000", "Content-Length: 0", 1);
	asker_run(rig, 1);
	assert_int_equal(c->ended, 0);
	assert_int_equal(c->events, 1);
	assert_int_equal(c->probed.x, 8);
	c = asker_ask(rig, 5, "c=0&x=8&m=probe&a=2", "Transfer-Encoding: chunked", 1);
	asker_run(rig, 199);
	assert_int_equal(c->status, 0);
	asker_run(rig, 1);
	assert_int_equal(c->ended, 200);
	stream_mem_cut(rig->conn[0].near);
	asker_run(rig, 1);
	c = asker_ask(rig, 4, "c=0&x=8&m=probe&n=1", "Content-Length: 0", 1);
	asker_run(rig, 1);
	assert_int_equal(c->events, 1);	/* five are left: the sixth connection still has its body open */
	stream_mem_cut(rig->conn[5].near);
	asker_run(rig, 1);
	c = asker_ask(rig, 4, "c=0&x=8&m=probe&n=1", "Content-Length: 0", 1);
	asker_run(rig, 1);
	assert_int_equal(c->events, 2);
	asker_free(rig);
}

/* A probe keeps the session; its end ends the probes. */
static void life(void **state)
{
	struct asker *rig = asker_new();
	struct conn *held, *open, *flowing;

	(void)state;
	held = asker_ask(rig, 0, "c=0&x=1&m=probe&n=2&gap=600000&a=1", "Content-Length: 0", 1);
	asker_run(rig, 400 * 1000);
	assert_false(session_is_ended(rig->session));
	assert_non_null(asker_find(held, CAPSULE_MARK, 0));
	asker_run(rig, 201 * 1000);
	assert_int_equal(held->ended, 600 * 1000);
	asker_run(rig, 43 * 1000);
	assert_false(session_is_ended(rig->session));
	asker_run(rig, 1000);
	assert_true(session_is_ended(rig->session));
	session_free(rig->session);
	rig->session = session_new(rig->loop, SESSION_SERVER, &session_config_default, rig->pool,
				   "AAAAAAAAAAAAAAAAAAAAAA", &session_events, rig);
	held = asker_ask(rig, 0, "c=0&x=1&m=probe&hold=5000", "Content-Length: 0", 1);
	open = asker_ask(rig, 1, "c=0&x=2&m=probe&a=1", "Transfer-Encoding: chunked", 1);
	flowing = asker_ask(rig, 2, "c=0&x=3&m=probe&a=1&n=9&gap=1000", "Content-Length: 0", 1);
	asker_run(rig, 100);
	session_bye(rig->session, CODE_SHUTDOWN, "stops");
	asker_run(rig, 1);
	assert_int_equal(held->farewell, CAPSULE_BYE);
	assert_true(open->cut && flowing->cut);
	assert_int_equal(open->farewell + flowing->farewell, 0);
	asker_free(rig);
}

/* A complete body on carrier 3. */
static void post(struct asker *rig, unsigned i, unsigned x, const uint8_t *body, size_t n)
{
	char query[60], framing[60];

	snprintf(query, sizeof query, "c=3&x=%u&m=poll", x);
	snprintf(framing, sizeof framing, "Content-Length: %zu", n);
	asker_write(asker_ask(rig, i, query, framing, 1), body, n);
	asker_run(rig, 20);
}

/* Who replays a request for a streamed answer takes nothing away from the newest one, once that is heard. */
static void replayed_streams(void **state)
{
	struct asker *rig = asker_new();
	struct conn *first, *copy, *old;
	struct ranges seen = { .n = 1 };
	struct record_builder b;
	uint8_t body[200];

	(void)state;
	first = asker_ask(rig, 0, "c=3&x=5&m=down", "Content-Length: 0", 1);
	asker_run(rig, 20);
	copy = asker_ask(rig, 1, "c=3&x=5&m=down", "Content-Length: 0", 1);	/* a proxy's, as far as one can know */
	asker_run(rig, 20);
	assert_true(first->ended >= 0 && copy->ended < 0);
	old = asker_ask(rig, 0, "c=3&x=4&m=down", "Content-Length: 0", 1);
	asker_run(rig, 20);
	assert_true(old->ended >= 0 && old->status == 200 && copy->ended < 0);
	post(rig, 2, 6, body, asker_marks(rig, body, sizeof body, 0, 1, false));
	assert_true(copy->events > 0);
	seen.r[0].first = 0;
	seen.r[0].last = rig->session->carrier[0]->ledger.next - 1;
	record_begin(&b, body, sizeof body, 1, loop_clock(rig->loop));
	assert_true(message_receipt_put(&b.w, &(struct message_receipt){ .carrier = 3, .ranges = seen }));
	post(rig, 2, 7, body, record_finish(&b));
	old = asker_ask(rig, 0, "c=3&x=5&m=down", "Content-Length: 0", 1);	/* now it is known to arrive */
	asker_run(rig, 20);
	assert_true(old->ended >= 0 && copy->ended < 0);
	first = asker_ask(rig, 3, "c=3&x=8&m=down", "Content-Length: 0", 1);
	asker_run(rig, 20);
	assert_true(first->ended < 0 && copy->ended >= 0);
	asker_free(rig);
}

static void malformed_bodies_end_it(void **state)
{
	static const uint8_t nested[] = { 1, 7, 0, 0, 0, 0, 0, 1, 0 };
	struct asker *rig = asker_new();
	struct conn *c = asker_ask(rig, 0, "c=0&x=1&m=probe&a=2", "Transfer-Encoding: chunked", 1);

	(void)state;
	asker_run(rig, 1);
	asker_chunk(c, nested, sizeof nested);
	asker_run(rig, 1);
	assert_true(c->cut);
	assert_int_equal(rig->session->probe_count, 0);
	asker_free(rig);
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
