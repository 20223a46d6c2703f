/* Options of culvertd: values, defaults, and what is said about mistakes. */
/* links: server/options.c server/options_listen.c server/rest_cors.c server/rest_turn.c server/rest_text.c tunnel/mac.c tunnel/daemon.c framing/base64.c server/trusted.c tunnel/cidr.c server/options_policy.c server/policies.c server/policy.c server/activation.c framing/forwarded.c framing/http1_head.c tunnel/tcp_tuning.c server/service.c server/egress.c server/egress_settings.c tunnel/config.c tunnel/config_values.c tunnel/address.c tunnel/loop.c tunnel/log.c framing/error.c framing/capsule.c framing/cursor.c framing/varint.c framing/message_words.c */
/* libs: -lconfuse -lev -lcrypto */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "framing/error.h"
#include "server/options.h"
#include "tunnel/stream_tls.h"

const struct egress_kind egress_udp = { .scheme = "udp", .kind = KIND_DATAGRAM, .idle_ms = 330000 };
const struct egress_kind egress_tcp = { .scheme = "tcp", .kind = KIND_STREAM };
const struct egress_kind egress_ws = { .scheme = "ws", .kind = KIND_MESSAGE, .pending = true };
const struct egress_kind egress_wss = { .scheme = "wss", .kind = KIND_MESSAGE, .pending = true };
const struct egress_kind egress_framed = { .kind = KIND_MESSAGE, .pending = true };
const struct egress_kind egress_echo = { .service = "culvert.echo", .kind = KIND_DATAGRAM, .idle_ms = 30000, .deadline_ms = 1000 };

struct tls_context *tls_context_client(const struct tls_trust *trust, const char *alpn, char *error, size_t size)
{
	(void)trust, (void)alpn;
	snprintf(error, size, "no TLS here");
	return NULL;
}

void tls_context_release(struct tls_context *t)
{
	(void)t;
}

struct resolve *resolve_start(struct resolver *r, const char *host, uint16_t port,
			      void (*done)(void *ctx, const struct address *, size_t n, int error), void *ctx)
{
	(void)r;
	(void)host;
	(void)port;
	(void)done;
	(void)ctx;
	return NULL;
}

void resolve_cancel(struct resolve *q)
{
	(void)q;
}

static char file[] = "/tmp/culvert-options-XXXXXX";
static char error[1024];
static struct options o;

#define ARGS(...) ((const char *[]){ "culvertd", __VA_ARGS__, NULL })
#define FILES "--cert", "c", "--key", "k", "--token-file", "t"
#define RTP "--service", "rtp=udp://127.0.0.1:5004"

static int read_args(const char **args)
{
	int n = 0;

	while (args[n])
		n++;
	*error = 0;
	return options_read(&o, n, (char **)args, error, sizeof error);
}

static void good(const char **args)
{
	if (read_args(args) < 0)
		fail_msg("%s", error);
}

static void refused(const char **args, const char *want)
{
	assert_int_equal(read_args(args), ERROR_CONFIG);
	assert_string_equal(error, want);
}

static void write_file(const char *text)
{
	FILE *f = fopen(file, "w");

	fputs(text, f);
	fclose(f);
}

static void test_defaults(void **state)
{
	char text[ADDRESS_TEXT];

	(void)state;
	good(ARGS(FILES, RTP));
	assert_int_equal(o.listen_count, 2);
	assert_string_equal(address_text(&o.listen[0].address, text), "0.0.0.0:443");
	assert_false(o.listen[0].optional);
	assert_string_equal(address_text(&o.listen[1].address, text), "[::]:443");
	assert_true(o.listen[1].optional);
	assert_string_equal(o.base, "/culvert");
	assert_string_equal(o.cover, "404");
	assert_string_equal(o.admin, OPTIONS_ADMIN_DEFAULT);
	assert_false(o.admin_given);
	assert_int_equal(o.log_level, LOG_LEVEL_INFO);
	assert_int_equal(services_count(o.services), 2);
	assert_string_equal(service_name(services_at(o.services, 1)), "culvert.echo");
	options_fini(&o);
	good(ARGS(FILES, RTP, "--congestion=reno", "--sparse-tuning=off"));
	assert_string_equal(o.congestion, "reno");
	assert_false(o.sparse_tuning);
	options_fini(&o);
	good(ARGS(FILES, RTP, "--echo=off"));
	assert_int_equal(services_count(o.services), 1);
	options_fini(&o);
}

