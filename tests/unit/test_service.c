/* Services: what configurations say, what OPENs get, and names that move or vanish. */
/* links: server/service.c server/egress.c server/egress_settings.c tunnel/address.c tunnel/loop.c tunnel/log.c framing/error.c framing/capsule.c framing/cursor.c framing/varint.c framing/message_words.c */
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
#include "framing/error.h"
#include "server/service.h"
#include "tunnel/log.h"
#include "tunnel/stream_tls.h"

const struct egress_kind egress_udp = { .scheme = "udp", .kind = KIND_DATAGRAM, .idle_ms = 330000 };
const struct egress_kind egress_tcp = { .scheme = "tcp", .kind = KIND_STREAM };
const struct egress_kind egress_ws = { .scheme = "ws", .kind = KIND_MESSAGE, .pending = true };
const struct egress_kind egress_wss = { .scheme = "wss", .kind = KIND_MESSAGE, .pending = true };
const struct egress_kind egress_framed = { .kind = KIND_MESSAGE, .pending = true };
const struct egress_kind egress_echo = { .service = "culvert.echo", .kind = KIND_DATAGRAM, .idle_ms = 30000, .deadline_ms = 1000 };

/* The only file of certificates that there is. */
struct tls_context *tls_context_client(const struct tls_trust *trust, const char *alpn, char *why, size_t size)
{
	static int context;

	assert_string_equal(alpn, "http/1.1");
	if (!trust->cafile || !strcmp(trust->cafile, "/ca.pem"))
		return (struct tls_context *)&context;
	snprintf(why, size, "--cafile: there is no %s", trust->cafile);
	return NULL;
}

void tls_context_release(struct tls_context *t)
{
	(void)t;
}

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
		"service 'a': the target must be like udp://HOST:PORT, udp://HOST:FIRST-LAST, tcp://HOST:PORT or ws://HOST:PORT/PATH, not '127.0.0.1:1'");
	refused(all, spec("a", "sctp://a:1"),
		"service 'a': the target must be like udp://HOST:PORT, udp://HOST:FIRST-LAST, tcp://HOST:PORT or ws://HOST:PORT/PATH, not 'sctp://a:1'");
	refused(all, spec("a", "udp://a:9-2"),
		"service 'a': the target must be like udp://HOST:PORT, udp://HOST:FIRST-LAST, tcp://HOST:PORT or ws://HOST:PORT/PATH, not 'udp://a:9-2'");
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
		"service 'a': the target must be like udp://HOST:PORT, udp://HOST:FIRST-LAST, tcp://HOST:PORT or ws://HOST:PORT/PATH, not 'echo://a:1'");
	refused(all, spec("a", "://a:1"),
		"service 'a': the target must be like udp://HOST:PORT, udp://HOST:FIRST-LAST, tcp://HOST:PORT or ws://HOST:PORT/PATH, not '://a:1'");
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

static void message_targets(void **state)
{
	static const char *const headers[] = { "X-Name: value", "Authorization: Basic eDp5", NULL };
	struct services *all = services_new();
	struct service_spec s = spec("sig", "ws://127.0.0.1:8188/janus?x=1");
	const struct egress_settings *settings;

	(void)state;
	s.wishes = (struct egress_wishes){ .subprotocol = "janus-protocol", .origin = "https://app.example", .headers = headers, .message_max = 4096 };
	assert_int_equal(services_add(all, &s, error, sizeof error), 0);
	assert_int_equal(choose(all, "sig", KIND_MESSAGE, -1), CODE_NONE);
	assert_ptr_equal(kind, &egress_ws);
	assert_true(params.pending);
	assert_int_equal(address_port(&to[0]), 8188);
	settings = params.settings;
	assert_string_equal(settings->path, "/janus?x=1");
	assert_string_equal(settings->host, "127.0.0.1:8188");
	assert_string_equal(settings->subprotocol, "janus-protocol");
	assert_string_equal(settings->lines, "Origin: https://app.example\r\nX-Name: value\r\nAuthorization: Basic eDp5\r\n");
	assert_int_equal(settings->message_max, 4096);
	assert_null(settings->tls);
	assert_int_equal(choose(all, "sig", KIND_STREAM, -1), CODE_WRONG_KIND);
	assert_string_equal(sentence, "this service is a WebSocket: forward it with -L ws://...");
	assert_int_equal(choose(all, "sig", KIND_DATAGRAM, -1), CODE_WRONG_KIND);
	assert_int_equal(choose(all, "sig", KIND_MESSAGE, 1), CODE_WRONG_KIND);

	add(all, "plain", "ws://127.0.0.1");
	assert_int_equal(choose(all, "plain", KIND_MESSAGE, -1), CODE_NONE);
	assert_int_equal(address_port(&to[0]), 80);
	assert_string_equal(((const struct egress_settings *)params.settings)->path, "/");
	assert_int_equal(((const struct egress_settings *)params.settings)->message_max, EGRESS_MESSAGE_MAX);
	add(all, "secure", "wss://[::1]/x");
	assert_int_equal(choose(all, "secure", KIND_MESSAGE, -1), CODE_NONE);
	assert_int_equal(address_port(&to[0]), 443);
	assert_non_null(((const struct egress_settings *)params.settings)->tls);
	assert_string_equal(((const struct egress_settings *)params.settings)->name, "::1");

	s = spec("lines", "tcp://127.0.0.1:7");
	s.wishes.framing = "line";
	assert_int_equal(services_add(all, &s, error, sizeof error), 0);
	assert_int_equal(choose(all, "lines", KIND_MESSAGE, -1), CODE_NONE);
	assert_ptr_equal(kind, &egress_framed);
	assert_int_equal(choose(all, "lines", KIND_STREAM, -1), CODE_WRONG_KIND);
	services_free(all);
}

