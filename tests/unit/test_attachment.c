/* links: client/attachment.c client/signer.c tunnel/seal.c tunnel/counters.c tunnel/loop.c framing/capsule.c framing/cursor.c framing/varint.c */
/* libs: -lev -lcrypto */
/* An attachment over a fake session and ladder, in virtual time: ends, draining after GOAWAY, the clock, the seal. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "client/attachment.h"
#include "framing/capsule.h"
#include "framing/error.h"
#include "tunnel/log.h"
#include "tunnel/sealer.h"

#define WALL 1700000000

/* ---- fakes ---- */

static struct {
	const struct session_events *events;
	void *ctx;
	unsigned channels, byes, frees;
	uint64_t bye_code;
	bool ended;
} session;

static struct {
	const struct ladder_config *config;
	const struct ladder_events *events;
	void *ctx;
	bool proven;
	unsigned frees, wanted;
} ladder;

struct session *session_new(struct loop *l, enum session_role role, const struct session_config *config,
			    struct packet_pool *pool, const char *sid, const struct session_events *events, void *ctx)
{
	(void)l;
	(void)config;
	(void)pool;
	assert_int_equal(role, SESSION_HELPER);
	assert_null(sid);
	session.events = events;
	session.ctx = ctx;
	return (struct session *)&session;
}

void session_free(struct session *s)
{
	assert_ptr_equal(s, &session);
	assert_int_equal(ladder.frees, 1);
	session.frees++;
}

void session_bye(struct session *s, uint64_t code, const char *reason)
{
	(void)s;
	(void)reason;
	session.bye_code = code;
	session.byes++;
	session.ended = true;
}

bool session_is_ended(const struct session *s)
{
	(void)s;
	return session.ended;
}

const char *session_tag(const struct session *s)
{
	(void)s;
	return "test";
}

void session_stats(const struct session *s, struct session_stats *out)
{
	(void)s;
	*out = (struct session_stats){ .channels = session.channels };
}

struct ladder *ladder_new(struct loop *l, struct session *s, const struct ladder_config *config,
			  const struct ladder_events *events, void *ctx)
{
	(void)l;
	assert_ptr_equal(s, &session);
	ladder.config = config;
	ladder.events = events;
	ladder.ctx = ctx;
	return (struct ladder *)&ladder;
}

void ladder_free(struct ladder *l)
{
	assert_ptr_equal(l, &ladder);
	ladder.frees++;
}

void ladder_want(struct ladder *l, unsigned carriers)
{
	assert_ptr_equal(l, &ladder);
	ladder.wanted = carriers;
}

struct carrier *ladder_carrier(const struct ladder *l)
{
	(void)l;
	return ladder.proven ? (struct carrier *)&ladder : NULL;
}

const char *session_sid(const struct session *s)
{
	(void)s;
	return "AAAAAAAAAAAAAAAAAAAAAA";
}

static struct {
	struct sealer_config config;
	const struct sealer_events *events;
	void *ctx;
	unsigned made, frees, wakes;
} sealer;

struct sealer *sealer_new(struct loop *l, const struct sealer_config *config, const struct sealer_events *events, void *ctx)
{
	(void)l;
	assert_int_equal(sealer.made, sealer.frees);	/* one at a time */
	sealer.config = *config;
	sealer.events = events;
	sealer.ctx = ctx;
	sealer.made++;
	return (struct sealer *)&sealer;
}

void sealer_free(struct sealer *s)
{
	sealer.frees += s != NULL;
}

void pool_wake(struct pool *p)
{
	assert_null(p);
	sealer.wakes++;
}

static const struct rung poll_rung = { .name = "poll" };

const struct rung *rung_find(const char *name)
{
	assert_string_equal(name, "poll");
	return &poll_rung;
}

void credentials_free(struct credentials *c)
{
	(void)c;
}

size_t credentials_sign(const struct credentials *c, char *out, size_t cap, const char *method, const char *target,
			struct span binding, int64_t unix_seconds)
{
	(void)c;
	if (binding.n)
		return (size_t)snprintf(out, cap, "%s %s %lld %02x", method, target, (long long)unix_seconds, binding.p[0]);
	return (size_t)snprintf(out, cap, "%s %s %lld", method, target, (long long)unix_seconds);
}

