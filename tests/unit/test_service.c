/* Services: what configurations say, what OPENs get, and names that move or vanish. */
/* links: server/service.c server/egress.c tunnel/address.c tunnel/loop.c tunnel/log.c framing/error.c framing/capsule.c framing/cursor.c framing/varint.c framing/message_words.c */
/* libs: -lev */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "framing/capsule.h"
#include "framing/error.h"
#include "server/service.h"
#include "tunnel/log.h"

const struct egress_kind egress_udp = { .scheme = "udp", .kind = KIND_DATAGRAM, .idle_ms = 330000 };
const struct egress_kind egress_tcp = { .scheme = "tcp", .kind = KIND_STREAM };
const struct egress_kind egress_echo = { .service = "culvert.echo", .kind = KIND_DATAGRAM, .idle_ms = 30000, .deadline_ms = 1000 };

/* A resolver whose answers the test gives. */
struct resolve {
	void (*done)(void *ctx, const struct address *, size_t n, int error);
	void *ctx;
	char host[64];
};
static struct resolve asked[8];
static unsigned n_asked, n_cancelled;

struct resolve *resolve_start(struct resolver *r, const char *host, uint16_t port,
			      void (*done)(void *ctx, const struct address *, size_t n, int error), void *ctx)
{
	struct resolve *q = &asked[n_asked++ % 8];

	(void)r;
	(void)port;
	*q = (struct resolve){ .done = done, .ctx = ctx };
	strncpy(q->host, host, sizeof q->host - 1);
	return q;
}

void resolve_cancel(struct resolve *q)
{
	(void)q;
	n_cancelled++;
}

static void answer(struct resolve *q, const char *host)
{
	struct address a;

	if (!host) {
		q->done(q->ctx, NULL, 0, ERROR_RESOLVE);
		return;
	}
	assert_true(address_literal(host, 1, &a));
	q->done(q->ctx, &a, 1, 0);
}

static char error[512];

static struct service_spec spec(const char *name, const char *target)
{
	return (struct service_spec){ .name = name, .target = target, .kind = "", .class = "auto", .redundancy = "auto", .idle_s = -1 };
}

static void add(struct services *all, const char *name, const char *target)
{
	struct service_spec s = spec(name, target);

	assert_int_equal(services_add(all, &s, error, sizeof error), 0);
}

static void refused(struct services *all, struct service_spec s, const char *want)
{
	assert_int_equal(services_add(all, &s, error, sizeof error), ERROR_CONFIG);
	assert_string_equal(error, want);
}

static struct channel_params params;
static const struct egress_kind *kind;
static struct address to[RESOLVE_MAX];
static size_t n_to;
static const char *sentence;

static enum message_redundancy wanted; /* by the helper */

static uint64_t choose(const struct services *all, const char *name, uint8_t k, int index)
{
	struct message_open open = { .channel = 2, .kind = k, .target = { (const uint8_t *)name, strlen(name) } };

	if (index >= 0) {
		open.params.has = 1U << PARAM_PORT_INDEX;
		open.params.port_index = (uint64_t)index;
	}
	memset(&params, 0, sizeof params);
	params.redundancy = wanted;
	n_to = 0;
	sentence = NULL;
	return services_choose(all, &open, &params, &kind, to, &n_to, &sentence);
}

