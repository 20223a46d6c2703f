/* Used by ingress_http; checked by the options. */
#include "client/served_pac.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool is_pattern(const char *s)
{
	size_t n;

	if (!strncmp(s, "*.", 2))
		s += 2;
	n = strlen(s);
	return n > 0 && n <= 253 && *s != '.' && strspn(s, "abcdefghijklmnopqrstuvwxyz0123456789-._:") == n;
}

bool served_pac_check(const struct served_pac *p, char *error, size_t size)
{
	for (size_t i = 0; i < p->n; i++)
		if (!is_pattern(p->host[i])) {
			snprintf(error, size, "a host is like www.example.org, *.example.org or an address, in small letters, not '%s'", p->host[i]);
			return false;
		}
	for (const char *c = p->otherwise; *c; c++)
		if (*c < ' ' || *c > '~' || *c == '"' || *c == '\\') {
			snprintf(error, size, "what other hosts get is like DIRECT or PROXY proxy.example:3128, not '%s'", p->otherwise);
			return false;
		}
	return true;
}

static void put_host(FILE *f, const char *host, bool first)
{
	if (!first)
		fprintf(f, " ||\n\t    ");
	if (!strncmp(host, "*.", 2))
		fprintf(f, "host == \"%s\" || dnsDomainIs(host, \"%s\")", host + 2, host + 1);
	else
		fprintf(f, "host == \"%s\"", host);
}

char *served_pac_text(const struct served_pac *p, const char *proxy)
{
	char *text = NULL;
	size_t size;
	FILE *f = open_memstream(&text, &size);

	if (!f)
		abort();
	fprintf(f, "function FindProxyForURL(url, host) {\n");
	if (p->n) {
		fprintf(f, "\tif (");
		for (size_t i = 0; i < p->n; i++)
			put_host(f, p->host[i], i == 0);
		fprintf(f, ")\n\t\treturn \"PROXY %s\";\n\treturn \"%s\";\n}\n", proxy, p->otherwise);
	} else {
		fprintf(f, "\treturn \"PROXY %s\";\n}\n", proxy);
	}
	if (fclose(f) != 0)
		abort();
	return text;
}
