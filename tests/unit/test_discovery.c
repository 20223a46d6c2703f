/* links: client/environment.c client/pac_ask.c client/settings.c client/child.c client/command_child.c client/stage.c client/pac.c client/fetch.c client/system_proxy.c client/sandbox_linux.c client/wpad.c client/pac_result.c client/proxy.c client/proxy_env.c client/no_proxy.c client/authority.c tunnel/address.c tunnel/loop.c tunnel/log.c tunnel/resolve.c framing/error.c */
/* libs: -lev -lcares -lseccomp */
/* valgrind: left to the sanitizers, below it a program cannot start itself anew */
/* Discovery with its real child processes (this program, started anew): the order of the places, PAC files that work and those
 * that loop, crash, eat memory or lie, and what stays when a file cannot be asked again. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "client/discovery.c"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "client/child.h"
#include "client/commands.h"

static struct loop *loop;
static struct timer guard;
static char directory[] = "/tmp/test_discovery.XXXXXX";

/* ---- fakes ---- */

const char *config_where(const struct config *c, const char *name, size_t i)
{
	(void)c, (void)name, (void)i;
	return "--proxy";
}

/* ---- helpers ---- */

static struct {
	unsigned calls;
	char text[1000], from[300];
	bool named;
} got;

static void on_found(void *ctx, const struct proxy_list *l)
{
	char one[300];

	(void)ctx;
	got.calls++;
	got.text[0] = 0;
	for (unsigned i = 0; i < l->n; i++) {
		strcat(got.text, i ? "|" : "");
		strcat(got.text, proxy_chain_text(&l->chain[i], one, sizeof one));
	}
	strcpy(got.from, l->from);
	got.named = l->named;
	loop_break(loop);
}

static void on_guard(void *ctx)
{
	(void)ctx;
	loop_break(loop);
}

/* Until found is called, or so long. */
static void turn(int64_t us)
{
	timer_in(&guard, us);
	loop_run(loop);
	timer_stop(&guard);
}

static struct options *options(void)
{
	static struct options o;

	memset(&o, 0, sizeof o);
	o.proxy_auto = true;
	strcpy(o.server.host, "calls.example");
	strcpy(o.server.authority, "calls.example");
	o.server.port = 443;
	return &o;
}

static const char *file(const char *name, const char *text)
{
	static char path[100];
	FILE *f;

	snprintf(path, sizeof path, "%s/%s", directory, name);
	f = fopen(path, "w");
	assert_non_null(f);
	assert_true(fputs(text, f) >= 0);
	assert_int_equal(fclose(f), 0);
	return path;
}

static struct discovery *begin(const struct options *o)
{
	struct discovery *d;

	memset(&got, 0, sizeof got);
	d = discovery_new(loop, o, on_found, NULL);
	assert_int_equal(got.calls, 0);
	if (discovery_list(d)) {	/* nothing had to be looked for, and nobody is called for it */
		turn(LOOP_MS);
		assert_int_equal(got.calls, 0);
		on_found(NULL, discovery_list(d));
		return d;
	}
	turn(15 * LOOP_SECOND);
	assert_int_equal(got.calls, 1);
	assert_non_null(discovery_list(d));
	return d;
}

static void expect(const struct options *o, const char *text, const char *from, bool named)
{
	struct discovery *d = begin(o);

	assert_string_equal(got.text, text);
	if (!strstr(got.from, from))
		fail_msg("from '%s'", got.from);
	assert_int_equal(got.named, named);
	discovery_free(d);
	turn(LOOP_MS);
}

#define FUNCTION(body) "function FindProxyForURL(url, host) {" body "}"

/* What a script makes of it. */
static void script(const char *text, const char *candidates)
{
	struct options *o = options();

	o->proxy_pac = file("proxy.pac", text);
	expect(o, candidates, "PAC ", false);
	assert_null(strstr(got.from, "fails"));
}

/* A script that is of no use: direct, and a warning; and we are still here. */
static void bad(const char *text)
{
	struct options *o = options();

	o->proxy_pac = file("bad.pac", text);
	expect(o, "direct", "which fails", false);
}

/* ---- tests ---- */

