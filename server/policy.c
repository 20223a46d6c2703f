/* Rules for targets. Made from the options, asked by destinations; uses cidr. */
#include "server/policy.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "tunnel/cidr.h"

struct rule {
	bool allows;
	enum { RULE_ALL, RULE_NETWORK, RULE_NAME } kind;
	bool special;		/* a network within those of special use */
	struct cidr network;
	char *name;		/* "*.example.org" or "example.org" */
	uint16_t first, last;	/* ports */
};

struct policy {
	size_t n;
	struct rule rule[];
};

/* RFC 6890 and its registries; and ways of writing IPv4 in IPv6, which may lead to any of them. */
static const char *const special[] = {
	"0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.0.0.0/24", "192.0.2.0/24",
	"192.88.99.0/24", "192.168.0.0/16", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4",
	"::/96", "64:ff9b::/96", "64:ff9b:1::/48", "100::/64", "2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20", "5f00::/16",
	"fc00::/7", "fe80::/10", "fec0::/10", "ff00::/8",
};
#define SPECIAL (sizeof special / sizeof *special)

static const struct cidr *special_networks(void)
{
	static struct cidr networks[SPECIAL];

	for (size_t i = 0; i < SPECIAL && networks[SPECIAL - 1].len == 0; i++)
		if (!cidr_parse(special[i], strlen(special[i]), &networks[i]))
			abort();
	return networks;
}

static bool is_special(const struct address *a)
{
	const struct cidr *networks = special_networks();

	for (size_t i = 0; i < SPECIAL; i++)
		if (cidr_has(&networks[i], a))
			return true;
	return false;
}

static bool names_special(const struct cidr *c)
{
	const struct cidr *networks = special_networks();

	for (size_t i = 0; i < SPECIAL; i++)
		if (cidr_within(c, &networks[i]))
			return true;
	return false;
}

/* ---- rules as written ---- */

static bool port_get(const char **at, uint16_t *port)
{
	char *end;
	unsigned long v;

	if (**at < '0' || **at > '9')
		return false;
	v = strtoul(*at, &end, 10);
	*at = end;
	*port = (uint16_t)v;
	return v >= 1 && v <= 65535;
}

/* "", ":443" or ":8000-8100" */
static bool ports_get(const char *text, struct rule *r)
{
	r->first = 0;
	r->last = 65535;
	if (!*text)
		return true;
	if (*text++ != ':' || !port_get(&text, &r->first))
		return false;
	r->last = r->first;
	if (*text == '-' && (text++, !port_get(&text, &r->last)))
		return false;
	return !*text && r->first <= r->last;
}

static bool is_name(const char *s, size_t n)
{
	if (n > 2 && !strncmp(s, "*.", 2)) {
		s += 2;
		n -= 2;
	}
	if (n == 0 || n > 253 || s[0] == '.' || s[n - 1] == '.')
		return false;
	for (size_t i = 0; i < n; i++)
		if (!strchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.", s[i]))
			return false;
	return strspn(s, "0123456789.") < n; /* that would be a wrong address */
}

/* "[v6]", "[v6/32]", "v4", "v4/8", a name, "*"; true and how long it is. */
static bool host_get(const char *text, struct rule *r, size_t *n)
{
	*n = *text == '[' ? strcspn(text, "]") + 1 : strcspn(text, ":");
	if (*text == '[') {
		r->kind = RULE_NETWORK;
		return text[*n - 1] == ']' && cidr_parse(text + 1, *n - 2, &r->network) && r->network.len == 16;
	}
	if (*n == 1 && *text == '*') {
		r->kind = RULE_ALL;
		return true;
	}
	r->kind = cidr_parse(text, *n, &r->network) ? RULE_NETWORK : RULE_NAME;
	return r->kind == RULE_NETWORK || is_name(text, *n);
}

static bool rule_get(const char *text, struct rule *r)
{
	size_t n;

	if (*text != '+' && *text != '-')
		return false;
	r->allows = *text++ == '+';
	if (!host_get(text, r, &n) || !ports_get(text + n, r))
		return false;
	r->special = r->kind == RULE_NETWORK && names_special(&r->network);
	if (r->kind != RULE_NAME)
		return true;
	r->name = strndup(text, n);
	if (!r->name)
		abort();
	return true;
}

struct policy *policy_new(const char *const *rules, size_t n, char *error, size_t size)
{
	struct policy *p = calloc(1, sizeof *p + n * sizeof *p->rule);

	if (!p)
		abort();
	if (n > POLICY_RULES_MAX) {
		snprintf(error, size, "there are more than %d rules", POLICY_RULES_MAX);
		policy_free(p);
		return NULL;
	}
	for (; p->n < n; p->n++)
		if (!rule_get(rules[p->n], &p->rule[p->n])) {
			snprintf(error, size, "a rule is + or - and HOST or HOST:PORT, such as +*.example.org:443, -10.0.0.0/8 or +[2001:db8::/32]:3478-3479, not '%s'",
				 rules[p->n]);
			policy_free(p);
			return NULL;
		}
	return p;
}

void policy_free(struct policy *p)
{
	for (size_t i = 0; p && i < p->n; i++)
		free(p->rule[i].name);
	free(p);
}

bool policy_is_empty(const struct policy *p)
{
	for (size_t i = 0; p && i < p->n; i++)
		if (p->rule[i].allows)
			return false;
	return true;
}

/* ---- verdicts ---- */

/* Names are the same with and without the root's dot, and whatever their case. */
static bool fits_name(const char *pattern, const char *name)
{
	size_t n = strlen(name), tail;

	n -= n > 0 && name[n - 1] == '.';
	if (*pattern != '*')
		return strlen(pattern) == n && !strncasecmp(pattern, name, n);
	tail = strlen(++pattern);
	return n > tail && !strncasecmp(name + n - tail, pattern, tail);
}

static bool fits(const struct rule *r, const char *name, const struct address *to)
{
	uint16_t port = address_port(to);

	if (port < r->first || port > r->last)
		return false;
	switch (r->kind) {
	case RULE_NETWORK:
		return cidr_has(&r->network, to);
	case RULE_NAME:
		return name && fits_name(r->name, name);
	default:
		return true;
	}
}

enum policy_verdict policy_judge(const struct policy *p, const char *name, const struct address *to)
{
	struct address real = *to;
	bool hidden = false, reserved;

	address_unmap(&real);
	reserved = is_special(&real);
	for (size_t i = 0; p && i < p->n; i++) {
		const struct rule *r = &p->rule[i];

		if (!fits(r, name, &real))
			continue;
		if (!r->allows)
			return hidden ? POLICY_SPECIAL : POLICY_DENIED;
		if (!reserved || r->special)
			return POLICY_ALLOWED;
		hidden = true;
	}
	return hidden ? POLICY_SPECIAL : POLICY_DENIED;
}
