// links: server/seals.c server/seals_visit.c tunnel/seal_handshake.c tunnel/seal.c tunnel/tls_context.c tunnel/tls_trust.c tunnel/certificate.c tunnel/loop.c tunnel/log.c
// links: tunnel/counters.c tests/lib/certs.c framing/capsule.c framing/cursor.c framing/varint.c framing/error.c framing/base64.c tunnel/pin.c
/* libs: -lev -lssl -lcrypto */
/* The server's seals: made by two exchanges, repeated ones answered alike, kept for as long as they are of use, and never more
 * than there may be. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "framing/capsule.h"
#include "framing/error.h"
#include "server/seals.h"
#include "tests/lib/certs.h"
#include "tunnel/counters.h"
#include "tunnel/leg.h"
#include "tunnel/seal_handshake.h"
#include "tunnel/stream_tls.h"
#include "tunnel/tls_context.h"

#define DAY 86400L
#define SID "AAAAAAAAAAAAAAAAAAAAAA"
#define OTHER "BBBBBBBBBBBBBBBBBBBBBB"

static struct cert ca, cert;
static struct tls_context *client_ctx;
static struct loop *loop;
static struct seals *seals;
static bool lives;
static char error[512];

static const uint8_t here[SEALS_ORIGIN] = { 2, 127, 0, 0, 1 }, there[SEALS_ORIGIN] = { 2, 127, 0, 0, 2 };

/* ---- an exchange that keeps its answer ---- */

static struct {
	struct exchange x;
	uint8_t room[EXCHANGE_ROOM_MAX];
	uint8_t answer[SEAL_FLIGHT_MAX];
	size_t n;
	bool answered, refused, aborted;
} fake;

static uint8_t *fake_room(struct exchange *x, size_t want, size_t *cap)
{
	(void)x;
	assert_true(want <= sizeof fake.room);
	*cap = sizeof fake.room;
	return fake.room;
}

static int fake_send(struct exchange *x, const struct exchange_head *head, size_t n, bool end)
{
	(void)x;
	assert_int_equal(head->status, 200);
	assert_true(end && !fake.answered);
	memcpy(fake.answer, fake.room, n);
	fake.n = n;
	fake.answered = true;
	return 0;
}

static void fake_pause(struct exchange *x, bool on)
{
	(void)x, (void)on;
}

static void fake_abort(struct exchange *x)
{
	(void)x;
	fake.aborted = true;
}

static const struct exchange_ops fake_ops = { fake_room, fake_send, fake_pause, fake_abort, NULL, NULL };

const struct exchange_head *leg_answer_head(struct loop *l, bool streamed, bool event_stream)
{
	static const struct exchange_head head = { .status = 200, .lines = "" };

	(void)l;
	assert_false(streamed || event_stream);
	return &head;
}

static void on_refused(void *ctx, struct exchange *x)
{
	(void)ctx;
	assert_ptr_equal(x, &fake.x);
	fake.refused = true;
}

/* ---- visits ---- */

static bool visit_begin(const char *sid, uint32_t number, const uint8_t *from)
{
	struct request r = { .mode = MODE_SEAL, .seal = number };
	const struct seals_visitor visitor = { from, "peer", on_refused, NULL };

	strcpy(r.sid, sid);
	fake.x = (struct exchange){ .ops = &fake_ops };
	fake.answered = fake.refused = fake.aborted = false;
	fake.n = 0;
	return seals_accept(seals, &r, &fake.x, &visitor);
}

/* The request is complete; what came of it: fake. */
static void visit_body(const uint8_t *p, size_t n)
{
	assert_int_equal(fake.x.events->body(fake.x.ctx, p, n), 0);
	fake.x.events->end(fake.x.ctx);
	assert_true(fake.answered != fake.refused);
	if (!fake.refused)
		fake.x.events->closed(fake.x.ctx, 0);
	loop_advance(loop, loop_now(loop));
}

