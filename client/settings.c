/*
 * The system's settings. Called by discovery.c; starts the stage "settings" and reads
 * what it says. As soon as a PAC file is named the child is of no more use.
 */
#include "client/settings.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "client/child.h"

#define LIMIT_US (2 * LOOP_SECOND)
#define OUTPUT_MAX 65536

struct settings {
	struct loop *loop;
	struct child *child;
	void (*done)(void *ctx, const struct settings_result *);
	void *ctx;
	struct settings_result result;
};

/* ---- what it says ---- */

/* libproxy's URL of one proxy; "socks" is one that speaks some version. */
static void add(struct settings_result *r, const char *url)
{
	struct proxy_chain *c = &r->list.chain[r->list.n];
	char text[FETCH_URL_MAX + 16];
	bool socks = strncmp(url, "socks://", 8) == 0;
	const char *why = NULL;

	if (r->list.n == PROXY_CANDIDATES_MAX)
		return;
	memset(c, 0, sizeof *c);
	if (strncmp(url, "direct://", 9) != 0) {
		snprintf(text, sizeof text, "%s%.2040s", socks ? "socks5://" : "", socks ? url + 8 : url);
		why = proxy_parse(text, false, true, &c->hop[0]);
		c->n = 1;
		explicit_bzero(text, sizeof text);
	}
	if (!why)
		r->list.n++;
	else if (!r->why[0])
		snprintf(r->why, sizeof r->why, "a proxy of the system's settings %.100s", why);
}

static void decide(struct settings_result *r)
{
	bool direct = r->list.n == 1 && r->list.chain[0].n == 0;

	r->kind = r->list.n == 0 ? (r->why[0] ? SETTINGS_UNKNOWN : SETTINGS_NONE) : direct ? SETTINGS_NONE : SETTINGS_LIST;
}

/* True when nothing that follows matters. */
static bool line_parse(const char *line, struct settings_result *r)
{
	if (strncmp(line, "\tpac+", 5) == 0) {
		r->kind = SETTINGS_PAC;
		snprintf(r->pac, sizeof r->pac, "%.2000s", line + 5);
		return true;
	}
	if (strncmp(line, "\twpad:", 6) == 0) {
		r->kind = SETTINGS_DETECT;
		return true;
	}
	if (strncmp(line, "no ", 3) == 0) {
		r->kind = SETTINGS_UNKNOWN;
		snprintf(r->why, sizeof r->why, "%.190s", line + 3);
		return true;
	}
	if (strcmp(line, "found") == 0) {
		decide(r);
		return true;
	}
	if (strncmp(line, "found ", 6) == 0)
		add(r, line + 6);
	return false;
}

bool settings_parse(const char *said, size_t n, struct settings_result *r)
{
	char line[FETCH_URL_MAX + 8];
	const char *end = said + n, *next;

	memset(r, 0, sizeof *r);
	for (; (next = memchr(said, '\n', (size_t)(end - said))); said = next + 1) {
		if ((size_t)(next - said) >= sizeof line)
			continue;
		memcpy(line, said, (size_t)(next - said));
		line[next - said] = 0;
		if (line_parse(line, r))
			return true;
	}
	return false;
}

/* ---- what it gets ---- */

static const char *value_of(char *const *env, const char *name)
{
	size_t n = strlen(name);

	for (; *env; env++)
		if (strncmp(*env, name, n) == 0 && (*env)[n] == '=')
			return *env + n + 1;
	return NULL;
}

static bool wanted(const char *variable)
{
	static const char *const exact[] = {
		"HOME", "PATH", "USER", "LOGNAME", "DISPLAY", "WAYLAND_DISPLAY", "DBUS_SESSION_BUS_ADDRESS", "DESKTOP_SESSION",
		"GNOME_DESKTOP_SESSION_ID", "KDE_FULL_SESSION", "KDE_SESSION_VERSION", "DCONF_PROFILE", "PX_MODULE_PATH", "PX_GSETTINGS",
	};
	size_t n = strcspn(variable, "=");

	for (size_t i = 0; i < sizeof exact / sizeof *exact; i++)
		if (strlen(exact[i]) == n && strncmp(exact[i], variable, n) == 0)
			return true;
	return strncmp(variable, "XDG_", 4) == 0 || strncmp(variable, "GSETTINGS_", 10) == 0;
}

/* libproxy 0.4 knows GNOME and KDE by variables that sessions of today do not always set. */
static void desktop(char *const *ours, char **out, size_t *n)
{
	const char *current = value_of(ours, "XDG_CURRENT_DESKTOP");
	static const char *const gnome[] = { "GNOME", "Unity", "Cinnamon", "Budgie", "MATE" };

	for (size_t i = 0; current && i < sizeof gnome / sizeof *gnome; i++)
		if (strcasestr(current, gnome[i]) && !value_of(ours, "GNOME_DESKTOP_SESSION_ID")) {
			out[(*n)++] = "GNOME_DESKTOP_SESSION_ID=this-is-deprecated";
			break;
		}
	if (current && strcasestr(current, "KDE") && !value_of(ours, "KDE_FULL_SESSION"))
		out[(*n)++] = "KDE_FULL_SESSION=true";
}

void settings_environment(char *const *ours, char *out[SETTINGS_ENV_MAX], char text[SETTINGS_ENV_TEXT])
{
	size_t n = 0, at = 0;

	out[n++] = "_PX_DEBUG=1";
	desktop(ours, out, &n);
	for (char *const *e = ours; *e && n + 1 < SETTINGS_ENV_MAX; e++) {
		size_t len = strlen(*e) + 1;

		if (!wanted(*e) || len > SETTINGS_ENV_TEXT - at)
			continue;
		out[n++] = memcpy(text + at, *e, len);
		at += len;
	}
	out[n] = NULL;
}

/* ---- asking ---- */

static void tell(struct settings *s)
{
	child_free(s->child);
	s->child = NULL;
	s->done(s->ctx, &s->result);
}

static void on_heard(void *ctx)
{
	struct settings *s = ctx;
	size_t n;
	const char *said = child_output(s->child, &n);

	if (settings_parse(said, n, &s->result))
		tell(s);
}

static void on_ended(void *ctx, const char *why)
{
	struct settings *s = ctx;
	size_t n;
	const char *said = child_output(s->child, &n);

	if (!settings_parse(said, n, &s->result)) {
		s->result.kind = SETTINGS_UNKNOWN;
		snprintf(s->result.why, sizeof s->result.why, "what asks libproxy for the system's settings %s", why ? why : "said nothing");
	}
	tell(s);
}

struct settings *settings_start(struct loop *loop, const char *url, void (*done)(void *ctx, const struct settings_result *), void *ctx)
{
	static const struct child_events events = { on_heard, on_ended };
	char *env[SETTINGS_ENV_MAX], text[SETTINGS_ENV_TEXT], line[1024];
	struct settings *s = calloc(1, sizeof *s);

	if (!s)
		abort();
	s->loop = loop;
	s->done = done;
	s->ctx = ctx;
	settings_environment(environ, env, text);
	s->child = child_start(&(struct child_config){ .loop = loop, .stage = "settings", .env = env, .cap = OUTPUT_MAX, .limit_us = LIMIT_US },
			       &events, s);
	child_say(s->child, line, (size_t)snprintf(line, sizeof line, "url %s\n", url));
	return s;
}

void settings_free(struct settings *s)
{
	if (!s)
		return;
	child_free(s->child);
	explicit_bzero(&s->result, sizeof s->result);	/* there may be passwords in it */
	loop_free_later(s->loop, s);
}
