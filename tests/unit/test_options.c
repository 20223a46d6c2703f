/* links: client/options.c client/options_local.c client/served_pac.c tunnel/pin.c tunnel/tcp_tuning.c framing/base64.c client/proxy.c client/authority.c client/auth_list.c client/place.c client/forward.c client/advice.c tunnel/config.c tunnel/config_values.c tunnel/address.c framing/error.c framing/message.c framing/message_channel.c framing/cursor.c framing/varint.c framing/capsule.c framing/ranges.c framing/message_words.c */
/* libs: -lconfuse */
/* Options of the helper: URLs, what must be given, secrets kept off the command line; and the sentences of failures. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "client/advice.h"
#include "client/auth.h"
#include "client/options.h"
#include "framing/error.h"

/* ---- fakes ---- */

const struct rung rungs[] = { { .name = "duplex" }, { .name = "websocket", .rest = true }, { .name = "split" }, { .name = "push" }, { .name = "poll" },
			      { .name = NULL } };

const struct rung *rung_find(const char *name)
{
	for (const struct rung *r = rungs; r->name; r++)
		if (strcmp(r->name, name) == 0)
			return r;
	return NULL;
}

static const struct ingress_kind udp = { .scheme = "udp" }, tcp = { .scheme = "tcp" };

const struct ingress_kind *ingress_find(const char *scheme, size_t n)
{
	return n == 3 && memcmp(scheme, "udp", 3) == 0 ? &udp : n == 3 && memcmp(scheme, "tcp", 3) == 0 ? &tcp : NULL;
}

int log_parse_level(const char *s, enum log_level *level)
{
	*level = LOG_LEVEL_DEBUG;
	return strcmp(s, "info") == 0 || strcmp(s, "debug") == 0 ? 0 : ERROR_CONFIG;
}

/* ---- reading ---- */

#define ARGS_MAX 24

static char error[1024];

/* Arguments up to NULL, behind the usual ones unless bare. */
static struct options *read_args(const char *const *args, bool bare)
{
	char *argv[ARGS_MAX] = { "culvert" };
	int argc = 1;

	if (!bare) {
		argv[argc++] = "--token-file=/tok";
		argv[argc++] = "-Ludp://5004=rtp";
	}
	while (*args)
		argv[argc++] = (char *)*args++;
	error[0] = 0;
	return options_read(argc, argv, error, sizeof error);
}

#define READ(...) read_args((const char *const[]){ __VA_ARGS__, NULL }, false)
#define READ_BARE(...) read_args((const char *const[]){ __VA_ARGS__, NULL }, true)

static void says(struct options *o, const char *what)
{
	assert_null(o);
	if (!strstr(error, what))
		fail_msg("expected '%s' in: %s", what, error);
}

static void server(const char *url, const char *host, unsigned port, const char *authority, const char *base)
{
	struct options *o = READ("--server", url);

	if (!o)
		fail_msg("%s: %s", url, error);
	assert_string_equal(o->server.host, host);
	assert_int_equal(o->server.port, port);
	assert_string_equal(o->server.authority, authority);
	assert_string_equal(o->server.base, base);
	options_free(o);
}

static void test_server(void **state)
{
	(void)state;
	server("https://h.example", "h.example", 443, "h.example", "/culvert");
	server("https://h.example/", "h.example", 443, "h.example", "/culvert");
	server("https://h.example:443", "h.example", 443, "h.example", "/culvert");
	server("https://h.example:8443/a/b/", "h.example", 8443, "h.example:8443", "/a/b");
	server("https://[::1]:8443/x", "::1", 8443, "[::1]:8443", "/x");
	server("https://192.0.2.1", "192.0.2.1", 443, "192.0.2.1", "/culvert");
	says(READ("--server", "ftp://h.example"), "must begin with https://");
	says(READ("--server", "h.example"), "must begin with https://");
	says(READ("--server", "https://"), "host is missing");
	says(READ("--server", "https://h:0"), "port 0");
	says(READ("--server", "https://h:70000"), "not a host name");
	says(READ("--server", "https://h:443:1"), "not a host name");
	says(READ("--server", "https://me@h"), "--token-file");
	says(READ("--server", "https://h/a?b=c"), "base path may hold");
	says(READ("--server", "https://h/a b"), "base path may hold");
	says(READ("--log-level=info"), "--server is missing");
}

static void plain(struct options *o, bool only, const char *host, unsigned port, const char *authority)
{
	if (!o)
		fail_msg("%s", error);
	assert_int_equal(o->server.plain_only, only);
	assert_string_equal(o->server.plain_host, host);
	assert_int_equal(o->server.plain_port, port);
	assert_string_equal(o->server.plain_authority, authority);
	options_free(o);
}

