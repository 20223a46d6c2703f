/*
 * WPAD. Called by pac_ask.c; pure. The option 252 of DHCP, which is asked first where
 * there is a DHCP client to ask, cannot be read here: leases are not for everybody.
 */
#include "client/wpad.h"

#include <ctype.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

static bool domain_good(const char *s, size_t n)
{
	bool dot = false;

	if (n == 0 || n > 240 || s[0] == '.')
		return false;
	for (size_t i = 0; i < n; i++) {
		if (s[i] == '.' && (i + 1 == n || s[i + 1] == '.'))
			return false;
		if (!isalnum((unsigned char)s[i]) && s[i] != '-' && s[i] != '.' && s[i] != '_')
			return false;
		dot = dot || s[i] == '.';
	}
	return dot;
}

/* The rest of a line "search a b" or "domain a". */
static unsigned domains(const char *s, size_t n, char url[FETCH_URLS_MAX][FETCH_URL_MAX])
{
	unsigned count = 0;
	size_t at = 0;

	while (at < n && count < FETCH_URLS_MAX) {
		size_t from, len;

		while (at < n && isspace((unsigned char)s[at]))
			at++;
		from = at;
		while (at < n && !isspace((unsigned char)s[at]))
			at++;
		len = at - from;
		if (len > 0 && s[at - 1] == '.')
			len--;
		if (domain_good(s + from, len))
			snprintf(url[count++], FETCH_URL_MAX, "http://wpad.%.*s/wpad.dat", (int)len, s + from);
	}
	return count;
}

unsigned wpad_urls(const char *resolv_conf, char url[FETCH_URLS_MAX][FETCH_URL_MAX])
{
	unsigned count = 0;

	for (const char *s = resolv_conf; *s; s += strcspn(s, "\n"), s += *s == '\n') {
		size_t n = strcspn(s, "\n");

		/* The last one of these lines counts. */
		if (n > 7 && (strncmp(s, "search", 6) == 0 || strncmp(s, "domain", 6) == 0) && isspace((unsigned char)s[6]))
			count = domains(s + 7, n - 7, url);
	}
	return count;
}