static bool visit(const char *sid, uint32_t number, const uint8_t *from, const uint8_t *flight, size_t n)
{
	uint8_t body[SEAL_FLIGHT_MAX];
	struct writer w;

	writer_init(&w, body, sizeof body);
	capsule_head_put(&w, CAPSULE_FLIGHT, n);
	writer_bytes(&w, flight, n);
	assert_true(visit_begin(sid, number, from));
	visit_body(body, writer_len(&w));
	return fake.answered;
}

/* The flight in the answer. */
static struct span answered(void)
{
	uint64_t type;
	size_t len;
	ssize_t head = capsule_head_get(fake.answer, fake.n, SEAL_FLIGHT_MAX, &type, &len);

	assert_true(head > 0 && type == CAPSULE_FLIGHT && (size_t)head + len == fake.n);
	return (struct span){ fake.answer + head, len };
}

struct helper {
	struct seal_handshake *h;
	uint8_t flight[SEAL_FLIGHT_MAX];
	size_t n;
};

static int helper_take(struct helper *h, struct span in)
{
	const uint8_t *out;
	size_t n;
	int rc = seal_handshake_take(h->h, in.p, in.n, &out, &n);

	memcpy(h->flight, out, n);
	h->n = n;
	return rc;
}

static void helper_begin(struct helper *h, const char *sid)
{
	h->h = seal_handshake_new(SEAL_HELPER, client_ctx, "a.test", sid);
	assert_int_equal(helper_take(h, (struct span){ NULL, 0 }), 0);
}

static bool hello(uint32_t number, const uint8_t *from)
{
	struct helper h;
	bool good;

	helper_begin(&h, SID);
	good = visit(SID, number, from, h.flight, h.n);
	seal_handshake_free(h.h);
	return good;
}

/* A whole handshake; the helper's seal. */
static struct seal *make(const char *sid, uint32_t number)
{
	struct helper h;
	struct seal *seal;

	helper_begin(&h, sid);
	assert_true(visit(sid, number, here, h.flight, h.n));
	assert_int_equal(helper_take(&h, answered()), 0);
	assert_true(visit(sid, number, here, h.flight, h.n));
	assert_int_equal(helper_take(&h, answered()), 0);
	seal = seal_handshake_seal(h.h);
	assert_non_null(seal);
	seal_handshake_free(h.h);
	return seal;
}

static void make_and_use(const char *sid, uint32_t number)
{
	seal_release(make(sid, number));
	seals_prove(seals, sid, number, "alice");
}

static bool on_lives(void *ctx, const char *identity, const char *sid)
{
	(void)ctx;
	assert_string_equal(identity, "alice");
	assert_int_equal(strlen(sid), REQUEST_SID_LEN);
	return lives;
}

static void set_up(const struct seals_limits *limits)
{
	struct tls_context *tls = tls_context_server_seal(cert.file, cert.keyfile, error, sizeof error);

	assert_non_null(tls);
	loop = loop_new_virtual(LOOP_SECOND, 1700000000);
	seals = seals_new(loop, limits, on_lives, NULL);
	seals_set_tls(seals, tls);
	lives = true;
}

static void tear_down(void)
{
	seals_free(seals);
	loop_advance(loop, loop_now(loop) + LOOP_SECOND);
	loop_free(loop);
}

static void pass(int64_t us)
{
	loop_advance(loop, loop_now(loop) + us);
}

/* ---- tests ---- */

static void test_two_exchanges(void **state)
{
	struct seal *seal;

	(void)state;
	set_up(&seals_limits_default);
	assert_null(seals_find(seals, SID, 1));
	seal = make(SID, 1);
	assert_memory_equal(seal_binding(seal), seal_binding(seals_find(seals, SID, 1)), SEAL_BINDING);
	assert_null(seals_find(seals, SID, 2));
	assert_null(seals_find(seals, OTHER, 1));
	assert_int_equal(seals_pending(seals), 1);
	assert_int_equal(seals_count(seals), 0);
	seals_prove(seals, SID, 1, "alice");
	assert_int_equal(seals_pending(seals), 0);
	assert_int_equal(seals_count(seals), 1);
	seal_release(seal);
	tear_down();
}