static void test_sealed(void **state)
{
	struct options *o;

	(void)state;
	server("http://h.example", "h.example", 80, "h.example", "/culvert");
	server("http://[::1]:8080/x/", "::1", 8080, "[::1]:8080", "/x");
	plain(READ("--server", "http://h.example:8080/x"), true, "h.example", 8080, "h.example:8080");
	plain(READ("--server", "https://h.example:8443"), false, "h.example", 80, "h.example");
	plain(READ("--server", "https://h", "--server-http", "http://[::1]:8080/"), false, "::1", 8080, "[::1]:8080");
	plain(READ("--server", "https://h", "--server-http", "http://other:80"), false, "other", 80, "other");
	says(READ("--server", "https://h", "--server-http", "https://h"), "must be http://");
	says(READ("--server", "https://h", "--server-http", "http://h/base"), "has a path");
	says(READ("--server", "https://h", "--server-http", "http://me@h"), "--token-file");
	says(READ("--server", "https://h", "--server-http", "http://h:0"), "port 0");
	says(READ("--server", "http://h", "--server-http", "http://h"), "said already");
	o = READ("--server", "https://h");
	assert_false(o->seal_always);
	options_free(o);
	o = READ("--server", "https://h", "--seal", "always");
	assert_true(o->seal_always);
	says(READ("--server", "https://h", "--seal", "always", "--rung", "websocket"), "not for what is sealed");
	options_free(o);
	says(READ("--server", "https://h", "--seal=never"), "auto or always");
}

static void test_proxy(void **state)
{
	struct options *o;

	(void)state;
	o = READ("--server=https://h", "--proxy", "http://p.example:3128");
	assert_non_null(o);
	assert_int_equal(o->proxy.n, 1);
	assert_false(o->proxy_auto);
	assert_int_equal(o->proxy.hop[0].kind, PROXY_HTTP);
	assert_string_equal(o->proxy.hop[0].host, "p.example");
	assert_int_equal(o->proxy.hop[0].port, 3128);
	assert_string_equal(o->proxy.hop[0].user, "");
	assert_string_equal(o->proxy.hop[0].shown, "p.example:3128");
	options_free(o);
	o = READ("--server=https://h", "--proxy=http://me%40corp@[::1]:8080/", "--proxy-password-file=/p");
	assert_non_null(o);
	assert_string_equal(o->proxy.hop[0].user, "me@corp");
	assert_string_equal(o->proxy.hop[0].shown, "[::1]:8080");
	options_free(o);
	says(READ("--server=https://h", "--proxy=http://p"), "port is missing");
	says(READ("--server=https://h", "--proxy="), "must be http://");
	says(READ("--server=https://h", "--proxy=ftp://p:1"), "must be http://");
	says(READ("--server=https://h", "--proxy=socks4://p:1"), "only SOCKS5");
	says(READ("--server=https://h", "--proxy=http://me@p:1"), "--proxy-password-file");
	says(READ("--server=https://h", "--proxy=http://p:1", "--proxy-password-file=/p"), "needs a user");
	says(READ("--server=https://h", "--proxy=http://@p:1"), "user name is empty");
	says(READ("--server=https://h", "--proxy=http://a%0d@p:1", "--proxy-password-file=/p"), "malformed");
	says(READ("--server=https://h", "--proxy=http://a%3ab@p:1", "--proxy-password-file=/p"), "malformed");
	says(READ("--server=https://h", "--proxy=http://a%4@p:1", "--proxy-password-file=/p"), "malformed");
}

static void test_proxy_chain(void **state)
{
	struct options *o = READ("--server=https://h", "-xhttps://a", "-x", "socks5://b", "-x", "c:8080");
	char text[200];

	(void)state;
	if (!o)
		fail_msg("%s", error);
	assert_int_equal(o->proxy.n, 3);
	assert_string_equal(proxy_chain_text(&o->proxy, text, sizeof text), "https://a:443 > socks5://b:1080 > c:8080");
	options_free(o);
	says(READ("--server=https://h", "-xa:1", "-xa:2", "-xa:3", "-xa:4", "-xa:5"), "more than 4");
	says(READ("--server=https://h", "-xa:1", "-xnone"), "stand alone");
	says(READ("--server=https://h", "-xauto", "-xa:1"), "stand alone");
}

