/*
 * The cover reply. Made once from the configuration; sent by the front.
 */
#include "server/cover.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define LINES_MAX 1024
#define URL_MAX 512

struct cover {
	int status;
	char lines[LINES_MAX];	/* header lines besides Date */
	uint8_t *body;
	size_t len;
};

static const char text_type[] = "Content-Type: text/plain; charset=utf-8\r\n";

static void set_body(struct cover *c, const char *text)
{
	c->len = strlen(text);
	c->body = (uint8_t *)strdup(text);
	if (!c->body)
		abort();
}

static bool url_ok(const char *url)
{
	if (strncmp(url, "https://", 8) && strncmp(url, "http://", 7) && *url != '/')
		return false;
	for (const char *p = url; *p; p++)
		if ((unsigned char)*p <= ' ' || (unsigned char)*p >= 0x7f || *p == '"' || *p == '<' || *p == '>')
			return false;
	return strlen(url) <= URL_MAX;
}

static bool make_redirect(struct cover *c, const char *url, char *error, size_t size)
{
	if (!url_ok(url)) {
		snprintf(error, size, "redirect: needs a URL that begins with https://, http:// or /, not '%s'", url);
		return false;
	}
	c->status = 302;
	snprintf(c->lines, sizeof c->lines, "Location: %s\r\n%s", url, text_type);
	set_body(c, "See the address in Location.\n");
	return true;
}

static const char *type_of(const char *path)
{
	static const char *const types[][2] = {
		{ ".html", "text/html; charset=utf-8" },
		{ ".htm", "text/html; charset=utf-8" },
		{ ".txt", "text/plain; charset=utf-8" },
		{ ".json", "application/json" },
	};
	const char *dot = strrchr(path, '.');

	for (size_t i = 0; dot && i < sizeof types / sizeof *types; i++)
		if (!strcmp(dot, types[i][0]))
			return types[i][1];
	return "application/octet-stream";
}

static bool make_page(struct cover *c, const char *path, char *error, size_t size)
{
	FILE *f = fopen(path, "r");
	bool ok;

	c->status = 200;
	snprintf(c->lines, sizeof c->lines, "Content-Type: %s\r\n", type_of(path));
	c->body = malloc(COVER_BODY_MAX + 1);
	if (!c->body)
		abort();
	if (f)
		c->len = fread(c->body, 1, COVER_BODY_MAX + 1, f);
	ok = f && !ferror(f);
	if (!ok)
		snprintf(error, size, "cannot read the cover page %s: %s", path, strerror(errno));
	if (f)
		fclose(f);
	if (c->len > COVER_BODY_MAX) {
		snprintf(error, size, "the cover page %s is longer than %d bytes", path, COVER_BODY_MAX);
		ok = false;
	}
	return ok;
}

struct cover *cover_new(const char *spec, char *error, size_t size)
{
	struct cover *c = calloc(1, sizeof *c);
	bool ok = true;

	if (!c)
		abort();
	if (!strcmp(spec, "404")) {
		c->status = 404;
		snprintf(c->lines, sizeof c->lines, "%s", text_type);
		set_body(c, "Not Found\n");
	} else if (!strncmp(spec, "redirect:", 9)) {
		ok = make_redirect(c, spec + 9, error, size);
	} else if (!strncmp(spec, "file:", 5)) {
		ok = make_page(c, spec + 5, error, size);
	} else {
		snprintf(error, size, "must be 404, redirect:URL or file:PATH, not '%s'", spec);
		ok = false;
	}
	if (ok)
		return c;
	cover_free(c);
	return NULL;
}

void cover_free(struct cover *c)
{
	if (c)
		free(c->body);
	free(c);
}

static void put(struct exchange *x, int64_t wall, int status, const char *lines, const uint8_t *body, size_t n)
{
	char all[LINES_MAX + 64], date[40];
	time_t t = (time_t)wall;
	struct tm tm;
	struct exchange_head head = { .status = status, .lines = all };
	size_t cap;
	uint8_t *room = exchange_room(x, n ? n : 1, &cap);

	if (!room) {
		exchange_abort(x);
		return;
	}
	gmtime_r(&t, &tm);
	strftime(date, sizeof date, "%a, %d %b %Y %H:%M:%S GMT", &tm); /* C locale: nobody calls setlocale */
	snprintf(all, sizeof all, "Date: %s\r\n%s", date, lines);
	memcpy(room, body, n);
	(void)exchange_send(x, &head, n, true); /* a failure ends the exchange by itself */
}

void cover_send(const struct cover *c, struct exchange *x, int64_t wall, bool with_body)
{
	put(x, wall, c->status, c->lines, c->body, with_body ? c->len : 0);
}

void cover_send_text(struct exchange *x, int64_t wall, int status, const char *text, bool with_body)
{
	put(x, wall, status, text_type, (const uint8_t *)text, with_body ? strlen(text) : 0);
}