static void test_specs(void **state)
{
	struct services *all = services_new();
	struct service_spec s;

	(void)state;
	refused(all, spec("", "udp://a:1"), "service '': a name has 1 to 64 characters of a-z 0-9 . _ -");
	refused(all, spec("Rtp", "udp://a:1"), "service 'Rtp': a name has 1 to 64 characters of a-z 0-9 . _ -");
	refused(all, spec("culvert.echo", "udp://a:1"),
		"service 'culvert.echo': names that begin with culvert. are culvertd's own: choose another");
	refused(all, spec("culvert.", "udp://a:1"),
		"service 'culvert.': names that begin with culvert. are culvertd's own: choose another");
	refused(all, spec("a", "127.0.0.1:1"),
		"service 'a': the target must be like udp://HOST:PORT, udp://HOST:FIRST-LAST or tcp://HOST:PORT, not '127.0.0.1:1'");
	refused(all, spec("a", "sctp://a:1"),
		"service 'a': the target must be like udp://HOST:PORT, udp://HOST:FIRST-LAST or tcp://HOST:PORT, not 'sctp://a:1'");
	refused(all, spec("a", "udp://a:9-2"),
		"service 'a': the target must be like udp://HOST:PORT, udp://HOST:FIRST-LAST or tcp://HOST:PORT, not 'udp://a:9-2'");
	refused(all, spec("a", "udp://a"), "service 'a': the target needs a port from 1 to 65535, not 'udp://a'");
	refused(all, spec("a", "udp://a:0"), "service 'a': the target needs a port from 1 to 65535, not 'udp://a:0'");
	s = spec("a", "udp://a:1");
	s.class = "loud";
	refused(all, s, "service 'a': class must be auto, audio, video, control or bulk, not 'loud'");
	s = spec("a", "udp://a:1");
	s.redundancy = "twice";
	refused(all, s, "service 'a': redundancy must be auto, always or never, not 'twice'");
	s = spec("a", "udp://a:1");
	s.kind = "stun";
	refused(all, s, "service 'a': kind must be turn or sip, or left out, not 'stun'");
	s = spec("a", "tcp://a:1");
	s.kind = "sip";
	refused(all, s, "service 'a': kind is for UDP targets: streams have no idle time-out by themselves");
	refused(all, spec("a", "echo://a:1"),
		"service 'a': the target must be like udp://HOST:PORT, udp://HOST:FIRST-LAST or tcp://HOST:PORT, not 'echo://a:1'");
	refused(all, spec("a", "://a:1"),
		"service 'a': the target must be like udp://HOST:PORT, udp://HOST:FIRST-LAST or tcp://HOST:PORT, not '://a:1'");
	add(all, "a", "udp://a:1");
	refused(all, spec("a", "udp://a:1"), "service 'a': there is one of that name already");
	assert_int_equal(services_count(all), 1);
	services_free(all);
	services_free(NULL);
}

static void refused_types(const char *const *audio, const char *const *video, const char *target, const char *want)
{
	struct services *all = services_new();
	struct service_spec s = spec("a", target);

	s.audio_types = audio;
	s.video_types = video;
	refused(all, s, want);
	services_free(all);
}

#define LIST(...) ((const char *const[]){ __VA_ARGS__, NULL })

static void test_payload_types(void **state)
{
	struct services *all = services_new();
	struct service_spec s = spec("a", "udp://127.0.0.1:1");
	const char *many[MESSAGE_TYPES_MAX + 2] = { NULL };

	(void)state;
	refused_types(LIST("128"), NULL, "udp://a:1", "service 'a': audio-payload-types are RTP payload types from 0 to 127, not '128'");
	refused_types(LIST("0", "-1"), NULL, "udp://a:1", "service 'a': audio-payload-types are RTP payload types from 0 to 127, not '-1'");
	refused_types(NULL, LIST(""), "udp://a:1", "service 'a': video-payload-types are RTP payload types from 0 to 127, not ''");
	refused_types(NULL, LIST("9x"), "udp://a:1", "service 'a': video-payload-types are RTP payload types from 0 to 127, not '9x'");
	refused_types(NULL, LIST("4294967297"), "udp://a:1",
		      "service 'a': video-payload-types are RTP payload types from 0 to 127, not '4294967297'");
	refused_types(LIST("0", "96"), LIST("96"), "udp://a:1", "service 'a': payload type 96 is said to be both audio and video");
	refused_types(LIST("0"), NULL, "tcp://a:1", "service 'a': audio-payload-types are for UDP targets");
	for (size_t i = 0; i <= MESSAGE_TYPES_MAX; i++)
		many[i] = "7";
	refused_types(many, NULL, "udp://a:1", "service 'a': audio-payload-types has more than 32 payload types");
	many[MESSAGE_TYPES_MAX] = NULL;
	s.audio_types = many;
	s.video_types = LIST("0", "127");
	s.redundancy = "always";
	assert_int_equal(services_add(all, &s, error, sizeof error), 0);
	s = spec("b", "udp://127.0.0.1:1");
	assert_int_equal(services_add(all, &s, error, sizeof error), 0);
	s = spec("c", "tcp://127.0.0.1:1");
	s.redundancy = "always";	/* by a default for all */
	assert_int_equal(services_add(all, &s, error, sizeof error), 0);

	assert_int_equal(choose(all, "a", KIND_DATAGRAM, -1), CODE_NONE);
	assert_int_equal(params.redundancy, REDUNDANCY_ALWAYS);
	assert_int_equal(params.rules.audio_types[0], 1 << 7);
	assert_int_equal(params.rules.video_types[0], 1);
	assert_int_equal(params.rules.video_types[15], 1 << 7);
	assert_int_equal(choose(all, "b", KIND_DATAGRAM, -1), CODE_NONE);
	assert_int_equal(params.redundancy, REDUNDANCY_AUTO);
	assert_int_equal(params.rules.video_types[15], 0);
	assert_int_equal(choose(all, "c", KIND_STREAM, -1), CODE_NONE);
	assert_int_equal(params.redundancy, REDUNDANCY_AUTO);
	wanted = REDUNDANCY_NEVER;
	assert_int_equal(choose(all, "a", KIND_DATAGRAM, -1), CODE_NONE);
	assert_int_equal(params.redundancy, REDUNDANCY_NEVER);
	wanted = REDUNDANCY_ALWAYS;
	assert_int_equal(choose(all, "b", KIND_DATAGRAM, -1), CODE_NONE);
	assert_int_equal(params.redundancy, REDUNDANCY_ALWAYS);
	wanted = REDUNDANCY_AUTO;
	services_free(all);
}