static void test_order(void **state)
{
	struct options *o = options();

	(void)state;
	setenv("https_proxy", "http://env:1", 1);
	o->proxy_auto = false;
	o->proxy.n = 1;
	assert_null(proxy_parse("given:1", true, false, &o->proxy.hop[0]));
	expect(o, "given:1", "--proxy", true);
	o->proxy.n = 0;
	expect(o, "direct", "--proxy", true);

	o = options();
	expect(o, "env:1", "https_proxy", true);
	o->proxy_pac = file("order.pac", FUNCTION("return 'PROXY pac:1'"));
	expect(o, "pac:1", "PAC ", false);
	o->proxy_pac = NULL;
	setenv("no_proxy", ".example", 1);
	expect(o, "direct", "no_proxy", true);
	unsetenv("no_proxy");
	unsetenv("https_proxy");
	/* A malformed one is told, and is none. */
	setenv("ALL_PROXY", "socks4://x", 1);
	expect(o, "direct", "", false);
	unsetenv("ALL_PROXY");
	/* No desktop, nothing: libproxy says direct. */
	expect(o, "direct", "", false);
}

static void test_scripts(void **state)
{
	(void)state;
	script(FUNCTION("return 'PROXY a:1; DIRECT; SOCKS5 b:2; HTTPS c:3'"), "a:1|direct|socks5://b:2|https://c:3");
	script(FUNCTION("return url == 'https://calls.example/' && host == 'calls.example' ? 'PROXY right' : 'PROXY wrong'"), "right:80");
	script(FUNCTION("return shExpMatch(host, '*.example') && dnsDomainIs(host, '.example') && !isPlainHostName(host)"
			" ? 'PROXY a:1' : 'DIRECT'"), "a:1");
	/* The name is looked up by us, at the top of the script, too; what has no address is no error. */
	script("var top = dnsResolve('localhost');" FUNCTION("return 'PROXY ' + top + ':1; PROXY '"
	       " + (isResolvable('no.such.invalid') ? 'bad' : 'good') + '; PROXY ' + (isInNet('LocalHost', '127.0.0.0', '255.0.0.0') ? 'in' : 'out')"),
	       "127.0.0.1:1|good:80|in:80");
	/* What it catches it did not get. */
	script(FUNCTION("try { return 'PROXY ' + dnsResolve('localhost') } catch (e) { return 'PROXY caught' }"), "127.0.0.1:80");
	script(FUNCTION("var ip = myIpAddress(); return 'PROXY ' + (/^[0-9.]+$/.test(ip) || ip.indexOf(':') >= 0 ? 'mine' : ip)"), "mine:80");
	script(FUNCTION("alert('x'); return new Date().getTime() > 1e12 ? 'PROXY now:1' : 'DIRECT'"), "now:1");
	script(FUNCTION("return ''"), "direct");
	script("function FindProxyForURLEx(u, h) { return 'PROXY ex:1' }", "ex:1");
	/* More names than it may have. */
	script(FUNCTION("var n = 0; for (var i = 0; i < 30; i++) if (dnsResolve('localhost') && !dnsResolve('n' + i + '.invalid')) n++;"
			"return 'PROXY n' + n"), "n30:80");
}

static void test_broken_scripts(void **state)
{
	char *deep = malloc(500000);

	(void)state;
	bad("");
	bad("<html><body>Please log in</body></html>");
	bad(FUNCTION("return undefined_thing(host)"));
	bad(FUNCTION("return 'SOCKS4 a:1'"));
	bad(FUNCTION("return 'PROXY a:1'") "}");
	bad(FUNCTION("function f(n) { return f(n + 1) + 1 } return f(0)"));
	bad(FUNCTION("throw dnsResolve"));
	bad(FUNCTION("for (var s = 'x', all = []; ; all.push(s)) s += s + all.length"));
	/* This one overruns the engine's stack. */
	memset(deep, '(', 200000);
	deep[200000] = 0;
	bad(deep);
	free(deep);
}

static void test_endless_scripts(void **state)
{
	(void)state;
	bad(FUNCTION("while (true) ;"));
	bad("for (;;) ;");
}

static void test_no_file(void **state)
{
	struct options *o = options();

	(void)state;
	o->proxy_pac = "/nonexistent/proxy.pac";
	expect(o, "direct", "which fails", false);
	o->proxy_pac = directory;
	expect(o, "direct", "which fails", false);
	o->proxy_pac = "http://me:s3cret@127.0.0.1:1/proxy.pac?token=s3cret";
	expect(o, "direct", "PAC http://127.0.0.1:1/proxy.pac, which fails", false);
	assert_null(strstr(got.from, "s3cret"));
	o->proxy_pac = "file:///nonexistent";
	expect(o, "direct", "which fails", false);
}