static void wish(struct services *all, const char *target, struct egress_wishes wishes, const char *want)
{
	struct service_spec s = spec("x", target);

	s.wishes = wishes;
	refused(all, s, want);
}

static void wrong_wishes(void **state)
{
	static const char *const none[] = { "no header", NULL }, *const host[] = { "host: x", NULL }, *const origin[] = { "Origin: x", NULL },
		*const injected[] = { "X: a\r\nY: b", NULL }, *const key[] = { "sec-websocket-key: x", NULL };
	static const char ws[] = "ws://127.0.0.1:1/", tcp[] = "tcp://127.0.0.1:1";
	struct services *all = services_new();

	(void)state;
	wish(all, ws, (struct egress_wishes){ .headers = none }, "service 'x': headers must be like \"X-Name: value\", not 'no header'");
	wish(all, ws, (struct egress_wishes){ .headers = injected }, "service 'x': headers must be like \"X-Name: value\", not 'X: a\r\nY: b'");
	wish(all, ws, (struct egress_wishes){ .headers = host }, "service 'x': headers cannot have 'host': the handshake decides it");
	wish(all, ws, (struct egress_wishes){ .headers = key }, "service 'x': headers cannot have 'sec-websocket-key': the handshake decides it");
	wish(all, ws, (struct egress_wishes){ .headers = origin },
	     "service 'x': headers cannot have 'Origin': the handshake decides it (there is an option origin)");
	wish(all, ws, (struct egress_wishes){ .subprotocol = "a b" },
	     "service 'x': subprotocol must be a name such as janus-protocol, or several with commas between them, not 'a b'");
	wish(all, ws, (struct egress_wishes){ .origin = "a b" }, "service 'x': origin must be like https://app.example.org, not 'a b'");
	wish(all, ws, (struct egress_wishes){ .framing = "line" }, "service 'x': framing is for TCP targets: WebSockets have their own");
	wish(all, ws, (struct egress_wishes){ .cafile = "/ca.pem" }, "service 'x': cafile is for wss:// targets");
	wish(all, "wss://127.0.0.1/", (struct egress_wishes){ .cafile = "/no.pem" }, "service 'x': --cafile: there is no /no.pem");
	wish(all, tcp, (struct egress_wishes){ .framing = "words" }, "service 'x': framing must be line or length, not 'words'");
	wish(all, "udp://127.0.0.1:1", (struct egress_wishes){ .framing = "line" }, "service 'x': framing is for TCP targets");
	wish(all, tcp, (struct egress_wishes){ .origin = "x" },
	     "service 'x': subprotocol, origin, headers and cafile are for ws:// and wss:// targets");
	wish(all, tcp, (struct egress_wishes){ .message_max = 2000 },
	     "service 'x': message-max is for WebSocket targets, and TCP ones with framing");
	wish(all, "ws://127.0.0.1:1/#part", (struct egress_wishes){ .cafile = NULL },
	     "service 'x': the target's path has characters that cannot be in one, or more than 1024: '/#part'");
	services_free(all);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(message_targets),
		cmocka_unit_test(wrong_wishes),
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
