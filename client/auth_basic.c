/* Basic (RFC 7617): user and password in UTF-8, readable to whoever is on the way. */
#include <stdlib.h>
#include <string.h>

#include "client/auth_internal.h"
#include "framing/base64.h"
#include "framing/error.h"

static bool basic_offered(struct auth_dialogue *d, const struct challenge *c)
{
	struct auth *a = d->auth;

	(void)c;
	if (!auth_has_password(a, AUTH_BASIC))
		return false;
	if (!strchr(a->proxy.user, ':'))
		return true;
	auth_missing(a, AUTH_BASIC, "a user name with a colon cannot be sent by it");
	return false;
}

static ssize_t basic_put(struct auth_dialogue *d, const char *method, const char *uri, char *out, size_t cap)
{
	const struct auth *a = d->auth;
	size_t user = strlen(a->proxy.user), n = user + 1 + strlen(a->password);
	char *pair;

	(void)method;
	(void)uri;
	if (base64_len(n, false) >= cap)
		return ERROR_LIMIT;
	pair = malloc(n + 1);
	if (!pair)
		abort();
	memcpy(pair, a->proxy.user, user);
	pair[user] = ':';
	memcpy(pair + user + 1, a->password, n - user);
	base64_encode(out, (const uint8_t *)pair, n, false);
	explicit_bzero(pair, n);
	free(pair);
	return (ssize_t)base64_len(n, false);
}

const struct auth_method auth_basic = { .scheme = AUTH_BASIC, .name = "Basic", .offered = basic_offered, .put = basic_put };