static void test_repeats(void **state)
{
	uint8_t first[SEAL_FLIGHT_MAX], once[SEAL_FLIGHT_MAX];
	struct seal *seal;
	struct helper h;
	size_t first_n, once_n;

	(void)state;
	set_up(&seals_limits_default);
	helper_begin(&h, SID);
	first_n = h.n;
	memcpy(first, h.flight, h.n);
	assert_true(visit(SID, 1, here, first, first_n));
	assert_true(visit(SID, 1, here, first, first_n));	/* the answer was lost */
	assert_int_equal(helper_take(&h, answered()), 0);
	assert_true(visit(SID, 1, here, h.flight, h.n));
	memcpy(once, fake.answer, fake.n);
	once_n = fake.n;
	assert_true(visit(SID, 1, here, h.flight, h.n));	/* and this one */
	assert_int_equal(fake.n, once_n);
	assert_memory_equal(fake.answer, once, once_n);
	/* A first flight that comes late, or somebody's who saw the sid and the number, changes nothing. */
	seals_prove(seals, SID, 1, "alice");
	assert_true(visit(SID, 1, here, first, first_n));
	assert_true(hello(1, there));
	assert_int_equal(helper_take(&h, answered()), 0);
	seal = seal_handshake_seal(h.h);
	assert_non_null(seal);
	assert_memory_equal(seal_binding(seal), seal_binding(seals_find(seals, SID, 1)), SEAL_BINDING);
	seal_release(seal);
	seal_handshake_free(h.h);
	tear_down();
}

/* A flight made for one session is of no use for another. */
static void test_other_session(void **state)
{
	struct seal *seal;
	struct helper h;

	(void)state;
	set_up(&seals_limits_default);
	helper_begin(&h, SID);
	if (visit(OTHER, 1, here, h.flight, h.n) && helper_take(&h, answered()) == 0)
		visit(OTHER, 1, here, h.flight, h.n);
	if (fake.answered)
		(void)helper_take(&h, answered());
	seal = seal_handshake_seal(h.h);
	if (seal)
		assert_memory_not_equal(seal_binding(seal), seal_binding(seals_find(seals, OTHER, 1)), SEAL_BINDING);
	seal_release(seal);
	assert_null(seals_find(seals, SID, 1));
	seal_handshake_free(h.h);
	tear_down();
}

static void test_caps(void **state)
{
	struct seals_limits limits = seals_limits_default;
	uint64_t before = counted(seals_refused);

	(void)state;
	limits.handshakes = 5;
	limits.handshakes_per_origin = 3;
	set_up(&limits);
	for (uint32_t i = 1; i <= 3; i++)
		assert_true(hello(i, here));
	assert_false(hello(4, here));
	assert_true(hello(3, here));	/* not a new one */
	assert_true(hello(4, there));
	assert_true(hello(5, there));
	assert_false(hello(6, there));
	assert_int_equal(counted(seals_refused) - before, 2);
	assert_int_equal(seals_pending(seals), 5);
	pass(limits.handshake_us + 2 * LOOP_SECOND);
	assert_int_equal(seals_pending(seals), 0);
	assert_true(hello(6, here));
	tear_down();
}

static void test_exchanges_at_a_time(void **state)
{
	struct seals_limits limits = seals_limits_default;

	(void)state;
	limits.handshakes = 1;
	set_up(&limits);
	assert_true(visit_begin(SID, 1, here));
	assert_false(visit_begin(SID, 2, here));
	tear_down();		/* with one open */
	assert_true(fake.aborted);
}

