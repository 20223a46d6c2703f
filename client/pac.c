/*
 * The stage "script": evaluates a PAC file with pacparser (SpiderMonkey 1.7 of 2007),
 * which no other file sees, in the tightest sandbox: no file, no network, no program.
 * Names are looked up by the parent: dnsResolve is replaced by a function that knows what
 * was looked up, and for anything else leaves the script, which is then run again from its
 * beginning with one name more.
 *
 * Lines in: "url URL", "host HOST", "ip ADDRESS", "script N" and N bytes; to each "ask NAME"
 * then "name IPV4 ALL", with "-" for none. Out at the end: "found ANSWER" or "no SENTENCE".
 */
#include <pacparser.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "client/fetch.h"
#include "client/pac.h"
#include "client/pac_result.h"
#include "client/sandbox.h"
#include "client/stage.h"

static struct {
	char url[700], host[300], ip[64];
	char *script;
} asked;

static struct name {
	char name[PAC_NAME_MAX], first[64], all[PAC_ADDRESSES_MAX + 1];
} names[PAC_NAMES_MAX];
static unsigned n_names;

static struct {
	__typeof__(pacparser_init) *init;
	__typeof__(pacparser_cleanup) *cleanup;
	__typeof__(pacparser_setmyip) *setmyip;
	__typeof__(pacparser_parse_pac_string) *parse;
	__typeof__(pacparser_find_proxy) *find;
	__typeof__(pacparser_set_error_printer) *set_error_printer;
} engine;

static char trouble[300];	/* the engine's last words */

/* In front of the script, behind the table of names. */
static const char before[] =
	"var asked = null;"
	"function literal(h) { return /^[0-9]+[.][0-9]+[.][0-9]+[.][0-9]+$/.test(h) || h.indexOf(':') >= 0; }"
	"function resolve(h, i) {"
	"	h = String(h).toLowerCase();"
	"	if (literal(h)) return h;"
	"	var a = names[' ' + h];"
	"	if (a) return a[i];"
	"	if (full || h.length > 253 || !/^[a-z0-9_.-]+$/.test(h)) return null;"
	"	asked = h;"
	"	throw 'asked';"
	"}"
	"dnsResolve = function(h) { return resolve(h, 0); };"
	"dnsResolveEx = function(h) { return resolve(h, 1) || ''; };"
	"if (typeof alert == 'undefined') alert = function() {};"
	"culvert = function(f, u, h) {"
	"	var r;"
	"	try {"
	"		if (!asked) r = typeof f == 'function' ? '=' + f(u, h) : '!it has no function FindProxyForURL';"
	"	} catch (e) { r = '!' + e; }"
	"	return asked ? '?' + asked : r;"
	"};"
	"})();";

/* Behind it: as in browsers, FindProxyForURL comes first. */
static const char behind[] =
	"(function() {"
	"var f = typeof FindProxyForURL == 'function' ? FindProxyForURL : typeof FindProxyForURLEx == 'function' ? FindProxyForURLEx : null;"
	"FindProxyForURLEx = null;"
	"FindProxyForURL = function(u, h) { return culvert(f, u, h); };"
	"})();";

/* ---- input ---- */

static bool ask(void)
{
	char line[1024];
	const char *value;

	while (stage_line(line, sizeof line)) {
		if ((value = stage_value(line, "url"))) {
			snprintf(asked.url, sizeof asked.url, "%s", value);
		} else if ((value = stage_value(line, "host"))) {
			snprintf(asked.host, sizeof asked.host, "%s", value);
		} else if ((value = stage_value(line, "ip"))) {
			snprintf(asked.ip, sizeof asked.ip, "%s", value);
		} else if ((value = stage_value(line, "script"))) {
			size_t n = strtoul(value, NULL, 10);

			if (n > FETCH_MAX || !(asked.script = calloc(1, n + 1)))
				return false;
			return stage_bytes(asked.script, n);
		}
	}
	return false;
}

