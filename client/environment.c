/*
 * The environment's passwords. Called by main.c and where proxies are looked for.
 */
#include "client/environment.h"

#include <stdlib.h>
#include <string.h>

static const char *const names[] = { "http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY", "ftp_proxy",
				     "FTP_PROXY" };
#define NAMES (sizeof names / sizeof *names)

static char *kept[NAMES];

/* The password in "[scheme://]user:password@host..."; NULL when there is none. */
static char *password_in(char *url, size_t *n)
{
	char *scheme = strstr(url, "://"), *user = scheme ? scheme + 3 : url;
	char *at = memrchr(user, '@', strcspn(user, "/?#")), *colon;

	/* A password may hold what ends other parts of a URL: rather too much than too little. */
	if (!at)
		at = strrchr(user, '@');
	colon = at ? memchr(user, ':', (size_t)(at - user)) : NULL;
	if (!colon)
		return NULL;
	*n = (size_t)(at - colon - 1);
	return colon + 1;
}

void environment_take(void)
{
	for (size_t i = 0; i < NAMES; i++) {
		char *value = getenv(names[i]), *password;
		size_t n;

		if (!value || !(password = password_in(value, &n)))
			continue;
		kept[i] = strdup(value);
		if (!kept[i])
			abort();
		memset(password, '*', n);
	}
}

char *environment_get(const char *name)
{
	for (size_t i = 0; i < NAMES; i++)
		if (kept[i] && strcmp(names[i], name) == 0)
			return kept[i];
	return getenv(name);
}