bool log_enabled(enum log_level level)
{
	(void)level;
	return false;
}

void log_write(enum log_level level, struct log_limit *l, const char *area, const char *who, const char *fmt, ...)
{
	(void)level;
	(void)l;
	(void)area;
	(void)who;
	(void)fmt;
}

/* ---- the attachment under test ---- */

static struct loop *loop;
static struct signer signer;
static struct attachment_setup attachment_setup;
static struct attachment *attachment;
static unsigned welcomes, goaways, ends;
static uint64_t end_code;
static char end_reason[80];

static void on_welcome(void *ctx, struct attachment *a)
{
	assert_ptr_equal(ctx, &loop);
	assert_ptr_equal(a, attachment);
	welcomes++;
}

static void on_goaway(void *ctx, struct attachment *a, uint64_t code, uint32_t delay_ms)
{
	(void)ctx;
	(void)a;
	(void)code;
	(void)delay_ms;
	goaways++;
}

static void on_ended(void *ctx, struct attachment *a, uint64_t code, const char *reason)
{
	(void)ctx;
	assert_ptr_equal(a, attachment);
	assert_int_equal(session.frees, 0);
	ends++;
	end_code = code;
	snprintf(end_reason, sizeof end_reason, "%s", reason);
}

static unsigned provens;

static void on_proven(void *ctx, struct attachment *a, struct carrier *c, const struct rung *before)
{
	(void)ctx;
	(void)c, (void)before;
	assert_ptr_equal(a, attachment);
	provens++;
}

static unsigned troubles;

static void on_trouble(void *ctx, struct attachment *a, const struct rung *failed, int error, const char *why, int64_t retry_us)
{
	(void)ctx;
	assert_ptr_equal(a, attachment);
	assert_ptr_equal(failed, &poll_rung);
	assert_int_equal(error, ERROR_CERTIFICATE);
	assert_string_equal(why, "who signed this?");
	assert_true(retry_us > 0);
	troubles++;
}

static const struct attachment_events events = {
	.welcome = on_welcome, .goaway = on_goaway, .ended = on_ended, .proven = on_proven, .trouble = on_trouble,
};

static void run(int64_t us)
{
	loop_advance(loop, loop_now(loop) + us);
}

static int setup(void **state)
{
	(void)state;
	memset(&session, 0, sizeof session);
	memset(&ladder, 0, sizeof ladder);
	memset(&sealer, 0, sizeof sealer);
	welcomes = goaways = ends = 0;
	loop = loop_new_virtual(LOOP_SECOND, WALL);
	signer_init(&signer, loop, NULL);
	attachment_setup = (struct attachment_setup){ .loop = loop, .signer = &signer, .path.base = "/base" };
	attachment = attachment_new(&attachment_setup, &events, &loop);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	run(0);
	assert_int_equal(session.frees, 1);
	assert_int_equal(ladder.frees, 1);
	loop_free(loop);
	return 0;
}

static void test_ended(void **state)
{
	(void)state;
	session.events->welcome(session.ctx);
	assert_int_equal(welcomes, 1);
	session.ended = true;
	session.events->ended(session.ctx, CODE_EPOCH, "");
	/* Not under the feet of whoever told it. */
	assert_int_equal(ends, 0);
	assert_int_equal(session.frees, 0);
	run(0);
	assert_int_equal(ends, 1);
	assert_int_equal(end_code, CODE_EPOCH);
	assert_string_equal(end_reason, capsule_code_text(CODE_EPOCH));
}

static void test_goaway_waits_for_channels(void **state)
{
	(void)state;
	session.channels = 2;
	session.events->goaway(session.ctx, CODE_SHUTDOWN, 1000);
	assert_int_equal(goaways, 1);
	/* Repeated ones change nothing. */
	session.events->goaway(session.ctx, CODE_SHUTDOWN, 1000);
	assert_int_equal(goaways, 1);
	run(20 * LOOP_SECOND);
	assert_int_equal(session.byes, 0);
	session.channels = 0;
	run(LOOP_SECOND);
	assert_int_equal(session.byes, 1);
	assert_int_equal(session.bye_code, CODE_NONE);
	assert_int_equal(ends, 1);
}

