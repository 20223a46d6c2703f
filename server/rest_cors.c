/*
 * Origins. Read with the options; asked by rest.c for each request that has an Origin header.
 */
#include "server/rest_cors.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ORIGIN_MAX 255

struct rest_cors {
	size_t n;
	char **origin;
};

/* As browsers write it: scheme, host in lower case, a port that is not the scheme's own; nothing behind it. */
static bool is_origin(const char *s)
{
	const char *host = !strncmp(s, "https://", 8) ? s + 8 : !strncmp(s, "http://", 7) ? s + 7 : strstr(s, "://");
	size_t n = strlen(s);

	if (!host || n > ORIGIN_MAX)
		return false;
	if (*host == ':')
		host += 3;
	return *host && strspn(host, "abcdefghijklmnopqrstuvwxyz0123456789.-_:[]") == strlen(host);
}

struct rest_cors *rest_cors_new(const char *const *origins, char *error, size_t size)
{
	struct rest_cors *c = calloc(1, sizeof *c);

	if (!c)
		abort();
	for (; *origins; origins++) {
		if (!is_origin(*origins)) {
			snprintf(error, size, strchr(*origins, '*') ? "origins are named one by one: '%s' would let any page use this server" :
				 "an origin is like https://app.example, with a port if it is not the usual one, lower case and nothing behind it, not '%s'",
				 *origins);
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

void rest_cors_lines(struct span origin, bool preflight, char *out, size_t size)
{
	static const char more[] = "Access-Control-Allow-Methods: PUT, POST, GET, DELETE\r\n"
				   "Access-Control-Allow-Headers: Authorization, Content-Type, Last-Event-ID\r\n"
				   "Access-Control-Max-Age: 7200\r\n";

	snprintf(out, size, "Access-Control-Allow-Origin: %.*s\r\nVary: Origin\r\n%s", (int)origin.n, (const char *)origin.p,
		 preflight ? more : "Access-Control-Expose-Headers: Retry-After\r\n");
}