/* What is between quotes in our own script. */
static bool harmless(const char *s)
{
	return strlen(s) == strspn(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~:/[]%;");
}

/* Has the parent look up a name. */
static bool look_up(const char *host)
{
	struct name *name = &names[n_names];
	char line[600];
	const char *value;

	if (n_names == PAC_NAMES_MAX || !*host || strlen(host) >= sizeof name->name || !harmless(host))
		return false;
	strcpy(name->name, host);
	stage_say("ask %s", host);
	if (!stage_line(line, sizeof line) || !(value = stage_value(line, "name")) ||
	    sscanf(value, "%63s %400s", name->first, name->all) != 2 || !harmless(name->first) || !harmless(name->all))
		return false;
	n_names++;
	return true;
}

/* ---- the engine ---- */

static int on_error(const char *fmt, va_list ap)
{
	char text[sizeof trouble];
	const char *s = text;

	vsnprintf(text, sizeof text, fmt, ap);
	if (strncmp(text, "JSERROR: ", 9) == 0)
		s = text + 9;
	else if (trouble[0])
		return 0;	/* what the engine says of it is less */
	snprintf(trouble, sizeof trouble, "%s", s);
	return 0;
}

/* NULL as a word of the script, else in quotes. */
static size_t put_value(char *out, size_t size, const char *s)
{
	return (size_t)(strcmp(s, "-") == 0 ? snprintf(out, size, "null") : snprintf(out, size, "'%s'", s));
}

/* The table of names, and what uses it. */
static const char *prelude(void)
{
	static char text[PAC_NAMES_MAX * (sizeof(struct name) + 32) + sizeof before + 100];
	size_t n = (size_t)snprintf(text, sizeof text, "(function() { var full = %s; var names = {", n_names == PAC_NAMES_MAX ? "true" : "false");

	for (unsigned i = 0; i < n_names; i++) {
		n += (size_t)snprintf(text + n, sizeof text - n, "%s' %s': [", i ? ", " : "", names[i].name);
		n += put_value(text + n, sizeof text - n, names[i].first);
		n += (size_t)snprintf(text + n, sizeof text - n, ", ");
		n += put_value(text + n, sizeof text - n, names[i].all);
		n += (size_t)snprintf(text + n, sizeof text - n, "]");
	}
	snprintf(text + n, sizeof text - n, "};%s", before);
	return text;
}

/* One run from the beginning: '=' and the answer, '?' and a name, or '!' and what is wrong. NULL: the engine gave up. */
static const char *run(void)
{
	const char *answer;
	bool whole;

	trouble[0] = 0;
	if (asked.ip[0])
		engine.setmyip(asked.ip);
	if (!engine.init() || !engine.parse(prelude()))
		return NULL;
	/* When this fails the reason may be a name that is asked for at the top level. */
	whole = engine.parse(asked.script);

	if (!engine.parse(behind))
		return NULL;
	answer = engine.find(asked.url, asked.host);
	return answer && *answer != '?' && !whole ? NULL : answer;
}

static bool engine_load(void)
{
	void *library = stage_library("libpacparser.so.1");

	if (!library)
		return false;
	engine.init = LIBRARY_FUNCTION(library, pacparser_init);
	engine.cleanup = LIBRARY_FUNCTION(library, pacparser_cleanup);
	engine.setmyip = LIBRARY_FUNCTION(library, pacparser_setmyip);
	engine.parse = LIBRARY_FUNCTION(library, pacparser_parse_pac_string);
	engine.find = LIBRARY_FUNCTION(library, pacparser_find_proxy);
	engine.set_error_printer = LIBRARY_FUNCTION(library, pacparser_set_error_printer);
	return true;
}

static int evaluate(void)
{
	for (;;) {
		const char *answer = run();

		if (answer && *answer == '?' && look_up(answer + 1)) {
			engine.cleanup();
			continue;
		}
		if (answer && *answer == '=')
			stage_say("found %.*s", PAC_RESULT_MAX, answer + 1);
		else if (answer && *answer == '!')
			stage_say("no %.200s", answer + 1);
		else
			stage_say("no %.200s", trouble[0] ? trouble : "the script is not understood");
		return 0;
	}
}

int stage_script(void)
{
	if (!ask() || !asked.host[0] || !harmless(asked.url) || !harmless(asked.host))
		return 2;
	if (!engine_load())
		return 0;
	/* So named the zone is read once, now, and not again when the script asks for the time. */
	setenv("TZ", ":/etc/localtime", 0);
	tzset();
	if (sandbox_enter(SANDBOX_SCRIPT, NULL) < 0) {
		stage_say("no the system has no sandbox to evaluate it in");
		return 0;
	}
	engine.set_error_printer(on_error);
	return evaluate();
}
