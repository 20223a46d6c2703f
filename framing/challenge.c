/*
 * Challenges. "a=b" behind a comma belongs to the challenge before it, a token with
 * anything else behind it begins a new one. Called by whoever authenticates; calls
 * nothing but comparisons of the HTTP codec.
 */
#include "framing/challenge.h"

#include <ctype.h>
#include <string.h>

#include "framing/error.h"

static bool is_token(uint8_t c)
{
	return isalnum(c) || (c && strchr("!#$%&'*+-.^_`|~", c));
}

static bool is_token68(uint8_t c)
{
	return isalnum(c) || (c && strchr("-._~+/", c));
}

static bool at(const struct cursor *c, uint8_t what)
{
	return c->p < c->end && *c->p == what;
}

static void skip_blanks(struct cursor *c)
{
	while (at(c, ' ') || at(c, '\t'))
		c->p++;
}

/* An element of the list ends here. */
static bool at_end(const struct cursor *c)
{
	return c->p == c->end || *c->p == ',';
}

static struct span read_while(struct cursor *c, bool (*belongs)(uint8_t))
{
	struct span s = { c->p, 0 };

	while (c->p < c->end && belongs(*c->p))
		c->p++;
	s.n = (size_t)(c->p - s.p);
	return s;
}

/* What stands between the quotes. False: no end; nothing is left then. */
static bool read_quoted(struct cursor *c, struct span *s)
{
	s->p = ++c->p;
	while (c->p < c->end && *c->p != '"')
		c->p += *c->p == '\\' && c->end - c->p > 1 ? 2 : 1;
	s->n = (size_t)(c->p - s->p);
	if (c->p == c->end)
		return false;
	c->p++;
	return true;
}

/* Up to the next comma that is in no quotes. */
static void skip_element(struct cursor *c)
{
	struct span ignored;

	while (!at_end(c))
		if (*c->p == '"')
			read_quoted(c, &ignored);
		else
			c->p++;
}

/* "= value" behind a name. */
static bool read_value(struct cursor *c, struct challenge_param *p)
{
	c->p++;
	skip_blanks(c);
	p->quoted = at(c, '"');
	if (p->quoted) {
		if (!read_quoted(c, &p->value))
			return false;
	} else {
		p->value = read_while(c, is_token);
		if (p->value.n == 0)
			return false;
	}
	skip_blanks(c);
	return at_end(c);
}

/* The parameter whose name was read; the cursor is at its '='. to may be NULL. */
static void read_param(struct cursor *c, struct span name, struct challenge *to)
{
	struct challenge_param p = { .name = name };

	if (!read_value(c, &p))
		skip_element(c);
	else if (to && to->count < CHALLENGE_PARAMS_MAX)
		to->param[to->count++] = p;
}

/* A token68 that is all of the element. */
static bool read_token68(struct cursor *c, struct span *out)
{
	struct cursor ahead = *c;
	struct span s = read_while(&ahead, is_token68);

	if (s.n == 0)
		return false;
	while (at(&ahead, '='))
		ahead.p++;
	s.n = (size_t)(ahead.p - s.p);
	skip_blanks(&ahead);
	if (!at_end(&ahead))
		return false;
	*c = ahead;
	*out = s;
	return true;
}

/* What is behind the scheme up to the comma: nothing, a token68, or the first parameter. */
static void read_first(struct cursor *c, struct challenge *to)
{
	struct span name, token = { NULL, 0 };

	if (at_end(c))
		return;
	if (read_token68(c, to ? &to->token : &token))
		return;
	name = read_while(c, is_token);
	skip_blanks(c);
	if (name.n && at(c, '='))
		read_param(c, name, to);
	else
		skip_element(c);
}

/* One header; count grows up to max. */
static void read_header(struct span value, struct challenge *out, size_t max, size_t *count)
{
	struct challenge *now = NULL;
	struct cursor c;

	cursor_init(&c, value.p, value.n);
	while (c.p < c.end) {
		struct span name;
		bool spaced;

		if (at(&c, ',') || at(&c, ' ') || at(&c, '\t')) {
			c.p++;
			continue;
		}
		name = read_while(&c, is_token);
		spaced = at(&c, ' ') || at(&c, '\t');
		skip_blanks(&c);
		if (name.n && at(&c, '=')) {
			read_param(&c, name, now);
		} else if (name.n && (spaced || at_end(&c))) {
			now = *count < max ? &out[(*count)++] : NULL;
			if (now)
				*now = (struct challenge){ .scheme = name };
			read_first(&c, now);
		} else {
			skip_element(&c);
		}
	}
}

size_t challenge_parse(const struct http1_head *head, const char *header, struct challenge *out, size_t max)
{
	size_t count = 0;

	for (size_t i = 0; i < head->count; i++)
		if (http1_is(head->header[i].name, header))
			read_header(head->header[i].value, out, max, &count);
	return count;
}

void challenge_info(const struct http1_head *head, const char *header, struct challenge *out)
{
	memset(out, 0, sizeof *out);
	for (size_t i = 0; i < head->count; i++) {
		struct cursor c;

		if (!http1_is(head->header[i].name, header))
			continue;
		cursor_init(&c, head->header[i].value.p, head->header[i].value.n);
		while (c.p < c.end) {
			struct span name = read_while(&c, is_token);

			skip_blanks(&c);
			if (name.n && at(&c, '='))
				read_param(&c, name, out);
			else
				skip_element(&c);
			while (at(&c, ',') || at(&c, ' ') || at(&c, '\t'))
				c.p++;
		}
	}
}

bool challenge_is(const struct challenge *c, const char *scheme)
{
	return http1_is(c->scheme, scheme);
}

ssize_t challenge_value(const struct challenge *c, const char *name, char *out, size_t cap)
{
	for (size_t i = 0; i < c->count; i++) {
		const struct challenge_param *p = &c->param[i];
		size_t n = 0;

		if (!http1_is(p->name, name))
			continue;
		for (size_t k = 0; k < p->value.n; k++) {
			if (p->quoted && p->value.p[k] == '\\' && k + 1 < p->value.n)
				k++;
			if (n + 1 >= cap)
				return ERROR_LIMIT;
			out[n++] = (char)p->value.p[k];
		}
		out[n] = 0;
		return (ssize_t)n;
	}
	return ERROR_EOF;
}