/* What is to be found out, and what is not. */
static void test_proxy_auto(void **state)
{
	static const struct {
		const char *args[3];
		bool found_out;
	} cases[] = {
		{ { NULL }, true }, { { "-xauto" }, true }, { { "-xnone" }, false }, { { "--proxy=direct" }, false },
		{ { "--proxy-pac=http://w/p.pac" }, true }, { { "-xauto", "--proxy-pac=/etc/p.pac" }, true },
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct options *o = READ("--server=https://h", cases[i].args[0] ? cases[i].args[0] : "--log-json",
					 cases[i].args[1] ? cases[i].args[1] : "--log-json");

		if (!o)
			fail_msg("%s", error);
		assert_int_equal(o->proxy.n, 0);
		assert_int_equal(o->proxy_auto, cases[i].found_out);
		assert_int_equal(o->proxy_pac != NULL, i >= 4);
		options_free(o);
	}
	says(READ("--server=https://h", "--proxy-pac="), "is empty");
	says(READ("--server=https://h", "--proxy-pac=ftp://h/p.pac"), "must begin with http://");
	says(READ("--server=https://h", "--proxy-pac=http://"), "must begin with http://");
	says(READ("--server=https://h", "--proxy-pac=/p.pac", "-xnone"), "leave --proxy out");
}

static void test_proxy_credentials(void **state)
{
	struct options *o;

	(void)state;
	o = READ("--server=https://h", "--proxy=http://p:1");
	assert_null(o->proxy_user);
	assert_int_equal(o->proxy_auth, 0);
	assert_int_equal(options_proxy_auth(o, true), 0x1e);
	assert_int_equal(options_proxy_auth(o, false), 0x1c);
	options_free(o);
	o = READ("--server=https://h", "--proxy-user", "CORP\\me", "--proxy-password-file=/p", "--proxy-auth= NTLM, basic");
	assert_non_null(o);
	assert_string_equal(o->proxy_user, "CORP\\me");
	assert_string_equal(options_proxy_user(o), "CORP\\me");
	assert_int_equal(options_proxy_auth(o, false), 1u << AUTH_NTLM | 1u << AUTH_BASIC);
	options_free(o);
	o = READ("--server=https://h", "--proxy=http://you@p:1", "--proxy-user=me", "--proxy-password-file=/p");
	assert_string_equal(options_proxy_user(o), "you");
	options_free(o);
	o = READ("--server=https://h", "--proxy-password-file=/p"); /* the environment may name the user */
	assert_non_null(o);
	options_free(o);
	setenv("CULVERT_PROXY_PASSWORD_FD", "7", 1);
	o = READ("--server=https://h", "--proxy-user=me");
	assert_non_null(o);
	options_free(o);
	unsetenv("CULVERT_PROXY_PASSWORD_FD");
	says(READ("--server=https://h", "--proxy-user=me"), "--proxy-user: names a user: give the password");
	says(READ("--server=https://h", "--proxy-user="), "--proxy-user: is empty");
	says(READ("--server=https://h", "--proxy-user=a:b"), "--proxy-user: has a colon");
	says(READ("--server=https://h", "--proxy-user=a\nb"), "--proxy-user: has a colon or a control");
	says(READ("--server=https://h", "--proxy-auth="), "--proxy-auth: must be a list of");
	says(READ("--server=https://h", "--proxy-auth=basic,kerberos"), "--proxy-auth: must be a list of");
	says(READ("--server=https://h", "--proxy-auth=,"), "--proxy-auth: must be a list of");
}

static void test_password_is_refused(void **state)
{
	(void)state;
	says(READ("--server=https://h", "--proxy=http://me:secret@p:1"), "--proxy-password-file");
	assert_null(strstr(error, "secret"));
	says(READ("--server=https://h", "-xp:1", "--proxy=socks5://me:secret@p:1"), "--proxy-password-file");
	assert_null(strstr(error, "secret"));
	says(READ("--server=https://h", "--token=secret"), "--token-file");
}

#define PIN_A "sha256/d6qzRu9zOECb90Uez27xWltNsj0e1Md7GkYYkVoZWmM="
#define PIN_B "sha256/E9CZ9INDbd+2eRQozYqqbQ2yXLVKB9+xcprMF+44U1g="