static void test_life(void **state)
{
	(void)state;
	set_up(&seals_limits_default);
	seal_release(make(SID, 1));
	make_and_use(OTHER, 1);
	pass(59 * LOOP_SECOND);
	assert_non_null(seals_find(seals, SID, 1));
	pass(3 * LOOP_SECOND);
	assert_null(seals_find(seals, SID, 1));	/* nobody used it */
	assert_non_null(seals_find(seals, OTHER, 1));
	pass(1000 * LOOP_SECOND);
	assert_int_equal(seals_count(seals), 1); /* its session lives */
	assert_non_null(seals_find(seals, OTHER, 1));
	seals_prove(seals, OTHER, 1, "alice");
	lives = false;
	pass(329 * LOOP_SECOND);
	assert_int_equal(seals_count(seals), 1);
	assert_non_null(seals_find(seals, OTHER, 1));
	seals_prove(seals, OTHER, 1, "alice"); /* an exchange */
	pass(329 * LOOP_SECOND);
	assert_int_equal(seals_count(seals), 1);
	pass(2 * LOOP_SECOND);
	assert_int_equal(seals_count(seals), 0);
	assert_null(seals_find(seals, OTHER, 1));
	tear_down();
}

static void test_too_many(void **state)
{
	struct seals_limits limits = seals_limits_default;

	(void)state;
	limits.seals = 2;
	set_up(&limits);
	make_and_use(SID, 1);
	make_and_use(SID, 2);
	assert_false(hello(3, here));
	seals_prove(seals, SID, 1, "alice");
	lives = false;			/* whose sessions are over makes room, the one used last last */
	make_and_use(SID, 3);
	assert_non_null(seals_find(seals, SID, 1));
	assert_null(seals_find(seals, SID, 2));
	assert_non_null(seals_find(seals, SID, 3));
	assert_int_equal(seals_count(seals), 2);
	tear_down();
}

/* Whoever makes a seal and nothing else may not have many requests opened with it. */
static void test_opening(void **state)
{
	(void)state;
	set_up(&seals_limits_default);
	assert_false(seals_enter(seals, SID, 1));
	seal_release(make(SID, 1));
	for (unsigned i = 0; i < 16; i++)
		assert_true(seals_enter(seals, SID, 1));
	assert_false(seals_enter(seals, SID, 1));
	seals_leave(seals, SID, 1);
	assert_true(seals_enter(seals, SID, 1));
	seals_prove(seals, SID, 1, "alice");
	for (unsigned i = 0; i < 100; i++)
		assert_true(seals_enter(seals, SID, 1));
	for (unsigned i = 0; i < 200; i++)
		seals_leave(seals, SID, 1);
	tear_down();
}

static void refused(const uint8_t *p, size_t n)
{
	assert_true(visit_begin(SID, 1, here));
	visit_body(p, n);
	assert_true(fake.refused);
	assert_int_equal(seals_pending(seals), 0);
}

static void test_junk(void **state)
{
	static const uint8_t record[] = { CAPSULE_RECORD, 1, 0 }, cut[] = { CAPSULE_FLIGHT, 5, 1, 2 }, more[] = { CAPSULE_FLIGHT, 1, 1, 2 };
	static const uint8_t junk[] = { CAPSULE_FLIGHT, 4, 'j', 'u', 'n', 'k' };
	static uint8_t large[8193];

	(void)state;
	set_up(&seals_limits_default);
	refused(record, 0);
	refused(record, sizeof record);
	refused(cut, sizeof cut);
	refused(more, sizeof more);
	assert_true(visit_begin(SID, 1, here));
	assert_int_equal(fake.x.events->body(fake.x.ctx, large, sizeof large), ERROR_LIMIT);
	fake.x.events->closed(fake.x.ctx, ERROR_LIMIT);
	assert_true(visit_begin(SID, 1, here));
	visit_body(junk, sizeof junk);	/* whatever becomes of it, */
	assert_null(seals_find(seals, SID, 1));
	make_and_use(SID, 2);		/* others go on */
	tear_down();
}

/* A handshake that fails has cost a signature: it counts for as long as one that is under way. */
static void test_failing(void **state)
{
	static const uint8_t alert[] = { 21, 0xfe, 0xfd, 0, 0, 0, 0, 0, 0, 0, 9, 0, 2, 2, 40 };
	struct seals_limits limits = seals_limits_default;

	(void)state;
	limits.handshakes_per_origin = 3;
	set_up(&limits);
	for (uint32_t i = 1; i <= 3; i++) {
		assert_true(hello(i, here));
		(void)visit(SID, i, here, alert, sizeof alert);
		assert_false(visit(SID, i, here, alert, sizeof alert));
		assert_null(seals_find(seals, SID, i));
	}
	assert_false(hello(4, here));
	assert_true(hello(4, there));
	pass(limits.handshake_us + 2 * LOOP_SECOND);
	assert_int_equal(seals_pending(seals), 0);
	make_and_use(SID, 1);
	tear_down();
}