static void test_values(void **state)
{
	char text[ADDRESS_TEXT];

	(void)state;
	write_file("listen = { \"127.0.0.1:0\", \"[::1]:8443\" }\ncert = a\nkey = b\ntoken-file = c\nlog-level = debug\n"
		   "base = /x/y\nadmin = none\necho = off\n"
		   "service rtp { target = \"udp://127.0.0.1:5004-5013\" class = audio idle = 60 deadline-ms = 150 }\n"
		   "service sig { target = \"tcp://127.0.0.1:8188\" }\n");
	good(ARGS("-c", file, "-s", "rtp=udp://10.0.0.1:7", "--key", "other"));
	assert_int_equal(o.listen_count, 2);
	assert_string_equal(address_text(&o.listen[1].address, text), "[::1]:8443");
	assert_string_equal(o.key, "other");
	assert_string_equal(o.base, "/x/y");
	assert_null(o.admin);
	assert_int_equal(o.log_level, LOG_LEVEL_DEBUG);
	assert_int_equal(services_count(o.services), 2);
	assert_string_equal(service_target(services_at(o.services, 0)), "udp://10.0.0.1:7");
	assert_string_equal(service_name(services_at(o.services, 1)), "sig");
	options_fini(&o);
	good(ARGS("--help"));
	options_fini(&o);
}

/* What the service of a file says of its media, asked as a channel asks. */
static struct channel_params chosen(const char *name)
{
	struct message_open open = { .channel = 2, .target = { (const uint8_t *)name, strlen(name) } };
	struct channel_params params = { 0 };
	const struct egress_kind *kind;
	struct address to[RESOLVE_MAX];
	const char *sentence;
	size_t n;

	assert_int_equal(services_choose(o.services, &open, &params, &kind, to, &n, &sentence), 0);
	return params;
}

static void test_media(void **state)
{
	char want[300];

	(void)state;
	write_file("redundancy = never\n"
		   "service a { target = \"udp://127.0.0.1:1\" class = audio deadline-ms = 150 }\n"
		   "service b { target = \"udp://127.0.0.1:2\" redundancy = always audio-payload-types = {0, 8, 111}\n"
		   "            video-payload-types = {96} }\n"
		   "service c { target = \"udp://127.0.0.1:3\" redundancy = auto }\n");
	good(ARGS("-c", file, FILES, "-s", "d=udp://127.0.0.1:4"));
	assert_int_equal(chosen("a").class, CLASS_AUDIO);
	assert_int_equal(chosen("a").deadline_ms, 150);
	assert_int_equal(chosen("a").redundancy, REDUNDANCY_NEVER);
	assert_int_equal(chosen("b").redundancy, REDUNDANCY_ALWAYS);
	assert_int_equal(chosen("b").rules.audio_types[0], 1);
	assert_int_equal(chosen("b").rules.audio_types[1], 1);
	assert_int_equal(chosen("b").rules.audio_types[13], 1 << 7);
	assert_int_equal(chosen("b").rules.video_types[12], 1);
	assert_int_equal(chosen("c").redundancy, REDUNDANCY_AUTO);
	assert_int_equal(chosen("d").redundancy, REDUNDANCY_NEVER);
	options_fini(&o);
	good(ARGS(FILES, RTP, "--redundancy=always"));
	assert_int_equal(chosen("rtp").redundancy, REDUNDANCY_ALWAYS);
	options_fini(&o);
	refused(ARGS(FILES, RTP, "--redundancy=twice"), "--redundancy: redundancy must be auto, always or never, not 'twice'");
	write_file("\nredundancy = on\n");
	snprintf(want, sizeof want, "%s:2: redundancy must be auto, always or never, not 'on'", file);
	refused(ARGS("-c", file, FILES, RTP), want);
	write_file("service rtp { target = \"udp://h:1\" audio-payload-types = { 0, opus } }\n");
	snprintf(want, sizeof want, "%s:1: service 'rtp': audio-payload-types are RTP payload types from 0 to 127, not 'opus'", file);
	refused(ARGS("-c", file, FILES), want);
	write_file("\nservice rtp { target = \"udp://h:1\" redundancy = no }\n");
	snprintf(want, sizeof want, "%s:2: service 'rtp': redundancy must be auto, always or never, not 'no'", file);
	refused(ARGS("-c", file, FILES), want);
}

/* Pages that are named are to be served. */
static void test_rest(void **state)
{
	(void)state;
	good(ARGS(FILES, RTP));
	assert_false(o.rest);
	options_fini(&o);
	good(ARGS(FILES, RTP, "--rest"));
	assert_true(o.rest);
	options_fini(&o);
	good(ARGS(FILES, RTP, "--origins", "https://app.example"));
	assert_true(o.rest);
	options_fini(&o);
	good(ARGS(FILES, RTP, "--origins", "https://app.example", "--rest=false"));
	assert_false(o.rest);
	options_fini(&o);
}