static void test_trust(void **state)
{
	struct options *o = READ("--server", "https://h", "--ca-dir", "/etc/ca", "--cafile", "/ca.pem", "--pin", PIN_A, "--pin", PIN_B);
	struct tls_trust t;

	(void)state;
	assert_non_null(o);
	t = options_trust(o);
	assert_string_equal(t.cadir, "/etc/ca");
	assert_string_equal(t.cafile, "/ca.pem");
	assert_int_equal(t.n_pins, 2);
	assert_int_equal(t.pins[0][0], 0x77);
	assert_int_equal(t.pins[1][0], 0x13);
	options_free(o);
	o = READ("--server", "https://h", "--seal", "always", "--pin", PIN_A);
	assert_int_equal(options_trust(o).n_pins, 0);	/* they are the seal's */
	assert_int_equal(options_trust_seal(o).n_pins, 1);
	options_free(o);
	o = READ("--server", "https://h");
	assert_int_equal(options_trust(o).n_pins, 0);
	assert_null(options_trust(o).cadir);
	options_free(o);
	says(READ("--server", "https://h", "--pin", "sha256/abc"), "--pin: must be sha256/BASE64");
	says(READ("--server", "https://h", "--pin", PIN_A, "--pin", "sha1/" PIN_A), "must be sha256/BASE64");
}

static void test_pins_too_many(void **state)
{
	const char *args[2 * 17 + 3] = { "--server", "https://h" };
	struct options *o;

	(void)state;
	for (size_t i = 0; i < 16; i++)
		args[2 + i] = "--pin=" PIN_A;
	o = read_args(args, false);
	assert_int_equal(o->n_pins, 16);
	options_free(o);
	args[18] = "--pin=" PIN_B;
	says(read_args(args, false), "more than 16 pins");
}

static void test_rest(void **state)
{
	struct options *o = READ("--server=https://h");

	(void)state;
	assert_non_null(o);
	assert_null(o->rung);
	assert_int_equal(o->connections, 10);
	assert_int_equal(o->carriers, 8);
	assert_int_equal(o->max_flows, 256);
	assert_int_equal(o->n_forwards, 1);
	assert_false(o->check);
	assert_int_equal(o->forward[0].wish.redundancy, REDUNDANCY_AUTO);
	options_free(o);
	o = READ("--server=https://h", "--redundancy=never", "-L", "udp://1=a,redundancy=always", "-L", "udp://2=a,redundancy=auto");
	assert_non_null(o);
	assert_int_equal(o->forward[0].wish.redundancy, REDUNDANCY_NEVER);
	assert_int_equal(o->forward[1].wish.redundancy, REDUNDANCY_ALWAYS);
	assert_int_equal(o->forward[2].wish.redundancy, REDUNDANCY_AUTO);
	options_free(o);
	o = READ("--server=https://h", "-L", "udp://1=a");
	assert_int_equal(o->http, HTTP_AUTO);
	assert_string_equal(options_alpn(o), "http/1.1,h2");
	options_free(o);
	o = READ("--server=https://h", "-L", "udp://1=a", "--http=1.1");
	assert_int_equal(o->http, HTTP_11);
	assert_null(options_alpn(o));
	options_free(o);
	o = READ("--server=https://h", "-L", "udp://1=a", "--http", "2");
	assert_int_equal(o->http, HTTP_2);
	assert_string_equal(options_alpn(o), "h2");
	options_free(o);
	says(READ("--server=https://h", "--http=3"), "--http: must be auto, 1.1 or 2");
	says(READ("--server=https://h", "--redundancy=twice"), "--redundancy: must be auto, always or never");
	o = READ("--server=https://h", "--rung=push", "--connections=2", "--carriers=1", "--check", "--log-json", "-L", "tcp://1=a",
		 "--congestion=reno", "--sparse-tuning=off");
	assert_non_null(o);
	assert_string_equal(o->rung->name, "push");
	assert_int_equal(o->connections, 2);
	assert_int_equal(o->carriers, 1);
	assert_int_equal(o->n_forwards, 2);
	assert_true(o->check);
	assert_true(o->log_json);
	assert_string_equal(o->congestion, "reno");
	assert_false(o->sparse_tuning);
	options_free(o);
	says(READ("--server=https://h", "--rung=pigeon"), "duplex, websocket, split, push or poll");
	says(READ("--server=https://h", "--connections=17"), "from 2 to 16");
	says(READ("--server=https://h", "--congestion=none-such"), "--congestion: this kernel has no congestion control 'none-such'");
	says(READ("--server=https://h", "--carriers=9"), "from 1 to 8");
	says(READ("--server=https://h", "--carriers=0"), "from 1 to 8");
	says(READ("--server=https://h", "--state="), "--state: is empty");
	says(READ("--server=https://h", "--log-level=loud"), "error, warn, info or debug");
	says(READ("--server=https://h", "more"), "unexpected argument");
	says(READ("--server=https://h", "-L", "x"), "--local: 'x'");
	says(READ_BARE("--server=https://h", "--token-file=/t"), "-L");
	says(READ_BARE("--server=https://h", "-L", "udp://1=a"), "--token-file is missing");
}

