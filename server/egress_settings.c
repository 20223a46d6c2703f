/* Made by the services from their configuration, read by the kinds of egress. */
#include "server/egress_settings.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "framing/message.h"
#include "tunnel/address.h"
#include "tunnel/stream_tls.h"

#define LINES_MAX 2048	/* bytes of the headers of one service */
#define PATH_MAX_TEXT 1024
#define TOKEN "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"

static bool wrong(char *error, size_t size, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(error, size, fmt, ap);
	va_end(ap);
	return false;
}

static char *copy(const char *text)
{
	char *p = strdup(text);

	if (!p)
		abort();
	return p;
}

static bool is_visible(const char *text, bool spaces)
{
	for (; *text; text++)
		if ((unsigned char)*text < (spaces ? ' ' : '!') || *text == 0x7f)
			return false;
	return true;
}

/* Lines that the handshake has already, or that would change what it is. */
static bool is_ours(const char *name, size_t n)
{
	static const char *const ours[] = { "Host", "Connection", "Upgrade", "Content-Length", "Transfer-Encoding", "Origin", "Expect", "TE" };

	for (size_t i = 0; i < sizeof ours / sizeof *ours; i++)
		if (strlen(ours[i]) == n && !strncasecmp(name, ours[i], n))
			return true;
	return n >= 14 && !strncasecmp(name, "Sec-WebSocket-", 14);
}

static bool read_header(const char *text, char *lines, char *error, size_t size)
{
	size_t n = strspn(text, TOKEN), used = strlen(lines);
	const char *value = text + n + (text[n] != 0);

	if (!n || text[n] != ':' || !is_visible(value, true))
		return wrong(error, size, "headers must be like \"X-Name: value\", not '%s'", text);
	if (is_ours(text, n))
		return wrong(error, size, "headers cannot have '%.*s': the handshake decides it%s", (int)n, text,
			     n == 6 && !strncasecmp(text, "Origin", n) ? " (there is an option origin)" : "");
	value += strspn(value, " ");
	if (snprintf(lines + used, LINES_MAX - used, "%.*s: %s\r\n", (int)n, text, value) >= (int)(LINES_MAX - used))
		return wrong(error, size, "headers are longer than %d characters", LINES_MAX);
	return true;
}

static bool read_lines(struct egress_settings *s, const struct egress_wishes *w, char *error, size_t size)
{
	char lines[LINES_MAX] = "";

	if (w->origin && (!*w->origin || !is_visible(w->origin, false) || strlen(w->origin) > 512))
		return wrong(error, size, "origin must be like https://app.example.org, not '%s'", w->origin);
	if (w->origin)
		snprintf(lines, sizeof lines, "Origin: %s\r\n", w->origin);
	for (size_t i = 0; w->headers && w->headers[i]; i++)
		if (!read_header(w->headers[i], lines, error, size))
			return false;
	s->lines = copy(lines);
	return true;
}

static bool read_subprotocol(struct egress_settings *s, const char *text, char *error, size_t size)
{
	if (!text)
		return true;
	if (!*text || strlen(text) > MESSAGE_PROTOCOLS_MAX || strspn(text, TOKEN ",") != strlen(text))
		return wrong(error, size, "subprotocol must be a name such as janus-protocol, or several with commas between them, not '%s'", text);
	s->subprotocol = copy(text);
	return true;
}

static bool read_target(struct egress_settings *s, const char *target, char *error, size_t size)
{
	const char *slash = target + strcspn(target, "/?#");
	struct address_hostport at;
	char host[300];

	snprintf(host, sizeof host, "%.*s", (int)(slash - target), target);
	if (address_split(host, false, &at) < 0)
		return wrong(error, size, "the target must be like ws://HOST:PORT/PATH");
	if (!is_visible(slash, false) || strchr(slash, '#') || strlen(slash) > PATH_MAX_TEXT || (*slash && *slash != '/'))
		return wrong(error, size, "the target's path has characters that cannot be in one, or more than %d: '%s'", PATH_MAX_TEXT, slash);
	s->host = copy(host);
	s->name = copy(at.host);
	s->path = copy(*slash ? slash : "/");
	return true;
}

static bool read_tls(struct egress_settings *s, const char *cafile, char *error, size_t size)
{
	const struct tls_trust trust = { .cafile = cafile };
	char why[256];

	s->tls = tls_context_client(&trust, "http/1.1", why, sizeof why);
	return s->tls || wrong(error, size, "%s", why);
}

static bool read_websocket(struct egress_settings *s, bool tls, const char *target, const struct egress_wishes *w, char *error, size_t size)
{
	if (w->framing)
		return wrong(error, size, "framing is for TCP targets: WebSockets have their own");
	if (w->cafile && !tls)
		return wrong(error, size, "cafile is for wss:// targets");
	return read_target(s, target, error, size) && read_lines(s, w, error, size) &&
	       read_subprotocol(s, w->subprotocol, error, size) && (!tls || read_tls(s, w->cafile, error, size));
}

static bool read_framing(struct egress_settings *s, const char *scheme, const struct egress_wishes *w, char *error, size_t size)
{
	if (w->subprotocol || w->origin || w->cafile || (w->headers && w->headers[0]))
		return wrong(error, size, "subprotocol, origin, headers and cafile are for ws:// and wss:// targets");
	if (!w->framing)
		return !w->message_max || wrong(error, size, "message-max is for WebSocket targets, and TCP ones with framing");
	if (strcmp(scheme, "tcp"))
		return wrong(error, size, "framing is for TCP targets");
	if (strcmp(w->framing, "line") && strcmp(w->framing, "length"))
		return wrong(error, size, "framing must be line or length, not '%s'", w->framing);
	s->framing = strcmp(w->framing, "line") ? EGRESS_LENGTHS : EGRESS_LINES;
	return true;
}

struct egress_settings *egress_settings_new(const char *scheme, const char *target, const struct egress_wishes *w, char *error, size_t size)
{
	struct egress_settings *s = calloc(1, sizeof *s);
	bool tls = !strcmp(scheme, "wss"), ok;

	if (!s)
		abort();
	s->references = 1;
	s->message_max = w->message_max ? (size_t)w->message_max : EGRESS_MESSAGE_MAX;
	if (tls || !strcmp(scheme, "ws"))
		ok = read_websocket(s, tls, target, w, error, size);
	else
		ok = read_framing(s, scheme, w, error, size);
	if (ok)
		return s;
	egress_settings_release(s);
	return NULL;
}

struct egress_settings *egress_settings_keep(const struct egress_settings *s)
{
	struct egress_settings *own = (struct egress_settings *)s;

	own->references++;
	return own;
}

void egress_settings_release(struct egress_settings *s)
{
	if (!s || --s->references > 0)
		return;
	tls_context_release(s->tls);
	free(s->path);
	free(s->host);
	free(s->name);
	free(s->subprotocol);
	free(s->lines);
	free(s);
}
