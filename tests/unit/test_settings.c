/* links: client/settings.c client/wpad.c client/proxy.c client/authority.c client/child.c tunnel/address.c tunnel/loop.c tunnel/log.c framing/error.c */
/* libs: -lev */
/* What libproxy says of the system's settings, what it gets of our environment, and where WPAD looks. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "client/settings.h"
#include "client/wpad.h"

#define BEGIN "Configuration extension is: 22gnome_config_extension\nIgnored list is: localhost\nConfig is: \n"

static const struct row {
	const char *said;
	int kind;		/* -1: not enough yet */
	const char *text;	/* candidates, PAC file, or what is in why */
} rows[] = {
	{ "", -1, "" },
	{ BEGIN, -1, "" },
	{ BEGIN "found direct://\nfound", -1, "" },
	{ BEGIN "found direct://\nfound\n", SETTINGS_NONE, "" },
	{ "found\n", SETTINGS_NONE, "" },
	{ BEGIN "\thttp://p:3128\nfound http://p:3128\nfound\n", SETTINGS_LIST, "p:3128" },
	{ "found http://p:3128\nfound socks://s:1080\nfound direct://\nfound\n", SETTINGS_LIST, "p:3128|socks5://s:1080|direct" },
	{ "found https://p:3128/\nfound socks5://s\nfound\n", SETTINGS_LIST, "https://p:3128|socks5://s:1080" },
	{ "found direct://\nfound http://p:1\nfound\n", SETTINGS_LIST, "direct|p:1" },
	{ "found socks4://p:1\nfound http://p:1\nfound\n", SETTINGS_LIST, "p:1" },
	{ "found socks4://me:s3cret@p:1\nfound\n", SETTINGS_UNKNOWN, "SOCKS4" },
	{ "found http://me:s3cret@p:x\nfound\n", SETTINGS_UNKNOWN, "not a host name" },
	{ BEGIN "\tpac+http://w.corp/proxy.pac?x=1\n", SETTINGS_PAC, "http://w.corp/proxy.pac?x=1" },
	{ BEGIN "\tpac+http://w.corp/proxy.pac", -1, "" },
	{ BEGIN "\tpac+http://w.corp/p.pac\nUnable to download PAC!\nfound direct://\nfound\n", SETTINGS_PAC, "http://w.corp/p.pac" },
	{ BEGIN "\twpad://\nTrying to find the PAC using WPAD...\n", SETTINGS_DETECT, "" },
	{ "no libproxy.so.1 is not installed\n", SETTINGS_UNKNOWN, "not installed" },
};

static void test_said(void **state)
{
	static struct settings_result r;

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		char text[1000] = "", one[300];
		int kind = settings_parse(rows[i].said, strlen(rows[i].said), &r) ? (int)r.kind : -1;

		for (unsigned k = 0; kind == SETTINGS_LIST && k < r.list.n; k++) {
			strcat(text, k ? "|" : "");
			strcat(text, proxy_chain_text(&r.list.chain[k], one, sizeof one));
		}
		if (kind == SETTINGS_PAC)
			strcpy(text, r.pac);
		if (kind == SETTINGS_UNKNOWN && strstr(r.why, rows[i].text))
			strcpy(text, rows[i].text);
		if (kind != rows[i].kind || strcmp(text, rows[i].text) != 0)
			fail_msg("row %zu: %d '%s' '%s'", i, kind, text, r.why);
		assert_null(strstr(r.why, "s3cret"));
	}
}

/* More candidates than there is room for, and a line without end. */
static void test_much(void **state)
{
	static char said[100000];
	static struct settings_result r;
	size_t n = 0;

	(void)state;
	memset(said, 'x', 5000);
	n = 5000;
	said[n++] = '\n';
	for (int i = 1; i <= 20; i++)
		n += (size_t)sprintf(said + n, "found http://p:%d\n", i);
	n += (size_t)sprintf(said + n, "found\n");
	assert_true(settings_parse(said, n, &r));
	assert_int_equal(r.kind, SETTINGS_LIST);
	assert_int_equal(r.list.n, PROXY_CANDIDATES_MAX);
}

