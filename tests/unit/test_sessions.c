/* The session table: creation, epochs, tombstones, identities and caps. */
/* links: server/sessions.c tunnel/loop.c tunnel/log.c tunnel/counters.c framing/error.c framing/capsule.c framing/cursor.c framing/varint.c */
/* libs: -lev */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "framing/capsule.h"
#include "server/sessions.h"
#include "tunnel/carrier.h"
#include "tunnel/log.h"

#define EPOCH UINT64_C(0x1122334455667788)

/* Sessions and carriers that only remember what happened to them. */
struct session {
	const struct session_events *events;
	void *ctx;
	char sid[REQUEST_SID_LEN + 1];
	bool ended, byed;
};
static int n_sessions, n_accepted, n_answered;
static struct session *accepted;
static uint64_t answered_type, answered_code;

struct session *session_new(struct loop *loop, enum session_role role, const struct session_config *config,
			    struct packet_pool *pool, const char *sid, const struct session_events *events, void *ctx)
{
	struct session *s = calloc(1, sizeof *s);

	(void)loop;
	(void)pool;
	assert_int_equal(role, SESSION_SERVER);
	assert_int_equal(config->max_channels, 77);
	memcpy(s->sid, sid, sizeof s->sid);
	s->events = events;
	s->ctx = ctx;
	n_sessions++;
	return s;
}

void session_free(struct session *s)
{
	n_sessions -= s != NULL;
	free(s);
}

void session_identify(struct session *s, uint64_t node, uint64_t epoch)
{
	(void)s;
	assert_int_equal(node, 5);
	assert_true(epoch == EPOCH);
}

void *session_owner(const struct session *s)
{
	return s->ctx;
}

const char *session_tag(const struct session *s)
{
	return s->sid;
}

bool session_is_ended(const struct session *s)
{
	return s->ended;
}

void session_bye(struct session *s, uint64_t code, const char *reason)
{
	(void)code;
	(void)reason;
	s->byed = s->ended = true;
}

void carrier_accept(struct session *s, const struct request *r, struct exchange *x, const struct http1_head *head)
{
	(void)r;
	(void)x;
	(void)head;
	accepted = s;
	n_accepted++;
}

void carrier_answer(struct loop *loop, struct exchange *x, uint64_t type, uint64_t code, const char *reason)
{
	(void)loop;
	(void)x;
	(void)reason;
	answered_type = type;
	answered_code = code;
	n_answered++;
}

static struct loop *loop;
static struct sessions *table;

static int setup(void **state)
{
	static const struct sessions_config config = {
		.session = { .max_channels = 77 }, .max = 4, .max_per_identity = 3, .max_tombstones = 8, .node = 5,
		.epoch = EPOCH,
	};

	(void)state;
	loop = loop_new_virtual(0, 0);
	table = sessions_new(loop, &config, NULL, NULL, NULL);
	n_accepted = n_answered = 0;
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	sessions_free(table);
	assert_int_equal(n_sessions, 0);
	loop_free(loop);
	return 0;
}

static struct request make(int number, enum request_mode mode)
{
	struct request r = { .mode = mode, .has_epoch = mode != MODE_HELLO, .epoch = EPOCH };

	snprintf(r.sid, sizeof r.sid, "%022d", number);
	return r;
}

static void send(const char *identity, struct request r)
{
	struct exchange x = { 0 };

	answered_code = 999;
	sessions_accept(table, identity, "192.0.2.1:5", &r, &x, NULL);
}

/* HELLO for a session that ends in order right away. */
static void live_and_die(const char *identity, int number)
{
	send(identity, make(number, MODE_HELLO));
	accepted->ended = true;
	accepted->events->ended(accepted->ctx, CODE_NONE, "");
}

static void test_create(void **state)
{
	struct session *first;

	(void)state;
	send("a", make(1, MODE_POLL));
	assert_int_equal(answered_type, CAPSULE_GONE);
	assert_int_equal(answered_code, CODE_UNKNOWN_SESSION);
	send("a", make(1, MODE_HELLO));
	first = accepted;
	assert_string_equal(first->sid, "0000000000000000000001");
	send("a", make(1, MODE_HELLO));
	assert_ptr_equal(accepted, first);
	send("a", make(1, MODE_DUPLEX));
	assert_ptr_equal(accepted, first);
	assert_int_equal(n_accepted, 3);
	assert_int_equal(sessions_count(table), 1);

	/* Another identity's sid does not exist, and may be its own. */
	send("b", make(1, MODE_POLL));
	assert_int_equal(answered_code, CODE_UNKNOWN_SESSION);
	send("b", make(1, MODE_HELLO));
	assert_ptr_not_equal(accepted, first);
	assert_int_equal(sessions_count(table), 2);
}

static void test_epoch(void **state)
{
	struct request r = make(1, MODE_POLL);

	(void)state;
	send("a", make(1, MODE_HELLO));
	r.epoch ^= 1;
	send("a", r);
	assert_int_equal(answered_code, CODE_EPOCH);
	r = make(1, MODE_UP);
	r.has_epoch = false;
	send("a", r);
	assert_int_equal(answered_code, CODE_EPOCH);
	assert_int_equal(n_accepted, 1);
}

