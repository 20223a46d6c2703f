/*
 * Headers about who asked a proxy. Called by the server for requests from proxies that
 * it trusts; calls nothing but the scanning of heads.
 */
#include "framing/forwarded.h"

#include <arpa/inet.h>
#include <string.h>

#include "framing/http1_head.h"

#define NODE_MAX 64		/* bytes of an address, a port and brackets */

static const char *const names[] = { [FORWARDED_X_FOR] = "X-Forwarded-For", [FORWARDED_RFC7239] = "Forwarded" };

/* ---- splitting, from the right ---- */

/* A quote with an odd number of backslashes before it is part of its text. */
static bool is_escaped(const uint8_t *p, size_t at)
{
	size_t n = 0;

	while (n < at && p[at - n - 1] == '\\')
		n++;
	return n & 1;
}

/* Takes what is right of the last separator that stands in no quotes; false when quotes are left open, and then it is all of it. */
static bool take_last(struct span *s, char separator, struct span *last)
{
	bool quoted = false;
	size_t i = s->n;

	while (i > 0) {
		i--;
		if (s->p[i] == '"' && !is_escaped(s->p, i))
			quoted = !quoted;
		else if (s->p[i] == separator && !quoted) {
			*last = http1_head_trim((struct span){ s->p + i + 1, s->n - i - 1 });
			s->n = i;
			return true;
		}
	}
	*last = http1_head_trim(*s);
	s->n = 0;
	return !quoted;
}

/* ---- nodes ---- */

/* ALPHA / DIGIT / "." / "_" / "-" behind the "_" */
static bool is_hidden_name(const char *s)
{
	if (*s != '_' || !s[1])
		return false;
	for (s++; *s; s++)
		if (!((*s >= 'a' && *s <= 'z') || (*s >= 'A' && *s <= 'Z') || (*s >= '0' && *s <= '9') || strchr("._-", *s)))
			return false;
	return true;
}

/* 1*5DIGIT, or one that is hidden. */
static bool port_get(const char *s, uint16_t *port)
{
	unsigned v = 0;
	size_t n = 0;

	if (is_hidden_name(s))
		return true;
	for (; s[n] >= '0' && s[n] <= '9' && n < 5; n++)
		v = v * 10 + (unsigned)(s[n] - '0');
	*port = (uint16_t)v;
	return n > 0 && !s[n] && v <= UINT16_MAX;
}

static bool ip_get(const char *s, int family, struct forwarded_node *node)
{
	node->ip_len = family == AF_INET ? 4 : 16;
	return inet_pton(family, s, node->ip) == 1;
}

/* Changes the text. bare: IPv6 may stand without brackets. */
static enum forwarded_kind node_get(char *text, bool bare, struct forwarded_node *node)
{
	char *host = text, *port = strchr(text, ':'), *bracket;

	if (*text == '[') {
		host = text + 1;
		bracket = strchr(host, ']');
		if (!bracket || (bracket[1] && bracket[1] != ':'))
			return FORWARDED_MALFORMED;
		port = bracket[1] ? bracket + 1 : NULL;
		*bracket = '\0';
	} else if (port && strchr(port + 1, ':')) {
		if (!bare)
			return FORWARDED_MALFORMED;
		port = NULL;
	}
	if (port) {
		*port = '\0';
		if (!port_get(port + 1, &node->port))
			return FORWARDED_MALFORMED;
	}
	if (host != text || strchr(host, ':'))
		return ip_get(host, AF_INET6, node) ? FORWARDED_ADDRESS : FORWARDED_MALFORMED;
	if (http1_is((struct span){ (const uint8_t *)host, strlen(host) }, "unknown") || is_hidden_name(host))
		return FORWARDED_HIDDEN;
	return ip_get(host, AF_INET, node) ? FORWARDED_ADDRESS : FORWARDED_MALFORMED;
}

/* A token or a quoted string without its quotes; false when it is too long, or none. */
static bool text_get(struct span s, char out[NODE_MAX])
{
	size_t n = 0;
	bool quoted = s.n > 0 && *s.p == '"';

	if (quoted) {
		if (s.n < 2 || s.p[s.n - 1] != '"' || is_escaped(s.p, s.n - 1))
			return false;
		s.p++;
		s.n -= 2;
	}
	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] == '"' && (!quoted || !is_escaped(s.p, i)))
			return false;
		if (quoted && s.p[i] == '\\' && ++i == s.n)
			return false;
		if (n == NODE_MAX - 1 || s.p[i] <= ' ' || s.p[i] >= 0x7f)
			return false;
		out[n++] = (char)s.p[i];
	}
	out[n] = '\0';
	return n > 0;
}

static void value_get(struct span value, bool bare, struct forwarded_node *node)
{
	char text[NODE_MAX];

	node->kind = text_get(value, text) ? node_get(text, bare, node) : FORWARDED_MALFORMED;
}

/* for=...;by=...;proto=...: each at most once, and for= is all that counts. */
static void element_get(struct span element, struct forwarded_node *node)
{
	struct span pair;
	bool seen = false;

	node->kind = FORWARDED_HIDDEN;
	while (element.n > 0) {
		const uint8_t *equal;
		bool whole = take_last(&element, ';', &pair);

		if (whole && pair.n == 0)
			continue;
		equal = memchr(pair.p, '=', pair.n);
		if (!whole || !equal || equal == pair.p) {
			node->kind = FORWARDED_MALFORMED;
			return;
		}
		if (!http1_is((struct span){ pair.p, (size_t)(equal - pair.p) }, "for"))
			continue;
		if (seen) {
			node->kind = FORWARDED_MALFORMED;
			return;
		}
		seen = true;
		value_get((struct span){ equal + 1, pair.n - (size_t)(equal - pair.p) - 1 }, false, node);
		if (node->kind == FORWARDED_MALFORMED)
			return;
	}
}

/* ---- the walk ---- */

bool forwarded_given(const struct http1_head *head, enum forwarded_header header)
{
	return http1_find(head, names[header]).p != NULL;
}

void forwarded_begin(struct forwarded *f, const struct http1_head *head, enum forwarded_header header)
{
	*f = (struct forwarded){ .head = head, .header = header, .left = head->count };
}

/* The next header to the left: several lines are one list (RFC 9110 section 5.3). */
static bool next_line(struct forwarded *f)
{
	while (f->left > 0) {
		const struct http1_header *h = &f->head->header[--f->left];

		if (http1_is(h->name, names[f->header])) {
			f->rest = h->value;
			return true;
		}
	}
	return false;
}

bool forwarded_next(struct forwarded *f, struct forwarded_node *node)
{
	struct span element = { NULL, 0 };
	bool whole = true;

	memset(node, 0, sizeof *node);
	while (whole && element.n == 0) { /* empty elements are none */
		if (f->rest.n == 0 && !next_line(f))
			return false;
		whole = take_last(&f->rest, ',', &element);
	}
	if (!whole)
		node->kind = FORWARDED_MALFORMED;
	else if (f->header == FORWARDED_X_FOR)
		value_get(element, true, node);
	else
		element_get(element, node);
	return true;
}
