/*
 * Who asks: the Authorization header of REST clients. Called by rest.c for each request; the token is in no log and stays nowhere.
 */
#include "server/rest_auth.h"

#include <string.h>
#include <strings.h>

#include "framing/base64.h"
#include "tunnel/daemon.h"

#define BEARER_MAX 512	/* name:token and base64 */

const char *rest_auth(const struct credentials *credentials, struct span value)
{
	static const char scheme[] = "Bearer ";
	uint8_t plain[BEARER_MAX];
	const char *identity = NULL;
	const uint8_t *colon;
	ssize_t n;

	if (value.n < sizeof scheme - 1 || strncasecmp((const char *)value.p, scheme, sizeof scheme - 1) != 0)
		return NULL;
	n = base64_decode(plain, sizeof plain, (const char *)value.p + sizeof scheme - 1, value.n - (sizeof scheme - 1), true);
	colon = n > 0 ? memchr(plain, ':', (size_t)n) : NULL;
	if (colon) {
		struct span name = { plain, (size_t)(colon - plain) }, token = { colon + 1, (size_t)(plain + n - colon - 1) };

		identity = credentials_bearer(credentials, name, token);
	}
	daemon_wipe(plain, sizeof plain);
	return identity;
}