static void test_again(void **state)
{
	struct options *o = options();
	struct discovery *d;
	char text[300];

	(void)state;
	o->proxy_pac = file("again.pac", FUNCTION("return 'PROXY a:1'"));
	d = begin(o);
	/* The same answer is not told; another one is. */
	discovery_again(d, true);
	turn(LOOP_SECOND);
	assert_int_equal(got.calls, 1);
	file("again.pac", FUNCTION("return 'PROXY b:2; DIRECT'"));
	discovery_again(d, true);
	assert_int_equal(got.calls, 1);
	turn(10 * LOOP_SECOND);
	assert_int_equal(got.calls, 2);
	assert_string_equal(got.text, "b:2|direct");
	/* It cannot be asked any more: what it said stays while the network is the same, and it is asked again soon. */
	unlink(o->proxy_pac);
	on_again(d);
	turn(LOOP_SECOND);
	assert_int_equal(got.calls, 2);
	assert_string_equal(got.text, "b:2|direct");
	assert_true(timer_armed(&d->again));
	assert_true(d->again.at - loop_now(loop) < 6 * LOOP_SECOND);
	/* A reload does not change that. */
	discovery_again(d, false);
	turn(LOOP_SECOND);
	assert_int_equal(got.calls, 2);
	assert_string_equal(proxy_chain_text(&discovery_list(d)->chain[0], text, sizeof text), "b:2");
	/* On another network it is worth nothing. */
	discovery_again(d, true);
	turn(10 * LOOP_SECOND);
	assert_int_equal(got.calls, 3);
	assert_string_equal(got.text, "direct");
	file("again.pac", FUNCTION("return 'PROXY c:3'"));
	on_again(d);
	turn(10 * LOOP_SECOND);
	assert_string_equal(got.text, "c:3");
	assert_true(d->again.at - loop_now(loop) > 14 * 60 * LOOP_SECOND);
	discovery_free(d);
	turn(LOOP_MS);
	/* The settings, too; what was given stays. */
	o->proxy_pac = NULL;
	d = begin(o);
	assert_true(timer_armed(&d->again));
	discovery_free(d);
	o->proxy_auto = false;
	d = begin(o);
	assert_false(timer_armed(&d->again));
	discovery_free(d);
	turn(LOOP_MS);
}

/* A desktop that hangs for once takes no proxy away. */
static void test_settings_unknown(void **state)
{
	static struct settings_result r;
	struct discovery *d = begin(options());

	(void)state;
	assert_string_equal(got.text, "direct");
	r.kind = SETTINGS_LIST;
	r.list.n = 1;
	assert_null(proxy_parse("http://desk:1", true, false, &r.list.chain[0].hop[0]));
	r.list.chain[0].n = 1;
	on_settings(d, &r);
	assert_string_equal(got.text, "desk:1");
	r.kind = SETTINGS_UNKNOWN;
	strcpy(r.why, "it took too long");
	on_settings(d, &r);
	assert_int_equal(got.calls, 2);
	assert_string_equal(got.text, "desk:1");
	assert_true(timer_armed(&d->again));
	r.kind = SETTINGS_NONE;
	on_settings(d, &r);
	assert_string_equal(got.text, "direct");
	discovery_free(d);
	turn(LOOP_MS);
}

/* Freed at any time, with whatever is under way. */
static void test_freed_at_any_time(void **state)
{
	static const int64_t when[] = { 0, 1, 2000, 5000, 10000, 20000, 50000 };
	struct options *o = options();

	(void)state;
	for (size_t i = 0; i < sizeof when / sizeof *when; i++) {
		o->proxy_pac = i % 2 ? file("free.pac", FUNCTION("while (true) dnsResolve('localhost')")) : NULL;
		memset(&got, 0, sizeof got);
		struct discovery *d = discovery_new(loop, o, on_found, NULL);

		if (when[i])
			turn(when[i]);
		if (i == 3)
			discovery_again(d, true);
		discovery_free(d);
		turn(LOOP_MS);
	}
}