static void test_goaway_ends_after_30_s(void **state)
{
	(void)state;
	session.channels = 2;
	session.events->goaway(session.ctx, CODE_SHUTDOWN, 0);
	run(29 * LOOP_SECOND);
	assert_int_equal(session.byes, 0);
	run(2 * LOOP_SECOND);
	assert_int_equal(session.byes, 1);
	assert_int_equal(session.bye_code, CODE_SESSION_LOST);
	assert_int_equal(ends, 1);
}

static void test_ended_while_draining(void **state)
{
	(void)state;
	session.channels = 2;
	session.events->goaway(session.ctx, CODE_SHUTDOWN, 0);
	run(LOOP_SECOND);
	session.ended = true;
	session.events->ended(session.ctx, CODE_SHUTDOWN, "stopped");
	run(60 * LOOP_SECOND);
	assert_int_equal(ends, 1);
	assert_int_equal(session.byes, 0);
	assert_string_equal(end_reason, "stopped");
}

static void test_freed_by_owner(void **state)
{
	(void)state;
	session.channels = 1;
	session.events->goaway(session.ctx, CODE_SHUTDOWN, 0);
	session.events->ended(session.ctx, CODE_SHUTDOWN, "stopped");
	attachment_free(attachment);
	run(60 * LOOP_SECOND);
	assert_int_equal(ends, 0);
}

static void test_bye(void **state)
{
	(void)state;
	assert_false(attachment_bye(attachment, CODE_SHUTDOWN, "stop"));
	ladder.proven = true;
	assert_true(attachment_bye(attachment, CODE_SHUTDOWN, "stop"));
	attachment_free(attachment);
}

static void test_carriers(void **state)
{
	(void)state;
	session.events->carriers(session.ctx, 4);
	assert_int_equal(ladder.wanted, 4);
	attachment_free(attachment);
}

static void test_was_good(void **state)
{
	(void)state;
	run(10 * LOOP_SECOND);
	assert_false(attachment_was_good(attachment));
	ladder.events->proven(ladder.ctx, NULL, NULL);
	run(5 * LOOP_SECOND - 1);
	assert_false(attachment_was_good(attachment));
	run(1);
	assert_true(attachment_was_good(attachment));
	attachment_free(attachment);
}

static void test_clock(void **state)
{
	const struct carrier_path *path = ladder.config->path;
	char text[100];

	(void)state;
	assert_string_equal(path->base, "/base");
	path->sign(path->ctx, text, sizeof text, "POST", "/x");
	assert_string_equal(text, "POST /x 1700000000");
	/* Near enough, or not known: nothing to correct. */
	assert_false(path->clock(path->ctx, 0));
	assert_false(path->clock(path->ctx, WALL + 60));
	assert_false(path->clock(path->ctx, WALL - 60));
	assert_true(path->clock(path->ctx, WALL - 3600));
	path->sign(path->ctx, text, sizeof text, "POST", "/x");
	assert_string_equal(text, "POST /x 1699996400");
	/* Not at any time, */
	assert_false(path->clock(path->ctx, WALL + 3600));
	path->sign(path->ctx, text, sizeof text, "POST", "/x");
	assert_string_equal(text, "POST /x 1699996400");
	/* but again: it was perhaps somebody else's date. */
	run(10 * LOOP_SECOND);
	assert_true(path->clock(path->ctx, WALL + 10));
	path->sign(path->ctx, text, sizeof text, "POST", "/x");
	assert_string_equal(text, "POST /x 1700000010");
	attachment_free(attachment);
}

/* ---- the seal ---- */

static bool must;

static bool on_must_seal(void *ctx)
{
	assert_ptr_equal(ctx, &must);
	return must;
}

static struct tls_context *on_trust(void *ctx)
{
	return ctx;
}

static void expect_signed(const char *text)
{
	char out[100];

	ladder.config->path->sign(ladder.config->path->ctx, out, sizeof out, "POST", "/x");
	assert_string_equal(out, text);
}

static struct seal *fresh(uint8_t first)
{
	struct seal_secrets secrets = { .binding = { first } };

