/* links: server/destination.c server/policies.c server/policy.c tunnel/cidr.c tunnel/address.c tunnel/loop.c tunnel/log.c framing/error.c framing/packet.c */
/* libs: -lev */
/* Destinations: what is connected to is what was judged; what waits for a lookup; refusals. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "framing/capsule.h"
#include "server/destination.h"
#include "tunnel/log.h"
#include "tunnel/session.h"

static struct loop *loop;
static struct egress_env env;
static struct destinations with;
static struct policies *policies;
static char text[MESSAGE_TARGET_MAX + 1];

/* ---- a channel and a session that note what is done to them ---- */

static struct channel_params params;
static struct {
	const struct endpoint_ops *ops;
	void *endpoint;
	unsigned accepted, handed;
	uint64_t code;
	char reason[256];
} channel;

const struct channel_params *channel_params(const struct channel *c) { (void)c; return &params; }
struct session *channel_session(const struct channel *c) { (void)c; return NULL; }
const char *session_tag(const struct session *s) { (void)s; return "s"; }
static const char *identity(const struct session *s) { (void)s; return "alice"; }

void channel_accept(struct channel *c, const char *protocol)
{
	(void)c;
	assert_null(protocol);
	channel.accepted++;
}

void channel_hand_over(struct channel *c, const struct endpoint_ops *ops, void *ctx)
{
	(void)c;
	channel.ops = ops;
	channel.endpoint = ctx;
	channel.handed++;
}

void channel_close(struct channel *c, uint64_t code, const char *reason)
{
	(void)c;
	channel.ops = NULL;
	channel.code = code;
	snprintf(channel.reason, sizeof channel.reason, "%s", reason);
}

/* ---- a resolver whose answers the test gives ---- */

static struct resolve {
	void (*done)(void *ctx, const struct address *, size_t n, int error);
	void *ctx;
	char host[256];
	uint16_t port;
} asked;
static unsigned lookups, cancelled;

struct resolve *resolve_start(struct resolver *r, const char *host, uint16_t port,
			      void (*done)(void *ctx, const struct address *, size_t n, int error), void *ctx)
{
	(void)r;
	asked = (struct resolve){ .done = done, .ctx = ctx, .port = port };
	snprintf(asked.host, sizeof asked.host, "%s", host);
	lookups++;
	return &asked;
}

void resolve_cancel(struct resolve *r)
{
	assert_ptr_equal(r, &asked);
	cancelled++;
}

/* ---- kinds of egress that note what they are opened to ---- */

static struct {
	struct address to[RESOLVE_MAX];
	size_t n;
	unsigned opened, finished;
	char got[64];
} target;

static void *open_target(const struct egress_env *e, struct channel *c, const struct address *to, size_t n, uint64_t *code, const char **sentence)
{
	(void)e, (void)c, (void)code, (void)sentence;
	memcpy(target.to, to, n * sizeof *to);
	target.n = n;
	target.opened++;
	return &target;
}

static void take_datagram(void *ctx, const uint8_t *p, size_t n)
{
	assert_ptr_equal(ctx, &target);
	strncat(target.got, (const char *)p, n);
}

static void take_finish(void *ctx)
{
	assert_ptr_equal(ctx, &target);
	target.finished++;
}

static const struct endpoint_ops target_ops = { .datagram = take_datagram, .finish = take_finish };
const struct egress_kind egress_udp = { .scheme = "udp", .kind = KIND_DATAGRAM, .ops = &target_ops, .open = open_target };
const struct egress_kind egress_tcp = { .scheme = "tcp", .kind = KIND_STREAM, .ops = &target_ops, .open = open_target };

/* ---- */

static void allow(const char *const *rules, size_t n)
{
	char error[256];

	policies_free(policies);
	policies = policies_new(policy_new(rules, n, error, sizeof error));
	with.policies = policies;
}
#define ALLOW(...) allow((const char *[]){ __VA_ARGS__ }, sizeof((const char *[]){ __VA_ARGS__ }) / sizeof(char *))