static void test_listen_http(void **state)
{
	char text[ADDRESS_TEXT];

	(void)state;
	good(ARGS(FILES, RTP, "--listen-http", "127.0.0.1:80"));	/* and nothing else */
	assert_int_equal(o.listen_count, 1);
	assert_int_equal(o.listen[0].manner.kind, CONNECTIONS_HTTP);
	assert_string_equal(address_text(&o.listen[0].address, text), "127.0.0.1:80");
	options_fini(&o);
	good(ARGS(FILES, RTP, "--listen-http", "*:80", "--listen", "127.0.0.1:443"));
	assert_int_equal(o.listen_count, 3);
	assert_int_equal(o.listen[0].manner.kind, CONNECTIONS_HTTPS);
	assert_int_equal(o.listen[1].manner.kind, CONNECTIONS_HTTP);
	assert_true(o.listen[2].manner.kind == CONNECTIONS_HTTP && o.listen[2].optional);
	options_fini(&o);
	refused(ARGS(FILES, RTP, "--listen-http", "80"), "--listen-http: listen-http must be like 0.0.0.0:80, [::]:80 or *:80, not '80'");
}

static void test_listen_clear(void **state)
{
	char text[ADDRESS_TEXT];

	(void)state;
	good(ARGS("--token-file", "t", RTP, "--listen-clear", "127.0.0.1:8080,proxy-protocol", "--listen-clear", "unix:/run/x.sock,mode=600",
		  "--listen-clear", "unix:/run/y.sock,proxy-protocol,mode=0666", "--listen-clear", "[::1]:1"));
	assert_int_equal(o.listen_count, 4);
	assert_null(o.cert);		/* TLS ends elsewhere */
	for (size_t i = 0; i < 4; i++) {
		assert_int_equal(o.listen[i].manner.kind, CONNECTIONS_CLEAR);
		assert_int_equal(o.listen[i].manner.proxy_protocol, i == 0 || i == 2);
	}
	assert_string_equal(address_text(&o.listen[1].address, text), "unix:/run/x.sock");
	assert_int_equal(o.listen[1].mode, 0600);
	assert_int_equal(o.listen[2].mode, 0666);
	options_fini(&o);
	good(ARGS(FILES, RTP, "--listen", "unix:/run/x.sock", "--listen", "*:443,proxy-protocol", "--listen-clear", "127.0.0.1:8080"));
	assert_int_equal(o.listen_count, 4);
	assert_int_equal(o.listen[0].mode, 0660);
	assert_true(o.listen[1].manner.proxy_protocol && o.listen[2].manner.proxy_protocol && o.listen[2].optional);
	assert_int_equal(o.listen[2].manner.kind, CONNECTIONS_HTTPS);
	options_fini(&o);
	good(ARGS(FILES, RTP, "--listen-clear", "*:80", "--trusted-proxies", "10.0.0.0/8", "--trusted-proxies=unix"));
	assert_int_equal(o.listen_count, 2);
	assert_true(address_literal("10.9.8.7", 1, &o.listen[0].address) && trusted_has(o.trusted, &o.listen[0].address));
	options_fini(&o);
	refused(ARGS(FILES, RTP, "--listen-clear", "10.0.0.1:80"),
		"--listen-clear: listen-clear is without TLS and meant for a reverse proxy on this machine: give a loopback address or "
		"unix:/PATH, not '10.0.0.1:80'; or, if the network to the reverse proxy may be trusted, name its address in trusted-proxies");
	refused(ARGS(FILES, RTP, "--listen-clear", "http"),
		"--listen-clear: listen-clear must be like 127.0.0.1:8080, [::1]:8080 or unix:/run/culvertd/http.sock, not 'http'");
	refused(ARGS(FILES, RTP, "--listen", "unix:x"),
		"--listen: listen: a Unix socket is unix:/PATH, absolute and shorter than 108 bytes, not 'unix:x'");
	refused(ARGS(FILES, RTP, "--listen", "127.0.0.1:1,mode=600"), "--listen: listen: mode= is for Unix sockets only");
	refused(ARGS(FILES, RTP, "--listen", "unix:/x,mode=1777"), "--listen: listen: behind the address there may be ,proxy-protocol and, for "
								  "Unix sockets, ,mode=0660, not ',mode=1777'");
	refused(ARGS(FILES, RTP, "--listen", "127.0.0.1:1,proxy"), "--listen: listen: behind the address there may be ,proxy-protocol and, for "
								  "Unix sockets, ,mode=0660, not ',proxy'");
	refused(ARGS(FILES, RTP, "--trusted-proxies", "me"),
		"--trusted-proxies: trusted-proxies are addresses, networks such as 10.0.0.0/8 or 2001:db8::/32, or unix, not 'me'");
	refused(ARGS(FILES, RTP, "--forwarded-header", "Forwarded"),
		"--forwarded-header: forwarded-header must be auto, x-forwarded-for, forwarded or none, not 'Forwarded'");
	refused(ARGS("--token-file", "t", RTP, "--listen-clear", "127.0.0.1:1", "--cert", "c"), "--key: no private key: give its file");
	refused(ARGS("--token-file", "t", RTP, "--listen-clear", "127.0.0.1:1", "--listen-http", "127.0.0.1:2"),
		"--cert: no certificate: give its file (`culvertd gen-cert` makes one for tests)");
}