	return seal_new(SEAL_HELPER, &secrets);
}

static void test_seal(void **state)
{
	const struct carrier_path *path;
	struct seal *first = fresh(1);
	int64_t before = 0;

	(void)state;
	attachment_free(attachment);
	run(0);
	attachment_setup.must_seal = on_must_seal;
	attachment_setup.seal_trust = on_trust;
	attachment_setup.seal_ctx = &must;
	attachment_setup.seal_host = "h.example";
	ladder.frees = session.frees = 0;
	must = false;
	attachment = attachment_new(&attachment_setup, &events, &loop);
	path = ladder.config->path;
	assert_false(path->must_seal(path->ctx));
	assert_false(attachment_is_sealed(attachment));
	expect_signed("POST /x 1700000000");

	must = true;			/* the way changed */
	assert_true(path->must_seal(path->ctx));
	assert_true(path->must_seal(path->ctx));
	assert_int_equal(sealer.made, 1);
	assert_true(path->sealing && !path->seal);
	assert_string_equal(sealer.config.host, "h.example");
	assert_string_equal(sealer.config.sid, "AAAAAAAAAAAAAAAAAAAAAA");
	assert_ptr_equal(sealer.config.trust(sealer.config.trust_ctx), (void *)&must);
	troubles = 0;
	sealer.events->failed(sealer.ctx, ERROR_CERTIFICATE, "who signed this?");
	assert_int_equal(troubles, 1);
	sealer.events->sealed(sealer.ctx, first, 7);
	assert_int_equal(sealer.frees, 1);
	assert_int_equal(sealer.wakes, 1);
	assert_ptr_equal(path->seal, first);
	assert_int_equal(path->seal_number, 7);
	expect_signed("POST /x 1700000000 01");

	must = false;			/* and back: it stays sealed */
	assert_true(path->must_seal(path->ctx));
	assert_true(attachment_is_sealed(attachment));

	provens = 0;
	ladder.proven = true;
	seal_lose(first);
	run(1);
	assert_int_equal(sealer.made, 2);
	assert_true(path->sealing && !path->seal);
	assert_int_equal(sealer.config.wait_us, 0);
	sealer.events->sealed(sealer.ctx, fresh(2), 8);
	expect_signed("POST /x 1700000000 02");
	assert_int_equal(provens, 0);	/* nobody heard of it */

	/* A box that says so all the time makes us slower. */
	for (unsigned i = 0; i < 12; i++) {
		seal_lose(path->seal);
		run(1);
		assert_int_equal(sealer.made, 3 + i);
		assert_in_range(sealer.config.wait_us, i ? 2 * before : LOOP_MS, 20 * LOOP_SECOND);
		before = sealer.config.wait_us < 4 * LOOP_SECOND ? sealer.config.wait_us : 4 * LOOP_SECOND;
		sealer.events->sealed(sealer.ctx, fresh(3), 9 + i);
	}
	run(30 * LOOP_SECOND);
	seal_lose(path->seal);
	run(1);
	assert_int_equal(sealer.config.wait_us, 0);
	sealer.events->failed(sealer.ctx, ERROR_CERTIFICATE, "who signed this?");
	sealer.events->sealed(sealer.ctx, fresh(4), 30);
	assert_int_equal(provens, 1);	/* what carried goes on */
	ladder.frees = session.frees = 0;
	attachment_free(attachment);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_ended, setup, teardown),
		cmocka_unit_test_setup_teardown(test_goaway_waits_for_channels, setup, teardown),
		cmocka_unit_test_setup_teardown(test_goaway_ends_after_30_s, setup, teardown),
		cmocka_unit_test_setup_teardown(test_ended_while_draining, setup, teardown),
		cmocka_unit_test_setup_teardown(test_freed_by_owner, setup, teardown),
		cmocka_unit_test_setup_teardown(test_bye, setup, teardown),
		cmocka_unit_test_setup_teardown(test_carriers, setup, teardown),
		cmocka_unit_test_setup_teardown(test_was_good, setup, teardown),
		cmocka_unit_test_setup_teardown(test_clock, setup, teardown),
		cmocka_unit_test_setup_teardown(test_seal, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
