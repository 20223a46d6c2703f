/*
 * Origins. Read with the options; asked by rest.c for each request that has an Origin header.
 */
#include "server/rest_cors.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ORIGIN_MAX 255
#define LETTERS "abcdefghijklmnopqrstuvwxyz"
#define DIGITS "0123456789"

struct rest_cors {
	size_t n;
	char **origin;
};

static bool is_port(const char *s, const char *usual)
{
	size_t n = strspn(s, DIGITS);

	return n > 0 && n <= 5 && !s[n] && *s != '0' && atoi(s) <= 65535 && strcmp(s, usual) != 0;
}

/* As browsers write it: scheme, host in lower case, a port that is not the scheme's own; nothing behind it. */
static bool is_origin(const char *s)
{
	size_t n = strspn(s, LETTERS DIGITS "+-."), host;

	if (strlen(s) > ORIGIN_MAX || !n || strncmp(s + n, "://", 3) != 0)
		return false;
	host = n + 3;
	if (s[host] == '[')
		n = host + strspn(s + host, "[0123456789abcdef:.") + 1; /* with its bracket */
	else
		n = host + strspn(s + host, LETTERS DIGITS "-._");
	if (n == host || (s[host] == '[' && (s[n - 1] != ']' || n < host + 4)))
		return false;
	return !s[n] || (s[n] == ':' && is_port(s + n + 1, !strncmp(s, "https:", 6) ? "443" : !strncmp(s, "http:", 5) ? "80" : ""));
}

/* What to say of one that is none; with a %s for it. */
static const char *complaint(const char *s)
{
	if (strchr(s, '*'))
		return "origins are named one by one: '%s' would let any page use this server";
	if (!strcmp(s, "null"))
		return "'%s' is what browsers say of any page that has no origin of its own, such as a file or a sandboxed frame: it cannot be let in";
	return "an origin is like https://app.example, with a port if it is not the usual one, lower case and nothing behind it, not '%s'";
}

struct rest_cors *rest_cors_new(const char *const *origins, char *error, size_t size)
{
	struct rest_cors *c = calloc(1, sizeof *c);

	if (!c)
		abort();
	for (; *origins; origins++) {
		if (!is_origin(*origins)) {
			snprintf(error, size, complaint(*origins), *origins);
			rest_cors_free(c);
			return NULL;
		}
		c->origin = reallocarray(c->origin, c->n + 1, sizeof *c->origin);
		if (!c->origin || !(c->origin[c->n++] = strdup(*origins)))
			abort();
	}
	return c;
}

void rest_cors_free(struct rest_cors *c)
{
	if (!c)
		return;
	while (c->n)
		free(c->origin[--c->n]);
	free(c->origin);
	free(c);
}

bool rest_cors_allows(const struct rest_cors *c, struct span origin)
{
	for (size_t i = 0; c && i < c->n; i++)
		if (strlen(c->origin[i]) == origin.n && memcmp(c->origin[i], origin.p, origin.n) == 0)
			return true;
	return false;
}

void rest_cors_lines(const char *origin, bool preflight, bool private_network, char out[REST_CORS_LINES])
{
	static const char more[] = "Access-Control-Allow-Methods: PUT, POST, GET, DELETE\r\n"
				   "Access-Control-Allow-Headers: Authorization, Content-Type, Last-Event-ID\r\n"
				   "Access-Control-Max-Age: 7200\r\n";

	snprintf(out, REST_CORS_LINES, "Access-Control-Allow-Origin: %s\r\n%s%s", origin,
		 preflight ? more : "Access-Control-Expose-Headers: Retry-After\r\n",
		 preflight && private_network ? "Access-Control-Allow-Private-Network: true\r\n" : "");
}
