/*
 * Answers of PAC scripts. Called by discovery_pac.c with what came out of the
 * sandbox: anything can be in it. Pure.
 */
#include "client/pac_result.h"

#include <ctype.h>
#include <stdbool.h>
#include <string.h>
#include <strings.h>

#include "client/authority.h"
#include "framing/error.h"

static const struct word {
	const char *name;
	enum proxy_kind kind;
	uint16_t port;		/* 0: no proxy */
} words[] = {
	{ "DIRECT", PROXY_HTTP, 0 },
	{ "PROXY", PROXY_HTTP, 80 },
	{ "HTTP", PROXY_HTTP, 80 },
	{ "HTTPS", PROXY_HTTPS, 443 },
	{ "SOCKS", PROXY_SOCKS5, 1080 },	/* what speaks 5 does not say so in old scripts */
	{ "SOCKS5", PROXY_SOCKS5, 1080 },
};

static bool blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static void trim(const char **s, size_t *n)
{
	while (*n > 0 && blank(**s)) {
		++*s;
		--*n;
	}
	while (*n > 0 && blank((*s)[*n - 1]))
		--*n;
}

static const struct word *word_find(const char *s, size_t n)
{
	for (size_t i = 0; i < sizeof words / sizeof *words; i++)
		if (strlen(words[i].name) == n && strncasecmp(s, words[i].name, n) == 0)
			return &words[i];
	return NULL;
}

/* Letters, digits and what addresses hold: nothing else gets into messages and requests. */
static bool clean(const char *s, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (!isalnum((unsigned char)s[i]) && !memchr(".-_:[]", s[i], 6))
			return false;
	return true;
}

static bool candidate_parse(const char *s, size_t n, struct proxy_chain *out)
{
	const struct word *w;
	struct proxy *p = &out->hop[0];
	size_t head = 0;

	while (head < n && !blank(s[head]))
		head++;
	w = word_find(s, head);
	s += head;
	n -= head;
	trim(&s, &n);
	memset(out, 0, sizeof *out);
	if (!w || (w->port == 0) != (n == 0))
		return false;
	if (w->port == 0)
		return true;
	if (!clean(s, n) || authority_parse(s, n, p->host, &p->port, w->port) != NULL)
		return false;
	p->kind = w->kind;
	proxy_show(p);
	out->n = 1;
	return true;
}

static bool known(const struct proxy_list *l, const struct proxy_chain *c)
{
	for (unsigned i = 0; i < l->n; i++)
		if (proxy_chain_equal(&l->chain[i], c))
			return true;
	return false;
}

int pac_result_parse(const char *text, size_t n, struct proxy_list *out, unsigned *skipped)
{
	const char *end = text + (n < PAC_RESULT_MAX ? n : PAC_RESULT_MAX);

	*skipped = 0;
	out->n = 0;
	for (const char *s = text, *next; s < end; s = next + 1) {
		struct proxy_chain chain;
		const char *entry = s;
		size_t len;

		next = memchr(s, ';', (size_t)(end - s));
		next = next ? next : end;
		len = (size_t)(next - s);
		trim(&entry, &len);
		if (len == 0)
			continue;
		if (!candidate_parse(entry, len, &chain))
			++*skipped;
		else if (!known(out, &chain) && out->n == PROXY_CANDIDATES_MAX)
			++*skipped;
		else if (!known(out, &chain))
			out->chain[out->n++] = chain;
	}
	if (out->n == 0 && *skipped > 0)
		return ERROR_MALFORMED;
	if (out->n == 0)
		out->chain[out->n++].n = 0;
	return 0;
}
