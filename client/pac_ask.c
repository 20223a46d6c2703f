/*
 * A PAC file, asked. Called by discovery.c; starts the stages "fetch" and "script",
 * looks up names for the script, and reads its answer.
 */
#include "client/pac_ask.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "client/child.h"
#include "client/fetch.h"
#include "client/pac.h"
#include "client/pac_result.h"
#include "client/wpad.h"

#define FETCH_US (5 * LOOP_SECOND)
#define SCRIPT_US (5 * LOOP_SECOND)
#define NAME_US (3 * LOOP_SECOND / 2)	/* a name that has no address by then has none */
#define LEAST_US LOOP_SECOND
#define SCRIPT_OUTPUT_MAX 16384

struct pac_ask {
	struct pac_ask_config config;
	void (*done)(void *ctx, struct proxy_list *, const char *where, const char *why);
	void *ctx;
	struct child *child;
	struct later nowhere;		/* there is nothing to be asked */
	char pac[FETCH_URL_MAX], cafile[4096], cadir[4096], url[700], host[300]; /* what the config points to */
	char where[FETCH_URL_MAX];
	/* script: */
	size_t heard;			/* bytes of its output that were read */
	unsigned names;
	char name[PAC_NAME_MAX];	/* being looked up */
	struct resolve *resolve;
	struct timer name_limit;
	struct proxy_list list;
};

static int64_t limit(const struct pac_ask *a, int64_t us)
{
	int64_t left = a->config.until_us - loop_now(a->config.loop);

	return left < LEAST_US ? LEAST_US : left < us ? left : us;
}

static void quiet(struct pac_ask *a)
{
	child_free(a->child);
	a->child = NULL;
	if (a->resolve)
		resolve_cancel(a->resolve);
	a->resolve = NULL;
	timer_stop(&a->name_limit);
	later_cancel(a->config.loop, &a->nowhere);
}

static void tell(struct pac_ask *a, const char *why)
{
	char copy[400];

	snprintf(copy, sizeof copy, "%s", why ? why : "");	/* it may be in the child */
	quiet(a);
	a->done(a->ctx, why ? NULL : &a->list, a->where, why ? copy : NULL);
}

/* A line of n characters of what a stage says, for people: what is not ASCII is no use in a log. */
static const char *words(const char *s, size_t n, char out[250])
{
	size_t len = 0;

	while (len < n && len < 249 && s[len] != '\n') {
		out[len] = isprint((unsigned char)s[len]) ? s[len] : '?';
		len++;
	}
	while (len > 0 && out[len - 1] == ' ')
		len--;
	out[len] = 0;
	return out;
}

/* ---- the script ---- */

/* "name IPV4 ALL" */
static void answer_name(struct pac_ask *a, const struct address *address, size_t n)
{
	char first[INET_ADDRSTRLEN] = "-", all[PAC_ADDRESSES_MAX] = "", one[INET6_ADDRSTRLEN], line[PAC_ADDRESSES_MAX + 100];
	size_t len = 0;

	for (size_t i = 0; i < n && len + INET6_ADDRSTRLEN + 1 < sizeof all; i++) {
		const struct sockaddr_storage *sa = &address[i].sa;
		bool v4 = sa->ss_family == AF_INET;
		const void *bits = v4 ? (const void *)&((const struct sockaddr_in *)sa)->sin_addr
				      : (const void *)&((const struct sockaddr_in6 *)sa)->sin6_addr;

		inet_ntop(sa->ss_family, bits, one, sizeof one);
		if (v4 && first[0] == '-')
			strcpy(first, one);
		len += (size_t)snprintf(all + len, sizeof all - len, "%s%s", len ? ";" : "", one);
	}
	child_say(a->child, line, (size_t)snprintf(line, sizeof line, "name %s %s\n", first, len ? all : "-"));
}

static void on_resolved(void *ctx, const struct address *address, size_t n, int error)
{
	struct pac_ask *a = ctx;

	a->resolve = NULL;
	timer_stop(&a->name_limit);
	answer_name(a, address, error ? 0 : n);
}

static void on_name_late(void *ctx)
{
	struct pac_ask *a = ctx;

	resolve_cancel(a->resolve);
	a->resolve = NULL;
	answer_name(a, NULL, 0);
}