static void test_help_needs_nothing(void **state)
{
	struct options *o = READ_BARE("--help");

	(void)state;
	assert_non_null(o);
	assert_true(o->help);
	options_free(o);
	o = READ_BARE("--version");
	assert_non_null(o);
	assert_true(o->version);
	options_free(o);
}

static void test_file(void **state)
{
	char name[] = "/tmp/test_options.XXXXXX", where[64];
	static const char text[] = "server = https://h.example/base\n"
				   "token-file = /tok\n"
				   "proxy = \"http://p:1\"\n"
				   "local = { \"udp://5004-5005=rtp\",\n"
				   "          \"tcp://8188=SIG\" }\n";
	int fd = mkstemp(name);
	struct options *o;

	(void)state;
	assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	close(fd);
	/* Errors of checks made later name the line, too. */
	says(READ_BARE("-c", name), "service name");
	snprintf(where, sizeof where, "%s:", name);
	assert_ptr_equal(strstr(error, where), error);
	/* The command line wins, chains included. */
	o = READ_BARE("-c", name, "-L", "udp://1=a", "--server", "https://other", "-xq:2", "-xr:3");
	if (!o)
		fail_msg("%s", error);
	assert_string_equal(o->server.host, "other");
	assert_int_equal(o->proxy.n, 2);
	assert_string_equal(o->proxy.hop[0].host, "q");
	assert_int_equal(o->n_forwards, 1);
	options_free(o);
	unlink(name);
}

static void test_advice(void **state)
{
	struct options *o = READ("--server=https://h.example:8443/base");
	struct advice_said said = { 0 };
	char text[ADVICE_MAX];

	(void)state;
	assert_non_null(o);
	advice_text(text, o, ERROR_HTTP, "the answer was HTTP status 404");
	assert_non_null(strstr(text, "https://h.example:8443/base did not answer as a culvertd"));
	assert_non_null(strstr(text, "wrong token"));
	assert_non_null(strstr(text, "404"));
	advice_text(text, o, ERROR_HTTP, "sealing: the answer was HTTP status 503");
	assert_non_null(strstr(text, "http://h.example/base makes no sealed session, which is needed because the proxy denies CONNECT"));
	assert_non_null(strstr(text, "--listen-http"));
	assert_non_null(strstr(text, "(the answer was HTTP status 503)"));
	advice_text(text, o, ERROR_TIMEOUT, "sealing: no answer came in time");
	assert_non_null(strstr(text, "--server-http"));
	advice_text(text, o, ERROR_DENIED, "the proxy p:1 denies CONNECT to h.example:8443 (403)");
	assert_string_equal(text, "the proxy p:1 denies CONNECT to h.example:8443 (403); nor is there a way without CONNECT");
	advice_text(text, o, ERROR_CERTIFICATE, "no --pin fits the certificate");
	assert_string_equal(text, "no --pin fits the certificate");
	advice_text(text, o, ERROR_RESOLVE, "the name h.example has no address");
	assert_string_equal(text, "the name h.example has no address");
	assert_true(advice_is_new(&said, "a"));
	assert_true(advice_is_new(&said, "b"));
	assert_false(advice_is_new(&said, "a"));
	for (unsigned i = 0; i < ADVICE_SAID; i++) {
		snprintf(text, sizeof text, "%u", i);
		assert_true(advice_is_new(&said, text));
	}
	assert_true(advice_is_new(&said, "a"));
	assert_false(advice_is_new(&said, "a"));
	advice_forget(&said);
	assert_true(advice_is_new(&said, "a"));
	options_free(o);
	o = READ("--server=http://h.example:8080/base");
	advice_text(text, o, ERROR_HTTP, "sealing: the answer was HTTP status 404");
	assert_non_null(strstr(text, "http://h.example:8080/base makes no sealed session: a wrong base path or port, no --listen-http there"));
	options_free(o);
	o = READ("--server=https://h.example", "--seal=always");
	advice_text(text, o, ERROR_HTTP, "sealing: the answer was HTTP status 404");
	assert_non_null(strstr(text, "https://h.example/culvert makes no sealed session (--seal always)"));
	options_free(o);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_server),	       cmocka_unit_test(test_sealed),
		cmocka_unit_test(test_proxy),	       cmocka_unit_test(test_proxy_chain),
		cmocka_unit_test(test_proxy_auto),
		cmocka_unit_test(test_proxy_credentials),
		cmocka_unit_test(test_password_is_refused), cmocka_unit_test(test_rest),
		cmocka_unit_test(test_trust),	       cmocka_unit_test(test_pins_too_many),
		cmocka_unit_test(test_help_needs_nothing), cmocka_unit_test(test_file),
		cmocka_unit_test(test_advice),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