static void test_tombstone(void **state)
{
	(void)state;
	live_and_die("a", 1);
	assert_int_equal(n_sessions, 0);
	assert_int_equal(sessions_count(table), 0);
	assert_int_equal(sessions_tombstones(table), 1);
	send("a", make(1, MODE_HELLO));
	assert_int_equal(answered_code, CODE_ENDED);
	send("a", make(1, MODE_POLL));
	assert_int_equal(answered_code, CODE_ENDED);
	loop_advance(loop, 599 * LOOP_SECOND);
	live_and_die("a", 2);
	send("a", make(1, MODE_HELLO));
	assert_int_equal(answered_code, CODE_ENDED);
	loop_advance(loop, 601 * LOOP_SECOND);
	assert_int_equal(sessions_tombstones(table), 1);
	send("a", make(1, MODE_POLL));
	assert_int_equal(answered_code, CODE_UNKNOWN_SESSION);
	send("a", make(2, MODE_POLL));
	assert_int_equal(answered_code, CODE_ENDED);
	loop_advance(loop, 1300 * LOOP_SECOND);
	assert_int_equal(sessions_tombstones(table), 0);
}

/* One identity cannot push out another's tombstones, and their number is bounded. */
static void test_tombstones_bounded(void **state)
{
	(void)state;
	live_and_die("victim", 1);
	for (int i = 0; i < 100; i++)
		live_and_die("busy", i);
	assert_int_equal(sessions_tombstones(table), 3);	/* 8 / 4 of one, 1 of the other */
	send("victim", make(1, MODE_HELLO));
	assert_int_equal(answered_code, CODE_ENDED);
	send("busy", make(99, MODE_POLL));
	assert_int_equal(answered_code, CODE_ENDED);
	for (int i = 0; i < 20; i++) {
		char name[8];

		snprintf(name, sizeof name, "n%d", i);
		live_and_die(name, 1);
	}
	assert_int_equal(sessions_tombstones(table), 8);
	send("n19", make(1, MODE_POLL));
	assert_int_equal(answered_code, CODE_ENDED);
}

static void test_caps(void **state)
{
	struct session *last;

	(void)state;
	for (int i = 0; i < 3; i++)
		send("a", make(i, MODE_HELLO));
	assert_int_equal(n_accepted, 3);
	send("a", make(3, MODE_HELLO));
	assert_int_equal(answered_type, CAPSULE_GONE);
	assert_int_equal(answered_code, CODE_LIMIT);
	send("b", make(3, MODE_HELLO));
	assert_int_equal(n_accepted, 4);
	last = accepted;
	send("c", make(1, MODE_HELLO));
	assert_int_equal(answered_code, CODE_LIMIT);
	/* Old ones do not suffer, and an end makes room. */
	send("a", make(0, MODE_POLL));
	assert_int_equal(n_accepted, 5);
	last->events->ended(last->ctx, CODE_EXPIRED, "no exchange for too long");
	send("c", make(1, MODE_HELLO));
	assert_int_equal(n_accepted, 6);
}

static void test_bye(void **state)
{
	(void)state;
	send("a", make(1, MODE_HELLO));
	sessions_bye(table, CODE_SHUTDOWN, "stopping");
	assert_true(accepted->byed);
	/* The helper's next exchange is what takes BYE to it. */
	send("a", make(1, MODE_POLL));
	assert_int_equal(n_accepted, 2);
	send("b", make(2, MODE_HELLO));
	assert_int_equal(answered_code, CODE_SHUTDOWN);
}

/* Ended in this turn, not told yet. */
static void test_ended_in_turn(void **state)
{
	(void)state;
	send("a", make(1, MODE_HELLO));
	accepted->ended = true;
	send("a", make(1, MODE_POLL));
	assert_int_equal(answered_code, CODE_ENDED);
	assert_int_equal(n_accepted, 1);
}

static void on_each(void *arg, const struct sessions_one *one)
{
	char *out = arg;

	sprintf(out + strlen(out), "%s:%c%s ", one->identity, one->session->sid[21], one->sealed ? " sealed" : "");
	assert_string_equal(one->peer, "192.0.2.1:5");
}

/* Whoever was sealed once is known to be. */
static void test_sealed(void **state)
{
	const struct request plain = make(1, MODE_HELLO);
	struct request sealed = make(2, MODE_HELLO);
	char out[64] = "";

	(void)state;
	send("a", plain);
	sealed.seal = 7;
	send("a", sealed);
	sealed.seal = 0;
	send("a", sealed);
	assert_false(sessions_is_sealed(table, "a", plain.sid));
	assert_true(sessions_is_sealed(table, "a", sealed.sid));
	assert_false(sessions_is_sealed(table, "b", sealed.sid));
	assert_true(sessions_lives(table, "a", sealed.sid));
	assert_false(sessions_lives(table, "b", sealed.sid));
	assert_int_equal(sessions_sealed(table), 1);
	sessions_each(table, on_each, out);
	assert_string_equal(out, "a:1 a:2 sealed ");
}

static void test_each(void **state)
{
	char out[64] = "";

	(void)state;
	send("a", make(1, MODE_HELLO));
	send("b", make(2, MODE_HELLO));
	live_and_die("a", 3);
	sessions_each(table, on_each, out);
	assert_string_equal(out, "a:1 b:2 ");
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(test_create), T(test_epoch), T(test_tombstone), T(test_tombstones_bounded), T(test_caps), T(test_bye),
		T(test_ended_in_turn), T(test_each), T(test_sealed),
	};

	log_setup(LOG_LEVEL_ERROR, false);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
