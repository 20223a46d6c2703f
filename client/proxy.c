/*
 * Proxies by name: URLs as people, environment variables and systems write them,
 * and texts for messages. Called by options, discovery and route; pure.
 */
#include "client/proxy.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "client/authority.h"

static const struct scheme {
	const char *name;
	enum proxy_kind kind;
	uint16_t port;		/* when none is given, as curl has it */
	bool guess;		/* that port is a guess, no standard */
} schemes[] = {
	{ "http", PROXY_HTTP, 1080, true },
	{ "https", PROXY_HTTPS, 443, false },
	{ "socks5", PROXY_SOCKS5, 1080, false },
	{ "socks5h", PROXY_SOCKS5, 1080, false },
};

static const char *scheme_find(const char **rest, const struct scheme **out)
{
	const char *end = strstr(*rest, "://");
	size_t n = end ? (size_t)(end - *rest) : 0;

	*out = &schemes[0];
	if (!end)
		return NULL;
	for (size_t i = 0; i < sizeof schemes / sizeof *schemes; i++) {
		if (strlen(schemes[i].name) != n || strncasecmp(*rest, schemes[i].name, n) != 0)
			continue;
		*out = &schemes[i];
		*rest = end + strlen("://");
		return NULL;
	}
	if (n >= 5 && strncasecmp(*rest, "socks", 5) == 0)
		return "is a SOCKS4 proxy: only SOCKS5 is spoken, as socks5://HOST[:PORT]";
	return "must be http://[USER@]HOST:PORT, or begin with https:// or socks5://";
}

/* %40 and the like, in place. False when it is malformed, hides a control character or one of those forbidden. */
static bool decode(char *s, const char *forbidden)
{
	char *out = s;

	for (; *s; s++) {
		unsigned v = (unsigned char)*s;
		char digits[3];

		if (*s == '%') {
			if (!isxdigit((unsigned char)s[1]) || !isxdigit((unsigned char)s[2]))
				return false;
			snprintf(digits, sizeof digits, "%.2s", s + 1);
			v = (unsigned)strtoul(digits, NULL, 16);
			s += 2;
		}
		if (v < ' ' || v == 0x7f || strchr(forbidden, (int)v))
			return false;
		*out++ = (char)v;
	}
	*out = 0;
	return true;
}

/* The n characters in front of '@'. */
static const char *user_parse(const char *s, size_t n, bool strict, bool password, struct proxy *p)
{
	const char *colon = memchr(s, ':', n);
	size_t user = colon ? (size_t)(colon - s) : n, secret = colon ? n - user - 1 : 0;

	if (colon && !password)
		return "holds a password, which everybody could see in the list of processes or the configuration: "
		       "write it into a file and name that with --proxy-password-file";
	if ((user == 0 && strict) || user >= sizeof p->user)
		return "the user name is empty or too long";
	if (secret >= sizeof p->password)
		return "the password is too long";
	memcpy(p->user, s, user);
	if (!decode(p->user, ":"))
		return "the user name is malformed";
	if (colon)
		memcpy(p->password, colon + 1, secret);
	if (!decode(p->password, ""))
		return "the password is malformed";
	return NULL;
}

static const char *parse(const char *url, bool strict, bool password, struct proxy *p)
{
	const struct scheme *scheme;
	const char *why = scheme_find(&url, &scheme), *at;
	size_t n = strcspn(url, strict ? "/" : "/?#");

	if (why)
		return why;
	if (!*url)
		return "must be http://[USER@]HOST:PORT, it is empty";
	if (strict && url[n] && url[n + 1])
		return "has a path; http://[USER@]HOST:PORT is enough";
	p->kind = scheme->kind;
	at = memrchr(url, '@', n);
	if (at) {
		why = user_parse(url, (size_t)(at - url), strict, password, p);
		n -= (size_t)(at - url) + 1;
		url = at + 1;
	}
	if (!why)
		why = authority_parse(url, n, p->host, &p->port, strict && scheme->guess ? 0 : scheme->port);
	return why;
}

void proxy_show(struct proxy *p)
{
	static const char *const front[] = { [PROXY_HTTP] = "", [PROXY_HTTPS] = "https://", [PROXY_SOCKS5] = "socks5://" };
	int n = snprintf(p->shown, sizeof p->shown, "%s", front[p->kind]);

	authority_text(p->host, p->port, 0, p->shown + n, sizeof p->shown - (size_t)n);
}

const char *proxy_parse(const char *url, bool strict, bool password, struct proxy *p)
{
	const char *why;

	memset(p, 0, sizeof *p);
	why = parse(url, strict, password, p);
	if (why)
		explicit_bzero(p, sizeof *p);
	else
		proxy_show(p);
	return why;
}

const char *proxy_chain_text(const struct proxy_chain *c, char *out, size_t size)
{
	size_t n = (size_t)snprintf(out, size, "%s", c->n ? "" : "direct");

	for (unsigned i = 0; i < c->n && n < size; i++)
		n += (size_t)snprintf(out + n, size - n, "%s%s", i ? " > " : "", c->hop[i].shown);
	return out;
}

bool proxy_equal(const struct proxy *a, const struct proxy *b)
{
	return a->kind == b->kind && a->port == b->port && strcasecmp(a->host, b->host) == 0 && strcmp(a->user, b->user) == 0;
}

bool proxy_chain_equal(const struct proxy_chain *a, const struct proxy_chain *b)
{
	if (a->n != b->n)
		return false;
	for (unsigned i = 0; i < a->n; i++)
		if (!proxy_equal(&a->hop[i], &b->hop[i]))
			return false;
	return true;
}

bool proxy_list_equal(const struct proxy_list *a, const struct proxy_list *b)
{
	if (a->n != b->n || strcmp(a->from, b->from) != 0)
		return false;
	for (unsigned i = 0; i < a->n; i++)
		if (!proxy_chain_equal(&a->chain[i], &b->chain[i]))
			return false;
	return true;
}
