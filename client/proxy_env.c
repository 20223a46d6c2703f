/*
 * Proxies of the environment. Called by discovery.c; calls the readers of URLs and of
 * NO_PROXY.
 */
#include "client/proxy_env.h"

#include <stdio.h>
#include <string.h>

#include "client/no_proxy.h"
#include "framing/error.h"

/* The first of two variables that has a value; its name in *name. */
static const char *either(char *(*get)(const char *name), const char *one, const char *other, const char **name)
{
	const char *value = get(one);

	*name = one;
	if ((!value || !*value) && other) {
		value = get(other);
		*name = other;
	}
	return value && *value ? value : NULL;
}

int proxy_env_find(char *(*get)(const char *name), bool plain, const char *host, uint16_t port, struct proxy_list *out, char *error,
		   size_t size)
{
	const char *name, *url, *why, *list;

	memset(out, 0, sizeof *out);
	out->n = 1;
	out->named = true;
	list = either(get, "no_proxy", "NO_PROXY", &name);
	if (list && no_proxy_matches(list, host, port)) {
		snprintf(out->from, sizeof out->from, "%s", name);
		return 1;
	}
	url = plain ? either(get, "http_proxy", NULL, &name) : either(get, "https_proxy", "HTTPS_PROXY", &name);
	if (!url)
		url = either(get, "all_proxy", "ALL_PROXY", &name);
	if (!url)
		return 0;
	why = proxy_parse(url, false, true, &out->chain[0].hop[0]);
	if (why) {
		snprintf(error, size, "%s %s", name, why);
		return ERROR_CONFIG;
	}
	out->chain[0].n = 1;
	snprintf(out->from, sizeof out->from, "%s", name);
	return 1;
}