/* False: it asks for what it must not. */
static bool look_up(struct pac_ask *a, const char *name, size_t n)
{
	if (a->resolve || n == 0 || n >= sizeof a->name || ++a->names > PAC_NAMES_MAX)
		return false;
	for (size_t i = 0; i < n; i++)
		if (!isalnum((unsigned char)name[i]) && !strchr("._-", name[i]))
			return false;
	memcpy(a->name, name, n);
	a->name[n] = 0;
	timer_in(&a->name_limit, NAME_US);
	a->resolve = resolve_start(a->config.resolver, a->name, 0, on_resolved, a);
	return true;
}

static void script_found(struct pac_ask *a, const char *answer, size_t n)
{
	char text[250], why[300];
	unsigned skipped;

	if (pac_result_parse(answer, n, &a->list, &skipped) < 0) {
		snprintf(why, sizeof why, "answers what no proxy is: '%.100s'", words(answer, n, text));
		tell(a, why);
		return;
	}
	tell(a, NULL);
}

/* False: nothing more is expected of it. */
static bool script_line(struct pac_ask *a, const char *line, size_t n)
{
	char text[250], why[300];

	if (n > 4 && memcmp(line, "ask ", 4) == 0 && look_up(a, line + 4, n - 4))
		return true;
	if (n >= 6 && memcmp(line, "found ", 6) == 0) {
		script_found(a, line + 6, n - 6);
	} else if (n > 3 && memcmp(line, "no ", 3) == 0) {
		snprintf(why, sizeof why, "cannot be evaluated: %s", words(line + 3, n - 3, text));
		tell(a, why);
	} else {
		tell(a, "cannot be evaluated: what evaluates it went astray");
	}
	return false;
}

static void on_script_heard(void *ctx)
{
	struct pac_ask *a = ctx;
	size_t n;
	const char *said = child_output(a->child, &n), *next;

	while ((next = memchr(said + a->heard, '\n', n - a->heard))) {
		const char *line = said + a->heard;

		a->heard = (size_t)(next + 1 - said);
		if (!script_line(a, line, (size_t)(next - line)))
			return;
	}
}

static void on_script_ended(void *ctx, const char *why)
{
	struct pac_ask *a = ctx;
	char text[200];

	snprintf(text, sizeof text, "was not evaluated to the end: its process %s", why ? why : "said nothing");
	tell(a, text);
}

/* Of the way that packets to the server, or any, would take. */
static void own_address(const struct pac_ask *a, char out[INET6_ADDRSTRLEN])
{
	const char *const far[] = { a->host, "198.51.100.1", "2001:db8::1" };
	struct address to, from;

	strcpy(out, "127.0.0.1");
	for (unsigned i = 0; i < 3; i++) {
		if (!address_literal(far[i], 9, &to) || address_source(&to, &from) < 0)
			continue;
		if (from.sa.ss_family == AF_INET)
			inet_ntop(AF_INET, &((struct sockaddr_in *)&from.sa)->sin_addr, out, INET6_ADDRSTRLEN);
		else
			inet_ntop(AF_INET6, &((struct sockaddr_in6 *)&from.sa)->sin6_addr, out, INET6_ADDRSTRLEN);
		return;
	}
}

static void script_start(struct pac_ask *a, const char *script, size_t n)
{
	static const struct child_events events = { on_script_heard, on_script_ended };
	struct child_config config = { .loop = a->config.loop, .stage = "script", .cap = SCRIPT_OUTPUT_MAX, .limit_us = limit(a, SCRIPT_US) };
	char *timezone = getenv("TZ"), zone[200], *env[2] = { NULL }, ip[INET6_ADDRSTRLEN], head[1200];
	struct child *fetched = a->child;

	if (timezone) {
		snprintf(zone, sizeof zone, "TZ=%s", timezone);
		env[0] = zone;
	}
	config.env = env;
	own_address(a, ip);
	a->child = child_start(&config, &events, a);
	child_say(a->child, head, (size_t)snprintf(head, sizeof head, "url %s\nhost %s\nip %s\nscript %zu\n", a->url, a->host, ip, n));
	child_say(a->child, script, n);
	child_free(fetched);
}

/* ---- the file ---- */

static void on_fetch_heard(void *ctx)
{
	(void)ctx;	/* at the end */
}