static int setup(void **state)
{
	(void)state;
	loop = loop_new_virtual(LOOP_SECOND, 1700000000);
	env = (struct egress_env){ .loop = loop, .pool = packet_pool_new(32, 1) };
	with = (struct destinations){ .env = &env, .identity = identity };
	memset(&channel, 0, sizeof channel);
	memset(&target, 0, sizeof target);
	lookups = cancelled = 0;
	log_setup(LOG_LEVEL_ERROR, false);
	ALLOW("+*.example.org:443", "+192.168.1.0/24", "+[2a00::/16]");
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	policies_free(policies);
	policies = NULL;
	packet_pool_free(env.pool);
	loop_free(loop);
	return 0;
}

static uint64_t ask(enum message_kind kind, const char *address, const char **sentence)
{
	struct message_open open = { .kind = (uint8_t)kind, .form = FORM_ADDRESS };
	uint64_t code;

	*sentence = "";
	snprintf(text, sizeof text, "%s", address);
	open.target = (struct span){ (const uint8_t *)text, strlen(text) };
	params = (struct channel_params){ .kind = kind, .service = text };
	code = destination_open(&with, (struct channel *)&channel, &open, &params, &channel.ops, &channel.endpoint, sentence);
	if (code != CODE_NONE)
		assert_true(strlen(*sentence) > 10);
	return code;
}

static void answer(const char *first, const char *second)
{
	struct address to[2];
	size_t n = 0;

	if (first)
		assert_true(address_literal(first, asked.port, &to[n++]));
	if (second)
		assert_true(address_literal(second, asked.port, &to[n++]));
	asked.done(asked.ctx, to, n, n ? 0 : -1);
}

static void literal_addresses_need_no_lookup(void **state)
{
	const char *sentence;

	(void)state;
	assert_int_equal(ask(KIND_STREAM, "192.168.1.9:8080", &sentence), CODE_NONE);
	assert_int_equal(target.opened, 1);
	assert_int_equal(address_port(&target.to[0]), 8080);
	assert_true(params.pending);		/* TCP says when it is connected */
	assert_int_equal(ask(KIND_DATAGRAM, "[2a00::1]:3478", &sentence), CODE_NONE);
	assert_int_equal(target.opened, 2);
	assert_false(params.pending);
	assert_true(params.idle_ms > 0);
	assert_int_equal(ask(KIND_STREAM, "10.0.0.1:443", &sentence), CODE_FORBIDDEN);
	assert_int_equal(ask(KIND_STREAM, "127.0.0.1:22", &sentence), CODE_FORBIDDEN);
	assert_int_equal(target.opened, 2);
	assert_int_equal(lookups, 0);
}

static void what_is_connected_to_was_judged(void **state)
{
	const char *sentence;
	char out[ADDRESS_TEXT];

	(void)state;
	assert_int_equal(ask(KIND_STREAM, "sip.example.org:443", &sentence), CODE_NONE);
	assert_true(params.pending);
	assert_string_equal(asked.host, "sip.example.org");
	assert_int_equal(target.opened, 0);
	answer("127.0.0.1", "198.41.0.4");	/* one of both leads inside */
	assert_int_equal(target.n, 1);
	assert_string_equal(address_text(&target.to[0], out), "198.41.0.4:443");
	assert_int_equal(channel.handed, 1);
	assert_int_equal(channel.accepted, 0);
	assert_int_equal(lookups, 1);
}

static void names_that_lead_inside_are_refused(void **state)
{
	const char *sentence;

	(void)state;
	assert_int_equal(ask(KIND_STREAM, "rebind.example.org:443", &sentence), CODE_NONE);
	answer("169.254.169.254", "::1");
	assert_int_equal(target.opened, 0);
	assert_int_equal(channel.code, CODE_FORBIDDEN);
	assert_non_null(strstr(channel.reason, "special use"));
	assert_int_equal(ask(KIND_STREAM, "other.example.net:443", &sentence), CODE_NONE);
	answer("198.41.0.4", NULL);
	assert_int_equal(channel.code, CODE_FORBIDDEN);
	assert_int_equal(ask(KIND_STREAM, "none.example.org:443", &sentence), CODE_NONE);
	answer(NULL, NULL);
	assert_int_equal(channel.code, CODE_RESOLVE);
	assert_int_equal(target.opened, 0);
}