/* Requests that do not come to an end take the share of their address, and no more. */
static void test_slow_visits(void **state)
{
	struct seals_limits limits = seals_limits_default;

	(void)state;
	limits.handshakes = 5;
	limits.handshakes_per_origin = 3;
	set_up(&limits);
	for (uint32_t i = 1; i <= 3; i++)
		assert_true(visit_begin(SID, i, here));
	assert_false(visit_begin(SID, 4, here));
	assert_true(visit_begin(SID, 4, there));
	tear_down();
}

/* Who knows a sid and a number keeps no seal alive by that. */
static void test_asked_for(void **state)
{
	(void)state;
	set_up(&seals_limits_default);
	make_and_use(SID, 1);
	lives = false;
	for (unsigned i = 0; i < 11; i++) {
		pass(30 * LOOP_SECOND);
		(void)seals_find(seals, SID, 1);
	}
	pass(2 * LOOP_SECOND);
	assert_int_equal(seals_count(seals), 0);
	tear_down();
}

/* A session goes on with its newest seals; all that it ever had are not kept. */
static void test_many_of_one_session(void **state)
{
	(void)state;
	set_up(&seals_limits_default);
	make_and_use(OTHER, 1);
	for (uint32_t i = 1; i <= 50; i++) {
		make_and_use(SID, i);
		pass(LOOP_SECOND);
	}
	assert_in_range(seals_count(seals), 3, 9);
	assert_non_null(seals_find(seals, SID, 50));
	assert_non_null(seals_find(seals, SID, 49));
	assert_non_null(seals_find(seals, OTHER, 1));
	tear_down();
}

/* One that is used up is as good as unknown. */
static void test_used_up(void **state)
{
	(void)state;
	set_up(&seals_limits_default);
	make_and_use(SID, 1);
	seal_lose(seals_find(seals, SID, 1));
	assert_null(seals_find(seals, SID, 1));
	tear_down();
}

static void test_late(void **state)
{
	(void)state;
	set_up(&seals_limits_default);
	assert_true(visit_begin(SID, 1, here));
	pass(seals_limits_default.handshake_us);
	assert_true(fake.refused);
	tear_down();
}

static int group_set_up(void **state)
{
	const struct tls_trust trust = { .cafile = ca.file };

	(void)state;
	certs_dir();
	cert_make(&ca, "ca", "Test CA", NULL, -DAY, DAY, NULL, true);
	cert_make(&cert, "a", "a.test", "DNS:a.test", -DAY, DAY, &ca, false);
	client_ctx = tls_context_client_seal(&trust, error, sizeof error);
	return client_ctx ? 0 : -1;
}

static int group_tear_down(void **state)
{
	(void)state;
	tls_context_release(client_ctx);
	cert_free(&ca);
	cert_free(&cert);
	certs_remove();
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_two_exchanges),
		cmocka_unit_test(test_repeats),
		cmocka_unit_test(test_other_session),
		cmocka_unit_test(test_caps),
		cmocka_unit_test(test_exchanges_at_a_time),
		cmocka_unit_test(test_life),
		cmocka_unit_test(test_too_many),
		cmocka_unit_test(test_opening),
		cmocka_unit_test(test_junk),
		cmocka_unit_test(test_failing),
		cmocka_unit_test(test_slow_visits),
		cmocka_unit_test(test_asked_for),
		cmocka_unit_test(test_many_of_one_session),
		cmocka_unit_test(test_used_up),
		cmocka_unit_test(test_late),
	};

	return cmocka_run_group_tests(tests, group_set_up, group_tear_down);
}