static void on_fetch_ended(void *ctx, const char *why)
{
	struct pac_ask *a = ctx;
	size_t n;
	const char *said = child_output(a->child, &n), *body = memchr(said, '\n', n);
	char text[250], sentence[300];

	if (why || !body) {
		snprintf(sentence, sizeof sentence, "could not be fetched: what fetches it %s", why ? why : "said nothing");
		tell(a, sentence);
	} else if (strncmp(said, "found ", 6) == 0) {
		snprintf(a->where, sizeof a->where, "%.*s", (int)(body - said - 6), said + 6);
		body++;
		script_start(a, body, n - (size_t)(body - said));
	} else {
		snprintf(sentence, sizeof sentence, "could not be fetched: %s", words(said + 3, n > 3 ? n - 3 : 0, text));
		tell(a, sentence);
	}
}

static unsigned wpad(char url[FETCH_URLS_MAX][FETCH_URL_MAX])
{
	FILE *f = fopen("/etc/resolv.conf", "re");
	char text[4096];
	size_t n;

	if (!f)
		return 0;
	n = fread(text, 1, sizeof text - 1, f);
	fclose(f);
	text[n] = 0;
	return wpad_urls(text, url);
}

/* What the stage is to fetch, as its lines. False: nothing. */
static bool places(struct pac_ask *a)
{
	char url[FETCH_URLS_MAX][FETCH_URL_MAX], directory[2048] = "", line[4200];
	unsigned n = 1;

	if (a->cafile[0])
		child_say(a->child, line, (size_t)snprintf(line, sizeof line, "cafile %s\n", a->cafile));
	if (a->cadir[0])
		child_say(a->child, line, (size_t)snprintf(line, sizeof line, "cadir %s\n", a->cadir));
	if (strcmp(a->pac, "wpad") == 0) {
		n = wpad(url);
	} else if (strstr(a->pac, "://")) {
		snprintf(url[0], FETCH_URL_MAX, "%s", a->pac);
	} else {
		if (a->pac[0] != '/' && !getcwd(directory, sizeof directory))
			return false;
		child_say(a->child, line, (size_t)snprintf(line, sizeof line, "file %s%s%s\n", directory, *directory ? "/" : "", a->pac));
		n = 0;
	}
	for (unsigned i = 0; i < n; i++)
		child_say(a->child, line, (size_t)snprintf(line, sizeof line, "url %s\n", url[i]));
	child_say(a->child, "\n", 1);
	return n > 0 || strcmp(a->pac, "wpad") != 0;
}

static void on_nowhere(void *ctx)
{
	tell(ctx, "is not looked for: /etc/resolv.conf names no domain to search with two labels or more");
}

struct pac_ask *pac_ask_start(const struct pac_ask_config *config,
			      void (*done)(void *ctx, struct proxy_list *, const char *where, const char *why), void *ctx)
{
	static const struct child_events events = { on_fetch_heard, on_fetch_ended };
	struct pac_ask *a = calloc(1, sizeof *a);
	char *none[] = { NULL };

	if (!a)
		abort();
	a->config = *config;
	a->done = done;
	a->ctx = ctx;
	snprintf(a->pac, sizeof a->pac, "%s", config->pac);
	snprintf(a->cafile, sizeof a->cafile, "%s", config->cafile ? config->cafile : "");
	snprintf(a->cadir, sizeof a->cadir, "%s", config->cadir ? config->cadir : "");
	snprintf(a->url, sizeof a->url, "%s", config->url);
	snprintf(a->host, sizeof a->host, "%s", config->host);
	snprintf(a->where, sizeof a->where, "%s", config->pac);
	timer_init(&a->name_limit, config->loop, on_name_late, a);
	later_init(&a->nowhere, on_nowhere, a);
	a->child = child_start(&(struct child_config){ .loop = config->loop, .stage = "fetch", .env = none,
						       .cap = FETCH_MAX + FETCH_URL_MAX + 64, .limit_us = limit(a, FETCH_US) },
			       &events, a);
	if (!places(a)) {
		child_free(a->child);
		a->child = NULL;
		loop_later(config->loop, &a->nowhere);
	}
	return a;
}

void pac_ask_free(struct pac_ask *a)
{
	if (!a)
		return;
	quiet(a);
	loop_free_later(a->config.loop, a);
}