static void nothing_is_looked_up_for_who_may_go_nowhere(void **state)
{
	const char *sentence;

	(void)state;
	ALLOW("-*");
	assert_int_equal(ask(KIND_STREAM, "sip.example.org:443", &sentence), CODE_FORBIDDEN);
	assert_int_equal(ask(KIND_DATAGRAM, "198.41.0.4:443", &sentence), CODE_FORBIDDEN);
	assert_int_equal(lookups, 0);
}

static void a_policy_of_now_decides(void **state)
{
	const char *sentence;

	(void)state;
	assert_int_equal(ask(KIND_STREAM, "sip.example.org:443", &sentence), CODE_NONE);
	ALLOW("+*.example.net");	/* a reload */
	answer("198.41.0.4", NULL);
	assert_int_equal(channel.code, CODE_FORBIDDEN);
	assert_int_equal(target.opened, 0);
}

static void what_comes_during_the_lookup_is_kept(void **state)
{
	const char *sentence;

	(void)state;
	assert_int_equal(ask(KIND_DATAGRAM, "turn.example.org:443", &sentence), CODE_NONE);
	channel.ops->datagram(channel.endpoint, (const uint8_t *)"one ", 4);
	channel.ops->datagram(channel.endpoint, (const uint8_t *)"two", 3);
	for (unsigned i = 0; i < 40; i++)
		channel.ops->datagram(channel.endpoint, (const uint8_t *)"!", 1);
	answer("198.41.0.4", NULL);
	assert_string_equal(target.got, "one two!!!!!!!!!!!!!!");
	assert_int_equal(channel.accepted, 1);
	assert_int_equal(ask(KIND_STREAM, "sip.example.org:443", &sentence), CODE_NONE);
	assert_int_equal(channel.ops->bytes(channel.endpoint, (const uint8_t *)"x", 1), 0);
	channel.ops->finish(channel.endpoint);
	answer("198.41.0.4", NULL);
	assert_int_equal(target.finished, 1);
}

static void a_channel_that_ends_first_ends_the_lookup(void **state)
{
	const char *sentence;

	(void)state;
	assert_int_equal(ask(KIND_DATAGRAM, "turn.example.org:443", &sentence), CODE_NONE);
	channel.ops->datagram(channel.endpoint, (const uint8_t *)"one", 3);
	channel.ops->closed(channel.endpoint, CODE_SESSION_LOST, "");
	assert_int_equal(cancelled, 1);
}

static void addresses_need_a_port(void **state)
{
	static const char *const wrong[] = { "sip.example.org", ":443", "sip.example.org:0", "sip.example.org:65536", "sip.example.org:1-2", "a:b:c" };
	const char *sentence;

	(void)state;
	for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
		if (ask(KIND_STREAM, wrong[i], &sentence) != CODE_UNKNOWN_SERVICE)
			fail_msg("'%s' is taken", wrong[i]);
	assert_int_equal(lookups, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(literal_addresses_need_no_lookup, setup, teardown),
		cmocka_unit_test_setup_teardown(what_is_connected_to_was_judged, setup, teardown),
		cmocka_unit_test_setup_teardown(names_that_lead_inside_are_refused, setup, teardown),
		cmocka_unit_test_setup_teardown(nothing_is_looked_up_for_who_may_go_nowhere, setup, teardown),
		cmocka_unit_test_setup_teardown(a_policy_of_now_decides, setup, teardown),
		cmocka_unit_test_setup_teardown(what_comes_during_the_lookup_is_kept, setup, teardown),
		cmocka_unit_test_setup_teardown(a_channel_that_ends_first_ends_the_lookup, setup, teardown),
		cmocka_unit_test_setup_teardown(addresses_need_a_port, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