static void test_password(void **state)
{
	static const char said[] = "found http://me:pw%3ax@p.corp:3128\nfound\n";
	static struct settings_result r;

	(void)state;
	assert_true(settings_parse(said, strlen(said), &r));
	assert_string_equal(r.list.chain[0].hop[0].user, "me");
	assert_string_equal(r.list.chain[0].hop[0].password, "pw:x");
}

static bool has(char *const *env, const char *variable)
{
	for (; *env; env++)
		if (strcmp(*env, variable) == 0)
			return true;
	return false;
}

static void test_environment(void **state)
{
	char *ours[80] = { "HOME=/h", "HOMER=x", "TOKEN=s3cret", "https_proxy=http://me:s3cret@p:1", "DBUS_SESSION_BUS_ADDRESS=unix:x",
			   "XDG_CURRENT_DESKTOP=ubuntu:GNOME", "XDG_CONFIG_HOME=/c", "CULVERT_PROXY_PASSWORD_FD=3", "LD_PRELOAD=/x", NULL };
	char *env[SETTINGS_ENV_MAX], text[SETTINGS_ENV_TEXT], many[70][20];
	size_t n = 0;

	(void)state;
	settings_environment(ours, env, text);
	assert_true(has(env, "_PX_DEBUG=1"));
	assert_true(has(env, "HOME=/h"));
	assert_true(has(env, "XDG_CONFIG_HOME=/c"));
	assert_true(has(env, "DBUS_SESSION_BUS_ADDRESS=unix:x"));
	assert_true(has(env, "GNOME_DESKTOP_SESSION_ID=this-is-deprecated"));
	while (env[n])
		assert_null(strstr(env[n++], "s3cret"));
	assert_int_equal(n, 6);
	ours[5] = "XDG_CURRENT_DESKTOP=KDE";
	settings_environment(ours, env, text);
	assert_true(has(env, "KDE_FULL_SESSION=true"));
	for (int i = 0; i < 70; i++) {
		sprintf(many[i], "XDG_%d=x", i);
		ours[i] = many[i];
	}
	ours[70] = NULL;
	settings_environment(ours, env, text);
	for (n = 0; env[n]; n++)
		;
	assert_int_equal(n, SETTINGS_ENV_MAX - 1);
}

static void test_wpad(void **state)
{
	static const struct {
		const char *text;
		unsigned n;
		const char *first, *last;
	} cases[] = {
		{ "", 0, "", "" },
		{ "nameserver 192.0.2.1\n", 0, "", "" },
		{ "search corp.example", 1, "http://wpad.corp.example/wpad.dat", "http://wpad.corp.example/wpad.dat" },
		{ "# x\nsearch\tberlin.corp.example.  corp.example\n", 2, "http://wpad.berlin.corp.example/wpad.dat", "http://wpad.corp.example/wpad.dat" },
		{ "domain corp.example\n", 1, "http://wpad.corp.example/wpad.dat", "http://wpad.corp.example/wpad.dat" },
		{ "search com example local lan\n", 0, "", "" }, /* one label: anybody's */
		{ "search com a.example\n", 1, "http://wpad.a.example/wpad.dat", "http://wpad.a.example/wpad.dat" },
		{ "search a.example\nsearch b.example\n", 1, "http://wpad.b.example/wpad.dat", "http://wpad.b.example/wpad.dat" },
		{ "search a.b a..b .a.b a/b.c a@b.c x.y\n", 2, "http://wpad.a.b/wpad.dat", "http://wpad.x.y/wpad.dat" },
		{ "search a.b c.d e.f g.h i.j k.l\n", 4, "http://wpad.a.b/wpad.dat", "http://wpad.g.h/wpad.dat" },
		{ "searching a.b\n", 0, "", "" },
	};
	static char url[FETCH_URLS_MAX][FETCH_URL_MAX];

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		unsigned n = wpad_urls(cases[i].text, url);

		if (n != cases[i].n)
			fail_msg("'%s': %u", cases[i].text, n);
		if (n == 0)
			continue;
		assert_string_equal(url[0], cases[i].first);
		assert_string_equal(url[n - 1], cases[i].last);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_said), cmocka_unit_test(test_much), cmocka_unit_test(test_password),
		cmocka_unit_test(test_environment), cmocka_unit_test(test_wpad),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