static void test_errors(void **state)
{
	(void)state;
	refused(ARGS(RTP), "--cert: no certificate: give its file (`culvertd gen-cert` makes one for tests)");
	refused(ARGS(RTP, "--cert", "c"), "--key: no private key: give its file");
	refused(ARGS(RTP, "--cert", "c", "--key", "k"),
		"--token-file: no token file: give one (`culvertd gen-token NAME` prints a line for it)");
	refused(ARGS(FILES), "--service: no service is offered: give NAME=URL, such as rtp=udp://127.0.0.1:5004-5013");
	refused(ARGS(FILES, "--service", "culvert.echo=udp://127.0.0.1:7"),
		"--service: service 'culvert.echo': names that begin with culvert. are culvertd's own: choose another");
	refused(ARGS(FILES, RTP, "--congestion=none-such"),
		"--congestion: this kernel has no congestion control 'none-such': see the sysctl "
		"net.ipv4.tcp_available_congestion_control, and load the module tcp_none-such");
	refused(ARGS(FILES, RTP, "--echo=loud"), "--echo: must be true or false, not 'loud'");
	refused(ARGS(FILES, RTP, "--listen", "127.0.0.1"),
		"--listen: listen must be like 0.0.0.0:443, [::]:443 or *:443, not '127.0.0.1'");
	refused(ARGS(FILES, RTP, "--listen", "example.org:443"),
		"--listen: listen needs an address of this machine (or *), not the name 'example.org'");
	refused(ARGS(FILES, "--service", "udp://h:1"),
		"--service: a service is NAME=URL, such as rtp=udp://127.0.0.1:5004, not 'udp://h:1'");
	refused(ARGS(FILES, RTP, "--base", "culvert/"),
		"--base: base must be like /culvert: it begins with /, does not end with it, and has only letters, digits and . _ ~ -, "
		"not 'culvert/'");
	refused(ARGS(FILES, RTP, "--log-level", "loud"),
		"--log-level: log-level must be error, warn, info or debug, not 'loud'");
	refused(ARGS(FILES, RTP, "extra"), "extra: not an option, and commands come first; see --help");
	refused(ARGS(FILES, RTP, "--max-sessions=0"), "--max-sessions: must be a number from 1 to 1000000, not '0'");
}

static void test_file_errors(void **state)
{
	char want[300];

	(void)state;
	write_file("# x\nlisten = nonsense\n");
	snprintf(want, sizeof want, "%s:2: listen must be like 0.0.0.0:443, [::]:443 or *:443, not 'nonsense'", file);
	refused(ARGS("-c", file, FILES, RTP), want);
	write_file("\n\nservice rtp {\n idle = 3\n}\n");
	snprintf(want, sizeof want, "%s:3: service 'rtp' needs a target = \"udp://HOST:PORT\"", file);
	refused(ARGS("-c", file, FILES), want);
	write_file("service rtp { target = \"udp://h:1\" kind = x }\n");
	snprintf(want, sizeof want, "%s:1: service 'rtp': kind must be turn or sip, or left out, not 'x'", file);
	refused(ARGS("-c", file, FILES), want);
	write_file("service rtp { target = \"udp://h:1\" idel = 4 }\n");
	snprintf(want, sizeof want, "%s:1: unknown option 'idel'; did you mean 'idle'?", file);
	refused(ARGS("-c", file, FILES), want);
}

static int group_setup(void **state)
{
	int fd = mkstemp(file);

	(void)state;
	return fd < 0 ? -1 : close(fd);
}

static int group_teardown(void **state)
{
	(void)state;
	return unlink(file);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_defaults),
		cmocka_unit_test(test_values),
		cmocka_unit_test(test_media),
		cmocka_unit_test(test_rest),
		cmocka_unit_test(test_listen_http),
		cmocka_unit_test(test_listen_clear),
		cmocka_unit_test(test_errors),
		cmocka_unit_test(test_file_errors),
	};

	return cmocka_run_group_tests(tests, group_setup, group_teardown);
}