/* ---- child processes ---- */

static struct {
	struct child *child;
	unsigned heard, ended;
	char why[200], output[200];
	bool free_when_heard;
} seen;

static void on_heard(void *ctx)
{
	(void)ctx;
	seen.heard++;
	if (seen.free_when_heard) {
		child_free(seen.child);
		loop_break(loop);
	}
}

static void on_ended(void *ctx, const char *why)
{
	size_t n;

	(void)ctx;
	seen.ended++;
	snprintf(seen.why, sizeof seen.why, "%s", why ? why : "");
	snprintf(seen.output, sizeof seen.output, "%s", child_output(seen.child, &n));
	child_free(seen.child);
	loop_break(loop);
}

static void child(const char *stage, const char *say, size_t cap, int64_t limit_us)
{
	static const struct child_events events = { on_heard, on_ended };
	char *env[] = { NULL };
	bool free_when_heard = seen.free_when_heard;

	memset(&seen, 0, sizeof seen);
	seen.free_when_heard = free_when_heard;
	seen.child = child_start(&(struct child_config){ .loop = loop, .stage = stage, .env = env, .cap = cap, .limit_us = limit_us },
				 &events, NULL);
	child_say(seen.child, say, strlen(say));
	child_hush(seen.child);
	turn(10 * LOOP_SECOND);
}

static void test_child(void **state)
{
	char lines[200];

	(void)state;
	child("settings", "url https://h/\n", 10000, 5 * LOOP_SECOND);
	assert_int_equal(seen.ended, 1);
	assert_string_equal(seen.why, "");
	assert_non_null(strstr(seen.output, "found direct://\nfound\n"));
	child("nonsense", "", 10000, 5 * LOOP_SECOND);
	assert_string_equal(seen.why, "ended with status 2");
	child("fetch", "", 10000, 5 * LOOP_SECOND);
	assert_string_equal(seen.why, "ended with status 2");
	child("script", "host x\nscript 9999999\n", 10000, 5 * LOOP_SECOND);
	assert_string_equal(seen.why, "ended with status 2");
	snprintf(lines, sizeof lines, "file %s\n\n", file("big", "0123456789012345678901234567890123456789012345678901234567890123456789"));
	child("fetch", lines, 20, 5 * LOOP_SECOND);
	assert_non_null(strstr(seen.why, "said more than 20 bytes"));
	child("script", "url https://h/\nhost h\nscript 9\nfor (;;);", 1000, LOOP_SECOND / 2);
	assert_string_equal(seen.why, "took too long and was killed");
	seen.free_when_heard = true;
	child("settings", "url https://h/\n", 10000, 5 * LOOP_SECOND);
	assert_int_equal(seen.heard, 1);
	assert_int_equal(seen.ended, 0);
	seen.free_when_heard = false;
}

static int setup(void **state)
{
	(void)state;
	if (!mkdtemp(directory))
		return -1;
	loop = loop_new();
	timer_init(&guard, loop, on_guard, NULL);
	return loop ? 0 : -1;
}

static int teardown(void **state)
{
	static const char *const names[] = { "proxy.pac", "bad.pac", "order.pac", "again.pac", "free.pac", "big" };

	(void)state;
	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		char path[100];

		snprintf(path, sizeof path, "%s/%s", directory, names[i]);
		unlink(path);
	}
	loop_free(loop);
	return rmdir(directory);
}

int main(int argc, char **argv)
{
	static const char *const proxies[] = { "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY", "no_proxy", "NO_PROXY" };
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_order), cmocka_unit_test(test_scripts), cmocka_unit_test(test_broken_scripts),
		cmocka_unit_test(test_endless_scripts), cmocka_unit_test(test_no_file), cmocka_unit_test(test_again),
		cmocka_unit_test(test_endless_scripts), cmocka_unit_test(test_no_file), cmocka_unit_test(test_settings_unknown),
		cmocka_unit_test(test_freed_at_any_time), cmocka_unit_test(test_child),
	};

	if (argc > 1 && strcmp(argv[1], CHILD_COMMAND) == 0)
		return command_child(argc - 1, argv + 1);
	for (size_t i = 0; i < sizeof proxies / sizeof *proxies; i++)
		unsetenv(proxies[i]);
	return cmocka_run_group_tests(tests, setup, teardown);
}