static void test_choose(void **state)
{
	struct services *all = services_new();
	struct service_spec s = spec("turn", "udp://[::1]:3478");

	(void)state;
	add(all, "rtp", "udp://127.0.0.1:5004-5013");
	add(all, "sig", "tcp://127.0.0.1:8188");
	s.kind = "turn";
	s.class = "control";
	s.deadline_ms = 700;
	assert_int_equal(services_add(all, &s, error, sizeof error), 0);

	assert_int_equal(choose(all, "rtp", KIND_DATAGRAM, -1), CODE_NONE);
	assert_ptr_equal(kind, &egress_udp);
	assert_int_equal(n_to, 1);
	assert_int_equal(address_port(&to[0]), 5004);
	assert_int_equal(params.idle_ms, 330000);
	assert_int_equal(choose(all, "rtp", KIND_DATAGRAM, 9), CODE_NONE);
	assert_int_equal(address_port(&to[0]), 5013);
	assert_int_equal(choose(all, "rtp", KIND_DATAGRAM, 10), CODE_WRONG_KIND);
	assert_non_null(sentence);
	assert_int_equal(choose(all, "rtp", KIND_STREAM, -1), CODE_WRONG_KIND);
	assert_non_null(sentence);
	assert_int_equal(choose(all, "sig", KIND_STREAM, 0), CODE_NONE);
	assert_int_equal(params.idle_ms, 0);
	assert_int_equal(choose(all, "turn", KIND_DATAGRAM, 0), CODE_NONE);
	assert_int_equal(params.idle_ms, 3700000);
	assert_int_equal(params.class, CLASS_CONTROL);
	assert_int_equal(params.deadline_ms, 700);
	assert_int_equal(choose(all, "rt", KIND_DATAGRAM, 0), CODE_UNKNOWN_SERVICE);
	assert_int_equal(choose(all, "rtp2", KIND_DATAGRAM, 0), CODE_UNKNOWN_SERVICE);
	assert_int_equal(choose(all, "", KIND_DATAGRAM, 0), CODE_UNKNOWN_SERVICE);
	services_free(all);
}

static void test_own(void **state)
{
	struct services *all = services_new();
	struct loop *loop = loop_new_virtual(0, 0);
	const char *unknown;

	(void)state;
	add(all, "culvert", "udp://10.0.0.1:1");
	assert_int_equal(choose(all, "culvert.echo", KIND_DATAGRAM, -1), CODE_UNKNOWN_SERVICE);
	assert_string_equal(sentence, "the server's operator has switched this service off");
	assert_int_equal(choose(all, "culver", KIND_DATAGRAM, -1), CODE_UNKNOWN_SERVICE);
	unknown = sentence;
	assert_string_equal(unknown, "the server has no service of that name");
	services_add_own(all, &egress_echo);
	services_start(all, loop, NULL, NULL, NULL);	/* looks nothing up */
	assert_int_equal(choose(all, "culvert.echo", KIND_DATAGRAM, -1), CODE_NONE);
	assert_ptr_equal(kind, &egress_echo);
	assert_int_equal(n_to, 0);
	assert_int_equal(params.idle_ms, 30000);
	assert_int_equal(params.deadline_ms, 1000);
	assert_int_equal(choose(all, "culvert.echo", KIND_DATAGRAM, 1), CODE_WRONG_KIND);
	assert_int_equal(choose(all, "culvert.echo", KIND_STREAM, 0), CODE_WRONG_KIND);
	assert_string_equal(service_target(services_at(all, 1)), "built in");
	services_free(all);
	loop_free(loop);
}

static int readies;

static void ready(void *ctx)
{
	(void)ctx;
	readies++;
}

static void test_names(void **state)
{
	struct loop *loop = loop_new_virtual(0, 0);
	struct services *all = services_new(), *next;
	int64_t now = 0;

	(void)state;
	n_asked = 0;
	readies = 0;
	add(all, "lit", "udp://10.0.0.1:1");
	add(all, "one", "udp://one.test:7");
	add(all, "two", "tcp://two.test:8");
	services_start(all, loop, NULL, ready, NULL);
	loop_advance(loop, now += LOOP_SECOND);
	assert_int_equal(n_asked, 2);
	assert_string_equal(asked[0].host, "one.test");
	assert_int_equal(readies, 0);
	answer(&asked[0], "10.0.0.2");
	loop_advance(loop, now += LOOP_SECOND);
	assert_int_equal(readies, 0);
	answer(&asked[1], NULL);
	loop_advance(loop, now += LOOP_SECOND);
	assert_int_equal(readies, 1);

	/* The one without an answer is refused, and asked again soon; found then. */
	assert_int_equal(choose(all, "two", KIND_STREAM, 0), CODE_RESOLVE);
	assert_non_null(sentence);
	assert_int_equal(choose(all, "one", KIND_DATAGRAM, 0), CODE_NONE);
	assert_int_equal(address_port(&to[0]), 7);
	loop_advance(loop, now += 5 * LOOP_SECOND);
	assert_int_equal(n_asked, 3);
	answer(&asked[2], "10.0.0.3");
	assert_int_equal(choose(all, "two", KIND_STREAM, 0), CODE_NONE);

	/* Every minute again; a failure keeps the last answer, another answer replaces it. */
	loop_advance(loop, now += 61 * LOOP_SECOND);
	assert_int_equal(n_asked, 5);
	answer(&asked[3], NULL);
	answer(&asked[4], "10.0.0.4");
	assert_int_equal(choose(all, "one", KIND_DATAGRAM, 0), CODE_NONE);
	assert_int_equal(choose(all, "two", KIND_STREAM, 0), CODE_NONE);
	assert_true(address_literal("10.0.0.4", 8, &to[1]));
	assert_true(address_equal(&to[0], &to[1]));
	assert_int_equal(readies, 1);

	/* A reload keeps what is known while it asks again. */
	next = services_new();
	add(next, "uno", "udp://one.test:9");
	services_inherit(next, all);
	services_free(all);
	services_start(next, loop, NULL, NULL, NULL);
	assert_int_equal(n_asked, 6);
	assert_int_equal(choose(next, "uno", KIND_DATAGRAM, 0), CODE_NONE);
	assert_int_equal(address_port(&to[0]), 9);
	services_free(next);
	assert_int_equal(n_cancelled, 1);
	loop_free(loop);
}

static void test_ready_at_once(void **state)
{
	struct loop *loop = loop_new_virtual(0, 0);
	struct services *all = services_new();

	(void)state;
	readies = 0;
	add(all, "lit", "udp://10.0.0.1:1");
	services_start(all, loop, NULL, ready, NULL);
	assert_int_equal(readies, 0);
	loop_advance(loop, 1);
	assert_int_equal(readies, 1);
	services_free(all);
	loop_free(loop);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_specs),
		cmocka_unit_test(test_payload_types),
		cmocka_unit_test(test_choose),
		cmocka_unit_test(test_own),
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_ready_at_once),
	};

	log_setup(LOG_LEVEL_ERROR, false);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
